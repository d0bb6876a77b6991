//! What is steered, valid: nothing here is left to interpret, and every reference is an id.
//!
//! Ids are dense and in the order of the text keys, so they do not depend on the order of files. What must survive a
//! reload (cursors, counters, health) goes by the text keys: `fra`, `web`, `web/fra/192.0.2.10`.

use std::net::IpAddr;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use crate::base::diagnostic::Location;
use crate::base::ids::{CheckId, GeomapId, PolicyId, RegionId, ServiceId};
use crate::dns::{Name, RecordType};

use super::checks::CheckKind;
use super::feeds::LoadFeed;
use super::safety::SafetyRule;

/// All region files together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Model {
    /// By [`RegionId`]; at most [`crate::base::limits::REGIONS_MAX`].
    pub regions: Vec<Region>,
    /// By [`ServiceId`].
    pub services: Vec<Service>,
    /// By [`crate::base::ids::EndpointId`]: region by region, inside it service by service, inside that in the order of the file.
    pub endpoints: Vec<Endpoint>,
    /// By [`CheckId`].
    pub checks: Vec<Check>,
    /// By [`PolicyId`]; the built-in ones that are not redefined are among them.
    pub policies: Vec<Policy>,
    /// By [`GeomapId`].
    pub geomaps: Vec<Geomap>,
    /// What changes may not do to regions, by key.
    pub safety: Vec<SafetyRule>,
}

/// A data centre.
#[derive(Clone, Debug, PartialEq)]
pub struct Region {
    /// Its stable text key.
    pub key: Arc<str>,
    /// Where it is defined.
    pub at: Location,
    /// Its name for people.
    pub label: String,
    /// Where on earth it is.
    pub position: Position,
    /// How much it can take.
    pub capacity: Capacity,
    /// Grows (above 0) or shrinks the area it attracts; -99 to 99.
    pub bias: i8,
    /// Where its load comes from.
    pub load: LoadFeed,
    /// The check that takes the whole region.
    pub check: RegionCheck,
    /// If not, it is loaded and probed, never answered.
    pub enabled: bool,
}

/// Where a region is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Position {
    /// Nobody said.
    Unknown,
    /// Degrees: latitude -90 to 90, longitude -180 to 180.
    Coordinates {
        /// North is positive.
        latitude: f64,
        /// East is positive.
        longitude: f64,
    },
    /// The middle of a country, by its ISO 3166-1 code in upper case.
    Country([u8; 2]),
}

/// How much a region can take, in the unit of its load feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capacity {
    /// As much as comes.
    Unlimited,
    /// What it should carry, and what it can.
    Limited {
        /// Above it load spills; at most `max`.
        target: u64,
        /// Never planned above it.
        max: u64,
    },
}

/// The check that takes a whole region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegionCheck {
    /// None.
    Nothing,
    /// While it fails, every endpoint of the region counts as down.
    Address(CheckId, IpAddr),
}

/// A health check: the rule, not one execution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// Its stable text key.
    pub key: Arc<str>,
    /// Where it is defined.
    pub at: Location,
    /// What is done.
    pub kind: CheckKind,
    /// From one probe of an endpoint to the next.
    pub interval: Duration,
    /// Less than the interval.
    pub timeout: Duration,
    /// Failures to go down.
    pub fall: u32,
    /// Successes in a row to come back.
    pub rise: u32,
    /// From one probe to the next while an up endpoint is failing.
    pub retry: Duration,
}

/// How a service's regions are chosen from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Its stable text key.
    pub key: Arc<str>,
    /// Where it stands.
    pub source: PolicySource,
    /// Which regions answer together.
    pub mode: Mode,
    /// Among the endpoints of the chosen region.
    pub balance: Balance,
    /// What [`Balance::Custom`] adds up; empty with any other.
    pub custom: Vec<Term>,
    /// Addresses per answer, 1 to [`crate::base::limits::ANSWERS_MAX`].
    pub answers: usize,
    /// What is answered when no region has an endpoint up.
    pub when_all_down: WhenAllDown,
}

/// Where a policy stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicySource {
    /// It exists without being defined.
    BuiltIn,
    /// In a region file.
    File(Location),
}

/// Which regions answer together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Each client its best region.
    ActiveActive {
        /// What makes a region good.
        prefer: Prefer,
        /// Who is near, where nearness counts.
        ranking: GeoRanking,
        /// If load above a region's target moves to the next choices.
        spill: bool,
        /// How long a recovered region takes to get its whole share; 0: at once.
        ramp: Duration,
    },
    /// One region for everybody: the first eligible one of the service's `order`.
    ActivePassive {
        /// How the better region gets its work back.
        failback: Failback,
    },
    /// Every eligible endpoint of every region: the built-in policy `all`.
    All,
}

/// What ranks regions for a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prefer {
    /// Nearness.
    Geo {
        /// Regions no more than this many meters further than the nearest are its equals.
        tolerance_m: u32,
    },
    /// Round-trip time to the client's network.
    Latency {
        /// Regions no more than this much slower than the fastest are its equals.
        tolerance: Duration,
    },
    /// Free capacity; one tier.
    Load,
    /// The servers' own response time, among regions that are equally near.
    ResponseTime {
        /// As for [`Prefer::Geo`].
        tolerance_m: u32,
    },
    /// Nothing: all regions are one tier.
    Equal,
}

/// Who is near.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum GeoRanking {
    /// Distance alone.
    Distance,
    /// A map first.
    Map(GeomapId),
}

/// How the better region gets its work back in active-passive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failback {
    /// As soon as it is eligible.
    Automatic,
    /// After it has been eligible without a break for so long.
    After(Duration),
    /// When an operator says so.
    Manual,
}

/// How an endpoint of the chosen region is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the words of the configuration")]
pub enum Balance {
    RoundRobin,
    Weighted,
    Random,
    Hash,
    LeastConnections,
    WeightedLeastConnections,
    LeastResponseTime,
    LeastBandwidth,
    Custom,
    LeastRecentlyLoaded,
}

/// A metric in the sum of [`Balance::Custom`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    /// Its name, as endpoints are fed with it.
    pub metric: String,
    /// What one unit of it counts, in thousandths.
    pub counts: u64,
}

/// What is answered when no region has an endpoint up. Endpoints forced down or disabled never appear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WhenAllDown {
    /// As if all were up.
    Preferred,
    /// Every endpoint, at most [`crate::base::limits::ANSWERS_MAX`].
    All,
    /// What was up last.
    LastHealthy,
    /// These addresses or records.
    Fallback(Vec<Record>),
    /// An empty answer.
    NoData,
    /// SERVFAIL.
    ServFail,
}

/// A set of names steered together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Its stable text key.
    pub key: Arc<str>,
    /// Where it is defined.
    pub at: Location,
    /// The names it owns; not empty. A first label `*` is a wildcard.
    pub names: Vec<ServiceName>,
    /// How its regions are chosen from.
    pub policy: PolicyId,
    /// All must pass; empty: its endpoints count as up.
    pub checks: Vec<CheckId>,
    /// The bounds of its TTL.
    pub ttl: Ttl,
    /// What a region needs to be eligible.
    pub min_up: MinUp,
    /// The regions that have endpoints, by id; not empty.
    pub regions: Vec<ServiceRegion>,
    /// Regions in the order of the operator, best first; may be empty or a part where nothing ranks by it.
    pub order: Vec<RegionId>,
    /// The types its endpoints have, by number; not empty.
    pub types: Vec<RecordType>,
    /// If the client subnet option (RFC 7871) counts.
    pub ecs: bool,
    /// If its HTTPS and SVCB records get address hints.
    pub hints: bool,
    /// Percent of its clients that an active-passive service sends to the next region of its order while that is eligible; 0:
    /// none, at most [`TRICKLE_MAX`](crate::base::limits::TRICKLE_MAX).
    pub trickle: u8,
    /// Whose decisions it takes over.
    pub follow: Follow,
    /// If not, it is loaded and probed, never answered.
    pub enabled: bool,
}

/// A name of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceName {
    /// The name.
    pub name: Name,
    /// Where it is written.
    pub at: Location,
}

/// Bounds of a TTL in seconds, `min` at most `max`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ttl {
    /// The least.
    pub min: u32,
    /// The most.
    pub max: u32,
}

/// What must be up in a region for it to be eligible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MinUp {
    /// So many endpoints, from 1.
    Count(u32),
    /// So much of the region's weight, 1 to 100 percent.
    Percent(u8),
}

/// Whose decisions a service takes over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Follow {
    /// Nobody's: it decides by itself.
    Nobody,
    /// Those of another service.
    Service(ServiceId),
}

/// A service in one region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceRegion {
    /// The region.
    pub region: RegionId,
    /// Its share among equal regions; at 0 only when all others are ineligible.
    pub weight: u32,
    /// Its endpoints as indices into [`Model::endpoints`]; not empty.
    pub endpoints: Range<u32>,
    /// The type on which it is judged: A where it has A, else the type it has with the least number.
    pub judged: RecordType,
}

/// An address (or record list) of a service in a region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Its stable text key: `service/region/address`.
    pub key: Arc<str>,
    /// Where it is written.
    pub at: Location,
    /// Its service.
    pub service: ServiceId,
    /// Its region.
    pub region: RegionId,
    /// Its share inside the region; at 0 only when all others are down.
    pub weight: u32,
    /// What it answers with; not empty.
    pub records: Vec<Record>,
    /// What is probed for it.
    pub checked: Checked,
    /// Where numbers about it come from.
    pub load: LoadFeed,
    /// If not, it is loaded and probed, never answered.
    pub enabled: bool,
}

/// What is probed for an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checked {
    /// Nothing: its service has no check.
    Nothing,
    /// This address.
    Address(IpAddr),
}

/// A record without its name and TTL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its type.
    pub rtype: RecordType,
    /// Its data as text, in one spelling, without the type.
    pub data: String,
    /// Its data in wire form, names uncompressed.
    pub wire: Box<[u8]>,
    /// Where it is written.
    pub at: Location,
}

/// Which clients prefer which regions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Geomap {
    /// Its stable text key.
    pub key: Arc<str>,
    /// Where it is defined.
    pub at: Location,
    /// What is matched, most specific first, and the ranking for it.
    pub entries: Vec<(GeoMatch, Ranking)>,
    /// For clients that nobody can locate; may be empty.
    pub default: Ranking,
    /// If clients that matched an entry never leave its list.
    pub fence: bool,
}

/// Tiers of equal regions, best first.
pub type Ranking = Vec<Vec<RegionId>>;

/// What an entry of a map matches, in the order of precedence.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GeoMatch {
    /// A network: its address, host bits zero, and prefix length.
    Network(IpAddr, u8),
    /// An autonomous system.
    Asn(u32),
    /// An ISO 3166-2 code, e.g. `US-CA`.
    Subdivision(String),
    /// An ISO 3166-1 code, e.g. `DE`.
    Country([u8; 2]),
    /// `AF`, `AN`, `AS`, `EU`, `NA`, `OC` or `SA`.
    Continent([u8; 2]),
}
