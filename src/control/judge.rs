//! From targets to endpoints: what its checks say of an endpoint, what the guard makes of it, and what is published.
//!
//! ```text
//! its checks and its region's   guard      counts as   guarded
//! all pass, or there are none   any        up          no
//! some fail                     quiet      down        no
//! some fail                     holding    up          yes     if it went down in the window, or while it holds
//! some fail                     holding    down        no      if it was down before
//! none fails, some are silent   any        presumed    no
//! ```
//!
//! What an endpoint is presumed to be:
//!
//! ```text
//! endpoint                                                  presumed
//! of a service that is new                                  up until `start.wait`, then down …
//! … and no endpoint of the service has had an outcome       up: the probes are late, not the world
//! new, of a service that was there                          down: it waits for its first pass
//! it was there, a check of it is new                        what it was
//! ```

use crate::base::ids::{EndpointId, RegionId, ServiceId};
use crate::base::limits::EVENTS_EACH_MAX;
use crate::health::{Health, Step as Turn};
use crate::model::ServiceRegion;
use crate::table::STEADY;

use super::event::{Event, EventKind};
use super::hub::Control;
use super::step::Step;

impl Control {
    /// What its checks say of an endpoint.
    pub(super) fn real_of(&self, endpoint: EndpointId) -> Health {
        let mut health = Health::Up;
        for &number in self.wiring.needs(endpoint) {
            match self.targets.get(number).map_or(Health::Unknown, |target| target.machine.health()) {
                Health::Down => return Health::Down,
                Health::Unknown => health = Health::Unknown,
                Health::Up => {}
            }
        }
        health
    }

    /// Endpoints whose checks may say something else than before: the guard hears of it first.
    pub(super) fn judge_endpoints(&mut self, endpoints: &[EndpointId], step: &mut Step) {
        let mut has_lost = false;
        for &id in endpoints {
            let now = self.real_of(id);
            let Some((_, region)) = self.place_of(id) else { continue };
            let Some(before) = self.real.get_mut(id.index()) else { continue };
            let was = std::mem::replace(before, now);
            match (was, now) {
                (Health::Up, Health::Down | Health::Unknown) => {
                    self.guard.lost(step.now, region, id);
                    has_lost = true;
                }
                (Health::Down | Health::Unknown, Health::Up) => self.guard.gained(step.now, region),
                (Health::Up, Health::Up) | (Health::Down | Health::Unknown, Health::Down | Health::Unknown) => {}
            }
        }
        if has_lost && let Some(turn) = self.guard.judge(step.now) {
            self.guard_turns(turn, step);
        }
    }

    /// Publishes what became of endpoints.
    pub(super) fn publish_endpoints(&mut self, endpoints: impl IntoIterator<Item = EndpointId>, step: &mut Step) {
        for id in endpoints {
            self.publish_endpoint(id, step);
        }
        if self.guard.is_holding()
            && self.guarded.is_empty()
            && let Some(turn) = self.guard.over()
        {
            self.guard_turns(turn, step);
        }
    }

    /// Publishes what became of an endpoint, without telling anybody but the states: true if it went up or down.
    pub(super) fn put_endpoint(&mut self, id: EndpointId) -> Published {
        let index = id.index();
        let real = self.real.get(index).copied().unwrap_or_default();
        let was_up = self.states.up.get(index).copied().unwrap_or(false);
        let (up, is_guarded) = match real {
            Health::Up => (true, false),
            Health::Unknown => (self.presumed.get(index).copied().unwrap_or(false), false),
            Health::Down => {
                let is_held = self.guard.is_holding() && (was_up || self.guarded.contains(&id));
                (is_held, is_held)
            }
        };
        if is_guarded {
            self.guarded.insert(id);
        } else {
            self.guarded.remove(&id);
        }
        let steady = self.steady_of(id, real, up, is_guarded);
        put(&mut self.states.up, index, up);
        let differs = put(&mut self.states.guarded, index, is_guarded);
        let differs = put(&mut self.states.steady_s, index, steady) || differs;
        if was_up == up {
            if differs { Published::Otherwise } else { Published::Same }
        } else if up {
            Published::Up
        } else {
            Published::Down
        }
    }

    fn publish_endpoint(&mut self, id: EndpointId, step: &mut Step) {
        let kind = match self.put_endpoint(id) {
            Published::Same => return,
            Published::Otherwise => None,
            Published::Up => Some(EventKind::EndpointUp),
            Published::Down => Some(EventKind::EndpointDown),
        };
        let Some(part) = self.table.part_of(id) else { return };
        let Some((service, region)) = self.table.service_and_region(part) else { return };
        if step.stale.last() != Some(&part) {
            step.stale.push(part);
        }
        if let Some(kind) = kind {
            self.count_flap(id);
            if let Some(count) = self.ups.get_mut(service.index()) {
                *count = if kind == EventKind::EndpointUp { count.saturating_add(1) } else { count.saturating_sub(1) };
            }
            if step.dirty.last() != Some(&service) {
                step.dirty.push(service);
            }
            self.tell_endpoint(id, region, kind, step);
        }
    }

    /// An endpoint went up or down.
    pub(super) fn count_flap(&mut self, id: EndpointId) {
        self.flaps.get_mut(id.index()).into_iter().for_each(|flaps| *flaps = flaps.saturating_add(1));
    }

    pub(super) fn tell_endpoint(&self, id: EndpointId, region: RegionId, kind: EventKind, step: &mut Step) {
        step.tell_one_of(kind, Some(region), 0, |at| {
            let mut event = Event::new(at, kind, self.why(id));
            if let Some(endpoint) = self.model.endpoints.get(id.index()) {
                event.endpoint = Some(endpoint.key.to_string());
                event.service =
                    self.model.services.get(endpoint.service.index()).map(|service| service.key.to_string());
            }
            event.region = Some(self.region_key(region));
            event
        });
    }

    /// What makes an endpoint what it is, in words.
    pub(super) fn why(&self, id: EndpointId) -> String {
        let needs = || self.wiring.needs(id).iter().filter_map(|&number| self.targets.get(number));
        let told = |health: Health| {
            let those = needs().filter(move |target| target.machine.health() == health).take(EVENTS_EACH_MAX);
            those.map(move |target| match &target.last {
                Some((_, last)) if health == Health::Down => format!("{} fails: {}", target.check.key, last.reason),
                Some(_) | None => target.check.key.to_string(),
            })
        };
        let join = |words: Vec<String>| words.join(", ");
        match self.real.get(id.index()).copied().unwrap_or_default() {
            Health::Up if self.wiring.needs(id).is_empty() => "nothing is checked".to_owned(),
            Health::Up => format!("{} pass", join(told(Health::Up).collect())),
            Health::Down if self.guarded.contains(&id) => {
                format!("held up by the guard, though {}", join(told(Health::Down).collect()))
            }
            Health::Down => join(told(Health::Down).collect()),
            Health::Unknown => format!("no outcome yet of {}", join(told(Health::Unknown).collect())),
        }
    }

    /// What the guard decided is told, and what it held is let go or held.
    pub(super) fn guard_turns(&mut self, turn: Turn, step: &mut Step) {
        let held = self.guarded.len();
        let (kind, cause) = match turn {
            Turn::Suspects => (EventKind::GuardSuspects, "most regions failed at once".to_owned()),
            Turn::Holds => (EventKind::GuardHolds, "reference targets fail too".to_owned()),
            Turn::Recovers => (EventKind::GuardHolds, "a reference target passes again: not for long".to_owned()),
            Turn::Refuted => {
                (EventKind::GuardApplied, format!("a reference target passes; {held} endpoints were held"))
            }
            Turn::Applied => (EventKind::GuardApplied, format!("the hold is over; {held} endpoints were held")),
            Turn::Released => (EventKind::GuardReleased, format!("an operator says so; {held} endpoints were held")),
            Turn::Over => (EventKind::GuardReleased, "everything that was held is up again".to_owned()),
        };
        let mut event = Event::new(step.now, kind, cause);
        event.until = self.guard.deadline();
        step.tell(event);
        step.save = true;
        let touched: Vec<EndpointId> = match turn {
            Turn::Suspects => {
                let is_down = |id: &EndpointId| self.real.get(id.index()) == Some(&Health::Down);
                let lost: Vec<EndpointId> = self.guard.lately_lost().filter(is_down).collect();
                self.guarded.extend(&lost);
                lost
            }
            Turn::Holds | Turn::Recovers => Vec::new(),
            Turn::Refuted | Turn::Applied | Turn::Released | Turn::Over => self.guarded.iter().copied().collect(),
        };
        for id in touched {
            self.publish_endpoint(id, step);
        }
    }

    /// New services whose wait is over: endpoints without an outcome count as down, unless there was no outcome at all.
    pub(super) fn end_waits(&mut self, step: &mut Step) {
        while let Some(entry) = self.newcomers.first_entry().filter(|entry| *entry.key() <= step.now) {
            let mut late = Vec::new();
            for service in entry.remove() {
                let silent = self.silent(service);
                if silent.is_empty() {
                    continue;
                }
                if silent.len() == self.endpoints_of(service).count() {
                    late.push(service);
                    continue;
                }
                for id in silent {
                    put(&mut self.presumed, id.index(), false);
                    self.publish_endpoint(id, step);
                }
            }
            if !late.is_empty() {
                // A wait of nothing would be over at once, again and again.
                let again = step.now.after(self.settings.start_wait.max(std::time::Duration::from_secs(1)));
                self.newcomers.entry(again).or_default().extend(late);
            }
        }
    }

    /// The endpoints of a service whose checks have said nothing.
    pub(super) fn silent(&self, service: ServiceId) -> Vec<EndpointId> {
        self.endpoints_of(service).filter(|id| self.real.get(id.index()) == Some(&Health::Unknown)).collect()
    }

    /// The endpoints of a service, region by region.
    pub(super) fn endpoints_of(&self, service: ServiceId) -> impl Iterator<Item = EndpointId> + use<'_> {
        let parts = self.model.services.get(service.index()).map_or(&[][..], |service| &service.regions);
        parts.iter().flat_map(ServiceRegion::endpoint_ids)
    }

    /// Seconds before which no check can change whether an endpoint is up.
    fn steady_of(&self, id: EndpointId, real: Health, up: bool, is_guarded: bool) -> u32 {
        if is_guarded {
            // The guard may let go any moment.
            return 1;
        }
        let needs = self.wiring.needs(id).iter().filter_map(|&number| self.targets.get(number));
        let steady = |target: &super::targets::Target| target.machine.steady(&target.rule);
        let least = match up {
            true => needs.map(steady).min(),
            // All that keep it down must change.
            false => needs.filter(|target| target.machine.health() == real).map(steady).max(),
        };
        least.map_or(STEADY, |steady| u32::try_from(steady.as_secs()).unwrap_or(STEADY))
    }

    /// The service and the region of an endpoint.
    fn place_of(&self, id: EndpointId) -> Option<(ServiceId, RegionId)> {
        self.table.service_and_region(self.table.part_of(id)?)
    }
}

/// What publishing an endpoint changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Published {
    /// Nothing.
    Same,
    /// It stays up or down; how steady it is, or whether the guard holds it, is another.
    Otherwise,
    /// It is up.
    Up,
    /// It is down.
    Down,
}

/// Writes a value; true if it was another.
fn put<T: PartialEq>(values: &mut [T], index: usize, value: T) -> bool {
    match values.get_mut(index) {
        Some(place) if *place != value => {
            *place = value;
            true
        }
        Some(_) | None => false,
    }
}
