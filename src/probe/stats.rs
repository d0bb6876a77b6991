//! What the probes did, in plain numbers: whoever shows them reads them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::health::{Observation, Verdict};

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

/// Upper bounds of the buckets of [`CheckStats::latency`], in seconds; one more bucket takes the rest.
pub const LATENCY_BUCKETS_S: [f64; 13] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

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
    /// By the checks' keys, those that are probed.
    checks: Mutex<BTreeMap<Arc<str>, Arc<CheckStats>>>,
}

/// What the probes of one check did since it is there.
#[derive(Debug, Default)]
pub struct CheckStats {
    pass: AtomicU64,
    fail: AtomicU64,
    inconclusive: AtomicU64,
    /// Probes that passed or failed, by [`LATENCY_BUCKETS_S`]; each bucket counts its own only.
    latency: [AtomicU64; LATENCY_BUCKETS_S.len() + 1],
    /// The sum of their durations, in microseconds.
    latency_sum: AtomicU64,
}

impl CheckStats {
    /// Probes that passed, that failed, and that say nothing.
    #[must_use]
    pub fn ended(&self) -> [u64; 3] {
        [&self.pass, &self.fail, &self.inconclusive].map(|count| count.load(Ordering::Relaxed))
    }

    /// How long probes took that passed or failed: what each bucket took alone, and the sum in seconds.
    #[must_use]
    pub fn latency(&self) -> (Vec<u64>, f64) {
        let counts = self.latency.iter().map(|bucket| bucket.load(Ordering::Relaxed)).collect();
        (counts, Duration::from_micros(self.latency_sum.load(Ordering::Relaxed)).as_secs_f64())
    }

    /// Counts an outcome.
    pub(super) fn count(&self, outcome: &Observation) {
        let counter = match outcome.verdict {
            Verdict::Pass => &self.pass,
            Verdict::Fail => &self.fail,
            Verdict::Inconclusive => &self.inconclusive,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        if outcome.verdict == Verdict::Inconclusive {
            return;
        }
        let total = outcome.phases.total;
        let bucket = LATENCY_BUCKETS_S.partition_point(|&bound| bound < total.as_secs_f64());
        if let Some(bucket) = self.latency.get(bucket) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        self.latency_sum.fetch_add(u64::try_from(total.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

impl ProbeStats {
    /// How late probes started: what each bucket took alone, and the sum in seconds.
    #[must_use]
    pub fn lateness(&self) -> (Vec<u64>, f64) {
        let counts = self.lateness.iter().map(|bucket| bucket.load(Ordering::Relaxed)).collect();
        (counts, Duration::from_micros(self.lateness_sum.load(Ordering::Relaxed)).as_secs_f64())
    }

    /// The counters of the checks that are probed, by key.
    #[must_use]
    pub fn checks(&self) -> Vec<(Arc<str>, Arc<CheckStats>)> {
        let checks = self.checks.lock().unwrap_or_else(PoisonError::into_inner);
        checks.iter().map(|(key, stats)| (Arc::clone(key), Arc::clone(stats))).collect()
    }

    /// The counters of a check.
    pub(super) fn of_check(&self, key: &Arc<str>) -> Arc<CheckStats> {
        let mut checks = self.checks.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(checks.entry(Arc::clone(key)).or_default())
    }

    /// Forgets the checks that are no longer probed.
    pub(super) fn keep_checks(&self, probed: &BTreeSet<&str>) {
        let mut checks = self.checks.lock().unwrap_or_else(PoisonError::into_inner);
        checks.retain(|key, _| probed.contains(&**key));
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
    pub(super) fn ended(&self, verdict: Verdict) {
        let counter = match verdict {
            Verdict::Pass => &self.pass,
            Verdict::Fail => &self.fail,
            Verdict::Inconclusive => &self.inconclusive,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::Phases;

    fn outcome(verdict: Verdict, total_ms: u64) -> Observation {
        let phases = Phases { total: Duration::from_millis(total_ms), ..Phases::default() };
        Observation { verdict, reason: "".into(), warning: None, phases, fed: Vec::new() }
    }

    #[test]
    fn probes_are_counted_by_check() {
        let stats = ProbeStats::default();
        let (web, dns): (Arc<str>, Arc<str>) = ("web".into(), "dns".into());
        for (check, result, total_ms) in [
            (&web, Verdict::Pass, 1),
            (&web, Verdict::Pass, 20),
            (&web, Verdict::Fail, 20_000),
            (&web, Verdict::Inconclusive, 5),
            (&dns, Verdict::Fail, 0),
        ] {
            stats.of_check(check).count(&outcome(result, total_ms));
        }
        let counted = |key: &str| {
            let checks = stats.checks();
            let (_, check) = checks.iter().find(|(found, _)| &**found == key)?;
            Some((check.ended(), check.latency()))
        };
        let web_latency = (vec![1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1], 20.021);
        assert_eq!(counted("web"), Some(([2, 1, 1], web_latency)));
        assert_eq!(counted("dns").map(|(ended, _)| ended), Some([0, 1, 0]));
        // One that is not probed is forgotten, and begins at nothing when it comes back.
        stats.keep_checks(&BTreeSet::from(["dns"]));
        assert_eq!(counted("web"), None);
        assert_eq!(stats.of_check(&web).ended(), [0; 3]);
        assert_eq!(counted("dns").map(|(ended, _)| ended), Some([0, 1, 0]));
    }
}
