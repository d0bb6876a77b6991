//! Who measures.

/// Who measured a way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// Health probes: from the node's own network to endpoints.
    Probe,
    /// A node, which asked a resolver that had asked it.
    Vantage,
    /// Whoever pushes.
    Push,
    /// An agent, from the kernel of a host at the edge of a region.
    Agent,
    /// A page, by the beacon.
    Beacon,
    /// A file.
    Import,
}

impl Source {
    /// All, in their order.
    pub const ALL: [Self; 6] = [Self::Probe, Self::Vantage, Self::Push, Self::Agent, Self::Beacon, Self::Import];

    /// The word for it, everywhere.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Probe => "probe",
            Self::Vantage => "vantage",
            Self::Push => "push",
            Self::Agent => "agent",
            Self::Beacon => "beacon",
            Self::Import => "import",
        }
    }

    /// The source of that word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.as_str() == word)
    }
}

/// A set of sources.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sources(u8);

impl Sources {
    /// Nobody.
    pub const NONE: Self = Self(0);

    /// The set of one.
    #[must_use]
    pub const fn of(source: Source) -> Self {
        Self(1 << source as u8)
    }

    /// Both.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// All of the set, in their order.
    pub fn iter(self) -> impl Iterator<Item = Source> {
        Source::ALL.into_iter().filter(move |source| self.0 >> (*source as u8) & 1 == 1)
    }
}
