//! The command line: one subcommand a file.

mod agent;
mod check;
mod client;
mod demand;
mod demo;
mod evacuate;
mod exit;
mod explain;
mod geoip;
mod latency;
mod operate;
mod files;
mod serve;
mod simulate;
mod standing;
mod status;

use std::io::Write;
use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

pub use exit::Exit;

use crate::config::LogFormat;

/// An authoritative DNS server that answers each client with the data centre that is right for it.
#[derive(Debug, Parser)]
#[command(name = "meridian", version, after_help = EXIT_CODES, propagate_version = true)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 ok, 1 failed, 2 usage, 3 bad configuration, 4 unhealthy";

#[derive(Debug, Subcommand)]
enum Command {
    /// Answer queries
    ///
    /// SIGHUP reads zones and configuration again without losing a query; SIGTERM answers what has come in and ends.
    Serve(serve::ServeArguments),
    /// Read everything that `serve` would read, and say what is wrong with it
    ///
    /// Findings go to standard output. Ends with 0 if there is no error, with 3 otherwise.
    Check(check::CheckArguments),
    /// What a client would get, and why: the serving code path itself, watched
    Explain(explain::ExplainArguments),
    /// What if: a region lost, demand doubled, a capacity changed; who goes where, and how fast
    ///
    /// Plays the configuration with simulated time: probes, planner and resolvers that cache. Nothing is changed.
    Simulate(Box<simulate::SimulateArguments>),
    /// Who asks the running server for what, as a file for `simulate --demand`
    Demand(demand::DemandArguments),
    /// Regions, services, health checks and overrides of the running server
    ///
    /// Ends with 4 if a service has no healthy region.
    Status(status::StatusArguments),
    /// How long the ways between clients and regions take, as far as that was measured
    ///
    /// By country and region; how well each region is known; and who gains most by not going to the nearest one.
    Latency(latency::LatencyArguments),
    /// Take a target out of service while there is another: clients leave as their answers expire
    Drain(operate::OverrideArguments),
    /// Drain a region step by step, each step only if the others have room
    ///
    /// The server does it, and goes on when this command has ended. It waits when something is wrong: a region is lost, has no
    /// room, or a safety rule comes between.
    Evacuate(evacuate::EvacuateArguments),
    /// Say that a target is up or down, whatever health checks find
    #[command(subcommand)]
    Force(operate::ForceCommand),
    /// Take back what was said about a target
    Enable(operate::EnableArguments),
    /// Make a region the active one of an active-passive service, now
    Switch(operate::SwitchArguments),
    /// Give an active-passive service back to the best region of its order, now
    Failback(operate::FailbackArguments),
    /// The guard, which disbelieves that the whole world fails at once
    #[command(subcommand)]
    Guard(operate::GuardCommand),
    /// Three data centres on loopback, a server that steers between them: no set-up
    Demo(demo::DemoArguments),
    /// On hosts that serve clients: reports to Meridian how long the round trips of their connections take
    ///
    /// Reads what the kernel has measured of TCP connections (Linux), sums it up by client network, /24 or /48, and sends
    /// that to one or more nodes. SIGTERM sends what is pending, and ends.
    Agent(Box<agent::AgentArguments>),
    /// Where addresses are
    #[command(subcommand)]
    Geoip(geoip::GeoIpCommand),
}

/// Where the configuration is.
#[derive(Debug, clap::Args)]
struct ConfigArgument {
    /// The configuration file; without it `meridian.toml` in the current folder is read, if there is one
    #[arg(long, short, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// How log lines look, as an argument.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum LogFormatArgument {
    /// Human on a terminal, JSON elsewhere
    Auto,
    /// For people
    Human,
    /// One JSON object a line
    Json,
}

impl From<LogFormatArgument> for LogFormat {
    fn from(argument: LogFormatArgument) -> Self {
        match argument {
            LogFormatArgument::Auto => Self::Auto,
            LogFormatArgument::Human => Self::Human,
            LogFormatArgument::Json => Self::Json,
        }
    }
}

/// Reads the arguments of the process and does what they say. Help, version and mistakes in the arguments end the
/// process here, with 0 and 2.
#[must_use]
pub fn run() -> Exit {
    match Arguments::parse().command {
        Command::Serve(arguments) => serve::run(arguments),
        Command::Check(arguments) => check::run(arguments),
        Command::Explain(arguments) => explain::run(arguments),
        Command::Simulate(arguments) => simulate::run(*arguments),
        Command::Demand(arguments) => demand::run(arguments),
        Command::Status(arguments) => status::run(arguments),
        Command::Latency(arguments) => latency::run(arguments),
        Command::Drain(arguments) => operate::drain(arguments),
        Command::Evacuate(arguments) => evacuate::run(arguments),
        Command::Force(command) => operate::force(command),
        Command::Enable(arguments) => operate::enable(arguments),
        Command::Switch(arguments) => operate::switch(arguments),
        Command::Failback(arguments) => operate::failback(arguments),
        Command::Guard(command) => operate::guard(command),
        Command::Demo(arguments) => demo::run(arguments),
        Command::Agent(arguments) => agent::run(*arguments),
        Command::Geoip(command) => geoip::run(command),
    }
}

/// Says a line on standard output; a reader that has gone is no failure.
fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Says on standard error what is wrong.
fn complain(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_sound() {
        Arguments::command().debug_assert();
    }
}
