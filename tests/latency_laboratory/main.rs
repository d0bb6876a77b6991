//! The laboratory of latency: how well clients are sent where their way is shortest, from measurements of a world whose
//! ways are known. `README.md` has the figures and where the world's numbers come from.
#![allow(clippy::unwrap_used, reason = "a test ends where its helpers do")]
#![allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "numbers are small")]

mod motion;
mod play;
#[path = "../laboratory/random.rs"]
mod random;
mod world;

use std::fmt;

use meridian::geo::Nearness;
use motion::{Adaptation, adaptation, churn};
use play::{Play, Regret, Rules, Who};
use random::Random;
use world::{Database, Weather, World};

const TEXT: &str = include_str!("world.lab");
const HOUR: u64 = 3_600;

/// True where the large world was asked for.
fn is_full() -> bool {
    std::env::var_os("MERIDIAN_LABORATORY").is_some_and(|word| word == "full")
}

/// A row of the table.
struct Line {
    way: String,
    measured: String,
    regret: Regret,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { way, measured, regret: Regret { p50, p95, mean, far } } = self;
        write!(f, "| {way} | {measured} | {p50:.1} | {p95:.1} | {mean:.1} | {:.1} |", far * 100.0)
    }
}

/// What clients lose at these seconds, all together.
fn played(world: &World, rules: Rules, seconds: &[u64]) -> Regret {
    let mut play = Play::new(world, rules);
    let mut found = Vec::new();
    for &second in seconds {
        play.until(second);
        found.extend(play.regret(&play.chosen));
    }
    Regret::of(found)
}

fn line(world: &World, who: Who, database: Database, coverage: f64, pace_s: (u64, u64)) -> Line {
    let rules = Rules { who, database, coverage, every_s: pace_s.0, step_s: pace_s.1 };
    let way = match (who, database) {
        (Who::Beacon, Database::Cities) => "beacon, all regions",
        (Who::Passive, Database::Cities) => "passive, own region",
        (Who::Stray, Database::Cities) => "passive, 1 in 20 strays",
        (Who::Stray, Database::Countries) => "passive, 1 in 20 strays, countries only",
        (Who::Beacon, Database::Countries) => "beacon, countries only",
        (Who::Passive, Database::Countries) => "passive, countries only",
    };
    let regret = played(world, rules, &EVALUATED);
    Line { way: way.into(), measured: format!("{:.0} %", coverage * 100.0), regret }
}

/// When it is looked how well clients are sent.
const EVALUATED: [u64; 3] = [2 * HOUR, 2 * HOUR + 1_200, 2 * HOUR + 2_400];

/// What others do: geography, the middle of the country, chance.
fn baselines(world: &World) -> Vec<Line> {
    let near = Nearness::Distance { tolerance_m: 0 };
    let rules = |database| Rules { who: Who::Beacon, database, coverage: 0.0, every_s: 300, step_s: 300 };
    let mut random = Random(11);
    let chance: Vec<usize> = world.networks.iter().map(|_| (random.part() * world.regions() as f64) as usize).collect();
    let rows: [(&str, Database, Option<Vec<usize>>); 3] = [
        ("geography", Database::Cities, None),
        ("nearest country", Database::Countries, None),
        ("chance", Database::Cities, Some(chance)),
    ];
    let line = |(way, database, chosen): (&str, Database, Option<Vec<usize>>)| {
        let mut play = Play::new(world, rules(database));
        let chosen = chosen.unwrap_or_else(|| play.by(near.clone()));
        let mut found = Vec::new();
        for second in EVALUATED {
            play.second = second;
            found.extend(play.regret(&chosen));
        }
        Line { way: way.into(), measured: "-".into(), regret: Regret::of(found) }
    };
    rows.into_iter().map(line).collect()
}

fn world(networks: usize, weather: Weather) -> World {
    let seed = std::env::var("MERIDIAN_LABORATORY_SEED").ok().and_then(|word| word.parse().ok());
    World::new(TEXT, networks, seed.unwrap_or(1), weather)
}

#[test]
fn the_world_is_as_others_measured_it() {
    let world = world(3_200, Weather::All);
    let mut stretch = world.stretch(100.0);
    stretch.sort_by(f64::total_cmp);
    let median = stretch[stretch.len() / 2];
    assert!((2.9..3.5).contains(&median), "3.2 times light in vacuum, and here {median}");
    let [geography, _, chance] = baselines(&world).try_into().unwrap_or_else(|_| panic!("three rows"));
    // One in five clients of an anycast network loses 25 ms (Calder and others, IMC 2015).
    assert!((0.15..0.25).contains(&geography.regret.far), "{geography}");
    assert!(chance.regret.mean > 2.0 * geography.regret.mean, "{chance}\n{geography}");
}

/// The same for a part of the networks; the steps are longer than the server's, so that it takes no minutes.
#[test]
fn what_is_measured_of_few_is_no_worse_than_geography() {
    let world = world(3_200, Weather::All);
    let geography = baselines(&world).swap_remove(0).regret;
    for (coverage, most) in [(0.01, 1.0), (0.1, 0.6)] {
        for who in [Who::Beacon, Who::Passive] {
            let line = line(&world, who, Database::Cities, coverage, (300, 600));
            assert!(line.regret.mean < most * geography.mean, "{line}");
        }
    }
}

#[test]
fn what_is_measured_of_all_is_nearly_right() {
    let world = world(3_200, Weather::All);
    let line = line(&world, Who::Beacon, Database::Cities, 1.0, (600, 600));
    assert!(line.regret.mean < 4.0 && line.regret.p95 < 16.0, "{line}");
}

#[test]
fn a_changed_way_is_left_within_eight_measurements() {
    let found = adaptation(Who::Beacon, 10, 200);
    assert!(found.networks > 2 && found.away == found.networks && found.never == (0, 0), "{found:?}");
    assert!(found.leave.1 <= 100 && found.back.1 <= 150, "{found:?}");
}

#[test]
fn noise_moves_nobody() {
    let (an_hour, at_all) = churn(Who::Beacon, Weather::Calm, 200, 6, 180);
    assert!(an_hour < 0.5 && at_all < 2.0, "{an_hour} {at_all}");
}

/// Prints the table of `README.md`.
#[test]
#[ignore = "prints a table"]
fn table() {
    let world = world(if is_full() { 10_000 } else { 3_200 }, Weather::All);
    println!("| way | networks measured | p50 ms | p95 ms | mean ms | > 25 ms % |");
    println!("|---|---|---|---|---|---|");
    for line in baselines(&world) {
        println!("{line}");
    }
    for database in [Database::Cities, Database::Countries] {
        for who in [Who::Beacon, Who::Passive, Who::Stray] {
            for coverage in [0.01, 0.1, 1.0] {
                println!("{}", line(&world, who, database, coverage, (300, 120)));
            }
        }
    }
}

/// Prints the second table.
#[test]
#[ignore = "prints a table"]
fn motion_table() {
    let networks = if is_full() { 1_500 } else { 300 };
    println!(
        "| who measures | every | networks | left after, median (last) s | never | to come back | after, s | never |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for (who, every_s) in [(Who::Beacon, 10), (Who::Beacon, 60), (Who::Stray, 10), (Who::Stray, 60)] {
        let Adaptation { networks, away, leave, back, never } = adaptation(who, every_s, networks);
        println!(
            "| {who:?} | {every_s} s | {networks} | {} ({}) | {} | {away} | {} ({}) | {} |",
            leave.0, leave.1, never.0, back.0, back.1, never.1
        );
    }
    println!("| who measures | weather | moves an hour, % of networks | networks that moved at all, % |");
    println!("|---|---|---|---|");
    for who in [Who::Beacon, Who::Stray] {
        for (name, weather) in
            [("noise alone, 6 h", Weather::Calm), ("evenings, 24 h", Weather::Evenings), ("all, 24 h", Weather::All)]
        {
            let (an_hour, at_all) = churn(who, weather, networks, if weather == Weather::Calm { 6 } else { 24 }, 60);
            println!("| {who:?} | {name} | {an_hour:.2} | {at_all:.1} |");
        }
    }
}
