//! What automation has moved beside plans: steps of evacuations, failback by the clock. Together with plans no more than a
//! part of all clients within a minute, while nothing fails.
//!
//! ```text
//! how much moves                                      may it
//! with the last minute no more than the limit         yes
//! more, and it can't be divided (a service, and what  yes, once nothing worth a thousandth has moved for a minute
//!   the last of several steps of an evacuation moves)
//! more, and it can (a step of an evacuation)          no
//! nobody knows: no capacity is limited there          yes
//! nobody knows yet: the next plan will tell           no
//! ```

use std::collections::VecDeque;

use crate::base::ids::{RegionId, ServiceId};
use crate::base::moment::Moment;

use super::event::{Event, EventKind};
use super::hub::Control;
use super::step::Step;

/// Moves of the last minute, in millionths of all clients: rounded to more, a hundred small services would count as a
/// large one.
#[derive(Clone, Debug, Default)]
pub(super) struct Moves {
    moved: VecDeque<(Moment, u32)>,
    /// When something was held back last.
    limited: Option<Moment>,
}

const MINUTE_MS: u128 = 60_000;
/// Less than this within a minute is as good as nothing.
const FLOOR: u32 = 1_000;

impl Moves {
    /// What has moved within the last minute, in millionths.
    pub(super) fn lately(&self, now: Moment) -> u32 {
        let lately = self.moved.iter().filter(|(at, _)| now.since(*at).as_millis() < MINUTE_MS);
        lately.fold(0, |sum, (_, moved)| sum.saturating_add(*moved))
    }
}

impl Control {
    /// Why so much, in millionths, may not move now; `None`: it may.
    pub(super) fn too_much(&self, now: Moment, moved: u32, is_divisible: bool) -> Option<String> {
        if self.settings.move_max >= 1_000 {
            return None;
        }
        if self.is_plan_awaited(now) {
            return Some("there is no plan yet that tells how many clients would move".to_owned());
        }
        let most = self.settings.move_max * 1_000;
        let planned = self.outlook().map_or(0, |outlook| outlook.plan.moved.saturating_mul(1_000));
        let lately = self.moves.lately(now).saturating_add(planned);
        if moved == 0 || lately.saturating_add(moved) <= most || (lately <= FLOOR && !is_divisible) {
            return None;
        }
        let percent = |millionths: u32| millionths.div_ceil(10_000);
        let advice = if is_divisible && moved > most { ": smaller steps are needed" } else { "" };
        let (most, moved, lately) = (percent(most), percent(moved), percent(lately));
        Some(format!(
            "at most {most} % of all clients may move within a minute; this would be {moved} %, after {lately} %{advice}"
        ))
    }

    /// True if capacities are known and no plan is: after a start or a reload, until the next one.
    #[must_use]
    pub fn is_plan_awaited(&self, now: Moment) -> bool {
        let mut ids = (0..=u8::MAX).map(RegionId).take(self.model.regions.len());
        self.outlook().is_none() && ids.any(|id| self.capacity_of(id, now).is_some())
    }

    /// So much was moved by automation, in millionths.
    pub(super) fn note_move(&mut self, now: Moment, moved: u32) {
        self.moves.moved.retain(|(at, _)| now.since(*at).as_millis() < MINUTE_MS);
        if moved > 0 && self.settings.move_max < 1_000 {
            self.moves.moved.push_back((now, moved));
        }
    }

    /// The part of all clients that a service has that moves as a whole, in millionths; 0 if nobody knows.
    pub(super) fn part_of_all(&self, service: ServiceId) -> u32 {
        let Some(outlook) = self.outlook() else { return 0 };
        let found = outlook.passive.binary_search_by_key(&service, |(id, _)| *id).ok();
        let demand = found.and_then(|at| outlook.passive.get(at)).map_or(0, |(_, demand)| *demand);
        millionths(demand, outlook.demand)
    }

    /// Tells, once until a minute has passed without, that something is held back.
    pub(super) fn tell_limited(&mut self, cause: impl FnOnce() -> String, step: &mut Step) {
        let last = self.moves.limited.replace(step.now);
        if last.is_none_or(|last| step.now.since(last).as_millis() >= MINUTE_MS) {
            step.tell(Event::new(step.now, EventKind::MoveLimited, cause()));
        }
    }
}

/// A part of a whole, rounded up.
pub(super) fn millionths(part: u64, whole: u64) -> u32 {
    let part = (u128::from(part) * 1_000_000).div_ceil(u128::from(whole.max(1)));
    u32::try_from(part).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::Settings;

    #[test]
    fn small_moves_count_for_what_they_are() {
        let mut control = Control::new(Settings { move_max: 20, ..Settings::default() });
        let now = Moment(1_000_000);
        for _ in 0..9 {
            let moved = millionths(1, 10_000);
            assert_eq!((moved, control.too_much(now, moved, false)), (100, None));
            control.note_move(now, moved);
        }
        // Nine of ten thousand services are no reason for a large one to wait, and a large one is for the next.
        assert_eq!(control.moves.lately(now), 900);
        assert_eq!(control.too_much(now, 500_000, false), None);
        assert!(control.too_much(now, 500_000, true).is_some_and(|why| why.ends_with("smaller steps are needed")));
        control.note_move(now, 15_000);
        assert_eq!(control.too_much(now, 4_000, true), None);
        let why = control.too_much(now, 500_000, false);
        assert_eq!(
            why.as_deref(),
            Some("at most 2 % of all clients may move within a minute; this would be 50 %, after 2 %")
        );
        assert_eq!(control.too_much(now.after(std::time::Duration::from_secs(60)), 500_000, false), None);
    }
}
