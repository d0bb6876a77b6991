//! The one cell that holds the current snapshot.

use std::sync::Arc;

use arc_swap::{ArcSwap, Cache};

use super::Snapshot;

/// The one cell that holds the current snapshot; clones are the same cell.
#[derive(Clone, Debug)]
pub struct Published(Arc<ArcSwap<Snapshot>>);

impl Published {
    /// A cell with a first snapshot.
    #[must_use]
    pub fn new(first: Snapshot) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(first)))
    }

    /// Stores the next snapshot and hands back the one before, which lanes may still hold. Only the publisher calls this.
    pub fn publish(&self, next: Arc<Snapshot>) -> Arc<Snapshot> {
        self.0.swap(next)
    }

    /// The current snapshot, for the cold paths.
    #[must_use]
    pub fn load(&self) -> Arc<Snapshot> {
        self.0.load_full()
    }

    /// A view for one thread.
    #[must_use]
    pub fn view(&self) -> View {
        View(Cache::new(Arc::clone(&self.0)))
    }
}

/// One thread's view of the cell: a load costs a nanosecond while nothing changed. It keeps the snapshot it loaded last
/// alive, so a thread that idles must load from time to time.
#[derive(Clone, Debug)]
pub struct View(Cache<Arc<ArcSwap<Snapshot>>, Arc<Snapshot>>);

impl View {
    /// The current snapshot; call once per batch.
    #[inline]
    pub fn load(&mut self) -> &Arc<Snapshot> {
        self.0.load()
    }
}
