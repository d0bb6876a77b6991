//! A mistake in a zone file, on its way to become a diagnostic.

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

    /// Record data is wrong.
    pub(super) fn rdata(rtype: RecordType, error: RdataError) -> Box<Self> {
        let RdataError { span, field, problem } = error;
        let field = field.replace('-', " ");
        let (code, message) = match &problem {
            Problem::Words(error) => return Self::words(error.clone()),
            Problem::Missing => ("missing-field", format!("{rtype}: the {field} is missing")),
            Problem::Extra => ("extra-field", format!("{rtype}: a word too many")),
            Problem::GenericOnly => ("generic-only", format!("{rtype}: this type has no text form here")),
            Problem::Length { .. } => ("bad-generic", format!("{rtype}: the length is wrong")),
            Problem::Malformed(_) => ("bad-generic", format!("{rtype}: the data is malformed")),
            Problem::TooLong => ("rdata-too-long", format!("{rtype}: the data is too long")),
            Problem::Number(_) | Problem::Name(_) | Problem::Invalid(_) => {
                ("bad-field", format!("{rtype}: the {field} is wrong"))
            }
        };
        let reason = if problem == Problem::Missing { "the entry ends here".to_owned() } else { problem.to_string() };
        Self::new(code, message, span, reason).hint(format!("the data of {rtype} is written: {}", syntax(rtype)))
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
