//! The files of a configuration, loaded as `serve` loads them, for commands that need no server.

use std::path::PathBuf;

use crate::cli::{Exit, complain};
use crate::config::Config;
use crate::metrics::ReloadResult;
use crate::run::{Loaded, Loader, Settings, SettingsError, hash_key, load_settings};

/// A configuration and what it names.
pub(super) struct Files {
    pub(super) config: Config,
    pub(super) loaded: Loaded,
    /// The configuration file, for people.
    pub(super) name: String,
}

/// Loads all files; what is wrong with them goes to standard error.
pub(super) fn load(path: Option<PathBuf>) -> Result<Files, Exit> {
    let name = path.as_ref().map_or_else(|| "meridian.toml".to_owned(), |path| path.display().to_string());
    let (config, _) = Settings::new(path).read().map_err(|SettingsError(report)| {
        complain(&report.render());
        Exit::BadConfig
    })?;
    let key = hash_key().map_err(|error| {
        complain(&error.to_string());
        Exit::Failed
    })?;
    let loaded = Loader::new(key).load(&load_settings(&config), true);
    if loaded.result == ReloadResult::Refused {
        complain(&loaded.report.render());
        return Err(Exit::BadConfig);
    }
    Ok(Files { config, loaded, name })
}
