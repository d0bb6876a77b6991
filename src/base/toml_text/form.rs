//! Forms: what a key takes. Each reads a value, names its type and range for the manual, and writes a default back.

use std::fmt::{self, Debug};
use std::ops::RangeInclusive;
use std::time;

use crate::base::units;

use super::value::{Refusal, Value};

/// A type of key.
pub trait Form {
    /// What reading gives.
    type Output;

    /// Reads a value; notes an error and gives `None` if it is wrong.
    fn read(&self, value: &Value<'_>) -> Option<Self::Output>;

    /// The type in the manual's words, e.g. `list of addresses`.
    fn kind(&self) -> String;

    /// The allowed values in the manual's words; empty if the type says all.
    fn range(&self) -> String {
        String::new()
    }

    /// A value as TOML.
    fn show(&self, value: &Self::Output) -> String;
}

/// A whole number within bounds.
#[derive(Clone, Debug)]
pub struct Integer<T> {
    range: RangeInclusive<T>,
}

impl<T> Integer<T> {
    /// A whole number in `range`.
    #[must_use]
    pub const fn new(range: RangeInclusive<T>) -> Self {
        Self { range }
    }
}

impl<T: Copy + TryInto<i64> + TryFrom<i64> + fmt::Display> Form for Integer<T> {
    type Output = T;

    fn read(&self, value: &Value<'_>) -> Option<T> {
        let bound = |bound: T| bound.try_into().unwrap_or(i64::MAX);
        let number = value.integer(&(bound(*self.range.start())..=bound(*self.range.end())))?;
        // Cannot fail: both bounds are of the type.
        T::try_from(number).ok()
    }

    fn kind(&self) -> String {
        "integer".into()
    }

    fn range(&self) -> String {
        format!("{} to {}", self.range.start(), self.range.end())
    }

    fn show(&self, value: &T) -> String {
        value.to_string()
    }
}

/// `true` or `false`.
#[derive(Clone, Copy, Debug)]
pub struct Boolean;

impl Form for Boolean {
    type Output = bool;

    fn read(&self, value: &Value<'_>) -> Option<bool> {
        value.boolean()
    }

    fn kind(&self) -> String {
        "boolean".into()
    }

    fn show(&self, value: &bool) -> String {
        value.to_string()
    }
}

/// A duration within bounds.
#[derive(Clone, Debug)]
pub struct Duration {
    range: RangeInclusive<time::Duration>,
}

impl Duration {
    /// A duration in `range`.
    #[must_use]
    pub const fn new(range: RangeInclusive<time::Duration>) -> Self {
        Self { range }
    }
}

impl Form for Duration {
    type Output = time::Duration;

    fn read(&self, value: &Value<'_>) -> Option<time::Duration> {
        value.duration(&self.range)
    }

    fn kind(&self) -> String {
        "duration".into()
    }

    fn range(&self) -> String {
        format!("{} to {}", units::format_duration(*self.range.start()), units::format_duration(*self.range.end()))
    }

    fn show(&self, value: &time::Duration) -> String {
        quoted(&units::format_duration(*value))
    }
}

/// Any string that is not empty.
#[derive(Clone, Copy, Debug)]
pub struct Text;

impl Form for Text {
    type Output = String;

    fn read(&self, value: &Value<'_>) -> Option<String> {
        let text = value.string()?;
        if text.is_empty() {
            value.push(value.error("bad-value", format!("`{}` is empty", value.path()), "nothing stands here"));
            return None;
        }
        Some(text.to_owned())
    }

    fn kind(&self) -> String {
        "string".into()
    }

    fn show(&self, value: &String) -> String {
        quoted(value)
    }
}

/// A string of at most so many bytes; the empty one means "none".
#[derive(Clone, Copy, Debug)]
pub struct MaybeText {
    len_max: usize,
}

impl MaybeText {
    /// A string of at most `len_max` bytes.
    #[must_use]
    pub const fn new(len_max: usize) -> Self {
        Self { len_max }
    }
}

impl Form for MaybeText {
    type Output = Option<String>;

    fn read(&self, value: &Value<'_>) -> Option<Option<String>> {
        let text = value.string()?;
        if text.len() > self.len_max {
            let reason = format!("{} bytes, at most {} are allowed", text.len(), self.len_max);
            value.push(value.error("out-of-range", format!("`{}` is too long", value.path()), reason));
            return None;
        }
        Some((!text.is_empty()).then(|| text.to_owned()))
    }

    fn kind(&self) -> String {
        "string".into()
    }

    fn range(&self) -> String {
        format!("at most {} bytes; \"\" = none", self.len_max)
    }

    fn show(&self, value: &Option<String>) -> String {
        quoted(value.as_deref().unwrap_or_default())
    }
}

/// One word of a few.
#[derive(Clone, Copy, Debug)]
pub struct Choice<T: 'static> {
    choices: &'static [(&'static str, T)],
}

impl<T> Choice<T> {
    /// One of `choices`, each a word and what it stands for.
    #[must_use]
    pub const fn new(choices: &'static [(&'static str, T)]) -> Self {
        Self { choices }
    }
}

impl<T: Clone + PartialEq> Form for Choice<T> {
    type Output = T;

    fn read(&self, value: &Value<'_>) -> Option<T> {
        value.choice(self.choices)
    }

    fn kind(&self) -> String {
        "string".into()
    }

    fn range(&self) -> String {
        let words: Vec<String> = self.choices.iter().map(|(word, _)| quoted(word)).collect();
        words.join(", ")
    }

    fn show(&self, value: &T) -> String {
        self.choices.iter().find(|(_, choice)| choice == value).map_or_else(String::new, |(word, _)| quoted(word))
    }
}

/// A string that a function understands.
#[derive(Clone, Copy, Debug)]
pub struct Parsed<T> {
    kind: &'static str,
    expected: &'static str,
    parse: fn(&str) -> Result<T, Refusal>,
    show: fn(&T) -> String,
}

impl<T> Parsed<T> {
    /// `kind` for the manual (`address`), `expected` for sentences (`an address`), `parse`,
    /// and `show`, which writes what `parse` reads.
    #[must_use]
    pub const fn new(
        kind: &'static str,
        expected: &'static str,
        parse: fn(&str) -> Result<T, Refusal>,
        show: fn(&T) -> String,
    ) -> Self {
        Self { kind, expected, parse, show }
    }
}

impl<T> Form for Parsed<T> {
    type Output = T;

    fn read(&self, value: &Value<'_>) -> Option<T> {
        value.parse_or_refuse(self.expected, self.parse)
    }

    fn kind(&self) -> String {
        self.kind.into()
    }

    fn show(&self, value: &T) -> String {
        quoted(&(self.show)(value))
    }
}

/// A list whose elements all have one form. Every wrong element is noted.
#[derive(Clone, Debug)]
pub struct List<F> {
    element: F,
    kind: &'static str,
    len_min: usize,
}

impl<F> List<F> {
    /// A list of `element`s, called `kind` (`list of addresses`).
    #[must_use]
    pub const fn new(element: F, kind: &'static str) -> Self {
        Self { element, kind, len_min: 0 }
    }

    /// The same, but not empty.
    #[must_use]
    pub const fn not_empty(self) -> Self
    where
        F: Copy,
    {
        Self { len_min: 1, ..self }
    }
}

impl<F: Form> Form for List<F> {
    type Output = Vec<F::Output>;

    fn read(&self, value: &Value<'_>) -> Option<Vec<F::Output>> {
        let elements = value.list_as(&format!("a {}", self.kind), Some("write [ ] around it"))?;
        if elements.len() < self.len_min {
            let message = format!("`{}` is empty", value.path());
            value.push(value.error("out-of-range", message, "at least one is needed"));
            return None;
        }
        let read: Vec<Option<F::Output>> = elements.iter().map(|element| self.element.read(element)).collect();
        read.into_iter().collect()
    }

    fn kind(&self) -> String {
        self.kind.into()
    }

    fn range(&self) -> String {
        if self.len_min == 0 { self.element.range() } else { "at least one".into() }
    }

    fn show(&self, value: &Vec<F::Output>) -> String {
        let elements: Vec<String> = value.iter().map(|element| self.element.show(element)).collect();
        format!("[{}]", elements.join(", "))
    }
}

/// `text` as a TOML string.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}
