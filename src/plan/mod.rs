//! Who takes what another cannot: demand, capacity and costs → shares. Pure, in integers; nothing of it depends on the
//! order in which sites and units are given.
//!
//! [`Planner::step`] is called every few seconds with a [`Situation`], and again when something happens; it remembers
//! what it said, so that it knows what caches still hold.
//!
//! | what | file |
//! |---|---|
//! | regions, units of demand, what is known of them | `situation.rs` |
//! | shares for units, what they come to for regions | `planned.rs` |
//! | from step to step | `planner.rs` |
//! | sites and units in the order of their keys | `roll.rs` |
//! | what clients follow while caches hold old answers | `caches.rs` |
//! | what an answer is worth in load | `scales.rs` |
//! | what to aim at | `aim.rs` |
//! | who is where, who may go where, at what cost | `problem.rs` |
//! | how far each region may be filled | `levels.rs` |
//! | all regions solved together | `paths.rs` |
//! | nearest first, and the rest to the next | `waterfall.rs` |
//! | how fast | `pace.rs` |
//! | what outlives the process | `memory.rs` |
//! | arithmetic of shares | `shares.rs` |
//! | what is said of it | `report.rs` |

mod situation;

mod planned;

mod shares;

mod roll;

mod caches;

mod scales;

mod problem;

mod paths;

mod waterfall;

mod levels;

mod aim;

mod pace;

mod report;

mod planner;

mod memory;

pub use memory::Memory;
pub use planned::{Method, Plan, SitePlan, Spill, WHOLE};
pub use planner::Planner;
pub use situation::{Capacity, Reported, STEP_MAX, Site, Situation, Unit};

#[cfg(test)]
mod tests;
