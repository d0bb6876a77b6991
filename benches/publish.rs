//! How long a transition takes to publish: many services in many regions, one endpoint fails and comes back, then a
//! whole region. What is timed is all that the publisher does from an outcome to the snapshot: control (the machine of
//! the target, endpoints, guard, region table, active regions, ramps, agenda, events) and steering (placements,
//! lifetimes, ready answers). What the clock brings later, failback and its last seconds or the steps of ramps, is timed
//! as well. Freeing the generation before is not: nobody waits for it.
//!
//! The model is read from text with one service and multiplied, because reading five million endpoints takes minutes.
#![allow(clippy::print_stdout, reason = "a program for the command line")]
#![allow(clippy::cast_precision_loss, reason = "statistics")]

use std::fmt::Write;
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Parser;
use meridian::base::diagnostic::Report;
use meridian::base::ids::ServiceId;
use meridian::base::moment::Moment;
use meridian::config::Config;
use meridian::control::{Changed, Control, Effects, Settings};
use meridian::health::{Observation, Phases, Verdict};
use meridian::model::{self, Checked, Endpoint, Model, Service, ServiceRegion};
use meridian::snapshot::Steering;

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

/// What one publication takes, and its two parts.
#[derive(Clone, Copy, Default)]
struct Times {
    control: Duration,
    steering: Duration,
    /// Something else had the core meanwhile.
    disturbed: bool,
    /// Pages that were not there: first touched, or taken away by the system in the meantime.
    faults: u64,
}

impl Times {
    fn whole(&self) -> Duration {
        self.control + self.steering
    }
}

fn main() {
    let arguments = Arguments::parse();
    let begun = Instant::now();
    let model = Arc::new(multiplied(&template(&arguments), &arguments));
    println!(
        "{} services × {} regions = {} endpoints, policy {}: model {:.1} s",
        arguments.services,
        arguments.regions,
        model.endpoints.len(),
        arguments.policy,
        begun.elapsed().as_secs_f64()
    );
    let mut server = Server::start(model);
    println!(
        "{:<20}{:>7}{:>11}{:>10}{:>10}{:>18}{:>16}{:>11}{:>16}",
        "ms",
        "times",
        "disturbed",
        "median",
        "most",
        "most undisturbed",
        "median control",
        "steering",
        "faults in most"
    );
    let one: Vec<u64> = (0..arguments.times).map(|turn| server.target(&lone_address(turn).to_string())).collect();
    let (mut down, mut back, mut clock) = (Vec::new(), Vec::new(), Vec::new());
    for &target in &one {
        server.turn(target, &mut down, &mut back, &mut clock);
    }
    report("one endpoint down", &down);
    report("and back", &back);
    report("by the clock", &clock);
    let (mut down, mut back, mut clock) = (Vec::new(), Vec::new(), Vec::new());
    let region = server.target(REGION_ADDRESS);
    for _ in 0..arguments.times.min(5) {
        server.turn(region, &mut down, &mut back, &mut clock);
    }
    report("a whole region down", &down);
    report("and back", &back);
    report("by the clock", &clock);
}

/// What of the server works out what is published.
struct Server {
    control: Control,
    steering: Steering,
    now: Moment,
}

impl Server {
    /// A server in which every check has passed.
    fn start(model: Arc<Model>) -> Self {
        let begun = Instant::now();
        let mut control = Control::new(Settings::from(&Config::default_in(Path::new("."))));
        let now = Moment(1_000_000);
        control.adopt(now, Arc::clone(&model));
        println!("control, the model adopted: {:.0} ms", milliseconds(begun.elapsed()));
        for target in control.targets() {
            control.observe(now, target.id, &outcome(Verdict::Pass));
        }
        let begun = Instant::now();
        let steering = Steering::new(model, control.states(), 1);
        println!("steering, all of it: {:.0} ms", milliseconds(begun.elapsed()));
        Self { control, steering, now }
    }

    fn target(&self, address: &str) -> u64 {
        let found = self.control.targets().into_iter().find(|target| target.address.to_string() == address);
        found.map_or(u64::MAX, |target| target.id)
    }

    /// A target fails and passes again, with all that follows by the clock.
    fn turn(&mut self, target: u64, down: &mut Vec<Times>, back: &mut Vec<Times>, clock: &mut Vec<Times>) {
        for (verdict, times) in [(Verdict::Fail, down), (Verdict::Pass, back)] {
            self.now = self.now.after(Duration::from_secs(60));
            let now = self.now;
            times.push(self.publish(|control| control.observe(now, target, &outcome(verdict)).1));
        }
        while let Some(deadline) = self.control.next_deadline() {
            self.now = self.now.max(deadline);
            let now = self.now;
            clock.push(self.publish(|control| control.tick(now)));
        }
    }

    fn publish(&mut self, step: impl FnOnce(&mut Control) -> Effects) -> Times {
        let (switches, faults) = (switches(), faults());
        let begun = Instant::now();
        let effects = step(&mut self.control);
        let stepped = Instant::now();
        let next = match &effects.changed {
            Changed::None => None,
            Changed::Services(changed) => {
                let table = self.control.table().of_generation(self.steering.table.generation + 1);
                Some(self.steering.next(table, self.control.states(), changed))
            }
            Changed::All => unreachable!("no model is adopted here"),
        };
        let (control, steering) = (stepped - begun, stepped.elapsed());
        let times =
            Times { control, steering, disturbed: switches != crate::switches(), faults: crate::faults() - faults };
        if let Some(next) = next {
            self.steering = next;
        }
        black_box(effects);
        times
    }
}

fn outcome(verdict: Verdict) -> Observation {
    Observation { verdict, reason: "it says so".into(), warning: None, phases: Phases::default(), fed: Vec::new() }
}

fn report(what: &str, found: &[Times]) {
    println!(
        "{what:<20}{:>7}{:>11}{:>10.3}{:>10.3}{:>18.3}{:>16.3}{:>11.3}{:>16}",
        found.len(),
        found.iter().filter(|times| times.disturbed).count(),
        milliseconds(median(found.iter().map(Times::whole).collect())),
        milliseconds(found.iter().map(Times::whole).max().unwrap_or_default()),
        milliseconds(found.iter().filter(|times| !times.disturbed).map(Times::whole).max().unwrap_or_default()),
        milliseconds(median(found.iter().map(|times| times.control).collect())),
        milliseconds(median(found.iter().map(|times| times.steering).collect())),
        found.iter().max_by_key(|times| times.whole()).map_or(0, |times| times.faults),
    );
}

/// How often this thread had to leave its core to another one; the same always where the system does not say.
fn switches() -> Option<String> {
    let status = std::fs::read_to_string("/proc/thread-self/status").ok()?;
    status.lines().find(|line| line.starts_with("nonvoluntary_ctxt_switches")).map(ToOwned::to_owned)
}

/// How often this thread met a page that was not there; 0 always where the system does not say.
fn faults() -> u64 {
    let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap_or_default();
    // After the name, which may have spaces in it: minflt is the eighth field, majflt the tenth.
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or("").split(' ').collect();
    [7, 9].iter().filter_map(|&at| fields.get(at)?.parse::<u64>().ok()).sum()
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
    let mut text = String::from("[checks.web]\ntcp = { port = 80 }\nfall = 1\nrise = 1\n");
    for (at, key) in keys.iter().enumerate() {
        // Spread along the equator and beside it, so that distances differ.
        let (lat, lon) = (at % 7 * 10, at * 360 / keys.len());
        let _ = writeln!(text, "[regions.{key}]\nlocation = {{ lat = {lat}.0, lon = {:.1} }}", lon as f64 - 180.0);
        if at == 0 {
            let _ = writeln!(text, "check = \"web\"\ncheck_address = \"{REGION_ADDRESS}\"");
        }
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

/// What the check of the first region probes.
const REGION_ADDRESS: &str = "10.255.0.1";

/// The address of an endpoint that fails by itself.
fn lone_address(turn: u32) -> IpAddr {
    Ipv4Addr::from(0x0afe_0001 + turn).into()
}

/// The model with its one service as many times as wanted, each under a key of its own.
fn multiplied(template: &Model, arguments: &Arguments) -> Model {
    let regions = u32::try_from(template.endpoints.len()).unwrap_or(u32::MAX);
    let mut services = Vec::new();
    let mut endpoints = Vec::new();
    for number in 0..arguments.services {
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
    // Spread over the services, always in the first region: the one that is answered.
    for turn in 0..arguments.times {
        let service = turn * (arguments.services / arguments.times.max(1));
        if let Some(endpoint) = endpoints.get_mut((service * regions) as usize) {
            endpoint.checked = Checked::Address(lone_address(turn));
        }
    }
    let mut model = Model { services, endpoints, ..template.clone() };
    model.order_endpoints();
    model
}
