//! `GET /api/v1/stream`: what happens, as it happens.

use std::io::{BufRead, BufReader, Read};
use std::net::TcpStream;

use serde_json::Value;

use crate::cockpit::{Opened, open, post, start};
use crate::support::{TestServer, ask, query};

/// A message of the stream.
#[derive(Clone, Debug, Default, PartialEq)]
struct Message {
    event: String,
    id: Option<u64>,
    data: Value,
}

/// A client that follows.
struct Follower(BufReader<TcpStream>);

impl Follower {
    fn start(server: &TestServer, path: &str, headers: &[(&str, &str)]) -> Self {
        let Opened { status, headers, stream } = open(server.address("http"), "GET", path, headers, b"");
        assert_eq!((status, headers["content-type"].as_str()), (200, "text/event-stream"), "{headers:?}");
        assert_eq!(headers["cache-control"], "no-store");
        Self(stream)
    }

    /// A line of the body, which comes in chunks.
    fn line(&mut self) -> String {
        loop {
            let mut line = String::new();
            assert!(self.0.read_line(&mut line).unwrap() > 0, "the stream goes on");
            let line = line.trim_end_matches(['\r', '\n']);
            let is_size = !line.is_empty() && line.bytes().all(|byte| byte.is_ascii_hexdigit());
            if !is_size {
                return line.to_owned();
            }
        }
    }

    fn next(&mut self) -> Message {
        let mut message = Message::default();
        loop {
            match self.line() {
                line if line.is_empty() && !message.event.is_empty() => return message,
                line => match line.split_once(": ") {
                    Some(("event", event)) => message.event = event.to_owned(),
                    Some(("id", id)) => message.id = Some(id.parse().unwrap()),
                    Some(("data", data)) => message.data = serde_json::from_str(data).unwrap(),
                    _ => {}
                },
            }
        }
    }

    /// The next event of a kind; what else is told meanwhile is passed over.
    fn wait_for(&mut self, kind: &str) -> Message {
        loop {
            let message = self.next_of("event");
            if message.data["kind"] == kind {
                return message;
            }
        }
    }

    /// The next message of this name.
    fn next_of(&mut self, event: &str) -> Message {
        loop {
            let message = self.next();
            if message.event == event {
                return message;
            }
        }
    }
}

fn drain(server: &TestServer, target: &str) {
    let body = format!("{{\"target\": \"{target}\", \"action\": \"drain\", \"confirm\": true}}");
    assert_eq!(post(server, "/api/v1/overrides", &body).status, 200);
}

#[test]
fn who_comes_back_misses_nothing_and_hears_nothing_twice() {
    let server = start(&[]);
    let mut first = Follower::start(&server, "/api/v1/stream?since=0", &[]);
    assert_eq!(first.next().event, "state");
    drain(&server, "fra");
    let seen = first.wait_for("change_made");
    assert_eq!(seen.data["seq"], seen.id.unwrap());
    drop(first);
    drain(&server, "web/iad");
    let last = seen.id.unwrap().to_string();
    let mut again = Follower::start(&server, "/api/v1/stream?since=0", &[("Last-Event-ID", &last)]);
    let mut expected = seen.id.unwrap();
    let mut missed = Vec::new();
    while missed.last().is_none_or(|kind| kind != "change_made") {
        let message = again.next();
        if message.event == "event" {
            expected += 1;
            assert_eq!(message.id, Some(expected), "{message:?}");
            missed.push(message.data["kind"].as_str().unwrap().to_owned());
        }
    }
    assert!(missed.contains(&"override_set".to_owned()), "{missed:?}");
    // A number that is not there yet: only what comes is told.
    let mut ahead = Follower::start(&server, "/api/v1/stream?since=999999", &[]);
    drain(&server, "sin");
    assert_eq!(ahead.wait_for("override_set").data["target"], "sin");
}

#[test]
fn a_hundred_follow_and_one_who_does_not_read_stops_nobody() {
    let server = start(&[]);
    let lazy = Follower::start(&server, "/api/v1/stream", &[]);
    let mut crowd: Vec<Follower> = (0..100).map(|_| Follower::start(&server, "/api/v1/stream", &[])).collect();
    for target in ["fra", "web/iad", "sin"] {
        drain(&server, target);
    }
    let mut ids = Vec::new();
    for follower in &mut crowd {
        let mut targets = Vec::new();
        let mut states = 0;
        while targets.len() < 3 {
            let message = follower.next();
            match message.event.as_str() {
                "event" if message.data["kind"] == "override_set" => {
                    targets.push(message.data["target"].as_str().unwrap().to_owned());
                    ids.push(message.id);
                }
                "state" => {
                    states += 1;
                    assert!(message.data["generation"].as_u64().unwrap() > 0, "{message:?}");
                }
                _ => {}
            }
        }
        assert_eq!(targets, ["fra", "web/iad", "sin"]);
        assert!(states >= 1, "at least the state at the start");
    }
    assert!(ids.chunks(3).all(|chunk| chunk == &ids[..3]), "all are told the same");
    assert_eq!(crate::cockpit::get(&server, "/api/v1/regions").status, 200);
    drop(lazy);
}

#[test]
fn what_is_answered_is_told_and_the_end_ends_it() {
    let server = start(&[]);
    let mut follower = Follower::start(&server, "/api/v1/stream", &[]);
    // Rates are of whole seconds that are over: some queries come too late for the first look.
    let is_told = |traffic: &Value| {
        let mut rows = traffic["answers"].as_array().unwrap().iter();
        rows.any(|row| row["service"] == "web" && row["per_second"].as_f64().is_some_and(|rate| rate > 0.0))
    };
    let told = (0..20).any(|id| {
        ask(server.dns(), &query(id, "www.example.com", 1));
        is_told(&follower.next_of("traffic").data)
    });
    assert!(told, "twenty looks and no answer in them");
    server.signal("TERM");
    let mut rest = Vec::new();
    follower.0.read_to_end(&mut rest).unwrap();
    assert_eq!(server.wait().code, Some(0));
}
