//! Safety rules: which changes they refuse, and what facts make of them.
//!
//! ```text
//! what changes a set          at_least           only_while        wait
//! a word, a switch            refuses            refuses           refuses; `enable` goes on
//! an evacuation, cancelled    takes none off     -                 -
//! a step of an evacuation     holds it           holds it          holds it after a change by others
//! failback by the clock       takes none off     holds it          holds it
//! health, ends of words       told               -                 -
//! ```
//! A command is carried out by a copy of control; what that comes to is compared, and only then it is control. So rules
//! need not know what a command does.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::base::ids::{RegionId, ServiceId};
use crate::base::limits::SAFETY_RETRY_MS;
use crate::base::moment::Moment;
use crate::base::suggest::nearest;
use crate::model::{Gate, Model, SafetyRule, Service};

use super::command::{Command, Done};
use super::course::Course;
use super::event::{Event, EventKind};
use super::hub::Control;
use super::refusal::Refusal;
use super::step::{Step, about};
use super::words::Scope;

/// What rules go by.
#[derive(Clone, Debug, Default)]
pub(super) struct Safety {
    /// By region: how many services it is eligible for.
    served: Vec<u32>,
    /// By rule: when an operator last changed its set.
    pub(super) touched: BTreeMap<Arc<str>, Moment>,
    /// By rule: since when facts leave fewer on than it asks for.
    broken: BTreeMap<Arc<str>, Moment>,
}

impl Safety {
    /// A service was eligible in some regions, and is now in others.
    pub(super) fn count(&mut self, before: u128, now: u128) {
        for (served, index) in self.served.iter_mut().zip(0..u128::BITS) {
            match (before >> index & 1, now >> index & 1) {
                (0, 1) => *served = served.saturating_add(1),
                (1, 0) => *served = served.saturating_sub(1),
                _ => {}
            }
        }
    }
}

/// Why a rule refuses a change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Breach {
    /// The rule's key.
    pub rule: String,
    /// The key of it that refuses: `at_least`, `only_while` or `wait`.
    pub by: &'static str,
    /// How many regions have to be on; 0 if it is about time.
    pub at_least: usize,
    /// The regions that are looked at.
    pub regions: Vec<String>,
    /// Those that are on.
    pub on: Vec<String>,
    /// Those that would be on after the change.
    pub then: Vec<String>,
    /// Until when it refuses, where the clock knows.
    pub until: Option<Moment>,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |keys: &[String]| if keys.is_empty() { "none".to_owned() } else { keys.join(", ") };
        let Self { rule, by, at_least, regions, on, then, until } = self;
        write!(f, "safety rule `{rule}` (`{by}`): ")?;
        match until {
            Some(until) => {
                write!(f, "{} were changed a moment ago, and the next change waits until {until}", list(regions))
            }
            None if *by == "only_while" => {
                write!(f, "it wants {at_least} of {} on before anything changes, and on is {}", list(regions), list(on))
            }
            None => write!(
                f,
                "it wants {at_least} of {} on; on is {}, and this would leave {}",
                list(regions),
                list(on),
                list(then)
            ),
        }
    }
}

/// A rule, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SafetyView {
    /// Its key.
    pub rule: String,
    /// Its set.
    pub regions: Vec<String>,
    /// The services that count; empty: all.
    pub services: Vec<String>,
    /// So many have to be on; 0: it asks for none.
    pub at_least: usize,
    /// Those that are on.
    pub on: Vec<String>,
    /// Since when fewer are on than it asks for; `None`: enough are.
    pub broken_since: Option<Moment>,
    /// When its set may be changed at all; `None`: at any time.
    pub gate: Option<GateView>,
    /// Until when the next change waits; `None`: it need not.
    pub waits_until: Option<Moment>,
}

/// When a set may be changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GateView {
    /// The regions that are looked at.
    pub regions: Vec<String>,
    /// So many have to be on.
    pub at_least: usize,
    /// Those that are on.
    pub on: Vec<String>,
    /// Enough are.
    pub open: bool,
}

/// What a command is about, whatever comes of it.
#[derive(Clone, Copy, Debug, Default)]
struct About {
    regions: u128,
    /// Of this service alone.
    service: Option<ServiceId>,
    /// It takes words back.
    takes_back: bool,
}

impl Control {
    /// Has a command carried out unless rules refuse it.
    pub(super) fn ruled(&mut self, command: Command, step: &mut Step) -> Result<Done, Refusal> {
        let (mut waived, mut reason, mut command) = (Vec::new(), String::new(), command);
        if let Command::DespiteRules { rules, reason: why, command: inner } = command {
            (waived, reason, command) = (rules, why, *inner);
        }
        self.know_rules(&waived)?;
        if !waived.is_empty() && reason.trim().is_empty() {
            return Err(Refusal::NeedsReason);
        }
        if self.model.safety.is_empty() {
            return self.carry_out(command, step);
        }
        let mut next = self.clone();
        let done = next.carry_out(command.clone(), step)?;
        // An evacuation is asked about its end.
        let end = if let Command::Evacuate(order) = &command {
            next.after_step(step.now, &order.region, 0).map(|(end, _)| end)
        } else {
            None
        };
        let breaches = self.breaches(end.as_ref().unwrap_or(&next), &command, step.now);
        let (despite, refuse): (Vec<Breach>, Vec<Breach>) =
            breaches.into_iter().partition(|breach| waived.contains(&breach.rule));
        if !refuse.is_empty() {
            return Err(Refusal::Unsafe(refuse));
        }
        if let Command::Evacuate(order) = &command
            && let Some(evacuation) = next.evacuations.get_mut(&order.region)
        {
            evacuation.despite = despite.iter().map(|breach| breach.rule.clone()).collect();
        }
        for breach in despite {
            let mut event = Event::new(step.now, EventKind::SafetyOverridden, format!("{breach} ({reason})"));
            event.target = Some(breach.rule);
            event.owner = Some(command.owner().to_owned()).filter(|owner| !owner.is_empty());
            step.tell(event);
        }
        for rule in self.model.safety.iter().filter(|rule| !rule.wait.is_zero()) {
            if self.touched(&next, rule, self.about(&next, &command)) != 0 {
                next.safety.touched.insert(Arc::clone(&rule.key), step.now);
                step.save = true;
            }
        }
        *self = next;
        Ok(done)
    }

    /// The set of each rule about a region was changed.
    pub(super) fn touch(&mut self, region: RegionId, now: Moment) {
        let rules = self.model.safety.iter().filter(|rule| rule.is_about(region) && !rule.wait.is_zero());
        self.safety.touched.extend(rules.map(|rule| (Arc::clone(&rule.key), now)));
    }

    fn know_rules(&self, named: &[String]) -> Result<(), Refusal> {
        let keys = || self.model.safety.iter().map(|rule| rule.key.as_ref());
        match named.iter().find(|rule| !keys().any(|key| key == rule.as_str())) {
            Some(rule) => {
                Err(Refusal::UnknownRule { rule: rule.clone(), near: nearest(rule, keys()).map(str::to_owned) })
            }
            None => Ok(()),
        }
    }

    /// Which rules refuse that control becomes `next` by a command.
    fn breaches(&self, next: &Self, command: &Command, now: Moment) -> Vec<Breach> {
        // What fails is no change: the guard lets facts count.
        if matches!(command, Command::GuardRelease { .. }) {
            return Vec::new();
        }
        let about = self.about(next, command);
        // Whoever is told to stop gives back what it took.
        let is_end = matches!(command, Command::EndEvacuation { .. });
        let refusing = self.model.safety.iter().flat_map(|rule| {
            let touched = self.touched(next, rule, about);
            let (on, then) = (self.on(rule, rule.regions), next.on(rule, rule.regions));
            let is_left_alone = touched == 0;
            let too_few = on & !then != 0 && count(then) < rule.at_least;
            let at_least = too_few.then(|| self.breach(rule, "at_least", (rule.at_least, rule.regions), (on, then)));
            let gate = self.closed(rule).filter(|_| !is_end);
            let wait = self.waits(rule, now).filter(|_| !about.takes_back);
            let wait =
                wait.map(|until| Breach { until: Some(until), ..self.breach(rule, "wait", (0, touched), (on, then)) });
            [at_least, gate, wait].into_iter().flatten().filter(move |_| !is_left_alone)
        });
        refusing.collect()
    }

    /// What keeps the clock from moving the work of a service between two regions.
    fn holds_move(&self, service: ServiceId, regions: [RegionId; 2], now: Moment) -> Option<Breach> {
        let moved = regions.iter().fold(0, |set, region| set | 1_u128 << region.index());
        let mut rules = self.model.safety.iter().filter(|rule| counts(rule, service) && rule.regions & moved != 0);
        rules.find_map(|rule| {
            let on = self.on(rule, rule.regions);
            let wait = self.waits(rule, now);
            let wait =
                wait.map(|until| Breach { until: Some(until), ..self.breach(rule, "wait", (0, moved), (on, on)) });
            self.closed(rule).or(wait)
        })
    }

    /// Which rule does not allow that a region is off in the end, but for those that were overridden.
    /// `begun`: what was changed before is no reason to wait.
    pub(super) fn end_breach(
        &self,
        region: RegionId,
        (begun, despite): (Moment, &[String]),
        now: Moment,
    ) -> Option<Breach> {
        let mut rules = self
            .model
            .safety
            .iter()
            .filter(|rule| rule.is_about(region) && !despite.iter().any(|key| **key == *rule.key));
        rules.find_map(|rule| {
            let on = self.on(rule, rule.regions);
            let then = on & !(1 << region.index());
            let too_few = on != then && count(then) < rule.at_least;
            let at_least = too_few.then(|| self.breach(rule, "at_least", (rule.at_least, rule.regions), (on, then)));
            let until = self.waits(rule, now).filter(|until| *until > begun.after(rule.wait));
            let wait =
                || Some(Breach { until: Some(until?), ..self.breach(rule, "wait", (0, rule.regions), (on, on)) });
            at_least.or_else(|| self.closed(rule)).or_else(wait)
        })
    }

    /// True if rules hold a failback that is due, or too many clients would move. It is told once, and tried again a little
    /// later.
    pub(super) fn holds_failback(
        &mut self,
        (id, service): (ServiceId, &Service),
        course: &mut Course,
        region: RegionId,
        step: &mut Step,
    ) -> bool {
        // Whoever asks has taken its course out; what is on is looked up there.
        if let Some(place) = self.courses.get_mut(id.index()) {
            place.eligible = course.eligible;
        }
        let from = self.held(id).unwrap_or(region);
        let moved = self.part_of_all(id);
        let rule = self.holds_move(id, [from, region], step.now);
        let limit = if rule.is_none() { self.too_much(step.now, moved, false) } else { None };
        if rule.is_none() && limit.is_none() {
            self.note_move(step.now, moved);
            course.retry = None;
            return false;
        }
        course.retry = Some(step.now.after(Duration::from_millis(SAFETY_RETRY_MS)));
        if let Some(why) = limit {
            self.tell_limited(|| format!("failback of {}: {why}", service.key), step);
        } else if let Some(breach) = rule.filter(|_| !std::mem::replace(&mut course.is_held_back, true)) {
            step.tell_one_of(EventKind::SafetyHeld, Some(region), service.names.len(), |at| {
                let mut event = about(at, EventKind::SafetyHeld, format!("failback: {breach}"), service);
                event.region = Some(self.region_key(region));
                event
            });
        }
        true
    }

    /// Tells which rules facts break, and which they keep again.
    pub(super) fn watch_rules(&mut self, step: &mut Step) {
        let model = Arc::clone(&self.model);
        for rule in model.safety.iter().filter(|rule| rule.at_least > 0) {
            let on = self.on(rule, rule.regions);
            let was_broken = self.safety.broken.contains_key(&rule.key);
            let is_broken = count(on) < rule.at_least;
            if is_broken == was_broken {
                continue;
            }
            let (on, off) = (self.region_keys(on), self.region_keys(rule.regions & !on));
            let list = |keys: &[String]| if keys.is_empty() { "none".to_owned() } else { keys.join(", ") };
            let cause = format!("{} are to be on; on: {}; off: {}", rule.at_least, list(&on), list(&off));
            let kind = if is_broken { EventKind::SafetyBroken } else { EventKind::SafetyKept };
            let mut event = Event::new(step.now, kind, cause);
            event.target = Some(rule.key.to_string());
            step.tell(event);
            match is_broken {
                true => drop(self.safety.broken.insert(Arc::clone(&rule.key), step.now)),
                false => drop(self.safety.broken.remove(&rule.key)),
            }
        }
    }

    /// Rules of a model that has come into force; which regions are on may be others too.
    pub(super) fn adopt_rules(&mut self, step: &mut Step) {
        let mut served = vec![0_u32; self.model.regions.len()];
        for course in &self.courses {
            let counts = served.iter_mut().zip(0..u128::BITS);
            counts.for_each(|(count, index)| *count += u32::from(course.eligible >> index & 1 == 1));
        }
        self.safety.served = served;
        let model = Arc::clone(&self.model);
        let is_known = |key: &Arc<str>| model.safety.iter().any(|rule| rule.key == *key);
        self.safety.touched.retain(|key, _| is_known(key));
        self.safety.broken.retain(|key, _| model.safety.iter().any(|rule| rule.key == *key && rule.at_least > 0));
        step.regions_moved = false;
        self.watch_rules(step);
    }

    /// All rules, by key.
    #[must_use]
    pub fn safety_views(&self, now: Moment) -> Vec<SafetyView> {
        let service = |id: &ServiceId| self.model.services.get(id.index()).map(|service| service.key.to_string());
        let shown = self.model.safety.iter().map(|rule| SafetyView {
            rule: rule.key.to_string(),
            regions: self.region_keys(rule.regions),
            services: rule.services.iter().filter_map(service).collect(),
            at_least: rule.at_least,
            on: self.region_keys(self.on(rule, rule.regions)),
            broken_since: self.safety.broken.get(&rule.key).copied(),
            gate: match rule.gate {
                Gate::Open => None,
                Gate::While { regions, at_least } => Some(GateView {
                    regions: self.region_keys(regions),
                    at_least,
                    on: self.region_keys(self.on(rule, regions)),
                    open: self.closed(rule).is_none(),
                }),
            },
            waits_until: self.waits(rule, now),
        });
        shown.collect()
    }

    /// Of each rule how many regions are on, and whether facts break it.
    pub(super) fn safety_figures(&self) -> Vec<(Arc<str>, usize, bool)> {
        let rules = self.model.safety.iter();
        let figures = rules.map(|rule| {
            let is_broken = self.safety.broken.contains_key(&rule.key);
            (Arc::clone(&rule.key), count(self.on(rule, rule.regions)), is_broken)
        });
        figures.collect()
    }

    /// Which of these regions are on, as a rule sees it.
    fn on(&self, rule: &SafetyRule, regions: u128) -> u128 {
        let eligible = |id: ServiceId| self.courses.get(id.index()).map_or(0, |course| course.eligible);
        if rule.services.is_empty() {
            return self.on_at_all() & regions;
        }
        let (mut has, mut lacks) = (0, 0);
        for &id in &rule.services {
            let all = self.model.services.get(id.index()).map_or(0, |service| service.region_mask());
            has |= all;
            lacks |= all & !eligible(id);
        }
        has & !lacks & regions
    }

    /// The regions that are eligible for any service.
    pub(super) fn on_at_all(&self) -> u128 {
        let served = self.safety.served.iter().zip(0..u128::BITS).filter(|(count, _)| **count > 0);
        served.fold(0, |set, (_, index)| set | 1 << index)
    }

    /// Why the set of a rule may not be changed now; `None`: it may.
    fn closed(&self, rule: &SafetyRule) -> Option<Breach> {
        let Gate::While { regions, at_least } = rule.gate else { return None };
        let on = self.on(rule, regions);
        (count(on) < at_least).then(|| self.breach(rule, "only_while", (at_least, regions), (on, on)))
    }

    /// Until when the next change of a set waits.
    fn waits(&self, rule: &SafetyRule, now: Moment) -> Option<Moment> {
        self.safety.touched.get(&rule.key).map(|at| at.after(rule.wait)).filter(|until| *until > now)
    }

    /// The regions of a rule's set that a command changes.
    fn touched(&self, next: &Self, rule: &SafetyRule, about: About) -> u128 {
        let said = if about.service.is_none_or(|service| counts(rule, service)) { about.regions } else { 0 };
        let turned = self.on(rule, rule.regions) ^ next.on(rule, rule.regions);
        (said | turned) & rule.regions
    }

    fn about(&self, next: &Self, command: &Command) -> About {
        let bit = |region: RegionId| 1_u128 << region.index();
        match command {
            Command::Override(_, order) => self.about_target(&order.target),
            Command::Evacuate(order) => self.about_target(&order.region),
            Command::EndEvacuation { region, .. } => About { takes_back: true, ..self.about_target(region) },
            Command::Enable { target, .. } => About { takes_back: true, ..self.about_target(target) },
            Command::Switch { service, .. } | Command::Failback { service, .. } => {
                let id = self.model.service_by_key(service);
                let held = |control: &Self| id.and_then(|id| control.held(id)).map_or(0, bit);
                let (from, to) = (held(self), held(next));
                About { regions: if from == to { 0 } else { from | to }, service: id, takes_back: false }
            }
            Command::GuardRelease { .. } | Command::DespiteRules { .. } => About::default(),
        }
    }

    fn about_target(&self, target: &str) -> About {
        let bit = |region: RegionId| 1_u128 << region.index();
        match Scope::of(&self.model, target) {
            Some(Scope::Region(region)) => About { regions: bit(region), ..About::default() },
            Some(Scope::Part(service, region)) => {
                About { regions: bit(region), service: Some(service), ..About::default() }
            }
            // One of many: it matters if the region goes on or off by it.
            Some(Scope::Endpoint(_)) | None => About::default(),
        }
    }

    fn breach(
        &self,
        rule: &SafetyRule,
        by: &'static str,
        (at_least, regions): (usize, u128),
        (on, then): (u128, u128),
    ) -> Breach {
        let keys = |set| self.region_keys(set);
        let rule = rule.key.to_string();
        Breach { rule, by, at_least, regions: keys(regions), on: keys(on), then: keys(then), until: None }
    }

    /// The keys of a set of regions.
    pub(super) fn region_keys(&self, set: u128) -> Vec<String> {
        keys_of(&self.model, set)
    }
}

fn keys_of(model: &Model, set: u128) -> Vec<String> {
    let regions = model.regions.iter().zip(0..u128::BITS).filter(|(_, index)| set >> index & 1 == 1);
    regions.map(|(region, _)| region.key.to_string()).collect()
}

fn counts(rule: &SafetyRule, service: ServiceId) -> bool {
    rule.services.is_empty() || rule.services.contains(&service)
}

fn count(set: u128) -> usize {
    set.count_ones() as usize
}
