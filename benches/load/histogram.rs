//! Latencies in buckets of about 1.6 % width, so that a quantile costs no memory per query.

/// Counts of nanoseconds.
#[derive(Clone, Debug)]
pub struct Histogram {
    counts: Box<[u64]>,
    total: u64,
    max_ns: u64,
}

/// Buckets per power of two.
const STEPS: u32 = 64;
/// log2 of [`STEPS`].
const STEP_BITS: u32 = STEPS.trailing_zeros();

impl Histogram {
    /// Nothing counted.
    pub fn new() -> Self {
        let buckets = (u64::BITS - STEP_BITS + 1) * STEPS;
        Self { counts: vec![0; buckets as usize].into(), total: 0, max_ns: 0 }
    }

    /// Counts one latency.
    pub fn count(&mut self, ns: u64) {
        self.counts[bucket(ns)] += 1;
        self.total += 1;
        self.max_ns = self.max_ns.max(ns);
    }

    /// The latency that the share `quantile` (0 to 1) does not exceed, in microseconds, right to 1.6 %.
    pub fn quantile_us(&self, quantile: f64) -> f64 {
        // Rounded up: the median of one is that one.
        let rank = (quantile * self.total as f64).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (index, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return (upper_bound(index).min(self.max_ns)) as f64 / 1e3;
            }
        }
        self.max_us()
    }

    /// The longest, microseconds.
    pub fn max_us(&self) -> f64 {
        self.max_ns as f64 / 1e3
    }
}

/// Below 64 each number has its own bucket; above, each power of two has 64.
fn bucket(ns: u64) -> usize {
    let exponent = (u64::BITS - ns.leading_zeros()).saturating_sub(STEP_BITS + 1);
    // The leading 7 bits, of which the first is set from 64 on.
    let steps = ns >> exponent;
    (u64::from(exponent) * u64::from(STEPS) + steps) as usize
}

/// The largest number in the bucket.
fn upper_bound(index: usize) -> u64 {
    let index = index as u64;
    let steps = u64::from(STEPS);
    let exponent = (index / steps).saturating_sub(1);
    let leading = index - exponent * steps;
    ((leading + 1) << exponent) - 1
}
