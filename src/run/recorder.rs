//! The thread that writes what outlives the process: events to the journal, the state of control to its file.
//!
//! The publisher hands things over and never waits for a disk. Of states only the newest counts.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::base::limits::RECORDS_MAX;
use crate::control::{Event, Saved};
use crate::journal::{Entry, Journal, write_atomically};

/// Something to be kept.
enum Record {
    Event(Box<Event>),
    State(Box<Saved>),
}

/// Hands things to the recorder.
#[derive(Clone)]
pub(super) struct Recorder {
    records: SyncSender<Record>,
    journal: Arc<Mutex<Journal>>,
}

impl Recorder {
    /// Starts the thread; it ends when all handles are gone. A journal that cannot be opened is kept in memory, loudly.
    ///
    /// # Errors
    /// If the thread can't be started.
    pub(super) fn start(folder: &Path) -> std::io::Result<(Self, thread::JoinHandle<()>)> {
        let journal = Journal::open(folder).unwrap_or_else(|error| {
            tracing::error!(
                reason = std::error::Error::source(&error).map(ToString::to_string),
                "{error}: events are kept in memory alone"
            );
            Journal::in_memory()
        });
        let journal = Arc::new(Mutex::new(journal));
        let (records, incoming) = sync_channel(RECORDS_MAX);
        let (own, path) = (Arc::clone(&journal), state_path(folder));
        let thread = thread::Builder::new().name("recorder".into()).spawn(move || record(&incoming, &own, &path))?;
        Ok((Self { records, journal }, thread))
    }

    /// Keeps an event.
    pub(super) fn event(&self, event: Event) {
        self.hand_over(Record::Event(Box::new(event)));
    }

    /// Keeps the state of control.
    pub(super) fn state(&self, saved: Saved) {
        self.hand_over(Record::State(Box::new(saved)));
    }

    fn hand_over(&self, record: Record) {
        match self.records.try_send(record) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => tracing::error!("the disk is too slow for the journal: a record is lost"),
            // The thread ends with the process.
            Err(TrySendError::Disconnected(_)) => {}
        }
    }

    /// Events after number `since`, or the last ones if there is none, the oldest first, at most `limit`.
    pub(super) fn events(&self, since: Option<u64>, limit: usize) -> Vec<Entry> {
        let journal = self.journal.lock().unwrap_or_else(PoisonError::into_inner);
        match since {
            Some(since) => journal.since(since, limit).cloned().collect(),
            None => journal.last(limit).cloned().collect(),
        }
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

fn record(incoming: &Receiver<Record>, journal: &Mutex<Journal>, path: &Path) {
    let mut complained = false;
    while let Ok(first) = incoming.recv() {
        let mut newest = None;
        for record in std::iter::once(first).chain(incoming.try_iter()) {
            match record {
                Record::Event(event) => {
                    let added = journal.lock().unwrap_or_else(PoisonError::into_inner).add(&event);
                    if let Err(error) = added {
                        let reason = std::error::Error::source(&error).map(ToString::to_string);
                        tracing::error!(reason, "{error}");
                    }
                }
                Record::State(saved) => newest = Some(saved),
            }
        }
        if let Some(saved) = newest {
            let bytes = serde_json::to_vec(&saved).unwrap_or_default();
            match write_atomically(path, &bytes) {
                Ok(()) => complained = false,
                Err(error) if !complained => {
                    tracing::error!(%error, path = %path.display(), "the state can't be saved");
                    complained = true;
                }
                Err(_) => {}
            }
        }
    }
}
