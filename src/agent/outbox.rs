//! What waits for one node: in order, each again and again until it is taken, refused for good, or too old.
//!
//! ```text
//! push → [oldest … newest] ─due→ send ─taken, refused→ gone ; ─failed→ pause, twice as long each time → send
//! ```

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::report::Batch;
use crate::base::limits::{AGENT_PAUSE_MS, AGENT_PAUSE_MS_MAX, AGENT_QUEUE_MAX, AGENT_REPORT_AGE_MS};

/// What came of sending a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    /// It was taken, or had been before.
    Taken,
    /// It is not taken, and would not be if it were sent again.
    Refused(String),
    /// The token is not good for this. An operator has to see to that.
    Unauthorized(String),
    /// Not yet, or the node is not there: why, and how long the node wants not to be asked.
    Failed(String, Option<Duration>),
}

/// The batches of one node.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    waiting: VecDeque<(Instant, Arc<Batch>)>,
    /// No attempt before; `None`: at once.
    not_before: Option<Instant>,
    failures: u32,
}

impl Outbox {
    /// Takes a batch. Returns how many gave way to it.
    pub(super) fn push(&mut self, now: Instant, batch: Arc<Batch>) -> usize {
        let many = self.waiting.len() >= AGENT_QUEUE_MAX;
        if many {
            self.waiting.pop_front();
        }
        self.waiting.push_back((now, batch));
        usize::from(many)
    }

    /// Lets go of batches that no node would take any more. Returns how many.
    pub(super) fn expire(&mut self, now: Instant) -> usize {
        let before = self.waiting.len();
        self.waiting
            .retain(|(made, _)| now.saturating_duration_since(*made) < Duration::from_millis(AGENT_REPORT_AGE_MS));
        before - self.waiting.len()
    }

    /// When the next batch may be sent, if there is one.
    pub(super) fn due(&self, now: Instant) -> Option<Instant> {
        self.next().map(|_| self.not_before.unwrap_or(now))
    }

    /// The batch that is to be sent next.
    pub(super) fn next(&self) -> Option<&Arc<Batch>> {
        self.waiting.front().map(|(_, batch)| batch)
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Notes what came of sending the next batch. `chance` is a random word: many agents that lost a node at one moment
    /// must not come back at one moment.
    pub(super) fn sent(&mut self, now: Instant, sent: &Sent, chance: u64) {
        match sent {
            Sent::Taken | Sent::Refused(_) => {
                self.waiting.pop_front();
                self.failures = 0;
                self.not_before = None;
            }
            Sent::Unauthorized(_) => self.pause(now, Duration::from_millis(AGENT_PAUSE_MS_MAX), chance),
            Sent::Failed(_, wanted) => {
                let doubled = 1_u64.checked_shl(self.failures).unwrap_or(u64::MAX);
                let pause = AGENT_PAUSE_MS.saturating_mul(doubled).min(AGENT_PAUSE_MS_MAX);
                self.failures = self.failures.saturating_add(1);
                self.pause(now, Duration::from_millis(pause), chance);
                // Not before a node wants it, however long that is: what gets too old meanwhile is let go.
                let wanted = wanted.map(|wanted| now + wanted.min(Duration::from_millis(AGENT_REPORT_AGE_MS)));
                self.not_before = self.not_before.max(wanted);
            }
        }
    }

    /// Waits for a half to the whole of `most`.
    fn pause(&mut self, now: Instant, most: Duration, chance: u64) {
        let half = most / 2;
        let more = chance.checked_rem(u64::try_from(half.as_millis()).unwrap_or(0) + 1).unwrap_or(0);
        self.not_before = Some(now + half + Duration::from_millis(more));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::report::Batches;
    use crate::agent::report::Source;
    use crate::base::moment::Moment;

    const SECOND: Duration = Duration::from_secs(1);

    fn outbox(now: Instant, count: usize) -> Outbox {
        let mut batches = Batches::new("a", Moment(7));
        let mut outbox = Outbox::default();
        for _ in 0..count {
            outbox.push(now, Arc::new(batches.next(Source::Agent, &[], &[], Moment(0))));
        }
        outbox
    }

    fn next(outbox: &Outbox) -> &str {
        outbox.next().map_or("-", |batch| &batch.id)
    }

    #[test]
    fn a_batch_is_sent_until_it_is_taken() {
        let now = Instant::now();
        let mut outbox = outbox(now, 2);
        assert_eq!(outbox.due(now), Some(now));
        let failed = Sent::Failed("no".into(), None);
        // Without luck a half of each pause, which doubles up to a minute.
        for pause in [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000] {
            outbox.sent(now, &failed, 0);
            assert_eq!(outbox.due(now), Some(now + Duration::from_millis(pause)));
            assert_eq!(next(&outbox), "a/7-1", "the same one");
        }
        outbox.sent(now, &Sent::Taken, 0);
        assert_eq!((next(&outbox), outbox.due(now)), ("a/7-2", Some(now)), "the others wait for nothing");
        outbox.sent(now, &failed, u64::MAX);
        let due = outbox.due(now).unwrap();
        assert!(due >= now + SECOND / 2 && due <= now + SECOND);
        outbox.sent(now, &Sent::Refused("bad".into()), 0);
        assert_eq!((next(&outbox), outbox.due(now)), ("-", None));
    }

    #[test]
    fn a_node_may_ask_for_a_pause() {
        let now = Instant::now();
        let mut outbox = outbox(now, 1);
        outbox.sent(now, &Sent::Failed("429".into(), Some(17 * SECOND)), 0);
        assert_eq!(outbox.due(now), Some(now + 17 * SECOND));
        outbox.sent(now, &Sent::Failed("429".into(), Some(Duration::MAX)), 0);
        assert_eq!(outbox.due(now), Some(now + Duration::from_millis(AGENT_REPORT_AGE_MS)));
        outbox.sent(now, &Sent::Unauthorized("401".into()), 0);
        assert_eq!(outbox.due(now), Some(now + 30 * SECOND));
    }

    #[test]
    fn old_batches_and_too_many_are_let_go() {
        let start = Instant::now();
        let mut outbox = outbox(start, 1);
        let age = Duration::from_millis(AGENT_REPORT_AGE_MS);
        assert_eq!(outbox.expire(start + age - SECOND), 0);
        let batch = Arc::clone(outbox.next().unwrap());
        outbox.push(start + SECOND, batch);
        assert_eq!((outbox.expire(start + age), outbox.len()), (1, 1));
        for _ in 1..AGENT_QUEUE_MAX {
            let batch = Arc::clone(outbox.next().unwrap());
            assert_eq!(outbox.push(start, batch), 0);
        }
        let batch = Arc::clone(outbox.next().unwrap());
        assert_eq!((outbox.push(start, batch), outbox.len()), (1, AGENT_QUEUE_MAX));
    }
}
