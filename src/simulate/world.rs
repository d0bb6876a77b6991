//! The world, second by second: what happens, what control and the planner make of it, what resolvers are answered and
//! hold, and what regions carry.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::answer::Demanded;
use crate::base::ids::{RegionId, ServiceId};
use crate::base::moment::Moment;
use crate::control::{self, CapacityPlanner, Changed, Command, Control, Demand, Effects, Order, Settings};
use crate::geo::ClassId;
use crate::health::Action;
use crate::model::{Capacity, Model};
use crate::policy::{Atlases, Verdict};
use crate::snapshot::{Asker, Steering};

use super::caches::{Caches, Shares};
use super::crowds::{Group, Member, groups};
use super::event::{Event, What};
use super::feeds::{FedCapacity, readings};
use super::probes::Probes;
use super::profile::Profile;

/// What is played on.
#[derive(Clone, Debug)]
pub struct Configuration {
    /// Its name for people.
    pub name: String,
    /// What is steered.
    pub model: Arc<Model>,
    /// Who is near, for this model.
    pub atlases: Arc<Atlases>,
    /// What the configuration says to control.
    pub settings: Settings,
}

/// How things stand before anything happens; by default everything is up.
#[derive(Clone, Debug, Default)]
pub struct Start {
    /// Targets of probes (`check@address`) that fail from the beginning to the end.
    pub failing: BTreeSet<String>,
    /// What operators have said.
    pub words: Vec<Command>,
    /// By region key: what its load feed says of its capacity, target and max.
    pub capacities: BTreeMap<String, (f64, f64)>,
}

/// A configuration with its clients at a moment.
pub struct World {
    /// Seconds since the beginning; before it everything settles.
    pub(super) second: i64,
    /// Seconds since the world is there.
    clock_s: i64,
    pub(super) control: Control,
    pub(super) steering: Steering,
    pub(super) groups: Vec<Group>,
    pub(super) crowds: Vec<Crowd>,
    /// Answers a second of clients that nobody can locate, at the beginning.
    pub(super) unlocated: f64,
    /// By region: nothing in it answers.
    pub(super) lost: Vec<bool>,
    /// By region: its load; by unit of its feed.
    pub(super) loads: Vec<f64>,
    /// Answers a second that go nowhere, or to a lost region.
    pub(super) unserved: f64,
    /// What control told, by second.
    pub(super) told: Vec<(i64, control::Event)>,
    atlases: Arc<Atlases>,
    planner: CapacityPlanner,
    probes: Probes,
    /// What is asked, in times of the beginning: by all, and by country.
    factor: f64,
    factors: BTreeMap<[u8; 2], f64>,
    worth: Vec<f64>,
    capacities: Vec<Option<FedCapacity>>,
    /// Seconds of TTL that are less than a whole one.
    carry: BTreeMap<(ServiceId, ClassId), f64>,
    changed: BTreeSet<ServiceId>,
    generation: u64,
}

/// A group in the world.
pub(super) struct Crowd {
    /// Answers a second.
    pub(super) demand: f64,
    pub(super) caches: Caches,
    pub(super) answer: Shares,
    ttl_s: u32,
    /// What the answer was worked out from.
    verdict: Option<Arc<Verdict>>,
}

/// The moment 0: any will do, as long as it is always the same.
const EPOCH: Moment = Moment(1_800_000_000_000);
/// Who says what the scenario says.
const OWNER: &str = "simulate";

impl World {
    /// A configuration, `warm_s` seconds before the beginning.
    #[must_use]
    pub fn new(configuration: &Configuration, profile: &Profile, start: &Start, warm_s: u32) -> Self {
        let Configuration { model, atlases, settings, .. } = configuration;
        let second = -i64::from(warm_s);
        let now = moment(0);
        // A profile is what all name servers are asked together.
        let mut control = Control::new(Settings { peers: 1, ..settings.clone() });
        let mut effects = vec![control.adopt(now, Arc::clone(model))];
        let probes = Probes::new(&control.targets(), model, &start.failing);
        for (id, outcome) in probes.first() {
            effects.push(control.observe(now, id, &outcome).1);
        }
        for word in &start.words {
            // A word about what this model does not have says nothing.
            effects.extend(control.command_unruled(now, word.clone()).ok().map(|(_, effects)| effects));
        }
        let steering = Steering::with_atlases(Arc::clone(model), Arc::clone(atlases), control.states(), 1);
        let (groups, unlocated) = groups(&steering, profile);
        let regions = model.regions.len();
        let by_region = |region: &crate::model::Region| {
            let &(target, max) = start.capacities.get(&*region.key)?;
            Some(FedCapacity { target, max })
        };
        let worth = |id: RegionId| profile.worth.get(&id).copied().unwrap_or(1.0);
        let mut world = Self {
            second,
            clock_s: 0,
            control,
            steering,
            crowds: Vec::new(),
            unlocated,
            lost: vec![false; regions],
            loads: vec![0.0; regions],
            unserved: 0.0,
            told: Vec::new(),
            atlases: Arc::clone(atlases),
            planner: CapacityPlanner::default(),
            probes,
            factor: 1.0,
            factors: BTreeMap::new(),
            worth: (0..).map(RegionId).take(regions).map(worth).collect(),
            capacities: model.regions.iter().map(by_region).collect(),
            carry: BTreeMap::new(),
            changed: BTreeSet::new(),
            generation: 1,
            groups,
        };
        world.crowds = world.groups.iter().map(|group| world.crowd(group)).collect();
        world.reckon();
        world
    }

    fn crowd(&self, group: &Group) -> Crowd {
        let (answer, ttl_s) = self.answer(group);
        let demand = group.members.iter().map(|member| self.demand(member)).sum();
        let caches = Caches::new(self.clock_s, ttl_s, &answer, self.lost.len());
        let verdict = self.steering.placement(group.decider).map(|placement| Arc::clone(&placement.verdict));
        Crowd { demand, caches, answer, ttl_s, verdict }
    }

    /// What a group is answered, and for how long.
    fn answer(&self, group: &Group) -> (Shares, u32) {
        let regions = self.steering.shares(group.service, group.network).map(|shares| shares.regions);
        let regions = regions.unwrap_or_default();
        let asker = match group.network {
            Some((address, bits)) => Asker { resolver: address, subnet: Some((address, bits)) },
            None => Asker { resolver: std::net::Ipv4Addr::UNSPECIFIED.into(), subnet: None },
        };
        let ttl = self.steering.decide(group.service, &asker).map_or(group.ttl_s, |decision| decision.ttl);
        let ttl_s = if regions.is_empty() { group.ttl_min_s } else { ttl.max(1) };
        (regions.into(), ttl_s)
    }

    /// Answers a second of some clients.
    pub(super) fn demand(&self, member: &Member) -> f64 {
        let own = member.country.and_then(|country| self.factors.get(&country).copied());
        member.demand * self.factor * own.unwrap_or(1.0)
    }

    /// A second goes by, at the begin of which these things happen.
    pub fn step(&mut self, happening: &[&Event]) {
        (self.second, self.clock_s) = (self.second + 1, self.clock_s + 1);
        let now = self.now();
        for event in happening {
            self.happen(&event.what);
        }
        self.observe(now);
        while self.control.next_deadline().is_some_and(|deadline| deadline <= now) {
            let effects = self.control.tick(now);
            self.follow(effects);
        }
        let model = Arc::clone(&self.steering.model);
        let readings = readings(&model, now, self.clock_s, &self.loads, &self.lost, &self.capacities);
        if !readings.is_empty() {
            let effects = self.control.report(now, readings);
            self.follow(effects);
        }
        self.publish();
        self.plan(now);
        self.publish();
        for crowd in &mut self.crowds {
            crowd.caches.second(self.clock_s, crowd.ttl_s, &crowd.answer);
        }
        self.reckon();
    }

    fn happen(&mut self, what: &What) {
        let now = self.now();
        match what {
            What::Lose(key) | What::Back(key) => {
                let Some(region) = self.steering.model.region_by_key(key) else { return };
                if let Some(lost) = self.lost.get_mut(region.index()) {
                    *lost = matches!(what, What::Lose(_));
                }
                self.probes.watch(now, region);
            }
            What::Drain(key) => {
                let order = Order { target: key.clone(), owner: OWNER.into(), confirm: true, ..Order::default() };
                // It was made sure that the region is there.
                if let Ok((_, effects)) = self.control.command_unruled(now, Command::Override(Action::Drain, order)) {
                    self.follow(effects);
                }
            }
            What::Scale(whom, factor) => {
                match whom {
                    None => self.factor = *factor,
                    Some(country) => drop(self.factors.insert(*country, *factor)),
                }
                let demands: Vec<f64> = self
                    .groups
                    .iter()
                    .map(|group| group.members.iter().map(|member| self.demand(member)).sum())
                    .collect();
                self.crowds.iter_mut().zip(demands).for_each(|(crowd, demand)| crowd.demand = demand);
            }
            What::Capacity { region, target, max } => self.resize(region, *target, *max),
        }
    }

    /// A reload with another capacity of a region; what its feed says of it is the same.
    fn resize(&mut self, key: &str, target: Option<u64>, max: u64) {
        let mut model = Model::clone(&self.steering.model);
        let Some(region) = model.region_by_key(key) else { return };
        let target = target.unwrap_or(max / 5 * 4 + max % 5 * 4 / 5);
        if let Some(region) = model.regions.get_mut(region.index()) {
            region.capacity = Capacity::Limited { target, max };
        }
        if let Some(Some(said)) = self.capacities.get_mut(region.index()) {
            #[expect(clippy::cast_precision_loss, reason = "a capacity, not a count")]
            let capacity = FedCapacity { target: target as f64, max: max as f64 };
            *said = capacity;
        }
        let model = Arc::new(model);
        let effects = self.control.adopt(self.now(), Arc::clone(&model));
        self.follow(effects);
        self.generation += 1;
        self.steering =
            Steering::with_atlases(model, Arc::clone(&self.atlases), self.control.states(), self.generation);
        self.changed.clear();
        self.renew();
    }

    /// Probes that end until now.
    fn observe(&mut self, now: Moment) {
        while let Some((at, id, outcome)) = self.probes.next(now, &self.lost) {
            let (cadence, effects) = self.control.observe(at.min(now), id, &outcome);
            self.probes.again(at, id, cadence);
            self.follow(effects);
        }
    }

    fn plan(&mut self, now: Moment) {
        if self.steering.cells().limited() == 0 {
            return;
        }
        let conditions = self.control.conditions(now);
        let mut seconds: BTreeMap<(ServiceId, ClassId), f64> = std::mem::take(&mut self.carry);
        for (group, crowd) in self.groups.iter().zip(&self.crowds) {
            *seconds.entry((group.decider, group.class)).or_default() += crowd.demand * f64::from(group.ttl_s);
        }
        let mut rows = Vec::with_capacity(seconds.len());
        for ((service, class), sum) in seconds {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast of floats saturates")]
            let whole = sum.floor() as u64;
            rows.push(Demanded { service, class, seconds: whole });
            self.carry.insert((service, class), sum - sum.floor());
        }
        let planning = self.planner.step(now, &self.steering, conditions, &Demand { rows, others: 0 });
        let effects = self.control.adopt_plan(now, planning);
        self.follow(effects);
    }

    fn follow(&mut self, effects: Effects) {
        match effects.changed {
            Changed::None => {}
            Changed::Services(services) => self.changed.extend(services),
            Changed::All => self.changed.extend(self.steering.model.services().map(|(id, _)| id)),
        }
        let second = self.second;
        self.told.extend(effects.events.into_iter().map(|event| (second, event)));
    }

    /// What changed is answered from here on.
    fn publish(&mut self) {
        if self.changed.is_empty() {
            return;
        }
        let changed: Vec<ServiceId> = std::mem::take(&mut self.changed).into_iter().collect();
        self.generation += 1;
        let table = self.control.table().of_generation(self.generation);
        self.steering = self.steering.next(table, self.control.states(), &changed);
        self.renew();
    }

    /// Answers of groups, where they may be others than before.
    fn renew(&mut self) {
        for (at, group) in self.groups.iter().enumerate() {
            let Some(placement) = self.steering.placement(group.decider) else { continue };
            let Some(crowd) = self.crowds.get(at) else { continue };
            let is_same = crowd.verdict.as_ref().is_some_and(|known| Arc::ptr_eq(known, &placement.verdict));
            let verdict = Some(Arc::clone(&placement.verdict));
            let (answer, ttl_s) = self.answer(group);
            // What says the same is the same, so that caches put it together.
            let answer = if is_same || crowd.answer == answer { Arc::clone(&crowd.answer) } else { answer };
            if let Some(crowd) = self.crowds.get_mut(at) {
                (crowd.answer, crowd.ttl_s, crowd.verdict) = (answer, ttl_s, verdict);
            }
        }
    }

    /// What regions carry.
    fn reckon(&mut self) {
        let mut answers = vec![0.0; self.lost.len()];
        let mut nowhere = 0.0;
        for crowd in &self.crowds {
            let mut rest = 1.0;
            for (answers, part) in answers.iter_mut().zip(crowd.caches.following()) {
                *answers += crowd.demand * part;
                rest -= part;
            }
            nowhere += crowd.demand * rest.max(0.0);
        }
        for (region, answers) in answers.into_iter().enumerate() {
            if self.lost[region] {
                nowhere += answers;
                self.loads[region] = 0.0;
            } else {
                self.loads[region] = answers * self.worth[region];
            }
        }
        self.unserved = if nowhere < 1e-9 { 0.0 } else { nowhere };
    }

    /// Load for each answer.
    pub(super) fn worth_of(&self, region: RegionId) -> f64 {
        self.worth.get(region.index()).copied().unwrap_or(1.0)
    }

    /// Target and max of a region now.
    pub(super) fn capacity(&self, region: RegionId) -> Option<(f64, f64)> {
        let number = |thousandths: u64| Duration::from_millis(thousandths).as_secs_f64();
        let (target, max) = self.control.capacity_of(region, self.now())?;
        Some((number(target), number(max)))
    }

    /// The present moment.
    pub(super) fn now(&self) -> Moment {
        moment(self.clock_s)
    }

    /// From here on this second is told, whatever it took to come here.
    pub(super) const fn rebase(&mut self, second: i64) {
        self.second = second;
    }

    /// Nothing is to move any more, as far as the plan is concerned.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.control.outlook().is_none_or(|outlook| outlook.plan.pending == 0)
    }
}

fn moment(second: i64) -> Moment {
    Moment(EPOCH.0.saturating_add_signed(second.saturating_mul(1_000)))
}
