//! Random databases, networks, maps, policies and states, and what their rules say in plain words.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use meridian::geo::DatabaseFile;
use mmdb_writer::ipnet::IpNet;
use mmdb_writer::{Ipv4Aliasing, Value, Writer};
use proptest::prelude::*;
use proptest::sample::select;

pub(crate) const REGIONS: [&str; 4] = ["a", "b", "c", "d"];
/// What answers of last resort are marked with in place of a region's number.
pub(crate) const FALLBACK: usize = 9;
/// Endpoints of a region: two for IPv4, one for IPv6.
pub(crate) const ENDPOINTS: usize = 3;

const PLACES: [&str; 4] =
    ["lat = 50.1, lon = 8.7", "lat = 38.9, lon = -77.4", "lat = 1.3, lon = 103.9", "lat = -23.5, lon = -46.6"];
/// Countries, each with its continent.
const COUNTRIES: [(&str, &str); 5] = [("DE", "EU"), ("US", "NA"), ("SG", "AS"), ("BR", "SA"), ("ZA", "AF")];
const SYSTEMS: [u32; 3] = [64_500, 64_501, 64_502];
/// Prefixes of IPv6 with IPv4 addresses behind so many bits.
const CLOTHES: [(u128, u8); 3] = [(0xffff << 32, 96), (0x0064_ff9b << 96, 96), (0x2002 << 112, 16)];

/// A prefix; its bits stand at the right end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Network {
    v6: bool,
    bits: u128,
    length: u8,
}

/// Regions by number, in tiers.
type Tiers = Vec<Vec<usize>>;

#[derive(Clone, Debug)]
pub(crate) struct World {
    /// Networks and countries by number, of a database and of the operator.
    database: Vec<(Network, usize)>,
    own: Vec<(Network, usize)>,
    systems: Vec<(Network, usize)>,
    map: Map,
    pub(crate) policy: Policy,
    tolerance_km: u32,
    pub(crate) weights: Vec<u32>,
    min_up: usize,
    answers: usize,
    pub(crate) balance: &'static str,
    pub(crate) all_down: &'static str,
    order: Vec<usize>,
    /// By region and endpoint: its health and an operator's word.
    pub(crate) states: Vec<[(bool, Word); ENDPOINTS]>,
}

#[derive(Clone, Debug)]
struct Map {
    networks: Vec<(Network, Tiers)>,
    systems: Vec<(usize, Tiers)>,
    countries: Vec<(usize, Tiers)>,
    continents: Vec<(usize, Tiers)>,
    fence: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Policy {
    /// By distance.
    Near,
    /// By the map, then by distance.
    Map,
    Equal,
    Passive,
    All,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    Nothing,
    Up,
    Drain,
    Down,
}

pub(crate) fn world() -> impl Strategy<Value = World> {
    let known = || prop::collection::vec((network(), 0..COUNTRIES.len()), 0..6);
    let systems = prop::collection::vec((network(), 0..SYSTEMS.len()), 0..4);
    let policy =
        select(vec![Policy::Near, Policy::Map, Policy::Map, Policy::Map, Policy::Equal, Policy::Passive, Policy::All]);
    let rest = (
        select(vec![0, 50, 3_000, 8_000]),
        prop::collection::vec(select(vec![0, 1, 1, 2, 5]), 4),
        1..=2_usize,
        1..=3_usize,
        select(vec!["round-robin", "weighted", "random", "hash", "hash"]),
        select(vec!["preferred", "all", "last-healthy", "fallback", "nodata", "servfail"]),
        Just((0..4).collect::<Vec<usize>>()).prop_shuffle(),
    );
    let word =
        select(vec![Word::Nothing, Word::Nothing, Word::Nothing, Word::Nothing, Word::Up, Word::Drain, Word::Down]);
    // Often enough nearly everything is well, and often enough hardly anything.
    let states = select(vec![0.1, 0.4, 0.95]).prop_flat_map(move |down| {
        let one = (prop::bool::weighted(1.0 - down), word.clone());
        prop::collection::vec([one.clone(), one.clone(), one], 4)
    });
    (known(), known(), systems, map(), policy, rest, states).prop_map(
        |(
            database,
            own,
            systems,
            map,
            policy,
            (tolerance_km, weights, min_up, answers, balance, all_down, order),
            states,
        )| {
            let together = policy == Policy::Passive && all_down == "all";
            World {
                database: unique(database),
                own: unique(own),
                systems: unique(systems),
                map,
                policy,
                tolerance_km,
                weights,
                min_up,
                answers,
                balance,
                all_down: if together { "preferred" } else { all_down },
                order,
                states,
            }
        },
    )
}

fn map() -> impl Strategy<Value = Map> {
    let networks = prop::collection::vec((network(), ranking()), 0..3);
    let systems = prop::collection::vec((0..SYSTEMS.len(), ranking()), 0..2);
    let countries = prop::collection::vec((0..COUNTRIES.len(), ranking()), 0..3);
    let continents = prop::collection::vec((0..COUNTRIES.len(), ranking()), 0..2);
    (networks, systems, countries, continents, any::<bool>()).prop_map(
        |(networks, systems, countries, continents, fence)| Map {
            networks: unique(networks),
            systems: unique(systems),
            countries: unique(countries),
            continents: unique(continents),
            fence,
        },
    )
}

/// Networks that meet each other, and clients.
fn network() -> impl Strategy<Value = Network> {
    let v4 = (select(vec![10_u32, 20]), any::<u32>(), 8..=28_u8)
        .prop_map(|(head, bits, length)| Network::of(Ipv4Addr::from_bits(head << 24 | bits >> 8).into(), length));
    let v6 = (select(vec![0x2a00_u128, 0x2a01]), any::<u128>(), 16..=60_u8)
        .prop_map(|(head, bits, length)| Network::of(Ipv6Addr::from_bits(head << 112 | bits >> 16).into(), length));
    prop_oneof![2 => v4, 1 => v6]
}

/// Regions in an order, cut into tiers.
fn ranking() -> impl Strategy<Value = Tiers> {
    (Just((0..REGIONS.len()).collect::<Vec<_>>()).prop_shuffle(), 1..=REGIONS.len(), 1..=2_usize)
        .prop_map(|(order, take, width)| order[..take].chunks(width).map(<[usize]>::to_vec).collect())
}

/// Of two with one key the first.
fn unique<K: PartialEq + Copy, V>(items: Vec<(K, V)>) -> Vec<(K, V)> {
    let mut kept: Vec<(K, V)> = Vec::new();
    for item in items {
        if kept.iter().all(|(key, _)| *key != item.0) {
            kept.push(item);
        }
    }
    kept
}

impl Network {
    /// The network of this length around an address.
    pub(crate) fn of(address: IpAddr, length: u8) -> Self {
        let (v6, bits) = bits_of(address);
        Self { v6, bits: bits & !hosts(v6, length), length }
    }

    fn holds(self, (v6, bits): (bool, u128)) -> bool {
        self.v6 == v6 && bits & !hosts(v6, self.length) == self.bits
    }

    fn text(self) -> String {
        format!("{}/{}", address_of(self.v6, self.bits), self.length)
    }
}

/// The bits behind a prefix of this length.
pub(crate) fn hosts(v6: bool, length: u8) -> u128 {
    let width = if v6 { u128::MAX } else { u32::MAX.into() };
    width.checked_shr(length.into()).unwrap_or(0)
}

pub(crate) fn bits_of(address: IpAddr) -> (bool, u128) {
    match address {
        IpAddr::V4(v4) => (false, v4.to_bits().into()),
        IpAddr::V6(v6) => (true, v6.to_bits()),
    }
}

pub(crate) fn address_of(v6: bool, bits: u128) -> IpAddr {
    match u32::try_from(bits) {
        Ok(bits) if !v6 => Ipv4Addr::from_bits(bits).into(),
        _ => Ipv6Addr::from_bits(bits).into(),
    }
}

/// As the address is looked up: without clothes.
fn undressed(address: IpAddr) -> (bool, u128) {
    let (v6, bits) = bits_of(address);
    let worn = CLOTHES.iter().find(|(first, at)| v6 && bits >> (128 - at) == first >> (128 - at));
    worn.map_or((v6, bits), |(_, at)| (false, bits >> (96 - at) & u128::from(u32::MAX)))
}

/// The value of the longest network around an address.
fn longest<T>(networks: &[(Network, T)], at: (bool, u128)) -> Option<&T> {
    networks
        .iter()
        .filter(|(network, _)| network.holds(at))
        .max_by_key(|(network, _)| network.length)
        .map(|(_, value)| value)
}

impl World {
    /// The entry of the map that matches, and if anything at all is known of the address.
    fn entry(&self, address: IpAddr) -> (Option<&Tiers>, bool) {
        let at = undressed(address);
        let own = longest(&self.own, at);
        let country = own.or_else(|| longest(&self.database, at)).copied();
        let system = longest(&self.systems, at).copied().filter(|_| own.is_none());
        let of = |entries: &'_ [(usize, Tiers)], value: Option<usize>| {
            entries.iter().position(|(key, _)| Some(*key) == value)
        };
        let map = &self.map;
        let entry = longest(&map.networks, at)
            .or_else(|| of(&map.systems, system).map(|index| &map.systems[index].1))
            .or_else(|| of(&map.countries, country).map(|index| &map.countries[index].1))
            // The countries are each of another continent.
            .or_else(|| of(&map.continents, country).map(|index| &map.continents[index].1))
            .filter(|_| self.policy == Policy::Map);
        (entry, entry.is_some() || country.is_some())
    }

    /// The regions that a client behind a resolver may be sent to.
    pub(crate) fn inside(&self, client: Option<IpAddr>, resolver: IpAddr) -> Vec<usize> {
        let located = client.map(|client| self.entry(client)).filter(|(_, is_known)| *is_known);
        let (entry, _) = located.unwrap_or_else(|| self.entry(resolver));
        match entry.filter(|_| self.map.fence) {
            Some(tiers) => tiers.concat(),
            None => (0..REGIONS.len()).collect(),
        }
    }

    /// True if an endpoint may ever be answered.
    pub(crate) fn is_allowed(&self, region: usize, endpoint: usize) -> bool {
        self.states[region][endpoint].1 != Word::Down
    }

    /// True if it may be answered in the normal state.
    pub(crate) fn is_serving(&self, region: usize, endpoint: usize) -> bool {
        match self.states[region][endpoint] {
            (up, Word::Nothing) => up,
            (_, word) => word == Word::Up,
        }
    }

    /// True if enough of what the region is judged on is up.
    pub(crate) fn is_eligible(&self, region: usize) -> bool {
        (0..2).filter(|&endpoint| self.is_serving(region, endpoint)).count() >= self.min_up
    }

    /// The same with all regions as near as any to everybody, or alike anyway.
    pub(crate) fn in_one_tier(self, near: bool) -> Self {
        // Everybody is somewhere.
        let own = vec![(Network::of(Ipv4Addr::new(10, 0, 0, 0).into(), 8), 0)];
        let policy = if near { Policy::Near } else { Policy::Equal };
        Self { own, policy, tolerance_km: 20_000, ..self }
    }

    pub(crate) fn networks_file(&self) -> String {
        let mut text = String::from("[networks]\n");
        for (network, country) in &self.own {
            writeln!(text, "{:?} = {{ country = {:?} }}", network.text(), COUNTRIES[*country].0).expect("memory");
        }
        text
    }

    pub(crate) fn databases(&self) -> Vec<DatabaseFile> {
        let country =
            |index: &usize| Value::map([("country", Value::map([("iso_code", Value::from(COUNTRIES[*index].0))]))]);
        let system = |index: &usize| Value::map([("autonomous_system_number", Value::from(SYSTEMS[*index]))]);
        vec![database("country", &self.database, country), database("asn", &self.systems, system)]
    }

    pub(crate) fn region_file(&self) -> String {
        let mut text = String::from("[checks.c]\nicmp = {}\n");
        for (region, place) in REGIONS.iter().zip(PLACES) {
            writeln!(text, "[regions.{region}]\nlocation = {{ {place} }}").expect("memory");
        }
        let order: Vec<&str> = self.order.iter().map(|&region| REGIONS[region]).collect();
        let (mode, tolerance) = match self.policy {
            Policy::Near => ("mode = 'active-active'", format!("tolerance = '{}km'", self.tolerance_km)),
            Policy::Map => ("mode = 'active-active'\ngeomap = 'm'", format!("tolerance = '{}km'", self.tolerance_km)),
            Policy::Equal => ("mode = 'active-active'\nprefer = 'equal'", String::new()),
            Policy::Passive => ("mode = 'active-passive'", String::new()),
            Policy::All => ("", String::new()),
        };
        if self.policy != Policy::All {
            for (key, answers) in [("p", self.answers), ("one", 1)] {
                writeln!(text, "[policies.{key}]\n{mode}\n{tolerance}\nbalance = '{}'", self.balance).expect("memory");
                writeln!(text, "answers = {answers}\nwhen_all_down = '{}'", self.all_down).expect("memory");
                if self.all_down == "fallback" {
                    let fallback = match key {
                        "p" => "'192.0.9.0', '2001:db8:9::', 'MX 10 mx9.example.', 'HTTPS 1 . port=7009'",
                        _ => "'CNAME r9.example.'",
                    };
                    writeln!(text, "fallback = [{fallback}]").expect("memory");
                }
            }
        }
        if self.policy == Policy::Map {
            self.map.print(&mut text);
        }
        let policies = if self.policy == Policy::All { ["all", "failover"] } else { ["p", "one"] };
        let weights: Vec<String> =
            REGIONS.iter().zip(&self.weights).map(|(key, weight)| format!("{key} = {weight}")).collect();
        for (key, policy, more) in [
            ("alias", policies[1], "names = ['alias.example']"),
            ("https", policies[0], "names = ['*.apps.example']\nfollow = 'web'\nhints = true"),
            ("mail", policies[0], "names = ['w.example']\nfollow = 'web'"),
            ("web", policies[0], "names = ['w.example', '*.apps.example']\nhints = true"),
        ] {
            writeln!(text, "[services.{key}]\npolicy = '{policy}'\ncheck = 'c'\n{more}").expect("memory");
            writeln!(text, "order = {order:?}\nweights = {{ {} }}", weights.join(", ")).expect("memory");
            if key == "web" {
                writeln!(text, "min_up = {}", self.min_up).expect("memory");
            }
            for (number, region) in REGIONS.iter().enumerate() {
                let record =
                    |record: String| format!("{{ records = [{record:?}], check_address = '192.0.{number}.100' }}");
                let endpoints = match key {
                    "alias" => record(format!("CNAME r{number}.example.")),
                    "https" => record(format!("HTTPS 1 . port=700{number}")),
                    "mail" => record(format!("MX 10 mx{number}.example.")),
                    _ => format!("'192.0.{number}.0', '192.0.{number}.1', '2001:db8:{number}::2'"),
                };
                writeln!(text, "endpoints.{region} = [{endpoints}]").expect("memory");
            }
        }
        text
    }
}

impl Map {
    fn print(&self, text: &mut String) {
        let list = |tiers: &Tiers| {
            let tiers: Vec<Vec<&str>> =
                tiers.iter().map(|tier| tier.iter().map(|&region| REGIONS[region]).collect()).collect();
            format!("{tiers:?}")
        };
        let mut rows = |kind: &str, rows: Vec<(String, &Tiers)>| {
            let rows: Vec<String> = rows.into_iter().map(|(key, tiers)| format!("{key:?} = {}", list(tiers))).collect();
            writeln!(text, "{kind} = {{ {} }}", rows.join(", ")).expect("memory");
        };
        rows("[geomaps.m]\nnetworks", self.networks.iter().map(|(network, tiers)| (network.text(), tiers)).collect());
        rows("asns", self.systems.iter().map(|(index, tiers)| (SYSTEMS[*index].to_string(), tiers)).collect());
        rows(
            "countries",
            self.countries.iter().map(|(index, tiers)| (COUNTRIES[*index].0.to_owned(), tiers)).collect(),
        );
        rows(
            "continents",
            self.continents.iter().map(|(index, tiers)| (COUNTRIES[*index].1.to_owned(), tiers)).collect(),
        );
        writeln!(text, "default = ['b']\nfence = {}", self.fence).expect("memory");
    }
}

/// A database of networks, longer ones over shorter ones.
fn database(name: &str, rows: &[(Network, usize)], value: impl Fn(&usize) -> Value) -> DatabaseFile {
    let mut rows: Vec<&(Network, usize)> = rows.iter().collect();
    rows.sort_by_key(|(network, _)| network.length);
    let mut writer =
        Writer::builder(name).description(&[("en", "drawn")]).ipv4_aliasing(Ipv4Aliasing::Disabled).build();
    for (network, index) in rows {
        let network: IpNet = network.text().parse().expect("a network");
        writer.insert_value(network, value(index)).expect("it fits");
    }
    DatabaseFile { path: format!("{name}.mmdb").into(), bytes: writer.to_bytes().expect("it fits") }
}
