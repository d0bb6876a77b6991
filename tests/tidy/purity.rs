//! What only some rooms may do: the rooms up to `simulate` are functions of what they are given.

use crate::check_tree;
use crate::source::Source;

/// The rooms without a socket, file, clock, randomness, log, metric or thread.
const PURE: [&str; 18] = [
    "base", "dns", "wire", "config", "geo", "model", "zone", "table", "limit", "health", "policy", "sign", "latency",
    "snapshot", "answer", "plan", "control", "simulate",
];

/// What the pure rooms must not name, and why. A name that ends in `::` is a path.
const IMPURE: [(&str, &str); 22] = [
    ("tokio::", "the pure rooms wait for nothing"),
    ("std::fs", "files come in through `base::files::Files`"),
    ("std::thread", "the pure rooms start nothing"),
    ("std::process", "the pure rooms start nothing"),
    ("std::env", "settings come in as values"),
    ("UdpSocket", "bytes come in as arguments"),
    ("TcpListener", "bytes come in as arguments"),
    ("TcpStream", "bytes come in as arguments"),
    ("socket2::", "bytes come in as arguments"),
    ("libc::", "bytes come in as arguments"),
    ("axum::", "bytes come in as arguments"),
    ("Instant::now", "time comes in as an argument"),
    ("SystemTime", "time comes in as an argument"),
    (".elapsed(", "time comes in as an argument"),
    ("rand::", "randomness comes in as an argument"),
    ("getrandom::", "randomness comes in as an argument"),
    ("RandomState", "randomness comes in as an argument"),
    ("tracing::", "the edge logs, the core returns what happened"),
    ("metrics::", "the edge counts, the core returns what happened"),
    ("println!", "the edge logs, the core returns what happened"),
    ("eprintln!", "the edge logs, the core returns what happened"),
    ("arc_swap::", "one cell holds the current snapshot, in `snapshot`"),
];

/// What only the named rooms may do.
const RESERVED: [(&str, &[&str], &str); 5] = [
    (
        "Instant::now",
        &["run", "serve", "admin", "probe", "vantage", "feed", "agent", "cluster", "transfer"],
        "time comes in as an argument",
    ),
    ("SystemTime::now", &["run", "serve", "probe", "agent", "journal"], "time comes in as an argument"),
    ("tokio::spawn", &["run", "admin"], "tasks are started where they are also stopped; a change outlives who asked"),
    ("thread::Builder", &["run"], "threads are started where they are also stopped"),
    ("thread::spawn", &[], "threads have names: `thread::Builder` in `run`"),
];

fn impurities(source: &Source) -> Vec<String> {
    if !PURE.contains(&source.room()) {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for (name, reason) in IMPURE {
        if name == "arc_swap::" && source.path.starts_with("src/snapshot/") {
            continue;
        }
        findings.extend(source.find(name).into_iter().map(|at| source.finding(at, &format!("`{name}`: {reason}"))));
    }
    for (at, name) in source.names_after("std::") {
        // `use std::{fs, thread}`: the paths above do not see into braces.
        let whole = format!("std::{name}");
        if let Some((name, reason)) = IMPURE.iter().find(|(banned, _)| *banned == whole) {
            findings.push(source.finding(at, &format!("`{name}`: {reason}")));
        }
    }
    findings
}

fn trespasses(source: &Source) -> Vec<String> {
    let reserved = RESERVED.iter().filter(|(_, rooms, _)| !rooms.contains(&source.room()));
    let findings = reserved.flat_map(|(name, _, reason)| {
        source.find(name).into_iter().map(move |at| source.finding(at, &format!("`{name}`: {reason}")))
    });
    findings.collect()
}

/// Names of what allocates.
const ALLOCATING: [&str; 9] =
    ["Vec", "String", "Box", "vec!", "format!", ".to_vec(", ".to_owned(", ".to_string(", ".collect("];

/// Reading packets and writing answers allocates nothing.
fn allocations(source: &Source) -> Vec<String> {
    if source.room() != "wire" {
        return Vec::new();
    }
    let places = ALLOCATING.iter().flat_map(|name| source.find(name).into_iter().map(move |at| (at, name)));
    places.map(|(at, name)| source.finding(at, &format!("`{name}`: nothing in `wire` allocates"))).collect()
}

#[test]
fn pure_rooms_are_pure() {
    check_tree(impurities);
}

#[test]
fn clocks_and_threads_stay_in_their_rooms() {
    check_tree(trespasses);
}

#[test]
fn wire_allocates_nothing() {
    check_tree(allocations);
}

#[test]
fn the_rules_can_be_broken() {
    for bad in [
        "use std::time::Instant;\nfn f() -> Instant { Instant::now() }",
        "use std::time::SystemTime;",
        "use std::fs;",
        "use std::{cmp, fs};",
        "use std::net::{IpAddr, UdpSocket};",
        "use tokio::net::TcpStream;",
        "fn f() { metrics::counter!(\"x\"); }",
        "fn f() { tracing::info!(\"x\"); }",
        "fn f(t: Instant) { t.elapsed(); }",
        "use arc_swap::ArcSwap;",
        "fn f() { println!(); }",
    ] {
        assert!(!impurities(&Source::of("src/zone/x.rs", bad)).is_empty(), "{bad}");
        assert!(impurities(&Source::of("src/serve/x.rs", bad)).is_empty(), "{bad}");
    }
    for good in [
        "use std::net::{IpAddr, SocketAddr};\nuse std::time::{Duration, Instant};",
        "// Instant::now()\nfn operands() {}",
        "fn f(now: Instant, earlier: Instant) { now.duration_since(earlier); }",
    ] {
        assert_eq!(impurities(&Source::of("src/zone/x.rs", good)), [""; 0]);
    }
    assert!(impurities(&Source::of("src/snapshot/x.rs", "use arc_swap::ArcSwap;")).is_empty());
    assert_eq!(trespasses(&Source::of("src/cli/x.rs", "fn f() { tokio::spawn(g()); Instant::now(); }")).len(), 2);
    assert_eq!(trespasses(&Source::of("src/run/x.rs", "fn f() { tokio::spawn(g()); Instant::now(); }")), [""; 0]);
    assert_eq!(allocations(&Source::of("src/wire/x.rs", "fn f() -> Vec<u8> { b\"\".to_vec() }")).len(), 2);
}
