//! What monitoring reads of a running server.

use std::io::Write;
use std::net::Ipv4Addr;
use std::process::{Command, Stdio};

use crate::support::answer::{TYPE_A, TYPE_AAAA, query_for};
use crate::support::{TestServer, ask, query};
use crate::world::{ASHBURN, World, wait_until};

const ZONE: &str = "$TTL 300\n@ SOA ns1 hostmaster 1 3600 600 86400 60\n@ NS ns1\nns1 A 192.0.2.53\n";

/// Nothing is checked, so nothing changes by itself.
const REGIONS: &str = r#"
[regions.fra]
[regions.iad]
[services.web]
names = ["www.example.com"]
policy = "weighted"
weights = { fra = 1, iad = 0 }
[services.web.endpoints]
fra = ["192.0.2.10"]
iad = ["198.51.100.10"]
[services.alias]
names = ["alias.example.com"]
policy = "weighted"
[services.alias.endpoints]
fra = [{ records = ["CNAME www.example.com."] }]
"#;

fn answers(server: &TestServer, service: &str, region: &str) -> f64 {
    let (_, text) = server.http("GET", "/metrics", None);
    let series = format!("meridian_answers_total{{service=\"{service}\",region=\"{region}\",");
    let values = text.lines().filter(|line| line.starts_with(&series)).filter_map(|line| line.rsplit(' ').next());
    values.map(|value| value.parse::<f64>().unwrap()).sum()
}

#[test]
fn answers_are_counted_by_service_and_region_across_reloads() {
    let files = [("zones/example.com.zone", ZONE), ("zones/regions.toml", REGIONS)];
    let server = TestServer::start(&files);
    let dns = server.dns();
    let a_few = |name: &str, rtype: u16, times: u16| (0..times).for_each(|id| drop(ask(dns, &query(id, name, rtype))));
    a_few("www.example.com", TYPE_A, 3);
    assert_eq!((answers(&server, "web", "fra"), answers(&server, "web", "iad")), (3.0, 0.0));
    // An empty answer is one too, and each service on the way of an alias has answered.
    a_few("www.example.com", TYPE_AAAA, 2);
    a_few("alias.example.com", TYPE_A, 4);
    assert_eq!((answers(&server, "web", "fra"), answers(&server, "alias", "fra")), (9.0, 4.0));
    let first: Ipv4Addr = "198.51.100.0".parse().unwrap();
    ask(dns, &query_for(1, "www.example.com", TYPE_A, first.into(), 24));
    assert_eq!(server.metric("meridian_ecs_scope_length_count{family=\"ipv4\"}"), 1.0);
    assert!(server.metric("meridian_dns_batch_seconds_count") >= 1.0);
    // What was counted stays where services stay, and goes where they go.
    server.write("zones/regions.toml", &REGIONS.replace(".alias]", ".other]").replace(".alias.", ".other."));
    assert_eq!(server.reload("").1["result"], "ok");
    a_few("www.example.com", TYPE_A, 5);
    assert_eq!(answers(&server, "web", "fra"), 15.0);
    // Threads that nobody asks move on to the next model a moment later.
    wait_until(|| answers(&server, "alias", "fra"), |count| *count == 0.0);
}

#[test]
fn a_lost_data_centre_shows() {
    let world = World::start("");
    let server = &world.server;
    let endpoint = "{service=\"web\",region=\"iad\",endpoint=\"127.0.2.1\"}";
    assert_eq!(server.metric(&format!("meridian_endpoint_up{endpoint}")), 1.0);
    assert!(server.metric(&format!("meridian_endpoint_flip_seconds{endpoint}")) <= 1.0);
    assert_eq!(server.metric("meridian_region_up{region=\"iad\"}"), 1.0);
    assert_eq!(server.metric("meridian_region_state{region=\"iad\",state=\"ok\"}"), 1.0);
    assert_eq!(server.metric("meridian_service_active{service=\"mail\",region=\"iad\"}"), 1.0);
    let flaps = server.metric(&format!("meridian_endpoint_flaps_total{endpoint}"));
    world.centers[1].die();
    server.wait_for_metric("meridian_check_up{check=\"web\",address=\"127.0.2.1\"}", |up| up == 0.0);
    assert_eq!(server.metric(&format!("meridian_endpoint_up{endpoint}")), 0.0);
    assert_eq!(server.metric(&format!("meridian_endpoint_flaps_total{endpoint}")), flaps + 1.0);
    assert_eq!(server.metric("meridian_region_up{region=\"iad\"}"), 0.0);
    assert_eq!(server.metric("meridian_region_state{region=\"iad\",state=\"down\"}"), 1.0);
    assert_eq!(server.metric("meridian_service_regions_eligible{service=\"web\"}"), 2.0);
    assert_eq!(server.metric("meridian_service_all_down{service=\"web\"}"), 0.0);
    assert_eq!(server.metric("meridian_service_active{service=\"mail\",region=\"fra\"}"), 1.0);
    for service in ["web", "mail"] {
        assert_eq!(server.metric(&format!("meridian_failovers_total{{service=\"{service}\"}}")), 1.0);
    }
    // One of the service of each name.
    assert_eq!(server.metric("meridian_events_total{kind=\"region_lost\"}"), 2.0);
    assert!(server.metric("meridian_checks_total{check=\"web\",result=\"fail\"}") >= 3.0);
    assert!(server.metric("meridian_check_latency_seconds_count{check=\"web\"}") >= 6.0);
    assert!(server.metric("meridian_probe_lateness_seconds_count") >= 6.0);
    world.expect(&["drain", "sin", "--reason", "test"], 0, &[]);
    assert_eq!(server.metric("meridian_overrides{action=\"drain\"}"), 1.0);
    assert_eq!(server.metric("meridian_region_state{region=\"sin\",state=\"drained\"}"), 1.0);
    // What an operator takes away is no failover.
    assert_eq!(server.metric("meridian_failovers_total{service=\"web\"}"), 1.0);
    assert_eq!(server.metric("meridian_guard_state"), 0.0);
    assert_ne!(world.web([10, 2, 7]), ASHBURN.0);
}

/// Prometheus' own tool judges names, help, units and form. Where it is not installed only that is not tested.
#[test]
fn promtool_has_no_complaint() {
    let server = TestServer::start(&[("zones/example.com.zone", ZONE), ("zones/regions.toml", REGIONS)]);
    let first: Ipv4Addr = "198.51.100.0".parse().unwrap();
    ask(server.dns(), &query_for(1, "www.example.com", TYPE_A, first.into(), 24));
    let (status, text) = server.http("GET", "/metrics", None);
    assert_eq!(status, 200);
    assert!(text.contains("meridian_answers_total{"), "{text}");
    let mut judge = Command::new("promtool");
    judge.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let Ok(mut judge) = judge.spawn() else {
        println!("promtool is not installed: the form of the metrics is not judged");
        return;
    };
    judge.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let judged = judge.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&[judged.stdout, judged.stderr].concat()).into_owned();
    assert!(judged.status.success() && said.trim().is_empty(), "{said}");
}
