//! What holds of the survey whatever is measured.
#![allow(clippy::unwrap_used, reason = "a test ends where its helpers do")]

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use meridian::base::diagnostic::Report;
use meridian::base::moment::Moment;
use meridian::geo::{Estimate, Margin, Measured, Places, ordered};
use meridian::latency::{ClientNetwork, Measurement, Settings, Source, Survey};
use meridian::model::{self, Model};
use proptest::prelude::*;

const KEYS: [&str; 4] = ["fra", "iad", "nowhere", "sin"];
const NETWORKS_MAX: usize = 64;

fn model() -> Model {
    let text = "[regions.fra]\nlocation = { lat = 50.11, lon = 8.68 }\n[regions.iad]\nlocation = { lat = 38.95, lon = -77.45 }\n\
                [regions.nowhere]\n[regions.sin]\nlocation = { lat = 1.35, lon = 103.99 }\n";
    let mut report = Report::new();
    model::read(&[("m.toml".into(), text.to_owned())], &mut report).unwrap()
}

fn places() -> Arc<Places> {
    let text =
        "[networks]\n\"10.0.0.0/8\" = { country = \"DE\", asn = 64500 }\n\"11.0.0.0/8\" = { country = \"US\" }\n";
    let mut report = Report::new();
    Arc::new(Places::read(Vec::new(), Some(("networks.toml", text)), 0, &mut report).unwrap())
}

/// A network, a region, microseconds, round trips, and milliseconds since the one before.
type One = (u32, usize, u32, u32, u64);

fn one() -> impl Strategy<Value = One> {
    let network =
        prop_oneof![0x0a_0000_u32..0x0a_0060, 0x0b_0000_u32..0x0b_0020, any::<u32>().prop_map(|word| word >> 8)];
    let us = prop_oneof![Just(0), Just(u32::MAX), 50_u32..1_000_000, any::<u32>()];
    (network, 0_usize..5, us, prop_oneof![0_u32..20, any::<u32>()], 0_u64..200_000)
}

/// Takes them, with a step now and then; all that was published.
fn played(survey: &mut Survey, ones: &[One]) -> (Vec<Arc<Measured>>, Moment) {
    let mut now = Moment(1_000_000_000);
    let mut published = Vec::new();
    for (at, &(network, region, us, samples, after)) in ones.iter().enumerate() {
        now = now.after(Duration::from_millis(after));
        if let Some(client) = ClientNetwork::of(Ipv4Addr::from_bits(network << 8).into()) {
            let region = KEYS.get(region).copied().unwrap_or("lax").to_owned();
            let _ = survey.take(now, Source::Push, &Measurement { client, region, us, samples, at: None });
        }
        if at % 16 == 0 {
            published.extend(survey.step(now));
        }
    }
    published.extend(survey.step(now));
    (published, now)
}

fn estimate() -> impl Strategy<Value = Estimate> {
    (0_u32..400_000, 0_u32..50_000, 0_u32..400_000).prop_map(|(us, error_us, expected_us)| Estimate {
        us,
        error_us,
        expected_us,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn nothing_panics_and_memory_is_bounded(ones in prop::collection::vec(one(), 0..400)) {
        let mut survey = Survey::new(Settings { networks: NETWORKS_MAX, ..Settings::default() });
        survey.attend(&model(), &places());
        let (published, _) = played(&mut survey, &ones);
        prop_assert!(survey.size().0 <= NETWORKS_MAX && survey.size().1 <= NETWORKS_MAX * KEYS.len());
        for measured in published {
            for (group, row) in measured.rows() {
                prop_assert!(row.deviations.len() == KEYS.len(), "{group:?}");
                let mut order = row.order.to_vec();
                order.sort_unstable();
                prop_assert!(order.is_empty() || order == [0, 1, 2, 3], "{group:?} {:?}", row.order);
            }
        }
    }

    #[test]
    fn orders_are_whole_and_stay_and_nobody_goes_too_far(estimates in prop::collection::vec(estimate(), 0..14)) {
        let margin = Margin::default();
        let regions: Vec<(usize, Estimate)> = estimates.into_iter().enumerate().collect();
        let once = ordered(&regions, margin);
        prop_assert_eq!(&ordered(&once, margin), &once);
        let mut ids: Vec<usize> = once.iter().map(|(id, _)| *id).collect();
        ids.sort_unstable();
        prop_assert!(ids.into_iter().eq(0..regions.len()));
        let nearest = regions.iter().map(|(_, estimate)| estimate.expected_us).min().unwrap_or(0);
        if let Some((_, first)) = once.first() {
            prop_assert!(first.expected_us <= nearest + margin.detour_us);
        }
    }

    #[test]
    fn what_agrees_comes_ever_nearer(ms in 60_u32..400, counts in prop::collection::vec(1_u32..8, 1..40)) {
        let mut survey = Survey::new(Settings { max_move: 100, ..Settings::default() });
        let model = model();
        survey.attend(&model, &places());
        let client = ClientNetwork::parse("10.0.1.0/24").unwrap();
        let mut now = Moment(1_000_000_000);
        let mut before = f64::INFINITY;
        for samples in counts {
            let measurement = Measurement { client, region: "fra".into(), us: ms * 1_000, samples, at: None };
            survey.take(now, Source::Push, &measurement).unwrap();
            now = now.after(Duration::from_secs(10));
            survey.step(now);
            let evidence = survey.evidence(client, now);
            let off = (f64::from(evidence.get("fra").unwrap().us) - f64::from(ms) * 1_000.0).abs();
            // Within a step of the histogram it is as near as it gets.
            prop_assert!(off <= before.max(f64::from(ms) * 55.0), "{off} after {before}");
            before = off;
        }
    }

    #[test]
    fn a_batch_counts_once(names in prop::collection::vec("[a-c]{1,2}", 1..40)) {
        let mut survey = Survey::new(Settings::default());
        let mut seen = std::collections::BTreeSet::new();
        for name in names {
            prop_assert_eq!(survey.is_new(Moment(1_000_000_000), &name), seen.insert(name));
        }
    }
}
