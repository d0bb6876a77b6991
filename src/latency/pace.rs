//! How many networks may be sent elsewhere within ten minutes.

use std::collections::VecDeque;

use super::rows::WEIGHT_MAX;
use crate::base::limits::LATENCY_MOVES_MIN;
use crate::base::moment::Moment;

/// The window of the bound on moves.
const WINDOW_MS: u64 = 600_000;

/// Counts moves. Whatever moves counts as much as a network can: it may have clients though it was hardly measured.
#[derive(Clone, Debug, Default)]
pub(super) struct Pace {
    moves: VecDeque<Moment>,
}

impl Pace {
    /// Counts a move, if it may be: a few may always be, and else all within the window weigh no more than `most`.
    pub(super) fn takes(&mut self, now: Moment, most: f64) -> bool {
        while self.moves.front().is_some_and(|at| is_over(*at, now)) {
            self.moves.pop_front();
        }
        let after = f64::from(u32::try_from(self.moves.len() + 1).unwrap_or(u32::MAX)) * WEIGHT_MAX;
        let may = self.moves.len() < LATENCY_MOVES_MIN || after <= most;
        if may {
            self.moves.push_back(now);
        }
        may
    }
}

/// What all networks weighed lately: whoever invents networks makes no room for moves before the window has passed.
#[derive(Clone, Debug, Default)]
pub(super) struct Totals {
    seen: VecDeque<(Moment, f64)>,
}

impl Totals {
    /// Remembers what all weigh now; the least of the window.
    pub(super) fn least(&mut self, now: Moment, total: f64) -> f64 {
        // Only what may become the least is kept: so they rise, and the first is the least.
        while self.seen.back().is_some_and(|(_, seen)| *seen >= total) {
            self.seen.pop_back();
        }
        self.seen.push_back((now, total));
        while self.seen.front().is_some_and(|(at, _)| is_over(*at, now)) {
            self.seen.pop_front();
        }
        self.seen.front().map_or(total, |(_, least)| *least)
    }
}

fn is_over(at: Moment, now: Moment) -> bool {
    now.0.saturating_sub(at.0) > WINDOW_MS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_may_always_move_and_others_when_there_is_room() {
        let (mut pace, now) = (Pace::default(), Moment(1_000_000));
        let most = f64::from(30_u8) * WEIGHT_MAX;
        assert_eq!((0..100).filter(|_| pace.takes(now, 0.0)).count(), LATENCY_MOVES_MIN);
        assert_eq!((0..100).filter(|_| pace.takes(now, most)).count(), 30 - LATENCY_MOVES_MIN);
        assert!(!pace.takes(Moment(now.0 + WINDOW_MS), most));
        assert!(pace.takes(Moment(now.0 + WINDOW_MS + 1), most), "those moves are over");
    }

    #[test]
    fn what_all_weighed_is_the_least_of_the_window() {
        let mut totals = Totals::default();
        let told: Vec<f64> =
            [(0, 5.0), (1, 9.0), (2, 7.0), (3, 20.0), (600_001, 20.0), (600_003, 20.0), (600_004, 3.0)]
                .map(|(at, total)| totals.least(Moment(at), total))
                .into();
        assert_eq!(told, [5.0, 5.0, 5.0, 5.0, 7.0, 20.0, 3.0]);
    }
}
