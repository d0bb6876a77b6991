//! How much may move within any minute while nothing has failed, over all regions: what a feed lies about, or a plan gets
//! wrong, then moves a part of the clients and not all.
//!
//! ```text
//! what moves                                          counts
//! away from a region that may not be answered         no: health checks or operators say so
//! to make room for those                              no
//! anything else, whatever its own pace                yes
//! ```

use std::collections::VecDeque;

use crate::base::moment::Moment;

/// What moved in the last minute, in millionths of all demand at that moment: a crowd that comes makes no room for more, since
/// those who were moved are more then too.
#[derive(Clone, Debug, Default)]
pub(super) struct Leash {
    moved: VecDeque<(Moment, u64)>,
}

const MINUTE_MS: u128 = 60_000;
/// Moves within this are kept as one.
const TOGETHER_MS: u128 = 500;

impl Leash {
    /// The demand that may move now, of `total`, if `most` thousandths of it may within a minute and others have moved
    /// `others` thousandths of it.
    pub(super) fn left(&mut self, now: Moment, total: u64, most: u32, others: u32) -> u64 {
        self.moved.retain(|(at, _)| now.since(*at).as_millis() < MINUTE_MS);
        if most >= 1_000 {
            return u64::MAX;
        }
        let may = u64::from(most.saturating_sub(others)) * 1_000;
        let left = u128::from(total) * u128::from(may.saturating_sub(self.sum())) / 1_000_000;
        u64::try_from(left).unwrap_or(u64::MAX)
    }

    /// So much demand has moved, of `total`.
    pub(super) fn note(&mut self, now: Moment, demand: u64, total: u64) {
        let part = (u128::from(demand) * 1_000_000).div_ceil(u128::from(total.max(1)));
        let part = u64::try_from(part).unwrap_or(u64::MAX);
        match self.moved.back_mut() {
            _ if part == 0 => {}
            Some((at, sum)) if now.since(*at).as_millis() < TOGETHER_MS => *sum = sum.saturating_add(part),
            Some(_) | None => self.moved.push_back((now, part)),
        }
    }

    /// What moved in the last minute, in thousandths of all demand.
    pub(super) fn lately(&self) -> u32 {
        u32::try_from(self.sum().div_ceil(1_000)).unwrap_or(u32::MAX)
    }

    fn sum(&self) -> u64 {
        self.moved.iter().fold(0, |sum, (_, part)| sum.saturating_add(*part))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_minute_has_its_part() {
        let mut leash = Leash::default();
        let at = |second: u64| Moment(1_000_000 + second * 1_000);
        assert_eq!(leash.left(at(0), 1_000, 100, 0), 100);
        leash.note(at(0), 60, 1_000);
        leash.note(at(30), 40, 1_000);
        for (second, others, left) in [(30, 0, 0), (59, 0, 0), (60, 0, 60), (60, 50, 10), (60, 100, 0), (90, 0, 100)] {
            assert_eq!(leash.left(at(second), 1_000, 100, others), left, "{second} {others}");
        }
        assert_eq!(leash.left(at(90), 1_000, 1_000, 0), u64::MAX);
        // Twice as many clients come: those that have moved are twice as many as well.
        assert_eq!(Leash { moved: [(at(0), 60_000)].into() }.left(at(1), 2_000, 100, 0), 80);
        leash.note(at(90), 25, 1_000);
        leash.note(at(90), 25, 1_000);
        assert_eq!((leash.moved.len(), leash.lately()), (1, 50));
    }
}
