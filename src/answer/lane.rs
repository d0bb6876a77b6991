//! What one thread keeps between queries. Unshared: no lock, no contention, and tests decide its every draw.

use std::sync::Arc;

use crate::answer::absolute::Absolute;
use crate::answer::counts::Counts;
use crate::base::hash::mix;
use crate::snapshot::rings::Ring;
use crate::snapshot::{Cells, Snapshot};
use crate::wire::writer::Targets;
use crate::wire::{FoldedName, Query};
use crate::zone::Served;

/// Queries read together: enough to hide the memory's latency, few enough to stay in the near caches.
pub const BATCH: usize = 32;

/// One thread's own state.
#[derive(Debug)]
pub struct Lane {
    slots: Vec<Slot>,
    scratch: Scratch,
    targets: Targets,
}

/// One query of a batch.
#[derive(Clone, Debug)]
pub struct Slot {
    /// What was read.
    pub query: Query,
    /// The number of its zone among those of a generation of the snapshot.
    pub zone: Option<u32>,
    /// That generation.
    pub generation: u64,
}

/// Names that come up while a query is answered.
#[derive(Debug)]
pub struct Scratch {
    /// The name an alias led to.
    pub alias: FoldedName,
    /// A name looked up on the side: an additional name, a denial's owner.
    pub side: FoldedName,
    /// A name made by a DNAME.
    pub renamed: Absolute,
    /// Where each ring of steered answers goes on.
    pub turns: Turns,
}

impl Lane {
    /// A lane; `seed` makes its draws differ from those of others.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let scratch = Scratch {
            alias: FoldedName::new(),
            side: FoldedName::new(),
            renamed: Absolute::ROOT,
            turns: Turns { cursors: Vec::new(), draws: seed, counts: Arc::new(Counts::none()) },
        };
        let slot = Slot { query: Query::new(), zone: None, generation: 0 };
        Self { slots: vec![slot; BATCH], scratch, targets: Targets::new() }
    }

    /// Makes room for the cursors of a snapshot; does something only when a larger model has come.
    #[inline]
    pub fn fit(&mut self, cursors: usize) {
        let turns = &mut self.scratch.turns;
        if turns.cursors.len() < cursors {
            // Lanes start at different places, so that they do not all answer alike.
            let seed = turns.draws;
            let from = turns.cursors.len() as u64;
            turns.cursors.extend((from..cursors as u64).map(|index| (mix(seed ^ index) >> 32) as u32));
        }
    }

    /// What was counted by the layout in use.
    #[inline]
    #[must_use]
    pub const fn counts(&self) -> &Arc<Counts> {
        &self.scratch.turns.counts
    }

    /// Counts by another layout from here on, from zero: that of the snapshot whose answers are to be counted.
    pub fn count_by(&mut self, cells: &Arc<Cells>) {
        self.scratch.turns.counts = Arc::new(Counts::new(cells));
    }

    /// A slot; `None` from [`BATCH`] on.
    #[inline]
    pub fn slot_mut(&mut self, slot: usize) -> Option<&mut Slot> {
        self.slots.get_mut(slot)
    }

    /// A slot, and room to answer it.
    #[inline]
    pub fn split(&mut self, slot: usize) -> Option<(&Slot, &mut Scratch, &mut Targets)> {
        Some((self.slots.get(slot)?, &mut self.scratch, &mut self.targets))
    }
}

impl Slot {
    /// The zone of its name in a snapshot; looked up again if it was read under another generation.
    #[inline]
    #[must_use]
    pub fn served<'s>(&self, snapshot: &'s Snapshot) -> Option<&'s Served> {
        if self.generation == snapshot.generation {
            snapshot.zones.at(self.zone?)
        } else {
            snapshot.zones.find(&self.query.name, self.query.name.labels())
        }
    }
}

/// What varies from query to query without anything shared: cursors and draws.
#[derive(Debug)]
pub struct Turns {
    cursors: Vec<u32>,
    draws: u64,
    /// What was answered.
    pub(super) counts: Arc<Counts>,
}

impl Turns {
    /// Where the next window of a ring starts for a client.
    #[inline]
    pub fn start(&mut self, ring: &Ring, client: u64) -> usize {
        self.draws = self.draws.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let draw = mix(self.draws);
        match self.cursors.get_mut(ring.cursor as usize) {
            Some(cursor) => ring.start(cursor, client, draw),
            None => ring.start(&mut 0, client, draw),
        }
    }
}
