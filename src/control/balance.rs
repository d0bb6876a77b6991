//! Weights by what is fed: when they are reckoned anew, and what of them is published. The rules are
//! [`crate::policy::balance`]'s.
//!
//! Those who share by load are a *group*:
//!
//! ```text
//! group                                                     costs                         over          published as
//! endpoints of a service in a region, in one ring           the policy's `balance`        two TTLs      corrections
//! the regions of services with `prefer = "load"`            load, of target and max       two TTLs      target × correction
//! the regions of a service with `prefer = "response-time"`  the mean of its endpoints     two TTLs      corrections
//! ```
//!
//! A group is looked at when it hears something, and then as long as its shares are on their way; at most once a second, or
//! in a sixteenth of the time they take. What is down is not asked what it costs: it will say that it is idle.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::base::ids::{EndpointId, RegionId, ServiceId};
use crate::base::limits::{BALANCE_EASE_MS_MAX, BALANCE_EASE_MS_MIN, BALANCE_LOOK_MS};
use crate::base::moment::Moment;
use crate::dns::RecordType;
use crate::model::{Balance, Mode, Model, Prefer, Service};
use crate::policy::balance::{self, Candidate, Course, Eased, FAIR, Rest};

use super::hub::Control;
use super::step::Step;

/// All groups of a model.
#[derive(Clone, Debug, Default)]
pub(super) struct Balances {
    groups: Vec<Group>,
    /// The groups that depend on an endpoint,
    of_endpoint: BTreeMap<EndpointId, Vec<usize>>,
    /// and those that depend on the load of a region.
    of_region: BTreeMap<RegionId, Vec<usize>>,
    /// When to look at which.
    due: BTreeSet<(Moment, usize)>,
}

/// Those who share.
#[derive(Clone, Debug)]
struct Group {
    kind: Kind,
    /// Text keys, in the order of the course.
    keys: Vec<Arc<str>>,
    course: Course,
    /// By member: how long its load has not increased, where that counts.
    rests: Vec<Option<Rest>>,
    /// How long shares take to follow.
    over: Duration,
    looked: Moment,
    planned: Option<Moment>,
}

#[derive(Clone, Debug)]
enum Kind {
    Endpoints {
        service: ServiceId,
        ids: Vec<EndpointId>,
    },
    /// Services with the same regions and weights.
    Load {
        services: Vec<ServiceId>,
        regions: Vec<(RegionId, u32)>,
    },
    Time {
        service: ServiceId,
        regions: Vec<(RegionId, u32)>,
    },
}

/// What is known of a group at a moment: candidates in its order, and the rests that they follow from.
type Known = (Vec<Candidate>, Vec<Option<Rest>>);

impl Balances {
    pub(super) fn new(model: &Model) -> Self {
        let mut groups = Vec::new();
        let mut by_load: BTreeMap<Vec<(RegionId, u32)>, Vec<ServiceId>> = BTreeMap::new();
        for (id, service) in model.services() {
            let policy = model.policy(service);
            if policy.balance.is_fed() {
                groups.extend(rings(model, id, service));
            }
            let regions = regions_of(service);
            match policy.mode {
                _ if regions.len() < 2 => {}
                Mode::ActiveActive { prefer: Prefer::Load, .. } if model.shares_by_load(service) => {
                    by_load.entry(regions).or_default().push(id);
                }
                Mode::ActiveActive { prefer: Prefer::ResponseTime { .. }, .. } => {
                    groups.push(Group::of_regions(model, Kind::Time { service: id, regions }, ease(service)));
                }
                Mode::ActiveActive { .. } | Mode::ActivePassive { .. } | Mode::All => {}
            }
        }
        for (regions, services) in by_load {
            let of = |id: &ServiceId| model.services.get(id.index()).map(ease);
            let over = services.iter().filter_map(of).max().unwrap_or_default();
            groups.push(Group::of_regions(model, Kind::Load { services, regions }, over));
        }
        let mut balances = Self { groups, ..Self::default() };
        balances.index(model);
        balances
    }

    fn index(&mut self, model: &Model) {
        for (number, group) in self.groups.iter().enumerate() {
            match &group.kind {
                Kind::Endpoints { ids, .. } => {
                    ids.iter().for_each(|id| self.of_endpoint.entry(*id).or_default().push(number));
                }
                Kind::Load { regions, .. } => {
                    regions.iter().for_each(|(region, _)| self.of_region.entry(*region).or_default().push(number));
                }
                Kind::Time { service, .. } => {
                    let parts = model.services.get(service.index()).map_or(&[][..], |service| &service.regions);
                    for id in parts.iter().flat_map(|part| part.endpoint_ids()) {
                        self.of_endpoint.entry(id).or_default().push(number);
                    }
                }
            }
        }
    }

    /// True if nobody shares by load.
    pub(super) const fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// When a group is to be looked at.
    pub(super) fn first(&self) -> Option<Moment> {
        self.due.first().map(|(at, _)| *at)
    }

    /// Goes on where the groups of another model were, by text keys.
    fn resume(&mut self, old: Self, old_model: &Model, model: &Model) {
        let mut known: BTreeMap<(String, Arc<str>), (Eased, Option<Rest>)> = BTreeMap::new();
        for group in old.groups {
            let name = group.name(old_model);
            for ((key, eased), rest) in group.keys.iter().zip(group.course.members()).zip(group.rests) {
                known.insert((name.clone(), Arc::clone(key)), (*eased, rest));
            }
        }
        for group in &mut self.groups {
            let name = group.name(model);
            let own = |key: &Arc<str>| known.get(&(name.clone(), Arc::clone(key))).copied().unwrap_or_default();
            let (eased, rests): (Vec<Eased>, Vec<Option<Rest>>) = group.keys.iter().map(own).unzip();
            (group.course, group.rests) = (Course::new(eased), rests);
        }
    }

    fn plan(&mut self, number: usize, now: Moment) {
        let Some(group) = self.groups.get_mut(number).filter(|group| group.planned.is_none()) else { return };
        let at = group.looked.after(group.pause()).max(now);
        group.planned = Some(at);
        self.due.insert((at, number));
    }
}

impl Group {
    fn new(kind: Kind, keys: Vec<Arc<str>>, over: Duration) -> Self {
        let course = Course::new(keys.iter().map(|_| Eased::default()));
        let rests = vec![None; keys.len()];
        Self { kind, keys, course, rests, over, looked: Moment(0), planned: None }
    }

    fn of_regions(model: &Model, kind: Kind, over: Duration) -> Self {
        let key = |region: RegionId| model.regions.get(region.index()).map_or_else(Default::default, |r| Arc::clone(&r.key));
        let keys = match &kind {
            Kind::Load { regions, .. } | Kind::Time { regions, .. } => {
                regions.iter().map(|(region, _)| key(*region)).collect()
            }
            Kind::Endpoints { .. } => Vec::new(),
        };
        Self::new(kind, keys, over)
    }

    /// What it is called in any model.
    fn name(&self, model: &Model) -> String {
        match &self.kind {
            Kind::Endpoints { .. } => "endpoints".to_owned(),
            Kind::Load { regions, .. } => {
                let weights: Vec<String> = regions.iter().map(|(_, weight)| weight.to_string()).collect();
                format!("load {} {}", self.keys.join(","), weights.join(","))
            }
            Kind::Time { service, .. } => {
                model.services.get(service.index()).map_or_else(String::new, |service| format!("time {}", service.key))
            }
        }
    }

    /// The least time between two looks.
    fn pause(&self) -> Duration {
        (self.over / 16).max(Duration::from_millis(BALANCE_LOOK_MS))
    }
}

/// The groups of a service's endpoints: those that answer for the same types, reserves apart.
fn rings(model: &Model, service_id: ServiceId, service: &Service) -> Vec<Group> {
    let mut groups = Vec::new();
    for part in &service.regions {
        let mut alike: BTreeMap<(Vec<RecordType>, bool), Vec<EndpointId>> = BTreeMap::new();
        for id in part.endpoint_ids() {
            let Some(endpoint) = model.endpoints.get(id.index()) else { continue };
            let mut types: Vec<RecordType> = endpoint.records.iter().map(|record| record.rtype).collect();
            types.sort_unstable();
            types.dedup();
            alike.entry((types, endpoint.weight == 0)).or_default().push(id);
        }
        for ids in alike.into_values().filter(|ids| ids.len() > 1) {
            let keys = ids.iter().filter_map(|id| Some(Arc::clone(&model.endpoints.get(id.index())?.key))).collect();
            groups.push(Group::new(Kind::Endpoints { service: service_id, ids }, keys, ease(service)));
        }
    }
    groups
}

/// The regions of a service that share, with their weights: those of weight 0 wait for the others.
fn regions_of(service: &Service) -> Vec<(RegionId, u32)> {
    let regions = service.regions.iter().filter(|part| part.weight > 0);
    regions.map(|part| (part.region, part.weight)).collect()
}

/// How long the shares of a service take to follow: until caches have heard of a change and its consequences are fed, twice
/// as long as answers are kept.
fn ease(service: &Service) -> Duration {
    let ms = u64::from(service.ttl.max).saturating_mul(2_000);
    Duration::from_millis(ms.clamp(BALANCE_EASE_MS_MIN, BALANCE_EASE_MS_MAX))
}

impl Control {
    /// Puts the groups of the model in force in place of those before, which go on by their keys. `old_model`: the one
    /// before.
    pub(super) fn change_balances(&mut self, old_model: &Model, now: Moment) {
        let next = Balances::new(&self.model);
        let old = std::mem::replace(&mut self.balances, next);
        let model = Arc::clone(&self.model);
        self.balances.resume(old, old_model, &model);
        for number in 0..self.balances.groups.len() {
            self.publish_group(number, now);
            if let Some(group) = self.balances.groups.get_mut(number) {
                group.looked = now;
            }
            self.balances.plan(number, now);
        }
    }

    /// Something was heard about an endpoint.
    pub(super) fn heard_of_endpoint(&mut self, id: EndpointId, now: Moment) {
        for number in self.balances.of_endpoint.get(&id).cloned().unwrap_or_default() {
            self.balances.plan(number, now);
        }
    }

    /// Something was heard about the load of a region.
    pub(super) fn heard_of_region(&mut self, id: RegionId, now: Moment) {
        for number in self.balances.of_region.get(&id).cloned().unwrap_or_default() {
            self.balances.plan(number, now);
        }
    }

    /// Looks at the groups that are due.
    pub(super) fn balance(&mut self, step: &mut Step) {
        while let Some((at, number)) = self.balances.due.first().copied()
            && at <= step.now
        {
            self.balances.due.remove(&(at, number));
            self.look(number, step);
        }
    }

    /// Goes on with the shares of a group.
    fn look(&mut self, number: usize, step: &mut Step) {
        let Some((candidates, rests)) = self.known(number, step.now) else { return };
        let Some(group) = self.balances.groups.get_mut(number) else { return };
        let wanted = balance::corrections(&candidates);
        let elapsed = step.now.since(group.looked).min(group.pause() * 2);
        (group.rests, group.looked, group.planned) = (rests, step.now, None);
        let is_there = match (&wanted, &group.kind) {
            (Some(wanted), _) => {
                group.course.step(wanted, elapsed, group.over);
                group.course.is_there(wanted)
            }
            // They go on by their targets.
            (None, Kind::Load { .. }) => {
                let even = vec![FAIR; candidates.len()];
                group.course.step(&even, elapsed, group.over);
                group.course.is_there(&even)
            }
            (None, Kind::Endpoints { .. } | Kind::Time { .. }) => {
                group.course.reset();
                true
            }
        };
        if !is_there {
            self.balances.plan(number, step.now);
        }
        let changed = self.publish_group(number, step.now);
        step.changed.extend(&changed);
        if let Some(Kind::Endpoints { ids, .. }) = self.balances.groups.get(number).map(|group| &group.kind)
            && !changed.is_empty()
        {
            step.stale.extend(ids.first().and_then(|id| self.table.part_of(*id)));
        }
    }

    /// Brings the weights of a group into the states; the services for which they are others.
    fn publish_group(&mut self, number: usize, now: Moment) -> Vec<ServiceId> {
        let Some(group) = self.balances.groups.get(number) else { return Vec::new() };
        let held = group.course.members().iter().map(|eased| eased.held);
        let is_even = group.course.is_even();
        match &group.kind {
            Kind::Endpoints { service, ids } => {
                let mut differs = false;
                // By weight even fair shares are a draw, and an unfed ring takes turns.
                let is_off = is_even && !self.is_fed(group, now);
                for (id, held) in ids.iter().zip(held) {
                    if let Some(place) = self.states.load_weight.get_mut(id.index()) {
                        let weight = if is_off { 0 } else { held };
                        differs |= std::mem::replace(place, weight) != weight;
                    }
                }
                if differs { vec![*service] } else { Vec::new() }
            }
            Kind::Load { services, regions } => {
                let targets = self.targets_of(regions, now);
                let weight = |((region, _), (target, held)): (&(RegionId, u32), (u32, u16))| (*region, target * u32::from(held));
                let weights: Vec<(RegionId, u32)> = regions.iter().zip(targets.into_iter().zip(held)).map(weight).collect();
                let differs = |id: &ServiceId| self.states.region_weight.put(*id, weights.clone());
                services.clone().into_iter().filter(differs).collect()
            }
            Kind::Time { service, regions } => {
                let weight = |((region, _), held): (&(RegionId, u32), u16)| (*region, u32::from(held));
                let weights = if is_even { Vec::new() } else { regions.iter().zip(held).map(weight).collect() };
                if self.states.region_weight.put(*service, weights) { vec![*service] } else { Vec::new() }
            }
        }
    }
}
