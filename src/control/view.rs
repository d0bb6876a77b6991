//! What control knows, for people: plain values, ready to be shown or serialized.

use std::time::Duration;

use serde::Serialize;

use crate::base::hash::{mix, steering_hash};
use crate::base::ids::{EndpointId, RegionId};
use crate::base::limits::EVENT_NAMES_MAX;
use crate::base::moment::Moment;
use crate::health::{Action, Health, Observation, Override, Phase};

use super::evacuation::EvacuationView;
use super::hub::Control;
use super::region::RegionView;
use super::safety::SafetyView;
use super::service::ServiceView;
use super::targets::Target;
use super::words::Scope;

/// Everything at one moment.
#[derive(Clone, Debug, PartialEq, Serialize)]
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
    /// Safety rules, by key.
    pub safety: Vec<SafetyView>,
    /// Regions that give up their share, by key.
    pub evacuations: Vec<EvacuationView>,
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
        View {
            at: now,
            regions: self.region_views(now),
            services: self.model.services().filter_map(|(id, _)| self.service_view(id)).collect(),
            targets: self.target_views(),
            overrides: self.override_views(),
            guard: self.guard_view(),
            safety: self.safety_views(now),
            evacuations: self.evacuation_views(),
        }
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

    /// A number that differs whenever operators have said something else: a word about a target, or a switch.
    #[must_use]
    pub fn words_tag(&self) -> u64 {
        let word = |word: &Override| {
            let Override { target, action, owner, reason, since, expires } = word;
            let moments = [since.0, expires.map_or(u64::MAX, |at| at.0)].map(u64::to_be_bytes).concat();
            let command = action.as_str();
            steering_hash(&[target.as_bytes(), command.as_bytes(), owner.as_bytes(), reason.as_bytes(), &moments])
        };
        let switched = self.model.services().filter_map(|(id, service)| {
            let is_pinned = self.courses.get(id.index()).is_some_and(|course| course.pinned);
            let region = self.held(id).filter(|_| is_pinned)?;
            Some(steering_hash(&[service.key.as_bytes(), self.region_key(region).as_bytes()]))
        });
        let evacuated = self.evacuations.values().map(|evacuation| {
            steering_hash(&[b"evacuate", evacuation.region.as_bytes(), &evacuation.begun.0.to_be_bytes()])
        });
        let all = self.overrides.iter().map(word).chain(switched).chain(evacuated);
        all.fold(0, |tag, hash| mix(tag ^ hash))
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
