//! Moments: when something happened or will, as control reckons.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Milliseconds since the Unix epoch. Whoever passes moments in sees to it that they never go back within a process;
/// arithmetic stops at the ends instead of wrapping.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Moment(pub u64);

impl Moment {
    /// The moment `duration` later.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(millis(duration)))
    }

    /// The moment `duration` earlier.
    #[must_use]
    pub fn before(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(millis(duration)))
    }

    /// How long ago `earlier` was; zero if it is still to come.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// Whole seconds until `later`, rounded up; zero if it is past.
    #[must_use]
    pub fn seconds_until(self, later: Self) -> u32 {
        u32::try_from(later.0.saturating_sub(self.0).div_ceil(1_000)).unwrap_or(u32::MAX)
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_stops_at_the_ends() {
        let second = Duration::from_secs(1);
        assert_eq!(Moment(500).after(second), Moment(1_500));
        assert_eq!(Moment(u64::MAX).after(second), Moment(u64::MAX));
        assert_eq!(Moment(500).before(second), Moment(0));
        assert_eq!(Moment(500).since(Moment(1_500)), Duration::ZERO);
        assert_eq!(Moment(1_500).since(Moment(500)), second);
        for (later, seconds) in [(500, 0), (1_000, 0), (1_001, 1), (2_000, 1), (2_001, 2)] {
            assert_eq!(Moment(1_000).seconds_until(Moment(later)), seconds);
        }
    }
}
