//! Datagrams.

use std::collections::HashSet;
use std::net::{SocketAddr, UdpSocket};

use crate::support::{PATIENCE, TestServer, ask, ask_tcp, has_ipv6, id, is_answer, query, udp_client};

#[test]
fn every_listener_answers() {
    if !has_ipv6() {
        return;
    }
    let config = "[dns]\nlisten = [\"127.0.0.1:0\", \"[::1]:0\"]\n[admin]\nlisten = \"127.0.0.1:0\"\n";
    let server = TestServer::start(&[("meridian.toml", config)]);
    for nth in [0, 2] {
        let address = server.wait_for_log("listening", 1 + nth)["address"].as_str().unwrap().parse().unwrap();
        let answer = ask(address, &query(7, "www.example.com", 1));
        assert!(is_answer(&answer) && id(&answer) == 7, "{address}: {answer:?}");
        assert_eq!(ask_tcp(address, &query(7, "www.example.com", 1)), answer);
    }
    server.wait_for_metric("meridian_dns_responses_total{transport=\"udp\",rcode=\"REFUSED\"}", |n| n == 2.0);
}

#[test]
fn wildcard_listeners_serve_their_own_family() {
    if !has_ipv6() {
        return;
    }
    let config = "[dns]\nlisten = [\"0.0.0.0:0\", \"[::]:0\"]\n[admin]\nlisten = \"127.0.0.1:0\"\n";
    let server = TestServer::start(&[("meridian.toml", config)]);
    for (nth, host) in [(0, "127.0.0.2"), (2, "::1")] {
        let bound: SocketAddr = server.wait_for_log("listening", 1 + nth)["address"].as_str().unwrap().parse().unwrap();
        let asked = SocketAddr::new(host.parse().unwrap(), bound.port());
        let client = UdpSocket::bind((if asked.is_ipv4() { "127.0.0.1" } else { "::1" }, 0)).unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        client.send_to(&query(3, "example.com", 1), asked).unwrap();
        let mut buffer = [0; 512];
        let (len, from) = client.recv_from(&mut buffer).unwrap();
        assert_eq!(from, asked);
        assert_eq!(ask_tcp(asked, &query(3, "example.com", 1)), &buffer[..len]);
    }
}

#[test]
fn a_wildcard_listener_answers_from_the_address_asked() {
    let config = "[dns]\nlisten = [\"0.0.0.0:0\"]\n[admin]\nlisten = \"127.0.0.1:0\"\n";
    let server = TestServer::start(&[("meridian.toml", config)]);
    let port = server.dns().port();
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    for host in 2..20_u8 {
        let asked = ([127, 0, 0, host], port).into();
        client.send_to(&query(u16::from(host), "example.com", 1), asked).unwrap();
        let mut buffer = [0; 512];
        let (len, from) = client.recv_from(&mut buffer).unwrap();
        assert_eq!(from, asked);
        assert_eq!(id(&buffer[..len]), u16::from(host));
    }
}

#[test]
fn a_burst_is_answered_to_the_last_query() {
    let server = TestServer::start(&[]);
    let clients: Vec<UdpSocket> = (0..8).map(|_| udp_client(server.dns())).collect();
    for at in 0..64 {
        for client in &clients {
            client.send(&query(at, "www.example.com", 28)).unwrap();
        }
    }
    for client in &clients {
        let mut missing: HashSet<u16> = (0..64).collect();
        let mut buffer = [0; 512];
        while !missing.is_empty() {
            let len = client.recv(&mut buffer).unwrap();
            assert!(is_answer(&buffer[..len]));
            assert!(missing.remove(&id(&buffer[..len])));
        }
    }
}

#[test]
fn garbage_is_dropped_and_counted_and_the_next_query_is_answered() {
    let server = TestServer::start(&[]);
    let client = udp_client(server.dns());
    for packet in [&b""[..], b"x", &[0xff; 11], &[0; 3000]] {
        client.send(packet).unwrap();
    }
    client.send(&query(9, "example.com", 1)).unwrap();
    let mut buffer = [0; 512];
    let len = client.recv(&mut buffer).unwrap();
    assert_eq!(id(&buffer[..len]), 9);
    assert_eq!(server.metric("meridian_dns_dropped_total{transport=\"udp\",reason=\"short\"}"), 3.0);
    assert_eq!(server.metric("meridian_dns_dropped_total{transport=\"udp\",reason=\"oversized\"}"), 1.0);
    assert_eq!(server.metric("meridian_panics_total"), 0.0);
}
