//! The workloads: which question comes next.

use clap::ValueEnum;

use crate::question::{Owner, Question};

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// Names that exist, evenly drawn from the first `--names` of the zone.
    Names,
    /// The same with a client subnet, another one for each query.
    Subnets,
    /// Random names that do not exist.
    Absent,
}

/// In which order the names are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Order {
    /// Drawn evenly; a seed gives the same run again.
    Random,
    /// One after the other, from the first.
    Sequential,
}

/// An endless source of questions.
#[derive(Clone, Debug)]
pub struct Workload {
    kind: Kind,
    order: Order,
    names: u32,
    churned: u32,
    marker_every: u32,
    asked: u64,
    random: Random,
}

impl Workload {
    /// Questions over `names` hosts (at least one).
    pub fn new(kind: Kind, order: Order, names: u32, seed: u64) -> Self {
        Self { kind, order, names: names.max(1), churned: 0, marker_every: 0, asked: 0, random: Random::new(seed) }
    }

    /// Makes every `every`-th question one for a name that says the zone's generation: the marker or one of `churned`.
    #[must_use]
    pub fn with_markers(mut self, every: u32, churned: u32) -> Self {
        self.marker_every = every;
        self.churned = churned;
        self
    }

    /// The next question.
    pub fn next(&mut self) -> Question {
        let turn = self.asked;
        self.asked += 1;
        if self.marker_every > 0 && turn.is_multiple_of(u64::from(self.marker_every)) {
            return Question { owner: self.marker(), subnet: None };
        }
        let owner = match (self.kind, self.order) {
            (Kind::Absent, _) => Owner::Absent(self.random.next()),
            (Kind::Names | Kind::Subnets, Order::Random) => Owner::Host(self.random.below(self.names)),
            (Kind::Names | Kind::Subnets, Order::Sequential) => {
                Owner::Host(u32::try_from(turn % u64::from(self.names)).unwrap_or(0))
            }
        };
        // 1.0.0.0/24 to 223.255.255.0/24: unicast networks only.
        let subnet = (self.kind == Kind::Subnets).then(|| (0x01_0000 + self.random.below(0xdf_0000)) << 8);
        Question { owner, subnet }
    }

    fn marker(&mut self) -> Owner {
        match self.random.below(self.churned + 1) {
            0 => Owner::Marker,
            number => Owner::Churned(number - 1),
        }
    }
}

/// xorshift64*: even enough to draw names, and a few cycles each.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// From a seed; equal seeds, equal numbers.
    pub fn new(seed: u64) -> Self {
        // Zero is the one state that never changes; the product spreads small seeds over all bits.
        Self((seed.wrapping_add(1)).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// The next 64 bits.
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `bound` (not zero), even to one part in 2^32.
    pub fn below(&mut self, bound: u32) -> u32 {
        let wide = (self.next() >> 32) * u64::from(bound);
        u32::try_from(wide >> 32).unwrap_or(0)
    }
}
