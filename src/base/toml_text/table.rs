//! A table of a file: its keys are taken one by one, by name; what is left over is a mistake.

use std::ops::Range;
use std::rc::Rc;

use toml::de::DeTable;

use crate::base::diagnostic::{Diagnostic, Location};
use crate::base::suggest::nearest;

use super::form::Form;
use super::source::{KeyReference, Session};
use super::value::{Step, Value};

/// A table being read. Take its keys, then [`Table::finish`] it.
#[derive(Debug)]
#[must_use = "finish() finds the unknown keys"]
pub struct Table<'d> {
    session: &'d Session<'d>,
    /// None if the file does not have the table: then every key has its default.
    entries: Option<&'d DeTable<'d>>,
    path: Rc<str>,
    span: Range<usize>,
    known: Vec<&'static str>,
}

impl<'d> Table<'d> {
    pub(super) fn root(session: &'d Session<'d>, entries: &'d DeTable<'d>, span: Range<usize>) -> Self {
        Self::new(session, Some(entries), "".into(), span)
    }

    pub(super) fn new(
        session: &'d Session<'d>,
        entries: Option<&'d DeTable<'d>>,
        path: Rc<str>,
        span: Range<usize>,
    ) -> Self {
        Self { session, entries, path, span, known: Vec::new() }
    }

    /// Its path in the file, e.g. `checks.web.http`; empty for the root.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The bytes of its header, or of the whole inline table.
    #[must_use]
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// Where it stands.
    #[must_use]
    pub fn at(&self) -> Location {
        self.session.source.location(self.span())
    }

    /// True if the file has it.
    #[must_use]
    pub fn is_present(&self) -> bool {
        self.entries.is_some()
    }

    /// True if a statement of the file could not be read: what seems to be absent may stand in it.
    #[must_use]
    pub fn is_damaged(&self) -> bool {
        self.session.damaged.get()
    }

    /// The key `name` read by `form`; `default` if it is absent or wrong. `meaning` goes to the reference.
    pub fn key<F: Form>(
        &mut self,
        name: &'static str,
        form: F,
        default: F::Output,
        meaning: &'static str,
    ) -> F::Output {
        self.session.record(|| KeyReference {
            table: self.path.to_string(),
            name,
            kind: form.kind(),
            default: form.show(&default),
            range: form.range(),
            meaning,
        });
        self.known(name).and_then(|value| form.read(&value)).unwrap_or(default)
    }

    /// The value of key `name`, if it is there; the caller reads it. The reference learns its name alone.
    pub fn take(&mut self, name: &'static str) -> Option<Value<'d>> {
        self.session.record(|| KeyReference {
            table: self.path.to_string(),
            name,
            kind: String::new(),
            default: String::new(),
            range: String::new(),
            meaning: "",
        });
        self.known(name)
    }

    fn known(&mut self, name: &'static str) -> Option<Value<'d>> {
        self.known.push(name);
        self.peek(name)
    }

    /// The value of key `name`, if it is there, without taking it: for checks across keys.
    #[must_use]
    pub fn peek(&self, name: &str) -> Option<Value<'d>> {
        let (key, value) = self.entries?.get_key_value(name)?;
        Some(Value::new(self.session, Rc::clone(&self.path), Step::Key(key), value))
    }

    /// Like [`Table::take`]; absence is an error `missing-key` with `hint`.
    pub fn require(&mut self, name: &'static str, hint: &str) -> Option<Value<'d>> {
        let value = self.take(name);
        if value.is_none() && self.is_present() && !self.is_damaged() {
            let message = format!("`{}` is missing", join(&self.path, name));
            self.push(Diagnostic::error("missing-key", message).at(self.at(), "it belongs here").hint(hint));
        }
        value
    }

    /// The table at key `name`; an empty one, in which every key has its default, if it is absent or no table.
    pub fn table(&mut self, name: &'static str) -> Self {
        let path = join(&self.path, name);
        match self.known(name).and_then(|value| value.table()) {
            Some(table) => table,
            None => Self::new(self.session, None, path.into(), self.span()),
        }
    }

    /// All entries in the order of the text, for tables whose keys are the operator's names.
    pub fn entries(self) -> Vec<Value<'d>> {
        let mut entries: Vec<_> = self.entries.into_iter().flatten().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        let value = |(key, value)| Value::new(self.session, Rc::clone(&self.path), Step::Key(key), value);
        entries.into_iter().map(value).collect()
    }

    /// Notes the keys that nobody took, each with the nearest known one.
    pub fn finish(self) {
        for (key, _) in self.entries.into_iter().flatten() {
            let name: &str = key.get_ref();
            if self.known.contains(&name) {
                continue;
            }
            let hint = match nearest(name, self.known.iter().copied()) {
                Some(known) => format!("did you mean `{known}`?"),
                None if self.known.is_empty() => "it has no keys".into(),
                None => format!("known here: {}", self.known.join(", ")),
            };
            let place = self.session.source.location(key.span());
            let message = format!("unknown key `{}`", join(&self.path, name));
            let reason =
                if self.path.is_empty() { "no such section".into() } else { format!("not a key of [{}]", self.path) };
            self.push(Diagnostic::error("unknown-key", message).at(place, reason).hint(hint));
        }
    }

    /// Notes a finding.
    pub fn push(&self, finding: Diagnostic) {
        self.session.push(finding);
    }
}

/// `path.key`, the key quoted if TOML wants it quoted.
pub(super) fn join(path: &str, key: &str) -> String {
    let bare = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    let dot = if path.is_empty() { "" } else { "." };
    if bare { format!("{path}{dot}{key}") } else { format!("{path}{dot}{key:?}") }
}
