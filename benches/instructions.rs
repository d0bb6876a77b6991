//! What `scripts/instructions` counts: a workload's queries, one after the other, under callgrind. Instructions do not
//! depend on what else the machine does, so they can be a gate where times cannot.
//!
//! The count is asked for twice, N and 2N, and the difference divided by N: whatever is done once cancels out.
#![allow(clippy::print_stdout, reason = "a program for the command line")]

use std::fmt::Write;
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use clap::{Parser, ValueEnum};
use meridian::answer::{Client, Lane, Transport, respond};
use meridian::base::diagnostic::Report;
use meridian::base::files::MemoryFiles;
use meridian::base::hash::HashKey;
use meridian::dns::Name;
use meridian::geo::{DatabaseFile, Deviation, Group, Margin, Measured, Places, Row};
use meridian::model;
use meridian::policy::Atlases;
use meridian::snapshot::{Snapshot, Steering, link};
use meridian::table::States;
use meridian::zone::{self, Served, ZoneSet};
use workload::{Kind, Order, Workload};

#[path = "load/question.rs"]
#[allow(dead_code, unreachable_pub, reason = "the load generator's module: half of it makes the questions")]
mod question;
#[path = "load/workload.rs"]
#[allow(dead_code, unreachable_pub, reason = "the load generator's module: half of it makes the questions")]
mod workload;

/// Does a workload's queries; meant for `scripts/instructions`.
#[derive(Debug, Parser)]
struct Arguments {
    /// What is done
    #[arg(long, value_enum)]
    workload: Task,
    /// How often
    #[arg(long)]
    count: u64,
    /// What `cargo bench` adds
    #[arg(long, hide = true)]
    bench: bool,
}

/// What can be counted. Each has its limit in `instructions.toml`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Task {
    /// Static names that exist, 1,000 of them.
    Names1k,
    /// The same, 1,000,000 of them.
    Names1m,
    /// Static names without EDNS.
    NamesPlain,
    /// Random names that do not exist.
    Absent,
    /// Names steered by weight among four regions.
    Weighted,
    /// The same with a client subnet, another one for each query.
    WeightedSubnets,
    /// Names steered by place, a map of continents and countries, to four regions; a client subnet as above.
    GeoSubnets,
    /// Names steered by latency, of 100,000 networks that were measured, to four regions; a client subnet as above.
    LatencySubnets,
    /// Names steered to one region, round robin among two endpoints.
    Failover,
}

/// Calls before the counting begins: they fill what is filled once (allocator, lazy tables).
const WARM_UP: u64 = 64;

fn main() {
    let Arguments { workload, count, .. } = Arguments::parse();
    let mut query = prepare(workload);
    black_box((0..WARM_UP).map(|_| query()).sum::<usize>());
    callgrind::start();
    let octets: usize = (0..count).map(|_| black_box(query())).sum();
    println!("{count} queries, {octets} octets");
}

/// The closure that does one query and returns the length of what it made.
fn prepare(task: Task) -> Box<dyn FnMut() -> usize> {
    let names = if task == Task::Names1m { 1_000_000 } else { 1_000 };
    let snapshot = match task {
        Task::Names1k | Task::Names1m | Task::NamesPlain | Task::Absent => snapshot(&zone(names), None),
        Task::Weighted | Task::WeightedSubnets => snapshot(&zone(0), Some(&regions("weighted", names))),
        Task::GeoSubnets => snapshot(&zone(0), Some(&regions("mapped", names))),
        Task::LatencySubnets => snapshot(&zone(0), Some(&regions("latency", names))),
        Task::Failover => snapshot(&zone(0), Some(&regions("failover", names))),
    };
    let kind = match task {
        Task::Absent => Kind::Absent,
        Task::WeightedSubnets | Task::GeoSubnets | Task::LatencySubnets => Kind::Subnets,
        Task::Names1k | Task::Names1m | Task::NamesPlain | Task::Weighted | Task::Failover => Kind::Names,
    };
    let mut workload = Workload::new(kind, Order::Random, names, 1);
    let writer = question::Writer { edns: task != Task::NamesPlain };
    // Made beforehand: only the answering is counted.
    let packets: Vec<Vec<u8>> = (0..PACKETS)
        .map(|id| {
            let mut packet = vec![0; question::QUERY_LEN_MAX];
            let length = writer.write(id, &workload.next(), &mut packet);
            packet.truncate(length);
            packet
        })
        .collect();
    let mut lane = Lane::new(1);
    // As a serving thread does.
    lane.count_by(snapshot.steering.cells());
    let mut out = vec![0; 4_096];
    let mut turn = 0_usize;
    Box::new(move || {
        let packet = packets.get(turn % packets.len()).map_or(&[][..], Vec::as_slice);
        turn += 1;
        let address = IpAddr::V4(Ipv4Addr::from_bits(0x0100_0000 + 256 * u32::try_from(turn % 65_536).unwrap_or(0)));
        let client = Client { address, transport: Transport::Udp };
        respond(&snapshot, &mut lane, black_box(packet), client, &mut out).len
    })
}

/// Different queries, asked in turn.
const PACKETS: u16 = 4_096;

/// The load generator's zone with so many names.
fn zone(names: u32) -> String {
    let mut text = String::from("$TTL 300\n@ 3600 SOA ns1 hostmaster 1 3600 600 604800 60\n@ NS ns1\n@ NS ns2\n");
    text.push_str("ns1 A 192.0.2.1\nns2 A 192.0.2.2\n");
    for number in 0..names {
        let (name, address) = (question::Owner::Host(number).text(), question::host_address(number));
        let _ = writeln!(text, "{name} A {address}");
    }
    text
}

/// Regions, and one service for each of the first names.
fn regions(policy: &str, names: u32) -> String {
    let mut text = String::from("[checks.web]\ntcp = { port = 80 }\n");
    if policy == "mapped" {
        text.push_str(MAPPED);
    }
    for (region, longitude) in REGIONS.iter().zip(["4.9", "8.7", "-77.5", "104.0"]) {
        let _ = writeln!(text, "[regions.{region}]");
        if policy == "latency" {
            let _ = writeln!(text, "location = {{ lat = 40.0, lon = {longitude} }}");
        }
    }
    for number in 0..names {
        let name = question::Owner::Host(number).text();
        let _ = writeln!(
            text,
            "[services.{name}]\nnames = [\"{name}.example.com\"]\npolicy = \"{policy}\"\ncheck = \"web\""
        );
        text.push_str("order = [\"ams\", \"fra\", \"iad\", \"sin\"]\n");
        let _ = writeln!(text, "weights = {{ ams = 1, fra = 2, iad = 3, sin = 4 }}\n[services.{name}.endpoints]");
        for (at, region) in (1_u32..).zip(REGIONS) {
            let [.., high, low] = number.to_be_bytes();
            let _ = writeln!(text, "{region} = [\"10.{at}.{high}.{low}\", \"10.{}.{high}.{low}\"]", at + 10);
        }
    }
    text
}

/// A policy by place.
const MAPPED: &str = r#"
[policies.mapped]
mode = "active-active"
prefer = "geo"
geomap = "world"
[geomaps.world]
countries = { GB = ["ams", "fra"], US = ["iad", "ams"], IN = ["sin", "fra"] }
continents = { AF = ["fra", "ams"], AS = ["sin", "fra"], EU = ["fra", "ams"], NA = ["iad"], OC = ["sin"], SA = ["iad"] }
default = ["ams"]
"#;

/// Countries of networks, of the database that comes with the source.
fn places(report: &mut Report) -> Places {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/geoip/country.mmdb");
    let bytes = std::fs::read(path).unwrap_or_default();
    let database = DatabaseFile { path: path.into(), bytes };
    Places::read(vec![database], None, 0, report).unwrap_or_else(Places::none)
}

/// The regions, in the order of their keys.
const REGIONS: [&str; 4] = ["ams", "fra", "iad", "sin"];

/// What was measured of 100,000 networks of clients: to each region another time, in any order.
fn measured() -> Measured {
    let row = |number: u32| {
        // A step apart: no two regions are equals, as in the workload by place.
        let deviation = |region: u32| {
            let rank = (number / 8 + region * (1 + 2 * (number % 2))) % 4;
            Some(Deviation { us: i32::try_from(rank * 30_000).unwrap_or(0), error_us: 100 })
        };
        let address = IpAddr::V4(Ipv4Addr::from_bits(0x0100_0000 + number * 0x8000));
        let deviations = (0..).take(REGIONS.len()).map(deviation).collect();
        (Group::Network(address, 24), Row { deviations, order: Box::default() })
    };
    Measured::new(REGIONS.map(Arc::from).into(), Margin::default(), (0..100_000).map(row).collect())
}

fn snapshot(zone: &str, regions: Option<&str>) -> Snapshot {
    let key = HashKey::new(1, 2);
    let mut report = Report::new();
    let origin = Name::from_wire(question::ZONE).unwrap_or_else(|_| Name::root());
    let loaded =
        zone::load(key, &"example.com.zone".into(), zone.as_bytes(), &origin, &MemoryFiles::new(), &mut report);
    let zones = ZoneSet::of(key, loaded.map(|loaded| Served::Zone(Arc::new(loaded.zone))));
    let model = regions.and_then(|text| model::read(&[("regions.toml".into(), text)], &mut report)).unwrap_or_default();
    let linked = link(&zones, &model);
    linked.report(&mut report);
    assert!(!report.has_errors(), "{}", report.render());
    let states = States::all_up(&model);
    let places = if regions.is_some() { places(&mut report) } else { Places::none() };
    assert!(!report.has_errors(), "{}", report.render());
    let atlases = Arc::new(Atlases::with_measured(&model, Arc::new(places), Arc::new(measured())));
    let steering = Arc::new(Steering::with_atlases(Arc::new(model), atlases, &states, 1));
    Snapshot { generation: 1, key, zones: Arc::new(linked.zones), steering, options: Arc::default() }
}

/// Valgrind's requests from the program that it runs.
mod callgrind {
    #![allow(unsafe_code, reason = "a request to valgrind is a sequence of instructions")]

    /// Starts the counting of `--instr-atstart=no`, so that preparing a large zone takes no minutes. Without valgrind, and
    /// on processors whose sequence is not here, nothing happens: the difference of two counts is the same.
    pub(super) fn start() {
        #[cfg(target_arch = "x86_64")]
        {
            // VG_USERREQ__START_INSTRUMENTATION of callgrind.h: tool base 'C' 'T', request 4; five unused arguments.
            let request: [u64; 6] = [0x4354_0004, 0, 0, 0, 0, 0];
            // SAFETY: outside of valgrind the sequence rotates rdi by 128 bits in total and exchanges rbx with itself,
            // which changes nothing; inside, valgrind reads the six words of `request` and writes its result to rdx.
            unsafe {
                core::arch::asm!(
                    "rol rdi, 3",
                    "rol rdi, 13",
                    "rol rdi, 61",
                    "rol rdi, 51",
                    "xchg rbx, rbx",
                    in("rax") request.as_ptr(),
                    inout("rdx") 0_u64 => _,
                );
            }
        }
    }
}
