//! What operators say: over the command line to a running server, with exit codes, and kept over a restart.

use std::net::TcpListener;
use std::path::Path;

use serde_json::Value;

use crate::support::answer::{NOERROR, TYPE_A, said};
use crate::support::{TestServer, ask, command, query};

const ZONE: &str = "$TTL 300\n@ SOA ns1 hostmaster 1 3600 600 86400 60\n@ NS ns1\nns1 A 192.0.2.53\n";

/// Checks pass and ask nobody; `mail` is active-passive.
const REGIONS: &str = r#"
[regions.fra]
[regions.iad]
[checks]
ok = { exec = { command = ["true"] } }
[policies.hand]
mode = "active-passive"
failback = "manual"
[services.web]
names = ["www.example.com"]
policy = "failover"
order = ["fra", "iad"]
check = "ok"
[services.web.endpoints]
fra = ["192.0.2.10"]
iad = ["198.51.100.10"]
[services.mail]
names = ["mail.example.com"]
policy = "hand"
order = ["iad", "fra"]
check = "ok"
[services.mail.endpoints]
fra = ["192.0.2.25"]
iad = ["198.51.100.25"]
"#;

/// A configuration whose admin listener has a port that commands can know, and whose state outlives the server.
fn config(state: &Path) -> String {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    format!(
        "[dns]\nlisten = [\"127.0.0.1:0\"]\n[admin]\nlisten = \"127.0.0.1:{port}\"\n[state]\nfolder = {:?}\n",
        state.to_string_lossy()
    )
}

fn start(state: &Path, regions: &str) -> TestServer {
    TestServer::start(&[
        ("meridian.toml", &config(state)),
        ("zones/example.com.zone", ZONE),
        ("zones/regions.toml", regions),
    ])
}

/// Runs a command beside a server: its exit code, and all it says.
fn run(server: &TestServer, arguments: &[&str]) -> (i32, String) {
    let output = command(server.folder(), arguments).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(said).unwrap())
}

fn expect(server: &TestServer, arguments: &[&str], code: i32, words: &[&str]) {
    let (found, said) = run(server, arguments);
    assert_eq!(found, code, "{arguments:?}: {said}");
    for word in words {
        assert!(said.contains(word), "{arguments:?} does not say {word:?}: {said}");
    }
}

fn answered(server: &TestServer, name: &str) -> Vec<String> {
    let (rcode, data) = said(&ask(server.dns(), &query(9, name, TYPE_A)));
    assert_eq!(rcode, NOERROR);
    data
}

#[test]
fn words_change_answers_and_outlive_the_server() {
    let state = tempfile::tempdir().unwrap();
    let server = start(state.path(), REGIONS);
    expect(&server, &["status"], 0, &["ready", "service web: eligible, active: fra"]);
    assert_eq!(answered(&server, "www.example.com"), ["192.0.2.10"]);

    expect(&server, &["drain", "fra", "--for", "1h", "--reason", "kernel"], 0, &["drain fra"]);
    assert_eq!(answered(&server, "www.example.com"), ["198.51.100.10"]);
    expect(&server, &["status"], 0, &["fra", "drained", "kernel"]);
    // The last eligible region goes only by a second word.
    expect(&server, &["drain", "iad"], 1, &["last eligible region"]);
    expect(&server, &["drain", "iad", "--yes"], 0, &[]);
    expect(&server, &["enable", "iad"], 0, &[]);
    expect(&server, &["force", "down", "web/iad"], 1, &["last eligible region"]);
    expect(&server, &["force", "up", "fra"], 1, &["24 hours"]);
    expect(&server, &["drain", "frra"], 1, &["did you mean `fra`?"]);
    expect(&server, &["drain"], 2, &["TARGET"]);
    expect(&server, &["guard", "release"], 1, &["holds nothing"]);

    let ended = server.stop();
    assert_eq!(ended.code, Some(0), "{}", ended.log);
    let server = start(state.path(), REGIONS);
    assert_eq!(answered(&server, "www.example.com"), ["198.51.100.10"]);
    expect(&server, &["enable", "fra"], 0, &["enabled fra"]);
    // Failback waits for five minutes, or for a word.
    assert_eq!(answered(&server, "www.example.com"), ["198.51.100.10"]);
    expect(
        &server,
        &["explain", "www.example.com", "--client", "192.0.2.77"],
        0,
        &["iad: failback-hold", "198.51.100.10"],
    );
    expect(&server, &["failback", "web"], 0, &["fra is the active region of web"]);
    assert_eq!(answered(&server, "www.example.com"), ["192.0.2.10"]);

    expect(&server, &["switch", "mail", "fra"], 0, &["fra is the active region of mail"]);
    assert_eq!(answered(&server, "mail.example.com"), ["192.0.2.25"]);
    expect(&server, &["switch", "mail", "lax"], 1, &["not in the order"]);
    expect(&server, &["failback", "mail"], 0, &[]);
    assert_eq!(answered(&server, "mail.example.com"), ["198.51.100.25"]);

    let (_, events) = server.http("GET", "/api/v1/events", None);
    for word in ["override_set", "kernel", "active_moved", "failed_back"] {
        assert!(events.contains(word), "{word}: {events}");
    }
}

#[test]
fn explain_names_what_is_answered() {
    let state = tempfile::tempdir().unwrap();
    let server = start(state.path(), REGIONS);
    let json = |arguments: &[&str]| -> Value {
        let (code, said) =
            run(&server, &[&["explain", "www.example.com", "--client", "192.0.2.77", "--json"], arguments].concat());
        assert_eq!(code, 0, "{said}");
        serde_json::from_str(&said).unwrap()
    };
    let real = json(&[]);
    assert_eq!((&real["steps"][0]["chosen"], &real["steps"][0]["reason"]), (&"fra".into(), &"preferred".into()));
    assert!(real["answers"][0].as_str().unwrap().ends_with(&answered(&server, "www.example.com")[0]));
    let without = json(&["--down", "fra"]);
    assert_eq!((&without["steps"][0]["chosen"], &without["steps"][0]["reason"]), (&"iad".into(), &"failover".into()));
    assert_eq!(answered(&server, "www.example.com"), ["192.0.2.10"], "nothing has happened");
    assert_eq!(json(&["--offline"])["steps"][0]["chosen"], "fra");
    expect(&server, &["explain", "www.example.com", "--client", "x"], 2, &["neither an address nor a network"]);
    expect(&server, &["explain", "www.example.com", "--client", "::1", "--down", "lax"], 1, &["no such region"]);
    let port = server.folder().join("nobody.toml");
    std::fs::write(&port, "[admin]\nlisten = \"127.0.0.1:1\"\n").unwrap();
    expect(&server, &["status", "--config", port.to_str().unwrap()], 1, &["is `meridian serve` running"]);
    // Whether queries are answered is told by the exit code alone.
    expect(&server, &["status", "--ready"], 0, &[]);
    assert_eq!(run(&server, &["status", "--ready", "--config", port.to_str().unwrap()]), (4, String::new()));
}

#[test]
fn nothing_changes_without_the_token() {
    let state = tempfile::tempdir().unwrap();
    let server = start(state.path(), REGIONS);
    for path in ["overrides", "enable", "switch", "failback", "guard/release"] {
        let (status, _) = server.http("POST", &format!("/api/v1/{path}"), None);
        assert_eq!(status, 401, "{path}");
        let (status, body) = server.http("POST", &format!("/api/v1/{path}"), Some(&server.token()));
        assert!((400..=422).contains(&status), "{path} without a body: {status} {body}");
    }
    for path in ["status", "regions", "services", "checks", "overrides", "events"] {
        let (status, body) = server.http("GET", &format!("/api/v1/{path}"), None);
        assert_eq!(status, 200, "{path}: {body}");
    }
    let (status, body) = server.http("GET", "/api/v1/explain?who=me", None);
    assert!(status == 400 && body.contains("no such parameter"), "{body}");
}

#[test]
fn a_start_with_bad_region_files_serves_the_last_good_ones() {
    let state = tempfile::tempdir().unwrap();
    drop(start(state.path(), REGIONS).stop());
    let broken = REGIONS.replace("policy = \"failover\"", "policy = \"failovr\"");
    let server = start(state.path(), &broken);
    server.wait_for_text("last-good-regions");
    assert_eq!(answered(&server, "www.example.com"), ["192.0.2.10"]);
}

/// Three regions; two of them are to stay on.
const RULED: &str = r#"
[regions.fra]
[regions.iad]
[regions.sin]
[checks]
ok = { exec = { command = ["true"] } }
[services.web]
names = ["www.example.com"]
policy = "weighted"
check = "ok"
ttl = { min = 1, max = 2 }
[services.web.endpoints]
fra = ["192.0.2.10"]
iad = ["198.51.100.10"]
sin = ["203.0.113.10"]
[safety.two]
regions = ["fra", "iad", "sin"]
at_least = 2
"#;

#[test]
fn safety_rules_refuse_until_they_are_overridden_by_name() {
    let state = tempfile::tempdir().unwrap();
    let server = start(state.path(), RULED);
    expect(&server, &["drain", "fra"], 0, &["drain fra"]);
    expect(&server, &["drain", "iad"], 1, &["safety rule `two`", "would leave sin", "--override-safety two --reason"]);
    expect(&server, &["drain", "iad", "--override-safety", "two"], 2, &["--reason"]);
    expect(&server, &["drain", "iad", "--override-safety", "tow", "--reason", "x"], 1, &["did you mean `two`?"]);
    let refusal = crate::cockpit::post(&server, "/api/v1/preview", r#"{"action": "drain", "target": "iad"}"#).json();
    assert_eq!((&refusal["allowed"], &refusal["safety"][0]["rule"]), (&false.into(), &"two".into()), "{refusal}");
    assert_eq!(refusal["service_count"], 1, "what would happen is shown all the same: {refusal}");

    expect(&server, &["drain", "iad", "--override-safety", "two", "--reason", "fire"], 0, &["drain iad"]);
    expect(&server, &["status"], 0, &["safety rules", "on: sin of fra, iad, sin; at least 2, BROKEN since"]);
    let (_, events) = server.http("GET", "/api/v1/events?kind=safety_overridden", None);
    assert!(events.contains("fire") && events.contains("would leave sin"), "{events}");
    let (_, metrics) = server.http("GET", "/metrics", None);
    assert!(metrics.contains("meridian_safety_broken{rule=\"two\"} 1"), "{metrics}");
}

#[test]
fn an_evacuation_goes_on_when_the_command_has_ended() {
    let state = tempfile::tempdir().unwrap();
    let server = start(state.path(), RULED);
    expect(
        &server,
        &["evacuate", "fra", "--dry-run"],
        0,
        &["4 steps of 25 %", "75 % of its share left", "no capacity"],
    );
    expect(&server, &["evacuate", "fra", "--step", "3"], 2, &["5..=100"]);
    expect(&server, &["evacuate", "lax"], 1, &["there is no region `lax`"]);
    for (step, status) in [("50.0", 200), ("50.5", 422), ("4", 422), ("101", 422), ("-50", 422)] {
        let body = format!(r#"{{"region": "fra", "step": {step}}}"#);
        assert_eq!(crate::cockpit::post(&server, "/api/v1/evacuate/preview", &body).status, status, "{step}");
    }
    expect(&server, &["evacuate", "fra", "--step", "50", "--every", "1s"], 0, &["2 steps of 50 %, one every 1s"]);
    let events = || server.http("GET", "/api/v1/events", None).1;
    let events = crate::world::wait_until(events, |events| events.contains("evacuation_done"));
    assert_eq!(events.matches("\"evacuation_step\"").count(), 1, "{events}");
    expect(&server, &["status"], 0, &["fra", "drain"]);
    assert!(!answered(&server, "www.example.com").contains(&"192.0.2.10".to_owned()));

    // The rule is asked about the end, at the beginning.
    expect(&server, &["evacuate", "iad"], 1, &["safety rule `two`"]);
    let dry = |more: &[&str], code: i32, words: &[&str]| {
        expect(&server, &[&["evacuate", "iad", "--dry-run"], more].concat(), code, words);
    };
    dry(&[], 1, &["it would be refused: safety rule `two`", "75 %"]);
    dry(&["--override-safety", "two", "--reason", "fire"], 0, &["4 steps of 25 %", "75 %"]);
    dry(&["--override-safety", "tow", "--reason", "fire"], 1, &["did you mean `two`?"]);
    expect(&server, &["evacuate", "iad", "--cancel", "--override-safety", "two", "--reason", "x"], 2, &["--cancel"]);
    expect(&server, &["enable", "fra"], 0, &[]);
    expect(&server, &["evacuate", "iad", "--every", "1h"], 0, &[]);
    let status = || run(&server, &["status"]).1;
    crate::world::wait_until(status, |status| status.contains("75 % of its share left, by"));
    let ended = server.stop();
    assert_eq!(ended.code, Some(0), "{}", ended.log);
    let server = start(state.path(), RULED);
    expect(&server, &["status"], 0, &["evacuations", "iad", "75 % of its share left", "next step at"]);
    expect(&server, &["evacuate", "iad", "--cancel"], 0, &["the evacuation of iad is cancelled"]);
    expect(&server, &["evacuate", "iad", "--cancel"], 1, &["is not being evacuated"]);
}
