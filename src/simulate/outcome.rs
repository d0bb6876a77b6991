//! What came out, for programs: `meridian simulate --json` prints it as it is, and fields are only ever added.

use serde::Serialize;

/// All that came out of a scenario.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Outcome {
    /// The version of this form.
    pub version: u32,
    /// The configuration.
    pub configuration: String,
    /// Where the demand is from.
    pub demand: String,
    /// Answers a second, all together, at the beginning.
    pub total: f64,
    /// Answers a second of clients that nobody can locate.
    pub unlocated: f64,
    /// What was taken for granted.
    pub assumed: Vec<String>,
    /// How everything stood before anything happened, and after each event.
    pub stages: Vec<Stage>,
    /// What each event led to.
    pub segments: Vec<Segment>,
    /// Loads over time.
    pub timeline: Timeline,
    /// What the server would have told, with seconds after the beginning.
    pub told: Vec<(i64, String)>,
}

/// How everything stands at a moment.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Stage {
    /// Seconds after the beginning; -1: before it.
    pub at_s: i64,
    /// In words.
    pub what: String,
    /// Answers a second.
    pub demand: f64,
    /// Answers a second that go nowhere.
    pub unserved: f64,
    /// Kilometers from a client to its region, on average over answers.
    pub mean_km: f64,
    /// Kilometers that those go further who are not answered with their own region, on average.
    pub extra_km: f64,
    /// How the plan was found: `none`, `home`, `optimal` or `waterfall`.
    pub method: &'static str,
    /// By key.
    pub regions: Vec<RegionRow>,
    /// The most demand first.
    pub countries: Vec<CountryRow>,
    /// Whose clients the plan sends elsewhere, the most first.
    pub spills: Vec<SpillRow>,
    /// Answers a second by group and region, for moves from one stage to the next.
    #[serde(skip)]
    pub(super) flows: Vec<Flow>,
}

/// Where a group goes: answers a second to each region, and nowhere; and how far that is.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Flow {
    pub(super) parts: Vec<f64>,
    pub(super) km: Vec<f64>,
}

/// A region at a moment. Loads are in the unit of its feed, else in answers a second.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RegionRow {
    /// Its key.
    pub region: String,
    /// `up`, `lost`, `drained` or `down`.
    pub state: &'static str,
    /// Answers a second of clients that follow it.
    pub answers: f64,
    /// The part of all demand, 0 to 1.
    pub share: f64,
    /// What that is in load.
    pub load: f64,
    /// What it should carry.
    pub target: Option<f64>,
    /// What it can carry.
    pub max: Option<f64>,
    /// What it may be filled to.
    pub level: Option<f64>,
    /// Its load as a part of its max.
    pub utilization: Option<f64>,
}

/// A country, a network or the unknown, as the profile has them.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CountryRow {
    /// Where clients are.
    pub origin: String,
    /// Answers a second.
    pub demand: f64,
    /// Regions with their shares, the largest first; less than 1 if some go nowhere.
    pub regions: Vec<(String, f64)>,
}

/// Clients of one region that go to another.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SpillRow {
    /// Whose they are, or where they were.
    pub from: String,
    /// Where they go.
    pub to: String,
    /// Answers a second.
    pub demand: f64,
    /// The part of all clients of `from`, 0 to 1.
    pub part: f64,
    /// Kilometers that it is further, on average.
    pub extra_km: f64,
}

/// What an event led to, until the next one.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Segment {
    /// What happened, in words.
    pub events: Vec<String>,
    /// When.
    pub at_s: u32,
    /// When the next event came, or the end.
    pub until_s: u32,
    /// Seconds until every load stayed within 5 % of what it came to; `None`: it was still moving.
    pub settled_s: Option<u32>,
    /// Answers that went nowhere or to a lost region, all together.
    pub unserved: f64,
    /// Seconds until nobody was sent to a lost region any more; `None`: somebody was to the end.
    pub unserved_s: Option<u32>,
    /// Clients that changed their region from the stage before to the stage after, the most first.
    pub moves: Vec<SpillRow>,
    /// By region.
    pub regions: Vec<Course>,
}

/// What a region went through.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Course {
    /// Its key.
    pub region: String,
    /// Its highest load, and how many seconds after the event that was.
    pub peak: f64,
    /// When.
    pub peak_s: u32,
    /// The same as a part of its max.
    pub peak_utilization: Option<f64>,
    /// Seconds above its max.
    pub over_max_s: u32,
}

/// Loads over time.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Timeline {
    /// Seconds after the beginning.
    pub seconds: Vec<i64>,
    /// By region: key, load, target and max at each of these seconds.
    pub regions: Vec<RegionLine>,
    /// Answers a second that went nowhere.
    pub unserved: Vec<f64>,
}

/// A region over time.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct RegionLine {
    /// Its key.
    pub region: String,
    /// Its loads.
    pub load: Vec<f64>,
    /// Its targets.
    pub target: Vec<Option<f64>>,
    /// Its maxima.
    pub max: Vec<Option<f64>>,
}
