//! The load generator notices what it must notice: a measurement that takes wrong answers for right ones is worthless.
#![allow(dead_code, unreachable_pub, reason = "modules of a program, of which a part is tested")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]
#![allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "as in the program"
)]

#[path = "../benches/load/check.rs"]
mod check;
#[path = "../benches/load/histogram.rs"]
mod histogram;
#[path = "../benches/load/ledger.rs"]
mod ledger;
#[path = "../benches/load/question.rs"]
mod question;
#[path = "../benches/load/run.rs"]
mod run;
#[path = "../benches/load/system.rs"]
mod system;
#[path = "../benches/load/tcp.rs"]
mod tcp;
#[path = "../benches/load/udp.rs"]
mod udp;
#[path = "../benches/load/workload.rs"]
mod workload;
#[path = "../benches/load/zone.rs"]
mod zone;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use check::{Checker, Expected, Generations, Wrong};
use histogram::Histogram;
use ledger::{Found, Ledger, Sent};
use question::{Owner, Question, Writer};
use run::{Limits, Reloads, Run};
use workload::{Kind, Network, Order, Workload};

const ANY_GENERATION: Generations = Generations { oldest: 3, newest: 5 };

/// The right answer to a query, as a server would write it that holds generation `generation`.
fn answer(query: &[u8], generation: u32) -> Vec<u8> {
    let label_len = usize::from(query[12]);
    let label = String::from_utf8(query[13..13 + label_len].to_vec()).unwrap();
    let question_end = 12 + 1 + label_len + question::ZONE.len() + 4;
    let mut message = query[..question_end].to_vec();
    message[2] = 0x84;
    let number = label[1..].parse().unwrap_or(0);
    let address = match label.as_bytes()[0] {
        b'h' => Some(question::host_address(number)),
        b'x' => None,
        _ => Some(question::generation_address(generation)),
    };
    if let Some(address) = address {
        message[7] = 1;
        message.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 1, 44, 0, 4]);
        message.extend(address.octets());
    } else {
        message[3] = 3;
        message[9] = 1;
        let zone = u8::try_from(13 + label_len).unwrap();
        message.extend([0xc0, zone, 0, 6, 0, 1, 0, 0, 0, 60, 0, 22, 0, 0]);
        message.extend([0; 20]);
    }
    message.extend(&query[question_end..]);
    message
}

fn query_for(question: Question) -> Vec<u8> {
    let mut out = vec![0; question::QUERY_LEN_MAX];
    let length = Writer { edns: true }.write(7, &question, &mut out);
    out.truncate(length);
    out
}

fn judge(question: Question, message: &[u8]) -> Result<Option<u32>, Wrong> {
    let checker = Checker { expected: Expected::Zone, edns: true, ttl: Some(question::TTL) };
    checker.check(&question, ANY_GENERATION, message)
}

#[test]
fn right_answers_are_right() {
    let subnet = Some(0xc000_0200);
    let rows = [
        (Owner::Host(0), None, None),
        (Owner::Host(999_999), subnet, None),
        (Owner::Absent(0x1234_5678_9abc_def0), None, None),
        (Owner::Absent(0), subnet, None),
        (Owner::Marker, None, Some(4)),
        (Owner::Churned(17), None, Some(4)),
    ];
    for (owner, subnet, generation) in rows {
        let question = Question { owner, subnet, site: None };
        assert_eq!(judge(question, &answer(&query_for(question), 4)), Ok(generation), "{question:?}");
    }
}

#[test]
fn each_fault_is_found() {
    type Fault = fn(&mut Vec<u8>);
    let host = Question { owner: Owner::Host(3), subnet: Some(0xc000_0200), site: None };
    let absent = Question { owner: Owner::Absent(5), subnet: None, site: None };
    let marker = Question { owner: Owner::Marker, subnet: None, site: None };
    // Offsets: 12 octets of header, then the question (26 octets for a host, 32 for an absent name), then the record.
    let rows: [(Question, Fault, Wrong); 21] = [
        (host, |m| m.truncate(11), Wrong::Malformed),
        (host, |m| m[2] &= 0x7f, Wrong::NotResponse),
        (host, |m| m[2] |= 0x08, Wrong::NotResponse),
        (host, |m| m[3] = 2, Wrong::Code(2)),
        (host, |m| m[2] |= 0x02, Wrong::Truncated),
        (host, |m| m[2] &= !0x04, Wrong::NotAuthoritative),
        (host, |m| m[13] = b'H', Wrong::Question),
        (host, |m| m[7] = 0, Wrong::AnswerCount(0)),
        (host, |m| m[39] = 13, Wrong::Record),
        (host, |m| m[41] = 28, Wrong::Record),
        (host, |m| m[47] += 1, Wrong::Ttl(301)),
        (host, |m| m[53] += 1, Wrong::Address(Ipv4Addr::new(10, 0, 0, 4))),
        (host, |m| *m.last_mut().unwrap() += 1, Wrong::Subnet),
        (host, |m| m.push(0), Wrong::Malformed),
        (host, |m| m.truncate(m.len() - 1), Wrong::Malformed),
        (absent, |m| m[3] = 0, Wrong::Code(0)),
        (absent, |m| m[47] = 16, Wrong::NoSoa),
        (absent, |m| m[53] += 1, Wrong::Ttl(61)),
        (absent, |m| m[45] = 12, Wrong::NoSoa),
        (marker, |m| set_generation(m, 2), Wrong::Old { found: 2, oldest: 3 }),
        (marker, |m| set_generation(m, 6), Wrong::Future(6)),
    ];
    for (row, (question, fault, wrong)) in rows.into_iter().enumerate() {
        let mut message = answer(&query_for(question), 4);
        fault(&mut message);
        assert_eq!(judge(question, &message), Err(wrong), "row {row}");
    }
    let without_opt = query_for(host)[..38].to_vec();
    assert_eq!(judge(host, &answer(&without_opt, 4)), Err(Wrong::Malformed), "the count says there is one");
}

fn set_generation(message: &mut [u8], generation: u32) {
    let end = message.len() - 11;
    message[end - 4..end].copy_from_slice(&question::generation_address(generation).octets());
}

#[test]
fn a_steered_name_must_answer_its_clients_site() {
    let checker = Checker { expected: Expected::Sites(4), edns: true, ttl: None };
    let rows =
        [(Some(2), 2, true), (Some(2), 3, false), (None, 1, true), (None, 4, true), (None, 5, false), (None, 0, false)];
    for (site, answered, is_right) in rows {
        let question = Question { owner: Owner::Host(300), subnet: Some(0xc000_0200), site };
        let mut message = answer(&query_for(question), 4);
        let address = question::site_address(answered, 300);
        message[50..54].copy_from_slice(&address.octets());
        let wanted = if is_right { Ok(None) } else { Err(Wrong::Address(address)) };
        assert_eq!(checker.check(&question, ANY_GENERATION, &message), wanted, "{site:?} {answered}");
    }
}

#[test]
fn client_subnets_are_drawn_from_the_networks() {
    let networks = Network::read_all("192.0.2.0/24 3\n\n10.0.0.0/8\n").unwrap();
    let mut workload = Workload::new(Kind::Subnets, Order::Random, 1, 1).with_networks(networks);
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..1_000 {
        let Question { subnet, site, .. } = workload.next();
        match (Ipv4Addr::from_bits(subnet.unwrap()).octets(), site) {
            ([192, 0, 2, 0], Some(3)) | ([10, _, _, 0], None) => seen.insert(subnet),
            other => panic!("{other:?}"),
        };
    }
    // One /24 in about half of the draws, others in the rest.
    assert!((400..=600).contains(&seen.len()), "{}", seen.len());
    for line in ["", "192.0.2.0", "192.0.2.0/25", "192.0.2.1/24", "192.0.2.0/24 x", "192.0.2.0/24 1 2", "0.0.0.0/0"] {
        assert!(Network::read_all(line).is_err(), "{line}");
    }
}

#[test]
fn no_octets_make_the_checker_panic() {
    let question = Question { owner: Owner::Absent(9), subnet: Some(0x0a00_0000), site: None };
    let message = answer(&query_for(question), 4);
    for at in 0..message.len() {
        for value in 0..=255 {
            let mut changed = message.clone();
            changed[at] = value;
            let _ = judge(question, &changed);
        }
        let _ = judge(question, &message[..at]);
    }
}

#[test]
fn the_ledger_tells_late_from_duplicate_from_unknown() {
    let sent =
        |at_ns| Sent { question: Question { owner: Owner::Marker, subnet: None, site: None }, at_ns, generation: 0 };
    let mut ledger = Ledger::new(2);
    let (first, second) = (ledger.open(sent(10)), ledger.open(sent(20)));
    assert_eq!(ledger.room(), 0);
    assert!(matches!(ledger.close(second), Found::Waiting(Sent { at_ns: 20, .. })));
    assert!(matches!(ledger.close(second), Found::Duplicate));
    assert_eq!(ledger.give_up(11), 1);
    assert!(matches!(ledger.close(first), Found::Late));
    assert!(matches!(ledger.close(4_711), Found::Unknown));
    assert_eq!((ledger.room(), ledger.in_flight()), (2, 0));
}

#[test]
fn a_lost_query_holds_up_no_other() {
    let sent = Sent { question: Question { owner: Owner::Marker, subnet: None, site: None }, at_ns: 0, generation: 0 };
    let mut ledger = Ledger::new(4);
    let lost = ledger.open(sent);
    for _ in 0..200_000 {
        let id = ledger.open(sent);
        assert_ne!(id, lost);
        assert!(matches!(ledger.close(id), Found::Waiting(_)));
    }
    assert_eq!(ledger.in_flight(), 1);
}

#[test]
fn quantiles_are_right_to_two_percent() {
    let mut histogram = Histogram::new();
    (1..=100_000).for_each(|us| histogram.count(us * 1_000));
    for (quantile, wanted) in [(0.01, 1_000.0), (0.5, 50_000.0), (0.99, 99_000.0), (1.0, 100_000.0)] {
        let found = histogram.quantile_us(quantile);
        assert!((found / wanted - 1.0).abs() < 0.02, "{quantile}: {found} instead of {wanted}");
    }
    assert!((histogram.max_us() - 100_000.0).abs() < f64::EPSILON);
    let mut extremes = Histogram::new();
    [0, 63, 64, 127, 128, u64::MAX].into_iter().for_each(|ns| extremes.count(ns));
    assert!(extremes.quantile_us(0.01) < 0.001);
}

/// What the faulty server of the next tests does with the n-th query, n from 0.
const DROPPED: usize = 10;
const DOUBLED: usize = 7;
const FALSIFIED: usize = 13;

fn faulty(turn: usize, query: &[u8]) -> Vec<Vec<u8>> {
    let mut message = answer(query, 1);
    if turn.is_multiple_of(DROPPED) {
        return Vec::new();
    }
    if turn.is_multiple_of(FALSIFIED) {
        message[40 + 13] ^= 1;
    }
    vec![message; if turn.is_multiple_of(DOUBLED) { 2 } else { 1 }]
}

/// How many of the first `count` turns meet the condition.
fn turns(count: usize, condition: impl Fn(usize) -> bool) -> u64 {
    (0..count).filter(|&turn| condition(turn)).count() as u64
}

fn start(queries: u64, rate: Option<f64>, reloads: Arc<Reloads>, workload: Workload) -> Run {
    let limits =
        Limits { duration: Duration::from_secs(20), queries, rate, timeout: Duration::from_millis(300), refill: 4 };
    let checker = Checker { expected: Expected::Zone, edns: true, ttl: Some(question::TTL) };
    Run::new(workload, checker, reloads, limits)
}

fn hosts() -> Workload {
    Workload::new(Kind::Names, Order::Sequential, 500, 1)
}

#[test]
fn lost_wrong_and_duplicate_answers_over_udp_are_counted_exactly() {
    const QUERIES: usize = 1_000;
    for segmented in [false, true] {
        let (server, address) = bind();
        let serving = thread::spawn(move || {
            let mut query = [0; 1_500];
            for turn in 0..QUERIES {
                let (length, client) = server.recv_from(&mut query).unwrap();
                for message in faulty(turn, &query[..length]) {
                    server.send_to(&message, client).unwrap();
                }
            }
        });
        let mut run = start(QUERIES as u64, None, Arc::default(), hosts());
        udp::Sockets::connect(address, 1, 64, segmented).unwrap().drive(&mut run);
        serving.join().unwrap();
        let answered = |turn: usize| !turn.is_multiple_of(DROPPED);
        assert_eq!(run.tally.sent, QUERIES as u64);
        assert_eq!(run.tally.lost, turns(QUERIES, |turn| !answered(turn)));
        assert_eq!(run.tally.answered, turns(QUERIES, answered));
        assert_eq!(run.tally.wrong_total(), turns(QUERIES, |turn| answered(turn) && turn.is_multiple_of(FALSIFIED)));
        // The last answer's double may come after the run has ended.
        let doubled = turns(QUERIES - 10, |turn| answered(turn) && turn.is_multiple_of(DOUBLED));
        assert!(run.tally.duplicate >= doubled, "{} duplicates, sent {doubled}", run.tally.duplicate);
        assert_eq!(run.tally.unknown + run.tally.late, 0);
    }
}

#[test]
fn pipelined_answers_over_tcp_are_counted_exactly() {
    const QUERIES: usize = 1_000;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let serving = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        for turn in 0..QUERIES {
            let mut prefix = [0; 2];
            stream.read_exact(&mut prefix).unwrap();
            let mut query = vec![0; usize::from(u16::from_be_bytes(prefix))];
            stream.read_exact(&mut query).unwrap();
            for message in faulty(turn, &query) {
                // In two writes: a message may come in pieces.
                stream.write_all(&u16::try_from(message.len()).unwrap().to_be_bytes()).unwrap();
                stream.write_all(&message).unwrap();
            }
        }
        // Held open until the client has all.
        drop(stream.read(&mut [0; 1]));
    });
    let mut run = start(QUERIES as u64, None, Arc::default(), hosts());
    tcp::Connections::connect(address, 1, 64).unwrap().drive(&mut run).unwrap();
    serving.join().unwrap();
    let answered = |turn: usize| !turn.is_multiple_of(DROPPED);
    assert_eq!(run.tally.lost, turns(QUERIES, |turn| !answered(turn)));
    assert_eq!(run.tally.wrong_total(), turns(QUERIES, |turn| answered(turn) && turn.is_multiple_of(FALSIFIED)));
}

#[test]
fn an_old_answer_after_the_reload_was_reported_done_is_wrong() {
    const QUERIES: usize = 400;
    let (server, address) = bind();
    let reloads = Arc::new(Reloads { written: AtomicU32::new(1), done: AtomicU32::new(1), ..Reloads::default() });
    let reported = Arc::clone(&reloads);
    let serving = thread::spawn(move || {
        let mut query = [0; 1_500];
        for turn in 0..QUERIES {
            let (length, client) = server.recv_from(&mut query).unwrap();
            if turn == QUERIES / 2 {
                // Reports generation 2 loaded, and goes on answering from 1.
                reported.written.store(2, Ordering::Release);
                reported.done.store(2, Ordering::Release);
            }
            server.send_to(&answer(&query[..length], 1), client).unwrap();
        }
    });
    let mut run = start(QUERIES as u64, None, reloads, hosts().with_markers(1, 10));
    udp::Sockets::connect(address, 1, 4, false).unwrap().drive(&mut run);
    serving.join().unwrap();
    let old = run.tally.wrong_total();
    // Queries sent before the report may still be answered from generation 1: at most a window of them.
    assert!((QUERIES as u64 / 2 - 5..=QUERIES as u64 / 2).contains(&old), "{old} old answers");
    assert_eq!(run.tally.first_answers.len(), 1);
}

fn bind() -> (UdpSocket, SocketAddr) {
    let server = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    // A test whose queries do not arrive fails instead of waiting for them.
    server.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let address = server.local_addr().unwrap();
    (server, address)
}

#[test]
fn the_zone_says_what_is_expected() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("example.com.zone");
    zone::write(&path, zone::Contents { names: 3, churned: 1, generation: 9 }).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains("\nh0000002 IN A 10.0.0.2\n"), "{text}");
    assert!(text.contains("\nmarker IN A 172.16.0.9\nc0000000 IN A 172.16.0.9\n"), "{text}");
    assert!(text.contains(" SOA ns1 hostmaster 9 "), "{text}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
}
