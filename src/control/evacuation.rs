//! A region is evacuated: it gives up its share in steps, and is drained in the end.
//!
//! ```text
//! begun ── due ──→ room and alarms? ── yes ──→ a step less of its share ── none left ──→ drained
//!           ↑            │ no                         │
//!           └── later ───┴─ held: told once           └── due again after a pause
//! ```
//! A step is a ramp that goes down: active-active services follow it step by step, active-passive ones and those that
//! answer with everything move with the last step, the drain. Who drives it asks the planner what a step would come to
//! ([`Control::after_step`], [`Room::of`]) and says so ([`Control::step_evacuation`]); control alone decides.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::ids::{RegionId, ServiceId};
use crate::base::limits::{EVACUATION_EVERY_MS, EVACUATION_RETRY_MS};
use crate::base::moment::Moment;
use crate::base::units::format_duration;
use crate::health::Action;
use crate::model::{Mode, Service};
use crate::plan::Reported;

use super::command::{Done, Order};
use super::course::ramp_part;
use super::event::{Effects, Event, EventKind};
use super::hub::Control;
use super::refusal::Refusal;
use super::room::Room;
use super::step::{Step, about};

/// A region to be evacuated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvacuationOrder {
    /// Its key.
    pub region: String,
    /// Percent of its share that a step takes, 1 to 100.
    pub step: u8,
    /// From one step to the next; `None`: long enough for caches.
    pub every: Option<Duration>,
    /// How long the drain at its end lasts; `None`: until it is taken back.
    pub lasting: Option<Duration>,
    /// Why.
    pub reason: String,
    /// Who says so.
    pub owner: String,
    /// Even if it takes away the last eligible region of a service.
    pub confirm: bool,
}

/// An evacuation that goes on, as it outlives the process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evacuation {
    /// The region's key.
    pub region: String,
    /// Who began it.
    pub owner: String,
    /// And why.
    pub reason: String,
    /// Percent of its share that a step takes.
    pub step: u8,
    /// From one step to the next.
    pub every: Duration,
    /// How long the drain at its end lasts.
    pub lasting: Option<Duration>,
    /// When it was begun.
    pub begun: Moment,
    /// Percent of its share that it has left.
    pub left: u8,
    /// When the next step is due.
    pub due: Moment,
    /// Why it does not go on.
    pub held: Option<Held>,
    /// Safety rules that shall not hold it.
    pub despite: Vec<String>,
    /// Regions of its services that were on when it was begun: if one of them is lost, it waits.
    pub receivers: Vec<String>,
    /// Its end may take away the last eligible region of a service.
    #[serde(default)]
    pub confirm: bool,
}

/// Why an evacuation does not go on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// In words.
    pub why: String,
    /// Since when.
    pub since: Moment,
}

/// All that go on, by region.
pub(super) type Evacuations = BTreeMap<String, Evacuation>;

/// An evacuation, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EvacuationView {
    /// The region's key.
    pub region: String,
    /// Who began it.
    pub owner: String,
    /// And why.
    pub reason: String,
    /// When.
    pub begun: Moment,
    /// Percent of its share that it has left.
    pub left: u8,
    /// Percent of its share that a step takes.
    pub step: u8,
    /// Seconds from one step to the next.
    pub every_s: u64,
    /// When the next step is due, or looked at again.
    pub due: Moment,
    /// When it is drained if nothing holds it.
    pub ends: Moment,
    /// Why it does not go on; `None`: it does.
    pub held: Option<Held>,
}

impl Evacuation {
    fn next(&self) -> u8 {
        self.left.saturating_sub(self.step)
    }

    fn ends(&self) -> Moment {
        let after = u32::from(self.left.div_ceil(self.step.max(1))).saturating_sub(1);
        self.due.after(self.every.saturating_mul(after))
    }
}

impl Control {
    pub(super) fn evacuate(&mut self, order: EvacuationOrder, step: &mut Step) -> Result<Done, Refusal> {
        let EvacuationOrder { region, step: percent, every, lasting, reason, owner, confirm } = order;
        let id = self.model.region_by_key(&region);
        let Some(id) = id else { return Err(self.unknown_region(&region)) };
        if self.evacuations.contains_key(&region) {
            return Err(Refusal::Evacuated { region });
        }
        if self.region_keys(self.on_at_all()).binary_search(&region).is_err() {
            return Err(Refusal::NotOn { region });
        }
        // What refuses the drain at the end refuses the beginning.
        let drain = Order { target: region.clone(), lasting, reason: reason.clone(), owner: owner.clone(), confirm };
        self.clone().say(Action::Drain, drain, &mut Step::new(step.now))?;
        let services: Vec<ServiceId> = self.wiring.parts(id).iter().map(|(id, _)| *id).collect();
        let longest = services.iter().map(|&id| self.wiring.horizon(id)).max().unwrap_or(0);
        let usual = Duration::from_millis(EVACUATION_EVERY_MS).max(Duration::from_secs(longest.into()));
        let every = every.unwrap_or(usual);
        let shared = services.iter().filter_map(|id| self.model.services.get(id.index()));
        let shared = shared.fold(0, |set, service| set | service.region_mask());
        let receivers = self.region_keys(self.on_at_all() & shared & !(1 << id.index()));
        let evacuation = Evacuation {
            region: region.clone(),
            owner,
            reason,
            step: percent.clamp(1, 100),
            every,
            lasting,
            begun: step.now,
            left: 100,
            due: step.now,
            held: None,
            despite: Vec::new(),
            receivers,
            confirm,
        };
        let (steps, ends) = (100_u8.div_ceil(evacuation.step), evacuation.ends());
        let pace = format!("{steps} steps of {} %, one every {}", evacuation.step, format_duration(every));
        step.tell(evacuation_event(step.now, EventKind::EvacuationBegun, &evacuation, pace.clone()));
        step.save = true;
        self.evacuations.insert(region.clone(), evacuation);
        let message = format!("{region} gives up its share in {pace}; drained at {ends} if nothing holds it");
        Ok(Done { cached_until: None, ..self.done(step.now, message, &services) })
    }

    /// Ends an evacuation: the region gets its share back as a region that comes back does.
    pub(super) fn end_evacuation(&mut self, region: &str, owner: &str, step: &mut Step) -> Result<Done, Refusal> {
        let Some(id) = self.model.region_by_key(region) else { return Err(self.unknown_region(region)) };
        if !self.give_back(region, id, owner, step) {
            return Err(Refusal::NotEvacuated { region: region.to_owned() });
        }
        let services: Vec<ServiceId> = self.wiring.parts(id).iter().map(|(id, _)| *id).collect();
        Ok(self.done(step.now, format!("the evacuation of {region} is cancelled"), &services))
    }

    /// The same; false if there is none.
    pub(super) fn give_back(&mut self, region: &str, id: RegionId, owner: &str, step: &mut Step) -> bool {
        let Some(mut evacuation) = self.evacuations.remove(region) else { return false };
        if !owner.is_empty() {
            owner.clone_into(&mut evacuation.owner);
        }
        let cause = format!("cancelled with {} % of its share left", evacuation.left);
        step.tell(evacuation_event(step.now, EventKind::EvacuationCancelled, &evacuation, cause));
        step.save = true;
        let model = Arc::clone(&self.model);
        for service in self.parted_services(id) {
            let Some(of) = model.services.get(service.index()) else { continue };
            self.ramp_back(service, of, id, evacuation.left, step);
            self.plan(&model, service, step);
        }
        true
    }

    /// A ramp that begins where the evacuation ends.
    fn ramp_back(&mut self, id: ServiceId, service: &Service, region: RegionId, left: u8, step: &mut Step) {
        let ramp = self.ramp_of(service).filter(|_| left < 100);
        let Some(course) = self.courses.get_mut(id.index()) else { return };
        let is_ramping = course.ramps.iter().any(|(other, _)| *other == region);
        if let Some(ramp) = ramp.filter(|_| !is_ramping && course.eligible >> region.index() & 1 == 1) {
            // Its first step gives a tenth.
            let done = ramp.mul_f64(f64::from(left.saturating_sub(10)) / 100.0);
            course.ramps.push((region, step.now.before(done)));
            step.tell_one_of(EventKind::RampBegun, Some(region), service.names.len(), |at| {
                let mut event = about(at, EventKind::RampBegun, "", service);
                event.region = Some(self.region_key(region));
                event.until = Some(at.before(done).after(ramp));
                event
            });
        }
        self.share_out(id, service, region, step.now);
        step.changed.push(id);
    }

    /// A word about the region takes its evacuation over.
    pub(super) fn overtake(&mut self, region: &str, step: &mut Step) {
        let (Some(id), Some(evacuation)) = (self.model.region_by_key(region), self.evacuations.remove(region)) else {
            return;
        };
        let cause = format!("overtaken by a word about it, with {} % of its share left", evacuation.left);
        step.tell(evacuation_event(step.now, EventKind::EvacuationCancelled, &evacuation, cause));
        step.save = true;
        self.share_region_out(id, step);
    }

    /// The region whose step has been due for longest: what the next one comes to can only be told when that is taken.
    #[must_use]
    pub fn evacuation_due(&self, now: Moment) -> Option<String> {
        let due = self.evacuations.values().filter(|evacuation| evacuation.due <= now && self.has_begun);
        due.min_by_key(|evacuation| evacuation.due).map(|evacuation| evacuation.region.clone())
    }

    /// Control as it would be with so many percent of a region's share left, and the services that change; for whoever
    /// wants to know what that would come to.
    #[must_use]
    pub fn after_step(&self, now: Moment, region: &str, left: u8) -> Option<(Self, Vec<ServiceId>)> {
        let id = self.model.region_by_key(region)?;
        let mut then = self.clone();
        let services = self.wiring.parts(id).iter().map(|(id, _)| *id).collect();
        if left == 0 {
            then.evacuations.remove(region);
            let order = Order { target: region.to_owned(), confirm: true, ..Order::default() };
            let mut step = Step::new(now);
            then.say(Action::Drain, order, &mut step).ok()?;
            then.share_region_out(id, &mut step);
            then.settle(&mut step);
        } else {
            let evacuation = then.evacuations.get_mut(region)?;
            evacuation.left = left;
            then.share_region_out(id, &mut Step::new(now));
        }
        Some((then, services))
    }

    /// What the share of a region will be after its next step, in percent.
    #[must_use]
    pub fn next_step(&self, region: &str) -> Option<u8> {
        self.evacuations.get(region).map(Evacuation::next)
    }

    /// The next step of an evacuation is taken, if it is due and nothing speaks against it. `room`: what it would come to.
    pub fn step_evacuation(&mut self, now: Moment, region: &str, room: &Room) -> Effects {
        let mut step = Step::new(now);
        let Some(evacuation) = self.evacuations.get(region).filter(|evacuation| evacuation.due <= now) else {
            return step.finish();
        };
        let Some(id) = self.model.region_by_key(region) else { return step.finish() };
        let next = evacuation.next();
        let speaks_against = self.alarm(evacuation, id, now).or_else(|| room.full.clone());
        // With the last of several steps goes what moves as a whole, and smaller ones would not make it less.
        let is_divisible = next > 0 || evacuation.left == 100;
        let speaks_against = speaks_against.or_else(|| self.too_much(now, room.moved, is_divisible));
        match speaks_against {
            Some(why) => self.hold_evacuation(region, why, &mut step),
            None if next == 0 => self.finish_evacuation(id, region, room, &mut step),
            None => {
                self.note_move(now, room.moved);
                let Some(evacuation) = self.evacuations.get_mut(region) else { return step.finish() };
                (evacuation.left, evacuation.held) = (next, None);
                evacuation.due = now.after(evacuation.every);
                let cause = format!("{next} % of its share left; {room}");
                step.tell(evacuation_event(now, EventKind::EvacuationStep, evacuation, cause));
                self.share_region_out(id, &mut step);
            }
        }
        step.save = true;
        self.settle(&mut step);
        step.finish()
    }

    fn hold_evacuation(&mut self, region: &str, why: String, step: &mut Step) {
        let Some(evacuation) = self.evacuations.get_mut(region) else { return };
        evacuation.due = step.now.after(evacuation.every.min(Duration::from_millis(EVACUATION_RETRY_MS)));
        let is_new = evacuation.held.is_none();
        let since = evacuation.held.as_ref().map_or(step.now, |held| held.since);
        evacuation.held = Some(Held { why: why.clone(), since });
        if is_new {
            let cause = format!("{} % of its share left; {why}", evacuation.left);
            step.tell(evacuation_event(step.now, EventKind::EvacuationHeld, evacuation, cause));
        }
    }

    /// It is drained, unless that is refused: since the beginning it may have become the last region of a service.
    fn finish_evacuation(&mut self, id: RegionId, region: &str, room: &Room, step: &mut Step) {
        // The word would overtake it.
        let Some(evacuation) = self.evacuations.remove(region) else { return };
        let Evacuation { owner, reason, lasting, confirm, .. } = evacuation.clone();
        let order = Order { target: region.to_owned(), lasting, reason, owner, confirm };
        if let Err(refusal) = self.say(Action::Drain, order, step) {
            self.evacuations.insert(region.to_owned(), evacuation);
            return self.hold_evacuation(region, refusal.to_string(), step);
        }
        step.tell(evacuation_event(step.now, EventKind::EvacuationDone, &evacuation, format!("drained; {room}")));
        self.note_move(step.now, room.moved);
        self.touch(id, step.now);
        self.share_region_out(id, step);
    }

    /// Why an evacuation must not go on, whatever room there is.
    fn alarm(&self, evacuation: &Evacuation, region: RegionId, now: Moment) -> Option<String> {
        if self.guard_view().phase != "quiet" {
            return Some("the guard suspects our own uplink".to_owned());
        }
        let on = self.on_at_all();
        let receivers = || evacuation.receivers.iter().filter_map(|key| self.model.region_by_key(key));
        if let Some(lost) = receivers().find(|id| on >> id.index() & 1 == 0) {
            let state = self.region_state(lost).map_or("gone", |(state, _)| state.as_str());
            return Some(format!("{} takes part no more: it is {state}", self.region_key(lost)));
        }
        let over = receivers().find_map(|id| {
            let (target, _) = self.capacity_of(id, now)?;
            let load = match self.load_of(id, now) {
                Reported::Fresh(load, _) | Reported::Held(load) => load,
                Reported::Silent | Reported::Estimated => return None,
            };
            // Readings tremble.
            if load <= target + target / 20 {
                return None;
            }
            Some(format!(
                "{} carries {} already, above its target of {}",
                self.region_key(id),
                load / 1_000,
                target / 1_000
            ))
        });
        let breach = || self.end_breach(region, (evacuation.begun, &evacuation.despite), now);
        over.or_else(|| breach().map(|breach| breach.to_string()))
    }

    /// Brings the share of a region in all its services to what evacuation and ramps say.
    fn share_region_out(&mut self, region: RegionId, step: &mut Step) {
        let model = Arc::clone(&self.model);
        for id in self.parted_services(region) {
            let Some(service) = model.services.get(id.index()) else { continue };
            self.share_out(id, service, region, step.now);
            step.changed.push(id);
        }
    }

    /// The same for one service.
    fn share_out(&mut self, id: ServiceId, service: &Service, region: RegionId, now: Moment) {
        let ramp = self.ramp_of(service);
        let ramps = self.courses.get(id.index()).map(|course| course.ramps.as_slice()).unwrap_or_default();
        let begun = ramps.iter().find(|(other, _)| *other == region).map(|(_, begun)| *begun);
        let own = ramp.zip(begun).and_then(|(ramp, begun)| ramp_part(begun, ramp, now));
        self.set_ramp(id, region, own);
    }

    /// Sets what a region counts with by its own ramp; while it is evacuated, only what it has left of that. What it was.
    pub(super) fn set_ramp(&mut self, id: ServiceId, region: RegionId, own: Option<u8>) -> Option<u8> {
        let key = self.model.regions.get(region.index()).map(|region| &*region.key);
        let left = key.and_then(|key| self.evacuations.get(key)).map(|evacuation| evacuation.left);
        let part = match (own, left.filter(|left| *left < 100)) {
            (own, None) => own,
            (own, Some(left)) => {
                let part = own.map_or(256, u32::from) * u32::from(left) / 100;
                u8::try_from(part.max(1)).ok()
            }
        };
        self.states.ramp.set(id, region, part)
    }

    /// Evacuations of a model that has come into force; those of regions that are gone end.
    pub(super) fn adopt_evacuations(&mut self, step: &mut Step) {
        let keys: Vec<String> = self.evacuations.keys().cloned().collect();
        for key in keys {
            match self.model.region_by_key(&key) {
                Some(id) => self.share_region_out(id, step),
                None => {
                    let Some(evacuation) = self.evacuations.remove(&key) else { continue };
                    let cause = "the region is gone from the region files".to_owned();
                    step.tell(evacuation_event(step.now, EventKind::EvacuationCancelled, &evacuation, cause));
                }
            }
        }
    }

    /// All that go on, by region.
    #[must_use]
    pub fn evacuation_views(&self) -> Vec<EvacuationView> {
        let shown = self.evacuations.values().map(|evacuation| EvacuationView {
            region: evacuation.region.clone(),
            owner: evacuation.owner.clone(),
            reason: evacuation.reason.clone(),
            begun: evacuation.begun,
            left: evacuation.left,
            step: evacuation.step,
            every_s: evacuation.every.as_secs(),
            due: evacuation.due,
            ends: evacuation.ends(),
            held: evacuation.held.clone(),
        });
        shown.collect()
    }

    /// By region the part that is left of its share, and whether that is held.
    pub(super) fn evacuation_figures(&self) -> Vec<(String, f64, bool)> {
        let figure = |one: &Evacuation| (one.region.clone(), f64::from(one.left) / 100.0, one.held.is_some());
        self.evacuations.values().map(figure).collect()
    }

    /// The services that share regions out, of those in a region.
    fn parted_services(&self, region: RegionId) -> Vec<ServiceId> {
        let shares = |id: &ServiceId| {
            let service = self.model.services.get(id.index());
            service.is_some_and(|service| matches!(self.model.policy(service).mode, Mode::ActiveActive { .. }))
        };
        self.wiring.parts(region).iter().map(|(id, _)| *id).filter(shares).collect()
    }
}

fn evacuation_event(at: Moment, kind: EventKind, evacuation: &Evacuation, cause: String) -> Event {
    let Evacuation { region, owner, reason, .. } = evacuation;
    let reason = if reason.is_empty() { String::new() } else { format!(" ({reason})") };
    let mut event = Event::new(at, kind, format!("{cause}{reason}"));
    event.region = Some(region.clone());
    event.owner = Some(owner.clone()).filter(|owner| !owner.is_empty());
    event
}
