//! Words of operators, brought from text keys to the ids of one model.

use std::collections::BTreeMap;

use crate::base::ids::{EndpointId, RegionId, ServiceId};
use crate::base::moment::Moment;
use crate::health::{Override, Overrides, Target};
use crate::model::{Model, Service};
use crate::table::Word;

/// What a target is in a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    Region(RegionId),
    Part(ServiceId, RegionId),
    Endpoint(EndpointId),
}

impl Scope {
    /// What a target is; `None` if the model does not have it.
    pub(super) fn of(model: &Model, target: &str) -> Option<Self> {
        match Target::of(target) {
            Target::Region(region) => model.region_by_key(region).map(Self::Region),
            Target::Part(service, region) => {
                let (service, region) = (model.service_by_key(service)?, model.region_by_key(region)?);
                let is_there = model.services.get(service.index())?.regions.iter().any(|part| part.region == region);
                is_there.then_some(Self::Part(service, region))
            }
            Target::Endpoint(key) => model.endpoint_by_key(key).map(Self::Endpoint),
        }
    }
}

/// All words by what they are about; those about nothing in the model are left out.
#[derive(Clone, Debug, Default)]
pub(super) struct Words {
    regions: BTreeMap<RegionId, Said>,
    parts: BTreeMap<(ServiceId, RegionId), Said>,
    endpoints: BTreeMap<EndpointId, Said>,
}

/// What several words about one thing come to.
#[derive(Clone, Copy, Debug)]
struct Said {
    word: Word,
    /// When the first of them ends.
    expires: Option<Moment>,
}

const SILENCE: Said = Said { word: Word::Nothing, expires: None };

impl Said {
    fn and(self, other: Self) -> Self {
        Self { word: self.word.max(other.word), expires: earlier(self.expires, other.expires) }
    }
}

impl Words {
    pub(super) fn new(model: &Model, overrides: &Overrides) -> Self {
        let mut words = Self::default();
        for word in overrides.iter() {
            match Scope::of(model, &word.target) {
                Some(Scope::Region(region)) => say(&mut words.regions, region, word),
                Some(Scope::Part(service, region)) => say(&mut words.parts, (service, region), word),
                Some(Scope::Endpoint(endpoint)) => say(&mut words.endpoints, endpoint, word),
                None => {}
            }
        }
        words
    }

    /// Puts the words about a service into `states` (by endpoint): the regions in which any is another than before, and when
    /// the first of those that cover it ends.
    pub(super) fn apply(&self, id: ServiceId, service: &Service, states: &mut [Word]) -> (u128, Option<Moment>) {
        let (mut differs, mut expires) = (0_u128, None);
        for part in &service.regions {
            let of_region = self.regions.get(&part.region).copied().unwrap_or(SILENCE);
            let of_part = self.parts.get(&(id, part.region)).copied().unwrap_or(SILENCE).and(of_region);
            expires = earlier(expires, of_part.expires);
            for endpoint in part.endpoint_ids() {
                let said = match self.endpoints.get(&endpoint) {
                    Some(said) => said.and(of_part),
                    None => of_part,
                };
                expires = earlier(expires, said.expires);
                if let Some(state) = states.get_mut(endpoint.index()) {
                    differs |= u128::from(*state != said.word) << part.region.index();
                    *state = said.word;
                }
            }
        }
        (differs, expires)
    }
}

fn say<K: Ord>(about: &mut BTreeMap<K, Said>, key: K, word: &Override) {
    let said = Said { word: word.action.word(), expires: word.expires };
    about.entry(key).and_modify(|before| *before = before.and(said)).or_insert(said);
}

/// The earlier of two moments, of which either may never come.
pub(super) fn earlier(one: Option<Moment>, other: Option<Moment>) -> Option<Moment> {
    [one, other].into_iter().flatten().min()
}
