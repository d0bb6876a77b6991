//! The state of control, and what can be asked of it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::base::ids::{EndpointId, ServiceId};
use crate::base::moment::Moment;
use crate::config;
use crate::health::{Guard, Health, Overrides};
use crate::model::Model;
use crate::table::{RegionTable, States};

use super::agenda::Agenda;
use super::balance::Balances;
use super::course::Course;
use super::evacuation::Evacuations;
use super::loads::Loads;
use super::moves::Moves;
use super::safety::Safety;
use super::saved::Saved;
use super::spill::Spilling;
use super::targets::{ProbeTarget, Targets};
use super::wiring::Wiring;
use super::words::{Words, earlier};

/// What the configuration says to control.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Regions that fail within this of each other fail together.
    pub guard_window: Duration,
    /// How long a joint failure is held when no reference target can be asked.
    pub guard_hold: Duration,
    /// Targets that tell our own uplink from the world.
    pub references: Vec<config::Target>,
    /// How long the endpoints of a new service count as up without an outcome.
    pub start_wait: Duration,
    /// How old a saved state of health may be.
    pub state_max_age: Duration,
    /// Name servers that share the clients, this one included.
    pub peers: u32,
    /// The part of a region's load that may leave it per TTL, in thousandths.
    pub step_max: u32,
    /// The part of all clients that automation may move within a minute while nothing fails, in thousandths.
    pub move_max: u32,
}

/// Those of a configuration that says nothing.
impl Default for Settings {
    fn default() -> Self {
        Self::from(&config::Config::default_in(Path::new("")))
    }
}

impl From<&config::Config> for Settings {
    fn from(config: &config::Config) -> Self {
        Self {
            guard_window: config.guard.window,
            guard_hold: config.guard.hold,
            references: config.guard.reference.clone(),
            start_wait: config.start.wait,
            state_max_age: config.state.max_age,
            peers: config.plan.peers,
            step_max: u32::from(config.plan.max_step) * 10,
            move_max: u32::from(config.plan.max_move) * 10,
        }
    }
}

/// Health, guard, overrides, active regions and ramps of everything that is steered.
#[derive(Clone, Debug)]
pub struct Control {
    pub(super) settings: Settings,
    pub(super) model: Arc<Model>,
    /// A model was adopted.
    pub(super) has_begun: bool,
    /// Of one model, so copies of control share it.
    pub(super) wiring: Arc<Wiring>,
    pub(super) targets: Targets,
    pub(super) states: States,
    /// What the states mean: kept to see what a change means.
    pub(super) table: RegionTable,
    /// By endpoint: what its checks say, whatever the guard holds.
    pub(super) real: Vec<Health>,
    /// By endpoint: whether it counts as up as long as its checks say nothing.
    pub(super) presumed: Vec<bool>,
    /// By endpoint: how often it went up or down.
    pub(super) flaps: Vec<u32>,
    /// Endpoints that the guard holds up.
    pub(super) guarded: BTreeSet<EndpointId>,
    pub(super) guard: Guard,
    pub(super) overrides: Overrides,
    pub(super) words: Words,
    /// By service.
    pub(super) courses: Vec<Course>,
    /// By service: how many of its endpoints are up, whatever operators say.
    pub(super) ups: Vec<u32>,
    /// By service: what was up last is what is up.
    pub(super) keeps_up: Vec<bool>,
    /// When to look at which service.
    pub(super) agenda: Agenda,
    /// New services, by the moment from which endpoints without an outcome count as down.
    pub(super) newcomers: BTreeMap<Moment, Vec<ServiceId>>,
    /// What safety rules go by.
    pub(super) safety: Safety,
    /// Regions that give up their share.
    pub(super) evacuations: Evacuations,
    /// What load feeds say.
    pub(super) loads: Loads,
    /// What is planned.
    pub(super) spilling: Spilling,
    /// What automation has moved.
    pub(super) moves: Moves,
    /// Who shares by that, and how.
    pub(super) balances: Balances,
    /// What an earlier process left, until a model comes.
    pub(super) restored: Option<Saved>,
}

impl Control {
    /// Control of nothing, until a model comes into force.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let model = Arc::<Model>::default();
        let states = States::all_up(&model);
        let table = RegionTable::build(&model, &states, 0);
        let guard = Guard::new(settings.guard_window, settings.guard_hold, settings.references.len());
        Self {
            settings,
            model,
            has_begun: false,
            wiring: Arc::default(),
            targets: Targets::default(),
            states,
            table,
            real: Vec::new(),
            presumed: Vec::new(),
            flaps: Vec::new(),
            guarded: BTreeSet::new(),
            guard,
            overrides: Overrides::default(),
            words: Words::default(),
            courses: Vec::new(),
            ups: Vec::new(),
            keeps_up: Vec::new(),
            agenda: Agenda::default(),
            newcomers: BTreeMap::new(),
            safety: Safety::default(),
            evacuations: Evacuations::default(),
            loads: Loads::default(),
            spilling: Spilling::default(),
            moves: Moves::default(),
            balances: Balances::default(),
            restored: None,
        }
    }

    /// Other settings, from the next [`Control::adopt`] on. What the guard holds it goes on holding.
    pub fn configure(&mut self, settings: Settings) {
        if settings == self.settings {
            return;
        }
        self.guard.configure(settings.guard_window, settings.guard_hold, settings.references.len());
        self.settings = settings;
    }

    /// The model in force; an empty one before the first.
    #[must_use]
    pub const fn model(&self) -> &Arc<Model> {
        &self.model
    }

    /// What a region table is to be made from; always that of the present moment.
    #[must_use]
    pub const fn states(&self) -> &States {
        &self.states
    }

    /// The region table that follows; always that of the present moment.
    #[must_use]
    pub const fn table(&self) -> &RegionTable {
        &self.table
    }

    /// What is to be probed, each once, by number; the guard's reference targets are among it.
    #[must_use]
    pub fn targets(&self) -> Vec<ProbeTarget> {
        let targets = self.targets.iter().map(|(number, target)| ProbeTarget {
            id: u64::from(number),
            key: Arc::clone(&target.key),
            check: Arc::clone(&target.check),
            address: target.address,
            wants: Arc::clone(&target.wants),
        });
        targets.collect()
    }

    /// True if every target has had an outcome, be it inconclusive.
    #[must_use]
    pub const fn first_round_done(&self) -> bool {
        self.has_begun && self.targets.is_heard()
    }

    /// When [`Control::tick`] has something to do.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Moment> {
        let agenda = self.agenda.first();
        let newcomers = self.newcomers.keys().next().copied();
        let others = earlier(self.overrides.next_expiry(), self.guard.deadline());
        let fed = earlier(self.feed_deadline(), self.balances.first());
        earlier(earlier(earlier(agenda, newcomers), others), fed).filter(|_| self.has_begun)
    }
}
