//! The workloads: which question comes next.

use std::net::Ipv4Addr;

use clap::ValueEnum;

use crate::question::{Owner, Question};

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// Names that exist, evenly drawn from the first `--names` of the zone.
    Names,
    /// The same with a client subnet, another one for each query: from `--networks`, else from all of unicast.
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

/// A network that client subnets are drawn from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// Its address, host bits zero.
    pub address: u32,
    /// Its prefix length, 1 to 24.
    pub length: u8,
    /// The site that its clients must be sent to; `None`: any.
    pub site: Option<u8>,
}

impl Network {
    /// Reads a list: each line a network and, if it is known, its site (`192.0.2.0/24 3`).
    ///
    /// # Errors
    /// The first line that is no network of at most 24 bits.
    pub fn read_all(text: &str) -> Result<Vec<Self>, String> {
        let networks: Vec<Self> = text
            .lines()
            .filter(|line| !line.trim().is_empty())
            .map(|line| Self::read(line).ok_or_else(|| format!("no network of at most 24 bits: {line}")))
            .collect::<Result<_, _>>()?;
        if networks.is_empty() { Err("no networks".into()) } else { Ok(networks) }
    }

    fn read(line: &str) -> Option<Self> {
        let mut words = line.split_whitespace();
        let (address, length) = words.next()?.split_once('/')?;
        let (address, length) = (address.parse::<Ipv4Addr>().ok()?.to_bits(), length.parse().ok()?);
        let site = words.next().map(str::parse).transpose().ok()?;
        let is_whole = (1..=24).contains(&length) && address.trailing_zeros() >= 32 - u32::from(length);
        (is_whole && words.next().is_none()).then_some(Self { address, length, site })
    }

    /// One of its /24s.
    fn subnet(self, random: &mut Random) -> u32 {
        self.address | random.below(1 << (24 - self.length)) << 8
    }
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
    networks: Vec<Network>,
    random: Random,
}

impl Workload {
    /// Questions over `names` hosts (at least one).
    pub fn new(kind: Kind, order: Order, names: u32, seed: u64) -> Self {
        let random = Random::new(seed);
        Self { kind, order, names: names.max(1), churned: 0, marker_every: 0, asked: 0, networks: Vec::new(), random }
    }

    /// Draws client subnets from these networks, each as often as any other.
    #[must_use]
    pub fn with_networks(mut self, networks: Vec<Network>) -> Self {
        self.networks = networks;
        self
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
            return Question { owner: self.marker(), subnet: None, site: None };
        }
        let owner = match (self.kind, self.order) {
            (Kind::Absent, _) => Owner::Absent(self.random.next()),
            (Kind::Names | Kind::Subnets, Order::Random) => Owner::Host(self.random.below(self.names)),
            (Kind::Names | Kind::Subnets, Order::Sequential) => {
                Owner::Host(u32::try_from(turn % u64::from(self.names)).unwrap_or(0))
            }
        };
        let (subnet, site) = if self.kind == Kind::Subnets { self.client() } else { (None, None) };
        Question { owner, subnet, site }
    }

    /// A client's /24, and the site it must be sent to.
    fn client(&mut self) -> (Option<u32>, Option<u8>) {
        let count = u32::try_from(self.networks.len()).unwrap_or(u32::MAX);
        match self.networks.get(self.random.below(count) as usize) {
            Some(network) => (Some(network.subnet(&mut self.random)), network.site),
            // 1.0.0.0/24 to 223.255.255.0/24: unicast networks only.
            None => (Some((0x01_0000 + self.random.below(0xdf_0000)) << 8), None),
        }
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
