//! The thread that surveys: measurements come in, and now and then what is to steer goes to the loader.
//!
//! What was measured is kept in the state folder, as a file that can be exported and imported too.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, TrySendError, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::admin::SurveyTask;
use crate::base::limits::{LATENCY_SAVE_MS, LATENCY_TASKS_MAX};
use crate::base::moment::Moment;
use crate::config::Config;
use crate::control::{Event, EventKind};
use crate::geo::{Margin, Measured, Places};
use crate::journal::write_atomically;
use crate::latency::{BEST, Figures, Line, Settings, Survey};
use crate::model::Model;
use crate::run::priority::{BACKGROUND_NICENESS, give_way};
use crate::run::publisher::Clock;
use crate::run::recorder::Recorder;
use crate::run::reloads::Wish;

/// The file in the state folder.
const FILE: &str = "latency.csv";

/// The survey's part of a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SurveySettings {
    every: Duration,
    survey: Settings,
}

impl From<&Config> for SurveySettings {
    fn from(config: &Config) -> Self {
        let latency = &config.latency;
        let us = |duration: Duration| u32::try_from(duration.as_micros()).unwrap_or(u32::MAX);
        let margin = Margin {
            us: us(latency.margin),
            percent: latency.margin_percent.into(),
            detour_us: us(latency.max_detour),
        };
        let survey = Settings {
            networks: latency.networks,
            half_life: latency.half_life,
            retention: latency.retention,
            margin,
            max_move: latency.max_move.into(),
        };
        Self { every: latency.every, survey }
    }
}

/// What was measured, on its way to the loader.
pub(super) type Slot = Arc<Mutex<Option<Arc<Measured>>>>;

enum Job {
    Do(SurveyTask),
    /// Other settings.
    Configure(SurveySettings),
    /// A model and places have come into force; the first time that has regions, what an earlier process knew comes back.
    Attend(Arc<Model>, Arc<Places>, Sender<Option<Arc<Measured>>>),
    /// What is known is to be written, and that is all.
    End,
}

/// The way to the thread that surveys.
#[derive(Clone)]
pub(super) struct Surveyor {
    jobs: SyncSender<Job>,
}

impl Surveyor {
    /// Has something done with the survey; false: too much waits, or the server ends.
    pub(super) fn tell(&self, task: SurveyTask) -> bool {
        match self.jobs.try_send(Job::Do(task)) {
            Ok(()) => true,
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => false,
        }
    }

    /// Goes by other settings from now on.
    pub(super) fn configure(&self, settings: SurveySettings) {
        // An error says that the process ends.
        let _ = self.jobs.send(Job::Configure(settings));
    }

    /// Has what is known written; the thread ends.
    pub(super) fn end(&self) {
        // An error says that it has ended.
        let _ = self.jobs.send(Job::End);
    }

    /// A model and places come into force. What is known of their ways, the first time that there are regions: then an
    /// earlier process may have known something.
    pub(super) fn attend(&self, model: &Arc<Model>, places: &Arc<Places>) -> Option<Arc<Measured>> {
        let (reply, known) = channel();
        self.jobs.send(Job::Attend(Arc::clone(model), Arc::clone(places), reply)).ok()?;
        known.recv().ok().flatten()
    }
}

/// Starts the thread.
///
/// # Errors
/// If it can't be started.
pub(super) fn start(config: &Config, neighbors: Neighbors) -> io::Result<(Surveyor, thread::JoinHandle<()>)> {
    let (jobs, wanted) = sync_channel(LATENCY_TASKS_MAX);
    let settings = SurveySettings::from(config);
    let work = Work {
        survey: Survey::new(settings.survey),
        every: settings.every,
        path: config.state.folder.join(FILE),
        neighbors,
        told: Told::default(),
        slot: Slot::default(),
        is_unsent: false,
        has_begun: false,
        saved: 0,
    };
    let thread = thread::Builder::new().name("surveyor".into()).spawn(move || work.run(&wanted))?;
    Ok((Surveyor { jobs }, thread))
}

/// Whom the thread works with.
pub(super) struct Neighbors {
    /// What time it is.
    pub(super) clock: Clock,
    /// Where what steers goes.
    pub(super) loader: SyncSender<Wish>,
    /// Where events go.
    pub(super) recorder: Recorder,
    /// Where the numbers are shown.
    pub(super) figures: Arc<Mutex<Figures>>,
}

/// What was told of moves: events come in a stream only while something goes on, and then not one a step.
#[derive(Default)]
struct Told {
    moved: u64,
    moved_at: Option<Moment>,
    held_at: Option<Moment>,
}

/// Moves are told once in so long, milliseconds.
const MOVES_TOLD_MS: u64 = 60_000;
/// And that some wait, once in so long.
const HELD_TOLD_MS: u64 = 600_000;

struct Work {
    survey: Survey,
    every: Duration,
    path: PathBuf,
    neighbors: Neighbors,
    told: Told,
    /// What waits for the loader: the newest alone, however long a load takes.
    slot: Slot,
    /// The loader was not told of it.
    is_unsent: bool,
    has_begun: bool,
    /// What of the survey is in the state folder.
    saved: u64,
}

impl Work {
    fn run(mut self, jobs: &Receiver<Job>) {
        give_way(BACKGROUND_NICENESS, "surveyor");
        let mut next = Instant::now() + self.every;
        let pause = Duration::from_millis(LATENCY_SAVE_MS);
        let mut save = Instant::now() + pause;
        loop {
            match jobs.recv_timeout(next.saturating_duration_since(Instant::now())) {
                Ok(Job::End) | Err(RecvTimeoutError::Disconnected) => break,
                Ok(job) => self.take(job),
                Err(RecvTimeoutError::Timeout) => {}
            }
            if Instant::now() >= next {
                self.step();
                next = Instant::now() + self.every;
            }
            if Instant::now() >= save {
                self.save();
                save = Instant::now() + pause;
            }
        }
        self.save();
    }

    fn take(&mut self, job: Job) {
        let now = self.neighbors.clock.now();
        match job {
            Job::Do(task) => {
                self.survey.set_ahead(self.neighbors.clock.ahead_ms());
                task(&mut self.survey, now);
            }
            Job::End => {}
            Job::Configure(settings) => {
                self.every = settings.every;
                self.survey.configure(settings.survey);
            }
            Job::Attend(model, places, reply) => {
                self.survey.attend(&model, &places);
                // Without regions nothing can be taken up: a start without region files must not cost what was measured.
                let is_first = !self.has_begun && self.survey.has_regions();
                self.has_begun |= is_first;
                let known = if is_first { self.resume() } else { None };
                // The loader waits.
                let _ = reply.send(known);
            }
        }
    }

    /// Takes up what an earlier process knew.
    fn resume(&mut self) -> Option<Arc<Measured>> {
        let now = self.neighbors.clock.now();
        match read(&self.path, &mut self.survey, now) {
            Ok(Lost { damaged: 0, refused: 0 }) => {}
            Ok(Lost { damaged, refused }) => {
                let path = self.path.display();
                tracing::warn!(%path, damaged, refused, "lines of what was measured before do not count")
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                tracing::warn!(path = %self.path.display(), %error, "what was measured before cannot be read");
                return None;
            }
        }
        let (networks, ways) = self.survey.size();
        tracing::info!(networks, ways, "what was measured before counts again");
        self.survey.step(now)
    }

    fn step(&mut self) {
        if !self.has_begun {
            return;
        }
        let started = Instant::now();
        let measured = self.survey.step(self.neighbors.clock.now());
        let duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        if let Some(measured) = measured {
            tracing::debug!(duration_ms, rows = measured.rows().len(), "what is measured steers");
            let waiting = self.slot.lock().unwrap_or_else(PoisonError::into_inner).replace(measured);
            self.is_unsent |= waiting.is_none();
        }
        self.tell();
        if self.is_unsent {
            self.is_unsent = self.neighbors.loader.try_send(Wish::Measured(Arc::clone(&self.slot))).is_err();
        }
    }

    /// Shows the numbers, and tells of moves.
    fn tell(&mut self) {
        let (now, figures) = (self.neighbors.clock.now(), self.survey.figures());
        let is_over = |last: Option<Moment>, pause| last.is_none_or(|last| now.0.saturating_sub(last.0) >= pause);
        let count = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        let moved = figures.moved - self.told.moved;
        if moved > 0 && is_over(self.told.moved_at, MOVES_TOLD_MS) {
            (self.told.moved, self.told.moved_at) = (figures.moved, Some(now));
            let mut event = Event::new(now, EventKind::LatencyMoved, format!("{moved} networks"));
            event.count = count(moved);
            self.neighbors.recorder.event(event);
        }
        if figures.waiting > 0 && is_over(self.told.held_at, HELD_TOLD_MS) {
            self.told.held_at = Some(now);
            let cause = format!("{} networks wait (latency.max_move)", figures.waiting);
            let mut event = Event::new(now, EventKind::LatencyHeld, cause);
            event.count = figures.waiting;
            self.neighbors.recorder.event(event);
        }
        *self.neighbors.figures.lock().unwrap_or_else(PoisonError::into_inner) = figures;
    }

    fn save(&mut self) {
        let revision = self.survey.revision();
        if !self.has_begun || self.saved == revision {
            return;
        }
        match write_atomically(&self.path, self.survey.file().as_bytes()) {
            Ok(()) => self.saved = revision,
            Err(error) => tracing::warn!(path = %self.path.display(), %error, "what was measured cannot be kept"),
        }
    }
}

/// Lines of a file that are not taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Lost {
    /// They cannot be read.
    damaged: usize,
    /// They are too old, of the future, or of a region that is gone.
    refused: usize,
}

/// Takes a file of ways.
fn read(path: &Path, survey: &mut Survey, now: Moment) -> io::Result<Lost> {
    // A damaged line is no reason to lose the others.
    let bytes = fs::read(path)?;
    let text = String::from_utf8_lossy(&bytes);
    let mut lost = Lost::default();
    for line in text.lines().filter(|line| !line.is_empty() && *line != Line::HEADER) {
        if line.starts_with(BEST) {
            survey.restore_best(line);
            continue;
        }
        match Line::parse(line) {
            Ok(line) => lost.refused += usize::from(survey.restore(now, &line).is_err()),
            Err(_) => lost.damaged += 1,
        }
    }
    Ok(lost)
}
