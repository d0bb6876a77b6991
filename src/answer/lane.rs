//! What one thread keeps between queries. Unshared: no lock, no contention, and tests decide its every draw.

use crate::answer::resolve::Absolute;
use crate::wire::{FoldedName, Query};

/// Queries read together: enough to hide the memory's latency, few enough to stay in the near caches.
pub const BATCH: usize = 32;

/// One thread's own state.
#[derive(Debug)]
pub struct Lane {
    queries: Vec<Query>,
    scratch: Scratch,
    seed: u64,
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
}

impl Lane {
    /// A lane; `seed` makes its draws differ from those of others.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            queries: vec![Query::new(); BATCH],
            scratch: Scratch { alias: FoldedName::new(), side: FoldedName::new(), renamed: Absolute::ROOT },
        }
    }

    /// The query in a slot; `None` from [`BATCH`] on.
    #[inline]
    pub fn query_mut(&mut self, slot: usize) -> Option<&mut Query> {
        self.queries.get_mut(slot)
    }

    /// The query in a slot, and room to answer it.
    #[inline]
    pub fn split(&mut self, slot: usize) -> Option<(&Query, &mut Scratch)> {
        Some((self.queries.get(slot)?, &mut self.scratch))
    }
}
