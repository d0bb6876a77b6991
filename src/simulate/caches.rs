//! What resolvers hold: each answer until its TTL is over, and then they ask again.
//!
//! There are so many that they are a mass, of which a part expires each second. In a steady world that is `1 / ttl`; after a
//! TTL that was shorter for a while, more of them ask together, as they do in truth.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::base::ids::RegionId;

/// The regions that clients are sent to, with their shares; empty: nowhere.
pub(super) type Shares = Arc<[(RegionId, f64)]>;

/// The resolvers of one group, all together 1.
#[derive(Clone, Debug)]
pub(super) struct Caches {
    /// By the second in which they forget it: what they were answered, and which part of all they are.
    held: BTreeMap<i64, Vec<(Shares, f64)>>,
    /// By [`RegionId`]: the part of the clients that follow it.
    following: Vec<f64>,
}

/// Seconds of a TTL that are told apart; of a longer one a few together.
const SLOTS: i64 = 60;

impl Caches {
    /// Resolvers that have been answered so for as long as a TTL.
    pub(super) fn new(now_s: i64, ttl_s: u32, answer: &Shares, regions: usize) -> Self {
        let mut caches = Self { held: BTreeMap::new(), following: vec![0.0; regions] };
        let step = step(ttl_s);
        let slots = i64::from(ttl_s.max(1)).div_euclid(step).max(1);
        #[expect(clippy::cast_precision_loss, reason = "at most a few hundred")]
        let part = 1.0 / slots as f64;
        for slot in 1..=slots {
            caches.hold(now_s + slot * step, answer, part);
        }
        caches
    }

    /// A second comes: whoever forgets what it held asks, and is answered so.
    pub(super) fn second(&mut self, now_s: i64, ttl_s: u32, answer: &Shares) {
        let mut part = 0.0;
        while let Some(entry) = self.held.first_entry().filter(|entry| *entry.key() <= now_s) {
            for (held, own) in entry.remove() {
                part += own;
                for (region, share) in held.iter() {
                    if let Some(following) = self.following.get_mut(region.index()) {
                        *following = (*following - own * share).max(0.0);
                    }
                }
            }
        }
        if part > 0.0 {
            let step = step(ttl_s);
            let until = now_s + i64::from(ttl_s.max(1));
            // Those of a few seconds go together, each as often too early as too late.
            self.hold((until + step / 2).div_euclid(step) * step.max(1), answer, part);
        }
    }

    fn hold(&mut self, until_s: i64, answer: &Shares, part: f64) {
        for (region, share) in answer.iter() {
            if let Some(following) = self.following.get_mut(region.index()) {
                *following += part * share;
            }
        }
        let held = self.held.entry(until_s).or_default();
        match held.iter_mut().find(|(known, _)| Arc::ptr_eq(known, answer)) {
            Some((_, own)) => *own += part,
            None => held.push((Arc::clone(answer), part)),
        }
    }

    /// By [`RegionId`]: the part of the clients that follow it; what is missing to 1 is sent nowhere.
    pub(super) fn following(&self) -> &[f64] {
        &self.following
    }
}

/// Seconds that are not told apart.
fn step(ttl_s: u32) -> i64 {
    (i64::from(ttl_s) / SLOTS).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(region: u8) -> Shares {
        [(RegionId(region), 1.0)].into()
    }

    #[test]
    fn resolvers_follow_within_a_ttl() {
        for ttl_s in [1, 5, 30, 61, 300, 3_600] {
            let (before, after) = (all(0), all(1));
            let mut caches = Caches::new(0, ttl_s, &before, 2);
            for second in 1..=i64::from(ttl_s) {
                caches.second(second, ttl_s, &after);
                let (left, expected) = (caches.following()[0], 1.0 - second as f64 / f64::from(ttl_s));
                assert!((left - expected).abs() < 0.04, "{ttl_s}, {second}: {left}, not {expected}");
                assert!((left + caches.following()[1] - 1.0).abs() < 1e-9);
            }
            // What was rounded is over soon.
            (1..=step(ttl_s)).for_each(|more| caches.second(i64::from(ttl_s) + more, ttl_s, &after));
            assert!(caches.following()[0] < 1e-9, "{ttl_s}: {:?}", caches.following());
        }
    }

    #[test]
    fn nowhere_is_nobody() {
        let mut caches = Caches::new(0, 10, &all(0), 1);
        (1..=10).for_each(|second| caches.second(second, 10, &Shares::from([])));
        assert!(caches.following()[0] < 1e-9);
        caches.second(11, 10, &all(0));
        assert!((caches.following()[0] - 0.1).abs() < 1e-9);
    }
}
