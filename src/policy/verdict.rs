//! What a service answers with, and what that follows from.

use std::sync::Arc;

use crate::base::ids::{RegionId, ServiceId};

use super::ranked::Ranked;
use super::reason::Reason;
use super::situation::Masks;
use super::split::Split;

/// What a service answers with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    /// The service that decided: its own, or the one it follows.
    pub decided_by: ServiceId,
    /// The seed of that service for [`super::steer`].
    pub seed: u64,
    /// The decision.
    pub verdict: Arc<Verdict>,
}

/// A decision, the same for all services that are in the same state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The regions.
    pub choice: Choice,
    /// Why they; where clients are ranked, each client has its own reason.
    pub reason: Reason,
    /// The regions whose state could change that; where clients are ranked, each client has its own.
    pub watched: u128,
    /// What it follows from.
    pub(super) state: State,
}

/// The regions a service answers with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// One for everybody.
    Region(RegionId),
    /// By the client's hash.
    Split(Arc<Split>),
    /// By the client's place.
    Ranked(Arc<Ranked>),
    /// The endpoints of all these together, at most [`crate::base::limits::ANSWERS_MAX`] in one answer.
    All(u128),
    /// The policy's answer of last resort.
    Fallback,
    /// An empty answer.
    NoData,
    /// SERVFAIL.
    ServFail,
}

/// What a verdict depends on: the group, and all that is so about the regions.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct State {
    pub(super) group: u32,
    pub(super) masks: Masks,
    pub(super) held: Option<RegionId>,
    pub(super) ramps: Box<[(RegionId, u8)]>,
    /// What regions weigh by what is fed or measured.
    pub(super) weights: Box<[(RegionId, u32)]>,
}
