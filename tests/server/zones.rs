//! Zones through their life: read, changed, broken, mended, doubled, removed.
//!
//! No test waits between a reload and a question: what a reload has reported is answered from then on.

use crate::support::answer::{NOERROR, NXDOMAIN, REFUSED, SERVFAIL, TYPE_A, ask_both, saying};
use crate::support::{CONFIG, TestServer};

fn zone(serial: u32, records: &str) -> String {
    format!("$TTL 300\n@ SOA ns1 hostmaster {serial} 3600 600 86400 60\n@ NS ns1\nns1 A 192.0.2.53\n{records}")
}

/// The response code for `www` of a zone, over UDP and over TCP, and the last octet of its address; 0 without one.
fn www(server: &TestServer, zone: &str) -> (u16, u8) {
    let (rcode, data) = ask_both(server.dns(), &format!("www.{zone}"), TYPE_A);
    let host = data.first().map_or(0, |address| address.rsplit('.').next().unwrap().parse().unwrap());
    (rcode, host)
}

#[test]
fn a_change_is_answered_as_soon_as_it_is_reported() {
    let server = TestServer::start(&[("zones/example.com.zone", &zone(1, "www A 192.0.2.1\n"))]);
    assert_eq!(www(&server, "example.com"), (NOERROR, 1));
    for serial in 2..60_u8 {
        server.write("zones/example.com.zone", &zone(serial.into(), &format!("www A 192.0.2.{serial}\n")));
        let (status, outcome) = server.reload("");
        assert_eq!((status, &outcome["touched"]), (200, &serde_json::json!(["example.com."])), "{outcome}");
        assert_eq!(www(&server, "example.com"), (NOERROR, serial));
        assert_eq!(server.metric("meridian_zone_serial{zone=\"example.com.\"}"), f64::from(serial));
    }
    let (_, outcome) = server.reload("");
    assert_eq!((&outcome["result"], &outcome["changed"]), (&"ok".into(), &0.into()));
}

#[test]
fn a_signal_reloads_as_a_request_does() {
    let server = TestServer::start(&[("zones/example.com.zone", &zone(1, "www A 192.0.2.1\n"))]);
    for serial in 2..12_u8 {
        server.write("zones/example.com.zone", &zone(serial.into(), &format!("www A 192.0.2.{serial}\n")));
        server.signal("HUP");
        let outcome = server.wait_for_log("loaded", usize::from(serial) - 1);
        assert_eq!((&outcome["result"], &outcome["changed"]), (&"ok".into(), &1.into()), "{outcome}");
        assert_eq!(www(&server, "example.com"), (NOERROR, serial));
    }
    // A name that comes and a name that goes.
    server.write("zones/example.com.zone", &zone(12, "new A 192.0.2.12\n"));
    server.signal("HUP");
    server.wait_for_log("loaded", 11);
    assert_eq!(www(&server, "example.com"), (NXDOMAIN, 0));
    assert_eq!(ask_both(server.dns(), "new.example.com", TYPE_A), saying(NOERROR, &["192.0.2.12"]));
}

#[test]
fn a_bad_version_leaves_the_zone_as_it_was() {
    let server = TestServer::start(&[
        ("zones/example.com.zone", &zone(1, "www A 192.0.2.1\n")),
        ("zones/example.net.zone", &zone(1, "www A 192.0.2.9\n")),
    ]);
    server.write("zones/example.com.zone", &zone(2, "www A 192.0.2.256\n"));
    let (status, outcome) = server.reload("");
    assert_eq!((status, &outcome["result"], &outcome["zones_stale"]), (200, &"partial".into(), &1.into()));
    assert!(outcome["findings"][0].as_str().unwrap().contains("zones/example.com.zone:5:"), "{outcome}");
    assert_eq!(www(&server, "example.com"), (NOERROR, 1));
    assert_eq!(www(&server, "example.net"), (NOERROR, 9));
    assert_eq!(server.http("GET", "/readyz", None), (200, "degraded\nzones_stale 1\n".into()));
    server.wait_for_text("zones/example.com.zone:5:7");
    for (series, value) in [
        ("meridian_zones_stale", 1.0),
        ("meridian_zones_failed", 0.0),
        ("meridian_zone_state{zone=\"example.com.\"}", 1.0),
        ("meridian_zone_state{zone=\"example.net.\"}", 2.0),
        ("meridian_zone_serial{zone=\"example.com.\"}", 1.0),
        ("meridian_reloads_total{result=\"partial\"}", 1.0),
    ] {
        assert_eq!(server.metric(series), value, "{series}");
    }
    // Found again until it is mended.
    assert_eq!(server.reload("").1["errors"], outcome["errors"]);
    server.write("zones/example.com.zone", &zone(3, "www A 192.0.2.3\n"));
    assert_eq!(server.reload("").1["result"], "ok");
    assert_eq!(www(&server, "example.com"), (NOERROR, 3));
    assert_eq!(server.http("GET", "/readyz", None), (200, "ok\n".into()));
}

#[test]
fn a_zone_that_was_never_good_is_servfail_alone() {
    let server = TestServer::start(&[
        ("zones/example.com.zone", &zone(1, "www A 192.0.2.256\n")),
        ("zones/example.net.zone", &zone(1, "www A 192.0.2.9\n")),
    ]);
    assert_eq!(www(&server, "example.com"), (SERVFAIL, 0));
    assert_eq!(www(&server, "example.net"), (NOERROR, 9));
    assert_eq!(server.http("GET", "/readyz", None), (200, "degraded\nzones_failed 1\n".into()));
    assert_eq!(server.metric("meridian_zone_state{zone=\"example.com.\"}"), 0.0);
    server.wait_for_text("zones/example.com.zone:5:");
    server.write("zones/example.com.zone", &zone(1, "www A 192.0.2.2\n"));
    assert_eq!(server.reload("").1["result"], "ok");
    assert_eq!(www(&server, "example.com"), (NOERROR, 2));
    assert_eq!(server.http("GET", "/readyz", None), (200, "ok\n".into()));
}

#[test]
fn zones_come_and_go() {
    let server = TestServer::start(&[
        ("zones/example.com.zone", &zone(1, "www A 192.0.2.1\n")),
        ("zones/example.net.zone", &zone(1, "www A 192.0.2.2\n")),
    ]);
    server.write("zones/example.org.zone", &zone(1, "www A 192.0.2.3\n"));
    assert_eq!(server.reload("").1["added"], 1);
    assert_eq!(www(&server, "example.org"), (NOERROR, 3));
    server.remove("zones/example.com.zone");
    assert_eq!(server.reload("").1["removed"], 1);
    assert_eq!(www(&server, "example.com").0, REFUSED);
    assert_eq!(www(&server, "example.net"), (NOERROR, 2));
    assert_eq!(server.metric("meridian_zones"), 2.0);
}

#[test]
fn most_zones_go_only_by_force() {
    let origins = ["example.com", "example.net", "example.org"];
    let files = origins.map(|origin| (format!("zones/{origin}.zone"), zone(1, "www A 192.0.2.1\n")));
    let server = TestServer::start(&files.each_ref().map(|(path, text)| (path.as_str(), text.as_str())));
    server.remove("zones/example.com.zone");
    server.remove("zones/example.net.zone");
    server.write("zones/example.org.zone", &zone(2, "www A 192.0.2.2\n"));
    for _ in 0..2 {
        let (status, outcome) = server.reload("");
        assert_eq!((status, &outcome["result"]), (409, &"refused".into()), "{outcome}");
        assert!(outcome["findings"][0].as_str().unwrap().contains("2 of 3 zones would be removed"), "{outcome}");
        for origin in origins {
            assert_eq!(www(&server, origin), (NOERROR, 1), "{origin}");
        }
    }
    assert_eq!(server.metric("meridian_reloads_total{result=\"refused\"}"), 2.0);
    let (status, outcome) = server.reload("?force=true");
    assert_eq!((status, &outcome["removed"]), (200, &2.into()), "{outcome}");
    assert_eq!(www(&server, "example.com"), (REFUSED, 0));
    assert_eq!(www(&server, "example.org"), (NOERROR, 2));
}

#[test]
fn two_files_for_one_zone_change_nothing() {
    let server = TestServer::start(&[("zones/example.com.zone", &zone(1, "www A 192.0.2.1\n"))]);
    let other = format!("$ORIGIN example.com.\n{}", zone(2, "www A 192.0.2.2\n"));
    server.write("zones/other.zone", &other);
    let (_, outcome) = server.reload("");
    assert_eq!((&outcome["result"], &outcome["zones"]), (&"partial".into(), &1.into()), "{outcome}");
    server.wait_for_text("zone `example.com.` is in more than one file");
    server.wait_for_text("zones/other.zone:1:1");
    assert_eq!(www(&server, "example.com"), (NOERROR, 1));
    server.remove("zones/other.zone");
    assert_eq!(server.reload("").1["result"], "ok");
    assert_eq!(www(&server, "example.com"), (NOERROR, 1));
}

#[test]
fn included_files_and_origins_are_followed() {
    let config = CONFIG.replace("[dns]\n", "[dns]\norigins = { \"main.zone\" = \"example.com.\" }\n");
    let server = TestServer::start(&[
        ("meridian.toml", &config),
        ("zones/main.zone", &zone(1, "$INCLUDE hosts.inc\n")),
        ("zones/hosts.inc", "www A 192.0.2.1\n"),
    ]);
    assert_eq!(www(&server, "example.com"), (NOERROR, 1));
    server.write("zones/hosts.inc", "www A 192.0.2.2\n");
    assert_eq!(server.reload("").1["changed"], 1);
    assert_eq!(www(&server, "example.com"), (NOERROR, 2));
}
