//! The journal: events, one JSON object a line, numbered for ever, bounded on disk and in memory.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::base::limits::{JOURNAL_FILE_LEN_MAX, JOURNAL_RECENT_MAX};
use crate::base::moment::Moment;
use crate::journal::line_file;

/// An event with its number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Counts all events of this state folder, from 1.
    pub seq: u64,
    /// What happened.
    #[serde(flatten)]
    pub event: Value,
}

/// Which events are asked for; what is `None` does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Those after this number.
    pub since: Option<u64>,
    /// Those about this region, or about something in it.
    pub region: Option<String>,
    /// Those of this kind.
    pub kind: Option<String>,
    /// Those from this moment on.
    pub from: Option<Moment>,
    /// Those up to this moment.
    pub to: Option<Moment>,
}

impl Wanted {
    fn takes(&self, entry: &Entry) -> bool {
        let text = |key: &str| entry.event.get(key).and_then(Value::as_str);
        let at = Moment(entry.event.get("at").and_then(Value::as_u64).unwrap_or(0));
        let is_about = |region: &str| {
            let parts = [text("endpoint"), text("target")].into_iter().flatten();
            text("region") == Some(region)
                || text("target") == Some(region)
                || parts.filter(|part| !part.contains('@')).any(|part| part.split('/').nth(1) == Some(region))
        };
        self.since.is_none_or(|since| entry.seq > since)
            && self.from.is_none_or(|from| at >= from)
            && self.to.is_none_or(|to| at <= to)
            && self.kind.as_deref().is_none_or(|kind| text("kind") == Some(kind))
            && self.region.as_deref().is_none_or(is_about)
    }

    /// From the first on if that is known, else the last ones.
    const fn has_start(&self) -> bool {
        self.since.is_some() || self.from.is_some()
    }
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
            let (file, len) = line_file::append(&path)?;
            (journal.file, journal.len) = (Some(file), len);
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
        let Some(file) = line_file::open(path)? else { return Ok(()) };
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
            self.file = Some(line_file::rotate(&self.path, &self.old_path())?);
            self.len = 0;
        }
        if let Some(file) = &mut self.file {
            file.write_all(&line)?;
            self.len += line.len() as u64;
        }
        Ok(())
    }

    /// The number of the newest event; 0 before the first.
    #[must_use]
    pub const fn newest(&self) -> u64 {
        self.next - 1
    }

    /// The events wanted among those that are remembered, the oldest first, at most `limit`: the first ones if a start
    /// is given, else the last ones. `None`: some of them may stand on the disk alone, see [`Self::search`].
    #[must_use]
    pub fn find(&self, wanted: &Wanted, limit: usize) -> Option<Vec<Entry>> {
        let oldest = self.recent.front().map_or(self.next, |entry| entry.seq);
        let has_all = oldest == 1
            || self.file.is_none()
            || wanted.since.is_some_and(|since| since + 1 >= oldest)
            || self.recent.front().zip(wanted.from).is_some_and(|(entry, from)| {
                entry.event.get("at").and_then(Value::as_u64).is_some_and(|at| Moment(at) < from)
            });
        let start = self.recent.partition_point(|entry| wanted.since.is_some_and(|since| entry.seq <= since));
        let found = self.recent.range(start..).filter(|entry| wanted.takes(entry));
        if wanted.has_start() {
            return has_all.then(|| found.take(limit).cloned().collect());
        }
        let mut last: Vec<Entry> = found.rev().take(limit).cloned().collect();
        last.reverse();
        (has_all || last.len() == limit).then_some(last)
    }

    /// The same from the files of a journal at `path`, those that are not remembered included.
    ///
    /// # Errors
    /// What the system says.
    pub fn search(path: &Path, wanted: &Wanted, limit: usize) -> io::Result<Vec<Entry>> {
        let mut found = VecDeque::new();
        // Opened before the old one is: if it becomes the old one meanwhile, it is read twice, and not overlooked.
        let current = line_file::open(path)?;
        for file in [line_file::open(&path.with_extension("1.jsonl"))?, current].into_iter().flatten() {
            for line in BufReader::new(file).split(b'\n') {
                let entry = serde_json::from_slice::<Entry>(&line?).ok().filter(|entry| wanted.takes(entry));
                let Some(entry) = entry else { continue };
                // Once is enough.
                if found.back().is_some_and(|last: &Entry| last.seq >= entry.seq) {
                    continue;
                }
                if found.len() >= limit {
                    if wanted.has_start() {
                        return Ok(found.into());
                    }
                    found.pop_front();
                }
                found.push_back(entry);
            }
        }
        Ok(found.into())
    }

    /// The file that grows.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
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
        fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"seq\":3,\"ki").unwrap();
        let mut journal = Journal::open(folder.path()).unwrap();
        assert_eq!(journal.add(&event("c")).unwrap(), 3);
        let journal = Journal::open(folder.path()).unwrap();
        let texts: Vec<&str> = journal.last(10).map(|entry| entry.event["text"].as_str().unwrap()).collect();
        assert_eq!(texts, ["a", "b", "c"]);
        assert_eq!(journal.newest(), 3);
    }

    #[test]
    fn events_are_found_in_memory_and_on_the_disk() {
        let folder = tempfile::tempdir().unwrap();
        let mut journal = Journal::open(folder.path()).unwrap();
        let count = JOURNAL_RECENT_MAX as u64 + 10;
        for number in 1..=count {
            let event = match number % 3 {
                0 => serde_json::json!({"at": number * 10, "kind": "a", "region": "fra"}),
                1 => serde_json::json!({"at": number * 10, "kind": "b", "endpoint": "web/fra/192.0.2.1"}),
                _ => serde_json::json!({"at": number * 10, "kind": "b", "target": "web@fra/fra/x"}),
            };
            journal.add(&event).unwrap();
        }
        let wanted = Wanted::default();
        let found = |wanted: &Wanted, limit| -> (Vec<u64>, bool) {
            let found = journal.find(wanted, limit);
            let on_disk = Journal::search(journal.path(), wanted, limit).unwrap();
            let in_memory = found.is_some();
            assert!(found.is_none_or(|found| found == on_disk), "{wanted:?}");
            (on_disk.iter().map(|entry| entry.seq).collect(), in_memory)
        };
        assert_eq!(found(&wanted, 2), (vec![count - 1, count], true));
        assert_eq!(found(&Wanted { since: Some(3), ..wanted.clone() }, 2), (vec![4, 5], false));
        assert_eq!(found(&Wanted { since: Some(count - 2), ..wanted.clone() }, 9), (vec![count - 1, count], true));
        assert_eq!(found(&Wanted { to: Some(Moment(30)), ..wanted.clone() }, 9), (vec![1, 2, 3], false));
        let kind = Some("a".into());
        assert_eq!(found(&Wanted { from: Some(Moment(31)), kind, ..wanted.clone() }, 2), (vec![6, 9], false));
        let region = Some("fra".into());
        assert_eq!(found(&Wanted { to: Some(Moment(60)), region, ..wanted }, 9), (vec![1, 3, 4, 6], false));
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
        assert_eq!(memory.last(usize::MAX).count(), JOURNAL_RECENT_MAX);
    }
}
