//! How soon clients follow a way that has changed, and how often they move where nothing has.

use crate::play::{Play, Rules, Who};
use crate::world::{Database, Weather, World};
use crate::{HOUR, TEXT};

/// Seconds until clients have left a way that became 80 ms longer, and until they are back after it is as it was:
/// at the median and the last of them.
#[derive(Debug, Default)]
pub(crate) struct Adaptation {
    /// Networks that have where to go, and those of them who then have to come back.
    pub(crate) networks: usize,
    pub(crate) away: usize,
    pub(crate) leave: (u64, u64),
    pub(crate) back: (u64, u64),
    /// Networks that had not left, and had not come back, when it was looked last.
    pub(crate) never: (usize, usize),
}

const LONGER_MS: f64 = 80.0;
const WARM_S: u64 = HOUR;
const LONGER_S: u64 = 1_800;
const BACK_S: u64 = 2_700;

/// The ways of one system to the region where most of its clients are become longer, and short again.
pub(crate) fn adaptation(who: Who, every_s: u64, networks: usize) -> Adaptation {
    let mut world = World::new(TEXT, networks, 2, Weather::Calm);
    let rules = Rules { who, database: Database::Cities, coverage: 1.0, every_s: 60, step_s: 60 };
    let (system, region) = concerned(&world);
    world.changes.insert((system, region), (WARM_S, WARM_S + LONGER_S, LONGER_MS));
    let mut play = Play::new(&world, rules);
    play.until(WARM_S);
    (play.rules.every_s, play.rules.step_s) = (every_s, 10);
    let members = world.members().remove(&system).unwrap();
    let is_concerned = |at: &usize| play.chosen[*at] == region && !play.is_right(*at);
    let concerned: Vec<usize> = members.into_iter().filter(is_concerned).collect();
    let mut left = watch(&mut play, &concerned, LONGER_S);
    play.until(WARM_S + LONGER_S);
    let stayed = concerned.len() - left.len();
    let away: Vec<usize> = concerned.iter().copied().filter(|&at| !play.is_right(at)).collect();
    let mut back = watch(&mut play, &away, BACK_S);
    let never = (stayed, away.len() - back.len());
    Adaptation {
        networks: concerned.len(),
        away: away.len(),
        leave: summary(&mut left),
        back: summary(&mut back),
        never,
    }
}

/// The largest system that moves less than may be moved at once and has where to go, and where most of its clients are best.
fn concerned(world: &World) -> (usize, usize) {
    let total: f64 = world.networks.iter().map(|network| network.demand).sum();
    let demand = |members: &[usize]| members.iter().map(|&at| world.networks[at].demand).sum::<f64>() / total;
    let mut found = (0.0, (0, 0));
    for (system, members) in world.members() {
        let mut ways: Vec<(f64, usize)> =
            (0..world.regions()).map(|region| (world.truth_ms(members[0], region, 0), region)).collect();
        ways.sort_by(|a, b| a.0.total_cmp(&b.0));
        let second_best = ways[1].0 - ways[0].0;
        if (20.0..50.0).contains(&second_best) && demand(&members) < 0.05 && demand(&members) > found.0 {
            found = (demand(&members), (system, ways[0].1));
        }
    }
    found.1
}

/// Seconds until each of these goes where it should.
fn watch(play: &mut Play<'_>, concerned: &[usize], seconds: u64) -> Vec<u64> {
    let begin = play.second;
    let mut waiting = concerned.to_vec();
    let mut found = Vec::new();
    while !waiting.is_empty() && play.second < begin + seconds {
        play.until(play.second + 10);
        let waited = play.second - begin;
        waiting.retain(|&at| !play.is_right(at));
        found.resize(concerned.len() - waiting.len(), waited);
    }
    found
}

fn summary(found: &mut [u64]) -> (u64, u64) {
    found.sort_unstable();
    (found.get(found.len() / 2).copied().unwrap_or(0), found.last().copied().unwrap_or(0))
}

/// Of all networks, what changes its best region in an hour, in percent; and what does at least once in all those hours.
pub(crate) fn churn(who: Who, weather: Weather, networks: usize, hours: u64, step_s: u64) -> (f64, f64) {
    let world = World::new(TEXT, networks, 3, weather);
    let rules = Rules { who, database: Database::Cities, coverage: 1.0, every_s: step_s, step_s };
    let mut play = Play::new(&world, rules);
    play.until(2 * HOUR);
    let mut before = play.chosen.clone();
    let mut moved = vec![0_u32; before.len()];
    for step in 1..=hours * HOUR / step_s {
        play.until(2 * HOUR + step * step_s);
        for ((moved, before), now) in moved.iter_mut().zip(&mut before).zip(&play.chosen) {
            *moved += u32::from(before != now);
            *before = *now;
        }
    }
    let all = moved.len() as f64;
    let an_hour = moved.iter().map(|&count| f64::from(count)).sum::<f64>() / hours as f64;
    (an_hour / all * 100.0, moved.iter().filter(|&&count| count > 0).count() as f64 / all * 100.0)
}
