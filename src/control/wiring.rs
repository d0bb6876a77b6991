//! What depends on what in one model, so that an outcome touches nothing else.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::Range;
use std::sync::Arc;

use crate::base::ids::{CheckId, EndpointId, RegionId, ServiceId};
use crate::model::{Check, Checked, FeedWay, Model, RegionCheck};
use crate::policy::leader;

use super::loads::Source;
use super::targets::Retargeting;

/// The ways from targets to endpoints and back.
#[derive(Clone, Debug, Default)]
pub(super) struct Wiring {
    /// Endpoint by endpoint: the targets that must pass for it.
    needs: Vec<u32>,
    /// By endpoint: where its needs end.
    ends: Vec<u32>,
    /// By region: the services in it, with their endpoints.
    parts: Vec<Vec<(ServiceId, Range<u32>)>>,
    /// Who takes over the decisions of a service, by way of another one too.
    followers: BTreeMap<ServiceId, Vec<ServiceId>>,
    /// By service: the longest TTL that its answers, or those of its followers, may have, seconds.
    horizons: Vec<u32>,
}

impl Wiring {
    pub(super) fn new(model: &Model, targets: &mut Retargeting<'_>) -> Self {
        let checks: Vec<Arc<Check>> = model.checks.iter().cloned().map(Arc::new).collect();
        let mut known: BTreeMap<(CheckId, IpAddr), u32> = BTreeMap::new();
        let mut target = |targets: &mut Retargeting<'_>, id: CheckId, address: IpAddr| -> Option<u32> {
            let check = checks.get(id.index())?;
            Some(*known.entry((id, address)).or_insert_with(|| targets.want(check, address)))
        };
        let mut of_regions = Vec::with_capacity(model.regions.len());
        for (id, region) in (0..).map(RegionId).zip(&model.regions) {
            let number = match region.check {
                RegionCheck::Nothing => None,
                RegionCheck::Address(check, address) => target(targets, check, address),
            };
            number.into_iter().for_each(|number| targets.add_region(number, id));
            if let (Some(number), Some(feed)) = (number, region.load.feed())
                && matches!(feed.way, FeedWay::Check(_))
            {
                targets.add_feed(number, Source::Region(Arc::clone(&region.key)), feed);
            }
            of_regions.push(number);
        }
        let mut wiring = Self {
            parts: vec![Vec::new(); model.regions.len()],
            horizons: model.services.iter().map(|service| service.ttl.max).collect(),
            ..Self::default()
        };
        for (id, service) in model.services() {
            for part in &service.regions {
                if let Some(parts) = wiring.parts.get_mut(part.region.index()) {
                    parts.push((id, part.endpoints.clone()));
                }
            }
            if let Some(leader) = leader(model, service) {
                wiring.followers.entry(leader).or_default().push(id);
                if let Some(horizon) = wiring.horizons.get_mut(leader.index()) {
                    *horizon = service.ttl.max.max(*horizon);
                }
            }
        }
        for (id, endpoint) in (0..).map(EndpointId).zip(&model.endpoints) {
            if let Checked::Address(address) = endpoint.checked
                && let Some(service) = model.services.get(endpoint.service.index())
            {
                for &check in &service.checks {
                    if let Some(number) = target(targets, check, address) {
                        targets.add_endpoint(number, id);
                        wiring.needs.push(number);
                        if let Some(feed) = endpoint.load.feed().filter(|feed| feed.way == FeedWay::Check(check)) {
                            targets.add_feed(number, Source::Endpoint(Arc::clone(&endpoint.key)), feed);
                        }
                    }
                }
            }
            wiring.needs.extend(of_regions.get(endpoint.region.index()).copied().flatten());
            wiring.ends.push(u32::try_from(wiring.needs.len()).unwrap_or(u32::MAX));
        }
        wiring
    }

    /// The targets that must pass for an endpoint.
    #[inline]
    pub(super) fn needs(&self, endpoint: EndpointId) -> &[u32] {
        let start = endpoint.index().checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        let end = self.ends.get(endpoint.index()).copied().unwrap_or(start);
        self.needs.get(start as usize..end as usize).unwrap_or_default()
    }

    /// The services of a region, with their endpoints there.
    pub(super) fn parts(&self, region: RegionId) -> &[(ServiceId, Range<u32>)] {
        self.parts.get(region.index()).map_or(&[], Vec::as_slice)
    }

    /// True if anybody takes over anybody's decisions.
    pub(super) fn has_followers(&self) -> bool {
        !self.followers.is_empty()
    }

    /// Who takes over the decisions of a service.
    pub(super) fn followers(&self, service: ServiceId) -> &[ServiceId] {
        self.followers.get(&service).map_or(&[], Vec::as_slice)
    }

    /// Seconds from which on a change of the service matters to TTLs.
    pub(super) fn horizon(&self, service: ServiceId) -> u32 {
        self.horizons.get(service.index()).copied().unwrap_or(0)
    }
}
