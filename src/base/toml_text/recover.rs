//! Broken syntax costs only its own statement.
//!
//! A TOML parser that stumbles loses its place, and what it reports after its first finding is mostly echo. So the
//! earliest finding is kept, its statement is blanked out with spaces (every other byte keeps its place), and the
//! rest is parsed again, until nothing is left to blank. A broken header takes its whole table with it: its keys
//! would otherwise be judged as keys of the table above.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue, Error};

use crate::base::diagnostic::Diagnostic;

use super::source::Session;
use super::table::join;

/// Broken statements noted in one file; each costs one more parse.
pub(super) const BROKEN_STATEMENTS_MAX: usize = 64;
/// Duplicates of one file whose first definition is looked up; each costs a parse of what stands above.
const DUPLICATES_RESOLVED_MAX: usize = 32;

/// Notes the first broken statement and gives the text without it; the caller parses that. `None` if there is nothing
/// (more) to blank: then the duplicate keys are noted, and `root` is worth reading.
pub(super) fn without_broken_statement(
    session: &Session<'_>,
    text: &str,
    root: &DeTable<'_>,
    errors: &[Error],
) -> Option<String> {
    let (duplicates, broken): (Vec<_>, Vec<_>) = errors.iter().partition(|error| is_duplicate(error));
    let Some(first) = broken.iter().min_by_key(|error| span(error).start) else {
        for (index, error) in duplicates.iter().enumerate() {
            note_duplicate(session, text, error, index < DUPLICATES_RESOLVED_MAX);
        }
        return None;
    };
    session.damaged.set(true);
    let statement = Statement::around(text, root, span(first).start);
    note_broken(session, text, first, &statement);
    statement.blanked(text)
}

/// The parser tells kinds of errors apart only by their words.
fn is_duplicate(error: &Error) -> bool {
    error.message() == "duplicate key"
}

fn span(error: &Error) -> Range<usize> {
    error.span().unwrap_or_default()
}

/// A key with its value, or a header with all keys below it.
struct Statement {
    /// From its line's start to the start of the next statement's line.
    lines: Range<usize>,
    /// Its first line is a header.
    is_header: bool,
}

impl Statement {
    /// The statement that the parser was in when it stumbled at byte `at`.
    fn around(text: &str, root: &DeTable<'_>, at: usize) -> Self {
        // An unclosed bracket is noticed lines after its statement began.
        let start = line_start(text, key_of_value_at(root, text, at).map_or(at, |key| key.start));
        let is_header = line_at(text, start).trim_start().starts_with('[');
        let ends = |line: &str| looks_like_header(line) || (!is_header && looks_like_key(line));
        let mut end = next_line(text, start);
        if is_header || goes_on(line_at(text, start)) {
            while end < text.len() && !ends(line_at(text, end)) {
                end = next_line(text, end);
            }
        }
        Self { lines: start..end, is_header }
    }

    /// Its key path as far as it can be told, e.g. `dns.listen`.
    fn path(&self, text: &str) -> Option<String> {
        let line = line_at(text, self.lines.start);
        if self.is_header {
            return None;
        }
        let key = line.split_once('=').map(|(key, _)| key.trim()).filter(|key| !key.is_empty())?;
        let header = header_above(text, self.lines.start);
        Some(key_path(header, &format!("{key} = 0")).map_or_else(|| key.to_owned(), |keys| shown(&keys)))
    }

    /// `text` without it; `None` if it was blank already.
    fn blanked(&self, text: &str) -> Option<String> {
        let (before, inside, after) =
            (text.get(..self.lines.start)?, text.get(self.lines.clone())?, text.get(self.lines.end..)?);
        let blank: String = inside
            .chars()
            .flat_map(|c| std::iter::repeat_n(if c == '\n' || c == '\r' { c } else { ' ' }, c.len_utf8()))
            .collect();
        (blank != inside).then(|| [before, &blank, after].concat())
    }
}

fn note_broken(session: &Session<'_>, text: &str, error: &Error, statement: &Statement) {
    let span = span(error);
    let subject = match statement.path(text) {
        Some(path) => format!("`{path}`"),
        None if statement.is_header => "this header".into(),
        None => "this line".into(),
    };
    let (reason, hint) = explain(error.message(), text.get(span.clone()).unwrap_or_default());
    let mut finding = Diagnostic::error("syntax", format!("{subject} is not valid TOML"))
        .at(session.source.location(span.clone()), reason);
    finding.hint = hint;
    if line_start(text, span.start) != statement.lines.start {
        let first_line = line_at(text, statement.lines.start);
        let key_len = first_line.find('=').unwrap_or(first_line.len());
        let start = statement.lines.start;
        let place = session.source.location(start..start + first_line.get(..key_len).map_or(0, |k| k.trim_end().len()));
        finding = finding.related(place, "it begins here").hint("is every bracket and quote of it closed?");
    }
    session.push(finding);
}

/// The parser's message in words for operators, and what to do.
fn explain(message: &str, found: &str) -> (String, Option<String>) {
    const WORDS: [(&str, &str, &str); 14] = [
        ("invalid unquoted key", "a key is letters, digits, `-` and `_`", "a key is written `key = value`"),
        ("key with no value", "no `=` after the key", "a key is written `key = value`"),
        ("missing table open", "neither a key nor a header begins like this", "a header is written `[name]`"),
        ("unclosed table", "the header is not closed", "close it with `]`"),
        ("unclosed array", "the list is not closed", "close it with `]`"),
        ("unclosed inline table", "the table is not closed", "close it with `}`"),
        ("invalid basic string, expected `\"`", "the string is not closed", "close it with `\"`"),
        ("invalid literal string, expected `'`", "the string is not closed", "close it with `'`"),
        ("missing comma", "a comma is missing before this", "separate elements by `,`"),
        ("extra comma", "one comma too many", "remove it"),
        ("missing escaped value", "no such escape", "write a backslash as `\\\\`"),
        ("unexpected leading zero", "a number does not start with 0", "remove the 0"),
        ("unexpected key or value", "the value has ended before this", "write one key a line"),
        ("string values must be quoted", "a value is missing", "write a value after `=`, or remove the key"),
    ];
    if !found.is_empty() && ["string values must be quoted", "invalid boolean"].iter().any(|m| message.starts_with(m)) {
        return ("text stands in quotes".into(), Some(format!("write \"{found}\"")));
    }
    match WORDS.iter().find(|(words, _, _)| message.starts_with(words)) {
        Some((_, reason, hint)) => ((*reason).into(), Some((*hint).into())),
        None => (message.trim_end_matches(", expected nothing").to_owned(), None),
    }
}

fn note_duplicate(session: &Session<'_>, text: &str, error: &Error, resolve: bool) {
    let span = span(error);
    let start = line_start(text, span.start);
    let line = line_at(text, start);
    let keys = if looks_like_header(line) {
        key_path(Some(line), "")
    } else {
        let key = line.split_once('=').map_or(line, |(key, _)| key);
        key_path(header_above(text, start), &format!("{key} = 0"))
    };
    let name = match &keys {
        Some(keys) => shown(keys),
        None => text.get(span.clone()).unwrap_or_default().to_owned(),
    };
    let mut finding = Diagnostic::error("duplicate-key", format!("`{name}` stands twice"))
        .at(session.source.location(span), "again here")
        .hint("keep one of them");
    if let (true, Some(keys), Some(above)) = (resolve, keys, text.get(..start)) {
        let (root, _) = DeTable::parse_recoverable(above);
        if let Some(first) = key_span(root.get_ref(), &keys) {
            finding = finding.related(session.source.location(first), "first here");
        }
    }
    session.push(finding);
}

/// The span of the key whose value (not counting tables with a header of their own) holds byte `at`.
fn key_of_value_at(table: &DeTable<'_>, text: &str, at: usize) -> Option<Range<usize>> {
    table.iter().find_map(|(key, value)| match children(value, text) {
        Some(tables) => tables.into_iter().find_map(|table| key_of_value_at(table, text, at)),
        None => (key.span().start <= at && at <= value.span().end).then(|| key.span()),
    })
}

/// The tables below `value` if they have headers (or dotted keys); `None` for a value that stands after its `=`.
fn children<'d>(value: &'d Spanned<DeValue<'d>>, text: &str) -> Option<Vec<&'d DeTable<'d>>> {
    let is_inline = |span: Range<usize>| text.get(span).is_some_and(|text| text.starts_with('{'));
    match value.get_ref() {
        DeValue::Table(table) if !is_inline(value.span()) => Some(vec![table]),
        DeValue::Array(array) => {
            let tables: Vec<_> = array
                .iter()
                .filter(|element| !is_inline(element.span()))
                .filter_map(|element| element.get_ref().as_table())
                .collect();
            (!tables.is_empty()).then_some(tables)
        }
        DeValue::Table(_)
        | DeValue::String(_)
        | DeValue::Integer(_)
        | DeValue::Float(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_) => None,
    }
}

/// The keys named by a header line and a statement below it.
fn key_path(header: Option<&str>, statement: &str) -> Option<Vec<String>> {
    let mut keys = Vec::new();
    for part in [header.unwrap_or_default(), statement] {
        let root = DeTable::parse(part).ok()?;
        let mut table = Some(root.get_ref());
        while let Some((key, value)) = table.and_then(|table| table.iter().next()) {
            keys.push(key.get_ref().clone().into_owned());
            table = last_table(value.get_ref());
        }
    }
    (!keys.is_empty()).then_some(keys)
}

fn key_span(root: &DeTable<'_>, keys: &[String]) -> Option<Range<usize>> {
    let (last, parents) = keys.split_last()?;
    let mut table = root;
    for key in parents {
        table = last_table(table.get(key.as_str())?.get_ref())?;
    }
    table.get_key_value(last.as_str()).map(|(key, _)| key.span())
}

fn last_table<'d>(value: &'d DeValue<'d>) -> Option<&'d DeTable<'d>> {
    value.as_table().or_else(|| value.as_array()?.iter().last()?.get_ref().as_table())
}

fn shown(keys: &[String]) -> String {
    keys.iter().fold(String::new(), |path, key| join(&path, key))
}

fn header_above(text: &str, at: usize) -> Option<&str> {
    text.get(..at)?.lines().rev().find(|line| looks_like_header(line))
}

/// `[table]` or `[[table]]`, maybe with a comment.
fn looks_like_header(line: &str) -> bool {
    let line = line.trim_start_matches('\u{feff}').trim();
    let line = line.split_once('#').map_or(line, |(line, _)| line.trim_end());
    line.starts_with('[') && line.ends_with(']') && !line.contains(',') && DeTable::parse(line).is_ok()
}

/// Opens a bracket or a multi-line string that it does not close.
fn goes_on(line: &str) -> bool {
    let count = |brackets: [char; 2]| line.matches(brackets).count();
    count(['[', '{']) > count([']', '}'])
        || ["\"\"\"", "'''"].iter().any(|quotes| line.matches(quotes).count() % 2 == 1)
}

/// `key = …`, and no element of a multi-line table.
fn looks_like_key(line: &str) -> bool {
    let is_key = |c: char| c.is_alphanumeric() || " \t-_.\"'*".contains(c);
    let (key, rest) = line.split_once('=').unwrap_or_default();
    !key.trim().is_empty() && key.chars().all(is_key) && !rest.trim_end().ends_with(',')
}

fn line_start(text: &str, at: usize) -> usize {
    text.get(..at.min(text.len())).and_then(|before| before.rfind('\n')).map_or(0, |i| i + 1)
}

fn next_line(text: &str, at: usize) -> usize {
    text.get(at..).and_then(|rest| rest.find('\n')).map_or(text.len(), |i| at + i + 1)
}

/// The line that starts at byte `at`.
fn line_at(text: &str, at: usize) -> &str {
    text.get(at..).and_then(|rest| rest.lines().next()).unwrap_or_default()
}
