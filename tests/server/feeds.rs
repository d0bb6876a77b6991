//! Load feeds of a running server: documents are fetched, agents asked, answers to checks read and readings pushed; and
//! when a feed dies, its last value is held, then given up, each turn told once.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::cockpit::{Reply, get, send, shown};
use crate::support::{CONFIG, PATIENCE, TestServer};
use crate::world::wait_until;

/// Says the same to everybody until told otherwise; nothing, and nobody is answered any more.
#[derive(Clone)]
struct Source {
    address: SocketAddr,
    says: Arc<Mutex<Option<String>>>,
    /// The first lines of all requests.
    asked: Arc<Mutex<Vec<String>>>,
}

impl Source {
    /// One that speaks HTTP, or says its line at once.
    fn start(is_http: bool, says: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let source = Self { address, says: Arc::default(), asked: Arc::default() };
        source.say(says);
        let speaking = source.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                speaking.answer(stream, is_http);
            }
        });
        source
    }

    fn say(&self, says: &str) {
        *self.says.lock().unwrap() = Some(says.to_owned());
    }

    /// From here on connections are closed without a word.
    fn die(&self) {
        *self.says.lock().unwrap() = None;
    }

    /// Whoever asks may have gone.
    fn answer(&self, mut stream: TcpStream, is_http: bool) {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut head = Vec::new();
        let mut octet = [0];
        while is_http && !head.ends_with(b"\r\n\r\n") {
            match stream.read(&mut octet) {
                Ok(1) => head.push(octet[0]),
                Ok(_) | Err(_) => return,
            }
        }
        let line = String::from_utf8_lossy(&head).lines().next().unwrap_or_default().to_owned();
        self.asked.lock().unwrap().push(line);
        if let Some(says) = &*self.says.lock().unwrap() {
            let _ = stream.write_all(says.as_bytes());
        }
    }
}

/// An answer with a body.
fn document(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
}

/// An answer to a check, with the load in its head.
fn checked(load: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nX-Load: {load}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
}

const ZONE: &str = "$TTL 300\n@ SOA ns1 hostmaster 1 3600 600 86400 60\n@ NS ns1\nns1 A 192.0.2.53\n";

const TOKENS: &str = "boss operate 0123456789abcdef\nfra-proxy feed aaaaaaaaaaaaaaaa\nviewer read bbbbbbbbbbbbbbbb\n";

fn start(regions: &str) -> TestServer {
    let config = format!("{CONFIG}token_file = \"tokens\"\n");
    TestServer::start(&[
        ("meridian.toml", &config),
        ("tokens", TOKENS),
        ("zones/example.com.zone", ZONE),
        ("zones/regions.toml", regions),
    ])
}

/// What is known of the load of a region.
fn load(server: &TestServer, region: &str) -> Value {
    let regions = shown(server, "/api/v1/regions");
    let found = regions.as_array().unwrap().iter().find(|found| found["key"] == region).unwrap();
    found["load"].clone()
}

fn wait_for_load(server: &TestServer, region: &str, wanted: &Value) -> Value {
    let is_so = |load: &Value| wanted.as_object().unwrap().iter().all(|(key, value)| load[key] == *value);
    wait_until(|| load(server, region), is_so)
}

/// Events about feeds, as kind and region, in their order.
fn told(server: &TestServer) -> Vec<(String, String)> {
    let events = shown(server, "/api/v1/events");
    let word = |event: &Value, key: &str| event[key].as_str().unwrap_or_default().to_owned();
    let events = events.as_array().unwrap().iter().map(|event| (word(event, "kind"), word(event, "region")));
    events.filter(|(kind, _)| kind.starts_with("feed_")).collect()
}

/// Whether these were told of `fra`, one after the other. On a busy machine a feed may be late for a moment beside.
fn in_order(told: &[(String, String)], kinds: &[&str]) -> bool {
    let mut told = told.iter().filter(|(_, region)| region == "fra");
    kinds.iter().all(|wanted| told.any(|(kind, _)| kind == wanted))
}

fn push_as(server: &TestServer, token: &str, body: &Value) -> Reply {
    let authorization = format!("Bearer {token}");
    let headers = [("Authorization", authorization.as_str()), ("Content-Type", "application/json")];
    send(server, "POST", "/api/v1/loads", &headers, &body.to_string())
}

fn push(server: &TestServer, readings: Value) -> Reply {
    push_as(server, "aaaaaaaaaaaaaaaa", &json!({ "readings": readings }))
}

#[test]
fn loads_are_fed_from_everywhere() {
    let json = Source::start(true, &document("{\"now\": {\"rps\": 41.5}, \"limits\": [80, 100]}"));
    let metrics =
        Source::start(true, &document("# c\nreqs{site=\"a\"} 3\nreqs{site=\"a\",v=\"2\"} 4.5\nreqs{site=\"b\"} 9\n"));
    let agent = Source::start(false, "up 75%\n");
    let check = Source::start(true, &checked("17"));
    let (json_at, metrics_at, agent_at, port) = (json.address, metrics.address, agent.address, check.address.port());
    let regions = format!(
        r#"
        [regions.agent]
        load = {{ agent = "{agent_at}", every = "1s" }}
        [regions.check]
        check = "web"
        check_address = "127.0.0.1"
        load = {{ check = "header:X-Load" }}
        [regions.json]
        capacity = {{ max = 7 }}
        load = {{ url = "http://{json_at}/load?x=y", json = "/now/rps", target = "/limits/0", max = "/limits/1", every = "1s" }}
        [regions.prometheus]
        capacity = {{ target = 6, max = 8 }}
        load = {{ url = "http://{metrics_at}/metrics", prometheus = "reqs{{site=\"a\"}}", every = "1s" }}
        [regions.sum]
        [checks.web]
        http = {{ path = "/", port = {port} }}
        interval = "1s"
        timeout = "900ms"
        [services.web]
        names = ["www.example.com"]
        policy = "weighted"
        check = "web"
        load = {{ url = "http://{{address}}:{}/", json = "/now/rps", metrics = {{ connections = "/limits/0" }}, every = "1s" }}
        [services.web.endpoints]
        agent = ["127.0.0.1"]
        check = ["127.0.0.1"]
        json = ["127.0.0.1"]
        prometheus = ["127.0.0.1"]
        sum = ["127.0.0.1"]
        "#,
        json_at.port()
    );
    let server = start(&regions);
    wait_for_load(
        &server,
        "json",
        &json!({"state": "fresh", "source": "pull", "current": 41.5, "target": 80.0, "max": 100.0, "error": null}),
    );
    wait_for_load(&server, "prometheus", &json!({"state": "fresh", "source": "pull", "current": 7.5, "max": 8.0}));
    wait_for_load(&server, "agent", &json!({"state": "fresh", "source": "agent", "current": 25.0, "max": 100.0}));
    wait_for_load(&server, "check", &json!({"state": "fresh", "source": "check", "current": 17.0, "max": null}));
    wait_for_load(&server, "sum", &json!({"state": "fresh", "source": "endpoints", "current": 41.5}));
    assert!(json.asked.lock().unwrap().contains(&"GET /load?x=y HTTP/1.1".to_owned()));

    // What is shown follows what is said.
    agent.say("drain\n");
    check.say(&checked("18.25"));
    wait_for_load(&server, "agent", &json!({"current": 100.0}));
    wait_for_load(&server, "check", &json!({"current": 18.25}));
    let (_, status) = server.run(&["status"]);
    assert!(status.contains("41.5 of 100, target 80 (fresh, "), "{status}");
    assert_eq!(server.metric("meridian_region_load{region=\"check\"}"), 18.25);
    assert_eq!(server.metric("meridian_region_capacity_target{region=\"prometheus\"}"), 6.0);
    assert!(!told(&server).iter().any(|(kind, _)| kind == "feed_refused"));

    // What cannot be meant is told, and what was known stays for a while.
    json.say(&document("{\"now\": {\"rps\": -1}, \"limits\": [80, 100]}"));
    wait_until(|| told(&server), |told| told.contains(&("feed_refused".into(), "json".into())));
    wait_for_load(&server, "json", &json!({"current": 41.5, "error": "number: -1 is below 0"}));
    assert!(server.metric("meridian_feed_errors_total{kind=\"number\"}") >= 1.0);
}

#[test]
fn a_feed_that_dies_is_held_then_given_up_and_comes_back() {
    let source = Source::start(true, &document("12"));
    let regions = format!(
        r#"
        [regions.fra]
        load = {{ url = "http://{}/", every = "1s", max_age = "4s" }}
        [services.web]
        names = ["www.example.com"]
        policy = "weighted"
        endpoints = {{ fra = ["127.0.0.1"] }}
        "#,
        source.address
    );
    let server = start(&regions);
    wait_for_load(&server, "fra", &json!({"state": "fresh", "current": 12.0}));
    source.die();
    let held = wait_for_load(&server, "fra", &json!({"state": "held", "current": 12.0}));
    assert!(held["error"].as_str().unwrap().starts_with("connect: "), "{held}");
    wait_for_load(&server, "fra", &json!({"state": "estimated", "current": null}));
    source.say(&document("13"));
    wait_for_load(&server, "fra", &json!({"state": "fresh", "current": 13.0, "error": null}));
    wait_until(|| told(&server), |told| in_order(told, &["feed_stale", "feed_lost", "feed_back"]));

    // A feed that is taken away is asked no more; one that is changed is asked anew.
    server.write("zones/regions.toml", &regions.replace(&source.address.to_string(), "127.0.0.1:1"));
    assert_eq!(post_reload(&server).status, 200);
    let before = source.asked.lock().unwrap().len();
    wait_until(
        || load(&server, "fra"),
        |load| load["error"].as_str().is_some_and(|error| error.starts_with("connect")),
    );
    let (current, after) = (load(&server, "fra")["current"].clone(), source.asked.lock().unwrap().len());
    assert_eq!(current, Value::Null, "what was known is another number's");
    assert!(after <= before + 1, "one may have been on its way");
}

fn post_reload(server: &TestServer) -> Reply {
    send(server, "POST", "/api/v1/reload", &[("Authorization", "Bearer 0123456789abcdef")], "")
}

#[test]
fn readings_are_pushed() {
    let server = start(
        r#"
        [regions.fra]
        capacity = { max = 100 }
        load = { push = true, every = "1s", max_age = "3s" }
        [regions.iad]
        [services.web]
        names = ["www.example.com"]
        policy = "weighted"
        [services.web.endpoints]
        fra = ["192.0.2.1"]
        iad = [{ address = "192.0.2.2", load = { push = true, max_age = "1h" } }]
        "#,
    );
    let one = |load: f64| json!({"region": "fra", "metrics": {"load": load}});
    let reply = push(
        &server,
        json!([
            one(40.5),
            {"endpoint": "web/iad/192.0.2.2", "metrics": {"load": 3, "connections": 12, "queue": 0.5}},
            {"region": "lax", "metrics": {"load": 1}},
            {"region": "iad", "metrics": {"load": 1}},
            one(10_101.0),
            one(-1.0)
        ]),
    );
    assert_eq!(reply.status, 200, "{reply:?}");
    let answer = reply.json();
    let refused: Vec<(u64, &str)> = answer["refused"]
        .as_array()
        .unwrap()
        .iter()
        .map(|refused| (refused["index"].as_u64().unwrap(), refused["kind"].as_str().unwrap()))
        .collect();
    assert_eq!(answer["taken"], 2);
    assert_eq!(refused, [(2, "unknown"), (3, "unknown"), (4, "absurd"), (5, "number")]);
    wait_for_load(&server, "fra", &json!({"source": "push", "current": 40.5, "target": 80.0, "max": 100.0}));
    wait_for_load(&server, "iad", &json!({"source": "endpoints", "state": "fresh", "current": 3.0}));
    assert_eq!(server.metric("meridian_feed_errors_total{kind=\"unknown\"}"), 2.0);
    // Nobody pushes any more.
    wait_for_load(&server, "fra", &json!({"state": "held", "current": 40.5}));
    wait_for_load(&server, "fra", &json!({"state": "estimated", "current": null}));
    assert_eq!(push(&server, json!([one(1.0)])).status, 200);
    wait_for_load(&server, "fra", &json!({"state": "fresh", "current": 1.0}));
    wait_until(|| told(&server), |told| in_order(told, &["feed_refused", "feed_stale", "feed_lost", "feed_back"]));
}

#[test]
fn pushes_are_read_strictly_and_from_those_alone_who_may() {
    let server = start(
        "[regions.fra]\nload = { push = true }\n[services.web]\nnames = [\"www.example.com\"]\npolicy = \"weighted\"\n\
         endpoints = { fra = [\"192.0.2.1\"] }\n",
    );
    let good = json!({"readings": [{"region": "fra", "metrics": {"load": 1}}]});
    for (token, status) in
        [("aaaaaaaaaaaaaaaa", 200), ("0123456789abcdef", 200), ("bbbbbbbbbbbbbbbb", 403), ("cccccccccccccccc", 401)]
    {
        assert_eq!(push_as(&server, token, &good).status, status, "{token}");
    }
    assert_eq!(send(&server, "POST", "/api/v1/loads", &[("Content-Type", "application/json")], "{}").status, 401);
    // Whoever may feed may do nothing else.
    let feeding = [("Authorization", "Bearer aaaaaaaaaaaaaaaa"), ("Content-Type", "application/json")];
    for (method, path) in
        [("GET", "/api/v1/regions"), ("GET", "/metrics"), ("POST", "/api/v1/preview"), ("POST", "/api/v1/reload")]
    {
        assert_eq!(send(&server, method, path, &feeding, "{}").status, 403, "{path}");
    }
    assert_eq!(get(&server, "/api/v1/regions").status, 200);
    let many = vec![json!({"region": "fra", "metrics": {"load": 1}}); 2_001];
    let metrics: serde_json::Map<String, Value> = (0..17).map(|n| (format!("m{n}"), json!(1))).collect();
    let ahead = u64::MAX / 2;
    for (body, status, words) in [
        (json!({}), 422, "readings"),
        (json!({"readings": []}), 422, "1 to 2000"),
        (json!({ "readings": many }), 422, "2001"),
        (json!({"readings": [{"metrics": {"load": 1}}]}), 422, "readings[0] is about either"),
        (json!({"readings": [{"region": "fra", "endpoint": "web/fra/192.0.2.1", "metrics": {}}]}), 422, "either"),
        (json!({"readings": [{"region": "fra", "metrics": {"load": "1"}}]}), 422, "expected f64"),
        (json!({"readings": [{"region": "fra", "metrics": {"load": 1}, "when": 1}]}), 422, "unknown field"),
        (
            json!({"readings": [{"region": "fra", "metrics": {"load": 1, "a b": 1}}]}),
            422,
            "readings[0]: a metric is called",
        ),
        (json!({"readings": [{"region": "fra", "metrics": {}}]}), 422, "it has no load"),
        (json!({"readings": [{"region": "fra", "metrics": metrics}]}), 422, "at most 16"),
        (json!({"readings": [{"region": "fra", "metrics": {"load": 1}, "at": ahead}]}), 422, "in the future"),
        (json!({"readings": [{"region": "fra", "metrics": {"load": 1}, "at": 1}]}), 422, "a newer one is known"),
        (json!({"readings": [{"region": "lax", "metrics": {"load": 1}}]}), 422, "`lax` has no load feed"),
        (json!({"readings": "x".repeat(256 << 10)}), 413, "262144"),
    ] {
        let reply = push_as(&server, "aaaaaaaaaaaaaaaa", &body);
        assert_eq!((reply.status, reply.header("content-type")), (status, "application/problem+json"), "{reply:?}");
        let detail = reply.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(words), "{detail}");
    }
    let plain = [("Authorization", "Bearer aaaaaaaaaaaaaaaa"), ("Content-Type", "text/plain")];
    assert_eq!(send(&server, "POST", "/api/v1/loads", &plain, &good.to_string()).status, 415);
}
