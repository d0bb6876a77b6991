//! What the running server does for operators: the admin room's only way to it.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use serde::Serialize;

use crate::base::ids::RegionId;
use crate::base::moment::Moment;
use crate::control::{Command, Conditions, Control, Done, Event, Outlook, PlanChange, Pushed, Refusal};
use crate::journal::{Entry, Sample, Wanted};
use crate::latency::Survey;
use crate::metrics::Rates;
use crate::model::FeedMiss;
use crate::snapshot::{Snapshot, Steering};

/// What the running server does for operators.
pub trait Operations: Send + Sync + 'static {
    /// Whether queries are answered.
    fn readiness(&self) -> Readiness;

    /// Numbers about the server itself.
    fn facts(&self) -> Facts;

    /// All metrics in the text format of Prometheus.
    fn metrics(&self) -> Pin<Box<dyn Future<Output = String> + Send>>;

    /// What is answered at this time, a second.
    fn traffic(&self) -> Rates;

    /// Reads what has changed, as `owner` wants it, and returns when queries are answered from it. `None`: too many wait
    /// already, or the server ends.
    fn reload(&self, force: bool, owner: String) -> Pin<Box<dyn Future<Output = Option<ReloadOutcome>> + Send>>;

    /// Has `look` called with control and the snapshot in force. False: the server ends.
    fn look(&self, look: Look) -> bool;

    /// Has something done with the survey of the ways to regions. False: too much waits, or the server ends.
    fn survey(&self, task: SurveyTask) -> bool;

    /// Has an operator's word done, and returns when queries are answered by it.
    fn command(&self, command: Command, condition: Condition) -> Pin<Box<dyn Future<Output = Commanded> + Send>>;

    /// Takes readings that are pushed; what became of each, in their order. `None`: the server ends.
    fn push(&self, readings: Vec<Pushed>) -> Pin<Box<dyn Future<Output = Option<PushResults>> + Send>>;

    /// What would be planned with this steering, of the model in force. `None`: the server ends.
    fn foresee(
        &self,
        now: Moment,
        steering: Arc<Steering>,
        conditions: Conditions,
    ) -> Pin<Box<dyn Future<Output = Option<Arc<Outlook>>> + Send>>;

    /// What would be planned in the end, with this steering of the model in force, if regions had these loads, in
    /// thousandths. `None`: the server ends.
    fn suppose(
        &self,
        now: Moment,
        steering: Arc<Steering>,
        conditions: Conditions,
        loads: Vec<(RegionId, u64)>,
    ) -> Pin<Box<dyn Future<Output = Option<PlanChange>> + Send>>;

    /// The events wanted, the oldest first, at most `limit`: the first ones if a start is given, else the last ones. May
    /// wait for a disk.
    fn events(&self, wanted: &Wanted, limit: usize) -> Vec<Entry>;

    /// Puts an event into the journal.
    fn note(&self, event: Event);

    /// What time it is.
    fn now(&self) -> Moment;

    /// How regions stood from one moment to another, thinned. Waits for a disk.
    ///
    /// # Errors
    /// What the system says.
    fn history(&self, from: Moment, to: Moment) -> io::Result<Vec<Sample>>;
}

/// Under which condition a word is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// None.
    Always,
    /// What operators have said is still what one of these tags stands for ([`Control::words_tag`]).
    Unchanged(Vec<u64>),
}

impl Condition {
    /// Whether it holds.
    #[must_use]
    pub fn holds(&self, control: &Control) -> bool {
        match self {
            Self::Always => true,
            Self::Unchanged(tags) => tags.contains(&control.words_tag()),
        }
    }
}

/// What an operator's word came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Commanded {
    /// It is done, and queries are answered by it.
    Done {
        /// What was done.
        done: Done,
        /// The tag of what operators have said from here on.
        tag: u64,
    },
    /// Control refuses.
    Refused(Refusal),
    /// The condition does not hold: somebody else was faster.
    Overtaken,
    /// The server ends.
    Ended,
}

/// What became of the readings of a push, in their order.
pub type PushResults = Vec<Result<(), FeedMiss>>;

/// Looks at control and the snapshot in force; both are of one model.
pub type Look = Box<dyn FnOnce(&Control, &Arc<Snapshot>, Moment) + Send>;

/// Does something with the survey, at a moment.
pub type SurveyTask = Box<dyn FnOnce(&mut Survey, Moment) + Send>;

/// Whether queries are answered, and how well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Readiness {
    /// Sockets are bound, the first load is published, and the end of service has not begun.
    pub ready: bool,
    /// Zones that answer SERVFAIL.
    pub zones_failed: usize,
    /// Zones served from an earlier version.
    pub zones_stale: usize,
    /// What is steered is not what the region files say.
    pub model_stale: bool,
}

/// Numbers about the server itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Facts {
    /// Seconds since the start.
    pub uptime_s: f64,
    /// The published generation.
    pub generation: u64,
    /// Seconds since its publication.
    pub snapshot_age_s: f64,
    /// Zones with data.
    pub zones: usize,
    /// Records in them.
    pub records: usize,
    /// Loads that took everything, a part, nothing.
    pub reloads: [u64; 3],
    /// Seconds by which the latest probe was late.
    pub probe_lateness_s: f64,
    /// Packets without an answer since the start.
    pub drops: u64,
}

/// What a reload came to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReloadOutcome {
    /// `ok`, `partial` or `refused`.
    pub result: &'static str,
    /// The generation that has everything loaded; the running one if nothing was taken.
    pub generation: u64,
    /// Zones there are now, those that answer SERVFAIL included.
    pub zones: usize,
    /// Of these, zones that answer SERVFAIL.
    pub zones_failed: usize,
    /// Of these, zones served from an earlier version.
    pub zones_stale: usize,
    /// Zones that are new: how many.
    pub added: usize,
    /// Zones whose contents or state changed: how many.
    pub changed: usize,
    /// Zones that are gone: how many.
    pub removed: usize,
    /// Apexes of zones added, changed and removed, as far as there is room.
    pub touched: Vec<String>,
    /// Errors found: how many.
    pub errors: usize,
    /// Warnings found: how many.
    pub warnings: usize,
    /// Findings, one line each, as far as there is room; the log has all of them in full.
    pub findings: Vec<String>,
    /// Keys of the configuration that have changed and need a restart.
    pub needs_restart: Vec<String>,
    /// Milliseconds from the start of the load to its publication.
    pub duration_ms: u64,
}
