//! `meridian demo`: three data centres on loopback, a server, and somebody who breaks things.

use std::error::Error;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::cli::{Exit, complain};
use crate::run::demo::{DemoOptions, demo};

#[derive(Debug, clap::Args)]
pub(super) struct DemoArguments {
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

pub(super) fn run(arguments: DemoArguments) -> Exit {
    let DemoArguments { dns, admin, http_port, geoip } = arguments;
    match demo(&DemoOptions { dns, admin, http_port, geoip }) {
        Ok(()) => Exit::Ok,
        Err(error) => {
            let reason = error.source().map(|reason| format!(": {reason}")).unwrap_or_default();
            complain(&format!("{error}{reason}"));
            Exit::Failed
        }
    }
}
