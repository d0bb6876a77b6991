//! A steering made ahead of the moment in which its model comes into force.
//!
//! To work out all answers of a large model takes seconds, in which states move on. So a loading thread does it against
//! states as it finds them, while transitions are published as ever; and when control has adopted the model, what is
//! other than it was taken to be is repaired, which takes no longer than any transition. It does not matter what
//! happened meanwhile, nor what was guessed wrong about the new model: all differences are found by comparing.

use std::sync::Arc;

use crate::base::ids::ServiceId;
use crate::model::Model;
use crate::policy::Atlases;
use crate::table::{Plans, RegionTable, States};

use super::steering::Steering;

/// A steering, and the states that it was made for.
#[derive(Debug)]
pub struct Prepared {
    steering: Steering,
    states: States,
}

impl Prepared {
    /// Works out everything for a model and its atlases, as far as `before`, another model in its states, tells what the
    /// states will be.
    #[must_use]
    pub fn new(model: Arc<Model>, atlases: Arc<Atlases>, before: (&Model, &States)) -> Self {
        let states = States::carried(&model, before);
        let steering = Steering::with_atlases(model, atlases, &states, 0);
        Self { steering, states }
    }

    /// The same for other atlases of the model in force, in its states, with what is planned for their classes.
    #[must_use]
    pub fn ranked(model: Arc<Model>, atlases: Arc<Atlases>, before: (&Model, &States), plans: Plans) -> Self {
        let states = States { plans, ..States::carried(&model, before) };
        let steering = Steering::with_atlases(model, atlases, &states, 0);
        Self { steering, states }
    }

    /// True if it is of this model with these atlases.
    #[must_use]
    pub fn is_of(&self, model: &Arc<Model>, atlases: &Arc<Atlases>) -> bool {
        Arc::ptr_eq(&self.steering.model, model) && Arc::ptr_eq(&self.steering.atlases, atlases)
    }

    /// The steering for states as they are now, and for the table that follows from them.
    #[must_use]
    pub fn adopted(&self, table: RegionTable, states: &States) -> Steering {
        let mut changed = table.changed_services(&self.steering.table);
        let services = (0..).map(ServiceId).take(self.steering.model.services.len());
        changed.extend(services.filter(|&id| {
            let index = id.index();
            states.held.get(index) != self.states.held.get(index)
                || states.change_s.get(index) != self.states.change_s.get(index)
                || states.ramp.of(id) != self.states.ramp.of(id)
                || states.plans.id_of(id) != self.states.plans.id_of(id)
                || states.region_weight.of(id) != self.states.region_weight.of(id)
        }));
        changed.sort();
        changed.dedup();
        self.steering.next(table, states, &changed)
    }
}
