//! The command line: one subcommand a file.

mod check;
mod exit;
mod serve;

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
    }
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
