//! The next version of a zone from the next version of its file, parsing only what changed.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use crate::base::diagnostic::Report;
use crate::base::files::Files;
use crate::base::hash::{HashKey, content_hash};
use crate::dns::name::is_at_or_below;
use crate::dns::{Name, RecordType};
use crate::wire::FoldedName;
use crate::zone::build::{Oddity, OddityKind};
use crate::zone::check::{Findings, check_changed};
use crate::zone::node::RrsetData;
use crate::zone::parse::{Entry, Reader, State};
use crate::zone::source::{Chunk, Chunker, Loaded, ZoneSource, anchor, load, out_of_zone};
use crate::zone::{Change, Diff, Zone};

/// The next version of a zone.
#[derive(Clone, Debug)]
pub struct Update {
    /// The zone.
    pub zone: Zone,
    /// What led to it.
    pub diff: Diff,
    /// How it was read.
    pub source: ZoneSource,
    /// Octets of text that had to be parsed.
    pub parsed: usize,
}

impl ZoneSource {
    /// Reads the next version of the file this describes, whose zone is `zone`. `None`: the report has errors, and the
    /// zone stays as it is.
    #[must_use]
    pub fn update(&self, zone: &Zone, text: &[u8], files: &dyn Files, report: &mut Report) -> Option<Update> {
        let mut own = Report::new();
        let update = match self.update_parts(zone, text, files, &mut own) {
            Parts::Updated(update) => update.map(|update| *update),
            Parts::ReadWhole => {
                own = Report::new();
                self.update_whole(zone, text, files, &mut own)
            }
        };
        let failed = own.has_errors();
        report.extend(own);
        update.filter(|_| !failed)
    }

    fn update_whole(&self, zone: &Zone, text: &[u8], files: &dyn Files, report: &mut Report) -> Option<Update> {
        let Loaded { zone: next, source } = load(self.key, &self.path, text, &self.origin, files, report)?;
        if next.apex() != zone.apex() {
            // Another zone: nothing to compare.
            return Some(Update { zone: next, diff: Diff::new(), source, parsed: text.len() });
        }
        let diff = Diff::between(zone, &next);
        Some(Update { zone: next, diff, source, parsed: text.len() })
    }

    fn update_parts(&self, zone: &Zone, text: &[u8], files: &dyn Files, report: &mut Report) -> Parts {
        if !self.included.is_empty() || self.chunks.is_empty() {
            return Parts::ReadWhole;
        }
        let Some(mut comparison) = Comparison::new(self, zone.apex(), text, files, report).run() else {
            return Parts::ReadWhole;
        };
        comparison.read_others();
        let Comparison { records, affected, chunks, owners, parsed, apex_lost, .. } = comparison;
        if apex_lost {
            return Parts::ReadWhole;
        }
        let mut oddities = Vec::new();
        let diff = difference(zone, &affected, records, &mut oddities);
        let Ok(next) = zone.apply(&diff) else { return Parts::ReadWhole };
        let mut findings = Findings::new();
        check_changed(&next, &diff, &oddities, &mut findings);
        findings.report(Reader::new(&self.path, text, &self.origin, files), &self.path, report);
        let source = Self { chunks, owners, ..self.clone_head() };
        Parts::Updated(Some(Box::new(Update { zone: next, diff, source, parsed })))
    }

    /// The source without its lists.
    fn clone_head(&self) -> Self {
        Self {
            key: self.key,
            path: Arc::clone(&self.path),
            origin: self.origin.clone(),
            chunks: Vec::new(),
            owners: Vec::new(),
            included: Vec::new(),
        }
    }
}

/// How reading in parts went.
enum Parts {
    Updated(Option<Box<Update>>),
    /// It cannot be done, or is not worth it.
    ReadWhole,
}

/// A record of an affected owner, and where in the file its chunk starts.
struct Found {
    offset: usize,
    owner: Vec<u8>,
    rtype: RecordType,
    ttl: u32,
    rdata: Vec<u8>,
}

/// The old chunks beside the new text.
struct Comparison<'a> {
    source: &'a ZoneSource,
    apex: &'a Name,
    text: &'a [u8],
    files: &'a dyn Files,
    report: &'a mut Report,
    name: FoldedName,
    /// The next version's chunks and owners.
    chunks: Vec<Chunk>,
    owners: Vec<u32>,
    /// Chunks taken over: index among the new ones, offset and line in the new text.
    kept: Vec<(usize, usize, u32)>,
    records: Vec<Found>,
    affected: HashSet<u32>,
    parsed: usize,
    apex_lost: bool,
}

impl<'a> Comparison<'a> {
    fn new(
        source: &'a ZoneSource,
        apex: &'a Name,
        text: &'a [u8],
        files: &'a dyn Files,
        report: &'a mut Report,
    ) -> Self {
        Self {
            source,
            apex,
            text,
            files,
            report,
            name: FoldedName::new(),
            chunks: Vec::with_capacity(source.chunks.len() + 4),
            owners: Vec::with_capacity(source.owners.len() + 16),
            kept: Vec::with_capacity(source.chunks.len()),
            records: Vec::new(),
            affected: HashSet::new(),
            parsed: 0,
            apex_lost: false,
        }
    }

    /// Walks old chunks and new text side by side. `None`: so much changed that reading the file whole is better.
    fn run(mut self) -> Option<Self> {
        let old = self.source.chunks.as_slice();
        let (mut at, mut line, mut index) = (0, 1, 0);
        let mut state = Arc::clone(&old.first()?.state);
        let mut anchors: Option<HashMap<u64, Vec<usize>>> = None;
        while at < self.text.len() {
            if let Some(chunk) = old.get(index).filter(|chunk| self.is_unchanged(chunk, at) && chunk.state == state) {
                self.keep(index, at, line);
                at += chunk.len;
                line += chunk.lines;
                index += 1;
                if let Some(next) = old.get(index) {
                    state = Arc::clone(&next.state);
                } else if at < self.text.len() {
                    // Text was added behind the last chunk: what state it starts in only parsing that chunk tells.
                    index -= 1;
                    (at, line) = (at - chunk.len, line - chunk.lines);
                    self.unkeep(index);
                    self.parse_rest(at, line, &state)?;
                    index += 1;
                    break;
                }
                continue;
            }
            let anchors = anchors.get_or_insert_with(|| anchors_of(old));
            let (next, next_line, next_state) = self.parse_chunk(at, line, &state)?;
            (at, line, state) = (next, next_line, next_state);
            let anchor = anchor(self.source.key, self.text.get(at..).unwrap_or_default());
            let again =
                anchors.get(&anchor).and_then(|found| found.iter().copied().find(|&candidate| candidate >= index));
            if let Some(found) = again.filter(|&found| old.get(found).is_some_and(|chunk| self.is_unchanged(chunk, at)))
            {
                self.drop_chunks(index, found);
                index = found;
            }
        }
        self.drop_chunks(index, old.len());
        (self.parsed <= self.text.len() / 2 + 65_536).then_some(self)
    }

    fn is_unchanged(&self, chunk: &Chunk, at: usize) -> bool {
        self.text.get(at..at + chunk.len).is_some_and(|body| content_hash(self.source.key, body) == chunk.hash)
    }

    fn owners_of(&self, index: usize) -> &'a [u32] {
        let start =
            index.checked_sub(1).and_then(|before| self.source.chunks.get(before)).map_or(0, |chunk| chunk.owners_end);
        let end = self.source.chunks.get(index).map_or(start, |chunk| chunk.owners_end);
        self.source.owners.get(start..end).unwrap_or_default()
    }

    fn keep(&mut self, index: usize, at: usize, line: u32) {
        let Some(chunk) = self.source.chunks.get(index) else { return };
        self.owners.extend_from_slice(self.owners_of(index));
        self.kept.push((self.chunks.len(), at, line));
        self.chunks.push(Chunk { owners_end: self.owners.len(), ..chunk.clone() });
    }

    fn unkeep(&mut self, index: usize) {
        self.kept.pop();
        self.chunks.pop();
        self.owners.truncate(self.chunks.last().map_or(0, |chunk| chunk.owners_end));
        self.drop_chunks(index, index + 1);
    }

    /// Owners of chunks that are gone may have lost records.
    fn drop_chunks(&mut self, from: usize, to: usize) {
        for index in from..to {
            self.affected.extend(self.owners_of(index));
        }
    }

    /// Parses from `at` up to the end of one chunk; where that is, and the reader's state there.
    fn parse_chunk(&mut self, at: usize, line: u32, state: &Arc<State>) -> Option<(usize, u32, Arc<State>)> {
        let text = self.text;
        let mut reader = Reader::resume(&self.source.path, text, at, line, State::clone(state), self.files);
        let mut chunker = Chunker::new(self.source.key, text, at);
        chunker.begin(&reader);
        let mut cut = false;
        while !cut && let Some(entry) = reader.next(self.report) {
            let prefix = take(&mut self.name, self.source.key, self.apex, at, entry, &mut self.records);
            match prefix {
                Ok(prefix) => {
                    chunker.note(prefix);
                    self.affected.insert(prefix);
                }
                Err((owner, rtype)) => {
                    self.apex_lost |= rtype == RecordType::SOA;
                    self.report.push(out_of_zone(&reader, &owner, rtype, self.apex));
                }
            }
            cut = chunker.end_record(&reader);
        }
        let (end, next_line) = if cut { (reader.boundary()?, reader.line()) } else { (text.len(), reader.line()) };
        let (chunks, owners) = if cut { chunker.into_parts() } else { chunker.finish(&reader) };
        let before = self.owners.len();
        self.owners.extend(owners);
        self.chunks.extend(chunks.into_iter().map(|chunk| Chunk { owners_end: before + chunk.owners_end, ..chunk }));
        self.parsed += end - at;
        if !reader.included().is_empty() || self.parsed > text.len() / 2 + 65_536 {
            return None;
        }
        Some((end, next_line, Arc::new(reader.state().before_owner())))
    }

    /// Parses to the end of the text.
    fn parse_rest(&mut self, mut at: usize, mut line: u32, state: &Arc<State>) -> Option<()> {
        let mut state = Arc::clone(state);
        while at < self.text.len() {
            (at, line, state) = self.parse_chunk(at, line, &state)?;
        }
        Some(())
    }

    /// Affected owners may have records in chunks that did not change: these are read too.
    fn read_others(&mut self) {
        let mut filter = vec![false; 1 << 16];
        for prefix in &self.affected {
            filter[(prefix & 0xffff) as usize] = true;
        }
        for (index, at, line) in std::mem::take(&mut self.kept) {
            let start =
                index.checked_sub(1).and_then(|before| self.chunks.get(before)).map_or(0, |chunk| chunk.owners_end);
            let Some(chunk) = self.chunks.get(index) else { continue };
            let owners = self.owners.get(start..chunk.owners_end).unwrap_or_default();
            let meets = owners.iter().any(|owner| filter[(owner & 0xffff) as usize] && self.affected.contains(owner));
            if !meets {
                continue;
            }
            // The chunk was read before without an error; it ends where it ended then.
            let Some(body) = self.text.get(..at + chunk.len) else { continue };
            let state = State::clone(&chunk.state);
            let mut reader = Reader::resume(&self.source.path, body, at, line, state, self.files);
            self.parsed += chunk.len;
            while let Some(entry) = reader.next(self.report) {
                let mut found = Vec::new();
                if let Ok(prefix) = take(&mut self.name, self.source.key, self.apex, at, entry, &mut found)
                    && self.affected.contains(&prefix)
                {
                    self.records.append(&mut found);
                }
            }
        }
        // File order decides the order of records in an RRset.
        self.records.sort_by_key(|record| record.offset);
    }
}

/// Notes a record; the prefix of its owner's hash, or the owner if it is outside the zone.
fn take(
    name: &mut FoldedName,
    key: HashKey,
    apex: &Name,
    offset: usize,
    entry: Entry<'_>,
    records: &mut Vec<Found>,
) -> Result<u32, (Vec<u8>, RecordType)> {
    let Entry { owner, rtype, ttl, rdata } = entry;
    if !is_at_or_below(owner, apex.as_wire()) || name.fill(key, owner).is_none() {
        return Err((owner.to_vec(), rtype));
    }
    records.push(Found { offset, owner: owner.to_vec(), rtype, ttl, rdata: rdata.to_vec() });
    Ok(name.hash(name.labels()).prefix())
}

fn anchors_of(chunks: &[Chunk]) -> HashMap<u64, Vec<usize>> {
    let mut anchors: HashMap<u64, Vec<usize>> = HashMap::new();
    for (index, chunk) in chunks.iter().enumerate() {
        anchors.entry(chunk.anchor).or_default().push(index);
    }
    anchors
}

/// RRsets by type: TTL and data, as the file has them.
type Sets = BTreeMap<RecordType, Vec<(u32, Vec<u8>)>>;

/// What leads from the affected owners as the zone has them to what the file has for them.
fn difference(zone: &Zone, affected: &HashSet<u32>, records: Vec<Found>, oddities: &mut Vec<Oddity>) -> Diff {
    let mut wanted: BTreeMap<Vec<u8>, (Vec<u8>, Sets)> = BTreeMap::new();
    for Found { owner, rtype, ttl, rdata, .. } in records {
        let (_, sets) = wanted.entry(owner.to_ascii_lowercase()).or_insert_with(|| (owner, Sets::new()));
        sets.entry(rtype).or_default().push((ttl, rdata));
    }
    let mut name = FoldedName::new();
    for &prefix in affected {
        for node in zone.candidates(prefix) {
            let owner = zone.owner(node);
            name.fill(zone.key(), &owner);
            if name.hash(name.labels()).prefix() == prefix {
                wanted.entry(owner.to_ascii_lowercase()).or_insert_with(|| (owner, Sets::new()));
            }
        }
    }
    let mut diff = Diff::new();
    for (lower, (owner, sets)) in wanted {
        name.fill(zone.key(), &lower);
        let mut next: BTreeMap<RecordType, RrsetData> = BTreeMap::new();
        for (rtype, records) in sets {
            next.insert(rtype, rrset(&owner, rtype, &records, oddities));
        }
        if let Some(node) = zone.node(&name) {
            for set in node.sets().filter(|set| set.service().is_none()) {
                match next.remove(&set.rtype) {
                    Some(data) if data == set.to_data() => {}
                    changed => diff.push(Change { owner: owner.as_slice().into(), rtype: set.rtype, set: changed }),
                }
            }
        }
        for (rtype, data) in next {
            diff.push(Change { owner: owner.as_slice().into(), rtype, set: Some(data) });
        }
    }
    diff
}

/// One RRset by the builder's rules: each record once, all with the least TTL.
fn rrset(owner: &[u8], rtype: RecordType, records: &[(u32, Vec<u8>)], oddities: &mut Vec<Oddity>) -> RrsetData {
    let ttl = records.iter().map(|(ttl, _)| *ttl).min().unwrap_or(0);
    let odd = |kind| Oddity { owner: owner.to_vec(), rtype, kind };
    if rtype != RecordType::RRSIG && records.iter().any(|(other, _)| *other != ttl) {
        oddities.push(odd(OddityKind::TtlMismatch));
    }
    let mut seen = HashSet::new();
    let distinct: Vec<&[u8]> =
        records.iter().map(|(_, rdata)| rdata.as_slice()).filter(|rdata| seen.insert(*rdata)).collect();
    for _ in distinct.len()..records.len() {
        oddities.push(odd(OddityKind::Duplicate));
    }
    RrsetData::new(ttl, distinct)
}
