//! How late the runtime of the probes is: a probe that timed out while we slept proves nothing.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::base::limits;

const TICK: Duration = Duration::from_millis(limits::PROBE_LAG_TICK_MS);
/// Timers count whole milliseconds, so a tick that is this late is on time.
const SLACK: Duration = Duration::from_millis(2);

/// The lag of a runtime, added up. A probe compares the sum at its start and at its end.
#[derive(Debug)]
pub(super) struct Lag {
    origin: Instant,
    sum_us: AtomicU64,
    /// Microseconds from `origin` to the last tick.
    ticked_us: AtomicU64,
}

impl Lag {
    pub(super) fn new() -> Self {
        Self { origin: Instant::now(), sum_us: AtomicU64::new(0), ticked_us: AtomicU64::new(0) }
    }

    /// Ticks for as long as it is polled.
    pub(super) async fn watch(&self) {
        self.ticked_us.store(micros(self.origin.elapsed()), Ordering::Relaxed);
        loop {
            tokio::time::sleep(TICK).await;
            let pending = self.pending();
            self.ticked_us.store(micros(self.origin.elapsed()), Ordering::Relaxed);
            self.sum_us.fetch_add(micros(pending), Ordering::Relaxed);
        }
    }

    /// All lag so far, with that of a tick that is due and has not come.
    pub(super) fn sum(&self) -> Duration {
        Duration::from_micros(self.sum_us.load(Ordering::Relaxed)) + self.pending()
    }

    /// True if so much lag within a probe's life excuses a timeout. Half of a timeout always does, however short it is.
    pub(super) fn excuses(lag: Duration, timeout: Duration) -> bool {
        let least = Duration::from_millis(limits::PROBE_LAG_MIN_MS).max(timeout / limits::PROBE_LAG_SHARE);
        lag > least.min(timeout / 2)
    }

    fn pending(&self) -> Duration {
        let ticked = Duration::from_micros(self.ticked_us.load(Ordering::Relaxed));
        self.origin.elapsed().saturating_sub(ticked + TICK + SLACK)
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
