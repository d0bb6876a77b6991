//! The admin listener.

use std::collections::HashSet;

use crate::support::TestServer;

const BAD: &str = "this is no zone\n";

#[test]
fn health_is_open_and_short() {
    let server = TestServer::start(&[]);
    assert_eq!(server.http("GET", "/healthz", None), (200, "ok\n".into()));
    assert_eq!(server.http("GET", "/readyz", None), (200, "ok\n".into()));
}

#[test]
fn a_failed_zone_degrades_and_does_not_stop() {
    let server = TestServer::start(&[("zones/bad.example.zone", BAD)]);
    assert_eq!(server.http("GET", "/readyz", None), (200, "degraded\nzones_failed 1\n".into()));
    assert_eq!(server.metric("meridian_zones_failed"), 1.0);
    assert_eq!(server.metric("meridian_zone_state{zone=\"bad.example.\"}"), 0.0);
    assert_eq!(server.metric("meridian_reloads_total{result=\"partial\"}"), 1.0);
    server.remove("zones/bad.example.zone");
    // One of one is more than half.
    let (status, outcome) = server.reload("");
    assert_eq!((status, &outcome["result"]), (409, &"refused".into()));
    assert!(outcome["findings"][0].as_str().unwrap().contains("1 of 1 zones would be removed"), "{outcome}");
    assert_eq!(outcome["generation"], 1);
    let (status, outcome) = server.reload("?force=true");
    assert_eq!((status, &outcome["result"], &outcome["generation"]), (200, &"ok".into(), &2.into()));
    assert_eq!((&outcome["removed"], &outcome["touched"][0]), (&1.into(), &"bad.example.".into()));
    assert_eq!(server.http("GET", "/readyz", None), (200, "ok\n".into()));
}

#[test]
fn changes_need_the_token() {
    let server = TestServer::start(&[]);
    for token in [None, Some("wrong"), Some("")] {
        assert_eq!(server.http("POST", "/api/v1/reload", token).0, 401, "{token:?}");
    }
    assert_eq!(server.metric("meridian_snapshot_generation"), 1.0);
    assert_eq!(server.http("GET", "/api/v1/reload", Some(&server.token())).0, 405);
    assert_eq!(server.reload("?forse=true").0, 400);
    assert_eq!(server.reload("").0, 200);
    server.wait_for_text("state/admin.token");
}

#[test]
fn beyond_loopback_reading_needs_the_token_too() {
    let config = "[dns]\nlisten = [\"127.0.0.1:0\"]\n[admin]\nlisten = \"0.0.0.0:0\"\n";
    let server = TestServer::start(&[("meridian.toml", config)]);
    assert_eq!(server.http("GET", "/healthz", None).0, 200);
    assert_eq!(server.http("GET", "/readyz", None).0, 200);
    assert_eq!(server.http("GET", "/metrics", None).0, 401);
    assert_eq!(server.http("GET", "/metrics", Some(&server.token())).0, 200);
}

#[test]
fn every_series_is_described() {
    let server = TestServer::start(&[("zones/bad.example.zone", BAD)]);
    let (_, text) = server.http("GET", "/metrics", None);
    let described: HashSet<&str> =
        text.lines().filter_map(|line| line.strip_prefix("# HELP ")?.split(' ').next()).collect();
    let typed: HashSet<&str> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    assert_eq!(described, typed);
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let name = line.split(['{', ' ']).next().unwrap();
        let base = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| name.strip_suffix(suffix)).unwrap_or(name);
        assert!(described.contains(name) || described.contains(base), "{line}");
    }
}
