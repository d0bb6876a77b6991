//! Who takes what another cannot: demand, capacity and costs → shares. Pure, in integers; nothing of it depends on the
//! order in which sites and units are given.
//!
//! [`Planner::step`] is called every few seconds with a [`Situation`], and again when something happens; it remembers
//! what it said, so that it knows what caches still hold.

mod situation;

mod plan;

mod planner;

pub use plan::{Method, Plan, SitePlan, Spill, WHOLE};
pub use planner::Planner;
pub use situation::{Capacity, Reported, STEP_MAX, Site, Situation, Unit};
