//! What is told of an answer: as JSON by the API, in words by the command.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::answer::ways::WayView;
use crate::policy::Reason;

/// What a client gets, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// The name and type asked for.
    pub question: String,
    /// The client's network as the query tells it.
    pub client: String,
    /// The resolver.
    pub resolver: String,
    /// The generation that answered.
    pub generation: u64,
    /// What was assumed beside the real state: `fra down`.
    pub assumed: Vec<String>,
    /// The response code.
    pub rcode: String,
    /// The answer section, one record a line.
    pub answers: Vec<String>,
    /// The scope of the answer in bits.
    pub scope: u8,
    /// What was decided of each steered name on the way; empty if nothing is steered.
    pub steps: Vec<Step>,
}

/// What was decided of one steered name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// The service.
    pub service: String,
    /// The service whose decision it takes over, if it follows one.
    pub follows: Option<String>,
    /// The type.
    pub rtype: String,
    /// The policy.
    pub policy: String,
    /// What the policy is, in words.
    pub mode: String,
    /// Where the client is, and what ranks regions for it; nothing if its place does not matter.
    pub place: Option<PlaceView>,
    /// All regions of the service, in the order in which this client prefers them.
    pub regions: Vec<RegionView>,
    /// What was answered: a region's key, `together`, `fallback`, `nodata` or `servfail`.
    pub chosen: String,
    /// Why, a word of [`Reason`].
    pub reason: String,
    /// Who is full, and where clients like this one go for it.
    #[serde(default)]
    pub spill: Option<String>,
    /// Seconds the answer may be kept.
    pub ttl: u32,
    /// Leading bits of the client subnet that decided.
    pub scope: u8,
    /// How an endpoint is picked: `fixed`, `turn`, `hash`, `draw`.
    pub pick: String,
    /// The endpoints of the region.
    pub endpoints: Vec<EndpointView>,
}

/// Where a client is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlaceView {
    /// The link of the location chain that located it: `client-subnet`, `resolver` or `nobody`.
    pub link: String,
    /// The address that was located.
    #[serde(default)]
    pub address: Option<IpAddr>,
    /// The place in words: `DE, 51.17 10.38`.
    pub place: String,
    /// Who said so.
    pub sources: Vec<String>,
    /// What ranks: an entry of the map, `distance`, or what is said of unknown clients.
    pub ranked_by: String,
    /// If the client may not leave the tiers of its entry.
    pub is_fenced: bool,
}

/// A region for one client.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RegionView {
    /// Its key.
    pub region: String,
    /// Its tier for this client, from 1; 0: a fence keeps the client out.
    pub tier: usize,
    /// Kilometers from the client, after bias.
    pub distance_km: Option<f64>,
    /// What is known of the way to it, where latency ranks.
    #[serde(default)]
    pub latency: Option<WayView>,
    /// Its state for the service, a word of [`crate::table::Why`].
    pub state: String,
    /// Its share of such clients, where several share.
    pub share: Option<f64>,
    /// What makes its share, where regions share by load or by the time of their servers: `load 400 of 1000`.
    #[serde(default)]
    pub weighed: Option<String>,
    /// What it carries, where somebody says so.
    #[serde(default)]
    pub load: Option<RegionLoad>,
}

/// What a region carries, in the unit of its load feed, or in answers a second.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RegionLoad {
    /// Its load.
    pub current: f64,
    /// Above it load goes elsewhere.
    pub target: Option<f64>,
    /// What it can carry.
    pub max: Option<f64>,
}

/// An endpoint of the chosen region.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EndpointView {
    /// Its key.
    pub endpoint: String,
    /// Health checks say it is up.
    pub up: bool,
    /// It may be answered.
    pub answerable: bool,
    /// Its share of the answers from there, where several share.
    #[serde(default)]
    pub share: Option<f64>,
    /// What its load makes of that share: `12 connections`. Whoever has control fills it in.
    #[serde(default)]
    pub load: Option<String>,
}

impl Explanation {
    /// Says what load makes of shares: of an endpoint by its key, of a region of a service by theirs.
    pub fn add_loads(
        &mut self,
        of_endpoint: impl Fn(&str) -> Option<String>,
        of_region: impl Fn(&str, &str) -> Option<String>,
    ) {
        for step in &mut self.steps {
            step.endpoints.iter_mut().for_each(|view| view.load = of_endpoint(&view.endpoint));
            let decider = step.follows.as_ref().unwrap_or(&step.service);
            step.regions.iter_mut().for_each(|view| view.weighed = of_region(decider, &view.region));
        }
    }

    /// True if everything is down for some name on the way.
    #[must_use]
    pub fn is_all_down(&self) -> bool {
        self.steps.iter().any(|step| step.reason == Reason::AllDown.as_str())
    }
}
