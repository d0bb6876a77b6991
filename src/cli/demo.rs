//! `meridian demo`: three data centres on loopback, a server, and somebody who breaks things.

use std::error::Error;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Subcommand;

use crate::cli::client::reachable;
use crate::cli::{Exit, complain};
use crate::run::ask;
use crate::run::demo::{DemoError, DemoOptions, demo, serve_center};

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct DemoArguments {
    #[command(subcommand)]
    part: Option<DemoPart>,
    /// Where DNS is answered
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:5300")]
    dns: SocketAddr,
    /// Where the admin interface listens
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8053")]
    admin: SocketAddr,
    /// The HTTP port of the three data centres, on 127.0.1.1, 127.0.2.1 and 127.0.3.1
    #[arg(long, value_name = "PORT", default_value_t = 8080)]
    http_port: u16,
    /// The folder of location databases
    #[arg(long, value_name = "FOLDER", default_value = "geoip")]
    geoip: PathBuf,
}

#[derive(Debug, Subcommand)]
enum DemoPart {
    /// One data centre alone, e.g. in a container: an HTTP server with /healthz, /kill and /revive
    Center(CenterArguments),
}

#[derive(Debug, clap::Args)]
struct CenterArguments {
    /// Its name for people
    label: String,
    /// Where it listens
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:8080")]
    listen: SocketAddr,
    /// Ask the one that listens there if it is alive, and say nothing: ends with 4 if it is not
    #[arg(long)]
    ask: bool,
}

pub(super) fn run(arguments: DemoArguments) -> Exit {
    let DemoArguments { part, dns, admin, http_port, geoip } = arguments;
    match part {
        None => ended(demo(&DemoOptions { dns, admin, http_port, geoip })),
        Some(DemoPart::Center(CenterArguments { listen, ask: true, .. })) => alive(listen),
        Some(DemoPart::Center(CenterArguments { label, listen, .. })) => ended(serve_center(&label, listen)),
    }
}

fn alive(listen: SocketAddr) -> Exit {
    if ask::get(reachable(listen), "/healthz").is_ok() { Exit::Ok } else { Exit::Unhealthy }
}

fn ended(result: Result<(), DemoError>) -> Exit {
    match result {
        Ok(()) => Exit::Ok,
        Err(error) => {
            let reason = error.source().map(|reason| format!(": {reason}")).unwrap_or_default();
            complain(&format!("{error}{reason}"));
            Exit::Failed
        }
    }
}
