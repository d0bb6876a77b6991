//! What an answer is worth in load: the scale of each region, learned from its feed.
//!
//! *Scale* is load for each answer that clients follow, so it is compared with what they follow (`caches`), at the moment
//! of the reading: demand that was moved and is on its way is not seen as a change, and so not moved twice.
//!
//! A load that is other than expected has two explanations. That the clients are busier (a flash crowd: every resolver
//! asks once per TTL, as before, and has ten times the users behind it) or that the region counts otherwise (its feed
//! is of connections, its machines are slow). The first goes with clients that are moved, and the second does not. Most
//! of a surprise is taken for the first, which errs on the safe side: who moves is reckoned to bring it along. Whatever
//! clients do not explain becomes the region's own, slowly.
//!
//! ```text
//! reading                                what it changes
//! the first                              scale = load / demand
//! the next few                           scale, as the average of them
//! later                                  heat of the clients that follow the region, by most of the surprise in 30 s, in
//!                                        5 s while any region is at its max or on the way there; scale, by the rest, in
//!                                        10 minutes
//! while nobody has followed it for long  foreign load: what no answer of ours explains
//! while it can't be answered             nothing: clients that still follow it may find nobody there
//! less than a quarter of what is         nothing for half a minute: a region that failed a moment ago says so, and a feed
//! expected, or more than sixteen times   that lies. What is said for longer is learned anew
//! ```
//!
//! Heat stays within 1/2 and 8: a feed that lies can make a region half as full or eight times as full as it is, and
//! more only in the course of many minutes.

use std::collections::VecDeque;

use crate::base::moment::Moment;

/// A heat of 1.
pub(super) const TEMPERATE: u32 = 1 << 16;
/// The bounds of heat.
const HEAT: (u32, u32) = (TEMPERATE / 2, TEMPERATE * 8);
/// Readings that tell a trend.
const READINGS_TREND: usize = 4;
/// Readings whose average is the first scale.
const READINGS_FIRST: u32 = 6;
/// Within how many milliseconds most of a surprise is believed.
const BELIEVED_MS: u64 = 30_000;
/// The same at or above max, where waiting hurts.
const BELIEVED_FAST_MS: u64 = 5_000;
/// Within how many milliseconds what clients do not explain becomes the region's own.
const OWNED_MS: u64 = 600_000;
/// What is believed of what is expected, in 1/65,536.
const BELIEVABLE: (u64, u64) = (TEMPERATE as u64 / 4, TEMPERATE as u64 * 16);
/// Milliseconds after which even what is unbelievable is believed.
const DOUBTED_MS: u64 = 30_000;
/// Milliseconds without anybody who follows a region after which all of its load is foreign.
const IDLE_MS: u64 = 120_000;
/// Milliseconds between two readings that count: after a longer silence a reading is not worth more.
const ELAPSED_MAX_MS: u64 = 60_000;
/// Milliseconds for which what was expected is remembered: no feed is later than that and still fresh.
const REMEMBERED_MS: u64 = 120_000;
/// The largest scale: a terabit per second for each answer.
const SCALE_MAX: u64 = 1 << 52;

/// What is known of one region's loads.
#[derive(Clone, Debug, Default)]
pub(super) struct Scale {
    /// Load for each answer, in 1/2³²; 0: not known.
    scale: u64,
    readings: u32,
    read: Option<Moment>,
    /// Load that no answer of ours explains.
    pub(super) foreign: u64,
    /// Demand that followed it, and of that what could be answered with it.
    expected: VecDeque<(Moment, u64, u64)>,
    /// Its last readings, the oldest first.
    last: VecDeque<(Moment, u64)>,
    /// Since when its readings are not believed.
    doubted: Option<Moment>,
    /// Since when nobody follows it.
    idle: Option<Moment>,
    /// Its last reading, and the demand that it is the load of, if it tells something of the clients.
    surprise: Option<Surprise>,
}

#[derive(Clone, Copy, Debug)]
struct Surprise {
    load: u64,
    demand: u64,
    elapsed_ms: u64,
    /// What the heat of those who follow the region is multiplied with, in 1/65,536.
    factor: u32,
}

impl Scale {
    /// A scale that is known from before.
    pub(super) fn remembered(scale: u64, foreign: u64) -> Self {
        let readings = if scale == 0 { 0 } else { READINGS_FIRST };
        Self { scale: scale.min(SCALE_MAX), foreign, readings, ..Self::default() }
    }

    /// Takes for granted that it has this load, of the demand that follows it.
    pub(super) fn suppose(&mut self, load: u64, demand: u64) {
        // What nobody who follows it explains is there whoever comes.
        *self =
            if demand == 0 { Self::remembered(self.scale, load) } else { Self::remembered(scale_of(load, demand), 0) };
    }

    /// The scale, if one was learned.
    pub(super) const fn known(&self) -> Option<u64> {
        if self.scale == 0 { None } else { Some(self.scale) }
    }

    /// Remembers the demand that follows the region, and what of it may be answered with it.
    pub(super) fn followed_by(&mut self, now: Moment, demand: u64, usable: u64) {
        if self.expected.back().is_some_and(|&(at, ..)| at == now) {
            self.expected.pop_back();
        }
        self.expected.push_back((now, demand, usable));
        let start = now.0.saturating_sub(REMEMBERED_MS);
        while self.expected.len() > 1 && self.expected.front().is_some_and(|&(at, ..)| at.0 < start) {
            self.expected.pop_front();
        }
    }

    /// Takes a reading. `is_pressed`: the region is at or above its max, or soon will be.
    pub(super) fn read(&mut self, load: u64, at: Moment, is_pressed: bool) {
        self.surprise = None;
        if self.read.is_some_and(|read| at <= read) {
            return;
        }
        let Some((demand, usable)) = self.expected_at(at) else { return };
        if usable < demand - demand / 8 {
            return;
        }
        let elapsed_ms = self.read.map_or(0, |read| at.0.saturating_sub(read.0).min(ELAPSED_MAX_MS));
        self.read = Some(at);
        if demand == 0 {
            let idle = *self.idle.get_or_insert(at);
            if at.0.saturating_sub(idle.0) >= IDLE_MS {
                self.foreign = load;
            }
            return;
        }
        self.idle = None;
        let own = load.saturating_sub(self.foreign);
        self.foreign = approach(self.foreign, 0, elapsed_ms, OWNED_MS);
        if self.scale == 0 {
            // A load of nothing tells nothing yet: there may be no capacity without limit because of it.
            if own > 0 {
                (self.scale, self.readings) = (scale_of(own, demand), 1);
            }
            return;
        }
        let ratio = u128::from(own) * u128::from(TEMPERATE) / u128::from(load_of(demand, self.scale).max(1));
        let ratio = u64::try_from(ratio).unwrap_or(u64::MAX);
        if self.doubts(ratio, at) {
            return;
        }
        self.readings = self.readings.saturating_add(1);
        if self.readings <= READINGS_FIRST {
            let n = u128::from(self.readings);
            let sum = u128::from(self.scale) * (n - 1) + u128::from(scale_of(own, demand));
            self.scale = bounded(sum / n);
            return;
        }
        let believed_ms = if is_pressed { BELIEVED_FAST_MS } else { BELIEVED_MS };
        let factor = approach(TEMPERATE.into(), ratio, elapsed_ms, believed_ms);
        let factor = u32::try_from(factor).unwrap_or(u32::MAX);
        self.surprise = Some(Surprise { load: own, demand, elapsed_ms, factor });
    }

    /// True if a reading that is so many times what is expected is not to be believed.
    fn doubts(&mut self, ratio: u64, at: Moment) -> bool {
        if (BELIEVABLE.0..=BELIEVABLE.1).contains(&ratio) {
            self.doubted = None;
            return false;
        }
        let since = *self.doubted.get_or_insert(at);
        if at.0.saturating_sub(since.0) >= DOUBTED_MS {
            (self.scale, self.readings, self.doubted) = (0, 0, None);
        }
        true
    }

    /// Remembers a reading to see where readings go.
    pub(super) fn note(&mut self, load: u64, at: Moment) {
        if self.last.back().is_none_or(|&(last, _)| last < at) {
            self.last.push_back((at, load));
        }
        if self.last.len() > READINGS_TREND {
            self.last.pop_front();
        }
    }

    /// The load that the last readings lead to within some time: two of them against the two before, because one alone
    /// trembles too much.
    pub(super) fn ahead(&self, ms: u64) -> u64 {
        let mut last = self.last.iter();
        let (Some(a), Some(b), Some(c), Some(d)) = (last.next(), last.next(), last.next(), last.next()) else {
            return self.last.back().map_or(0, |&(_, load)| load);
        };
        let mean = |a: &(Moment, u64), b: &(Moment, u64)| (a.1 / 2 + b.1 / 2, a.0.0 / 2 + b.0.0 / 2);
        let ((before, begun), (after, ended)) = (mean(a, b), mean(c, d));
        let rise = u128::from(after.saturating_sub(before)) * u128::from(ms) / u128::from((ended - begun).max(1));
        after.saturating_add(u64::try_from(rise).unwrap_or(u64::MAX))
    }

    /// True while its readings are not believed.
    pub(super) const fn is_doubted(&self) -> bool {
        self.doubted.is_some()
    }

    /// What the heat of those who follow the region is multiplied with, in 1/65,536.
    pub(super) fn factor(&self) -> u32 {
        self.surprise.map_or(TEMPERATE, |surprise| surprise.factor)
    }

    /// Heats have changed, and with them the demand that follows the region, from and to. What was expected before is
    /// reckoned anew, and what is left of the surprise is taken into the scale.
    pub(super) fn reckon(&mut self, from: u64, to: u64) {
        let anew = |demand: u64| {
            let demand = u128::from(demand) * u128::from(to) / u128::from(from.max(1));
            u64::try_from(demand).unwrap_or(u64::MAX)
        };
        if from > 0 && from != to {
            for (_, demand, usable) in &mut self.expected {
                (*demand, *usable) = (anew(*demand), anew(*usable));
            }
        }
        if let Some(Surprise { load, demand, elapsed_ms, .. }) = self.surprise.take() {
            let demand = if from > 0 { anew(demand) } else { demand };
            let exact = if load == 0 { self.scale / 2 } else { scale_of(load, demand) };
            self.scale = bounded(approach(self.scale, exact, elapsed_ms, OWNED_MS).into());
        }
    }

    /// Demand that followed the region at a moment, and of that what could be answered with it.
    fn expected_at(&self, at: Moment) -> Option<(u64, u64)> {
        let later = self.expected.iter().position(|&(moment, ..)| moment >= at);
        let (Some(later), last) = (later, self.expected.back()?) else {
            return self.expected.back().map(|&(_, demand, usable)| (demand, usable));
        };
        let &(end, demand, usable) = self.expected.get(later).unwrap_or(last);
        let Some(&(begin, earlier, usable_earlier)) = later.checked_sub(1).and_then(|at| self.expected.get(at)) else {
            return Some((demand, usable));
        };
        let (part, whole) = (at.0.saturating_sub(begin.0), end.0.saturating_sub(begin.0).max(1));
        let between = |from: u64, to: u64| {
            let sum = u128::from(from) * u128::from(whole - part.min(whole)) + u128::from(to) * u128::from(part);
            u64::try_from(sum / u128::from(whole)).unwrap_or(u64::MAX)
        };
        Some((between(earlier, demand), between(usable_earlier, usable)))
    }
}

/// The heat after it was multiplied with a factor.
pub(super) fn heated(heat: u32, factor: u64) -> u32 {
    let heat = u64::from(heat).saturating_mul(factor) / u64::from(TEMPERATE);
    u32::try_from(heat).unwrap_or(u32::MAX).clamp(HEAT.0, HEAT.1)
}

/// The median of scales, each counted with a weight.
pub(super) fn median(mut scales: Vec<(u64, u64)>) -> Option<u64> {
    scales.sort_unstable();
    let half = scales.iter().map(|&(_, weight)| u128::from(weight)).sum::<u128>() / 2;
    let mut below = 0_u128;
    let reached = scales.iter().find(|&&(_, weight)| {
        below += u128::from(weight);
        below > half
    });
    reached.or(scales.get(scales.len() / 2)).map(|&(scale, _)| scale)
}

/// A value after some time on its way to another, of which it takes most within `most_ms`.
fn approach(from: u64, to: u64, elapsed_ms: u64, most_ms: u64) -> u64 {
    let (part, whole) = (u128::from(elapsed_ms), u128::from(elapsed_ms) + u128::from(most_ms));
    let sum = u128::from(from) * (whole - part) + u128::from(to) * part;
    u64::try_from(sum / whole.max(1)).unwrap_or(u64::MAX)
}

fn load_of(demand: u64, scale: u64) -> u64 {
    u64::try_from((u128::from(demand) * u128::from(scale)) >> 32).unwrap_or(u64::MAX)
}

fn scale_of(load: u64, demand: u64) -> u64 {
    bounded((u128::from(load) << 32) / u128::from(demand.max(1)))
}

fn bounded(scale: u128) -> u64 {
    u64::try_from(scale).unwrap_or(SCALE_MAX).clamp(1, SCALE_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A region that was read to have a load of `load` for 1,000 answers often enough to be known.
    fn known(load: u64) -> Scale {
        let mut scale = Scale::default();
        for second in 1..=10 {
            let now = Moment(second * 5_000);
            scale.followed_by(now, 1_000, 1_000);
            scale.read(load, now, false);
            scale.reckon(1_000, 1_000);
        }
        scale
    }

    #[test]
    fn the_first_readings_are_averaged() {
        let mut scale = Scale::default();
        for (second, load, expected) in [(5, 2_000, 2_000), (10, 4_000, 3_000), (15, 3_000, 3_000)] {
            let now = Moment(second * 1_000);
            scale.followed_by(now, 1_000, 1_000);
            scale.read(load, now, false);
            assert_eq!(scale.known().map(|scale| load_of(1_000, scale).div_ceil(10) * 10), Some(expected));
            assert_eq!(scale.factor(), TEMPERATE);
        }
    }

    #[test]
    fn a_surprise_is_of_the_clients_first() {
        let mut scale = known(2_000);
        let before = scale.known();
        let now = Moment(55_000);
        scale.followed_by(now, 1_000, 1_000);
        scale.read(4_000, now, false);
        // 5 s of 35 s of a surprise of twice as much.
        assert!(scale.factor().abs_diff(TEMPERATE + TEMPERATE / 7) < 10, "{}", scale.factor());
        let mut fast = known(2_000);
        fast.followed_by(now, 1_000, 1_000);
        fast.read(4_000, now, true);
        assert!(fast.factor().abs_diff(TEMPERATE + TEMPERATE / 2) < 10, "{}", fast.factor());
        // Told twice, it is believed once.
        fast.read(4_000, now, true);
        assert_eq!(fast.factor(), TEMPERATE);
        scale.reckon(1_000, 1_000 * u64::from(scale.factor()) / u64::from(TEMPERATE));
        assert!(scale.known() > before && scale.known() < before.map(|scale| scale + scale / 64));
    }

    #[test]
    fn readings_lead_somewhere() {
        let mut scale = Scale::default();
        for (second, load, ahead) in
            [(0, 100, 100), (5, 110, 110), (10, 120, 120), (15, 130, 125 + 60), (20, 130, 130 + 45)]
        {
            scale.note(load * 1_000, Moment(second * 1_000));
            scale.note(load * 1_000, Moment(second * 1_000));
            assert_eq!(scale.ahead(30_000), ahead * 1_000, "{second}");
        }
        // What falls leads nowhere in particular.
        (0..4).for_each(|second| scale.note(1_000, Moment(30_000 + second)));
        assert_eq!(scale.ahead(30_000), 1_000);
    }

    #[test]
    fn a_reading_is_of_its_moment() {
        let mut scale = known(2_000);
        // Everybody has moved away since, and the reading is older than that.
        scale.followed_by(Moment(60_000), 0, 0);
        scale.read(1_000, Moment(55_000), false);
        assert!(scale.factor().abs_diff(TEMPERATE) < 10, "{}", scale.factor());
    }

    #[test]
    fn what_no_answer_explains_is_foreign() {
        let mut scale = Scale::default();
        for (second, foreign) in [(5, 0), (60, 0), (125, 700), (130, 700)] {
            scale.followed_by(Moment(second * 1_000), 0, 0);
            scale.read(700, Moment(second * 1_000), false);
            assert_eq!((scale.foreign, scale.known()), (foreign, None), "{second}");
        }
        scale.followed_by(Moment(140_000), 500, 500);
        scale.followed_by(Moment(145_000), 500, 500);
        scale.read(1_200, Moment(145_000), false);
        assert_eq!(scale.known(), Some(1 << 32));
    }

    #[test]
    fn what_is_unbelievable_is_believed_in_the_end() {
        for load in [0, 40_000] {
            let mut scale = known(2_000);
            for second in (55..=700).step_by(5) {
                let now = Moment(second * 1_000);
                scale.followed_by(now, 1_000, 1_000);
                scale.read(load, now, false);
                assert_eq!(scale.factor(), TEMPERATE);
                assert_eq!(scale.is_doubted(), second < 85, "{load}, {second}");
            }
        }
    }

    #[test]
    fn what_cannot_be_answered_tells_nothing() {
        let mut scale = known(2_000);
        scale.followed_by(Moment(60_000), 1_000, 0);
        scale.read(0, Moment(60_000), false);
        assert_eq!(scale.factor(), TEMPERATE);
    }

    #[test]
    fn what_is_supposed_is_taken_for_granted() {
        let mut scale = known(2_000);
        scale.suppose(6_000, 1_000);
        assert_eq!((scale.known(), scale.foreign), (Some(scale_of(6_000, 1_000)), 0));
        // Without anybody who follows it, it is there all the same.
        scale.suppose(700, 0);
        assert_eq!((scale.known(), scale.foreign), (Some(scale_of(6_000, 1_000)), 700));
    }

    #[test]
    fn heat_has_bounds() {
        for (heat, factor, expected) in [
            (TEMPERATE, u64::from(TEMPERATE), TEMPERATE),
            (TEMPERATE, 0, TEMPERATE / 2),
            (TEMPERATE * 8, u64::from(TEMPERATE) * 2, TEMPERATE * 8),
            (TEMPERATE, u64::from(TEMPERATE) * 2, TEMPERATE * 2),
        ] {
            assert_eq!(heated(heat, factor), expected);
        }
    }

    #[test]
    fn the_median_counts_by_weight() {
        for (scales, expected) in [
            (vec![], None),
            (vec![(5, 0)], Some(5)),
            (vec![(1, 10), (2, 10), (3, 10)], Some(2)),
            (vec![(1, 10), (2, 10), (3, 100)], Some(3)),
        ] {
            assert_eq!(median(scales.clone()), expected, "{scales:?}");
        }
    }
}
