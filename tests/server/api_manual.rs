//! Every example of `docs/api.md` works, in the order of the page, and every route has one.

use serde_json::Value;

use crate::cockpit::{get, send, start};
use crate::support::TestServer;

/// A request of the manual and the status it says comes back.
#[derive(Debug)]
struct Example {
    method: String,
    path: String,
    /// The media type of the body.
    kind: String,
    body: String,
    status: u16,
}

impl Example {
    /// The status that comes back.
    fn sent(&self, server: &TestServer) -> u16 {
        let authorization = format!("Bearer {}", server.token());
        let headers = [("Authorization", authorization.as_str()), ("Content-Type", &self.kind)];
        match self.method.as_str() {
            "GET" => get(server, &self.path).status,
            method => send(server, method, &self.path, &headers, &self.body).status,
        }
    }
}

fn manual() -> String {
    std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/api.md")).unwrap()
}

/// The blocks of a language.
fn blocks(manual: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    let starts = manual.match_indices(&fence).map(|(at, _)| &manual[at + fence.len()..]);
    starts.map(|rest| rest.split("\n```").next().unwrap().to_owned()).collect()
}

/// Requests stand apart by an empty line: method and path, the kind of the body if that is not JSON, a body, the status.
fn examples(manual: &str) -> Vec<Example> {
    let all = blocks(manual, "http").join("\n\n");
    let example = |text: &str| {
        let lines: Vec<&str> = text.lines().collect();
        let (method, path) = lines[0].split_once(' ').unwrap();
        let told = lines[1].strip_prefix("Content-Type: ");
        let body = lines[1 + usize::from(told.is_some())..lines.len() - 1].join("\n");
        let (kind, status) = (told.unwrap_or("application/json").into(), lines[lines.len() - 1].parse().unwrap());
        Example { method: method.into(), path: path.into(), kind, body, status }
    };
    all.split("\n\n").map(example).collect()
}

#[test]
fn every_example_works() {
    let server = start(&[]);
    // What was measured a moment ago when the page was written was measured a moment ago.
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
    let examples = examples(&manual().replace(",1795750460000,", &format!(",{},", now - 1_000)));
    for example in &examples {
        assert_eq!(example.sent(&server), example.status, "{example:?}");
    }
    for text in blocks(&manual(), "json") {
        assert!(serde_json::from_str::<Value>(&text).is_ok(), "{text}");
    }
    let document: Value =
        serde_json::from_str(include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/openapi.json"))).unwrap();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            let is_shown = |example: &Example| {
                let shown = example.path.split('?').next().unwrap();
                let fits = shown == path || path.strip_suffix("{path}").is_some_and(|start| shown.starts_with(start));
                fits && example.method.eq_ignore_ascii_case(method)
            };
            // What has no end is shown in words.
            let is_told = path == "/api/v1/stream" && manual().contains("GET /api/v1/stream");
            assert!(examples.iter().any(is_shown) || is_told, "no example of {method} {path}");
        }
    }
}

#[test]
fn every_kind_of_event_is_told() {
    let text = manual();
    for kind in meridian::control::EventKind::ALL {
        assert!(text.contains(&format!("`{}`", kind.as_str())), "{} is not in docs/api.md", kind.as_str());
    }
}
