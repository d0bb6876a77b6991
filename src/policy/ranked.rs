//! Active-active: each client its best region, by tiers.
//!
//! What is left for a query is the first tier of its class that has a usable region. As a rule that is one region, and
//! two masks tell; where several share, or one is being reintroduced, the split was made at publish.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::base::ids::RegionId;
use crate::geo::{Atlas, Class, ClassId};
use crate::model::{Model, WhenAllDown};

use super::planned::PlannedSplits;
use super::reason::Reason;
use super::situation::{Masks, Situation, mask};
use super::split::{Split, SplitKey, ramped};

/// How a service in one state chooses among regions.
#[derive(Clone, Debug)]
pub struct Ranked {
    /// Who is near; `None`: all clients are alike.
    pub atlas: Option<Arc<Atlas>>,
    /// The class of clients that nobody can locate.
    unknown: Class,
    masks: Masks,
    /// By the tier that answers, and the next one where that takes a share.
    splits: BTreeMap<(u128, u128), Arc<Split>>,
    /// Classes that the capacity plan gives other shares.
    planned: Option<Arc<PlannedSplits>>,
    /// What a fenced client gets when all its regions are down.
    fenced_down: FencedDown,
}

impl PartialEq for Ranked {
    fn eq(&self, other: &Self) -> bool {
        let pointers = |ranked: &Self| ranked.atlas.as_ref().map(Arc::as_ptr);
        pointers(self) == pointers(other)
            && self.masks == other.masks
            && self.unknown == other.unknown
            && self.splits == other.splits
            && self.planned == other.planned
            && self.fenced_down == other.fenced_down
    }
}

impl Eq for Ranked {}

/// What a fenced client gets when all its regions are down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FencedDown {
    Preferred,
    Fallback,
    NoData,
    ServFail,
}

/// What one client is answered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// Where it is sent.
    pub to: Target,
    /// Why there.
    pub reason: Reason,
    /// The regions whose state could change that: its own tier and those above.
    pub watched: u128,
    /// The client's hash decided.
    pub hashed: bool,
}

/// What a client is answered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// This region.
    Region(RegionId),
    /// The policy's answer of last resort.
    Fallback,
    /// An empty answer.
    NoData,
    /// SERVFAIL.
    ServFail,
}

impl Ranked {
    pub(super) fn new(now: &Situation<'_>, model: &Model, atlas: Option<Arc<Atlas>>) -> Self {
        let fenced_down = match model.policy(now.service).when_all_down {
            WhenAllDown::Preferred | WhenAllDown::All | WhenAllDown::LastHealthy => FencedDown::Preferred,
            WhenAllDown::Fallback(_) => FencedDown::Fallback,
            WhenAllDown::NoData => FencedDown::NoData,
            WhenAllDown::ServFail => FencedDown::ServFail,
        };
        let default: &[u128] = atlas.as_ref().map_or(&[], |atlas| &atlas.class(ClassId::UNKNOWN).tiers[..]);
        // Without an atlas all regions are equals.
        let order = now.service.order.iter().filter(|_| atlas.is_some()).map(|&region| mask([region]));
        let unknown = unknown_class(default, order, now.masks.all);
        let planned = now.plan.and_then(|plan| PlannedSplits::new(plan, now)).map(Arc::new);
        let mut ranked = Self { atlas, unknown, masks: now.masks, splits: BTreeMap::new(), planned, fenced_down };
        let known = ranked.atlas.clone();
        let classes = known.iter().flat_map(|atlas| atlas.classes());
        let classes: Vec<&Class> = classes.chain(std::iter::once(&ranked.unknown)).collect();
        let keys: std::collections::BTreeSet<(u128, u128)> =
            classes.into_iter().filter_map(|class| ranked.split_key(class)).collect();
        ranked.splits = keys.into_iter().filter_map(|key| Some((key, Arc::new(split(now, key)?)))).collect();
        ranked
    }

    /// The tiers of a class of the atlas, or of clients that nobody can locate ([`ClassId::UNKNOWN`]).
    #[inline]
    #[must_use]
    pub fn class(&self, id: ClassId) -> &Class {
        let known = self.atlas.as_ref().filter(|_| id != ClassId::UNKNOWN);
        known.map_or(&self.unknown, |atlas| atlas.class(id))
    }

    /// True if the capacity plan gives some clients other shares than their regions' ranks and weights.
    #[must_use]
    pub const fn is_planned(&self) -> bool {
        self.planned.is_some()
    }

    /// What clients of a class get; `hash` is the steering hash of one of them.
    #[inline]
    #[must_use]
    pub fn choose(&self, id: ClassId, hash: u64) -> Chosen {
        let class = self.class(id);
        if let Some(split) = self.planned.as_ref().and_then(|planned| planned.of(id)) {
            return self.planned(class, split, hash);
        }
        let mut above = 0;
        for &tier in &class.tiers {
            if tier & self.masks.usable != 0 {
                return self.in_tier(class, tier & self.masks.all, above, hash);
            }
            above |= tier;
        }
        self.without_tier(class)
    }

    #[inline]
    fn in_tier(&self, class: &Class, tier: u128, above: u128, hash: u64) -> Chosen {
        let masks = &self.masks;
        let eligible = tier & masks.usable;
        // Those of weight 0 wait until the others are lost.
        let weighted = eligible & !masks.weightless;
        let (eligible, above) =
            if weighted == 0 { (eligible, above | tier & !masks.weightless) } else { (weighted, above) };
        let members = if weighted == 0 { tier & masks.weightless } else { tier & !masks.weightless };
        let watched = above | tier;
        let only = region_of(eligible);
        if eligible & (eligible - 1) == 0 && eligible & masks.ramping == 0 {
            let reason = masks.reason_after(above | members & !masks.usable);
            return Chosen {
                to: Target::Region(only),
                reason: masks.guarded_reason(only, reason),
                watched,
                hashed: false,
            };
        }
        self.shared(class, tier, above, hash)
    }

    /// The tier is shared by several regions, or by one that is being reintroduced and the next tier.
    fn shared(&self, class: &Class, tier: u128, above: u128, hash: u64) -> Chosen {
        let next = self.next_tier(class, tier);
        let region = match self.splits.get(&(tier, next)) {
            Some(split) => split.at(hash),
            None => region_of(tier & self.masks.usable),
        };
        let mut reason = self.masks.reason_after(above);
        if reason == Reason::Preferred {
            let is_next = next >> region.index() & 1 == 1;
            let is_shared = (tier & self.masks.usable).count_ones() > 1;
            reason = if is_next {
                Reason::Ramp
            } else if is_shared {
                Reason::Equal
            } else {
                reason
            };
        }
        let reason = self.masks.guarded_reason(region, reason);
        Chosen { to: Target::Region(region), reason, watched: above | tier | next, hashed: true }
    }

    /// The capacity plan says how the class is shared out.
    ///
    /// ```text
    /// the region is                              reason
    /// of the first usable tier                   as without a plan
    /// of the next one, while the first ramps     ramp, unless what was lost before is the reason
    /// another                                    spill
    /// ```
    #[cold]
    fn planned(&self, class: &Class, split: &Split, hash: u64) -> Chosen {
        let Masks { usable, all, .. } = self.masks;
        let region = split.at(hash);
        let (mut home, mut better, mut watched) = (0, 0, 0);
        for tier in class.tiers.iter().map(|tier| tier & all) {
            watched |= tier;
            if home == 0 && tier & usable != 0 {
                home = tier;
            } else if home == 0 {
                better |= tier;
            }
            if home != 0 && split.members() & !watched == 0 {
                break;
            }
        }
        let bit = 1_u128 << region.index();
        let usual = self.masks.reason_after(better);
        let (is_home, is_usual) = (home & bit != 0, usual == Reason::Preferred);
        let reason = if is_home {
            if is_usual && (home & usable).count_ones() > 1 { Reason::Equal } else { usual }
        } else if is_usual && self.next_tier(class, home) & bit != 0 {
            Reason::Ramp
        } else {
            Reason::Spill
        };
        let reason = self.masks.guarded_reason(region, reason);
        Chosen { to: Target::Region(region), reason, watched, hashed: true }
    }

    /// The tier that takes what a tier leaves while all of it is being reintroduced; empty if none does.
    pub(super) fn next_tier(&self, class: &Class, tier: u128) -> u128 {
        let Masks { usable, ramping, weightless, all, .. } = self.masks;
        let eligible = tier & usable;
        let weighted = eligible & !weightless;
        let taking_part = if weighted == 0 { eligible } else { weighted };
        if taking_part & !ramping != 0 {
            return 0;
        }
        let behind = class.tiers.iter().skip_while(|&&other| other & all != tier).skip(1);
        behind.map(|&other| other & all).find(|other| other & usable != 0).unwrap_or(0)
    }

    /// The key of the split that clients of a class need, if they need one.
    fn split_key(&self, class: &Class) -> Option<(u128, u128)> {
        let Masks { usable, ramping, all, .. } = self.masks;
        let tier = class.tiers.iter().map(|tier| tier & all).find(|tier| tier & usable != 0)?;
        let eligible = tier & usable;
        let is_needed = eligible.count_ones() > 1 || eligible & ramping != 0;
        is_needed.then(|| (tier, self.next_tier(class, tier)))
    }

    /// No tier of the class has a usable region: only a fence can be the reason.
    #[cold]
    fn without_tier(&self, class: &Class) -> Chosen {
        let Masks { drained, some_up, down, all, .. } = self.masks;
        let inside = class.tiers.iter().fold(0, |inside, tier| inside | tier) & all;
        let last_resort = [(drained, Reason::Override), (some_up, Reason::Failover)];
        let found = last_resort.into_iter().find(|(regions, _)| regions & inside != 0);
        let (regions, reason) = found.unwrap_or((down, Reason::AllDown));
        let to = match self.fenced_down {
            FencedDown::Fallback if reason == Reason::AllDown => Target::Fallback,
            FencedDown::NoData if reason == Reason::AllDown => Target::NoData,
            FencedDown::ServFail if reason == Reason::AllDown => Target::ServFail,
            FencedDown::Preferred | FencedDown::Fallback | FencedDown::NoData | FencedDown::ServFail => {
                let tier = class.tiers.iter().map(|tier| tier & regions & all).find(|&tier| tier != 0);
                tier.map_or(Target::NoData, |tier| Target::Region(region_of(tier)))
            }
        };
        let reason = if to == Target::Fallback { Reason::Fallback } else { reason };
        Chosen { to, reason, watched: inside, hashed: false }
    }

    /// The split that clients of a class share, for people.
    #[must_use]
    pub fn split_of(&self, id: ClassId) -> Option<&Split> {
        let planned = self.planned.as_ref().and_then(|planned| planned.of(id));
        planned.or_else(|| self.splits.get(&self.split_key(self.class(id))?).map(AsRef::as_ref))
    }
}

/// The end of the location chain (in this order): the map's `default`, the service's `order`, all others as one tier.
fn unknown_class(default: &[u128], order: impl Iterator<Item = u128>, all: u128) -> Class {
    let mut left = all;
    let mut tiers = Vec::new();
    for tier in default.iter().copied().chain(order).chain(std::iter::once(all)) {
        let tier = tier & left;
        left &= !tier;
        if tier != 0 {
            tiers.push(tier);
        }
    }
    Class { tiers: tiers.into(), ..Class::default() }
}

/// The shares of a tier, and of the next one where that takes a part.
fn split(now: &Situation<'_>, (tier, next): (u128, u128)) -> Option<Split> {
    let usable = |region: RegionId| now.masks.usable >> region.index() & 1 == 1;
    let next: Vec<_> = now.members(next).into_iter().filter(|member| usable(member.region)).collect();
    let weights = ramped(&now.members(tier), &next, usable);
    let sharers = weights
        .into_iter()
        .map(|(region, weight)| (region, now.hashes.get(region.index()).copied().unwrap_or(0), weight))
        .collect();
    SplitKey { sharers, usable: now.masks.usable }.split()
}

/// The region with the least id of a set that is not empty.
#[inline]
fn region_of(set: u128) -> RegionId {
    RegionId(u8::try_from(set.trailing_zeros()).unwrap_or(0))
}
