//! What automation has moved beside plans: steps of evacuations, failback by the clock. Together with plans no more than a
//! part of all clients within a minute, while nothing fails.
//!
//! ```text
//! how much moves                                      may it
//! with the last minute no more than the limit         yes
//! more, and it can't be divided (a service)           yes, once nothing has moved for a minute
//! more, and it can (a step of an evacuation)          no
//! nobody knows: no capacity is limited there          yes
//! ```

use std::collections::VecDeque;

use crate::base::ids::ServiceId;
use crate::base::moment::Moment;

use super::event::{Event, EventKind};
use super::hub::Control;
use super::step::Step;

/// Moves of the last minute, in thousandths of all clients.
#[derive(Clone, Debug, Default)]
pub(super) struct Moves {
    moved: VecDeque<(Moment, u32)>,
    /// When something was held back last.
    limited: Option<Moment>,
}

const MINUTE_MS: u128 = 60_000;

impl Moves {
    /// What has moved within the last minute.
    pub(super) fn lately(&self, now: Moment) -> u32 {
        let lately = self.moved.iter().filter(|(at, _)| now.since(*at).as_millis() < MINUTE_MS);
        lately.fold(0, |sum, (_, moved)| sum.saturating_add(*moved))
    }
}

impl Control {
    /// Why so much may not move now; `None`: it may.
    pub(super) fn too_much(&self, now: Moment, moved: u32, is_divisible: bool) -> Option<String> {
        let most = self.settings.move_max;
        let planned = self.outlook().map_or(0, |outlook| outlook.plan.moved);
        let lately = self.moves.lately(now).saturating_add(planned);
        if most >= 1_000 || moved == 0 || lately.saturating_add(moved) <= most || (lately == 0 && !is_divisible) {
            return None;
        }
        let percent = |thousandths: u32| thousandths.div_ceil(10);
        let advice = if is_divisible && moved > most { ": smaller steps are needed" } else { "" };
        let (most, moved, lately) = (percent(most), percent(moved), percent(lately));
        Some(format!(
            "at most {most} % of all clients may move within a minute; this would be {moved} %, after {lately} %{advice}"
        ))
    }

    /// So much was moved by automation.
    pub(super) fn note_move(&mut self, now: Moment, moved: u32) {
        self.moves.moved.retain(|(at, _)| now.since(*at).as_millis() < MINUTE_MS);
        if moved > 0 && self.settings.move_max < 1_000 {
            self.moves.moved.push_back((now, moved));
        }
    }

    /// The part of all clients that a service has that moves as a whole, in thousandths; 0 if nobody knows.
    pub(super) fn part_of_all(&self, service: ServiceId) -> u32 {
        let Some(outlook) = self.outlook() else { return 0 };
        let found = outlook.passive.binary_search_by_key(&service, |(id, _)| *id).ok();
        let demand = found.and_then(|at| outlook.passive.get(at)).map_or(0, |(_, demand)| *demand);
        thousandths(demand, outlook.demand)
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
pub(super) fn thousandths(part: u64, whole: u64) -> u32 {
    let part = (u128::from(part) * 1_000).div_ceil(u128::from(whole.max(1)));
    u32::try_from(part).unwrap_or(u32::MAX)
}
