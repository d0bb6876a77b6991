//! What of the model a table is worked out from, laid out for one pass through memory.
//!
//! A region that fails whole changes every service at once; the model's own structures, with their places and texts,
//! would cost a cache miss at every step.

use std::ops::Range;

use crate::base::ids::{PartId, RegionId, ServiceId};
use crate::model::{MinUp, Model, ServiceRegion, WhenAllDown};

/// Services, their parts and endpoints by dense index.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Layout {
    services: Box<[Span]>,
    /// Service by service: its parts, in the order of its regions.
    slots: Box<[PartId]>,
    /// By [`PartId`]: region by region, inside it service by service.
    pub(super) parts: Box<[Part]>,
    /// By [`crate::base::ids::EndpointId`].
    pub(super) endpoints: Box<[Facts]>,
}

#[derive(Debug, PartialEq, Eq)]
struct Span {
    /// Where its slots start; they end where those of the next service start.
    start: u32,
    terms: Terms,
}

/// What is the same in all regions of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Terms {
    pub(super) min_up: MinUp,
    /// When all is down, what was up last is answered.
    pub(super) last_healthy: bool,
    /// Endpoints share by what is fed.
    pub(super) is_fed: bool,
}

/// A service in one region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) service: ServiceId,
    pub(super) region: RegionId,
    /// Its endpoints start here and end before `end`.
    pub(super) start: u32,
    pub(super) end: u32,
}

/// What does not change about an endpoint while the model stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) part: PartId,
    pub(super) weight: u32,
    /// It, its service and its region are.
    pub(super) is_enabled: bool,
    /// It has the type that its region is judged on.
    pub(super) is_judged: bool,
}

impl Layout {
    pub(super) fn new(model: &Model) -> Self {
        let mut services = Vec::with_capacity(model.services.len());
        let mut parts = Vec::new();
        for (id, service) in model.services() {
            let policy = model.policy(service);
            let last_healthy = policy.when_all_down == WhenAllDown::LastHealthy;
            let terms = Terms { min_up: service.min_up, last_healthy, is_fed: policy.balance.is_fed() };
            services.push(Span { start: number(parts.len()), terms });
            let part = |part: &ServiceRegion| {
                let Range { start, end } = part.endpoints;
                Part { service: id, region: part.region, start, end }
            };
            parts.extend(service.regions.iter().map(part));
        }
        let slots = by_region(&parts, model.regions.len());
        let mut ordered = parts.clone();
        slots.iter().zip(&parts).for_each(|(slot, part)| ordered[slot.index()] = *part);
        let endpoints = facts(model, &slots);
        Self { services: services.into(), slots, parts: ordered.into(), endpoints }
    }

    pub(super) fn part_count(&self) -> usize {
        self.parts.len()
    }

    /// The parts of a service, in the order of its regions.
    #[inline]
    pub(super) fn slots(&self, service: ServiceId) -> &[PartId] {
        let start = |index: usize| self.services.get(index).map_or(self.slots.len(), |span| span.start as usize);
        self.slots.get(start(service.index())..start(service.index() + 1)).unwrap_or_default()
    }

    #[inline]
    pub(super) fn part(&self, id: PartId) -> Option<&Part> {
        self.parts.get(id.index())
    }

    /// What is the same in all regions of a service.
    #[inline]
    pub(super) fn terms(&self, service: ServiceId) -> Terms {
        let unknown = Terms { min_up: MinUp::Count(1), last_healthy: false, is_fed: false };
        self.services.get(service.index()).map_or(unknown, |span| span.terms)
    }
}

/// Where each of these parts, which are in order of services, stands in order of regions.
fn by_region(parts: &[Part], region_count: usize) -> Box<[PartId]> {
    let mut next = vec![0_u32; region_count + 1];
    // First how many parts the regions before it have.
    parts.iter().for_each(|part| next[part.region.index() + 1] += 1);
    let mut sum = 0;
    for count in &mut next {
        sum += *count;
        *count = sum;
    }
    let take = |part: &Part| {
        let place = &mut next[part.region.index()];
        *place += 1;
        PartId(*place - 1)
    };
    parts.iter().map(take).collect()
}

fn facts(model: &Model, slots: &[PartId]) -> Box<[Facts]> {
    let nowhere = Facts { part: PartId(u32::MAX), weight: 0, is_enabled: false, is_judged: false };
    let mut endpoints = vec![nowhere; model.endpoints.len()];
    let parts = model.services.iter().flat_map(|service| service.regions.iter().map(move |part| (service, part)));
    for (&slot, (service, part)) in slots.iter().zip(parts) {
        let is_enabled = service.enabled && model.regions[part.region.index()].enabled;
        for id in part.endpoint_ids() {
            let endpoint = &model.endpoints[id.index()];
            endpoints[id.index()] = Facts {
                part: slot,
                weight: endpoint.weight,
                is_enabled: endpoint.enabled && is_enabled,
                is_judged: endpoint.has(part.judged),
            };
        }
    }
    endpoints.into()
}

/// More than 32 bits hold does not fit the memory it is read into.
fn number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}
