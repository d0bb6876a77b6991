//! Building a zone from a stream of records, as fast as they can be parsed.
//!
//! Records are appended to one log per shard, then each shard is sorted and packed by itself while its data is in the
//! processor's cache. Names that exist only because of names below them get a mark in the log of their shard.

use std::sync::Arc;

use crate::base::hash::{HashKey, NameHash};
use crate::base::limits::NAME_LEN_MAX;
use crate::dns::{Name, RecordType};
use crate::wire::{FoldedName, u16_at, u32_at};
use crate::zone::negative::NegativeSoa;
use crate::zone::node::{Flags, NodeWriter};
use crate::zone::order::{Order, canonical_key};
use crate::zone::shard::{Shard, ShardBuilder, TooLarge};
use crate::zone::{Zone, bits_for, shard_of};

/// Octets of a log entry before the name.
const ENTRY_HEADER: usize = 17;
/// Recent parents remembered, so that a million names under one parent leave one mark and not a million.
const RECENT: usize = 1_024;

/// Something odd in the data that only shows when records of one owner come together. Not fatal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Oddity {
    /// The owner, wire form.
    pub owner: Vec<u8>,
    /// The type.
    pub rtype: RecordType,
    /// What it is.
    pub kind: OddityKind,
}

/// Kinds of [`Oddity`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OddityKind {
    /// The same record twice (RFC 2181 §5); kept once.
    Duplicate,
    /// Records of one RRset with different TTLs (RFC 2181 §5.2); all get the least.
    TtlMismatch,
}

/// The record is not at or below the apex.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfZone;

/// Collects the records of a zone.
#[derive(Debug)]
pub struct Builder {
    key: HashKey,
    apex: Name,
    apex_labels: usize,
    bits: u32,
    logs: Vec<Vec<u8>>,
    recent: Vec<NameHash>,
    /// The owner pushed last, folded: records of one owner come together in most files.
    name: FoldedName,
    last: Vec<u8>,
    /// A zone cut or a DNAME was seen, so names may be occluded.
    cuts: bool,
    oddities: Vec<Oddity>,
}

impl Builder {
    /// A builder for the zone at `apex`, which may get about `names` names.
    #[must_use]
    pub fn new(key: HashKey, apex: &Name, names: usize) -> Self {
        let bits = bits_for(names);
        Self {
            key,
            apex: apex.clone(),
            apex_labels: apex.label_count(),
            bits,
            logs: vec![Vec::new(); 1 << bits],
            recent: vec![NameHash(0); RECENT],
            name: FoldedName::new(),
            last: Vec::with_capacity(NAME_LEN_MAX),
            cuts: false,
            oddities: Vec::new(),
        }
    }

    /// Adds a record; `owner` is an uncompressed wire name.
    ///
    /// # Errors
    /// If the owner is not at or below the apex.
    #[inline]
    pub fn push(&mut self, owner: &[u8], rtype: RecordType, ttl: u32, rdata: &[u8]) -> Result<(), OutOfZone> {
        if self.last != owner {
            self.last.clear();
            if self.name.fill(self.key, owner) != Some(owner.len()) || !self.in_zone() {
                return Err(OutOfZone);
            }
            self.last.extend_from_slice(owner);
            self.mark_parents(owner);
        }
        let labels = self.name.labels();
        // The log keeps the case of the file; the folded name serves the hash.
        let relative = owner.get(..self.name.start(self.apex_labels)).ok_or(OutOfZone)?;
        if labels > self.apex_labels && rtype == RecordType::NS || rtype == RecordType::DNAME {
            self.cuts = true;
        }
        let rdata_len = u16::try_from(rdata.len()).map_err(|_| OutOfZone)?;
        let hash = self.name.hash(labels);
        let Some(log) = self.logs.get_mut(shard_of(hash, self.bits)) else { return Err(OutOfZone) };
        append(log, hash, rtype, ttl, rdata_len, relative);
        log.extend_from_slice(rdata);
        Ok(())
    }

    /// The upper 32 bits of the hash of the owner pushed last.
    #[inline]
    #[must_use]
    pub fn last_prefix(&self) -> u32 {
        self.name.hash(self.name.labels()).prefix()
    }

    fn in_zone(&self) -> bool {
        self.name.labels() >= self.apex_labels
            && self.apex.as_wire().eq_ignore_ascii_case(self.name.suffix(self.apex_labels))
    }

    /// Leaves a mark for each proper ancestor: it exists and has a name below it.
    fn mark_parents(&mut self, owner: &[u8]) {
        for labels in (self.apex_labels..self.name.labels()).rev() {
            let hash = self.name.hash(labels);
            let Some(recent) = self.recent.get_mut((hash.0 >> 32) as usize % RECENT) else { return };
            if *recent == hash {
                // Its own parents were marked with it.
                return;
            }
            *recent = hash;
            let relative = owner.get(self.name.start(labels)..self.name.start(self.apex_labels)).unwrap_or_default();
            if let Some(log) = self.logs.get_mut(shard_of(hash, self.bits)) {
                append(log, hash, MARK, 0, 0, relative);
            }
        }
    }

    /// The zone, and what was odd about its records.
    ///
    /// # Errors
    /// If a part of it is too large to hold.
    pub fn finish(mut self) -> Result<(Zone, Vec<Oddity>), TooLarge> {
        let mut shards = Vec::with_capacity(self.logs.len());
        let mut records = 0;
        let mut packer = Packer::default();
        for log in std::mem::take(&mut self.logs) {
            let shard = packer.pack(&log, self.bits, &mut self.oddities, self.apex.as_wire())?;
            shards.push(shard);
        }
        records += packer.records;
        let mut apex_name = FoldedName::new();
        apex_name.fill(self.key, self.apex.as_wire());
        let mut zone = Zone {
            key: self.key,
            apex_hash: apex_name.hash(self.apex_labels),
            apex: self.apex,
            apex_labels: self.apex_labels,
            bits: self.bits,
            shards,
            records,
            order: None,
            negative: None,
        };
        if self.cuts {
            zone = zone.with_occlusion()?;
        }
        zone.order = zone.make_order().map(Arc::new);
        zone.negative = NegativeSoa::of(&zone).map(Arc::new);
        Ok((zone, self.oddities))
    }
}

/// The log's type number for "exists, has a name below it": no record has type 0 (RFC 6895 §3.1).
const MARK: RecordType = RecordType(0);

#[inline]
fn append(log: &mut Vec<u8>, hash: NameHash, rtype: RecordType, ttl: u32, rdata_len: u16, relative: &[u8]) {
    let mut header = [0; ENTRY_HEADER];
    header[..8].copy_from_slice(&hash.0.to_be_bytes());
    header[8..10].copy_from_slice(&rtype.0.to_be_bytes());
    header[10..14].copy_from_slice(&ttl.to_be_bytes());
    header[14..16].copy_from_slice(&rdata_len.to_be_bytes());
    header[16] = u8::try_from(relative.len()).unwrap_or(0);
    log.extend_from_slice(&header);
    log.extend_from_slice(relative);
}

/// An entry of a log.
#[derive(Clone, Copy)]
struct Entry<'l> {
    ttl: u32,
    name: &'l [u8],
    rdata: &'l [u8],
}

fn entry(log: &[u8], at: usize) -> Entry<'_> {
    let name_len = log.get(at + 16).map_or(0, |&len| usize::from(len));
    let name_at = at + ENTRY_HEADER;
    let rdata_at = name_at + name_len;
    Entry {
        ttl: u32_at(log, at + 10),
        name: log.get(name_at..rdata_at).unwrap_or_default(),
        rdata: log.get(rdata_at..rdata_at + usize::from(u16_at(log, at + 14))).unwrap_or_default(),
    }
}

/// Packs one log after the other, keeping its working memory.
#[derive(Default)]
struct Packer {
    /// (hash, type, place in the log) of every entry: sorted, it brings the records of an RRset together in file order.
    index: Vec<(u64, u16, u32)>,
    records: usize,
}

impl Packer {
    fn pack(&mut self, log: &[u8], bits: u32, oddities: &mut Vec<Oddity>, apex: &[u8]) -> Result<Shard, TooLarge> {
        self.index.clear();
        let mut at = 0;
        while at < log.len() {
            let hash = u64::from(u32_at(log, at)) << 32 | u64::from(u32_at(log, at + 4));
            self.index.push((hash, u16_at(log, at + 8), u32::try_from(at).map_err(|_| TooLarge)?));
            let entry = entry(log, at);
            at += ENTRY_HEADER + entry.name.len() + entry.rdata.len();
        }
        self.index.sort_unstable();
        let mut shard = ShardBuilder::new(log.len());
        let mut rest = self.index.as_slice();
        while let Some(&(hash, _, first)) = rest.first() {
            let name = entry(log, first as usize).name;
            let group_len = rest.iter().take_while(|(other, ..)| *other == hash).count();
            let (group, after) = rest.split_at(group_len);
            rest = after;
            // Two names with one 64-bit keyed hash are not to be expected, yet must not become one name.
            let (mine, others): (Vec<_>, Vec<_>) =
                if group.iter().all(|&(.., at)| entry(log, at as usize).name.eq_ignore_ascii_case(name)) {
                    self.records += pack_node(log, group, shard.add(NameHash(hash)), oddities, apex);
                    continue;
                } else {
                    group.iter().partition(|&&(.., at)| entry(log, at as usize).name.eq_ignore_ascii_case(name))
                };
            self.records += pack_node(log, &mine, shard.add(NameHash(hash)), oddities, apex);
            self.records += pack_node(log, &others, shard.add(NameHash(hash)), oddities, apex);
        }
        shard.finish(bits)
    }
}

/// Packs the entries of one name, sorted by type; returns how many records it has.
fn pack_node(
    log: &[u8],
    group: &[(u64, u16, u32)],
    out: &mut NodeWriter,
    oddities: &mut Vec<Oddity>,
    apex: &[u8],
) -> usize {
    let Some(name) = group.first().map(|&(.., at)| entry(log, at as usize).name) else { return 0 };
    let has = |rtype: RecordType| group.iter().any(|&(_, number, _)| number == rtype.0);
    let mut flags = Flags::default();
    if has(MARK) {
        flags = flags.with(Flags::CHILDREN);
    }
    if has(RecordType::NS) && !name.is_empty() {
        flags = flags.with(Flags::CUT);
    }
    if has(RecordType::DNAME) {
        flags = flags.with(Flags::DNAME);
    }
    out.begin(name, flags);
    let mut records = 0;
    for set in group.chunk_by(|a, b| a.1 == b.1) {
        let Some(rtype) = set.first().map(|&(_, number, _)| RecordType(number)).filter(|&rtype| rtype != MARK) else {
            continue;
        };
        let entries: Vec<Entry<'_>> = set.iter().map(|&(.., at)| entry(log, at as usize)).collect();
        let ttl = entries.iter().map(|entry| entry.ttl).min().unwrap_or(0);
        let odd = |kind| Oddity { owner: [name, apex].concat(), rtype, kind };
        // RRSIGs carry the TTL of what they cover (RFC 4034 §3), so theirs differ by right.
        if rtype != RecordType::RRSIG && entries.iter().any(|entry| entry.ttl != ttl) {
            oddities.push(odd(OddityKind::TtlMismatch));
        }
        out.begin_set(rtype, ttl);
        let mut seen = std::collections::HashSet::new();
        for entry in &entries {
            if entries.len() == 1 || seen.insert(entry.rdata) {
                out.push(entry.rdata);
                records += 1;
            } else {
                oddities.push(odd(OddityKind::Duplicate));
            }
        }
        out.end_set();
    }
    records
}

impl Zone {
    /// The zone with [`Flags::OCCLUDED`] set where a cut or DNAME stands above.
    fn with_occlusion(self) -> Result<Self, TooLarge> {
        let mut name = FoldedName::new();
        let mut shards = Vec::with_capacity(self.shards.len());
        for shard in &self.shards {
            let mut builder = ShardBuilder::new(shard.size());
            for node in shard.iter() {
                name.fill(self.key, &self.owner(node));
                let hash = name.hash(name.labels());
                let out = builder.add(hash);
                let at = out.arena.len();
                out.arena.extend_from_slice(node.packed());
                if self.is_below_cut(&name)
                    && let Some(flags) = out.arena.get_mut(at + 2)
                {
                    *flags |= Flags::OCCLUDED.0;
                }
            }
            shards.push(builder.finish(self.bits)?);
        }
        Ok(Self { shards, ..self })
    }

    /// True if a proper ancestor of the name, down to the apex, is a cut or owns a DNAME.
    fn is_below_cut(&self, name: &FoldedName) -> bool {
        (self.apex_labels..name.labels()).any(|labels| {
            self.probe(name, labels).is_some_and(|node| node.flags().has(Flags::CUT) || node.flags().has(Flags::DNAME))
        })
    }

    /// The order of the names with denial records; `None` if the zone has none at its apex.
    pub(super) fn make_order(&self) -> Option<Order> {
        let apex = self.apex_node()?;
        let denial = DenialKind::of(apex)?;
        Some(Order::new(
            self.nodes()
                .filter(|node| node.set(denial.rtype()).is_some())
                .map(|node| denial.key(node.name()))
                .collect(),
        ))
    }
}

/// How a signed zone denies existence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DenialKind {
    /// RFC 4034 §4.
    Nsec,
    /// RFC 5155.
    Nsec3,
}

impl DenialKind {
    /// The kind a zone uses, from its apex (RFC 5155 §4: NSEC3PARAM at the apex tells that NSEC3 is in use).
    #[must_use]
    pub fn of(apex: crate::zone::Node<'_>) -> Option<Self> {
        if apex.set(RecordType::NSEC).is_some() {
            Some(Self::Nsec)
        } else {
            apex.set(RecordType::NSEC3PARAM).map(|_| Self::Nsec3)
        }
    }

    /// The type of the denial records.
    #[must_use]
    pub const fn rtype(self) -> RecordType {
        match self {
            Self::Nsec => RecordType::NSEC,
            Self::Nsec3 => RecordType::NSEC3,
        }
    }

    /// The key in the zone's order of an owner relative to the apex.
    #[must_use]
    pub fn key(self, relative: &[u8]) -> Box<[u8]> {
        match self {
            Self::Nsec => canonical_key(relative),
            // The first label is the hash in base32hex, whose digits sort as the octets do (RFC 4648 §7).
            Self::Nsec3 => crate::dns::name::labels(relative).next().unwrap_or_default().to_ascii_lowercase().into(),
        }
    }
}
