//! Batches that were taken already.

use std::collections::{BTreeSet, VecDeque};

use crate::base::limits::{LATENCY_BATCHES_MAX, LATENCY_BATCHES_MS};
use crate::base::moment::Moment;

/// The names of batches that were taken lately, so that one that is sent again counts once.
#[derive(Clone, Debug, Default)]
pub(super) struct Batches {
    names: BTreeSet<Box<str>>,
    order: VecDeque<(Moment, Box<str>)>,
}

impl Batches {
    /// True if a batch of this name was not taken lately; from now on it was.
    pub(super) fn is_new(&mut self, now: Moment, name: &str) -> bool {
        while let Some((at, oldest)) = self.order.front()
            && (now.0.saturating_sub(at.0) > LATENCY_BATCHES_MS || self.order.len() >= LATENCY_BATCHES_MAX)
        {
            self.names.remove(oldest);
            self.order.pop_front();
        }
        if self.names.contains(name) {
            return false;
        }
        self.names.insert(name.into());
        self.order.push_back((now, name.into()));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_counts_once() {
        let mut batches = Batches::default();
        let now = Moment(LATENCY_BATCHES_MS * 2);
        assert!(batches.is_new(now, "a") && batches.is_new(now, "b"));
        assert!(!batches.is_new(Moment(now.0 + LATENCY_BATCHES_MS), "a"));
        assert!(batches.is_new(Moment(now.0 + LATENCY_BATCHES_MS + 1), "a"));
        for n in 0..LATENCY_BATCHES_MAX * 2 {
            assert!(batches.is_new(now, &format!("n{n}")));
        }
        assert_eq!((batches.names.len(), batches.order.len()), (LATENCY_BATCHES_MAX, LATENCY_BATCHES_MAX));
    }
}
