//! What is planned: shares for units, and what they come to for regions.

use super::Capacity;

/// Who is to take what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Of each unit of the situation, in its order: site and share, by site; shares add up to [`WHOLE`]. Empty: as its
    /// home says.
    pub units: Vec<Vec<(u8, u16)>>,
    /// Of each site of the situation, in its order: what that comes to.
    pub sites: Vec<SitePlan>,
    /// Demand that is not answered with its home, by `from` and `to`.
    pub spills: Vec<Spill>,
    /// How it was found.
    pub method: Method,
    /// Demand that is still to move, at the pace that caches and regions allow, in thousandths of answers per second.
    pub pending: u64,
    /// Demand that would have moved with this plan if more were allowed to move within a minute.
    pub limited: u64,
    /// What plans have moved within the last minute while nothing failed, in thousandths of all demand.
    pub moved: u32,
    /// What all spilled demand costs more than at home: the sum of demand (whole answers per second) × extra cost.
    pub extra_cost: u64,
}

/// All of a unit, as a share.
pub const WHOLE: u16 = u16::MAX;

/// How a plan was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Method {
    /// Everybody is at home: nothing had to be solved.
    #[default]
    Home,
    /// All regions were solved together; no other shares cost less.
    Optimal,
    /// The problem was too large for that: regions over their target shed to the next ones, least-hurt clients first.
    Waterfall,
}

impl Method {
    /// Every way, the simplest first.
    pub const ALL: [Self; 3] = [Self::Home, Self::Waterfall, Self::Optimal];

    /// The word used in metrics and the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Home => "home",
            Self::Optimal => "optimal",
            Self::Waterfall => "waterfall",
        }
    }
}

/// What a plan comes to for one region. Loads are in the unit of its feed, demand in answers per second as this node
/// sees them, all in thousandths.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SitePlan {
    /// What its feed says, if one does.
    pub fed: Option<u64>,
    /// The load it is taken to have: what clients follow, caches considered.
    pub load: u64,
    /// The load it will have once every cache has followed this plan.
    pub planned: u64,
    /// The load it will have when all that is pending has moved as well.
    pub aim: u64,
    /// What it can bear, if that is limited.
    pub capacity: Option<Capacity>,
    /// What it is allowed to be filled to: `target`, or more where there is no room left; `None`: unlimited.
    pub level: Option<u64>,
    /// Load for each answer, in 1/2³².
    pub scale: u64,
    /// How much busier its own clients are than its scale says, in 1/65,536.
    pub heat: u32,
    /// Demand that has its home here.
    pub home: u64,
    /// Demand that is answered with it and has its home elsewhere.
    pub received: u64,
    /// Demand that has its home here and is answered with others.
    pub shed: u64,
    /// True while shares that concern it are held, because its feed is stale.
    pub held: bool,
    /// True while what its feed says is too far from what its clients' demand explains to be believed.
    pub doubted: bool,
}

/// Demand that has its home in one region and is answered with another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spill {
    /// Its home.
    pub from: u8,
    /// Where it goes.
    pub to: u8,
    /// In thousandths of answers per second.
    pub demand: u64,
}
