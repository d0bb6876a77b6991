//! A model comes into force, the first one or by a reload: states are carried over by text keys.
//!
//! ```text
//! thing                         is carried over by
//! machine, counters, outcome    check@address; counters are cleared if the check was edited
//! up, guarded, last up          service/region/address
//! active region, ramp, wait     service and region
//! evacuations                   region
//! failovers, flaps              service, service/region/address
//! words of operators            their target
//! shares by load               service/region/address; regions; service and region
//! readings of load feeds        region, service/region/address; unless another number is fed now
//! eligible or not               service and region: one that was enabled by the reload comes back like any other
//! ```

use std::sync::Arc;

use crate::base::ids::{EndpointId, RegionId, ServiceId};
use crate::base::moment::Moment;
use crate::health::Health;
use crate::model::{Model, Service, ServiceRegion};
use crate::table::{RegionTable, States};

use super::course::{Course, ramp_part};
use super::event::{Effects, Event, EventKind};
use super::hub::Control;
use super::judge::Published;
use super::loads::Loads;
use super::saved::Saved;
use super::step::Step;
use super::wiring::Wiring;
use super::words::Words;

/// The model before, and what was known about it.
struct Old {
    model: Arc<Model>,
    states: States,
    flaps: Vec<u32>,
    courses: Vec<Course>,
    /// By region of the new model: the one of the same key.
    regions: Vec<Option<RegionId>>,
}

impl Control {
    /// A model comes into force.
    pub fn adopt(&mut self, now: Moment, model: Arc<Model>) -> Effects {
        let mut step = Step::new(now);
        (step.all, step.save, step.refeed) = (true, true, true);
        let expired = self.overrides.expire(now);
        expired.iter().for_each(|word| step.tell(super::clock::word_event(now, EventKind::OverrideExpired, word)));
        let saved = self.restored.take().unwrap_or_default();
        let is_same = Arc::ptr_eq(&model, &self.model);
        let old = self.change_model(model, &saved, &mut step);
        if is_same {
            self.states.plans = old.states.plans.clone();
        } else {
            self.forget_plan();
        }
        let told = self.told(&old);
        step.tell(Event::new(now, EventKind::ModelAdopted, told));
        self.carry_services(&old, &saved, now);
        self.adopt_evacuations(&mut step);
        self.carry_endpoints(&old, &saved, &mut step);
        self.words = Words::new(&self.model, &self.overrides);
        let ids: Vec<ServiceId> = (0..).map(ServiceId).take(self.model.services.len()).collect();
        for &id in &ids {
            self.apply_words(id);
        }
        self.count_up();
        self.change_feeds(Loads::of(&self.model, now), &mut step);
        self.change_balances(&old.model, now);
        self.table = RegionTable::build(&self.model, &self.states, 0);
        let model = Arc::clone(&self.model);
        for &id in &ids {
            self.carry_eligible(&old, id);
            self.follow(&model, id, &mut step);
        }
        self.adopt_rules(&mut step);
        if self.guard.is_holding()
            && self.guarded.is_empty()
            && let Some(turn) = self.guard.over()
        {
            self.guard_turns(turn, &mut step);
        }
        self.has_begun = true;
        step.finish()
    }

    /// Puts the new model and its targets in place of the old.
    fn change_model(&mut self, model: Arc<Model>, saved: &Saved, step: &mut Step) -> Old {
        let mut targets = self.targets.begin(saved.machines.clone());
        let wiring = Wiring::new(&model, &mut targets);
        for (number, reference) in self.settings.references.iter().enumerate() {
            targets.want_reference(number, *reference);
        }
        step.retarget = targets.finish();
        let regions = model.regions.iter().map(|region| self.model.region_by_key(&region.key)).collect();
        let states = std::mem::replace(&mut self.states, States::all_up(&model));
        let old = Old {
            model: std::mem::replace(&mut self.model, model),
            states,
            flaps: std::mem::take(&mut self.flaps),
            courses: std::mem::take(&mut self.courses),
            regions,
        };
        self.wiring = Arc::new(wiring);
        self.agenda.clear();
        self.courses = vec![Course::default(); self.model.services.len()];
        let count = self.model.endpoints.len();
        self.flaps = vec![0; count];
        self.real = (0..).map(EndpointId).take(count).map(|id| self.real_of(id)).collect();
        old
    }

    /// Active regions, ramps and the waits of new services.
    fn carry_services(&mut self, old: &Old, saved: &Saved, now: Moment) {
        self.take_up(saved);
        let model = Arc::clone(&self.model);
        let to_new =
            |region: RegionId| old.model.regions.get(region.index()).and_then(|old| model.region_by_key(&old.key));
        for (id, service) in model.services() {
            let Some(before) = old.model.service_by_key(&service.key) else { continue };
            let Some(course) = old.courses.get(before.index()) else { continue };
            let moments = |list: &[(RegionId, Moment)]| -> Vec<(RegionId, Moment)> {
                list.iter().filter_map(|(region, at)| Some((to_new(*region)?, *at))).collect()
            };
            let held = old.states.held.get(before.index()).copied().flatten().and_then(to_new);
            self.hold(id, held);
            if let Some(new) = self.courses.get_mut(id.index()) {
                new.pinned = course.pinned;
                new.better = moments(&course.better);
                (new.is_held_back, new.retry) = (course.is_held_back, course.retry);
                new.ramps = moments(&course.ramps);
                new.standing = course.standing;
                new.failovers = course.failovers;
            }
        }
        for (id, service) in model.services() {
            self.carry_ramps(id, service, now);
        }
        let waiting = std::mem::take(&mut self.newcomers);
        for (at, services) in waiting {
            let keys = services.iter().filter_map(|id| old.model.services.get(id.index()));
            let ids: Vec<ServiceId> = keys.filter_map(|service| model.service_by_key(&service.key)).collect();
            if !ids.is_empty() {
                self.newcomers.insert(at, ids);
            }
        }
    }

    /// The steps that ramps have come to; those that are over, or that the policy does not know, end.
    fn carry_ramps(&mut self, id: ServiceId, service: &Service, now: Moment) {
        let ramp = self.ramp_of(service);
        let Some(course) = self.courses.get_mut(id.index()) else { return };
        course.ramps.retain(|&(region, begun)| {
            let is_there = service.regions.iter().any(|part| part.region == region);
            match ramp.filter(|_| is_there).and_then(|ramp| ramp_part(begun, ramp, now)) {
                Some(part) => self.states.ramp.set(id, region, Some(part)).is_none(),
                None => false,
            }
        });
    }

    /// What endpoints are, and what they are presumed to be.
    fn carry_endpoints(&mut self, old: &Old, saved: &Saved, step: &mut Step) {
        let model = Arc::clone(&self.model);
        let mut guarded: std::collections::BTreeSet<EndpointId> =
            if self.has_begun { Default::default() } else { std::mem::take(&mut self.guarded) };
        self.guarded.clear();
        self.presumed = vec![true; model.endpoints.len()];
        let waiting: Vec<EndpointId> = saved.waiting.iter().filter_map(|key| model.endpoint_by_key(key)).collect();
        let mut newcomers = Vec::new();
        for (id, service) in model.services() {
            let before = old.model.service_by_key(&service.key);
            if before.is_none() && !self.silent(id).is_empty() {
                newcomers.push(id);
            }
            let Some(before) = before.and_then(|before| old.model.services.get(before.index())) else { continue };
            for endpoint in service.regions.iter().flat_map(ServiceRegion::endpoint_ids) {
                let index = endpoint.0;
                let was = old.endpoint(&model, before, endpoint);
                let of = |states: &[bool]| was.and_then(|was| states.get(was.index()).copied()).unwrap_or(false);
                let (up, last_up) = (of(&old.states.up), of(&old.states.last_up));
                // One that is new waits for its first pass.
                set(&mut self.presumed, index, up);
                set(&mut self.states.last_up, index, last_up);
                set(&mut self.flaps, index, was.and_then(|was| old.flaps.get(was.index()).copied()).unwrap_or(0));
                if of(&old.states.guarded) {
                    guarded.insert(endpoint);
                }
            }
        }
        for id in waiting {
            set(&mut self.presumed, id.0, false);
        }
        if !newcomers.is_empty() {
            self.newcomers.entry(step.now.after(self.settings.start_wait)).or_default().extend(newcomers);
        }
        self.states.up.clone_from(&self.presumed);
        // Before a first model nothing was up that the guard could hold, but what it held.
        if !self.has_begun {
            self.states.up.fill(false);
        }
        self.guarded = guarded;
        let mut up = vec![0; model.regions.len()];
        for (id, endpoint) in (0..).map(EndpointId).zip(&model.endpoints) {
            if self.real.get(id.index()) == Some(&Health::Up) && !self.wiring.needs(id).is_empty() {
                up.get_mut(endpoint.region.index()).into_iter().for_each(|count| *count += 1);
            }
            let published = self.put_endpoint(id);
            let was_there = self.has_begun && old.endpoint_of(&model, id).is_some();
            let kind = match published {
                Published::Up => EventKind::EndpointUp,
                Published::Down => EventKind::EndpointDown,
                Published::Same | Published::Otherwise => continue,
            };
            if was_there {
                self.count_flap(id);
                self.tell_endpoint(id, endpoint.region, kind, step);
            }
        }
        self.guard.count(up);
    }

    /// Which regions of a service were eligible; one that is new to it counts as it is now.
    fn carry_eligible(&mut self, old: &Old, id: ServiceId) {
        let model = Arc::clone(&self.model);
        let Some(service) = model.services.get(id.index()) else { return };
        let now = self.table.eligible(id);
        let before = old.model.service_by_key(&service.key);
        let known =
            before.and_then(|before| Some((old.courses.get(before.index())?, old.model.services.get(before.index())?)));
        let mut eligible = 0;
        for part in &service.regions {
            let bit = 1_u128 << part.region.index();
            let was = known.zip(old.regions.get(part.region.index()).copied().flatten()).and_then(
                |((course, before), region)| {
                    let is_there = before.regions.iter().any(|part| part.region == region);
                    is_there.then_some(course.eligible >> region.index() & 1 == 1)
                },
            );
            if was.unwrap_or(now & bit != 0) {
                eligible |= bit;
            }
        }
        if let Some(course) = self.courses.get_mut(id.index()) {
            course.eligible = eligible;
        }
    }

    /// How many endpoints of each service are up, and what was up when it last had anything up.
    fn count_up(&mut self) {
        let model = Arc::clone(&self.model);
        (self.ups, self.keeps_up) = (vec![0; model.services.len()], vec![false; model.services.len()]);
        for (id, service) in model.services() {
            let indices = || service.regions.iter().flat_map(ServiceRegion::endpoint_ids).map(EndpointId::index);
            let is = |states: &[bool], index: usize| states.get(index).copied().unwrap_or(false);
            let up = indices().filter(|&index| is(&self.states.up, index)).count();
            // If nobody ever saw any of it up, all are as good.
            let is_unknown = up == 0 && !indices().any(|index| is(&self.states.last_up, index));
            if up > 0 || is_unknown {
                for index in indices() {
                    let value = is_unknown || is(&self.states.up, index);
                    self.states.last_up.get_mut(index).into_iter().for_each(|last| *last = value);
                }
            }
            if let (Some(count), Some(keeps)) = (self.ups.get_mut(id.index()), self.keeps_up.get_mut(id.index())) {
                (*count, *keeps) = (u32::try_from(up).unwrap_or(u32::MAX), up > 0);
            }
        }
    }

    fn told(&self, old: &Old) -> String {
        let (regions, services, endpoints) =
            (self.model.regions.len(), self.model.services.len(), self.model.endpoints.len());
        let gone =
            old.model.services.iter().filter(|service| self.model.service_by_key(&service.key).is_none()).count();
        let gone = if gone > 0 { format!("; {gone} services are gone") } else { String::new() };
        format!("{regions} regions, {services} services, {endpoints} endpoints{gone}")
    }
}

impl Old {
    /// The endpoint of the same key in the old version of its service.
    fn endpoint(&self, model: &Model, service: &Service, id: EndpointId) -> Option<EndpointId> {
        let endpoint = model.endpoints.get(id.index())?;
        let region = self.regions.get(endpoint.region.index()).copied().flatten()?;
        let mut ids = service.regions.iter().find(|part| part.region == region)?.endpoint_ids();
        ids.find(|id| self.model.endpoints.get(id.index()).is_some_and(|old| old.key == endpoint.key))
    }

    fn endpoint_of(&self, model: &Model, id: EndpointId) -> Option<EndpointId> {
        let service = model.services.get(model.endpoints.get(id.index())?.service.index())?;
        let before = self.model.service_by_key(&service.key)?;
        self.endpoint(model, self.model.services.get(before.index())?, id)
    }
}

fn set<T>(values: &mut [T], index: u32, value: T) {
    if let Some(place) = values.get_mut(index as usize) {
        *place = value;
    }
}
