//! Records out of a zone file, one after the other.

use std::borrow::Cow;
use std::sync::Arc;

use crate::base::diagnostic::{Diagnostic, Location, Report};
use crate::base::files::Files;
use crate::base::limits::INCLUDE_DEPTH_MAX;
use crate::dns::rdata::{Words, WordsError};
use crate::dns::{Name, RecordType};
use crate::zone::parse::directive::{Directive, read_directive};
use crate::zone::parse::fault::Fault;
use crate::zone::parse::generate::Generate;
use crate::zone::parse::record::{Head, read_record};
use crate::zone::parse::state::{Current, State};

/// After this many unclosed parentheses reading stops: each makes the rest of the file be read again.
const UNCLOSED_MAX: u32 = 8;

/// One record, valid until the next is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'r> {
    /// Wire form, case as written.
    pub owner: &'r [u8],
    /// Never a meta type.
    pub rtype: RecordType,
    /// Seconds, at most 2^31 - 1.
    pub ttl: u32,
    /// Uncompressed wire form, well formed for the type.
    pub rdata: &'r [u8],
}

/// A cursor over the records of a zone file and the files it includes.
pub struct Reader<'a> {
    files: &'a dyn Files,
    /// The file being read is the last one; the others wait for it to end. Never empty.
    frames: Vec<Frame<'a>>,
    generate: Option<Box<Generate>>,
    /// The line `generate` made last.
    generated: Vec<u8>,
    current: Current,
    rdata: Vec<u8>,
    included: Vec<Arc<str>>,
    unclosed: u32,
}

/// One file.
struct Frame<'a> {
    path: Arc<str>,
    text: Cow<'a, [u8]>,
    /// Where the next entry starts, and the number of that line.
    at: usize,
    line: u32,
    /// The last entry: its bytes and the number of its first line.
    entry_at: usize,
    entry_end: usize,
    entry_line: u32,
    /// Origin and last owner of the including file, to be set again at the end of this one.
    outer: Option<(Arc<[u8]>, Vec<u8>)>,
}

enum Step {
    Record(Head),
    Nothing,
    End,
}

impl<'a> Reader<'a> {
    /// A reader at the start of `text`, the content of file `path`. Relative names count from `origin` until
    /// `$ORIGIN` says otherwise; `$INCLUDE` gets its files from `files`.
    #[must_use]
    pub fn new(path: &Arc<str>, text: &'a [u8], origin: &Name, files: &'a dyn Files) -> Self {
        // A byte order mark is what some editors begin a file with.
        let at = if text.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
        Self::at(path, text, at, 1, Current::at_start(origin.as_wire()), files)
    }

    /// A reader that goes on where another one gave [`Reader::boundary`] `offset`, [`Reader::line`] and
    /// [`Reader::state`].
    #[must_use]
    pub fn resume(
        path: &Arc<str>,
        text: &'a [u8],
        offset: usize,
        line: u32,
        state: State,
        files: &'a dyn Files,
    ) -> Self {
        Self::at(path, text, offset.min(text.len()), line, state.into(), files)
    }

    fn at(path: &Arc<str>, text: &'a [u8], at: usize, line: u32, current: Current, files: &'a dyn Files) -> Self {
        Self {
            files,
            frames: vec![Frame::new(Arc::clone(path), text.into(), at, line, None)],
            generate: None,
            generated: Vec::new(),
            current,
            rdata: Vec::with_capacity(512),
            included: Vec::new(),
            unclosed: 0,
        }
    }

    /// The next record; `None` at the end. Mistakes go to `report`, and reading goes on with the next entry.
    pub fn next(&mut self, report: &mut Report) -> Option<Entry<'_>> {
        let head = loop {
            match self.step(report) {
                Step::Record(head) => break head,
                Step::Nothing => {}
                Step::End => return None,
            }
        };
        let Head { rtype, ttl, .. } = head;
        Some(Entry { owner: &self.current.owner, rtype, ttl, rdata: &self.rdata })
    }

    /// Where the last record stands: its first line. For a `$GENERATE`, that line.
    #[must_use]
    pub fn location(&self) -> Option<Location> {
        let frame = self.frames.last()?;
        let entry = frame.text.get(frame.entry_at..frame.entry_end)?;
        let first = entry.split(|&b| b == b'\n').next().unwrap_or_default();
        let blank = first.iter().take_while(|b| b.is_ascii_whitespace()).count();
        let rest = &frame.text[frame.entry_at..];
        Some(Location::in_line(&frame.path, frame.entry_line, rest, blank..first.trim_ascii_end().len().max(blank)))
    }

    /// Number of the line the next entry starts at, from 1, in the file being read.
    #[must_use]
    pub fn line(&self) -> u32 {
        self.frames.last().map_or(1, |frame| frame.line)
    }

    /// The offset of the next entry, if it starts a line of the first file and nothing is under way there: what
    /// follows depends on [`Reader::state`] and on the text from here on, and on nothing else.
    #[must_use]
    pub fn boundary(&self) -> Option<usize> {
        match self.frames.as_slice() {
            [frame] if self.generate.is_none() => Some(frame.at),
            _ => None,
        }
    }

    /// What the lines so far hand to the next one.
    #[must_use]
    pub fn state(&self) -> State {
        self.current.save()
    }

    /// The files that `$INCLUDE` has asked for so far.
    #[must_use]
    pub fn included(&self) -> &[Arc<str>] {
        &self.included
    }

    /// Reads one entry.
    fn step(&mut self, report: &mut Report) -> Step {
        if self.generate.is_some() {
            return self.step_generate(report);
        }
        let Some(frame) = self.frames.last_mut() else {
            return Step::End;
        };
        while frame.text.get(frame.at) == Some(&b'\n') {
            frame.at += 1;
            frame.line += 1;
        }
        let Some(&first) = frame.text.get(frame.at) else {
            return self.end_file();
        };
        (frame.entry_at, frame.entry_line) = (frame.at, frame.line);
        let mut words = Words::new(&frame.text, frame.at);
        if first == b'$' {
            let directive = read_directive(&mut words, &mut self.current);
            frame.entry_end = words.at();
            return match directive {
                Ok(directive) => {
                    frame.end_entry(words_end(words));
                    self.obey(directive, report)
                }
                Err(fault) => self.fail(*fault, report),
            };
        }
        let blank = matches!(first, b' ' | b'\t' | b'\r');
        match read_record(&mut words, blank, &mut self.current, &mut self.rdata) {
            Ok(head) => {
                frame.entry_end = words.at();
                frame.end_entry(words_end(words));
                match head {
                    Some(head) => {
                        if head.ttl_from_minimum {
                            self.warn_of_minimum(report);
                        }
                        Step::Record(head)
                    }
                    None => Step::Nothing,
                }
            }
            Err(fault) => self.fail(*fault, report),
        }
    }

    /// Reports a mistake in the entry at hand and passes it.
    fn fail(&mut self, fault: Fault, report: &mut Report) -> Step {
        let Some(frame) = self.frames.last_mut() else {
            return Step::End;
        };
        let mut words = Words::new(&frame.text, frame.entry_at);
        let unclosed = words.skip_entry();
        let at = words.at();
        frame.entry_end = at;
        frame.line = frame.entry_line + newlines(&frame.text[frame.entry_at..at]);
        frame.at = at;
        // Within an unclosed parenthesis, words too many are the next entry's.
        if unclosed.is_none() || !matches!(fault.code, "extra-field" | "unclosed-parenthesis") {
            report.push(frame.diagnostic(fault));
        }
        if let Some(at) = unclosed {
            report.push(frame.diagnostic(*Fault::words(WordsError::UnclosedParenthesis(at))));
            self.unclosed += 1;
        }
        self.after_mistake();
        if self.unclosed >= UNCLOSED_MAX {
            self.frames.truncate(1);
            if let Some(frame) = self.frames.last_mut() {
                frame.at = frame.text.len();
            }
        }
        Step::Nothing
    }

    /// One mistake must not make more: the lines that follow find a TTL.
    fn after_mistake(&mut self) {
        if self.current.ttl_default.or(self.current.ttl_last).is_none() {
            self.current.ttl_last = Some(0);
        }
    }

    fn warn_of_minimum(&self, report: &mut Report) {
        let mut warning = Diagnostic::warning("ttl-from-minimum", "the SOA has no TTL and no `$TTL` stands before it")
            .hint("put `$TTL` at the head of the file (RFC 2308 §4)");
        if let Some(location) = self.location() {
            warning = warning.at(location, "its MINIMUM is taken, for the records that follow too");
        }
        report.push(warning);
    }

    /// The file at hand ends: back to the one that includes it.
    fn end_file(&mut self) -> Step {
        if self.frames.len() <= 1 {
            return Step::End;
        }
        if let Some((origin, owner)) = self.frames.pop().and_then(|frame| frame.outer) {
            (self.current.origin, self.current.owner) = (origin, owner);
        }
        Step::Nothing
    }

    fn obey(&mut self, directive: Directive, report: &mut Report) -> Step {
        match directive {
            Directive::Done => {}
            Directive::Generate(generate) => self.generate = Some(generate),
            Directive::Include { path, origin, span } => match self.open(&path, origin) {
                Ok(frame) => self.frames.push(frame),
                Err((code, reason)) => {
                    let fault = Fault::new(code, format!("cannot include `{path}`"), span, reason);
                    if let Some(frame) = self.frames.last() {
                        report.push(frame.diagnostic(*fault));
                    }
                    self.after_mistake();
                }
            },
        }
        Step::Nothing
    }

    /// Starts an included file; its lines see the last owner, RFC 1035 §5.1.
    fn open(&mut self, path: &str, origin: Option<Arc<[u8]>>) -> Result<Frame<'a>, (&'static str, String)> {
        let including = self.frames.last().map_or("", |frame| &frame.path);
        let path = self.files.resolve(including, path);
        if self.frames.iter().any(|frame| *frame.path == *path) {
            return Err(("include-cycle", format!("`{path}` is being read already: it would include itself")));
        }
        if self.frames.len() > INCLUDE_DEPTH_MAX {
            return Err(("include-depth", format!("files include each other at most {INCLUDE_DEPTH_MAX} deep")));
        }
        self.included.push(path.as_str().into());
        let text = self.files.read(&path).map_err(|error| ("include-unreadable", error.to_string()))?;
        let outer = (Arc::clone(&self.current.origin), self.current.owner.clone());
        if let Some(origin) = origin {
            self.current.origin = origin;
        }
        Ok(Frame::new(path.into(), text.into(), 0, 1, Some(outer)))
    }

    /// Reads the next line a `$GENERATE` makes.
    fn step_generate(&mut self, report: &mut Report) -> Step {
        let Some(generate) = self.generate.as_mut().filter(|_| !self.frames.is_empty()) else {
            return Step::Nothing;
        };
        if !generate.next_line(&mut self.generated) {
            self.generate = None;
            return Step::Nothing;
        }
        let mut words = Words::new(&self.generated, 0);
        match read_record(&mut words, false, &mut self.current, &mut self.rdata) {
            Ok(Some(head)) => {
                if head.ttl_from_minimum {
                    self.warn_of_minimum(report);
                }
                return Step::Record(head);
            }
            Ok(None) => {}
            Err(fault) => {
                self.generate = None;
                let line = String::from_utf8_lossy(&self.generated);
                let mut diagnostic = Diagnostic::error(fault.code, format!("$GENERATE: {}", fault.message));
                if let Some(location) = self.location() {
                    diagnostic = diagnostic.at(location, format!("it makes `{line}`: {}", fault.reason));
                }
                if let Some(hint) = fault.hint {
                    diagnostic = diagnostic.hint(hint);
                }
                report.push(diagnostic);
                self.after_mistake();
            }
        }
        Step::Nothing
    }
}

impl<'a> Frame<'a> {
    fn new(path: Arc<str>, text: Cow<'a, [u8]>, at: usize, line: u32, outer: Option<(Arc<[u8]>, Vec<u8>)>) -> Self {
        Self { path, text, at, line, entry_at: at, entry_end: at, entry_line: line, outer }
    }

    /// Stands behind the entry at hand: its end, and the line ends passed on the way.
    fn end_entry(&mut self, (at, lines): (usize, u32)) {
        self.at = at;
        self.line += lines;
    }

    /// A mistake with its place in this file.
    fn diagnostic(&self, fault: Fault) -> Diagnostic {
        let Fault { code, message, span, reason, hint } = fault;
        let at = span.start.min(self.text.len());
        let line_at = self.text[..at].iter().rposition(|&b| b == b'\n').map_or(0, |i| i + 1);
        let line = match self.text.get(self.entry_at..line_at) {
            Some(passed) => self.entry_line + newlines(passed),
            None => self.entry_line,
        };
        let mark = at - line_at..span.end.max(at) - line_at;
        let location = Location::in_line(&self.path, line, &self.text[line_at..], mark);
        let diagnostic = Diagnostic::error(code, message).at(location, reason);
        match hint {
            Some(hint) => diagnostic.hint(hint),
            None => diagnostic,
        }
    }
}

/// Where words that were read to the end leave the cursor: behind the line end.
fn words_end(mut words: Words<'_>) -> (usize, u32) {
    words.end_line();
    (words.at(), words.lines())
}

fn newlines(text: &[u8]) -> u32 {
    u32::try_from(text.iter().filter(|&&b| b == b'\n').count()).unwrap_or(u32::MAX)
}
