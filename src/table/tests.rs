//! A table from a script: what is usable, and why.

use std::sync::Arc;

use super::*;
use crate::base::diagnostic::Report;
use crate::base::ids::{EndpointId, ServiceId};
use crate::model::{self, Model, ServiceRegion};

/// Three regions; `fra` has two IPv4 and one IPv6 endpoint.
const MODEL: &str = "
[regions.fra]
[regions.iad]
[regions.sin]
[checks.c]
icmp = {}
[services.web]
names = ['www.example.com']
policy = 'failover'
check = 'c'
order = ['fra', 'iad', 'sin']
min_up = MIN_UP
missing = ['AAAA']
[services.web.endpoints]
fra = [{ address = '192.0.2.1', weight = 3 }, '192.0.2.2', '2001:db8::1']
iad = ['198.51.100.1', '198.51.100.2']
sin = [{ address = '203.0.113.1', weight = 0 }, { address = '203.0.113.2', weight = 0 }]
";

fn load(text: &str) -> Model {
    let mut report = Report::new();
    model::read(&[(Arc::from("m"), text)], &mut report).unwrap_or_else(|| panic!("{}", report.render()))
}

fn table(model: &Model, script: &str) -> RegionTable {
    let mut report = Report::new();
    let states = States::from_script(model, "script", script, &mut report);
    assert!(report.is_empty(), "{}", report.render());
    RegionTable::build(model, &states, 1)
}

/// `standing: region(why) … / endpoints answered`; regions in capitals are usable.
fn show(model: &Model, table: &RegionTable) -> String {
    let service = &model.services[0];
    let region = |(part, why): (&ServiceRegion, &Why)| {
        let key = &model.regions[part.region.index()].key;
        let key = if table.is_usable(ServiceId(0), part.region) { key.to_uppercase() } else { key.to_string() };
        format!("{key}({})", why.as_str())
    };
    let regions: Vec<String> = service.regions.iter().zip(&table.why(ServiceId(0))).map(region).collect();
    let usable = |endpoint: &model::Endpoint| table.is_usable(ServiceId(0), endpoint.region);
    let answered = (0..).map(EndpointId).zip(&model.endpoints);
    let answered = answered.filter(|(id, endpoint)| table.is_answerable(*id) && usable(endpoint));
    let answered: Vec<&str> = answered.filter_map(|(_, e)| e.key.rsplit('/').next()).collect();
    format!("{:?}: {} / {}", table.standing[0], regions.join(" "), answered.join(" "))
}

const ALL: &str = "192.0.2.1 192.0.2.2 2001:db8::1 198.51.100.1 198.51.100.2 203.0.113.1 203.0.113.2";

#[test]
fn every_standing_and_reason() {
    let model = load(&MODEL.replace("MIN_UP", "2"));
    let all = format!("Eligible: FRA(eligible) IAD(eligible) SIN(eligible) / {ALL}");
    let down = format!("AllDown: FRA(down) IAD(down) SIN(down) / {ALL}");
    for (script, expected) in [
        ("", all.as_str()),
        ("# nothing\n\n", &all),
        // One of two is below min_up, and its other endpoint is not answered either.
        (
            "STATE web/fra/192.0.2.1 down",
            "Eligible: fra(below-min-up) IAD(eligible) SIN(eligible) / 198.51.100.1 198.51.100.2 203.0.113.1 203.0.113.2",
        ),
        // A region is judged on A: without its IPv6 it stays.
        (
            "STATE web/fra/2001:db8::1 down",
            "Eligible: FRA(eligible) IAD(eligible) SIN(eligible) / 192.0.2.1 192.0.2.2 198.51.100.1 198.51.100.2 203.0.113.1 203.0.113.2",
        ),
        ("REGION fra down\nREGION fra up", &all),
        // Nobody reaches min_up: whoever has an endpoint up, before when_all_down.
        (
            "REGION sin down\nSTATE web/fra/192.0.2.1 down\nSTATE web/iad/198.51.100.2 down",
            "SomeUp: FRA(below-min-up) IAD(below-min-up) sin(down) / 192.0.2.2 2001:db8::1 198.51.100.1",
        ),
        ("REGION fra down\nREGION iad down\nREGION sin down", &down),
        // A drained region waits for all others …
        (
            "OVERRIDE fra drain",
            "Eligible: fra(drained) IAD(eligible) SIN(eligible) / 198.51.100.1 198.51.100.2 203.0.113.1 203.0.113.2",
        ),
        // … and comes before regions below min_up and before when_all_down.
        (
            "OVERRIDE web/fra drain\nREGION iad down\nSTATE web/sin/203.0.113.1 down",
            "Drained: FRA(drained) iad(down) sin(below-min-up) / 192.0.2.1 192.0.2.2 2001:db8::1",
        ),
        // Forced down never appears, even when all is down.
        (
            "OVERRIDE fra down\nREGION iad down\nREGION sin down",
            "AllDown: fra(forced-down) IAD(down) SIN(down) / 198.51.100.1 198.51.100.2 203.0.113.1 203.0.113.2",
        ),
        (
            "OVERRIDE fra down\nOVERRIDE iad down\nOVERRIDE web/sin down",
            "Gone: fra(forced-down) iad(forced-down) sin(forced-down) / ",
        ),
        // Down beats drain beats up, in any order.
        (
            "OVERRIDE web/fra/192.0.2.1 down\nOVERRIDE fra drain\nOVERRIDE web/fra up\nREGION iad down\nREGION sin down",
            "SomeUp: FRA(below-min-up) iad(down) sin(down) / 192.0.2.2 2001:db8::1",
        ),
        // Force up beats health.
        (
            "REGION fra down\nREGION iad down\nREGION sin down\nOVERRIDE iad up",
            "Eligible: fra(down) IAD(eligible) sin(down) / 198.51.100.1 198.51.100.2",
        ),
    ] {
        assert_eq!(show(&model, &table(&model, script)), expected, "{script}");
    }
}

#[test]
fn min_up_by_weight() {
    let model = load(&MODEL.replace("MIN_UP", "'50%'"));
    for (script, usable) in [
        // fra: 3 of 4, then 1 of 4 of the weight of its IPv4 endpoints.
        ("STATE web/fra/192.0.2.2 down", "FRA"),
        ("STATE web/fra/192.0.2.1 down", "fra"),
        // iad: 1 of 2; sin: all of weight 0 are equals.
        ("STATE web/iad/198.51.100.1 down", "IAD"),
        ("STATE web/sin/203.0.113.1 down", "SIN"),
        ("REGION sin down", "sin"),
    ] {
        let shown = show(&model, &table(&model, script));
        assert!(shown.contains(&format!("{usable}(")), "{script}: {shown}");
    }
}

#[test]
fn what_is_disabled_is_never_answered() {
    let text = MODEL.replace("MIN_UP", "1");
    let region = load(&text.replace("[regions.fra]", "[regions.fra]\nenabled = false"));
    assert_eq!(
        show(&region, &table(&region, "REGION iad down\nREGION sin down")),
        "AllDown: fra(disabled) IAD(down) SIN(down) / 198.51.100.1 198.51.100.2 203.0.113.1 203.0.113.2"
    );
    let service = load(&text.replace("[services.web]", "[services.web]\nenabled = false"));
    assert_eq!(show(&service, &table(&service, "")), "Gone: fra(disabled) iad(disabled) sin(disabled) / ");
    let endpoint = load(&text.replace("weight = 3", "enabled = false"));
    assert_eq!(
        show(&endpoint, &table(&endpoint, "REGION iad down\nREGION sin down\nSTATE web/fra/192.0.2.2 down")),
        "SomeUp: FRA(below-min-up) iad(down) sin(down) / 2001:db8::1"
    );
}

#[test]
fn mistakes_in_a_script_are_told() {
    let model = load(&MODEL.replace("MIN_UP", "1"));
    for (script, expected) in [
        ("STATE web/fra/192.0.2.9 down", "s:1:7: error[bad-state]: unknown target: no such endpoint"),
        ("\n  STATE web/frra/192.0.2.1 down", "s:2:13: error[bad-state]: unknown target: no such region"),
        ("OVERRIDE wbe/fra drain", "s:1:10: error[bad-state]: unknown target: no such service"),
        (
            "STATE web/fra down",
            "s:1:7: error[bad-state]: this line takes another kind of target: see the head of the script",
        ),
        (
            "REGION web/fra down",
            "s:1:8: error[bad-state]: this line takes another kind of target: see the head of the script",
        ),
        ("REGION fra drain", "s:1:12: error[bad-state]: no such state: up, down"),
        ("REGIONS fra down", "s:1:1: error[bad-state]: no such kind of line: STATE, REGION or OVERRIDE"),
        ("REGION fra", "s:1:1: error[bad-state]: a line has three words: e.g. `STATE web/fra/192.0.2.10 down`"),
    ] {
        let mut report = Report::new();
        let states = States::from_script(&model, "s", script, &mut report);
        assert_eq!(report.iter().map(|d| d.line()).collect::<Vec<_>>(), [expected], "{script}");
        assert_eq!(states, States::all_up(&model));
    }
}
