//! What states turn into: when a region is lost, services that were in one state come to one other, so that all but the
//! first of them need not be looked at.

use std::sync::Arc;

use crate::base::ids::{RegionId, ServiceId};
use crate::table::{Difference, RegionTable, States, Why};

use super::verdict::Verdict;

/// The turns of one publication that were met last.
pub(super) struct Turns {
    /// By the address of the verdict that was.
    met: Vec<Option<Turn>>,
}

/// The verdict of a service became another one, by a difference in one region or by none.
struct Turn {
    from: Arc<Verdict>,
    by: Option<By>,
    to: Arc<Verdict>,
}

type By = (RegionId, Why, bool);

/// Turns that are remembered: more than there are groups of services, as a rule.
const TURNS: usize = 256;

impl Turns {
    pub(super) fn new() -> Self {
        Self { met: (0..TURNS).map(|_| None).collect() }
    }

    /// What a service answers with whose verdict was `from` and whose regions changed by `own`, if another one has taken
    /// the same turn.
    #[inline]
    pub(super) fn known(
        &self,
        from: &Arc<Verdict>,
        own: &[Difference],
        table: &RegionTable,
        states: &States,
        held: Option<RegionId>,
        id: ServiceId,
    ) -> Option<Arc<Verdict>> {
        let turn = self.met.get(slot(from))?.as_ref()?;
        let state = &turn.to.state;
        // All else about the state follows from where the turn began and from what turned it.
        let is_same = Arc::ptr_eq(&turn.from, from)
            && single(own) == Some(turn.by)
            && table.usable.get(id.index()) == Some(&state.masks.usable)
            && table.standing.get(id.index()) == Some(&state.masks.standing)
            && state.held == held
            && *state.ramps == *states.ramp.of(id)
            && *state.weights == *states.region_weight.of(id);
        is_same.then(|| Arc::clone(&turn.to))
    }

    /// Remembers a turn.
    pub(super) fn learn(&mut self, from: &Arc<Verdict>, own: &[Difference], to: &Arc<Verdict>) {
        if let Some(by) = single(own)
            && let Some(place) = self.met.get_mut(slot(from))
        {
            *place = Some(Turn { from: Arc::clone(from), by, to: Arc::clone(to) });
        }
    }
}

/// Where turns from a verdict are remembered.
fn slot(from: &Arc<Verdict>) -> usize {
    // What lies between two allocations of this size says nothing.
    (Arc::as_ptr(from).addr() / size_of::<Verdict>()) % TURNS
}

/// The difference, if there is at most one.
fn single(own: &[Difference]) -> Option<Option<By>> {
    match own {
        [] => Some(None),
        [one] => Some(Some((one.region, one.state.why, one.state.is_guarded))),
        _ => None,
    }
}
