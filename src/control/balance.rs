//! Weights by what is fed: when they are reckoned anew, and what of them is published. The rules are
//! [`crate::policy::balance`]'s.
//!
//! Those who share by load are a *group*:
//!
//! ```text
//! group                                                     costs                         over          published as
//! endpoints of a service in a region, in one ring           the policy's `balance`        two TTLs      corrections
//! the regions of services with `prefer = "load"`            load, of target and max       two TTLs      target × correction
//! the regions of a service with `prefer = "response-time"`  the mean of its endpoints     two TTLs      corrections
//! ```
//!
//! A group is looked at when it hears something, and then as long as its shares are on their way; at most once a second, or
//! in a sixteenth of the time they take. What is down is not asked what it costs: it will say that it is idle.

mod costs;
mod groups;

pub(super) use groups::Balances;

use std::sync::Arc;

use crate::base::ids::{EndpointId, RegionId, ServiceId};
use crate::base::moment::Moment;
use crate::model::Model;
use crate::policy::balance::{self, FAIR};

use super::hub::Control;
use super::step::Step;
use groups::Kind;

impl Control {
    /// Puts the groups of the model in force in place of those before, which go on by their keys. `old_model`: the one
    /// before.
    pub(super) fn change_balances(&mut self, old_model: &Model, now: Moment) {
        let next = Balances::new(&self.model, &self.wiring);
        let old = std::mem::replace(&mut self.balances, next);
        let model = Arc::clone(&self.model);
        self.balances.resume(old, old_model, &model);
        for number in 0..self.balances.groups.len() {
            self.publish_group(number, now);
            if let Some(group) = self.balances.groups.get_mut(number) {
                group.looked = now;
            }
            self.balances.plan(number, now);
        }
    }

    /// Something was heard of a region, or of an endpoint in it.
    pub(super) fn heard_of(&mut self, region: RegionId, endpoint: Option<EndpointId>, now: Moment) {
        let balances = &self.balances;
        if balances.is_empty() {
            return;
        }
        let of_endpoint = endpoint.and_then(|id| balances.of_endpoint.get(&id)).into_iter().flatten();
        let numbers: Vec<usize> =
            balances.of_region.get(&region).into_iter().flatten().chain(of_endpoint).copied().collect();
        numbers.into_iter().for_each(|number| self.balances.plan(number, now));
    }

    /// A check saw how long the server of a target takes.
    pub(super) fn heard_time(&mut self, target: u32, now: Moment) {
        let numbers = self.balances.of_target.get(&target).cloned().unwrap_or_default();
        numbers.into_iter().for_each(|number| self.balances.plan(number, now));
    }

    /// Looks at the groups that are due.
    pub(super) fn balance(&mut self, step: &mut Step) {
        while let Some((at, number)) = self.balances.due.first().copied()
            && at <= step.now
        {
            self.balances.due.remove(&(at, number));
            self.look(number, step);
        }
    }

    /// Goes on with the shares of a group.
    fn look(&mut self, number: usize, step: &mut Step) {
        let Some((candidates, rests)) = self.candidates(number, step.now) else { return };
        let Some(group) = self.balances.groups.get_mut(number) else { return };
        let wanted = balance::corrections(&candidates);
        let elapsed = step.now.since(group.looked).min(group.pause() * 2);
        (group.rests, group.looked, group.planned) = (rests, step.now, None);
        group.is_fed = wanted.is_some();
        let is_settled = match (&wanted, &group.kind) {
            (Some(wanted), _) => {
                group.course.step(wanted, elapsed, group.over);
                group.course.is_settled(wanted)
            }
            // They go on by their targets.
            (None, Kind::Load { .. }) => {
                let even = vec![FAIR; candidates.len()];
                group.course.step(&even, elapsed, group.over);
                group.course.is_settled(&even)
            }
            (None, Kind::Endpoints { .. } | Kind::Time { .. }) => {
                group.course.reset();
                true
            }
        };
        if !is_settled {
            self.balances.plan(number, step.now);
        }
        let changed = self.publish_group(number, step.now);
        step.changed.extend(&changed);
        if let Some(Kind::Endpoints { ids, .. }) = self.balances.groups.get(number).map(|group| &group.kind)
            && !changed.is_empty()
        {
            step.stale.extend(ids.first().and_then(|id| self.table.part_of(*id)));
        }
    }

    /// Brings the weights of a group into the states; the services for which they are others.
    fn publish_group(&mut self, number: usize, now: Moment) -> Vec<ServiceId> {
        let Some(group) = self.balances.groups.get(number) else { return Vec::new() };
        let held = group.course.members().iter().map(|eased| eased.held);
        let is_even = group.course.is_even();
        match &group.kind {
            Kind::Endpoints { service, ids } => {
                let mut differs = false;
                for (id, held) in ids.iter().zip(held) {
                    if let Some(place) = self.states.load_weight.get_mut(id.index()) {
                        let weight = if group.is_fed { held } else { 0 };
                        differs |= std::mem::replace(place, weight) != weight;
                    }
                }
                if differs { vec![*service] } else { Vec::new() }
            }
            Kind::Load { services, regions } => {
                let targets = self.targets_of(regions, now);
                let weight =
                    |((region, _), (target, held)): (&(RegionId, u32), (u32, u16))| (*region, target * u32::from(held));
                let weights: Vec<(RegionId, u32)> =
                    regions.iter().zip(targets.into_iter().zip(held)).map(weight).collect();
                let differs = |id: &ServiceId| self.states.region_weight.put(*id, weights.clone());
                let services = services.clone();
                services.into_iter().filter(differs).collect()
            }
            Kind::Time { service, regions } => {
                let weight = |((region, _), held): (&(RegionId, u32), u16)| (*region, u32::from(held));
                let weights = if is_even { Vec::new() } else { regions.iter().zip(held).map(weight).collect() };
                if self.states.region_weight.put(*service, weights) { vec![*service] } else { Vec::new() }
            }
        }
    }
}

#[cfg(test)]
mod tests;
