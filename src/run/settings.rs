//! The configuration file: read at start, and again with every reload.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::base::diagnostic::{Diagnostic, Report};
use crate::base::suggest::nearest;
use crate::config::Config;
use crate::control::EventKind;
use crate::run::loader::LoadSettings;
use crate::snapshot::Options;

/// The file that is read if none is named; it may be absent.
pub(super) const DEFAULT_PATH: &str = "meridian.toml";

/// Where the configuration comes from.
#[derive(Clone, Debug)]
pub struct Settings {
    path: PathBuf,
    /// The operator named the file, so it has to be there.
    named: bool,
}

/// Why there is no configuration: everything found, errors among it.
#[derive(Debug, thiserror::Error)]
#[error("the configuration has errors")]
pub struct SettingsError(pub Report);

impl Settings {
    /// The file at `path`, or `meridian.toml` in the current folder, which may be absent.
    #[must_use]
    pub fn new(path: Option<PathBuf>) -> Self {
        Self { named: path.is_some(), path: path.unwrap_or_else(|| PathBuf::from(DEFAULT_PATH)) }
    }

    /// Reads the file: the configuration and what there is to warn of.
    ///
    /// # Errors
    /// [`SettingsError`] with everything found.
    pub fn read(&self) -> Result<(Config, Report), SettingsError> {
        let (config, report) = self.look()?;
        if report.has_errors() { Err(SettingsError(report)) } else { Ok((config, report)) }
    }

    /// Reads the file as far as it can be read, for those who look for more mistakes: what is wrong in it is in the report,
    /// and has its default in the configuration.
    ///
    /// # Errors
    /// [`SettingsError`] if there is no text to read.
    pub fn look(&self) -> Result<(Config, Report), SettingsError> {
        let mut report = Report::new();
        let shown = self.path.to_string_lossy();
        let config = match std::fs::read(&self.path) {
            Ok(bytes) => match String::from_utf8(bytes) {
                Ok(text) => Some(Config::read_loosely(&shown, &text, &mut report)),
                Err(error) => {
                    let at = error.utf8_error().valid_up_to();
                    let place = crate::base::diagnostic::Location::in_text(
                        &shown.as_ref().into(),
                        error.as_bytes(),
                        at..at + 1,
                    );
                    report.push(
                        Diagnostic::error("not-utf8", "the configuration is not UTF-8 text")
                            .at(place, "no character begins or goes on like this"),
                    );
                    None
                }
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound && !self.named => {
                Some(Config::default_in(self.path.parent().unwrap_or(Path::new(""))))
            }
            Err(error) => {
                report.push(
                    Diagnostic::error("unreadable-file", format!("cannot read the configuration {shown}: {error}"))
                        .hint(
                            "name another file with --config; without --config an absent meridian.toml means defaults",
                        ),
                );
                None
            }
        };
        if let Some(config) = &config {
            webhooks(config, &mut report);
        }
        match config {
            Some(config) => Ok((config, report)),
            None => Err(SettingsError(report)),
        }
    }
}

/// What only those know of webhooks who make events and send them.
fn webhooks(config: &Config, report: &mut Report) {
    for (index, hook) in config.admin.webhooks.iter().enumerate() {
        let key = format!("admin.webhooks[{index}]");
        match hook.url.parse::<hyper::Uri>() {
            Ok(url) if url.authority().is_some_and(|authority| authority.as_str().contains('@')) => {
                let message = format!("`{key}.url` has a name or a password in it");
                let hint = "they would stand in the log; `secret_file` signs what is sent";
                report.push(Diagnostic::error("bad-value", message).hint(hint));
            }
            Ok(_) => {}
            Err(error) => {
                let finding = Diagnostic::error("bad-value", format!("`{key}.url` is no URL: {error}"));
                report.push(finding.hint("write https://HOST[:PORT]/PATH"));
            }
        }
        for kind in &hook.kinds {
            let known = || EventKind::ALL.into_iter().map(EventKind::as_str);
            if known().any(|word| word == kind) {
                continue;
            }
            let hint = match nearest(kind, known()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("known here: {}", known().collect::<Vec<_>>().join(", ")),
            };
            let message = format!("`{key}.kinds`: `{kind}` is no kind of event");
            report.push(Diagnostic::error("unknown-kind", message).hint(hint));
        }
    }
}

/// The loader's part of a configuration.
#[must_use]
pub fn load_settings(config: &Config) -> LoadSettings {
    LoadSettings {
        folder: config.dns.zones.clone(),
        origins: config.dns.origins.clone(),
        geoip: config.geoip.clone(),
        state: Some(config.state.folder.clone()),
    }
}

/// The answering part of a configuration.
pub(super) fn options(config: &Config) -> Arc<Options> {
    Arc::new(Options {
        udp_payload: u16::try_from(config.dns.udp_payload).unwrap_or(u16::MAX),
        nsid: config.dns.nsid.clone().unwrap_or_default().into_bytes(),
        version: config.dns.version.clone(),
        id: config.dns.id.clone(),
        keepalive: config.dns.tcp.idle,
    })
}

/// The keys that differ between two configurations and that a reload does not take over.
pub(super) fn needs_restart(running: &Config, next: &Config) -> Vec<String> {
    let differs: [(&str, bool); 9] = [
        ("dns.listen", running.dns.listen != next.dns.listen),
        ("dns.threads", running.dns.threads != next.dns.threads),
        ("dns.tcp", running.dns.tcp != next.dns.tcp),
        ("log", running.log != next.log),
        ("admin", running.admin != next.admin),
        ("state", running.state != next.state),
        ("latency.vantage", running.latency.vantage != next.latency.vantage),
        ("latency.probes_for", running.latency.probes_for != next.latency.probes_for),
        ("cluster", running.cluster != next.cluster),
    ];
    differs.iter().filter(|(_, differs)| *differs).map(|(key, _)| (*key).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absent_file_is_valid_only_unless_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("meridian.toml");
        let (config, report) = Settings { path: path.clone(), named: false }.read().unwrap();
        assert!(report.is_empty());
        assert_eq!(config.dns.zones, folder.path().join("zones"));
        let SettingsError(report) = Settings { path: path.clone(), named: true }.read().unwrap_err();
        assert!(report.render().contains("cannot read the configuration"), "{}", report.render());
        std::fs::write(&path, b"[dns]\nnsid = \"\xff\"\n").unwrap();
        let SettingsError(report) = Settings { path: path.clone(), named: true }.read().unwrap_err();
        assert!(report.render().contains("meridian.toml:2:9"), "{}", report.render());
        let hook = "[[admin.webhooks]]\nurl = \"http://127.0.0.1:1/x\"\nsecret_file = \"s\"\nkinds = [\"region_lost\", \"region_bak\"]\n";
        std::fs::write(&path, hook).unwrap();
        let SettingsError(report) = Settings { path: path.clone(), named: true }.read().unwrap_err();
        assert!(report.render().contains("did you mean `region_back`?"), "{}", report.render());
        std::fs::write(&path, hook.replace("bak", "back")).unwrap();
        let (config, _) = Settings { path: path.clone(), named: true }.read().unwrap();
        assert_eq!(config.admin.webhooks[0].secret_file, folder.path().join("s"));
        std::fs::write(&path, "[dns]\nlsiten = []\n").unwrap();
        let SettingsError(report) = Settings { path, named: true }.read().unwrap_err();
        assert!(report.render().contains("listen"), "{}", report.render());
    }

    #[test]
    fn what_a_reload_does_not_take_over_is_named() {
        let running = Config::default_in(Path::new(""));
        let mut next = running.clone();
        next.dns.nsid = Some("node-1".into());
        assert!(needs_restart(&running, &next).is_empty());
        assert_eq!(options(&next).nsid, b"node-1");
        next.dns.threads = 9;
        next.admin.listen = "127.0.0.1:1".parse().unwrap();
        assert_eq!(needs_restart(&running, &next), ["dns.threads", "admin"]);
    }
}
