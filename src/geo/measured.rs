//! What was measured of the ways between clients and regions, as deviations from what the distance lets expect; and how
//! regions are ordered by it.
//!
//! A deviation says more than a time: what a carrier's detour costs is the same for a client in Munich and for one in
//! Hamburg, though their times differ. So what is known of a few networks of a group tells about the others, each from
//! where it is.
//!
//! ```text
//! expected(distance) = 5 ms + 18 µs per kilometer, there and back        [0]
//! estimate           = expected(distance) + deviation
//! ```
//!
//! \[0\]: light in glass needs 10 µs per kilometer, there and back. Ways are longer than great circles and have queues: the
//! median of pings is 3.2 times what light in vacuum would need, 21 µs per kilometer with the last mile in it (Singla and
//! others, "The Internet at the Speed of Light", HotNets 2014). Where there are measurements they correct it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use crate::base::limits::LATENCY_RANKS_MAX;

use super::layer::Layer;
use super::place::Place;
use super::prefix::Network;

/// What the nearest way takes, there and back.
const BASE_US: u32 = 5_000;
/// What each kilometer adds, there and back.
pub(super) const US_PER_KM: u32 = 18;
/// What a way is expected to take of which nobody knows how far it is.
const UNKNOWN_US: u32 = 100_000;
/// No estimate is less: a machine beside ours.
const LEAST_US: u32 = 50;
/// Addresses of which no network was measured.
pub(super) const NO_ROW: u32 = u32::MAX;

/// What the way of so many meters is expected to take, there and back, in microseconds; `None`: nobody knows how far.
#[must_use]
pub fn expected_us(distance_m: Option<u32>) -> u32 {
    distance_m.map_or(UNKNOWN_US, |meters| BASE_US + meters / 1_000 * US_PER_KM)
}

/// Clients that were measured together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Group {
    /// All.
    World,
    /// Those of a country: an ISO 3166-1 code.
    Country([u8; 2]),
    /// Those of a city: its country and its English name.
    City([u8; 2], Arc<str>),
    /// Those of an autonomous system in a country.
    System(u32, [u8; 2]),
    /// Those of a network: its first address and its length.
    Network(IpAddr, u8),
}

/// How far the ways of a group deviate from what is expected, to each region.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// By region, in the order of [`Measured::regions`]: microseconds; `None`: nothing at all is known.
    pub deviations: Box<[Option<Deviation>]>,
    /// Regions by their places in `deviations`, as they were ordered last: those that are no longer best stay before others
    /// that are not better by the margin. Empty: by distance.
    pub order: Box<[u8]>,
}

/// By how much a way takes longer than expected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deviation {
    /// Microseconds.
    pub us: i32,
    /// The standard deviation of what we take it for, microseconds.
    pub error_us: u32,
}

/// What a region must be better by to come before another that was before it: both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Margin {
    /// Microseconds.
    pub us: u32,
    /// Of the other's estimate.
    pub percent: u32,
    /// Regions that are expected to be slower by more than this than the nearest one never come before it, whatever is
    /// measured; microseconds.
    pub detour_us: u32,
}

impl Default for Margin {
    fn default() -> Self {
        Self { us: 5_000, percent: 10, detour_us: 150_000 }
    }
}

/// Everything measured that steers.
#[derive(Clone, Debug)]
pub struct Measured {
    regions: Box<[Arc<str>]>,
    margin: Margin,
    rows: Vec<(Group, Row)>,
    pub(super) networks: Layer,
    pub(super) systems: BTreeMap<(u32, [u8; 2]), u32>,
    cities: BTreeMap<([u8; 2], Arc<str>), u32>,
    countries: BTreeMap<[u8; 2], u32>,
    world: Option<u32>,
}

impl Default for Measured {
    fn default() -> Self {
        Self::new(Box::default(), Margin::default(), Vec::new())
    }
}

impl Measured {
    /// What is known of these groups, each once; deviations are in the order of `regions`, which are their keys.
    #[must_use]
    pub fn new(regions: Box<[Arc<str>]>, margin: Margin, rows: Vec<(Group, Row)>) -> Self {
        let (mut systems, mut cities, mut countries) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let (mut networks, mut world) = (Vec::new(), None);
        for (index, (group, _)) in (0_u32..).zip(&rows) {
            match group {
                Group::World => world = Some(index),
                Group::Country(code) => _ = countries.insert(*code, index),
                Group::City(code, city) => _ = cities.insert((*code, Arc::clone(city)), index),
                Group::System(asn, code) => _ = systems.insert((*asn, *code), index),
                Group::Network(address, length) => networks.push((Network::around(*address, *length), index)),
            }
        }
        let networks = Layer::of_networks(networks, NO_ROW);
        Self { regions, margin, rows, networks, systems, cities, countries, world }
    }

    /// The keys of the regions that rows are about, in their order.
    #[must_use]
    pub fn regions(&self) -> &[Arc<str>] {
        &self.regions
    }

    /// All groups with what is known of them.
    #[must_use]
    pub fn rows(&self) -> &[(Group, Row)] {
        &self.rows
    }

    pub(super) fn row(&self, index: u32) -> Option<&(Group, Row)> {
        self.rows.get(index as usize)
    }

    pub(super) const fn margin(&self) -> Margin {
        self.margin
    }

    /// The row of an address at a place.
    pub(super) fn row_of(&self, address: IpAddr, place: &Place) -> Option<u32> {
        let network = Some(self.networks.find(address).0).filter(|&row| row != NO_ROW);
        network.or_else(|| self.of_place(place))
    }

    /// The row of clients of a place who are in no network that was measured: that of the least group they are in; nobody
    /// of whose place nothing is known is in any.
    pub(super) fn of_place(&self, place: &Place) -> Option<u32> {
        let country = place.country;
        let system = || self.systems.get(&(place.asn?, country?));
        let city = || self.cities.get(&(country?, Arc::clone(place.city.as_ref()?)));
        let found = system().or_else(city).or_else(|| self.countries.get(&country?)).copied();
        found.or_else(|| place.coordinates.and(self.world))
    }
}

/// What is taken for the way to a region, for clients of one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Estimate {
    /// There and back, microseconds.
    pub us: u32,
    /// Its standard deviation, microseconds; 0 for what nobody has measured.
    pub error_us: u32,
    /// What the distance lets expect, microseconds.
    pub expected_us: u32,
}

impl Estimate {
    /// What is expected, and what is known of how it deviates.
    #[must_use]
    pub fn new(expected_us: u32, deviation: Option<Deviation>) -> Self {
        let Deviation { us, error_us } = deviation.unwrap_or_default();
        Self { us: expected_us.saturating_add_signed(us).max(LEAST_US), error_us, expected_us }
    }

    /// If the distance lets expect so much more than for the nearest region that nothing measured makes up for it.
    #[must_use]
    pub const fn is_far(self, nearest_us: u32, margin: Margin) -> bool {
        self.expected_us > nearest_us.saturating_add(margin.detour_us)
    }

    /// If a region with this estimate comes before one that was before it.
    fn overtakes(self, before: Self, margin: Margin) -> bool {
        let gain = before.us.saturating_sub(self.us);
        let share = u64::from(before.us) * u64::from(margin.percent) / 100;
        let square = |number: u32| u64::from(number) * u64::from(number);
        gain > margin.us
            && u64::from(gain) > share
            && square(gain) > square(self.error_us).saturating_add(square(before.error_us))
    }
}

/// Orders regions, best first. Each place goes to the first of those left, as they come, unless the best of those left is
/// better by the margin, and by more than both are uncertain: so nobody moves for nothing. `regions` come as they were
/// ordered before, or by distance.
///
/// ```text
/// expected to be slower than the nearest by more than `detour`    after all others, whatever is measured
/// better by ≤ margin, or by ≤ per cent, or within the errors      stays behind
/// better by more than all three                                   comes before
/// ```
///
/// The first places count: beyond the eighth regions come as they did.
#[must_use]
pub fn ordered<T: Copy>(regions: &[(T, Estimate)], margin: Margin) -> Vec<(T, Estimate)> {
    let nearest = regions.iter().map(|(_, estimate)| estimate.expected_us).min().unwrap_or(0);
    let mut ordered = Vec::with_capacity(regions.len());
    for far in [false, true] {
        let mut left: Vec<(T, Estimate)> =
            regions.iter().filter(|(_, estimate)| estimate.is_far(nearest, margin) == far).copied().collect();
        while let Some(&(_, first)) = left.first() {
            if ordered.len() >= LATENCY_RANKS_MAX {
                ordered.append(&mut left);
                break;
            }
            let best = (0..left.len()).min_by_key(|&at| left.get(at).map_or(u32::MAX, |(_, estimate)| estimate.us));
            let overtakes = |at: &usize| left.get(*at).is_some_and(|(_, best)| best.overtakes(first, margin));
            let next = best.filter(overtakes).unwrap_or(0);
            ordered.push(left.remove(next));
        }
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Milliseconds: estimate, error, expected.
    fn estimate((us, error_us, expected_us): (u32, u32, u32)) -> Estimate {
        Estimate { us: us * 1_000, error_us: error_us * 1_000, expected_us: expected_us * 1_000 }
    }

    fn order(regions: &[(char, (u32, u32, u32))]) -> String {
        let regions: Vec<_> = regions.iter().map(|&(region, of)| (region, estimate(of))).collect();
        ordered(&regions, Margin::default()).into_iter().map(|(region, _)| region).collect()
    }

    #[test]
    fn the_incumbent_stays_unless_others_are_better_by_the_margin() {
        for (regions, expected) in [
            (&[('a', (20, 0, 20)), ('b', (30, 0, 30))][..], "ab"),
            // By 5 ms and no more.
            (&[('a', (35, 0, 20)), ('b', (30, 0, 30))], "ab"),
            (&[('a', (36, 0, 20)), ('b', (30, 0, 30))], "ba"),
            // By a tenth and no more.
            (&[('a', (100, 0, 20)), ('b', (90, 0, 30))], "ab"),
            (&[('a', (100, 0, 20)), ('b', (89, 0, 30))], "ba"),
            // By less than is uncertain.
            (&[('a', (100, 30, 20)), ('b', (60, 30, 30))], "ab"),
            (&[('a', (100, 20, 20)), ('b', (60, 30, 30))], "ba"),
            // Too far, whatever is measured.
            (&[('a', (900, 0, 20)), ('b', (1, 0, 171))], "ab"),
            (&[('a', (900, 0, 20)), ('b', (1, 0, 170))], "ba"),
            // The rest goes by the same rule.
            (&[('a', (50, 0, 20)), ('b', (52, 0, 30)), ('c', (20, 0, 40))], "cab"),
            (&[('b', (52, 0, 30)), ('a', (50, 0, 20)), ('c', (20, 0, 40))], "cba"),
            (&[], ""),
        ] {
            assert_eq!(order(regions), expected, "{regions:?}");
        }
    }

    #[test]
    fn what_is_ordered_stays_as_it_is() {
        let regions: Vec<(u32, Estimate)> =
            (0..12).map(|id| (id, estimate((id * 37 % 90 + 10, id % 4, id * 11 % 60)))).collect();
        let once = ordered(&regions, Margin::default());
        assert_eq!(ordered(&once, Margin::default()), once);
        assert_eq!(once.len(), 12);
    }

    #[test]
    fn distance_is_what_is_expected() {
        assert_eq!(expected_us(Some(0)), 5_000);
        assert_eq!(expected_us(Some(1_000_999)), 23_000);
        assert_eq!(expected_us(None), 100_000);
        assert_eq!(Estimate::new(5_000, Some(Deviation { us: -9_000, error_us: 1 })).us, LEAST_US);
    }
}
