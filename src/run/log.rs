//! Structured logs: for people on a terminal, JSON elsewhere.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;

use crate::base::diagnostic::{Diagnostic, Report, Severity};
use crate::config::{LogFormat, LogLevel};

/// Directives that overrule the configured level, e.g. `info,meridian::serve=debug`.
pub const FILTER_VARIABLE: &str = "MERIDIAN_LOG";

/// Starts logging to standard error. Later calls do nothing.
pub fn start(format: LogFormat, level: LogLevel) {
    let level = match level {
        LogLevel::Error => "error",
        LogLevel::Warn => "warn",
        LogLevel::Info => "info",
        LogLevel::Debug => "debug",
        LogLevel::Trace => "trace",
    };
    let filter = EnvFilter::try_from_env(FILTER_VARIABLE).unwrap_or_else(|_| EnvFilter::new(level));
    let terminal = io::stderr().is_terminal();
    let json = match format {
        LogFormat::Auto => !terminal,
        LogFormat::Human => false,
        LogFormat::Json => true,
    };
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    // An error means that logging has been started: by a test, or by an earlier call.
    let _ = if json {
        builder.json().flatten_event(true).with_current_span(false).with_span_list(false).try_init()
    } else {
        builder.with_ansi(terminal).with_target(false).try_init()
    };
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let payload = panic.payload();
        let text = payload.downcast_ref::<&str>().copied().or_else(|| payload.downcast_ref().map(String::as_str));
        tracing::error!(place, "defect: {}", text.unwrap_or("no message"));
    }));
}

/// Logs every finding, each in full.
pub fn report(report: &Report) {
    for diagnostic in report.iter() {
        finding(diagnostic);
    }
}

fn finding(diagnostic: &Diagnostic) {
    let text = diagnostic.render();
    match diagnostic.severity {
        Severity::Error => tracing::error!(code = diagnostic.code, "{text}"),
        Severity::Warning => tracing::warn!(code = diagnostic.code, "{text}"),
    }
}
