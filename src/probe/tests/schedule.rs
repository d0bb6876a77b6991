//! The schedule alone, with executions that are only told: hours pass in milliseconds.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::support::{passed, target};
use crate::base::limits;
use crate::health::{Observation, Verdict};
use crate::probe::prober::Judge;
use crate::probe::schedule::Execute;
use crate::probe::{Prober, Roots, Settings, Target};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const PLAIN: &str = "icmp = {}\ninterval = \"10s\"\ntimeout = \"1s\"";

/// What happened, by target, in milliseconds since the start.
#[derive(Default)]
struct Log {
    starts: BTreeMap<u64, Vec<u128>>,
    judged: BTreeMap<u64, Vec<String>>,
    aborted: BTreeMap<u64, u32>,
    at_work: BTreeMap<u64, u32>,
    overlaps: u32,
    most_at_work: u32,
}

#[derive(Clone)]
struct World {
    origin: Instant,
    log: Arc<Mutex<Log>>,
    /// How long an execution takes, and the cadence that follows.
    takes: fn(u64) -> Duration,
    cadence: fn(u64) -> Duration,
}

impl World {
    fn new(takes: fn(u64) -> Duration, cadence: fn(u64) -> Duration) -> Self {
        Self { origin: Instant::now(), log: Arc::default(), takes, cadence }
    }

    fn start(&self, max_concurrent: usize) -> Prober {
        let settings = Settings { max_concurrent, seed: 7, roots: Roots::of([]) };
        Prober::start_with(Arc::new(self.clone()), &settings, self.clone())
    }

    fn starts(&self, id: u64) -> Vec<u128> {
        self.log.lock().unwrap().starts.get(&id).cloned().unwrap_or_default()
    }

    fn judged(&self, id: u64) -> usize {
        self.log.lock().unwrap().judged.get(&id).map_or(0, Vec::len)
    }
}

/// An execution; dropped before its end it was aborted.
struct Work<'a>(&'a World, u64, bool);

impl Drop for Work<'_> {
    fn drop(&mut self) {
        let mut log = self.0.log.lock().unwrap();
        *log.at_work.get_mut(&self.1).unwrap() -= 1;
        if !self.2 {
            *log.aborted.entry(self.1).or_default() += 1;
        }
    }
}

impl Execute for World {
    async fn execute(&self, target: &Target) -> Observation {
        {
            let mut log = self.log.lock().unwrap();
            log.starts.entry(target.id).or_default().push(self.origin.elapsed().as_millis());
            let own = log.at_work.entry(target.id).or_default();
            *own += 1;
            let overlaps = *own > 1;
            log.overlaps += u32::from(overlaps);
            let all = log.at_work.values().sum();
            log.most_at_work = log.most_at_work.max(all);
        }
        let mut work = Work(self, target.id, false);
        sleep((self.takes)(target.id)).await;
        work.2 = true;
        assert_ne!(target.id, 666, "a probe that panics");
        passed("ok")
    }
}

impl Judge for World {
    async fn judge(&self, target: u64, outcome: Observation) -> Duration {
        let text = format!("{}: {}", outcome.verdict.as_str(), outcome.reason);
        self.log.lock().unwrap().judged.entry(target).or_default().push(text);
        assert_ne!(target, 667, "a judge that panics");
        (self.cadence)(target)
    }
}

fn targets(ids: std::ops::RangeInclusive<u64>, text: &str) -> Vec<Target> {
    ids.map(|id| target(id, text)).collect()
}

#[tokio::test(start_paused = true)]
async fn after_the_first_round_each_target_has_its_place_in_the_interval() {
    let world = World::new(|_| MS, |_| 10 * SECOND);
    let prober = world.start(1_000);
    prober.set_targets(targets(1..=1_000, PLAIN));
    sleep(32 * SECOND).await;
    let all: Vec<Vec<u128>> = (1..=1_000).map(|id| world.starts(id)).collect();
    assert!(all.iter().all(|starts| starts[0] <= 1_001), "the first outcomes are waited for");
    // Nobody waits much longer than an interval, and from the second probe on it is exactly one.
    assert!(all.iter().all(|starts| starts[1] - starts[0] <= 10_002));
    assert!(all.iter().all(|starts| starts[2] - starts[1] == 10_000));
    let in_second = |second: u128| all.iter().flatten().filter(|&&at| at / 1_000 == second).count();
    for second in 3..32 {
        assert!((90..=110).contains(&in_second(second)), "{} in second {second}", in_second(second));
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_set_starts_at_once_and_later_ones_over_their_interval() {
    let world = World::new(|_| MS, |_| 10 * SECOND);
    let prober = world.start(100);
    prober.set_targets(Vec::new());
    sleep(SECOND).await;
    // The first set that is not empty counts as the first.
    let few = targets(1..=50, PLAIN);
    prober.set_targets(few.clone());
    sleep(60 * MS).await;
    assert!((1..=50).all(|id| world.starts(id).len() == 1));
    let more: Vec<Target> = few.into_iter().chain(targets(51..=150, PLAIN)).collect();
    prober.set_targets(more);
    sleep(5 * SECOND).await;
    let started = (51..=150).filter(|&id| world.starts(id).len() == 1).count();
    assert!((48..=52).contains(&started), "{started} of 100 in half of the interval");
    sleep(6 * SECOND).await;
    assert!((51..=150).all(|id| !world.starts(id).is_empty()));
}

#[tokio::test(start_paused = true)]
async fn a_large_first_set_is_spread_over_a_second() {
    let world = World::new(|_| MS, |_| 10 * SECOND);
    let prober = world.start(100);
    prober.set_targets(targets(1..=2_000, PLAIN));
    sleep(1_010 * MS).await;
    let log = world.log.lock().unwrap();
    assert_eq!(log.starts.len(), 2_000);
    let mut each_ms: BTreeMap<u128, u32> = BTreeMap::new();
    log.starts.values().for_each(|starts| *each_ms.entry(starts[0]).or_default() += 1);
    assert!(each_ms.values().all(|&count| count <= 4), "{each_ms:?}");
}

#[tokio::test(start_paused = true)]
async fn the_cadence_is_kept_without_drift() {
    let world = World::new(|_| 30 * MS, |_| 100 * MS);
    let prober = world.start(10);
    prober.set_targets(targets(1..=1, "icmp = {}\ninterval = \"100ms\""));
    sleep(60 * SECOND).await;
    let starts = world.starts(1);
    assert!((599..=600).contains(&starts.len()), "{}", starts.len());
    let first = starts[0];
    for (index, start) in (0..).zip(&starts) {
        // Timers count whole milliseconds.
        assert!((first + 100 * index..=first + 100 * index + 1).contains(start), "{index}: {start}");
    }
    let stats = prober.stats();
    assert_eq!(stats.started.load(Ordering::Relaxed), starts.len() as u64);
    assert!(stats.late_max.load(Ordering::Relaxed) <= 2_000);
    assert_eq!(stats.lateness.iter().map(|bucket| bucket.load(Ordering::Relaxed)).sum::<u64>(), starts.len() as u64);
}

#[tokio::test(start_paused = true)]
async fn a_cadence_below_the_least_counts_as_the_least() {
    let world = World::new(|_| Duration::ZERO, |_| Duration::ZERO);
    let prober = world.start(10);
    prober.set_targets(targets(1..=1, PLAIN));
    sleep(10 * SECOND).await;
    assert!(world.starts(1).len() <= 101);
}

#[tokio::test(start_paused = true)]
async fn a_slow_target_delays_nobody_and_never_overlaps_itself() {
    let world = World::new(|id| if id == 1 { 950 * MS } else { MS }, |_| 100 * MS);
    let prober = world.start(100);
    prober.set_targets(targets(1..=20, "icmp = {}\ninterval = \"100ms\""));
    sleep(10 * SECOND).await;
    for id in 2..=20 {
        assert!((99..=101).contains(&world.starts(id).len()), "{id}: {}", world.starts(id).len());
    }
    assert!((10..=11).contains(&world.starts(1).len()), "{}", world.starts(1).len());
    assert_eq!(world.log.lock().unwrap().overlaps, 0);
}

#[tokio::test(start_paused = true)]
async fn a_removed_target_stops_at_once_and_is_never_judged() {
    let world = World::new(|_| SECOND, |_| 2 * SECOND);
    let prober = world.start(100);
    prober.set_targets(targets(1..=2, PLAIN));
    sleep(500 * MS).await;
    assert_eq!(prober.stats().in_flight.load(Ordering::Relaxed), 2);
    prober.set_targets(targets(2..=2, PLAIN));
    sleep(MS).await;
    assert_eq!(world.log.lock().unwrap().aborted.get(&1), Some(&1));
    assert_eq!(prober.stats().in_flight.load(Ordering::Relaxed), 1);
    sleep(60 * SECOND).await;
    assert_eq!((world.judged(1), world.starts(1).len()), (0, 1));
    assert_eq!(world.log.lock().unwrap().aborted.get(&2), None);
    assert!(world.judged(2) > 25);
}

#[tokio::test(start_paused = true)]
async fn what_stays_the_same_is_not_disturbed() {
    let world = World::new(|_| SECOND, |_| 10 * SECOND);
    let prober = world.start(100);
    prober.set_targets(targets(1..=3, PLAIN));
    sleep(500 * MS).await;
    // The first keeps everything that matters to a probe, though its check stands elsewhere; the second has a new
    // address, the third another timeout.
    let mut changed = targets(2..=2, PLAIN).remove(0);
    changed.address = "127.0.0.2".parse().unwrap();
    let kept = target(1, &format!("\n\n{PLAIN}\nfall = 7\nretry = \"2s\""));
    let slower = target(3, "icmp = {}\ninterval = \"10s\"\ntimeout = \"2s\"");
    prober.set_targets(vec![slower, kept, changed]);
    sleep(20 * SECOND).await;
    let starts = world.starts(1);
    assert_eq!(starts.len(), 3);
    assert!(starts[1] - starts[0] <= 10_001 && starts[2] - starts[0] <= 20_001, "{starts:?}");
    let log = world.log.lock().unwrap();
    assert_eq!(log.aborted.iter().collect::<Vec<_>>(), [(&2, &1), (&3, &1)]);
    assert!(log.starts[&2].len() >= 2 && log.starts[&3].len() >= 2);
    assert_eq!(log.overlaps, 0);
}

#[tokio::test(start_paused = true)]
async fn many_changes_leave_one_probe_a_target() {
    let world = World::new(|_| 90 * MS, |_| 200 * MS);
    let prober = world.start(1_000);
    for round in 0..200_u32 {
        let timeout = format!("icmp = {{}}\ninterval = \"200ms\"\ntimeout = \"{}ms\"", 100 + round % 3);
        let from = u64::from(round % 7) + 1;
        prober.set_targets(targets(from..=from + 20, &timeout));
        sleep(17 * MS).await;
    }
    prober.set_targets(targets(1..=3, PLAIN));
    sleep(20 * SECOND).await;
    let before = [1, 2, 3].map(|id| world.starts(id).len());
    sleep(20 * SECOND).await;
    for (id, before) in [1, 2, 3].into_iter().zip(before) {
        let more = world.starts(id).len() - before;
        assert!((99..=101).contains(&more), "{id}: {more}");
    }
    let log = world.log.lock().unwrap();
    assert_eq!(log.overlaps, 0);
    assert!(log.starts.keys().all(|id| *id <= 27));
}

#[tokio::test(start_paused = true)]
async fn as_many_as_allowed_work_at_one_time() {
    let world = World::new(|_| 200 * MS, |_| 10 * SECOND);
    let prober = world.start(3);
    prober.set_targets(targets(1..=12, PLAIN));
    sleep(2 * SECOND).await;
    assert_eq!(world.log.lock().unwrap().most_at_work, 3);
    assert!((1..=12).all(|id| world.judged(id) == 1));
    // The last ones waited for three others before them.
    assert!((500_000..700_000).contains(&prober.stats().late_max.load(Ordering::Relaxed)));
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_finds_no_room_in_time_says_nothing() {
    let world = World::new(|_| 30 * SECOND, |_| 60 * SECOND);
    let prober = world.start(1);
    prober.set_targets(targets(1..=3, PLAIN));
    sleep(5 * SECOND).await;
    let log = world.log.lock().unwrap();
    let judged: Vec<&String> = log.judged.values().flatten().collect();
    assert_eq!(judged, ["inconclusive: too many probes at work"; 2]);
    let stats = prober.stats();
    assert_eq!(stats.starved.load(Ordering::Relaxed), 2);
    assert_eq!(stats.inconclusive.load(Ordering::Relaxed), 2);
    assert_eq!(stats.started.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn few_programs_run_at_one_time() {
    let world = World::new(|_| 500 * MS, |_| 60 * SECOND);
    let prober = world.start(1_000);
    let programs = targets(1..=60, "exec = { command = [\"x\"] }\ninterval = \"1m\"\ntimeout = \"50s\"");
    prober.set_targets(programs.into_iter().chain(targets(61..=70, PLAIN)).collect());
    sleep(10 * SECOND).await;
    let most = usize::try_from(world.log.lock().unwrap().most_at_work).unwrap();
    assert!((limits::PROBE_PROGRAMS_MAX..=limits::PROBE_PROGRAMS_MAX + 10).contains(&most), "{most}");
    assert!((1..=70).all(|id| world.judged(id) == 1));
    assert!((61..=70).all(|id| world.starts(id)[0] < 80), "programs keep nobody else waiting");
}

#[tokio::test(start_paused = true)]
async fn a_panic_costs_one_outcome() {
    let world = World::new(|_| MS, |_| 10 * SECOND);
    let prober = world.start(10);
    prober.set_targets([1, 666, 667].map(|id| target(id, PLAIN)).into());
    sleep(35 * SECOND).await;
    for id in [1, 666, 667] {
        assert_eq!(world.starts(id).len(), 4, "{id}");
    }
    assert_eq!((world.judged(1), world.judged(666)), (4, 0));
    assert_eq!(prober.stats().in_flight.load(Ordering::Relaxed), 0);
    assert_eq!(prober.stats().pass.load(Ordering::Relaxed), 8);
}

#[tokio::test(start_paused = true)]
async fn nothing_goes_on_without_the_prober() {
    let world = World::new(|_| SECOND, |_| SECOND);
    let prober = world.start(10);
    prober.set_targets(targets(1..=5, PLAIN));
    sleep(500 * MS).await;
    drop(prober);
    sleep(60 * SECOND).await;
    let log = world.log.lock().unwrap();
    assert_eq!(log.aborted.len(), 5);
    assert!(log.judged.is_empty());
    assert!(log.starts.values().all(|starts| starts.len() == 1));
}

#[test]
fn results_have_words() {
    let words = [Verdict::Pass, Verdict::Fail, Verdict::Inconclusive].map(Verdict::as_str);
    assert_eq!(words, ["pass", "fail", "inconclusive"]);
}
