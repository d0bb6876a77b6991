//! `meridian check`: the way of `serve` without its last step.

use std::io::{self, Write};

use crate::base::diagnostic::{Report, Severity};
use crate::cli::{ConfigArgument, Exit};
use crate::metrics::{ReloadResult, ZoneState};
use crate::run::{Loader, Settings, SettingsError, hash_key, load_settings};

#[derive(Debug, clap::Args)]
pub(super) struct CheckArguments {
    #[command(flatten)]
    config: ConfigArgument,
}

pub(super) fn run(arguments: CheckArguments) -> Exit {
    let mut out = io::stdout().lock();
    // A reader that has gone (`check | head`) is no failure of the check.
    check(arguments, &mut out).unwrap_or(Exit::Failed)
}

fn check(arguments: CheckArguments, out: &mut impl Write) -> io::Result<Exit> {
    const NOT_TAKEN: &str = "the configuration was not taken";
    let (config, mut report) = match Settings::new(arguments.config.config).look() {
        Ok(read) => read,
        Err(SettingsError(report)) => return conclude(&report, NOT_TAKEN, false, out),
    };
    let mut loader = Loader::new(hash_key()?);
    let loaded = loader.load(&load_settings(&config), true);
    if report.has_errors() {
        // What else is wrong is told as well; the folder may be missing because of a mistake in the configuration.
        loaded.report.iter().filter(|finding| finding.code != "zones-folder").for_each(|it| report.push(it.clone()));
        return conclude(&report, NOT_TAKEN, false, out);
    }
    report.extend(loaded.report);
    if loaded.result == ReloadResult::Refused {
        return conclude(&report, "nothing would be served", false, out);
    }
    let zones = loader.gauges();
    let good = zones.iter().filter(|zone| zone.state != ZoneState::Failed).count();
    let records: usize = zones.iter().map(|zone| zone.records).sum();
    let summary = format!("{good} of {} zones are good, {records} records", zones.len());
    conclude(&report, &summary, loaded.result == ReloadResult::Ok, out)
}

/// Writes all findings and what they come to.
fn conclude(report: &Report, summary: &str, ok: bool, out: &mut impl Write) -> io::Result<Exit> {
    if !report.is_empty() {
        writeln!(out, "{}\n", report.render())?;
    }
    let (errors, warnings) = (report.count(Severity::Error), report.count(Severity::Warning));
    writeln!(out, "{summary}; {errors} errors, {warnings} warnings")?;
    Ok(if ok && !report.has_errors() { Exit::Ok } else { Exit::BadConfig })
}
