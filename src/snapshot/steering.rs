//! What steered names are answered from: who gets which region, ready records, and for how long that holds.
//!
//! An answer is a few small numbers (service, region, type, start of a window of a ring); the TTL and the scope are
//! worked out from masks that were made when the table changed: a query evaluates no rule.

use std::net::IpAddr;
use std::sync::Arc;

use crate::base::chunks::Chunks;
use crate::base::ids::{PartId, RegionId, ServiceId};
use crate::dns::RecordType;
use crate::geo::{ClassId, Places};
use crate::model::{Model, Service};
use crate::policy::{
    Atlases, Choice, Chosen, ClientPrefix, Inputs, Placement, Placements, Ranked, Reason, Target, steer,
};
use crate::table::{PartState, RegionTable, STEADY, States};

use super::cells::Cells;
use super::rings::{Answers, Cursors, Maker, Ring, Together};

/// The model, the state of its regions, and the answers that follow.
#[derive(Clone, Debug)]
pub struct Steering {
    /// What is steered.
    pub model: Arc<Model>,
    /// What may be answered now.
    pub table: Arc<RegionTable>,
    /// What each service answers with.
    pub placements: Arc<Placements>,
    /// Who is near.
    pub atlases: Arc<Atlases>,
    /// By [`ServiceId`]: what no transition changes but one of endpoints that are answered.
    served: Chunks<Served>,
    /// By [`ServiceId`].
    lifetimes: Chunks<Lifetime>,
    cursors: Arc<Cursors>,
    cells: Arc<Cells>,
}

/// A service, ready to be answered.
#[derive(Clone, Debug, PartialEq)]
struct Served {
    answers: Arc<Answers>,
    /// Bounds of the TTL, seconds.
    min: u32,
    max: u32,
    /// The regions of the deciding service,
    regions: u128,
    /// and by region which part of it that is.
    parts: Arc<[PartId]>,
    /// The client subnet option counts.
    ecs: bool,
    /// Its HTTPS and SVCB records get address hints.
    hints: bool,
    /// Its answers count as demand: the capacity of a region that it may be answered with is limited.
    is_demand: bool,
}

/// For how long what a service answers holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Lifetime {
    /// Seconds to the next change that does not depend on the regions watched.
    due_s: u32,
    /// Seconds where all clients are alike.
    fixed_s: u32,
}

/// Who asks, as far as steering is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asker {
    /// The address the query came from.
    pub resolver: IpAddr,
    /// The network it is asked for (RFC 7871), with its length in bits.
    pub subnet: Option<(IpAddr, u8)>,
}

/// What a steered name is answered with, for all types.
#[derive(Clone, Copy, Debug)]
pub struct Decision<'s> {
    /// Where the client is sent.
    pub outcome: Outcome,
    /// Why there.
    pub reason: Reason,
    /// Seconds for which that holds.
    pub ttl: u32,
    /// The most a negative answer may live, seconds.
    pub negative_ttl: u32,
    /// How many leading bits of the client subnet decided.
    pub scope: u8,
    /// What the scope is at least where the hash decides.
    pub hashed_scope: u8,
    /// The client's steering hash.
    pub hash: u64,
    /// The service that decided.
    pub decided_by: ServiceId,
    /// The class of the client, of those that the deciding service tells apart.
    pub class: ClassId,
    /// It counts as demand on a region whose capacity is limited.
    pub is_demand: bool,
    /// Address hints are to be added to HTTPS and SVCB records.
    pub hints: bool,
    answers: &'s Answers,
}

/// Where a client is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// To this region.
    Region(RegionId),
    /// To all usable regions together.
    Together,
    /// To the policy's answer of last resort.
    Fallback,
    /// Nowhere: an empty answer.
    NoData,
    /// Nowhere: SERVFAIL.
    ServFail,
}

impl<'s> Decision<'s> {
    /// The ready records of a type; `None` if there are none for this client.
    #[inline]
    #[must_use]
    pub fn ring(&self, rtype: RecordType) -> Option<&'s Ring> {
        match self.outcome {
            Outcome::Region(region) => self.answers.of_region(region, rtype),
            Outcome::Together | Outcome::Fallback => self.answers.of_all(rtype),
            Outcome::NoData | Outcome::ServFail => None,
        }
    }

    /// Where it is counted if there are no records of a type: the first cell of a row.
    #[cold]
    #[must_use]
    pub fn cell(&self) -> u32 {
        self.answers.cell(if let Outcome::Region(region) = self.outcome { Some(region) } else { None })
    }

    /// How many leading bits of the client subnet decide which records of a ring it gets.
    #[inline]
    #[must_use]
    pub const fn scope_of(&self, ring: &Ring) -> u8 {
        if ring.depends_on_client() && self.hashed_scope > self.scope { self.hashed_scope } else { self.scope }
    }
}

impl Steering {
    /// Everything that follows from a model whose endpoints are in `states`, where nobody can be located but by the
    /// networks of its maps.
    #[must_use]
    pub fn new(model: Arc<Model>, states: &States, generation: u64) -> Self {
        let atlases = Arc::new(Atlases::new(&model, Arc::new(Places::none())));
        Self::with_atlases(model, atlases, states, generation)
    }

    /// Everything that follows from a model whose endpoints are in `states`; the atlases are of this model.
    #[must_use]
    pub fn with_atlases(model: Arc<Model>, atlases: Arc<Atlases>, states: &States, generation: u64) -> Self {
        let table = RegionTable::build(&model, states, generation);
        let placements = Placements::solve(Inputs { model: &model, table: &table, states, atlases: &atlases });
        let (cursors, cells) = (Arc::new(Cursors::new(&model)), Arc::new(Cells::new(&model)));
        let mut steering = Self {
            served: Chunks::default(),
            lifetimes: Chunks::default(),
            table: Arc::new(table),
            placements: Arc::new(placements),
            model: Arc::clone(&model),
            atlases,
            cursors,
            cells,
        };
        steering.served = model.services().map(|(id, service)| steering.serve(id, service)).collect();
        steering.lifetimes = model.services().map(|(id, _)| steering.lifetime(id, states)).collect();
        steering
    }

    /// The next steering of the same model, in which only these services differ (sorted, none twice): what a transition
    /// publishes.
    #[must_use]
    pub fn repaired(&self, states: &States, changed: &[ServiceId], generation: u64) -> Self {
        self.next(self.table.repaired(states, changed.iter().copied(), generation), states, changed)
    }

    /// The same with the next table at hand: it was repaired from this one's, and differs for these services alone.
    #[must_use]
    pub fn next(&self, table: RegionTable, states: &States, changed: &[ServiceId]) -> Self {
        let inputs = Inputs { model: &self.model, table: &table, states, atlases: &self.atlases };
        let placements = self.placements.repaired(inputs, &self.table, changed);
        let mut next = Self { table: Arc::new(table), placements: Arc::new(placements), ..self.clone() };
        let followers: Vec<ServiceId> = next.placements.followers(changed).collect();
        if followers.is_empty() {
            next.renew(self, states, changed);
        } else {
            let mut touched: Vec<ServiceId> = changed.iter().copied().chain(followers).collect();
            touched.sort();
            touched.dedup();
            next.renew(self, states, &touched);
        }
        next
    }

    /// Answers and lifetimes of services that changed (sorted), where they are others than before.
    fn renew(&mut self, before: &Self, states: &States, touched: &[ServiceId]) {
        let service_of = |index: usize| self.model.endpoints.get(index).map(|endpoint| endpoint.service);
        let mut stale: Vec<ServiceId> =
            self.table.answerable.differences(&before.table.answerable).filter_map(service_of).collect();
        stale.extend(self.table.reweighted(&before.table).filter_map(service_of));
        stale.extend(touched.iter().copied().filter(|&id| self.differs_together(before, id)));
        stale.sort_unstable();
        stale.dedup();
        let model = Arc::clone(&self.model);
        for id in stale {
            if let (Some(service), Some(served)) = (model.services.get(id.index()), self.served.get(id.index())) {
                let served = Served { answers: Arc::new(self.answers(id, service)), ..served.clone() };
                self.served.set(id.index(), served);
            }
        }
        let mut lifetimes = std::mem::take(&mut self.lifetimes);
        let mut editor = lifetimes.editor();
        for &id in touched {
            editor.put(id.index(), self.lifetime(id, states));
        }
        self.lifetimes = lifetimes;
    }

    /// True if what answers for all regions of a service is other than before.
    fn differs_together(&self, before: &Self, id: ServiceId) -> bool {
        match (self.placement(id), before.placement(id)) {
            (Some(now), Some(then)) if !Arc::ptr_eq(&now.verdict, &then.verdict) => {
                Together::from(&now.verdict.choice) != Together::from(&then.verdict.choice)
            }
            _ => false,
        }
    }

    /// The ready answers of a service in a region; `None` if it has nothing of this type there.
    pub(super) fn ring_of(&self, service: ServiceId, region: RegionId, rtype: RecordType) -> Option<&Ring> {
        self.served.get(service.index())?.answers.of_region(region, rtype)
    }

    /// Cursors a lane needs.
    #[inline]
    #[must_use]
    pub fn cursors(&self) -> usize {
        self.cursors.count()
    }

    /// Where answers are counted.
    #[inline]
    #[must_use]
    pub const fn cells(&self) -> &Arc<Cells> {
        &self.cells
    }

    /// The placement of a service; `None` for an id of another model.
    #[inline]
    #[must_use]
    pub fn placement(&self, service: ServiceId) -> Option<&Placement> {
        self.placements.of.get(service.index())
    }

    /// What a service answers a client with; `None` for an id of another model.
    #[inline]
    #[must_use]
    pub fn decide(&self, service: ServiceId, asker: &Asker) -> Option<Decision<'_>> {
        let (placement, served) = (self.placement(service)?, self.served.get(service.index())?);
        let lifetime = self.lifetimes.get(service.index())?;
        let subnet = asker.subnet.filter(|_| served.ecs);
        let (address, source) = subnet.unwrap_or((asker.resolver, u8::MAX));
        let prefix = ClientPrefix::new(address, source);
        let hash = steer(placement.seed, prefix);
        let (mut reason, mut ttl, mut scope, mut hashed) = (placement.verdict.reason, lifetime.fixed_s, 0, false);
        let mut class = ClassId::UNKNOWN;
        let outcome = match &placement.verdict.choice {
            Choice::Region(region) => Outcome::Region(*region),
            Choice::Split(split) => {
                hashed = true;
                let region = split.at(hash);
                if split.is_aside(region) {
                    reason = Reason::Trickle;
                }
                Outcome::Region(region)
            }
            Choice::Ranked(ranked) => {
                let (chosen, of_client, located) = rank(ranked, address, subnet.map(|_| asker.resolver), hash);
                class = of_client;
                (reason, scope, hashed) = (chosen.reason, located, chosen.hashed);
                ttl = self.ttl(served, lifetime.due_s, reason, chosen.watched);
                chosen.to.into()
            }
            Choice::All(_) => Outcome::Together,
            Choice::Fallback => Outcome::Fallback,
            Choice::NoData => Outcome::NoData,
            Choice::ServFail => Outcome::ServFail,
        };
        // A service that takes over a decision answers with what it has up there itself.
        let outcome = if placement.decided_by != service
            && let Outcome::Region(region) = outcome
            && !self.table.is_usable(service, region)
        {
            Outcome::NoData
        } else {
            outcome
        };
        let hashed_scope = prefix.scope();
        let scope = if hashed { scope.max(hashed_scope) } else { scope };
        let is_told = subnet.is_some();
        Some(Decision {
            outcome,
            reason,
            ttl,
            negative_ttl: served.min,
            scope: if is_told { scope } else { 0 },
            hashed_scope: if is_told { hashed_scope } else { 0 },
            hash,
            decided_by: placement.decided_by,
            class,
            is_demand: served.is_demand,
            hints: served.hints,
            answers: &served.answers,
        })
    }

    /// Seconds that answers of a service may be kept as far as these regions are concerned.
    pub(super) fn ttl_while(&self, service: ServiceId, watched: u128) -> Option<u32> {
        let (placement, index) = (self.placement(service)?, service.index());
        let (served, lifetime) = (self.served.get(index)?, self.lifetimes.get(index)?);
        Some(self.ttl(served, lifetime.due_s, placement.verdict.reason, watched))
    }

    /// Seconds until what is answered could change: the least over the regions watched, within the service's bounds.
    #[inline]
    fn ttl(&self, served: &Served, due_s: u32, reason: Reason, watched: u128) -> u32 {
        if matches!(reason, Reason::AllDown | Reason::Fallback) {
            return served.min;
        }
        let mut seconds = due_s;
        let mut left = watched & served.regions;
        while left != 0 {
            let part = served.parts.get(left.trailing_zeros() as usize).copied().unwrap_or(NO_PART);
            left &= left - 1;
            let steady_s = self.table.part(part).map_or(PartState::STEADY, |part| part.steady_s);
            if steady_s != PartState::STEADY {
                seconds = seconds.min(steady_s.into());
            }
        }
        seconds.clamp(served.min, served.max)
    }

    /// A service as it is to be answered as long as the model stands.
    fn serve(&self, id: ServiceId, service: &Service) -> Served {
        let decided_by = self.placement(id).map_or(id, |placement| placement.decided_by);
        let decider = self.model.services.get(decided_by.index()).unwrap_or(service);
        Served {
            answers: Arc::new(self.answers(id, service)),
            min: service.ttl.min,
            max: service.ttl.max,
            regions: decider.region_mask(),
            parts: parts(decider, self.table.part_ids(decided_by)),
            ecs: service.ecs,
            hints: service.hints,
            is_demand: decider.region_mask() & self.cells.limited() != 0,
        }
    }

    fn answers(&self, id: ServiceId, service: &Service) -> Answers {
        let together = self.placement(id).map(|placement| Together::from(&placement.verdict.choice));
        let maker = Maker { model: &self.model, table: &self.table, cursors: &self.cursors, cells: &self.cells };
        maker.answers(id, service, together.unwrap_or_default())
    }

    fn lifetime(&self, id: ServiceId, states: &States) -> Lifetime {
        let (Some(placement), Some(served)) = (self.placement(id), self.served.get(id.index())) else {
            return Lifetime { due_s: STEADY, fixed_s: 0 };
        };
        let change_s = |id: ServiceId| states.change_s.get(id.index()).copied().unwrap_or(STEADY);
        let mut due_s = change_s(id);
        if placement.decided_by != id {
            // A service that takes over a decision can also change by its own endpoints.
            let own = self.table.parts(id).map(|part| part.steady_s).min().filter(|&own| own != PartState::STEADY);
            due_s = due_s.min(change_s(placement.decided_by)).min(own.map_or(STEADY, u32::from));
        }
        let fixed_s = self.ttl(served, due_s, placement.verdict.reason, placement.verdict.watched);
        Lifetime { due_s, fixed_s }
    }
}

/// Stands for a region that is none of a service's.
const NO_PART: PartId = PartId(u32::MAX);

/// By region: which part of a service it is; `ids` are those of its regions, in their order.
fn parts(service: &Service, ids: &[PartId]) -> Arc<[PartId]> {
    let last = service.regions.iter().map(|part| part.region.index()).max().map_or(0, |last| last + 1);
    let mut parts = vec![NO_PART; last];
    for (part, &id) in service.regions.iter().zip(ids) {
        if let Some(place) = parts.get_mut(part.region.index()) {
            *place = id;
        }
    }
    parts.into()
}

/// What a client gets of a ranking, its class, and how many leading bits of its address decided that.
///
/// The location chain: the client subnet, then the resolver (`fallback`), then what the map and the service say of clients
/// that nobody can locate.
#[inline]
fn rank(ranked: &Ranked, address: IpAddr, fallback: Option<IpAddr>, hash: u64) -> (Chosen, ClassId, u8) {
    let Some(atlas) = &ranked.atlas else { return (ranked.choose(ClassId::UNKNOWN, hash), ClassId::UNKNOWN, 0) };
    let (mut class, scope) = atlas.locate(address);
    if class == ClassId::UNKNOWN
        && let Some(resolver) = fallback
    {
        (class, _) = atlas.locate(resolver);
    }
    (ranked.choose(class, hash), class, scope)
}

impl From<Target> for Outcome {
    fn from(target: Target) -> Self {
        match target {
            Target::Region(region) => Self::Region(region),
            Target::Fallback => Self::Fallback,
            Target::NoData => Self::NoData,
            Target::ServFail => Self::ServFail,
        }
    }
}

/// Two that answer alike for as long, whatever they were made from.
impl PartialEq for Steering {
    fn eq(&self, other: &Self) -> bool {
        self.model == other.model
            && self.table == other.table
            && self.placements.of == other.placements.of
            && self.served == other.served
            && self.lifetimes == other.lifetimes
    }
}

impl Default for Steering {
    fn default() -> Self {
        let model = Arc::<Model>::default();
        let states = States::all_up(&model);
        Self::new(model, &states, 0)
    }
}
