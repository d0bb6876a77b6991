//! Properties of steering by place, over random maps, networks, services and states: scopes are exact enough to cache
//! by, fences hold, what is forced down never appears, and all types of a name agree.

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use meridian::answer::explain::{Explanation, Question, explain};
use meridian::base::diagnostic::Report;
use meridian::base::files::MemoryFiles;
use meridian::base::hash::HashKey;
use meridian::dns::RecordType;
use meridian::geo::Places;
use meridian::model::{self, Model};
use meridian::policy::Atlases;
use meridian::snapshot::{Snapshot, Steering, link};
use meridian::table::{States, Word};
use meridian::zone::{self, Served, ZoneSet};
use proptest::prelude::*;

const COUNTRIES: [&str; 5] = ["DE", "US", "SG", "BR", "ZA"];
const CONTINENTS: [&str; 5] = ["EU", "NA", "AS", "SA", "AF"];
const REGIONS: [&str; 4] = ["a", "b", "c", "d"];

/// A network in 10.0.0.0/8 or in 2001:db8::/32's place, 20.0.0.0/8: its address bits and length.
fn network() -> impl Strategy<Value = (u32, u8)> {
    (prop_oneof![Just(10_u32), Just(20)], any::<u32>(), 8..=28_u8).prop_map(|(head, bits, length)| {
        let bits = head << 24 | bits >> 8;
        (bits & (u32::MAX << (32 - u32::from(length))), length)
    })
}

/// Regions in an order, cut into tiers.
fn ranking() -> impl Strategy<Value = Vec<Vec<usize>>> {
    (Just((0..REGIONS.len()).collect::<Vec<_>>()).prop_shuffle(), 1..=REGIONS.len(), 1..=2_usize)
        .prop_map(|(order, take, width)| order[..take].chunks(width).map(<[usize]>::to_vec).collect())
}

/// Address bits and length.
type Network = (u32, u8);
/// Regions by number, in tiers.
type Tiers = Vec<Vec<usize>>;

#[derive(Clone, Debug)]
struct World {
    /// Network, and the index of its country.
    networks: Vec<(Network, usize)>,
    /// The map's entries: networks, countries, continents; its default; fence.
    map_networks: Vec<(Network, Tiers)>,
    countries: Vec<(usize, Tiers)>,
    continents: Vec<(usize, Tiers)>,
    fence: bool,
    uses_map: bool,
    tolerance_km: u32,
    bias: i8,
    weights: Vec<u32>,
    /// By region: its two endpoints' health and word.
    states: Vec<[(bool, u8); 2]>,
}

fn world() -> impl Strategy<Value = World> {
    let networks = prop::collection::vec((network(), 0..COUNTRIES.len()), 0..6);
    let map = (
        prop::collection::vec((network(), ranking()), 0..3),
        prop::collection::vec((0..COUNTRIES.len(), ranking()), 0..3),
        prop::collection::vec((0..CONTINENTS.len(), ranking()), 0..2),
    );
    let rest = (any::<bool>(), any::<bool>(), 0..4_000_u32, -60..60_i8, prop::collection::vec(0..3_u32, 4));
    let one = || (any::<bool>(), 0..8_u8);
    let states = prop::collection::vec([one(), one()], 4);
    (networks, map, rest, states).prop_map(|(networks, map, rest, states)| {
        let (map_networks, countries, continents) = map;
        let (fence, uses_map, tolerance_km, bias, weights) = rest;
        World {
            networks: unique(networks),
            map_networks: unique(map_networks),
            countries: unique(countries),
            continents: unique(continents),
            fence,
            uses_map,
            tolerance_km,
            bias,
            weights,
            states,
        }
    })
}

/// Of two with one key the first.
fn unique<K: PartialEq + Clone, V>(items: Vec<(K, V)>) -> Vec<(K, V)> {
    let mut kept: Vec<(K, V)> = Vec::new();
    for item in items {
        if kept.iter().all(|(key, _)| *key != item.0) {
            kept.push(item);
        }
    }
    kept
}

fn cidr((bits, length): (u32, u8)) -> String {
    format!("{}/{length}", Ipv4Addr::from_bits(bits))
}

fn contains((bits, length): (u32, u8), address: u32) -> bool {
    (bits ^ address) >> (32 - u32::from(length)) == 0
}

fn list(tiers: &[Vec<usize>]) -> String {
    let tier = |tier: &Vec<usize>| {
        let keys: Vec<String> = tier.iter().map(|&region| format!("{:?}", REGIONS[region])).collect();
        format!("[{}]", keys.join(", "))
    };
    format!("[{}]", tiers.iter().map(tier).collect::<Vec<_>>().join(", "))
}

impl World {
    fn networks_file(&self) -> String {
        let mut text = String::from("[networks]\n");
        for (network, country) in &self.networks {
            writeln!(text, "{:?} = {{ country = {:?} }}", cidr(*network), COUNTRIES[*country]).expect("a string");
        }
        text
    }

    fn region_file(&self) -> String {
        let places =
            ["lat = 50.1, lon = 8.7", "lat = 38.9, lon = -77.4", "lat = 1.3, lon = 103.9", "lat = -23.5, lon = -46.6"];
        let mut text = String::new();
        for (region, place) in REGIONS.iter().zip(places) {
            let bias = if *region == "a" { self.bias } else { 0 };
            writeln!(text, "[regions.{region}]\nlocation = {{ {place} }}\nbias = {bias}").expect("a string");
        }
        text.push_str("[checks.c]\nicmp = {}\n[policies.p]\nmode = 'active-active'\n");
        writeln!(text, "tolerance = '{}km'", self.tolerance_km).expect("a string");
        if self.uses_map {
            text.push_str("geomap = 'm'\n");
            writeln!(text, "[geomaps.m]\nfence = {}\ndefault = ['b']", self.fence).expect("a string");
            let rows = |rows: Vec<(String, &Vec<Vec<usize>>)>| {
                rows.into_iter().map(|(key, tiers)| format!("{key:?} = {}", list(tiers))).collect::<Vec<_>>().join(", ")
            };
            let networks = self.map_networks.iter().map(|(network, tiers)| (cidr(*network), tiers)).collect();
            let countries = self.countries.iter().map(|(at, tiers)| (COUNTRIES[*at].to_owned(), tiers)).collect();
            let continents = self.continents.iter().map(|(at, tiers)| (CONTINENTS[*at].to_owned(), tiers)).collect();
            writeln!(text, "networks = {{ {} }}", rows(networks)).expect("a string");
            writeln!(text, "countries = {{ {} }}", rows(countries)).expect("a string");
            writeln!(text, "continents = {{ {} }}", rows(continents)).expect("a string");
        }
        let weights: Vec<String> =
            REGIONS.iter().zip(&self.weights).map(|(key, weight)| format!("{key} = {weight}")).collect();
        writeln!(
            text,
            "[services.s]\nnames = ['s.example']\npolicy = 'p'\ncheck = 'c'\nhints = true\nweights = {{ {} }}",
            weights.join(", ")
        )
        .expect("a string");
        for (index, region) in REGIONS.iter().enumerate() {
            // Two endpoints, each with both families: what happens to one happens to both of its addresses.
            let endpoint = |number: usize| {
                format!(
                    "{{ records = ['A 192.0.{index}.{number}', 'AAAA 2001:db8:{index}::{number}'], check_address = '192.0.{index}.{number}' }}"
                )
            };
            writeln!(text, "endpoints.{region} = [{}, {}]", endpoint(0), endpoint(1)).expect("a string");
        }
        text.push_str("[services.m]\nnames = ['s.example']\npolicy = 'p'\ncheck = 'c'\nfollow = 's'\n");
        for (index, region) in REGIONS.iter().enumerate() {
            writeln!(
                text,
                "endpoints.{region} = [{{ records = ['MX 10 mx{index}.example.'], check_address = '192.0.{index}.0' }}]"
            )
            .expect("a string");
        }
        text
    }

    /// The list that a fence keeps a client in; `None` if it is not fenced.
    fn fenced(&self, address: u32) -> Option<Vec<usize>> {
        if !self.uses_map || !self.fence {
            return None;
        }
        let longest = |networks: &mut dyn Iterator<Item = (u32, u8)>| {
            networks.filter(|network| contains(*network, address)).max_by_key(|(_, length)| *length)
        };
        let own = longest(&mut self.map_networks.iter().map(|(network, _)| *network));
        let entry =
            own.and_then(|own| self.map_networks.iter().find(|(network, _)| *network == own)).map(|(_, tiers)| tiers);
        let known = longest(&mut self.networks.iter().map(|(network, _)| *network));
        let country =
            known.and_then(|known| self.networks.iter().find(|(network, _)| *network == known)).map(|(_, at)| *at);
        let by_country = || self.countries.iter().find(|(at, _)| Some(*at) == country).map(|(_, tiers)| tiers);
        // The countries stand in the order of their continents.
        let by_continent = || self.continents.iter().find(|(at, _)| Some(*at) == country).map(|(_, tiers)| tiers);
        entry.or_else(by_country).or_else(by_continent).map(|tiers| tiers.concat())
    }

    /// What the endpoints of a region are: allowed, up.
    fn standing(&self, region: usize) -> (bool, bool) {
        let allowed = |(_, word): (bool, u8)| word % 8 != 3;
        let up = |(up, word): (bool, u8)| (up || word % 8 == 1) && word % 8 != 3 && word % 8 != 2;
        (self.states[region].into_iter().any(allowed), self.states[region].into_iter().any(up))
    }
}

struct Server {
    snapshot: Snapshot,
}

fn states(world: &World, model: &Model) -> States {
    let mut states = States::all_up(model);
    for (index, endpoint) in model.endpoints.iter().enumerate() {
        let number = usize::from(!endpoint.key.ends_with('0') && endpoint.key.starts_with("s/"));
        let (up, word) = world.states[endpoint.region.index()][number];
        states.up[index] = up;
        states.word[index] = match word % 8 {
            1 => Word::Up,
            2 => Word::Drain,
            3 => Word::Down,
            _ => Word::Nothing,
        };
    }
    states
}

impl Server {
    fn new(world: &World) -> Self {
        let key = HashKey::new(5, 6);
        let mut report = Report::new();
        let zone = b"@ 300 SOA ns hostmaster 1 2 3 4 60\n@ 300 NS ns\nns 300 A 192.0.2.53\ns 300 HTTPS 1 . alpn=h2\n";
        let origin = "example.".parse().expect("a name");
        let loaded = zone::load(key, &"example.zone".into(), zone, &origin, &MemoryFiles::new(), &mut report);
        let zones = loaded.map(|loaded| Served::Zone(Arc::new(loaded.zone)));
        let read = model::read(&[("regions.toml".into(), world.region_file())], &mut report);
        let model = Arc::new(read.unwrap_or_else(|| panic!("{}\n{}", report.render(), world.region_file())));
        let text = world.networks_file();
        let places = Places::read(Vec::new(), Some(("networks.toml", &text)), 0, &mut report).expect("good networks");
        let linked = link(&ZoneSet::of(key, zones), &model);
        linked.report(&mut report);
        assert!(!report.has_errors(), "{}", report.render());
        let atlases = Arc::new(Atlases::new(&model, Arc::new(places)));
        let steering = Steering::with_atlases(Arc::clone(&model), atlases, &states(world, &model), 1);
        let zones = Arc::new(linked.zones);
        Self { snapshot: Snapshot { generation: 1, key, zones, steering: steering.into(), options: Arc::default() } }
    }

    fn ask(&self, rtype: RecordType, address: u32, bits: u8) -> Explanation {
        let client = (IpAddr::V4(Ipv4Addr::from_bits(address)), bits);
        let resolver = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 200));
        let question = Question { name: "s.example.".parse().expect("a name"), rtype, client, resolver };
        explain(&self.snapshot, &question, Vec::new())
    }
}

/// The index of the region that an answer's records stand for; `None` if it has none.
fn region_of(explanation: &Explanation) -> Option<usize> {
    let record = explanation.answers.first()?;
    let found = (0..REGIONS.len()).find(|index| {
        [format!("192.0.{index}."), format!("2001:db8:{index}::"), format!("2001:db8::{index}:"), format!("mx{index}.")]
            .iter()
            .any(|mark| record.contains(mark))
            || (*index == 0 && record.contains("2001:db8::"))
    });
    Some(found.unwrap_or_else(|| panic!("{record}")))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn places_steer_as_promised(world in world(), draws in prop::collection::vec((any::<u32>(), 0..4_u8, any::<u32>()), 24)) {
        let server = Server::new(&world);
        for (draw, length, within) in draws {
            let heads = [10_u32, 20, 10, 30];
            let address = heads[usize::from(length)] << 24 | draw >> 8;
            let bits = [24, 24, 32, 24][usize::from(length)];
            let address = address & (u32::MAX << (32 - u32::from(bits)));
            let explained = server.ask(RecordType::A, address, bits);
            prop_assert_eq!(explained.steps.len(), 1);
            let step = &explained.steps[0];
            let region = region_of(&explained);
            let named = REGIONS.iter().position(|key| *key == step.chosen);

            // `explain` names what the wire answers.
            prop_assert_eq!(named.filter(|_| region.is_some()), region, "{:?}", explained);

            // Whoever shares the scope shares the answer; the rest of the network may differ.
            prop_assert!(explained.scope <= 32);
            if region.is_some() {
                let free = u32::MAX.checked_shr(explained.scope.into()).unwrap_or(0);
                let other = (address & !free | within & free) & (u32::MAX << (32 - u32::from(bits)));
                let others = server.ask(RecordType::A, other, bits);
                let essence = |explained: &Explanation| {
                    let step = &explained.steps[0];
                    (step.chosen.clone(), step.reason.clone(), step.ttl, explained.scope)
                };
                prop_assert_eq!(essence(&others), essence(&explained), "{} and {}", explained.client, others.client);
            }

            // Nothing forced down appears, and nothing behind a fence.
            let inside = world.fenced(address);
            if let Some(region) = region {
                prop_assert!(world.standing(region).0, "forced down: {:?}", explained);
                prop_assert!(inside.as_ref().is_none_or(|inside| inside.contains(&region)), "{inside:?} {explained:?}");
            }

            // An eligible region exists: no all-down answer.
            let candidates: Vec<usize> = inside.unwrap_or_else(|| (0..REGIONS.len()).collect());
            if candidates.iter().any(|&region| world.standing(region).1) {
                prop_assert!(region.is_some() && step.reason != "all-down", "{:?}", explained);
                let up = world.standing(region.unwrap_or_default()).1;
                prop_assert!(up, "answered a region that is not eligible: {:?}", explained);
            }

            // All types agree.
            for rtype in [RecordType::AAAA, RecordType::MX] {
                let other = server.ask(rtype, address, bits);
                // A service that follows may have nothing up in the region.
                prop_assert!(other.steps[0].chosen == step.chosen || rtype == RecordType::MX);
                prop_assert!(region_of(&other).is_none_or(|other| Some(other) == region));
            }
            let https = server.ask(RecordType::HTTPS, address, bits);
            if let Some(region) = region {
                prop_assert!(https.answers[0].contains(&format!("192.0.{region}.")), "{:?}", https.answers);
            }
        }
    }
}
