//! Errors for people: what is wrong, where, why, and what to do about it.
//!
//! Every room that reads an operator's text pushes [`Diagnostic`]s into a [`Report`] and keeps going, so that all
//! problems are shown at once. A [`Location`] carries its own source line: a report needs no file to be rendered and
//! keeps no file alive.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use crate::base::limits;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Served all the same; worth a look.
    Warning,
    /// Refused: the unit it belongs to (a zone, the model, the configuration) is not taken.
    Error,
}

/// A place in a text file, with the line itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// The file as the operator names it.
    pub path: Arc<str>,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// The whole source line, without its line end; clipped to [`limits::EXCERPT_LEN_MAX`] bytes.
    pub text: String,
    /// The bytes of `text` to underline; may be empty.
    pub mark: Range<usize>,
}

impl Location {
    /// The place of bytes `span` of `text`, a file called `path`. A span over several lines keeps its first line.
    #[must_use]
    pub fn in_text(path: &Arc<str>, text: &[u8], span: Range<usize>) -> Self {
        let at = span.start.min(text.len());
        let start = text[..at].iter().rposition(|&b| b == b'\n').map_or(0, |i| i + 1);
        let line = 1 + text[..start].iter().filter(|&&b| b == b'\n').count();
        Self::in_line(
            path,
            u32::try_from(line).unwrap_or(u32::MAX),
            &text[start..],
            at - start..span.end.max(at) - start,
        )
    }

    /// The place of bytes `span` of line number `line`, whose text (and maybe more lines after it) is `rest`.
    #[must_use]
    pub fn in_line(path: &Arc<str>, line: u32, rest: &[u8], span: Range<usize>) -> Self {
        let end = rest.iter().position(|&b| b == b'\n').unwrap_or(rest.len());
        let raw = rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]);
        // Long lines are clipped around the mark, so that a megabyte on one line stays readable.
        let from = if span.start > limits::EXCERPT_LEN_MAX / 2 { span.start - limits::EXCERPT_LEN_MAX / 4 } else { 0 };
        let from = from.min(raw.len());
        let clipped = &raw[from..raw.len().min(from + limits::EXCERPT_LEN_MAX)];
        let clamp = |i: usize| i.clamp(from, from + clipped.len()) - from;
        let before = String::from_utf8_lossy(&clipped[..clamp(span.start)]).into_owned();
        let marked = String::from_utf8_lossy(&clipped[clamp(span.start)..clamp(span.end.max(span.start))]).into_owned();
        let after = String::from_utf8_lossy(&clipped[clamp(span.end.max(span.start))..]).into_owned();
        let column = 1 + String::from_utf8_lossy(&raw[..span.start.min(raw.len())]).chars().count();
        let mark = before.len()..before.len() + marked.len();
        Self {
            path: Arc::clone(path),
            line,
            column: u32::try_from(column).unwrap_or(u32::MAX),
            text: before + &marked + &after,
            mark,
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.path, self.line, self.column)
    }
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// A stable, greppable code in kebab case, e.g. `unknown-key`.
    pub code: &'static str,
    /// What is wrong, in one line, lower case, no full stop; names the key or record.
    pub message: String,
    /// Where; absent only when there is no text (a missing file).
    pub at: Option<Location>,
    /// The reason, shown under the marked text; may be empty.
    pub reason: String,
    /// Other places that matter, e.g. the first definition.
    pub related: Vec<(Location, String)>,
    /// What to do.
    pub hint: Option<String>,
}

impl Diagnostic {
    /// An error with a `code` and a `message`.
    #[must_use]
    pub fn error(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            code,
            message: message.into(),
            at: None,
            reason: String::new(),
            related: Vec::new(),
            hint: None,
        }
    }

    /// A warning with a `code` and a `message`.
    #[must_use]
    pub fn warning(code: &'static str, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, message) }
    }

    /// Adds the place and the reason shown there.
    #[must_use]
    pub fn at(mut self, location: Location, reason: impl Into<String>) -> Self {
        self.at = Some(location);
        self.reason = reason.into();
        self
    }

    /// Adds another place that matters.
    #[must_use]
    pub fn related(mut self, location: Location, note: impl Into<String>) -> Self {
        self.related.push((location, note.into()));
        self
    }

    /// Adds what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The finding as text for a terminal or a log, several lines, without colour.
    #[must_use]
    pub fn render(&self) -> String {
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let mut group = Group::with_title(level.primary_title(self.message.as_str()).id(self.code));
        if let Some(at) = &self.at {
            group = group.element(snippet(at, AnnotationKind::Primary, &self.reason));
        } else if !self.reason.is_empty() {
            group = group.element(Level::NOTE.message(self.reason.as_str()));
        }
        for (location, note) in &self.related {
            group = group.element(snippet(location, AnnotationKind::Context, note));
        }
        if let Some(hint) = &self.hint {
            group = group.element(Level::HELP.message(hint.as_str()));
        }
        Renderer::plain().render(&[group])
    }

    /// The finding in one line: `file:line:col: error[code]: message: reason`.
    #[must_use]
    pub fn line(&self) -> String {
        let place = self.at.as_ref().map_or_else(String::new, |at| format!("{at}: "));
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let reason = if self.reason.is_empty() { String::new() } else { format!(": {}", self.reason) };
        format!("{place}{severity}[{}]: {}{reason}", self.code, self.message)
    }
}

fn snippet<'a>(
    at: &'a Location,
    kind: AnnotationKind,
    note: &'a str,
) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
    // An empty mark at the end of a line still needs something to point at.
    Snippet::source(at.text.as_str())
        .line_start(at.line as usize)
        .path(at.path.as_ref())
        .annotation(kind.span(at.mark.clone()).label(note))
}

/// All findings of one load, in the order they were made.
#[derive(Clone, Debug, Default)]
pub struct Report {
    diagnostics: Vec<Diagnostic>,
    dropped: usize,
    /// Errors in all, those dropped included.
    errors: usize,
}

impl Report {
    /// An empty report.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a finding. Past [`limits::DIAGNOSTICS_MAX`] findings are only counted.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.errors += usize::from(diagnostic.severity == Severity::Error);
        if self.diagnostics.len() < limits::DIAGNOSTICS_MAX {
            self.diagnostics.push(diagnostic);
        } else {
            self.dropped += 1;
        }
    }

    /// Adds all findings of another report.
    pub fn extend(&mut self, other: Self) {
        let errors = self.errors + other.errors;
        self.dropped += other.dropped;
        for diagnostic in other.diagnostics {
            self.push(diagnostic);
        }
        self.errors = errors;
    }

    /// True if any finding is an error.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.errors > 0
    }

    /// True if there is no finding at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.diagnostics.is_empty()
    }

    /// The findings, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.diagnostics.iter()
    }

    /// Number of findings of a severity.
    #[must_use]
    pub fn count(&self, severity: Severity) -> usize {
        self.diagnostics.iter().filter(|d| d.severity == severity).count()
    }

    /// All findings as text, a blank line between two, a closing line if some were only counted.
    #[must_use]
    pub fn render(&self) -> String {
        let mut out: Vec<String> = self.diagnostics.iter().map(Diagnostic::render).collect();
        if self.dropped > 0 {
            out.push(format!("and {} more findings, not shown", self.dropped));
        }
        out.join("\n\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renders_line_column_reason_and_hint() {
        let path: Arc<str> = "a.toml".into();
        let text = b"[dns]\nlisten = 5\n";
        let location = Location::in_text(&path, text, 15..16);
        assert_eq!(location.to_string(), "a.toml:2:10");
        let shown = Diagnostic::error("wrong-type", "`dns.listen` is a list of addresses")
            .at(location, "an integer")
            .hint("write [\"0.0.0.0:53\"]")
            .render();
        assert_eq!(
            shown,
            "error[wrong-type]: `dns.listen` is a list of addresses\n --> a.toml:2:10\n  |\n2 | listen = 5\n  |          ^ an integer\n  |\n  = help: write [\"0.0.0.0:53\"]"
        );
    }

    #[test]
    fn a_very_long_line_is_clipped_around_the_mark() {
        let path: Arc<str> = "z".into();
        let mut text = vec![b'a'; 5000];
        text[4000] = b'X';
        let location = Location::in_text(&path, &text, 4000..4001);
        assert_eq!(location.column, 4001);
        assert!(location.text.len() <= limits::EXCERPT_LEN_MAX);
        assert_eq!(&location.text[location.mark.clone()], "X");
    }
}
