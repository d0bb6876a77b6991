//! Beacons as browsers post them, and what becomes of them.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use serde_json::json;

use crate::node::Node;
use crate::process::{Agent, PATIENCE};

/// Sends a request; status and head of the answer.
fn ask(address: SocketAddr, method: &str, headers: &[&str], body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    let length = body.len();
    write!(stream, "{method} /beacon HTTP/1.1\r\nHost: {address}\r\nContent-Length: {length}\r\n{headers}\r\n{body}")
        .unwrap();
    let mut said = String::new();
    // The other end closes: a connection carries one request.
    stream.read_to_string(&mut said).unwrap();
    (said.split(' ').nth(1).unwrap().parse().unwrap(), said.to_lowercase())
}

#[test]
fn beacons_are_reported_by_network_and_region() {
    let node = Node::start(&[], None);
    let url = format!("http://{}", node.address);
    let listen = ["--beacons", "127.0.0.1:0", "--beacon-regions", "fra,iad", "--trusted-proxy", "127.0.0.0/8"];
    // Nothing is reported before the end: all of it comes in one report.
    let to = ["--to", &url, "--every", "5m", "--allow-origin", "https://www.example.com"];
    let agent = Agent::start(&[&listen[..], &to].concat());
    let at = agent.beacons();
    let beacon = r#"{ "v": 1, "ms": { "fra": 23.1, "iad": 110.4 } }"#;
    let good = "X-Forwarded-For: 192.0.2.1, 203.0.113.9";
    let (status, head) =
        ask(at, "POST", &[good, "Content-Type: text/plain", "Origin: https://www.example.com"], beacon);
    assert_eq!(status, 204, "{head}");
    assert!(head.contains("access-control-allow-origin: https://www.example.com\r\n"), "{head}");
    let far = "X-Forwarded-For: 203.0.113.77";
    let same = format!("Origin: http://{at}");
    assert_eq!(ask(at, "POST", &[far, &same], r#"{"v":1,"ms":{"fra":33.1}}"#).0, 204);
    let v6 = "X-Forwarded-For: 2001:db8:5:6::7";
    assert_eq!(ask(at, "POST", &[v6], r#"{"v":1,"ms":{"iad":80}}"#).0, 204);
    for (method, headers, body, expected) in [
        ("POST", &[good][..], r#"{"v":1,"ms":{"sin":1}}"#, 422),
        ("POST", &[good], r#"{"v":1,"ms":{"fra":0}}"#, 422),
        ("POST", &[good], "fra=1", 422),
        ("POST", &[good], &" ".repeat(2_049), 413),
        ("POST", &[good, "Origin: https://example.org"], beacon, 403),
        ("POST", &[], beacon, 400),
        ("POST", &["X-Forwarded-For: 127.0.0.9"], beacon, 400),
        ("GET", &[good], "", 405),
    ] {
        let (status, head) = ask(at, method, headers, body);
        assert_eq!(status, expected, "{headers:?} {body}: {head}");
    }
    let (code, log) = agent.stop("TERM");
    assert_eq!(code, Some(0));
    let report = node.request().body;
    assert_eq!(report["source"], "beacon");
    let mut rows = report["measurements"].clone();
    rows.as_array_mut().unwrap().iter_mut().for_each(|row| drop(row.as_object_mut().unwrap().remove("at")));
    assert_eq!(
        rows,
        json!([
            {"client": "203.0.113.0/24", "region": "fra", "ms": 28.1, "samples": 2},
            {"client": "203.0.113.0/24", "region": "iad", "ms": 110.4, "samples": 1},
            {"client": "2001:db8:5::/48", "region": "iad", "ms": 80.0, "samples": 1},
        ])
    );
    assert!(node.rest().is_empty());
    let log = format!("{log:?}");
    assert!(!log.contains("203.0.113") && !log.contains("2001:db8:5"), "nothing of a browser is logged: {log}");
}

#[test]
fn browsers_ask_before_they_post() {
    let listen = ["--beacons", "127.0.0.1:0", "--beacon-regions", "fra", "--allow-origin", "https://www.example.com"];
    let agent = Agent::start(&[&listen[..], &["--dry-run"]].concat());
    let asked = ["Access-Control-Request-Method: POST", "Access-Control-Request-Headers: content-type"];
    for (origin, allowed) in [("https://www.example.com", true), ("https://example.org", false)] {
        let origin = format!("Origin: {origin}");
        let (status, head) = ask(agent.beacons(), "OPTIONS", &[asked[0], asked[1], &origin], "");
        assert_eq!((status, head.contains("access-control-allow-origin")), (204, allowed), "{head}");
        assert_eq!(head.contains("access-control-allow-headers: content-type"), allowed, "{head}");
    }
}

#[test]
fn one_network_sends_so_many_a_minute_and_others_are_not_held_up() {
    let listen = ["--beacons", "127.0.0.1:0", "--beacon-regions", "fra", "--trusted-proxy", "127.0.0.1", "--dry-run"];
    let agent = Agent::start(&listen);
    let post = |client: &str| {
        let header = format!("X-Forwarded-For: {client}");
        ask(agent.beacons(), "POST", &[&header], r#"{"v":1,"ms":{"fra":9}}"#)
    };
    let answers: Vec<(u16, String)> = (0..40).map(|host| post(&format!("203.0.113.{host}"))).collect();
    // Should the minute end meanwhile, twelve more are taken.
    let taken = answers.iter().filter(|(status, _)| *status == 204).count();
    assert!((12..=24).contains(&taken), "{taken}");
    let (_, head) = answers.iter().find(|(status, _)| *status == 429).unwrap();
    assert!(head.contains("retry-after: "), "{head}");
    assert_eq!(post("198.51.100.1").0, 204);
}

#[test]
fn a_proxy_that_nobody_named_is_no_client() {
    let agent = Agent::start(&["--beacons", "127.0.0.1:0", "--beacon-regions", "fra", "--dry-run"]);
    let answer = ask(agent.beacons(), "POST", &["X-Forwarded-For: 203.0.113.9"], r#"{"v":1,"ms":{"fra":9}}"#);
    assert_eq!(answer.0, 400, "{}", answer.1);
}
