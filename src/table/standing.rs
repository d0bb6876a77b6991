//! The words of the table: what regions are usable for, and why they are or are not.

/// A service in one region, at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartState {
    /// Why the region is usable or not.
    pub why: Why,
    /// It is usable only because the guard disbelieves a failure.
    pub is_guarded: bool,
    /// Seconds before which no health check can change it, as far as 16 bits reach; [`PartState::STEADY`]: never.
    pub steady_s: u16,
}

impl PartState {
    /// No health check can change it.
    pub const STEADY: u16 = u16::MAX;
}

/// How far down a service had to go to find regions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// Regions are eligible.
    Eligible,
    /// Only drained regions are left.
    Drained,
    /// No region reaches `min_up`; some have an endpoint up.
    SomeUp,
    /// Nothing is up: `when_all_down` decides.
    AllDown,
    /// Nothing may ever be answered: disabled or forced down.
    Gone,
}

/// Why a region is usable for a service, or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// It reaches `min_up`.
    Eligible,
    /// The region, the service or all its endpoints there are disabled.
    Disabled,
    /// All its endpoints are forced down.
    ForcedDown,
    /// It would be eligible, but for a drain.
    Drained,
    /// Some endpoints are up, fewer than `min_up`.
    BelowMinUp,
    /// No endpoint is up.
    Down,
}

impl Standing {
    /// All of them, the best first.
    pub const ALL: [Self; 5] = [Self::Eligible, Self::Drained, Self::SomeUp, Self::AllDown, Self::Gone];

    /// The word used in the API and in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Eligible => "eligible",
            Self::Drained => "drained",
            Self::SomeUp => "some-up",
            Self::AllDown => "all-down",
            Self::Gone => "gone",
        }
    }
}

impl Why {
    /// The word used in `explain` and the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Eligible => "eligible",
            Self::Disabled => "disabled",
            Self::ForcedDown => "forced-down",
            Self::Drained => "drained",
            Self::BelowMinUp => "below-min-up",
            Self::Down => "down",
        }
    }
}
