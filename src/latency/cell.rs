//! What was measured of the way between one network and one region: a histogram that forgets.
//!
//! Sixteen marks hold how much was seen in which of 256 steps of 5 %. What is seen has weight; weight halves with each half-life,
//! and all together never weighs more than sixty-four round trips: so the median follows a way that changes little by little
//! within some forty of them, however long the old one was seen, and is moved by no outlier. A way that has changed at once is
//! told by measurements that lie beyond the same quartile one after the other: after seven of them what was seen before is
//! forgotten but for a trace.

use crate::base::limits::{LATENCY_BURST_MAX, LATENCY_BURST_MS, LATENCY_MASS_MAX};
use crate::base::moment::Moment;

use super::source::Sources;

/// Marks of a cell: a way has a few typical times, and some that stray.
const MARKS: usize = 16;
/// The weight of one round trip.
const UNIT: u32 = 64;
/// Steps that times are told apart by.
const STEPS: usize = 256;
/// The first microsecond of each step, 50 µs to 13 s.
const BOUNDS: [u32; STEPS] = bounds();
/// Fading is worked out when this part of the half-life has passed: often enough, and what is rounded does not add up.
const FADE_PARTS: u64 = 8;
/// So many measurements beyond the same quartile in a row tell that the way has changed: where it has not, one in 4^7 does,
/// and it costs no more than certainty.
const RUN_MIN: i8 = 7;
/// They have to be spread over so many seconds: nobody turns a median sooner by sending more.
const RUN_SPREAD_S: u32 = 30;
/// What was seen before then weighs no more than so many round trips.
const RUN_LEAVES: u32 = 2;

/// What was measured of one way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cell {
    /// By mark, sorted by step.
    steps: [u8; MARKS],
    weights: [u16; MARKS],
    len: u8,
    sources: Sources,
    /// Measurements in a row that were longer than three quarters, or, below zero, shorter than a quarter.
    run: i8,
    /// The step that they are beyond.
    run_bound: u8,
    /// When they began, seconds.
    run_s: u32,
    /// When the burst that is counted began, seconds.
    burst_s: u32,
    /// Round trips taken since then.
    burst_taken: u16,
    last: Moment,
    faded: Moment,
}

const fn bounds() -> [u32; STEPS] {
    let mut bounds = [0; STEPS];
    let (mut at, mut bound) = (0, 50_u32);
    while at < STEPS {
        bounds[at] = bound;
        bound += bound / 20 + 1;
        at += 1;
    }
    bounds
}

fn step_of(us: u32) -> u8 {
    u8::try_from(BOUNDS.partition_point(|&bound| bound <= us).saturating_sub(1)).unwrap_or(u8::MAX)
}

/// First and last microsecond of a step.
fn range(step: u8) -> (u32, u32) {
    let first = BOUNDS.get(usize::from(step)).copied().unwrap_or(0);
    (first, first + first / 20 + 1)
}

impl Cell {
    pub(super) fn new(now: Moment) -> Self {
        Self {
            steps: [0; MARKS],
            weights: [0; MARKS],
            len: 0,
            sources: Sources::NONE,
            run: 0,
            run_bound: 0,
            run_s: 0,
            burst_s: seconds(now),
            burst_taken: 0,
            last: now,
            faded: now,
        }
    }

    /// Takes so many round trips of about `us` microseconds; how many of them count: no more than
    /// [`LATENCY_BURST_MAX`] within [`LATENCY_BURST_MS`].
    pub(super) fn add(&mut self, now: Moment, us: u32, samples: u32, source: Sources, half_life_ms: u64) -> u32 {
        if u64::from(seconds(now).saturating_sub(self.burst_s)) * 1_000 >= LATENCY_BURST_MS {
            (self.burst_s, self.burst_taken) = (seconds(now), 0);
        }
        let room = LATENCY_BURST_MAX.saturating_sub(self.burst_taken.into());
        let taken = samples.min(room);
        if taken == 0 {
            return 0;
        }
        self.burst_taken = self.burst_taken.saturating_add(u16::try_from(taken).unwrap_or(u16::MAX));
        self.fade(now, half_life_ms);
        self.tell_change(now, step_of(us));
        self.put(step_of(us), taken * UNIT);
        self.limit();
        self.last = self.last.max(now);
        self.sources = self.sources.with(source);
        taken
    }

    /// Takes what a line of a file says, whenever that was.
    pub(super) fn restore(&mut self, us: u32, samples: f64, sources: Sources) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast of floats saturates")]
        let weight = (samples * f64::from(UNIT)) as u32;
        if weight > 0 {
            self.put(step_of(us), weight);
            self.limit();
        }
        self.sources = self.sources.with(sources);
    }

    /// What was restored was measured last at that moment, counted then as it is told, and fades since.
    pub(super) const fn restored_at(&mut self, last: Moment) {
        (self.last, self.faded) = (last, last);
    }

    /// What is left of old weight.
    fn fade(&mut self, now: Moment, half_life_ms: u64) {
        let elapsed = now.0.saturating_sub(self.faded.0);
        if elapsed < half_life_ms / FADE_PARTS {
            return;
        }
        self.faded = now;
        let left = left_of(elapsed, half_life_ms);
        // What is rounded up again and again would never go.
        self.scale(|_, weight| ((u64::from(weight) * left + 32_768) >> 16).min(u64::from(weight) - 1));
    }

    fn scale(&mut self, scaled: impl Fn(u8, u16) -> u64) {
        let mut kept = 0;
        for at in 0..usize::from(self.len) {
            let (Some(&step), Some(&weight)) = (self.steps.get(at), self.weights.get(at)) else { break };
            let weight = u16::try_from(scaled(step, weight)).unwrap_or(u16::MAX);
            if weight > 0
                && let (Some(into), Some(of)) = (self.steps.get_mut(kept), self.weights.get_mut(kept))
            {
                (*into, *of) = (step, weight);
                kept += 1;
            }
        }
        self.len = u8::try_from(kept).unwrap_or(0);
    }

    /// Counts the measurements in a row that are off to one side, by more than the step beside the quartile as it was when
    /// they began; when they tell of a change, what was seen on the other side of it is forgotten but for a trace.
    fn tell_change(&mut self, now: Moment, step: u8) {
        let goes_on = if self.run > 0 { step > self.run_bound } else { self.run < 0 && step < self.run_bound };
        if !goes_on {
            let quartile = |percent| self.percentile(percent).map(step_of);
            let (Some(low), Some(high)) = (quartile(25), quartile(75)) else { return };
            let (low, high) = (low.saturating_sub(1), high.saturating_add(1));
            self.run = if step > high { 1 } else { -i8::from(step < low) };
            self.run_bound = if step > high { high } else { low };
            self.run_s = seconds(now);
            return;
        }
        self.run = self.run.saturating_add(self.run.signum());
        if self.run.abs() < RUN_MIN || seconds(now).saturating_sub(self.run_s) < RUN_SPREAD_S {
            return;
        }
        let (bound, is_up, most) = (self.run_bound, self.run > 0, RUN_LEAVES * UNIT);
        let is_old = |step: u8| if is_up { step <= bound } else { step >= bound };
        let marks = self.steps.iter().zip(&self.weights).take(self.len.into());
        let old: u32 = marks.filter(|(step, _)| is_old(**step)).map(|(_, weight)| u32::from(*weight)).sum();
        if old > most {
            let part = |weight: u16| u64::from(weight) * u64::from(most) / u64::from(old);
            self.scale(|step, weight| if is_old(step) { part(weight) } else { weight.into() });
        }
        self.run = 0;
    }

    /// No more than [`LATENCY_MASS_MAX`] round trips count.
    fn limit(&mut self) {
        let (total, most) = (self.total(), LATENCY_MASS_MAX * UNIT);
        if total > most {
            self.scale(|_, weight| (u64::from(weight) * u64::from(most) + u64::from(total) / 2) / u64::from(total));
        }
    }

    fn put(&mut self, step: u8, weight: u32) {
        let weight = u16::try_from(weight).unwrap_or(u16::MAX);
        let marks = self.steps.get(..usize::from(self.len)).unwrap_or_default();
        let at = marks.partition_point(|&own| own < step);
        if marks.get(at) == Some(&step) {
            if let Some(own) = self.weights.get_mut(at) {
                *own = own.saturating_add(weight);
            }
            return;
        }
        if usize::from(self.len) == MARKS {
            self.merge_least();
            return self.put(step, weight.into());
        }
        let end = usize::from(self.len);
        self.steps.copy_within(at..end, at + 1);
        self.weights.copy_within(at..end, at + 1);
        if let (Some(into), Some(of)) = (self.steps.get_mut(at), self.weights.get_mut(at)) {
            (*into, *of) = (step, weight);
        }
        self.len += 1;
    }

    /// Makes one of the two neighbors that weigh least together; what weighs more says where.
    fn merge_least(&mut self) {
        let pairs = self.weights.windows(2).enumerate();
        let sum = |pair: &[u16]| pair.iter().map(|&weight| u32::from(weight)).sum::<u32>();
        let Some((at, _)) = pairs.min_by_key(|(_, pair)| sum(pair)) else { return };
        let (Some(&[left, right]), Some(&[_, higher])) = (self.weights.get(at..at + 2), self.steps.get(at..at + 2))
        else {
            return;
        };
        if let (Some(step), Some(weight)) = (self.steps.get_mut(at), self.weights.get_mut(at)) {
            *step = if right > left { higher } else { *step };
            *weight = left.saturating_add(right);
        }
        self.steps.copy_within(at + 2.., at + 1);
        self.weights.copy_within(at + 2.., at + 1);
        self.len -= 1;
    }

    fn total(&self) -> u32 {
        self.weights.iter().take(self.len.into()).map(|&weight| u32::from(weight)).sum()
    }

    /// Round trips that still count.
    pub(super) fn samples(&self, now: Moment, half_life_ms: u64) -> f64 {
        let left = left_of(now.0.saturating_sub(self.faded.0), half_life_ms);
        f64::from(self.total()) / f64::from(UNIT) * left as f64 / 65_536.0
    }

    /// The time, in microseconds, that so many of a hundred round trips take at most; `None`: nothing was seen.
    pub(super) fn percentile(&self, percent: u32) -> Option<u32> {
        let wanted = u64::from(self.total()) * u64::from(percent) / 100;
        let mut below = 0;
        for (&step, &weight) in self.steps.iter().zip(&self.weights).take(self.len.into()) {
            let weight = u64::from(weight);
            if below + weight > wanted || below + weight == u64::from(self.total()) {
                let (first, last) = range(step);
                let into = u64::from(last - first) * (wanted - below).min(weight) / weight.max(1);
                return Some(first + u32::try_from(into).unwrap_or(0));
            }
            below += weight;
        }
        None
    }

    /// When it was measured last.
    pub(super) const fn last(&self) -> Moment {
        self.last
    }

    /// Who measured it.
    pub(super) const fn sources(&self) -> Sources {
        self.sources
    }
}

/// Whole seconds since the epoch: enough for 136 years.
fn seconds(at: Moment) -> u32 {
    u32::try_from(at.0 / 1_000).unwrap_or(u32::MAX)
}

/// What is left after so long, of 65,536: halved with each half-life, and between two of them falling evenly, which is the
/// same on every machine.
fn left_of(elapsed_ms: u64, half_life_ms: u64) -> u64 {
    let half_life_ms = half_life_ms.max(1);
    let whole = 65_536_u64.checked_shr(u32::try_from(elapsed_ms / half_life_ms).unwrap_or(u32::MAX)).unwrap_or(0);
    whole - whole * (elapsed_ms % half_life_ms) / half_life_ms / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3_600_000;

    /// Milliseconds, round trips, and seconds since the one before.
    #[expect(clippy::cast_possible_truncation, reason = "times of tests")]
    fn cell(seen: &[(f64, u32, u64)]) -> (Cell, Moment) {
        let mut now = Moment(HOUR);
        let mut cell = Cell::new(now);
        for &(ms, samples, after) in seen {
            now = Moment(now.0 + after * 1_000);
            cell.add(now, (ms * 1_000.0) as u32, samples, Sources::NONE, HOUR);
        }
        (cell, now)
    }

    fn median_ms(cell: &Cell) -> f64 {
        f64::from(cell.percentile(50).unwrap()) / 1_000.0
    }

    #[test]
    fn the_median_is_within_a_step() {
        for ms in [0.05, 0.3, 1.0, 23.4, 180.0, 9_000.0] {
            let (cell, _) = cell(&[(ms, 5, 0)]);
            let found = median_ms(&cell);
            assert!((found / ms - 1.0).abs() < 0.06, "{found} is not {ms}");
        }
        assert_eq!(Cell::new(Moment(0)).percentile(50), None);
    }

    #[test]
    fn outliers_move_nothing() {
        let mut seen = vec![(20.0, 8, 20); 6];
        seen.extend([(900.0, 1, 1), (0.1, 1, 1), (4_000.0, 1, 1), (2.0, 1, 1)]);
        let (cell, _) = cell(&seen);
        assert!((median_ms(&cell) - 20.0).abs() < 1.0, "{}", median_ms(&cell));
    }

    #[test]
    fn many_different_times_keep_the_quantiles() {
        let seen: Vec<_> = (0..640).map(|n| (10.0 + f64::from(n * 37 % 64), 1, 1)).collect();
        let (cell, _) = cell(&seen);
        let of = |percent| f64::from(cell.percentile(percent).unwrap()) / 1_000.0;
        assert!((of(50) - 42.0).abs() < 5.0 && (of(25) - 26.0).abs() < 5.0 && (of(75) - 58.0).abs() < 6.0, "{cell:?}");
    }

    #[test]
    fn a_changed_way_is_followed_however_long_the_old_one_was_seen() {
        let mut seen = vec![(20.0, 8, 10); 500];
        seen.extend(vec![(80.0, 8, 10); 6]);
        let (cell, _) = cell(&seen);
        assert!((median_ms(&cell) - 80.0).abs() < 4.0, "{}", median_ms(&cell));
    }

    #[test]
    fn a_way_that_changed_at_once_is_followed_after_a_few_that_agree() {
        let old: Vec<_> = (0..200).map(|n| (20.0 + f64::from(n % 5), 1, 60)).collect();
        let median = |new: &[(f64, u32, u64)]| {
            let seen: Vec<_> = old.iter().chain(new).copied().collect();
            median_ms(&cell(&seen).0)
        };
        for (new, expected) in [
            (vec![(80.0, 1, 60); 6], 22.0),
            (vec![(80.0, 1, 60); 7], 80.0),
            (vec![(9.0, 1, 60); 7], 9.0),
            // However many are sent at once.
            (vec![(80.0, 1, 1); 16], 22.0),
            // One that does not agree, and they are counted anew.
            ([vec![(80.0, 1, 60); 4], vec![(22.0, 1, 60)], vec![(80.0, 1, 60); 4]].concat(), 22.0),
        ] {
            assert!((median(&new) - expected).abs() < 4.0, "{new:?}: {}", median(&new));
        }
    }

    #[test]
    fn a_burst_counts_as_little_as_it_is_meant_to() {
        let (cell, now) = cell(&[(20.0, 60, 0), (20.0, 60, 1), (20.0, 60, 1)]);
        assert!((cell.samples(now, HOUR) - f64::from(LATENCY_BURST_MAX)).abs() < 0.1);
        assert_eq!(self::cell(&[(1.0, 1_000, 20); 100]).0.total(), LATENCY_MASS_MAX * UNIT);
    }

    #[test]
    fn what_is_old_fades() {
        let (cell, now) = cell(&[(20.0, 16, 0)]);
        for (hours, expected) in [(0, 16.0), (1, 8.0), (2, 4.0), (4, 1.0), (100, 0.0)] {
            let samples = cell.samples(Moment(now.0 + hours * HOUR), HOUR);
            assert!((samples - expected).abs() < 0.01, "{hours} h: {samples}");
        }
        // And a new one outweighs what is left of an old one.
        let (cell, _) = self::cell(&[(20.0, 16, 0), (50.0, 5, 4 * 3_600)]);
        assert!((median_ms(&cell) - 50.0).abs() < 3.0);
    }

    #[test]
    fn cells_are_small() {
        assert!(size_of::<Cell>() <= 80, "{}", size_of::<Cell>());
    }
}
