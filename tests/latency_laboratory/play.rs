//! A world played: measurements go in, clients go where the atlas has them.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use meridian::base::moment::Moment;
use meridian::geo::{Atlas, Measured, Nearness, Places};
use meridian::latency::{ClientNetwork, Measurement, Settings, Source, Survey, microseconds};
use meridian::model::{GeoRanking, Model};

use crate::random::Random;
use crate::world::{Database, World, lot};

/// Who measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    /// Pages: the ways to all regions.
    Beacon,
    /// Agents: the way to the region where the client is.
    Passive,
    /// Agents, where one connection in twenty goes to another region, by caches that are old or services that go elsewhere.
    Stray,
}

/// How a world is played.
#[derive(Clone, Copy)]
pub(crate) struct Rules {
    pub(crate) who: Who,
    pub(crate) database: Database,
    /// The part of networks that is measured.
    pub(crate) coverage: f64,
    /// Seconds between two measurements of one network.
    pub(crate) every_s: u64,
    /// Seconds between two steps.
    pub(crate) step_s: u64,
}

/// A world being played.
pub(crate) struct Play<'w> {
    pub(crate) world: &'w World,
    pub(crate) rules: Rules,
    pub(crate) survey: Survey,
    model: Model,
    places: Arc<Places>,
    measured: Arc<Measured>,
    /// By network: the region where it goes.
    pub(crate) chosen: Vec<usize>,
    is_stale: bool,
    pub(crate) second: u64,
    random: Random,
}

impl<'w> Play<'w> {
    pub(crate) fn new(world: &'w World, rules: Rules) -> Self {
        let (model, places) = (world.model(), Arc::new(world.places(rules.database)));
        let mut survey = Survey::new(Settings::default());
        survey.attend(&model, &places);
        let mut play = Self {
            world,
            rules,
            survey,
            model,
            places,
            measured: Arc::default(),
            chosen: Vec::new(),
            is_stale: false,
            second: 0,
            random: Random(7),
        };
        play.chosen = play.by(play.by_latency());
        play
    }

    fn moment(&self) -> Moment {
        Moment(1_000_000_000 + self.second * 1_000)
    }

    fn by_latency(&self) -> Nearness {
        Nearness::Latency { tolerance_us: 0, measured: Arc::clone(&self.measured) }
    }

    /// Where clients go by this, network by network.
    pub(crate) fn by(&self, nearness: Nearness) -> Vec<usize> {
        let all = (1 << self.world.regions()) - 1;
        let atlas = Atlas::build(&self.places, &self.model, GeoRanking::Distance, nearness, all);
        let of = |address: u32| {
            let (class, _) = atlas.locate(IpAddr::V4(Ipv4Addr::from_bits(address | 1)));
            atlas.class(class).tiers[0].trailing_zeros() as usize
        };
        self.world.networks.iter().map(|network| of(network.address)).collect()
    }

    /// Plays until a second.
    pub(crate) fn until(&mut self, second: u64) {
        while self.second < second {
            self.measure();
            self.second += self.rules.step_s;
            if let Some(measured) = self.survey.step(self.moment()) {
                self.measured = measured;
                self.is_stale = true;
            }
            if self.rules.who != Who::Beacon {
                self.refresh();
            }
        }
        self.refresh();
    }

    fn refresh(&mut self) {
        if std::mem::take(&mut self.is_stale) {
            self.chosen = self.by(self.by_latency());
        }
    }

    /// What is measured until the next step.
    fn measure(&mut self) {
        let Rules { who, coverage, every_s, step_s, .. } = self.rules;
        for network in 0..self.world.networks.len() {
            if lot(3, network) >= coverage {
                continue;
            }
            // Each at its own second.
            let phase = (lot(4, network) * every_s as f64) as u64;
            for second in self.second..self.second + step_s {
                if second % every_s == phase {
                    self.measure_one(network, who, second);
                }
            }
        }
    }

    fn measure_one(&mut self, network: usize, who: Who, second: u64) {
        let (source, regions) = match who {
            Who::Beacon => (Source::Beacon, 0..self.world.regions()),
            Who::Passive => (Source::Agent, self.chosen[network]..self.chosen[network] + 1),
            Who::Stray => {
                let strays = self.random.part() < 0.05;
                let any = (self.random.part() * self.world.regions() as f64) as usize;
                let region = if strays { any } else { self.chosen[network] };
                (Source::Agent, region..region + 1)
            }
        };
        let client = ClientNetwork::of(Ipv4Addr::from_bits(self.world.networks[network].address).into()).unwrap();
        for region in regions {
            let ms = self.world.sample_ms(network, region, second, &mut self.random);
            let us = microseconds(ms).unwrap();
            let measurement = Measurement { client, region: self.world.key(region).into(), us, samples: 1, at: None };
            // Where the database is wrong, what is true may look impossible.
            let _ = self.survey.take(Moment(1_000_000_000 + second * 1_000), source, &measurement);
        }
    }

    /// True if a network goes where no other region is better by more than what the default margin asks for, and a half.
    pub(crate) fn is_right(&self, network: usize) -> bool {
        let truth = |region| self.world.truth_ms(network, region, self.second);
        let best = (0..self.world.regions()).map(truth).fold(f64::INFINITY, f64::min);
        truth(self.chosen[network]) <= (best * 1.15).max(best + 7.5)
    }

    /// Demand and what its clients lose against the best that could be chosen now, milliseconds.
    pub(crate) fn regret(&self, chosen: &[usize]) -> Vec<(f64, f64)> {
        let world = self.world;
        let of = |(network, &chosen): (usize, &usize)| {
            let truth = |region| world.truth_ms(network, region, self.second);
            let best = (0..world.regions()).map(truth).fold(f64::INFINITY, f64::min);
            (world.networks[network].demand, truth(chosen) - best)
        };
        chosen.iter().enumerate().map(of).collect()
    }
}

/// What clients lose, milliseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Regret {
    pub(crate) p50: f64,
    pub(crate) p95: f64,
    pub(crate) mean: f64,
    /// The part of demand that loses more than 25 ms.
    pub(crate) far: f64,
}

impl Regret {
    pub(crate) fn of(mut found: Vec<(f64, f64)>) -> Self {
        found.sort_by(|a, b| a.1.total_cmp(&b.1));
        let total: f64 = found.iter().map(|(demand, _)| demand).sum();
        let quantile = |part: f64| {
            let mut left = total * part;
            let reached = |(demand, _): &&(f64, f64)| {
                left -= demand;
                left <= 0.0
            };
            found.iter().find(reached).map_or(0.0, |(_, ms)| *ms)
        };
        let mean = found.iter().map(|(demand, ms)| demand * ms).sum::<f64>() / total;
        let far = found.iter().filter(|(_, ms)| *ms > 25.0).map(|(demand, _)| demand).sum::<f64>() / total;
        Self { p50: quantile(0.5), p95: quantile(0.95), mean, far }
    }
}
