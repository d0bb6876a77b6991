//! The running server, as commands ask it: at the admin listener that the configuration names, with its token.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use hyper::{Method, StatusCode};
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

    /// What to tell whoever asked and was refused: the server's words, or what is wrong with the token.
    pub(super) fn refusal(&self, answer: &Answer) -> String {
        if answer.status != StatusCode::UNAUTHORIZED {
            return answer.reason();
        }
        let (address, file) = (self.place.address, self.token_file.display());
        match std::fs::read(&self.token_file) {
            Ok(_) => format!(
                "the server at {address} does not take the token in {file}: it runs with another configuration, which --config names"
            ),
            Err(error) => format!(
                "the server at {address} wants its token, and {file} cannot be read ({error}): name the server's own configuration with --config, as a user who may read that file"
            ),
        }
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
