//! How regions stood over the last days: one sample a line, on disk alone, bounded by time and by size.
//!
//! A line begins with its moment and with how many regions were not well, so that a request reads only the lines that
//! it shows.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::base::limits::{HISTORY_FILE_LEN_MAX, HISTORY_FILE_SPAN_MS};
use crate::base::moment::Moment;
use crate::journal::line_file;

/// All regions at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// When.
    pub at: Moment,
    /// How many regions were not well.
    pub unwell: usize,
    /// The generation that was served.
    pub generation: u64,
    /// Each region.
    pub regions: Vec<RegionSample>,
}

/// A region at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RegionSample {
    /// Its key.
    pub key: String,
    /// How it stood, a word of [`crate::control::RegionState`].
    pub state: String,
    /// Services for which it was eligible.
    pub eligible: usize,
    /// Services that had endpoints in it.
    pub services: usize,
    /// Endpoints that were up.
    pub up: usize,
    /// Endpoints.
    pub endpoints: usize,
    /// Its share of the steered answers since the sample before, 0 to 1; `None` if there were none.
    pub share: Option<f64>,
    /// What it carried; `None`: nobody knew, and it was before loads were kept.
    pub load: Option<LoadSample>,
}

/// What a region carried at one moment, in the unit of its capacity.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LoadSample {
    /// Its load.
    pub current: f64,
    /// What it should carry; `None`: nobody limits it.
    pub target: Option<f64>,
    /// What it could.
    pub max: Option<f64>,
}

/// The history of a state folder: the file that grows, and the full one before it.
#[derive(Debug)]
pub struct History {
    path: PathBuf,
    file: Option<File>,
    len: u64,
    /// The moment of the first sample of the file that grows.
    first: Option<Moment>,
}

/// A line that may be shown.
struct Line {
    at: Moment,
    unwell: usize,
    text: Vec<u8>,
}

impl History {
    /// The history of a state folder, which is made if it is missing.
    ///
    /// # Errors
    /// What the system says.
    pub fn open(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let path = Self::path(folder);
        let (file, len) = line_file::append(&path)?;
        let first = lines(&path, Moment(0), Moment(u64::MAX))?.next().map(|line| line.at);
        Ok(Self { path, file: Some(file), len, first })
    }

    /// The file that grows.
    #[must_use]
    pub fn path(folder: &Path) -> PathBuf {
        folder.join("history.jsonl")
    }

    /// Adds a sample.
    ///
    /// # Errors
    /// What the system says; the sample is lost.
    pub fn add(&mut self, sample: &Sample) -> io::Result<()> {
        let mut line = serde_json::to_vec(sample).map_err(io::Error::other)?;
        line.push(b'\n');
        let is_old = self.first.is_some_and(|first| sample.at.0.saturating_sub(first.0) > HISTORY_FILE_SPAN_MS);
        if is_old || self.len + line.len() as u64 > HISTORY_FILE_LEN_MAX {
            self.file = Some(line_file::rotate(&self.path, &old(&self.path))?);
            (self.len, self.first) = (0, None);
        }
        if let Some(file) = &mut self.file {
            file.write_all(&line)?;
        }
        self.len += line.len() as u64;
        self.first = self.first.or(Some(sample.at));
        Ok(())
    }

    /// The samples of a state folder from `from` to `to`, the oldest first, thinned to at most `max`: of neighbors that
    /// are left out the worst one stays, so that no outage is.
    ///
    /// # Errors
    /// What the system says.
    pub fn read(folder: &Path, from: Moment, to: Moment, max: usize) -> io::Result<Vec<Sample>> {
        let path = Self::path(folder);
        // The file may become the old one meanwhile: it is opened first.
        let current = lines(&path, from, to)?;
        let mut all: Vec<Line> = lines(&old(&path), from, to)?.chain(current).collect();
        // A clock that was set back mixes them up.
        all.sort_by_key(|line| line.at);
        all.dedup_by(|one, other| one.text == other.text);
        let kept = thinned(all, max);
        Ok(kept.iter().filter_map(|line| serde_json::from_slice(&line.text).ok()).collect())
    }
}

fn old(path: &Path) -> PathBuf {
    path.with_extension("1.jsonl")
}

/// The lines of a file within a span; none if there is no file.
fn lines(path: &Path, from: Moment, to: Moment) -> io::Result<impl Iterator<Item = Line>> {
    let lines =
        line_file::open(path)?.into_iter().flat_map(|file| BufReader::new(file).split(b'\n').map_while(Result::ok));
    Ok(lines.filter_map(line).filter(move |line| (from..=to).contains(&line.at)))
}

/// Reads `{"at":1,"unwell":2,…`.
fn line(text: Vec<u8>) -> Option<Line> {
    let rest = text.strip_prefix(b"{\"at\":")?;
    let (at, rest) = number(rest)?;
    let (unwell, _) = number(rest.strip_prefix(b",\"unwell\":")?)?;
    text.ends_with(b"}").then_some(())?;
    Some(Line { at: Moment(at), unwell: usize::try_from(unwell).unwrap_or(usize::MAX), text })
}

fn number(text: &[u8]) -> Option<(u64, &[u8])> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (number, rest) = text.split_at_checked(digits)?;
    Some((std::str::from_utf8(number).ok()?.parse().ok()?, rest))
}

/// At most `max` lines: of each group of neighbors the first and the worst.
fn thinned(lines: Vec<Line>, max: usize) -> Vec<Line> {
    if lines.len() <= max {
        return lines;
    }
    let size = lines.len().div_ceil((max / 2).max(1));
    let mut kept = Vec::new();
    let mut lines = lines.into_iter().peekable();
    while let Some(first) = lines.next() {
        let rest = lines.by_ref().take(size - 1);
        let worst = rest.reduce(|worst, line| if line.unwell > worst.unwell { line } else { worst });
        let worst = worst.filter(|worst| worst.unwell != first.unwell);
        kept.push(first);
        kept.extend(worst);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(at: u64, unwell: usize) -> Sample {
        let region = RegionSample {
            key: "fra".into(),
            state: "ok".into(),
            eligible: 1,
            services: 1,
            up: 2,
            endpoints: 2,
            share: Some(0.5),
            load: Some(LoadSample { current: 48.5, target: Some(40.0), max: Some(50.0) }),
        };
        Sample { at: Moment(at), unwell, generation: 7, regions: vec![region] }
    }

    #[test]
    fn samples_survive_a_restart_and_a_cut_line() {
        let folder = tempfile::tempdir().unwrap();
        let mut history = History::open(folder.path()).unwrap();
        history.add(&sample(10, 0)).unwrap();
        history.add(&sample(20, 1)).unwrap();
        drop(history);
        let mut file = fs::OpenOptions::new().append(true).open(History::path(folder.path())).unwrap();
        file.write_all(b"{\"at\":25,\"unwell\":0,\"gener").unwrap();
        let mut history = History::open(folder.path()).unwrap();
        history.add(&sample(30, 0)).unwrap();
        let read = |from, to| History::read(folder.path(), Moment(from), Moment(to), 9).unwrap();
        assert_eq!(read(0, 99), [sample(10, 0), sample(20, 1), sample(30, 0)]);
        assert_eq!(read(11, 29), [sample(20, 1)]);
        assert_eq!(read(31, 40), []);
        assert_eq!(History::read(&folder.path().join("none"), Moment(0), Moment(9), 9).unwrap(), []);
    }

    #[test]
    fn samples_of_before_loads_were_kept_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let region = r#"{"key":"fra","state":"ok","eligible":1,"services":1,"up":2,"endpoints":2,"share":0.5}"#;
        let line = format!("{{\"at\":10,\"unwell\":0,\"generation\":7,\"regions\":[{region}]}}\n");
        fs::write(History::path(folder.path()), line).unwrap();
        let mut expected = sample(10, 0);
        expected.regions[0].load = None;
        assert_eq!(History::read(folder.path(), Moment(0), Moment(99), 9).unwrap(), [expected]);
    }

    #[test]
    fn a_week_is_kept_and_not_much_more() {
        let folder = tempfile::tempdir().unwrap();
        let mut history = History::open(folder.path()).unwrap();
        let hour = 3_600_000;
        for number in 0..24 * 7 * 4 {
            history.add(&sample(number * hour, 0)).unwrap();
        }
        let last = (24 * 7 * 4 - 1) * hour;
        let kept = History::read(folder.path(), Moment(0), Moment(u64::MAX), usize::MAX).unwrap();
        let span = kept.last().unwrap().at.0 - kept[0].at.0;
        assert_eq!(kept.last().unwrap().at.0, last);
        assert!((HISTORY_FILE_SPAN_MS..=2 * HISTORY_FILE_SPAN_MS + 2 * hour).contains(&span), "{span}");
        assert!(kept.len() < 24 * 7 * 4);
    }

    #[test]
    fn no_outage_is_thinned_away() {
        let folder = tempfile::tempdir().unwrap();
        let mut history = History::open(folder.path()).unwrap();
        for at in 0..1_000 {
            history.add(&sample(at, usize::from(at == 777))).unwrap();
        }
        let read = History::read(folder.path(), Moment(0), Moment(5_000), 100).unwrap();
        assert!((50..=100).contains(&read.len()), "{}", read.len());
        assert!(read.iter().any(|sample| sample.at.0 == 777));
        assert!(read.is_sorted_by_key(|sample| sample.at));
    }
}
