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
use crate::model::{Mode, Model, Prefer, WhenAllDown};
use crate::table::{RegionTable, Standing, States};

use super::atlases::Atlases;
use super::failover;
use super::groups::Groups;
use super::ranked::{Ranked, Target};
use super::reason::Reason;
use super::situation::{Masks, Situation, mask};
use super::split::Split;

/// What a service answers with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    /// The service that decided: its own, or the one it follows.
    pub decided_by: ServiceId,
    /// The seed of that service for [`super::steer`].
    pub seed: u64,
    /// The decision.
    pub verdict: Verdict,
}

/// A decision, the same for all services that are in the same state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The regions.
    pub choice: Choice,
    /// Why they; where clients are ranked, each client has its own reason.
    pub reason: Reason,
    /// The regions whose state could change that; where clients are ranked, each client has its own.
    pub watched: u128,
}

/// The regions a service answers with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// One for everybody.
    Region(RegionId),
    /// By the client's hash.
    Split(Arc<Split>),
    /// By the client's place.
    Ranked(Arc<Ranked>),
    /// The endpoints of all these together, at most [`crate::base::limits::ANSWERS_MAX`] in one answer.
    All(u128),
    /// The policy's answer of last resort.
    Fallback,
    /// An empty answer.
    NoData,
    /// SERVFAIL.
    ServFail,
}

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
    known: Arc<BTreeMap<State, Verdict>>,
    groups: Arc<Groups>,
    /// By region: the steering hash of its key.
    hashes: Arc<[u64]>,
}

/// What a verdict depends on: the group, and all that is so about the regions.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct State {
    group: u32,
    masks: Masks,
    held: Option<RegionId>,
    ramps: Vec<(RegionId, u8)>,
}

impl Placements {
    /// Works out all placements.
    #[must_use]
    pub fn solve(inputs: Inputs<'_>) -> Self {
        let model = inputs.model;
        let nothing = Verdict { choice: Choice::NoData, reason: Reason::AllDown, watched: 0 };
        let start = model.services().map(|(id, service)| Placement {
            decided_by: id,
            seed: steering_hash(&[service.key.as_bytes()]),
            verdict: nothing.clone(),
        });
        let mut placements = Self {
            of: start.collect(),
            known: Arc::default(),
            groups: Arc::new(Groups::new(model, inputs.atlases)),
            hashes: model.regions.iter().map(|region| steering_hash(&[region.key.as_bytes()])).collect(),
        };
        placements.update(inputs, model.services().map(|(id, _)| id));
        placements
    }

    /// The next placements, in which only these services differ: what a transition publishes.
    #[must_use]
    pub fn repaired(&self, inputs: Inputs<'_>, changed: impl IntoIterator<Item = ServiceId>) -> Self {
        let mut placements = self.clone();
        placements.update(inputs, changed);
        placements
    }

    /// The services that take over the decision of one of these.
    pub fn followers(&self, changed: &[ServiceId]) -> impl Iterator<Item = ServiceId> {
        let of_changed = |(_, leader): &&(ServiceId, ServiceId)| changed.binary_search(leader).is_ok();
        self.groups.followers().iter().filter(of_changed).map(|(id, _)| *id)
    }

    fn update(&mut self, inputs: Inputs<'_>, services: impl IntoIterator<Item = ServiceId>) {
        let (groups, hashes) = (Arc::clone(&self.groups), Arc::clone(&self.hashes));
        let Inputs { model, table, states, atlases } = inputs;
        let mut known = std::mem::take(&mut self.known);
        if known.len() > SPLITS_KEPT_MAX {
            known = Arc::default();
        }
        for id in services {
            let Some(now) = Situation::new(model, table, states, &hashes, id) else { continue };
            let held = states.held.get(id.index()).copied().flatten();
            let state = State { group: groups.of(id), masks: now.masks, held, ramps: now.ramps() };
            let verdict = match known.get(&state) {
                Some(verdict) => verdict.clone(),
                None => {
                    let verdict = decide(&now, model, atlases, held);
                    Arc::make_mut(&mut known).insert(state, verdict.clone());
                    verdict
                }
            };
            if let Some(before) = self.of.get(id.index()).filter(|before| before.verdict != verdict) {
                self.of.set(id.index(), Placement { verdict, ..before.clone() });
            }
        }
        self.known = known;
        // All followers: a leader that changed does not know them. Their own decisions are not asked for.
        for &(id, leader) in groups.followers() {
            if let Some(of_leader) = self.of.get(leader.index()).filter(|found| self.of.get(id.index()) != Some(*found))
            {
                self.of.set(id.index(), of_leader.clone());
            }
        }
    }
}

impl Verdict {
    fn new(choice: Choice, reason: Reason, watched: u128) -> Self {
        Self { choice, reason, watched }
    }
}

/// What services in this situation answer with.
fn decide(now: &Situation<'_>, model: &Model, atlases: &Atlases, held: Option<RegionId>) -> Verdict {
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
            return Verdict::new(choice, reason, all);
        }
        Standing::AllDown => match policy.when_all_down {
            WhenAllDown::NoData => return Verdict::new(Choice::NoData, Reason::AllDown, all),
            WhenAllDown::ServFail => return Verdict::new(Choice::ServFail, Reason::AllDown, all),
            WhenAllDown::All => return Verdict::new(Choice::All(usable), Reason::AllDown, all),
            WhenAllDown::Fallback(_) => return Verdict::new(Choice::Fallback, Reason::Fallback, all),
            WhenAllDown::Preferred | WhenAllDown::LastHealthy => {}
        },
        Standing::Eligible | Standing::Drained | Standing::SomeUp => {}
    }
    match policy.mode {
        Mode::All => {
            let reason = Some(now.masks.reason_after(0)).filter(|&reason| reason != Reason::Preferred);
            Verdict::new(Choice::All(usable), reason.unwrap_or(Reason::Equal), all)
        }
        Mode::ActivePassive { .. } => passive(now, held),
        Mode::ActiveActive { prefer: Prefer::Equal, .. } => equals(now, model),
        Mode::ActiveActive { .. } => {
            let atlas = atlases.of(now.id).cloned();
            let ranked = Ranked::new(now, model, atlas);
            Verdict::new(Choice::Ranked(Arc::new(ranked)), now.masks.reason_after(0), all)
        }
    }
}

fn passive(now: &Situation<'_>, held: Option<RegionId>) -> Verdict {
    // Only a service of one region may do without an order.
    let only: Vec<RegionId> = now.service.regions.iter().map(|part| part.region).collect();
    let order = if now.service.order.is_empty() { &only } else { &now.service.order };
    let Some(region) = failover::active(order, now.masks.usable, held) else {
        return Verdict::new(Choice::NoData, Reason::AllDown, now.masks.all);
    };
    let better = mask(order.iter().copied().take_while(|&other| other != region));
    let reason = now.masks.reason_after(better);
    let is_held = reason != Reason::AllDown && better & now.masks.usable != 0;
    let reason = if is_held { Reason::FailbackHold } else { now.masks.guarded_reason(region, reason) };
    Verdict::new(Choice::Region(region), reason, better | mask([region]))
}

/// All regions as one tier.
fn equals(now: &Situation<'_>, model: &Model) -> Verdict {
    let ranked = Ranked::new(now, model, None);
    let class = ranked.class(None);
    let one = ranked.choose(class, 0);
    match (one.to, ranked.split_of(class)) {
        (Target::Region(_), Some(split)) if one.hashed => {
            Verdict::new(Choice::Split(Arc::new(split.clone())), one.reason, now.masks.all)
        }
        (Target::Region(region), _) => Verdict::new(Choice::Region(region), one.reason, now.masks.all),
        (Target::Fallback | Target::NoData | Target::ServFail, _) => {
            Verdict::new(Choice::NoData, Reason::AllDown, now.masks.all)
        }
    }
}

#[cfg(test)]
mod tests;
