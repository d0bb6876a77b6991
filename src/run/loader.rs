//! The zones folder: files in, a set of zones out.
//!
//! The unit of failure is one zone. A file that cannot be used leaves its zone as it was; at start, when there is no
//! earlier version, that zone alone answers SERVFAIL. A reload reads only what has changed.

mod last_good;
mod linking;
mod reading;

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use crate::base::diagnostic::{Diagnostic, Report};
use crate::base::hash::HashKey;
use crate::base::limits::REMOVED_SHARE;
use crate::config::GeoIp;
use crate::dns::Name;
use crate::geo::{Measured, Places};
use crate::metrics::{ReloadResult, ZoneGauges, ZoneState};
use crate::model::Model;
use crate::policy::Atlases;
use crate::run::folder::{Listed, list};
use crate::run::parallel;
use crate::run::places::GeoFiles;
use crate::run::regions::{NextModel, Refused, Regions};
use crate::zone::{Served, Zone, ZoneSet};

use reading::{KnownFile, Read};

/// Where everything that is served comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadSettings {
    /// The folder of `*.zone` files and region files.
    pub folder: PathBuf,
    /// Origins of files whose names are not their origin, by file name.
    pub origins: BTreeMap<String, Name>,
    /// Where clients are.
    pub geoip: GeoIp,
    /// The folder that keeps the last good region files; `None`: they are neither kept nor fallen back to.
    pub state: Option<PathBuf>,
}

/// What one load came to.
pub struct Loaded {
    /// All zones with their steered names, to be published; unchanged if the load was refused.
    pub zones: Arc<ZoneSet>,
    /// What is steered in them.
    pub model: Arc<Model>,
    /// Who is near, for this model.
    pub atlases: Arc<Atlases>,
    /// Whether everything was taken.
    pub result: ReloadResult,
    /// Apexes of zones that are new, sorted.
    pub added: Vec<Name>,
    /// Apexes of zones whose contents or state changed, sorted.
    pub changed: Vec<Name>,
    /// Apexes of zones that are gone, sorted.
    pub removed: Vec<Name>,
    /// Everything found.
    pub report: Report,
}

/// Knows what is loaded, and loads what has changed.
pub struct Loader {
    key: HashKey,
    settings: Option<LoadSettings>,
    files: HashMap<String, KnownFile>,
    zones: HashMap<Name, Held>,
    regions: Regions,
    geo: GeoFiles,
    /// What was handed out last.
    set: Arc<ZoneSet>,
    atlases: Arc<Atlases>,
    /// What is known of the ways to regions.
    measured: Arc<Measured>,
    /// The model that the atlases are of.
    ranked: Arc<Model>,
}

/// One zone.
struct Held {
    zone: Option<Arc<Zone>>,
    state: ZoneState,
    file: String,
}

impl Loader {
    /// Nothing is loaded.
    #[must_use]
    pub fn new(key: HashKey) -> Self {
        Self {
            key,
            settings: None,
            files: HashMap::new(),
            zones: HashMap::new(),
            regions: Regions::default(),
            geo: GeoFiles::default(),
            set: Arc::new(ZoneSet::new(key)),
            atlases: Arc::new(Atlases::new(&Model::default(), Arc::new(Places::none()))),
            measured: Arc::default(),
            ranked: Arc::default(),
        }
    }

    /// Brings the zones up to what the files say. Unless `force`d, a load that would take away more than half of the
    /// zones is refused: that is a missing mount far more often than a wish.
    pub fn load(&mut self, settings: &LoadSettings, force: bool) -> Loaded {
        let mut report = Report::new();
        if self.settings.as_ref() != Some(settings) {
            // Other origins make other zones of the same files.
            self.files.clear();
            self.settings = Some(settings.clone());
        }
        let Some(listed) = list(&settings.folder, &mut report) else { return self.refused(report) };
        let reads = parallel::map(&listed, |file| self.read_safely(file, settings));
        let mut reads: Vec<Read> = reads
            .into_iter()
            .map(|(read, findings)| {
                report.extend(findings);
                read
            })
            .collect();
        self.reject_duplicates(&listed, &mut reads, &mut report);
        let next = self.next_zones(&listed, &reads);
        let removed: Vec<Name> = sorted(self.zones.keys().filter(|apex| !next.contains_key(*apex)));
        if removed.len() * REMOVED_SHARE > self.zones.len() && !force {
            report.push(
                Diagnostic::error(
                    "too-much-removed",
                    format!("{} of {} zones would be removed: nothing was changed", removed.len(), self.zones.len()),
                )
                .hint(format!(
                    "if that is meant, POST /api/v1/reload?force=true; else look into {} (is something not mounted?)",
                    settings.folder.display()
                )),
            );
            return self.refused(report);
        }
        self.geo.read(&settings.geoip, &mut report);
        let model = match self.regions.read(&settings.folder, force, &mut report) {
            Ok(model) => model,
            Err(Refused) => return self.refused(report),
        };
        if let NextModel::New(model) = &model
            && let Some(finding) = self.geo.unlocatable(model, &settings.geoip)
        {
            report.push(finding);
        }
        self.take(listed, reads, next, removed, model, report)
    }

    /// Ranks by what is measured from now on, until more is: who was near before, and who is now. `None`: nothing that is
    /// steered depends on it.
    pub fn remeasure(&mut self, measured: Arc<Measured>) -> Option<(Arc<Atlases>, Arc<Atlases>)> {
        self.measured = measured;
        if !self.atlases.is_measured() {
            return None;
        }
        let next = Arc::new(self.atlases.remeasured(&self.ranked, Arc::clone(&self.measured)));
        let before = std::mem::replace(&mut self.atlases, Arc::clone(&next));
        Some((before, next))
    }

    /// What is steered.
    #[must_use]
    pub fn model(&self) -> &Arc<Model> {
        self.regions.model()
    }

    /// True if what is steered is not what the region files say, because that can't be used.
    #[must_use]
    pub fn has_stale_model(&self) -> bool {
        self.regions.is_stale()
    }

    /// All zones, sorted by apex.
    #[must_use]
    pub fn gauges(&self) -> Vec<ZoneGauges> {
        let mut gauges: Vec<ZoneGauges> = self
            .zones
            .iter()
            .map(|(apex, held)| ZoneGauges {
                zone: apex.to_string(),
                state: held.state,
                serial: held.zone.as_ref().map(|zone| zone.serial()),
                records: held.zone.as_ref().map_or(0, |zone| zone.record_count()),
            })
            .collect();
        gauges.sort_by(|a, b| a.zone.cmp(&b.zone));
        gauges
    }

    /// Zones in a state.
    #[must_use]
    pub fn count(&self, state: ZoneState) -> usize {
        self.zones.values().filter(|held| held.state == state).count()
    }

    fn refused(&self, report: Report) -> Loaded {
        Loaded {
            zones: Arc::clone(&self.set),
            model: Arc::clone(self.model()),
            atlases: Arc::clone(&self.atlases),
            result: ReloadResult::Refused,
            added: Vec::new(),
            changed: Vec::new(),
            removed: Vec::new(),
            report,
        }
    }

    /// The zones as they will be.
    fn next_zones(&self, listed: &[Listed], reads: &[Read]) -> HashMap<Name, Held> {
        let mut next = HashMap::with_capacity(listed.len());
        for (file, read) in listed.iter().zip(reads) {
            match read {
                Read::Good { zone, file: known } => {
                    let held =
                        Held { zone: Some(Arc::clone(zone)), state: ZoneState::Current, file: file.name.clone() };
                    next.insert(known.apex.clone(), held);
                }
                Read::Unchanged => {
                    if let Some(known) = self.files.get(&file.name)
                        && let Some(held) = self.zones.get(&known.apex)
                    {
                        next.insert(known.apex.clone(), held.copy());
                    }
                }
                Read::Bad { .. } => {}
            }
        }
        // Bad files come last: a good file of the same zone stands.
        for (file, read) in listed.iter().zip(reads) {
            if let Read::Bad { apex: Some(apex) } = read {
                next.entry(apex.clone()).or_insert_with(|| self.before(apex, &file.name));
            }
        }
        next
    }

    /// Takes the zones over and works out the set.
    fn take(
        &mut self,
        listed: Vec<Listed>,
        mut reads: Vec<Read>,
        mut next: HashMap<Name, Held>,
        removed: Vec<Name>,
        model: NextModel,
        mut report: Report,
    ) -> Loaded {
        let linked = self.link(&mut next, &model, &mut report);
        let Some((linked, misfits)) = linked.or_else(|| self.link_last_good(&mut next, &mut report)) else {
            return self.refused(report);
        };
        for (file, read) in listed.iter().zip(&mut reads) {
            // What was refused is not what the next version is read against.
            if let Some(apex) = self.good_apex(file, read).filter(|apex| misfits.contains(apex)).cloned() {
                *read = Read::Bad { apex: Some(apex) };
            }
        }
        let (mut added, mut changed) = (Vec::new(), Vec::new());
        for (apex, held) in &next {
            let before = self.zones.get(apex);
            let same_zone = before.is_some_and(|before| same(before.zone.as_ref(), held.zone.as_ref()));
            match before {
                None => added.push(apex),
                Some(before) if !same_zone || before.state != held.state => changed.push(apex),
                Some(_) => {}
            }
        }
        let (added, changed) = (sorted(added), sorted(changed));
        let bad = matches!(model, NextModel::Bad)
            || report.has_errors()
            || next.values().any(|held| held.state != ZoneState::Current)
            || reads.iter().any(|read| matches!(read, Read::Bad { .. }));
        self.remember(listed, reads);
        self.zones = next;
        self.set = Arc::new(linked);
        self.rank();
        let result = if bad { ReloadResult::Partial } else { ReloadResult::Ok };
        let (zones, model, atlases) = (Arc::clone(&self.set), Arc::clone(self.model()), Arc::clone(&self.atlases));
        Loaded { zones, model, atlases, result, added, changed, removed, report }
    }

    /// Ranks regions for clients anew, if the model or the places are others.
    fn rank(&mut self) {
        let (model, places) = (Arc::clone(self.model()), self.geo.places());
        if !Arc::ptr_eq(&model, &self.ranked) || !Arc::ptr_eq(places, self.atlases.places()) {
            self.atlases = Arc::new(Atlases::with_measured(&model, Arc::clone(places), Arc::clone(&self.measured)));
            self.ranked = model;
        }
    }

    /// What is left of a zone whose newest version, in `file`, can't be used.
    fn before(&self, apex: &Name, file: &str) -> Held {
        match self.zones.get(apex) {
            Some(held) if held.zone.is_some() => Held { state: ZoneState::Stale, ..held.copy() },
            _ => Held { zone: None, state: ZoneState::Failed, file: file.to_owned() },
        }
    }

    fn set_of(&self, zones: &HashMap<Name, Held>) -> ZoneSet {
        ZoneSet::of(self.key, zones.iter().map(served))
    }
}

impl Held {
    fn copy(&self) -> Self {
        Self { zone: self.zone.clone(), state: self.state, file: self.file.clone() }
    }
}

/// A zone as it is served.
fn served((apex, held): (&Name, &Held)) -> Served {
    match &held.zone {
        Some(zone) => Served::Zone(Arc::clone(zone)),
        None => Served::Failed(apex.clone()),
    }
}

fn same(a: Option<&Arc<Zone>>, b: Option<&Arc<Zone>>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => Arc::ptr_eq(a, b),
        (None, None) => true,
        _ => false,
    }
}

fn sorted<'a>(names: impl IntoIterator<Item = &'a Name>) -> Vec<Name> {
    let mut names: Vec<Name> = names.into_iter().cloned().collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests;
