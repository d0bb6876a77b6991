//! Zones through their life: read, changed, broken, mended, doubled, removed.
//!
//! No test waits between a reload and a question: what a reload has reported is answered from then on.

use crate::support::{TestServer, ask, query, rcode};

const NOERROR: u8 = 0;
const SERVFAIL: u8 = 2;
const REFUSED: u8 = 5;
const TYPE_A: u16 = 1;

fn zone(serial: u32, records: &str) -> String {
    format!("$TTL 300\n@ SOA ns1 hostmaster {serial} 3600 600 86400 60\n@ NS ns1\nns1 A 192.0.2.53\n{records}")
}

/// The response code for `www` of a zone and the last octet of the answer, which is that of its address.
fn www(server: &TestServer, zone: &str) -> (u8, u8) {
    let answer = ask(server.dns(), &query(1, &format!("www.{zone}"), TYPE_A));
    (rcode(&answer), *answer.last().unwrap())
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
    assert_eq!(www(&server, "example.com").0, SERVFAIL);
    assert_eq!(www(&server, "example.net"), (NOERROR, 9));
    assert!(server.log().contains("zones/example.com.zone:5:"), "{}", server.log());
    server.write("zones/example.com.zone", &zone(1, "www A 192.0.2.2\n"));
    assert_eq!(server.reload("").0, 200);
    assert_eq!(www(&server, "example.com"), (NOERROR, 2));
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
fn two_files_for_one_zone_change_nothing() {
    let server = TestServer::start(&[("zones/example.com.zone", &zone(1, "www A 192.0.2.1\n"))]);
    let other = format!("$ORIGIN example.com.\n{}", zone(2, "www A 192.0.2.2\n"));
    server.write("zones/other.zone", &other);
    let (_, outcome) = server.reload("");
    assert_eq!((&outcome["result"], &outcome["zones"]), (&"partial".into(), &1.into()), "{outcome}");
    assert!(server.log().contains("zone `example.com.` is in more than one file"), "{}", server.log());
    assert!(server.log().contains("zones/other.zone:1:1"), "{}", server.log());
    assert_eq!(www(&server, "example.com"), (NOERROR, 1));
    server.remove("zones/other.zone");
    assert_eq!(server.reload("").1["result"], "ok");
    assert_eq!(www(&server, "example.com"), (NOERROR, 1));
}

#[test]
fn included_files_and_origins_are_followed() {
    let config = "[dns]\nlisten = [\"127.0.0.1:0\"]\norigins = { \"main.zone\" = \"example.com.\" }\n[admin]\nlisten = \"127.0.0.1:0\"\n";
    let server = TestServer::start(&[
        ("meridian.toml", config),
        ("zones/main.zone", &zone(1, "$INCLUDE hosts.inc\n")),
        ("zones/hosts.inc", "www A 192.0.2.1\n"),
    ]);
    assert_eq!(www(&server, "example.com"), (NOERROR, 1));
    server.write("zones/hosts.inc", "www A 192.0.2.2\n");
    assert_eq!(server.reload("").1["changed"], 1);
    assert_eq!(www(&server, "example.com"), (NOERROR, 2));
}
