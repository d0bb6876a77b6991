//! The guard: when most of the world seems to be lost at once, our own uplink is the likelier suspect.
//!
//! A region is *lost* when, within one window, it loses more than half of the checked endpoints that were up when the
//! window opened. The window slides: it opened `window` before the last loss.
//!
//! ```text
//! regions up at the opening   of them lost      →
//! 1                           1                   believed: there is nothing to compare with
//! 2                           1                   believed at once: that is what failover is for
//! 2                           2                   suspicion
//! 3                           1                   believed
//! 3                           2                   suspicion: more than half
//! 4                           2                   believed: not more than half
//! 4                           3                   suspicion
//! ```
//!
//! ```text
//! situation                                          what went down in the window
//! suspicion, no reference target is configured       held up for `hold`, then applied
//! suspicion, a reference was not heard since         the same, unless it speaks before
//! suspicion, a reference passes                      applied at once: the uplink works
//! suspicion, all references fail                     held up without limit
//! held without limit, a reference passes             held for `hold`: endpoints get time to come back, then applied
//! held without limit, references are taken away      as with none configured: until `hold` after the suspicion began
//! everything held came back by itself                over
//! an operator releases                               applied at once
//! ```

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::ids::{EndpointId, RegionId};
use crate::base::moment::Moment;

use super::Verdict;

/// What is going on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Nothing: what fails is believed.
    #[default]
    Quiet,
    /// Failures are held until then, or until references speak.
    Suspects {
        /// When it began.
        since: Moment,
        /// When what is held is applied.
        until: Moment,
    },
    /// References fail too: failures are held without limit.
    Holds {
        /// When the suspicion began.
        since: Moment,
    },
    /// A reference passes again: what is still held then is applied.
    Recovers {
        /// When the suspicion began.
        since: Moment,
        /// When what is held is applied.
        until: Moment,
    },
}

impl Phase {
    /// The word used in metrics and the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Quiet => "quiet",
            Self::Suspects { .. } => "suspects",
            Self::Holds { .. } => "holds",
            Self::Recovers { .. } => "recovers",
        }
    }
}

/// A change of phase, for whoever drives the guard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A suspicion began: what went down in the window is to be held up.
    Suspects,
    /// All references fail: the hold has no limit.
    Holds,
    /// A reference passes again: the hold has a limit.
    Recovers,
    /// What is held is to be applied, because a reference passes.
    Refuted,
    /// What is held is to be applied, because the time is over.
    Applied,
    /// What is held is to be applied, because an operator says so.
    Released,
    /// Nothing is held any more.
    Over,
}

/// The guard of one node.
#[derive(Clone, Debug)]
pub struct Guard {
    window: Duration,
    hold: Duration,
    phase: Phase,
    /// By region.
    regions: Vec<Flow>,
    /// What went down within the window, the oldest first.
    lost: VecDeque<(Moment, EndpointId)>,
    /// By reference target: its last outcome that was a vote.
    references: Vec<Option<(Moment, bool)>>,
}

/// What of a guard outlives the process; what it holds is kept beside it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedGuard {
    /// What was going on.
    pub phase: Phase,
}

/// The checked endpoints of a region.
#[derive(Clone, Debug, Default)]
struct Flow {
    up: u32,
    /// What changed within the window.
    changes: VecDeque<(Moment, i64)>,
    /// Their sum.
    net: i64,
}

impl Flow {
    fn change(&mut self, now: Moment, by: i64, opened: Moment) {
        self.forget(opened);
        self.net += by;
        match self.changes.back_mut() {
            Some((at, sum)) if *at == now => *sum += by,
            _ => self.changes.push_back((now, by)),
        }
    }

    fn forget(&mut self, before: Moment) {
        while let Some(&(at, by)) = self.changes.front()
            && at < before
        {
            self.net -= by;
            self.changes.pop_front();
        }
    }

    /// How many were up when the window opened, and whether more than half of them are lost.
    fn judge(&self) -> (bool, bool) {
        let now = i64::from(self.up);
        let then = now - self.net;
        (then > 0, 2 * (then - now) > then && then > 0)
    }
}

impl Guard {
    /// A guard that suspects nothing; `references` is the number of reference targets.
    #[must_use]
    pub fn new(window: Duration, hold: Duration, references: usize) -> Self {
        Self {
            window,
            hold,
            phase: Phase::Quiet,
            regions: Vec::new(),
            lost: VecDeque::new(),
            references: vec![None; references],
        }
    }

    /// Other numbers; what the references said is forgotten, because they may be others.
    pub fn configure(&mut self, window: Duration, hold: Duration, references: usize) {
        (self.window, self.hold) = (window, hold);
        self.references = vec![None; references];
    }

    /// What is going on.
    #[must_use]
    pub const fn phase(&self) -> Phase {
        self.phase
    }

    /// True while failures are held.
    #[must_use]
    pub const fn is_holding(&self) -> bool {
        !matches!(self.phase, Phase::Quiet)
    }

    /// What outlives the process.
    #[must_use]
    pub const fn save(&self) -> SavedGuard {
        SavedGuard { phase: self.phase }
    }

    /// Goes on where an earlier process stopped.
    pub const fn restore(&mut self, saved: SavedGuard) {
        self.phase = saved.phase;
    }

    /// A model comes into force: `up` checked endpoints are up, by region. A window that was open begins anew; a hold
    /// goes on.
    pub fn count(&mut self, up: Vec<u32>) {
        self.regions = up.into_iter().map(|up| Flow { up, ..Flow::default() }).collect();
        self.lost.clear();
    }

    /// A checked endpoint went down.
    pub fn lost(&mut self, now: Moment, region: RegionId, endpoint: EndpointId) {
        if let Some(flow) = self.regions.get_mut(region.index()) {
            flow.up = flow.up.saturating_sub(1);
            flow.change(now, -1, now.before(self.window));
            self.lost.push_back((now, endpoint));
        }
    }

    /// A checked endpoint came up.
    pub fn gained(&mut self, now: Moment, region: RegionId) {
        if let Some(flow) = self.regions.get_mut(region.index()) {
            flow.up = flow.up.saturating_add(1);
            flow.change(now, 1, now.before(self.window));
        }
    }

    /// To be asked after losses: whether they are believed.
    pub fn judge(&mut self, now: Moment) -> Option<Step> {
        let opened = now.before(self.window);
        self.regions.iter_mut().for_each(|flow| flow.forget(opened));
        while self.lost.front().is_some_and(|(at, _)| *at < opened) {
            self.lost.pop_front();
        }
        if self.is_holding() {
            return None;
        }
        let verdicts = self.regions.iter().map(Flow::judge);
        let (was_up, lost) = verdicts
            .fold((0, 0), |(all, lost), (was_up, is_lost)| (all + usize::from(was_up), lost + usize::from(is_lost)));
        let suspicious = was_up >= 2 && lost == was_up || was_up >= 3 && 2 * lost > was_up;
        suspicious.then(|| {
            self.phase = Phase::Suspects { since: now, until: now.after(self.hold) };
            Step::Suspects
        })
    }

    /// The endpoints that went down within the window, some of which may be up again.
    pub fn lately_lost(&self) -> impl Iterator<Item = EndpointId> {
        self.lost.iter().map(|(_, endpoint)| *endpoint)
    }

    /// A reference target was probed.
    pub fn reference(&mut self, now: Moment, number: usize, verdict: Verdict) -> Option<Step> {
        let passes = match verdict {
            Verdict::Pass => true,
            Verdict::Fail => false,
            Verdict::Inconclusive => return None,
        };
        *self.references.get_mut(number)? = Some((now, passes));
        let all_fail_since = |since: Moment| {
            self.references.iter().all(|heard| heard.is_some_and(|(at, passes)| at >= since && !passes))
        };
        match self.phase {
            Phase::Suspects { .. } if passes => Some(self.end(Step::Refuted)),
            Phase::Suspects { since, .. } | Phase::Recovers { since, .. } if all_fail_since(since) => {
                self.phase = Phase::Holds { since };
                Some(Step::Holds)
            }
            Phase::Holds { since } if passes => {
                self.phase = Phase::Recovers { since, until: now.after(self.hold) };
                Some(Step::Recovers)
            }
            Phase::Quiet | Phase::Suspects { .. } | Phase::Holds { .. } | Phase::Recovers { .. } => None,
        }
    }

    /// When [`Guard::tick`] has something to do.
    #[must_use]
    pub fn deadline(&self) -> Option<Moment> {
        match self.phase {
            Phase::Suspects { until, .. } | Phase::Recovers { until, .. } => Some(until),
            // A reload or a restart may have taken away the references that would end it.
            Phase::Holds { since } if self.references.is_empty() => Some(since.after(self.hold)),
            Phase::Quiet | Phase::Holds { .. } => None,
        }
    }

    /// Ends a hold whose time is over.
    pub fn tick(&mut self, now: Moment) -> Option<Step> {
        let due = self.deadline().is_some_and(|deadline| deadline <= now);
        due.then(|| self.end(Step::Applied))
    }

    /// An operator does not share the suspicion.
    pub fn release(&mut self) -> Option<Step> {
        self.is_holding().then(|| self.end(Step::Released))
    }

    /// Everything that was held has come back.
    pub fn over(&mut self) -> Option<Step> {
        self.is_holding().then(|| self.end(Step::Over))
    }

    /// What was decided is not to be suspected again.
    fn end(&mut self, step: Step) -> Step {
        self.phase = Phase::Quiet;
        self.lost.clear();
        for flow in &mut self.regions {
            flow.changes.clear();
            flow.net = 0;
        }
        step
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Regions of four endpoints each.
    fn guard(regions: usize, references: usize) -> Guard {
        let mut guard = Guard::new(15 * SECOND, 30 * SECOND, references);
        guard.count(vec![4; regions]);
        guard
    }

    fn at(second: u64) -> Moment {
        Moment(1_000_000 + second * 1_000)
    }

    fn lose(guard: &mut Guard, second: u64, region: u8, count: u32) -> Option<Step> {
        (0..count).for_each(|n| guard.lost(at(second), RegionId(region), EndpointId(u32::from(region) * 4 + n)));
        guard.judge(at(second))
    }

    /// The guard of two regions that has just begun to suspect.
    fn suspicious(references: usize) -> Guard {
        let mut guard = guard(2, references);
        assert_eq!(lose(&mut guard, 0, 0, 4), None);
        assert_eq!(lose(&mut guard, 1, 1, 4), Some(Step::Suspects));
        guard
    }

    #[test]
    fn no_hold_outlives_its_references() {
        let mut guard = guard(2, 1);
        lose(&mut guard, 0, 0, 4);
        assert_eq!(lose(&mut guard, 1, 1, 4), Some(Step::Suspects));
        assert_eq!(guard.reference(at(2), 0, Verdict::Fail), Some(Step::Holds));
        assert_eq!(guard.deadline(), None);
        guard.configure(15 * SECOND, 30 * SECOND, 0);
        assert_eq!(guard.deadline(), Some(at(31)));
        assert_eq!((guard.tick(at(30)), guard.tick(at(31))), (None, Some(Step::Applied)));
    }

    #[test]
    fn the_table_of_losses_holds() {
        for (regions, lost, suspects) in
            [(1, 1, false), (2, 1, false), (2, 2, true), (3, 1, false), (3, 2, true), (4, 2, false), (4, 3, true)]
        {
            let mut guard = guard(regions, 0);
            let steps: Vec<Option<Step>> = (0..lost).map(|region| lose(&mut guard, 0, region, 3)).collect();
            assert_eq!(steps.contains(&Some(Step::Suspects)), suspects, "{lost} of {regions}");
        }
    }

    #[test]
    fn half_of_a_region_is_not_most_of_it() {
        let mut guard = guard(2, 0);
        assert_eq!(lose(&mut guard, 0, 0, 4), None);
        assert_eq!(lose(&mut guard, 0, 1, 2), None);
        assert_eq!(lose(&mut guard, 0, 1, 1), Some(Step::Suspects));
    }

    #[test]
    fn losses_far_apart_are_believed() {
        let mut apart = guard(2, 0);
        assert_eq!(lose(&mut apart, 0, 0, 4), None);
        assert_eq!(lose(&mut apart, 16, 1, 4), None);
        let mut together = guard(2, 0);
        assert_eq!(lose(&mut together, 0, 0, 4), None);
        assert_eq!(lose(&mut together, 15, 1, 4), Some(Step::Suspects));
        assert_eq!(together.lately_lost().count(), 8);
    }

    #[test]
    fn what_was_down_before_does_not_count() {
        let mut guard = guard(3, 0);
        assert_eq!(lose(&mut guard, 0, 0, 4), None);
        // Two regions were up when this window opened.
        assert_eq!(lose(&mut guard, 100, 1, 4), None);
        assert_eq!(lose(&mut guard, 101, 2, 4), Some(Step::Suspects));
    }

    #[test]
    fn what_came_up_within_the_window_was_not_up_when_it_opened() {
        let mut guard = Guard::new(15 * SECOND, 30 * SECOND, 0);
        guard.count(vec![0, 4]);
        guard.gained(at(0), RegionId(0));
        assert_eq!(lose(&mut guard, 1, 0, 1), None);
        assert_eq!(lose(&mut guard, 1, 1, 4), None);
    }

    #[test]
    fn without_references_a_hold_ends_by_the_clock() {
        let mut guard = suspicious(0);
        assert_eq!(guard.deadline(), Some(at(31)));
        assert_eq!(guard.tick(at(30)), None);
        assert_eq!(guard.tick(at(31)), Some(Step::Applied));
        assert_eq!((guard.phase(), guard.deadline(), guard.judge(at(31))), (Phase::Quiet, None, None));
    }

    #[test]
    fn a_reference_decides() {
        // It passed before the suspicion: that says nothing about now.
        let mut guard = suspicious(2);
        assert_eq!(guard.reference(at(2), 0, Verdict::Inconclusive), None);
        assert_eq!(guard.reference(at(3), 1, Verdict::Pass), Some(Step::Refuted));
        assert!(!guard.is_holding());

        let mut guard = suspicious(2);
        assert_eq!(guard.reference(at(2), 0, Verdict::Fail), None);
        assert_eq!(guard.reference(at(3), 1, Verdict::Fail), Some(Step::Holds));
        assert_eq!((guard.deadline(), guard.tick(at(10_000))), (None, None));
        assert_eq!(guard.reference(at(10_000), 1, Verdict::Pass), Some(Step::Recovers));
        assert_eq!(guard.deadline(), Some(at(10_030)));
        assert_eq!(guard.reference(at(10_001), 1, Verdict::Fail), Some(Step::Holds));
        assert_eq!(guard.reference(at(10_002), 0, Verdict::Pass), Some(Step::Recovers));
        assert_eq!(guard.tick(at(10_032)), Some(Step::Applied));
    }

    #[test]
    fn old_failures_of_references_do_not_count() {
        let mut guard = guard(2, 1);
        assert_eq!(guard.reference(at(0), 0, Verdict::Fail), None);
        assert_eq!(lose(&mut guard, 5, 0, 4), None);
        assert_eq!(lose(&mut guard, 5, 1, 4), Some(Step::Suspects));
        assert_eq!(guard.phase(), Phase::Suspects { since: at(5), until: at(35) });
        assert_eq!(guard.reference(at(6), 0, Verdict::Fail), Some(Step::Holds));
    }

    #[test]
    fn it_ends_by_hand_or_by_itself() {
        assert_eq!(suspicious(0).release(), Some(Step::Released));
        assert_eq!(suspicious(1).over(), Some(Step::Over));
        assert_eq!((guard(2, 0).release(), guard(2, 0).over()), (None, None));
    }
}
