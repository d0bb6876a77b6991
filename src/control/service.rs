//! A service and its endpoints, for people.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::base::ids::{EndpointId, RegionId, ServiceId};
use crate::base::limits::EVENT_NAMES_MAX;
use crate::base::moment::Moment;
use crate::health::{Action, Health};
use crate::model::{Failback, Mode, Prefer};
use crate::table::{STEADY, Word};

use super::fed::FedView;
use super::hub::Control;

/// A service.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ServiceView {
    /// Its key.
    pub key: String,
    /// Some of its names.
    pub names: Vec<String>,
    /// How many names it has.
    pub name_count: usize,
    /// The key of its policy.
    pub policy: String,
    /// `active-active`, `active-passive` or `all`.
    pub mode: &'static str,
    /// What ranks regions in active-active: `geo`, `latency`, `load`, `response-time` or `equal`.
    pub prefer: Option<&'static str>,
    /// How long its answers may be kept.
    pub ttl: TtlView,
    /// What its regions are usable for: `eligible`, `drained`, `some-up`, `all-down` or `gone`.
    pub standing: &'static str,
    /// Seconds to the next change that only the clock brings, if that is near.
    pub change_s: Option<u32>,
    /// Its active region; `None` if it is not active-passive.
    pub active: Option<ActiveView>,
    /// Regions being reintroduced.
    pub ramps: Vec<RampView>,
    /// By region: why it is usable or not.
    pub regions: Vec<(String, &'static str)>,
    /// Its endpoints.
    pub endpoints: Vec<EndpointView>,
}

/// How long answers may be kept, seconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TtlView {
    /// The least.
    pub min: u32,
    /// The most.
    pub max: u32,
    /// By region, for clients that it ranks first for. Whoever has the snapshot fills it in.
    pub now: BTreeMap<String, u32>,
}

/// The active region of an active-passive service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ActiveView {
    /// Its key.
    pub region: String,
    /// An operator switched to it.
    pub switched: bool,
    /// The best region that waits to become active, and when it will; `None`: when an operator says so.
    pub failback: Option<(String, Option<Moment>)>,
}

/// A region being reintroduced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RampView {
    /// The region's key.
    pub region: String,
    /// The part of its weight that counts, percent.
    pub percent: u32,
    /// When all of it does.
    pub until: Moment,
}

/// An endpoint.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EndpointView {
    /// `service/region/address`.
    pub key: String,
    /// The service's key.
    pub service: String,
    /// The region's key.
    pub region: String,
    /// Its address, or its own name where it answers with other records.
    pub address: String,
    /// Its share inside the region.
    pub weight: u32,
    /// Whether it counts as up by its checks and the guard.
    pub up: bool,
    /// What its checks say.
    pub real: Health,
    /// The guard holds it up.
    pub guarded: bool,
    /// The strongest word of operators that covers it.
    pub forced: Option<Action>,
    /// Why it is what it is.
    pub why: String,
    /// Seconds before which no check changes it; `None` if nothing is checked.
    pub steady_s: Option<u32>,
    /// The same: the time to the next flip that is possible.
    pub next_flip_s: Option<u32>,
    /// The targets that must pass for it.
    pub targets: Vec<String>,
    /// What its load feed says; `None`: it has none.
    pub fed: Option<FedView>,
}

impl Control {
    /// One service.
    #[must_use]
    pub fn service_view(&self, id: ServiceId) -> Option<ServiceView> {
        let service = self.model.services.get(id.index())?;
        let course = self.courses.get(id.index())?;
        let policy = self.model.policy(service);
        let (mode, prefer) = mode_words(&policy.mode);
        let ramp = self.ramp_of(service).unwrap_or_default();
        let ramps = course.ramps.iter().map(|&(region, begun)| RampView {
            region: self.region_key(region),
            percent: self.states.ramp.get(id, region).map_or(100, |part| (u32::from(part) * 100).div_ceil(256)),
            until: begun.after(ramp.mul_f64(0.9)),
        });
        let why = service.regions.iter().zip(self.table.why(id));
        Some(ServiceView {
            key: service.key.to_string(),
            names: service.names.iter().take(EVENT_NAMES_MAX).map(|name| name.name.to_string()).collect(),
            name_count: service.names.len(),
            policy: policy.key.to_string(),
            mode,
            prefer,
            ttl: TtlView { min: service.ttl.min, max: service.ttl.max, now: BTreeMap::new() },
            standing: course.standing.as_str(),
            change_s: self.states.change_s.get(id.index()).copied().filter(|seconds| *seconds != STEADY),
            active: self.active_view(id),
            ramps: ramps.collect(),
            regions: why.map(|(part, why)| (self.region_key(part.region), why.as_str())).collect(),
            endpoints: self.endpoints_of(id).filter_map(|id| self.endpoint_view(id)).collect(),
        })
    }

    /// One endpoint.
    #[must_use]
    pub fn endpoint_view(&self, id: EndpointId) -> Option<EndpointView> {
        let endpoint = self.model.endpoints.get(id.index())?;
        let mut parts = endpoint.key.splitn(3, '/').map(str::to_owned);
        let mut part = || parts.next().unwrap_or_default();
        let steady_s = self.states.steady_s.get(id.index()).copied().filter(|seconds| *seconds != STEADY);
        let targets = self.wiring.needs(id).iter().filter_map(|&number| self.targets.get(number));
        Some(EndpointView {
            key: endpoint.key.to_string(),
            service: part(),
            region: part(),
            address: part(),
            weight: endpoint.weight,
            up: self.states.up.get(id.index()).copied().unwrap_or(false),
            real: self.real.get(id.index()).copied().unwrap_or_default(),
            guarded: self.guarded.contains(&id),
            forced: match self.states.word.get(id.index()).copied().unwrap_or(Word::Nothing) {
                Word::Nothing => None,
                Word::Up => Some(Action::Up),
                Word::Drain => Some(Action::Drain),
                Word::Down => Some(Action::Down),
            },
            why: self.why(id),
            steady_s,
            next_flip_s: steady_s,
            targets: targets.map(|target| target.key.to_string()).collect(),
            fed: self.fed_view(id),
        })
    }

    fn active_view(&self, id: ServiceId) -> Option<ActiveView> {
        let service = self.model.services.get(id.index())?;
        let (failback, region) = (self.failback_of(service)?, self.held(id)?);
        let course = self.courses.get(id.index())?;
        let next = |(region, since): &(RegionId, Moment)| {
            let due = match failback {
                Failback::After(wait) => Some(since.after(wait)),
                Failback::Automatic | Failback::Manual => None,
            };
            (self.region_key(*region), due)
        };
        let failback = course.better.first().map(next);
        Some(ActiveView { region: self.region_key(region), switched: course.pinned, failback })
    }
}

/// The mode and what ranks, as the configuration writes them.
const fn mode_words(mode: &Mode) -> (&'static str, Option<&'static str>) {
    match mode {
        Mode::ActiveActive { prefer, .. } => (
            "active-active",
            Some(match prefer {
                Prefer::Geo { .. } => "geo",
                Prefer::Latency { .. } => "latency",
                Prefer::Load => "load",
                Prefer::ResponseTime { .. } => "response-time",
                Prefer::Equal => "equal",
            }),
        ),
        Mode::ActivePassive { .. } => ("active-passive", None),
        Mode::All => ("all", None),
    }
}
