//! Whole ways: region file and script in, placements out.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::base::diagnostic::Report;
use crate::model;
use crate::policy::{ClientPrefix, steer};
use crate::table::{States, Word};

const REGIONS: &str = "
[regions.a]
[regions.b]
[regions.c]
[checks.c]
icmp = {}
[policies.nodata]
mode = 'active-active'
prefer = 'equal'
when_all_down = 'nodata'
[policies.servfail]
mode = 'active-active'
prefer = 'equal'
when_all_down = 'servfail'
[policies.everything]
mode = 'active-active'
prefer = 'equal'
when_all_down = 'all'
[geomaps.x]
default = ['a']
[policies.geo]
mode = 'active-active'
prefer = 'geo'
geomap = 'x'
";

fn service(key: &str, more: &str) -> String {
    let endpoints = "endpoints = { a = ['192.0.2.1'], b = ['192.0.2.2'], c = ['192.0.2.3'] }";
    format!("[services.{key}]\nnames = ['{key}.example']\ncheck = 'c'\n{endpoints}\n{more}\n")
}

fn load(text: &str) -> Model {
    let mut report = Report::new();
    model::read(&[(Arc::from("m"), text)], &mut report).unwrap_or_else(|| panic!("{}", report.render()))
}

fn solve(model: &Model, script: &str, previous: Option<&Placements>) -> Placements {
    let mut report = Report::new();
    let states = States::from_script(model, "s", script, &mut report);
    assert!(report.is_empty(), "{}", report.render());
    Placements::solve(model, &RegionTable::build(model, &states, 1), previous)
}

/// `a: failover`, or `a½ b½: equal` with shares in percent.
fn show(model: &Model, placements: &Placements, index: usize) -> String {
    let placement = placements.of[index];
    let key = |region: RegionId| model.regions[region.index()].key.to_string();
    let what = match placement.choice {
        Choice::Region(region) => key(region),
        Choice::Split(id) => {
            let shares = placements.split(id).unwrap().shares();
            let part = |(region, count): (RegionId, usize)| {
                format!("{}{}", key(region), (count * 100 + limits::REGION_BUCKETS / 2) / limits::REGION_BUCKETS)
            };
            shares.into_iter().map(part).collect::<Vec<_>>().join(" ")
        }
        Choice::All(mask) => {
            format!("all {}", crate::policy::all::regions(mask, u128::MAX).map(key).collect::<String>())
        }
        Choice::NoData => "nodata".into(),
        Choice::ServFail => "servfail".into(),
    };
    format!("{what}: {}", placement.reason.as_str())
}

#[test]
fn every_policy_in_every_situation() {
    for (policy, rows) in [
        (
            "policy = 'failover'\norder = ['b', 'a', 'c']",
            &[
                ("", "b: preferred"),
                ("REGION b down", "a: failover"),
                ("OVERRIDE b drain", "a: override"),
                ("OVERRIDE b drain\nREGION a down", "c: failover"),
                ("REGION a down\nREGION b down\nREGION c down", "b: all-down"),
                ("OVERRIDE b down\nREGION a down\nREGION c down", "a: all-down"),
                ("OVERRIDE c drain\nREGION a down\nREGION b down", "c: override"),
                ("OVERRIDE a down\nOVERRIDE b down\nOVERRIDE c down", "nodata: all-down"),
            ][..],
        ),
        (
            "policy = 'weighted'\nweights = { a = 2 }",
            &[
                ("", "a50 b25 c25: equal"),
                ("REGION a down", "b50 c50: equal"),
                ("REGION a down\nREGION b down", "c: failover"),
                ("OVERRIDE a drain\nOVERRIDE b down", "c: override"),
                ("REGION a down\nREGION b down\nREGION c down", "a50 b25 c25: all-down"),
            ],
        ),
        (
            "policy = 'weighted'\nweights = { b = 0, c = 0 }",
            &[
                ("", "a: preferred"),
                ("REGION b down", "a: preferred"),
                ("REGION a down", "b50 c50: failover"),
                ("OVERRIDE a drain", "b50 c50: override"),
                ("REGION a down\nREGION b down", "c: failover"),
            ],
        ),
        (
            "policy = 'all'",
            &[
                ("", "all abc: equal"),
                ("REGION b down", "all ac: equal"),
                ("REGION a down\nREGION b down\nREGION c down", "all abc: all-down"),
            ],
        ),
        (
            "policy = 'nodata'",
            &[("", "a33 b33 c33: equal"), ("REGION a down\nREGION b down\nREGION c down", "nodata: all-down")],
        ),
        (
            "policy = 'servfail'",
            &[
                ("REGION a down\nREGION b down\nREGION c down", "servfail: all-down"),
                ("OVERRIDE a down\nOVERRIDE b down\nOVERRIDE c down", "servfail: all-down"),
            ],
        ),
        ("policy = 'everything'", &[("REGION a down\nREGION b down\nREGION c down", "all abc: all-down")]),
        // Geography comes later: the order, then the rest as one tier.
        ("policy = 'geo'\norder = ['c']", &[("", "c: preferred"), ("REGION c down", "a50 b50: failover")]),
        ("policy = 'geo'", &[("", "a33 b33 c33: equal")]),
    ] {
        let model = load(&format!("{REGIONS}{}", service("s", policy)));
        for (script, expected) in rows {
            assert_eq!(show(&model, &solve(&model, script, None), 0), *expected, "{policy}\n{script}");
        }
    }
}

#[test]
fn services_share_a_split_and_enter_it_apart() {
    let text = format!("{REGIONS}{}{}", service("s", "policy = 'weighted'"), service("t", "policy = 'weighted'"));
    let model = load(&text);
    let first = solve(&model, "", None);
    assert_eq!(first.splits.len(), 1);
    assert_eq!(first.of[0].choice, first.of[1].choice);
    let split = first.split(SplitId(0)).unwrap();
    let clients = (0..1_000_u32).map(|i| ClientPrefix::new(std::net::Ipv4Addr::from_bits(i << 8).into(), 24));
    let same =
        clients.filter(|&c| split.at(steer(first.of[0].seed, c)) == split.at(steer(first.of[1].seed, c))).count();
    assert!((250..420).contains(&same), "a third by chance: {same}");
    // The next generation keeps what did not change, and makes what did.
    let second = solve(&model, "", Some(&first));
    assert!(Arc::ptr_eq(&first.splits[0], &second.splits[0]));
    let third = solve(&model, "REGION a down", Some(&second));
    assert!(!Arc::ptr_eq(&first.splits[0], &third.splits[0]));
    assert_eq!(solve(&model, "", None), solve(&model, "", Some(&third)));
}

#[test]
fn a_lost_region_moves_its_clients_and_no_others() {
    let model = load(&format!("{REGIONS}{}", service("s", "policy = 'weighted'")));
    let (before, after) = (solve(&model, "", None), solve(&model, "REGION a down", None));
    for i in 0..10_000_u32 {
        let client = ClientPrefix::new(std::net::Ipv4Addr::from_bits(i << 8).into(), 24);
        let at =
            |placements: &Placements| placements.split(SplitId(0)).unwrap().at(steer(placements.of[0].seed, client));
        let (was, is) = (at(&before), at(&after));
        assert!(was == is || was == RegionId(0), "client {i} moved from {was:?} to {is:?}");
        assert_ne!(is, RegionId(0));
    }
}

#[test]
fn a_follower_takes_over_the_whole_decision() {
    let text = format!(
        "{REGIONS}{}{}{}",
        service("s", "policy = 'weighted'"),
        service("t", "policy = 'failover'\norder = ['a', 'b', 'c']\nfollow = 's'"),
        service("u", "policy = 'failover'\norder = ['a', 'b', 'c']\nfollow = 't'"),
    );
    let placements = solve(&load(&text), "", None);
    for follower in [1, 2] {
        let expected = Placement { service: placements.of[follower].service, ..placements.of[0] };
        assert_eq!(placements.of[follower], expected);
    }
}

#[test]
fn a_service_of_one_region_needs_no_order() {
    let text = "[regions.a]\n[checks.c]\nicmp = {}\n[services.s]\nnames = ['s.']\npolicy = 'failover'\ncheck = 'c'\nendpoints.a = ['192.0.2.1']\n";
    let model = load(text);
    assert_eq!(show(&model, &solve(&model, "", None), 0), "a: preferred");
    assert_eq!(show(&model, &solve(&model, "REGION a down", None), 0), "a: all-down");
}

proptest! {
    // Each step builds tables of 1,024 buckets without optimization.
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn repaired_is_as_good_as_new(
        steps in prop::collection::vec((0..12_usize, any::<bool>(), 0..4_usize), 1..12),
    ) {
        let policies = ["policy = 'weighted'", "policy = 'failover'\norder = ['b', 'a', 'c']", "policy = 'all'"];
        let text: String = policies.iter().zip(["s", "t", "u"]).map(|(policy, key)| service(key, policy)).collect();
        let follower = service("v", "policy = 'weighted'\nweights = { a = 3 }\nfollow = 's'");
        let model = load(&format!("{REGIONS}{text}{follower}"));
        let mut states = States::all_up(&model);
        let mut table = RegionTable::build(&model, &states, 0);
        let mut placements = Placements::solve(&model, &table, None);
        for (generation, (endpoint, up, word)) in (1..).zip(steps) {
            states.up[endpoint] = up;
            states.word[endpoint] = [Word::Nothing, Word::Up, Word::Drain, Word::Down][word];
            let changed = model.endpoints[endpoint].service;
            table = table.repaired(&states, [changed], generation);
            placements = placements.repaired(&model, &table, [changed]);
            let new_table = RegionTable::build(&model, &states, generation);
            prop_assert_eq!(&table, &new_table);
            let new = Placements::solve(&model, &new_table, None);
            for index in 0..model.services.len() {
                prop_assert_eq!(show(&model, &placements, index), show(&model, &new, index));
                prop_assert_eq!(placements.of[index].seed, new.of[index].seed);
            }
        }
    }
}
