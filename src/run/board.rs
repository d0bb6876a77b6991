//! What threads tell about themselves to whoever asks: the admin listener and the metrics.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tokio::sync::watch;

use crate::admin::Readiness;
use crate::metrics::{Gauges, ReloadResult, ZoneGauges, ZoneState};

/// The state of the server, written by its threads.
pub(super) struct Board {
    started: Instant,
    serving: AtomicBool,
    /// The generation published last, for those who look and those who wait for the next one.
    generations: watch::Sender<u64>,
    published_at: Mutex<Instant>,
    retired: AtomicUsize,
    zones: Mutex<Arc<Vec<ZoneGauges>>>,
    model_stale: AtomicBool,
    /// Loads by [`ReloadResult`].
    reloads: [AtomicU64; ReloadResult::ALL.len()],
}

impl Default for Board {
    fn default() -> Self {
        Self::new()
    }
}

impl Board {
    /// The board of a server that starts.
    #[must_use]
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self {
            started: now,
            serving: AtomicBool::new(false),
            generations: watch::Sender::new(0),
            published_at: Mutex::new(now),
            retired: AtomicUsize::new(0),
            zones: Mutex::default(),
            model_stale: AtomicBool::new(false),
            reloads: std::array::from_fn(|_| AtomicU64::new(0)),
        }
    }

    /// Says whether queries are answered.
    pub(super) fn set_serving(&self, serving: bool) {
        self.serving.store(serving, Ordering::Release);
    }

    /// Says that a generation was published.
    pub(super) fn published(&self, generation: u64) {
        *self.published_at.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        self.generations.send_replace(generation);
    }

    /// Told of every generation that is published from here on, the newest alone.
    #[must_use]
    pub(super) fn generations(&self) -> watch::Receiver<u64> {
        self.generations.subscribe()
    }

    /// Counts a load.
    pub(super) fn reloaded(&self, result: ReloadResult) {
        self.reloads[result.index()].fetch_add(1, Ordering::Relaxed);
    }

    /// Loads by [`ReloadResult`].
    #[must_use]
    pub(super) fn reloads(&self) -> [u64; ReloadResult::ALL.len()] {
        std::array::from_fn(|at| self.reloads[at].load(Ordering::Relaxed))
    }

    /// The published generation; 0 before the first.
    #[must_use]
    pub(super) fn generation(&self) -> u64 {
        *self.generations.borrow()
    }

    /// Says how many earlier generations are held.
    pub(super) fn set_retired(&self, count: usize) {
        self.retired.store(count, Ordering::Relaxed);
    }

    /// Says how the zones and the model stand.
    pub(super) fn set_loaded(&self, zones: Vec<ZoneGauges>, model_stale: bool) {
        self.model_stale.store(model_stale, Ordering::Relaxed);
        *self.zones.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(zones);
    }

    /// What the admin listener says about readiness.
    #[must_use]
    pub(super) fn readiness(&self) -> Readiness {
        let zones = Arc::clone(&self.zones.lock().unwrap_or_else(PoisonError::into_inner));
        let count = |state| zones.iter().filter(|zone| zone.state == state).count();
        Readiness {
            ready: self.serving.load(Ordering::Acquire) && self.generation() > 0,
            zones_failed: count(ZoneState::Failed),
            zones_stale: count(ZoneState::Stale),
            model_stale: self.model_stale.load(Ordering::Relaxed),
        }
    }

    /// The gauges of this moment; those of connections are left to whoever has them.
    #[must_use]
    pub(super) fn gauges(&self) -> Gauges {
        let zones = Arc::clone(&self.zones.lock().unwrap_or_else(PoisonError::into_inner));
        let published_at = *self.published_at.lock().unwrap_or_else(PoisonError::into_inner);
        Gauges {
            zones,
            model_stale: self.model_stale.load(Ordering::Relaxed),
            generation: self.generation(),
            age_s: published_at.elapsed().as_secs_f64(),
            retired: self.retired.load(Ordering::Relaxed),
            uptime_s: self.started.elapsed().as_secs_f64(),
            ready: self.readiness().ready,
            ..Gauges::default()
        }
    }
}
