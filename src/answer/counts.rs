//! What one lane has counted of steered answers. It alone adds; whoever sweeps reads.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::answer::demand::Demand;
use crate::policy::Reason;
use crate::snapshot::Cells;

/// The counters of one lane, one for each of the [`Cells`] of a model.
#[derive(Debug)]
pub struct Counts {
    cells: Arc<Cells>,
    numbers: Box<[AtomicU64]>,
    demand: Demand,
}

impl Counts {
    /// Counters by a layout, at zero.
    #[must_use]
    pub fn new(cells: &Arc<Cells>) -> Self {
        let numbers = (0..cells.count()).map(|_| AtomicU64::new(0)).collect();
        Self { cells: Arc::clone(cells), numbers, demand: Demand::new(cells.limited() != 0) }
    }

    /// Counters that count nothing, of a lane whose answers nobody counts.
    #[must_use]
    pub fn none() -> Self {
        Self { cells: Arc::default(), numbers: Box::default(), demand: Demand::new(false) }
    }

    /// The layout.
    #[inline]
    #[must_use]
    pub const fn cells(&self) -> &Arc<Cells> {
        &self.cells
    }

    /// Counts an answer of a row, whose first cell this is.
    #[inline]
    pub fn answered(&self, cell: u32, reason: Reason) {
        self.add(cell as usize + reason.index());
    }

    /// Counts the scope of an answer, in bits.
    #[inline]
    pub fn scoped(&self, is_v6: bool, scope: u8) {
        self.add(Cells::of_scope(is_v6, scope));
    }

    /// Who asked for what.
    #[inline]
    #[must_use]
    pub const fn demand(&self) -> &Demand {
        &self.demand
    }

    /// Only the owning thread calls this, so a load and a store do what a costlier atomic addition would do.
    #[inline]
    fn add(&self, cell: usize) {
        if let Some(number) = self.numbers.get(cell) {
            number.store(number.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
        }
    }

    /// All counters as they are now, cell by cell.
    pub fn read(&self) -> impl Iterator<Item = u64> {
        self.numbers.iter().map(|number| number.load(Ordering::Relaxed))
    }
}
