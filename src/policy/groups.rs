//! Steering groups: services that decide by the same rule from the same regions, so that what one of them answers
//! with, all do that are in the same state.

use std::collections::BTreeMap;

use crate::base::ids::{PolicyId, RegionId, ServiceId};
use crate::model::{Follow, Model, Service};

use super::atlases::Atlases;

/// Which services decide alike, and which do not decide.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Groups {
    of: Box<[u32]>,
    followers: Box<[(ServiceId, ServiceId)]>,
}

impl Groups {
    pub(super) fn new(model: &Model, atlases: &Atlases) -> Self {
        type Rule<'m> = (PolicyId, Option<u32>, &'m [RegionId], Vec<(RegionId, u32)>, u8);
        let mut numbers: BTreeMap<Rule<'_>, u32> = BTreeMap::new();
        let mut of = Vec::with_capacity(model.services.len());
        for (id, service) in model.services() {
            let regions = service.regions.iter().map(|part| (part.region, part.weight)).collect();
            let next = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
            let rule = (service.policy, atlases.number_of(id), service.order.as_slice(), regions, service.trickle);
            of.push(*numbers.entry(rule).or_insert(next));
        }
        let leader_of = |(id, service)| leader(model, service).map(|leader| (id, leader));
        Self { of: of.into(), followers: model.services().filter_map(leader_of).collect() }
    }

    /// The group of a service.
    pub(super) fn of(&self, service: ServiceId) -> u32 {
        self.of.get(service.index()).copied().unwrap_or(u32::MAX)
    }

    /// Services that take over a decision, each with the service that makes it.
    pub(super) fn followers(&self) -> &[(ServiceId, ServiceId)] {
        &self.followers
    }
}

/// The service whose decisions `service` takes over in the end; validation made sure that the way ends.
pub fn leader(model: &Model, service: &Service) -> Option<ServiceId> {
    let mut last = None;
    let mut next = service.follow;
    while let Follow::Service(id) = next {
        last = Some(id);
        next = model.services[id.index()].follow;
    }
    last
}
