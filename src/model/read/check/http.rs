//! `http = { … }` and what of `https = { … }` is the same.

use crate::base::diagnostic::Diagnostic;
use crate::base::limits;
use crate::base::toml_text::{Form, Integer, MaybeText, Parsed, Refusal, Shape, Table, Value};

use super::super::super::checks::{BodyRule, HttpCheck, Pattern};
use super::super::all;
use super::parts;

/// The request; `None` if nothing harmless can stand in for a mistake in it.
pub(super) fn read(table: &mut Table<'_>, port_default: u16) -> Option<HttpCheck> {
    let method = table.key("method", METHOD, "GET".into(), "The method, e.g. \"HEAD\".");
    let path = table.key("path", PATH, "/".into(), "The path, with its query.");
    let port = parts::port(table, port_default);
    let host = parts::authority(table, "The `Host` header, and the server name of https; \"\": the address.");
    let headers = table.key("headers", Headers, Vec::new(), "More headers, e.g. { \"X-Probe\" = \"1\" }.");
    let status = table.key("status", Statuses, vec![(200, 299)], "The status codes that pass.");
    let body_max = table.key(
        "body_max",
        Integer::new(0..=limits::PROBE_BODY_LEN_MAX),
        limits::PROBE_BODY_LEN_DEFAULT,
        "Bytes of the body read at most.",
    );
    let body = body(table, &method, body_max);
    Some(HttpCheck { method, path, port, host, headers, status, body: body?, body_max })
}

/// `body` or `body_regex`.
fn body(table: &mut Table<'_>, method: &str, body_max: usize) -> Option<BodyRule> {
    let (text_value, pattern_value) = (table.peek("body"), table.peek("body_regex"));
    let text = MaybeText::new(limits::CHECK_TEXT_LEN_MAX);
    let text = table.key("body", text, None, "What must stand somewhere in the body.");
    let pattern = table.key("body_regex", PATTERN, None, "A regular expression that the body must match.");
    if let (Some(first), Some(second)) = (&text_value, &pattern_value) {
        let finding = Diagnostic::error("several-bodies", format!("`{}` stands beside `body`", second.path()))
            .at(second.key_at(), "the second rule for the body")
            .related(first.key_at(), "the first")
            .hint("a regular expression can say both");
        second.push(finding);
        return None;
    }
    let rule = match (text, pattern) {
        (Some(text), _) => BodyRule::Contains(text),
        (None, Some(pattern)) => BodyRule::Matches(pattern),
        (None, None) => BodyRule::Anything,
    };
    let value = text_value.or(pattern_value).filter(|_| rule != BodyRule::Anything);
    if let Some(value) = value {
        let reason = match &rule {
            // RFC 9110 §9.3.2.
            _ if method == "HEAD" => Some("the answer to HEAD has no body".to_owned()),
            BodyRule::Contains(text) if text.len() > body_max => {
                Some(format!("{} bytes, and `body_max` is {body_max}", text.len()))
            }
            BodyRule::Anything | BodyRule::Contains(_) | BodyRule::Matches(_) => None,
        };
        if let Some(reason) = reason {
            value.push(value.error("never-passes", format!("`{}` can never be found", value.path()), reason));
        }
    }
    Some(rule)
}

const METHOD: Parsed<String> = Parsed::new(
    "method",
    "a method",
    |text| match text {
        "CONNECT" => Err("it would open a tunnel".into()),
        // Methods are case-sensitive, RFC 9110 §9.1.
        _ if text.bytes().any(|byte| byte.is_ascii_lowercase()) => {
            let hint = format!("write \"{}\"", text.to_ascii_uppercase());
            Err(Refusal::with_hint("methods are written in capital letters", hint))
        }
        _ if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-') => {
            Ok(text.to_owned())
        }
        _ => Err("capital letters and `-`".into()),
    },
    String::clone,
);

const PATH: Parsed<String> = Parsed::new(
    "path",
    "a path",
    |text| {
        // A line end would end the request line; a space would end the path.
        if text.starts_with('/') && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#') {
            Ok(text.to_owned())
        } else if text.starts_with('/') && text.contains('#') {
            Err("what follows `#` is never sent".into())
        } else {
            Err("it starts with `/` and has no spaces".into())
        }
    },
    String::clone,
);

const PATTERN: Parsed<Option<Pattern>> = Parsed::new(
    "regular expression",
    "a regular expression",
    |text| match text {
        "" => Ok(None),
        _ => Pattern::new(text).map(Some).map_err(Refusal::from),
    },
    |pattern| pattern.as_ref().map_or_else(String::new, |pattern| pattern.as_str().to_owned()),
);

/// Status codes and ranges of them.
struct Statuses;

impl Form for Statuses {
    type Output = Vec<(u16, u16)>;

    fn read(&self, value: &Value<'_>) -> Option<Vec<(u16, u16)>> {
        let elements = value.list_as("a list of status codes", Some("write [\"200-299\", \"401\"]"))?;
        if elements.is_empty() {
            value.push(value.error("out-of-range", format!("`{}` is empty", value.path()), "nothing would ever pass"));
            return None;
        }
        all(elements.iter().map(status))
    }

    fn kind(&self) -> String {
        "list of status codes".into()
    }

    fn range(&self) -> String {
        "100 to 599, alone or as \"FROM-TO\"".into()
    }

    fn show(&self, value: &Vec<(u16, u16)>) -> String {
        let one = |&(from, to): &(u16, u16)| if from == to { from.to_string() } else { format!("\"{from}-{to}\"") };
        format!("[{}]", value.iter().map(one).collect::<Vec<_>>().join(", "))
    }
}

fn status(value: &Value<'_>) -> Option<(u16, u16)> {
    if let Shape::Integer(_) = value.shape() {
        let code = u16::try_from(value.integer(&(100..=599))?).ok()?;
        return Some((code, code));
    }
    value.parse("a status code", |text| {
        let (from, to) = text.split_once('-').unwrap_or((text, text));
        match (from.parse(), to.parse()) {
            (Ok(from), Ok(to)) if (100..=to).contains(&from) && to <= 599 => Ok((from, to)),
            _ => Err("a code from 100 to 599, or a range like \"200-299\"".to_owned()),
        }
    })
}

/// Names and values of headers.
struct Headers;

impl Form for Headers {
    type Output = Vec<(String, String)>;

    fn read(&self, value: &Value<'_>) -> Option<Vec<(String, String)>> {
        let table = value.table_as("a table of headers", Some("write { \"X-Probe\" = \"1\" }"))?;
        let entries = table.entries();
        if entries.len() > limits::PROBE_HEADERS_MAX {
            value.out_of_range(format!("{} headers", entries.len()), 0, limits::PROBE_HEADERS_MAX);
            return None;
        }
        all(entries.iter().map(header))
    }

    fn kind(&self) -> String {
        "table of strings".into()
    }

    fn range(&self) -> String {
        format!("at most {}", limits::PROBE_HEADERS_MAX)
    }

    fn show(&self, value: &Vec<(String, String)>) -> String {
        let one = |(name, text): &(String, String)| {
            format!("{} = {}", toml::Value::String(name.clone()), toml::Value::String(text.clone()))
        };
        let inside: Vec<String> = value.iter().map(one).collect();
        if inside.is_empty() { "{}".into() } else { format!("{{ {} }}", inside.join(", ")) }
    }
}

fn header(entry: &Value<'_>) -> Option<(String, String)> {
    let name = entry.key();
    let refusal = match name.to_ascii_lowercase().as_str() {
        "host" => Some(Refusal::with_hint("it has a key of its own", "write host = \"…\" beside `headers`")),
        "content-length" | "transfer-encoding" => {
            Some(Refusal::with_hint("requests have no body", "remove this header"))
        }
        "connection" | "keep-alive" | "upgrade" => {
            Some(Refusal::with_hint("every probe opens a connection of its own and closes it", "remove this header"))
        }
        _ if name.is_empty() || !name.bytes().all(is_token) => {
            Some(Refusal::with_hint("not the name of a header", "letters, digits and `-`, e.g. \"X-Probe\""))
        }
        _ => None,
    };
    if let Some(Refusal { reason, hint }) = refusal {
        let message = format!("`{}` cannot be set", entry.path());
        let mut finding = Diagnostic::error("bad-value", message).at(entry.key_at(), reason);
        finding.hint = hint;
        entry.push(finding);
        return None;
    }
    // RFC 9110 §5.5, without what is obsolete: a line end would begin another header.
    let text = entry.parse("a header's value", |text| {
        let visible = |byte: u8| byte.is_ascii_graphic() || byte == b' ' || byte == b'\t';
        if text.len() > limits::CHECK_TEXT_LEN_MAX {
            Err(format!("{} bytes, at most {} are allowed", text.len(), limits::CHECK_TEXT_LEN_MAX))
        } else if text.bytes().all(visible) {
            Ok(text.to_owned())
        } else {
            Err("visible ASCII, spaces and tabs; no line ends".to_owned())
        }
    });
    Some((name.to_owned(), text?))
}

/// RFC 9110 §5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
