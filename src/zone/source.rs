//! How a zone was read from its file, so that the next version of the file need not be read whole.
//!
//! A file is cut into chunks of a few KiB at lines that name their owner. Each chunk keeps the hash of its text, the
//! state the reader was in at its start, and 32 bits of the hash of every owner in it. A new version of the file is
//! compared chunk by chunk ([`ZoneSource::update`]): only changed ones are parsed. Where a chunk ends is decided by the
//! text, so an inserted line moves the cuts around it and no others.

use std::sync::Arc;

use crate::base::diagnostic::{Diagnostic, Report};
use crate::base::files::Files;
use crate::base::hash::{HashKey, content_hash};
use crate::dns::{Name, RecordType};
use crate::zone::check::{Findings, check_all};
use crate::zone::parse::{Entry, Reader, State};
use crate::zone::{Builder, Zone};

/// Octets a chunk has at least.
const CHUNK_MIN: usize = 4_096;
/// Octets after which a chunk ends at any line that names its owner.
const CHUNK_MAX: usize = 32_768;
/// Octets of a line that decide whether a chunk may start there, and by which it is found again.
pub(super) const ANCHOR: usize = 24;
/// Octets of text a name takes in a usual file: the guess that sizes the zone's tables.
const NAME_TEXT: usize = 28;

/// What is kept about a zone's file.
#[derive(Clone, Debug)]
pub struct ZoneSource {
    pub(super) key: HashKey,
    pub(super) path: Arc<str>,
    pub(super) origin: Name,
    pub(super) chunks: Vec<Chunk>,
    /// 32 bits of each owner's hash, chunk after chunk; repeated owners stand once.
    pub(super) owners: Vec<u32>,
    /// Files read with it by `$INCLUDE`: if there are any, it is always read whole.
    pub(super) included: Vec<Arc<str>>,
}

impl ZoneSource {
    /// Files read with it by `$INCLUDE`.
    #[must_use]
    pub fn included(&self) -> &[Arc<str>] {
        &self.included
    }
}

/// A part of a zone file.
#[derive(Clone, Debug)]
pub(super) struct Chunk {
    pub(super) len: usize,
    pub(super) hash: u64,
    /// Hash of the first [`ANCHOR`] octets.
    pub(super) anchor: u64,
    pub(super) lines: u32,
    /// Where its owners end in the list of all.
    pub(super) owners_end: usize,
    /// The reader's state at its start; chunks with equal states share one.
    pub(super) state: Arc<State>,
}

/// A zone and how it was read.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The zone.
    pub zone: Zone,
    /// How it was read.
    pub source: ZoneSource,
}

/// Reads a zone file. Relative names count from `origin`; the owner of the SOA decides the apex. `None`: the report has
/// errors, and nothing of the file may be served.
#[must_use]
pub fn load(
    key: HashKey,
    path: &Arc<str>,
    text: &[u8],
    origin: &Name,
    files: &dyn Files,
    report: &mut Report,
) -> Option<Loaded> {
    let mut own = Report::new();
    let loaded = read_whole(key, path, text, origin, files, &mut own);
    let failed = own.has_errors();
    report.extend(own);
    loaded.filter(|_| !failed)
}

fn read_whole(
    key: HashKey,
    path: &Arc<str>,
    text: &[u8],
    origin: &Name,
    files: &dyn Files,
    report: &mut Report,
) -> Option<Loaded> {
    let apex = find_apex(path, text, origin, files, report)?;
    let mut reader = Reader::new(path, text, origin, files);
    let mut chunker = Chunker::new(key, text, 0);
    chunker.begin(&reader);
    let mut builder = Builder::new(key, &apex, text.len() / NAME_TEXT);
    while let Some(Entry { owner, rtype, ttl, rdata }) = reader.next(report) {
        if builder.push(owner, rtype, ttl, rdata).is_ok() {
            chunker.note(builder.last_prefix());
            chunker.end_record(&reader);
        } else {
            let owner = owner.to_vec();
            report.push(out_of_zone(&reader, &owner, rtype, &apex));
        }
    }
    let (chunks, owners) = chunker.finish(&reader);
    let (path, origin, included) = (Arc::clone(path), origin.clone(), reader.included().to_vec());
    let too_large = |error| Diagnostic::error("zone-too-large", format!("zone {apex}: {error}"));
    let (zone, oddities) = builder.finish().map_err(|error| report.push(too_large(error))).ok()?;
    let mut findings = Findings::new();
    check_all(&zone, &oddities, &mut findings);
    findings.report(Reader::new(&path, text, &origin, files), &path, report);
    Some(Loaded { zone, source: ZoneSource { key, path, origin, chunks, owners, included } })
}

/// The owner of the first SOA.
fn find_apex(path: &Arc<str>, text: &[u8], origin: &Name, files: &dyn Files, report: &mut Report) -> Option<Name> {
    // Nearly always the first record. What is wrong on the way there is told when it is read for good.
    let mut silent = Report::new();
    let mut reader = Reader::new(path, text, origin, files);
    while let Some(entry) = reader.next(&mut silent) {
        if entry.rtype == RecordType::SOA {
            return Name::from_wire(entry.owner).ok();
        }
    }
    let no_soa = Diagnostic::error("no-soa", format!("zone file {path} has no SOA record"))
        .hint("a zone begins with its SOA: `@ SOA ns1 hostmaster 1 3600 600 1209600 300`");
    report.extend(silent);
    report.push(no_soa);
    None
}

/// The finding for a record outside the zone it stands in.
pub(super) fn out_of_zone(reader: &Reader<'_>, owner: &[u8], rtype: RecordType, apex: &Name) -> Diagnostic {
    let owner = Name::from_wire(owner).unwrap_or_else(|_| Name::root());
    let finding = Diagnostic::error("out-of-zone", format!("{owner} {rtype} is not in the zone"))
        .hint("an absolute name ends with a dot; `$ORIGIN` decides what relative ones count from");
    match reader.location() {
        Some(location) => finding.at(location, format!("the SOA makes this zone {apex}")),
        None => finding,
    }
}

/// Cuts a file into chunks while it is read.
pub(super) struct Chunker<'a> {
    key: HashKey,
    text: &'a [u8],
    chunks: Vec<Chunk>,
    owners: Vec<u32>,
    start: usize,
    start_line: u32,
    state: Option<Arc<State>>,
}

impl<'a> Chunker<'a> {
    /// A chunker of the text from `start` on.
    pub(super) fn new(key: HashKey, text: &'a [u8], start: usize) -> Self {
        Self { key, text, chunks: Vec::new(), owners: Vec::new(), start, start_line: 1, state: None }
    }

    /// The reader stands at the start.
    pub(super) fn begin(&mut self, reader: &Reader<'_>) {
        self.start_line = reader.line();
        self.state = Some(Arc::new(reader.state()));
    }

    /// A record's owner.
    #[inline]
    pub(super) fn note(&mut self, prefix: u32) {
        if self.owners.last() != Some(&prefix) {
            self.owners.push(prefix);
        }
    }

    /// A record ended; true if a chunk ended with it.
    #[inline]
    pub(super) fn end_record(&mut self, reader: &Reader<'_>) -> bool {
        match reader.boundary() {
            Some(at) if at >= self.start + CHUNK_MIN => self.try_cut(at, reader),
            _ => false,
        }
    }

    fn try_cut(&mut self, at: usize, reader: &Reader<'_>) -> bool {
        let Some(rest) = self.text.get(at..).filter(|rest| names_owner(rest)) else { return false };
        if at < self.start + CHUNK_MAX && anchor(self.key, rest) & 7 != 0 {
            return false;
        }
        self.cut(at, reader);
        true
    }

    fn cut(&mut self, at: usize, reader: &Reader<'_>) {
        let Some(body) = self.text.get(self.start..at) else { return };
        let next = reader.state().before_owner();
        let state = self.state.take().unwrap_or_else(|| Arc::new(next.clone()));
        self.state = Some(if *state == next { Arc::clone(&state) } else { Arc::new(next) });
        self.chunks.push(Chunk {
            len: body.len(),
            hash: content_hash(self.key, body),
            anchor: anchor(self.key, body),
            lines: reader.line() - self.start_line,
            owners_end: self.owners.len(),
            state,
        });
        (self.start, self.start_line) = (at, reader.line());
    }

    /// The chunks and their owners; the last chunk ends with the text.
    pub(super) fn finish(mut self, reader: &Reader<'_>) -> (Vec<Chunk>, Vec<u32>) {
        if self.start < self.text.len() {
            self.cut(self.text.len(), reader);
        }
        self.owners.shrink_to_fit();
        (self.chunks, self.owners)
    }

    /// What was cut so far.
    pub(super) fn into_parts(self) -> (Vec<Chunk>, Vec<u32>) {
        (self.chunks, self.owners)
    }
}

/// True if the line at the start of `rest` names its owner: then nothing before it matters but origin and TTL.
fn names_owner(rest: &[u8]) -> bool {
    rest.first().is_some_and(|first| !matches!(first, b' ' | b'\t' | b'\r' | b'\n' | b'$' | b';' | b'(' | b')' | b'"'))
}

/// The hash by which the start of a chunk is known.
pub(super) fn anchor(key: HashKey, text: &[u8]) -> u64 {
    content_hash(key, text.get(..ANCHOR).unwrap_or(text))
}
