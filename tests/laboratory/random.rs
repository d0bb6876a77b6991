//! Chance that is the same in every run.

use meridian::base::hash::mix;

/// A generator (`SplitMix64`).
#[derive(Clone, Debug)]
pub(crate) struct Random(pub u64);

impl Random {
    pub(crate) fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// From 0 to 1.
    pub(crate) fn part(&mut self) -> f64 {
        unit(self.word())
    }

    /// Normal, with a deviation of 1.
    pub(crate) fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.part()).sum::<f64>() - 6.0
    }

    /// The wait for something that happens so often per second.
    pub(crate) fn wait(&mut self, rate: f64) -> f64 {
        -(1.0 - self.part()).ln() / rate.max(1e-9)
    }
}

/// A word as a part of 1.
pub(crate) fn unit(word: u64) -> f64 {
    (word >> 11) as f64 / (1_u64 << 53) as f64
}
