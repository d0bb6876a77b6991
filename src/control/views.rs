//! What control says of itself, for people and programs: the shapes in which it is shown.

use serde::Serialize;

use crate::base::moment::Moment;
use crate::health::{Action, Health};

/// Everything at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct View {
    /// The moment.
    pub at: Moment,
    /// By id.
    pub regions: Vec<RegionView>,
    /// By id.
    pub services: Vec<ServiceView>,
    /// By number.
    pub targets: Vec<TargetView>,
    /// By target.
    pub overrides: Vec<OverrideView>,
    /// The guard.
    pub guard: GuardView,
}

/// A region as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RegionView {
    /// Its key.
    pub key: String,
    /// Its name for people.
    pub label: String,
    /// If not, it is never answered.
    pub enabled: bool,
    /// Services that have endpoints in it.
    pub services: usize,
    /// Those for which it is eligible.
    pub eligible: usize,
    /// Endpoints in it.
    pub endpoints: usize,
    /// Those that are up.
    pub up: usize,
    /// The target of its own check.
    pub check: Option<String>,
}

/// A service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ServiceView {
    /// Its key.
    pub key: String,
    /// Some of its names.
    pub names: Vec<String>,
    /// How many names it has.
    pub name_count: usize,
    /// What its regions are usable for: `eligible`, `drained`, `some-up`, `all-down` or `gone`.
    pub standing: &'static str,
    /// Seconds to the next change that only the clock brings, if that is near.
    pub change_s: Option<u32>,
    /// Its active region; `None` if it is not active-passive.
    pub active: Option<ActiveView>,
    /// Regions being reintroduced.
    pub ramps: Vec<RampView>,
    /// By region: why it is usable or not.
    pub regions: Vec<(String, &'static str)>,
    /// Its endpoints.
    pub endpoints: Vec<EndpointView>,
}

/// The active region of an active-passive service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ActiveView {
    /// Its key.
    pub region: String,
    /// An operator switched to it.
    pub switched: bool,
    /// The best region that waits to become active, and when it will; `None`: when an operator says so.
    pub failback: Option<(String, Option<Moment>)>,
}

/// A region being reintroduced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RampView {
    /// The region's key.
    pub region: String,
    /// The part of its weight that counts, percent.
    pub percent: u32,
    /// When all of it does.
    pub until: Moment,
}

/// An endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EndpointView {
    /// `service/region/address`.
    pub key: String,
    /// Whether it counts as up by its checks and the guard.
    pub up: bool,
    /// What its checks say.
    pub real: Health,
    /// The guard holds it up.
    pub guarded: bool,
    /// The strongest word of operators that covers it.
    pub forced: Option<Action>,
    /// Why it is what it is.
    pub why: String,
    /// Seconds before which no check changes it; `None` if nothing is checked.
    pub steady_s: Option<u32>,
    /// The targets that must pass for it.
    pub targets: Vec<String>,
}

/// A target and its machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TargetView {
    /// Its number.
    pub id: u64,
    /// `check@address`.
    pub key: String,
    /// The check's key.
    pub check: String,
    /// The address.
    pub address: String,
    /// What its machine says.
    pub state: Health,
    /// Passes in a row that count.
    pub passes: u32,
    /// Failures that are not forgotten.
    pub failures: u32,
    /// Inconclusive outcomes in a row.
    pub inconclusive: u32,
    /// Milliseconds to its next probe after the last one.
    pub cadence_ms: u64,
    /// Endpoints that need it, without those of `regions`.
    pub endpoints: usize,
    /// Regions whose own check it is.
    pub regions: Vec<String>,
    /// It is one of the guard's references.
    pub reference: bool,
    /// The last outcome.
    pub last: Option<LastView>,
}

/// The last outcome of a target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LastView {
    /// When.
    pub at: Moment,
    /// `pass`, `fail` or `inconclusive`.
    pub verdict: &'static str,
    /// Why.
    pub reason: String,
    /// What should be seen to.
    pub warning: Option<String>,
    /// Where its time went.
    pub phases: PhasesView,
}

/// How long the parts of a probe took, microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct PhasesView {
    /// Until the connection was open.
    pub connect_us: Option<u64>,
    /// From there until TLS was agreed on.
    pub tls_us: Option<u64>,
    /// From there until the first octet of an answer.
    pub first_byte_us: Option<u64>,
    /// All of it.
    pub total_us: u64,
}

/// A word of an operator, beside what would be without it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OverrideView {
    /// What it is about.
    pub target: String,
    /// What it says.
    pub action: Action,
    /// As a command says it.
    pub command: &'static str,
    /// Who said it.
    pub owner: String,
    /// And why.
    pub reason: String,
    /// When.
    pub since: Moment,
    /// When it ends.
    pub expires: Option<Moment>,
    /// The target is in the model; otherwise the word waits for it.
    pub known: bool,
    /// Endpoints that it covers.
    pub covers: usize,
    /// Those that are up by their checks.
    pub up: usize,
    /// When the last answer given before it has expired in every cache.
    pub cached_until: Moment,
}

/// The guard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GuardView {
    /// `quiet`, `suspects`, `holds` or `recovers`.
    pub phase: &'static str,
    /// Since when it suspects.
    pub since: Option<Moment>,
    /// When what is held is applied; `None`: not by the clock.
    pub until: Option<Moment>,
    /// Endpoints that it holds up.
    pub held: usize,
    /// Some of their keys.
    pub some: Vec<String>,
}
