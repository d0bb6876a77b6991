//! `meridian check`: the way of `serve` without its last step.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde_json::Value;

use crate::base::diagnostic::{Report, Severity};
use crate::cli::client::{Server, escape};
use crate::cli::standing::Standing;
use crate::cli::{ConfigArgument, Exit, complain};
use crate::config::Config;
use crate::control::Settings as ControlSettings;
use crate::metrics::{ReloadResult, ZoneState};
use crate::run::{Loaded, Loader, Settings, SettingsError, hash_key, load_settings};
use crate::simulate::preview::{self, Answers, Observed, Preview, RegionShares};
use crate::simulate::{Configuration, calibrated};

#[derive(Debug, clap::Args)]
pub(super) struct CheckArguments {
    /// What a reload would change of what a running server answers: `running` for the one of this configuration, or a URL
    ///
    /// Compares what the clients of every country get, and tells what regions would carry.
    #[arg(long, value_name = "running|URL")]
    against: Option<String>,
    /// Countries that are shown of each service with --against
    #[arg(long, value_name = "N", default_value_t = 10, requires = "against")]
    rows: usize,
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
    let Loaded { model, atlases, result, report: findings, .. } = loaded;
    report.extend(findings);
    if result == ReloadResult::Refused {
        return conclude(&report, "nothing would be served", false, out);
    }
    let zones = loader.gauges();
    let good = zones.iter().filter(|zone| zone.state != ZoneState::Failed).count();
    let records: usize = zones.iter().map(|zone| zone.records).sum();
    let summary = format!("{good} of {} zones are good, {records} records", zones.len());
    let exit = conclude(&report, &summary, result == ReloadResult::Ok, out)?;
    let Some(place) = arguments.against else { return Ok(exit) };
    let configuration = Configuration { name: String::new(), model, atlases, settings: ControlSettings::from(&config) };
    Ok(match preview(&place, &config, &configuration) {
        Ok((server, preview)) => {
            writeln!(out, "\nagainst {server}")?;
            out.write_all(preview::text(&preview, arguments.rows).as_bytes())?;
            exit
        }
        Err(reason) => {
            complain(&reason);
            Exit::Failed
        }
    })
}

/// Compares with what a server answers.
fn preview(place: &str, config: &Config, configuration: &Configuration) -> Result<(String, Preview), String> {
    let server = Server::at(place, config)?;
    let standing = Standing::ask(&server)?;
    let mut answers: BTreeMap<String, Answers> = BTreeMap::new();
    for service in &standing.services {
        let world = server.look(&format!("/api/v1/world?service={}", escape(service)))?;
        answers.insert(service.clone(), of_world(&world));
    }
    let start = standing.start(&configuration.model);
    let peers = f64::from(config.plan.peers);
    let total = standing.demand.map(|demand| demand * peers);
    let profile = preview::profile(configuration, total, &standing.counted, peers);
    let loads = standing.loads(&configuration.model);
    let profile = if loads.is_empty() { profile } else { calibrated(configuration, &profile, &start, &loads) };
    let preview = Preview::new(
        configuration,
        &profile,
        &start,
        &Observed {
            answers,
            carries: standing.carries,
            is_spilling: standing.is_spilling,
            is_counting: !standing.counted.is_empty(),
        },
    );
    Ok((format!("the server at {}, generation {}", server.address(), standing.generation), preview))
}

/// What the clients of every country get.
fn of_world(world: &Value) -> Answers {
    let regions = |clients: &Value| -> RegionShares {
        let shares = clients["regions"].as_array().into_iter().flatten();
        shares.filter_map(|share| Some((share[0].as_str()?.to_owned(), share[1].as_f64()?))).collect()
    };
    let countries = world["countries"].as_array().into_iter().flatten();
    let countries = countries.filter_map(|found| Some((found["country"].as_str()?.to_owned(), regions(found))));
    countries.chain([("unknown".to_owned(), regions(&world["unknown"]))]).collect()
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
