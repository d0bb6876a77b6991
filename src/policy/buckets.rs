//! Shares → buckets: weighted rendezvous with exact shares, evaluated at publish.
//!
//! A query's hash selects a bucket, the bucket names the member: hash → load. Which member a bucket names depends
//! only on the members' keys, weights and usability: no history, no node, no floating point, so every node and every
//! version chooses alike.
//!
//! Plain weighted rendezvous hashing (each bucket goes to the member with the least −log(u) / weight, u drawn from
//! the pair's hash) gives 1,024 buckets shares that are off by 1.5 % as often as not. Here each member has a quota of
//! buckets, and pairs are taken from the best score up while both sides have room: shares are right to one bucket,
//! and few buckets differ from the plain rule. The buckets of a member that is not usable are shared out among the
//! others in the same way, again by quota, and so on: so losing a member moves its buckets and no others, and the
//! rest still carry their right shares.

use crate::base::hash::mix;

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
        let mut groups = vec![Group { buckets: (0..size).collect(), candidates, path: 0 }];
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

/// Buckets that lost the same members in the same order, and those who may still have them.
struct Group {
    buckets: Vec<usize>,
    candidates: Vec<u16>,
    /// Mixed from the members lost on the way: rounds quotas differently in every group, so that nobody is favoured.
    path: u64,
}

impl Group {
    fn share_out(&self, members: &[Member], slots: &mut [u16], lost: &mut Vec<Self>) {
        let mut room = self.quotas(members);
        let mut taken: Vec<Vec<usize>> = vec![Vec::new(); self.candidates.len()];
        let mut free = vec![true; slots.len()];
        for (_, bucket, place) in self.scores(members) {
            if free[bucket] && room[place] > 0 {
                free[bucket] = false;
                room[place] -= 1;
                taken[place].push(bucket);
            }
        }
        for (place, (&candidate, mut buckets)) in self.candidates.iter().zip(taken).enumerate() {
            let member = &members[usize::from(candidate)];
            if member.usable {
                buckets.iter().for_each(|&bucket| slots[bucket] = candidate);
            } else if !buckets.is_empty() {
                buckets.sort_unstable();
                let mut candidates = self.candidates.clone();
                candidates.remove(place);
                lost.push(Self { buckets, candidates, path: mix(self.path ^ member.hash) });
            }
        }
    }

    /// How many buckets each candidate gets: its exact share rounded down or up, by chance with the right mean
    /// (systematic sampling), so that many small groups add up to right shares.
    fn quotas(&self, members: &[Member]) -> Vec<usize> {
        let weights = || self.candidates.iter().map(|&i| u128::from(members[usize::from(i)].weight.min(WEIGHT_MAX)));
        let total: u128 = weights().sum();
        let offset = (u128::from(mix(self.path)) * total) >> 64;
        let (mut sum, mut given) = (offset, 0);
        weights()
            .map(|weight| {
                sum += weight * self.buckets.len() as u128;
                let upto = usize::try_from(sum / total).unwrap_or(usize::MAX);
                let quota = upto - given;
                given = upto;
                quota
            })
            .collect()
    }

    /// Every pair (score, bucket, place among the candidates), the best first.
    fn scores(&self, members: &[Member]) -> Vec<(u64, usize, usize)> {
        let mut pairs: Vec<(u64, usize, usize)> = Vec::with_capacity(self.buckets.len() * self.candidates.len());
        for &bucket in &self.buckets {
            for (place, &candidate) in self.candidates.iter().enumerate() {
                let member = &members[usize::from(candidate)];
                let draw = mix(member.hash ^ mix(bucket as u64 ^ BUCKET_SALT));
                let score = (negative_log2(draw) << 24) / u64::from(member.weight.clamp(1, WEIGHT_MAX));
                pairs.push((score, bucket, place));
            }
        }
        pairs.sort_unstable();
        pairs
    }
}

/// Keeps bucket numbers apart from client words, which are mixed the same way.
const BUCKET_SALT: u64 = 0x6d65_7269_6469_616e;

/// −log₂(draw / 2⁶⁴) with 32 fractional bits, in integers only: below 2³⁸ + 1.
fn negative_log2(draw: u64) -> u64 {
    let draw = draw.max(1);
    let zeros = draw.leading_zeros();
    // The mantissa in [1, 2) with 63 fractional bits; each squaring shows the next bit of its logarithm.
    let mut mantissa = draw << zeros;
    let mut log = u64::from(63 - zeros);
    for _ in 0..32 {
        let square = (u128::from(mantissa) * u128::from(mantissa)) >> 63;
        let bit = square >> 64;
        #[expect(clippy::cast_possible_truncation, reason = "below 2^64 after the shift by its own top bit")]
        {
            mantissa = (square >> bit) as u64;
            log = log << 1 | bit as u64;
        }
    }
    (64 << 32) - log
}

#[cfg(test)]
mod tests;
