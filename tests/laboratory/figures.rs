//! What is measured of a run.

use crate::script::Scenario;
use crate::steerers::{Steerer, Way, Weights};
use crate::world::World;

/// One run, second by second from the moment 0 on.
pub(crate) struct Run {
    pub(crate) loads: Vec<Vec<f64>>,
    pub(crate) capacities: Vec<Vec<(f64, f64)>>,
    pub(crate) travelled: Vec<f64>,
    pub(crate) moved: f64,
    pub(crate) requests: f64,
}

/// What a run comes to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figures {
    /// The most that a region was above its max, in percent of it.
    pub(crate) over: f64,
    /// The same beyond what it would have been with the best plan from the first second on: what caches excuse.
    pub(crate) over_best: f64,
    /// The most that a region was above its max later than two TTLs after the last event ended.
    pub(crate) late: f64,
    /// Seconds until all regions stay within 5 % of their max of the mean of the last quarter.
    pub(crate) settled_s: Option<i64>,
    /// How often a region's load crossed the mean of its last half, from 5 % of its max on one side to 5 % on the other,
    /// not counting the first time that it came there.
    pub(crate) crossings: usize,
    /// Requests per second that moved beyond those that the best plan moves, in percent of all.
    pub(crate) moved: f64,
    /// Kilometres that clients went beyond those of the best plan, in percent of these.
    pub(crate) farther: f64,
}

/// Plays a scenario, with a look at it so often.
pub(crate) fn play(scenario: &Scenario, way: Way, seed: u64, step_s: i64) -> Run {
    let mut world = World::new(scenario.clone(), seed);
    let mut steerer = Steerer::new(way, &world, step_s);
    let mut weights: Weights = steerer.look(&world).unwrap_or_default();
    let mut run = Run { loads: Vec::new(), capacities: Vec::new(), travelled: Vec::new(), moved: 0.0, requests: 0.0 };
    while world.now < scenario.run_s {
        world.second(&weights);
        if world.now >= 0 {
            run.loads.push(world.loads());
            run.capacities.push(world.scenario.regions.iter().map(|region| (region.target, region.max)).collect());
            run.travelled.push(world.travelled());
            run.moved += world.moved;
            run.requests = (0..scenario.cities.len()).map(|city| world.requests(city)).sum();
        }
        if let Some(next) = steerer.look(&world) {
            weights = next;
        }
    }
    run
}

impl Figures {
    /// The figures of a run beside the run that is best.
    pub(crate) fn of(scenario: &Scenario, run: &Run, best: &Run) -> Self {
        let seconds = run.loads.len();
        let over = |run: &Run, second: usize, region: usize| {
            let max = run.capacities[second][region].1;
            (run.loads[second][region] / max - 1.0) * 100.0
        };
        let regions = 0..scenario.regions.len();
        let (mut most, mut beyond, mut late) = (f64::MIN, 0.0_f64, f64::MIN);
        let end = scenario.events.iter().map(|(at, event)| at + ends_after(event)).max().unwrap_or(0);
        let settled = end + 2 * i64::from(scenario.ttl_s);
        let mut worst_best = f64::MIN;
        for second in 0..seconds {
            for region in regions.clone() {
                let here = over(run, second, region);
                most = most.max(here);
                worst_best = worst_best.max(over(best, second, region));
                beyond = beyond.max(here.max(0.0) - over(best, second, region).max(0.0));
                if second as i64 > settled {
                    late = late.max(here);
                }
            }
        }
        let mean = |region: usize, from: usize| {
            run.loads[from..].iter().map(|loads| loads[region]).sum::<f64>() / (seconds - from) as f64
        };
        let means: Vec<f64> = regions.clone().map(|region| mean(region, seconds - seconds / 4)).collect();
        let is_off = |second: usize| {
            let off = |region: usize| (run.loads[second][region] - means[region]) / run.capacities[second][region].1;
            regions.clone().any(|region| off(region).abs() > 0.05)
        };
        let last_off = (0..seconds).rev().find(|&second| is_off(second));
        let settled_s = last_off.map_or(Some(0), |second| (second + 1 < seconds).then_some(second as i64 + 1));
        let crossings = regions.clone().map(|region| {
            let mean = mean(region, seconds / 2);
            crossings(run.loads.iter().zip(&run.capacities).map(|(loads, of)| (loads[region] - mean) / of[region].1))
        });
        let sum = |run: &Run| run.travelled.iter().sum::<f64>();
        Self {
            over: most,
            over_best: beyond,
            late,
            settled_s,
            crossings: crossings.max().unwrap_or(0),
            moved: (run.moved - best.moved) / run.requests * 100.0,
            farther: (sum(run) / sum(best) - 1.0) * 100.0,
        }
    }
}

/// Seconds that an event takes.
fn ends_after(event: &crate::script::Event) -> i64 {
    use crate::script::Event;
    match event {
        Event::Busy { over_s, .. } | Event::Slow { over_s, .. } => *over_s as i64,
        // Until health checks have noticed.
        Event::Lose(_) => 15,
        Event::Open(_) | Event::Mute(_) | Event::Lie { .. } | Event::Capacity { .. } => 0,
    }
}

/// Changes of the sign of something that trembles by less than 5 %; that it comes near the first time is none.
fn crossings(off: impl Iterator<Item = f64>) -> usize {
    let (mut sign, mut count) = (0, 0);
    for off in off {
        let next = if off > 0.05 {
            1
        } else if off < -0.05 {
            -1
        } else {
            0
        };
        if next != 0 && next != sign {
            count += usize::from(sign != 0);
            sign = next;
        }
    }
    count
}
