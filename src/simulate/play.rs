//! From the first second to the last.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::base::ids::RegionId;
use crate::model::{Failback, Mode, Model};

use super::crowds::key;
use super::event::{Event, What};
use super::outcome::{Course, Outcome, RegionLine, Segment, Stage, Timeline};
use super::profile::Profile;
use super::stage::{part, rounded};
use super::world::{Configuration, Start, World};

/// What is to be played.
#[derive(Clone, Debug, Default)]
pub struct Scenario {
    /// How much is asked from where.
    pub profile: Profile,
    /// How everything stands before the beginning.
    pub start: Start,
    /// What happens.
    pub events: Vec<Event>,
    /// Seconds to play after the last event; `None`: as long as it is likely to take.
    pub lasting_s: Option<u32>,
    /// What was taken for granted, for people.
    pub assumed: Vec<String>,
}

/// Points of a timeline: what a picture can show.
const POINTS_MAX: usize = 240;
/// Seconds shown before the beginning.
const SHOWN_BEFORE: i64 = 30;
/// Seconds in which everything settles at least and at most before the beginning.
const WARM_S: (u32, u32) = (120, 3_600);
/// Seconds that are played after the last event, at least and at most, unless somebody says so.
const LASTING_S: (u32, u32) = (300, 3_600);
/// Nothing was to be moved for so many seconds: everything has settled.
const QUIET_S: u32 = 30;
/// A load within this part of what it comes to has come to it; of small loads, within a fifth of that part of all.
const CLOSE: f64 = 0.05;

/// Plays a scenario.
#[must_use]
pub fn play(configuration: &Configuration, scenario: &Scenario) -> Outcome {
    let (mut world, is_quiet) = settled_world(configuration, &scenario.profile, &scenario.start);
    let (model, ttl_s) = (&configuration.model, ttl_s(&configuration.model));
    let last_s = scenario.events.iter().map(|event| event.at_s).max().unwrap_or(0);
    let lasting_s = scenario.lasting_s.unwrap_or_else(|| lasting_s(model, ttl_s, &scenario.events));
    let end_s = last_s + lasting_s.max(1);
    let mut recorder = Recorder::new(&world);
    let mut stages = Vec::new();
    while world.second < i64::from(end_s) {
        let next = world.second + 1;
        let due: Vec<&Event> = scenario.events.iter().filter(|event| i64::from(event.at_s) == next).collect();
        if !due.is_empty() {
            stages.push(world.stage(stage_words(&stages)));
        }
        world.step(&due);
        recorder.record(&world);
    }
    stages.push(world.stage(stage_words(&stages)));
    let mut assumed = scenario.assumed.clone();
    if !is_quiet {
        assumed.push("clients were still moving at the beginning: nothing had settled within an hour".into());
    }
    let segments = segments(&world, &recorder, scenario, &stages, end_s);
    for (stage, segment) in stages.iter_mut().skip(1).zip(&segments) {
        stage.what = format!("after {}", segment.events.join(", "));
    }
    let told = world.told.iter().map(|(second, event)| (*second, event.line())).collect();
    let total = scenario.profile.total();
    Outcome {
        version: 1,
        configuration: configuration.name.clone(),
        demand: scenario.profile.source.clone(),
        total: rounded(total),
        unlocated: rounded(world.unlocated),
        assumed,
        stages,
        segments,
        timeline: recorder.timeline(),
        told,
    }
}

/// A world in which everything has settled; false if something is to move still.
pub(super) fn settled_world(configuration: &Configuration, profile: &Profile, start: &Start) -> (World, bool) {
    let mut world = World::new(configuration, profile, start, warm_s(ttl_s(&configuration.model)));
    let is_quiet = settle(&mut world);
    world.told.clear();
    (world, is_quiet)
}

/// The longest TTL there is.
fn ttl_s(model: &Model) -> u32 {
    model.services.iter().map(|service| service.ttl.max).max().unwrap_or(0)
}

/// The profile with what an answer is worth in load, so that at the beginning regions carry what their feeds say. Where
/// nobody is sent, an answer is worth one.
#[must_use]
pub fn calibrated(
    configuration: &Configuration,
    profile: &Profile,
    start: &Start,
    loads: &BTreeMap<RegionId, f64>,
) -> Profile {
    let mut profile = profile.clone();
    for _ in 0..CALIBRATIONS {
        let stage = settled_world(configuration, &profile, start).0.stage(String::new());
        for (id, &load) in loads {
            let answers = stage.regions.get(id.index()).map_or(0.0, |region| region.answers);
            if answers > 0.0 && load > 0.0 {
                profile.worth.insert(*id, load / answers);
            }
        }
    }
    profile
}

/// Times that what an answer is worth is worked out: what is worth more spills more.
const CALIBRATIONS: usize = 3;

fn stage_words(stages: &[Stage]) -> String {
    if stages.is_empty() { "before".into() } else { "after".into() }
}

fn warm_s(ttl_s: u32) -> u32 {
    ttl_s.saturating_mul(4).saturating_add(60).clamp(WARM_S.0, WARM_S.1)
}

/// Until the beginning, and so long before it that nothing is to be moved; false if that never came.
fn settle(world: &mut World) -> bool {
    let mut quiet_s = 0;
    while world.second < -1 {
        world.step(&[]);
        quiet_s = if world.is_settled() { quiet_s + 1 } else { 0 };
    }
    // The clock stands at the beginning, whatever it took.
    let mut more = 0;
    while quiet_s < QUIET_S && more < WARM_S.1 {
        world.step(&[]);
        quiet_s = if world.is_settled() { quiet_s + 1 } else { 0 };
        more += 1;
    }
    world.rebase(-1);
    quiet_s >= QUIET_S
}

/// As long as it is likely to take until everything has settled.
fn lasting_s(model: &Model, ttl_s: u32, events: &[Event]) -> u32 {
    let seconds = |duration: Duration| u32::try_from(duration.as_secs()).unwrap_or(u32::MAX);
    let of_policy = |mode: &Mode| match mode {
        Mode::ActiveActive { ramp, .. } => seconds(*ramp),
        Mode::ActivePassive { failback: Failback::After(after) } => seconds(*after),
        Mode::ActivePassive { .. } | Mode::All => 0,
    };
    let policies = model.services.iter().map(|service| of_policy(&model.policy(service).mode));
    let comes_back = events.iter().any(|event| matches!(event.what, What::Back(_)));
    let back_s = if comes_back { policies.max().unwrap_or(0) } else { 0 };
    ttl_s.saturating_mul(10).saturating_add(back_s).clamp(LASTING_S.0, LASTING_S.1)
}

/// What is noted each second.
struct Recorder {
    seconds: Vec<i64>,
    regions: Vec<RegionLine>,
    unserved: Vec<f64>,
}

impl Recorder {
    fn new(world: &World) -> Self {
        let line = |id| RegionLine { region: key(&world.steering.model, id), ..RegionLine::default() };
        let regions = (0..).map(RegionId).take(world.lost.len()).map(line).collect();
        let mut recorder = Self { seconds: Vec::new(), regions, unserved: Vec::new() };
        for second in -SHOWN_BEFORE..0 {
            recorder.note(second, world);
        }
        recorder
    }

    fn record(&mut self, world: &World) {
        self.note(world.second, world);
    }

    fn note(&mut self, second: i64, world: &World) {
        self.seconds.push(second);
        self.unserved.push(world.unserved);
        for (id, line) in (0..).map(RegionId).zip(&mut self.regions) {
            let capacity = world.capacity(id);
            line.load.push(world.loads[id.index()]);
            line.target.push(capacity.map(|(target, _)| target));
            line.max.push(capacity.map(|(_, max)| max));
        }
    }

    /// As many points as a picture can show, the last one among them.
    fn timeline(&self) -> Timeline {
        let every = self.seconds.len().div_ceil(POINTS_MAX).max(1);
        let last = self.seconds.len().saturating_sub(1);
        let places: Vec<usize> = (0..=last).filter(|place| (last - place).is_multiple_of(every)).collect();
        let take = |values: &[f64]| places.iter().map(|&place| rounded(values[place])).collect();
        let maybe = |values: &[Option<f64>]| places.iter().map(|&place| values[place]).collect();
        let line = |line: &RegionLine| RegionLine {
            region: line.region.clone(),
            load: take(&line.load),
            target: maybe(&line.target),
            max: maybe(&line.max),
        };
        Timeline {
            seconds: places.iter().map(|&place| self.seconds[place]).collect(),
            regions: self.regions.iter().map(line).collect(),
            unserved: take(&self.unserved),
        }
    }

    fn place(&self, second: u32) -> usize {
        usize::try_from(i64::from(second) + SHOWN_BEFORE).unwrap_or(0).min(self.seconds.len().saturating_sub(1))
    }
}

/// What happened between events.
fn segments(world: &World, recorder: &Recorder, scenario: &Scenario, stages: &[Stage], end_s: u32) -> Vec<Segment> {
    let times: BTreeSet<u32> = scenario.events.iter().map(|event| event.at_s).collect();
    let ends = times.iter().skip(1).map(|at| at - 1).chain([end_s]);
    let mut segments = Vec::new();
    for ((&at_s, until_s), pair) in times.iter().zip(ends).zip(stages.windows(2)) {
        let [before, after] = pair else { continue };
        let range = recorder.place(at_s)..recorder.place(until_s) + 1;
        let events = scenario.events.iter().filter(|event| event.at_s == at_s).map(Event::words).collect();
        let unserved = &recorder.unserved[range.clone()];
        let still = unserved.iter().rposition(|&unserved| unserved > 0.0);
        let after_s = |place: usize| u32::try_from(place).unwrap_or(u32::MAX);
        segments.push(Segment {
            events,
            at_s,
            until_s,
            settled_s: settled(recorder, range.clone()).map(after_s),
            unserved: rounded(unserved.iter().sum()),
            unserved_s: match still {
                None => Some(0),
                Some(last) if last + 1 < unserved.len() => Some(after_s(last + 1)),
                Some(_) => None,
            },
            moves: world.moves(before, after),
            regions: recorder.regions.iter().map(|line| course(line, range.clone())).collect(),
        });
    }
    segments
}

/// Seconds until every load stays close to what it comes to; `None` if they never do for a tenth of the time.
fn settled(recorder: &Recorder, range: std::ops::Range<usize>) -> Option<usize> {
    let last = range.end.checked_sub(1)?;
    let all: f64 = recorder.regions.iter().map(|line| line.load[last]).sum();
    let mut settled = range.start;
    for line in &recorder.regions {
        let end = line.load[last];
        let close = (end * CLOSE).max(all * CLOSE / 5.0);
        let far = range.clone().rev().find(|&place| (line.load[place] - end).abs() > close);
        settled = settled.max(far.map_or(range.start, |place| place + 1));
    }
    let seconds = settled - range.start;
    (range.end - settled >= range.len() / 10).then_some(seconds)
}

fn course(line: &RegionLine, range: std::ops::Range<usize>) -> Course {
    let peak = range.clone().max_by(|&a, &b| line.load[a].total_cmp(&line.load[b]).then(b.cmp(&a)));
    let peak = peak.unwrap_or(range.start);
    let max = |place: usize| line.max[place].filter(|max| *max > 0.0);
    let over = |&place: &usize| max(place).is_some_and(|max| line.load[place] > max * (1.0 + 1e-9));
    Course {
        region: line.region.clone(),
        peak: rounded(line.load[peak]),
        peak_s: u32::try_from(peak - range.start).unwrap_or(u32::MAX),
        peak_utilization: max(peak).map(|max| part(line.load[peak], max)),
        over_max_s: u32::try_from(range.filter(over).count()).unwrap_or(u32::MAX),
    }
}
