//! The planner: what it remembers from step to step.

use crate::base::moment::Moment;

use super::{Plan, Situation};

/// Plans step by step.
#[derive(Clone, Debug, Default)]
pub struct Planner {}

impl Planner {
    /// A planner that knows of nothing before.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The plan for a situation at a moment that is not before that of the last step.
    pub fn step(&mut self, _now: Moment, situation: &Situation) -> Plan {
        Plan { units: vec![Vec::new(); situation.units.len()], ..Plan::default() }
    }
}
