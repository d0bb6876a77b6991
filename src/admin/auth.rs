//! The bearer token: whoever can read its file may change things (RFC 6750).

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Why there is no token.
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
    /// The file has no token in it.
    #[error("the token file {path} is too short: a token has at least {TOKEN_LEN_MIN} characters")]
    Short {
        /// The file.
        path: PathBuf,
    },
}

/// Characters below which a token could be guessed.
const TOKEN_LEN_MIN: usize = 16;

/// The secret that a request must bear to change something.
pub struct Token(String);

impl Token {
    /// Reads the token, the first line of the file at `path`. If there is no such file, it is made, readable by its
    /// owner only, with a token of the octets that `random` gives. True: it was made.
    ///
    /// # Errors
    /// [`TokenError`].
    pub fn read_or_make(
        path: &Path,
        random: impl FnOnce() -> io::Result<[u8; 32]>,
    ) -> Result<(Self, bool), TokenError> {
        match fs::read_to_string(path) {
            Ok(text) => {
                let token = text.lines().next().unwrap_or_default().trim().to_owned();
                if token.len() < TOKEN_LEN_MIN {
                    return Err(TokenError::Short { path: path.to_owned() });
                }
                Ok((Self(token), false))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let token = make(path, random).map_err(|error| TokenError::Make { path: path.to_owned(), error })?;
                Ok((Self(token), true))
            }
            Err(error) => Err(TokenError::Read { path: path.to_owned(), error }),
        }
    }

    /// True if `authorization`, the value of the header, bears this token. Takes as long for a token that is almost
    /// right as for one that is all wrong.
    #[must_use]
    pub fn is_borne_by(&self, authorization: &str) -> bool {
        let Some((scheme, given)) = authorization.split_once(' ') else { return false };
        let (given, wanted) = (given.trim().as_bytes(), self.0.as_bytes());
        // The length of the token is no secret.
        let differs = given
            .iter()
            .zip(wanted)
            .fold(given.len() ^ wanted.len(), |differs, (a, b)| std::hint::black_box(differs | usize::from(a ^ b)));
        scheme.eq_ignore_ascii_case("bearer") && differs == 0
    }
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
        let (token, made) = Token::read_or_make(&path, || Ok([0xab; 32])).unwrap();
        assert!(made);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let (again, made) = Token::read_or_make(&path, || unreachable!()).unwrap();
        assert!(!made);
        assert_eq!(token.0, again.0);
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
            assert_eq!(token.is_borne_by(&header), borne, "{header}");
        }
    }

    #[test]
    fn a_short_token_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        fs::write(&path, "secret\n").unwrap();
        assert!(matches!(Token::read_or_make(&path, || Ok([0; 32])), Err(TokenError::Short { .. })));
    }
}
