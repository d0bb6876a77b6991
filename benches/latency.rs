//! What it costs to know how long ways take: to take a measurement, to work out what steers, to make an atlas of it, and the
//! memory it needs.
//!
//! Networks lie in the blocks of the database that comes with the project, and each has its times to a few of eight regions.
//! Times are of the processor, because others may have it too; memory is what the resident pages grew by.
#![allow(clippy::print_stdout, reason = "a program for the command line")]
#![allow(clippy::cast_precision_loss, reason = "statistics")]

mod processor;

use std::fmt::Write as _;
use std::hint::black_box;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use meridian::base::diagnostic::Report;
use meridian::base::hash::mix;
use meridian::base::moment::Moment;
use meridian::geo::{Atlas, DatabaseFile, Nearness, Places};
use meridian::latency::{ClientNetwork, Measurement, Settings, Source, Survey};
use meridian::model::{self, GeoRanking, Model};

use processor::worked;

/// Times the survey.
#[derive(Debug, Parser)]
struct Arguments {
    /// Networks that are measured
    #[arg(long, default_value_t = 100_000)]
    networks: u32,
    /// Regions that each of them is measured to, at most 8
    #[arg(long, default_value_t = 4)]
    ways: u32,
    /// Measurements each minute
    #[arg(long, default_value_t = 1_000_000)]
    measurements: u32,
    /// Minutes that are played; from the second on with a step each ten seconds
    #[arg(long, default_value_t = 3)]
    minutes: u32,
    /// What `cargo bench` adds
    #[arg(long, hide = true)]
    bench: bool,
}

/// Key, latitude, longitude.
const REGIONS: [(&str, f64, f64); 8] = [
    ("bom", 19.08, 72.88),
    ("fra", 50.11, 8.68),
    ("gru", -23.55, -46.63),
    ("iad", 38.95, -77.45),
    ("nrt", 35.76, 140.39),
    ("sin", 1.35, 103.99),
    ("sjc", 37.36, -121.93),
    ("syd", -33.87, 151.21),
];

fn main() {
    let arguments = Arguments::parse();
    let (model, places) = (model(), Arc::new(places()));
    let mut survey = Survey::new(Settings { networks: arguments.networks as usize, ..Settings::default() });
    survey.attend(&model, &places);
    let ways = ways(&places, &arguments);
    let before = resident();
    let (mut now, mut number) = (Moment(1_000_000_000), 0);
    let (mut took, mut refused) = (Duration::ZERO, 0_u32);
    let mut steps = Vec::new();
    let mut measured = None;
    for round in 0..arguments.minutes * 6 {
        if round == 6 {
            told(&survey, before, "of a minute, before a step");
        }
        let batch: Vec<Measurement> =
            (0..arguments.measurements / 6).map(|at| measurement(&ways, number + u64::from(at))).collect();
        number += u64::from(arguments.measurements / 6);
        let begun = worked();
        for one in &batch {
            refused += u32::from(survey.take(now, Source::Beacon, one).is_err());
        }
        took += worked().saturating_sub(begun);
        drop(batch);
        now = now.after(Duration::from_secs(10));
        if round < 6 {
            continue;
        }
        let begun = worked();
        let found = survey.step(now);
        steps.push(worked().saturating_sub(begun));
        measured = found.or(measured);
    }
    told(&survey, before, "with what steers, and what a step needs");
    let all = number as f64;
    let per_measurement = took.as_secs_f64() / all;
    let (networks, ways) = survey.size();
    println!("{networks} networks, {ways} ways, {number} measurements, {refused} refused");
    println!(
        "take: {:.2} µs each, {:.1} % of a core",
        per_measurement * 1e6,
        per_measurement * all_a_second(&arguments) * 100.0
    );
    steps.sort_unstable();
    let ms = |time: Option<&Duration>| time.map_or(0.0, |time| time.as_secs_f64() * 1e3);
    println!("step: {:.0} ms at the median, {:.0} ms at most", ms(steps.get(steps.len() / 2)), ms(steps.last()));
    let measured = measured.unwrap_or_default();
    let rows = measured.rows().len();
    let by = |nearness| {
        let begun = worked();
        let atlas = Atlas::build(&places, &model, GeoRanking::Distance, nearness, (1 << REGIONS.len()) - 1);
        (worked().saturating_sub(begun), black_box(atlas).classes().len())
    };
    let (latency, classes) = by(Nearness::Latency { tolerance_us: 0, measured });
    let (distance, _) = by(Nearness::Distance { tolerance_m: 0 });
    println!(
        "atlas: {:.0} ms of {rows} rows, {classes} classes; by distance {:.0} ms",
        ms(Some(&latency)),
        ms(Some(&distance))
    );
}

fn told(survey: &Survey, before: u64, when: &str) {
    let grown = resident().saturating_sub(before);
    println!("memory: {:.1} MB as told, {:.1} MB as grown, {when}", survey.bytes() as f64 / 1e6, grown as f64 / 1e6);
}

fn all_a_second(arguments: &Arguments) -> f64 {
    f64::from(arguments.measurements) / 60.0
}

/// Networks of countries, regions they are measured to, and milliseconds.
fn ways(places: &Places, arguments: &Arguments) -> Vec<(ClientNetwork, &'static str, u32)> {
    let mut ways = Vec::new();
    let mut word = 1;
    let samples: Vec<u32> = (0_u32..)
        .map(|_| {
            word = mix(word + 0x9e37_79b9);
            u32::try_from(word & 0xffff_ff00).unwrap_or(0)
        })
        .filter(|bits| places.place(Ipv4Addr::from_bits(*bits).into()).country.is_some())
        .take((arguments.networks / 8) as usize)
        .collect();
    // Eight neighbors each, as clients have.
    let addresses = samples.iter().flat_map(|bits| (0..8).map(move |at| (bits & !0x7ff) + (at << 8)));
    for client in addresses.filter_map(|bits| ClientNetwork::of(Ipv4Addr::from_bits(bits).into())) {
        for _ in 0..arguments.ways {
            word = mix(word + 0x9e37_79b9);
            let region = REGIONS.get((word % 8) as usize).map_or("", |(key, ..)| key);
            ways.push((client, region, 150_000 + u32::try_from(word >> 32 & 0xffff).unwrap_or(0)));
        }
    }
    ways
}

fn measurement(ways: &[(ClientNetwork, &'static str, u32)], number: u64) -> Measurement {
    let word = mix(number);
    let (client, region, us) = ways[usize::try_from(word).unwrap_or(0) % ways.len()];
    let noise = u32::try_from(word >> 50).unwrap_or(0);
    Measurement { client, region: region.to_owned(), us: us + noise, samples: 1, at: None }
}

fn model() -> Model {
    let mut text = String::new();
    for (key, latitude, longitude) in REGIONS {
        let _ = writeln!(text, "[regions.{key}]\nlocation = {{ lat = {latitude}, lon = {longitude} }}");
    }
    let mut report = Report::new();
    model::read(&[("m.toml".into(), text)], &mut report).unwrap_or_else(|| panic!("{}", report.render()))
}

/// The database that comes with the project.
fn places() -> Places {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("geoip/country.mmdb");
    let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut report = Report::new();
    let path = path.to_string_lossy().into_owned().into();
    let places = Places::read(vec![DatabaseFile { path, bytes }], None, 0, &mut report);
    places.unwrap_or_else(|| panic!("{}", report.render()))
}

/// Bytes of memory in use; 0 where the system does not say.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    text.split_whitespace().nth(1).and_then(|word| word.parse::<u64>().ok()).unwrap_or(0) * 4_096
}
