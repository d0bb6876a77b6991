//! A world: regions, countries, systems, networks and how long the ways between them take at each moment.
//!
//! ```text
//! region KEY LATITUDE LONGITUDE
//! country CODE WEIGHT HOURS                      ahead of UTC; the cities that follow are its
//! city NAME LATITUDE LONGITUDE WEIGHT
//! detour COUNTRIES REGIONS LATITUDE LONGITUDE PERCENT     of the systems' ways go by way of there
//! ```
//!
//! A way takes
//!
//! ```text
//! 10 µs × kilometers, by way of hubs   light in fibre at 2/3 c (the floor of Katz-Bassett and others, IMC 2006)
//!   × what cables go around            median 1.8, deviation 20 % (ours; so that all comes to 3.2 times light in
//!                                      vacuum at the median: Singla and others, HotNets 2014)
//!   + the system's own                 1 to 4 ms (ours)
//!   + the last mile                    by technology: fibre 2–10, cable 5–20, DSL 10–40 ms (the ranges of Dischinger and
//!                                      others, IMC 2007, and Sundaresan and others, SIGCOMM 2011, rounded by us), mobile
//!                                      25–60 (ours); the same at all hours (Bajpai and others, CCR 2017)
//!   + the evening                      at one in ten ways of systems 10 to 50 ms from 19 to 23 o'clock (ours)
//!   + episodes                         at 2 % of the time, 5 minutes to 3 hours, 20 to 150 ms (ours)
//! ```

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{Duration, UNIX_EPOCH};

use meridian::base::diagnostic::Report;
use meridian::geo::{Coordinates, DatabaseFile, Places, distance_m};
use meridian::model::{self, Model};
use mmdb_writer::{Ipv4Aliasing, Value, Writer};

use crate::random::{Random, unit};

/// Microseconds there and back for a kilometer of fibre, and for one of vacuum.
const FIBRE_MS_PER_KM: f64 = 0.010;
pub(crate) const LIGHT_MS_PER_KM: f64 = 0.006_671;

/// Of blocks of sixteen networks, the part that the database puts into another city, and into another country. Ours; the
/// order is that of "Lost in the Prefix" (arXiv 2605.21937): databases err by blocks, for 9 to 20 % of Europe's fixed
/// networks and for more elsewhere.
const WRONG_CITY: f64 = 0.10;
const WRONG_COUNTRY: f64 = 0.03;
/// Of the ways of systems, the part that goes around by another region's city though nothing in `world.lab` says so: ours.
const HAIRPINS: f64 = 0.05;

struct City {
    name: String,
    at: (f64, f64),
    weight: f64,
}

struct Country {
    code: String,
    weight: f64,
    hours: f64,
    cities: Vec<City>,
}

struct Detour {
    countries: Vec<String>,
    regions: Vec<String>,
    by: (f64, f64),
    percent: f64,
}

#[derive(Default)]
struct Script {
    regions: Vec<(String, (f64, f64))>,
    countries: Vec<Country>,
    detours: Vec<Detour>,
}

/// A system's ways to one region.
struct Way {
    /// Where it goes by.
    by: Option<(f64, f64)>,
    inflation: f64,
    /// What the evening adds at its height, milliseconds.
    evening: f64,
}

struct System {
    number: u32,
    country: usize,
    own_ms: f64,
    /// By region.
    ways: Vec<Way>,
}

/// A /24 of clients.
pub(crate) struct Network {
    /// Its first address.
    pub(crate) address: u32,
    pub(crate) demand: f64,
    system: usize,
    at: (f64, f64),
    /// The mean of what noise adds, milliseconds.
    jitter_ms: f64,
    /// Where the database has it: country and city.
    told: (usize, usize),
    /// By region: what the way takes when nothing is in it.
    quiet_ms: Vec<f64>,
}

impl Network {
    pub(crate) fn text(&self) -> String {
        std::net::Ipv4Addr::from_bits(self.address).to_string()
    }
}

/// What is switched on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weather {
    /// Noise alone.
    Calm,
    /// And evenings.
    Evenings,
    /// And episodes.
    All,
}

/// What the database knows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Database {
    /// Cities and systems.
    Cities,
    /// Countries alone, as in the one that comes with the project.
    Countries,
}

pub(crate) struct World {
    script: Script,
    systems: Vec<System>,
    pub(crate) networks: Vec<Network>,
    pub(crate) weather: Weather,
    /// Ways that are longer for a while, by system and region: from, until, milliseconds.
    pub(crate) changes: BTreeMap<(usize, usize), (u64, u64, f64)>,
    seed: u64,
}

impl World {
    pub(crate) fn new(text: &str, networks: usize, seed: u64, weather: Weather) -> Self {
        let script = Script::read(text);
        let mut random = Random(seed);
        let mut world = Self { script, systems: vec![], networks: vec![], weather, changes: BTreeMap::new(), seed };
        let total: f64 = world.script.countries.iter().map(|country| country.weight.sqrt()).sum();
        let mut block = 0x0b00_0000_u32;
        for country in 0..world.script.countries.len() {
            // Large countries have more networks, but not as many more as they have clients.
            let of = &world.script.countries[country];
            let count = ((of.weight.sqrt() / total * networks as f64) as usize).max(6);
            let demand = of.weight / count as f64;
            let systems = world.found_systems(country, (count / 25).clamp(3, 12), &mut random);
            let shares: Vec<f64> = (1..=systems.len()).map(|rank| 1.0 / rank as f64).collect();
            let mut left = count;
            while left > 0 {
                let system = systems[picked(&shares, &mut random)];
                let size = left.min(1 + (random.part() * 16.0) as usize);
                world.settle(country, system, block, size, demand, &mut random);
                // A system's blocks are beside each other now and then.
                block += if random.part() < 0.7 { 1 << 12 } else { 1 << 16 };
                left -= size;
            }
        }
        world
    }

    fn found_systems(&mut self, country: usize, count: usize, random: &mut Random) -> Vec<usize> {
        let code = self.script.countries[country].code.clone();
        let first = self.systems.len();
        for _ in 0..count {
            let ways = self.script.regions.iter().map(|(region, _)| {
                let mut by = None;
                for detour in &self.script.detours {
                    let fits = detour.countries.contains(&code) && detour.regions.contains(region);
                    if random.part() * 100.0 < detour.percent && fits {
                        by = Some(detour.by);
                    }
                }
                if random.part() < HAIRPINS && by.is_none() {
                    let from = self.script.countries[country].cities[0].at;
                    let mut any = || self.script.regions[(random.part() * self.script.regions.len() as f64) as usize].1;
                    // Nobody goes around the world: the nearest of three.
                    let drawn = [any(), any(), any()];
                    by = drawn.into_iter().min_by(|a, b| km(from, *a).total_cmp(&km(from, *b)));
                }
                let inflation = 1.8 * (random.normal() * 0.2).exp();
                let evening = if random.part() < 0.1 { 10.0 + 40.0 * random.part() } else { 0.0 };
                Way { by, inflation: inflation.max(1.05), evening }
            });
            let ways = ways.collect();
            let number = 64_600 + self.systems.len() as u32;
            self.systems.push(System { number, country, own_ms: 1.0 + 3.0 * random.part(), ways });
        }
        (first..self.systems.len()).collect()
    }

    /// A block of networks beside each other: of one city, mostly.
    fn settle(&mut self, country: usize, system: usize, block: u32, size: usize, demand: f64, random: &mut Random) {
        let weights: Vec<f64> = self.script.countries[country].cities.iter().map(|city| city.weight).collect();
        let city = picked(&weights, random);
        let lot = random.part();
        let told = if lot < WRONG_COUNTRY {
            let other = (random.part() * self.script.countries.len() as f64) as usize;
            (other, 0)
        } else if lot < WRONG_COUNTRY + WRONG_CITY {
            (country, (random.part() * weights.len() as f64) as usize)
        } else {
            (country, city)
        };
        for number in 0..size as u32 {
            let city = if random.part() < 0.9 { city } else { picked(&weights, random) };
            let of = &self.script.countries[country].cities[city];
            let at = (of.at.0 + random.normal() * 0.3, of.at.1 + random.normal() * 0.3);
            let (least, most) = match random.part() {
                part if part < 0.35 => (2.0, 10.0),
                part if part < 0.65 => (5.0, 20.0),
                part if part < 0.88 => (10.0, 40.0),
                _ => (25.0, 60.0),
            };
            let last_mile_ms = least + (most - least) * random.part().powi(2);
            let jitter_ms = 0.5 + 0.15 * last_mile_ms * random.part();
            let quiet = |(region, way): (usize, &Way)| {
                let to = self.script.regions[region].1;
                let km = way.by.map_or_else(|| km(at, to), |by| km(at, by) + km(by, to));
                km * FIBRE_MS_PER_KM * way.inflation + self.systems[system].own_ms + last_mile_ms
            };
            let quiet_ms = self.systems[system].ways.iter().enumerate().map(quiet).collect();
            let demand = demand * random.wait(1.0).max(0.02);
            let address = block + (number << 8);
            let network = Network { address, demand, system, at, jitter_ms, told, quiet_ms };
            self.networks.push(network);
        }
    }

    pub(crate) fn regions(&self) -> usize {
        self.script.regions.len()
    }

    pub(crate) fn key(&self, region: usize) -> &str {
        &self.script.regions[region].0
    }

    /// The networks of each system.
    pub(crate) fn members(&self) -> BTreeMap<usize, Vec<usize>> {
        let mut members: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (at, network) in self.networks.iter().enumerate() {
            members.entry(network.system).or_default().push(at);
        }
        members
    }

    /// What the way takes at a second, milliseconds, without noise.
    pub(crate) fn truth_ms(&self, network: usize, region: usize, second: u64) -> f64 {
        let Network { system, ref quiet_ms, .. } = self.networks[network];
        let changed = self.changes.get(&(system, region)).filter(|(from, until, _)| (*from..*until).contains(&second));
        let changed = changed.map_or(0.0, |(.., ms)| *ms);
        let mut ms = quiet_ms[region] + changed;
        if self.weather != Weather::Calm {
            let of = &self.systems[system];
            let hour = (second as f64 / 3_600.0 + self.script.countries[of.country].hours).rem_euclid(24.0);
            let height = (1.0 - ((hour - 21.0) / 2.0).powi(2)).max(0.0);
            ms += of.ways[region].evening * height;
        }
        if self.weather == Weather::All {
            ms += self.episode_ms(system, region, second);
        }
        ms
    }

    /// Time is cut into six hours each; in one of so many there is an episode.
    fn episode_ms(&self, system: usize, region: usize, second: u64) -> f64 {
        const PERIOD: u64 = 6 * 3_600;
        let way = ((system as u64) << 40) ^ ((region as u64) << 32);
        let mut random = Random(self.seed ^ 0x5eed ^ way ^ (second / PERIOD));
        random.word();
        // 5 minutes to 3 hours, the logarithm even: 50 minutes in the mean.
        let length = 300.0 * 36_f64.powf(random.part());
        let begin = random.part() * (PERIOD as f64 - length);
        let within = (second % PERIOD) as f64 - begin;
        let ms = 20.0 + 130.0 * random.part().powi(2);
        if random.part() < 0.14 && (0.0..length).contains(&within) { ms } else { 0.0 }
    }

    /// What somebody measures.
    pub(crate) fn sample_ms(&self, network: usize, region: usize, second: u64, random: &mut Random) -> f64 {
        let truth = self.truth_ms(network, region, second);
        // Noise only adds; what it adds at the median is taken off, so that the truth is the median.
        let mean = self.networks[network].jitter_ms + 0.02 * truth;
        let noise = random.wait(1.0 / mean) - mean * std::f64::consts::LN_2;
        // Queues add 200 ms at the median where there are any (Høiland-Jørgensen and others, CoNEXT 2016), and what is sent
        // again waits for 200 ms at least; that there are 3 % of both is ours.
        let outlier = match random.part() {
            part if part < 0.02 => random.wait(1.0 / 290.0),
            part if part < 0.03 => 200.0 * f64::from(1 << (random.word() % 3) as u32),
            _ => 0.0,
        };
        (truth + noise + outlier).clamp(0.1, 9_000.0)
    }

    /// All ways now: by how much they are longer than light in vacuum would need, for those longer than `least_km`.
    pub(crate) fn stretch(&self, least_km: f64) -> Vec<f64> {
        let mut found = Vec::new();
        for network in &self.networks {
            for (region, ms) in network.quiet_ms.iter().enumerate() {
                let km = km(network.at, self.script.regions[region].1);
                if km > least_km {
                    found.push(ms / (km * LIGHT_MS_PER_KM));
                }
            }
        }
        found
    }

    pub(crate) fn model(&self) -> Model {
        let mut text = String::new();
        for (key, (latitude, longitude)) in &self.script.regions {
            writeln!(text, "[regions.{key}]\nlocation = {{ lat = {latitude}, lon = {longitude} }}").unwrap();
        }
        let mut report = Report::new();
        model::read(&[("m.toml".into(), text)], &mut report).unwrap_or_else(|| panic!("{}", report.render()))
    }

    pub(crate) fn places(&self, database: Database) -> Places {
        let mut writer = Writer::builder("GeoIP2-City")
            .description(&[("en", "a laboratory")])
            .ipv4_aliasing(Ipv4Aliasing::Enabled)
            .build_epoch(UNIX_EPOCH + Duration::from_secs(1_000_000_000))
            .build();
        for network in &self.networks {
            let country = &self.script.countries[network.told.0];
            let city = &country.cities[network.told.1];
            let mut record = vec![("country", Value::map([("iso_code", Value::from(country.code.as_str()))]))];
            if database == Database::Cities {
                let names = Value::map([("en", Value::from(city.name.as_str()))]);
                let at = [("latitude", Value::from(city.at.0)), ("longitude", Value::from(city.at.1))];
                record.push(("city", Value::map([("names", names)])));
                record.push(("location", Value::map(at)));
                record.push(("autonomous_system_number", Value::from(self.systems[network.system].number)));
            }
            let text = format!("{}/24", network.text());
            writer.insert_value(text.parse::<mmdb_writer::ipnet::IpNet>().unwrap(), Value::map(record)).unwrap();
        }
        let file = DatabaseFile { path: "geoip/city.mmdb".into(), bytes: writer.to_bytes().unwrap() };
        let mut report = Report::new();
        let places = Places::read(vec![file], None, 1_000_000_000, &mut report);
        places.unwrap_or_else(|| panic!("{}", report.render()))
    }
}

impl Script {
    fn read(text: &str) -> Self {
        let mut script = Self::default();
        for line in text.lines() {
            let words: Vec<&str> = line.split('#').next().unwrap_or_default().split_whitespace().collect();
            if !words.is_empty() {
                script.line(&words).unwrap_or_else(|| panic!("`{line}` says nothing"));
            }
        }
        // Ids of regions follow their keys.
        script.regions.sort_by(|a, b| a.0.cmp(&b.0));
        script
    }

    fn line(&mut self, words: &[&str]) -> Option<()> {
        let number = |word: &str| word.parse::<f64>().ok();
        let list = |words: &str| words.split(',').map(str::to_owned).collect::<Vec<_>>();
        match *words {
            ["region", key, latitude, longitude] => {
                self.regions.push((key.to_owned(), (number(latitude)?, number(longitude)?)));
            }
            ["country", code, weight, hours] => self.countries.push(Country {
                code: code.to_owned(),
                weight: number(weight)?,
                hours: number(hours)?,
                cities: Vec::new(),
            }),
            ["city", name, latitude, longitude, weight] => self.countries.last_mut()?.cities.push(City {
                name: name.replace('_', " "),
                at: (number(latitude)?, number(longitude)?),
                weight: number(weight)?,
            }),
            ["detour", countries, regions, latitude, longitude, percent] => self.detours.push(Detour {
                countries: list(countries),
                regions: list(regions),
                by: (number(latitude)?, number(longitude)?),
                percent: number(percent)?,
            }),
            _ => return None,
        }
        Some(())
    }
}

/// One of them, by weight.
fn picked(weights: &[f64], random: &mut Random) -> usize {
    let mut left = random.part() * weights.iter().sum::<f64>();
    for (at, weight) in weights.iter().enumerate() {
        left -= weight;
        if left < 0.0 {
            return at;
        }
    }
    weights.len() - 1
}

fn km(from: (f64, f64), to: (f64, f64)) -> f64 {
    let point = |(latitude, longitude): (f64, f64)| {
        Coordinates::new(latitude.clamp(-90.0, 90.0), (longitude + 180.0).rem_euclid(360.0) - 180.0).unwrap()
    };
    f64::from(distance_m(point(from), point(to))) / 1_000.0
}

/// A part of 1 that belongs to two numbers.
pub(crate) fn lot(seed: u64, number: usize) -> f64 {
    unit(meridian::base::hash::mix((seed << 32) ^ number as u64))
}
