//! Who shares with whom, what outlives a reload, and what people are told.

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::base::diagnostic::Report;
use crate::control::{Changed, Pushed, Settings, Source};
use crate::dns::RecordType;
use crate::health::{Observation, Phases, Verdict};
use crate::model;
use crate::snapshot::Steering;

const MODEL: &str = "
[regions.a]
location = { lat = 50.1, lon = 8.7 }
capacity = { target = 800, max = 1000 }
load = { push = true, every = '1h', max_age = '1h' }
[regions.b]
location = { lat = 50.2, lon = 8.7 }
capacity = { target = 400, max = 500 }
[policies.p]
mode = 'active-active'
prefer = 'load'
balance = 'least-connections'
[policies.quick]
mode = 'active-active'
prefer = 'response-time'
[checks.page]
http = { path = '/' }
[services.web]
names = ['www.example.com']
policy = 'p'
load = { push = true, every = '1h', max_age = '1h' }
[services.web.endpoints]
a = ['192.0.2.1', '192.0.2.2', { address = '192.0.2.3', weight = 0 }, { address = '192.0.2.4', weight = 0 }, '2001:db8::1']
b = ['192.0.2.5', '2001:db8::5']
[services.other]
names = ['other.example.com']
policy = 'p'
endpoints = { a = ['192.0.2.11'], b = ['192.0.2.15'] }
[services.timed]
names = ['timed.example.com']
policy = 'quick'
check = 'page'
endpoints = { a = ['192.0.2.21'], b = ['192.0.2.25'] }
";

const MINUTE: u64 = 60_000;

fn read(text: &str) -> Arc<Model> {
    let mut report = Report::new();
    let model = model::read(&[("regions.toml".into(), text)], &mut report);
    Arc::new(model.unwrap_or_else(|| panic!("{}", report.render())))
}

fn control() -> Control {
    let settings = Settings::default();
    let mut control = Control::new(settings);
    control.adopt(Moment(0), read(MODEL));
    control
}

fn push(control: &mut Control, now: u64, key: &str, metric: &str, value: u64) {
    let source = if key.contains('/') { Source::Endpoint(key.into()) } else { Source::Region(key.into()) };
    let metrics = Ok([(metric.into(), value * 1_000)].into_iter().collect());
    let (taken, _) = control.push(Moment(now), vec![Pushed { source, metrics, at: None }]);
    assert_eq!(taken, [Ok(())], "{key}");
}

/// Time passes; how often anything changed.
fn pass(control: &mut Control, end: u64) -> usize {
    let mut changes = 0;
    while let Some(at) = control.next_deadline().filter(|at| at.0 <= end) {
        changes += usize::from(control.tick(at).changed != Changed::None);
    }
    changes
}

fn endpoint(control: &Control, key: &str) -> EndpointId {
    control.model().endpoint_by_key(key).unwrap_or_else(|| panic!("{key}"))
}

#[test]
fn those_that_stand_in_one_ring_share() {
    let mut control = control();
    let weight = |control: &Control, key: &str| control.states().load_weight[endpoint(control, key).index()];
    push(&mut control, 1_000, "web/a/192.0.2.1", "connections", 9);
    push(&mut control, 1_000, "web/a/192.0.2.2", "connections", 29);
    push(&mut control, 1_000, "web/a/192.0.2.3", "connections", 0);
    push(&mut control, 1_000, "web/a/192.0.2.4", "connections", 0);
    push(&mut control, 1_000, "web/a/2001:db8::1", "connections", 5);
    assert!(pass(&mut control, 20 * MINUTE) > 3);
    assert!((180..=194).contains(&weight(&control, "web/a/192.0.2.1")));
    assert!((62..=70).contains(&weight(&control, "web/a/192.0.2.2")));
    // Reserves are no measure for the others, and one that is alone shares with nobody.
    assert_eq!(weight(&control, "web/a/192.0.2.3"), balance::EVEN);
    assert_eq!(weight(&control, "web/a/2001:db8::1"), 0);

    let steering = Steering::new(Arc::clone(control.model()), control.states(), 1);
    let (web, a) = (control.model().service_by_key("web").unwrap(), control.model().region_by_key("a").unwrap());
    let shares = steering.endpoint_shares(web, a, RecordType::A);
    let first = shares.iter().find(|(id, _)| *id == endpoint(&control, "web/a/192.0.2.1")).unwrap().1;
    assert!(shares.len() == 2 && (0.68..0.79).contains(&first), "{shares:?}");
    assert_eq!(steering.endpoint_shares(web, a, RecordType::AAAA).len(), 1);
    assert_eq!(control.load_words(endpoint(&control, "web/a/192.0.2.1")).as_deref(), Some("9 connections"));
    assert_eq!(control.load_words(endpoint(&control, "web/b/192.0.2.5")), None);

    // What does not change costs nothing, and a small change changes nothing.
    assert_eq!(pass(&mut control, 30 * MINUTE), 0);
    push(&mut control, 30 * MINUTE, "web/a/192.0.2.2", "connections", 30);
    assert_eq!(pass(&mut control, 40 * MINUTE), 0);

    // A reload goes on where it was, by the keys.
    let before = weight(&control, "web/a/192.0.2.1");
    control.adopt(Moment(41 * MINUTE), read(&MODEL.replace("a = ['192.0.2.1', ", "a = ['192.0.2.9', '192.0.2.1', ")));
    assert_eq!(weight(&control, "web/a/192.0.2.1"), before);
    assert_eq!(weight(&control, "web/a/192.0.2.9"), balance::EVEN);
    control.adopt(Moment(42 * MINUTE), read(&MODEL.replace("'least-connections'", "'round-robin'")));
    assert_eq!(weight(&control, "web/a/192.0.2.1"), 0);
}

#[test]
fn regions_share_by_load_and_by_time() {
    let mut control = control();
    let model = Arc::clone(control.model());
    let [web, other, timed] = ["web", "other", "timed"].map(|key| model.service_by_key(key).unwrap());
    let [a, b] = ["a", "b"].map(|key| model.region_by_key(key).unwrap());
    let ratio = |control: &Control, service| {
        let weight = |region| control.states().region_weight.get(service, region).unwrap_or(1);
        f64::from(weight(a)) / f64::from(weight(b))
    };
    assert!((1.99..2.01).contains(&ratio(&control, web)), "by the targets until somebody says more");
    // Of one alone nothing can be told; b has a capacity and no feed.
    push(&mut control, 1_000, "a", "load", 700);
    pass(&mut control, 20 * MINUTE);
    assert!((1.99..2.01).contains(&ratio(&control, web)));
    assert_eq!(control.region_load_words(web, a, Moment(0)).as_deref(), Some("load 700 of 800"));
    assert_eq!(control.region_load_words(web, b, Moment(0)).as_deref(), Some("target 400"));

    let fed = MODEL.replace("max = 500 }", "max = 500 }\nload = { push = true, every = '1h', max_age = '1h' }");
    control.adopt(Moment(20 * MINUTE), read(&fed));
    push(&mut control, 20 * MINUTE, "b", "load", 100);
    pass(&mut control, 50 * MINUTE);
    // Free are 0.17 and 0.75 of the targets: 0.55 and 1.9 of what is fair, the most being 2.
    let found = ratio(&control, web);
    assert!((0.45..0.70).contains(&found), "{found}");
    assert_eq!(found, ratio(&control, other), "services with the same regions and weights are one group");

    // By what checks see.
    for target in control.targets() {
        let took = Duration::from_millis(if target.address.to_string() == "192.0.2.21" { 9 } else { 29 });
        let phases = Phases { connect: Some(Duration::ZERO), tls: None, first_byte: Some(took), total: took };
        let outcome = Observation { verdict: Verdict::Pass, reason: "".into(), warning: None, phases, fed: Vec::new() };
        control.observe(Moment(50 * MINUTE), target.id, &outcome);
    }
    pass(&mut control, 70 * MINUTE);
    let found = ratio(&control, timed);
    assert!((2.5..3.3).contains(&found), "{found}");
    assert_eq!(control.region_load_words(timed, b, Moment(0)).as_deref(), Some("29 ms"));
    assert_eq!(control.region_load_words(timed, RegionId(9), Moment(0)), None);
}
