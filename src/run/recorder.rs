//! The thread that writes what outlives the process: events to the journal, the state of control to its file.
//!
//! The publisher hands things over and never waits for a disk. Of states only the newest counts.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::base::limits::{HISTORY_SHOWN_MAX, JOURNAL_WAIT_MS, RECORDS_MAX};
use crate::base::moment::Moment;
use crate::control::{Event, Saved};
use crate::journal::{Entry, History, Journal, Sample, Wanted, write_atomically};
use crate::metrics::Metrics;
use crate::run::priority::{BACKGROUND_NICENESS, give_way};

/// Something to be kept.
enum Record {
    Event(Box<Event>),
    State(Box<Saved>),
    Sample(Box<Sample>),
}

/// Hands things to the recorder.
#[derive(Clone)]
pub(super) struct Recorder {
    records: SyncSender<Record>,
    journal: Arc<Mutex<Journal>>,
    folder: Arc<Path>,
    metrics: Arc<Metrics>,
    progress: Arc<Progress>,
}

/// How much was handed over and how much is kept: whoever looks something up finds what was told before he asked.
#[derive(Default)]
struct Progress {
    handed: AtomicU64,
    kept: Mutex<u64>,
    more: Condvar,
}

impl Progress {
    fn keep(&self) {
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.more.notify_all();
    }

    /// Waits until all that was handed over so far is kept, or for as long as anybody should.
    fn catch_up(&self) {
        let handed = self.handed.load(Ordering::Acquire);
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = Duration::from_millis(JOURNAL_WAIT_MS);
        drop(self.more.wait_timeout_while(kept, wait, |kept| *kept < handed));
    }
}

/// Told of every event once it has its number; must not wait.
pub(super) type Listener = Box<dyn Fn(&Entry) + Send>;

impl Recorder {
    /// Starts the thread; it ends when all handles are gone. A journal that cannot be opened is kept in memory, loudly.
    ///
    /// # Errors
    /// If the thread can't be started.
    pub(super) fn start(
        folder: &Path,
        listeners: Vec<Listener>,
        metrics: Arc<Metrics>,
    ) -> std::io::Result<(Self, thread::JoinHandle<()>)> {
        let journal = Journal::open(folder).unwrap_or_else(|error| {
            tracing::error!(
                reason = std::error::Error::source(&error).map(ToString::to_string),
                "{error}: events are kept in memory alone"
            );
            Journal::in_memory()
        });
        let journal = Arc::new(Mutex::new(journal));
        let (records, incoming) = sync_channel(RECORDS_MAX);
        let progress = Arc::new(Progress::default());
        let mut desk = Desk {
            progress: Arc::clone(&progress),
            journal: Arc::clone(&journal),
            listeners,
            history: History::open(folder)
                .map_err(|error| tracing::error!(%error, "cannot open the history of regions: none is kept"))
                .ok(),
            state: state_path(folder),
            complained: false,
        };
        let thread = thread::Builder::new().name("recorder".into()).spawn(move || {
            give_way(BACKGROUND_NICENESS, "recorder");
            desk.work(&incoming);
        })?;
        Ok((Self { records, journal, folder: folder.into(), metrics, progress }, thread))
    }

    /// Keeps how regions stand.
    pub(super) fn sample(&self, sample: Sample) {
        self.hand_over(Record::Sample(Box::new(sample)));
    }

    /// Keeps an event.
    pub(super) fn event(&self, event: Event) {
        self.metrics.count_event(&event);
        self.hand_over(Record::Event(Box::new(event)));
    }

    /// Keeps the state of control.
    pub(super) fn state(&self, saved: Saved) {
        self.hand_over(Record::State(Box::new(saved)));
    }

    fn hand_over(&self, record: Record) {
        match self.records.try_send(record) {
            Ok(()) => {
                self.progress.handed.fetch_add(1, Ordering::AcqRel);
            }
            Err(TrySendError::Full(_)) => tracing::error!("the disk is too slow for the journal: a record is lost"),
            // The thread ends with the process.
            Err(TrySendError::Disconnected(_)) => {}
        }
    }

    /// The events wanted, the oldest first, at most `limit`: the first ones if a start is given, else the last ones. May
    /// wait for those on their way.
    pub(super) fn events(&self, wanted: &Wanted, limit: usize) -> Vec<Entry> {
        self.progress.catch_up();
        let path = {
            let journal = self.journal.lock().unwrap_or_else(PoisonError::into_inner);
            let wanted = &Wanted { since: wanted.since.map(|since| since.min(journal.newest())), ..wanted.clone() };
            match journal.find(wanted, limit) {
                Some(found) => return found,
                None => journal.path().to_owned(),
            }
        };
        Journal::search(&path, wanted, limit).unwrap_or_else(|error| {
            tracing::error!(%error, "cannot read the journal");
            Vec::new()
        })
    }

    /// How regions stood from one moment to another, thinned.
    pub(super) fn history(&self, from: Moment, to: Moment) -> std::io::Result<Vec<Sample>> {
        History::read(&self.folder, from, to, HISTORY_SHOWN_MAX)
    }
}

/// The state of control that was saved; `None` if there is none that can be read.
pub(super) fn saved_state(folder: &Path) -> Option<Saved> {
    let path = state_path(folder);
    match std::fs::read(&path) {
        Ok(bytes) => match serde_json::from_slice(&bytes) {
            Ok(saved) => Some(saved),
            Err(error) => {
                tracing::warn!(%error, path = %path.display(), "the saved state can't be read; starting without it");
                None
            }
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => {
            tracing::warn!(%error, path = %path.display(), "the saved state can't be read; starting without it");
            None
        }
    }
}

fn state_path(folder: &Path) -> PathBuf {
    folder.join("state.json")
}

/// What the thread works with.
struct Desk {
    progress: Arc<Progress>,
    journal: Arc<Mutex<Journal>>,
    listeners: Vec<Listener>,
    history: Option<History>,
    state: PathBuf,
    /// That the state can't be saved has been said.
    complained: bool,
}

impl Desk {
    fn work(&mut self, incoming: &Receiver<Record>) {
        while let Ok(first) = incoming.recv() {
            let mut newest = None;
            for record in std::iter::once(first).chain(incoming.try_iter()) {
                match record {
                    Record::Event(event) => self.event(&event),
                    Record::Sample(sample) => self.sample(&sample),
                    Record::State(saved) => newest = Some(saved),
                }
                self.progress.keep();
            }
            if let Some(saved) = newest {
                self.save(&saved);
            }
        }
    }

    fn event(&self, event: &Event) {
        let entry = {
            let mut journal = self.journal.lock().unwrap_or_else(PoisonError::into_inner);
            if let Err(error) = journal.add(event) {
                let reason = std::error::Error::source(&error).map(ToString::to_string);
                tracing::error!(reason, "{error}");
            }
            journal.last(1).next().cloned()
        };
        if let Some(entry) = entry {
            self.listeners.iter().for_each(|listener| listener(&entry));
        }
    }

    fn sample(&mut self, sample: &Sample) {
        if let Some(Err(error)) = self.history.as_mut().map(|history| history.add(sample)) {
            tracing::error!(%error, "a sample of the history is lost");
        }
    }

    fn save(&mut self, saved: &Saved) {
        let bytes = serde_json::to_vec(saved).unwrap_or_default();
        match write_atomically(&self.state, &bytes) {
            Ok(()) => self.complained = false,
            Err(error) if !self.complained => {
                tracing::error!(%error, path = %self.state.display(), "the state can't be saved");
                self.complained = true;
            }
            Err(_) => {}
        }
    }
}
