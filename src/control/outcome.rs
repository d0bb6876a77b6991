//! One outcome of a probe: the machine of its target, and what follows if that changed.

use std::sync::Arc;
use std::time::Duration;

use crate::base::ids::{EndpointId, PartId, ServiceId};
use crate::base::limits::STRAY_PROBE_MS;
use crate::base::moment::Moment;
use crate::health::{Health, Observation, Transition, Verdict};

use super::event::{Effects, Event, EventKind};
use super::hub::Control;
use super::step::{Step, sorted};

impl Control {
    /// How long it took, since a moment, to connect to the endpoints of each region: what their checks found last, if they
    /// passed. By the region's key.
    pub fn connected(&self, since: Moment) -> impl Iterator<Item = (&Arc<str>, Duration)> {
        self.targets.iter().filter_map(move |(_, target)| {
            let (at, outcome) = target.last.as_ref()?;
            let connect = outcome.phases.connect.filter(|_| *at > since && outcome.verdict == Verdict::Pass)?;
            let endpoint = self.model.endpoints.get(target.endpoints.first()?.index())?;
            Some((&self.model.regions.get(endpoint.region.index())?.key, connect))
        })
    }

    /// Takes one outcome of a target: from this probe to its next, and what follows. An outcome that changes nothing
    /// costs next to nothing.
    pub fn observe(&mut self, now: Moment, target: u64, outcome: &Observation) -> (Duration, Effects) {
        let mut step = Step::new(now);
        let found = u32::try_from(target).ok().and_then(|number| Some((number, self.targets.get(number)?.reference)));
        let Some((number, reference)) = found else {
            // It went while the probe was on its way.
            return (Duration::from_millis(STRAY_PROBE_MS), step.finish());
        };
        let before = self.targets.hear(number, now, outcome);
        self.warn(number, before.as_ref().map(|(_, outcome)| outcome), outcome, &mut step);
        if let Some(reference) = reference
            && let Some(turn) = self.guard.reference(now, reference, outcome.verdict)
        {
            self.guard_turns(turn, &mut step);
        }
        self.feed_from(number, outcome, &mut step);
        if outcome.phases.first_byte.is_some() {
            self.heard_time(number, now);
        }
        let Some(target) = self.targets.get_mut(number) else { return (Duration::ZERO, step.finish()) };
        let machine = target.machine;
        let transition = target.machine.observe(&target.rule, outcome.verdict);
        let (cadence, has_changed) = (target.machine.cadence(&target.rule), target.machine != machine);
        if has_changed {
            if let Some(transition) = transition {
                step.save = true;
                self.tell_transition(number, transition, outcome, &mut step);
            }
            self.spread(number, transition.is_some(), &mut step);
        }
        self.settle(&mut step);
        (cadence, step.finish())
    }

    /// What is noteworthy about an outcome whatever it does to the state: the first of a row of inconclusive ones, and
    /// a new warning.
    fn warn(&mut self, number: u32, before: Option<&Observation>, outcome: &Observation, step: &mut Step) {
        let Some(target) = self.targets.get_mut(number) else { return };
        let about = |kind, cause: &str| {
            let mut event = Event::new(step.now, kind, cause);
            event.target = Some(target.key.to_string());
            event
        };
        let mut events = [None, None];
        if outcome.verdict == Verdict::Inconclusive {
            if target.inconclusive == 0 {
                events[0] = Some(about(EventKind::ProbeInconclusive, &outcome.reason));
            }
            target.inconclusive = target.inconclusive.saturating_add(1);
        } else {
            target.inconclusive = 0;
        }
        if let Some(warning) = &outcome.warning
            && before.and_then(|before| before.warning.as_ref()) != Some(warning)
        {
            events[1] = Some(about(EventKind::CertificateWarning, warning));
        }
        events.into_iter().flatten().for_each(|event| step.tell(event));
    }

    fn tell_transition(&self, number: u32, transition: Transition, outcome: &Observation, step: &mut Step) {
        let Some(target) = self.targets.get(number) else { return };
        let kind = match (transition.from, transition.to) {
            (_, Health::Down) => EventKind::CheckDown,
            (Health::Down, Health::Up) => EventKind::CheckUp,
            // That the first probe passes is what everybody expects.
            (Health::Unknown | Health::Up, Health::Up) | (_, Health::Unknown) => return,
        };
        let cause = match (kind, transition.outcomes) {
            (EventKind::CheckDown, 1) => outcome.reason.to_string(),
            (EventKind::CheckDown, count) => format!("{} ({count} failures)", outcome.reason),
            (_, count) => format!("{} ({count} in a row)", outcome.reason),
        };
        let mut event = Event::new(step.now, kind, cause);
        event.target = Some(target.key.to_string());
        step.tell(event);
    }

    /// Brings what a target says to the endpoints that need it.
    fn spread(&mut self, number: u32, is_transition: bool, step: &mut Step) {
        let Some(target) = self.targets.get(number) else { return };
        let mut touched: Vec<EndpointId> = target.endpoints.clone();
        for &region in &target.regions {
            let parts = self.wiring.parts(region).iter();
            touched.extend(parts.flat_map(|(_, endpoints)| endpoints.clone()).map(EndpointId));
        }
        if is_transition {
            self.judge_endpoints(&touched, step);
        }
        self.publish_endpoints(touched, step);
    }

    /// After all changes of a step: tables, active regions, ramps and the agenda of the services that changed.
    pub(super) fn settle(&mut self, step: &mut Step) {
        let stale = self.remember_up(step.take_stale());
        self.table.repair(&self.states, &stale);
        let model = Arc::clone(&self.model);
        for service in step.take_dirty() {
            self.follow(&model, service, step);
        }
        step.changed.extend(stale.iter().filter_map(|&part| self.table.service_and_region(part)).map(|(id, _)| id));
        if self.wiring.has_followers() {
            let followers: Vec<ServiceId> =
                step.changed.iter().flat_map(|&service| self.wiring.followers(service)).copied().collect();
            step.changed.extend(followers);
        }
        if std::mem::take(&mut step.regions_moved) {
            self.watch_rules(step);
        }
    }

    /// Keeps what was up when services last had anything up, where that changed with these parts. What it says of more
    /// parts then, these are stale too.
    fn remember_up(&mut self, stale: Vec<PartId>) -> Vec<PartId> {
        let mut more = Vec::new();
        for &part in &stale {
            let Some((service, _)) = self.table.service_and_region(part) else { continue };
            let is_up = self.ups.get(service.index()).is_some_and(|count| *count > 0);
            let Some(is_kept) = self.keeps_up.get_mut(service.index()) else { continue };
            match (is_up, std::mem::replace(is_kept, is_up)) {
                // It stays what it was when the last one went down.
                (false, _) => {}
                (true, true) => self.copy_up(part),
                (true, false) => {
                    let parts = self.table.part_ids(service).to_vec();
                    parts.iter().for_each(|&part| self.copy_up(part));
                    more.extend(parts);
                }
            }
        }
        if more.is_empty() {
            return stale;
        }
        more.extend(stale);
        sorted(more)
    }

    fn copy_up(&mut self, part: PartId) {
        let range = self.table.endpoints_of(part);
        let range = range.start as usize..range.end as usize;
        if let (Some(up), Some(last)) = (self.states.up.get(range.clone()), self.states.last_up.get_mut(range)) {
            last.copy_from_slice(up);
        }
    }
}
