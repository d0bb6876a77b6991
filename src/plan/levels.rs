//! How far each region may be filled: to its target, or above it where there is nowhere else to go.
//!
//! A *level* is how far between `target` (0) and `max` (1) a region may be filled; above 1 in proportion to `max`:
//!
//! ```text
//! level    may have                      when
//! 0        target                        there is room for everybody who may come
//! 0 … 1    target + level × (max − target)   all that could be reached are over target
//! 1 …      level × max                   all that could be reached are over max: shared, never dumped on one
//! ```
//!
//! The levels are the fairest there are: no region's level could be lower without raising one that is as high already.
//! They are found from the top. With all at one level, the demand that is still stuck lies in a set of regions that
//! nobody in it may leave; the least level at which that set holds it is the next guess for all, until nobody is stuck:
//! then the last such set needs just this level, which is settled. The others begin again from their targets.
//!
//! Levels depend on who may go where, not on what it costs.

use super::Capacity;
use super::problem::{Flow, Problem, sites_of};

/// A level of 1.
pub(super) const FULL: u32 = 1 << 20;
/// Beyond this no level is tried: what is left stays at home.
const LEVEL_MAX: u32 = 1 << 31;
/// Guesses for each site; two or three are usual for all of them together.
const GUESSES_EACH: usize = 8;

/// What one region can bear, for demand.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bound {
    /// Thousandths of its unit; `None`: unlimited.
    pub(super) capacity: Option<Capacity>,
    /// Load for each answer, in 1/2³².
    pub(super) scale: u64,
    /// Load that no answer of ours explains.
    pub(super) foreign: u64,
    /// Demand that is there and does not move.
    pub(super) fixed: u64,
}

/// Room without limit, and still far from where sums overflow.
pub(super) const UNLIMITED: u64 = 1 << 60;

impl Bound {
    /// The load it may have at a level.
    pub(super) fn load(&self, level: u32) -> Option<u64> {
        let Capacity { target, max } = self.capacity?;
        let max = u128::from(max.max(target));
        let (level, full) = (u128::from(level), u128::from(FULL));
        let load = if level <= full {
            u128::from(target) + (max - u128::from(target)) * level / full
        } else {
            max * level / full
        };
        Some(u64::try_from(load).unwrap_or(u64::MAX))
    }

    /// The demand that may be placed on it at a level, beside what is fixed.
    pub(super) fn room(&self, level: u32) -> u64 {
        let Some(load) = self.load(level) else { return UNLIMITED };
        let room = (u128::from(load.saturating_sub(self.foreign)) << 32) / u128::from(self.scale.max(1));
        u64::try_from(room).unwrap_or(UNLIMITED).min(UNLIMITED).saturating_sub(self.fixed)
    }

    /// The load that some demand is on it.
    pub(super) fn load_of(&self, demand: u64) -> u64 {
        let load = (u128::from(demand) * u128::from(self.scale)) >> 32;
        u64::try_from(load).unwrap_or(u64::MAX).saturating_add(self.foreign)
    }
}

/// Levels, and the demand that may be placed at them.
#[derive(Clone, Debug)]
pub(super) struct Levels {
    pub(super) of: Vec<u32>,
    pub(super) caps: Vec<u64>,
}

/// The least levels at which everybody has a place. `place` places the problem under caps; `None` if it gives up.
pub(super) fn settle(
    problem: &Problem,
    bounds: &[Bound],
    mut place: impl FnMut(&[u64]) -> Option<Flow>,
) -> Option<Levels> {
    let at_home = problem.at_home();
    let mut settled: Vec<Option<u32>> = vec![None; bounds.len()];
    // Sites for whose clients there is no room at any level: they keep them.
    let mut hopeless = 0_u128;
    // Each stage settles a site or finds one hopeless. Guesses are few when demand is placed as well as can be; a way of
    // placing that is worse could creep up, and then the levels it has come to must do.
    let mut guesses = GUESSES_EACH * (bounds.len() + 1);
    loop {
        let (mut common, mut tight) = (0, 0_u128);
        loop {
            let levels: Vec<u32> = settled.iter().map(|level| level.unwrap_or(common)).collect();
            let mut caps: Vec<u64> = bounds.iter().zip(&levels).map(|(bound, &level)| bound.room(level)).collect();
            for site in sites_of(hopeless).map(usize::from) {
                caps[site] = caps[site].max(at_home[site]);
            }
            let flow = place(&caps)?;
            let stuck = flow.stuck;
            guesses = guesses.saturating_sub(1);
            if stuck == 0 || guesses == 0 {
                if common == 0 || guesses == 0 {
                    return Some(Levels { of: levels, caps });
                }
                break;
            }
            match level_for(stuck, bounds, &settled, &flow, common) {
                Some(level) => (common, tight) = (level, stuck),
                None => hopeless |= with_excess(stuck, &flow, &caps),
            }
        }
        for site in sites_of(tight).map(usize::from) {
            settled[site] = settled[site].or(Some(common));
        }
    }
}

/// The least level above `common` at which a set of sites holds what is in it; `None` if none does.
fn level_for(stuck: u128, bounds: &[Bound], settled: &[Option<u32>], flow: &Flow, common: u32) -> Option<u32> {
    let sites = || sites_of(stuck).map(usize::from);
    let trapped = sites().fold(0_u64, |sum, site| sum.saturating_add(flow.load[site]));
    let holds = |level: u32| {
        let rooms = sites().map(|site| bounds[site].room(settled[site].unwrap_or(level)));
        rooms.fold(0_u64, u64::saturating_add) >= trapped
    };
    if !holds(LEVEL_MAX) {
        return None;
    }
    let (mut low, mut high) = (common, LEVEL_MAX);
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if holds(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    Some(high)
}

/// The sites of a set that have more than they may.
fn with_excess(set: u128, flow: &Flow, caps: &[u64]) -> u128 {
    let over = sites_of(set).filter(|&site| flow.load[usize::from(site)] > caps[usize::from(site)]);
    over.fold(0, |mask, site| mask | 1 << site)
}
