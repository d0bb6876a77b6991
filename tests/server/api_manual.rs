//! Every example of `docs/api.md` works, in the order of the page, and every route has one.

use serde_json::Value;

use crate::cockpit::{get, post, start};

/// A request of the manual and the status it says comes back.
#[derive(Debug)]
struct Example {
    method: String,
    path: String,
    body: String,
    status: u16,
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

/// Requests stand apart by an empty line: method and path, a body, the status.
fn examples(manual: &str) -> Vec<Example> {
    let all = blocks(manual, "http").join("\n\n");
    let example = |text: &str| {
        let lines: Vec<&str> = text.lines().collect();
        let (method, path) = lines[0].split_once(' ').unwrap();
        let body = lines[1..lines.len() - 1].join("\n");
        Example { method: method.into(), path: path.into(), body, status: lines[lines.len() - 1].parse().unwrap() }
    };
    all.split("\n\n").map(example).collect()
}

#[test]
fn every_example_works() {
    let server = start(&[]);
    let examples = examples(&manual());
    for example in &examples {
        let Example { method, path, body, status } = example;
        let reply = if method == "GET" { get(&server, path) } else { post(&server, path, body) };
        assert_eq!(reply.status, *status, "{example:?}: {reply:?}");
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
