//! Steering by latency, from the first measurement to the answer: who may push, what is refused, what moves and what does
//! not, and what outlives the process.

use std::net::Ipv4Addr;
use std::path::Path;

use serde_json::{Value, json};

use crate::cockpit::{Reply, get, send, shown};
use crate::support::answer::{NOERROR, TYPE_A, query_for, said, subnet};
use crate::support::{CONFIG, TestServer, ask};
use crate::world::wait_until;

const ZONE: &str = "$TTL 300\n@ SOA ns1 hostmaster 1 3600 600 86400 60\n@ NS ns1\nns1 A 192.0.2.53\n";

const NETWORKS: &str = "[networks]\n\"10.1.0.0/16\" = { country = \"DE\" }\n\"10.2.0.0/16\" = { country = \"US\" }\n";

const TOKENS: &str = "boss operate 0123456789abcdef\nedge feed aaaaaaaaaaaaaaaa\nviewer read bbbbbbbbbbbbbbbb\n";

/// Nothing is checked; `www` goes where the way is short, `near` where the distance is.
const REGIONS: &str = r#"
[regions.fra]
location = { lat = 50.11, lon = 8.68 }
[regions.iad]
location = { lat = 38.95, lon = -77.45 }
[services.web]
names = ["www.example.com"]
policy = "latency"
[services.web.endpoints]
fra = ["192.0.2.10"]
iad = ["198.51.100.10"]
[services.near]
names = ["near.example.com"]
policy = "nearest"
[services.near.endpoints]
fra = ["192.0.2.20"]
iad = ["198.51.100.20"]
"#;

const FRANKFURT: &str = "192.0.2.10";
const ASHBURN: &str = "198.51.100.10";

const FEED: &str = "aaaaaaaaaaaaaaaa";
const OPERATE: &str = "0123456789abcdef";
const READ: &str = "bbbbbbbbbbbbbbbb";

fn start(state: &Path) -> TestServer {
    start_with(state, REGIONS)
}

fn start_with(state: &Path, regions: &str) -> TestServer {
    let state = state.to_str().unwrap();
    let config = format!("{CONFIG}token_file = \"tokens\"\n[state]\nfolder = \"{state}\"\n[latency]\nevery = \"1s\"\n");
    TestServer::start(&[
        ("meridian.toml", &config),
        ("tokens", TOKENS),
        ("zones/example.com.zone", ZONE),
        ("zones/regions.toml", regions),
        ("geoip/networks.toml", NETWORKS),
    ])
}

fn post(server: &TestServer, path: &str, token: &str, kind: &str, body: &str) -> Reply {
    let authorization = format!("Bearer {token}");
    send(server, "POST", path, &[("Authorization", &authorization), ("Content-Type", kind)], body)
}

fn push_as(server: &TestServer, token: &str, body: &Value) -> Reply {
    post(server, "/api/v1/latency", token, "application/json", &body.to_string())
}

/// What came of a batch of which something was taken.
fn push(server: &TestServer, measurements: &Value) -> Value {
    let reply = push_as(server, FEED, &json!({ "measurements": measurements }));
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json()
}

/// A third of a second to Frankfurt, which is near, and little to Ashburn, which is far.
fn detour(client: &str) -> Value {
    let of = |region: &str, ms: u32| json!({"client": client, "region": region, "ms": ms, "samples": 8});
    json!([of("fra", 330), of("iad", 90), of("fra", 330), of("iad", 90)])
}

/// What clients of a /24 are answered, and the scope of that.
fn answered(server: &TestServer, name: &str, network: [u8; 3]) -> (String, u8) {
    let [a, b, c] = network;
    let answer = ask(server.dns(), &query_for(7, name, TYPE_A, Ipv4Addr::new(a, b, c, 0).into(), 24));
    let (rcode, mut data) = said(&answer);
    assert_eq!((rcode, data.len()), (NOERROR, 1), "{data:?}");
    (data.remove(0), subnet(&answer).expect("a client subnet comes back").2)
}

fn web(server: &TestServer, network: [u8; 3]) -> String {
    answered(server, "www.example.com", network).0
}

fn wait_for(server: &TestServer, network: [u8; 3], wanted: &str) {
    wait_until(|| web(server, network), |got| got == wanted);
}

/// Waits until everything that was pushed has been counted in: measurements are taken in their order, so what another
/// network is pushed after them cannot steer before they do.
fn wait_for_a_step(server: &TestServer, network: [u8; 3]) {
    let [a, b, c] = network;
    assert_eq!(web(server, network), FRANKFURT);
    push(server, &detour(&format!("{a}.{b}.{c}.0/24")));
    wait_for(server, network, ASHBURN);
}

/// The moment by the server's clock.
fn moment(server: &TestServer) -> u64 {
    shown(server, "/api/v1/status")["at"].as_u64().unwrap()
}

fn explained(server: &TestServer, client: &str) -> Value {
    shown(server, &format!("/api/v1/explain?name=www.example.com&client={client}"))["steps"][0].clone()
}

#[test]
fn who_may_feed_may_measure_and_what_cannot_be_meant_is_refused() {
    let state = tempfile::tempdir().unwrap();
    let server = start(state.path());
    let good =
        json!({"id": "one", "source": "agent", "measurements": [{"client": "10.1.7.9", "region": "fra", "ms": 20}]});
    let bare = [("Content-Type", "application/json")];
    assert_eq!(send(&server, "POST", "/api/v1/latency", &bare, &good.to_string()).status, 401);
    for (token, status) in [("cccccccccccccccc", 401), (READ, 403), (FEED, 200), (OPERATE, 200)] {
        assert_eq!(push_as(&server, token, &good).status, status, "{token}");
    }
    // The second one was the same batch.
    let again = push_as(&server, FEED, &good).json();
    assert_eq!((&again["duplicate"], &again["taken"]), (&json!(true), &json!(0)), "{again}");
    let view = shown(&server, "/api/v1/latency");
    assert_eq!((&view["networks"], &view["ways"]), (&json!(1), &json!(1)), "{view}");
    let region = &view["regions"][0];
    assert_eq!((&region["region"], &region["samples"]), (&json!("fra"), &json!(1.0)), "{region}");
    assert_eq!(region["sources"], json!({"agent": 1}));
    // Whoever may feed may not look, and only who may operate imports.
    assert_eq!(
        send(&server, "GET", "/api/v1/latency", &[("Authorization", &format!("Bearer {FEED}"))], "").status,
        403
    );
    for (token, status) in [(FEED, 403), (READ, 403), (OPERATE, 200)] {
        assert_eq!(post(&server, "/api/v1/latency/import", token, "text/csv", "\n").status, status, "{token}");
    }
    let at = moment(&server);
    let of =
        |client: &str, region: &str, ms: f64, at: u64| json!({"client": client, "region": region, "ms": ms, "at": at});
    let outcome = push(
        &server,
        &json!([
            of("10.1.8.0/24", "fra", 20.0, at),
            of("10.1.0.0/16", "fra", 20.0, at),
            of("224.0.0.1", "fra", 20.0, at),
            of("10.1.8.0/24", "lax", 20.0, at),
            of("10.1.8.0/24", "fra", 0.0, at),
            of("10.1.8.0/24", "fra", 1e9, at),
            of("10.1.8.0/24", "iad", 3.0, at),
            of("10.1.8.0/24", "fra", 20.0, at - 660_000),
            of("10.1.8.0/24", "fra", 20.0, at + 660_000),
        ]),
    );
    let refused = outcome["refused"].as_array().unwrap().iter();
    let kinds: Vec<(u64, &str)> =
        refused.map(|told| (told["index"].as_u64().unwrap(), told["kind"].as_str().unwrap())).collect();
    let expected = [
        (1, "bad-client"),
        (2, "bad-client"),
        (3, "unknown-region"),
        (4, "absurd"),
        (5, "absurd"),
        (6, "impossible"),
        (7, "too-old"),
        (8, "too-new"),
    ];
    assert_eq!((kinds, &outcome["taken"]), (expected.to_vec(), &json!(1)), "{outcome}");
}

#[test]
fn what_has_another_shape_is_refused_in_words() {
    let state = tempfile::tempdir().unwrap();
    let server = start(state.path());
    let one = json!({"client": "10.1.7.9", "region": "fra", "ms": 20});
    for (body, status, words) in [
        (json!({}), 422, "measurements"),
        (json!({"measurements": []}), 422, "1 to 10000"),
        (json!({"measurements": vec![json!({"client": "", "region": "", "ms": 1}); 10_001]}), 422, "10001"),
        (json!({"measurements": [one], "source": "probe"}), 422, "push, agent, beacon, vantage"),
        (json!({"measurements": [one], "id": ""}), 422, "1 to 128 octets"),
        (json!({"measurements": [one], "by": "me"}), 422, "unknown field"),
        (json!({"measurements": [{"client": "10.1.7.9", "region": "fra", "ms": "20"}]}), 422, "expected f64"),
        (json!({"measurements": [{"client": "10.1.7.9", "region": "lax", "ms": 20}]}), 422, "nothing was taken"),
        (json!({"measurements": "x".repeat(1 << 20)}), 413, "1048576"),
    ] {
        let reply = push_as(&server, FEED, &body);
        assert_eq!((reply.status, reply.header("content-type")), (status, "application/problem+json"), "{reply:?}");
        let detail = reply.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(words), "{detail}");
    }
    let path = "/api/v1/latency/import";
    for (kind, body, status, words) in [
        ("application/json", "x", 415, "text/csv"),
        ("text/csv; charset=utf-8", "x", 422, "number 1: 1 fields, not the 8"),
        ("text/csv", &"x".repeat((16 << 20) + 1), 413, "16777216"),
    ] {
        let reply = post(&server, path, OPERATE, kind, body);
        assert_eq!((reply.status, reply.header("content-type")), (status, "application/problem+json"), "{kind}");
        assert!(reply.body.contains(words), "{}", reply.body);
    }
}

#[test]
fn clients_go_where_their_way_is_shorter_and_stay_there_over_a_restart() {
    let state = tempfile::tempdir().unwrap();
    let server = start(state.path());
    let (moved, beside) = ([10, 1, 7], [10, 1, 99]);
    let near = answered(&server, "near.example.com", moved);
    assert_eq!((web(&server, moved), web(&server, [10, 2, 7])), (FRANKFURT.into(), ASHBURN.into()));
    assert_eq!(push(&server, &detour("10.1.7.0/24"))["taken"], 4);
    wait_for(&server, moved, ASHBURN);
    // The answer is for that network alone, and says so.
    assert_eq!(answered(&server, "www.example.com", moved), (ASHBURN.into(), 24));
    assert_eq!(web(&server, beside), FRANKFURT);
    // A service that is not ranked by latency is untouched.
    assert_eq!(answered(&server, "near.example.com", moved), near);

    let step = explained(&server, "10.1.7.77");
    assert_eq!((&step["chosen"], &step["scope"]), (&json!("iad"), &json!(24)), "{step}");
    assert_eq!(step["place"]["address"], "10.1.7.0", "{step}");
    let way = &step["regions"][0]["latency"];
    assert_eq!(step["regions"][0]["region"], "iad");
    assert_eq!((&way["evidence"]["network"], &way["evidence"]["sources"]), (&json!("10.1.7.0/24"), &json!(["push"])));
    assert!((80.0..=120.0).contains(&way["ms"].as_f64().unwrap()), "{way}");
    assert!((110.0..=140.0).contains(&way["expected_ms"].as_f64().unwrap()), "{way}");
    let other = &explained(&server, "10.1.99.0/24")["regions"][0];
    assert_eq!((&other["region"], &other["latency"]["evidence"]), (&json!("fra"), &Value::Null), "{other}");

    let view = shown(&server, "/api/v1/latency");
    assert_eq!((&view["elsewhere"], &view["moved"]), (&json!(1), &json!(1)), "{view}");
    let gain = &view["gains"][0];
    assert_eq!((&gain["network"], &gain["country"]), (&json!("10.1.7.0/24"), &json!("DE")), "{gain}");
    assert_eq!((&gain["nearest"], &gain["best"]), (&json!("fra"), &json!("iad")), "{gain}");

    // What was measured is no lesser word after a restart, and elsewhere.
    let ended = server.stop();
    assert_eq!(ended.code, Some(0), "{}", ended.log);
    let server = start(state.path());
    assert_eq!(answered(&server, "www.example.com", moved), (ASHBURN.into(), 24));
    let file = get(&server, "/api/v1/latency/export");
    assert_eq!((file.status, file.header("content-type")), (200, "text/csv; charset=utf-8"));
    // The head, two ways, and where that network is sent.
    assert_eq!(file.body.lines().count(), 4, "{}", file.body);
    let elsewhere = tempfile::tempdir().unwrap();
    let other = start(elsewhere.path());
    assert_eq!(web(&other, moved), FRANKFURT);
    let taken = post(&other, "/api/v1/latency/import", OPERATE, "text/csv", &file.body);
    assert_eq!((taken.status, &taken.json()["taken"]), (200, &json!(2)), "{taken:?}");
    wait_for(&other, moved, ASHBURN);
    assert_eq!(answered(&other, "www.example.com", moved), (ASHBURN.into(), 24));
    // It is no news where it comes from.
    let again = post(&server, "/api/v1/latency/import", OPERATE, "text/csv", &file.body);
    assert_eq!(again.status, 200, "{again:?}");
    assert_eq!(web(&server, moved), ASHBURN);
}

#[test]
fn a_start_without_regions_costs_nothing_that_was_measured() {
    let state = tempfile::tempdir().unwrap();
    let server = start(state.path());
    push(&server, &detour("10.1.7.0/24"));
    wait_for(&server, [10, 1, 7], ASHBURN);
    assert_eq!(server.stop().code, Some(0));
    // Without the last good region files too nothing is steered at first.
    for entry in std::fs::read_dir(state.path()).unwrap().map(Result::unwrap) {
        if entry.file_name() != "latency.csv" {
            std::fs::remove_file(entry.path()).unwrap();
        }
    }
    let server = start_with(state.path(), "");
    let reply = push_as(&server, FEED, &json!({"id": "one", "measurements": detour("10.1.8.0/24")}));
    assert_eq!(reply.status, 503, "{reply:?}");
    server.write("zones/regions.toml", REGIONS);
    assert_eq!(post(&server, "/api/v1/reload", OPERATE, "application/json", "").status, 200);
    assert_eq!(web(&server, [10, 1, 7]), ASHBURN);
    // It is no duplicate now.
    let reply = push_as(&server, FEED, &json!({"id": "one", "measurements": detour("10.1.8.0/24")}));
    assert_eq!((reply.status, &reply.json()["taken"]), (200, &json!(4)));
}

#[test]
fn a_flood_of_one_way_moves_nobody() {
    let state = tempfile::tempdir().unwrap();
    let server = start(state.path());
    // A network that was measured for a while: as many round trips of each way as count.
    let at = moment(&server);
    let line = |region: &str, ms: u32| format!("10.1.7.0/24,{region},{ms},{ms},{ms},64,{at},agent\n");
    let file = format!("{}{}", line("fra", 20), line("iad", 130));
    assert_eq!(post(&server, "/api/v1/latency/import", OPERATE, "text/csv", &file).status, 200);
    wait_for_a_step(&server, [10, 1, 200]);
    assert_eq!(web(&server, [10, 1, 7]), FRANKFURT);
    // Somebody says a hundred thousand times that Frankfurt is out of the world.
    let slow = vec![json!({"client": "10.1.7.0/24", "region": "fra", "ms": 2_000}); 10_000];
    let mut counts = (0, 0);
    for _ in 0..10 {
        let outcome = push(&server, &json!(slow));
        counts.0 += outcome["taken"].as_u64().unwrap();
        counts.1 += outcome["thinned"].as_u64().unwrap();
    }
    assert_eq!(counts.0 + counts.1, 100_000);
    assert!(counts.0 <= 48, "{counts:?}");
    wait_for_a_step(&server, [10, 1, 201]);
    assert_eq!(web(&server, [10, 1, 7]), FRANKFURT);
    let way = explained(&server, "10.1.7.0/24")["regions"][0]["latency"].clone();
    assert!((15.0..=30.0).contains(&way["ms"].as_f64().unwrap()), "{way}");
}

#[test]
fn the_commands_show_and_carry_what_is_known() {
    let state = tempfile::tempdir().unwrap();
    let server = start(state.path());
    let expect = |arguments: &[&str], code: i32, words: &[&str]| {
        let (found, said) = server.run(arguments);
        assert_eq!(found, code, "{arguments:?}: {said}");
        words.iter().for_each(|word| assert!(said.contains(word), "{arguments:?} does not say {word:?}: {said}"));
    };
    expect(&["latency"], 0, &["nothing is measured", "POST /api/v1/latency"]);
    push(&server, &detour("10.1.7.0/24"));
    wait_for(&server, [10, 1, 7], ASHBURN);
    expect(&["latency"], 0, &["1 networks", "push 1", "DE  ", "*", "10.1.7.0/24", "fra 3", "-> iad "]);
    expect(
        &["explain", "www.example.com", "--client", "10.1.7.9"],
        0,
        &["16 round trips", "by push", "ms by distance"],
    );
    let json: Value = serde_json::from_str(&server.run(&["latency", "--json"]).1).unwrap();
    assert_eq!(json["elsewhere"], 1);
    expect(&["latency", "export"], 0, &["network,region,ms", "10.1.7.0/24,fra,", "10.1.7.0/24,iad,"]);
    expect(&["latency", "export", "ways.csv"], 0, &["2 ways in ways.csv"]);
    expect(&["latency", "import", "ways.csv"], 0, &["0 lines taken, 2 known already"]);
    let ways = std::fs::read_to_string(server.folder().join("ways.csv")).unwrap();
    server.write("ways.csv", &format!("{ways}10.1.8.0/24,lax,1,1,1,1,{},push\nx\n", moment(&server)));
    let refused =
        ["0 lines taken, 2 known already, 2 refused", "ways.csv:5: unknown-region: ", "ways.csv:6: bad-line: "];
    expect(&["latency", "import", "ways.csv"], 1, &refused);
    expect(&["latency", "import", "absent.csv"], 1, &["cannot read absent.csv"]);
    expect(&["latency", "imprt"], 2, &[]);
}

/// The trial of `docs/latency.md`, as it stands there.
#[test]
fn the_trial_of_the_manual_works() {
    let manual = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/latency.md")).unwrap();
    let blocks: Vec<&str> =
        manual.split("\n```").skip(1).step_by(2).filter_map(|block| Some(block.split_once('\n')?.1)).collect();
    let file = |path: &str| {
        let begins =
            |block: &&&str| block.starts_with(&format!("# {path}\n")) || block.starts_with(&format!("; {path}\n"));
        blocks.iter().find(begins).unwrap_or_else(|| panic!("no {path}")).replace(":5300", ":0").replace(":8053", ":0")
    };
    let paths = ["meridian.toml", "zones/example.com.zone", "zones/regions.toml", "geoip/networks.toml"];
    let files: Vec<(&str, String)> = paths.map(|path| (path, file(path))).into();
    let server = TestServer::start(&files.iter().map(|(path, text)| (*path, text.as_str())).collect::<Vec<_>>());
    let body = manual.split("-d '").nth(1).and_then(|rest| rest.split('\'').next()).unwrap();
    assert_eq!(web(&server, [10, 1, 7]), FRANKFURT);
    let told = post(&server, "/api/v1/latency", &server.token(), "application/json", body);
    let shown = blocks.iter().find(|block| block.starts_with("{\"taken\"")).unwrap();
    assert_eq!(told.json(), serde_json::from_str::<Value>(shown).unwrap());
    wait_for(&server, [10, 1, 7], ASHBURN);
    assert_eq!(web(&server, [10, 1, 8]), FRANKFURT);
}
