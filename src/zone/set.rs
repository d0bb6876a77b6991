//! All zones served, found by the longest match (RFC 1034 §4.3.2 step 2).

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::base::hash::{HashKey, NameHash};
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
    entries: Vec<Entry>,
    /// Open addressing over `entries`: index plus one, 0 is empty.
    slots: Vec<u32>,
    /// Label counts that some apex has, longest first, so that others are never tried.
    depths: Vec<u8>,
}

#[derive(Clone, Debug)]
struct Entry {
    hash: NameHash,
    /// The apex in lower case: names asked for are folded too, so octets compare as they are.
    lower: Box<[u8]>,
    served: Served,
}

impl ZoneSet {
    /// A set without a zone.
    #[must_use]
    pub fn new(key: HashKey) -> Self {
        Self::of(key, [])
    }

    /// A set of these zones; of two with one apex the later stays.
    #[must_use]
    pub fn of(key: HashKey, zones: impl IntoIterator<Item = Served>) -> Self {
        let mut by_apex: BTreeMap<Name, Served> = BTreeMap::new();
        for served in zones {
            by_apex.insert(served.apex().clone(), served);
        }
        let mut name = FoldedName::new();
        let entries: Vec<Entry> = by_apex
            .into_values()
            .map(|served| {
                name.fill(key, served.apex().as_wire());
                Entry { hash: name.hash(name.labels()), lower: name.wire().into(), served }
            })
            .collect();
        let (slots, depths) = (slots_of(&entries), depths_of(&entries));
        Self { key, entries, slots, depths }
    }

    /// The key its names are hashed with.
    #[inline]
    #[must_use]
    pub const fn key(&self) -> HashKey {
        self.key
    }

    /// The zone with the longest apex at or above the name's last `labels` labels.
    #[inline]
    #[must_use]
    pub fn find(&self, name: &FoldedName, labels: usize) -> Option<&Served> {
        self.at(self.find_index(name, labels)?)
    }

    /// The number of that zone in this set.
    #[inline]
    #[must_use]
    pub fn find_index(&self, name: &FoldedName, labels: usize) -> Option<u32> {
        for depth in self.depths.iter().map(|&depth| usize::from(depth)) {
            if depth <= labels
                && let Some(index) = self.probe(name.hash(depth), name.suffix(depth))
            {
                return Some(index);
            }
        }
        None
    }

    /// The zone with a number that [`ZoneSet::find_index`] gave.
    #[inline]
    #[must_use]
    pub fn at(&self, index: u32) -> Option<&Served> {
        self.entries.get(index as usize).map(|entry| &entry.served)
    }

    /// The zone with exactly this apex.
    #[must_use]
    pub fn get(&self, apex: &Name) -> Option<&Served> {
        let mut name = FoldedName::new();
        name.fill(self.key, apex.as_wire());
        self.at(self.probe(name.hash(name.labels()), name.wire())?)
    }

    /// All zones, in canonical order of their apexes.
    pub fn iter(&self) -> impl Iterator<Item = &Served> {
        self.entries.iter().map(|entry| &entry.served)
    }

    /// The zones with data.
    pub fn zones(&self) -> impl Iterator<Item = &Arc<Zone>> {
        self.iter().filter_map(|served| match served {
            Served::Zone(zone) => Some(zone),
            Served::Failed(_) => None,
        })
    }

    /// The apexes of the zones without.
    pub fn failed(&self) -> impl Iterator<Item = &Name> {
        self.iter().filter_map(|served| match served {
            Served::Zone(_) => None,
            Served::Failed(apex) => Some(apex),
        })
    }

    /// Number of zones.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.entries.len()
    }

    /// True if there is no zone.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    #[inline]
    fn probe(&self, hash: NameHash, lower: &[u8]) -> Option<u32> {
        let mask = self.slots.len().wrapping_sub(1);
        for step in 0..self.slots.len() {
            let index = self.slots.get((hash.prefix() as usize + step) & mask)?.checked_sub(1)?;
            let entry = self.entries.get(index as usize)?;
            if entry.hash == hash && *entry.lower == *lower {
                return Some(index);
            }
        }
        None
    }
}

/// At most half full, so that a search is short and always ends.
fn slots_of(entries: &[Entry]) -> Vec<u32> {
    let mut slots = vec![0; (entries.len() * 2 + 1).next_power_of_two()];
    let mask = slots.len() - 1;
    for (number, entry) in (1..).zip(entries) {
        let mut slot = entry.hash.prefix() as usize;
        while slots.get(slot & mask).is_some_and(|&taken| taken != 0) {
            slot += 1;
        }
        if let Some(free) = slots.get_mut(slot & mask) {
            *free = number;
        }
    }
    slots
}

fn depths_of(entries: &[Entry]) -> Vec<u8> {
    let mut depths: Vec<u8> =
        entries.iter().filter_map(|entry| u8::try_from(entry.served.apex().label_count()).ok()).collect();
    depths.sort_unstable_by(|a, b| b.cmp(a));
    depths.dedup();
    depths
}
