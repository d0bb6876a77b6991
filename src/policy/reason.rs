//! Why a region was answered: one enum for answers, explanations, metrics and the dashboard.

/// Why a region was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// It ranks first, alone.
    Preferred,
    /// It is one of several that rank first; the client's hash chose.
    Equal,
    /// What ranks above it is not eligible.
    Failover,
    /// What ranks above it is full.
    Spill,
    /// What ranks above it counts with a part of its share alone: it is being reintroduced, or evacuated.
    Ramp,
    /// It is passive, and a few clients go there on purpose.
    Trickle,
    /// What ranks above it is eligible again, but failback waits.
    FailbackHold,
    /// The guard suspects our own uplink and holds the last state.
    GuardHold,
    /// An operator's word took away what ranks above it.
    Override,
    /// The answer of last resort that the policy names.
    Fallback,
    /// Everything is down, and the policy answers all the same.
    AllDown,
}

impl Reason {
    /// Every reason, in the order of the manual.
    pub const ALL: [Self; 11] = [
        Self::Preferred,
        Self::Equal,
        Self::Failover,
        Self::Spill,
        Self::Ramp,
        Self::Trickle,
        Self::FailbackHold,
        Self::GuardHold,
        Self::Override,
        Self::Fallback,
        Self::AllDown,
    ];

    /// Its place in [`Self::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The word used in `explain`, metrics and the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Preferred => "preferred",
            Self::Equal => "equal",
            Self::Failover => "failover",
            Self::Spill => "spill",
            Self::Ramp => "ramp",
            Self::Trickle => "trickle",
            Self::FailbackHold => "failback-hold",
            Self::GuardHold => "guard-hold",
            Self::Override => "override",
            Self::Fallback => "fallback",
            Self::AllDown => "all-down",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_distinct() {
        let words: std::collections::HashSet<&str> = Reason::ALL.into_iter().map(Reason::as_str).collect();
        assert_eq!(words.len(), Reason::ALL.len());
        assert!(Reason::ALL.into_iter().enumerate().all(|(index, reason)| reason.index() == index));
    }
}
