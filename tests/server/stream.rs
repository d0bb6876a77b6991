//! Connections.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use crate::support::answer::{NOERROR, TYPE_TXT, said, saying};
use crate::support::{PATIENCE, TestServer, framed, id, is_answer, query, read_framed, tcp_client, tcp_client_from};

fn config(tcp: &str) -> String {
    format!("[dns]\nlisten = [\"127.0.0.1:0\"]\n[dns.tcp]\n{tcp}\n[admin]\nlisten = \"127.0.0.1:0\"\n")
}

fn assert_closed(mut stream: &TcpStream) {
    let mut buffer = [0; 16];
    // An unread query may turn the end into a reset.
    assert!(matches!(stream.read(&mut buffer), Ok(0) | Err(_)));
}

#[test]
fn pipelined_queries_are_answered_in_order() {
    let server = TestServer::start(&[]);
    let mut stream = tcp_client(server.dns());
    // More than one batch, more than one read.
    let count = 3_000;
    let queries: Vec<u8> = (0..count).flat_map(|id| framed(&query(id, "www.example.com", 1))).collect();
    let mut writer = stream.try_clone().unwrap();
    let sender = std::thread::spawn(move || writer.write_all(&queries).unwrap());
    for expected in 0..count {
        let answer = read_framed(&mut stream).unwrap();
        assert!(is_answer(&answer));
        assert_eq!(id(&answer), expected);
    }
    sender.join().unwrap();
    assert_eq!(server.metric("meridian_dns_responses_total{transport=\"tcp\",rcode=\"REFUSED\"}"), f64::from(count));
}

#[test]
fn a_thousand_questions_at_once_get_each_its_own_answer() {
    let zone =
        "$TTL 300\n@ SOA ns h 1 3600 600 86400 60\n@ NS ns\nns A 192.0.2.53\n$GENERATE 0-999 web$ TXT number-$\n";
    let server = TestServer::start(&[("zones/example.com.zone", zone)]);
    let mut stream = tcp_client(server.dns());
    let name = |number| format!("web{number}.example.com");
    let queries: Vec<u8> = (0..1_000).flat_map(|number| framed(&query(number, &name(number), TYPE_TXT))).collect();
    stream.write_all(&queries).unwrap();
    for number in 0..1_000 {
        let answer = read_framed(&mut stream).unwrap();
        assert_eq!(id(&answer), number);
        assert_eq!(said(&answer), saying(NOERROR, &[&format!("number-{number}")]));
    }
}

#[test]
fn queries_may_come_in_any_pieces() {
    let server = TestServer::start(&[]);
    let mut stream = tcp_client(server.dns());
    let mut bytes: Vec<u8> = (0..4).flat_map(|id| framed(&query(id, "a.example", 1))).collect();
    // Single octets, then one and a half queries.
    let rest = bytes.split_off(framed(&query(0, "a.example", 1)).len());
    for byte in bytes {
        stream.write_all(&[byte]).unwrap();
    }
    assert_eq!(id(&read_framed(&mut stream).unwrap()), 0);
    let (first, second) = rest.split_at(rest.len() / 2);
    stream.write_all(first).unwrap();
    assert_eq!(id(&read_framed(&mut stream).unwrap()), 1);
    stream.write_all(second).unwrap();
    assert_eq!(id(&read_framed(&mut stream).unwrap()), 2);
    assert_eq!(id(&read_framed(&mut stream).unwrap()), 3);
}

#[test]
fn a_half_closed_connection_gets_its_answers() {
    let server = TestServer::start(&[]);
    let mut stream = tcp_client(server.dns());
    for id in 0..10 {
        stream.write_all(&framed(&query(id, "example.com", 1))).unwrap();
    }
    stream.shutdown(Shutdown::Write).unwrap();
    for expected in 0..10 {
        assert_eq!(id(&read_framed(&mut stream).unwrap()), expected);
    }
    assert_closed(&stream);
}

#[test]
fn a_client_that_reads_late_gets_everything() {
    let server = TestServer::start(&[("meridian.toml", &config("read = \"30s\""))]);
    let mut stream = tcp_client(server.dns());
    socket2::SockRef::from(&stream).set_recv_buffer_size(65_536).unwrap();
    let name = format!("{}.{}.example", "a".repeat(60), "b".repeat(60));
    let queries: Vec<u8> = (0..60_000).flat_map(|id| framed(&query(id, &name, 1))).collect();
    let mut writer = stream.try_clone().unwrap();
    let sender = std::thread::spawn(move || writer.write_all(&queries).unwrap());
    // Nothing is read until the server has stopped answering because nothing is read.
    let answered = "meridian_dns_responses_total{transport=\"tcp\",rcode=\"REFUSED\"}";
    server.wait_for_metric(answered, |n| n > 0.0);
    let (mut last, mut unchanged) = (0.0, 0);
    while unchanged < 20 {
        let now = server.metric(answered);
        unchanged = if now == last { unchanged + 1 } else { 0 };
        last = now;
    }
    assert!(last < 60_000.0, "answers are not made faster than they are taken");
    for expected in 0..60_000 {
        assert_eq!(id(&read_framed(&mut stream).unwrap()), expected);
    }
    sender.join().unwrap();
}

#[test]
fn a_frame_without_a_query_ends_the_connection() {
    let server = TestServer::start(&[]);
    for garbage in [&b"\x00\x00"[..], b"\x00\x05hello"] {
        let mut stream = tcp_client(server.dns());
        stream.write_all(&framed(&query(5, "example.com", 1))).unwrap();
        assert_eq!(id(&read_framed(&mut stream).unwrap()), 5);
        stream.write_all(garbage).unwrap();
        assert_closed(&stream);
    }
    server.wait_for_metric("meridian_tcp_closed_total{reason=\"garbage\"}", |n| n == 2.0);
}

#[test]
fn silence_and_slowness_end_the_connection() {
    let server = TestServer::start(&[("meridian.toml", &config("idle = \"600ms\"\nread = \"300ms\""))]);
    let start = Instant::now();
    let idle = tcp_client(server.dns());
    let mut slow = tcp_client(server.dns());
    slow.write_all(&[0]).unwrap();
    assert_closed(&slow);
    assert!(start.elapsed() >= Duration::from_millis(200));
    assert_closed(&idle);
    assert!(start.elapsed() >= Duration::from_millis(400));
    server.wait_for_metric("meridian_tcp_closed_total{reason=\"idle\"}", |n| n == 1.0);
    server.wait_for_metric("meridian_tcp_closed_total{reason=\"slow-query\"}", |n| n == 1.0);
    server.wait_for_metric("meridian_tcp_connections", |n| n == 0.0);
}

#[test]
fn a_trickle_of_octets_buys_no_time() {
    let server = TestServer::start(&[("meridian.toml", &config("idle = \"20s\"\nread = \"300ms\""))]);
    let mut stream = tcp_client(server.dns());
    let start = Instant::now();
    stream.write_all(&[0xff, 0xff]).unwrap();
    while stream.write_all(&[1]).is_ok() {
        assert!(start.elapsed() < PATIENCE, "still open");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(start.elapsed() < Duration::from_secs(5));
    server.wait_for_metric("meridian_tcp_closed_total{reason=\"slow-query\"}", |n| n == 1.0);
}

#[test]
fn a_client_that_takes_nothing_is_left() {
    let server = TestServer::start(&[("meridian.toml", &config("read = \"300ms\""))]);
    let stream = tcp_client(server.dns());
    socket2::SockRef::from(&stream).set_recv_buffer_size(4_096).unwrap();
    let queries: Vec<u8> = (0..60_000).flat_map(|id| framed(&query(id, "www.example.com", 1))).collect();
    let mut writer = &stream;
    // Ends with an error when the server gives up.
    while writer.write_all(&queries).is_ok() {}
    server.wait_for_metric("meridian_tcp_closed_total{reason=\"slow-reader\"}", |n| n == 1.0);
}

#[test]
fn a_client_has_so_many_connections_and_no_more() {
    let server = TestServer::start(&[("meridian.toml", &config("per_client = 2"))]);
    let mut kept: Vec<TcpStream> = (0..2).map(|_| tcp_client(server.dns())).collect();
    for stream in &mut kept {
        stream.write_all(&framed(&query(1, "example.com", 1))).unwrap();
        assert!(read_framed(stream).is_some());
    }
    assert_closed(&tcp_client(server.dns()));
    let mut other = tcp_client_from("127.0.0.2".parse().unwrap(), server.dns());
    other.write_all(&framed(&query(2, "example.com", 1))).unwrap();
    assert!(read_framed(&mut other).is_some());
    server.wait_for_metric("meridian_tcp_closed_total{reason=\"client-full\"}", |n| n == 1.0);
    assert_eq!(server.metric("meridian_tcp_connections"), 3.0);
    drop(kept);
    server.wait_for_metric("meridian_tcp_connections", |n| n == 1.0);
    let mut again = tcp_client(server.dns());
    again.write_all(&framed(&query(3, "example.com", 1))).unwrap();
    assert!(read_framed(&mut again).is_some());
}

#[test]
fn the_longest_silent_connection_gives_its_place() {
    let server = TestServer::start(&[("meridian.toml", &config("connections = 4\nper_client = 1"))]);
    let mut open = Vec::new();
    let deadline = Instant::now() + PATIENCE;
    for host in (2..=250).cycle() {
        assert!(Instant::now() < deadline, "nobody was evicted");
        let mut stream = tcp_client_from([127, 0, 0, host].into(), server.dns());
        if stream.write_all(&framed(&query(1, "example.com", 1))).is_ok() && read_framed(&mut stream).is_some() {
            open.push(stream);
        }
        // One more for each thread whose evicted connection has not had its turn.
        assert!(server.metric("meridian_tcp_connections") <= 6.0);
        if server.metric("meridian_tcp_closed_total{reason=\"evicted\"}") > 0.0 {
            break;
        }
    }
    assert!(open.len() > 1);
    assert_closed(&open[0]);
}
