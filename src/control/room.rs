//! What a step of an evacuation would come to, as the planner foresees it, and whether there is room for it.

use std::fmt;

use crate::base::ids::RegionId;
use crate::plan::{Capacity, Plan};

use super::hub::Control;
use super::moves::millionths;
use super::planning::Outlook;

/// What the others would carry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Room {
    /// Those that take more than before, and whose capacity is known.
    pub receivers: Vec<Receiver>,
    /// Why there is no room; `None`: there is, or nobody knows.
    pub full: Option<String>,
    /// The part of all clients that would move, in millionths.
    pub moved: u32,
}

/// A region that takes more than before. Loads in thousandths of the unit of its feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receiver {
    /// Its key.
    pub region: String,
    /// What it would carry once caches have followed.
    pub then: u64,
    /// What it should and what it can carry.
    pub capacity: Capacity,
}

/// More than its target by a part of so much is rounding, and more than before by so much is worth telling.
const SLACK: u64 = 64;

impl Room {
    /// What a step comes to can't be worked out, although a plan could tell.
    #[must_use]
    pub fn unknown() -> Self {
        Self { full: Some("nobody can tell what the next step would come to".to_owned()), ..Self::default() }
    }

    /// What a plan for less of a region comes to, beside the plan before. Without plans nothing is known.
    #[must_use]
    pub fn of(control: &Control, from: &str, before: Option<&Outlook>, then: Option<&Outlook>) -> Self {
        let (Some(before), Some(then)) = (before, then) else { return Self::default() };
        let from = control.model().region_by_key(from);
        let ids = (0..=u8::MAX).map(RegionId).zip(&then.plan.sites);
        let aim = |plan: &Plan, id: RegionId| plan.sites.get(id.index()).map_or(0, |site| site.aim);
        let (mut receivers, mut full) = (Vec::new(), None);
        for (id, site) in ids.filter(|(id, _)| Some(*id) != from) {
            // Without a level it has no room that anybody knows of.
            let (was, Some(capacity), Some(_)) = (aim(&before.plan, id), site.capacity, site.level) else { continue };
            let receiver = Receiver { region: control.region_key(id), then: site.aim, capacity };
            // Small steps add up: however little it gets, there must be room for it.
            if full.is_none() && site.aim > was && site.aim > capacity.target + capacity.target / SLACK {
                full = Some(format!("no room: {receiver}"));
            }
            if site.aim > was + was / SLACK {
                receivers.push(receiver);
            }
        }
        let home =
            |outlook: &Outlook| from.and_then(|id| outlook.plan.sites.get(id.index())).map_or(0, |site| site.home);
        let moved = millionths(home(before).saturating_sub(home(then)), before.demand);
        Self { receivers, full, moved }
    }
}

impl fmt::Display for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (target, max) = (self.capacity.target / 1_000, self.capacity.max / 1_000);
        write!(f, "{} would carry {} of target {target}, max {max}", self.region, self.then / 1_000)
    }
}

impl fmt::Display for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told: Vec<String> = self.receivers.iter().map(Receiver::to_string).collect();
        match told.is_empty() {
            true => f.write_str("no region that takes more has a known capacity"),
            false => f.write_str(&told.join("; ")),
        }
    }
}
