//! How long a plan takes and how much memory it needs, and how that grows: with the classes of clients, the regions, and
//! the groups of services that decide alike. Each class of each group is a unit; half of all regions are too full.
//!
//! Groups differ in which regions they have, so nothing can be put together. What is timed is a whole step: learning from
//! feeds, levels, the cheapest placement, pace. The first step solves all of it; the steps after it are those of a demand
//! that trembles. Times are of the processor, because others may have it too; memory is what the peak grew by, so it says
//! something only where no larger case came before.
#![allow(clippy::print_stdout, reason = "a program for the command line")]
#![allow(clippy::cast_precision_loss, reason = "statistics")]

mod processor;

use std::hint::black_box;
use std::time::Duration;

use clap::Parser;
use meridian::base::hash::{mix, steering_hash};
use meridian::base::moment::Moment;
use meridian::plan::{Capacity, Method, Planner, Reported, Site, Situation, Unit};

use processor::worked;

/// Times the planner.
#[derive(Debug, Parser)]
struct Arguments {
    #[arg(long, default_value_t = 500)]
    classes: u32,
    /// At most 128
    #[arg(long, default_value_t = 50)]
    regions: u32,
    #[arg(long, default_value_t = 200)]
    groups: u32,
    /// Steps timed after the first
    #[arg(long, default_value_t = 5)]
    times: u32,
    /// Show how it grows in each dimension as well
    #[arg(long)]
    growth: bool,
    /// What `cargo bench` adds
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() {
    let Arguments { classes, regions, groups, times, growth, .. } = Arguments::parse();
    println!(
        "{:>8}{:>8}{:>8}{:>9}{:>11}{:>10}{:>10}{:>10}{:>12}",
        "classes", "regions", "groups", "units", "method", "first ms", "then ms", "most ms", "memory MB"
    );
    report(classes, regions, groups, times);
    if growth {
        for part in [2, 4, 8] {
            report(classes / part, regions, groups, times);
        }
        for regions in [regions / 4, regions / 2, (regions * 2).min(128)] {
            report(classes, regions, groups, times);
        }
        for part in [2, 4, 8] {
            report(classes, regions, groups / part, times);
        }
    }
}

fn report(classes: u32, regions: u32, groups: u32, times: u32) {
    let mut situation = situation(classes, regions, groups);
    let before = resident();
    let mut planner = Planner::new();
    let mut now = Moment(1_000_000_000);
    let begun = worked();
    let plan = planner.step(now, &situation);
    let first = worked().saturating_sub(begun);
    let method = plan.method;
    let mut later = Vec::new();
    for time in 0..times {
        for (number, unit) in (0_u64..).zip(&mut situation.units) {
            unit.demand = unit.demand * (97 + mix(number ^ u64::from(time) << 32) % 7) / 100;
        }
        now = now.after(Duration::from_secs(5));
        let begun = worked();
        black_box(planner.step(now, &situation));
        later.push(worked().saturating_sub(begun));
    }
    let memory = resident().saturating_sub(before);
    later.sort_unstable();
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    println!(
        "{classes:>8}{regions:>8}{groups:>8}{:>9}{:>11}{:>10.0}{:>10.0}{:>10.0}{:>12.0}",
        situation.units.len(),
        method.as_str(),
        ms(first),
        ms(later.get(later.len() / 2).copied().unwrap_or_default()),
        ms(later.last().copied().unwrap_or_default()),
        memory as f64 / 1e6,
    );
    assert!(method != Method::Home, "nothing had to be solved");
}

/// Regions and classes at random places of a plane; half of all regions are too full, and all together are not.
fn situation(classes: u32, regions: u32, groups: u32) -> Situation {
    let place = |kind: u8, number: u32| {
        let word = steering_hash(&[&[kind], &number.to_le_bytes()]);
        (word % 20_000, (word >> 32) % 10_000)
    };
    let mut units = Vec::new();
    for group in 0..groups {
        for class in 0..classes {
            let (x, y) = place(1, class);
            let far = |region: u32| {
                let (to_x, to_y) = place(2, region);
                u32::try_from(x.abs_diff(to_x) + y.abs_diff(to_y)).unwrap_or(u32::MAX)
            };
            // Nine in ten regions, others for each group.
            let has = |region: &u32| !mix(u64::from(group) << 32 | u64::from(*region)).is_multiple_of(10);
            let numbered =
                (0..regions).filter(has).filter_map(|region| Some((u8::try_from(region).ok()?, far(region))));
            let mut choices: Vec<(u8, u32)> = numbered.collect();
            choices.sort_unstable_by_key(|&(region, cost)| (cost, region));
            let home = choices.first().map(|&(region, _)| (region, 1)).into_iter().collect();
            let key = steering_hash(&[&group.to_le_bytes(), &class.to_le_bytes()]);
            let demand = 1_000 + key % 10_000;
            units.push(Unit { key, demand, home, choices, ttl_s: 30, spills: true });
        }
    }
    let mut at_home = vec![0_u64; regions as usize];
    for unit in &units {
        for &(region, _) in &unit.home {
            at_home[usize::from(region)] += unit.demand;
        }
    }
    let mean = at_home.iter().sum::<u64>() / u64::from(regions.max(1));
    let site = |(number, load): (u32, u64)| {
        let target = if number.is_multiple_of(2) { load * 7 / 10 } else { load + mean * 7 / 10 };
        let capacity = Some(Capacity { target, max: target * 5 / 4 });
        Site { key: steering_hash(&[&number.to_le_bytes()]), capacity, load: Reported::Estimated }
    };
    Situation { sites: (0..).zip(at_home).map(site).collect(), units, ..Situation::default() }
}

/// The most bytes of memory that were in use; 0 where the system does not say.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) * 1_024
}
