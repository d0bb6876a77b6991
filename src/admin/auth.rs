//! Bearer tokens (RFC 6750): who has one may look, or change things, by its scope.
//!
//! The file has a bare token, whose bearer may do everything, or one token a line with a name and a scope:
//!
//! ```text
//! # who     may      by
//! grafana   read     5c1d…
//! alice     operate  88f0…
//! fra-proxy feed     07be…
//! ```

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::base::limits::TOKENS_MAX;

/// Why there are no tokens.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The file is there and can't be read.
    #[error("cannot read the token file {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        error: io::Error,
    },
    /// The file is not there and can't be made.
    #[error("cannot make the token file {path}")]
    Make {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        error: io::Error,
    },
    /// The file says nothing that can be used. What it says is secret, and not repeated.
    #[error("{path}:{line}: {reason}")]
    Bad {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong there.
        reason: &'static str,
    },
}

/// Characters below which a token could be guessed.
const TOKEN_LEN_MIN: usize = 16;

/// What the bearer of a token may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Push readings of load feeds, and nothing else.
    Feed,
    /// Look at everything.
    Read,
    /// That, and change everything.
    Operate,
}

/// The secrets that requests must bear.
#[derive(Debug)]
pub struct Tokens(Vec<Token>);

/// A secret, and who has it.
#[derive(Clone, PartialEq, Eq)]
struct Token {
    name: Option<String>,
    scope: Scope,
    secret: String,
}

impl std::fmt::Debug for Token {
    /// Without the secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Token({:?}, {:?})", self.name, self.scope)
    }
}

/// Who bears a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bearer<'t> {
    /// The name that the file gives; `None` for a bare token.
    pub name: Option<&'t str>,
    /// What it may do.
    pub scope: Scope,
}

impl Tokens {
    /// Reads the file at `path`. If there is no such file, it is made, readable by its owner only, with a token of the
    /// octets that `random` gives. True: it was made.
    ///
    /// # Errors
    /// [`TokenError`].
    pub fn read_or_make(
        path: &Path,
        random: impl FnOnce() -> io::Result<[u8; 32]>,
    ) -> Result<(Self, bool), TokenError> {
        match Self::read(path) {
            Err(TokenError::Read { error, .. }) if error.kind() == io::ErrorKind::NotFound => {
                let secret = make(path, random).map_err(|error| TokenError::Make { path: path.to_owned(), error })?;
                Ok((Self(vec![Token { name: None, scope: Scope::Operate, secret }]), true))
            }
            read => read.map(|tokens| (tokens, false)),
        }
    }

    /// Reads the file at `path`.
    ///
    /// # Errors
    /// [`TokenError`].
    pub fn read(path: &Path) -> Result<Self, TokenError> {
        let text = fs::read_to_string(path).map_err(|error| TokenError::Read { path: path.to_owned(), error })?;
        Self::parse(&text).map_err(|(line, reason)| TokenError::Bad { path: path.to_owned(), line, reason })
    }

    /// The tokens of a file's text, or the line that is wrong and why.
    fn parse(text: &str) -> Result<Self, (usize, &'static str)> {
        let mut tokens: Vec<Token> = Vec::new();
        for (line, text) in (1..).zip(text.lines()) {
            let text = text.trim();
            if text.is_empty() || text.starts_with('#') {
                continue;
            }
            let token = token(text).map_err(|reason| (line, reason))?;
            if tokens
                .iter()
                .any(|known| known.secret == token.secret || token.name.is_some() && known.name == token.name)
            {
                return Err((line, "this name or token stands further up"));
            }
            if tokens.len() >= TOKENS_MAX {
                return Err((line, "these are too many tokens"));
            }
            tokens.push(token);
        }
        if tokens.is_empty() { Err((1, "there is no token in it")) } else { Ok(Self(tokens)) }
    }

    /// Who bears the token of `authorization`, the value of the header. Takes as long for a token that is almost right
    /// as for one that is all wrong.
    #[must_use]
    pub fn bearer(&self, authorization: &str) -> Option<Bearer<'_>> {
        let (scheme, given) = authorization.split_once(' ')?;
        let given = given.trim().as_bytes();
        // Every token is compared, so that the time does not tell which one was nearly right.
        let mut found = None;
        for token in &self.0 {
            if is_same(given, token.secret.as_bytes()) {
                found = Some(Bearer { name: token.name.as_deref(), scope: token.scope });
            }
        }
        found.filter(|_| scheme.eq_ignore_ascii_case("bearer"))
    }

    /// The secret that commands on this machine speak with: the first that may change things, else the first that may look.
    #[must_use]
    pub fn for_commands(&self) -> Option<&str> {
        let operating = self.0.iter().find(|token| token.scope == Scope::Operate);
        let reading = self.0.iter().find(|token| token.scope == Scope::Read);
        operating.or(reading).map(|token| token.secret.as_str())
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }
}

fn token(text: &str) -> Result<Token, &'static str> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let (name, scope, secret) = match words[..] {
        [secret] => (None, Scope::Operate, secret),
        [name, "read", secret] => (Some(name), Scope::Read, secret),
        [name, "feed", secret] => (Some(name), Scope::Feed, secret),
        [name, "operate", secret] => (Some(name), Scope::Operate, secret),
        [_, _, _] => return Err("the second word is the scope: `read`, `operate` or `feed`"),
        _ => return Err("a line is TOKEN, or NAME SCOPE TOKEN"),
    };
    if secret.len() < TOKEN_LEN_MIN {
        return Err("the token is too short: it has at least 16 characters");
    }
    Ok(Token { name: name.map(str::to_owned), scope, secret: secret.to_owned() })
}

fn is_same(given: &[u8], wanted: &[u8]) -> bool {
    // The length of a token is no secret.
    let differs = given
        .iter()
        .zip(wanted)
        .fold(given.len() ^ wanted.len(), |differs, (a, b)| std::hint::black_box(differs | usize::from(a ^ b)));
    differs == 0
}

fn make(path: &Path, random: impl FnOnce() -> io::Result<[u8; 32]>) -> io::Result<String> {
    let token: String = random()?.iter().map(|octet| format!("{octet:02x}")).collect();
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    writeln!(file, "{token}")?;
    Ok(token)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_token_is_made_once_and_compared_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state/admin.token");
        let (tokens, made) = Tokens::read_or_make(&path, || Ok([0xab; 32])).unwrap();
        assert!(made);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let (again, made) = Tokens::read_or_make(&path, || unreachable!()).unwrap();
        assert!(!made);
        assert_eq!(tokens.0, again.0);
        let right = "ab".repeat(32);
        for (header, borne) in [
            (format!("Bearer {right}"), true),
            (format!("bearer  {right} "), true),
            (format!("Basic {right}"), false),
            (right.clone(), false),
            (format!("Bearer {}", &right[1..]), false),
            (format!("Bearer {right}0"), false),
            (format!("Bearer {}c", &right[..63]), false),
            ("Bearer ".into(), false),
        ] {
            assert_eq!(tokens.bearer(&header).is_some(), borne, "{header}");
        }
        assert_eq!(tokens.for_commands(), Some(right.as_str()));
    }

    #[test]
    fn tokens_have_names_and_scopes() {
        let text = "# who may what\n\ngrafana read 0123456789abcdef\nalice operate fedcba9876543210\nfeedfeedfeedfeed\n\
             fra feed 00112233445566778\n";
        let tokens = Tokens::parse(text).unwrap();
        for (token, expected) in [
            ("0123456789abcdef", Some((Some("grafana"), Scope::Read))),
            ("fedcba9876543210", Some((Some("alice"), Scope::Operate))),
            ("feedfeedfeedfeed", Some((None, Scope::Operate))),
            ("00112233445566778", Some((Some("fra"), Scope::Feed))),
            ("grafana", None),
            ("", None),
        ] {
            let found = tokens.bearer(&format!("Bearer {token}"));
            assert_eq!(found.map(|bearer| (bearer.name, bearer.scope)), expected, "{token}");
        }
        assert_eq!((tokens.count(), tokens.for_commands()), (4, Some("fedcba9876543210")));
        assert!(!format!("{tokens:?}").contains("feed"), "secrets are not shown");
    }

    #[test]
    fn bad_files_are_refused_by_line() {
        for (text, line) in [
            ("", 1),
            ("# nothing\n", 1),
            ("secret\n", 1),
            ("alice operate short\n", 1),
            ("alice may 0123456789abcdef\n", 1),
            ("alice operate\n", 1),
            ("a b c d\n", 1),
            ("0123456789abcdef\n\n0123456789abcdef\n", 3),
            ("a read 0123456789abcdef\na read 0123456789abcdee\n", 2),
        ] {
            assert_eq!(Tokens::parse(text).unwrap_err().0, line, "{text:?}");
        }
    }
}
