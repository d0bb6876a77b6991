//! What follows for a service when its regions change: events, ramps, the active region, what was up last.

use std::borrow::Cow;
use std::time::Duration;

use crate::base::ids::{RegionId, ServiceId};
use crate::model::{Failback, Mode, Model, Service};
use crate::table::{Standing, Why};

use super::course::{Course, active, countdown, ramp_part};
use super::event::EventKind;
use super::hub::Control;
use super::step::{Step, about};
use super::words::earlier;

impl Control {
    /// A service whose regions were judged anew.
    pub(super) fn follow(&mut self, model: &Model, id: ServiceId, step: &mut Step) {
        let Some(service) = model.services.get(id.index()) else { return };
        let Some(course) = self.courses.get_mut(id.index()) else { return };
        let mut course = std::mem::take(course);
        let (eligible, standing) = (self.table.eligible(id), self.standing(id));
        let before = std::mem::replace(&mut course.eligible, eligible);
        self.safety.count(before, eligible);
        step.regions_moved |= before != eligible;
        self.tell_regions(id, service, before, eligible, step);
        course.failovers += self.lost_to_failures(id, service, before & !eligible);
        self.tell_standing(service, std::mem::replace(&mut course.standing, standing), standing, step);
        self.ramp_up(id, service, &mut course, before, step);
        self.move_active(id, service, &mut course, step);
        if let Some(place) = self.courses.get_mut(id.index()) {
            *place = course;
        }
        self.plan(model, id, step);
    }

    fn standing(&self, id: ServiceId) -> Standing {
        self.table.standing.get(id.index()).copied().unwrap_or(Standing::Gone)
    }

    fn tell_regions(&self, id: ServiceId, service: &Service, before: u128, now: u128, step: &mut Step) {
        for region in regions_in(before ^ now) {
            let is_lost = before >> region.index() & 1 == 1;
            let kind = if is_lost { EventKind::RegionLost } else { EventKind::RegionBack };
            step.tell_one_of(kind, Some(region), service.names.len(), |at| {
                let cause = if is_lost { self.why_of(id, service, region) } else { String::new() };
                let mut event = about(at, kind, cause, service);
                event.region = Some(self.region_key(region));
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
                self.set_ramp(id, region, None);
            }
            return;
        };
        let now = course.eligible;
        let (others, back) = (before & now, now & !before);
        course.ramps.retain(|(region, _)| {
            let stays = now >> region.index() & 1 == 1;
            if !stays {
                self.set_ramp(id, *region, None);
                step.save = true;
            }
            stays
        });
        if others == 0 {
            return;
        }
        for region in regions_in(back) {
            let Some(part_of_weight) = ramp_part(step.now, ramp, step.now) else { continue };
            course.ramps.push((region, step.now));
            self.set_ramp(id, region, Some(part_of_weight));
            step.save = true;
            step.tell_one_of(EventKind::RampBegun, Some(region), service.names.len(), |at| {
                let mut event = about(at, EventKind::RampBegun, "", service);
                event.region = Some(self.region_key(region));
                event.until = Some(at.after(ramp));
                event
            });
        }
    }

    /// The active region of an active-passive service, and what waits for failback.
    fn move_active(&mut self, id: ServiceId, service: &Service, course: &mut Course, step: &mut Step) {
        let Some(failback) = self.failback_of(service) else {
            course.forget_better();
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
                self.tell_move(
                    EventKind::ActiveMoved,
                    service,
                    (from, region),
                    || self.why_of(id, service, from),
                    step,
                );
            }
            course.pinned = false;
            course.forget_better();
            self.hold(id, Some(region));
            step.save = true;
        }
        self.await_better(service, course, &order, region, failback, step);
        if course.better.is_empty() {
            course.forget_better();
        }
        if failback == Failback::Automatic
            && let Some(better) = course.failback(step.now, Duration::ZERO)
            && !self.holds_failback((id, service), course, better, step)
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
        self.tell_move(EventKind::FailedBack, service, (from, region), || why.to_owned(), step);
        self.hold(id, Some(region));
        (course.pinned, course.is_held_back, course.retry) = (false, false, None);
        let order = order_of(service);
        let ahead = order.iter().position(|other| *other == region).and_then(|at| order.get(..at)).unwrap_or_default();
        course.better.retain(|(waiting, _)| ahead.contains(waiting));
        step.changed.push(id);
        step.save = true;
    }

    pub(super) fn tell_move(
        &self,
        kind: EventKind,
        service: &Service,
        (from, to): (RegionId, RegionId),
        why: impl FnOnce() -> String,
        step: &mut Step,
    ) {
        step.tell_one_of(kind, Some(to), service.names.len(), |at| {
            let (from, why) = (self.region_key(from), why());
            let cause = if why.is_empty() { format!("from {from}") } else { format!("from {from}: {why}") };
            let mut event = about(at, kind, cause, service);
            event.region = Some(self.region_key(to));
            event
        });
    }

    /// Brings ramps up to date, puts on the agenda when the service changes by the clock alone, and publishes how soon that is.
    pub(super) fn plan(&mut self, model: &Model, id: ServiceId, step: &mut Step) {
        let Some(service) = model.services.get(id.index()) else { return };
        let wait = match self.failback_of(service) {
            Some(Failback::After(wait)) => Some(wait),
            // It waits only while a safety rule holds it.
            Some(Failback::Automatic) => Some(Duration::ZERO),
            Some(Failback::Manual) | None => None,
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
        let look = earlier(look, course.retry);
        if course.planned != look {
            if let Some(planned) = course.planned {
                self.agenda.take_off(planned);
            }
            if let Some(look) = look {
                self.agenda.put(look, id);
            }
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
        let mut parts = service.regions.iter().zip(self.table.parts(id));
        let why = parts.find(|(part, _)| part.region == region).map_or(Why::Disabled, |(_, part)| part.why);
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
pub(super) fn order_of(service: &Service) -> Cow<'_, [RegionId]> {
    if service.order.is_empty() {
        service.regions.iter().map(|part| part.region).collect()
    } else {
        Cow::from(service.order.as_slice())
    }
}

/// The regions of a set, by id.
fn regions_in(mut set: u128) -> impl Iterator<Item = RegionId> {
    std::iter::from_fn(move || {
        let region = u8::try_from(set.trailing_zeros()).ok().filter(|_| set != 0)?;
        set &= set - 1;
        Some(RegionId(region))
    })
}
