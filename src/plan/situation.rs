//! What is planned by: regions, units of demand, and what is known of both at one moment.

use crate::base::moment::Moment;

/// All there is to plan by, at one moment. Sites and units are dense: a unit names a site by its place in `sites`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Situation {
    /// The regions, at most [`crate::base::limits::REGIONS_MAX`].
    pub sites: Vec<Site>,
    /// The demand.
    pub units: Vec<Unit>,
    /// Name servers that share the clients among themselves without telling each other: a node sees 1/`peers` of the
    /// demand, while feeds tell of all of it. From 1.
    pub peers: u32,
    /// The part of a region's load that may leave it per TTL while it is below its `max`, in thousandths.
    pub step_max: u32,
    /// The part of all demand that may move within a minute while nothing fails, in thousandths; from 1,000 on all.
    pub move_max: u32,
    /// What others than the plan have moved of it within the last minute, in thousandths.
    pub moved: u32,
}

impl Default for Situation {
    fn default() -> Self {
        Self { sites: Vec::new(), units: Vec::new(), peers: 1, step_max: STEP_MAX, move_max: 1_000, moved: 0 }
    }
}

/// The usual [`Situation::step_max`]. Below a tenth a change of demand outruns the plan; far above it the plan outruns
/// the caches.
pub const STEP_MAX: u32 = 100;

/// A region. Its load and capacity are in the unit of its feed, in thousandths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// The steering hash of its text key: what it is known by from step to step, and what breaks ties.
    pub key: u64,
    /// `None`: unlimited.
    pub capacity: Option<Capacity>,
    /// What is known of its load.
    pub load: Reported,
}

/// What a region can bear, in the unit of its feed, in thousandths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capacity {
    /// What it is filled to while there is room elsewhere.
    pub target: u64,
    /// What it must not exceed. A `max` below `target` counts as `target`.
    pub max: u64,
}

/// What is known of a region's load.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reported {
    /// Its feed says so, and it was measured at that moment.
    Fresh(u64, Moment),
    /// Its feed said so last; stale, but not yet too old: shares that concern the region are held as they are.
    Held(u64),
    /// It has a feed that is silent for too long, or that has said nothing yet: own answers tell its load, by the scale
    /// that was last known, or that of the other regions.
    Silent,
    /// It has no feed: own answers are its load, and its capacity is in answers per second.
    #[default]
    Estimated,
}

/// What cannot be told apart: a client class of services that decide alike and are in the same state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// What it is known by from step to step, and what breaks ties; no two units have the same.
    pub key: u64,
    /// Answers per second, smoothed, in thousandths.
    pub demand: u64,
    /// Site and weight: how it is shared without any spill. A site that is not among `choices` gets nothing.
    pub home: Vec<(u8, u32)>,
    /// Site and cost (km, ms or rank): all usable sites that it may be sent to, its homes among them. The cheaper one is
    /// the better one.
    pub choices: Vec<(u8, u32)>,
    /// Seconds that caches keep what it is answered.
    pub ttl_s: u32,
    /// If not, its demand counts where its home is, and never moves.
    pub spills: bool,
}
