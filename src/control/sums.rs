//! The load of a region: what its feed says, or what those of its endpoints come to.
//!
//! ```text
//! the region has a feed       its load; capacity as the feed says, else as the file says
//! its endpoints have feeds    their sum; capacity as the file says, else the sum of what they say
//! neither                     estimated by our own answers; capacity as the file says
//! ```
//! In a sum, an endpoint that is lost counts as the others do on average if it is up, and not at all if it is down:
//! a server that died carries nothing. The sum is as good as the half of its endpoints is.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Serialize;

use crate::base::ids::{EndpointId, RegionId};
use crate::base::moment::Moment;
use crate::model::{Capacity, Checked, Feed, FeedWay, LoadFeed, METRIC_LOAD, METRIC_MAX, METRIC_TARGET, Model};

use super::hub::Control;
use super::loads::{Fed, Loads, Phase, Source};

/// What is known of the load of a region, in thousandths of the unit of its feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reported {
    /// As good as new.
    Fresh(u64),
    /// The last value; the next is overdue. Shares stay as they are.
    Held(u64),
    /// Nobody says: our own answers are all there is to go by.
    Estimated,
}

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

/// A sum over the feeds of a region's endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sum {
    reported: Reported,
    /// The oldest reading in it.
    at: Option<Moment>,
}

impl Control {
    /// What is known of the load of a region.
    #[must_use]
    pub fn load_of(&self, region: RegionId, now: Moment) -> Reported {
        match self.own_feed(region) {
            Some(fed) => {
                let load = fed.trusted(now).and_then(|heard| heard.metrics.get(METRIC_LOAD));
                match (fed.phase(now), load) {
                    (Phase::Fresh, Some(load)) => Reported::Fresh(load),
                    (Phase::Held, Some(load)) => Reported::Held(load),
                    _ => Reported::Estimated,
                }
            }
            None => self.sum(region, METRIC_LOAD, now).map_or(Reported::Estimated, |sum| sum.reported),
        }
    }

    /// Target and max of a region, in thousandths of the unit of its feed; `None`: it takes as much as comes.
    #[must_use]
    pub fn capacity_of(&self, region: RegionId, now: Moment) -> Option<(u64, u64)> {
        let file = self.file_capacity(region);
        let (target, max) = match self.own_feed(region) {
            Some(fed) => {
                let said = |metric| fed.trusted(now).and_then(|heard| heard.metrics.get(metric));
                (said(METRIC_TARGET), said(METRIC_MAX))
            }
            None if file.is_none() => {
                let sum = |metric| match self.sum(region, metric, now)?.reported {
                    Reported::Fresh(sum) | Reported::Held(sum) => Some(sum),
                    Reported::Estimated => None,
                };
                (sum(METRIC_TARGET), sum(METRIC_MAX))
            }
            None => (None, None),
        };
        let max = max.or(file.map(|(_, max)| max))?;
        // Of a max that the feed says, the target of the file is no part.
        let own = file.filter(|(_, of_file)| *of_file == max).map(|(target, _)| target);
        let target = target.or(own).unwrap_or_else(|| usual_target(max));
        Some((target.min(max), max))
    }

    /// What the region file says of target and max, in thousandths.
    pub(super) fn file_capacity(&self, region: RegionId) -> Option<(u64, u64)> {
        match self.model.regions.get(region.index())?.capacity {
            Capacity::Unlimited => None,
            Capacity::Limited { target, max } => Some((target.saturating_mul(1_000), max.saturating_mul(1_000))),
        }
    }

    /// The load of a region, for people.
    #[must_use]
    pub fn load_view(&self, region: RegionId, now: Moment) -> LoadView {
        let number = |thousandths: u64| thousandths as f64 / 1_000.0;
        let reported = self.load_of(region, now);
        let (state, current) = match reported {
            Reported::Fresh(load) => ("fresh", Some(load)),
            Reported::Held(load) => ("held", Some(load)),
            Reported::Estimated => ("estimated", None),
        };
        let (source, at, error) = match self.own_feed(region) {
            Some(fed) => {
                let error = fed.miss.as_ref().map(|miss| format!("{}: {}", miss.kind.as_str(), miss.reason));
                (fed.feed.way.as_str(), fed.heard.as_ref().map(|heard| heard.at), error)
            }
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

    fn own_feed(&self, region: RegionId) -> Option<&Fed> {
        let key = Arc::clone(&self.model.regions.get(region.index())?.key);
        self.loads.sources.get(&Source::Region(key))
    }

    /// The sum of a metric over the endpoints of a region; `None` if none of them has it.
    fn sum(&self, region: RegionId, metric: &str, now: Moment) -> Option<Sum> {
        let sources = self.loads.sums.get(region.index())?;
        let (mut sum, mut known, mut fresh, mut counted) = (0_u64, 0_u64, 0_u64, 0_u64);
        let mut at: Option<Moment> = None;
        for fed in sources.iter().filter_map(|source| self.loads.sources.get(source)) {
            match fed.trusted(now) {
                Some(heard) => {
                    // What is pushed may have other metrics alone.
                    let Some(value) = heard.metrics.get(metric) else { continue };
                    (sum, known, counted) = (sum.saturating_add(value), known + 1, counted + 1);
                    fresh += u64::from(fed.phase(now) == Phase::Fresh);
                    at = Some(at.map_or(heard.at, |at| at.min(heard.at)));
                }
                None => {
                    let is_up = |id: EndpointId| self.states.up.get(id.index()) == Some(&true);
                    counted += u64::from(fed.endpoint.is_some_and(is_up) && fed.feed.tells(metric));
                }
            }
        }
        if counted == 0 {
            return None;
        }
        let reported = if known * 2 < counted || known == 0 {
            Reported::Estimated
        } else {
            let whole = u128::from(sum) * u128::from(counted) / u128::from(known);
            let whole = u64::try_from(whole).unwrap_or(u64::MAX);
            if fresh * 2 >= counted { Reported::Fresh(whole) } else { Reported::Held(whole) }
        };
        Some(Sum { reported, at })
    }
}

/// What a target is when nobody says: a fifth is kept for what no plan foresees.
const fn usual_target(max: u64) -> u64 {
    max / 5 * 4 + max % 5 * 4 / 5
}

impl Loads {
    /// The sources of a model, of which nothing is known yet.
    pub(super) fn of(model: &Model, now: Moment) -> Self {
        let mut sources = BTreeMap::new();
        for (id, region) in (0..).map(RegionId).zip(&model.regions) {
            if let LoadFeed::Feed(feed) = &region.load {
                sources.insert(Source::Region(Arc::clone(&region.key)), Fed::new(Arc::clone(feed), id, None, now));
            }
        }
        let mut sums = vec![Vec::new(); model.regions.len()];
        let mut counted: BTreeSet<(RegionId, Identity<'_>)> = BTreeSet::new();
        for (id, endpoint) in (0..).map(EndpointId).zip(&model.endpoints) {
            let LoadFeed::Feed(feed) = &endpoint.load else { continue };
            let source = Source::Endpoint(Arc::clone(&endpoint.key));
            sources.insert(source.clone(), Fed::new(Arc::clone(feed), endpoint.region, Some(id), now));
            let has_own = model.regions.get(endpoint.region.index()).is_some_and(|region| region.load.feed().is_some());
            let is_counted = !has_own
                && endpoint.enabled
                && feed.tells(METRIC_LOAD)
                && counted.insert((endpoint.region, Identity::of(feed, &endpoint.key, endpoint.checked)));
            if is_counted && let Some(sum) = sums.get_mut(endpoint.region.index()) {
                sum.push(source);
            }
        }
        Self { sources, sums, ..Self::default() }
    }
}

/// What makes the load of two endpoints one load: services may share servers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Identity<'m> {
    Asked(&'m FeedWay, Option<&'m crate::model::Place>),
    Checked(&'m FeedWay, Option<&'m crate::model::Place>, std::net::IpAddr),
    Own(&'m str),
}

impl<'m> Identity<'m> {
    fn of(feed: &'m Feed, key: &'m str, checked: Checked) -> Self {
        let place = feed.picks.iter().find(|pick| &*pick.metric == METRIC_LOAD).map(|pick| &pick.place);
        match (&feed.way, checked) {
            (FeedWay::Pull { .. } | FeedWay::Agent { .. }, _) => Self::Asked(&feed.way, place),
            (FeedWay::Check(_), Checked::Address(address)) => Self::Checked(&feed.way, place, address),
            (FeedWay::Check(_), Checked::Nothing) | (FeedWay::Push, _) => Self::Own(key),
        }
    }
}
