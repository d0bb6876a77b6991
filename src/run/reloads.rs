//! The thread that loads: asked by a signal or an operator, one load at a time.

use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Arc, PoisonError};
use std::time::Instant;

use tokio::sync::oneshot;

use crate::admin::{Doors, Look, ReloadOutcome};
use crate::base::diagnostic::{Diagnostic, Report, Severity};
use crate::base::limits::FINDINGS_SHOWN_MAX;
use crate::config::Config;
use crate::control::{self, Event, EventKind};
use crate::geo::Measured;
use crate::metrics::{Metrics, ReloadResult, ZoneState};
use crate::model::Model;
use crate::policy::{Atlases, Counterparts};
use crate::run::board::Board;
use crate::run::loader::{Loaded, Loader};
use crate::run::log;
use crate::run::notify::{Notice, notify};
use crate::run::priority::{BACKGROUND_NICENESS, give_way};
use crate::run::publisher::{self, Clock, Linked, Ranked};
use crate::run::recorder::Recorder;
use crate::run::settings::{Settings, SettingsError, load_settings, needs_restart, options};
use crate::run::surveyor::{Slot, SurveySettings, Surveyor};
use crate::serve::system::return_freed_memory;
use crate::snapshot::Prepared;

/// A wish for a reload.
pub(super) struct ReloadRequest {
    /// Even if most zones go away by it.
    pub(super) force: bool,
    /// Who wants it.
    pub(super) owner: String,
    /// Told what it came to.
    pub(super) done: Option<oneshot::Sender<ReloadOutcome>>,
}

/// What the loading thread is asked for.
pub(super) enum Wish {
    /// A reload.
    Reload(ReloadRequest),
    /// Something was measured of the ways to regions.
    Measured(Slot),
}

/// What the loading thread works with.
pub(super) struct Reloads {
    /// Where the configuration is read from.
    pub(super) settings: Settings,
    /// The configuration the server runs with.
    pub(super) config: Config,
    /// What is loaded.
    pub(super) loader: Loader,
    /// Where loads go.
    pub(super) events: Sender<publisher::Event>,
    /// Where they are counted.
    pub(super) metrics: Arc<Metrics>,
    /// Where the state of the zones is shown.
    pub(super) board: Arc<Board>,
    /// The tokens and the certificate of the admin listener.
    pub(super) doors: Arc<Doors>,
    /// Told what became of it.
    pub(super) recorder: Recorder,
    /// What time it is for the journal.
    pub(super) clock: Clock,
    /// What is known of the ways to regions.
    pub(super) surveyor: Surveyor,
}

impl Reloads {
    /// The first load, with the configuration as it is. Returns what it came to and everything found.
    pub(super) fn first(&mut self) -> (ReloadOutcome, Report) {
        let start = Instant::now();
        let loaded = self.loader.load(&load_settings(&self.config), true);
        self.publish(loaded, start, Vec::new())
    }

    /// Loads whenever asked, until nobody can ask any more.
    pub(super) fn run(mut self, wishes: &Receiver<Wish>) {
        give_way(BACKGROUND_NICENESS, "loader");
        while let Ok(first) = wishes.recv() {
            // One load answers all who wait: it begins after every one of them has asked.
            let (mut waiting, mut measured) = (Vec::new(), None);
            for wish in std::iter::once(first).chain(wishes.try_iter()) {
                match wish {
                    Wish::Reload(request) => waiting.push(request),
                    Wish::Measured(slot) => measured = slot.lock().unwrap_or_else(PoisonError::into_inner).take(),
                }
            }
            if let Some(measured) = measured {
                self.remeasure(measured);
            }
            if waiting.is_empty() {
                continue;
            }
            notify(Notice::Reloading);
            let outcome = self.reload(waiting.iter().any(|request| request.force));
            notify(Notice::Ready);
            self.doors.renew();
            let mut owners: Vec<String> = waiting.iter().map(|request| request.owner.clone()).collect();
            owners.sort();
            owners.dedup();
            self.tell(&outcome, owners.join(", "));
            for done in waiting.into_iter().filter_map(|request| request.done) {
                // Whoever asked may have gone.
                let _ = done.send(outcome.clone());
            }
            return_freed_memory();
        }
    }

    /// Puts a reload into the journal.
    fn tell(&self, outcome: &ReloadOutcome, owner: String) {
        let ReloadOutcome { result, added, changed, removed, errors, warnings, .. } = outcome;
        let mut cause = format!("{result}: {added} zones added, {changed} changed, {removed} removed");
        for (count, what) in [(errors, "errors"), (warnings, "warnings")] {
            if *count > 0 {
                cause.push_str(&format!(", {count} {what}"));
            }
        }
        let mut event = Event::new(self.clock.now(), EventKind::Reloaded, cause);
        event.owner = Some(owner);
        event.severity = match *result {
            "ok" => control::Severity::Info,
            "partial" => control::Severity::Warning,
            _ => control::Severity::Error,
        };
        self.recorder.event(event);
    }

    /// Publishes what follows from what is measured now.
    fn remeasure(&mut self, measured: Arc<Measured>) {
        let start = Instant::now();
        let Some((before, atlases)) = self.loader.remeasure(measured) else { return };
        let model = Arc::clone(self.loader.model());
        let (published, generation) = oneshot::channel();
        let counterparts = atlases.counterparts(&before);
        let prepared = self.prepare(&model, &atlases, Some(&counterparts));
        let ranked = Ranked { model, atlases, prepared, counterparts, published };
        // Both fail only when the publisher has ended, and with it the server.
        if self.events.send(publisher::Event::Ranked(Box::new(ranked))).is_ok() {
            let _ = generation.blocking_recv();
        }
        let duration_ms = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
        tracing::debug!(duration_ms, "ranked by what is measured");
    }

    fn reload(&mut self, force: bool) -> ReloadOutcome {
        let start = Instant::now();
        let (next, warnings) = match self.settings.read() {
            Ok(read) => read,
            Err(SettingsError(mut report)) => {
                report.push(Diagnostic::warning("not-reloaded", "nothing was reloaded: the configuration has errors"));
                log::report(&report);
                return self.outcome(ReloadResult::Refused, &report, start);
            }
        };
        log::report(&warnings);
        let restart = needs_restart(&self.config, &next);
        if !restart.is_empty() {
            tracing::warn!(keys = restart.join(", "), "changed keys of the configuration need a restart");
        }
        // What needs a restart stays what the server was started with, so that the next reload says so again.
        self.config.dns.zones = next.dns.zones;
        self.config.dns.origins = next.dns.origins;
        self.config.dns.udp_payload = next.dns.udp_payload;
        self.config.dns.nsid = next.dns.nsid;
        self.config.dns.version = next.dns.version;
        self.config.dns.id = next.dns.id;
        (self.config.geoip, self.config.guard, self.config.start) = (next.geoip, next.guard, next.start);
        self.config.latency = next.latency;
        self.surveyor.configure(SurveySettings::from(&self.config));
        let loaded = self.loader.load(&load_settings(&self.config), force);
        let (outcome, report) = self.publish(loaded, start, restart);
        log::report(&report);
        outcome
    }

    /// Publishes what was loaded and waits until queries are answered from it.
    fn publish(&mut self, loaded: Loaded, start: Instant, needs_restart: Vec<String>) -> (ReloadOutcome, Report) {
        let Loaded { zones, model, mut atlases, result, added, changed, removed, report } = loaded;
        if result != ReloadResult::Refused {
            // What an earlier process knew steers from the first answer on.
            if let Some(measured) = self.surveyor.attend(&model, atlases.places())
                && let Some((_, ranked)) = self.loader.remeasure(measured)
            {
                atlases = ranked;
            }
            let (published, generation) = oneshot::channel();
            let prepared = self.prepare(&model, &atlases, None);
            let (settings, options) = (control::Settings::from(&self.config), options(&self.config));
            let linked = Linked { zones, model, atlases, prepared, settings, options, published };
            // Both fail only when the publisher has ended, and with it the server.
            if self.events.send(publisher::Event::Reload(Box::new(linked))).is_ok() {
                let _ = generation.blocking_recv();
            }
            self.board.set_loaded(self.loader.gauges(), self.loader.has_stale_model());
        }
        let mut outcome = self.outcome(result, &report, start);
        (outcome.added, outcome.changed, outcome.removed) = (added.len(), changed.len(), removed.len());
        outcome.needs_restart = needs_restart;
        let touched = added.iter().chain(&changed).chain(&removed);
        outcome.touched = touched.take(FINDINGS_SHOWN_MAX).map(ToString::to_string).collect();
        tracing::info!(
            result = outcome.result,
            generation = outcome.generation,
            zones = outcome.zones,
            failed = outcome.zones_failed,
            stale = outcome.zones_stale,
            added = outcome.added,
            changed = outcome.changed,
            removed = outcome.removed,
            errors = outcome.errors,
            warnings = outcome.warnings,
            duration_ms = outcome.duration_ms,
            "loaded"
        );
        (outcome, report)
    }

    /// Works out all answers of a model that is not in force yet, here, where nobody waits: the publisher goes on with what
    /// happens meanwhile, and in the end repairs what is other than it was taken to be. `counterparts`: the model is the one in
    /// force, and where its classes were.
    fn prepare(
        &self,
        model: &Arc<Model>,
        atlases: &Arc<Atlases>,
        counterparts: Option<&Counterparts>,
    ) -> Option<Box<Prepared>> {
        let (answer, asked) = oneshot::channel();
        let (model, atlases) = (Arc::clone(model), Arc::clone(atlases));
        let look: Look = Box::new({
            let (model, atlases) = (Arc::clone(&model), Arc::clone(&atlases));
            move |control, snapshot, _| {
                let steering = &snapshot.steering;
                let is_served = Arc::ptr_eq(&steering.model, &model) && Arc::ptr_eq(&steering.atlases, &atlases);
                let states = (!is_served).then(|| (Arc::clone(control.model()), control.states().clone()));
                // The loader waits.
                let _ = answer.send(states);
            }
        });
        self.events.send(publisher::Event::Look(look)).ok()?;
        let (served, states) = asked.blocking_recv().ok().flatten()?;
        Some(Box::new(match counterparts.filter(|_| Arc::ptr_eq(&served, &model)) {
            Some(counterparts) => {
                let mut plans = states.plans.clone();
                plans.renumber(|id| counterparts.of(atlases.number_of(id)?));
                Prepared::ranked(model, atlases, (&served, &states), plans)
            }
            None => Prepared::new(model, atlases, (&served, &states)),
        }))
    }

    /// Counts a load that has just ended.
    fn outcome(&self, result: ReloadResult, report: &Report, start: Instant) -> ReloadOutcome {
        let duration = start.elapsed();
        self.metrics.count_reload(result, duration.as_secs_f64());
        self.board.reloaded(result);
        let count = |state| self.loader.count(state);
        let (failed, stale) = (count(ZoneState::Failed), count(ZoneState::Stale));
        ReloadOutcome {
            result: result.as_str(),
            generation: self.board.generation(),
            zones: count(ZoneState::Current) + failed + stale,
            zones_failed: failed,
            zones_stale: stale,
            added: 0,
            changed: 0,
            removed: 0,
            touched: Vec::new(),
            errors: report.count(Severity::Error),
            warnings: report.count(Severity::Warning),
            findings: report.iter().take(FINDINGS_SHOWN_MAX).map(Diagnostic::line).collect(),
            needs_restart: Vec::new(),
            duration_ms: u64::try_from(duration.as_millis()).unwrap_or(u64::MAX),
        }
    }
}
