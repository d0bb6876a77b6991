//! A DNS load generator that checks what it is answered.
//!
//! `load udp` and `load tcp` ask and compare every answer with what the zone of `load make-zone` says; `load reload`
//! does so while it reloads that zone. The figures and how to repeat them: `benches/README.md`.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for the command line")]
#![allow(unreachable_pub, reason = "a program has no outside; `pub` says what other modules may use")]
#![allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "statistics: counts become floats and floats become ranks, far below 2^52"
)]

mod arguments;
mod check;
mod histogram;
mod ledger;
mod processes;
mod question;
mod reload;
mod report;
mod run;
mod system;
mod tcp;
mod udp;
mod workload;
mod zone;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    match arguments::Arguments::parse().run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("load: {error:#}");
            ExitCode::from(2)
        }
    }
}
