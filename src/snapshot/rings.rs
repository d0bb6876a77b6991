//! The ready answers of a service: for each region and type a ring of places.
//!
//! There is one place for each endpoint that may be answered, its records in wire form. An answer is a window of the
//! ring. Which endpoints these are depends on their region alone, so rings last while regions come and go.

use std::collections::HashSet;

use crate::base::hash::steering_hash;
use crate::base::ids::{EndpointId, RegionId, ServiceId};
use crate::base::limits::ANSWERS_MAX;
use crate::dns::RecordType;
use crate::model::{Balance, Endpoint, Model, Record, Service, ServiceRegion, WhenAllDown};
use crate::policy::{Choice, Member, Pick, ring};
use crate::snapshot::cells::Cells;
use crate::table::RegionTable;
use crate::zone::{Rrset, RrsetData};

/// The ready answers of one service.
#[derive(Clone, Debug, PartialEq)]
pub struct Answers {
    /// By region: which of the service's regions it is; a region past the end or with [`NO_PART`] is none of it.
    parts: Box<[u8]>,
    types: Box<[RecordType]>,
    /// Region by region, in each type by type; those that answer for all regions follow.
    rings: Box<[Ring]>,
    region_count: usize,
}

/// The answers of one service, region and type.
#[derive(Clone, Debug, PartialEq)]
pub struct Ring {
    rtype: RecordType,
    places: Box<[RrsetData]>,
    /// Some record stands in more than one place.
    has_repeats: bool,
    pick: Pick,
    /// Places one answer takes.
    window: usize,
    /// The number of the lane's cursor for it.
    pub cursor: u32,
    /// Where its answers are counted: the first cell of a row.
    pub cell: u32,
}

impl Answers {
    /// The ring of a region and type; `None` if it has nothing.
    #[inline]
    pub(super) fn of_region(&self, region: RegionId, rtype: RecordType) -> Option<&Ring> {
        let part = *self.parts.get(region.index())?;
        self.ring(part.into(), rtype)
    }

    /// The ring of a type that answers for all regions.
    pub(super) fn of_all(&self, rtype: RecordType) -> Option<&Ring> {
        self.ring(self.region_count, rtype)
    }

    /// Where answers without records are counted: the first cell of a region's row, or of the one without a region.
    pub(super) fn cell(&self, region: Option<RegionId>) -> u32 {
        let part = region.and_then(|region| self.parts.get(region.index())).filter(|part| **part != NO_PART);
        let part = part.map_or(self.region_count, |part| usize::from(*part));
        self.rings.get(part * self.types.len()).map_or(u32::MAX, |ring| ring.cell)
    }

    #[inline]
    fn ring(&self, part: usize, rtype: RecordType) -> Option<&Ring> {
        let index = self.types.iter().position(|&own| own == rtype)?;
        self.rings.get(part * self.types.len() + index).filter(|ring| !ring.places.is_empty())
    }
}

impl Ring {
    /// Where the window of this query starts; see [`Pick::choose`].
    #[inline]
    pub fn start(&self, cursor: &mut u32, client: u64, draw: u64) -> usize {
        self.pick.choose(cursor, client, draw)
    }

    /// True if the client's hash decides where the window starts.
    #[inline]
    #[must_use]
    pub const fn depends_on_client(&self) -> bool {
        self.pick.depends_on_client()
    }

    /// The one place that an answer takes, where it takes no more: the usual case, for which [`Self::records`] does too
    /// much.
    #[inline]
    #[must_use]
    pub fn single(&self, start: usize) -> Option<Rrset<'_>> {
        let place = self.places.get(start).filter(|_| self.window == 1 || self.places.len() == 1)?;
        Some(place.view(self.rtype)).filter(|_| !self.has_repeats)
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

    /// All places of the ring, each with its records, for people.
    pub fn places(&self) -> impl Iterator<Item = impl Iterator<Item = &[u8]>> {
        self.places.iter().map(|place| place.view(self.rtype).rdatas())
    }

    /// How the window is chosen.
    #[must_use]
    pub const fn pick(&self) -> &Pick {
        &self.pick
    }
}

/// The numbers of the lanes' cursors. Only rings that can ever take turns have one of their own.
#[derive(Debug)]
pub(super) struct Cursors {
    /// By [`ServiceId`]: where its numbers start.
    starts: Box<[u32]>,
    count: u32,
}

impl Cursors {
    pub(super) fn new(model: &Model) -> Self {
        // Number 0 is for rings that never move it.
        let mut count = 1_u32;
        let starts = model.services.iter().map(|service| {
            let start = count;
            let turning = service.regions.iter().filter(|part| part.endpoints.len() > 1).count() + 1;
            count = count.saturating_add(u32::try_from(turning * service.types.len()).unwrap_or(u32::MAX));
            start
        });
        let starts = starts.collect();
        Self { starts, count }
    }

    pub(super) const fn count(&self) -> usize {
        self.count as usize
    }
}

/// What a ring has in every lane.
#[derive(Clone, Copy)]
struct Lane {
    cursor: u32,
    cell: u32,
}

/// What of a service answers for all regions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Together {
    /// The regions that answer in common.
    pub(super) regions: u128,
    /// The policy's fallback answers.
    pub(super) is_fallback: bool,
}

impl From<&Choice> for Together {
    fn from(choice: &Choice) -> Self {
        // Without regions that answer together nothing but the fallback can answer for all, and a client that a fence keeps
        // among regions which are down gets it while others are answered by theirs.
        if let Choice::All(regions) = choice {
            Self { regions: *regions, is_fallback: false }
        } else {
            Self { regions: 0, is_fallback: true }
        }
    }
}

/// Makes the rings of services.
pub(super) struct Maker<'a> {
    pub(super) model: &'a Model,
    pub(super) table: &'a RegionTable,
    pub(super) cursors: &'a Cursors,
    pub(super) cells: &'a Cells,
}

impl Maker<'_> {
    /// The answers of a service.
    pub(super) fn answers(&self, id: ServiceId, service: &Service, together: Together) -> Answers {
        let policy = self.model.policy(service);
        let mut cursor = self.cursors.starts.get(id.index()).copied().unwrap_or(0);
        let mut next_cursor = |turns: bool| {
            cursor += u32::from(turns);
            if turns { cursor - 1 } else { 0 }
        };
        // RFC 2181 §10.1: a name has one CNAME, however many regions are answered together.
        let window = |rtype: RecordType, usual: usize| if rtype == RecordType::CNAME { 1 } else { usual };
        let mut rings = Vec::with_capacity((service.regions.len() + 1) * service.types.len());
        for (number, part) in service.regions.iter().enumerate() {
            let endpoints: Vec<EndpointId> = part.endpoint_ids().collect();
            let cell = self.cells.of_part(id, number, Some(part.region));
            for &rtype in &service.types {
                let lane = Lane { cursor: next_cursor(endpoints.len() > 1), cell };
                rings.push(self.ring(rtype, &endpoints, policy.balance, window(rtype, policy.answers), lane));
            }
        }
        let usable = |part: &&ServiceRegion| together.regions >> part.region.index() & 1 == 1;
        let endpoints: Vec<EndpointId> =
            service.regions.iter().filter(usable).flat_map(ServiceRegion::endpoint_ids).collect();
        let cell = self.cells.of_part(id, service.regions.len(), None);
        for &rtype in &service.types {
            let (window, lane) = (window(rtype, ANSWERS_MAX), Lane { cursor: next_cursor(true), cell });
            let last_resort =
                if let WhenAllDown::Fallback(records) = &policy.when_all_down { Some(records) } else { None };
            rings.push(match last_resort.filter(|_| together.is_fallback) {
                Some(records) => fallback(records, rtype, window, lane),
                None => self.ring(rtype, &endpoints, Balance::RoundRobin, window, lane),
            });
        }
        let types = service.types.clone().into();
        let (parts, region_count) = (parts(service), service.regions.len());
        Answers { parts, types, rings: rings.into(), region_count }
    }

    fn ring(&self, rtype: RecordType, endpoints: &[EndpointId], balance: Balance, window: usize, lane: Lane) -> Ring {
        let of_type = |endpoint: &Endpoint| endpoint.records.iter().any(|record| record.rtype == rtype);
        let (mut members, mut loads, mut answers) = (Vec::new(), Vec::new(), Vec::new());
        for &id in endpoints {
            let Some(endpoint) = self.model.endpoints.get(id.index()).filter(|endpoint| of_type(endpoint)) else {
                continue;
            };
            let (hash, usable) = (steering_hash(&[endpoint.key.as_bytes()]), self.table.is_answerable(id));
            members.push(Member { hash, weight: endpoint.weight, usable });
            loads.push(self.table.load_weight(id));
            let records = endpoint.records.iter().filter(|record| record.rtype == rtype);
            answers.push(RrsetData::new(0, records.map(|record| record.wire.as_ref())));
        }
        let places: Box<[RrsetData]> =
            ring(&members).into_iter().filter_map(|index| answers.get(index).cloned()).collect();
        let has_repeats = has_repeats(&places, rtype);
        let Lane { cursor, cell } = lane;
        Ring { rtype, places, has_repeats, pick: Pick::new(balance, &members, &loads), window, cursor, cell }
    }
}

/// Stands for a region that is none of a service's. More parts than regions there are.
const NO_PART: u8 = u8::MAX;

/// By region: which part of a service it is.
fn parts(service: &Service) -> Box<[u8]> {
    let last = service.regions.iter().map(|part| part.region.index()).max().map_or(0, |last| last + 1);
    let mut parts = vec![NO_PART; last];
    for (number, part) in (0..).zip(&service.regions) {
        if let Some(place) = parts.get_mut(part.region.index()) {
            *place = number;
        }
    }
    parts.into()
}

/// The ring of the policy's records of last resort.
fn fallback(records: &[Record], rtype: RecordType, window: usize, lane: Lane) -> Ring {
    let own = records.iter().filter(|record| record.rtype == rtype);
    let places: Box<[RrsetData]> = own.map(|record| RrsetData::new(0, std::iter::once(record.wire.as_ref()))).collect();
    let pick = match u16::try_from(places.len()) {
        Ok(len @ 2..) => Pick::Turn { len },
        _ => Pick::Fixed,
    };
    let Lane { cursor, cell } = lane;
    Ring { rtype, has_repeats: has_repeats(&places, rtype), places, pick, window, cursor, cell }
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
