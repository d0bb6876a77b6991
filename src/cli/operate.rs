//! Commands that change something on a running server: drain, force, enable, switch, failback, guard.

use std::time::Duration;

use serde_json::{Value, json};

use crate::base::units::parse_duration;
use crate::cli::client::Server;
use crate::cli::{ConfigArgument, Exit, complain, say};

/// Whom an override is about, for how long, and why.
#[derive(Debug, clap::Args)]
pub(super) struct OverrideArguments {
    /// REGION, SERVICE/REGION or SERVICE/REGION/ADDRESS
    #[arg(value_name = "TARGET")]
    target: String,
    /// For how long, e.g. 30m; without it until `enable`
    #[arg(long = "for", value_name = "DURATION", value_parser = parse_duration)]
    duration: Option<Duration>,
    #[command(flatten)]
    why: WhyArguments,
    /// Even if it takes away the last eligible region of a service
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    config: ConfigArgument,
}

/// Why, and what shall not refuse it.
#[derive(Debug, clap::Args)]
pub(super) struct WhyArguments {
    /// Why: shown wherever the change is
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// A safety rule that shall not refuse this; may be given again, and needs --reason
    #[arg(long, value_name = "RULE", requires = "reason")]
    override_safety: Vec<String>,
}

impl WhyArguments {
    pub(super) fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    /// The body with what these say.
    pub(super) fn add_to(self, mut body: Value) -> Value {
        body["reason"] = self.reason.into();
        body["override_safety"] = self.override_safety.into();
        body
    }
}

/// A target alone.
#[derive(Debug, clap::Args)]
pub(super) struct EnableArguments {
    /// REGION, SERVICE/REGION or SERVICE/REGION/ADDRESS
    #[arg(value_name = "TARGET")]
    target: String,
    #[command(flatten)]
    why: WhyArguments,
    #[command(flatten)]
    config: ConfigArgument,
}

#[derive(Debug, clap::Subcommand)]
pub(super) enum ForceCommand {
    /// Count the target as up, whatever health checks find; needs --for
    Up(OverrideArguments),
    /// Never answer the target, not even when everything is down
    Down(OverrideArguments),
}

#[derive(Debug, clap::Args)]
pub(super) struct SwitchArguments {
    /// An active-passive service
    #[arg(value_name = "SERVICE")]
    service: String,
    /// The region that is to answer
    #[arg(value_name = "REGION")]
    region: String,
    #[command(flatten)]
    why: WhyArguments,
    #[command(flatten)]
    config: ConfigArgument,
}

#[derive(Debug, clap::Args)]
pub(super) struct FailbackArguments {
    /// An active-passive service
    #[arg(value_name = "SERVICE")]
    service: String,
    #[command(flatten)]
    why: WhyArguments,
    #[command(flatten)]
    config: ConfigArgument,
}

#[derive(Debug, clap::Subcommand)]
pub(super) enum GuardCommand {
    /// Believe the health checks again, at once
    Release(ConfigArgument),
}

pub(super) fn drain(arguments: OverrideArguments) -> Exit {
    set("drain", arguments)
}

pub(super) fn force(command: ForceCommand) -> Exit {
    match command {
        ForceCommand::Up(arguments) => set("up", arguments),
        ForceCommand::Down(arguments) => set("down", arguments),
    }
}

fn set(action: &str, arguments: OverrideArguments) -> Exit {
    let OverrideArguments { target, duration, why, yes, config } = arguments;
    let seconds = duration.map(|duration| duration.as_secs_f64());
    let body = json!({
        "target": target, "action": action, "for_s": seconds, "owner": owner(), "confirm": yes,
    });
    post(config, "/api/v1/overrides", &why.add_to(body))
}

pub(super) fn enable(arguments: EnableArguments) -> Exit {
    let body = json!({ "target": arguments.target, "owner": owner() });
    post(arguments.config, "/api/v1/enable", &arguments.why.add_to(body))
}

pub(super) fn switch(arguments: SwitchArguments) -> Exit {
    let body = json!({ "service": arguments.service, "region": arguments.region, "owner": owner() });
    post(arguments.config, "/api/v1/switch", &arguments.why.add_to(body))
}

pub(super) fn failback(arguments: FailbackArguments) -> Exit {
    let body = json!({ "service": arguments.service, "owner": owner() });
    post(arguments.config, "/api/v1/failback", &arguments.why.add_to(body))
}

pub(super) fn guard(command: GuardCommand) -> Exit {
    let GuardCommand::Release(config) = command;
    post(config, "/api/v1/guard/release", &json!({ "owner": owner() }))
}

/// Who speaks: whoever is logged in.
pub(super) fn owner() -> String {
    let named = |key: &str| std::env::var(key).ok().filter(|name| !name.is_empty());
    named("SUDO_USER").or_else(|| named("USER")).or_else(|| named("LOGNAME")).unwrap_or_else(|| "operator".into())
}

pub(super) fn post(config: ConfigArgument, path: &str, body: &Value) -> Exit {
    let (server, _) = match Server::of(config) {
        Ok(found) => found,
        Err(exit) => return exit,
    };
    match server.post(path, body) {
        Ok(answer) if answer.status.is_success() => {
            say(answer.body.get("done").and_then(Value::as_str).unwrap_or("done"));
            more(&answer.body).iter().for_each(|line| say(line));
            Exit::Ok
        }
        Ok(answer) => {
            complain(&server.refusal(&answer));
            Exit::Failed
        }
        Err(error) => {
            complain(&error.to_string());
            Exit::Failed
        }
    }
}

/// What else an operator should know of what was done.
fn more(body: &Value) -> Vec<String> {
    let text = |key: &str| body.get(key).and_then(Value::as_str);
    let until = text("until").map(|at| format!("  it ends by itself at {at}"));
    let cached = text("cached_until").map(|at| format!("  answers given before have expired in every cache at {at}"));
    let still = body.get("still").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let still = still.map(|word| format!("  what is covered by `{word}` stays so"));
    until.into_iter().chain(cached).chain(still).collect()
}
