//! Shares among regions: who takes part in a tier, with what weight, and the buckets that follow.

use crate::base::ids::RegionId;
use crate::base::limits;

use super::buckets::{Buckets, Member};

/// A weight of 1 in a split: what a slow reintroduction takes parts of.
pub(super) const WHOLE: u32 = 256;

/// Shares among regions, ready for a hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    regions: Box<[RegionId]>,
    buckets: Buckets,
    members: u128,
    /// Those that have a share on purpose, though they are passive.
    aside: u128,
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

    /// Whether a region has a share on purpose, though it is passive.
    #[inline]
    #[must_use]
    pub const fn is_aside(&self, region: RegionId) -> bool {
        self.aside >> region.index() & 1 == 1
    }

    /// Whether any has.
    #[must_use]
    pub const fn has_aside(&self) -> bool {
        self.aside != 0
    }

    /// The same with a share that one has though it is passive.
    pub(super) fn with_aside(mut self, region: RegionId) -> Self {
        self.aside |= 1 << region.index();
        self
    }

    /// The regions that have a share.
    #[inline]
    #[must_use]
    pub const fn members(&self) -> u128 {
        self.members
    }
}

/// One of those who share: a region, the steering hash of its key, and its weight in 1/[`WHOLE`].
pub(super) type Sharer = (RegionId, u64, u32);

/// What a split depends on, and nothing that another model could mean differently.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SplitKey {
    pub(super) sharers: Vec<Sharer>,
    /// Those that are not leave their buckets to the others.
    pub(super) usable: u128,
}

impl SplitKey {
    pub(super) fn split(&self) -> Option<Split> {
        let member =
            |&(region, hash, weight): &Sharer| Member { hash, weight, usable: self.usable >> region.index() & 1 == 1 };
        let members: Vec<Member> = self.sharers.iter().map(member).collect();
        let buckets = Buckets::assign(&members, limits::REGION_BUCKETS)?;
        let mut split =
            Split { regions: self.sharers.iter().map(|(region, ..)| *region).collect(), buckets, members: 0, aside: 0 };
        split.members = split.shares().into_iter().fold(0, |mask, (region, _)| mask | 1 << region.index());
        Some(split)
    }
}

/// A region in a tier, before shares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ramped {
    pub(super) region: RegionId,
    /// The service's weight for it.
    pub(super) weight: u32,
    /// The part of it that counts now, in 1/[`WHOLE`].
    pub(super) part: u32,
}

impl Ramped {
    const fn whole(self) -> u64 {
        self.weight as u64 * WHOLE as u64
    }

    const fn now(self) -> u64 {
        self.weight as u64 * self.part as u64
    }
}

/// Weights in 1/[`WHOLE`] of a tier and, while all of the tier is being reintroduced, of the next one.
///
/// `usable` says whose weights count for that: those that are not usable keep their whole weight, which others carry.
///
/// ```text
/// tier          next     → weights
/// a2 b1         c1         a512 b256              nobody is reintroduced: the tier alone
/// a1·½ b1       c1         a128 b256              one is: the other takes what it leaves
/// a1·½          c1         a128 c128              all are: the next tier takes what they leave …
/// a1·½          c2 d1      a128 c85 d42           … by its own weights
/// a1·½                     a128                   there is nobody else: the share is the whole
/// ```
pub(super) fn ramped(tier: &[Ramped], next: &[Ramped], usable: impl Fn(RegionId) -> bool) -> Vec<(RegionId, u32)> {
    let narrow = |weight: u64| u32::try_from(weight).unwrap_or(u32::MAX);
    let weight = |member: &Ramped| if usable(member.region) { member.now() } else { member.whole() };
    let mut weights: Vec<(RegionId, u32)> = tier.iter().map(|member| (member.region, narrow(weight(member)))).collect();
    let left: u64 = tier
        .iter()
        .filter(|member| usable(member.region))
        .map(|member| member.whole().saturating_sub(member.now()))
        .sum();
    let total: u64 = next.iter().map(|member| member.whole()).sum();
    if total > 0 {
        weights.extend(next.iter().map(|member| (member.region, narrow((left * member.whole() / total).max(1)))));
    }
    weights
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_truth_table_holds() {
        let member = |letter: char, weight, part| Ramped { region: RegionId(letter as u8 - b'a'), weight, part };
        let show = |weights: Vec<(RegionId, u32)>| -> String {
            let parts = weights.iter().map(|(region, weight)| format!("{}{weight}", char::from(b'a' + region.0)));
            parts.collect::<Vec<_>>().join(" ")
        };
        let half = WHOLE / 2;
        for (tier, next, expected) in [
            (vec![member('a', 2, WHOLE), member('b', 1, WHOLE)], vec![], "a512 b256"),
            (vec![member('a', 1, half), member('b', 1, WHOLE)], vec![], "a128 b256"),
            (vec![member('a', 1, half)], vec![member('c', 1, WHOLE)], "a128 c128"),
            (vec![member('a', 1, half)], vec![member('c', 2, WHOLE), member('d', 1, WHOLE)], "a128 c85 d42"),
            (vec![member('a', 1, half)], vec![], "a128"),
        ] {
            assert_eq!(show(ramped(&tier, &next, |_| true)), expected);
        }
        let lost = ramped(&[member('a', 1, half), member('b', 1, half)], &[], |region| region == RegionId(1));
        assert_eq!(show(lost), "a256 b128", "one that is lost keeps the weight that others carry");
    }
}
