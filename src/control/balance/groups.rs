//! Who shares by load: the groups of a model, and how far the shares of each have come.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::base::ids::{EndpointId, RegionId, ServiceId};
use crate::base::limits::{BALANCE_EASE_MS_MAX, BALANCE_EASE_MS_MIN, BALANCE_LOOK_MS};
use crate::base::moment::Moment;
use crate::control::wiring::Wiring;
use crate::dns::RecordType;
use crate::model::{Balance, Mode, Model, Prefer, Service, ServiceRegion};
use crate::policy::balance::{Course, Eased, Rest};

/// All groups of a model.
#[derive(Clone, Debug, Default)]
pub(in crate::control) struct Balances {
    pub(super) groups: Vec<Group>,
    /// The groups that depend on an endpoint,
    pub(super) of_endpoint: BTreeMap<EndpointId, Vec<usize>>,
    /// those that depend on the time that the server of a target takes,
    pub(super) of_target: BTreeMap<u32, Vec<usize>>,
    /// and those that depend on the load of a region.
    pub(super) of_region: BTreeMap<RegionId, Vec<usize>>,
    /// When to look at which.
    pub(super) due: BTreeSet<(Moment, usize)>,
}

/// Those who share.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) kind: Kind,
    /// Text keys, in the order of the course.
    keys: Vec<Arc<str>>,
    pub(super) course: Course,
    /// By member: how long its load has not increased, where that counts.
    pub(super) rests: Vec<Option<Rest>>,
    /// Something is known of somebody.
    pub(super) is_fed: bool,
    /// How long shares take to follow.
    pub(super) over: Duration,
    pub(super) looked: Moment,
    pub(super) planned: Option<Moment>,
}

/// Who they are.
#[derive(Clone, Debug)]
pub(super) enum Kind {
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

impl Balances {
    pub(in crate::control) fn new(model: &Model, wiring: &Wiring) -> Self {
        let telling = model.regions_telling_load();
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
                Mode::ActiveActive { prefer: Prefer::Load, .. } if model.shares_by_load(service, telling) => {
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
        balances.index(model, wiring);
        balances
    }

    fn index(&mut self, model: &Model, wiring: &Wiring) {
        for (number, group) in self.groups.iter().enumerate() {
            if let Kind::Load { regions, .. } = &group.kind {
                regions.iter().for_each(|(region, _)| self.of_region.entry(*region).or_default().push(number));
            }
            let endpoints = group.endpoints(model);
            if group.is_timed(model) {
                let targets: BTreeSet<u32> = endpoints.iter().flat_map(|id| wiring.needs(*id)).copied().collect();
                targets.into_iter().for_each(|target| self.of_target.entry(target).or_default().push(number));
            }
            endpoints.into_iter().for_each(|id| self.of_endpoint.entry(id).or_default().push(number));
        }
    }

    /// True if nobody shares by load.
    pub(in crate::control) const fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// When a group is to be looked at.
    pub(in crate::control) fn first(&self) -> Option<Moment> {
        self.due.first().map(|(at, _)| *at)
    }

    /// Goes on where the groups of another model were, by text keys.
    pub(super) fn resume(&mut self, old: Self, old_model: &Model, model: &Model) {
        type Member = (Eased, Option<Rest>, bool);
        let mut known: BTreeMap<(String, Arc<str>), Member> = BTreeMap::new();
        for group in old.groups {
            let name = group.name(old_model);
            for ((key, eased), rest) in group.keys.iter().zip(group.course.members()).zip(group.rests) {
                known.insert((name.clone(), Arc::clone(key)), (*eased, rest, group.is_fed));
            }
        }
        for group in &mut self.groups {
            let name = group.name(model);
            let own = |key: &Arc<str>| known.get(&(name.clone(), Arc::clone(key))).copied().unwrap_or_default();
            let members: Vec<Member> = group.keys.iter().map(own).collect();
            group.course = Course::new(members.iter().map(|(eased, ..)| *eased));
            group.rests = members.iter().map(|(_, rest, _)| *rest).collect();
            group.is_fed = members.iter().any(|(.., is_fed)| *is_fed);
        }
    }

    pub(super) fn plan(&mut self, number: usize, now: Moment) {
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
        Self { kind, keys, course, rests, is_fed: false, over, looked: Moment(0), planned: None }
    }

    fn of_regions(model: &Model, kind: Kind, over: Duration) -> Self {
        let key =
            |region: RegionId| model.regions.get(region.index()).map_or_else(Default::default, |r| Arc::clone(&r.key));
        let keys = match &kind {
            Kind::Load { regions, .. } | Kind::Time { regions, .. } => {
                regions.iter().map(|(region, _)| key(*region)).collect()
            }
            Kind::Endpoints { .. } => Vec::new(),
        };
        Self::new(kind, keys, over)
    }

    /// The endpoints that it depends on.
    fn endpoints(&self, model: &Model) -> Vec<EndpointId> {
        match &self.kind {
            Kind::Endpoints { ids, .. } => ids.clone(),
            Kind::Load { .. } => Vec::new(),
            Kind::Time { service, .. } => {
                let parts = model.services.get(service.index()).map_or(&[][..], |service| &service.regions);
                parts.iter().flat_map(ServiceRegion::endpoint_ids).collect()
            }
        }
    }

    /// True if what checks see of the time that servers take can change it.
    fn is_timed(&self, model: &Model) -> bool {
        match &self.kind {
            Kind::Endpoints { service, .. } => {
                let service = model.services.get(service.index());
                service.is_some_and(|service| model.policy(service).balance == Balance::LeastResponseTime)
            }
            Kind::Load { .. } => false,
            Kind::Time { .. } => true,
        }
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
    pub(super) fn pause(&self) -> Duration {
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
