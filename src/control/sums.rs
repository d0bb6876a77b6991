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

use crate::base::ids::{EndpointId, RegionId};
use crate::base::moment::Moment;
use crate::model::{Capacity, Checked, Feed, FeedWay, LoadFeed, METRIC_LOAD, METRIC_MAX, METRIC_TARGET, Model};
use crate::plan::Reported;

use super::hub::Control;
use super::loads::{Fed, Loads, Phase, Source};

/// A sum over the feeds of a region's endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sum {
    pub(super) reported: Reported,
    /// The oldest reading in it.
    pub(super) at: Option<Moment>,
}

impl Control {
    /// What is known of the load of a region, in thousandths of the unit of its feed.
    #[must_use]
    pub fn load_of(&self, region: RegionId, now: Moment) -> Reported {
        match self.own_feed(region) {
            Some(fed) => {
                let load = fed.trusted(now).and_then(|heard| heard.metrics.get(METRIC_LOAD));
                match (fed.phase(now), load, fed.heard.as_ref()) {
                    (Phase::Fresh, Some(load), Some(heard)) => Reported::Fresh(load, heard.at),
                    (Phase::Held, Some(load), _) => Reported::Held(load),
                    _ => Reported::Silent,
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
                    Reported::Fresh(sum, _) | Reported::Held(sum) => Some(sum),
                    Reported::Silent | Reported::Estimated => None,
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

    /// The feed that the region itself has.
    pub(super) fn own_feed(&self, region: RegionId) -> Option<&Fed> {
        let key = Arc::clone(&self.model.regions.get(region.index())?.key);
        self.loads.sources.get(&Source::Region(key))
    }

    /// The sum of a metric over the endpoints of a region; `None` if none of them has it.
    pub(super) fn sum(&self, region: RegionId, metric: &str, now: Moment) -> Option<Sum> {
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
        let whole = u128::from(sum) * u128::from(counted) / u128::from(known.max(1));
        let whole = u64::try_from(whole).unwrap_or(u64::MAX);
        let reported = match at {
            Some(at) if fresh * 2 >= counted => Reported::Fresh(whole, at),
            Some(_) if known * 2 >= counted => Reported::Held(whole),
            Some(_) | None => Reported::Silent,
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

#[cfg(test)]
mod tests {
    use super::super::{Control, Effects, EventKind, Pushed, Reading, Settings};
    use super::*;
    use crate::base::diagnostic::Report;
    use crate::health::{Observation, Phases, Verdict};
    use crate::model::{self, FeedError, FeedMiss, Metrics};

    /// `a` is pushed, `b` the sum of two servers of three endpoints, `c` has none, `d` an agent.
    const MODEL: &str = "
        [regions.a]
        capacity = { target = 70, max = 100 }
        load = { push = true, every = '5s', max_age = '30s' }
        [regions.b]
        capacity = { max = 1000 }
        [regions.c]
        [regions.d]
        load = { agent = '192.0.2.9:8081' }
        [checks.web]
        http = { path = '/' }
        fall = 1
        rise = 1
        [policies.even]
        mode = 'active-active'
        prefer = 'equal'
        [services.api]
        names = ['api.example.com']
        policy = 'even'
        check = 'web'
        load = { url = 'http://{address}:9100/', json = '/load', metrics = { connections = '/conns' } }
        endpoints = { b = ['192.0.2.1', '192.0.2.2'], a = ['192.0.2.5'] }
        [services.web]
        names = ['www.example.com']
        policy = 'even'
        check = 'web'
        load = { url = 'http://{address}:9100/', json = '/load' }
        endpoints = { b = ['192.0.2.1'], c = [{ address = '192.0.2.3', load = { check = 'header:X-Load', max = 'header:x-max' } }] }
    ";

    const ALL: [RegionId; 4] = [RegionId(0), RegionId(1), RegionId(2), RegionId(3)];

    fn read(text: &str) -> Arc<Model> {
        let mut report = Report::new();
        let model = model::read(&[("regions.toml".into(), text)], &mut report);
        Arc::new(model.unwrap_or_else(|| panic!("{}", report.render())))
    }

    fn control() -> Control {
        let second = std::time::Duration::from_secs(1);
        let mut control = Control::new(Settings { start_wait: second, ..Settings::default() });
        control.adopt(Moment(0), read(MODEL));
        control
    }

    fn metrics(metrics: &[(&str, u64)]) -> Metrics {
        metrics.iter().map(|(name, value)| (Arc::from(*name), *value)).collect()
    }

    fn push(control: &mut Control, now: u64, at: u64, numbers: &[(&str, u64)]) -> (Result<(), FeedError>, Effects) {
        let pushed = Pushed { source: Source::Region("a".into()), metrics: Ok(metrics(numbers)), at: Some(Moment(at)) };
        let (results, effects) = control.push(Moment(now), vec![pushed]);
        (results.into_iter().next().unwrap().map_err(|miss| miss.kind), effects)
    }

    fn report(control: &mut Control, now: u64, key: &str, numbers: &[(&str, u64)]) -> Effects {
        let (source, at) = (Source::Endpoint(key.into()), Moment(now));
        control.report(at, vec![Reading { source, metrics: metrics(numbers), at }])
    }

    fn kinds(effects: &Effects) -> Vec<EventKind> {
        effects.events.iter().map(|event| event.kind).collect()
    }

    /// Ticks at each deadline until `until`; what is told about feeds, with the moments.
    fn play(control: &mut Control, until: u64) -> Vec<(u64, EventKind, String)> {
        let mut told = Vec::new();
        while let Some(at) = control.next_deadline().filter(|at| at.0 <= until) {
            for event in control.tick(at).events {
                if event.kind.as_str().starts_with("feed")
                    && event.region.as_deref() == Some("a")
                    && event.endpoint.is_none()
                {
                    told.push((event.at.0, event.kind, event.line()));
                }
            }
        }
        told
    }

    #[test]
    fn a_silent_feed_is_held_then_lost() {
        let mut control = control();
        assert_eq!(control.load_of(ALL[0], Moment(1)), Reported::Silent);
        let (taken, effects) = push(&mut control, 1_000, 1_000, &[("load", 60_000)]);
        assert_eq!((taken, kinds(&effects)), (Ok(()), Vec::new()), "the first one is what everybody expects");
        assert_eq!(control.load_of(ALL[0], Moment(10_999)), Reported::Fresh(60_000, Moment(1_000)));
        assert_eq!(control.load_of(ALL[0], Moment(11_000)), Reported::Held(60_000));
        assert_eq!(control.load_of(ALL[0], Moment(30_999)), Reported::Held(60_000));
        assert_eq!(control.load_of(ALL[0], Moment(31_000)), Reported::Silent, "and never 0");
        let told = play(&mut control, 100_000);
        assert_eq!(
            told,
            [
                (
                    11_000,
                    EventKind::FeedStale,
                    "a has a load feed that is overdue: its last value stands: nothing for 10s".into()
                ),
                (
                    31_000,
                    EventKind::FeedLost,
                    "a has a load feed that is lost: our own answers are all there is: nothing for 30s".into()
                )
            ]
        );
        let (_, effects) = push(&mut control, 100_000, 100_000, &[("load", 0)]);
        assert_eq!(kinds(&effects), [EventKind::FeedBack]);
        assert_eq!(
            control.load_of(ALL[0], Moment(100_000)),
            Reported::Fresh(0, Moment(100_000)),
            "who says 0 means it"
        );
    }

    #[test]
    fn a_feed_that_never_spoke_is_lost() {
        let mut control = control();
        let told = play(&mut control, 100_000);
        assert_eq!(told.iter().map(|(at, kind, _)| (*at, *kind)).collect::<Vec<_>>(), [(30_000, EventKind::FeedLost)]);
        let miss = FeedMiss::new(FeedError::Connect, "refused");
        let effects = control.miss(Moment(100_001), &[Source::Region("a".into())], &miss);
        assert!(effects.is_empty(), "silence tells itself");
        assert_eq!(control.load_view(ALL[0], Moment(100_001)).error.as_deref(), Some("connect: refused"));
        assert_eq!(control.figures(Moment(100_001), 100).feed_errors[FeedError::Connect as usize], 1);
    }

    #[test]
    fn readings_that_stay_on_time_are_told_nothing_of() {
        let mut control = control();
        for second in (5..600).step_by(5) {
            assert_eq!(play(&mut control, second * 1_000), []);
            let (taken, effects) = push(&mut control, second * 1_000, second * 1_000, &[("load", second)]);
            assert_eq!((taken, kinds(&effects)), (Ok(()), Vec::new()));
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        let mut control = control();
        for (numbers, at, expected) in [
            (&[("load", 10_000_000)][..], 50_000, Ok(())),
            (&[("load", 10_101_000)], 50_000, Err(FeedError::Absurd)),
            (&[("load", 1), ("target", 101_000)], 50_000, Err(FeedError::Contradictory)),
            (&[("load", 1), ("target", 3), ("max", 2)], 50_000, Err(FeedError::Contradictory)),
            (&[("load", 1_000_001), ("max", 10_000)], 50_000, Ok(())),
            (&[("load", 1_010_001), ("max", 10_000)], 50_000, Err(FeedError::Absurd)),
            (&[("load", 5), ("max", 0)], 50_000, Ok(())),
            (&[("max", 5)], 50_000, Err(FeedError::Missing)),
            (&[], 50_000, Err(FeedError::Missing)),
            (&[("load", u64::MAX)], 50_000, Err(FeedError::Number)),
            (&[("load", 1)], 49_999, Err(FeedError::Old)),
            (&[("load", 1)], 55_001, Err(FeedError::Future)),
            (&[("load", 1)], 55_000, Ok(())),
        ] {
            assert_eq!(push(&mut control, 50_000, at, numbers).0, expected, "{numbers:?} at {at}");
        }
        assert_eq!(push(&mut control, 90_000, 60_000, &[("load", 1)]).0, Err(FeedError::Old), "30 s old");
        control.tick(Moment(90_000));
        // Of a row of refusals the first is told, all are counted, and a good one begins anew.
        let told = |control: &mut Control, load| kinds(&push(control, 91_000, 91_000, &[("load", load)]).1);
        assert_eq!(told(&mut control, u64::MAX), [], "one was told at 90 s");
        assert_eq!(told(&mut control, 1), [EventKind::FeedBack]);
        assert_eq!(told(&mut control, u64::MAX), [EventKind::FeedRefused]);
        assert_eq!(told(&mut control, u64::MAX), []);
        assert_eq!(control.load_of(ALL[0], Moment(91_000)), Reported::Fresh(1, Moment(91_000)), "what is known stays");
        assert_eq!(control.figures(Moment(91_000), 100).feed_errors[FeedError::Number as usize], 4);
        let others = [Source::Region("b".into()), Source::Region("x".into()), Source::Region("d".into())];
        for source in others {
            let pushed = Pushed { source, metrics: Ok(metrics(&[("load", 1)])), at: None };
            let (results, effects) = control.push(Moment(91_000), vec![pushed]);
            assert_eq!((results[0].as_ref().unwrap_err().kind, effects.events), (FeedError::Unknown, Vec::new()));
        }
    }

    #[test]
    fn endpoints_add_up() {
        let mut control = control();
        let load = |control: &Control, now| control.load_of(ALL[1], Moment(now));
        assert_eq!(load(&control, 1), Reported::Silent);
        // One document feeds two endpoints of the first server, and counts once.
        report(&mut control, 1_000, "api/b/192.0.2.1", &[("load", 40_000), ("connections", 7_000)]);
        report(&mut control, 1_000, "web/b/192.0.2.1", &[("load", 40_000)]);
        assert_eq!(
            load(&control, 1_000),
            Reported::Fresh(80_000, Moment(1_000)),
            "the other server counts as this one"
        );
        report(&mut control, 2_000, "api/b/192.0.2.2", &[("load", 10_000), ("connections", 3_000)]);
        assert_eq!(load(&control, 2_000), Reported::Fresh(50_000, Moment(1_000)));
        assert_eq!(load(&control, 11_500), Reported::Fresh(50_000, Moment(1_000)), "half of them are");
        assert_eq!(load(&control, 12_500), Reported::Held(50_000));
        report(&mut control, 12_500, "api/b/192.0.2.1", &[("load", 40_000), ("connections", 9_000)]);
        assert_eq!(load(&control, 40_000), Reported::Held(80_000));
        assert_eq!(load(&control, 42_500), Reported::Silent);
        // A server that is down carries nothing.
        let target = control.targets().into_iter().find(|target| target.address.to_string() == "192.0.2.2").unwrap();
        let fed = Vec::new();
        let outcome =
            Observation { verdict: Verdict::Fail, reason: "".into(), warning: None, phases: Phases::default(), fed };
        control.observe(Moment(40_000), target.id, &outcome);
        control.tick(Moment(42_000));
        control.tick(Moment(44_000));
        assert_eq!(load(&control, 40_000), Reported::Held(40_000));
        let view = control.load_view(ALL[1], Moment(40_000));
        assert_eq!((view.source, view.state, view.at), ("endpoints", "held", Some(Moment(12_500))));
        assert_eq!((view.target, view.max), (Some(800.0), Some(1_000.0)));
    }

    #[test]
    fn endpoints_have_metrics_while_they_are_trusted() {
        let mut control = control();
        let id = control.model().endpoint_by_key("api/b/192.0.2.1").unwrap();
        assert_eq!(control.endpoint_metrics(id), None);
        for (second, load) in [(1, 5), (2, 5), (3, 6), (4, 2)] {
            report(&mut control, second * 1_000, "api/b/192.0.2.1", &[("load", load), ("connections", 1)]);
        }
        let reading = control.endpoint_reading(id).unwrap();
        assert_eq!(
            (reading.metrics.get("load"), reading.rose, reading.at),
            (Some(2), Some(Moment(3_000)), Moment(4_000))
        );
        control.tick(Moment(33_999));
        assert!(control.endpoint_metrics(id).is_some());
        control.tick(Moment(34_000));
        assert_eq!(control.endpoint_metrics(id), None);
    }

    #[test]
    fn capacity_is_what_the_feed_says_then_the_file() {
        let mut control = control();
        let capacity = |control: &Control, region: usize, now| control.capacity_of(ALL[region], Moment(now));
        assert_eq!(capacity(&control, 0, 1), Some((70_000, 100_000)));
        assert_eq!(capacity(&control, 1, 1), Some((800_000, 1_000_000)));
        assert_eq!(capacity(&control, 2, 1), None);
        assert_eq!(capacity(&control, 3, 1), Some((80_000, 100_000)), "an agent counts percent");
        for (numbers, expected) in [
            (&[("load", 1), ("max", 50_000)][..], (40_000, 50_000)),
            (&[("load", 1), ("max", 50_000), ("target", 10_000)], (10_000, 50_000)),
            (&[("load", 1), ("target", 10_000)], (10_000, 100_000)),
            (&[("load", 1)], (70_000, 100_000)),
        ] {
            push(&mut control, 1_000, 1_000, numbers).0.unwrap();
            assert_eq!(capacity(&control, 0, 1_000), Some(expected), "{numbers:?}");
        }
    }

    #[test]
    fn answers_to_checks_feed() {
        let mut control = control();
        let target = control.targets().into_iter().find(|target| target.address.to_string() == "192.0.2.3").unwrap();
        assert_eq!(target.wants.len(), 2);
        let mut observe = |now, fed| {
            let phases = Phases::default();
            let outcome = Observation { verdict: Verdict::Pass, reason: "".into(), warning: None, phases, fed };
            kinds(&control.observe(Moment(now), target.id, &outcome).1)
        };
        let missing = || Err(FeedMiss::new(FeedError::Missing, "there is no header `x-load`"));
        assert_eq!(observe(1_000, vec![missing(), Ok(9_000)]), [EventKind::FeedRefused]);
        assert_eq!(observe(2_000, vec![Ok(4_000), Ok(9_000)]), []);
        assert_eq!(observe(3_000, Vec::new()), [], "it did not answer");
        assert_eq!(control.load_of(ALL[2], Moment(3_000)), Reported::Fresh(4_000, Moment(2_000)));
        assert_eq!(control.capacity_of(ALL[2], Moment(3_000)), Some((7_200, 9_000)));
    }

    #[test]
    fn readings_survive_reloads_while_they_mean_the_same() {
        let mut control = control();
        push(&mut control, 1_000, 1_000, &[("load", 5)]).0.unwrap();
        report(&mut control, 1_000, "api/b/192.0.2.2", &[("load", 7), ("connections", 1)]);
        assert_eq!(control.feeds().len(), 5, "not what is pushed or checked");
        let effects = control.adopt(Moment(2_000), read(&format!("[regions.Z]\n{MODEL}")));
        assert!(effects.refeed);
        assert_eq!(control.load_of(RegionId(1), Moment(2_000)), Reported::Fresh(5, Moment(1_000)), "by its key");
        let id = |control: &Control| control.model().endpoint_by_key("api/b/192.0.2.2").unwrap();
        assert!(control.endpoint_metrics(id(&control)).is_some());
        control.adopt(Moment(3_000), read(&MODEL.replace("json = '/load'", "json = '/percent'")));
        assert_eq!(control.endpoint_metrics(id(&control)), None, "another number");
        assert_eq!(control.load_of(ALL[0], Moment(3_000)), Reported::Fresh(5, Moment(1_000)));
    }
}
