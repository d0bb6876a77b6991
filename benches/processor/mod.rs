//! Time of the processor, for benchmarks on machines where others are at work too.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Time that this thread had a core; the time of day where the system does not say.
pub(crate) fn worked() -> Duration {
    static BEGUN: OnceLock<Instant> = OnceLock::new();
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = text.split_whitespace().next().and_then(|word| word.parse().ok());
    nanoseconds.map_or_else(|| BEGUN.get_or_init(Instant::now).elapsed(), Duration::from_nanos)
}
