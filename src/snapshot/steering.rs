//! What steered names are answered from: who gets which region, ready records, and for how long that holds.
//!
//! An answer is a few small numbers (service, region, type, start of a window of a ring); the TTL and the scope are
//! worked out from masks that were made when the table changed: a query evaluates no rule.

use std::net::IpAddr;
use std::sync::Arc;

use crate::base::chunks::Chunks;
use crate::base::ids::{RegionId, ServiceId};
use crate::dns::RecordType;
use crate::geo::{ClassId, Places};
use crate::model::{Model, Service};
use crate::policy::{
    Atlases, Choice, Chosen, ClientPrefix, Inputs, Placement, Placements, Ranked, Reason, Target, steer,
};
use crate::table::{PartState, RegionTable, STEADY, Standing, States};

use super::cells::Cells;
use super::rings::{self, Answers, Cursors, Maker, Ring};

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
    /// By [`ServiceId`].
    served: Chunks<Served>,
    cursors: Arc<Cursors>,
    cells: Arc<Cells>,
}

/// A service, ready to be answered.
#[derive(Clone, Debug)]
struct Served {
    answers: Arc<Answers>,
    lifetime: Lifetime,
    /// The client subnet option counts.
    ecs: bool,
    /// Its HTTPS and SVCB records get address hints.
    hints: bool,
}

/// For how long what a service answers holds.
#[derive(Clone, Debug)]
struct Lifetime {
    /// Bounds, seconds.
    min: u32,
    max: u32,
    /// Seconds to the next change that does not depend on the regions watched.
    due_s: u32,
    /// Seconds where all clients are alike.
    fixed_s: u32,
    /// The regions of the deciding service,
    regions: u128,
    /// which of its parts each of them is,
    parts: Arc<[u8]>,
    /// and where those start in the table.
    parts_start: u32,
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
            table: Arc::new(table),
            placements: Arc::new(placements),
            model: Arc::clone(&model),
            atlases,
            cursors,
            cells,
        };
        steering.served =
            model.services().map(|(id, service)| steering.served_now(id, service, states, None)).collect();
        steering
    }

    /// The next steering of the same model, in which only these services differ (sorted, none twice): what a transition
    /// publishes.
    #[must_use]
    pub fn repaired(&self, states: &States, changed: &[ServiceId], generation: u64) -> Self {
        let table = self.table.repaired(states, changed.iter().copied(), generation);
        let inputs = Inputs { model: &self.model, table: &table, states, atlases: &self.atlases };
        let placements = self.placements.repaired(inputs, changed.iter().copied());
        let mut next = Self { table: Arc::new(table), placements: Arc::new(placements), ..self.clone() };
        let followers = next.placements.followers(changed).collect::<Vec<_>>();
        for &id in changed.iter().chain(&followers) {
            let Some(service) = self.model.services.get(id.index()) else { continue };
            let served = next.served_now(id, service, states, Some(self));
            next.served.set(id.index(), served);
        }
        next
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
        let subnet = asker.subnet.filter(|_| served.ecs);
        let (address, source) = subnet.unwrap_or((asker.resolver, u8::MAX));
        let prefix = ClientPrefix::new(address, source);
        let hash = steer(placement.seed, prefix);
        let (mut reason, mut ttl, mut scope, mut hashed) =
            (placement.verdict.reason, served.lifetime.fixed_s, 0, false);
        let outcome = match &placement.verdict.choice {
            Choice::Region(region) => Outcome::Region(*region),
            Choice::Split(split) => {
                hashed = true;
                Outcome::Region(split.at(hash))
            }
            Choice::Ranked(ranked) => {
                let (chosen, located) = rank(ranked, address, subnet.map(|_| asker.resolver), hash);
                (reason, scope, hashed) = (chosen.reason, located, chosen.hashed);
                ttl = self.ttl(&served.lifetime, reason, chosen.watched);
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
            negative_ttl: served.lifetime.min,
            scope: if is_told { scope } else { 0 },
            hashed_scope: if is_told { hashed_scope } else { 0 },
            hash,
            decided_by: placement.decided_by,
            hints: served.hints,
            answers: &served.answers,
        })
    }

    /// Seconds that answers of a service may be kept as far as these regions are concerned.
    pub(super) fn ttl_while(&self, service: ServiceId, watched: u128) -> Option<u32> {
        let (placement, served) = (self.placement(service)?, self.served.get(service.index())?);
        Some(self.ttl(&served.lifetime, placement.verdict.reason, watched))
    }

    /// Seconds until what is answered could change: the least over the regions watched, within the service's bounds.
    #[inline]
    fn ttl(&self, lifetime: &Lifetime, reason: Reason, watched: u128) -> u32 {
        if matches!(reason, Reason::AllDown | Reason::Fallback) {
            return lifetime.min;
        }
        let mut seconds = lifetime.due_s;
        let mut left = watched & lifetime.regions;
        while left != 0 {
            let part = lifetime.parts.get(left.trailing_zeros() as usize).copied().unwrap_or(0);
            left &= left - 1;
            let steady_s = self.table.steady_s(lifetime.parts_start as usize + usize::from(part));
            if steady_s != PartState::STEADY {
                seconds = seconds.min(steady_s.into());
            }
        }
        seconds.clamp(lifetime.min, lifetime.max)
    }

    /// A service as it is to be answered now. What the generation before has and is the same is taken over.
    fn served_now(&self, id: ServiceId, service: &Service, states: &States, before: Option<&Self>) -> Served {
        let choice = self.placement(id).map(|placement| &placement.verdict.choice);
        let together = if let Some(Choice::All(regions)) = choice { *regions } else { 0 };
        let is_fallback = self.placement(id).is_some_and(|placement| placement.verdict.choice == Choice::Fallback);
        let earlier = before.and_then(|before| Some((before, before.served.get(id.index())?)));
        let same = earlier.filter(|(before, served)| {
            served.answers.is_made_for(together, is_fallback)
                && service
                    .regions
                    .iter()
                    .flat_map(|part| part.endpoint_ids())
                    .all(|endpoint| before.table.is_answerable(endpoint) == self.table.is_answerable(endpoint))
        });
        let answers = same.map_or_else(
            || {
                let maker =
                    Maker { model: &self.model, table: &self.table, cursors: &self.cursors, cells: &self.cells };
                Arc::new(maker.answers(id, service, together, is_fallback))
            },
            |(_, served)| Arc::clone(&served.answers),
        );
        let lifetime = self.lifetime(id, service, states, &answers);
        Served { answers, lifetime, ecs: service.ecs, hints: service.hints }
    }

    fn lifetime(&self, id: ServiceId, service: &Service, states: &States, answers: &Answers) -> Lifetime {
        let placement = self.placement(id);
        let decided_by = placement.map_or(id, |placement| placement.decided_by);
        let change_s = |id: ServiceId| states.change_s.get(id.index()).copied().unwrap_or(STEADY);
        // A service that takes over a decision can also change by its own endpoints.
        let own = self.table.parts(id).map(|part| u32::from(part.steady_s)).min().unwrap_or(STEADY);
        let own = if decided_by == id || own == u32::from(PartState::STEADY) { STEADY } else { own };
        let is_down = self.table.standing.get(decided_by.index()).is_some_and(|found| *found >= Standing::AllDown);
        let (min, max) = (service.ttl.min, if is_down { service.ttl.min } else { service.ttl.max });
        let decider = self.model.services.get(decided_by.index()).filter(|_| decided_by != id);
        let mut lifetime = Lifetime {
            min,
            max,
            due_s: change_s(id).min(change_s(decided_by)).min(own),
            fixed_s: min,
            regions: decider.unwrap_or(service).region_mask(),
            parts: decider.map_or_else(|| Arc::clone(answers.parts()), rings::parts),
            parts_start: self.table.parts_start(decided_by),
        };
        if let Some(Placement { verdict, .. }) = placement {
            lifetime.fixed_s = self.ttl(&lifetime, verdict.reason, verdict.watched);
        }
        lifetime
    }
}

/// What a client gets of a ranking, and how many leading bits of its address decided that.
///
/// The location chain: the client subnet, then the resolver (`fallback`), then what the map and the service say of clients
/// that nobody can locate.
#[inline]
fn rank(ranked: &Ranked, address: IpAddr, fallback: Option<IpAddr>, hash: u64) -> (Chosen, u8) {
    let Some(atlas) = &ranked.atlas else { return (ranked.choose(ranked.class(None), hash), 0) };
    let (mut class, scope) = atlas.locate(address);
    if class == ClassId::UNKNOWN
        && let Some(resolver) = fallback
    {
        (class, _) = atlas.locate(resolver);
    }
    let found = (class != ClassId::UNKNOWN).then(|| atlas.class(class));
    (ranked.choose(ranked.class(found), hash), scope)
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

impl Default for Steering {
    fn default() -> Self {
        let model = Arc::<Model>::default();
        let states = States::all_up(&model);
        Self::new(model, &states, 0)
    }
}
