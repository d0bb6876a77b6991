//! What was measured of the way between one network and one region: a histogram that forgets.
//!
//! Sixteen marks hold how much was seen in which of 256 steps of 5 %. What is seen has weight; weight halves with each half-life,
//! and all together never weighs more than sixty-four round trips: so the median follows a changed way within some
//! forty of them, however long the old one was seen, and is moved by no outlier.

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

/// What was measured of one way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cell {
    /// By mark, sorted by step.
    steps: [u8; MARKS],
    weights: [u16; MARKS],
    len: u8,
    sources: Sources,
    /// Round trips taken since `burst`.
    burst_taken: u16,
    /// When the burst that is counted began.
    burst: Moment,
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
    pub(super) const fn new(now: Moment) -> Self {
        Self {
            steps: [0; MARKS],
            weights: [0; MARKS],
            len: 0,
            sources: Sources::NONE,
            burst_taken: 0,
            burst: now,
            last: now,
            faded: now,
        }
    }

    /// Takes so many round trips of about `us` microseconds; how many of them count: no more than
    /// [`LATENCY_BURST_MAX`] within [`LATENCY_BURST_MS`].
    pub(super) fn add(&mut self, now: Moment, us: u32, samples: u32, source: Sources, half_life_ms: u64) -> u32 {
        if now.0.saturating_sub(self.burst.0) >= LATENCY_BURST_MS {
            (self.burst, self.burst_taken) = (now, 0);
        }
        let room = LATENCY_BURST_MAX.saturating_sub(self.burst_taken.into());
        let taken = samples.min(room);
        if taken == 0 {
            return 0;
        }
        self.burst_taken = self.burst_taken.saturating_add(u16::try_from(taken).unwrap_or(u16::MAX));
        self.fade(now, half_life_ms);
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
        self.scale(|weight| ((u64::from(weight) * left + 32_768) >> 16).min(u64::from(weight) - 1));
    }

    fn scale(&mut self, scaled: impl Fn(u16) -> u64) {
        let mut kept = 0;
        for at in 0..usize::from(self.len) {
            let (Some(&step), Some(&weight)) = (self.steps.get(at), self.weights.get(at)) else { break };
            let weight = u16::try_from(scaled(weight)).unwrap_or(u16::MAX);
            if weight > 0
                && let (Some(into), Some(of)) = (self.steps.get_mut(kept), self.weights.get_mut(kept))
            {
                (*into, *of) = (step, weight);
                kept += 1;
            }
        }
        self.len = u8::try_from(kept).unwrap_or(0);
    }

    /// No more than [`LATENCY_MASS_MAX`] round trips count.
    fn limit(&mut self) {
        let (total, most) = (self.total(), LATENCY_MASS_MAX * UNIT);
        if total > most {
            self.scale(|weight| (u64::from(weight) * u64::from(most) + u64::from(total) / 2) / u64::from(total));
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
