//! One owner name and its RRsets, packed.
//!
//! ```text
//! 0      2      3        4              then per RRset, in ascending type order:
//! +------+------+--------+-----------+  +------+-------+-----+--------+------------------------------+
//! | sets | flags| length | name ...  |  | type | count | TTL | length | (length, RDATA) ... count times |
//! +------+------+--------+-----------+  +------+-------+-----+--------+------------------------------+
//!  u16    u8     u8                      u16    u16     u32   u32       u16 each
//! ```
//! The name is relative to the apex, case kept, without a root label; the apex itself has length 0. All numbers are
//! big-endian. The highest bit of `count` marks a steered RRset: its data is a service id, not records.

use crate::base::ids::ServiceId;
use crate::dns::RecordType;
use crate::wire::{u16_at, u32_at};

/// Octets before the name.
const NODE_HEADER: usize = 4;
/// Octets before an RRset's data.
const SET_HEADER: usize = 12;
/// The bit of `count` that marks a steered RRset.
const STEERED: u16 = 0x8000;
/// Records one RRset can hold.
pub const RECORDS_MAX: usize = 0x7fff;

/// What is known about a node beside its records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags(pub u8);

impl Flags {
    /// Below a zone cut or a DNAME: never served as authoritative data (glue at best).
    pub const OCCLUDED: Self = Self(1);
    /// Has or once had a name below it. Sticky: cleared only when the node is built anew.
    pub const CHILDREN: Self = Self(2);
    /// Owns NS records and is not the apex: a zone cut, RFC 1034 §4.2.
    pub const CUT: Self = Self(4);
    /// Owns a DNAME record.
    pub const DNAME: Self = Self(8);

    /// True if all bits of `other` are set.
    #[inline]
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both sets of bits.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The bits without those of `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

/// A node in its shard's arena.
#[derive(Clone, Copy, Debug)]
pub struct Node<'z> {
    /// From the node's first octet to the arena's end.
    bytes: &'z [u8],
}

impl<'z> Node<'z> {
    /// The node whose first octet is the first of `bytes`.
    #[inline]
    #[must_use]
    pub const fn at(bytes: &'z [u8]) -> Self {
        Self { bytes }
    }

    /// The owner relative to the apex, case kept, without a root label.
    #[inline]
    #[must_use]
    pub fn name(self) -> &'z [u8] {
        self.bytes.get(NODE_HEADER..NODE_HEADER + self.name_len()).unwrap_or_default()
    }

    /// True if the name is `first` followed by `rest`, both in lower case.
    #[inline]
    #[must_use]
    pub fn name_is(self, first: &[u8], rest: &[u8]) -> bool {
        self.name_len() == first.len() + rest.len()
            && self.name().split_at_checked(first.len()).is_some_and(|(a, b)| same(a, first) && same(b, rest))
    }

    /// Its flags.
    #[inline]
    #[must_use]
    pub fn flags(self) -> Flags {
        Flags(self.bytes.get(2).copied().unwrap_or(0))
    }

    /// True if both are one node of one zone's version, not merely alike.
    #[inline]
    #[must_use]
    pub fn is(self, other: Self) -> bool {
        std::ptr::eq(self.bytes, other.bytes)
    }

    /// True for a zone cut: it owns NS records and is not the apex.
    #[inline]
    #[must_use]
    pub fn is_cut(self) -> bool {
        self.flags().has(Flags::CUT)
    }

    /// True for a name that exists only because of names below it, RFC 4592 §2.2.2.
    #[inline]
    #[must_use]
    pub fn is_empty(self) -> bool {
        u16_at(self.bytes, 0) == 0
    }

    /// Its RRsets in ascending type order.
    #[inline]
    pub fn sets(self) -> impl Iterator<Item = Rrset<'z>> + Clone {
        let mut rest = self.bytes.get(NODE_HEADER + self.name_len()..).unwrap_or_default();
        (0..u16_at(self.bytes, 0)).map_while(move |_| {
            let (set, after) = Rrset::split(rest)?;
            rest = after;
            Some(set)
        })
    }

    /// The RRset of a type.
    #[inline]
    #[must_use]
    pub fn set(self, rtype: RecordType) -> Option<Rrset<'z>> {
        self.sets().find(|set| set.rtype == rtype)
    }

    /// The node's octets, without what follows in the arena.
    #[must_use]
    pub fn packed(self) -> &'z [u8] {
        let fixed = NODE_HEADER + self.name_len();
        let len = fixed + self.sets().map(|set| SET_HEADER + set.data.len()).sum::<usize>();
        self.bytes.get(..len).unwrap_or_default()
    }

    #[inline]
    fn name_len(self) -> usize {
        self.bytes.get(3).map_or(0, |&len| usize::from(len))
    }
}

/// Compares a stored name with one in lower case.
#[inline]
fn same(stored: &[u8], lower: &[u8]) -> bool {
    // Nearly all zones are written in lower case: compare as they are first.
    stored == lower || stored.eq_ignore_ascii_case(lower)
}

/// All records of one owner and type.
#[derive(Clone, Copy, Debug)]
pub struct Rrset<'z> {
    /// The type.
    pub rtype: RecordType,
    /// Time to live, seconds.
    pub ttl: u32,
    count: u16,
    data: &'z [u8],
}

impl<'z> Rrset<'z> {
    /// The first RRset of `bytes`, and what follows it.
    #[inline]
    fn split(bytes: &'z [u8]) -> Option<(Self, &'z [u8])> {
        let header = bytes.first_chunk::<SET_HEADER>()?;
        let len = usize::try_from(u32_at(header, 8)).ok()?;
        let (data, after) = bytes.get(SET_HEADER..)?.split_at_checked(len)?;
        Some((
            Self { rtype: RecordType(u16_at(header, 0)), count: u16_at(header, 2), ttl: u32_at(header, 4), data },
            after,
        ))
    }

    /// Number of records; 0 if steered.
    #[inline]
    #[must_use]
    pub const fn count(self) -> u16 {
        if self.count & STEERED == 0 { self.count } else { 0 }
    }

    /// The service that decides this RRset, if it is steered.
    #[inline]
    #[must_use]
    pub fn service(self) -> Option<ServiceId> {
        (self.count & STEERED != 0).then(|| ServiceId(u32_at(self.data, 0)))
    }

    /// The data of its records, in the order of the file.
    #[inline]
    pub fn rdatas(self) -> impl Iterator<Item = &'z [u8]> {
        let mut rest = self.data;
        (0..self.count()).map_while(move |_| {
            let (data, after) = rest.get(2..)?.split_at_checked(usize::from(u16_at(rest, 0)))?;
            rest = after;
            Some(data)
        })
    }

    /// The RRset by itself.
    #[must_use]
    pub fn to_data(self) -> RrsetData {
        RrsetData { ttl: self.ttl, count: self.count, data: self.data.into() }
    }
}

/// The contents of an RRset, owned: what a change carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RrsetData {
    ttl: u32,
    count: u16,
    data: Box<[u8]>,
}

impl RrsetData {
    /// Records with their time to live. At most [`RECORDS_MAX`] of at most 65,535 octets; what exceeds that is not taken.
    pub fn new<'r>(ttl: u32, rdatas: impl IntoIterator<Item = &'r [u8]>) -> Self {
        let mut data = Vec::new();
        let mut count = 0;
        for rdata in rdatas.into_iter().take(RECORDS_MAX) {
            let Ok(len) = u16::try_from(rdata.len()) else { continue };
            data.extend_from_slice(&len.to_be_bytes());
            data.extend_from_slice(rdata);
            count += 1;
        }
        Self { ttl, count, data: data.into() }
    }

    /// An RRset decided by a service.
    #[must_use]
    pub fn steered(service: ServiceId) -> Self {
        Self { ttl: 0, count: STEERED, data: Box::new(service.0.to_be_bytes()) }
    }

    /// The records as a borrowed RRset of `rtype`.
    #[must_use]
    pub fn view(&self, rtype: RecordType) -> Rrset<'_> {
        Rrset { rtype, ttl: self.ttl, count: self.count, data: &self.data }
    }
}

/// Appends packed nodes to an arena.
#[derive(Debug)]
pub struct NodeWriter {
    /// The arena so far.
    pub arena: Vec<u8>,
    node_at: usize,
    set_at: usize,
}

impl NodeWriter {
    /// A writer that appends to `arena`.
    #[must_use]
    pub const fn new(arena: Vec<u8>) -> Self {
        Self { arena, node_at: 0, set_at: 0 }
    }

    /// Begins a node; `name` is relative to the apex.
    pub fn begin(&mut self, name: &[u8], flags: Flags) {
        self.node_at = self.arena.len();
        let len = u8::try_from(name.len()).unwrap_or(0);
        self.arena.extend_from_slice(&[0, 0, flags.0, len]);
        self.arena.extend_from_slice(name.get(..usize::from(len)).unwrap_or_default());
    }

    /// Begins an RRset of the node; types come in ascending order.
    pub fn begin_set(&mut self, rtype: RecordType, ttl: u32) {
        self.set_at = self.arena.len();
        self.arena.extend_from_slice(&rtype.0.to_be_bytes());
        self.arena.extend_from_slice(&[0, 0]);
        self.arena.extend_from_slice(&ttl.to_be_bytes());
        self.arena.extend_from_slice(&[0, 0, 0, 0]);
    }

    /// Adds one record to the RRset.
    pub fn push(&mut self, rdata: &[u8]) {
        let Ok(len) = u16::try_from(rdata.len()) else { return };
        let count = u16_at(&self.arena, self.set_at + 2);
        if usize::from(count) < RECORDS_MAX {
            self.arena.extend_from_slice(&len.to_be_bytes());
            self.arena.extend_from_slice(rdata);
            self.patch(self.set_at + 2, &(count + 1).to_be_bytes());
        }
    }

    /// Ends the RRset.
    pub fn end_set(&mut self) {
        let len = u32::try_from(self.arena.len() - self.set_at - SET_HEADER).unwrap_or(0);
        self.patch(self.set_at + 8, &len.to_be_bytes());
        let sets = u16_at(&self.arena, self.node_at).saturating_add(1);
        self.patch(self.node_at, &sets.to_be_bytes());
    }

    /// Adds a whole RRset.
    pub fn set(&mut self, rtype: RecordType, set: &RrsetData) {
        self.begin_set(rtype, set.ttl);
        self.patch(self.set_at + 2, &set.count.to_be_bytes());
        self.arena.extend_from_slice(&set.data);
        self.end_set();
    }

    fn patch(&mut self, at: usize, bytes: &[u8]) {
        if let Some(field) = self.arena.get_mut(at..at + bytes.len()) {
            field.copy_from_slice(bytes);
        }
    }
}
