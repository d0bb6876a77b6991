//! Two watchers of generations: one keeps how regions stand, now and then and at each change; one tells those who follow.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::admin::Stream;
use crate::answer::explain::RegionLoad;
use crate::base::ids::RegionId;
use crate::base::limits::{HISTORY_CHANGES_MAX, HISTORY_CROSSINGS_MAX, HISTORY_STEP_S, STREAM_TRAFFIC_MS};
use crate::base::moment::Moment;
use crate::control::{Control, RegionState, RegionView};
use crate::journal::{LoadSample, RegionSample, Sample};
use crate::run::publisher::{Clock, Event};
use crate::run::recorder::Recorder;
use crate::run::sweep::Sweep;
use crate::serve::Stop;
use crate::snapshot::Snapshot;

/// Changes within this are one: what follows from a failure comes in a few steps.
const PAUSE: Duration = Duration::from_millis(500);

/// Keeps a sample every [`HISTORY_STEP_S`] seconds, and one at each change, until the end of service.
pub(super) async fn keep(
    events: Sender<Event>,
    mut generations: watch::Receiver<u64>,
    recorder: Recorder,
    sweep: Arc<Sweep>,
    stop: Stop,
) {
    let mut every = interval(Duration::from_secs(HISTORY_STEP_S));
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // A load that is kept at its target crosses it again and again: that must not leave a failure without a sample.
    let (mut changes, mut crossings) = (Changes::new(HISTORY_CHANGES_MAX), Changes::new(HISTORY_CROSSINGS_MAX));
    let mut last: Option<Vec<Standing>> = None;
    let mut answered = BTreeMap::new();
    loop {
        let is_due = tokio::select! {
            changed = generations.changed() => {
                if changed.is_err() {
                    return;
                }
                sleep(PAUSE).await;
                false
            }
            _ = every.tick() => true,
            // The publisher ends when nobody can send it anything any more.
            () = stop.wait() => return,
        };
        if *generations.borrow_and_update() == 0 {
            continue;
        }
        let Some(mut sample) = look(&events).await else { return };
        // A new generation of zones alone is no change of regions, and neither is a load that trembles.
        let standings: Vec<Standing> = sample.regions.iter().map(Standing::of).collect();
        let is_other = |differs: fn(&(&Standing, &Standing)) -> bool| {
            last.as_ref().is_none_or(|last| {
                last.len() != standings.len() || last.iter().zip(&standings).any(|pair| differs(&pair))
            })
        };
        let is_change = is_other(|(before, now)| before.region != now.region) && changes.allows(sample.at);
        let is_crossing = is_other(|(before, now)| before.is_above != now.is_above) && crossings.allows(sample.at);
        if is_due || is_change || is_crossing {
            last = Some(standings);
            share(&mut sample.regions, &mut answered, sweep.answers_by_region());
            recorder.sample(sample);
        }
    }
}

/// What of a region makes a change that is worth a sample of its own.
#[derive(Clone, Debug, PartialEq)]
struct Standing {
    /// Without its load.
    region: RegionSample,
    /// Whether it carried more than its target, and more than its max.
    is_above: [bool; 2],
}

impl Standing {
    fn of(region: &RegionSample) -> Self {
        let is_above = region.load.map_or([false; 2], |load| {
            [load.target, load.max].map(|limit| limit.is_some_and(|limit| load.current > limit))
        });
        Self { region: RegionSample { load: None, ..region.clone() }, is_above }
    }
}

/// How regions stand; `None`: the publisher has ended.
async fn look(events: &Sender<Event>) -> Option<Sample> {
    let (reply, seen) = oneshot::channel();
    let look = move |control: &Control, snapshot: &Arc<Snapshot>, now: Moment| {
        let views = control.region_views(now);
        let loads: Vec<_> = (0..).map(RegionId).take(views.len()).map(|id| control.carried(id, now)).collect();
        // Whoever asked may have gone.
        let _ = reply.send((views, loads, snapshot.generation, now));
    };
    events.send(Event::Look(Box::new(look))).ok()?;
    let (views, loads, generation, at) = seen.await.ok()?;
    let unwell = views.iter().filter(|view| view.state != RegionState::Ok).count();
    let regions = views.into_iter().zip(loads).map(|(view, load)| sample(view, load)).collect();
    Some(Sample { at, unwell, generation, regions })
}

fn sample(view: RegionView, load: Option<RegionLoad>) -> RegionSample {
    let RegionView { key, state, eligible, services, up, endpoints, .. } = view;
    // The decimals of a load are no news, and take as much room as the rest.
    let tenths = |number: f64| (number * 10.0).round() / 10.0;
    let load = load.map(|RegionLoad { current, target, max }| LoadSample {
        current: tenths(current),
        target: target.map(tenths),
        max: max.map(tenths),
    });
    RegionSample { key, state: state.as_str().into(), eligible, services, up, endpoints, share: None, load }
}

/// Tells regions their shares of the answers since `before`, which becomes what is so `now`.
fn share(regions: &mut [RegionSample], before: &mut BTreeMap<String, u64>, now: BTreeMap<String, u64>) {
    let fresh = |key: &str| now.get(key).map_or(0, |now| now.saturating_sub(before.get(key).copied().unwrap_or(0)));
    let total: u64 = now.keys().map(|key| fresh(key)).sum();
    if total > 0 {
        for region in regions {
            #[expect(clippy::cast_precision_loss, reason = "a share, not a count")]
            let share = fresh(&region.key) as f64 / total as f64;
            region.share = Some((share * 10_000.0).round() / 10_000.0);
        }
    }
    *before = now;
}

/// The moments of the changes of a kind kept within the last hour, at most so many.
#[derive(Debug)]
struct Changes {
    at: VecDeque<Moment>,
    max: usize,
}

impl Changes {
    fn new(max: usize) -> Self {
        Self { at: VecDeque::new(), max }
    }

    fn allows(&mut self, now: Moment) -> bool {
        let hour = now.before(Duration::from_secs(3_600));
        while self.at.front().is_some_and(|at| *at < hour) {
            self.at.pop_front();
        }
        let allows = self.at.len() < self.max;
        if allows {
            self.at.push_back(now);
        }
        allows
    }
}

/// Tells those who follow of each generation, until the publisher ends.
pub(super) async fn tell(stream: Stream, mut generations: watch::Receiver<u64>, clock: Clock) {
    while generations.changed().await.is_ok() {
        let generation = *generations.borrow_and_update();
        stream.state(generation, clock.now());
    }
}

/// Tells those who follow what is answered, until the end of service.
pub(super) async fn tell_traffic(stream: Stream, sweep: Arc<Sweep>, stop: Stop) {
    let mut every = interval(Duration::from_millis(STREAM_TRAFFIC_MS));
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = every.tick() => if stream.is_followed() { stream.traffic(&sweep.rates()) },
            () = stop.wait() => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn region(key: &str) -> RegionSample {
        RegionSample {
            key: key.into(),
            state: "ok".into(),
            eligible: 1,
            services: 1,
            up: 1,
            endpoints: 1,
            share: None,
            load: None,
        }
    }

    #[test]
    fn a_load_that_trembles_is_no_change_and_one_that_crosses_a_limit_is() {
        let standing = |current: f64| {
            let load = LoadSample { current, target: Some(40.0), max: Some(50.0) };
            Standing::of(&RegionSample { load: Some(load), ..region("fra") })
        };
        assert_eq!(standing(12.0), standing(40.0));
        assert_ne!(standing(40.0), standing(40.1));
        assert_eq!(standing(41.0), standing(50.0));
        assert_ne!(standing(50.0), standing(50.1));
        assert_eq!(standing(40.0), Standing::of(&region("fra")));
    }

    #[test]
    fn shares_are_of_what_was_answered_since_the_last_time() {
        let mut before = BTreeMap::new();
        let mut shares = |now: &[(&str, u64)]| {
            let mut regions = [region("fra"), region("iad")];
            share(&mut regions, &mut before, now.iter().map(|(key, count)| ((*key).to_owned(), *count)).collect());
            regions.map(|region| region.share)
        };
        assert_eq!(shares(&[]), [None, None]);
        assert_eq!(shares(&[("fra", 30)]), [Some(1.0), Some(0.0)]);
        assert_eq!(shares(&[("fra", 31), ("iad", 2), ("sin", 1)]), [Some(0.25), Some(0.5)]);
        assert_eq!(shares(&[("fra", 31), ("iad", 2), ("sin", 1)]), [None, None]);
    }

    #[test]
    fn changes_of_an_hour_are_bounded() {
        let mut changes = Changes::new(HISTORY_CHANGES_MAX);
        let kept = |changes: &mut Changes, at: u64| (0..1_000).filter(|_| changes.allows(Moment(at))).count();
        assert_eq!(kept(&mut changes, 0), HISTORY_CHANGES_MAX);
        assert_eq!(kept(&mut changes, 3_600_000), 0);
        assert_eq!(kept(&mut changes, 3_600_001), HISTORY_CHANGES_MAX);
    }
}
