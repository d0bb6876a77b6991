//! Model + region table → placements: what each service answers with, worked out at publish.
//!
//! A placement is one region for everybody, or a split that many services share: services with the same members,
//! weights and usable regions have one table of buckets between them, and each enters it by its own hash.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::base::hash::steering_hash;
use crate::base::ids::{RegionId, ServiceId};
use crate::base::limits;
use crate::model::{Mode, Model, Prefer, Service, WhenAllDown};
use crate::table::{RegionTable, Standing, Why};

use super::buckets::{Buckets, Member};
use super::groups::Groups;
use super::reason::Reason;
use super::{failover, weighted};

/// What a service answers with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placement {
    /// The service.
    pub service: ServiceId,
    /// The regions.
    pub choice: Choice,
    /// Why they.
    pub reason: Reason,
    /// The seed of the deciding service for [`super::steer`]: its own, or that of the one it follows.
    pub seed: u64,
}

/// The regions a service answers with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// One for everybody.
    Region(RegionId),
    /// By the client's hash.
    Split(SplitId),
    /// The endpoints of all these together, at most [`limits::ANSWERS_MAX`] in one answer.
    All(u128),
    /// An empty answer.
    NoData,
    /// SERVFAIL.
    ServFail,
}

/// A split among the splits of one [`Placements`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SplitId(pub u32);

/// Shares among regions, ready for a hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    regions: Box<[RegionId]>,
    buckets: Buckets,
}

impl Split {
    /// The region for a client's steering hash.
    #[inline]
    #[must_use]
    pub fn at(&self, hash: u64) -> RegionId {
        self.regions.get(self.buckets.at(hash)).copied().unwrap_or(RegionId(0))
    }

    /// The regions that have a share, with their buckets out of [`limits::REGION_BUCKETS`].
    #[must_use]
    pub fn shares(&self) -> Vec<(RegionId, usize)> {
        let mut counts = vec![0; self.regions.len()];
        self.buckets.slots().iter().for_each(|&member| counts[usize::from(member)] += 1);
        self.regions.iter().copied().zip(counts).filter(|&(_, count)| count > 0).collect()
    }
}

/// The placements of all services.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placements {
    /// By [`ServiceId`].
    pub of: Vec<Placement>,
    /// By [`SplitId`].
    pub splits: Vec<Arc<Split>>,
    keys: BTreeMap<SplitKey, SplitId>,
    groups: Arc<Groups>,
}

/// Splits of earlier generations that repairs leave behind, a few kilobytes each, before all are worked out anew.
const SPLITS_KEPT_MAX: usize = 4_096;

/// Members by their region's key (its hash) and weight, and which of them are usable: what a split depends on, and
/// nothing that another model could mean differently.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct SplitKey {
    members: Vec<(RegionId, u64, u32)>,
    usable: u128,
}

impl Placements {
    /// Works out all placements; splits that `previous` has already are taken over.
    #[must_use]
    pub fn solve(model: &Model, table: &RegionTable, previous: Option<&Self>) -> Self {
        let start = |(id, service): (ServiceId, &Service)| Placement {
            service: id,
            choice: Choice::NoData,
            reason: Reason::AllDown,
            seed: steering_hash(&[service.key.as_bytes()]),
        };
        let mut placements =
            Self { of: model.services().map(start).collect(), groups: Arc::new(Groups::new(model)), ..Self::default() };
        placements.update(model, table, model.services().map(|(id, _)| id), previous);
        placements
    }

    /// The next placements, in which only these services differ: what a transition publishes.
    #[must_use]
    pub fn repaired(&self, model: &Model, table: &RegionTable, changed: impl IntoIterator<Item = ServiceId>) -> Self {
        if self.splits.len() > SPLITS_KEPT_MAX {
            return Self::solve(model, table, Some(self));
        }
        let mut placements = self.clone();
        placements.update(model, table, changed, None);
        placements
    }

    fn update(
        &mut self,
        model: &Model,
        table: &RegionTable,
        services: impl IntoIterator<Item = ServiceId>,
        previous: Option<&Self>,
    ) {
        let hashes: Vec<u64> = model.regions.iter().map(|region| steering_hash(&[region.key.as_bytes()])).collect();
        let groups = Arc::clone(&self.groups);
        type State<'t> = (u32, Standing, u128, &'t [Why]);
        // What a service answers with depends on its group and its state, of which there are few.
        let mut known: BTreeMap<State<'_>, (Choice, Reason)> = BTreeMap::new();
        for id in services {
            let state = (groups.of(id), table.standing[id.index()], table.usable[id.index()], table.why(id));
            let (choice, reason) = *known.entry(state).or_insert_with(|| {
                let service = &model.services[id.index()];
                self.place(&Situation { model, table, id, service, hashes: &hashes }, previous)
            });
            let seed = self.of[id.index()].seed;
            self.of[id.index()] = Placement { service: id, choice, reason, seed };
        }
        // All followers: a leader that changed does not know them. Their own decisions are not asked for.
        for &(id, leader) in groups.followers() {
            self.of[id.index()] = Placement { service: id, ..self.of[leader.index()] };
        }
    }

    /// The split with this id.
    #[inline]
    #[must_use]
    pub fn split(&self, id: SplitId) -> Option<&Split> {
        self.splits.get(id.0 as usize).map(AsRef::as_ref)
    }

    fn place(&mut self, now: &Situation<'_>, previous: Option<&Self>) -> (Choice, Reason) {
        let policy = now.model.policy(now.service);
        match now.table.standing[now.id.index()] {
            Standing::Gone => {
                let servfail = policy.when_all_down == WhenAllDown::ServFail;
                return (if servfail { Choice::ServFail } else { Choice::NoData }, Reason::AllDown);
            }
            Standing::AllDown => match policy.when_all_down {
                WhenAllDown::NoData => return (Choice::NoData, Reason::AllDown),
                WhenAllDown::ServFail => return (Choice::ServFail, Reason::AllDown),
                WhenAllDown::All => return (Choice::All(now.usable()), Reason::AllDown),
                WhenAllDown::Preferred | WhenAllDown::LastHealthy | WhenAllDown::Fallback(_) => {}
            },
            Standing::Eligible | Standing::Drained | Standing::SomeUp => {}
        }
        match policy.mode {
            Mode::All => (Choice::All(now.usable()), now.reason(Reason::Equal)),
            Mode::ActivePassive { .. } => self.passive(now),
            Mode::ActiveActive { prefer: Prefer::Equal | Prefer::Load, .. } => self.equals(now, 0, previous),
            Mode::ActiveActive {
                prefer: Prefer::Geo { .. } | Prefer::Latency { .. } | Prefer::ResponseTime { .. },
                ..
            } => {
                // The end of the location chain: the service's order, then all regions as one tier.
                let ordered = failover::active(&now.service.order, now.usable(), None);
                match ordered {
                    Some(region) => (Choice::Region(region), now.reason_in_order(region)),
                    None => self.equals(now, mask(&now.service.order), previous),
                }
            }
        }
    }

    fn passive(&self, now: &Situation<'_>) -> (Choice, Reason) {
        // Only a service of one region may do without an order.
        let only: Vec<RegionId> = now.service.regions.iter().map(|part| part.region).collect();
        let order = if now.service.order.is_empty() { &only } else { &now.service.order };
        match failover::active(order, now.usable(), None) {
            Some(region) => (Choice::Region(region), now.reason_in_order(region)),
            None => (Choice::NoData, Reason::AllDown),
        }
    }

    /// The regions that are not `above` as one tier of equals.
    fn equals(&mut self, now: &Situation<'_>, above: u128, previous: Option<&Self>) -> (Choice, Reason) {
        let all = now.service.region_mask();
        let Some(tier) = weighted::first_tier(&[all & !above], now.usable()) else {
            return (Choice::NoData, Reason::AllDown);
        };
        let weights: Vec<(RegionId, u32)> = now
            .service
            .regions
            .iter()
            .filter(|part| above >> part.region.index() & 1 == 0)
            .map(|part| (part.region, part.weight))
            .collect();
        let members = weighted::members(&weights, tier.eligible);
        let usable = mask_of(&members) & tier.eligible;
        // Those of weight 0 take part only when all others are lost.
        let above = if usable & now.weightless() == 0 { above } else { above | all & !now.weightless() };
        if usable.count_ones() == 1 {
            let region = members.iter().map(|(region, _)| *region).find(|region| usable >> region.index() & 1 == 1);
            let reason = now.reason_after(above | mask_of(&members) & !usable);
            return region.map_or((Choice::NoData, Reason::AllDown), |region| (Choice::Region(region), reason));
        }
        let reason = Some(now.reason_after(above)).filter(|&lost| lost != Reason::Preferred).unwrap_or(Reason::Equal);
        let members =
            members.into_iter().map(|(region, weight)| (region, now.hashes[region.index()], weight)).collect();
        match self.split_for(SplitKey { members, usable }, previous) {
            Some(split) => (Choice::Split(split), reason),
            None => (Choice::NoData, Reason::AllDown),
        }
    }

    /// The split of a key: one that stands, one of the last generation, or a new one.
    fn split_for(&mut self, key: SplitKey, previous: Option<&Self>) -> Option<SplitId> {
        if let Some(&id) = self.keys.get(&key) {
            return Some(id);
        }
        let kept = previous.and_then(|previous| previous.splits.get(previous.keys.get(&key)?.0 as usize));
        let split = match kept {
            Some(split) => Arc::clone(split),
            None => Arc::new(key.split()?),
        };
        let id = SplitId(u32::try_from(self.splits.len()).ok()?);
        self.splits.push(split);
        self.keys.insert(key, id);
        Some(id)
    }
}

impl SplitKey {
    fn split(&self) -> Option<Split> {
        let member = |&(region, hash, weight): &(RegionId, u64, u32)| Member {
            hash,
            weight,
            usable: self.usable >> region.index() & 1 == 1,
        };
        let members: Vec<Member> = self.members.iter().map(member).collect();
        let buckets = Buckets::assign(&members, limits::REGION_BUCKETS)?;
        Some(Split { regions: self.members.iter().map(|(region, ..)| *region).collect(), buckets })
    }
}

/// One service at one moment.
struct Situation<'a> {
    model: &'a Model,
    table: &'a RegionTable,
    id: ServiceId,
    service: &'a Service,
    /// By region: the steering hash of its key.
    hashes: &'a [u64],
}

impl Situation<'_> {
    fn usable(&self) -> u128 {
        self.table.usable[self.id.index()]
    }

    /// The regions of weight 0: they wait, so their state is no reason for anything.
    fn weightless(&self) -> u128 {
        let waiting = self.service.regions.iter().filter(|part| part.weight == 0);
        waiting.fold(0, |mask, part| mask | 1 << part.region.index())
    }

    /// `usual`, unless the service is in trouble as a whole.
    fn reason(&self, usual: Reason) -> Reason {
        match self.table.standing[self.id.index()] {
            Standing::Eligible | Standing::SomeUp => usual,
            Standing::Drained => Reason::Override,
            Standing::AllDown | Standing::Gone => Reason::AllDown,
        }
    }

    /// Why `region` of the order: by what became of those before it.
    fn reason_in_order(&self, region: RegionId) -> Reason {
        let before = self.service.order.iter().take_while(|&&other| other != region);
        self.reason_after(before.fold(0, |mask, other| mask | 1 << other.index()))
    }

    /// Why a region that `better` ones stand before is answered all the same.
    fn reason_after(&self, better: u128) -> Reason {
        let parts = self.service.regions.iter().zip(self.table.why(self.id));
        let mut lost = parts
            .filter(|(part, why)| better >> part.region.index() & 1 == 1 && **why != Why::Disabled)
            .map(|(_, why)| matches!(why, Why::ForcedDown | Why::Drained))
            .peekable();
        if lost.peek().is_none() {
            return self.reason(Reason::Preferred);
        }
        let by_word = lost.all(|by_word| by_word);
        self.reason(if by_word { Reason::Override } else { Reason::Failover })
    }
}

fn mask(regions: &[RegionId]) -> u128 {
    regions.iter().fold(0, |mask, region| mask | 1 << region.index())
}

fn mask_of(members: &[(RegionId, u32)]) -> u128 {
    members.iter().fold(0, |mask, (region, _)| mask | 1 << region.index())
}

#[cfg(test)]
mod tests;
