//! What clients follow while caches still hold what they were answered before.
//!
//! An answer is kept for its TTL, and caches ask at any moment of it. So of all caches the part `age / ttl` has asked
//! again `age` after a change, and what clients follow is the average of what was answered within one TTL:
//!
//! ```text
//! answered   A A A A A A B B B B B B B B B
//! followed   A A A A A A ╲               B      B: 0, 1/4, 1/2, 3/4, all
//!                        |←──── ttl ────→|
//! ```

use std::borrow::Cow;

use crate::base::moment::Moment;

use super::shares::{Shares, divide};
use super::{WHOLE, shares};

/// What a unit was answered, as long as caches may hold it.
#[derive(Clone, Debug, Default)]
pub(super) struct Trail {
    /// From when on, and what; the last is in force.
    answered: Vec<(Moment, Shares)>,
    /// How much busier its clients are than the scales of regions say, in 1/65,536.
    pub(super) heat: u32,
}

/// Answers of one unit that are kept apart; a plan that changes more often within one TTL is remembered by averages.
const ANSWERS_KEPT: usize = 16;

impl Trail {
    /// The trail of a unit that has always been answered so.
    pub(super) fn new(shares: Shares, heat: u32) -> Self {
        Self { answered: vec![(Moment(0), shares)], heat }
    }

    /// What it is answered.
    pub(super) fn current(&self) -> &[(u8, u16)] {
        self.answered.last().map_or(&[], |(_, shares)| shares)
    }

    /// From now on it is answered so.
    pub(super) fn answer(&mut self, now: Moment, ttl_ms: u64, shares: Shares) {
        if self.current() != shares {
            self.answered.push((now, shares));
        }
        // What ended a TTL ago is held by no cache.
        let start = now.0.saturating_sub(ttl_ms);
        let forgotten = self.answered.iter().skip(1).take_while(|(since, _)| since.0 <= start).count();
        self.answered.drain(..forgotten);
        if self.answered.len() > ANSWERS_KEPT {
            self.merge_shortest(start);
        }
    }

    /// What its clients follow.
    pub(super) fn followed(&self, now: Moment, ttl_ms: u64) -> Cow<'_, [(u8, u16)]> {
        if let [(_, only)] = self.answered.as_slice() {
            return Cow::Borrowed(only);
        }
        let start = now.0.saturating_sub(ttl_ms);
        let mut weights: Vec<(u8, u64)> = Vec::new();
        let mut end = now.0;
        for (since, shares) in self.answered.iter().rev() {
            let span = end.saturating_sub(since.0.max(start));
            add(&mut weights, shares, span);
            end = end.min(since.0);
            if end <= start {
                break;
            }
        }
        // Before the first answer that is known it was the same.
        if let Some((_, first)) = self.answered.first() {
            add(&mut weights, first, end.saturating_sub(start));
        }
        if weights.is_empty() {
            return Cow::Borrowed(self.current());
        }
        weights.sort_unstable_by_key(|&(site, _)| site);
        // Regions that are gone take their part with them.
        let known: u64 = weights.iter().map(|&(_, weight)| weight).sum();
        let whole = known.checked_div(ttl_ms.min(now.0)).map_or(WHOLE, |share| u16::try_from(share).unwrap_or(WHOLE));
        Cow::Owned(divide(&weights, whole))
    }

    /// Numbers sites anew; `to` has `None` for those that are gone.
    pub(super) fn renumber(&mut self, to: &[Option<u8>]) {
        for (_, shares) in &mut self.answered {
            let renumbered = shares.iter().filter_map(|&(site, share)| Some(((*to.get(usize::from(site))?)?, share)));
            *shares = renumbered.collect();
            shares.sort_unstable_by_key(|&(site, _)| site);
        }
    }

    /// Puts the two neighbours together that were given for the shortest time, each for as long as it was.
    fn merge_shortest(&mut self, start: u64) {
        let span = |at: usize| match self.answered.get(at..at + 3) {
            Some([(first, _), _, (third, _)]) => third.0.saturating_sub(first.0.max(start)),
            Some(_) | None => u64::MAX,
        };
        let Some(at) = (0..self.answered.len().saturating_sub(2)).min_by_key(|&at| (span(at), at)) else { return };
        let Some([(first, a), (second, b), (third, _)]) = self.answered.get(at..at + 3) else { return };
        let first = first.0.max(start);
        let mut weights = Vec::new();
        add(&mut weights, a, second.0.saturating_sub(first));
        add(&mut weights, b, third.0.saturating_sub(second.0));
        weights.sort_unstable_by_key(|&(site, _)| site);
        let merged = divide(&weights, a.iter().map(|&(_, share)| share).sum());
        self.answered[at + 1] = (Moment(first), merged);
        self.answered.remove(at);
    }
}

fn add(weights: &mut Vec<(u8, u64)>, shares: &[(u8, u16)], span: u64) {
    if span == 0 {
        return;
    }
    for &(site, share) in shares {
        let weight = u64::from(share).saturating_mul(span);
        match weights.iter_mut().find(|(known, _)| *known == site) {
            Some((_, sum)) => *sum = sum.saturating_add(weight),
            None => weights.push((site, weight)),
        }
    }
}

/// Adds demand to sites, in the parts that `followed` says.
pub(super) fn spread<'a>(demand: u64, followed: impl IntoIterator<Item = &'a (u8, u16)>, loads: &mut [u64]) {
    for &(site, share) in followed {
        if let Some(load) = loads.get_mut(usize::from(site)) {
            *load = load.saturating_add(shares::part(demand, share.into()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TTL_MS: u64 = 30_000;

    fn shares(of: u16) -> Shares {
        [(0, WHOLE - of), (1, of)].into_iter().filter(|&(_, share)| share > 0).collect()
    }

    #[test]
    fn caches_follow_within_a_ttl() {
        let begun = Moment(1_000_000);
        let mut trail = Trail::new(shares(0), 1 << 16);
        trail.answer(begun, TTL_MS, shares(WHOLE));
        for (ms, part) in [(0, 0), (7_500, WHOLE / 4), (15_000, WHOLE / 2), (30_000, WHOLE), (90_000, WHOLE)] {
            let followed = trail.followed(Moment(begun.0 + ms), TTL_MS);
            assert!(shares::share_of(&followed, 1).abs_diff(part) <= 1, "{ms}: {followed:?}");
        }
        // Changed back halfway: a quarter of the caches had followed and half of all still go there at the most.
        trail.answer(Moment(begun.0 + 15_000), TTL_MS, shares(0));
        for (ms, part) in [(15_000, WHOLE / 2), (30_000, WHOLE / 2), (45_000, 0)] {
            let followed = trail.followed(Moment(begun.0 + ms), TTL_MS);
            assert!(shares::share_of(&followed, 1).abs_diff(part) <= 1, "{ms}: {followed:?}");
        }
    }

    #[test]
    fn many_changes_are_remembered_by_averages() {
        let mut trail = Trail::new(shares(0), 1 << 16);
        // A steady climb: what is followed is what was answered half a TTL ago.
        for second in 0_u16..60 {
            trail.answer(Moment(1_000_000 + u64::from(second) * 1_000), TTL_MS, shares(second * 1_000));
        }
        assert!(trail.answered.len() <= ANSWERS_KEPT);
        let followed = trail.followed(Moment(1_060_000), TTL_MS);
        let half = 60 * 1_000 - 15 * 1_000;
        assert!(shares::share_of(&followed, 1).abs_diff(half) < 1_000, "{followed:?}");
        assert_eq!(followed.iter().map(|&(_, share)| share).sum::<u16>(), WHOLE);
    }

    #[test]
    fn regions_that_go_take_their_part_along() {
        let mut trail = Trail::new(shares(WHOLE / 5), 1 << 16);
        trail.renumber(&[None, Some(7)]);
        let followed = trail.followed(Moment(1_000_000), TTL_MS);
        assert_eq!(*followed, [(7, WHOLE / 5)]);
    }
}
