//! What the probes did, in plain numbers: whoever shows them reads them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::outcome::ProbeResult;

/// Upper bounds of the buckets of [`ProbeStats::lateness`], in microseconds; one more bucket takes the rest.
pub const LATENESS_BUCKETS_US: [u64; 14] =
    [100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000];

/// [`LATENESS_BUCKETS_US`] in seconds.
pub const LATENESS_BUCKETS_S: [f64; LATENESS_BUCKETS_US.len()] = {
    let mut bounds = [0.0; LATENESS_BUCKETS_US.len()];
    let mut at = 0;
    while at < bounds.len() {
        bounds[at] = LATENESS_BUCKETS_US[at] as f64 / 1e6;
        at += 1;
    }
    bounds
};

/// Totals since the start; each is exact, and they may be of slightly different moments.
#[derive(Debug, Default)]
pub struct ProbeStats {
    /// Probes that were started.
    pub started: AtomicU64,
    /// Probes that could not start because too many others were at work; each counts as inconclusive too.
    pub starved: AtomicU64,
    /// Outcomes that passed.
    pub pass: AtomicU64,
    /// Outcomes that failed.
    pub fail: AtomicU64,
    /// Outcomes that say nothing about the other end.
    pub inconclusive: AtomicU64,
    /// Probes at work now.
    pub in_flight: AtomicU64,
    /// How late probes started, by [`LATENESS_BUCKETS_US`]; each bucket counts its own only.
    pub lateness: [AtomicU64; LATENESS_BUCKETS_US.len() + 1],
    /// The sum of all latenesses, in microseconds.
    pub lateness_sum: AtomicU64,
    /// The greatest lateness since somebody stored 0 here, in microseconds.
    pub late_max: AtomicU64,
}

impl ProbeStats {
    /// How late probes started: what each bucket took alone, and the sum in seconds.
    #[must_use]
    pub fn lateness(&self) -> (Vec<u64>, f64) {
        let counts = self.lateness.iter().map(|bucket| bucket.load(Ordering::Relaxed)).collect();
        (counts, Duration::from_micros(self.lateness_sum.load(Ordering::Relaxed)).as_secs_f64())
    }

    /// Counts a probe that starts, or gives up starting, so long after its time.
    pub(super) fn late_by(&self, lateness: Duration) {
        let us = u64::try_from(lateness.as_micros()).unwrap_or(u64::MAX);
        let bucket = LATENESS_BUCKETS_US.partition_point(|&bound| bound < us);
        if let Some(bucket) = self.lateness.get(bucket) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        self.lateness_sum.fetch_add(us, Ordering::Relaxed);
        self.late_max.fetch_max(us, Ordering::Relaxed);
    }

    /// Counts a probe as at work until what is returned is dropped.
    pub(super) fn begin(&self) -> InFlight<'_> {
        self.started.fetch_add(1, Ordering::Relaxed);
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        InFlight(self)
    }

    /// Counts an outcome.
    pub(super) fn ended(&self, result: ProbeResult) {
        let counter = match result {
            ProbeResult::Pass => &self.pass,
            ProbeResult::Fail => &self.fail,
            ProbeResult::Inconclusive => &self.inconclusive,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// A probe at work; also one that is aborted ends here.
pub(super) struct InFlight<'a>(&'a ProbeStats);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}
