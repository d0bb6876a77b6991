//! The geoip folder: databases and `networks.toml` in, what is known of where clients are out.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use crate::base::diagnostic::{Diagnostic, Report};
use crate::base::toml_text::utf8;
use crate::config::GeoIp;
use crate::geo::{self, DatabaseFile, Places};
use crate::model::{GeoMatch, GeoRanking, Mode, Model, Prefer, Service};
use crate::run::files::{Stamp, read_whole};

/// The operator's own networks, in the geoip folder.
const NETWORKS_FILE: &str = "networks.toml";

/// What is known of where clients are, and the files that said so.
#[derive(Debug)]
pub(super) struct GeoFiles {
    places: Arc<Places>,
    /// The files as they were read last, whether they were good or not.
    stamps: Vec<(PathBuf, Stamp)>,
    settled: bool,
    bad: bool,
}

impl Default for GeoFiles {
    fn default() -> Self {
        Self { places: Arc::new(Places::none()), stamps: Vec::new(), settled: true, bad: false }
    }
}

impl GeoFiles {
    /// Reads the files if they have changed. Files that can't be used are told of in `report`, and what was known
    /// before stays.
    pub(super) fn read(&mut self, settings: &GeoIp, report: &mut Report) {
        let mut own = Report::new();
        match self.try_read(settings, &mut own) {
            Ok(Some(places)) if !own.has_errors() => {
                self.places = Arc::new(places);
                self.bad = false;
            }
            Ok(None) if !self.bad => {}
            Ok(_) => self.bad = true,
            Err((path, error)) => {
                let message = format!("cannot read {}: {error}", path.display());
                own.push(
                    Diagnostic::error("unreadable-file", message).hint(
                        "clients are located as before; keys `folder` and `databases` under [geoip] name the files",
                    ),
                );
                self.bad = true;
            }
        }
        report.extend(own);
    }

    /// What is known; nothing before the first good files.
    pub(super) const fn places(&self) -> &Arc<Places> {
        &self.places
    }

    /// A warning if regions rank by place and nobody can be located: then everybody gets the same ones, and nothing fails.
    pub(super) fn unlocatable(&self, model: &Model, settings: &GeoIp) -> Option<Diagnostic> {
        let ranks_by_place = |service: &&Service| match model.policy(service).mode {
            Mode::ActiveActive { prefer: Prefer::Equal, .. } | Mode::ActivePassive { .. } | Mode::All => false,
            Mode::ActiveActive { ranking: GeoRanking::Distance, .. } => service.regions.len() > 1,
            Mode::ActiveActive { ranking: GeoRanking::Map(id), .. } => {
                let entries = model.geomaps.get(id.index()).map_or(&[][..], |map| &map.entries);
                let has_networks = entries.iter().any(|(matched, _)| matches!(matched, GeoMatch::Network(..)));
                service.regions.len() > 1 && !has_networks
            }
        };
        let service = model.services.iter().find(ranks_by_place).filter(|_| self.places.is_empty() && !self.bad)?;
        let reason = format!(
            "policy `{}` ranks by place, and {} has neither databases nor {NETWORKS_FILE}",
            model.policy(service).key,
            settings.folder.display()
        );
        let finding =
            Diagnostic::warning("no-places", format!("clients of service `{}` cannot be located", service.key));
        Some(finding.at(service.at.clone(), reason).hint(
            "put a database there (a free one comes with Meridian: geoip/country.mmdb), or choose a policy that ranks otherwise",
        ))
    }

    /// `None`: nothing has changed since the last time.
    fn try_read(&mut self, settings: &GeoIp, report: &mut Report) -> Result<Option<Places>, (PathBuf, io::Error)> {
        let databases = database_paths(settings)?;
        let networks = Some(settings.folder.join(NETWORKS_FILE)).filter(|path| path.exists());
        let stamp = |path: &PathBuf| Ok((path.clone(), Stamp::of(path).map_err(|error| (path.clone(), error))?));
        let stamps = databases.iter().chain(&networks).map(stamp).collect::<Result<Vec<_>, _>>()?;
        if stamps == self.stamps && self.settled && !self.bad {
            return Ok(None);
        }
        let now = SystemTime::now();
        let read = |path: &PathBuf| read_whole(path).map(|(bytes, _)| bytes).map_err(|error| (path.clone(), error));
        let mut files = Vec::new();
        for path in &databases {
            files.push(DatabaseFile { path: path.to_string_lossy().into(), bytes: read(path)? });
        }
        // The operator's own order is what it is.
        let files = if settings.databases.is_empty() { geo::order(files) } else { files };
        let text = networks.as_ref().map(|path| Ok((path.to_string_lossy().into_owned(), read(path)?))).transpose()?;
        let text = text.and_then(|(path, bytes)| {
            let text = utf8(&Arc::from(path.as_str()), &bytes, report)?.to_owned();
            Some((path, text))
        });
        let now_s = now.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let networks = text.as_ref().map(|(path, text)| (path.as_str(), text.as_str()));
        let places = Places::read(files, networks, now_s, report);
        self.settled = !stamps.iter().any(|(_, stamp)| stamp.is_fresh(now));
        self.stamps = stamps;
        self.bad = places.is_none() || report.has_errors();
        Ok(places)
    }
}

/// The databases that are asked: those the operator names, or all of the folder. A folder that is not there has none.
fn database_paths(settings: &GeoIp) -> Result<Vec<PathBuf>, (PathBuf, io::Error)> {
    if !settings.databases.is_empty() {
        return Ok(settings.databases.clone());
    }
    let failed = |error| (settings.folder.clone(), error);
    let entries = match fs::read_dir(&settings.folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        let is_database = path.extension().is_some_and(|extension| extension == "mmdb");
        if is_database && !is_hidden(&path) {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// Editors and copying programs keep their drafts under names that begin with a dot.
fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damaged_files_are_refused_and_what_was_known_stays() {
        let folder = tempfile::tempdir().unwrap();
        let settings = GeoIp { folder: folder.path().to_owned(), databases: Vec::new() };
        let mut files = GeoFiles::default();
        let read = |files: &mut GeoFiles| {
            let mut report = Report::new();
            files.read(&settings, &mut report);
            (Arc::clone(files.places()), report.render())
        };
        let (nothing, findings) = read(&mut files);
        assert!(findings.is_empty(), "{findings}");
        fs::write(folder.path().join(NETWORKS_FILE), "[networks]\n\"10.0.0.0/8\" = { country = \"DE\" }\n").unwrap();
        let (known, findings) = read(&mut files);
        assert!(findings.is_empty() && !Arc::ptr_eq(&nothing, &known), "{findings}");
        assert_eq!(known.find("10.1.2.3".parse().unwrap()).place.country, Some(*b"DE"));
        fs::write(folder.path().join("city.mmdb"), "this is no database").unwrap();
        fs::write(folder.path().join(".hidden.mmdb"), "nor is this").unwrap();
        for _ in 0..2 {
            let (kept, findings) = read(&mut files);
            assert!(Arc::ptr_eq(&known, &kept));
            assert!(findings.contains("city.mmdb") && !findings.contains("hidden"), "{findings}");
        }
        fs::remove_file(folder.path().join("city.mmdb")).unwrap();
        let (again, findings) = read(&mut files);
        assert!(findings.is_empty(), "{findings}");
        assert_eq!(again.find("10.1.2.3".parse().unwrap()).place.country, Some(*b"DE"));
    }
}
