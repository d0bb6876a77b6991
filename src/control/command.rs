//! What operators tell control to do, and why it may refuse.

use std::time::Duration;

use serde::Serialize;

use crate::base::ids::ServiceId;
use crate::base::limits::{EVENT_NAMES_MAX, OVERRIDE_TEXT_LEN_MAX, OVERRIDES_MAX};
use crate::base::moment::Moment;
use crate::base::suggest::nearest;
use crate::health::{Action, Override, Target};
use crate::table::Standing;

use super::clock::word_event;
use super::course::Course;
use super::evacuation::EvacuationOrder;
use super::event::{Effects, EventKind};
use super::follow::order_of;
use super::hub::Control;
use super::refusal::Refusal;
use super::step::Step;
use super::words::Scope;

/// Something to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// `drain`, `force up` or `force down`.
    Override(Action, Order),
    /// `enable`: takes back the words on exactly this target.
    Enable {
        /// `REGION`, `SERVICE/REGION` or `SERVICE/REGION/ADDRESS`.
        target: String,
        /// Who says so.
        owner: String,
    },
    /// `switch`: a region of an active-passive service becomes active now, and stays it.
    Switch {
        /// The service's key.
        service: String,
        /// The region's key.
        region: String,
        /// Who says so.
        owner: String,
    },
    /// `failback`: the best eligible region becomes active now.
    Failback {
        /// The service's key.
        service: String,
        /// Who says so.
        owner: String,
    },
    /// `guard release`: what the guard holds is applied now.
    GuardRelease {
        /// Who says so.
        owner: String,
    },
    /// `evacuate`: a region gives up its share in steps, and is drained in the end.
    Evacuate(EvacuationOrder),
    /// `evacuate --cancel`: it gets its share back.
    EndEvacuation {
        /// The region's key.
        region: String,
        /// Who says so.
        owner: String,
    },
    /// Another command, which these safety rules shall not refuse.
    DespiteRules {
        /// Their keys.
        rules: Vec<String>,
        /// Why: there has to be a reason.
        reason: String,
        /// What is to be done.
        command: Box<Self>,
    },
}

impl Command {
    /// Who says it.
    #[must_use]
    pub fn owner(&self) -> &str {
        match self {
            Self::Override(_, order) => &order.owner,
            Self::Evacuate(order) => &order.owner,
            Self::Enable { owner, .. }
            | Self::Switch { owner, .. }
            | Self::Failback { owner, .. }
            | Self::GuardRelease { owner }
            | Self::EndEvacuation { owner, .. } => owner,
            Self::DespiteRules { command, .. } => command.owner(),
        }
    }
}

/// A word to be said about a target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Order {
    /// `REGION`, `SERVICE/REGION` or `SERVICE/REGION/ADDRESS`.
    pub target: String,
    /// How long it stands; `None`: until somebody takes it back.
    pub lasting: Option<Duration>,
    /// Why.
    pub reason: String,
    /// Who says so.
    pub owner: String,
    /// Even if it takes away the last eligible region of a service.
    pub confirm: bool,
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Done {
    /// In words.
    pub message: String,
    /// When the word ends.
    pub until: Option<Moment>,
    /// When the last answer given before has expired in every cache; `None` if no answer changes.
    pub cached_until: Option<Moment>,
    /// Words that cover the target all the same: on it, on what it is part of, or on parts of it.
    pub still: Vec<Override>,
}

impl Control {
    /// Does what an operator says, if no safety rule refuses it.
    ///
    /// # Errors
    /// Why nothing was done; nothing is changed then.
    pub fn command(&mut self, now: Moment, command: Command) -> Result<(Done, Effects), Refusal> {
        if !self.has_begun {
            return Err(Refusal::NotReady);
        }
        let mut step = Step::new(now);
        let done = self.ruled(command, &mut step)?;
        Ok((done, step.finish()))
    }

    /// The same, whatever safety rules say: for what is only played.
    ///
    /// # Errors
    /// Why nothing was done; nothing is changed then.
    pub fn command_unruled(&mut self, now: Moment, command: Command) -> Result<(Done, Effects), Refusal> {
        let mut step = Step::new(now);
        let done = if self.has_begun { self.carry_out(command, &mut step)? } else { return Err(Refusal::NotReady) };
        Ok((done, step.finish()))
    }

    /// Does what is said, and all that follows.
    pub(super) fn carry_out(&mut self, command: Command, step: &mut Step) -> Result<Done, Refusal> {
        let now = step.now;
        let done = match command {
            Command::Override(action, order) => self.say(action, order, step)?,
            Command::Enable { target, owner } => self.enable(&target, &owner, step)?,
            Command::Switch { service, region, owner } => self.switch(&service, &region, &owner, step)?,
            Command::Failback { service, owner } => self.fail_back_now(&service, &owner, step)?,
            Command::GuardRelease { owner } => {
                let turn = self.guard.release().ok_or(Refusal::NothingHeld)?;
                let touched: Vec<ServiceId> = self.guarded_services();
                self.guard_turns(turn, step);
                let by = if owner.is_empty() { String::new() } else { format!(" by {owner}") };
                self.done(now, format!("the guard was released{by}: what failed counts as down"), &touched)
            }
            Command::Evacuate(order) => self.evacuate(order, step)?,
            Command::EndEvacuation { region, owner } => self.end_evacuation(&region, &owner, step)?,
            // Whoever carries it out has looked at the rules.
            Command::DespiteRules { command, .. } => return self.carry_out(*command, step),
        };
        self.settle(step);
        Ok(done)
    }

    pub(super) fn say(&mut self, action: Action, order: Order, step: &mut Step) -> Result<Done, Refusal> {
        let Order { target, lasting, reason, owner, confirm } = order;
        self.known(&target)?;
        if !action.may_last(lasting) {
            return Err(Refusal::NeedsEnd);
        }
        if owner.len().max(reason.len()) > OVERRIDE_TEXT_LEN_MAX {
            return Err(Refusal::TooLong);
        }
        if self.overrides.len() >= OVERRIDES_MAX {
            return Err(Refusal::TooMany);
        }
        let expires = lasting.map(|lasting| step.now.after(lasting));
        let word = Override { target: target.clone(), action, owner, reason, since: step.now, expires };
        let replaced = self.overrides.set(word.clone());
        let reworded = self.change_words([target.as_str()]);
        let covered: Vec<ServiceId> = reworded.iter().map(|(id, _)| *id).collect();
        let lost = if confirm || action == Action::Up { Vec::new() } else { self.lost_last(&reworded) };
        if !lost.is_empty() {
            // Back to what was before; nobody has seen the difference.
            match replaced {
                Some(before) => drop(self.overrides.set(before)),
                None => drop(self.overrides.remove(&target, action)),
            }
            self.change_words([target.as_str()]);
            let parts = self.reworded_parts(&reworded);
            self.table.repair(&self.states, &parts);
            let services = lost.iter().take(EVENT_NAMES_MAX).map(|&id| self.service_key(id)).collect();
            return Err(Refusal::LastRegion { services, count: lost.len() });
        }
        self.announce(&reworded, step);
        step.tell(word_event(step.now, EventKind::OverrideSet, &word));
        if action != Action::Up {
            self.overtake(&target, step);
        }
        step.save = true;
        let mut done = self.done(step.now, format!("{} {target}", action.as_str()), &covered);
        done.until = expires;
        done.still = self.covering(&target).filter(|other| **other != word).cloned().collect();
        Ok(done)
    }

    /// The services that have an eligible region and, by the words as they are now, will have none.
    fn lost_last(&mut self, reworded: &[(ServiceId, u128)]) -> Vec<ServiceId> {
        let parts = self.reworded_parts(reworded);
        self.table.repair(&self.states, &parts);
        let had = |id: &ServiceId| {
            self.courses.get(id.index()).is_some_and(|course: &Course| course.standing == Standing::Eligible)
        };
        let has = |id: &ServiceId| self.table.standing.get(id.index()) == Some(&Standing::Eligible);
        reworded.iter().map(|(id, _)| *id).filter(|id| had(id) && !has(id)).collect()
    }

    fn enable(&mut self, target: &str, owner: &str, step: &mut Step) -> Result<Done, Refusal> {
        let removed = self.overrides.enable(target);
        let region = self.model.region_by_key(target);
        let is_given_back = region.is_some_and(|region| self.give_back(target, region, owner, step));
        let still: Vec<Override> = self.covering(target).cloned().collect();
        if removed.is_empty() && !is_given_back {
            self.known(target)?;
            return Err(Refusal::NothingToEnable { target: target.to_owned(), still });
        }
        for word in &removed {
            let by = if owner.is_empty() { word.owner.clone() } else { owner.to_owned() };
            step.tell(word_event(step.now, EventKind::OverrideCleared, &Override { owner: by, ..word.clone() }));
        }
        step.save = true;
        let reworded = self.change_words([target]);
        let covered: Vec<ServiceId> = reworded.iter().map(|(id, _)| *id).collect();
        self.announce(&reworded, step);
        let covered = if is_given_back { self.covered(target) } else { covered };
        let mut done = self.done(step.now, format!("enabled {target}"), &covered);
        done.still = still;
        Ok(done)
    }

    fn switch(&mut self, key: &str, region_key: &str, owner: &str, step: &mut Step) -> Result<Done, Refusal> {
        let id = self.active_passive(key)?;
        let model = std::sync::Arc::clone(&self.model);
        let service = &model.services[id.index()];
        let order = order_of(service);
        let region = model.region_by_key(region_key).filter(|region| order.contains(region)).ok_or_else(|| {
            let order = order.iter().map(|region| self.region_key(*region)).collect::<Vec<_>>().join(", ");
            Refusal::NotInOrder { service: key.to_owned(), region: region_key.to_owned(), order }
        })?;
        let Some(course) = self.courses.get_mut(id.index()) else { return Err(not_active_passive(key)) };
        if course.eligible >> region.index() & 1 == 0 {
            let why = self.why_of(id, service, region);
            return Err(Refusal::NotEligible { service: key.to_owned(), region: region_key.to_owned(), why });
        }
        course.pinned = true;
        course.forget_better();
        let from = self.held(id).unwrap_or(region);
        if from != region {
            let why = if owner.is_empty() { "switched".to_owned() } else { format!("switched by {owner}") };
            self.tell_move(EventKind::ActiveMoved, service, (from, region), || why, step);
        }
        self.hold(id, Some(region));
        step.changed.push(id);
        step.save = true;
        self.plan(&model, id, step);
        Ok(self.done(step.now, format!("{region_key} is the active region of {key} and stays it"), &[id]))
    }

    fn fail_back_now(&mut self, key: &str, owner: &str, step: &mut Step) -> Result<Done, Refusal> {
        let id = self.active_passive(key)?;
        let model = std::sync::Arc::clone(&self.model);
        let service = &model.services[id.index()];
        let nothing = || Refusal::NothingBetter { service: key.to_owned() };
        let mut course = self.courses.get(id.index()).cloned().ok_or_else(nothing)?;
        let best = order_of(service).iter().copied().find(|region| course.eligible >> region.index() & 1 == 1);
        let best = best.ok_or_else(nothing)?;
        let message = if self.held(id) == Some(best) {
            if !course.pinned {
                return Err(nothing());
            }
            course.pinned = false;
            step.save = true;
            format!("{} is no longer held active for {key}", self.region_key(best))
        } else {
            let why = if owner.is_empty() { "by hand".to_owned() } else { format!("by {owner}") };
            self.fail_back(id, service, &mut course, best, &why, step);
            format!("{} is the active region of {key}", self.region_key(best))
        };
        if let Some(place) = self.courses.get_mut(id.index()) {
            *place = course;
        }
        self.plan(&model, id, step);
        Ok(self.done(step.now, message, &[id]))
    }

    fn active_passive(&self, key: &str) -> Result<ServiceId, Refusal> {
        let id = self.model.service_by_key(key).ok_or_else(|| {
            let keys = self.model.services.iter().map(|service| service.key.as_ref());
            Refusal::UnknownService { service: key.to_owned(), near: nearest(key, keys).map(str::to_owned) }
        })?;
        let service = self.model.services.get(id.index()).filter(|service| self.failback_of(service).is_some());
        service.map(|_| id).ok_or_else(|| not_active_passive(key))
    }

    /// A region that is not in the model.
    pub(super) fn unknown_region(&self, region: &str) -> Refusal {
        let keys = self.model.regions.iter().map(|region| region.key.as_ref());
        Refusal::UnknownRegion { region: region.to_owned(), near: nearest(region, keys).map(str::to_owned) }
    }

    fn known(&self, target: &str) -> Result<(), Refusal> {
        if Scope::of(&self.model, target).is_some() {
            return Ok(());
        }
        let regions = || self.model.regions.iter().map(|region| region.key.as_ref());
        let services = self.model.services.iter().map(|service| service.key.as_ref());
        let near = match Target::of(target) {
            Target::Region(key) => nearest(key, regions()).map(str::to_owned),
            // All of it, whichever part is mistyped: a part alone is another target.
            Target::Part(service, region) => {
                nearest(service, services).zip(nearest(region, regions())).map(|(one, other)| format!("{one}/{other}"))
            }
            // Whoever asks may get at the keys of endpoints in `status`; a search through all of them is too dear.
            Target::Endpoint(_) => None,
        };
        Err(Refusal::UnknownTarget { target: target.to_owned(), near: near.filter(|near| near != target) })
    }

    /// The words on a target, on what it is part of, and on parts of it.
    fn covering<'c>(&'c self, target: &'c str) -> impl Iterator<Item = &'c Override> {
        let whole = Scope::of(&self.model, target);
        self.overrides.iter().filter(move |word| {
            word.target == target
                || whole
                    .zip(Scope::of(&self.model, &word.target))
                    .is_some_and(|(one, other)| self.is_within(one, other) || self.is_within(other, one))
        })
    }

    fn is_within(&self, part: Scope, whole: Scope) -> bool {
        let endpoint = |id: crate::base::ids::EndpointId| self.model.endpoints.get(id.index());
        match (part, whole) {
            (Scope::Part(_, region), Scope::Region(other)) => region == other,
            (Scope::Endpoint(id), Scope::Region(other)) => endpoint(id).is_some_and(|found| found.region == other),
            (Scope::Endpoint(id), Scope::Part(service, region)) => {
                endpoint(id).is_some_and(|found| (found.service, found.region) == (service, region))
            }
            _ => part == whole,
        }
    }

    fn guarded_services(&self) -> Vec<ServiceId> {
        let endpoints = self.guarded.iter().filter_map(|id| self.model.endpoints.get(id.index()));
        endpoints.map(|endpoint| endpoint.service).collect()
    }

    pub(super) fn done(&self, now: Moment, message: String, services: &[ServiceId]) -> Done {
        let longest = services.iter().map(|&id| self.wiring.horizon(id)).max();
        let cached_until = longest.map(|seconds| now.after(Duration::from_secs(u64::from(seconds))));
        Done { message, until: None, cached_until, still: Vec::new() }
    }

    fn service_key(&self, id: ServiceId) -> String {
        self.model.services.get(id.index()).map(|service| service.key.to_string()).unwrap_or_default()
    }
}

fn not_active_passive(key: &str) -> Refusal {
    Refusal::NotActivePassive { service: key.to_owned() }
}
