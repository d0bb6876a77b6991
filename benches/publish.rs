//! How long a transition takes to publish: many services in many regions, one endpoint fails and comes back, then a
//! whole region. What is timed is what the publisher does before it stores the snapshot: the region table, the
//! placements, the ready answers. Freeing the generation before is not: nobody waits for it.
//!
//! The model is read from text with one service and multiplied, because reading five million endpoints takes minutes.
#![allow(clippy::print_stdout, reason = "a program for the command line")]
#![allow(clippy::cast_precision_loss, reason = "statistics")]

use std::fmt::Write;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Parser;
use meridian::base::diagnostic::Report;
use meridian::base::ids::{EndpointId, RegionId, ServiceId};
use meridian::model::{self, Endpoint, Model, Service, ServiceRegion};
use meridian::policy::Inputs;
use meridian::snapshot::Steering;
use meridian::table::States;

/// Times the publishing of transitions.
#[derive(Debug, Parser)]
struct Arguments {
    #[arg(long, default_value_t = 100_000)]
    services: u32,
    /// At most 128
    #[arg(long, default_value_t = 50)]
    regions: u32,
    /// The policy of every service
    #[arg(long, default_value = "failover")]
    policy: String,
    /// Transitions timed of each kind
    #[arg(long, default_value_t = 20)]
    times: u32,
    /// What `cargo bench` adds
    #[arg(long, hide = true)]
    bench: bool,
}

/// What one publication takes, and its first two parts done apart.
#[derive(Clone, Copy, Default)]
struct Times {
    table: Duration,
    placements: Duration,
    whole: Duration,
}

fn main() {
    let arguments = Arguments::parse();
    let begun = Instant::now();
    let model = Arc::new(multiplied(&template(&arguments), arguments.services));
    let mut states = States::all_up(&model);
    println!(
        "{} services × {} regions = {} endpoints, policy {}: model {:.1} s",
        arguments.services,
        arguments.regions,
        model.endpoints.len(),
        arguments.policy,
        begun.elapsed().as_secs_f64()
    );
    let begun = Instant::now();
    let mut steering = Steering::new(Arc::clone(&model), &states, 1);
    println!("steering, all of it: {:.0} ms", milliseconds(begun.elapsed()));

    println!("{:<20}{:>14}{:>14}{:>14}{:>14}", "median ms", "all of it", "most", "of it: table", "placements");
    let one: Vec<Vec<EndpointId>> = (0..arguments.times)
        // Spread over the services, always the first region: the one that is answered.
        .map(|turn| first_endpoint(&model, turn * (arguments.services / arguments.times.max(1)), RegionId(0)))
        .collect();
    measure("one endpoint", &one, &mut steering, &mut states);
    let is_first = |&id: &EndpointId| model.endpoints[id.index()].region == RegionId(0);
    let region: Vec<EndpointId> = (0..).map(EndpointId).take(model.endpoints.len()).filter(is_first).collect();
    measure("a whole region", &vec![region; arguments.times.min(5) as usize], &mut steering, &mut states);
}

/// The one call that what is measured comes down to: from the states to what is published.
fn publish(steering: &Steering, states: &States, changed: &[ServiceId], generation: u64) -> (Steering, Times) {
    let begun = Instant::now();
    let next = steering.repaired(states, changed, generation);
    let whole = begun.elapsed();
    // Its first two parts once more, apart.
    let begun = Instant::now();
    let table = steering.table.repaired(states, changed.iter().copied(), generation);
    let table_done = Instant::now();
    let inputs = Inputs { model: &steering.model, table: &table, states, atlases: &steering.atlases };
    let placements = steering.placements.repaired(inputs, changed.iter().copied());
    let times = Times { table: table_done - begun, placements: table_done.elapsed(), whole };
    black_box((table, placements));
    (next, times)
}

/// Each set of endpoints goes down and comes back; both are timed.
fn measure(what: &str, sets: &[Vec<EndpointId>], steering: &mut Steering, states: &mut States) {
    let mut found = Vec::new();
    for set in sets {
        for up in [false, true] {
            let mut changed: Vec<ServiceId> = Vec::new();
            for &id in set {
                states.up[id.index()] = up;
                changed.push(steering.model.endpoints[id.index()].service);
            }
            changed.dedup();
            let generation = steering.table.generation + 1;
            let (next, times) = publish(steering, states, &changed, generation);
            found.push(times);
            *steering = next;
        }
    }
    let middle = |part: fn(&Times) -> Duration| median(found.iter().map(part).collect());
    println!(
        "{what:<20}{:>14.3}{:>14.3}{:>14.3}{:>14.3}",
        milliseconds(middle(|times| times.whole)),
        milliseconds(found.iter().map(|times| times.whole).max().unwrap_or_default()),
        milliseconds(middle(|times| times.table)),
        milliseconds(middle(|times| times.placements)),
    );
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// A model with one service in all regions.
fn template(arguments: &Arguments) -> Model {
    let Arguments { regions, policy, .. } = arguments;
    let keys: Vec<String> = (0..*regions).map(|region| format!("r{region:03}")).collect();
    let mut text = String::from("[checks.web]\ntcp = { port = 80 }\n");
    for (at, key) in keys.iter().enumerate() {
        // Spread along the equator and beside it, so that distances differ.
        let (lat, lon) = (at % 7 * 10, at * 360 / keys.len());
        let _ = writeln!(text, "[regions.{key}]\nlocation = {{ lat = {lat}.0, lon = {:.1} }}", lon as f64 - 180.0);
    }
    let _ = writeln!(text, "[services.s]\nnames = [\"s.example.com\"]\npolicy = \"{policy}\"\ncheck = \"web\"");
    let _ = writeln!(text, "order = {keys:?}\n[services.s.endpoints]");
    for (at, key) in (0_u32..).zip(&keys) {
        let _ = writeln!(text, "{key} = [\"10.0.{}.{}\"]", at / 250, at % 250 + 1);
    }
    let mut report = Report::new();
    let model = model::read(&[("regions.toml".into(), text.as_str())], &mut report);
    assert!(!report.has_errors(), "{}", report.render());
    model.unwrap_or_default()
}

/// The model with its one service as many times as wanted, each under a key of its own.
fn multiplied(template: &Model, count: u32) -> Model {
    let regions = u32::try_from(template.endpoints.len()).unwrap_or(u32::MAX);
    let mut services = Vec::new();
    let mut endpoints = Vec::new();
    for number in 0..count {
        let key: Arc<str> = format!("s{number:06}").into();
        for service in &template.services {
            let shifted = |part: &ServiceRegion| ServiceRegion {
                endpoints: part.endpoints.start + number * regions..part.endpoints.end + number * regions,
                ..part.clone()
            };
            let parts = service.regions.iter().map(shifted).collect();
            services.push(Service { key: Arc::clone(&key), regions: parts, ..service.clone() });
        }
        endpoints.extend(template.endpoints.iter().map(|endpoint| Endpoint {
            key: endpoint.key.replacen('s', &key, 1).into(),
            service: ServiceId(number),
            ..endpoint.clone()
        }));
    }
    Model { services, endpoints, ..template.clone() }
}

/// The first endpoint of a service in a region.
fn first_endpoint(model: &Model, service: u32, region: RegionId) -> Vec<EndpointId> {
    let parts = model.services.get(service as usize).map(|service| service.regions.as_slice()).unwrap_or_default();
    let part = parts.iter().find(|part| part.region == region);
    part.map(|part| EndpointId(part.endpoints.start)).into_iter().collect()
}
