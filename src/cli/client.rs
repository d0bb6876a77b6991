//! The running server, as commands ask it: at the admin listener that the configuration names, with its token.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use hyper::Method;
use serde_json::Value;

use crate::admin::Tokens;
use crate::cli::{ConfigArgument, Exit};
use crate::config::Config;
use crate::run::ask::{Answer, AskError, Place, ask};
use crate::run::{Settings, SettingsError};

/// The admin listener of the server that runs with a configuration.
pub(super) struct Server {
    place: Place,
    token_file: PathBuf,
}

impl Server {
    /// The server that runs with the configuration that the arguments name; its mistakes go to standard error.
    pub(super) fn of(argument: ConfigArgument) -> Result<(Self, Config), Exit> {
        match Settings::new(argument.config).read() {
            Ok((config, _)) => {
                let certificate = config.admin.tls.as_ref().map(|files| files.certificate.clone());
                let place = Place { address: reachable(config.admin.listen), certificate };
                Ok((Self { place, token_file: config.admin.token_file.clone() }, config))
            }
            Err(SettingsError(report)) => {
                super::complain(&report.render());
                Err(Exit::BadConfig)
            }
        }
    }

    /// `GET path`
    pub(super) fn get(&self, path: &str) -> Result<Answer, AskError> {
        self.ask(Method::GET, path, None)
    }

    /// If it answers queries, which everybody may ask. Nobody there: it does not.
    pub(super) fn is_ready(&self) -> bool {
        self.get("/readyz").is_ok_and(|answer| answer.status.is_success())
    }

    /// `POST path` with a JSON body.
    pub(super) fn post(&self, path: &str, body: &Value) -> Result<Answer, AskError> {
        self.ask(Method::POST, path, Some(body))
    }

    fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Answer, AskError> {
        // Whoever can't read the token may still look.
        let tokens = Tokens::read(&self.token_file).ok();
        ask(&self.place, method, path, tokens.as_ref().and_then(Tokens::for_commands), body)
    }
}

/// Where a listener is reached: one that listens everywhere listens here too.
pub(super) fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        let here = if address.is_ipv4() { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { IpAddr::V6(Ipv6Addr::LOCALHOST) };
        address.set_ip(here);
    }
    address
}
