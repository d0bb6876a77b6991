//! From cells to what is taken for each group and network now.

use std::collections::BTreeMap;
use std::net::IpAddr;

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
    /// Round trips that count; of a group, those of all its networks.
    pub(super) weight: f64,
    /// It is one network that was measured itself, no group.
    pub(super) is_network: bool,
    /// Of a network the numbers of the groups it is in, of a group its own.
    pub(super) groups: Vec<u32>,
}

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
    heaviest: f64,
    weight: f64,
}

/// All groups and networks, wider ones before those in them.
pub(super) fn fresh(store: &Store, sites: &[Site], now: Moment, half_life_ms: u64) -> Vec<Fresh> {
    let mut seen: Vec<Seen<'_>> =
        store.iter().map(|(client, entry)| seen(client, entry, sites, now, half_life_ms)).collect();
    let mut gathered: BTreeMap<Group, Gathered<'_>> = BTreeMap::new();
    for network in &mut seen {
        for group in groups(network) {
            let number = u32::try_from(gathered.len()).unwrap_or(u32::MAX);
            let fresh = || Gathered {
                number,
                said: vec![Vec::new(); sites.len()],
                home: network.home,
                heaviest: 0.0,
                weight: 0.0,
            };
            let into = gathered.entry(group).or_insert_with(fresh);
            network.groups.push(into.number);
            let counts = (network.weight / SAMPLES_WHOLE).min(1.0);
            for (said, own) in into.said.iter_mut().zip(&network.own) {
                said.extend(own.map(|own| (own.us, counts)));
            }
            into.weight += network.weight;
            if network.weight > into.heaviest {
                (into.heaviest, into.home) = (network.weight, network.home);
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
        let (home, weight) = (gathered.home.clone(), gathered.weight);
        let groups = vec![gathered.number];
        rows.push(Fresh { group: group.clone(), ways: ways.clone(), home, weight, is_network: false, groups });
        known.insert(group, ways);
    }
    rows.extend(seen.into_iter().map(|Seen { client, home, own, weight, groups }| {
        let (address, length) = client.network();
        let group = Group::Network(address, length);
        let ways = refined(around(&known, &group, home), &own);
        Fresh { group, ways, home: home.clone(), weight, is_network: true, groups }
    }));
    rows
}

fn seen<'s>(client: ClientNetwork, entry: &'s Entry, sites: &[Site], now: Moment, half_life_ms: u64) -> Seen<'s> {
    let mut own = vec![None; sites.len()];
    let mut weight = 0.0;
    for (region, cell) in &entry.cells {
        let samples = cell.samples(now, half_life_ms);
        let site = sites.get(usize::from(*region));
        if let (Some(site), Some(slot)) = (site, own.get_mut(usize::from(*region))) {
            *slot = measured(cell, samples, expected(&entry.home, site));
            weight += samples;
        }
    }
    Seen { client, home: &entry.home, own, weight, groups: Vec::new() }
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

/// The groups a network is in.
fn groups(network: &Seen<'_>) -> Vec<Group> {
    let mut groups = vec![Group::World];
    if let Some(country) = network.home.country {
        groups.push(Group::Country(country));
        groups.extend(network.home.city.clone().map(|city| Group::City(country, city)));
        groups.extend(network.home.asn.map(|asn| Group::System(asn, country)));
    }
    groups.extend(networks_around(network.client.network().0));
    groups
}

/// The networks around an address, the widest first.
fn networks_around(address: IpAddr) -> impl Iterator<Item = Group> {
    let lengths = AROUND[usize::from(address.is_ipv6())];
    lengths.into_iter().map(move |length| {
        let (address, length) = network_around(address, length);
        Group::Network(address, length)
    })
}

/// The groups that a network is in, the least first, in the order in which they are looked for.
pub(super) fn groups_around(network: &Group, home: &Home) -> impl Iterator<Item = Group> {
    let around = match network {
        Group::Network(address, _) => networks_around(*address).collect::<Vec<_>>(),
        Group::World | Group::Country(_) | Group::City(..) | Group::System(..) => Vec::new(),
    };
    let country = home.country;
    let system = home.asn.zip(country).map(|(asn, country)| Group::System(asn, country));
    let city = home.city.clone().zip(country).map(|(city, country)| Group::City(country, city));
    let places = system.into_iter().chain(city).chain(country.map(Group::Country));
    let all = home.coordinates.map(|_| Group::World);
    around.into_iter().rev().chain(places).chain(all)
}

/// What is taken for the group around a group; nothing for the widest.
fn around<'k>(known: &'k BTreeMap<Group, Box<[Known]>>, group: &Group, home: &Home) -> &'k [Known] {
    let find = |group: Group| known.get(&group).map(|ways| &ways[..]);
    let country = home.country.and_then(|country| find(Group::Country(country)));
    let of_country = country.or_else(|| find(Group::World));
    let found = match group {
        Group::World => None,
        Group::Country(_) => find(Group::World),
        Group::City(..) | Group::System(..) => of_country,
        Group::Network(address, length) => {
            let wider =
                networks_around(*address).filter(|wider| matches!(wider, Group::Network(_, other) if other < length));
            let wider: Vec<Group> = wider.collect();
            let network = wider.into_iter().rev().find_map(find);
            let system = || find(Group::System(home.asn?, home.country?));
            let city = || find(Group::City(home.country?, home.city.clone()?));
            network.or_else(system).or_else(city).or(of_country)
        }
    };
    found.unwrap_or_default()
}
