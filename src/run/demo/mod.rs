//! The demo: three data centres on loopback, a server that steers between them, and somebody who breaks things.
//!
//! Everything is real: HTTP servers that can be killed, health checks, DNS over sockets, the admin interface. Only the
//! files are made up, in a folder of their own that goes with the process.

mod centers;
mod files;
mod screen;

use std::io::{self, BufRead, IsTerminal, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use crate::config::LogFormat;
use crate::run::settings::{Settings, SettingsError};
use crate::run::{RunError, log, serve};

pub use centers::{Center, Centers, serve_center};

/// Where the demo listens.
#[derive(Clone, Debug)]
pub struct DemoOptions {
    /// DNS, UDP and TCP.
    pub dns: SocketAddr,
    /// The admin interface.
    pub admin: SocketAddr,
    /// The data centres' HTTP port, the same on all their addresses.
    pub http_port: u16,
    /// The folder of location databases; without one the demo knows the networks of its guide alone.
    pub geoip: PathBuf,
}

/// Why the demo ended early.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// Its files could not be written.
    #[error("cannot write the files of the demo to {folder}")]
    Files {
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        #[source]
        error: io::Error,
    },
    /// A data centre could not listen.
    #[error("cannot listen on {address} for a data centre of the demo: choose another port")]
    Center {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        #[source]
        error: io::Error,
    },
    /// A thread could not be started.
    #[error("cannot start")]
    System(#[from] io::Error),
    /// The server did not start.
    #[error(transparent)]
    Serve(#[from] RunError),
    /// The files of the demo are not what this version reads: a defect.
    #[error("the demo's own configuration has errors: {0}")]
    Settings(String),
}

/// Runs until SIGINT or SIGTERM.
///
/// # Errors
/// [`DemoError`]
pub fn demo(options: &DemoOptions) -> Result<(), DemoError> {
    let folder = files::Folder::make(options)?;
    let centers = Arc::new(Centers::start(options.http_port)?);
    let settings = Settings::new(Some(folder.config()));
    let (config, _) = settings.read().map_err(|SettingsError(report)| DemoError::Settings(report.render()))?;
    log::start(LogFormat::Human, config.log.level);
    screen::guide(options, &folder, &centers, &mut io::stdout())?;
    let watched = Arc::clone(&centers);
    let admin = options.admin;
    let is_terminal = io::stdout().is_terminal();
    thread::Builder::new().name("demo-screen".into()).spawn(move || screen::watch(admin, &watched, is_terminal))?;
    let pressed = Arc::clone(&centers);
    thread::Builder::new().name("demo-keys".into()).spawn(move || keys(&pressed))?;
    serve(settings, config, false)?;
    Ok(())
}

/// Kills and revives what is typed: a number or a key of a data centre, and Enter.
fn keys(centers: &Centers) {
    for line in io::stdin().lock().lines().map_while(Result::ok) {
        let word = line.trim();
        if word.is_empty() {
            continue;
        }
        let said = match centers.find(word) {
            Some(center) => center.toggle(),
            None => format!("no data centre `{word}`: type its number or its key"),
        };
        // Nobody may be reading any more.
        let _ = writeln!(io::stdout(), "{said}");
    }
}
