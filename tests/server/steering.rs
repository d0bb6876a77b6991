//! Region files through their life, and the names they steer.

use std::collections::HashMap;

use crate::support::answer::{NOERROR, NXDOMAIN, SERVFAIL, TYPE_A, TYPE_AAAA, ask_both, ask_both_from, saying, ttls};
use crate::support::{TestServer, ask, query};

const ZONE: &str = "zones/example.com.zone";
const REGIONS: &str = "zones/regions.toml";

/// Its check always passes, and asks nobody. `www` is answered from Frankfurt while it can be; of `api`'s clients three quarters are.
const MODEL: &str = r#"
[regions.fra]
[regions.iad]
[checks]
port = { exec = { command = ["true"] }, interval = "10s" }

[services.web]
names = ["www.example.com"]
policy = "failover"
check = "port"
order = ["fra", "iad"]
ttl = { min = 5, max = 20 }
[services.web.endpoints]
fra = ["192.0.2.10", "2001:db8:f::10"]
iad = ["198.51.100.10", "2001:db8:1::10"]

[services.api]
names = ["api.example.com"]
policy = "weighted"
check = "port"
weights = { fra = 3 }
[services.api.endpoints]
fra = ["192.0.2.20"]
iad = ["198.51.100.20"]
"#;

fn zone(serial: u32, records: &str) -> String {
    format!(
        "$TTL 300\n@ SOA ns1 hostmaster {serial} 3600 600 86400 60\n@ NS ns1\nns1 A 192.0.2.53\nalias CNAME www\n{records}"
    )
}

fn steered() -> TestServer {
    TestServer::start(&[(ZONE, &zone(1, "host A 192.0.2.1\n")), (REGIONS, MODEL)])
}

fn web(server: &TestServer) -> Vec<String> {
    let (rcode, data) = ask_both(server.dns(), "www.example.com", TYPE_A);
    assert_eq!(rcode, NOERROR);
    data
}

/// The errors of a reload, which came to `result`.
fn errors(server: &TestServer, query: &str, result: &str) -> String {
    let (_, outcome) = server.reload(query);
    assert_eq!(outcome["result"], result, "{outcome:#}");
    // A finding without a place begins with its severity.
    let lines = outcome["findings"].as_array().unwrap().iter().map(|line| line.as_str().unwrap());
    lines.filter(|line| line.contains("error[")).collect::<Vec<_>>().join("\n")
}

#[test]
fn steered_names_are_answered_by_their_policy() {
    let server = steered();
    let dns = server.dns();
    assert_eq!(ask_both(dns, "www.example.com", TYPE_A), saying(NOERROR, &["192.0.2.10"]));
    assert_eq!(ask_both(dns, "www.example.com", TYPE_AAAA), saying(NOERROR, &["2001:db8:f::10"]));
    assert_eq!(ask_both(dns, "alias.example.com", TYPE_A), saying(NOERROR, &["192.0.2.10", "www.example.com."]));
    assert_eq!(ask_both(dns, "host.example.com", TYPE_A), saying(NOERROR, &["192.0.2.1"]));
    assert_eq!(ask_both(dns, "host.www.example.com", TYPE_A), saying(NXDOMAIN, &[]));
    assert_eq!(ask_both(dns, "api.example.com", TYPE_AAAA), saying(NOERROR, &[]));
    assert_eq!(ttls(&ask(dns, &query(1, "www.example.com", TYPE_A))), [20]);
    let mut shares: HashMap<String, u32> = HashMap::new();
    for network in 0..=255 {
        let (_, data) = ask_both_from([127, 0, network, 1].into(), dns, "api.example.com");
        assert_eq!(data.len(), 1);
        *shares.entry(data[0].clone()).or_default() += 1;
        // The failover service answers all of them alike.
        assert_eq!(ask_both_from([127, 0, network, 1].into(), dns, "www.example.com").1, ["192.0.2.10"]);
    }
    let (fra, iad) = (shares["192.0.2.20"], shares["198.51.100.20"]);
    assert_eq!(fra + iad, 256);
    assert!((170..=214).contains(&fra), "three quarters are 192 of 256, not {fra}");
}

#[test]
fn a_changed_region_file_is_answered_as_soon_as_it_is_reported() {
    let server = steered();
    let ttl = || ttls(&ask(server.dns(), &query(1, "www.example.com", TYPE_A)));
    for seconds in 10..19 {
        server.write(REGIONS, &MODEL.replace("max = 20", &format!("max = {seconds}")));
        assert_eq!(errors(&server, "", "ok"), "");
        assert_eq!(ttl(), [seconds]);
    }
    server.write(REGIONS, &MODEL.replace("max = 20", "max = 19"));
    server.signal("HUP");
    server.wait_for_log("loaded", 10);
    assert_eq!(ttl(), [19]);
    // An endpoint that is new in its region waits for its first pass; until then the next region answers.
    server.write(REGIONS, &MODEL.replace("192.0.2.10", "192.0.2.11"));
    assert_eq!(errors(&server, "", "ok"), "");
    assert_eq!(web(&server), ["198.51.100.10"]);
}

#[test]
fn a_region_file_with_errors_keeps_the_model_in_force() {
    let server = steered();
    let bad = MODEL.replace("\"failover\"", "\"failovr\"").replace("weights = { fra = 3 }", "weights = { lax = 3 }");
    server.write(REGIONS, &bad);
    server.write(ZONE, &zone(2, "host A 192.0.2.2\n"));
    let first = errors(&server, "", "partial");
    for text in ["zones/regions.toml:9:10: ", "failovr", "zones/regions.toml:21:13: ", "lax"] {
        assert!(first.contains(text), "`{text}` is not in {first}");
    }
    server.wait_for_text("zones/regions.toml:9:10");
    assert_eq!(web(&server), ["192.0.2.10"]);
    assert_eq!(server.http("GET", "/readyz", None), (200, "degraded\nmodel_stale 1\n".into()));
    assert_eq!(server.metric("meridian_model_stale"), 1.0);
    // The zones are another matter.
    assert_eq!(ask_both(server.dns(), "host.example.com", TYPE_A), saying(NOERROR, &["192.0.2.2"]));
    // Found again until it is mended.
    assert_eq!(errors(&server, "", "partial"), first);
    server.write(REGIONS, MODEL);
    assert_eq!(errors(&server, "", "ok"), "");
    assert_eq!(server.http("GET", "/readyz", None), (200, "ok\n".into()));
    assert_eq!(server.metric("meridian_model_stale"), 0.0);
    server.write(REGIONS, "[regions.fra\n");
    assert!(errors(&server, "", "partial").contains("zones/regions.toml:1:"));
    assert_eq!(web(&server), ["192.0.2.10"]);
    // A load that is refused for another reason does not make it good.
    server.write(REGIONS, "");
    assert!(errors(&server, "", "refused").contains("2 of 2 services would be removed"));
    server.write(REGIONS, "[regions.fra\n");
    assert!(errors(&server, "", "partial").contains("zones/regions.toml:1:"));
    // A file that cannot be read is an error like any other.
    server.write(REGIONS, MODEL);
    std::fs::create_dir(server.folder().join("zones/folder.toml")).unwrap();
    for _ in 0..2 {
        assert!(errors(&server, "", "partial").contains("cannot read region file"));
        assert_eq!(server.metric("meridian_model_stale"), 1.0);
    }
    std::fs::remove_dir(server.folder().join("zones/folder.toml")).unwrap();
    assert_eq!(errors(&server, "", "ok"), "");
}

#[test]
fn a_start_with_bad_region_files_says_all_and_ends() {
    let ended = TestServer::start_and_fail(
        &[
            (ZONE, &zone(1, "bad A 192.0.2.256\n")),
            ("zones/a.toml", &MODEL.replace("\"failover\"", "\"failovr\"")),
            ("zones/b.toml", "[regions.fra]\nlocation = { lat = 91, lon = 0 }\n"),
        ],
        &[],
    );
    assert_eq!(ended.code, Some(3), "{}", ended.log);
    for text in
        ["nothing can be loaded", "example.com.zone:6:7", "zones/a.toml:9:10", "zones/b.toml:1:10", "zones/b.toml:2:"]
    {
        assert!(ended.log.contains(text), "`{text}` is not in {}", ended.log);
    }
}

#[test]
fn a_zone_that_contradicts_the_model_keeps_its_version() {
    let server = steered();
    server.write(ZONE, &zone(2, "host A 192.0.2.2\nwww A 192.0.2.99\n"));
    let first = errors(&server, "", "partial");
    assert!(first.contains("www.example.com. has A records in the zone file and is steered"), "{first}");
    assert!(first.contains("zones/regions.toml:8:10: "), "{first}");
    for _ in 0..2 {
        assert_eq!(web(&server), ["192.0.2.10"]);
        assert_eq!(ask_both(server.dns(), "host.example.com", TYPE_A), saying(NOERROR, &["192.0.2.1"]));
        assert_eq!(server.metric("meridian_zone_serial{zone=\"example.com.\"}"), 1.0);
        assert_eq!(server.metric("meridian_zone_state{zone=\"example.com.\"}"), 1.0);
        assert_eq!(server.http("GET", "/readyz", None), (200, "degraded\nzones_stale 1\n".into()));
        // Found again until it is mended.
        assert_eq!(errors(&server, "", "partial"), first);
    }
    // A version after the refused one.
    server.write(ZONE, &zone(3, "host A 192.0.2.3\nwww TXT \"beside\"\n"));
    assert_eq!(errors(&server, "", "ok"), "");
    assert_eq!(ask_both(server.dns(), "host.example.com", TYPE_A), saying(NOERROR, &["192.0.2.3"]));
    assert_eq!(server.metric("meridian_zone_state{zone=\"example.com.\"}"), 2.0);
    // Refused again, and then the model gives way.
    server.write(ZONE, &zone(4, "host A 192.0.2.4\nwww A 192.0.2.99\n"));
    errors(&server, "", "partial");
    assert_eq!(web(&server), ["192.0.2.10"]);
    server.write(REGIONS, &MODEL.replace("www.example.com", "web.example.com"));
    assert_eq!(errors(&server, "", "ok"), "");
    assert_eq!(web(&server), ["192.0.2.99"]);
    assert_eq!(ask_both(server.dns(), "host.example.com", TYPE_A), saying(NOERROR, &["192.0.2.4"]));
    assert_eq!(server.metric("meridian_zone_serial{zone=\"example.com.\"}"), 4.0);
}

#[test]
fn a_model_that_contradicts_the_zones_waits_for_them() {
    let server = steered();
    let next = MODEL.replace("\"www.example.com\"", "\"www.example.com\", \"host.example.com\"");
    server.write(REGIONS, &next);
    let first = errors(&server, "", "partial");
    assert!(first.contains("host.example.com. has A records in the zone file and is steered"), "{first}");
    assert_eq!(ask_both(server.dns(), "host.example.com", TYPE_A), saying(NOERROR, &["192.0.2.1"]));
    // Found again until it is mended.
    assert_eq!(errors(&server, "", "partial"), first);
    assert_eq!(server.http("GET", "/readyz", None), (200, "degraded\nmodel_stale 1\n".into()));
    server.write(ZONE, &zone(2, ""));
    assert_eq!(errors(&server, "", "ok"), "");
    assert_eq!(ask_both(server.dns(), "host.example.com", TYPE_A), saying(NOERROR, &["192.0.2.10"]));
}

#[test]
fn a_zone_that_was_never_good_must_fit_the_model_to_heal() {
    let server = TestServer::start(&[(ZONE, &zone(1, "bad A 192.0.2.256\n")), (REGIONS, MODEL)]);
    assert_eq!(ask_both(server.dns(), "www.example.com", TYPE_A), saying(SERVFAIL, &[]));
    server.write(ZONE, &zone(2, "www A 192.0.2.99\n"));
    assert!(errors(&server, "", "partial").contains("www.example.com. has A records in the zone file and is steered"));
    assert_eq!(ask_both(server.dns(), "www.example.com", TYPE_A), saying(SERVFAIL, &[]));
    assert_eq!(server.http("GET", "/readyz", None), (200, "degraded\nzones_failed 1\n".into()));
    server.write(ZONE, &zone(3, ""));
    assert_eq!(errors(&server, "", "ok"), "");
    assert_eq!(web(&server), ["192.0.2.10"]);
}

/// A file whose times tell that it has not been touched for long is not read again without need.
#[test]
fn files_untouched_for_long_are_judged_anew_all_the_same() {
    let old = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus/zones/deleg.test.zone");
    let model = |name: &str| MODEL.replace("www.example.com", name);
    let server = TestServer::start(&[
        (ZONE, &zone(1, "")),
        ("zones/deleg.test.zone", &zone(1, "parent TXT \"not delegated\"\n")),
        (REGIONS, &model("parent.deleg.test")),
    ]);
    let replace = || {
        server.remove("zones/deleg.test.zone");
        std::os::unix::fs::symlink(old, server.folder().join("zones/deleg.test.zone")).unwrap();
    };
    replace();
    let first = errors(&server, "", "partial");
    assert!(first.contains("steered name parent.deleg.test. is delegated away"), "{first}");
    assert_eq!(errors(&server, "", "partial"), first);
    assert_eq!(ask_both(server.dns(), "parent.deleg.test", TYPE_A), saying(NOERROR, &["192.0.2.10"]));
    // The model gives way; its new name is in a zone of its own, below the delegation.
    server.write("zones/indom.deleg.test.zone", &zone(1, ""));
    server.write(REGIONS, &model("api.indom.deleg.test"));
    assert_eq!(errors(&server, "", "ok"), "");
    assert_eq!(ask_both(server.dns(), "api.indom.deleg.test", TYPE_A), saying(NOERROR, &["192.0.2.10"]));
    // Without that zone the name is delegated.
    server.remove("zones/indom.deleg.test.zone");
    let first = errors(&server, "", "partial");
    assert!(first.contains("steered name api.indom.deleg.test. is delegated away"), "{first}");
    assert_eq!(errors(&server, "", "partial"), first);
    server.write("zones/indom.deleg.test.zone", &zone(1, ""));
    assert_eq!(errors(&server, "", "ok"), "");
    assert_eq!(server.http("GET", "/readyz", None), (200, "ok\n".into()));
    assert_eq!(ask_both(server.dns(), "api.indom.deleg.test", TYPE_A), saying(NOERROR, &["192.0.2.10"]));
}

#[test]
fn most_services_go_only_by_force() {
    let server = steered();
    server.write(ZONE, &zone(2, "host A 192.0.2.2\n"));
    server.remove(REGIONS);
    let (status, outcome) = server.reload("");
    assert_eq!((status, &outcome["result"]), (409, &"refused".into()), "{outcome}");
    assert!(outcome["findings"][0].as_str().unwrap().contains("2 of 2 services would be removed"), "{outcome}");
    assert_eq!(web(&server), ["192.0.2.10"]);
    // Nothing was changed, the zone neither.
    assert_eq!(ask_both(server.dns(), "host.example.com", TYPE_A), saying(NOERROR, &["192.0.2.1"]));
    assert_eq!(errors(&server, "?force=true", "ok"), "");
    assert_eq!(ask_both(server.dns(), "www.example.com", TYPE_A), saying(NXDOMAIN, &[]));
    assert_eq!(ask_both(server.dns(), "host.example.com", TYPE_A), saying(NOERROR, &["192.0.2.2"]));
}
