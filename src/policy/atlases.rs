//! Which services rank clients by place, and by which atlas: one for each ranking, tolerance and set of regions.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::base::ids::ServiceId;
use crate::base::limits::ATLASES_MAX;
use crate::geo::{Atlas, Places};
use crate::model::{GeoRanking, Mode, Model, Prefer, Service};

/// The atlases of a model, made when files are loaded; no transition changes them.
#[derive(Clone, Debug)]
pub struct Atlases {
    places: Arc<Places>,
    atlases: Vec<Arc<Atlas>>,
    /// By [`ServiceId`].
    of: Box<[Option<u32>]>,
}

/// What an atlas depends on, beside the places.
type Key = (Option<u32>, u32, u128);

impl Atlases {
    /// The atlases that the services of a model need.
    #[must_use]
    pub fn new(model: &Model, places: Arc<Places>) -> Self {
        let telling = model.regions_telling_load();
        let wanted: Vec<Option<(Key, GeoRanking)>> =
            model.services.iter().map(|service| key(model, service, telling)).collect();
        let sets = wanted.iter().flatten().map(|(key, _)| *key).collect::<std::collections::BTreeSet<_>>().len();
        let all = model.services.iter().fold(0, |all, service| all | service.region_mask());
        let mut numbers: BTreeMap<Key, u32> = BTreeMap::new();
        let mut atlases = Vec::new();
        let of = wanted.into_iter().map(|wanted| {
            let ((ranking, tolerance, regions), geo) = wanted?;
            // So many sets of regions are ranked all together, and each service takes its own out of the tiers.
            let regions = if sets > ATLASES_MAX { all } else { regions };
            let number = *numbers.entry((ranking, tolerance, regions)).or_insert_with(|| {
                atlases.push(Arc::new(Atlas::build(&places, model, geo, tolerance, regions)));
                u32::try_from(atlases.len() - 1).unwrap_or(u32::MAX)
            });
            Some(number)
        });
        let of = of.collect();
        Self { places, atlases, of }
    }

    /// What is known of where clients are.
    #[must_use]
    pub const fn places(&self) -> &Arc<Places> {
        &self.places
    }

    /// The atlas of a service; `None` if it does not rank by place.
    #[must_use]
    pub fn of(&self, service: ServiceId) -> Option<&Arc<Atlas>> {
        self.atlases.get(self.of.get(service.index()).copied().flatten()? as usize)
    }

    /// The number of the atlas of a service, the same for services that share one.
    #[must_use]
    pub fn number_of(&self, service: ServiceId) -> Option<u32> {
        self.of.get(service.index()).copied().flatten()
    }
}

/// How a policy ranks by place; what is not measured, or of no region fed, ranks by place too. `None`: all regions are one
/// tier. `telling`: [`Model::regions_telling_load`].
fn key(model: &Model, service: &Service, telling: u128) -> Option<(Key, GeoRanking)> {
    let Mode::ActiveActive { prefer, ranking, .. } = model.policy(service).mode else { return None };
    let tolerance_m = match prefer {
        Prefer::Equal => return None,
        Prefer::Load if model.shares_by_load(service, telling) => return None,
        Prefer::Geo { tolerance_m } | Prefer::ResponseTime { tolerance_m } => tolerance_m,
        Prefer::Load | Prefer::Latency { .. } => TOLERANCE_DEFAULT_M,
    };
    let map = match ranking {
        GeoRanking::Distance => None,
        GeoRanking::Map(map) => Some(map.0),
    };
    Some(((map, tolerance_m, service.region_mask()), ranking))
}

/// What `tolerance` is where the policy has none in meters.
const TOLERANCE_DEFAULT_M: u32 = 50_000;
