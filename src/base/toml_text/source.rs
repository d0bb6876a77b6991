//! One file: its text, its lines, its findings.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::ops::Range;
use std::sync::Arc;

use toml::de::DeTable;

use crate::base::diagnostic::{Diagnostic, Location, Report};

use super::recover;
use super::table::Table;

/// The text of one file, with what is needed to name places in it.
#[derive(Clone, Debug)]
pub struct Source<'t> {
    path: Arc<str>,
    text: &'t str,
    /// The byte at which each line starts.
    lines: Vec<usize>,
}

impl<'t> Source<'t> {
    /// The text of the file that the operator knows as `path`.
    #[must_use]
    pub fn new(path: &str, text: &'t str) -> Self {
        let starts = text.bytes().enumerate().filter(|&(_, byte)| byte == b'\n').map(|(i, _)| i + 1);
        Self { path: path.into(), text, lines: std::iter::once(0).chain(starts).collect() }
    }

    /// The file as the operator names it.
    #[must_use]
    pub fn path(&self) -> &Arc<str> {
        &self.path
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> &'t str {
        self.text
    }

    /// The place of the bytes `span`.
    #[must_use]
    pub fn location(&self, span: Range<usize>) -> Location {
        let at = span.start.min(self.text.len());
        let line = self.lines.partition_point(|&start| start <= at);
        let start = line.checked_sub(1).and_then(|i| self.lines.get(i)).copied().unwrap_or(0);
        let rest = self.text.as_bytes().get(start..).unwrap_or_default();
        Location::in_line(
            &self.path,
            u32::try_from(line).unwrap_or(u32::MAX),
            rest,
            at - start..span.end.max(at) - start,
        )
    }
}

/// `bytes` as text; else an error in `report` at the first byte that is none.
#[must_use]
pub fn utf8<'b>(path: &str, bytes: &'b [u8], report: &mut Report) -> Option<&'b str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Some(text),
        Err(error) => {
            let at = error.valid_up_to();
            let location = Location::in_text(&path.into(), bytes, at..at + error.error_len().unwrap_or(1));
            report.push(
                Diagnostic::error("not-utf8", format!("{path} is not UTF-8 text"))
                    .at(location, "this byte is not UTF-8")
                    .hint("save the file as UTF-8"),
            );
            None
        }
    }
}

/// Parses `source` and reads it with `reader`; all findings go to `report`, in the order of the text.
///
/// What the reader returns is worth using only if the report has no errors: wrong values were replaced by defaults.
pub fn read<T>(source: &Source<'_>, report: &mut Report, reader: impl FnOnce(Table<'_>) -> T) -> T {
    let session = Session::new(source, false);
    let value = session.run(reader);
    let mut findings = session.findings.into_inner();
    findings.sort_by_key(|finding| finding.at.as_ref().map(|at| (at.line, at.column)));
    findings.into_iter().for_each(|finding| report.push(finding));
    value
}

/// What a reader takes by a form: the reference of its keys, in reading order, got by reading an empty file with it.
pub fn references<T>(reader: impl FnOnce(Table<'_>) -> T) -> Vec<KeyReference> {
    references_of("", reader).into_iter().filter(|key| !key.kind.is_empty()).collect()
}

/// What a reader takes, with and without a form. It may look into a table only if it is there: `sample` has one of
/// each. What is wrong with the sample does not matter.
pub fn references_of<T>(sample: &str, reader: impl FnOnce(Table<'_>) -> T) -> Vec<KeyReference> {
    let source = Source::new("", sample);
    let session = Session::new(&source, true);
    session.run(reader);
    session.references.into_inner()
}

/// One key of the reference: what the manual says about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyReference {
    /// The table it stands in, e.g. `dns`; empty at the top.
    pub table: String,
    /// Its name, e.g. `listen`.
    pub name: &'static str,
    /// Its type, e.g. `list of addresses`; empty if it was taken without a form, and so is what follows.
    pub kind: String,
    /// Its default as TOML; in parentheses if no TOML says it.
    pub default: String,
    /// The values allowed; empty if the type says all.
    pub range: String,
    /// What it does, in a sentence or two.
    pub meaning: &'static str,
}

/// One reading of one source.
#[derive(Debug)]
pub(super) struct Session<'s> {
    pub(super) source: &'s Source<'s>,
    /// In a cell, so that several tables of one file can be open at once.
    findings: RefCell<Vec<Diagnostic>>,
    references: RefCell<Vec<KeyReference>>,
    recording: bool,
    /// A statement could not be read: what seems to be missing may have stood there.
    pub(super) damaged: Cell<bool>,
}

impl<'s> Session<'s> {
    fn new(source: &'s Source<'s>, recording: bool) -> Self {
        Self {
            source,
            findings: RefCell::default(),
            references: RefCell::default(),
            recording,
            damaged: Cell::new(false),
        }
    }

    fn run<T>(&self, reader: impl FnOnce(Table<'_>) -> T) -> T {
        let mut text = Cow::Borrowed(self.source.text());
        let mut rounds = 0;
        loop {
            let (root, errors) = DeTable::parse_recoverable(&text);
            match recover::without_broken_statement(self, &text, root.get_ref(), &errors) {
                Some(rest) if rounds < recover::BROKEN_STATEMENTS_MAX => {
                    rounds += 1;
                    drop(root);
                    text = Cow::Owned(rest);
                }
                Some(_) | None => return reader(Table::root(self, root.get_ref(), root.span())),
            }
        }
    }

    pub(super) fn push(&self, finding: Diagnostic) {
        self.findings.borrow_mut().push(finding);
    }

    pub(super) fn record(&self, reference: impl FnOnce() -> KeyReference) {
        if self.recording {
            self.references.borrow_mut().push(reference());
        }
    }
}
