//! Who steers: the planner, and what others do.

use meridian::base::hash::steering_hash;
use meridian::base::moment::Moment;
use meridian::plan::{Capacity, Plan, Planner, Reported, Site, Situation, Unit, WHOLE};

use crate::world::World;

/// Of each city, the regions it is answered with, and how often.
pub(crate) type Weights = Vec<Vec<(usize, f64)>>;

/// The ways of steering that are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Planner,
    /// A clairvoyant: true loads at once, no noise, no pace. Nobody can do better but for what caches hold.
    Best,
    /// NS1's shedding: with a load between low and high a part of the answers skips the region.
    Linear,
    /// F5's limits: a region at its limit is not answered.
    Limit,
}

impl Way {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Planner => "**planner**",
            Self::Best => "best",
            Self::Linear => "linear shed",
            Self::Limit => "hard limit",
        }
    }
}

pub(crate) struct Steerer {
    way: Way,
    planner: Planner,
    /// Answers per second of each city, smoothed.
    demand: Vec<f64>,
    pub(crate) plan: Plan,
    usable: Vec<bool>,
    /// Seconds between two looks.
    step_s: i64,
}

/// Seconds that demand is smoothed over.
const SMOOTHED_S: f64 = 30.0;
/// Seconds after which a reading is stale, and too old.
const STALE_S: (i64, i64) = (15, 60);
/// The moment 0.
const EPOCH_MS: i64 = 1_700_000_000_000;

impl Steerer {
    pub(crate) fn new(way: Way, world: &World, step_s: i64) -> Self {
        let cities = world.scenario.cities.len();
        Self {
            way,
            planner: Planner::new(),
            demand: vec![0.0; cities],
            plan: Plan::default(),
            usable: Vec::new(),
            step_s,
        }
    }

    /// Looks at the world; new weights if there are any.
    pub(crate) fn look(&mut self, world: &World) -> Option<Weights> {
        // An average at first, so that it is right from the beginning.
        let age = (world.now + world.scenario.warm_s + 1) as f64;
        for (demand, &answers) in self.demand.iter_mut().zip(&world.answers) {
            *demand += (answers as f64 - *demand) / SMOOTHED_S.min(age.max(1.0));
        }
        let usable: Vec<bool> = (0..world.scenario.regions.len()).map(|region| world.is_usable(region)).collect();
        let has_changed = usable != self.usable;
        self.usable = usable;
        if !has_changed && world.now.rem_euclid(self.step_s) != 0 {
            return None;
        }
        Some(match self.way {
            Way::Planner => self.planned(world),
            Way::Best => self.best(world),
            Way::Linear => self.linear(world),
            Way::Limit => self.limited(world),
        })
    }

    fn planned(&mut self, world: &World) -> Weights {
        let sites = world.scenario.regions.iter().enumerate().map(|(number, region)| {
            let load = match world.reading(number) {
                Some(reading) if world.now - reading.at <= STALE_S.0 => {
                    Reported::Fresh(thousandths(reading.load), moment(reading.at))
                }
                Some(reading) if world.now - reading.at <= STALE_S.1 => Reported::Held(thousandths(reading.load)),
                Some(_) | None => Reported::Silent,
            };
            site(&region.key, region.target, region.max, load)
        });
        let situation = Situation {
            sites: sites.collect(),
            units: self.units(world, |city| self.demand[city]),
            ..Situation::default()
        };
        self.plan = self.planner.step(moment(world.now), &situation);
        weights(&situation, &self.plan)
    }

    /// By what clients ask in truth, and what they are worth in truth.
    fn best(&mut self, world: &World) -> Weights {
        let sites = world.scenario.regions.iter().enumerate().map(|(number, region)| {
            let worth = world.worth(number);
            site(&region.key, region.target / worth, region.max / worth, Reported::Estimated)
        });
        let units = self.units(world, |city| world.requests(city));
        let situation = Situation { sites: sites.collect(), units, ..Situation::default() };
        self.plan = Planner::new().step(moment(world.now), &situation);
        weights(&situation, &self.plan)
    }

    /// Each answer skips a region with the probability (load - low) / (high - low), at the next one again.
    fn linear(&self, world: &World) -> Weights {
        self.by_order(world, |region, load| {
            let of = &world.scenario.regions[region];
            1.0 - ((load - of.target) / (of.max - of.target)).clamp(0.0, 1.0)
        })
    }

    fn limited(&self, world: &World) -> Weights {
        self.by_order(world, |region, load| if load >= world.scenario.regions[region].max { 0.0 } else { 1.0 })
    }

    /// The nearest region takes a part, the next one a part of the rest, and so on; what nobody takes goes to the nearest.
    fn by_order(&self, world: &World, part: impl Fn(usize, f64) -> f64) -> Weights {
        let of_city = |city: usize| {
            let mut rest = 1.0;
            let mut weights = Vec::new();
            let order = self.order(world, city);
            for &(region, _) in &order {
                let load = world.reading(region).map_or(0.0, |reading| reading.load);
                let taken = rest * part(region, load);
                weights.push((region, taken));
                rest -= taken;
            }
            if let Some(nearest) = weights.first_mut() {
                nearest.1 += rest;
            }
            weights
        };
        (0..world.scenario.cities.len()).map(of_city).collect()
    }

    /// Usable regions, the nearest first.
    fn order(&self, world: &World, city: usize) -> Vec<(usize, f64)> {
        let usable = (0..self.usable.len()).filter(|&region| self.usable[region]);
        let mut order: Vec<(usize, f64)> = usable.map(|region| (region, world.far(city, region))).collect();
        order.sort_by(|a, b| a.1.total_cmp(&b.1));
        order
    }

    fn units(&self, world: &World, demand: impl Fn(usize) -> f64) -> Vec<Unit> {
        let unit = |(city, of): (usize, &crate::script::City)| {
            let order = self.order(world, city);
            let choices: Vec<(u8, u32)> =
                order.iter().map(|&(region, far)| (u8::try_from(region).unwrap(), far as u32)).collect();
            Unit {
                key: steering_hash(&[of.key.as_bytes()]),
                demand: thousandths(demand(city)),
                home: choices.first().map(|&(region, _)| (region, 1)).into_iter().collect(),
                choices,
                ttl_s: world.scenario.ttl_s,
                spills: true,
            }
        };
        world.scenario.cities.iter().enumerate().map(unit).collect()
    }
}

/// What a plan answers each city with.
fn weights(situation: &Situation, plan: &Plan) -> Weights {
    let of = |(unit, planned): (&Unit, &Vec<(u8, u16)>)| {
        if planned.is_empty() {
            unit.home.iter().map(|&(site, weight)| (usize::from(site), f64::from(weight))).collect()
        } else {
            planned.iter().map(|&(site, share)| (usize::from(site), f64::from(share) / f64::from(WHOLE))).collect()
        }
    };
    situation.units.iter().zip(&plan.units).map(of).collect()
}

fn site(key: &str, target: f64, max: f64, load: Reported) -> Site {
    let capacity = Some(Capacity { target: thousandths(target), max: thousandths(max) });
    Site { key: steering_hash(&[key.as_bytes()]), capacity, load }
}

fn thousandths(value: f64) -> u64 {
    (value * 1_000.0).round().max(0.0) as u64
}

fn moment(second: i64) -> Moment {
    Moment(u64::try_from(EPOCH_MS + second * 1_000).unwrap())
}
