//! The parameters of a request, read strictly: an unknown one is a mistake, and so is one that is there twice.

use axum::http::StatusCode;
use axum::response::Response;

use crate::admin::problem::problem;

/// The largest number that every reader of JSON can hold.
pub(super) const NUMBER_MAX: u64 = (1 << 53) - 1;

/// The pairs of a query string, unescaped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// The parameters of a query string; all of them are among `known`.
    pub(super) fn of(query: Option<&str>, known: &[&str]) -> Result<Self, String> {
        let parts = query.unwrap_or_default().split('&').filter(|part| !part.is_empty());
        let pair = |part: &str| {
            let (key, value) = part.split_once('=').unwrap_or((part, ""));
            (unescape(key), unescape(value))
        };
        let pairs: Vec<(String, String)> = parts.map(pair).collect();
        match pairs.iter().find(|(key, _)| !known.contains(&key.as_str())) {
            None => Ok(Self(pairs)),
            Some((key, _)) if known.is_empty() => Err(format!("no such parameter: `{key}`; there are none")),
            Some((key, _)) => Err(format!("no such parameter: `{key}`; {}", known.join(", "))),
        }
    }

    /// The value of a parameter that may be there once.
    pub(super) fn one(&self, key: &str) -> Result<Option<&str>, String> {
        let mut values = self.0.iter().filter(|(name, _)| name == key).map(|(_, value)| value.as_str());
        let value = values.next();
        if values.next().is_some() { Err(format!("`{key}` is there twice")) } else { Ok(value) }
    }

    /// All values of a parameter.
    pub(super) fn all<'p>(&'p self, key: &'p str) -> impl Iterator<Item = &'p str> {
        self.0.iter().filter(move |(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// The whole number of a parameter.
    pub(super) fn number(&self, key: &str) -> Result<Option<u64>, String> {
        let number = |value: &str| {
            let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
            let number = value.parse().ok().filter(|number| digits && *number <= NUMBER_MAX);
            number.ok_or_else(|| format!("`{key}` is a whole number up to {NUMBER_MAX}, not `{value}`"))
        };
        self.one(key)?.map(number).transpose()
    }

    /// Whether a parameter is `true`.
    pub(super) fn flag(&self, key: &str) -> Result<bool, String> {
        match self.one(key)? {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(value) => Err(format!("`{key}` is `true` or `false`, not `{value}`")),
        }
    }
}

/// A request that asks for something that there is not.
pub(super) fn bad_request(reason: String) -> Response {
    problem(StatusCode::BAD_REQUEST, reason)
}

fn unescape(text: &str) -> String {
    let bytes = text.as_bytes();
    let (mut out, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while let Some(&byte) = bytes.get(at) {
        let hex = (byte == b'%').then(|| text.get(at + 1..at + 3)).flatten();
        match hex.and_then(|hex| {
            Some(hex)
                .filter(|hex| hex.bytes().all(|digit| digit.is_ascii_hexdigit()))
                .and_then(|hex| u8::from_str_radix(hex, 16).ok())
        }) {
            Some(value) => {
                out.push(value);
                at += 3;
            }
            None => {
                out.push(if byte == b'+' { b' ' } else { byte });
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_unescaped() {
        let known = ["name", "down", "x", "y"];
        let found = Parameters::of(Some("name=%2A.example&down=fra&down=i+a%2Fd&x&y=%zz"), &known).unwrap();
        let expected = [("name", "*.example"), ("down", "fra"), ("down", "i a/d"), ("x", ""), ("y", "%zz")];
        assert!(found.0.iter().map(|(key, value)| (key.as_str(), value.as_str())).eq(expected), "{found:?}");
    }

    #[test]
    fn mistakes_are_named() {
        let read = |query| {
            let parameters = Parameters::of(Some(query), &["since", "force"])?;
            Ok((parameters.number("since")?, parameters.flag("force")?))
        };
        for (query, expected) in [
            ("", Ok((None, false))),
            ("since=7&force=true", Ok((Some(7), true))),
            ("sinze=7", Err("no such parameter: `sinze`; since, force")),
            ("since=7&since=8", Err("`since` is there twice")),
            ("since=9007199254740991", Ok((Some(NUMBER_MAX), false))),
            ("since=9007199254740992", Err("`since` is a whole number up to 9007199254740991, not `9007199254740992`")),
            ("since=-1", Err("`since` is a whole number up to 9007199254740991, not `-1`")),
            ("since=%2B1", Err("`since` is a whole number up to 9007199254740991, not `+1`")),
            ("since=", Err("`since` is a whole number up to 9007199254740991, not ``")),
            ("force=yes", Err("`force` is `true` or `false`, not `yes`")),
        ] {
            assert_eq!(read(query), expected.map_err(str::to_owned), "{query}");
        }
    }
}
