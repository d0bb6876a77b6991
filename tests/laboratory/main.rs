//! The laboratory: the planner in a closed loop, in simulated time, beside what others do. `README.md` has the figures.
#![allow(clippy::cast_possible_truncation, reason = "seconds and requests are small")]

mod figures;
mod random;
mod script;
mod steerers;
mod world;

use figures::{Figures, play};
use script::Scenario;
use steerers::Way;

const WORLD: &str = include_str!("world.lab");

/// Scenarios by name, in the order of the table.
const SCENARIOS: [(&str, &str); 10] = [
    ("flash crowd", include_str!("flash_crowd.lab")),
    ("region lost at peak", include_str!("region_lost_at_peak.lab")),
    ("slow brown-out", include_str!("brown_out.lab")),
    ("feed lost", include_str!("feed_lost.lab")),
    ("feed lying low", include_str!("feed_lying_low.lab")),
    ("feed lying high", include_str!("feed_lying_high.lab")),
    ("two regions full", include_str!("two_regions_full.lab")),
    ("capacity returned", include_str!("capacity_returned.lab")),
    ("region added", include_str!("region_added.lab")),
    ("noise alone", include_str!("noise_alone.lab")),
];

const SEED: u64 = 7;

fn figures(text: &str, ways: &[Way], seed: u64) -> Vec<Figures> {
    let scenario = Scenario::read(&[WORLD, text]);
    let best = play(&scenario, Way::Best, seed);
    ways.iter().map(|&way| Figures::of(&scenario, &play(&scenario, way, seed), &best)).collect()
}

#[test]
fn table() {
    println!(
        "| {:<19} | {:<8} | {:>6} | {:>10} | {:>6} | {:>7} | {:>9} | {:>6} | {:>7} |",
        "scenario", "way", "over", "over best", "late", "settled", "crossings", "moved", "farther"
    );
    for (name, text) in SCENARIOS {
        let ways = [Way::Best, Way::Planner, Way::Linear, Way::Limit];
        for (way, figures) in ways.iter().zip(figures(text, &ways, SEED)) {
            let settled = figures.settled_s.map_or_else(|| "never".into(), |seconds| format!("{seconds} s"));
            println!(
                "| {name:<19} | {:<8} | {:>6.1} | {:>10.1} | {:>6.1} | {settled:>7} | {:>9} | {:>6.1} | {:>7.1} |",
                format!("{way:?}"),
                figures.over,
                figures.over_best,
                figures.late,
                figures.crossings,
                figures.moved,
                figures.farther
            );
        }
    }
}
