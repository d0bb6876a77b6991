//! Counting without contention: each thread has numbers of its own that only it writes.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::answer::{Counts, Lane, Outcome};
use crate::metrics::{DropReason, QTYPE_COUNT, RCODE_COUNT, Traffic, qtype_index, rcode_index};
use crate::policy::Reason;
use crate::serve::Asked;
use crate::snapshot::Snapshot;

/// Upper bounds of the buckets of durations of batches, in seconds; one more bucket takes the rest.
pub const BATCH_BUCKETS_S: [f64; 13] =
    [5e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 1e-1];

/// The counters of one thread. Others may read them at any time and see each number as it was a moment ago.
// Aligned, so that two threads never write to one pair of cache lines.
#[repr(align(128))]
#[derive(Debug)]
pub struct Tally {
    queries: [Count; QTYPE_COUNT],
    responses: [Count; RCODE_COUNT],
    dropped: [Count; DropReason::ALL.len()],
    truncated: Count,
    /// By [`Reason`].
    steered: [Count; Reason::ALL.len()],
    panics: Count,
    /// By [`BATCH_BUCKETS_S`]; each bucket counts its own only.
    batches: [Count; BATCH_BUCKETS_S.len() + 1],
    /// The sum of their durations, in nanoseconds.
    batches_ns: Count,
    /// Who asked lately.
    pub asked: Asked,
    /// What the thread's lanes count of steered answers: the last one goes on counting, the others are over.
    counts: Mutex<Vec<Arc<Counts>>>,
}

#[derive(Debug, Default)]
struct Count(AtomicU64);

impl Count {
    /// Only the owning thread calls this, so a load and a store do what a costlier atomic addition would do.
    #[inline]
    fn add(&self, n: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(n), Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            queries: std::array::from_fn(|_| Count::default()),
            responses: std::array::from_fn(|_| Count::default()),
            dropped: std::array::from_fn(|_| Count::default()),
            truncated: Count::default(),
            steered: std::array::from_fn(|_| Count::default()),
            panics: Count::default(),
            batches: std::array::from_fn(|_| Count::default()),
            batches_ns: Count::default(),
            asked: Asked::default(),
            counts: Mutex::default(),
        }
    }
}

impl Tally {
    /// Counts what became of one packet.
    #[inline]
    pub fn count(&self, outcome: Outcome) {
        match outcome {
            Outcome::Answered { rcode, qtype, truncated, steered } => {
                self.queries[qtype_index(qtype)].add(1);
                self.responses[rcode_index(rcode)].add(1);
                if truncated {
                    self.truncated.add(1);
                }
                if let Some(reason) = steered {
                    self.steered[reason.index()].add(1);
                }
            }
            Outcome::Silent(silence) => self.dropped(silence.into(), 1),
        }
    }

    /// Counts `n` packets that got no answer.
    #[inline]
    pub fn dropped(&self, reason: DropReason, n: u64) {
        if n > 0 {
            self.dropped[reason.index()].add(n);
        }
    }

    /// Counts a batch given up because of a defect.
    pub fn panicked(&self) {
        self.panics.add(1);
    }

    /// Counts a batch that took so long to be answered.
    pub fn took(&self, duration: Duration) {
        let seconds = duration.as_secs_f64();
        self.batches[BATCH_BUCKETS_S.partition_point(|&bound| bound < seconds)].add(1);
        self.batches_ns.add(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX));
    }

    /// How long batches took: what each bucket took alone, and the sum in seconds.
    pub fn batches(&self) -> (impl Iterator<Item = u64>, f64) {
        let sum = Duration::from_nanos(self.batches_ns.get()).as_secs_f64();
        (self.batches.iter().map(Count::get), sum)
    }

    /// Batches given up because of a defect.
    #[must_use]
    pub fn panics(&self) -> u64 {
        self.panics.get()
    }

    /// Sees to it that a lane counts by the layout of the snapshot it is about to answer from. Something is to be done
    /// only for a new lane and after another model came into force.
    #[inline]
    pub fn follow(&self, lane: &mut Lane, snapshot: &Snapshot) {
        if !Arc::ptr_eq(lane.counts().cells(), snapshot.steering.cells()) {
            self.change(lane, snapshot);
        }
    }

    #[cold]
    fn change(&self, lane: &mut Lane, snapshot: &Snapshot) {
        lane.count_by(snapshot.steering.cells());
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(lane.counts()));
    }

    /// What the lanes of this thread count of steered answers, one layout after the other. All but the last one are over:
    /// they come this once and then never again.
    pub fn counts(&self) -> Vec<Arc<Counts>> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let all = counts.clone();
        counts.drain(..all.len().saturating_sub(1));
        all
    }

    /// Adds the counters of this thread to `totals`.
    pub fn add_to(&self, totals: &mut Traffic) {
        for (counts, totals) in [
            (&self.queries[..], &mut totals.queries[..]),
            (&self.responses[..], &mut totals.responses[..]),
            (&self.dropped[..], &mut totals.dropped[..]),
            (&self.steered[..], &mut totals.steered[..]),
        ] {
            for (count, total) in counts.iter().zip(totals) {
                *total += count.get();
            }
        }
        totals.truncated += self.truncated.get();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::Silence;
    use crate::dns::RecordType;

    #[test]
    fn threads_are_summed() {
        let tallies = [Tally::default(), Tally::default()];
        for tally in &tallies {
            tally.count(Outcome::Answered {
                rcode: 0,
                qtype: Some(RecordType::MX),
                truncated: true,
                steered: Some(Reason::Spill),
            });
            tally.count(Outcome::Silent(Silence::Response));
            tally.dropped(DropReason::SendFailed, 3);
        }
        let mut totals = Traffic::default();
        tallies.iter().for_each(|tally| tally.add_to(&mut totals));
        assert_eq!(totals.queries[qtype_index(Some(RecordType::MX))], 2);
        assert_eq!(totals.queries.iter().sum::<u64>(), 2);
        assert_eq!(totals.responses[rcode_index(0)], 2);
        assert_eq!(totals.truncated, 2);
        assert_eq!(totals.steered[Reason::Spill.index()], 2);
        assert_eq!(totals.dropped[DropReason::Response.index()], 2);
        assert_eq!(totals.dropped[DropReason::SendFailed.index()], 6);
    }
}
