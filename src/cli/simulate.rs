//! `meridian simulate`: what would happen, by the files and, if it is asked, from where the running server stands.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::base::diagnostic::Report;
use crate::base::toml_text::utf8;
use crate::base::units::parse_duration;
use crate::cli::client::Server;
use crate::cli::files::{Files, load};
use crate::cli::standing::Standing;
use crate::cli::{ConfigArgument, Exit, complain};
use crate::control::Settings;
use crate::model::{Capacity, METRIC_MAX, Model, Region, RegionCheck};
use crate::simulate::{Configuration, Event, Outcome, Profile, Scenario, What, calibrated, page, play, text};

#[derive(Debug, clap::Args)]
pub(super) struct SimulateArguments {
    #[command(flatten)]
    config: ConfigArgument,
    /// Begin as the running server stands: what is down, drained and switched, what is asked, what regions carry
    #[arg(long)]
    running: bool,
    /// How much is asked from where, in answers a second; docs/simulate.md has the format
    #[arg(long, value_name = "FILE", conflicts_with_all = ["population", "total"])]
    demand: Option<PathBuf>,
    /// Demand by country, as many people as use the internet there; that is so without --demand, unless a running server
    /// is asked that counts who asks it
    #[arg(long)]
    population: bool,
    /// So many answers a second, all together; without it two thirds of all targets, or what the running server counts
    #[arg(long, value_name = "N", value_parser = total)]
    total: Option<f64>,
    /// A region is lost: nothing in it answers, and health checks have to find out
    #[arg(long, value_name = "REGION[@TIME]", value_parser = lose)]
    lose: Vec<Event>,
    /// A region that was lost is back
    #[arg(long, value_name = "REGION[@TIME]", value_parser = back)]
    back: Vec<Event>,
    /// An operator drains a region
    #[arg(long, value_name = "REGION[@TIME]", value_parser = drain)]
    drain: Vec<Event>,
    /// Twice as much is asked, from everywhere or from a country
    #[arg(long, value_name = "COUNTRY|all[@TIME]", num_args = 0..=1, default_missing_value = "all",
          value_parser = Event::double)]
    double: Vec<Event>,
    /// So many times as much is asked
    #[arg(long, value_name = "COUNTRY|all=FACTOR[@TIME]", value_parser = Event::scale)]
    scale: Vec<Event>,
    /// A reload gives a region another capacity
    #[arg(long, value_name = "REGION=[TARGET/]MAX[@TIME]", value_parser = Event::capacity)]
    capacity: Vec<Event>,
    /// The same with another configuration, side by side
    #[arg(long, value_name = "FILE")]
    config_b: Option<PathBuf>,
    /// How long to play after the last event; without it as long as it is likely to take
    #[arg(long = "for", value_name = "DURATION", value_parser = lasting)]
    lasting: Option<Duration>,
    /// Countries and moves that are shown
    #[arg(long, value_name = "N", default_value_t = 10)]
    rows: usize,
    /// As JSON, for programs
    #[arg(long)]
    json: bool,
    /// Write a page with pictures to this file as well
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

fn lose(text: &str) -> Result<Event, String> {
    Event::of_region(text, What::Lose)
}

fn back(text: &str) -> Result<Event, String> {
    Event::of_region(text, What::Back)
}

fn drain(text: &str) -> Result<Event, String> {
    Event::of_region(text, What::Drain)
}

fn total(text: &str) -> Result<f64, String> {
    let total = text.parse().ok().filter(|total: &f64| (0.0..=1e9).contains(total));
    total.ok_or_else(|| "a number of answers a second belongs here".into())
}

fn lasting(text: &str) -> Result<Duration, String> {
    const LASTING_MAX: Duration = Duration::from_secs(86_400);
    parse_duration(text).and_then(|lasting| match lasting {
        Duration::ZERO => Err("something has to be played".into()),
        lasting if lasting > LASTING_MAX => Err("at most 1d is played".into()),
        lasting => Ok(lasting),
    })
}

pub(super) fn run(arguments: SimulateArguments) -> Exit {
    match simulate(&arguments) {
        Ok(outcomes) => tell(&arguments, &outcomes),
        Err(exit) => exit,
    }
}

fn tell(arguments: &SimulateArguments, outcomes: &[Outcome]) -> Exit {
    if let Some(path) = &arguments.html
        && let Err(error) = fs::write(path, page(outcomes))
    {
        complain(&format!("cannot write {}: {error}", path.display()));
        return Exit::Failed;
    }
    let said = if arguments.json {
        match outcomes {
            [only] => serde_json::to_string_pretty(only),
            _ => serde_json::to_string_pretty(outcomes),
        }
        .map(|json| json + "\n")
    } else {
        Ok(text(outcomes, arguments.rows))
    };
    match said {
        // A reader that has gone (`simulate | head`) is no failure.
        Ok(said) => drop(io::stdout().write_all(said.as_bytes())),
        Err(error) => return failed(&error.to_string()),
    }
    Exit::Ok
}

fn simulate(arguments: &SimulateArguments) -> Result<Vec<Outcome>, Exit> {
    let path = arguments.config.config.clone();
    let standing = if arguments.running { Some(running(path.clone())?) } else { None };
    let mut outcomes = vec![of_files(arguments, load(path)?, standing.as_ref())?];
    if let Some(other) = &arguments.config_b {
        outcomes.push(of_files(arguments, load(Some(other.clone()))?, standing.as_ref())?);
    }
    Ok(outcomes)
}

fn running(path: Option<PathBuf>) -> Result<Standing, Exit> {
    let (server, _) = Server::of(ConfigArgument { config: path })?;
    Standing::ask(&server)
        .map_err(|reason| failed(&format!("{reason}\nhint: without --running the files alone are played")))
}

fn of_files(arguments: &SimulateArguments, files: Files, standing: Option<&Standing>) -> Result<Outcome, Exit> {
    let Files { config, loaded, name } = files;
    let model = loaded.model;
    let SimulateArguments { lose, back, drain, double, scale, capacity, .. } = arguments;
    let mut events: Vec<Event> = [lose, back, drain, double, scale, capacity].into_iter().flatten().cloned().collect();
    events.sort_by_key(|event| event.at_s);
    for event in &events {
        event.check(&model).map_err(|reason| failed(&reason))?;
    }
    let peers = f64::from(config.plan.peers);
    let total = arguments.total.or_else(|| Some(standing?.demand? * peers));
    let counted = standing.map(|standing| standing.counted.as_slice()).filter(|counted| !counted.is_empty());
    let mut profile = match (&arguments.demand, counted) {
        (Some(path), _) => profile(path, &model)?,
        (None, Some(counted)) if !arguments.population => {
            let all: f64 = counted.iter().map(|row| row.demand).sum();
            let factor = arguments.total.map_or(peers, |total| total / all.max(f64::MIN_POSITIVE));
            Profile::recorded(&model, &loaded.atlases, counted, factor)
        }
        (None, _) => Profile::population(&model, total),
    };
    let start = standing.map(|standing| standing.start(&model)).unwrap_or_default();
    let configuration = Configuration { name, model, atlases: loaded.atlases, settings: Settings::from(&config) };
    if let Some(standing) = standing {
        let loads = standing.loads(&configuration.model);
        if !loads.is_empty() {
            profile = calibrated(&configuration, &profile, &start, &loads);
        }
    }
    let assumed = assumed(&configuration.model, arguments, standing);
    let lasting_s = arguments.lasting.map(|lasting| u32::try_from(lasting.as_secs()).unwrap_or(u32::MAX).max(1));
    Ok(play(&configuration, &Scenario { profile, start, events, lasting_s, assumed }))
}

fn profile(path: &Path, model: &Model) -> Result<Profile, Exit> {
    let bytes = fs::read(path).map_err(|error| failed(&format!("cannot read {}: {error}", path.display())))?;
    let (mut report, name) = (Report::new(), path.display().to_string());
    let profile = utf8(&name, &bytes, &mut report).map(|text| Profile::read(&name, text, model, &mut report));
    match profile.filter(|_| !report.has_errors()) {
        Some(profile) => Ok(profile),
        None => {
            complain(&report.render());
            Err(Exit::BadConfig)
        }
    }
}

/// What is taken for granted, for people.
fn assumed(model: &Model, arguments: &SimulateArguments, standing: Option<&Standing>) -> Vec<String> {
    let mut assumed = Vec::new();
    match standing {
        None => assumed.push("everything is up at the beginning".to_owned()),
        Some(standing) => assumed.push(format!(
            "the files as they are on disk; as the server stands: {} targets down, {} words of operators",
            standing.failing.len(),
            standing.words.len()
        )),
    }
    let is_unchecked = |region: &&Region| {
        let Some(id) = model.region_by_key(&region.key) else { return false };
        region.check == RegionCheck::Nothing
            && model
                .services
                .iter()
                .any(|service| service.checks.is_empty() && service.regions.iter().any(|part| part.region == id))
    };
    for event in &arguments.lose {
        let region = event.region().and_then(|key| model.regions.iter().find(|region| &*region.key == key));
        if let Some(region) = region.filter(is_unchecked) {
            assumed.push(format!("{} has services without a health check: nobody finds out for them", region.key));
        }
    }
    let tells_max = |region: &&Region| {
        region.capacity == Capacity::Unlimited && region.load.feed().is_some_and(|feed| feed.tells(METRIC_MAX))
    };
    if standing.is_none() {
        for region in model.regions.iter().filter(tells_max) {
            assumed.push(format!(
                "{} takes as much as comes: only its load feed knows its max; see --running",
                region.key
            ));
        }
    }
    assumed
}

fn failed(reason: &str) -> Exit {
    complain(reason);
    Exit::Failed
}
