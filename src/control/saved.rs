//! What outlives the process, as it stands in the state file: everything by text keys.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::base::ids::{EndpointId, RegionId, ServiceId};
use crate::base::moment::Moment;
use crate::health::{Health, Machine, Override, SavedGuard};
use crate::plan::Memory;

use super::evacuation::Evacuation;
use super::hub::Control;

/// The version of the format: files of other versions are not read.
const VERSION: u32 = 1;

/// What control was at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saved {
    /// Of the format.
    pub version: u32,
    /// When it was.
    pub at: Moment,
    /// By `check@address`: the machines of targets that had an outcome.
    pub machines: BTreeMap<String, Machine>,
    /// What operators said.
    pub overrides: Vec<Override>,
    /// The active regions of active-passive services.
    pub held: Vec<SavedHeld>,
    /// Regions being reintroduced.
    pub ramps: Vec<SavedRamp>,
    /// What the guard was at.
    pub guard: SavedGuard,
    /// Endpoints that it held up.
    pub guarded: Vec<String>,
    /// Endpoints that counted as down because they had no outcome yet.
    pub waiting: Vec<String>,
    /// Of services with nothing up: the endpoints that were up last.
    pub last_up: Vec<String>,
    /// What the capacity planner knew.
    #[serde(default)]
    pub plan: Memory,
    /// By safety rule: when an operator last changed its set.
    #[serde(default)]
    pub touched: BTreeMap<String, Moment>,
    /// Regions that were giving up their share.
    #[serde(default)]
    pub evacuations: Vec<Evacuation>,
}

/// The active region of a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedHeld {
    /// The service's key.
    pub service: String,
    /// The region's key.
    pub region: String,
    /// An operator switched to it.
    pub pinned: bool,
    /// Better regions, and since when each has been eligible.
    pub better: Vec<(String, Moment)>,
}

/// A region that is being reintroduced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedRamp {
    /// The service's key.
    pub service: String,
    /// The region's key.
    pub region: String,
    /// Since when.
    pub begun: Moment,
}

impl Control {
    /// What is to outlive the process.
    #[must_use]
    pub fn save(&self, now: Moment) -> Saved {
        let key_of = |index: usize| self.model.endpoints.get(index).map(|endpoint| endpoint.key.to_string());
        let guarded = self.guarded.iter().filter_map(|id| key_of(id.index()));
        let silent = (0..).zip(&self.real).filter(|(_, real)| **real == Health::Unknown);
        let waiting = silent.filter(|(index, _)| self.presumed.get(*index) == Some(&false));
        let machines = self.targets.iter().map(|(_, target)| target);
        let machines = machines.filter(|target| target.machine.health() != Health::Unknown);
        Saved {
            version: VERSION,
            at: now,
            machines: machines.map(|target| (target.key.to_string(), target.machine)).collect(),
            overrides: self.overrides.iter().cloned().collect(),
            held: self.save_held(),
            ramps: self.save_ramps(),
            guard: self.guard.save(),
            guarded: guarded.collect(),
            waiting: waiting.filter_map(|(index, _)| key_of(index)).collect(),
            last_up: self.save_last_up(),
            plan: self.plan_memory().map(|memory| Memory::clone(memory)).unwrap_or_default(),
            touched: self.safety.touched.iter().map(|(rule, at)| (rule.to_string(), *at)).collect(),
            evacuations: self.evacuations.values().cloned().collect(),
        }
    }

    /// Takes over what an earlier process left; to be called before the first model is adopted. True if its state of
    /// health is young enough to be trusted; overrides and active regions always are.
    pub fn restore(&mut self, now: Moment, saved: &Saved) -> bool {
        if saved.version != VERSION || self.has_begun {
            return false;
        }
        let is_fresh = now.since(saved.at) <= self.settings.state_max_age;
        for word in &saved.overrides {
            self.overrides.set(word.clone());
        }
        self.safety.touched = saved.touched.iter().map(|(rule, at)| (rule.as_str().into(), *at)).collect();
        for evacuation in &saved.evacuations {
            // After a restart the world is looked at for a while before it goes on.
            let due = evacuation.due.max(now.after(evacuation.every));
            self.evacuations.insert(evacuation.region.clone(), Evacuation { due, ..evacuation.clone() });
        }
        let held = || saved.held.iter().cloned();
        self.restored = Some(if is_fresh {
            self.guard.restore(saved.guard);
            self.remember_plan(&saved.plan);
            saved.clone()
        } else {
            Saved { held: held().map(|held| SavedHeld { better: Vec::new(), ..held }).collect(), ..Saved::default() }
        });
        is_fresh
    }

    /// Brings active regions and ramps of an earlier process into the first model.
    pub(super) fn take_up(&mut self, saved: &Saved) {
        for held in &saved.held {
            let region = |key: &str| self.model.region_by_key(key);
            let (Some(id), Some(active)) = (self.model.service_by_key(&held.service), region(&held.region)) else {
                continue;
            };
            let better = held.better.iter().filter_map(|(key, since)| Some((region(key)?, *since))).collect();
            if let Some(course) = self.courses.get_mut(id.index()) {
                (course.pinned, course.better) = (held.pinned, better);
            }
            self.hold(id, Some(active));
        }
        for ramp in &saved.ramps {
            let ids = (self.model.service_by_key(&ramp.service), self.model.region_by_key(&ramp.region));
            if let (Some(id), Some(region)) = ids
                && let Some(course) = self.courses.get_mut(id.index())
            {
                course.ramps.push((region, ramp.begun));
            }
        }
        for key in &saved.guarded {
            self.guarded.extend(self.model.endpoint_by_key(key));
        }
        for (key, service) in saved.last_up.iter().filter_map(|key| Some((key, key.split('/').next()?))) {
            let Some(id) = self.model.service_by_key(service) else { continue };
            let Some(endpoint) = self.model.endpoint_by_key(key) else { continue };
            // The first one of a service says that the others were down, unless they follow.
            let indices: Vec<usize> = self.endpoints_of(id).map(EndpointId::index).collect();
            let last = &mut self.states.last_up;
            if indices.iter().all(|&index| last.get(index) == Some(&true)) {
                indices.iter().for_each(|&index| last.get_mut(index).into_iter().for_each(|last| *last = false));
            }
            if let Some(last) = self.states.last_up.get_mut(endpoint.index()) {
                *last = true;
            }
        }
    }

    fn save_held(&self) -> Vec<SavedHeld> {
        let services = self.model.services().filter_map(|(id, service)| Some((id, service, self.held(id)?)));
        let saved = services.map(|(id, service, region)| {
            let course = self.courses.get(id.index());
            let better = course.into_iter().flat_map(|course| &course.better);
            SavedHeld {
                service: service.key.to_string(),
                region: self.region_key(region),
                pinned: course.is_some_and(|course| course.pinned),
                better: better.map(|(region, since)| (self.region_key(*region), *since)).collect(),
            }
        });
        saved.collect()
    }

    fn save_ramps(&self) -> Vec<SavedRamp> {
        let begun = |id: ServiceId, region: RegionId| {
            let mut ramps = self.courses.get(id.index())?.ramps.iter();
            ramps.find(|(ramped, _)| *ramped == region).map(|(_, begun)| *begun)
        };
        let saved = self.states.ramp.iter().filter_map(|(id, region, _)| {
            let service = self.model.services.get(id.index())?.key.to_string();
            Some(SavedRamp { service, region: self.region_key(region), begun: begun(id, region)? })
        });
        saved.collect()
    }

    fn save_last_up(&self) -> Vec<String> {
        let down = self.model.services().filter(|(id, _)| {
            // With something up, what is up is what was up last.
            !self.endpoints_of(*id).any(|endpoint| self.states.up.get(endpoint.index()) == Some(&true))
        });
        let endpoints = down.flat_map(|(id, _)| self.endpoints_of(id)).map(EndpointId::index);
        let up = endpoints.filter(|index| self.states.last_up.get(*index) == Some(&true));
        up.filter_map(|index| self.model.endpoints.get(index)).map(|endpoint| endpoint.key.to_string()).collect()
    }
}
