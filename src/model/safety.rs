//! Rules about which regions stay on, whatever operators and automation say.

use std::sync::Arc;
use std::time::Duration;

use crate::base::diagnostic::Location;
use crate::base::ids::{RegionId, ServiceId};

/// A rule about a set of regions. It refuses changes, never what health checks find.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SafetyRule {
    /// Its stable text key.
    pub key: Arc<str>,
    /// Where it is defined.
    pub at: Location,
    /// The set.
    pub regions: u128,
    /// A region is on while it is eligible for all of these that it has, by id; empty: for any of its services.
    pub services: Vec<ServiceId>,
    /// So many of the set are on after a change; 0: it asks for none.
    pub at_least: usize,
    /// When the set may be changed at all.
    pub gate: Gate,
    /// After a change of one of the set, the next waits for so long; 0: not at all.
    pub wait: Duration,
}

/// When a set may be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// At any time.
    Open,
    /// While so many of these regions are on.
    While {
        /// Other regions, or some of the same.
        regions: u128,
        /// From 1 to as many as there are.
        at_least: usize,
    },
}

impl SafetyRule {
    /// Whether a region is of the set.
    #[must_use]
    pub const fn is_about(&self, region: RegionId) -> bool {
        self.regions >> region.index() & 1 == 1
    }
}
