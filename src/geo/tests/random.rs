//! Random worlds against a naive reading of the rules: every entry is looked at for every address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use mmdb_writer::{Ipv4Aliasing, Value};
use proptest::prelude::*;

use crate::model::{GeoRanking, Model};

use super::super::{Atlas, Class, ClassId, centroid, distance_m};
use super::*;

const COUNTRIES: [&str; 5] = ["DE", "US", "SG", "BR", "EU"];
const REGIONS_OF: [&str; 4] = ["fra", "iad", "sin", "tbd"];

/// Networks close to each other, so that they meet; some far away. As the first 32 bits.
fn prefix() -> impl Strategy<Value = (u32, u8)> {
    let bits = prop_oneof![
        (0_u32..4).prop_map(|low| 0x0a00_0000 | low << 22),
        (0_u32..64).prop_map(|low| 0x0a00_0000 | low),
        any::<u32>(),
        Just(0),
        Just(u32::MAX)
    ];
    (bits, 0_u8..=32)
        .prop_map(|(bits, length)| (bits & u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0), length))
}

/// A network of either family: the same bits, in IPv6 below 2000::/16, at the top, or within 2002::/14.
fn network() -> impl Strategy<Value = Net> {
    (prefix(), 0_u8..4).prop_map(|((bits, length), family)| {
        let v6 = |first: u128, at: u8| Net {
            is_v6: true,
            first: first | u128::from(bits) << (96 - at),
            length: length + at,
        };
        match family {
            0 | 1 => Net { is_v6: false, first: bits.into(), length },
            2 => v6(0x2001 << 112, 16),
            _ if length > 16 => v6(0, 0),
            _ => v6(0x2000 << 112, 14),
        }
    })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Net {
    is_v6: bool,
    first: u128,
    length: u8,
}

impl Net {
    fn text(self) -> String {
        format!("{}/{}", to_address(self.is_v6, self.first), self.length)
    }

    fn last(self) -> u128 {
        let width = if self.is_v6 { 128 } else { 32 };
        let hosts = u128::MAX.checked_shr(128 - (width - u32::from(self.length))).unwrap_or(0);
        self.first | hosts
    }

    fn holds(self, is_v6: bool, bits: u128) -> bool {
        self.is_v6 == is_v6 && (self.first..=self.last()).contains(&bits)
    }

    /// Not one of those that are looked up as IPv4.
    fn is_plain(self) -> bool {
        !self.is_v6
            || !CLOTHES.iter().any(|&(first, length)| {
                self.length >= length && self.first >> (128 - length) == first >> (128 - length)
            })
    }
}

const CLOTHES: [(u128, u8); 3] = [(0xffff << 32, 96), (0x0064_ff9b << 96, 96), (0x2002 << 112, 16)];

fn to_address(is_v6: bool, bits: u128) -> IpAddr {
    if is_v6 {
        Ipv6Addr::from_bits(bits).into()
    } else {
        Ipv4Addr::from_bits(u32::try_from(bits).expect("IPv4")).into()
    }
}

/// A world: what each source says, in no order.
#[derive(Clone, Debug)]
struct World {
    countries: Vec<(Net, usize)>,
    systems: Vec<(Net, u32)>,
    own: Vec<(Net, usize)>,
    map_networks: Vec<(Net, usize)>,
    map_systems: Vec<(u32, usize)>,
    map_countries: Vec<(usize, usize)>,
    map_europe: Option<usize>,
    default: Option<usize>,
    fence: bool,
    is_map: bool,
    regions: u128,
    tolerance_m: u32,
}

fn distinct<K: PartialEq, V>(list: Vec<(K, V)>) -> Vec<(K, V)> {
    let mut kept: Vec<(K, V)> = Vec::new();
    for (key, value) in list {
        if kept.iter().all(|(known, _)| *known != key) {
            kept.push((key, value));
        }
    }
    kept
}

fn world() -> impl Strategy<Value = World> {
    use proptest::collection::vec;
    let networks =
        |values: std::ops::Range<usize>| vec((network().prop_filter("plain", |net| net.is_plain()), values), 0..6);
    let first =
        (networks(0..5), vec((network().prop_filter("plain", |net| net.is_plain()), 1_u32..4), 0..4), networks(0..4));
    let map = (
        networks(0..4),
        vec((1_u32..4, 0..4_usize), 0..3),
        vec((0..4_usize, 0..4_usize), 0..3),
        proptest::option::of(0..4_usize),
        proptest::option::of(0..4_usize),
    );
    let rest = (any::<bool>(), prop::bool::weighted(0.8), 1_u128..16, prop_oneof![Just(0_u32), Just(7_000_000)]);
    (first, map, rest).prop_map(|((countries, systems, own), map, (fence, is_map, regions, tolerance_m))| World {
        // An IPv6 tree holds IPv4 below ::/96: IPv6 networks there would be both.
        countries: distinct(countries).into_iter().filter(|(net, _)| !net.is_v6 || net.first >> 96 != 0).collect(),
        systems: distinct(systems).into_iter().filter(|(net, _)| !net.is_v6 || net.first >> 96 != 0).collect(),
        own: distinct(own),
        map_networks: distinct(map.0),
        map_systems: distinct(map.1),
        map_countries: distinct(map.2),
        map_europe: map.3,
        default: map.4,
        fence,
        is_map,
        regions,
        tolerance_m,
    })
}

impl World {
    fn model(&self) -> Model {
        let list = |rows: Vec<String>| rows.join(", ");
        let region = |index: usize| format!("['{}']", REGIONS_OF[index]);
        let mut text = format!("fence = {}\n", self.fence);
        let networks = self.map_networks.iter().map(|(net, to)| format!("'{}' = {}", net.text(), region(*to)));
        text += &format!("networks = {{ {} }}\n", list(networks.collect()));
        let systems = self.map_systems.iter().map(|(asn, to)| format!("{asn} = {}", region(*to)));
        text += &format!("asns = {{ {} }}\n", list(systems.collect()));
        let countries = self.map_countries.iter().map(|(code, to)| format!("{} = {}", COUNTRIES[*code], region(*to)));
        text += &format!("countries = {{ {} }}\n", list(countries.collect()));
        if let Some(to) = self.map_europe {
            text += &format!("continents = {{ EU = {} }}\n", region(to));
        }
        if let Some(to) = self.default {
            text += &format!("default = {}\n", region(to));
        }
        model(&text)
    }

    fn places(&self) -> Places {
        let countries: Vec<_> =
            self.countries.iter().map(|(net, code)| (net.text(), country(COUNTRIES[*code]))).collect();
        let systems = self.systems.iter().map(|(net, asn)| (net.text(), Value::map([("asn", Value::from(*asn))])));
        let systems: Vec<_> = systems.collect();
        let file = |name, rows: &[(String, Value)]| {
            let rows: Vec<_> = rows.iter().map(|(net, value)| (net.as_str(), value.clone())).collect();
            // Aliases would take 2001::/32 (Teredo) from what the world says.
            database_with(name, name, &rows, Ipv4Aliasing::Disabled)
        };
        let own =
            self.own.iter().map(|(net, code)| format!("'{}' = {{ country = '{}' }}\n", net.text(), COUNTRIES[*code]));
        places(
            vec![file("country", &countries), file("asn", &systems)],
            &format!("[networks]\n{}", own.collect::<String>()),
        )
    }

    /// The class of an address by the rules, and if it is that of the unknown.
    fn class(&self, address: IpAddr) -> (bool, Class) {
        let (is_v6, bits) = undressed(address);
        let of = |list: &[(Net, usize)]| longest(list, is_v6, bits);
        let own = of(&self.own);
        let code = own.or_else(|| of(&self.countries)).map(|index| COUNTRIES[index]);
        let system = match own {
            Some(_) => None,
            None => {
                let list: Vec<_> = self.systems.iter().map(|(net, asn)| (*net, *asn as usize)).collect();
                longest(&list, is_v6, bits)
            }
        };
        let in_europe = matches!(code, Some("DE" | "EU"));
        let entry = if self.is_map {
            of(&self.map_networks)
                .or_else(|| self.map_systems.iter().find(|(asn, _)| Some(*asn as usize) == system).map(|(_, to)| *to))
                .or_else(|| {
                    self.map_countries.iter().find(|(index, _)| Some(COUNTRIES[*index]) == code).map(|(_, to)| *to)
                })
                .or_else(|| self.map_europe.filter(|_| in_europe))
        } else {
            None
        };
        let from = code.and_then(|code| centroid(code.as_bytes().try_into().expect("two letters")));
        let has_entries =
            !(self.map_networks.is_empty() && self.map_systems.is_empty() && self.map_countries.is_empty())
                || self.map_europe.is_some();
        if self.regions.count_ones() == 1 && !(self.is_map && self.fence && has_entries) {
            return (false, Class { tiers: [self.regions].into(), ..Class::default() });
        }
        let mut order: Vec<u128> = entry.map(|to| 1 << to).into_iter().collect();
        let is_fenced = entry.is_some() && self.fence;
        let default = self.default.filter(|_| self.is_map).map(|to| 1 << to);
        let is_unknown = entry.is_none() && from.is_none();
        if is_unknown {
            order.extend(default);
        } else if !is_fenced {
            match from {
                Some(from) => {
                    let sites = [(50.11, 8.68), (38.95, -77.45), (1.35, 103.99)];
                    let mut near: Vec<(u32, u128)> = Vec::new();
                    for (region, (latitude, longitude)) in sites.into_iter().enumerate() {
                        let at = super::super::Coordinates { latitude, longitude };
                        if (self.regions & 1 << region) != 0 && !order.contains(&(1 << region)) {
                            near.push((distance_m(from.coordinates, at), 1 << region));
                        }
                    }
                    near.sort_unstable();
                    while let Some(&(best, _)) = near.first() {
                        let tier = near.iter().filter(|(m, _)| *m <= best + self.tolerance_m);
                        order.push(tier.map(|(_, bit)| bit).sum());
                        near.retain(|(m, _)| *m > best + self.tolerance_m);
                    }
                    order.extend(Some(TBD).filter(|xxx| !order.contains(xxx)));
                }
                None => {
                    order.extend(default.filter(|default| !order.contains(default)));
                    order.push(self.regions & !order.iter().sum::<u128>());
                }
            }
        }
        let tiers: Vec<u128> = order.into_iter().map(|tier| tier & self.regions).filter(|&tier| tier != 0).collect();
        (is_unknown, Class { tiers: tiers.into(), is_fenced, ..Class::default() })
    }

    /// Addresses at which something may change: between two of them all is one.
    fn edges(&self, is_v6: bool) -> Vec<u128> {
        let nets = [&self.countries, &self.own, &self.map_networks].into_iter().flatten().map(|(net, _)| *net);
        let nets: Vec<Net> = nets.chain(self.systems.iter().map(|(net, _)| *net)).collect();
        let mut edges = vec![0];
        let edge = |edges: &mut Vec<u128>, first: u128, last: u128| {
            edges.push(first);
            edges.extend(last.checked_add(1).filter(|&next| is_v6 || next <= u32::MAX.into()));
        };
        for net in nets {
            if net.is_v6 == is_v6 {
                edge(&mut edges, net.first, net.last());
            } else if is_v6 {
                for (clothes, at) in CLOTHES {
                    let shift = 96 - at;
                    let hosts = (1_u128 << shift) - 1;
                    edge(&mut edges, clothes | net.first << shift, clothes | net.last() << shift | hosts);
                }
            }
        }
        if is_v6 {
            CLOTHES.iter().for_each(|&(first, at)| edge(&mut edges, first, first | u128::MAX >> at));
        }
        edges
    }
}

fn undressed(address: IpAddr) -> (bool, u128) {
    match address {
        IpAddr::V4(v4) => (false, v4.to_bits().into()),
        IpAddr::V6(v6) => {
            let bits = v6.to_bits();
            let worn = CLOTHES.iter().find(|&&(first, at)| bits >> (128 - at) == first >> (128 - at));
            worn.map_or((true, bits), |&(_, at)| (false, bits >> (96 - at) & u128::from(u32::MAX)))
        }
    }
}

fn longest(list: &[(Net, usize)], is_v6: bool, bits: u128) -> Option<usize> {
    let holding = list.iter().filter(|(net, _)| net.holds(is_v6, bits));
    holding.max_by_key(|(net, _)| net.length).map(|(_, value)| *value)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn locate_follows_the_rules(world in world(), more in proptest::collection::vec(any::<u128>(), 4)) {
        let (model, places) = (world.model(), world.places());
        let ranking = if world.is_map { MAP } else { GeoRanking::Distance };
        let atlas = Atlas::build(&places, &model, ranking, by_distance(world.tolerance_m), world.regions);
        let found = |client: IpAddr| {
            let id = atlas.locate(client).0;
            (id == ClassId::UNKNOWN, atlas.class(id).clone())
        };
        for is_v6 in [false, true] {
            let width = if is_v6 { 128_u32 } else { 32 };
            let edges = world.edges(is_v6);
            let before = edges.iter().filter_map(|edge| edge.checked_sub(1));
            let some = more.iter().map(|bits| bits >> (128 - width));
            let clients: Vec<u128> = edges.iter().copied().chain(before).chain(some).collect();
            for &bits in &clients {
                let client = to_address(is_v6, bits);
                let expected = world.class(client);
                prop_assert_eq!(&found(client), &expected, "{}", client);
                let (_, scope) = atlas.locate(client);
                let hosts = |scope: u8| u128::MAX.checked_shr(128 - (width - u32::from(scope))).unwrap_or(0);
                // All that an address can differ in inside a prefix: its start, and the edges in it.
                let within = |scope: u8| {
                    let (first, last) = (bits & !hosts(scope), bits | hosts(scope));
                    edges.iter().copied().filter(move |edge| (first..=last).contains(edge)).chain([first, last])
                };
                prop_assert!(within(scope).all(|other| world.class(to_address(is_v6, other)) == expected),
                    "{}/{} holds another class", client, scope);
                prop_assert!(scope == 0 || within(scope - 1).any(|other| world.class(to_address(is_v6, other)) != expected),
                    "{}/{} could be shorter", client, scope);
                let explained = atlas.explain(&places, &model, client);
                prop_assert_eq!(explained.scope, scope);
            }
        }
        for (class, example) in (0..).zip(atlas.examples()).skip(1) {
            let (address, length) = example.expect("every class has clients");
            prop_assert_eq!(atlas.locate(address), (ClassId(class), length), "{}/{}", address, length);
        }
    }
}
