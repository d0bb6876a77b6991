//! What of the model a table is worked out from, laid out for one pass through memory.
//!
//! A region that fails whole changes every service at once; the model's own structures, with their places and texts,
//! would cost a cache miss at every step.

use crate::base::ids::{RegionId, ServiceId};
use crate::model::{MinUp, Model};

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
    min_up: MinUp,
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
            services.push(Span { start: u32::try_from(parts.len()).unwrap_or(u32::MAX), min_up: service.min_up });
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

    /// The parts of a service, and what each needs to be eligible.
    pub(super) fn parts(&self, service: ServiceId) -> (&[Part], MinUp) {
        let min_up = self.services.get(service.index()).map_or(MinUp::Count(1), |span| span.min_up);
        (self.parts.get(self.part_range(service)).unwrap_or_default(), min_up)
    }
}
