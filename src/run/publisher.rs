//! The one thread that stores snapshots, and that drives control.
//!
//! Whoever has something new sends an [`Event`]. What has come in is judged at once and published together: the first at
//! once, the next not before [`PUBLISH_INTERVAL_MS`] have passed. Effects beside the publication (log, journal, targets of
//! probes) do not wait for it. It never reads, solves or writes a file itself.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::oneshot;

use crate::admin::{Commanded, Condition, Look, PushResults};
use crate::base::hash::HashKey;
use crate::base::ids::ServiceId;
use crate::base::limits::{EVENTS_MAX, PUBLISH_INTERVAL_MS, RETIRED_POLL_MS, STATE_INTERVAL_MS};
use crate::base::moment::Moment;
use crate::control::{
    Changed, Command, Control, Effects, Event as Happened, PlanChange, ProbeTarget, Pushed, Reading, Room, Settings,
    Severity,
};
use crate::feed::{Feeder, Told};
use crate::health::Observation;
use crate::model::Model;
use crate::model::document::Document;
use crate::policy::{Atlases, Counterparts};
use crate::probe::{Prober, Target};
use crate::run::board::Board;
use crate::run::priority::{BACKGROUND_NICENESS, give_way};
use crate::run::recorder::Recorder;
use crate::snapshot::{Options, Prepared, Published, Snapshot, Steering};
use crate::zone::ZoneSet;

/// Something that changes what is answered, or wants to look at it.
pub(super) enum Event {
    /// Files were loaded.
    Reload(Box<Linked>),
    /// Regions rank otherwise for clients of the model in force.
    Ranked(Box<Ranked>),
    /// A probe has ended; `reply` is told when the next one is to start.
    Outcome { target: u64, outcome: Observation, reply: oneshot::Sender<Duration> },
    /// A load feed was asked.
    Told(Told),
    /// Readings are told us; `reply` is told what became of each.
    Pushed { readings: Vec<Pushed>, reply: oneshot::Sender<PushResults> },
    /// An operator has spoken.
    Command { command: Box<Command>, condition: Condition, reply: oneshot::Sender<Commanded> },
    /// Somebody looks.
    Look(Look),
    /// Capacity was planned.
    Planned(Box<PlanChange>),
    /// A step of an evacuation is due, and this is what it would come to.
    Evacuate { region: String, room: Room },
}

/// Loaded parts, ready to be published.
pub(super) struct Linked {
    /// All zones.
    pub(super) zones: Arc<ZoneSet>,
    /// What is steered in them.
    pub(super) model: Arc<Model>,
    /// Who is near, for this model.
    pub(super) atlases: Arc<Atlases>,
    /// All answers, worked out for states as they were; `None` if model and atlases are those in force.
    pub(super) prepared: Option<Box<Prepared>>,
    /// What the configuration says to control.
    pub(super) settings: Settings,
    /// The server's own options.
    pub(super) options: Arc<Options>,
    /// Told the generation these parts are part of, once queries are answered from it.
    pub(super) published: oneshot::Sender<u64>,
}

/// Atlases in place of those in force.
pub(super) struct Ranked {
    /// The model they are of.
    pub(super) model: Arc<Model>,
    /// Who is near.
    pub(super) atlases: Arc<Atlases>,
    /// All answers, worked out for states as they were.
    pub(super) prepared: Option<Box<Prepared>>,
    /// Where their classes were in those in force.
    pub(super) counterparts: Counterparts,
    /// Told the generation that has them, once queries are answered from it.
    pub(super) published: oneshot::Sender<u64>,
}

/// What the publisher works with.
pub(super) struct Parts {
    pub(super) published: Arc<Published>,
    pub(super) key: HashKey,
    pub(super) board: Arc<Board>,
    pub(super) control: Control,
    pub(super) prober: Prober,
    pub(super) feeder: Feeder,
    pub(super) recorder: Recorder,
    pub(super) clock: Clock,
    /// Told once every target of the first model has had an outcome.
    pub(super) first_round: oneshot::Sender<()>,
}

/// Tells control what time it is: the wall clock at start, and from then on a clock that nobody sets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    start: Instant,
    start_ms: u64,
}

impl Clock {
    /// A clock that starts now.
    pub(super) fn start() -> Self {
        Self { start: Instant::now(), start_ms: wall_ms() }
    }

    /// What the wall clock is ahead of this one, milliseconds: it may have been set, or the machine have slept.
    pub(super) fn ahead_ms(&self) -> i64 {
        let (wall, now) = (wall_ms(), self.now().0);
        let apart = i64::try_from(wall.abs_diff(now)).unwrap_or(i64::MAX);
        if wall < now { -apart } else { apart }
    }

    /// This moment.
    pub(super) fn now(&self) -> Moment {
        Moment(self.start_ms.saturating_add(u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)))
    }
}

fn wall_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Starts the publisher and its janitor. They end when all senders of events are gone.
///
/// # Errors
/// If a thread can't be started.
pub(super) fn start(parts: Parts, incoming: Receiver<Event>) -> std::io::Result<thread::JoinHandle<()>> {
    let (janitor, retired) = sync_channel(EVENTS_MAX);
    thread::Builder::new().name("janitor".into()).spawn(move || free(&retired))?;
    let current = parts.published.load();
    let Parts { published, key, board, control, prober, feeder, recorder, clock, first_round } = parts;
    let publisher = Publisher {
        published,
        key,
        board,
        control,
        prober,
        feeder,
        recorder,
        clock,
        first_round: Some(first_round),
        janitor,
        current,
        retired: Vec::new(),
        last: None,
        pending: Pending::default(),
        save_at: None,
    };
    thread::Builder::new().name("publisher".into()).spawn(move || publisher.run(&incoming))
}

struct Publisher {
    published: Arc<Published>,
    key: HashKey,
    board: Arc<Board>,
    control: Control,
    prober: Prober,
    feeder: Feeder,
    recorder: Recorder,
    clock: Clock,
    first_round: Option<oneshot::Sender<()>>,
    janitor: SyncSender<Arc<Snapshot>>,
    /// The snapshot in force.
    current: Arc<Snapshot>,
    retired: Vec<Arc<Snapshot>>,
    last: Option<Instant>,
    pending: Pending,
    save_at: Option<Instant>,
}

/// What has come in since the last publication.
#[derive(Default)]
struct Pending {
    /// The newest loaded parts.
    loaded: Option<Loaded>,
    /// Services that changed, some maybe twice.
    changed: Vec<ServiceId>,
    /// All did.
    all: bool,
    /// Told the generation that has it.
    waiting: Vec<oneshot::Sender<u64>>,
}

struct Loaded {
    zones: Arc<ZoneSet>,
    model: Arc<Model>,
    atlases: Arc<Atlases>,
    prepared: Option<Box<Prepared>>,
    options: Arc<Options>,
}

impl Publisher {
    fn run(mut self, incoming: &Receiver<Event>) {
        loop {
            match incoming.recv_timeout(self.patience()) {
                Ok(first) => {
                    for event in std::iter::once(first).chain(incoming.try_iter().take(EVENTS_MAX)) {
                        self.take(event);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            let now = self.clock.now();
            if self.control.next_deadline().is_some_and(|deadline| deadline <= now) {
                let effects = self.control.tick(now);
                self.follow(effects);
            }
            if self.is_due() {
                self.publish();
            }
            self.save_when_due();
            self.tell_first_round();
            self.retire();
        }
        self.recorder.state(self.control.save(self.clock.now()));
    }

    /// How long to wait for an event.
    fn patience(&self) -> Duration {
        let mut patience = Duration::from_secs(60);
        if let Some(deadline) = self.control.next_deadline() {
            patience = patience.min(deadline.since(self.clock.now()).max(Duration::from_millis(1)));
        }
        if self.pending.is_something() {
            patience = patience.min(self.until_due());
        }
        if !self.retired.is_empty() {
            patience = patience.min(Duration::from_millis(RETIRED_POLL_MS));
        }
        if let Some(at) = self.save_at {
            patience = patience.min(at.saturating_duration_since(Instant::now()));
        }
        patience
    }

    fn until_due(&self) -> Duration {
        let interval = Duration::from_millis(PUBLISH_INTERVAL_MS);
        self.last.map_or(Duration::ZERO, |last| interval.saturating_sub(last.elapsed()))
    }

    fn is_due(&self) -> bool {
        self.pending.is_something() && self.until_due().is_zero()
    }

    fn take(&mut self, event: Event) {
        let now = self.clock.now();
        match event {
            Event::Reload(linked) => {
                let Linked { zones, model, atlases, prepared, settings, options, published } = *linked;
                self.control.configure(settings);
                if !Arc::ptr_eq(&atlases, &self.current.steering.atlases) {
                    self.control.forget_plan();
                }
                let effects = self.control.adopt(now, Arc::clone(&model));
                self.pending.loaded = Some(Loaded { zones, model, atlases, prepared, options });
                self.pending.waiting.push(published);
                self.follow(effects);
            }
            Event::Ranked(ranked) => self.rank(*ranked),
            Event::Outcome { target, outcome, reply } => {
                let (cadence, effects) = self.control.observe(now, target, &outcome);
                // Whoever probed may have been stopped meanwhile.
                let _ = reply.send(cadence);
                self.follow(effects);
            }
            Event::Told(told) => self.told(now, told),
            Event::Pushed { readings, reply } => {
                let (taken, effects) = self.control.push(now, readings);
                self.follow(effects);
                // Whoever pushed may have gone.
                let _ = reply.send(taken);
            }
            Event::Command { command, condition, reply } => {
                let result = self.command(now, *command, &condition);
                // What was said is in force before it is answered.
                if self.pending.is_something() {
                    self.publish();
                }
                let _ = reply.send(result);
            }
            Event::Planned(change) => {
                // Its services and classes are those of a model and its atlases.
                let atlases = self.pending.loaded.as_ref().map_or(&self.current.steering.atlases, |new| &new.atlases);
                if Arc::ptr_eq(&change.atlases, atlases) {
                    let effects = self.control.adopt_plan(now, *change);
                    self.follow(effects);
                }
            }
            Event::Evacuate { region, room } => {
                let effects = self.control.step_evacuation(now, &region, &room);
                self.follow(effects);
            }
            Event::Look(look) => {
                // Control and snapshot are of one model.
                if self.pending.loaded.is_some() {
                    self.publish();
                }
                look(&self.control, &self.current, now);
            }
        }
    }

    /// Brings to control what came of asking a feed, unless it was taken away meanwhile.
    fn told(&mut self, now: Moment, told: Told) {
        if !self.feeder.is_current(told.job) {
            return;
        }
        for (source, said) in told.said {
            let effects = match said {
                Ok(Document { metrics, at }) => {
                    let at = at.map_or(now, |at| now.min(Moment(at)));
                    self.control.report(now, vec![Reading { source, metrics, at }])
                }
                Err(miss) => self.control.miss(now, &[source], &miss),
            };
            self.follow(effects);
        }
    }

    fn command(&mut self, now: Moment, command: Command, condition: &Condition) -> Commanded {
        if !condition.holds(&self.control) {
            return Commanded::Overtaken;
        }
        match self.control.command(now, command) {
            Ok((done, effects)) => {
                self.follow(effects);
                Commanded::Done { done, tag: self.control.words_tag() }
            }
            Err(refusal) => Commanded::Refused(refusal),
        }
    }

    fn follow(&mut self, effects: Effects) {
        match effects.changed {
            Changed::None => {}
            Changed::Services(services) => self.pending.changed.extend(services),
            Changed::All => self.pending.all = true,
        }
        for event in effects.events {
            log(&event);
            self.recorder.event(event);
        }
        if effects.retarget {
            let targets = self.control.targets().into_iter();
            let targets = targets.map(|target| {
                let ProbeTarget { id, key: _, check, address, wants } = target;
                Target { id, check, address, wants }
            });
            self.prober.set_targets(targets.collect());
        }
        if effects.refeed {
            self.feeder.set_feeds(self.control.feeds());
        }
        if effects.save && self.save_at.is_none() {
            self.save_at = Some(Instant::now() + Duration::from_millis(STATE_INTERVAL_MS));
        }
    }

    /// Puts other atlases in place of those in force. The loader alone sends models and atlases, and waits for each.
    fn rank(&mut self, ranked: Ranked) {
        let Ranked { model, atlases, prepared, counterparts, published } = ranked;
        let Snapshot { zones, options, .. } = &*self.current;
        let (zones, options) = (Arc::clone(zones), Arc::clone(options));
        self.control.renumber_plan(&atlases, &counterparts);
        self.pending.loaded = Some(Loaded { zones, model, atlases, prepared, options });
        self.pending.waiting.push(published);
    }

    /// Publishes one snapshot with everything that has come in.
    fn publish(&mut self) {
        let pending = std::mem::take(&mut self.pending);
        let generation = self.current.generation + 1;
        let before = &self.current.steering;
        let (states, table) = (self.control.states(), self.control.table().of_generation(generation));
        let changed = pending.changed(&before.model);
        let repaired = |table| {
            if changed.is_empty() { Arc::clone(before) } else { Arc::new(before.next(table, states, &changed)) }
        };
        let next = match pending.loaded {
            Some(Loaded { zones, model, atlases, prepared, options }) => {
                let same = Arc::ptr_eq(&model, &before.model) && Arc::ptr_eq(&atlases, &before.atlases);
                let prepared = prepared.filter(|prepared| prepared.is_of(&model, &atlases));
                let steering = match prepared {
                    _ if same => repaired(table),
                    Some(prepared) => Arc::new(prepared.adopted(table, states)),
                    // It is prepared unless the model in force was loaded once more after another one.
                    None => Arc::new(Steering::with_atlases(model, atlases, states, generation)),
                };
                Snapshot { generation, key: self.key, zones, steering, options }
            }
            None => Snapshot { generation, steering: repaired(table), ..Snapshot::clone(&self.current) },
        };
        self.current = Arc::new(next);
        self.retired.push(self.published.publish(Arc::clone(&self.current)));
        self.last = Some(Instant::now());
        self.board.published(generation);
        for sender in pending.waiting {
            // Whoever asked may have gone.
            let _ = sender.send(generation);
        }
    }

    fn save_when_due(&mut self) {
        if self.save_at.is_some_and(|at| at <= Instant::now()) {
            self.save_at = None;
            self.recorder.state(self.control.save(self.clock.now()));
        }
    }

    /// Says, once, that every target has had an outcome and that queries are answered from it.
    fn tell_first_round(&mut self) {
        let is_done = self.current.generation > 0 && !self.pending.is_something() && self.control.first_round_done();
        if is_done && let Some(first_round) = self.first_round.take() {
            // Nobody waits any more once answers are given.
            let _ = first_round.send(());
        }
    }

    /// Hands on the snapshots that only this thread still holds.
    fn retire(&mut self) {
        for snapshot in std::mem::take(&mut self.retired) {
            if Arc::strong_count(&snapshot) > 1 {
                self.retired.push(snapshot);
            } else if let Err(
                std::sync::mpsc::TrySendError::Full(snapshot) | std::sync::mpsc::TrySendError::Disconnected(snapshot),
            ) = self.janitor.try_send(snapshot)
            {
                self.retired.push(snapshot);
            }
        }
        self.board.set_retired(self.retired.len());
    }
}

impl Pending {
    fn is_something(&self) -> bool {
        self.loaded.is_some() || self.all || !self.changed.is_empty()
    }

    /// The services that changed, sorted.
    fn changed(&self, model: &Model) -> Vec<ServiceId> {
        if self.all {
            return model.services().map(|(id, _)| id).collect();
        }
        let mut changed = self.changed.clone();
        changed.sort_unstable();
        changed.dedup();
        changed
    }
}

/// Writes an event to the log, at the level that it deserves.
fn log(event: &Happened) {
    let kind = event.kind.as_str();
    match event.severity {
        Severity::Error => tracing::error!(kind, "{}", event.line()),
        Severity::Warning => tracing::warn!(kind, "{}", event.line()),
        Severity::Info => tracing::info!(kind, "{}", event.line()),
    }
}

/// Frees what it is sent.
fn free(retired: &Receiver<Arc<Snapshot>>) {
    give_way(BACKGROUND_NICENESS, "janitor");
    for snapshot in retired {
        drop(snapshot);
    }
}
