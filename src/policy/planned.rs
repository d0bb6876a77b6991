//! Classes of clients that the capacity plan gives other shares than their regions' ranks and weights: a split for each.

use crate::geo::ClassId;
use crate::table::Planned;

use super::situation::Situation;
use super::split::{Split, SplitKey};

/// The splits of the classes that are planned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PlannedSplits {
    /// By [`ClassId`], as far as any is planned: the place of its split, from 1.
    places: Box<[u16]>,
    splits: Box<[Split]>,
}

impl PlannedSplits {
    /// What a plan says, for the regions that are usable now: a transition is faster than the next plan, and what a lost
    /// region had goes to those that share with it. `None` if that leaves nothing of the plan.
    pub(super) fn new(plan: &Planned, now: &Situation<'_>) -> Option<Self> {
        let last = plan.rows().last()?.class;
        let mut places = vec![0; last.0 as usize + 1];
        let mut splits: Vec<Split> = Vec::new();
        // Neighbors among the classes are often given the same.
        let mut made: Vec<(SplitKey, u16)> = Vec::new();
        for row in plan.rows() {
            let hash = |region: crate::base::ids::RegionId| now.hashes.get(region.index()).copied().unwrap_or(0);
            let sharers = row.shares.iter().map(|&(region, share)| (region, hash(region), u32::from(share))).collect();
            let key = SplitKey { sharers, usable: now.masks.usable };
            let known = made.iter().rev().take(LOOK_BACK).find(|(other, _)| *other == key).map(|(_, place)| *place);
            let place = match known {
                Some(place) => place,
                None => {
                    let Some(split) = key.split() else { continue };
                    splits.push(split);
                    let place = u16::try_from(splits.len()).ok()?;
                    made.push((key, place));
                    place
                }
            };
            if let Some(slot) = places.get_mut(row.class.0 as usize) {
                *slot = place;
            }
        }
        (!splits.is_empty()).then(|| Self { places: places.into(), splits: splits.into() })
    }

    /// The split of a class; `None`: it is not planned.
    #[inline]
    pub(super) fn of(&self, class: ClassId) -> Option<&Split> {
        let place = self.places.get(class.0 as usize).copied()?;
        self.splits.get(usize::from(place).checked_sub(1)?)
    }
}

/// How many of the last splits are looked through for the same one.
const LOOK_BACK: usize = 64;
