//! Whole ways: region file and script in, placements out.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::base::diagnostic::Report;
use crate::base::limits;
use crate::geo::Places;
use crate::model;
use crate::policy::Split;
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

fn solve(model: &Model, script: &str) -> Placements {
    let mut report = Report::new();
    let states = States::from_script(model, "s", script, &mut report);
    assert!(report.is_empty(), "{}", report.render());
    let (table, atlases) = (RegionTable::build(model, &states, 1), Atlases::new(model, Arc::new(Places::none())));
    Placements::solve(Inputs { model, table: &table, states: &states, atlases: &atlases })
}

/// `a: failover`, or `a50 b50: equal` with shares in percent; of a ranking what clients get that nobody can locate.
fn show(model: &Model, placements: &Placements, index: usize) -> String {
    let Verdict { choice, reason, .. } = &*placements.of[index].verdict;
    let key = |region: RegionId| model.regions[region.index()].key.to_string();
    let shares = |split: &Split| {
        let part = |(region, count): (RegionId, usize)| {
            format!("{}{}", key(region), (count * 100 + limits::REGION_BUCKETS / 2) / limits::REGION_BUCKETS)
        };
        split.shares().into_iter().map(part).collect::<Vec<_>>().join(" ")
    };
    let mut reason = *reason;
    let what = match choice {
        Choice::Region(region) => key(*region),
        Choice::Split(split) => shares(split),
        Choice::Ranked(ranked) => {
            let chosen = ranked.choose(ClassId::UNKNOWN, 0);
            reason = chosen.reason;
            match (ranked.split_of(ClassId::UNKNOWN), chosen.to) {
                (Some(split), _) => shares(split),
                (None, Target::Region(region)) => key(region),
                (None, other) => format!("{other:?}"),
            }
        }
        Choice::All(mask) => {
            format!("all {}", crate::policy::all::regions(*mask, u128::MAX).map(key).collect::<String>())
        }
        Choice::Fallback => "fallback".into(),
        Choice::NoData => "nodata".into(),
        Choice::ServFail => "servfail".into(),
    };
    format!("{what}: {}", reason.as_str())
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
            // 33.57 %: shares are right to 0.4 %.
            &[("", "a34 b33 c33: equal"), ("REGION a down\nREGION b down\nREGION c down", "nodata: all-down")],
        ),
        (
            "policy = 'servfail'",
            &[
                ("REGION a down\nREGION b down\nREGION c down", "servfail: all-down"),
                ("OVERRIDE a down\nOVERRIDE b down\nOVERRIDE c down", "servfail: all-down"),
            ],
        ),
        ("policy = 'everything'", &[("REGION a down\nREGION b down\nREGION c down", "all abc: all-down")]),
        // Nobody can be located: the map's default, the order, then the rest as one tier.
        (
            "policy = 'geo'\norder = ['c']",
            &[
                ("", "a: preferred"),
                ("REGION a down", "c: failover"),
                ("OVERRIDE a drain\nREGION c down", "b: failover"),
                ("REGION a down\nREGION b down\nREGION c down", "a: all-down"),
            ],
        ),
        ("policy = 'geo'", &[("OVERRIDE a drain", "b50 c50: override"), ("REGION a down", "b50 c50: failover")]),
    ] {
        let model = load(&format!("{REGIONS}{}", service("s", policy)));
        for (script, expected) in rows {
            assert_eq!(show(&model, &solve(&model, script), 0), *expected, "{policy}\n{script}");
        }
    }
}

#[test]
fn services_share_a_split_and_enter_it_apart() {
    let text = format!("{REGIONS}{}{}", service("s", "policy = 'weighted'"), service("t", "policy = 'weighted'"));
    let model = load(&text);
    let first = solve(&model, "");
    let (split, other) = (split(&first, 0), split(&first, 1));
    assert!(Arc::ptr_eq(split, other));
    let clients = (0..1_000_u32).map(|i| ClientPrefix::new(std::net::Ipv4Addr::from_bits(i << 8).into(), 24));
    let same =
        clients.filter(|&c| split.at(steer(first.of[0].seed, c)) == split.at(steer(first.of[1].seed, c))).count();
    assert!((250..420).contains(&same), "a third by chance: {same}");
}

fn split(placements: &Placements, index: usize) -> &Arc<Split> {
    let Choice::Split(split) = &placements.of[index].verdict.choice else { panic!("no split") };
    split
}

#[test]
fn a_lost_region_moves_its_clients_and_no_others() {
    let model = load(&format!("{REGIONS}{}", service("s", "policy = 'weighted'")));
    let (before, after) = (solve(&model, ""), solve(&model, "REGION a down"));
    for i in 0..10_000_u32 {
        let client = ClientPrefix::new(std::net::Ipv4Addr::from_bits(i << 8).into(), 24);
        let at = |placements: &Placements| split(placements, 0).at(steer(placements.of[0].seed, client));
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
    let placements = solve(&load(&text), "");
    for follower in [1, 2] {
        assert_eq!(placements.of[follower], placements.of[0]);
    }
}

#[test]
fn a_service_of_one_region_needs_no_order() {
    let text = "[regions.a]\n[checks.c]\nicmp = {}\n[services.s]\nnames = ['s.']\npolicy = 'failover'\ncheck = 'c'\nendpoints.a = ['192.0.2.1']\n";
    let model = load(text);
    assert_eq!(show(&model, &solve(&model, ""), 0), "a: preferred");
    assert_eq!(show(&model, &solve(&model, "REGION a down"), 0), "a: all-down");
}

proptest! {
    // Each step builds tables of 4,096 buckets without optimization.
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn repaired_is_as_good_as_new(
        steps in prop::collection::vec((0..15_usize, any::<bool>(), 0..4_usize), 1..12),
    ) {
        let policies = [
            "policy = 'weighted'",
            "policy = 'failover'\norder = ['b', 'a', 'c']",
            "policy = 'all'",
            "policy = 'geo'\norder = ['b']",
        ];
        let text: String = policies.iter().zip(["s", "t", "u", "w"]).map(|(policy, key)| service(key, policy)).collect();
        let follower = service("v", "policy = 'weighted'\nweights = { a = 3 }\nfollow = 's'");
        let model = load(&format!("{REGIONS}{text}{follower}"));
        let mut states = States::all_up(&model);
        let mut table = RegionTable::build(&model, &states, 0);
        let atlases = Atlases::new(&model, Arc::new(Places::none()));
        let mut placements =
            Placements::solve(Inputs { model: &model, table: &table, states: &states, atlases: &atlases });
        for (generation, (endpoint, up, word)) in (1..).zip(steps) {
            states.up[endpoint] = up;
            states.word[endpoint] = [Word::Nothing, Word::Up, Word::Drain, Word::Down][word];
            let changed = model.endpoints[endpoint].service;
            let before = table;
            table = before.repaired(&states, [changed], generation);
            let inputs = Inputs { model: &model, table: &table, states: &states, atlases: &atlases };
            placements = placements.repaired(inputs, &before, &[changed]);
            let new_table = RegionTable::build(&model, &states, generation);
            prop_assert_eq!(&table, &new_table);
            let new = Placements::solve(inputs);
            for index in 0..model.services.len() {
                prop_assert_eq!(show(&model, &placements, index), show(&model, &new, index));
                prop_assert_eq!(&placements.of[index], &new.of[index]);
            }
        }
    }
}
