//! What must hold in every scenario.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::base::diagnostic::Report;
use crate::base::ids::RegionId;
use crate::control::Settings;
use crate::geo::Places;
use crate::model;
use crate::policy::Atlases;

const NETWORKS: &str = "[networks]\n\"10.1.0.0/16\" = { country = \"DE\" }\n\"10.2.0.0/16\" = { country = \"FR\" }\n\
    \"10.3.0.0/16\" = { country = \"US\" }\n\"10.4.0.0/16\" = { country = \"BR\" }\n\"10.5.0.0/16\" = { country = \"IN\" }\n\
    \"10.6.0.0/16\" = { country = \"JP\" }\n";

/// Three regions with these capacities; 0: unlimited.
fn configuration(maxima: [u64; 3]) -> Configuration {
    let capacity = |max: u64| if max == 0 { String::new() } else { format!("capacity = {{ max = {max} }}\n") };
    let [fra, iad, sin] = maxima.map(capacity);
    let text = format!(
        "[regions.fra]\nlocation = {{ lat = 50.11, lon = 8.68 }}\n{fra}\
         [regions.iad]\nlocation = {{ lat = 38.95, lon = -77.45 }}\n{iad}\
         [regions.sin]\nlocation = {{ lat = 1.35, lon = 103.99 }}\n{sin}\
         [checks.web]\nhttp = {{ path = '/' }}\ninterval = '5s'\n\
         [services.web]\nnames = ['www.example.com']\npolicy = 'nearest'\ncheck = 'web'\n\
         endpoints = {{ fra = ['192.0.2.1', '192.0.2.2'], iad = ['192.0.2.3', '192.0.2.4'], sin = ['192.0.2.5', '192.0.2.6'] }}\n"
    );
    let mut report = Report::new();
    let model = model::read(&[("regions.toml".into(), text.as_str())], &mut report);
    let model = Arc::new(model.unwrap_or_else(|| panic!("{}", report.render())));
    let places = Places::read(Vec::new(), Some(("networks.toml", NETWORKS)), 0, &mut report).unwrap();
    let atlases = Arc::new(Atlases::new(&model, Arc::new(places)));
    let settings = Settings { step_max: 250, ..Settings::default() };
    Configuration { name: "test".into(), model, atlases, settings }
}

fn profile(configuration: &Configuration, demands: [f64; 6]) -> Profile {
    let text = format!(
        "[services.web]\nDE = {:.3}\nFR = {:.3}\nUS = {:.3}\nBR = {:.3}\nIN = {:.3}\nJP = {:.3}\n",
        demands[0], demands[1], demands[2], demands[3], demands[4], demands[5]
    );
    let mut report = Report::new();
    let profile = Profile::read("demand.toml", &text, &configuration.model, &mut report);
    assert!(report.is_empty(), "{}", report.render());
    profile
}

fn played(configuration: &Configuration, profile: &Profile, events: Vec<Event>, lasting_s: u32) -> Outcome {
    let profile = profile.clone();
    play(configuration, &Scenario { profile, events, lasting_s: Some(lasting_s), ..Scenario::default() })
}

/// Parts of a demand of `whole` that are rounded to a tenth each.
fn close(sum: f64, whole: f64) -> bool {
    (sum - whole).abs() <= 0.5 + whole * 0.001
}

fn adds_up(outcome: &Outcome) -> Result<(), TestCaseError> {
    for stage in &outcome.stages {
        let answers: f64 =
            stage.regions.iter().filter(|region| region.state != "lost").map(|region| region.answers).sum();
        prop_assert!(close(answers + stage.unserved, stage.demand), "{stage:?}");
        for country in &stage.countries {
            let shares: f64 = country.regions.iter().map(|(_, share)| share).sum();
            prop_assert!((shares - 1.0).abs() < 0.002 || stage.unserved > 0.0, "{country:?}");
        }
        let demand: f64 = stage.countries.iter().map(|country| country.demand).sum();
        prop_assert!(close(demand, stage.demand), "{stage:?}");
    }
    for line in &outcome.timeline.regions {
        prop_assert_eq!(line.load.len(), outcome.timeline.seconds.len());
        prop_assert!(line.load.iter().all(|load| load.is_finite() && *load >= 0.0), "{:?}", line);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn shares_add_up(
        demands in prop::array::uniform6(0.0..400.0_f64),
        maxima in prop::array::uniform3(prop_oneof![Just(0_u64), 100..2_000_u64]),
        lost in 0..3_usize,
        factor in 0.2..4.0_f64,
    ) {
        let configuration = configuration(maxima);
        let profile = profile(&configuration, demands);
        let lost = Event { at_s: 5, what: What::Lose(["fra", "iad", "sin"][lost].into()) };
        let events = vec![lost, Event { at_s: 60, what: What::Scale(None, factor) }];
        let outcome = played(&configuration, &profile, events, 60);
        prop_assert_eq!((outcome.stages.len(), outcome.segments.len()), (3, 2));
        adds_up(&outcome)?;
    }

    #[test]
    fn a_lost_region_moves_its_own_share_where_there_is_room(
        demands in prop::array::uniform6(10.0..200.0_f64),
        lost in 0..3_usize,
    ) {
        let configuration = configuration([5_000; 3]);
        let profile = profile(&configuration, demands);
        let lost = ["fra", "iad", "sin"][lost];
        let outcome = played(&configuration, &profile, vec![Event { at_s: 0, what: What::Lose(lost.into()) }], 300);
        adds_up(&outcome)?;
        let [before, after] = &outcome.stages[..] else { panic!("two stages") };
        let segment = &outcome.segments[0];
        prop_assert!(segment.moves.iter().all(|moved| moved.from == lost && moved.to != "nowhere"), "{:?}", segment);
        let moved: f64 = segment.moves.iter().map(|moved| moved.demand).sum();
        let had = before.regions.iter().find(|region| region.region == lost).unwrap().answers;
        prop_assert!(close(moved, had), "{moved} of {had}");
        for (before, after) in before.regions.iter().zip(&after.regions).filter(|(before, _)| before.region != lost) {
            prop_assert!(after.answers >= before.answers - 0.2, "{before:?} {after:?}");
        }
        prop_assert!(segment.settled_s.is_some_and(|seconds| seconds < 120), "{:?}", segment);
    }
}

#[test]
fn what_is_played_twice_comes_out_the_same() {
    let configuration = configuration([300, 300, 600]);
    let profile = profile(&configuration, [150.0, 120.0, 200.0, 60.0, 150.0, 100.0]);
    let events = || vec![Event::scale("DE=3@10s").unwrap(), Event::capacity("iad=200@2m").unwrap()];
    assert_eq!(played(&configuration, &profile, events(), 120), played(&configuration, &profile, events(), 120));
}

#[test]
fn room_is_used_before_a_max_is_passed() {
    let configuration = configuration([300, 1_000, 1_000]);
    let profile = profile(&configuration, [150.0, 90.0, 200.0, 60.0, 150.0, 100.0]);
    let outcome = played(&configuration, &profile, vec![Event::scale("DE=3@10s").unwrap()], 600);
    let after = outcome.stages.last().unwrap();
    assert!(after.regions.iter().all(|region| region.utilization.unwrap() <= 0.82), "{after:?}");
    assert!(after.spills.iter().any(|spill| spill.from == "fra"), "{after:?}");
    assert!(after.extra_km > 1_000.0, "{}", after.extra_km);
}

#[test]
fn feeds_say_what_an_answer_is_worth() {
    let text = "[regions.fra]\ncapacity = { target = 800, max = 1000 }\nload = { push = true, every = '5s', max_age = '1m' }\n\
                [regions.iad]\n[services.web]\nnames = ['www.example.com']\npolicy = 'weighted'\n\
                endpoints = { fra = ['192.0.2.1'], iad = ['192.0.2.3'] }\n";
    let mut report = Report::new();
    let model = Arc::new(model::read(&[("regions.toml".into(), text)], &mut report).unwrap());
    let atlases = Arc::new(Atlases::new(&model, Arc::new(Places::none())));
    let configuration = Configuration { model, atlases, ..configuration([0; 3]) };
    let profile = profile(&configuration, [100.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
    let loads = BTreeMap::from([(RegionId(0), 600.0)]);
    let profile = calibrated(&configuration, &profile, &Start::default(), &loads);
    let outcome = played(&configuration, &profile, vec![Event::double("all@5s").unwrap()], 300);
    let [before, after] = &outcome.stages[..] else { panic!("two stages") };
    assert!((before.regions[0].load - 600.0).abs() < 6.0, "{:?}", before.regions[0]);
    // Twice that is above its target, and the other takes as much as comes.
    assert!(after.regions[0].load < 830.0 && after.regions[0].load > 700.0, "{:?}", after.regions[0]);
    assert!((outcome.unlocated - 100.0).abs() < 1e-9);
}

#[test]
fn a_preview_tells_who_would_go_elsewhere() {
    use super::preview::{Answers, Observed, Preview, ServiceChange};
    let configuration = configuration([0; 3]);
    let counted = |network: &str, demand| Counted { service: "web".into(), network: Some(network.into()), demand };
    let answers = |de: &str| -> Answers {
        let of = |country: &str, region: &str| (country.to_owned(), vec![(region.to_owned(), 1.0)]);
        BTreeMap::from([
            of("DE", de),
            of("FR", "fra"),
            of("US", "iad"),
            of("BR", "iad"),
            of("IN", "sin"),
            of("JP", "sin"),
        ])
    };
    let preview = |de: &str, counted: &[Counted]| {
        let profile = preview::profile(&configuration, Some(100.0), counted, 1.0);
        let answers = BTreeMap::from([("web".to_owned(), answers(de)), ("old".to_owned(), Answers::new())]);
        let carries = BTreeMap::from([("fra".to_owned(), Some(7.0)), ("lhr".to_owned(), None)]);
        let is_counting = !counted.is_empty();
        let observed = Observed { answers, carries, is_spilling: false, is_counting };
        Preview::new(&configuration, &profile, &Start::default(), &observed)
    };
    let same = preview("fra", &[]);
    let ServiceChange::Both(change) = &same.services["web"] else { panic!("{same:?}") };
    assert_eq!((change.compared, change.countries.len(), change.by_users), (6, 0, 0.0));
    assert_eq!(same.services["old"], ServiceChange::Gone);
    let other = preview("iad", &[]);
    let ServiceChange::Both(change) = &other.services["web"] else { panic!("{other:?}") };
    assert_eq!(change.countries.len(), 1, "{change:?}");
    assert!((change.by_countries - 1.0 / 6.0).abs() < 1e-9 && change.by_users > 0.05, "{change:?}");
    assert_eq!(change.by_demand, None);
    let text = preview::text(&other, 5);
    for words in ["DE       100.0 %  iad 100.0 % → fra 100.0 %", "old            would be steered no longer", "gone"]
    {
        assert!(text.contains(words), "{text}");
    }
    // Germany and France are one class, of 40 answers; 60 are asked from the United States, and from Brazil.
    let counting = preview("iad", &[counted("10.1.0.0/16", 40.0), counted("10.3.0.0/16", 60.0)]);
    let ServiceChange::Both(change) = &counting.services["web"] else { panic!("{counting:?}") };
    let expected = 0.4 * 70_300.0 / (70_300.0 + 56_800.0);
    assert!((change.by_demand.unwrap() - expected).abs() < 1e-6, "{change:?}");
    assert!(preview::text(&counting, 5).contains("  web            22.1 % of what is asked now, "));
}
