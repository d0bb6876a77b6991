//! What follows for a service when its regions change: events, ramps, the active region, what was up last.

use std::time::Duration;

use crate::base::ids::{RegionId, ServiceId};
use crate::model::{Failback, Mode, Service};
use crate::table::{Standing, Why};

use super::course::{Course, active, countdown, ramp_part};
use super::event::EventKind;
use super::hub::Control;
use super::step::{Step, about};

impl Control {
    /// A service whose regions were judged anew.
    pub(super) fn follow(&mut self, id: ServiceId, step: &mut Step) {
        let model = std::sync::Arc::clone(&self.model);
        let Some(service) = model.services.get(id.index()) else { return };
        let Some(course) = self.courses.get_mut(id.index()) else { return };
        let mut course = std::mem::take(course);
        let (eligible, standing) = (self.eligible(id, service), self.standing(id));
        let before = std::mem::replace(&mut course.eligible, eligible);
        self.tell_regions(id, service, before, eligible, step);
        course.failovers += self.lost_to_failures(id, service, before & !eligible);
        self.tell_standing(service, std::mem::replace(&mut course.standing, standing), standing, step);
        self.ramp_up(id, service, &mut course, before, step);
        self.move_active(id, service, &mut course, step);
        self.remember_up(id);
        if let Some(place) = self.courses.get_mut(id.index()) {
            *place = course;
        }
        self.plan(id, step);
    }

    /// The regions of a service that are eligible.
    pub(super) fn eligible(&self, id: ServiceId, service: &Service) -> u128 {
        let parts = service.regions.iter().zip(self.table.why(id)).filter(|(_, why)| *why == Why::Eligible);
        parts.fold(0, |mask, (part, _)| mask | 1 << part.region.index())
    }

    fn standing(&self, id: ServiceId) -> Standing {
        self.table.standing.get(id.index()).copied().unwrap_or(Standing::Gone)
    }

    fn tell_regions(&self, id: ServiceId, service: &Service, before: u128, now: u128, step: &mut Step) {
        if before == now {
            return;
        }
        for (part, why) in service.regions.iter().zip(self.table.why(id)) {
            let bit = 1 << part.region.index();
            let kind = match (before & bit != 0, now & bit != 0) {
                (true, false) => EventKind::RegionLost,
                (false, true) => EventKind::RegionBack,
                (true, true) | (false, false) => continue,
            };
            step.tell_one_of(kind, Some(part.region), service.names.len(), |at| {
                let cause = if kind == EventKind::RegionLost { why.as_str() } else { "" };
                let mut event = about(at, kind, cause, service);
                event.region = Some(self.region_key(part.region));
                event
            });
        }
    }

    /// How many of the regions that were lost count as failovers: not those that operators took away, and of an
    /// active-passive service only the active one.
    fn lost_to_failures(&self, id: ServiceId, service: &Service, lost: u128) -> u64 {
        if lost == 0 {
            return 0;
        }
        let active = self.failback_of(service).and_then(|_| self.held(id));
        let parts = service.regions.iter().zip(self.table.why(id));
        let failed = parts.filter(|(part, why)| {
            lost >> part.region.index() & 1 == 1
                && matches!(why, Why::BelowMinUp | Why::Down)
                && active.is_none_or(|active| active == part.region)
        });
        failed.map(|_| 1).sum()
    }

    fn tell_standing(&self, service: &Service, before: Standing, now: Standing, step: &mut Step) {
        let is_lost = |standing: Standing| standing >= Standing::AllDown;
        let kind = match (is_lost(before), is_lost(now)) {
            (false, true) => EventKind::ServiceAllDown,
            (true, false) => EventKind::ServiceRecovered,
            (true, true) | (false, false) => return,
        };
        let cause = match now {
            Standing::AllDown => "every endpoint is down",
            Standing::Gone => "everything is disabled or forced down",
            Standing::Eligible | Standing::Drained | Standing::SomeUp => "",
        };
        step.tell_one_of(kind, None, service.names.len(), |at| about(at, kind, cause, service));
        step.save = true;
    }

    /// A region that comes back beside others gets its share step by step.
    fn ramp_up(&mut self, id: ServiceId, service: &Service, course: &mut Course, before: u128, step: &mut Step) {
        let Some(ramp) = self.ramp_of(service) else {
            for (region, _) in std::mem::take(&mut course.ramps) {
                self.states.ramp.remove(&(id, region));
            }
            return;
        };
        let now = course.eligible;
        let (others, back) = (before & now, now & !before);
        course.ramps.retain(|(region, _)| {
            let stays = now >> region.index() & 1 == 1;
            if !stays {
                self.states.ramp.remove(&(id, *region));
                step.save = true;
            }
            stays
        });
        if others == 0 {
            return;
        }
        for part in service.regions.iter().filter(|part| back >> part.region.index() & 1 == 1) {
            let Some(part_of_weight) = ramp_part(step.now, ramp, step.now) else { continue };
            course.ramps.push((part.region, step.now));
            self.states.ramp.insert((id, part.region), part_of_weight);
            step.save = true;
            step.tell_one_of(EventKind::RampBegun, Some(part.region), service.names.len(), |at| {
                let mut event = about(at, EventKind::RampBegun, "", service);
                event.region = Some(self.region_key(part.region));
                event.until = Some(at.after(ramp));
                event
            });
        }
    }

    /// The active region of an active-passive service, and what waits for failback.
    fn move_active(&mut self, id: ServiceId, service: &Service, course: &mut Course, step: &mut Step) {
        let Some(failback) = self.failback_of(service) else {
            course.better.clear();
            course.pinned = false;
            self.hold(id, None);
            return;
        };
        let order = order_of(service);
        // When nothing is up there is nothing to move to.
        let usable = if course.standing >= Standing::AllDown { 0 } else { self.usable(id) };
        let held = self.held(id);
        let Some(region) = active(&order, usable, held) else { return };
        if held != Some(region) {
            if let Some(from) = held {
                let why = self.why_of(id, service, from);
                self.tell_move(EventKind::ActiveMoved, service, from, region, why, step);
            }
            course.pinned = false;
            course.better.clear();
            self.hold(id, Some(region));
            step.save = true;
        }
        self.await_better(service, course, &order, region, failback, step);
        if failback == Failback::Automatic
            && let Some(better) = course.failback(step.now, Duration::ZERO)
        {
            self.fail_back(id, service, course, better, "it is eligible again", step);
        }
    }

    /// Notes which regions better than `active` are eligible, and since when.
    fn await_better(
        &self,
        service: &Service,
        course: &mut Course,
        order: &[RegionId],
        active: RegionId,
        failback: Failback,
        step: &mut Step,
    ) {
        let before = std::mem::take(&mut course.better);
        if course.pinned {
            return;
        }
        let eligible = course.eligible;
        let better = order.iter().take_while(|region| **region != active);
        for &region in better.filter(|region| eligible >> region.index() & 1 == 1) {
            let since = before.iter().find(|(waiting, _)| *waiting == region).map(|(_, since)| *since);
            course.better.push((region, since.unwrap_or(step.now)));
            if since.is_none() && failback != Failback::Automatic {
                step.tell_one_of(EventKind::FailbackScheduled, Some(region), service.names.len(), |at| {
                    let (cause, until) = match failback {
                        Failback::After(wait) => (crate::base::units::format_duration(wait), Some(at.after(wait))),
                        Failback::Automatic | Failback::Manual => ("until an operator fails back".to_owned(), None),
                    };
                    let mut event = about(at, EventKind::FailbackScheduled, cause, service);
                    event.region = Some(self.region_key(region));
                    event.until = until;
                    event
                });
            }
        }
    }

    /// The work goes back to `region`.
    pub(super) fn fail_back(
        &mut self,
        id: ServiceId,
        service: &Service,
        course: &mut Course,
        region: RegionId,
        why: &str,
        step: &mut Step,
    ) {
        let from = self.held(id).unwrap_or(region);
        self.tell_move(EventKind::FailedBack, service, from, region, why.to_owned(), step);
        self.hold(id, Some(region));
        course.pinned = false;
        let ahead = order_of(service).into_iter().take_while(|other| *other != region).collect::<Vec<_>>();
        course.better.retain(|(waiting, _)| ahead.contains(waiting));
        step.changed.push(id);
        step.save = true;
    }

    pub(super) fn tell_move(
        &self,
        kind: EventKind,
        service: &Service,
        from: RegionId,
        to: RegionId,
        why: String,
        step: &mut Step,
    ) {
        step.tell_one_of(kind, Some(to), service.names.len(), |at| {
            let from = self.region_key(from);
            let cause = if why.is_empty() { format!("from {from}") } else { format!("from {from}: {why}") };
            let mut event = about(at, kind, cause, service);
            event.region = Some(self.region_key(to));
            event
        });
    }

    /// What was up when the service last had anything up.
    fn remember_up(&mut self, id: ServiceId) {
        let range = self.endpoints_of(id);
        let range = range.start as usize..range.end as usize;
        let (Some(up), Some(last)) = (self.states.up.get(range.clone()), self.states.last_up.get_mut(range)) else {
            return;
        };
        if up.contains(&true) {
            last.copy_from_slice(up);
        } else if !last.contains(&true) {
            // Nobody ever saw any of it up: all are as good.
            last.fill(true);
        }
    }

    /// Brings ramps up to date, puts on the agenda when the service changes by the clock alone, and publishes how soon that is.
    pub(super) fn plan(&mut self, id: ServiceId, step: &mut Step) {
        let model = std::sync::Arc::clone(&self.model);
        let Some(service) = model.services.get(id.index()) else { return };
        let wait = match self.failback_of(service) {
            Some(Failback::After(wait)) => Some(wait),
            Some(Failback::Automatic | Failback::Manual) | None => None,
        };
        let ramp = self.ramp_of(service).unwrap_or_default();
        let horizon = self.wiring.horizon(id);
        let Some(course) = self.courses.get_mut(id.index()) else { return };
        if !course.ramps.is_empty() {
            // Before the next step is looked for, the one that is due now must have been taken.
            let mut course = std::mem::take(course);
            self.step_ramps(id, service, &mut course, step);
            if let Some(place) = self.courses.get_mut(id.index()) {
                *place = course;
            }
        }
        let Some(course) = self.courses.get_mut(id.index()) else { return };
        let (change, look) = countdown(step.now, course.due(step.now, wait, ramp), horizon);
        if course.planned != look {
            if let Some(planned) = course.planned {
                self.agenda.remove(&(planned, id));
            }
            self.agenda.extend(look.map(|look| (look, id)));
            course.planned = look;
        }
        if let Some(published) = self.states.change_s.get_mut(id.index())
            && *published != change
        {
            *published = change;
            step.changed.push(id);
        }
    }

    /// How long a region of the service takes to get its share back; `None`: all at once.
    pub(super) fn ramp_of(&self, service: &Service) -> Option<Duration> {
        match self.model.policies.get(service.policy.index())?.mode {
            Mode::ActiveActive { ramp, .. } => Some(ramp).filter(|ramp| !ramp.is_zero()),
            Mode::ActivePassive { .. } | Mode::All => None,
        }
    }

    /// How a service fails back; `None` if it is not active-passive.
    pub(super) fn failback_of(&self, service: &Service) -> Option<Failback> {
        match self.model.policies.get(service.policy.index())?.mode {
            Mode::ActivePassive { failback } => Some(failback),
            Mode::ActiveActive { .. } | Mode::All => None,
        }
    }

    /// Why a region of a service is eligible or not, in a word.
    pub(super) fn why_of(&self, id: ServiceId, service: &Service, region: RegionId) -> String {
        let mut parts = service.regions.iter().zip(self.table.why(id));
        let why = parts.find(|(part, _)| part.region == region).map_or(Why::Disabled, |(_, why)| why);
        why.as_str().to_owned()
    }

    pub(super) fn usable(&self, id: ServiceId) -> u128 {
        self.table.usable.get(id.index()).copied().unwrap_or(0)
    }

    pub(super) fn held(&self, id: ServiceId) -> Option<RegionId> {
        self.states.held.get(id.index()).copied().flatten()
    }

    pub(super) fn hold(&mut self, id: ServiceId, region: Option<RegionId>) {
        if let Some(held) = self.states.held.get_mut(id.index()) {
            *held = region;
        }
    }

    pub(super) fn region_key(&self, region: RegionId) -> String {
        self.model.regions.get(region.index()).map(|region| region.key.to_string()).unwrap_or_default()
    }
}

/// The regions of an active-passive service, best first. Only one of a single region may do without an order.
pub(super) fn order_of(service: &Service) -> Vec<RegionId> {
    if service.order.is_empty() {
        service.regions.iter().map(|part| part.region).collect()
    } else {
        service.order.clone()
    }
}
