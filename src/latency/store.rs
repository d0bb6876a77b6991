//! All that was measured: by network and region a cell, of the networks that are measured most.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::base::moment::Moment;
use crate::geo::{Coordinates, Place, Places};

use super::cell::Cell;
use super::measurement::ClientNetwork;

/// What was measured, bounded.
#[derive(Clone, Debug, Default)]
pub(super) struct Store {
    networks: BTreeMap<ClientNetwork, Entry>,
    cells: usize,
    /// Networks that gave way to others since the start.
    evicted: u64,
}

/// What was measured of one network.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) home: Home,
    /// Sorted by region.
    pub(super) cells: Vec<(u8, Cell)>,
}

/// Where a network is, as far as it matters here.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Home {
    pub(super) country: Option<[u8; 2]>,
    pub(super) city: Option<Arc<str>>,
    pub(super) asn: Option<u32>,
    pub(super) coordinates: Option<Coordinates>,
}

impl Home {
    pub(super) fn of(client: ClientNetwork, places: &Places) -> Self {
        let Place { country, city, asn, coordinates, .. } = places.place(client.network().0);
        Self { country, city, asn, coordinates }
    }
}

impl Store {
    /// The cell of a way; a new one for a way that was not measured yet.
    pub(super) fn cell(&mut self, client: ClientNetwork, region: u8, now: Moment, places: &Places) -> &mut Cell {
        let fresh = || Entry { home: Home::of(client, places), cells: Vec::with_capacity(1) };
        let entry = self.networks.entry(client).or_insert_with(fresh);
        let at = entry.cells.partition_point(|(own, _)| *own < region);
        if entry.cells.get(at).is_none_or(|(own, _)| *own != region) {
            entry.cells.insert(at, (region, Cell::new(now)));
            self.cells += 1;
        }
        &mut entry.cells[at].1
    }

    pub(super) fn entry(&self, client: ClientNetwork) -> Option<&Entry> {
        self.networks.get(&client)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (ClientNetwork, &Entry)> {
        self.networks.iter().map(|(client, entry)| (*client, entry))
    }

    /// Networks that are known.
    pub(super) fn len(&self) -> usize {
        self.networks.len()
    }

    pub(super) const fn cells(&self) -> usize {
        self.cells
    }

    pub(super) const fn evicted(&self) -> u64 {
        self.evicted
    }

    /// Bytes it takes, about: what is allocated, and an eleventh of each node of the tree.
    pub(super) fn size(&self) -> usize {
        let each = size_of::<(ClientNetwork, Entry)>() * 3 / 2;
        self.networks.len() * each + self.cells * size_of::<(u8, Cell)>() * 5 / 4
    }

    /// Locates all networks anew.
    pub(super) fn locate(&mut self, places: &Places) {
        self.networks.iter_mut().for_each(|(client, entry)| entry.home = Home::of(*client, places));
    }

    /// Regions have other numbers: `new_of` tells them, `None` for one that is gone.
    pub(super) fn renumber(&mut self, new_of: &[Option<u8>]) {
        self.retain(|region, _| new_of.get(usize::from(*region)).copied().flatten().map(|new| *region = new).is_some());
        self.networks.values_mut().for_each(|entry| entry.cells.sort_by_key(|(region, _)| *region));
    }

    /// Forgets what was not measured since `oldest`.
    pub(super) fn forget(&mut self, oldest: Moment) {
        self.retain(|_, cell| cell.last() >= oldest);
    }

    fn retain(&mut self, mut keeps: impl FnMut(&mut u8, &Cell) -> bool) {
        self.networks.retain(|_, entry| {
            entry.cells.retain_mut(|(region, cell)| keeps(region, cell));
            !entry.cells.is_empty()
        });
        self.cells = self.networks.values().map(|entry| entry.cells.len()).sum();
    }

    /// True if there are more than `most` networks by a sixteenth: sorting out a few at a time would cost too much.
    pub(super) fn is_full(&self, most: usize) -> bool {
        self.networks.len() > most + most / 16
    }

    /// Keeps the `most` networks that were measured most lately; ways of others are forgotten.
    pub(super) fn evict(&mut self, most: usize, now: Moment, half_life_ms: u64) {
        let worth = |entry: &Entry| entry.cells.iter().map(|(_, cell)| cell.samples(now, half_life_ms)).sum::<f64>();
        let mut worths: Vec<(f64, ClientNetwork)> = self.iter().map(|(client, entry)| (worth(entry), client)).collect();
        worths.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        for (_, client) in worths.into_iter().skip(most) {
            if let Some(entry) = self.networks.remove(&client) {
                self.cells -= entry.cells.len();
                self.evicted += 1;
            }
        }
    }
}
