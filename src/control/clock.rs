//! What the clock alone brings: the end of words, of waits and of holds, steps of ramps, failback, and the last seconds
//! before any of them.

use std::sync::Arc;
use std::time::Duration;

use crate::base::ids::{PartId, ServiceId};
use crate::base::moment::Moment;
use crate::health::Override;
use crate::model::{Failback, Model, Service};

use super::course::{Course, ramp_part};
use super::event::{Effects, Event, EventKind};
use super::hub::Control;
use super::step::{Step, about, sorted};
use super::words::{Scope, Words};

impl Control {
    /// Does whatever is due; to be called at [`Control::next_deadline`], and harmless at any other moment.
    pub fn tick(&mut self, now: Moment) -> Effects {
        let mut step = Step::new(now);
        if !self.has_begun {
            return step.finish();
        }
        self.expire(&mut step);
        self.end_waits(&mut step);
        if let Some(turn) = self.guard.tick(now) {
            self.guard_turns(turn, &mut step);
        }
        self.feeds_overdue(&mut step);
        self.balance(&mut step);
        self.settle(&mut step);
        let mut due = Vec::new();
        while let Some((at, services)) = self.agenda.pop(now) {
            for service in services {
                let course = self.courses.get_mut(service.index());
                if let Some(course) = course.filter(|course| course.planned == Some(at)) {
                    course.planned = None;
                    due.push(service);
                }
            }
        }
        let model = Arc::clone(&self.model);
        for service in due {
            self.go_on(&model, service, &mut step);
        }
        self.settle(&mut step);
        step.finish()
    }

    /// Takes away the words that have ended.
    pub(super) fn expire(&mut self, step: &mut Step) {
        let expired = self.overrides.expire(step.now);
        if expired.is_empty() {
            return;
        }
        for word in &expired {
            step.tell(word_event(step.now, EventKind::OverrideExpired, word));
        }
        step.save = true;
        self.reword(expired.iter().map(|word| word.target.as_str()), step);
    }

    /// Works out anew what operators say about these targets, and what follows.
    fn reword<'t>(&mut self, targets: impl IntoIterator<Item = &'t str>, step: &mut Step) {
        let reworded = self.change_words(targets);
        self.announce(&reworded, step);
    }

    /// Brings what operators say about these targets into the states: the services covered, and for each
    /// in which of its regions words are others than before.
    pub(super) fn change_words<'t>(&mut self, targets: impl IntoIterator<Item = &'t str>) -> Vec<(ServiceId, u128)> {
        self.words = Words::new(&self.model, &self.overrides);
        let mut services: Vec<ServiceId> = targets.into_iter().flat_map(|target| self.covered(target)).collect();
        services.sort_unstable();
        services.dedup();
        services.into_iter().map(|id| (id, self.apply_words(id))).collect()
    }

    /// What follows from words that changed.
    pub(super) fn announce(&mut self, reworded: &[(ServiceId, u128)], step: &mut Step) {
        step.stale.extend(self.reworded_parts(reworded));
        let model = Arc::clone(&self.model);
        for &(id, regions) in reworded {
            if regions != 0 {
                step.dirty.push(id);
            } else {
                // Its end may be another.
                self.plan(&model, id, step);
            }
        }
    }

    /// The parts in which words are others than before.
    pub(super) fn reworded_parts(&self, reworded: &[(ServiceId, u128)]) -> Vec<PartId> {
        sorted(reworded.iter().flat_map(|&(id, regions)| self.table.parts_in(id, regions)).collect())
    }

    /// The services that a target has a part of; empty if it is not in the model.
    pub(super) fn covered(&self, target: &str) -> Vec<ServiceId> {
        match Scope::of(&self.model, target) {
            Some(Scope::Region(region)) => self.wiring.parts(region).iter().map(|(service, _)| *service).collect(),
            Some(Scope::Part(service, _)) => vec![service],
            Some(Scope::Endpoint(endpoint)) => {
                self.model.endpoints.get(endpoint.index()).map(|endpoint| endpoint.service).into_iter().collect()
            }
            None => Vec::new(),
        }
    }

    /// Brings the words about a service into the states: the regions in which any is another.
    pub(super) fn apply_words(&mut self, id: ServiceId) -> u128 {
        let model = Arc::clone(&self.model);
        let (Some(service), Some(course)) = (model.services.get(id.index()), self.courses.get_mut(id.index())) else {
            return 0;
        };
        let (differs, expires) = self.words.apply(id, service, &mut self.states.word);
        course.expires = expires;
        differs
    }

    /// A service whose time has come: failback, a step of a ramp, or only another second less.
    fn go_on(&mut self, model: &Model, id: ServiceId, step: &mut Step) {
        let Some(service) = model.services.get(id.index()) else { return };
        let Some(course) = self.courses.get_mut(id.index()) else { return };
        let mut course = std::mem::take(course);
        course.retry = course.retry.filter(|retry| *retry > step.now);
        // One that is automatic is due by the clock after a rule has held it.
        let wait = match self.failback_of(service) {
            Some(Failback::After(wait)) => Some(wait),
            Some(Failback::Automatic) => Some(Duration::ZERO),
            Some(Failback::Manual) | None => None,
        };
        if let Some(wait) = wait
            && let Some(region) = course.failback(step.now, wait)
            && !self.holds_failback((id, service), &mut course, region, step)
        {
            let why = format!("it was eligible for {}", crate::base::units::format_duration(wait));
            self.fail_back(id, service, &mut course, region, &why, step);
        }
        if let Some(place) = self.courses.get_mut(id.index()) {
            *place = course;
        }
        self.plan(model, id, step);
    }

    /// Brings the ramps of a service to where they are now; those that are over end.
    pub(super) fn step_ramps(&mut self, id: ServiceId, service: &Service, course: &mut Course, step: &mut Step) {
        let Some(ramp) = self.ramp_of(service).filter(|_| !course.ramps.is_empty()) else { return };
        course.ramps.retain(|&(region, begun)| match ramp_part(begun, ramp, step.now) {
            Some(part) => {
                let before = self.set_ramp(id, region, Some(part));
                if self.states.ramp.get(id, region) != before {
                    step.changed.push(id);
                }
                true
            }
            None => {
                self.set_ramp(id, region, None);
                step.changed.push(id);
                step.save = true;
                step.tell_one_of(EventKind::RampEnded, Some(region), service.names.len(), |at| {
                    let mut event = about(at, EventKind::RampEnded, "", service);
                    event.region = Some(self.region_key(region));
                    event
                });
                false
            }
        });
    }
}

/// An event about a word of an operator.
pub(super) fn word_event(at: Moment, kind: EventKind, word: &Override) -> Event {
    let reason = if word.reason.is_empty() { String::new() } else { format!(" ({})", word.reason) };
    let mut event = Event::new(at, kind, format!("{}{reason}", word.action.as_str()));
    event.target = Some(word.target.clone());
    event.owner = Some(word.owner.clone()).filter(|owner| !owner.is_empty());
    event.until = word.expires;
    event
}
