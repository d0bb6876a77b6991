//! `meridian serve`

use std::error::Error;

use crate::base::diagnostic::Report;
use crate::cli::{ConfigArgument, Exit, LogFormatArgument};
use crate::config::{LogFormat, LogLevel};
use crate::run::{self, RunError, Settings, SettingsError, log};

#[derive(Debug, clap::Args)]
pub(super) struct ServeArguments {
    #[command(flatten)]
    config: ConfigArgument,
    /// Refuse to start if any zone has errors, instead of serving the others
    #[arg(long)]
    strict: bool,
    /// How log lines look, whatever the configuration says
    #[arg(long, value_enum, value_name = "FORMAT")]
    log_format: Option<LogFormatArgument>,
}

pub(super) fn run(arguments: ServeArguments) -> Exit {
    let wanted: Option<LogFormat> = arguments.log_format.map(Into::into);
    let settings = Settings::new(arguments.config.config);
    let (config, warnings) = match settings.read() {
        Ok(read) => read,
        Err(SettingsError(report)) => {
            log::start(wanted.unwrap_or(LogFormat::Auto), LogLevel::Info);
            return bad_configuration(&report, "the configuration has errors");
        }
    };
    log::start(wanted.unwrap_or(config.log.format), config.log.level);
    log::report(&warnings);
    let strict = arguments.strict || config.start.strict;
    match run::serve(settings, config, strict) {
        Ok(()) => Exit::Ok,
        Err(error @ (RunError::Bind(_) | RunError::AdminBind { .. } | RunError::System(_))) => {
            complain(&error);
            Exit::Failed
        }
        Err(error @ (RunError::Token { .. } | RunError::Tls(_) | RunError::Webhook(_))) => {
            complain(&error);
            Exit::BadConfig
        }
        Err(RunError::Zones(report)) => bad_configuration(&report, "nothing can be loaded"),
        Err(RunError::Strict { failed, report }) => {
            bad_configuration(&report, &format!("{failed} zones have errors and the start is strict"))
        }
    }
}

/// The error and everything behind it.
fn complain(error: &RunError) {
    let mut reasons = Vec::new();
    let mut source = error.source();
    while let Some(reason) = source {
        reasons.push(reason.to_string());
        source = reason.source();
    }
    tracing::error!(reason = reasons.join(": "), "{error}");
}

fn bad_configuration(report: &Report, what: &str) -> Exit {
    log::report(report);
    tracing::error!("{what}");
    Exit::BadConfig
}
