//! A mistake in a zone file, on its way to become a diagnostic.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use crate::dns::RecordType;
use crate::dns::rdata::{Problem, RdataError, Word, WordsError, syntax};

/// What a [`crate::base::diagnostic::Diagnostic`] says, with the place as offsets into the text.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) code: &'static str,
    pub(super) message: String,
    pub(super) span: Range<usize>,
    pub(super) reason: String,
    pub(super) hint: Option<String>,
}

impl Fault {
    pub(super) fn new(
        code: &'static str,
        message: impl Into<String>,
        span: Range<usize>,
        reason: impl Into<String>,
    ) -> Box<Self> {
        Box::new(Self { code, message: message.into(), span, reason: reason.into(), hint: None })
    }

    pub(super) fn hint(mut self: Box<Self>, hint: impl Into<String>) -> Box<Self> {
        self.hint = Some(hint.into());
        self
    }

    /// The text does not fall into words.
    pub(super) fn words(error: WordsError) -> Box<Self> {
        match error {
            WordsError::UnclosedParenthesis(at) => {
                Self::new("unclosed-parenthesis", "a parenthesis is not closed", at..at + 1, "opened here")
                    .hint("close it with `)`: until then every line belongs to this entry")
            }
            WordsError::StrayParenthesis(at) => {
                Self::new("stray-parenthesis", "a parenthesis closes nothing", at..at + 1, "no `(` before it")
                    .hint(r"remove it, or write `\)` for the character")
            }
            WordsError::UnclosedQuote(span) => {
                Self::new("unclosed-quote", "a quoted string is not closed", span, "no closing quote on this line")
                    .hint(r#"close it with `"`; a quote inside a string is written `\"`"#)
            }
            WordsError::StrayQuote(at) => {
                Self::new("stray-quote", "a quote stands inside a word", at..at + 1, "the word began before it")
                    .hint(r#"put a blank before the string, or write `\"` for the character"#)
            }
        }
    }

    /// Record data is wrong; `text` is what the error's place counts in.
    pub(super) fn rdata(rtype: RecordType, error: RdataError, text: &[u8]) -> Box<Self> {
        let RdataError { span, field, problem } = error;
        let hint = rdata_hint(rtype, &problem, text.get(span.clone()).unwrap_or_default());
        let field = field.replace('-', " ");
        let (code, message) = match &problem {
            Problem::Words(error) => return Self::words(error.clone()),
            Problem::Missing => ("missing-field", format!("{rtype}: {field} missing")),
            Problem::Extra => ("extra-field", format!("{rtype}: a word too many")),
            Problem::GenericOnly => ("generic-only", format!("{rtype}: this type has no text form here")),
            Problem::Length { .. } => ("bad-generic", format!("{rtype}: wrong length")),
            Problem::Malformed(_) => ("bad-generic", format!("{rtype}: malformed data")),
            Problem::TooLong => ("rdata-too-long", format!("{rtype}: too much data")),
            Problem::Number(_) | Problem::Name(_) | Problem::Key(_) | Problem::Invalid(_) => {
                ("bad-field", format!("{rtype}: wrong {field}"))
            }
        };
        let reason = if problem == Problem::Missing { "the entry ends here".to_owned() } else { problem.to_string() };
        let fault = Self::new(code, message, span, reason);
        Box::new(Self { hint, ..*fault })
    }
}

/// What to do about a mistake in record data.
fn rdata_hint(rtype: RecordType, problem: &Problem, text: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(text);
    match problem {
        Problem::Key(nearest) => nearest.map(|nearest| format!("did you mean `{nearest}`?")),
        Problem::Invalid(_) if rtype == RecordType::A && text.parse::<Ipv6Addr>().is_ok() => {
            Some("an IPv6 address belongs into an AAAA record".to_owned())
        }
        Problem::Invalid(_) if rtype == RecordType::AAAA && text.parse::<Ipv4Addr>().is_ok() => {
            Some("an IPv4 address belongs into an A record".to_owned())
        }
        Problem::Words(_)
        | Problem::GenericOnly
        | Problem::Length { .. }
        | Problem::Malformed(_)
        | Problem::TooLong => None,
        // The syntax of one field says no more than its name.
        Problem::Missing | Problem::Extra | Problem::Number(_) | Problem::Name(_) | Problem::Invalid(_) => {
            let syntax = syntax(rtype);
            syntax.contains(' ').then(|| format!("the data of {rtype} is written: {syntax}"))
        }
    }
}

impl From<WordsError> for Box<Fault> {
    fn from(error: WordsError) -> Self {
        Fault::words(error)
    }
}

/// The text of a word for a message; any bytes become printable.
pub(super) fn shown(word: &Word<'_>) -> String {
    let mut text = String::from_utf8_lossy(word.text).into_owned();
    if let Some((cut, _)) = text.char_indices().nth(60) {
        text.truncate(cut);
        text.push('…');
    }
    text
}
