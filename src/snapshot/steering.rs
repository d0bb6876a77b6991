//! What steered names are answered from: ready records, and who gets which.
//!
//! For each service, region and type there is a ring of places: one for each endpoint that may be answered, its records
//! in wire form. An answer is a window of the ring, so it is a few small numbers (service, region, type, start); the TTL
//! is patched in. Rings are made when the table changes: a query evaluates no rule.

use std::collections::HashSet;
use std::sync::Arc;

use crate::base::hash::steering_hash;
use crate::base::ids::{EndpointId, RegionId, ServiceId};
use crate::base::limits::ANSWERS_MAX;
use crate::dns::RecordType;
use crate::model::{Balance, Endpoint, Model, Service, ServiceRegion};
use crate::policy::{Choice, Member, Pick, Placement, Placements, Reason, ring};
use crate::table::{RegionTable, Standing, States};
use crate::zone::RrsetData;

/// The model, the state of its regions, and the answers that follow.
#[derive(Clone, Debug)]
pub struct Steering {
    /// What is steered.
    pub model: Arc<Model>,
    /// What may be answered now.
    pub table: Arc<RegionTable>,
    /// What each service answers with.
    pub placements: Arc<Placements>,
    /// By [`ServiceId`].
    answers: Vec<Arc<Answers>>,
    /// Cursors a lane needs: one for each ring.
    cursors: u32,
}

/// The ready answers of one service.
#[derive(Clone, Debug)]
pub struct Answers {
    /// TTL of an answer in the service's present state, seconds.
    pub ttl: u32,
    /// The most a negative answer may live, seconds.
    pub negative_ttl: u32,
    rings: Vec<Ring>,
}

/// The answers of one service, region and type.
#[derive(Clone, Debug)]
pub struct Ring {
    /// `None`: the endpoints of all regions that are answered together.
    region: Option<RegionId>,
    rtype: RecordType,
    places: Box<[RrsetData]>,
    /// Some record stands in more than one place.
    has_repeats: bool,
    pick: Pick,
    /// Places one answer takes.
    window: usize,
    /// The number of the lane's cursor for it.
    pub cursor: u32,
}

impl Ring {
    /// Where the window of this query starts; see [`Pick::choose`].
    #[inline]
    pub fn start(&self, cursor: &mut u32, client: u64, draw: u64) -> usize {
        self.pick.choose(cursor, client, draw)
    }

    /// The records of the window that starts at place `start`, none of them twice (RFC 2181 §5).
    pub fn records(&self, start: usize) -> impl Iterator<Item = &[u8]> {
        let is_first = move |&(index, record): &(usize, &[u8])| {
            !self.has_repeats || !self.window(start).take(index).any(|earlier| earlier == record)
        };
        self.window(start).enumerate().filter(is_first).map(|(_, record)| record)
    }

    fn window(&self, start: usize) -> impl Iterator<Item = &[u8]> {
        let from = start.checked_rem(self.places.len()).unwrap_or(0);
        let (before, after) = self.places.split_at(from);
        after.iter().chain(before).take(self.window).flat_map(|place| place.view(self.rtype).rdatas())
    }
}

/// What a steered name is answered with, apart from which window of the ring.
#[derive(Clone, Copy, Debug)]
pub enum Decision<'s> {
    /// Records from this ring.
    Ring(&'s Ring, &'s Answers),
    /// The name exists and has nothing of the type now.
    NoData(&'s Answers),
    /// SERVFAIL.
    ServFail,
}

impl Steering {
    /// Everything that follows from a model whose endpoints are in `states`.
    #[must_use]
    pub fn new(model: Arc<Model>, states: &States, generation: u64) -> Self {
        let table = RegionTable::build(&model, states, generation);
        let placements = Placements::solve(&model, &table, None);
        let mut maker = Maker { model: &model, table: &table, placements: &placements, cursors: 0 };
        let answers = model.services().map(|(id, service)| Arc::new(maker.answers(id, service))).collect();
        let cursors = maker.cursors;
        Self { table: Arc::new(table), placements: Arc::new(placements), model, answers, cursors }
    }

    /// Cursors a lane needs.
    #[inline]
    #[must_use]
    pub const fn cursors(&self) -> usize {
        self.cursors as usize
    }

    /// The placement of a service; `None` for an id of another model.
    #[inline]
    #[must_use]
    pub fn placement(&self, service: ServiceId) -> Option<&Placement> {
        self.placements.of.get(service.index())
    }

    /// What a service answers a query of a type with; `client` is the steering hash of the client for the service.
    #[inline]
    #[must_use]
    pub fn decide(&self, service: ServiceId, rtype: RecordType, client: u64) -> Decision<'_> {
        let (Some(placement), Some(answers)) = (self.placement(service), self.answers.get(service.index())) else {
            return Decision::ServFail;
        };
        let region = match placement.choice {
            Choice::Region(region) => Some(region),
            Choice::Split(split) => match self.placements.split(split) {
                Some(split) => Some(split.at(client)),
                None => return Decision::ServFail,
            },
            Choice::All(_) => None,
            Choice::NoData => return Decision::NoData(answers),
            Choice::ServFail => return Decision::ServFail,
        };
        match answers.rings.iter().find(|ring| ring.region == region && ring.rtype == rtype) {
            Some(ring) if !ring.places.is_empty() => Decision::Ring(ring, answers),
            _ => Decision::NoData(answers),
        }
    }
}

impl Default for Steering {
    fn default() -> Self {
        let model = Arc::<Model>::default();
        let states = States::all_up(&model);
        Self::new(model, &states, 0)
    }
}

/// Makes the rings of all services.
struct Maker<'a> {
    model: &'a Model,
    table: &'a RegionTable,
    placements: &'a Placements,
    cursors: u32,
}

impl Maker<'_> {
    fn answers(&mut self, id: ServiceId, service: &Service) -> Answers {
        let policy = self.model.policy(service);
        let placement = self.placements.of.get(id.index());
        let together = placement.is_some_and(|placement| matches!(placement.choice, Choice::All(_)));
        let window = if together { ANSWERS_MAX } else { policy.answers };
        let table = self.table;
        let usable = || service.regions.iter().filter(|part| table.is_usable(id, part.region));
        let mut rings = Vec::new();
        for &rtype in &service.types {
            // RFC 2181 §10.1: a name has one CNAME, however many regions are answered together.
            let window = if rtype == RecordType::CNAME { 1 } else { window };
            if together {
                let endpoints: Vec<EndpointId> = usable().flat_map(ServiceRegion::endpoint_ids).collect();
                rings.push(self.ring(None, rtype, &endpoints, Balance::RoundRobin, window));
            } else {
                for part in usable() {
                    let endpoints: Vec<EndpointId> = part.endpoint_ids().collect();
                    rings.push(self.ring(Some(part.region), rtype, &endpoints, policy.balance, window));
                }
            }
        }
        let down = self.table.standing.get(id.index()).is_some_and(|standing| *standing >= Standing::AllDown)
            // Of the service that it follows, too.
            || placement.is_some_and(|placement| placement.reason == Reason::AllDown);
        let ttl = if down { service.ttl.min } else { service.ttl.max };
        Answers { ttl, negative_ttl: service.ttl.min, rings }
    }

    fn ring(
        &mut self,
        region: Option<RegionId>,
        rtype: RecordType,
        endpoints: &[EndpointId],
        balance: Balance,
        window: usize,
    ) -> Ring {
        let of_type = |endpoint: &Endpoint| endpoint.records.iter().any(|record| record.rtype == rtype);
        let (mut members, mut answers) = (Vec::new(), Vec::new());
        for &id in endpoints {
            let Some(endpoint) = self.model.endpoints.get(id.index()).filter(|endpoint| of_type(endpoint)) else {
                continue;
            };
            let (hash, usable) = (steering_hash(&[endpoint.key.as_bytes()]), self.table.is_answerable(id));
            members.push(Member { hash, weight: endpoint.weight, usable });
            let records = endpoint.records.iter().filter(|record| record.rtype == rtype);
            answers.push(RrsetData::new(0, records.map(|record| record.wire.as_ref())));
        }
        let places: Box<[RrsetData]> =
            ring(&members).into_iter().filter_map(|index| answers.get(index).cloned()).collect();
        let has_repeats = has_repeats(&places, rtype);
        let cursor = self.cursors;
        self.cursors += 1;
        Ring { region, rtype, places, has_repeats, pick: Pick::new(balance, &members), window, cursor }
    }
}

/// True if a record stands in the places more than once.
fn has_repeats(places: &[RrsetData], rtype: RecordType) -> bool {
    let counts = || places.iter().map(|place| usize::from(place.view(rtype).count()));
    // The usual region has one endpoint of a type, and this is done for every ring of every generation.
    if counts().sum::<usize>() < 2 {
        return false;
    }
    let mut seen = HashSet::new();
    places.iter().any(|place| place.view(rtype).rdatas().any(|record| !seen.insert(record)))
}
