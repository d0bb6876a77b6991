//! Shares → buckets: weighted rendezvous, evaluated at publish, so that a change moves only its share.
//!
//! A query's hash selects a bucket, the bucket names the member: hash → load. Which member a bucket names depends
//! only on the members' keys, weights and usability: no history, no node, no floating point, so every node and every
//! version chooses alike.
//!
//! **The rule.** Each member has a draw for each bucket (`scores.rs`); a bucket goes to the member whose draw, with its
//! weight, is the best. Whether one of two members beats the other depends on nothing but these two, so if a weight
//! changes, buckets move to that member or away from it, and never between others: the least that can move.
//!
//! **Its price** is that shares come out by chance. A table of 1,024 buckets with independent draws is off by 1.7 % on
//! average and by 5 % at worst. Three things make that small. Draws of one member are *stratified*: each value is met
//! once, in an order of the member's own, which takes a third of the error away. Region tables have 4,096 buckets,
//! which halves it. And a share that is still off by more than a *tolerance*, 1/256 of all or 1/16 of itself, is
//! corrected: buckets that lose least by it change hands. As these corrections are few, so are the buckets that move
//! because corrections are others than before. Measured with 3 to 20 members of random weights, in percent of all
//! buckets, on average (and the most in 300 cases):
//!
//! | 4,096 buckets | share off by | moved needlessly: a weight changes | a step of a ramp |
//! |---|---|---|---|
//! | rule alone | 0.6 (1.6) | 0 | 0 |
//! | **tolerance of 1/256** | 0.4 (0.4) | 0.1 (0.8) | 0.1 (1.5) |
//! | tolerance of 1/128 | 0.5 (0.8) | 0.02 (0.5) | 0.04 (1.0) |
//! | exact shares | 0.02 (0.02) | 0.3 (1.5) | 0.3 (2.1) |
//!
//! Two members never move a bucket needlessly, with any tolerance. Better sequences than stratified ones (lattices,
//! digital nets) were tried: with three members and more they are no better, and some pairs of keys are far worse.
//! Tables of up to 256 buckets, for endpoints, are so coarse that the tolerance makes their shares exact to a bucket.
//!
//! **A member that is lost** keeps its buckets in the reckoning, and these alone are shared out among the others, by
//! the same rule, and so on: so losing one moves its buckets and no others, and its return restores them all.

mod scores;

use scores::scores;

/// The largest weight of a member: a configured weight of up to 65,535, times a scale of up to 256 (ramp, plan).
pub const WEIGHT_MAX: u32 = 1 << 24;

/// One of those who share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// The steering hash of its stable key.
    pub hash: u64,
    /// Its weight, up to [`WEIGHT_MAX`]; at 0 it gets nothing.
    pub weight: u32,
    /// If not, others carry its share.
    pub usable: bool,
}

/// Which member each bucket names: an index into the members it was made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Buckets {
    slots: Box<[u16]>,
}

impl Buckets {
    /// Shares out `size` buckets (a power of two, at most 65,536). `None` if no member with a weight is usable.
    #[must_use]
    pub fn assign(members: &[Member], size: usize) -> Option<Self> {
        debug_assert!(size.is_power_of_two() && size <= 1 << 16, "sizes are constants of limits.rs");
        let mut candidates: Vec<u16> =
            (0..=u16::MAX).zip(members).filter(|(_, m)| m.weight > 0).map(|(i, _)| i).collect();
        if !candidates.iter().any(|&i| members[usize::from(i)].usable) {
            return None;
        }
        // By hash, so that the order in which members were given decides nothing.
        candidates.sort_by_key(|&i| (members[usize::from(i)].hash, i));
        let mut slots = vec![0; size].into_boxed_slice();
        let mut groups = vec![Group { buckets: (0..=u16::MAX).take(size).collect(), candidates }];
        while let Some(group) = groups.pop() {
            group.share_out(members, &mut slots, &mut groups);
        }
        Some(Self { slots })
    }

    /// The member for a client hash or a random draw.
    #[inline]
    #[must_use]
    pub fn at(&self, hash: u64) -> usize {
        // The top bits: the finalizer spreads all bits alike, and the low ones are free for another choice.
        let shift = u64::BITS - self.slots.len().trailing_zeros();
        let bucket = hash.checked_shr(shift).unwrap_or(0);
        #[expect(clippy::cast_possible_truncation, reason = "below the number of buckets after the shift")]
        self.slots.get(bucket as usize).map_or(0, |&member| usize::from(member))
    }

    /// The same with members named by their place in `ring`, which holds every member that a bucket names.
    pub(super) fn renumbered(mut self, ring: &[usize]) -> Self {
        for slot in &mut self.slots {
            let place = ring.iter().position(|&member| member == usize::from(*slot)).unwrap_or(0);
            *slot = u16::try_from(place).unwrap_or(0);
        }
        self
    }

    /// The member of every bucket, in order.
    #[must_use]
    pub fn slots(&self) -> &[u16] {
        &self.slots
    }
}

/// How many buckets serve `endpoints` endpoints of one region: 16 each, from 64 to 256.
#[must_use]
pub fn endpoint_bucket_count(endpoints: usize) -> usize {
    endpoints.saturating_mul(16).clamp(64, 256).next_power_of_two()
}

/// Groups of fewer buckets are shared out by the rule alone: corrections of what is next to nothing are not worth it.
const CORRECTED_MIN: usize = 16;

/// Buckets that lost the same members in the same order, and those who may still have them.
struct Group {
    buckets: Vec<u16>,
    candidates: Vec<u16>,
}

impl Group {
    fn share_out(&self, members: &[Member], slots: &mut [u16], lost: &mut Vec<Self>) {
        let size = slots.len();
        let candidates = || self.candidates.iter().map(|&i| &members[usize::from(i)]);
        let scores: Vec<Vec<i64>> =
            candidates().map(|member| scores(member.hash, member.weight, &self.buckets, size)).collect();
        let is_small = self.buckets.len() < CORRECTED_MIN;
        // Those that are lost have no need of a group of their own where nothing is corrected.
        let mut owners = best(&scores, |place| !is_small || members[usize::from(self.candidates[place])].usable);
        if !is_small {
            Limits::new(self.buckets.len(), candidates().map(|member| member.weight)).keep(&mut owners, &scores);
        }
        let mut given: Vec<Vec<u16>> = vec![Vec::new(); self.candidates.len()];
        self.buckets.iter().zip(owners).for_each(|(&bucket, owner)| given[owner].push(bucket));
        for (place, (&candidate, buckets)) in self.candidates.iter().zip(given).enumerate() {
            if members[usize::from(candidate)].usable {
                buckets.iter().for_each(|&bucket| slots[usize::from(bucket)] = candidate);
            } else if !buckets.is_empty() {
                let mut candidates = self.candidates.clone();
                candidates.remove(place);
                lost.push(Self { buckets, candidates });
            }
        }
    }
}

/// By bucket, the place of the member with the least score of those that may have it; of equals the first.
fn best(scores: &[Vec<i64>], may_have: impl Fn(usize) -> bool) -> Vec<usize> {
    let len = scores.first().map_or(0, Vec::len);
    let (mut least, mut owners) = (vec![i64::MAX; len], vec![0; len]);
    for (place, of_member) in scores.iter().enumerate().filter(|&(place, _)| may_have(place)) {
        for ((least, owner), &score) in least.iter_mut().zip(&mut owners).zip(of_member) {
            if score < *least {
                (*least, *owner) = (score, place);
            }
        }
    }
    owners
}

/// How many buckets each member of a group has at least and at most.
struct Limits(Vec<(usize, usize)>);

impl Limits {
    /// The exact share, less and more by 1/256 of the group or 1/16 of the share, whichever is less; in whole buckets.
    fn new(buckets: usize, weights: impl Iterator<Item = u32> + Clone) -> Self {
        let buckets = buckets as u64;
        // Below 2^56: 2^16 members of up to 2^24, times 2^16 buckets.
        let total: u64 = weights.clone().map(u64::from).sum();
        let whole = |buckets: u64| usize::try_from(buckets).unwrap_or(usize::MAX);
        let limits = |weight: u32| {
            let share = u64::from(weight) * buckets;
            let tolerance = (total * buckets / 256).min(share / 16);
            (whole((share - tolerance) / total), whole((share + tolerance).div_ceil(total)))
        };
        Self(weights.map(limits).collect())
    }

    /// Changes owners where a member has too much or too little.
    fn keep(&self, owners: &mut [usize], scores: &[Vec<i64>]) {
        let mut counts = vec![0; self.0.len()];
        owners.iter().for_each(|&owner| counts[owner] += 1);
        // The limits add up to no more and no less than all buckets, so whoever has too much finds takers, and after
        // that whoever has too little finds givers, and nobody has too much again.
        trade(
            owners,
            &mut counts,
            scores,
            |place, count| count > self.0[place].1,
            |place, count| count < self.0[place].1,
        );
        trade(
            owners,
            &mut counts,
            scores,
            |place, count| count > self.0[place].0,
            |place, count| count < self.0[place].0,
        );
    }
}

/// Lets buckets change hands, those that lose least by it first, while one side gives and the other takes.
fn trade(
    owners: &mut [usize],
    counts: &mut [usize],
    scores: &[Vec<i64>],
    gives: impl Fn(usize, usize) -> bool,
    takes: impl Fn(usize, usize) -> bool,
) {
    let takers: Vec<usize> = (0..counts.len()).filter(|&place| takes(place, counts[place])).collect();
    let mut offers: Vec<(i64, usize, usize)> = Vec::new();
    for (at, &owner) in owners.iter().enumerate().filter(|&(_, &owner)| gives(owner, counts[owner])) {
        offers.extend(takers.iter().map(|&taker| (scores[taker][at] - scores[owner][at], at, taker)));
    }
    offers.sort_unstable();
    let mut is_traded = vec![false; owners.len()];
    for (_, at, taker) in offers {
        let owner = owners[at];
        if !is_traded[at] && gives(owner, counts[owner]) && takes(taker, counts[taker]) {
            is_traded[at] = true;
            owners[at] = taker;
            counts[owner] -= 1;
            counts[taker] += 1;
        }
    }
}

#[cfg(test)]
mod tests;
