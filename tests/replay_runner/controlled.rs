//! Control, driven by a replay, and what publishing only what changed comes to.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use meridian::base::moment::Moment;
use meridian::control::{Changed, Control, Effects, Event, Reading, Room, Settings, Source};
use meridian::health::{Observation, Phases, Verdict};
use meridian::model::Model;
use meridian::table::{RegionTable, States};

use super::happening::{Answer, Happening, Whom};

/// Control at a moment of the replay.
pub(crate) struct Controlled {
    control: Control,
    settings: Settings,
    now: Moment,
    /// The states as they are published: brought up to date by [`Changed`] alone.
    states: States,
    /// Events that no step has passed over.
    events: VecDeque<Event>,
}

impl Controlled {
    /// A model comes into force, at some moment in the autumn of 2026.
    pub(crate) fn new(settings: Settings, model: &Arc<Model>) -> Result<Self, String> {
        let control = Control::new(settings.clone());
        let states = States::all_up(model);
        let mut this = Self { control, settings, now: Moment(1_795_000_000_000), states, events: VecDeque::new() };
        this.adopt(model)?;
        Ok(this)
    }

    /// What is published.
    pub(crate) const fn states(&self) -> &States {
        &self.states
    }

    /// Another model comes into force.
    pub(crate) fn adopt(&mut self, model: &Arc<Model>) -> Result<(), String> {
        let effects = self.control.adopt(self.now, Arc::clone(model));
        self.publish(effects)
    }

    /// One thing that happens; reloads are the world's.
    pub(crate) fn step(&mut self, happening: &Happening) -> Result<(), String> {
        match happening {
            Happening::Control(_) | Happening::Reload { .. } => Err("not here".into()),
            Happening::Time(time) => self.pass(*time),
            Happening::Load { of, metrics } => self.load(of, metrics),
            Happening::Probe { whom, verdict, times, every, took, reason } => {
                for time in 0..*times {
                    if time > 0 {
                        self.pass(*every)?;
                    }
                    self.probe(whom, *verdict, *took, reason)?;
                }
                Ok(())
            }
            Happening::Command { command, expected } => {
                match (self.control.command(self.now, command.clone()), expected) {
                    (Ok((done, effects)), Answer::Done(words)) => {
                        self.publish(effects)?;
                        let found = format!("{} {:?}", done.message, done.still);
                        if found.contains(words) { Ok(()) } else { Err(format!("answered {found}")) }
                    }
                    (Err(refusal), Answer::Refused(words)) if refusal.to_string().contains(words) => {
                        self.publish(Effects::default())
                    }
                    (Ok((done, _)), Answer::Refused(_)) => Err(format!("not refused: {}", done.message)),
                    (Err(refusal), _) => Err(format!("refused: {refusal}")),
                }
            }
            Happening::Restart(time) => self.restart(*time),
            Happening::Event { kind, words } => {
                let found = self.events.iter().position(|event| event.kind.as_str() == kind);
                let passed: Vec<Event> = self.events.drain(..found.map_or(0, |at| at + 1)).collect();
                match passed.last().map(Event::line) {
                    Some(line) if line.contains(words) => Ok(()),
                    Some(line) => Err(format!("the event says: {line}")),
                    None => Err(format!("only these events: {:?}", self.lines())),
                }
            }
            Happening::NoEvent { kind } => match self.events.iter().find(|event| event.kind.as_str() == kind) {
                None => Ok(()),
                Some(event) => Err(format!("there is one: {}", event.line())),
            },
            Happening::ForgetEvents => {
                self.events.clear();
                Ok(())
            }
            Happening::State { of, words } => self.state(of, &words.iter().map(String::as_str).collect::<Vec<_>>()),
        }
    }

    fn lines(&self) -> Vec<String> {
        self.events.iter().map(|event| format!("{} {}", event.kind.as_str(), event.line())).collect()
    }

    /// Time passes, and control hears of each of its deadlines.
    fn pass(&mut self, time: Duration) -> Result<(), String> {
        let end = self.now.after(time);
        loop {
            let evacuations = self.control.evacuation_views();
            let step = evacuations.iter().min_by_key(|one| one.due).filter(|one| one.due <= end);
            let deadline = self.control.next_deadline().filter(|deadline| *deadline <= end);
            if let Some(step) = step.filter(|step| deadline.is_none_or(|deadline| step.due <= deadline)) {
                self.now = self.now.max(step.due);
                let effects = self.control.step_evacuation(self.now, &step.region, &Room::default());
                self.publish(effects)?;
                continue;
            }
            let Some(deadline) = deadline else { break };
            self.now = self.now.max(deadline);
            let effects = self.control.tick(self.now);
            self.publish(effects)?;
            if self.control.next_deadline() == Some(deadline) {
                return Err("a deadline that does not go away".into());
            }
        }
        self.now = end;
        Ok(())
    }

    /// A load feed says something: what is asked for and what is pushed come to the same.
    fn load(&mut self, of: &str, metrics: &[(String, u64)]) -> Result<(), String> {
        let key = of.into();
        let source = if of.contains('/') { Source::Endpoint(key) } else { Source::Region(key) };
        let metrics = metrics.iter().map(|(name, value)| (name.as_str().into(), *value)).collect();
        let effects = self.control.report(self.now, vec![Reading { source, metrics, at: self.now }]);
        self.publish(effects)
    }

    fn probe(&mut self, whom: &Whom, verdict: Verdict, took: Option<Duration>, reason: &str) -> Result<(), String> {
        let targets = self.control.targets();
        let in_region = |region: &str| -> Vec<String> {
            let view = self.control.view(self.now);
            let endpoints = view.services.into_iter().flat_map(|service| service.endpoints);
            let those = endpoints.filter(|endpoint| endpoint.key.split('/').nth(1) == Some(region));
            those.flat_map(|endpoint| endpoint.targets).collect()
        };
        let ids: Vec<u64> = match whom {
            Whom::All => targets.iter().map(|target| target.id).collect(),
            Whom::Target(key) => targets.iter().filter(|target| *target.key == **key).map(|target| target.id).collect(),
            Whom::Region(region) => {
                let keys = in_region(region);
                targets.iter().filter(|target| keys.iter().any(|key| **key == *target.key)).map(|t| t.id).collect()
            }
        };
        if ids.is_empty() {
            return Err(format!(
                "no such target among {:?}",
                targets.iter().map(|target| &target.key).collect::<Vec<_>>()
            ));
        }
        for id in ids {
            let outcome = Observation {
                verdict,
                reason: reason.into(),
                warning: None,
                phases: took.map_or_else(Phases::default, |took| Phases {
                    connect: Some(Duration::ZERO),
                    tls: None,
                    first_byte: Some(took),
                    total: took,
                }),
                fed: Vec::new(),
            };
            let (_, effects) = self.control.observe(self.now, id, &outcome);
            self.publish(effects)?;
        }
        Ok(())
    }

    fn restart(&mut self, time: Duration) -> Result<(), String> {
        let saved = serde_json::to_string(&self.control.save(self.now)).map_err(|error| error.to_string())?;
        let saved = serde_json::from_str(&saved).map_err(|error| error.to_string())?;
        self.now = self.now.after(time);
        let model = Arc::clone(self.control.model());
        self.control = Control::new(self.settings.clone());
        self.control.restore(self.now, &saved);
        self.adopt(&model)
    }

    /// Takes over what changed, and nothing else: it must be the truth afterwards.
    fn publish(&mut self, effects: Effects) -> Result<(), String> {
        self.events.extend(effects.events);
        let (model, truth) = (Arc::clone(self.control.model()), self.control.states());
        match effects.changed {
            Changed::None => {}
            Changed::All => self.states = truth.clone(),
            Changed::Services(ids) => {
                for id in ids {
                    let endpoints = model.services[id.index()].regions.iter().flat_map(|part| part.endpoint_ids());
                    for endpoint in endpoints.map(|id| id.index()) {
                        self.states.up[endpoint] = truth.up[endpoint];
                        self.states.word[endpoint] = truth.word[endpoint];
                        self.states.guarded[endpoint] = truth.guarded[endpoint];
                        self.states.last_up[endpoint] = truth.last_up[endpoint];
                        self.states.steady_s[endpoint] = truth.steady_s[endpoint];
                        self.states.load_weight[endpoint] = truth.load_weight[endpoint];
                    }
                    self.states.change_s[id.index()] = truth.change_s[id.index()];
                    self.states.held[id.index()] = truth.held[id.index()];
                    self.states.ramp.copy(&truth.ramp, id);
                    self.states.region_weight.copy(&truth.region_weight, id);
                }
            }
        }
        if self.states == *truth { Ok(()) } else { Err("something changed that control did not say".into()) }
    }

    fn state(&self, of: &str, words: &[&str]) -> Result<(), String> {
        let expect = |found: String| {
            if found == words.join(" ") { Ok(()) } else { Err(format!("{of} is {found}, not {}", words.join(" "))) }
        };
        if of == "guard" {
            return expect(self.control.guard_view().phase.to_owned());
        }
        if of == "targets" {
            return expect(self.control.targets().len().to_string());
        }
        if of == "first-round" {
            return expect(if self.control.first_round_done() { "done" } else { "open" }.to_owned());
        }
        if of.contains('@') {
            let view = self.control.target_view(of).ok_or("no such target")?;
            let counters = if words.len() > 1 { format!(" {} {}", view.passes, view.failures) } else { String::new() };
            return expect(format!("{}{counters}", view.state.as_str()));
        }
        let model = self.control.model();
        if let (Some(id), ["weight", ..]) = (model.endpoint_by_key(of), words) {
            let weight = self.states.load_weight[id.index()];
            return expect(format!("weight {}", if weight == 0 { "none".to_owned() } else { weight.to_string() }));
        }
        if let Some(id) = model.endpoint_by_key(of) {
            let mut found = if self.states.up[id.index()] { "up" } else { "down" }.to_owned();
            let flags = [(self.states.guarded[id.index()], "guarded"), (self.states.last_up[id.index()], "last-up")];
            for (is_so, flag) in flags {
                // `guarded` is never left out; the others only matter where they are asked for.
                if is_so && (flag == "guarded" || words.contains(&flag)) {
                    found.push_str(&format!(" {flag}"));
                }
            }
            if words.contains(&"steady") {
                found.push_str(&format!(" steady {}", number(self.states.steady_s[id.index()])));
            }
            return expect(found);
        }
        let id = model.service_by_key(of).ok_or("neither target, endpoint nor service")?;
        let region_key = |region: meridian::base::ids::RegionId| model.regions[region.index()].key.to_string();
        match words {
            ["standing", ..] => {
                let view = self.control.service_view(id).ok_or("no view")?;
                expect(format!("standing {}", view.standing))
            }
            ["held", ..] => {
                expect(format!("held {}", self.states.held[id.index()].map_or("none".to_owned(), region_key)))
            }
            ["change", ..] => expect(format!("change {}", number(self.states.change_s[id.index()]))),
            ["ramp", region, ..] => {
                let region_id = model.region_by_key(region).ok_or("no such region")?;
                let part = self.states.ramp.get(id, region_id).map_or("none".to_owned(), |part| part.to_string());
                expect(format!("ramp {region} {part}"))
            }
            ["weight", region, ..] => {
                let region_id = model.region_by_key(region).ok_or("no such region")?;
                let weight = self.states.region_weight.get(id, region_id);
                expect(format!("weight {region} {}", weight.map_or("none".to_owned(), |weight| weight.to_string())))
            }
            ["region", region, ..] => {
                let table = RegionTable::build(model, &self.states, 1);
                let region_id = model.region_by_key(region).ok_or("no such region")?;
                let parts = &model.services[id.index()].regions;
                let at = parts.iter().position(|part| part.region == region_id).ok_or("not in the service")?;
                expect(format!("region {region} {}", table.why(id)[at].as_str()))
            }
            _ => Err("standing, held, change, ramp, weight or region".into()),
        }
    }
}

fn number(seconds: u32) -> String {
    if seconds == meridian::table::STEADY { "none".to_owned() } else { seconds.to_string() }
}
