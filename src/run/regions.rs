//! Region files: all of them together are the model, and the model is the unit of failure.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::base::diagnostic::{Diagnostic, Report};
use crate::base::limits::REMOVED_SHARE;
use crate::base::toml_text::utf8;
use crate::model::{self, Model};

/// The model in force, and the texts it was read from.
#[derive(Debug, Default)]
pub(super) struct Regions {
    model: Arc<Model>,
    /// What was read last, whether it was good or not.
    files: Vec<RegionFile>,
    loaded: bool,
    /// What was read last can't be used.
    bad: bool,
}

/// What reading the files came to.
#[derive(Debug)]
pub(super) enum NextModel {
    /// The files are as they were, and good.
    Same,
    /// They say something new.
    New(Arc<Model>),
    /// They have errors, which are reported: the model in force stays.
    Bad,
}

/// The load as a whole must not happen; the report says why.
#[derive(Debug)]
pub(super) struct Refused;

impl Regions {
    /// Reads the `*.toml` files of the folder. Unless `force`d, losing more than half of the services is refused: that
    /// is a missing file far more often than a wish.
    ///
    /// # Errors
    /// [`Refused`] then.
    pub(super) fn read(&mut self, folder: &Path, force: bool, report: &mut Report) -> Result<NextModel, Refused> {
        let files = match list(folder) {
            Ok(files) => files,
            Err((path, error)) => {
                report.push(Diagnostic::error("unreadable-file", format!("cannot read region file {path}: {error}")));
                self.bad = true;
                return Ok(NextModel::Bad);
            }
        };
        if self.loaded && !self.bad && files == self.files {
            return Ok(NextModel::Same);
        }
        let mut own = Report::new();
        let texts: Vec<(Arc<str>, &str)> =
            files.iter().filter_map(|(path, bytes)| Some((Arc::clone(path), utf8(path, bytes, &mut own)?))).collect();
        let read = model::read(&texts, &mut own);
        let read = read.filter(|_| !own.has_errors());
        report.extend(own);
        let Some(next) = read else {
            self.files = files;
            self.bad = true;
            return Ok(NextModel::Bad);
        };
        let gone = self.model.services.iter().filter(|service| next.service_by_key(&service.key).is_none()).count();
        if gone * REMOVED_SHARE > self.model.services.len() && !force {
            let all = self.model.services.len();
            report.push(
                Diagnostic::error(
                    "too-much-removed",
                    format!("{gone} of {all} services would be removed: nothing was changed"),
                )
                .hint("if that is meant, POST /api/v1/reload?force=true; else look for a region file that is missing"),
            );
            return Err(Refused);
        }
        self.files = files;
        self.bad = false;
        Ok(NextModel::New(Arc::new(next)))
    }

    /// Puts a model in force.
    pub(super) fn take(&mut self, model: Arc<Model>) {
        self.model = model;
        self.loaded = true;
    }

    /// Says that the model read last does not fit the zones: it is read again until it does or its files change.
    pub(super) fn reject(&mut self) {
        self.bad = true;
    }

    /// The files read last, each its path and its text, as far as it is text.
    pub(super) fn files(&self) -> Vec<(String, String)> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        self.files.iter().map(|(path, bytes)| (path.to_string(), text(bytes))).collect()
    }

    /// The model in force; empty before the first.
    pub(super) const fn model(&self) -> &Arc<Model> {
        &self.model
    }

    /// True if the model in force is not what the files say, because that can't be used.
    pub(super) const fn is_stale(&self) -> bool {
        self.loaded && self.bad
    }

    /// True once a model was taken.
    pub(super) const fn is_loaded(&self) -> bool {
        self.loaded
    }
}

/// A region file: its path and its bytes.
type RegionFile = (Arc<str>, Vec<u8>);

/// All region files, sorted by name; or the path that cannot be read, and why.
fn list(folder: &Path) -> Result<Vec<RegionFile>, (String, io::Error)> {
    let failed = |path: &Path| {
        let path = path.display().to_string();
        move |error| (path, error)
    };
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed(folder))? {
        let path = entry.map_err(failed(folder))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        // Editors keep their copies under names that begin with a dot.
        if name.ends_with(".toml") && !name.starts_with('.') {
            let bytes = fs::read(&path).map_err(failed(&path))?;
            files.push((path.to_string_lossy().into(), bytes));
        }
    }
    files.sort();
    Ok(files)
}
