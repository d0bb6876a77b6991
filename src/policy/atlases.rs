//! Which services rank clients by place, and by which atlas: one for each ranking, tolerance and set of regions.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::base::ids::ServiceId;
use crate::base::limits::ATLASES_MAX;
use crate::geo::{Atlas, ClassId, Measured, Nearness, Places};
use crate::model::{GeoRanking, Mode, Model, Prefer, Service};

/// The atlases of a model, made when files are loaded, and those that rank by latency when other ways have become the best;
/// no transition changes them.
#[derive(Clone, Debug)]
pub struct Atlases {
    places: Arc<Places>,
    keys: Vec<Key>,
    /// By number, as `keys`.
    atlases: Vec<Arc<Atlas>>,
    /// By [`ServiceId`].
    of: Box<[Option<u32>]>,
}

/// By number of an atlas, and by class: the class of those clients before.
#[derive(Clone, Debug, Default)]
pub struct Counterparts(Vec<Option<Vec<Option<ClassId>>>>);

impl Counterparts {
    /// By class of an atlas: the class before; `None` for an atlas that is the same as before.
    #[must_use]
    pub fn of(&self, number: u32) -> Option<&[Option<ClassId>]> {
        self.0.get(number as usize)?.as_deref()
    }
}

/// What an atlas depends on, beside the places and what was measured.
type Key = (GeoRanking, By, u128);

/// What makes a region near, and by how much its equals may differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum By {
    /// Meters.
    Distance(u32),
    /// Microseconds.
    Latency(u32),
}

impl Atlases {
    /// The atlases that the services of a model need, when nothing is measured.
    #[must_use]
    pub fn new(model: &Model, places: Arc<Places>) -> Self {
        Self::with_measured(model, places, Arc::default())
    }

    /// The atlases that the services of a model need.
    #[must_use]
    pub fn with_measured(model: &Model, places: Arc<Places>, measured: Arc<Measured>) -> Self {
        let telling = model.regions_telling_load();
        let wanted: Vec<Option<Key>> = model.services.iter().map(|service| key(model, service, telling)).collect();
        let sets = wanted.iter().flatten().collect::<BTreeSet<_>>().len();
        let all = model.services.iter().fold(0, |all, service| all | service.region_mask());
        let mut numbers: BTreeMap<Key, u32> = BTreeMap::new();
        let mut keys = Vec::new();
        let of = wanted.into_iter().map(|wanted| {
            let (ranking, by, regions) = wanted?;
            // So many sets of regions are ranked all together, and each service takes its own out of the tiers.
            let key = (ranking, by, if sets > ATLASES_MAX { all } else { regions });
            let number = *numbers.entry(key).or_insert_with(|| {
                keys.push(key);
                u32::try_from(keys.len() - 1).unwrap_or(u32::MAX)
            });
            Some(number)
        });
        let of = of.collect();
        let atlases = keys.iter().map(|key| Arc::new(build(model, &places, &measured, *key))).collect();
        Self { places, keys, atlases, of }
    }

    /// The same for the same model, with what is measured now.
    #[must_use]
    pub fn remeasured(&self, model: &Model, measured: Arc<Measured>) -> Self {
        let atlases = self.keys.iter().zip(&self.atlases).map(|(key, atlas)| match key.1 {
            By::Distance(_) => Arc::clone(atlas),
            By::Latency(_) => Arc::new(build(model, &self.places, &measured, *key)),
        });
        let atlases = atlases.collect();
        Self { places: Arc::clone(&self.places), keys: self.keys.clone(), atlases, of: self.of.clone() }
    }

    /// Where each class was in other atlases of the same model: by number, and by class. `None` for an atlas that is the
    /// same one.
    #[must_use]
    pub fn counterparts(&self, before: &Self) -> Counterparts {
        let pairs = self.atlases.iter().zip(&before.atlases);
        Counterparts(pairs.map(|(now, before)| (!Arc::ptr_eq(now, before)).then(|| now.counterparts(before))).collect())
    }

    /// True if some service ranks by latency.
    #[must_use]
    pub fn is_measured(&self) -> bool {
        self.keys.iter().any(|(_, by, _)| matches!(by, By::Latency(_)))
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

fn build(model: &Model, places: &Places, measured: &Arc<Measured>, (ranking, by, regions): Key) -> Atlas {
    let nearness = match by {
        By::Distance(tolerance_m) => Nearness::Distance { tolerance_m },
        By::Latency(tolerance_us) => Nearness::Latency { tolerance_us, measured: Arc::clone(measured) },
    };
    Atlas::build(places, model, ranking, nearness, regions)
}

/// How a policy ranks by place; what is of no region fed ranks by place too. `None`: all regions are one tier. `telling`:
/// [`Model::regions_telling_load`].
fn key(model: &Model, service: &Service, telling: u128) -> Option<Key> {
    let Mode::ActiveActive { prefer, ranking, .. } = model.policy(service).mode else { return None };
    let by = match prefer {
        Prefer::Equal => return None,
        Prefer::Load if model.shares_by_load(service, telling) => return None,
        Prefer::Geo { tolerance_m } | Prefer::ResponseTime { tolerance_m } => By::Distance(tolerance_m),
        Prefer::Load => By::Distance(TOLERANCE_DEFAULT_M),
        Prefer::Latency { tolerance } => By::Latency(u32::try_from(tolerance.as_micros()).unwrap_or(u32::MAX)),
    };
    Some((ranking, by, service.region_mask()))
}

/// What `tolerance` is where the policy has none in meters.
const TOLERANCE_DEFAULT_M: u32 = 50_000;
