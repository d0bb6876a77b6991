//! What goes on about one service as time goes by: its active region, its ramps, and when to look at it again.

use std::time::Duration;

use crate::base::ids::RegionId;
use crate::base::limits::RAMP_STEPS;
use crate::base::moment::Moment;
use crate::table::{STEADY, Standing};

use super::words::earlier;

/// One service.
#[derive(Clone, Debug)]
pub(super) struct Course {
    /// The regions that are eligible.
    pub(super) eligible: u128,
    pub(super) standing: Standing,
    /// An operator switched to the active region: nothing but its loss or a failback by hand moves it.
    pub(super) pinned: bool,
    /// Regions better than the active one, and since when each is eligible without a break; by order.
    pub(super) better: Vec<(RegionId, Moment)>,
    /// A safety rule holds a failback that is due; it was told.
    pub(super) is_held_back: bool,
    /// A failback that is due is held, and tried again then; nobody knows when it comes, so no TTL counts down to it.
    pub(super) retry: Option<Moment>,
    /// Regions being reintroduced, and since when.
    pub(super) ramps: Vec<(RegionId, Moment)>,
    /// When the first word that covers it ends.
    pub(super) expires: Option<Moment>,
    /// When the agenda says to look at it.
    pub(super) planned: Option<Moment>,
    /// How often failures took a region from it; of an active-passive service, its active one.
    pub(super) failovers: u64,
}

impl Default for Course {
    fn default() -> Self {
        Self {
            eligible: 0,
            standing: Standing::Eligible,
            pinned: false,
            better: Vec::new(),
            is_held_back: false,
            retry: None,
            ramps: Vec::new(),
            expires: None,
            planned: None,
            failovers: 0,
        }
    }
}

impl Course {
    /// The moment of its next change by the clock alone. `failback`: how long a better region has to be eligible.
    pub(super) fn due(&self, now: Moment, failback: Option<Duration>, ramp: Duration) -> Option<Moment> {
        let is_open = |due: &Moment| self.retry.is_none() || *due > now;
        let waits =
            failback.and_then(|wait| self.better.iter().map(|(_, since)| since.after(wait)).filter(is_open).min());
        let steps = self.ramps.iter().map(|&(_, begun)| next_step(begun, ramp, now)).min();
        earlier(earlier(self.expires, waits), steps)
    }

    /// The best of the better regions that have been eligible for `wait`; none while a failback is held.
    pub(super) fn failback(&self, now: Moment, wait: Duration) -> Option<RegionId> {
        if self.retry.is_some_and(|retry| retry > now) {
            return None;
        }
        self.better.iter().find(|(_, since)| since.after(wait) <= now).map(|(region, _)| *region)
    }

    /// Nothing waits for failback any more: what held it is forgotten, and what holds the next is told.
    pub(super) fn forget_better(&mut self) {
        self.better.clear();
        (self.is_held_back, self.retry) = (false, None);
    }
}

/// The part of its weight that a region counts with, in 1/256; `None` when all of it.
///
/// ```text
/// since the beginning, in tenths of the ramp   0     1     2    …  8     9
/// part                                         10 %  20 %  30 %    90 %  all
/// ```
pub(super) fn ramp_part(begun: Moment, ramp: Duration, now: Moment) -> Option<u8> {
    let step = step(begun, ramp, now);
    if step >= RAMP_STEPS { None } else { u8::try_from(256 * step / RAMP_STEPS).ok() }
}

/// The moment of the next step of a ramp.
fn next_step(begun: Moment, ramp: Duration, now: Moment) -> Moment {
    let ms = u64::try_from(ramp.as_millis()).unwrap_or(u64::MAX);
    let steps = u64::from(step(begun, ramp, now));
    Moment(begun.0.saturating_add(ms.saturating_mul(steps).div_ceil(u64::from(RAMP_STEPS))))
}

/// Steps taken, the one at the beginning counted; at most all.
fn step(begun: Moment, ramp: Duration, now: Moment) -> u32 {
    let taken = now.since(begun).as_millis() * u128::from(RAMP_STEPS) / ramp.as_millis().max(1);
    u32::try_from(taken).unwrap_or(RAMP_STEPS).saturating_add(1).min(RAMP_STEPS)
}

/// What is published of a change at `due`, and when to look again: within `horizon` seconds the time that is left,
/// anew each second; before that nothing, because no TTL reaches so far.
pub(super) fn countdown(now: Moment, due: Option<Moment>, horizon: u32) -> (u32, Option<Moment>) {
    let Some(due) = due else { return (STEADY, None) };
    let left = now.seconds_until(due).max(1);
    let ahead = |seconds: u32| due.before(Duration::from_secs(u64::from(seconds)));
    if left <= horizon { (left, Some(ahead(left - 1))) } else { (STEADY, Some(ahead(horizon))) }
}

/// The active region of an active-passive service: the held one while it is usable, else the first usable in order.
///
/// ```text
/// order    usable    held   → active
/// a b c    a b c     -        a
/// a b c      b c     a        b
/// a b c    a b c     b        b        failback moves `held`, not this rule
/// a b c              b        b        nothing is usable: it stays where it was
/// a b      a b c     c        a        no longer in the order
/// ```
pub(super) fn active(order: &[RegionId], usable: u128, held: Option<RegionId>) -> Option<RegionId> {
    let is_usable = |region: &RegionId| usable >> region.index() & 1 == 1;
    let held = held.filter(|region| order.contains(region));
    held.filter(is_usable).or_else(|| order.iter().copied().find(is_usable)).or(held)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(letter: char) -> RegionId {
        RegionId(u8::try_from(u32::from(letter) - u32::from('a')).unwrap())
    }

    #[test]
    fn the_table_of_active_regions_holds() {
        for (order, usable, held, expected) in [
            ("abc", "abc", None, Some('a')),
            ("abc", "bc", Some('a'), Some('b')),
            ("abc", "abc", Some('b'), Some('b')),
            ("abc", "", Some('b'), Some('b')),
            ("abc", "", None, None),
            ("ab", "abc", Some('c'), Some('a')),
        ] {
            let order: Vec<RegionId> = order.chars().map(id).collect();
            let usable = usable.chars().fold(0, |mask, letter| mask | 1 << id(letter).index());
            assert_eq!(active(&order, usable, held.map(id)), expected.map(id));
        }
    }

    #[test]
    fn a_ramp_takes_ten_steps() {
        let (begun, ramp) = (Moment(1_000), Duration::from_secs(100));
        for (second, part, next) in [
            (0, Some(25), 10),
            (9, Some(25), 10),
            (10, Some(51), 20),
            (45, Some(128), 50),
            (89, Some(230), 90),
            (90, None, 100),
        ] {
            let now = begun.after(Duration::from_secs(second));
            assert_eq!(ramp_part(begun, ramp, now), part, "{second}");
            assert_eq!(next_step(begun, ramp, now), begun.after(Duration::from_secs(next)), "{second}");
        }
        // A ramp whose steps are shorter than the clock can tell.
        assert_eq!(ramp_part(begun, Duration::from_millis(1), Moment(1_001)), None);
        assert_eq!(next_step(begun, Duration::from_millis(3), begun), Moment(1_001));
    }

    #[test]
    fn what_is_left_goes_down_each_second() {
        let due = Moment(100_000);
        for (now, left, look) in [
            (0, STEADY, 70_000),
            (69_999, STEADY, 70_000),
            (70_000, 30, 71_000),
            (70_001, 30, 71_000),
            (71_000, 29, 72_000),
            (98_500, 2, 99_000),
            (99_000, 1, 100_000),
            (99_999, 1, 100_000),
            (100_000, 1, 100_000),
        ] {
            assert_eq!(countdown(Moment(now), Some(due), 30), (left, Some(Moment(look))), "{now}");
        }
        assert_eq!(countdown(Moment(0), None, 30), (STEADY, None));
    }

    #[test]
    fn the_best_region_whose_time_has_come_is_failed_back_to() {
        let wait = Duration::from_secs(10);
        let better = vec![(id('a'), Moment(5_000)), (id('b'), Moment(0))];
        let course = Course { better, expires: Some(Moment(60_000)), ..Course::default() };
        for (now, region) in [(9_999, None), (10_000, Some('b')), (15_000, Some('a'))] {
            assert_eq!(course.failback(Moment(now), wait), region.map(id), "{now}");
        }
        assert_eq!(course.due(Moment(0), Some(wait), Duration::ZERO), Some(Moment(10_000)));
        assert_eq!(course.due(Moment(0), None, Duration::ZERO), Some(Moment(60_000)));
    }

    #[test]
    fn nothing_counts_down_to_a_failback_that_is_held() {
        let wait = Duration::from_secs(10);
        let better = vec![(id('a'), Moment(5_000)), (id('b'), Moment(0))];
        let mut course = Course { better, retry: Some(Moment(20_000)), is_held_back: true, ..Course::default() };
        for (now, due) in [(9_999, Some(10_000)), (10_000, Some(15_000)), (15_000, None), (25_000, None)] {
            assert_eq!(course.due(Moment(now), Some(wait), Duration::ZERO), due.map(Moment), "{now}");
        }
        for (now, region) in [(15_000, None), (19_999, None), (20_000, Some('a'))] {
            assert_eq!(course.failback(Moment(now), wait), region.map(id), "{now}");
        }
        course.forget_better();
        assert_eq!((course.better.len(), course.retry, course.is_held_back), (0, None, false));
    }
}
