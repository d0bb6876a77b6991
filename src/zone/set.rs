//! All zones served, found by the longest match (RFC 1034 §4.3.2 step 2).

use std::collections::HashMap;
use std::sync::Arc;

use crate::base::hash::{HashKey, NameHash};
use crate::base::limits::LABELS_MAX;
use crate::dns::Name;
use crate::wire::FoldedName;
use crate::zone::Zone;

/// A zone of the set.
#[derive(Clone, Debug)]
pub enum Served {
    /// Served from its data.
    Zone(Arc<Zone>),
    /// Configured, but its data could not be read: everything in it is SERVFAIL.
    Failed(Name),
}

impl Served {
    /// The apex.
    #[must_use]
    pub fn apex(&self) -> &Name {
        match self {
            Self::Zone(zone) => zone.apex(),
            Self::Failed(apex) => apex,
        }
    }
}

/// An immutable set of zones; a changed set shares the zones that did not change.
#[derive(Clone, Debug)]
pub struct ZoneSet {
    key: HashKey,
    zones: HashMap<NameHash, Vec<Served>, PassThrough>,
    /// Label counts that some apex has, longest first, so that others are never tried.
    depths: Vec<u8>,
}

impl ZoneSet {
    /// A set without a zone.
    #[must_use]
    pub fn new(key: HashKey) -> Self {
        Self { key, zones: HashMap::default(), depths: Vec::new() }
    }

    /// A set of these zones; of two with one apex the later stays.
    #[must_use]
    pub fn of(key: HashKey, zones: impl IntoIterator<Item = Served>) -> Self {
        let mut set = Self::new(key);
        for served in zones {
            set.insert(served);
        }
        set.find_depths();
        set
    }

    /// The key its names are hashed with.
    #[inline]
    #[must_use]
    pub const fn key(&self) -> HashKey {
        self.key
    }

    /// The set with `served` in place of what it had at that apex.
    #[must_use]
    pub fn with(&self, served: Served) -> Self {
        let mut next = self.clone();
        next.insert(served);
        next.find_depths();
        next
    }

    /// The set without the zone at `apex`.
    #[must_use]
    pub fn without(&self, apex: &Name) -> Self {
        let mut next = self.clone();
        if let Some(chain) = next.zones.get_mut(&self.hash_of(apex)) {
            chain.retain(|served| served.apex() != apex);
        }
        next.zones.retain(|_, chain| !chain.is_empty());
        next.find_depths();
        next
    }

    /// The zone with the longest apex at or above the name's last `labels` labels.
    #[inline]
    #[must_use]
    pub fn find(&self, name: &FoldedName, labels: usize) -> Option<&Served> {
        for depth in self.depths.iter().map(|&depth| usize::from(depth)).skip_while(|&depth| depth > labels) {
            let Some(chain) = self.zones.get(&name.hash(depth)) else { continue };
            if let Some(served) =
                chain.iter().find(|served| served.apex().as_wire().eq_ignore_ascii_case(name.suffix(depth)))
            {
                return Some(served);
            }
        }
        None
    }

    /// The zone with exactly this apex.
    #[must_use]
    pub fn get(&self, apex: &Name) -> Option<&Served> {
        self.zones.get(&self.hash_of(apex))?.iter().find(|served| served.apex() == apex)
    }

    /// All zones, in canonical order of their apexes.
    #[must_use]
    pub fn iter(&self) -> Vec<&Served> {
        let mut all: Vec<&Served> = self.zones.values().flatten().collect();
        all.sort_by(|a, b| a.apex().cmp(b.apex()));
        all
    }

    /// The zones with data.
    pub fn zones(&self) -> impl Iterator<Item = &Arc<Zone>> {
        self.iter().into_iter().filter_map(|served| match served {
            Served::Zone(zone) => Some(zone),
            Served::Failed(_) => None,
        })
    }

    /// The apexes of the zones without.
    pub fn failed(&self) -> impl Iterator<Item = &Name> {
        self.iter().into_iter().filter_map(|served| match served {
            Served::Zone(_) => None,
            Served::Failed(apex) => Some(apex),
        })
    }

    /// Number of zones.
    #[must_use]
    pub fn len(&self) -> usize {
        self.zones.values().map(Vec::len).sum()
    }

    /// True if there is no zone.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.zones.is_empty()
    }

    fn insert(&mut self, served: Served) {
        let chain = self.zones.entry(self.hash_of(served.apex())).or_default();
        chain.retain(|other| other.apex() != served.apex());
        chain.push(served);
    }

    fn find_depths(&mut self) {
        let mut present = [false; LABELS_MAX + 1];
        for served in self.zones.values().flatten() {
            if let Some(depth) = present.get_mut(served.apex().label_count()) {
                *depth = true;
            }
        }
        self.depths = (0..=127_u8).rev().filter(|&depth| present.get(usize::from(depth)) == Some(&true)).collect();
    }

    fn hash_of(&self, apex: &Name) -> NameHash {
        let mut name = FoldedName::new();
        name.fill(self.key, apex.as_wire());
        name.hash(name.labels())
    }
}

/// A name's hash is keyed and well mixed: the table takes it as it is.
#[derive(Clone, Copy, Debug, Default)]
pub struct PassThrough;

impl std::hash::BuildHasher for PassThrough {
    type Hasher = PassThroughHasher;

    fn build_hasher(&self) -> PassThroughHasher {
        PassThroughHasher(0)
    }
}

/// See [`PassThrough`].
#[derive(Debug)]
pub struct PassThroughHasher(u64);

impl std::hash::Hasher for PassThroughHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(byte);
        }
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}
