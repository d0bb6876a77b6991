//! What stands in the zones folder.

use std::fs;
use std::path::{Path, PathBuf};

use crate::base::diagnostic::{Diagnostic, Location, Report};
use crate::dns::Name;
use crate::run::loader::LoadSettings;

/// A zone file of the folder.
pub(super) struct Listed {
    /// Its name, which may say its origin.
    pub(super) name: String,
    /// Where it is.
    pub(super) path: PathBuf,
}

/// The zone files of the folder, sorted by name. `None` if the folder can't be read.
pub(super) fn list(folder: &Path, report: &mut Report) -> Option<Vec<Listed>> {
    let mut failed = |error: std::io::Error| {
        report.push(
            Diagnostic::error("zones-folder", format!("cannot read the zones folder {}: {error}", folder.display()))
                .hint("make the folder, or name another one: key `zones` under [dns]; it may be empty"),
        );
    };
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => {
            failed(error);
            return None;
        }
    };
    let mut listed = Vec::new();
    for entry in entries {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                failed(error);
                return None;
            }
        };
        let name = entry.file_name().to_string_lossy().into_owned();
        // Editors keep their copies under names that begin with a dot.
        if name.ends_with(".zone") && !name.starts_with('.') {
            listed.push(Listed { name, path: entry.path() });
        }
    }
    listed.sort_by(|a, b| a.name.cmp(&b.name));
    Some(listed)
}

/// The origin at the start of a file: what the operator says, else what its name says.
pub(super) fn origin(file_name: &str, settings: &LoadSettings, report: &mut Report) -> Option<Name> {
    if let Some(origin) = settings.origins.get(file_name) {
        return Some(origin.clone());
    }
    let stem = file_name.strip_suffix(".zone").unwrap_or(file_name);
    match Name::parse(stem.as_bytes(), Some(&Name::root())) {
        Ok(origin) => Some(origin),
        Err(error) => {
            report.push(
                Diagnostic::error("file-name", format!("the name of zone file `{file_name}` is no origin: {error}"))
                    .hint(format!(
                        "say its origin in meridian.toml: origins = {{ \"{file_name}\" = \"example.com.\" }}"
                    )),
            );
            None
        }
    }
}

/// The first line of a file, as a place to show.
pub(super) fn first_line(path: &Path) -> Location {
    let text = fs::read(path).unwrap_or_default();
    Location::in_text(&path.to_string_lossy().into(), &text, 0..0)
}
