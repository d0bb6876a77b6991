//! What load feeds say of regions and endpoints, for people.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use crate::base::ids::{EndpointId, RegionId};
use crate::base::moment::Moment;
use crate::model::METRIC_LOAD;
use crate::plan::Reported;

use super::hub::Control;
use super::loads::{Fed, Phase, Source};

/// The load of a region, for people.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LoadView {
    /// `fresh`, `held` or `estimated`.
    pub state: &'static str,
    /// Who says so: `pull`, `agent`, `push` or `check`; `endpoints`: their sum; `answers`: our own answers alone.
    pub source: &'static str,
    /// The load; `None`: nobody says.
    pub current: Option<f64>,
    /// Above it load is to go elsewhere.
    pub target: Option<f64>,
    /// What the region can carry.
    pub max: Option<f64>,
    /// When the load was so.
    pub at: Option<Moment>,
    /// Seconds since then.
    pub age_s: Option<f64>,
    /// Why there is nothing newer.
    pub error: Option<String>,
}

impl LoadView {
    /// The words of `state`.
    pub const STATES: [&'static str; 3] = ["fresh", "held", "estimated"];
}

/// What the feed of an endpoint says.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FedView {
    /// `fresh`, `held` or `estimated`.
    pub state: &'static str,
    /// `pull`, `agent`, `push` or `check`.
    pub source: &'static str,
    /// Its last numbers by name, as far as they are trusted.
    pub metrics: BTreeMap<String, f64>,
    /// When it was so.
    pub at: Option<Moment>,
    /// Why there is nothing newer.
    pub error: Option<String>,
}

impl Control {
    /// The load of a region, for people.
    #[must_use]
    pub fn load_view(&self, region: RegionId, now: Moment) -> LoadView {
        let reported = self.load_of(region, now);
        let (state, current) = match reported {
            Reported::Fresh(load, _) => ("fresh", Some(load)),
            Reported::Held(load) => ("held", Some(load)),
            Reported::Silent | Reported::Estimated => ("estimated", None),
        };
        let (source, at, error) = match self.own_feed(region) {
            Some(fed) => (fed.feed.way.as_str(), fed.heard.as_ref().map(|heard| heard.at), error(fed)),
            None => match self.sum(region, METRIC_LOAD, now) {
                Some(sum) => ("endpoints", sum.at, None),
                None => ("answers", None, None),
            },
        };
        let capacity = self.capacity_of(region, now);
        LoadView {
            state,
            source,
            current: current.map(number),
            target: capacity.map(|(target, _)| number(target)),
            max: capacity.map(|(_, max)| number(max)),
            at,
            age_s: at.map(|at| now.since(at).as_secs_f64()),
            error,
        }
    }

    /// What the feed of an endpoint says; `None`: it has none.
    pub(super) fn fed_view(&self, id: EndpointId) -> Option<FedView> {
        let key = Arc::clone(&self.model.endpoints.get(id.index())?.key);
        let fed = self.loads.sources.get(&Source::Endpoint(key))?;
        let reading = self.endpoint_reading(id);
        let metrics = reading.into_iter().flat_map(|reading| reading.metrics.iter());
        Some(FedView {
            state: match fed.told() {
                Phase::Fresh => "fresh",
                Phase::Held => "held",
                Phase::Waiting | Phase::Lost => "estimated",
            },
            source: fed.feed.way.as_str(),
            metrics: metrics.map(|(name, value)| (name.to_owned(), number(value))).collect(),
            at: fed.heard.as_ref().map(|heard| heard.at),
            error: error(fed),
        })
    }
}

fn error(fed: &Fed) -> Option<String> {
    fed.miss.as_ref().map(|miss| format!("{}: {}", miss.kind.as_str(), miss.reason))
}

fn number(thousandths: u64) -> f64 {
    thousandths as f64 / 1_000.0
}
