//! The table itself, and how the next one comes from it.

use std::ops::Range;
use std::sync::Arc;

use crate::base::chunks::Chunks;
use crate::base::ids::{EndpointId, PartId, RegionId, ServiceId};
use crate::model::Model;

use super::bits::Bits;
use super::judge::{State, View, resort};
use super::layout::Layout;
use super::standing::{PartState, Standing, Why};
use super::states::States;

/// Parts of one chunk: a region's hundred thousand are a few dozen chunks.
const PARTS: usize = 4_096;
/// Endpoints of one chunk of weights.
const ENDPOINTS: usize = 4_096;

/// What may be answered, by dense id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegionTable {
    /// Counts up with every table published.
    pub generation: u64,
    /// By [`ServiceId`]: the regions that may be answered, as a set of [`RegionId`]s.
    pub usable: Chunks<u128>,
    /// By [`ServiceId`]: what the regions are usable for.
    pub standing: Chunks<Standing, 4_096>,
    /// By [`EndpointId`]: whether it is answered when its region is chosen.
    pub answerable: Bits,
    /// By [`EndpointId`]: whether it is up, whatever operators say.
    pub up: Bits,
    /// By [`EndpointId`]: what its load makes of its fair share, in 1/128; 0 where nothing is fed.
    load_weight: Chunks<u16, ENDPOINTS>,
    /// By [`PartId`].
    parts: Chunks<PartState, PARTS>,
    layout: Arc<Layout>,
}

/// A service in a region that is other than in the table before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The service.
    pub service: ServiceId,
    /// The region.
    pub region: RegionId,
    /// What is so now.
    pub state: PartState,
}

impl RegionTable {
    /// The table for a model whose endpoints are in `states`.
    #[must_use]
    pub fn build(model: &Model, states: &States, generation: u64) -> Self {
        let services = model.services.len();
        let layout = Arc::new(Layout::new(model));
        let start = PartState { why: Why::Disabled, is_guarded: false, steady_s: PartState::STEADY };
        let mut table = Self {
            generation,
            usable: Chunks::filled(&0, services),
            standing: Chunks::filled(&Standing::Gone, services),
            answerable: Bits::new(model.endpoints.len()),
            up: Bits::new(model.endpoints.len()),
            load_weight: Chunks::filled(&0, model.endpoints.len()),
            parts: Chunks::filled(&start, layout.part_count()),
            layout,
        };
        let all: Vec<PartId> = (0..).map(PartId).take(table.layout.part_count()).collect();
        table.repair(states, &all);
        table
    }

    /// The next table of the same model, in which only these services differ: what a transition publishes.
    #[must_use]
    pub fn repaired(&self, states: &States, changed: impl IntoIterator<Item = ServiceId>, generation: u64) -> Self {
        let mut table = Self { generation, ..self.clone() };
        let mut parts: Vec<PartId> =
            changed.into_iter().flat_map(|service| self.layout.slots(service)).copied().collect();
        parts.sort_unstable();
        parts.dedup();
        table.repair(states, &parts);
        table
    }

    /// The same under another number.
    #[must_use]
    pub fn of_generation(&self, generation: u64) -> Self {
        Self { generation, ..self.clone() }
    }

    /// Judges these parts anew, sorted and none twice, in place: what control does to see what a change means.
    pub fn repair(&mut self, states: &States, changed: &[PartId]) {
        let layout = Arc::clone(&self.layout);
        let region = |id: &PartId| layout.part(*id).map(|part| part.region);
        // Services without an eligible region, as far as has been seen.
        let mut doubtful = Vec::new();
        for run in changed.chunk_by(|one, other| region(one) == region(other)) {
            self.judge_run(&layout, states, run, &mut doubtful);
        }
        doubtful.sort_unstable();
        doubtful.dedup();
        for service in doubtful {
            self.resort(&layout, states, service);
        }
    }

    /// A service in each of its regions, in their order.
    pub fn parts(&self, service: ServiceId) -> impl Iterator<Item = PartState> {
        self.layout.slots(service).iter().filter_map(|part| self.parts.get(part.index()).copied())
    }

    /// The parts of a service, in the order of its regions.
    #[must_use]
    pub fn part_ids(&self, service: ServiceId) -> &[PartId] {
        self.layout.slots(service)
    }

    /// The part that an endpoint is in.
    #[inline]
    #[must_use]
    pub fn part_of(&self, endpoint: EndpointId) -> Option<PartId> {
        self.layout.endpoints.get(endpoint.index()).map(|facts| facts.part)
    }

    /// The service and the region of a part.
    #[inline]
    #[must_use]
    pub fn service_and_region(&self, part: PartId) -> Option<(ServiceId, RegionId)> {
        self.layout.part(part).map(|part| (part.service, part.region))
    }

    /// The endpoints of a part.
    #[must_use]
    pub fn endpoints_of(&self, part: PartId) -> Range<u32> {
        self.layout.part(part).map_or(0..0, |part| part.start..part.end)
    }

    /// The parts of a service in these regions.
    pub fn parts_in(&self, service: ServiceId, regions: u128) -> impl Iterator<Item = PartId> {
        let is_in =
            move |id: &PartId| self.layout.part(*id).is_some_and(|part| regions >> part.region.index() & 1 == 1);
        self.layout.slots(service).iter().copied().filter(is_in)
    }

    /// A service in one region; `None` for an id of another model.
    #[inline]
    #[must_use]
    pub fn part(&self, part: PartId) -> Option<PartState> {
        self.parts.get(part.index()).copied()
    }

    /// Why each region of a service is usable or not, in the order of the service's regions.
    #[must_use]
    pub fn why(&self, service: ServiceId) -> Vec<Why> {
        self.parts(service).map(|part| part.why).collect()
    }

    /// True if a service may be answered from a region.
    #[must_use]
    pub fn is_usable(&self, service: ServiceId, region: RegionId) -> bool {
        self.usable.get(service.index()).is_some_and(|usable| usable >> region.index() & 1 == 1)
    }

    /// The regions of a service that are eligible.
    #[must_use]
    pub fn eligible(&self, service: ServiceId) -> u128 {
        match self.standing.get(service.index()) {
            Some(Standing::Eligible) => self.usable.get(service.index()).copied().unwrap_or(0),
            Some(Standing::Drained | Standing::SomeUp | Standing::AllDown | Standing::Gone) | None => 0,
        }
    }

    /// True if an endpoint is answered when its region is chosen.
    #[must_use]
    pub fn is_answerable(&self, endpoint: EndpointId) -> bool {
        self.answerable.get(endpoint.index())
    }

    /// What the load of an endpoint makes of its fair share, in 1/128; 0 where nothing is fed.
    #[must_use]
    pub fn load_weight(&self, endpoint: EndpointId) -> u16 {
        self.load_weight.get(endpoint.index()).copied().unwrap_or(0)
    }

    /// The endpoints whose weight by load is another than in the table that this one was repaired from, as indices.
    pub fn reweighted(&self, before: &Self) -> impl Iterator<Item = usize> {
        self.load_weight.differences(&before.load_weight)
    }

    /// What differs from the table that this one was repaired from, however often, by service and region.
    #[must_use]
    pub fn differences(&self, before: &Self) -> Vec<Difference> {
        let differing = self.parts.differences(&before.parts).filter_map(|index| {
            let part = self.layout.parts.get(index)?;
            Some(Difference { service: part.service, region: part.region, state: *self.parts.get(index)? })
        });
        let mut differing: Vec<Difference> = differing.collect();
        // Mostly those of one region, which are in order.
        differing.sort_by_key(|difference| (difference.service, difference.region));
        differing
    }

    /// The services of which anything differs from another table of the same model; some may be there twice.
    #[must_use]
    pub fn changed_services(&self, other: &Self) -> Vec<ServiceId> {
        let of_part = |part: usize| self.layout.parts.get(part).map(|part| part.service);
        let of_endpoint = |endpoint: usize| {
            let facts = self.layout.endpoints.get(endpoint)?;
            self.layout.part(facts.part).map(|part| part.service)
        };
        let service = |index: usize| u32::try_from(index).ok().map(ServiceId);
        let services = self.usable.differences(&other.usable).chain(self.standing.differences(&other.standing));
        let endpoints = self.answerable.differences(&other.answerable).chain(self.up.differences(&other.up));
        let parts = self.parts.differences(&other.parts).filter_map(of_part);
        let endpoints = endpoints.chain(self.reweighted(other));
        services.filter_map(service).chain(endpoints.filter_map(of_endpoint)).chain(parts).collect()
    }

    /// Judges parts of one region.
    fn judge_run(&mut self, layout: &Layout, states: &States, run: &[PartId], doubtful: &mut Vec<ServiceId>) {
        let (mut usable, mut standing) = (self.usable.editor(), self.standing.editor());
        let (mut parts, mut answerable, mut up) = (self.parts.editor(), self.answerable.editor(), self.up.editor());
        let mut load_weight = self.load_weight.editor();
        for &id in run {
            let Some(part) = layout.part(id) else { continue };
            let terms = layout.terms(part.service);
            let view = View::new(layout, states, part, terms);
            for index in part.start as usize..part.end as usize {
                let Some(facts) = layout.endpoints.get(index) else { continue };
                answerable.set(index, view.answers(State::of(facts, states, index)));
                up.set(index, states.up.get(index).copied().unwrap_or(false));
            }
            if terms.is_fed {
                for index in part.start as usize..part.end as usize {
                    load_weight.put(index, states.load_weight.get(index).copied().unwrap_or(0));
                }
            }
            let state = view.state();
            parts.put(id.index(), state);
            let (service, bit) = (part.service.index(), 1_u128 << part.region.index());
            let was_eligible = standing.get(service) == Some(&Standing::Eligible);
            let others = if was_eligible { usable.get(service).copied().unwrap_or(0) & !bit } else { 0 };
            let eligible = if state.why == Why::Eligible { others | bit } else { others };
            if eligible == 0 {
                standing.put(service, Standing::Gone);
                doubtful.push(part.service);
            } else {
                standing.put(service, Standing::Eligible);
                usable.put(service, eligible);
            }
        }
    }

    /// Where a service turns to that has no eligible region.
    fn resort(&mut self, layout: &Layout, states: &States, service: ServiceId) {
        if self.standing.get(service.index()) == Some(&Standing::Eligible) {
            return;
        }
        let terms = layout.terms(service);
        let parts = layout.slots(service).iter().filter_map(|&id| layout.part(id));
        let views: Vec<View> = parts.map(|part| View::new(layout, states, part, terms)).collect();
        let (standing, usable) = resort(&views);
        self.standing.editor().put(service.index(), standing);
        self.usable.editor().put(service.index(), usable);
    }
}
