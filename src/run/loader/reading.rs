//! One zone file: read if it has changed since, and remembered.

use std::collections::{HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use crate::base::diagnostic::{Diagnostic, Report};
use crate::dns::Name;
use crate::run::files::{DiskFiles, Stamp, read_whole};
use crate::run::folder::{Listed, first_line, origin};
use crate::zone::{self, Zone, ZoneSource};

use super::{Held, LoadSettings, Loader};

/// What is kept of a file that was read.
pub(super) struct KnownFile {
    /// The file and those it includes, as they were read.
    stamps: Vec<(PathBuf, Stamp)>,
    /// All stamps were old enough to be trusted.
    settled: bool,
    pub(super) apex: Name,
    /// What the next version is read against.
    source: ZoneSource,
}

/// What reading one file came to.
pub(super) enum Read {
    /// Its stamps say that nothing has changed.
    Unchanged,
    /// It was read and is good.
    Good { zone: Arc<Zone>, file: KnownFile },
    /// It can't be used.
    Bad { apex: Option<Name> },
}

impl Loader {
    /// Reads one file. A defect of ours that one file brings out is a fault of that file's zone alone.
    pub(super) fn read_safely(&self, file: &Listed, settings: &LoadSettings) -> (Read, Report) {
        let mut report = Report::new();
        let read = catch_unwind(AssertUnwindSafe(|| self.read(file, settings, &mut report)));
        let read = read.unwrap_or_else(|_| {
            let message = format!("zone file {} brings out a defect of this program", file.path.display());
            report.push(Diagnostic::error("defect", message).hint("please report it, with the file if you can"));
            let known = self.files.get(&file.name).map(|known| known.apex.clone());
            Read::Bad { apex: known.or_else(|| origin(&file.name, settings, &mut report)) }
        });
        (read, report)
    }

    /// Reads one file, if it has changed since.
    fn read(&self, file: &Listed, settings: &LoadSettings, report: &mut Report) -> Read {
        let known = self.files.get(&file.name);
        if known.is_some_and(KnownFile::is_unchanged) {
            return Read::Unchanged;
        }
        let Some(origin) = origin(&file.name, settings, report) else { return Read::Bad { apex: None } };
        let now = SystemTime::now();
        let (text, stamp) = match read_whole(&file.path) {
            Ok(read) => read,
            Err(error) => {
                let message = format!("cannot read zone file {}: {error}", file.path.display());
                report.push(Diagnostic::error("unreadable-file", message));
                return Read::Bad { apex: Some(known.map_or(origin, |known| known.apex.clone())) };
            }
        };
        let path: Arc<str> = file.path.to_string_lossy().into();
        let before = known.and_then(|known| Some((&known.source, self.zones.get(&known.apex)?)));
        let result = match before {
            Some((source, Held { zone: Some(zone), file: from, .. })) if *from == file.name => {
                source.update(zone, &text, &DiskFiles, report).map(|update| {
                    let same = update.diff.is_empty() && update.zone.apex() == zone.apex();
                    (if same { Arc::clone(zone) } else { Arc::new(update.zone) }, update.source)
                })
            }
            _ => zone::load(self.key, &path, &text, &origin, &DiskFiles, report)
                .map(|loaded| (Arc::new(loaded.zone), loaded.source)),
        };
        let Some((zone, source)) = result else {
            return Read::Bad { apex: Some(known.map_or(origin, |known| known.apex.clone())) };
        };
        let mut stamps = vec![(file.path.clone(), stamp)];
        let mut settled = !stamp.is_fresh(now);
        for included in source.included() {
            // A file that is gone by now differs from whatever was read.
            let Ok(stamp) = Stamp::of(&**included) else {
                settled = false;
                continue;
            };
            settled &= !stamp.is_fresh(now);
            stamps.push((PathBuf::from(&**included), stamp));
        }
        let file = KnownFile { stamps, settled, apex: zone.apex().clone(), source };
        Read::Good { zone, file }
    }

    /// Two files for one zone: neither is taken, for nobody can say which is meant.
    pub(super) fn reject_duplicates(&self, listed: &[Listed], reads: &mut [Read], report: &mut Report) {
        let mut by_apex: HashMap<Name, Vec<usize>> = HashMap::new();
        for (at, (file, read)) in listed.iter().zip(&*reads).enumerate() {
            if let Some(apex) = self.good_apex(file, read) {
                by_apex.entry(apex.clone()).or_default().push(at);
            }
        }
        let mut doubled: Vec<(Name, Vec<usize>)> = by_apex.into_iter().filter(|(_, files)| files.len() > 1).collect();
        doubled.sort_by_key(|(_, files)| files[0]);
        for (apex, files) in doubled {
            let mut places = files.iter().map(|&at| first_line(&listed[at].path));
            let mut diagnostic = Diagnostic::error("duplicate-zone", format!("zone `{apex}` is in more than one file"))
                .hint("keep one of the files; the zone stays as it was until then");
            if let Some(first) = places.next() {
                diagnostic = diagnostic.at(first, "in this file");
            }
            for place in places {
                diagnostic = diagnostic.related(place, "and in this one");
            }
            report.push(diagnostic);
            for at in files {
                reads[at] = Read::Bad { apex: Some(apex.clone()) };
            }
        }
    }

    /// The apex of the zone in a file that can be used.
    pub(super) fn good_apex<'r>(&'r self, file: &Listed, read: &'r Read) -> Option<&'r Name> {
        match read {
            Read::Good { file, .. } => Some(&file.apex),
            Read::Unchanged => self.files.get(&file.name).map(|known| &known.apex),
            Read::Bad { .. } => None,
        }
    }

    pub(super) fn remember(&mut self, listed: Vec<Listed>, reads: Vec<Read>) {
        let present: HashSet<&str> = listed.iter().map(|file| file.name.as_str()).collect();
        self.files.retain(|name, _| present.contains(name.as_str()));
        for (file, read) in listed.into_iter().zip(reads) {
            match read {
                Read::Unchanged => {}
                Read::Good { file: known, .. } => {
                    self.files.insert(file.name, known);
                }
                Read::Bad { .. } => {
                    // The next version is read against the last good one; until then it is read each time.
                    if let Some(known) = self.files.get_mut(&file.name) {
                        known.settled = false;
                    }
                }
            }
        }
    }
}

impl KnownFile {
    /// True if the file and all it includes bear the stamps they had when they were read.
    fn is_unchanged(&self) -> bool {
        self.settled && self.stamps.iter().all(|(path, stamp)| Stamp::of(path).is_ok_and(|found| found == *stamp))
    }
}
