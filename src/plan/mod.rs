//! Who takes what another cannot: demand, capacity and costs → shares. Pure, in integers; nothing of it depends on the
//! order in which sites and units are given.
//!
//! [`Planner::step`] is called every few seconds with a [`Situation`], and again when something happens; it remembers
//! what it said, so that it knows what caches still hold.
//!
//! **Why all regions together.** The waterfall, nearest first and the excess to the next, can be worked out by hand, but it
//! moves nobody twice. Of 500 random situations in which all can be placed, it leaves a region above its target in 45, and
//! in the others clients go 11 % farther (`tests/plan_properties`, where an independent solver shows that what is found here
//! costs the least). At 500 classes × 50 regions × 200 groups of services, which nobody has, a plan takes 0.6 s of a
//! processor (`benches/plan.rs`), so the waterfall is what is left for larger ones.
//!
//! **In a closed loop** (`tests/laboratory`) with caches, feeds that are late and tremble, flash crowds, lost regions and
//! feeds that lie high, no region is above its max for longer than caches excuse, and nothing swings.
//!
//! **What it does not know**: how resolvers differ within a class. A plan moves a share of them, and if a few have most of
//! the clients, what moves is more or less than that; the feed then shows it, and the next plan makes up for it. What a feed
//! lies about believably is believed.
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
//! | of what costs the same, what was before | `ties.rs` |
//! | nearest first, and the rest to the next | `waterfall.rs` |
//! | how fast | `pace.rs` |
//! | how much within a minute | `leash.rs` |
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

mod ties;

mod waterfall;

mod levels;

mod aim;

mod pace;

mod leash;

mod report;

mod planner;

mod memory;

pub use memory::Memory;
pub use planned::{Method, Plan, SitePlan, Spill, WHOLE};
pub use planner::Planner;
pub use situation::{Capacity, Reported, STEP_MAX, Site, Situation, Unit};

#[cfg(test)]
mod tests;
