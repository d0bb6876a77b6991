//! What of the model a table is worked out from, laid out for one pass through memory.
//!
//! A region that fails whole changes every service at once; the model's own structures, with their places and texts,
//! would cost a cache miss at every step.

use crate::base::ids::{RegionId, ServiceId};
use crate::model::{MinUp, Model, WhenAllDown};

/// Services, their parts and endpoints by dense index.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Layout {
    services: Box<[Span]>,
    parts: Box<[Part]>,
    pub(super) endpoints: Box<[Facts]>,
}

#[derive(Debug, PartialEq, Eq)]
struct Span {
    /// Where its parts start; they end where those of the next service start.
    start: u32,
    terms: Terms,
}

/// What is the same in all regions of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Terms {
    pub(super) min_up: MinUp,
    /// When all is down, what was up last is answered.
    pub(super) last_healthy: bool,
}

/// A service in one region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) region: RegionId,
    /// Its endpoints start here and end before `end`.
    pub(super) start: u32,
    pub(super) end: u32,
}

/// What does not change about an endpoint while the model stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Facts {
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
        let mut endpoints = Vec::with_capacity(model.endpoints.len());
        for service in &model.services {
            // More parts than 32 bits hold do not fit the memory they are read into.
            let last_healthy = model.policy(service).when_all_down == WhenAllDown::LastHealthy;
            let terms = Terms { min_up: service.min_up, last_healthy };
            services.push(Span { start: u32::try_from(parts.len()).unwrap_or(u32::MAX), terms });
            for part in &service.regions {
                let region = &model.regions[part.region.index()];
                parts.push(Part { region: part.region, start: part.endpoints.start, end: part.endpoints.end });
                endpoints.extend(part.endpoint_ids().map(|id| &model.endpoints[id.index()]).map(|endpoint| Facts {
                    weight: endpoint.weight,
                    is_enabled: endpoint.enabled && service.enabled && region.enabled,
                    is_judged: endpoint.has(part.judged),
                }));
            }
        }
        Self { services: services.into(), parts: parts.into(), endpoints: endpoints.into() }
    }

    pub(super) fn part_count(&self) -> usize {
        self.parts.len()
    }

    /// The indices of a service's parts.
    pub(super) fn part_range(&self, service: ServiceId) -> std::ops::Range<usize> {
        let start = |index: usize| self.services.get(index).map_or(self.parts.len(), |span| span.start as usize);
        start(service.index())..start(service.index() + 1)
    }

    /// The parts of a service, and what is the same in all of them.
    pub(super) fn parts(&self, service: ServiceId) -> (&[Part], Terms) {
        let unknown = Terms { min_up: MinUp::Count(1), last_healthy: false };
        let terms = self.services.get(service.index()).map_or(unknown, |span| span.terms);
        (self.parts.get(self.part_range(service)).unwrap_or_default(), terms)
    }
}
