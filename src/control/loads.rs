//! What load feeds say: the last reading of each source, how far it can still be trusted, and what is refused.
//!
//! ```text
//! waiting ─reading→ fresh ─2 × every→ held ─max_age→ lost ─reading→ fresh
//!    └──────────────── max_age without any ──────────┘
//! ```
//! Each turn is told once. A source that is silent never counts as one without load: while it is held, its last value
//! stands; once it is lost, whoever plans goes by our own answers. Readings are kept by text keys, so they survive reloads.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::base::ids::{EndpointId, RegionId};
use crate::base::limits::{FEED_FUTURE_MS, FEED_OVER_MAX, FEED_VALUE_MAX};
use crate::base::moment::Moment;
use crate::base::units::format_duration;
use crate::health::Observation;
use crate::model::{
    Feed, FeedError, FeedMiss, FeedWay, METRIC_CONNECTIONS, METRIC_LOAD, METRIC_MAX, METRIC_TARGET, Metrics,
};

use super::event::{Effects, Event, EventKind};
use super::hub::Control;
use super::step::Step;

/// What one source said about a region or an endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// About what.
    pub source: Source,
    /// Its numbers; that of a region has a load.
    pub metrics: Metrics,
    /// When it was so.
    pub at: Moment,
}

/// What a reading is about, by its text key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// A region.
    Region(Arc<str>),
    /// An endpoint: `service/region/address`.
    Endpoint(Arc<str>),
}

impl Source {
    /// The key.
    #[must_use]
    pub const fn key(&self) -> &Arc<str> {
        match self {
            Self::Region(key) | Self::Endpoint(key) => key,
        }
    }
}

/// A reading that somebody tells unasked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// About what.
    pub source: Source,
    /// Its numbers, or why they are none.
    pub metrics: Result<Metrics, FeedMiss>,
    /// When it was so; `None`: now.
    pub at: Option<Moment>,
}

/// A feed that is to be asked, and whom its readings are about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedTarget {
    /// About what.
    pub source: Source,
    /// How.
    pub feed: Arc<Feed>,
}

/// The last reading of an endpoint that can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndpointReading<'c> {
    /// Its numbers.
    pub metrics: &'c Metrics,
    /// When it was so.
    pub at: Moment,
    /// When its load (without one, its connections) last rose; `None`: not since it is known.
    pub rose: Option<Moment>,
}

/// How far a reading can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    /// Nothing was heard yet, and it is too early to wonder.
    Waiting,
    /// It is as good as new.
    Fresh,
    /// A reading is overdue, and the last one is still trusted.
    Held,
    /// The last one is too old, or there was none.
    Lost,
}

/// A source and what is known from it.
#[derive(Clone, Debug)]
pub(super) struct Fed {
    pub(super) feed: Arc<Feed>,
    /// The region it is, or is in.
    pub(super) region: RegionId,
    /// The endpoint it is.
    pub(super) endpoint: Option<EndpointId>,
    pub(super) heard: Option<Heard>,
    /// What was told last.
    phase: Phase,
    /// Since when it is waited for.
    since: Moment,
    /// Why its last reading was not taken or did not come, since the last one that was taken.
    pub(super) miss: Option<FeedMiss>,
    /// That a reading was refused was told, and none was taken since.
    is_refusing: bool,
    /// When it is on the agenda.
    planned: Option<Moment>,
}

/// A reading that was taken.
#[derive(Clone, Debug)]
pub(super) struct Heard {
    pub(super) metrics: Metrics,
    pub(super) at: Moment,
    pub(super) rose: Option<Moment>,
}

/// All sources of a model.
#[derive(Clone, Debug, Default)]
pub(super) struct Loads {
    pub(super) sources: BTreeMap<Source, Fed>,
    /// By region: the endpoints whose load makes up that of the region, each feed once.
    pub(super) sums: Vec<Vec<Source>>,
    /// When something may be overdue.
    pub(super) agenda: BTreeSet<(Moment, Source)>,
    /// Readings that did not come or were not taken, by [`FeedError`].
    pub(super) errors: [u64; FeedError::ALL.len()],
}

impl Loads {
    /// Sources that are fresh, held, and of which nothing is known.
    pub(super) fn counts(&self, now: Moment) -> [usize; 3] {
        let mut counts = [0; 3];
        for fed in self.sources.values() {
            let at = match fed.phase(now) {
                Phase::Fresh => 0,
                Phase::Held => 1,
                Phase::Waiting | Phase::Lost => 2,
            };
            counts[at] += 1;
        }
        counts
    }
}

impl Fed {
    /// A source of which nothing is known.
    pub(super) fn new(feed: Arc<Feed>, region: RegionId, endpoint: Option<EndpointId>, since: Moment) -> Self {
        let (heard, phase) = (None, Phase::Waiting);
        Self { feed, region, endpoint, heard, phase, since, miss: None, is_refusing: false, planned: None }
    }

    /// What the source knew under an earlier model, as far as it means the same.
    pub(super) fn carry(&mut self, old: Self) {
        if self.feed.means_the_same(&old.feed) {
            let Self { heard, phase, since, miss, is_refusing, .. } = old;
            (self.heard, self.phase, self.since) = (heard, phase, since);
            (self.miss, self.is_refusing) = (miss, is_refusing);
        }
    }

    /// How far its last reading could be trusted when it was looked at last.
    pub(super) const fn told(&self) -> Phase {
        self.phase
    }

    /// How far its last reading can be trusted at a moment.
    pub(super) fn phase(&self, now: Moment) -> Phase {
        match &self.heard {
            None if now.since(self.since) < self.feed.max_age => Phase::Waiting,
            None => Phase::Lost,
            Some(heard) if now.since(heard.at) < self.feed.fresh_for() => Phase::Fresh,
            Some(heard) if now.since(heard.at) < self.feed.max_age => Phase::Held,
            Some(_) => Phase::Lost,
        }
    }

    /// When that changes without a reading.
    fn turns(&self, now: Moment) -> Option<Moment> {
        let heard = self.heard.as_ref().map_or(self.since, |heard| heard.at);
        match self.phase(now) {
            Phase::Fresh => Some(heard.after(self.feed.fresh_for())),
            Phase::Waiting | Phase::Held => Some(heard.after(self.feed.max_age)),
            Phase::Lost => None,
        }
    }

    /// The last reading, if it can be trusted.
    pub(super) fn trusted(&self, now: Moment) -> Option<&Heard> {
        self.heard.as_ref().filter(|_| matches!(self.phase(now), Phase::Fresh | Phase::Held))
    }

    /// Takes a reading that was found good.
    fn take(&mut self, metrics: Metrics, at: Moment) {
        let busy = |metrics: &Metrics| metrics.get(METRIC_LOAD).or_else(|| metrics.get(METRIC_CONNECTIONS));
        let before = self.heard.as_ref();
        let has_risen = before.is_some_and(|before| busy(&metrics) > busy(&before.metrics));
        let rose = if has_risen { Some(at) } else { before.and_then(|before| before.rose) };
        self.heard = Some(Heard { metrics, at, rose });
        (self.miss, self.is_refusing) = (None, false);
    }
}

impl Control {
    /// What is fed and has to be asked for it, by source.
    #[must_use]
    pub fn feeds(&self) -> Vec<FeedTarget> {
        let is_asked = |feed: &Feed| matches!(feed.way, FeedWay::Pull { .. } | FeedWay::Agent { .. });
        let asked = self.loads.sources.iter().filter(|(_, fed)| is_asked(&fed.feed));
        asked.map(|(source, fed)| FeedTarget { source: source.clone(), feed: Arc::clone(&fed.feed) }).collect()
    }

    /// Takes readings of feeds that were asked; those that cannot be are events, and counted.
    pub fn report(&mut self, now: Moment, readings: Vec<Reading>) -> Effects {
        let mut step = Step::new(now);
        for reading in readings {
            // What is refused is told and counted.
            let _ = self.take_reading(reading, false, &mut step);
        }
        step.finish()
    }

    /// Takes readings that somebody tells unasked; in their order, what became of each.
    pub fn push(&mut self, now: Moment, readings: Vec<Pushed>) -> (Vec<Result<(), FeedMiss>>, Effects) {
        let mut step = Step::new(now);
        let mut take = |Pushed { source, metrics, at }: Pushed| match metrics {
            Ok(metrics) => self.take_reading(Reading { source, metrics, at: at.unwrap_or(now) }, true, &mut step),
            Err(miss) => {
                self.refuse(&source, miss.clone(), &mut step);
                Err(miss)
            }
        };
        let taken = readings.into_iter().map(&mut take).collect();
        (taken, step.finish())
    }

    /// Takes the numbers that stand in the answer to a health check.
    pub(super) fn feed_from(&mut self, number: u32, outcome: &Observation, step: &mut Step) {
        let Some(target) = self.targets.get(number).filter(|_| !outcome.fed.is_empty()) else { return };
        let (feeds, wants) = (target.feeds.clone(), Arc::clone(&target.wants));
        for (source, feed) in feeds {
            let numbers = feed.picks.iter().map(|pick| {
                let found = wants.binary_search(&pick.place).ok().and_then(|at| outcome.fed.get(at).cloned());
                let nothing = || Err(FeedMiss::new(FeedError::Missing, "the answer does not have it"));
                Ok((Arc::clone(&pick.metric), found.unwrap_or_else(nothing)?))
            });
            match numbers.collect::<Result<Metrics, FeedMiss>>() {
                // What is refused is told and counted.
                Ok(metrics) => drop(self.take_reading(Reading { source, metrics, at: step.now }, false, step)),
                Err(miss) => self.refuse(&source, miss, step),
            }
        }
    }

    /// No reading came of asking, or none that could be read.
    pub fn miss(&mut self, now: Moment, sources: &[Source], miss: &FeedMiss) -> Effects {
        let mut step = Step::new(now);
        for source in sources {
            self.refuse(source, miss.clone(), &mut step);
        }
        step.finish()
    }

    /// The last reading of an endpoint, while it can be trusted.
    #[must_use]
    pub fn endpoint_reading(&self, id: EndpointId) -> Option<EndpointReading<'_>> {
        let key = Arc::clone(&self.model.endpoints.get(id.index())?.key);
        let fed = self.loads.sources.get(&Source::Endpoint(key))?;
        let heard = fed.heard.as_ref().filter(|_| matches!(fed.phase, Phase::Fresh | Phase::Held))?;
        Some(EndpointReading { metrics: &heard.metrics, at: heard.at, rose: heard.rose })
    }

    /// The numbers of that reading.
    #[must_use]
    pub fn endpoint_metrics(&self, id: EndpointId) -> Option<&Metrics> {
        self.endpoint_reading(id).map(|reading| reading.metrics)
    }

    /// When a source may next be overdue.
    pub(super) fn feed_deadline(&self) -> Option<Moment> {
        self.loads.agenda.first().map(|(at, _)| *at)
    }

    /// Sees to the sources that may be overdue.
    pub(super) fn feeds_overdue(&mut self, step: &mut Step) {
        while let Some((at, _)) = self.loads.agenda.first()
            && *at <= step.now
            && let Some((_, source)) = self.loads.agenda.pop_first()
        {
            self.loads.sources.get_mut(&source).into_iter().for_each(|fed| fed.planned = None);
            self.follow_source(&source, step);
        }
    }

    /// Puts the sources of another model in place of those before, which say what they knew.
    pub(super) fn change_feeds(&mut self, mut next: Loads, step: &mut Step) {
        let mut old = std::mem::take(&mut self.loads);
        for (source, fed) in &mut next.sources {
            if let Some(before) = old.sources.remove(source) {
                fed.carry(before);
            }
        }
        next.errors = old.errors;
        let sources: Vec<Source> = next.sources.keys().cloned().collect();
        self.loads = next;
        for source in sources {
            self.follow_source(&source, step);
        }
    }

    fn take_reading(&mut self, reading: Reading, is_pushed: bool, step: &mut Step) -> Result<(), FeedMiss> {
        let Reading { source, metrics, at } = reading;
        let judged = self.judge_reading(&source, &metrics, at, is_pushed, step.now);
        if let Err(miss) = judged {
            self.refuse(&source, miss.clone(), step);
            return Err(miss);
        }
        if let Some(fed) = self.loads.sources.get_mut(&source) {
            // Clocks differ a little.
            fed.take(metrics, at.min(step.now));
        }
        self.follow_source(&source, step);
        Ok(())
    }

    /// Whether a reading can be meant.
    fn judge_reading(
        &self,
        source: &Source,
        metrics: &Metrics,
        at: Moment,
        is_pushed: bool,
        now: Moment,
    ) -> Result<(), FeedMiss> {
        let refuse = |kind, reason: String| Err(FeedMiss::new(kind, reason));
        let Some(fed) = self.loads.sources.get(source) else {
            return refuse(FeedError::Unknown, format!("`{}` has no load feed", source.key()));
        };
        if is_pushed && fed.feed.way != FeedWay::Push {
            return refuse(FeedError::Unknown, format!("the load feed of `{}` is not pushed", source.key()));
        }
        if at.0 > now.0.saturating_add(FEED_FUTURE_MS) {
            return refuse(FeedError::Future, format!("it is {} in the future", roughly(at.since(now))));
        }
        if fed.heard.as_ref().is_some_and(|heard| at < heard.at) {
            return refuse(FeedError::Old, "a newer one is known".to_owned());
        }
        if now.since(at) >= fed.feed.max_age {
            return refuse(FeedError::Old, format!("it is {} old", roughly(now.since(at))));
        }
        if metrics.is_empty() || matches!(source, Source::Region(_)) && metrics.get(METRIC_LOAD).is_none() {
            return refuse(FeedError::Missing, "it has no load".to_owned());
        }
        if let Some((name, _)) = metrics.iter().find(|(_, value)| *value > FEED_VALUE_MAX) {
            return refuse(FeedError::Number, format!("`{name}` is larger than anything"));
        }
        let own = match source {
            Source::Region(_) => self.file_capacity(fed.region),
            Source::Endpoint(_) => None,
        };
        let max = metrics.get(METRIC_MAX).or(own.map(|(_, max)| max));
        if let (Some(target), Some(max)) = (metrics.get(METRIC_TARGET), max)
            && target > max
        {
            return refuse(FeedError::Contradictory, format!("target {} is above max {}", show(target), show(max)));
        }
        if let (Some(load), Some(max @ 1..)) = (metrics.get(METRIC_LOAD), max)
            && load / FEED_OVER_MAX > max
        {
            return refuse(FeedError::Absurd, format!("load {} with a max of {}", show(load), show(max)));
        }
        Ok(())
    }

    /// Counts what was not taken, and tells the first of a row that cannot be meant.
    fn refuse(&mut self, source: &Source, miss: FeedMiss, step: &mut Step) {
        if let Some(count) = self.loads.errors.get_mut(miss.kind as usize) {
            *count = count.saturating_add(1);
        }
        // What a stranger says is not the feed's doing.
        let is_own = miss.kind != FeedError::Unknown;
        let Some(fed) = self.loads.sources.get_mut(source).filter(|_| is_own) else { return };
        let is_told = !miss.kind.is_refusal() || std::mem::replace(&mut fed.is_refusing, true);
        let cause = format!("{}: {}", miss.kind.as_str(), miss.reason);
        fed.miss = Some(miss);
        if !is_told {
            self.tell_feed(source, EventKind::FeedRefused, cause, None, step);
        }
    }

    /// Tells what has changed about a source, and puts the next moment on the agenda.
    fn follow_source(&mut self, source: &Source, step: &mut Step) {
        let Some(fed) = self.loads.sources.get_mut(source) else { return };
        let (phase, region, endpoint) = (fed.phase(step.now), fed.region, fed.endpoint);
        self.heard_of(region, endpoint, step.now);
        let Some(fed) = self.loads.sources.get_mut(source) else { return };
        let before = std::mem::replace(&mut fed.phase, phase);
        if let Some(at) = fed.turns(step.now).filter(|at| fed.planned.is_none_or(|planned| *at < planned)) {
            // A reading that comes before makes it later: then it is looked at in vain, and put on again.
            if let Some(before) = fed.planned.replace(at) {
                self.loads.agenda.remove(&(before, source.clone()));
            }
            self.loads.agenda.insert((at, source.clone()));
        }
        let kind = match (before, phase) {
            (Phase::Waiting, Phase::Waiting | Phase::Fresh)
            | (Phase::Fresh, Phase::Fresh | Phase::Waiting)
            | (Phase::Held, Phase::Held | Phase::Waiting)
            | (Phase::Lost, Phase::Lost | Phase::Waiting) => return,
            (_, Phase::Held) => EventKind::FeedStale,
            (_, Phase::Lost) => EventKind::FeedLost,
            (Phase::Held | Phase::Lost, Phase::Fresh) => EventKind::FeedBack,
        };
        let heard = fed.heard.as_ref().map(|heard| heard.at);
        let until = heard.filter(|_| phase == Phase::Held).map(|at| at.after(fed.feed.max_age));
        let mut cause = match heard {
            _ if kind == EventKind::FeedBack => String::new(),
            Some(at) => format!("nothing for {}", roughly(step.now.since(at))),
            None => "nothing was ever heard".to_owned(),
        };
        if let Some(miss) = fed.miss.as_ref().filter(|_| kind != EventKind::FeedBack) {
            cause.push_str(&format!(" ({}: {})", miss.kind.as_str(), miss.reason));
        }
        self.tell_feed(source, kind, cause, until, step);
    }

    fn tell_feed(&self, source: &Source, kind: EventKind, cause: String, until: Option<Moment>, step: &mut Step) {
        let Some(fed) = self.loads.sources.get(source) else { return };
        step.tell_one_of(kind, Some(fed.region), 0, |at| {
            let mut event = Event::new(at, kind, cause);
            event.region = Some(self.region_key(fed.region));
            if let Source::Endpoint(key) = source {
                event.endpoint = Some(key.to_string());
                event.service = key.split('/').next().map(str::to_owned);
            }
            event.until = until;
            event
        });
    }
}

/// A duration for people: above a second, they count seconds.
fn roughly(duration: Duration) -> String {
    let seconds = Duration::from_secs(duration.as_secs());
    format_duration(if seconds.is_zero() { duration } else { seconds })
}

/// A number of thousandths, for people.
pub(super) fn show(thousandths: u64) -> String {
    (thousandths as f64 / 1_000.0).to_string()
}
