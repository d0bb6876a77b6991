//! How a running server stands, as far as a simulation begins there.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::base::ids::RegionId;
use crate::cli::client::Server;
use crate::control::{Command, Order};
use crate::health::Action;
use crate::model::{METRIC_MAX, Model};
use crate::simulate::{Counted, Start};

/// How the running server stands.
pub(super) struct Standing {
    pub(super) failing: Vec<String>,
    pub(super) words: Vec<Command>,
    /// By region key: those that are fed.
    fed: BTreeMap<String, Fed>,
    /// Keys of services.
    pub(super) services: Vec<String>,
    /// The generation in force.
    pub(super) generation: u64,
    /// By region key: its load, by its feed or as it is planned for.
    pub(super) carries: BTreeMap<String, Option<f64>>,
    /// Some clients are sent elsewhere because their own region is full.
    pub(super) is_spilling: bool,
    /// Answers a second that it plans for: what it is asked itself.
    pub(super) demand: Option<f64>,
    /// The same by class of clients.
    pub(super) counted: Vec<Counted>,
}

/// What a load feed says of a region.
struct Fed {
    load: Option<f64>,
    /// Target and max.
    capacity: Option<(f64, f64)>,
}

impl Standing {
    /// Asks a server.
    ///
    /// # Errors
    /// Why it does not say.
    pub(super) fn ask(server: &Server) -> Result<Self, String> {
        let look = |path| server.look(path);
        Ok(Self::of(&look("/api/v1/status")?, &look("/api/v1/plan")?, &look("/api/v1/demand")?))
    }

    fn of(status: &Value, plan: &Value, demand: &Value) -> Self {
        let list = |key: &str| status[key].as_array().map(Vec::as_slice).unwrap_or_default();
        let word = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
        let down = list("targets").iter().filter(|target| target["state"] == "down");
        let mut words: Vec<Command> = Vec::new();
        for said in list("overrides") {
            let Some(action) = action(&said["command"]) else { continue };
            let (target, owner) = (word(said, "target"), word(said, "owner"));
            words.push(Command::Override(action, Order { target, owner, confirm: true, ..Order::default() }));
        }
        for service in list("services").iter().filter(|service| service["active"]["switched"] == true) {
            let (service, region) = (word(service, "key"), word(&service["active"], "region"));
            words.push(Command::Switch { service, region, owner: "simulate".into() });
        }
        let fed = list("regions").iter().filter_map(|region| {
            let load = &region["load"];
            let source = load["source"].as_str()?;
            let number = |key: &str| load[key].as_f64();
            let fed = Fed { load: number("current"), capacity: number("target").zip(number("max")) };
            (source != "answers").then(|| (word(region, "key"), fed))
        });
        Self {
            failing: down.map(|target| word(target, "key")).collect(),
            words,
            fed: fed.collect(),
            services: list("services").iter().map(|service| word(service, "key")).collect(),
            generation: status["generation"].as_u64().unwrap_or(0),
            carries: list("regions").iter().map(|region| (word(region, "key"), carries(region, plan))).collect(),
            is_spilling: plan["spills"].as_array().is_some_and(|spills| !spills.is_empty()),
            demand: plan["demand"].as_f64().filter(|demand| *demand > 0.0),
            counted: counted(demand),
        }
    }

    /// As a scenario begins.
    pub(super) fn start(&self, model: &Model) -> Start {
        let tells_max = |key: &str| {
            let region = model.regions.iter().find(|region| &*region.key == key);
            region.is_some_and(|region| region.load.feed().is_some_and(|feed| feed.tells(METRIC_MAX)))
        };
        let capacities = self.fed.iter().filter(|(key, _)| tells_max(key));
        Start {
            failing: self.failing.iter().cloned().collect(),
            words: self.words.clone(),
            capacities: capacities.filter_map(|(key, fed)| Some((key.clone(), fed.capacity?))).collect(),
        }
    }

    /// What regions carry by their feeds.
    pub(super) fn loads(&self, model: &Model) -> BTreeMap<RegionId, f64> {
        let load = |(key, fed): (&String, &Fed)| Some((model.region_by_key(key)?, fed.load?));
        self.fed.iter().filter_map(load).collect()
    }
}

/// What is asked by whom, as a server tells it.
pub(super) fn counted(demand: &Value) -> Vec<Counted> {
    let row = |row: &Value| {
        let (service, demand) = (row["service"].as_str()?.to_owned(), row["demand"].as_f64()?);
        Some(Counted { service, network: row["network"].as_str().map(str::to_owned), demand })
    };
    demand["rows"].as_array().into_iter().flatten().filter_map(row).collect()
}

/// What a region carries, by its feed or as the planner reckons.
fn carries(region: &Value, plan: &Value) -> Option<f64> {
    let of_plan = || {
        let planned = plan["regions"].as_array()?.iter().find(|planned| planned["region"] == region["key"])?;
        planned["load"].as_f64()
    };
    region["load"]["current"].as_f64().or_else(of_plan)
}

fn action(command: &Value) -> Option<Action> {
    let command = command.as_str()?;
    Action::ALL.into_iter().find(|action| action.as_str() == command)
}
