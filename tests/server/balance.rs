//! Endpoints that share by load, from a reading that is pushed to what `explain` says of it.

use serde_json::{Value, json};

use crate::cockpit::{send, shown};
use crate::support::{CONFIG, TestServer};
use crate::world::wait_until;

const REGIONS: &str = "
[regions.fra]
[policies.least]
mode = 'active-active'
prefer = 'equal'
balance = 'least-connections'
[services.web]
names = ['www.example.com']
policy = 'least'
ttl = 1
load = { push = true, every = '1h', max_age = '1h' }
endpoints = { fra = ['192.0.2.1', '192.0.2.2'] }
";

#[test]
fn endpoints_share_by_the_load_they_are_said_to_have() {
    let zone = "$TTL 300\n@ SOA ns1 hostmaster 1 3600 600 86400 60\n@ NS ns1\nns1 A 192.0.2.53\n";
    let server = TestServer::start(&[
        ("meridian.toml", &format!("{CONFIG}token_file = \"tokens\"\n")),
        ("tokens", "proxy feed aaaaaaaaaaaaaaaa\n"),
        ("zones/example.com.zone", zone),
        ("zones/regions.toml", REGIONS),
    ]);
    let step = || shown(&server, "/api/v1/explain?name=www.example.com&client=10.1.0.1")["steps"][0].clone();
    let share = |step: &Value| step["endpoints"][0]["share"].as_f64().unwrap();
    let before = step();
    assert_eq!((before["pick"].as_str(), share(&before)), (Some("turn"), 0.5));
    assert_eq!(before["endpoints"][0]["load"], Value::Null);

    let reading = |endpoint: &str, connections: u32| json!({"endpoint": format!("web/fra/{endpoint}"), "metrics": {"connections": connections}});
    let body = json!({"readings": [reading("192.0.2.1", 9), reading("192.0.2.2", 29)]});
    let headers = [("Authorization", "Bearer aaaaaaaaaaaaaaaa"), ("Content-Type", "application/json")];
    let reply = send(&server, "POST", "/api/v1/loads", &headers, &body.to_string());
    assert_eq!(reply.json()["taken"], 2, "{reply:?}");
    // The first steps on the way to three quarters.
    let after = wait_until(step, |step| share(step) > 0.55);
    assert_eq!((after["pick"].as_str(), after["endpoints"][0]["load"].as_str()), (Some("draw"), Some("9 connections")));
    let (_, text) = server.run(&["explain", "www.example.com", "--client", "10.1.0.1"]);
    assert!(text.contains("by draw") && text.contains(" % (29 connections)"), "{text}");
}
