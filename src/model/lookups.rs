//! What is looked up in a model: things by their text keys, and what follows from several of them.

use crate::base::ids::{CheckId, EndpointId, RegionId, ServiceId};
use crate::dns::RecordType;

use super::feeds::{LoadFeed, METRIC_LOAD, METRIC_MAX};
use super::types::{Balance, Capacity, Endpoint, Mode, Model, Policy, Prefer, Region, Service, ServiceRegion};

impl Model {
    /// The region with this key.
    #[must_use]
    pub fn region_by_key(&self, key: &str) -> Option<RegionId> {
        let index = self.regions.binary_search_by(|region| region.key.as_ref().cmp(key)).ok()?;
        u8::try_from(index).ok().map(RegionId)
    }

    /// The service with this key.
    #[must_use]
    pub fn service_by_key(&self, key: &str) -> Option<ServiceId> {
        let index = self.services.binary_search_by(|service| service.key.as_ref().cmp(key)).ok()?;
        u32::try_from(index).ok().map(ServiceId)
    }

    /// The endpoint with this key (`service/region/address`).
    #[must_use]
    pub fn endpoint_by_key(&self, key: &str) -> Option<EndpointId> {
        let mut parts = key.splitn(3, '/');
        let service = self.service_by_key(parts.next()?)?;
        let region = self.region_by_key(parts.next()?)?;
        let service = &self.services[service.index()];
        let mut ids = service.regions.iter().find(|found| found.region == region)?.endpoint_ids();
        ids.find(|id| self.endpoints[id.index()].key.as_ref() == key)
    }

    /// All service ids with their services, by id.
    pub fn services(&self) -> impl Iterator<Item = (ServiceId, &Service)> {
        (0..).map(ServiceId).zip(&self.services)
    }

    /// The regions that can take only so much: a file says so, or their feeds or those of their endpoints do.
    #[must_use]
    pub fn limited_regions(&self) -> u128 {
        let tells = |feed: &LoadFeed| feed.feed().is_some_and(|feed| feed.tells(METRIC_MAX));
        let is_limited = |region: &Region| region.capacity != Capacity::Unlimited || tells(&region.load);
        let own = (0..).zip(&self.regions).filter(|(_, region)| is_limited(region));
        let own = own.fold(0, |set, (id, _): (u32, _)| set | 1 << id);
        let by_endpoints = self.endpoints.iter().filter(|endpoint| tells(&endpoint.load));
        by_endpoints.fold(own, |set, endpoint| set | 1 << endpoint.region.index())
    }

    /// The regions of which somebody tells the load, and what they can take.
    #[must_use]
    pub fn regions_telling_load(&self) -> u128 {
        let is_limited = |region: &Region| region.capacity != Capacity::Unlimited;
        let tells = |feed: &LoadFeed, metric: &str| feed.feed().is_some_and(|feed| feed.tells(metric));
        let own = (0..).zip(&self.regions).filter(|(_, region)| {
            region.load.feed().is_some() && (is_limited(region) || tells(&region.load, METRIC_MAX))
        });
        let own = own.fold(0, |set, (id, _): (u32, _)| set | 1 << id);
        let by_endpoints = self.endpoints.iter().filter(|endpoint| {
            let region = self.regions.get(endpoint.region.index());
            let is_limited = region.is_some_and(is_limited) || tells(&endpoint.load, METRIC_MAX);
            tells(&endpoint.load, METRIC_LOAD)
                && is_limited
                && region.is_some_and(|region| region.load.feed().is_none())
        });
        by_endpoints.fold(own, |set, endpoint| set | 1 << endpoint.region.index())
    }

    /// True if the regions of a service share by load: its policy says so, and the load of one of them is told. `telling`:
    /// [`Self::regions_telling_load`].
    #[must_use]
    pub fn shares_by_load(&self, service: &Service, telling: u128) -> bool {
        let prefers_load = matches!(self.policy(service).mode, Mode::ActiveActive { prefer: Prefer::Load, .. });
        prefers_load && service.region_mask() & telling != 0
    }

    /// True if the checks of a service see how long its servers work on an answer.
    #[must_use]
    pub fn sees_server_time(&self, service: &Service) -> bool {
        let check = |id: &CheckId| self.checks.get(id.index());
        service.checks.iter().filter_map(check).any(|check| check.kind.sees_server_time())
    }

    /// The policy of a service.
    #[must_use]
    pub fn policy(&self, service: &Service) -> &Policy {
        &self.policies[service.policy.index()]
    }
}

impl Balance {
    /// True if nothing but what is fed can tell the weights.
    #[must_use]
    pub const fn is_fed(self) -> bool {
        match self {
            Self::RoundRobin | Self::Weighted | Self::Random | Self::Hash => false,
            Self::LeastConnections
            | Self::WeightedLeastConnections
            | Self::LeastResponseTime
            | Self::LeastBandwidth
            | Self::Custom
            | Self::LeastRecentlyLoaded => true,
        }
    }
}

impl Service {
    /// Its regions as a set.
    #[must_use]
    pub fn region_mask(&self) -> u128 {
        self.regions.iter().fold(0, |mask, found| mask | 1 << found.region.index())
    }

    /// The types it owns at its names: those it has, and of A and AAAA both if it has one, because a service that
    /// answers with addresses answers for the missing family too.
    #[must_use]
    pub fn claims(&self) -> Vec<RecordType> {
        let mut claims = self.types.clone();
        let addresses = [RecordType::A, RecordType::AAAA];
        if claims.iter().any(|rtype| addresses.contains(rtype)) {
            claims.extend(addresses);
            claims.sort_unstable();
            claims.dedup();
        }
        claims
    }
}

impl ServiceRegion {
    /// The ids of its endpoints, in the order of the file.
    pub fn endpoint_ids(&self) -> impl Iterator<Item = EndpointId> + use<> {
        self.endpoints.clone().map(EndpointId)
    }
}

impl Endpoint {
    /// True if it answers for `rtype`.
    #[must_use]
    pub fn has(&self, rtype: RecordType) -> bool {
        self.records.iter().any(|record| record.rtype == rtype)
    }
}
