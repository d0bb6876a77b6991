//! The journal: events, one JSON object a line, numbered for ever, bounded on disk and in memory.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::base::limits::{JOURNAL_FILE_LEN_MAX, JOURNAL_RECENT_MAX};

/// An event with its number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Counts all events of this state folder, from 1.
    pub seq: u64,
    /// What happened.
    #[serde(flatten)]
    pub event: Value,
}

/// Why the journal cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file cannot be opened or read.
    #[error("cannot open the journal {path}")]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        error: io::Error,
    },
    /// An event could not be written; it is kept in memory.
    #[error("cannot write to the journal {path}")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        error: io::Error,
    },
}

/// The journal of a state folder. Two files at most: the one that grows, and the full one before it.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: Option<File>,
    len: u64,
    recent: VecDeque<Entry>,
    next: u64,
}

impl Journal {
    /// A journal in memory alone.
    #[must_use]
    pub fn in_memory() -> Self {
        Self { path: PathBuf::new(), file: None, len: 0, recent: VecDeque::new(), next: 1 }
    }

    /// Opens the journal of a state folder, which is made if it is missing. Lines that a crash cut short are passed over.
    ///
    /// # Errors
    /// [`JournalError::Open`]
    pub fn open(folder: &Path) -> Result<Self, JournalError> {
        let path = folder.join("events.jsonl");
        let mut journal = Self { path: path.clone(), ..Self::in_memory() };
        let opened = fs::create_dir_all(folder).and_then(|()| {
            for old in [journal.old_path(), path.clone()] {
                journal.take_in(&old)?;
            }
            let file = OpenOptions::new().append(true).create(true).open(&path)?;
            journal.len = file.metadata()?.len();
            journal.file = Some(file);
            Ok(())
        });
        match opened {
            Ok(()) => Ok(journal),
            Err(error) => Err(JournalError::Open { path, error }),
        }
    }

    fn old_path(&self) -> PathBuf {
        self.path.with_extension("1.jsonl")
    }

    fn take_in(&mut self, path: &Path) -> io::Result<()> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        for line in BufReader::new(file).split(b'\n') {
            if let Ok(entry) = serde_json::from_slice::<Entry>(&line?) {
                self.next = self.next.max(entry.seq + 1);
                self.remember(entry);
            }
        }
        Ok(())
    }

    fn remember(&mut self, entry: Entry) {
        if self.recent.len() >= JOURNAL_RECENT_MAX {
            self.recent.pop_front();
        }
        self.recent.push_back(entry);
    }

    /// Adds an event; returns its number.
    ///
    /// # Errors
    /// [`JournalError::Write`]; the event is then kept in memory, under the number it would have had.
    pub fn add(&mut self, event: &impl Serialize) -> Result<u64, JournalError> {
        let seq = self.next;
        self.next += 1;
        let event = serde_json::to_value(event).unwrap_or(Value::Null);
        let entry = Entry { seq, event };
        let written = self.write(&entry);
        self.remember(entry);
        match written {
            Ok(()) => Ok(seq),
            Err(error) => Err(JournalError::Write { path: self.path.clone(), error }),
        }
    }

    fn write(&mut self, entry: &Entry) -> io::Result<()> {
        if self.file.is_none() {
            return Ok(());
        }
        let mut line = serde_json::to_vec(entry).map_err(io::Error::other)?;
        line.push(b'\n');
        if self.len > 0 && self.len + line.len() as u64 > JOURNAL_FILE_LEN_MAX {
            fs::rename(&self.path, self.old_path())?;
            self.file = Some(OpenOptions::new().append(true).create(true).open(&self.path)?);
            self.len = 0;
        }
        if let Some(file) = &mut self.file {
            file.write_all(&line)?;
            self.len += line.len() as u64;
        }
        Ok(())
    }

    /// The events after number `since`, the oldest first, at most `limit` of them, of those that are remembered.
    pub fn since(&self, since: u64, limit: usize) -> impl Iterator<Item = &Entry> {
        let from = self.recent.partition_point(|entry| entry.seq <= since);
        self.recent.range(from..).take(limit)
    }

    /// The last `count` events, the oldest first.
    pub fn last(&self, count: usize) -> impl Iterator<Item = &Entry> {
        self.recent.range(self.recent.len().saturating_sub(count)..)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Event {
        kind: &'static str,
        text: String,
    }

    fn event(text: &str) -> Event {
        Event { kind: "test", text: text.to_owned() }
    }

    #[test]
    fn events_survive_and_numbers_go_on() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(folder.path()).unwrap();
        assert_eq!(journal.add(&event("a")).unwrap(), 1);
        assert_eq!(journal.add(&event("b")).unwrap(), 2);
        drop(journal);
        // A crash in the middle of a line.
        let path = folder.path().join("events.jsonl");
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"seq\":3,\"ki\n").unwrap();
        let mut journal = Journal::open(folder.path()).unwrap();
        assert_eq!(journal.add(&event("c")).unwrap(), 3);
        let texts: Vec<&str> = journal.since(1, 10).map(|entry| entry.event["text"].as_str().unwrap()).collect();
        assert_eq!(texts, ["b", "c"]);
        assert_eq!(journal.since(0, 1).count(), 1);
        assert_eq!(journal.last(1).next().unwrap().seq, 3);
        assert_eq!(journal.since(3, 10).count(), 0);
    }

    #[test]
    fn files_and_memory_are_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(folder.path()).unwrap();
        let long = "x".repeat(100_000);
        let count = 3 * JOURNAL_FILE_LEN_MAX / 100_000;
        for _ in 0..count {
            journal.add(&event(&long)).unwrap();
        }
        let sizes: u64 = fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().metadata().unwrap().len()).sum();
        assert!(sizes <= 2 * JOURNAL_FILE_LEN_MAX, "{sizes}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
        let again = Journal::open(folder.path()).unwrap();
        assert_eq!(again.last(1).next().unwrap().seq, count);
        let mut memory = Journal::in_memory();
        for _ in 0..2 * JOURNAL_RECENT_MAX {
            memory.add(&event("y")).unwrap();
        }
        assert_eq!(memory.since(0, usize::MAX).count(), JOURNAL_RECENT_MAX);
    }
}
