//! What control knows, for people: plain values, ready to be shown or serialized.

use std::time::Duration;

use serde::Serialize;

use crate::base::ids::{EndpointId, RegionId, ServiceId};
use crate::base::limits::EVENT_NAMES_MAX;
use crate::base::moment::Moment;
use crate::health::{Action, Health, Observation, Phase};
use crate::model::Failback;
use crate::table::{STEADY, Word};

use super::hub::Control;
use super::targets::Target;
use super::words::Scope;

/// Everything at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct View {
    /// The moment.
    pub at: Moment,
    /// By id.
    pub regions: Vec<RegionView>,
    /// By id.
    pub services: Vec<ServiceView>,
    /// By number.
    pub targets: Vec<TargetView>,
    /// By target.
    pub overrides: Vec<OverrideView>,
    /// The guard.
    pub guard: GuardView,
}

/// A region as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RegionView {
    /// Its key.
    pub key: String,
    /// Its name for people.
    pub label: String,
    /// If not, it is never answered.
    pub enabled: bool,
    /// Services that have endpoints in it.
    pub services: usize,
    /// Those for which it is eligible.
    pub eligible: usize,
    /// Endpoints in it.
    pub endpoints: usize,
    /// Those that are up.
    pub up: usize,
    /// The target of its own check.
    pub check: Option<String>,
}

/// A service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ServiceView {
    /// Its key.
    pub key: String,
    /// Some of its names.
    pub names: Vec<String>,
    /// How many names it has.
    pub name_count: usize,
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EndpointView {
    /// `service/region/address`.
    pub key: String,
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
    /// The targets that must pass for it.
    pub targets: Vec<String>,
}

/// A target and its machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TargetView {
    /// Its number.
    pub id: u64,
    /// `check@address`.
    pub key: String,
    /// The check's key.
    pub check: String,
    /// The address.
    pub address: String,
    /// What its machine says.
    pub state: Health,
    /// Passes in a row that count.
    pub passes: u32,
    /// Failures that are not forgotten.
    pub failures: u32,
    /// Inconclusive outcomes in a row.
    pub inconclusive: u32,
    /// Milliseconds to its next probe after the last one.
    pub cadence_ms: u64,
    /// Endpoints that need it, without those of `regions`.
    pub endpoints: usize,
    /// Regions whose own check it is.
    pub regions: Vec<String>,
    /// It is one of the guard's references.
    pub reference: bool,
    /// The last outcome.
    pub last: Option<LastView>,
}

/// The last outcome of a target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LastView {
    /// When.
    pub at: Moment,
    /// `pass`, `fail` or `inconclusive`.
    pub verdict: &'static str,
    /// Why.
    pub reason: String,
    /// What should be seen to.
    pub warning: Option<String>,
    /// Where its time went.
    pub phases: PhasesView,
}

/// How long the parts of a probe took, microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct PhasesView {
    /// Until the connection was open.
    pub connect_us: Option<u64>,
    /// From there until TLS was agreed on.
    pub tls_us: Option<u64>,
    /// From there until the first octet of an answer.
    pub first_byte_us: Option<u64>,
    /// All of it.
    pub total_us: u64,
}

/// A word of an operator, beside what would be without it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OverrideView {
    /// What it is about.
    pub target: String,
    /// What it says.
    pub action: Action,
    /// As a command says it.
    pub command: &'static str,
    /// Who said it.
    pub owner: String,
    /// And why.
    pub reason: String,
    /// When.
    pub since: Moment,
    /// When it ends.
    pub expires: Option<Moment>,
    /// The target is in the model; otherwise the word waits for it.
    pub known: bool,
    /// Endpoints that it covers.
    pub covers: usize,
    /// Those that are up by their checks.
    pub up: usize,
    /// When the last answer given before it has expired in every cache.
    pub cached_until: Moment,
}

/// The guard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GuardView {
    /// `quiet`, `suspects`, `holds` or `recovers`.
    pub phase: &'static str,
    /// Since when it suspects.
    pub since: Option<Moment>,
    /// When what is held is applied; `None`: not by the clock.
    pub until: Option<Moment>,
    /// Endpoints that it holds up.
    pub held: usize,
    /// Some of their keys.
    pub some: Vec<String>,
}

impl Control {
    /// Everything: a pass over the whole model.
    #[must_use]
    pub fn view(&self, now: Moment) -> View {
        let ids = |count: usize| (0..).take(count);
        View {
            at: now,
            regions: ids(self.model.regions.len()).filter_map(|id| self.region_view(RegionId(id))).collect(),
            services: self.model.services().filter_map(|(id, _)| self.service_view(id)).collect(),
            targets: self.target_views(),
            overrides: self.override_views(),
            guard: self.guard_view(),
        }
    }

    /// One region; a pass over its endpoints.
    #[must_use]
    pub fn region_view(&self, id: RegionId) -> Option<RegionView> {
        let region = self.model.regions.get(id.index())?;
        let parts = self.wiring.parts(id);
        let eligible = |service: &ServiceId| {
            self.courses.get(service.index()).is_some_and(|course| course.eligible >> id.index() & 1 == 1)
        };
        let up = |range: &std::ops::Range<u32>| {
            let up = self.states.up.get(range.start as usize..range.end as usize).unwrap_or_default();
            up.iter().filter(|up| **up).count()
        };
        let mut targets = self.targets.iter().filter(|(_, target)| target.regions.contains(&id));
        Some(RegionView {
            key: region.key.to_string(),
            label: region.label.clone(),
            enabled: region.enabled,
            services: parts.len(),
            eligible: parts.iter().filter(|(service, _)| eligible(service)).count(),
            endpoints: parts.iter().map(|(_, range)| range.len()).sum(),
            up: parts.iter().map(|(_, range)| up(range)).sum(),
            check: targets.next().map(|(_, target)| target.key.to_string()),
        })
    }

    /// One service.
    #[must_use]
    pub fn service_view(&self, id: ServiceId) -> Option<ServiceView> {
        let service = self.model.services.get(id.index())?;
        let course = self.courses.get(id.index())?;
        let ramp = self.ramp_of(service).unwrap_or_default();
        let ramps = course.ramps.iter().map(|&(region, begun)| RampView {
            region: self.region_key(region),
            percent: self.states.ramp.get(&(id, region)).map_or(100, |part| (u32::from(*part) * 100).div_ceil(256)),
            until: begun.after(ramp.mul_f64(0.9)),
        });
        let why = service.regions.iter().zip(self.table.why(id));
        Some(ServiceView {
            key: service.key.to_string(),
            names: service.names.iter().take(EVENT_NAMES_MAX).map(|name| name.name.to_string()).collect(),
            name_count: service.names.len(),
            standing: course.standing.as_str(),
            change_s: self.states.change_s.get(id.index()).copied().filter(|seconds| *seconds != STEADY),
            active: self.active_view(id),
            ramps: ramps.collect(),
            regions: why.map(|(part, why)| (self.region_key(part.region), why.as_str())).collect(),
            endpoints: self.endpoints_of(id).filter_map(|id| self.endpoint_view(EndpointId(id))).collect(),
        })
    }

    /// One endpoint.
    #[must_use]
    pub fn endpoint_view(&self, id: EndpointId) -> Option<EndpointView> {
        let endpoint = self.model.endpoints.get(id.index())?;
        let targets = self.wiring.needs(id).iter().filter_map(|&number| self.targets.get(number));
        Some(EndpointView {
            key: endpoint.key.to_string(),
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
            steady_s: self.states.steady_s.get(id.index()).copied().filter(|seconds| *seconds != STEADY),
            targets: targets.map(|target| target.key.to_string()).collect(),
        })
    }

    /// All targets, by number.
    #[must_use]
    pub fn target_views(&self) -> Vec<TargetView> {
        self.targets.iter().map(|(number, target)| self.show_target(number, target)).collect()
    }

    /// The target of a key (`check@address`).
    #[must_use]
    pub fn target_view(&self, key: &str) -> Option<TargetView> {
        let number = self.targets.number(key)?;
        Some(self.show_target(number, self.targets.get(number)?))
    }

    /// All words of operators, by target.
    #[must_use]
    pub fn override_views(&self) -> Vec<OverrideView> {
        let shown = self.overrides.iter().map(|word| {
            let endpoints = self.covered_endpoints(&word.target);
            let horizon = self.covered(&word.target).into_iter().map(|id| self.wiring.horizon(id)).max().unwrap_or(0);
            let is_up = |id: &&EndpointId| self.states.up.get(id.index()) == Some(&true);
            OverrideView {
                target: word.target.clone(),
                action: word.action,
                command: word.action.as_str(),
                owner: word.owner.clone(),
                reason: word.reason.clone(),
                since: word.since,
                expires: word.expires,
                known: Scope::of(&self.model, &word.target).is_some(),
                covers: endpoints.len(),
                up: endpoints.iter().filter(is_up).count(),
                cached_until: word.since.after(Duration::from_secs(u64::from(horizon))),
            }
        });
        shown.collect()
    }

    /// The guard.
    #[must_use]
    pub fn guard_view(&self) -> GuardView {
        let phase = self.guard.phase();
        let keys = self.guarded.iter().filter_map(|id| self.model.endpoints.get(id.index()));
        GuardView {
            phase: phase.as_str(),
            since: match phase {
                Phase::Quiet => None,
                Phase::Suspects { since, .. } | Phase::Holds { since } | Phase::Recovers { since, .. } => Some(since),
            },
            until: self.guard.deadline(),
            held: self.guarded.len(),
            some: keys.take(EVENT_NAMES_MAX).map(|endpoint| endpoint.key.to_string()).collect(),
        }
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

    fn show_target(&self, number: u32, target: &Target) -> TargetView {
        let (passes, failures) = target.machine.counters();
        TargetView {
            id: u64::from(number),
            key: target.key.to_string(),
            check: target.check.key.to_string(),
            address: target.address.to_string(),
            state: target.machine.health(),
            passes,
            failures,
            inconclusive: target.inconclusive,
            cadence_ms: u64::try_from(target.machine.cadence(&target.rule).as_millis()).unwrap_or(u64::MAX),
            endpoints: target.endpoints.len(),
            regions: target.regions.iter().map(|region| self.region_key(*region)).collect(),
            reference: target.reference.is_some(),
            last: target.last.as_ref().map(|(at, outcome)| show_outcome(*at, outcome)),
        }
    }

    fn covered_endpoints(&self, target: &str) -> Vec<EndpointId> {
        let parts = |region: RegionId| self.wiring.parts(region).iter();
        let ids = |range: &std::ops::Range<u32>| range.clone().map(EndpointId);
        match Scope::of(&self.model, target) {
            Some(Scope::Region(region)) => parts(region).flat_map(|(_, range)| ids(range)).collect(),
            Some(Scope::Part(service, region)) => {
                parts(region).filter(|(id, _)| *id == service).flat_map(|(_, range)| ids(range)).collect()
            }
            Some(Scope::Endpoint(endpoint)) => vec![endpoint],
            None => Vec::new(),
        }
    }
}

fn show_outcome(at: Moment, outcome: &Observation) -> LastView {
    let us = |duration: Duration| u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    let phases = outcome.phases;
    LastView {
        at,
        verdict: outcome.verdict.as_str(),
        reason: outcome.reason.to_string(),
        warning: outcome.warning.as_ref().map(ToString::to_string),
        phases: PhasesView {
            connect_us: phases.connect.map(us),
            tls_us: phases.tls.map(us),
            first_byte_us: phases.first_byte.map(us),
            total_us: us(phases.total),
        },
    }
}
