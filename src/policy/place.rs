//! Model + region table → placements: what each service answers with, worked out at publish.
//!
//! A placement is one region for everybody, a split, or a ranking that leaves the first usable tier to the query.
//! Services that decide alike and are in the same state share it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::base::chunks::Chunks;
use crate::base::hash::steering_hash;
use crate::base::ids::{RegionId, ServiceId};
use crate::base::limits::SPLITS_KEPT_MAX;
use crate::geo::ClassId;
use crate::model::{Mode, Model, WhenAllDown};
use crate::table::{Difference, RegionTable, Standing, States};

use super::atlases::Atlases;
use super::failover;
use super::groups::Groups;
use super::ranked::{Ranked, Target};
use super::reason::Reason;
use super::situation::{Masks, Situation, mask};
use super::split::{Split, SplitKey};
use super::turns::Turns;
use super::verdict::{Choice, Placement, State, Verdict};

/// What placements are worked out from.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    /// What is steered.
    pub model: &'a Model,
    /// What may be answered.
    pub table: &'a RegionTable,
    /// What else is known: regions held and reintroduced.
    pub states: &'a States,
    /// Who is near.
    pub atlases: &'a Atlases,
}

/// The placements of all services.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placements {
    /// By [`ServiceId`].
    pub of: Chunks<Placement>,
    /// Verdicts met lately: most services that change come to a state that others are in, or that they had before.
    known: Arc<BTreeMap<State, Arc<Verdict>>>,
    groups: Arc<Groups>,
    /// By region: the steering hash of its key.
    hashes: Arc<[u64]>,
}

impl Placements {
    /// Works out all placements.
    #[must_use]
    pub fn solve(inputs: Inputs<'_>) -> Self {
        let model = inputs.model;
        let mut placements = Self {
            of: Chunks::default(),
            known: Arc::default(),
            groups: Arc::new(Groups::new(model, inputs.atlases)),
            hashes: model.regions.iter().map(|region| steering_hash(&[region.key.as_bytes()])).collect(),
        };
        let groups = Arc::clone(&placements.groups);
        let mut found = Vec::with_capacity(model.services.len());
        for (id, service) in model.services() {
            let state = State {
                group: groups.of(id),
                masks: Masks::new(service, inputs.table, inputs.states, id),
                held: inputs.states.held.get(id.index()).copied().flatten(),
                ramps: inputs.states.ramp.of(id).into(),
                plan: inputs.states.plans.id_of(id),
                weights: inputs.states.region_weight.of(id).into(),
            };
            let verdict = placements.verdict(inputs, id, state);
            let seed = steering_hash(&[service.key.as_bytes()]);
            found.extend(verdict.map(|verdict| Placement { decided_by: id, seed, verdict }));
        }
        placements.of = found.into_iter().collect();
        placements.lead();
        placements
    }

    /// The next placements, in which only these services differ (sorted, none twice): what a transition publishes. `before`
    /// is the table that these placements are of, of which that of `inputs` is a repaired copy.
    #[must_use]
    pub fn repaired(&self, inputs: Inputs<'_>, before: &RegionTable, changed: &[ServiceId]) -> Self {
        let mut next = self.clone();
        if next.known.len() > SPLITS_KEPT_MAX {
            next.known = Arc::default();
        }
        let Inputs { table, states, .. } = inputs;
        let differences = table.differences(before);
        let mut differences = differences.as_slice();
        let mut turns = Turns::new();
        // What others hold too is only read.
        let of = Chunks::clone(&self.of);
        let mut found = Vec::with_capacity(changed.len());
        for &id in changed {
            let own = of_service(&mut differences, id);
            let Some(placement) = of.get(id.index()).filter(|placement| placement.decided_by == id) else { continue };
            let held = states.held.get(id.index()).copied().flatten();
            let verdict = turns.known(&placement.verdict, own, table, states, held, id).or_else(|| {
                let old = &placement.verdict.state;
                let masks = own.iter().fold(old.masks, |masks, own| masks.with(own.region, own.state));
                let masks = masks.of_now(table, states, id);
                let (ramps, weights) = (states.ramp.of(id).into(), states.region_weight.of(id).into());
                let plan = states.plans.id_of(id);
                let state = State { group: old.group, masks, held, ramps, weights, plan };
                let verdict = next.verdict(inputs, id, state)?;
                turns.learn(&placement.verdict, own, &verdict);
                Some(verdict)
            });
            found.extend(
                verdict.filter(|verdict| !Arc::ptr_eq(verdict, &placement.verdict)).map(|verdict| (id, verdict)),
            );
        }
        let mut of = next.of.editor();
        for (id, verdict) in found {
            if let Some(placement) = of.get_mut(id.index()) {
                placement.verdict = verdict;
            }
        }
        next.lead();
        next
    }

    /// The services that take over the decision of one of these.
    pub fn followers(&self, changed: &[ServiceId]) -> impl Iterator<Item = ServiceId> {
        let of_changed = |(_, leader): &&(ServiceId, ServiceId)| changed.binary_search(leader).is_ok();
        self.groups.followers().iter().filter(of_changed).map(|(id, _)| *id)
    }

    /// The id of what the plan says of a service; 0: nothing. `None` if it takes over a decision, or is of another model.
    #[must_use]
    pub fn plan_of(&self, id: ServiceId) -> Option<u64> {
        let placement = self.of.get(id.index()).filter(|placement| placement.decided_by == id)?;
        Some(placement.verdict.state.plan)
    }

    /// By region: the steering hash of its key.
    pub(super) fn hashes(&self) -> &[u64] {
        &self.hashes
    }

    /// What services of a group that are in this state answer with.
    fn verdict(&mut self, inputs: Inputs<'_>, id: ServiceId, state: State) -> Option<Arc<Verdict>> {
        if let Some(verdict) = self.known.get(&state) {
            return Some(Arc::clone(verdict));
        }
        let Inputs { model, states, atlases, .. } = inputs;
        let service = model.services.get(id.index())?;
        let plan = states.plans.of(id).map(AsRef::as_ref);
        let now = Situation::new((id, service), &state, &self.hashes, plan);
        let verdict = Arc::new(decide(&now, model, atlases, &state));
        Arc::make_mut(&mut self.known).insert(state, Arc::clone(&verdict));
        Some(verdict)
    }

    /// Takes over the decisions of leaders: all of them, for a leader that changed does not know who follows.
    fn lead(&mut self) {
        let groups = Arc::clone(&self.groups);
        for &(id, leader) in groups.followers() {
            if let Some(of_leader) = self.of.get(leader.index()).filter(|found| self.of.get(id.index()) != Some(*found))
            {
                self.of.set(id.index(), of_leader.clone());
            }
        }
    }
}

/// The differences of a service, taken from the front of those that are left, which are sorted by service.
fn of_service<'d>(left: &mut &'d [Difference], id: ServiceId) -> &'d [Difference] {
    let from = left.iter().take_while(|difference| difference.service < id).count();
    let rest = left.get(from..).unwrap_or_default();
    let len = rest.iter().take_while(|difference| difference.service == id).count();
    let (own, rest) = rest.split_at(len);
    *left = rest;
    own
}

/// What services in this situation answer with.
fn decide(now: &Situation<'_>, model: &Model, atlases: &Atlases, state: &State) -> Verdict {
    let (choice, reason, watched) = choose(now, model, atlases, state.held);
    Verdict { choice, reason, watched, state: state.clone() }
}

type Chosen = (Choice, Reason, u128);

fn choose(now: &Situation<'_>, model: &Model, atlases: &Atlases, held: Option<RegionId>) -> Chosen {
    let policy = model.policy(now.service);
    let Masks { all, usable, .. } = now.masks;
    match now.masks.standing {
        Standing::Gone => {
            let choice = match policy.when_all_down {
                WhenAllDown::ServFail => Choice::ServFail,
                WhenAllDown::Fallback(_) => Choice::Fallback,
                WhenAllDown::Preferred | WhenAllDown::All | WhenAllDown::LastHealthy | WhenAllDown::NoData => {
                    Choice::NoData
                }
            };
            let reason = if choice == Choice::Fallback { Reason::Fallback } else { Reason::AllDown };
            return (choice, reason, all);
        }
        Standing::AllDown => match policy.when_all_down {
            WhenAllDown::NoData => return (Choice::NoData, Reason::AllDown, all),
            WhenAllDown::ServFail => return (Choice::ServFail, Reason::AllDown, all),
            WhenAllDown::All => return (Choice::All(usable), Reason::AllDown, all),
            WhenAllDown::Fallback(_) => return (Choice::Fallback, Reason::Fallback, all),
            WhenAllDown::Preferred | WhenAllDown::LastHealthy => {}
        },
        Standing::Eligible | Standing::Drained | Standing::SomeUp => {}
    }
    match policy.mode {
        Mode::All => {
            let reason = Some(now.masks.reason_after(0)).filter(|&reason| reason != Reason::Preferred);
            (Choice::All(usable), reason.unwrap_or(Reason::Equal), all)
        }
        Mode::ActivePassive { .. } => passive(now, held),
        Mode::ActiveActive { .. } => match atlases.of(now.id) {
            Some(atlas) => {
                let ranked = Ranked::new(now, model, Some(Arc::clone(atlas)));
                (Choice::Ranked(Arc::new(ranked)), now.masks.reason_after(0), all)
            }
            None => equals(now, model),
        },
    }
}

fn passive(now: &Situation<'_>, held: Option<RegionId>) -> Chosen {
    // Only a service of one region may do without an order.
    let only: Vec<RegionId> = now.service.regions.iter().map(|part| part.region).collect();
    let order = if now.service.order.is_empty() { &only } else { &now.service.order };
    let Some(region) = failover::active(order, now.masks.usable, held) else {
        return (Choice::NoData, Reason::AllDown, now.masks.all);
    };
    let better = mask(order.iter().copied().take_while(|&other| other != region));
    let reason = now.masks.reason_after(better);
    let is_held = reason != Reason::AllDown && better & now.masks.usable != 0;
    let reason = if is_held { Reason::FailbackHold } else { now.masks.guarded_reason(region, reason) };
    let watched = better | mask([region]);
    match trickle(now, order, region) {
        Some((next, split)) => (Choice::Split(Arc::new(split)), reason, watched | mask([next])),
        None => (Choice::Region(region), reason, watched),
    }
}

/// A few clients go to the first other region of the order that is eligible, so that it is known to work.
fn trickle(now: &Situation<'_>, order: &[RegionId], active: RegionId) -> Option<(RegionId, Split)> {
    let percent = u32::from(now.service.trickle);
    if percent == 0 || now.masks.standing != Standing::Eligible {
        return None;
    }
    let is_eligible = |region: RegionId| now.masks.usable >> region.index() & 1 == 1;
    let next = order.iter().copied().find(|&other| other != active && is_eligible(other))?;
    let hash = |region: RegionId| now.hashes.get(region.index()).copied().unwrap_or(0);
    let sharers = vec![(active, hash(active), 100_u32.saturating_sub(percent)), (next, hash(next), percent)];
    let split = SplitKey { sharers, usable: mask([active, next]) }.split()?;
    Some((next, split.with_aside(next)))
}

/// All regions as one tier.
fn equals(now: &Situation<'_>, model: &Model) -> Chosen {
    let ranked = Ranked::new(now, model, None);
    if ranked.is_planned() {
        return (Choice::Ranked(Arc::new(ranked)), now.masks.reason_after(0), now.masks.all);
    }
    let one = ranked.choose(ClassId::UNKNOWN, 0);
    match (one.to, ranked.split_of(ClassId::UNKNOWN)) {
        (Target::Region(_), Some(split)) if one.hashed => {
            (Choice::Split(Arc::new(split.clone())), one.reason, now.masks.all)
        }
        (Target::Region(region), _) => (Choice::Region(region), one.reason, now.masks.all),
        (Target::Fallback | Target::NoData | Target::ServFail, _) => (Choice::NoData, Reason::AllDown, now.masks.all),
    }
}

#[cfg(test)]
mod tests;
