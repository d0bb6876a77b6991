//! What load feeds say: the load of the second before, of regions that are not lost, as often as each is expected to.

use std::sync::Arc;

use crate::base::ids::RegionId;
use crate::base::moment::Moment;
use crate::control::{Reading, Source};
use crate::model::{Endpoint, METRIC_LOAD, METRIC_MAX, METRIC_TARGET, Metrics, Model};

/// What a feed says of capacity, where the file does not.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct FedCapacity {
    /// Above it load goes elsewhere.
    pub(super) target: f64,
    /// What it can carry.
    pub(super) max: f64,
}

/// The readings of a second. `loads` and `lost` are by region.
pub(super) fn readings(
    model: &Model,
    now: Moment,
    second: i64,
    loads: &[f64],
    lost: &[bool],
    capacities: &[Option<FedCapacity>],
) -> Vec<Reading> {
    let mut readings = Vec::new();
    for (id, region) in (0..).map(RegionId).zip(&model.regions) {
        let load = loads.get(id.index()).copied().unwrap_or(0.0);
        if lost.get(id.index()) == Some(&true) {
            continue;
        }
        if let Some(feed) = region.load.feed() {
            if is_due(second, id, feed.every.as_secs()) {
                let mut said = vec![(Arc::from(METRIC_LOAD), thousandths(load))];
                if let Some(capacity) = capacities.get(id.index()).copied().flatten() {
                    said.push((METRIC_TARGET.into(), thousandths(capacity.target)));
                    said.push((METRIC_MAX.into(), thousandths(capacity.max)));
                }
                let (source, metrics) = (Source::Region(Arc::clone(&region.key)), said.into_iter().collect());
                readings.push(Reading { source, metrics, at: now });
            }
            continue;
        }
        let tells = |endpoint: &&Endpoint| {
            endpoint.region == id && endpoint.load.feed().is_some_and(|feed| feed.tells(METRIC_LOAD))
        };
        let endpoints: Vec<&Endpoint> = model.endpoints.iter().filter(tells).collect();
        #[expect(clippy::cast_precision_loss, reason = "endpoints of a region")]
        let each = load / endpoints.len().max(1) as f64;
        for endpoint in endpoints {
            if endpoint.load.feed().is_some_and(|feed| is_due(second, id, feed.every.as_secs())) {
                let metrics: Metrics = [(Arc::from(METRIC_LOAD), thousandths(each))].into_iter().collect();
                readings.push(Reading { source: Source::Endpoint(Arc::clone(&endpoint.key)), metrics, at: now });
            }
        }
    }
    readings
}

/// Each region at a second of its own.
fn is_due(second: i64, region: RegionId, every_s: u64) -> bool {
    let every_s = i64::try_from(every_s).unwrap_or(i64::MAX).max(1);
    (second + i64::from(region.0)).rem_euclid(every_s) == 0
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast of floats saturates")]
pub(super) fn thousandths(number: f64) -> u64 {
    (number * 1_000.0).round() as u64
}
