//! A world in simulated time: resolvers that cache, regions that are loaded, feeds that tell of it late.

use meridian::base::hash::mix;

use crate::random::{Random, unit};
use crate::script::{City, Event, Scenario};

/// Seconds until health checks have taken a lost region out.
const DETECTED_S: i64 = 15;
/// The resolver with the most clients has at most so many times those of the one with the least.
const CLIENTS_MAX: f64 = 100.0;

/// What a feed said: the load, and when it was measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    pub(crate) load: f64,
    pub(crate) at: i64,
}

struct Resolver {
    city: usize,
    /// Its part of the city's clients.
    part: f64,
    hash: u64,
    is_stubborn: bool,
    /// What it was last answered, and whether it still holds that.
    answered: Option<usize>,
    is_cached: bool,
}

pub(crate) struct World {
    pub(crate) scenario: Scenario,
    pub(crate) now: i64,
    random: Random,
    resolvers: Vec<Resolver>,
    /// What resolvers do next, by second from the beginning on.
    agenda: Vec<Vec<usize>>,
    /// Kilometres from each city to each region.
    distances: Vec<Vec<f64>>,
    /// The part of each city's clients that follow each region.
    following: Vec<Vec<f64>>,
    /// Answers to each city in the last second.
    pub(crate) answers: Vec<u64>,
    busy: Vec<Change>,
    slow: Vec<Change>,
    lost: Vec<Option<i64>>,
    is_mute: Vec<bool>,
    lies: Vec<Option<f64>>,
    /// True loads of the last seconds.
    recent: Vec<Vec<f64>>,
    said: Vec<Vec<Reading>>,
    /// Requests that changed their region, per second that they did.
    pub(crate) moved: f64,
}

/// A factor that goes to another in time.
#[derive(Clone, Copy)]
struct Change {
    from: f64,
    to: f64,
    begun: i64,
    over_s: f64,
}

impl Change {
    const NONE: Self = Self { from: 1.0, to: 1.0, begun: 0, over_s: 1.0 };

    fn at(&self, now: i64) -> f64 {
        let part = ((now - self.begun) as f64 / self.over_s.max(1.0)).clamp(0.0, 1.0);
        self.from + (self.to - self.from) * part
    }
}

impl World {
    pub(crate) fn new(scenario: Scenario, seed: u64) -> Self {
        let mut random = Random(seed);
        let all: f64 = scenario.cities.iter().map(|city| city.requests).sum();
        let mut resolvers = Vec::new();
        for (city, of) in scenario.cities.iter().enumerate() {
            let count = ((scenario.resolvers as f64 * of.requests / all) as usize).max(3);
            // A fifth of them has four fifths of the clients.
            let clients: Vec<f64> =
                (0..count).map(|_| (1.0 - random.part()).powf(-1.0 / 1.16).min(CLIENTS_MAX)).collect();
            let sum: f64 = clients.iter().sum();
            resolvers.extend(clients.into_iter().map(|clients| Resolver {
                city,
                part: clients / sum,
                hash: random.word(),
                is_stubborn: random.part() < scenario.stubborn,
                answered: None,
                is_cached: false,
            }));
        }
        let (regions, cities) = (scenario.regions.len(), scenario.cities.len());
        let mut agenda = vec![Vec::new(); (scenario.warm_s + scenario.run_s) as usize + 1];
        for number in 0..resolvers.len() {
            agenda[(random.part() * f64::from(scenario.ttl_s)) as usize].push(number);
        }
        let from = |city: &City| scenario.regions.iter().map(|region| far(city.place, region.place)).collect();
        let distances = scenario.cities.iter().map(from).collect();
        Self {
            now: -scenario.warm_s - 1,
            random,
            resolvers,
            agenda,
            distances,
            following: vec![vec![0.0; regions]; cities],
            answers: vec![0; cities],
            busy: vec![Change::NONE; cities],
            slow: vec![Change::NONE; regions],
            lost: vec![None; regions],
            is_mute: vec![false; regions],
            lies: vec![None; regions],
            recent: vec![Vec::new(); regions],
            said: vec![Vec::new(); regions],
            moved: 0.0,
            scenario,
        }
    }

    /// A second goes by. `weights`: of each city, the regions it is answered with, and how often.
    pub(crate) fn second(&mut self, weights: &[Vec<(usize, f64)>]) {
        self.now += 1;
        self.happen();
        self.answers.fill(0);
        self.moved = 0.0;
        let second = (self.now + self.scenario.warm_s) as usize;
        for number in self.agenda.get_mut(second).map(std::mem::take).unwrap_or_default() {
            self.turn(number, weights);
        }
        let loads = self.loads();
        for (region, load) in loads.iter().enumerate() {
            self.recent[region].push(*load);
            self.tell(region);
        }
    }

    /// A resolver forgets its answer, or asks for another.
    fn turn(&mut self, number: usize, weights: &[Vec<(usize, f64)>]) {
        let requests = self.requests(self.resolvers[number].city);
        let resolver = &mut self.resolvers[number];
        let city = resolver.city;
        if resolver.is_cached {
            resolver.is_cached = false;
            if let Some(region) = resolver.answered {
                self.following[city][region] -= resolver.part;
            }
            // Until the next client asks.
            let wait = self.random.wait(requests * resolver.part);
            if wait >= 1.0 {
                self.later(wait as i64, number);
                return;
            }
        }
        let Some(region) = drawn(resolver.hash, &weights[city]) else {
            self.later(1, number);
            return;
        };
        if resolver.answered.is_some_and(|before| before != region) {
            self.moved += resolver.part * requests;
        }
        (resolver.answered, resolver.is_cached) = (Some(region), true);
        self.following[city][region] += resolver.part;
        self.answers[city] += 1;
        let kept = i64::from(self.scenario.ttl_s) * if resolver.is_stubborn { 2 } else { 1 };
        self.later(kept, number);
    }

    /// Requests per second of a city.
    pub(crate) fn requests(&self, city: usize) -> f64 {
        self.scenario.cities[city].requests * self.busy[city].at(self.now)
    }

    /// What a request is worth in load at a region.
    pub(crate) fn worth(&self, region: usize) -> f64 {
        self.slow[region].at(self.now)
    }

    /// The load of each region; of a lost one none.
    pub(crate) fn loads(&self) -> Vec<f64> {
        let mut loads = vec![0.0; self.scenario.regions.len()];
        for (city, following) in self.following.iter().enumerate() {
            let requests = self.requests(city);
            for (load, part) in loads.iter_mut().zip(following) {
                *load += requests * part.max(0.0);
            }
        }
        for (region, load) in loads.iter_mut().enumerate() {
            *load *= if self.lost[region].is_some() { 0.0 } else { self.worth(region) };
        }
        loads
    }

    /// True if a region may be answered.
    pub(crate) fn is_usable(&self, region: usize) -> bool {
        let is_out = self.lost[region].is_some_and(|lost| self.now >= lost + DETECTED_S);
        !self.scenario.regions[region].is_closed && !is_out
    }

    /// The last reading that has arrived.
    pub(crate) fn reading(&self, region: usize) -> Option<Reading> {
        let arrived = |reading: &&Reading| reading.at + self.scenario.feed_late_s <= self.now;
        self.said[region].iter().rev().find(arrived).copied()
    }

    /// Kilometres from a city to a region.
    pub(crate) fn far(&self, city: usize, region: usize) -> f64 {
        self.distances[city][region]
    }

    /// A resolver does something in so many seconds, if that is before the end.
    fn later(&mut self, seconds: i64, number: usize) {
        let second = (self.now + self.scenario.warm_s + seconds) as usize;
        if let Some(agenda) = self.agenda.get_mut(second) {
            agenda.push(number);
        }
    }

    /// Kilometres that the clients go, each second.
    pub(crate) fn travelled(&self) -> f64 {
        let mut sum = 0.0;
        for (city, following) in self.following.iter().enumerate() {
            for (region, part) in following.iter().enumerate() {
                sum += self.requests(city) * part.max(0.0) * self.far(city, region);
            }
        }
        sum
    }

    fn happen(&mut self) {
        let now = self.now;
        let due: Vec<Event> =
            self.scenario.events.iter().filter(|event| event.0 == now).map(|event| event.1.clone()).collect();
        for event in due {
            match event {
                Event::Busy { continent, factor, over_s } => {
                    for (city, busy) in self.busy.iter_mut().enumerate() {
                        if self.scenario.cities[city].continent == continent {
                            let from = busy.at(now);
                            *busy = Change { from, to: from * factor, begun: now, over_s };
                        }
                    }
                }
                Event::Lose(region) => self.lost[region] = Some(now),
                Event::Open(region) => self.scenario.regions[region].is_closed = false,
                Event::Slow { region, factor, over_s } => {
                    self.slow[region] = Change { from: 1.0, to: factor, begun: now, over_s };
                }
                Event::Mute(region) => self.is_mute[region] = true,
                Event::Lie { region, load } => self.lies[region] = Some(load),
                Event::Capacity { region, target, max } => {
                    let region = &mut self.scenario.regions[region];
                    (region.target, region.max) = (target, max);
                }
            }
        }
    }

    /// A feed measures, at a second of its own.
    fn tell(&mut self, region: usize) {
        let every = self.scenario.feed_every_s;
        if (self.now + region as i64).rem_euclid(every) != 0 || self.is_mute[region] {
            return;
        }
        let recent = &mut self.recent[region];
        let mean = recent.iter().sum::<f64>() / recent.len().max(1) as f64;
        recent.clear();
        let noisy = (mean * (1.0 + self.random.normal() * self.scenario.feed_noise)).max(0.0);
        self.said[region].push(Reading { load: self.lies[region].unwrap_or(noisy), at: self.now });
    }
}

/// Kilometres between two places.
fn far(a: (f64, f64), b: (f64, f64)) -> f64 {
    let (a, b) = ((a.0.to_radians(), a.1.to_radians()), (b.0.to_radians(), b.1.to_radians()));
    let chord = ((b.0 - a.0) / 2.0).sin().powi(2) + a.0.cos() * b.0.cos() * ((b.1 - a.1) / 2.0).sin().powi(2);
    2.0 * 6_371.0 * chord.sqrt().asin()
}

/// Weighted rendezvous: what the buckets of `policy` come to for one client.
fn drawn(hash: u64, weights: &[(usize, f64)]) -> Option<usize> {
    let score = |&&(region, weight): &&(usize, f64)| {
        let draw = unit(mix(hash ^ mix(region as u64 + 1))).max(1e-300);
        -draw.ln() / weight.max(1e-12)
    };
    weights.iter().filter(|weight| weight.1 > 0.0).min_by(|a, b| score(a).total_cmp(&score(b))).map(|found| found.0)
}
