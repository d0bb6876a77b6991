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

fn line(world: &World, who: Who, database: Database, coverage: f64) -> Line {
    let rules = Rules { who, database, coverage, every_s: 300, step_s: 120 };
    let way = match (who, database) {
        (Who::Beacon, Database::Cities) => "beacon, all regions",
        (Who::Passive, Database::Cities) => "passive, own region",
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
    World::new(TEXT, networks, 1, weather)
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
        for who in [Who::Beacon, Who::Passive] {
            for coverage in [0.01, 0.1, 1.0] {
                println!("{}", line(&world, who, database, coverage));
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
    for (who, every_s) in [(Who::Beacon, 10), (Who::Beacon, 60), (Who::Passive, 10), (Who::Passive, 60)] {
        let Adaptation { networks, away, leave, back, never } = adaptation(who, every_s, networks);
        println!(
            "| {who:?} | {every_s} s | {networks} | {} ({}) | {} | {away} | {} ({}) | {} |",
            leave.0, leave.1, never.0, back.0, back.1, never.1
        );
    }
    println!("| who measures | weather | moves an hour, % of networks | networks that moved at all, % |");
    println!("|---|---|---|---|");
    for who in [Who::Beacon, Who::Passive] {
        for (name, weather) in [("noise alone", Weather::Calm), ("evenings", Weather::Evenings), ("all", Weather::All)]
        {
            let (an_hour, at_all) = churn(who, weather, networks, 6);
            println!("| {who:?} | {name} | {an_hour:.2} | {at_all:.1} |");
        }
    }
}
