//! `meridian status`: how a running server sees the world.

use std::fmt::Write as _;
use std::io::{self, Write};

use serde_json::Value;

use crate::base::moment::Moment;
use crate::cli::client::Server;
use crate::cli::{ConfigArgument, Exit, complain};

#[derive(Debug, clap::Args)]
pub(super) struct StatusArguments {
    /// As JSON, for programs
    #[arg(long)]
    json: bool,
    /// Say nothing, and end with 0 if the server answers queries, with 4 if not: for containers and service managers
    #[arg(long, conflicts_with = "json")]
    ready: bool,
    #[command(flatten)]
    config: ConfigArgument,
}

pub(super) fn run(arguments: StatusArguments) -> Exit {
    let (server, _) = match Server::of(arguments.config) {
        Ok(found) => found,
        Err(exit) => return exit,
    };
    if arguments.ready {
        return if server.is_ready() { Exit::Ok } else { Exit::Unhealthy };
    }
    let status = match server.get("/api/v1/status") {
        Ok(answer) if answer.status.is_success() => answer.body,
        Ok(answer) => {
            complain(&server.refusal(&answer));
            return Exit::Failed;
        }
        Err(error) => {
            complain(&error.to_string());
            return Exit::Failed;
        }
    };
    let text = if arguments.json { format!("{status:#}\n") } else { text(&status) };
    // A reader that has gone (`status | head`) is no failure.
    let _ = io::stdout().write_all(text.as_bytes());
    if is_well(&status) { Exit::Ok } else { Exit::Unhealthy }
}

/// Every service has a healthy region, and the server is ready.
fn is_well(status: &Value) -> bool {
    let mut services = list(status, "services");
    status["ready"] == true && services.all(|service| matches!(word(service, "standing"), "eligible" | "drained"))
}

fn list<'v>(value: &'v Value, key: &str) -> impl Iterator<Item = &'v Value> {
    value[key].as_array().map(Vec::as_slice).unwrap_or_default().iter()
}

fn word<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or("-")
}

fn text(status: &Value) -> String {
    let mut text = String::new();
    // Writing to a string can't fail.
    let _ = write_status(status, &mut text);
    text
}

fn write_status(status: &Value, out: &mut String) -> std::fmt::Result {
    let ready = if status["ready"] == true { "ready" } else { "not ready" };
    writeln!(out, "meridian {}, {ready}, generation {}", word(status, "version"), status["generation"])?;
    writeln!(out, "\nregion       endpoints up  services eligible  load")?;
    for region in list(status, "regions") {
        let up = format!("{}/{}", region["up"], region["endpoints"]);
        let eligible = format!("{}/{}", region["eligible"], region["services"]);
        let disabled = if region["enabled"] == false { "  disabled" } else { "" };
        writeln!(out, "{:<12} {up:<13} {eligible:<18} {}{disabled}", word(region, "key"), load(&region["load"]))?;
    }
    for service in list(status, "services") {
        write_service(service, out)?;
    }
    let failing = list(status, "targets").filter(|target| word(target, "state") != "up");
    for (index, target) in failing.enumerate() {
        if index == 0 {
            writeln!(out, "\nchecks that are not up")?;
        }
        let reason = word(&target["last"], "reason");
        writeln!(out, "  {:<36} {:<9} {reason}", word(target, "key"), word(target, "state"))?;
    }
    for (index, said) in list(status, "overrides").enumerate() {
        if index == 0 {
            writeln!(out, "\noverrides")?;
        }
        let until = said["expires"].as_u64().map_or("until `enable`".into(), |at| format!("until {}", Moment(at)));
        let reason = Some(word(said, "reason")).filter(|reason| !reason.is_empty());
        let reason = reason.map_or(String::new(), |reason| format!(": {reason}"));
        let (target, command, by) = (word(said, "target"), word(said, "command"), word(said, "owner"));
        writeln!(out, "  {target:<24} {command:<10} by {by}, {until}{reason}")?;
        if let Some(at) = said["cached_until"].as_u64() {
            writeln!(out, "  {:<24} answers given before it have expired in every cache at {}", "", Moment(at))?;
        }
    }
    for (index, evacuation) in list(status, "evacuations").enumerate() {
        if index == 0 {
            writeln!(out, "\nevacuations")?;
        }
        let moment = |key: &str| Moment(evacuation[key].as_u64().unwrap_or(0));
        let goes_on = match evacuation["held"]["why"].as_str() {
            Some(why) => format!("HELD since {}: {why}", Moment(evacuation["held"]["since"].as_u64().unwrap_or(0))),
            None => format!("next step at {}, drained at {}", moment("due"), moment("ends")),
        };
        let (region, left, by) = (word(evacuation, "region"), &evacuation["left"], word(evacuation, "owner"));
        writeln!(out, "  {region:<24} {left} % of its share left, by {by}; {goes_on}")?;
    }
    write_safety(status, out)?;
    let guard = &status["guard"];
    if word(guard, "phase") != "quiet" {
        writeln!(out, "\nguard: {}, {} endpoints held up", word(guard, "phase"), guard["held"])?;
    }
    Ok(())
}

fn write_safety(status: &Value, out: &mut String) -> std::fmt::Result {
    let keys = |value: &Value| -> String {
        let keys: Vec<&str> = value.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        if keys.is_empty() { "none".to_owned() } else { keys.join(", ") }
    };
    for (index, rule) in list(status, "safety").enumerate() {
        if index == 0 {
            writeln!(out, "\nsafety rules")?;
        }
        let mut text = format!("on: {} of {}", keys(&rule["on"]), keys(&rule["regions"]));
        if let Some(least) = rule["at_least"].as_u64().filter(|&least| least > 0) {
            let broken = rule["broken_since"].as_u64().map(|at| format!(", BROKEN since {}", Moment(at)));
            text.push_str(&format!("; at least {least}{}", broken.unwrap_or_default()));
        }
        if rule["gate"].is_object() {
            let gate = &rule["gate"];
            let state = if gate["open"] == true { "may be changed" } else { "may not be changed" };
            let (least, of, on) = (&gate["at_least"], keys(&gate["regions"]), keys(&gate["on"]));
            text.push_str(&format!("; {state}: only while {least} of {of} on, on: {on}"));
        }
        if let Some(at) = rule["waits_until"].as_u64() {
            text.push_str(&format!("; the next change waits until {}", Moment(at)));
        }
        writeln!(out, "  {:<24} {text}", word(rule, "rule"))?;
    }
    Ok(())
}

/// `96 of 100, target 80 (held, 12 s old)`.
fn load(load: &Value) -> String {
    let mut text = load["current"].as_f64().map_or_else(|| "-".to_owned(), |current| current.to_string());
    if let Some(max) = load["max"].as_f64() {
        text.push_str(&format!(" of {max}"));
    }
    if let Some(target) = load["target"].as_f64() {
        text.push_str(&format!(", target {target}"));
    }
    if word(load, "source") != "answers" {
        let age = load["age_s"].as_f64().map_or(String::new(), |age| format!(", {age:.0} s old"));
        text.push_str(&format!(" ({}{age})", word(load, "state")));
    }
    text
}

fn write_service(service: &Value, out: &mut String) -> std::fmt::Result {
    let active = service["active"]["region"].as_str().map_or(String::new(), |active| format!(", active: {active}"));
    writeln!(out, "\nservice {}: {}{active}", word(service, "key"), word(service, "standing"))?;
    for region in list(service, "regions") {
        let (key, state) = (region[0].as_str().unwrap_or("-"), region[1].as_str().unwrap_or("-"));
        let ramp = list(service, "ramps").find(|ramp| ramp["region"] == key);
        let ramp = ramp.map_or(String::new(), |ramp| format!(", ramp at {} %", ramp["percent"]));
        writeln!(out, "  {key:<12} {state}{ramp}")?;
        let own = |endpoint: &&Value| word(endpoint, "key").split('/').nth(1) == Some(key);
        for endpoint in list(service, "endpoints").filter(own) {
            write_endpoint(endpoint, out)?;
        }
    }
    Ok(())
}

fn write_endpoint(endpoint: &Value, out: &mut String) -> std::fmt::Result {
    let mut state = if endpoint["up"] == true { "up" } else { "down" }.to_owned();
    if let Some(word) = endpoint["forced"].as_str() {
        state.push_str(match word {
            "drain" => ", drained",
            "up" => ", forced up",
            _ => ", forced down",
        });
    }
    if endpoint["guarded"] == true {
        state.push_str(", held by the guard");
    }
    let why = Some(word(endpoint, "why")).filter(|why| !why.is_empty() && *why != "-");
    let why = why.map_or(String::new(), |why| format!(" ({why})"));
    writeln!(out, "    {:<40} {state}{why}{}", word(endpoint, "key"), fed(&endpoint["fed"]))
}

/// `, connections 12, load 3 (held)`.
fn fed(fed: &Value) -> String {
    let metrics = fed["metrics"].as_object().into_iter().flatten();
    let mut text: String = metrics.map(|(name, value)| format!(", {name} {value}")).collect();
    if matches!(word(fed, "state"), "held" | "estimated") {
        text.push_str(&format!(", load feed {}", word(fed, "state")));
    }
    text
}
