//! The running server, as commands ask it: at the admin listener that the configuration names, with its token.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use hyper::{Method, StatusCode};
use serde_json::Value;

use crate::admin::Tokens;
use crate::cli::{ConfigArgument, Exit};
use crate::config::Config;
use crate::run::ask::{Answer, AskError, Content, Place, ask};
use crate::run::{Settings, SettingsError};

/// The admin listener of the server that runs with a configuration.
pub(super) struct Server {
    place: Place,
    /// `None`: no token is sent there.
    token_file: Option<PathBuf>,
}

impl Server {
    /// The server that runs with the configuration that the arguments name; its mistakes go to standard error.
    pub(super) fn of(argument: ConfigArgument) -> Result<(Self, Config), Exit> {
        match Settings::new(argument.config).read() {
            Ok((config, _)) => {
                let certificate = config.admin.tls.as_ref().map(|files| files.certificate.clone());
                let place = Place { address: reachable(config.admin.listen), certificate };
                Ok((Self { place, token_file: Some(config.admin.token_file.clone()) }, config))
            }
            Err(SettingsError(report)) => {
                super::complain(&report.render());
                Err(Exit::BadConfig)
            }
        }
    }

    /// The server at `running`, which is the one of the configuration, or at a URL such as `http://127.0.0.1:8053`.
    pub(super) fn at(place: &str, config: &Config) -> Result<Self, String> {
        let certificate = config.admin.tls.as_ref().map(|files| files.certificate.clone());
        let token_file = config.admin.token_file.clone();
        if place == "running" {
            let place = Place { address: reachable(config.admin.listen), certificate };
            return Ok(Self { place, token_file: Some(token_file) });
        }
        let wrong = || format!("`{place}` is neither `running` nor a URL like http://127.0.0.1:8053");
        let (scheme, rest) = place.split_once("://").ok_or_else(wrong)?;
        let address: SocketAddr = rest.trim_end_matches('/').parse().map_err(|_| wrong())?;
        let certificate = match scheme {
            "http" => None,
            "https" => {
                Some(certificate.ok_or("https:// needs `admin.tls` in the configuration: its certificate is trusted")?)
            }
            _ => return Err(wrong()),
        };
        // A token is not sent in clear to another machine.
        let is_safe = certificate.is_some() || address.ip().is_loopback();
        Ok(Self { place: Place { address, certificate }, token_file: is_safe.then_some(token_file) })
    }

    /// Where it is asked.
    pub(super) const fn address(&self) -> SocketAddr {
        self.place.address
    }

    /// The body of what `GET path` answers, or why there is none.
    pub(super) fn look(&self, path: &str) -> Result<Value, String> {
        match self.get(path) {
            Ok(answer) if answer.status.is_success() => Ok(answer.body),
            Ok(answer) => Err(self.refusal(&answer)),
            Err(error) => Err(error.to_string()),
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
        self.ask(Method::POST, path, Some(Content::Json(body)))
    }

    /// `POST path` with a table as text.
    pub(super) fn post_table(&self, path: &str, body: &str) -> Result<Answer, AskError> {
        self.ask(Method::POST, path, Some(Content::Table(body)))
    }

    /// What to tell whoever asked and was refused: the server's words, or what is wrong with the token.
    pub(super) fn refusal(&self, answer: &Answer) -> String {
        if answer.status != StatusCode::UNAUTHORIZED {
            return answer.reason();
        }
        let address = self.place.address;
        let Some(path) = &self.token_file else {
            return format!("the server at {address} wants a token, which is not sent in clear to another machine");
        };
        let file = path.display();
        match std::fs::read(path) {
            Ok(_) => format!(
                "the server at {address} does not take the token in {file}: it runs with another configuration, which --config names"
            ),
            Err(error) => format!(
                "the server at {address} wants its token, and {file} cannot be read ({error}): name the server's own configuration with --config, as a user who may read that file"
            ),
        }
    }

    fn ask(&self, method: Method, path: &str, body: Option<Content<'_>>) -> Result<Answer, AskError> {
        // Whoever can't read the token may still look.
        let tokens = self.token_file.as_ref().and_then(|file| Tokens::read(file).ok());
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

/// What stands in a query of a URL.
pub(super) fn escape(text: &str) -> String {
    text.bytes().fold(String::new(), |mut escaped, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~*".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            let _ = write!(escaped, "%{byte:02X}");
        }
        escaped
    })
}
