//! Region files as data: the example of the manual, models printed and read again, and any text at all.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::base::diagnostic::Report;
use crate::base::ids::RegionId;
use crate::dns::RecordType;

/// The example of the manual: every kind of thing once.
const EXAMPLE: &str = include_str!("../../tests/golden/example.toml");

fn load(texts: &[&str]) -> (Option<Model>, Report) {
    let files: Vec<(Arc<str>, &str)> = texts.iter().map(|&text| (Arc::from("regions.toml"), text)).collect();
    let mut report = Report::new();
    let model = read(&files, &mut report);
    (model, report)
}

fn valid(text: &str) -> Model {
    let (model, report) = load(&[text]);
    model.unwrap_or_else(|| panic!("{}\n{text}", report.render()))
}

#[test]
fn the_example_is_valid() {
    let (model, report) = load(&[EXAMPLE]);
    assert!(report.is_empty(), "{}", report.render());
    let model = model.unwrap();
    let keys =
        |ids: &[RegionId]| -> Vec<String> { ids.iter().map(|id| model.regions[id.index()].key.to_string()).collect() };
    let fra = &model.regions[model.region_by_key("fra").unwrap().index()];
    assert_eq!((fra.label.as_str(), fra.capacity), ("Frankfurt", Capacity::Limited { target: 4000, max: 5000 }));
    assert_eq!(model.regions[model.region_by_key("sin").unwrap().index()].label, "sin");
    let web = &model.services[model.service_by_key("web").unwrap().index()];
    assert_eq!(web.ttl, Ttl { min: 5, max: 30 });
    assert_eq!(web.types, [RecordType::A, RecordType::AAAA]);
    assert_eq!(web.regions.iter().map(|part| part.weight).collect::<Vec<_>>(), [2, 1, 1]);
    let iad: Vec<&Endpoint> = web.regions[1].endpoint_ids().map(|id| &model.endpoints[id.index()]).collect();
    assert_eq!(
        iad.iter().map(|e| e.key.as_ref()).collect::<Vec<_>>(),
        ["web/iad/198.51.100.10", "web/iad/198.51.100.11", "web/iad/2001:db8:1::10"]
    );
    assert_eq!(iad.iter().map(|e| e.weight).collect::<Vec<_>>(), [3, 1, 1]);
    assert_eq!(iad[1].checked, Checked::Address("10.0.0.11".parse().unwrap()));
    let mail = &model.services[model.service_by_key("mail").unwrap().index()];
    assert_eq!(keys(&mail.order), ["iad", "fra"]);
    assert_eq!(model.policy(mail).mode, Mode::ActivePassive { failback: Failback::After(Duration::from_secs(300)) });
    assert_eq!(mail.claims(), [RecordType::MX]);
    let mx = model.endpoint_by_key("mail/iad/198.51.100.25").unwrap();
    assert_eq!(model.endpoints[mx.index()].records.len(), 2);
    let tiers: Vec<Vec<String>> = model.geomaps[0].entries[2].1.iter().map(|tier| keys(tier)).collect();
    assert_eq!(tiers, [vec!["fra", "iad"], vec!["sin"]]);
    for key in ["web", "web/fra", "web/fra/192.0.2.99", "web/lax/192.0.2.10", "", "///"] {
        assert_eq!(model.endpoint_by_key(key), None, "{key}");
    }
}

#[test]
fn an_empty_file_is_an_empty_model() {
    let model = valid("");
    assert!(model.regions.is_empty() && model.services.is_empty());
    // The built-in policies are there all the same, in the order of their names.
    let policies: Vec<&str> = model.policies.iter().map(|policy| policy.key.as_ref()).collect();
    assert_eq!(policies, ["all", "failover", "latency", "nearest", "weighted"]);
}

#[test]
fn a_policy_replaces_the_built_in_one() {
    let model = valid("[policies.all]\nmode = \"active-active\"\nprefer = \"equal\"\nanswers = 2\n");
    assert_eq!(model.policies.len(), 5);
    assert_eq!(model.policies[0].answers, 2);
    assert!(matches!(model.policies[0].source, PolicySource::File(_)));
}

#[test]
fn the_order_of_files_decides_no_id() {
    let (first, second) = EXAMPLE.split_at(EXAMPLE.find("[services.web]").unwrap());
    let (a, b) = (load(&[first, second]).0.unwrap(), load(&[second, first]).0.unwrap());
    let ids = |model: &Model| -> Vec<String> {
        let endpoints = model.endpoints.iter().map(|e| format!("{} {:?} {:?}", e.key, e.service, e.region));
        let policies = model.services.iter().map(|service| format!("{:?} {:?}", service.policy, service.checks));
        endpoints.chain(policies).collect()
    };
    assert_eq!(ids(&a), ids(&b));
}

#[test]
fn a_region_more_than_a_set_holds_is_refused() {
    let mut text = String::new();
    for i in 0..=crate::base::limits::REGIONS_MAX {
        writeln!(text, "[regions.r{i}]").unwrap();
    }
    let (model, report) = load(&[&text]);
    assert!(model.is_none());
    assert!(report.iter().any(|d| d.code == "too-many"));
}

/// A small model by its parts: what is printed must come back.
#[derive(Clone, Debug)]
struct Sample {
    regions: usize,
    services: Vec<SampleService>,
}

#[derive(Clone, Debug)]
struct SampleService {
    policy: &'static str,
    /// Per region: weight, endpoints (weight, enabled).
    parts: Vec<(u32, Vec<(u32, bool)>)>,
    ttl: (u32, u32),
    percent: u8,
}

fn sample() -> impl Strategy<Value = Sample> {
    let endpoints = proptest::collection::vec((0..100_u32, any::<bool>()), 1..5);
    let service = (
        prop::sample::select(vec!["failover", "weighted", "all"]),
        proptest::collection::vec((0..100_u32, endpoints), 1..6),
        (0..50_u32, 0..50_u32),
        1..=100_u8,
    )
        .prop_map(|(policy, parts, (min, more), percent)| SampleService {
            policy,
            parts,
            ttl: (min, min + more),
            percent,
        });
    proptest::collection::vec(service, 0..8).prop_map(|services| Sample { regions: 6, services })
}

fn print(sample: &Sample) -> String {
    let mut text = String::from("[checks.c]\nicmp = {}\n");
    for region in 0..sample.regions {
        writeln!(text, "[regions.r{region}]").unwrap();
    }
    for (i, SampleService { policy, parts, ttl, percent }) in sample.services.iter().enumerate() {
        writeln!(text, "[services.s{i}]\nnames = ['s{i}.example.']\npolicy = '{policy}'\ncheck = 'c'").unwrap();
        writeln!(text, "ttl = {{ min = {}, max = {} }}\nmin_up = '{percent}%'", ttl.0, ttl.1).unwrap();
        let order: Vec<String> = (0..parts.len()).rev().map(|region| format!("'r{region}'")).collect();
        writeln!(text, "order = [{}]", order.join(", ")).unwrap();
        for (region, (weight, endpoints)) in parts.iter().enumerate() {
            writeln!(text, "weights.r{region} = {weight}").unwrap();
            let endpoint = |(j, (weight, enabled)): (usize, &(u32, bool))| {
                format!("{{ address = '10.{i}.{region}.{j}', weight = {weight}, enabled = {enabled} }}")
            };
            let list: Vec<String> = endpoints.iter().enumerate().map(endpoint).collect();
            writeln!(text, "endpoints.r{region} = [{}]", list.join(", ")).unwrap();
        }
    }
    text
}

proptest! {
    #[test]
    fn a_model_printed_is_read_as_it_was(sample in sample()) {
        let model = valid(&print(&sample));
        prop_assert_eq!(model.services.len(), sample.services.len());
        for (service, meant) in model.services.iter().zip(&sample.services) {
            prop_assert_eq!(model.policy(service).key.as_ref(), meant.policy);
            prop_assert_eq!((service.ttl.min, service.ttl.max), meant.ttl);
            prop_assert_eq!(service.min_up, MinUp::Percent(meant.percent));
            let order: Vec<usize> = service.order.iter().map(|region| region.index()).collect();
            prop_assert_eq!(order, (0..meant.parts.len()).rev().collect::<Vec<_>>());
            let parts: Vec<(u32, Vec<(u32, bool)>)> = service
                .regions
                .iter()
                .map(|part| {
                    let endpoints = part.endpoint_ids().map(|id| &model.endpoints[id.index()]);
                    (part.weight, endpoints.map(|endpoint| (endpoint.weight, endpoint.enabled)).collect())
                })
                .collect();
            prop_assert_eq!(&parts, &meant.parts);
        }
        for (index, endpoint) in model.endpoints.iter().enumerate() {
            prop_assert_eq!(model.endpoint_by_key(&endpoint.key).map(|id| id.index()), Some(index));
        }
    }

    #[test]
    fn any_text_is_a_model_or_errors(text in "\\PC{0,200}") {
        let (model, report) = load(&[&text]);
        prop_assert_eq!(model.is_none(), report.has_errors());
    }

    #[test]
    fn any_damage_to_the_example_is_told(at in any::<prop::sample::Index>(), len in 0..40_usize, put in "[\\[\\]{}=\"'.,a-z0-9\n]{0,6}") {
        let at = at.index(EXAMPLE.len());
        let text = format!("{}{put}{}", &EXAMPLE[..at], &EXAMPLE[(at + len).min(EXAMPLE.len())..]);
        let (model, report) = load(&[&text]);
        prop_assert_eq!(model.is_none(), report.has_errors());
    }
}
