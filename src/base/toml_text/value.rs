//! A value of a file, with its key path and place, and the ways to read it.

use std::fmt::Display;
use std::ops::{Range, RangeInclusive};
use std::rc::Rc;

use toml::Spanned;
use toml::de::{DeInteger, DeString, DeValue};

use crate::base::diagnostic::{Diagnostic, Location};
use crate::base::suggest::nearest;
use crate::base::units;

use super::source::Session;
use super::table::{Table, join};

/// A value being read. The reading methods note an error and give `None` if the value is not what they read.
#[derive(Clone, Debug)]
pub struct Value<'d> {
    session: &'d Session<'d>,
    parent: Rc<str>,
    step: Step<'d>,
    value: &'d Spanned<DeValue<'d>>,
}

/// The last step of a key path.
#[derive(Clone, Debug)]
pub(super) enum Step<'d> {
    Key(&'d Spanned<DeString<'d>>),
    Index(usize),
}

/// What a value is, for keys that take several types.
#[derive(Debug)]
pub enum Shape<'d> {
    /// A string.
    String(&'d str),
    /// A whole number.
    Integer(i64),
    /// A number with a fraction or exponent, or `inf`, `nan`.
    Float(f64),
    /// `true` or `false`.
    Boolean(bool),
    /// A list.
    List(Vec<Value<'d>>),
    /// A table.
    Table(Table<'d>),
    /// A date, or a number that does not fit 64 bits.
    Other,
}

/// Why a text means nothing here, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The reason, shown under the text.
    pub reason: String,
    /// What to do.
    pub hint: Option<String>,
}

impl Refusal {
    /// A reason with a hint.
    #[must_use]
    pub fn with_hint(reason: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { reason: reason.into(), hint: Some(hint.into()) }
    }
}

impl<T: Into<String>> From<T> for Refusal {
    fn from(reason: T) -> Self {
        Self { reason: reason.into(), hint: None }
    }
}

impl<'d> Value<'d> {
    pub(super) fn new(
        session: &'d Session<'d>,
        parent: Rc<str>,
        step: Step<'d>,
        value: &'d Spanned<DeValue<'d>>,
    ) -> Self {
        Self { session, parent, step, value }
    }

    /// Its path in the file, e.g. `dns.listen[1]`.
    #[must_use]
    pub fn path(&self) -> String {
        match self.step {
            Step::Key(key) => join(&self.parent, key.get_ref()),
            Step::Index(index) => format!("{}[{index}]", self.parent),
        }
    }

    /// Its key; empty for an element of a list.
    #[must_use]
    pub fn key(&self) -> &'d str {
        match self.step {
            Step::Key(key) => key.get_ref(),
            Step::Index(_) => "",
        }
    }

    /// The bytes of its key; of itself for an element of a list.
    #[must_use]
    pub fn key_span(&self) -> Range<usize> {
        match self.step {
            Step::Key(key) => key.span(),
            Step::Index(_) => self.span(),
        }
    }

    /// The bytes of the value.
    #[must_use]
    pub fn span(&self) -> Range<usize> {
        self.value.span()
    }

    /// Where the value stands.
    #[must_use]
    pub fn at(&self) -> Location {
        self.session.source.location(self.span())
    }

    /// Where its key stands.
    #[must_use]
    pub fn key_at(&self) -> Location {
        self.session.source.location(self.key_span())
    }

    /// An error at the value, to be completed and given to [`Value::push`].
    #[must_use]
    pub fn error(&self, code: &'static str, message: impl Into<String>, reason: impl Into<String>) -> Diagnostic {
        Diagnostic::error(code, message).at(self.at(), reason)
    }

    /// Notes a finding.
    pub fn push(&self, finding: Diagnostic) {
        self.session.push(finding);
    }

    /// What it is; nothing is noted.
    #[must_use]
    pub fn shape(&self) -> Shape<'d> {
        match self.value.get_ref() {
            DeValue::String(text) => Shape::String(text),
            DeValue::Integer(integer) => to_i64(integer).map_or(Shape::Other, Shape::Integer),
            DeValue::Float(float) => float.as_str().parse().map_or(Shape::Other, Shape::Float),
            DeValue::Boolean(boolean) => Shape::Boolean(*boolean),
            DeValue::Datetime(_) => Shape::Other,
            DeValue::Array(_) => self.as_list().map_or(Shape::Other, Shape::List),
            DeValue::Table(_) => self.as_table().map_or(Shape::Other, Shape::Table),
        }
    }

    /// The string it is, if it is one; nothing is noted.
    #[must_use]
    pub fn as_str(&self) -> Option<&'d str> {
        self.value.get_ref().as_str()
    }

    /// The whole number it is, if it is one of 64 bits; nothing is noted.
    #[must_use]
    pub fn as_integer(&self) -> Option<i64> {
        self.value.get_ref().as_integer().and_then(to_i64)
    }

    /// The elements of the list it is, if it is one; nothing is noted.
    #[must_use]
    pub fn as_list(&self) -> Option<Vec<Self>> {
        let parent: Rc<str> = self.path().into();
        let element = |(i, value)| Self::new(self.session, Rc::clone(&parent), Step::Index(i), value);
        Some(self.value.get_ref().as_array()?.iter().enumerate().map(element).collect())
    }

    /// The table it is, if it is one; nothing is noted.
    pub fn as_table(&self) -> Option<Table<'d>> {
        let table = self.value.get_ref().as_table()?;
        Some(Table::new(self.session, Some(table), self.path().into(), self.span()))
    }

    /// Notes that the value has the wrong type; `expected` says what belongs here, e.g. `a list of addresses`.
    pub fn wrong_type(&self, expected: &str, hint: Option<&str>) {
        let found = match self.value.get_ref() {
            DeValue::String(_) => "this is a string",
            DeValue::Integer(_) => "this is an integer",
            DeValue::Float(_) => "this is a number with a fraction",
            DeValue::Boolean(_) => "this is a boolean",
            DeValue::Datetime(_) => "this is a date or time",
            DeValue::Array(_) => "this is a list",
            DeValue::Table(_) => "this is a table",
        };
        let mut finding = self.error("wrong-type", format!("`{}` must be {expected}", self.path()), found);
        finding.hint = hint.map(Into::into);
        self.push(finding);
    }

    /// A string.
    pub fn string(&self) -> Option<&'d str> {
        self.string_as("a string", None)
    }

    /// A string, called `expected` if it is none.
    pub fn string_as(&self, expected: &str, hint: Option<&str>) -> Option<&'d str> {
        self.or_wrong(self.as_str(), expected, hint)
    }

    /// A string that `parse` turns into something; its error is the reason shown, with code `bad-value`.
    pub fn parse<T>(&self, expected: &str, parse: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        self.parse_or_refuse(expected, |text| parse(text).map_err(Refusal::from))
    }

    /// Like [`Value::parse`], with a hint in the error.
    pub fn parse_or_refuse<T>(&self, expected: &str, parse: impl FnOnce(&str) -> Result<T, Refusal>) -> Option<T> {
        let text = self.string_as(expected, None)?;
        match parse(text) {
            Ok(parsed) => Some(parsed),
            Err(Refusal { reason, hint }) => {
                let mut finding = self.error("bad-value", format!("`{}` is not {expected}", self.path()), reason);
                finding.hint = hint;
                self.push(finding);
                None
            }
        }
    }

    /// `true` or `false`.
    pub fn boolean(&self) -> Option<bool> {
        self.or_wrong(self.value.get_ref().as_bool(), "true or false", None)
    }

    /// A whole number in `range`.
    pub fn integer(&self, range: &RangeInclusive<i64>) -> Option<i64> {
        let DeValue::Integer(integer) = self.value.get_ref() else {
            self.wrong_type("a whole number", None);
            return None;
        };
        self.in_range(to_i64(integer), range, integer)
    }

    /// A number in `range`, with or without a fraction.
    pub fn number(&self, range: &RangeInclusive<f64>) -> Option<f64> {
        let number = match self.value.get_ref() {
            DeValue::Integer(integer) => to_i64(integer).map(|number| number as f64),
            DeValue::Float(float) => float.as_str().parse().ok(),
            DeValue::String(_) | DeValue::Boolean(_) | DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => {
                self.wrong_type("a number", None);
                return None;
            }
        };
        self.in_range(number, range, number.map_or(String::new(), |n: f64| n.to_string()))
    }

    /// A duration in `range`, written like `"1m30s"`.
    pub fn duration(&self, range: &RangeInclusive<std::time::Duration>) -> Option<std::time::Duration> {
        let text = self.string_as("a duration", Some("write a number and a unit in quotes, e.g. \"5s\""))?;
        match units::parse_duration(text) {
            Ok(duration) if range.contains(&duration) => Some(duration),
            Ok(_) => {
                let (from, to) = (units::format_duration(*range.start()), units::format_duration(*range.end()));
                self.out_of_range(text, from, to);
                None
            }
            Err(reason) => {
                self.push(
                    self.error("bad-duration", format!("`{}` is not a duration", self.path()), reason)
                        .hint("write e.g. \"100ms\", \"5s\" or \"1m30s\""),
                );
                None
            }
        }
    }

    /// One of the words in `choices`, each with what it stands for.
    pub fn choice<T: Clone>(&self, choices: &[(&str, T)]) -> Option<T> {
        let text = self.string_as("a word", Some(&format!("one of: {}", words(choices))))?;
        if let Some((_, choice)) = choices.iter().find(|(word, _)| *word == text) {
            return Some(choice.clone());
        }
        let hint = match nearest(text, choices.iter().map(|(word, _)| *word)) {
            Some(word) => format!("did you mean \"{word}\"?"),
            None => format!("one of: {}", words(choices)),
        };
        let message = format!("`{}` cannot be \"{}\"", self.path(), text.escape_debug());
        self.push(self.error("bad-value", message, "not a value of this key").hint(hint));
        None
    }

    /// A list.
    pub fn list(&self) -> Option<Vec<Self>> {
        self.list_as("a list", None)
    }

    /// A list, called `expected` if it is none.
    pub fn list_as(&self, expected: &str, hint: Option<&str>) -> Option<Vec<Self>> {
        self.or_wrong(self.as_list(), expected, hint)
    }

    /// A table.
    pub fn table(&self) -> Option<Table<'d>> {
        self.table_as("a table", None)
    }

    /// A table, called `expected` if it is none.
    pub fn table_as(&self, expected: &str, hint: Option<&str>) -> Option<Table<'d>> {
        self.or_wrong(self.as_table(), expected, hint)
    }

    /// Notes that `found` is not `from` to `to`.
    pub fn out_of_range(&self, found: impl Display, from: impl Display, to: impl Display) {
        let message = format!("`{}` is out of range", self.path());
        self.push(self.error("out-of-range", message, format!("{found} is not from {from} to {to}")));
    }

    fn or_wrong<T>(&self, read: Option<T>, expected: &str, hint: Option<&str>) -> Option<T> {
        if read.is_none() {
            self.wrong_type(expected, hint);
        }
        read
    }

    fn in_range<T: PartialOrd + Display>(
        &self,
        found: Option<T>,
        range: &RangeInclusive<T>,
        written: impl Display,
    ) -> Option<T> {
        match found {
            Some(found) if range.contains(&found) => Some(found),
            Some(_) | None => {
                self.out_of_range(written, range.start(), range.end());
                None
            }
        }
    }
}

fn to_i64(integer: &DeInteger<'_>) -> Option<i64> {
    i64::from_str_radix(integer.as_str(), integer.radix()).ok()
}

fn words<T>(choices: &[(&str, T)]) -> String {
    let quoted: Vec<String> = choices.iter().map(|(word, _)| format!("\"{word}\"")).collect();
    quoted.join(", ")
}
