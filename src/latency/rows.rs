//! From cells to what is taken for each group and network now.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use crate::base::moment::Moment;
use crate::geo::{Group, distance_m, expected_us, network_around};

use super::cell::Cell;
use super::estimate::{Known, Own, refined, together};
use super::measurement::ClientNetwork;
use super::store::{Entry, Home, Store};
use super::survey::Site;

/// What is taken for a group or a network now.
#[derive(Clone, Debug)]
pub(super) struct Fresh {
    pub(super) group: Group,
    /// By region.
    pub(super) ways: Box<[Known]>,
    /// Where it is; of a group, where the one of its networks is that was measured most.
    pub(super) home: Home,
    /// By region: what distance lets expect there, microseconds.
    pub(super) expected: Arc<[u32]>,
    /// Round trips that count, [`WEIGHT_MAX`] at most; of a group, what all its networks weigh.
    pub(super) weight: f64,
    /// It is one network that was measured itself, no group.
    pub(super) is_network: bool,
    /// Of a network the numbers of the groups it is in, of a group its own.
    pub(super) groups: Vec<u32>,
}

/// What a network weighs at most beside others, in round trips: whoever measures it more often makes it no larger.
pub(super) const WEIGHT_MAX: f64 = 16.0;
/// Networks that have to say the same before a place or a carrier is believed to be like that.
const MEMBERS_MIN: usize = 3;
/// And before the networks beside them are.
const NEIGHBORS_MIN: usize = 2;
/// Networks count alike in their groups once so many round trips were seen of them.
const SAMPLES_WHOLE: f64 = 4.0;
/// What is left of round trips that faded says nothing any more.
const SAMPLES_LEAST: f64 = 0.1;
/// The noise that a network has that was hardly measured, of the time itself.
const NOISE_PART: f64 = 0.1;
/// No network has less, microseconds.
const NOISE_MIN: f64 = 1_000.0;
/// What a median may be off by, whatever is seen, microseconds: the steps of cells, and clocks.
const EXACT: f64 = 500.0;
/// Of a standard deviation, in half distances between quartiles.
const QUARTILES_TO_DEVIATION: f64 = 0.7413;
/// The lengths of the networks around a network, IPv4 and IPv6.
const AROUND: [[u8; 2]; 2] = [[16, 20], [32, 40]];

/// A network as it was measured.
struct Seen<'s> {
    client: ClientNetwork,
    home: &'s Home,
    expected: Arc<[u32]>,
    own: Vec<Option<Own>>,
    weight: f64,
    groups: Vec<u32>,
}

/// A group being gathered.
struct Gathered<'s> {
    number: u32,
    /// By region.
    said: Vec<Vec<(f64, f64)>>,
    home: &'s Home,
    expected: Arc<[u32]>,
    heaviest: f64,
    weight: f64,
}

/// All groups and networks, wider ones before those in them.
pub(super) fn fresh(store: &Store, sites: &[Site], now: Moment, half_life_ms: u64) -> Vec<Fresh> {
    let mut expectations = Expectations::default();
    let seen_now = |(client, entry)| seen(client, entry, expectations.of(entry, sites), now, half_life_ms);
    let mut seen: Vec<Seen<'_>> = store.iter().map(seen_now).collect();
    let mut gathered: BTreeMap<Group, Gathered<'_>> = BTreeMap::new();
    for network in &mut seen {
        let (address, length) = network.client.network();
        for group in groups_around(&Group::Network(address, length), network.home) {
            let number = u32::try_from(gathered.len()).unwrap_or(u32::MAX);
            let fresh = || Gathered {
                number,
                said: vec![Vec::new(); sites.len()],
                home: network.home,
                expected: Arc::clone(&network.expected),
                heaviest: 0.0,
                weight: 0.0,
            };
            let into = gathered.entry(group).or_insert_with(fresh);
            network.groups.push(into.number);
            let counts = (network.weight / SAMPLES_WHOLE).min(1.0);
            for (said, own) in into.said.iter_mut().zip(&network.own) {
                said.extend(own.map(|own| (own.us, counts)));
            }
            into.weight += network.weight.min(WEIGHT_MAX);
            if network.weight > into.heaviest {
                (into.heaviest, into.home) = (network.weight, network.home);
                into.expected = Arc::clone(&network.expected);
            }
        }
    }
    let mut known: BTreeMap<Group, Box<[Known]>> = BTreeMap::new();
    let mut rows = Vec::with_capacity(gathered.len() + seen.len());
    // Wider groups come first, and a network before those in it.
    for (group, mut gathered) in gathered {
        let least = if matches!(group, Group::Network(..)) { NEIGHBORS_MIN } else { MEMBERS_MIN };
        let own: Vec<Option<Own>> = gathered.said.iter_mut().map(|said| together(said, least)).collect();
        if own.iter().all(Option::is_none) {
            continue;
        }
        let ways = refined(around(&known, &group, gathered.home), &own);
        let Gathered { number, home, expected, weight, .. } = gathered;
        let (home, groups) = (home.clone(), vec![number]);
        rows.push(Fresh {
            group: group.clone(),
            ways: ways.clone(),
            home,
            expected,
            weight,
            is_network: false,
            groups,
        });
        known.insert(group, ways);
    }
    rows.extend(seen.into_iter().map(|Seen { client, home, expected, own, weight, groups }| {
        let (address, length) = client.network();
        let group = Group::Network(address, length);
        let ways = refined(around(&known, &group, home), &own);
        let weight = weight.min(WEIGHT_MAX);
        Fresh { group, ways, home: home.clone(), expected, weight, is_network: true, groups }
    }));
    rows
}

/// What distance lets expect from each place, once: most networks share theirs with others, and great circles cost more than
/// all else.
#[derive(Default)]
struct Expectations(BTreeMap<Option<(u64, u64)>, Arc<[u32]>>);

impl Expectations {
    fn of(&mut self, entry: &Entry, sites: &[Site]) -> Arc<[u32]> {
        let at = entry.home.coordinates.map(|at| (at.latitude.to_bits(), at.longitude.to_bits()));
        let fresh = || sites.iter().map(|site| expected(&entry.home, site)).collect();
        Arc::clone(self.0.entry(at).or_insert_with(fresh))
    }
}

fn seen(client: ClientNetwork, entry: &Entry, expected: Arc<[u32]>, now: Moment, half_life_ms: u64) -> Seen<'_> {
    let mut own = vec![None; expected.len()];
    let mut weight = 0.0;
    for (region, cell) in &entry.cells {
        let at = usize::from(*region);
        let samples = cell.samples(now, half_life_ms);
        if let (Some(expected_us), Some(slot)) = (expected.get(at), own.get_mut(at)) {
            *slot = measured(cell, samples, *expected_us);
            weight += samples;
        }
    }
    Seen { client, home: &entry.home, expected, own, weight, groups: Vec::new() }
}

/// What distance lets expect, microseconds.
pub(super) fn expected(home: &Home, site: &Site) -> u32 {
    expected_us(home.coordinates.zip(site.coordinates).map(|(from, to)| distance_m(from, to)))
}

fn measured(cell: &Cell, samples: f64, expected_us: u32) -> Option<Own> {
    if samples < SAMPLES_LEAST {
        return None;
    }
    let of = |percent| cell.percentile(percent).map(f64::from);
    let (median, quarter, three_quarters) = (of(50)?, of(25)?, of(75)?);
    // Of few round trips their scatter says little.
    let noise = (NOISE_PART * median).max(NOISE_MIN);
    let scatter = ((three_quarters - quarter) * QUARTILES_TO_DEVIATION).max(noise);
    let variance = scatter * scatter * 1.57 / samples + EXACT * EXACT;
    Some(Own { us: median - f64::from(expected_us), variance, scatter: 0.0 })
}

/// The groups that a network, or a group, is in: the least first.
pub(super) fn groups_around(group: &Group, home: &Home) -> impl Iterator<Item = Group> {
    let (networks, places) = match group {
        Group::World => (Vec::new(), 0),
        Group::Country(_) => (Vec::new(), 1),
        Group::City(..) | Group::System(..) => (Vec::new(), 2),
        Group::Network(address, length) => (networks_around(*address, *length), 4),
    };
    let country = home.country;
    let system = country.zip(home.asn).map(|(country, asn)| Group::System(asn, country));
    let city = country.zip(home.city.clone()).map(|(country, city)| Group::City(country, city));
    let all = [system, city, country.map(Group::Country), Some(Group::World)];
    let skipped = all.len() - places;
    networks.into_iter().chain(all.into_iter().skip(skipped).flatten())
}

/// The networks around a network of this length, the least first.
fn networks_around(address: IpAddr, length: u8) -> Vec<Group> {
    let lengths = AROUND[usize::from(address.is_ipv6())];
    let wider = lengths.into_iter().rev().filter(|wider| *wider < length);
    wider
        .map(|length| {
            let (address, length) = network_around(address, length);
            Group::Network(address, length)
        })
        .collect()
}

/// What is taken for the group around a group; nothing for the widest.
fn around<'k>(known: &'k BTreeMap<Group, Box<[Known]>>, group: &Group, home: &Home) -> &'k [Known] {
    groups_around(group, home).find_map(|group| known.get(&group)).map(|ways| &ways[..]).unwrap_or_default()
}
