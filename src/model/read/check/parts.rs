//! Keys that several kinds of check share.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time;

use crate::base::limits;
use crate::base::toml_text::{Boolean, Integer, MaybeText, Parsed, Refusal, Table};

use super::super::super::checks::CertificateCheck;

pub(super) fn port(table: &mut Table<'_>, default: u16) -> u16 {
    table.key("port", Integer::new(1..=u16::MAX), default, "Port.")
}

pub(super) fn required_port(table: &mut Table<'_>) -> Option<u16> {
    let value = table.require("port", "write the port, e.g. port = 25")?;
    u16::try_from(value.integer(&(1..=i64::from(u16::MAX)))?).ok()
}

/// A text, empty by default.
pub(super) fn text(table: &mut Table<'_>, name: &'static str, meaning: &'static str) -> String {
    table.key(name, MaybeText::new(limits::CHECK_TEXT_LEN_MAX), None, meaning).unwrap_or_default()
}

/// `verify`, `days_left`, `warn_days`.
pub(super) fn certificate(table: &mut Table<'_>) -> CertificateCheck {
    const DAY: time::Duration = time::Duration::from_secs(86_400);
    let days = || Integer::new(0..=limits::CERTIFICATE_DAYS_MAX);
    let verify = table.key("verify", Boolean, true, "If the certificate must be valid for the host.");
    let days_left = table.key("days_left", days(), 0, "A certificate that expires within so many days fails.");
    let warn_days =
        table.key("warn_days", days(), 14, "One that expires within so many days passes with a warning; 0: never.");
    CertificateCheck { verify, days_left: DAY * days_left, warn_days: DAY * warn_days }
}

/// `host` as TLS knows it: a name or an address; empty by default.
pub(super) fn host(table: &mut Table<'_>, meaning: &'static str) -> String {
    const HOST: Parsed<String> = Parsed::new("host name", "a host", tls_host, String::clone);
    table.key("host", HOST, String::new(), meaning)
}

/// `host` as HTTP knows it: a name or an address, and maybe a port; empty by default.
pub(super) fn authority(table: &mut Table<'_>, meaning: &'static str) -> String {
    const AUTHORITY: Parsed<String> = Parsed::new("host name", "a host", http_host, String::clone);
    table.key("host", AUTHORITY, String::new(), meaning)
}

fn tls_host(text: &str) -> Result<String, Refusal> {
    if !text.is_empty() && text.parse::<IpAddr>().is_err() {
        name(text)?;
    }
    Ok(text.to_owned())
}

fn http_host(text: &str) -> Result<String, Refusal> {
    if text.is_empty() {
        return Ok(String::new());
    }
    if text.parse::<Ipv6Addr>().is_ok() {
        return Err(Refusal::with_hint("an IPv6 address stands in brackets here", format!("write \"[{text}]\"")));
    }
    if text.contains('/') {
        return Err(Refusal::with_hint("a host alone, without scheme and path", "e.g. \"www.example.com\""));
    }
    let bracketed = text.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    let port = if let Some((address, rest)) = bracketed {
        address.parse::<Ipv6Addr>().map_err(|_| Refusal::from("no IPv6 address stands in the brackets"))?;
        if rest.is_empty() { None } else { Some(rest.strip_prefix(':').unwrap_or_default()) }
    } else {
        let (host, port) = text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port)));
        name(host)?;
        port
    };
    match port.map(str::parse::<u16>) {
        None | Some(Ok(1..)) => Ok(text.to_owned()),
        Some(_) => Err("what follows the `:` is no port".into()),
    }
}

/// Letters, digits, `-` and `_` between dots: what a server name of TLS may be, or an IPv4 address.
fn name(text: &str) -> Result<(), Refusal> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let is_label = |label: &str| {
        let hyphen = label.starts_with('-') || label.ends_with('-');
        (1..=limits::LABEL_LEN_MAX).contains(&label.len()) && !hyphen && label.bytes().all(plain)
    };
    let digits = |label: &str| label.bytes().all(|byte| byte.is_ascii_digit());
    let is_name = text.split('.').all(is_label) && !text.split('.').next_back().is_some_and(digits);
    if text.parse::<Ipv4Addr>().is_ok() || (is_name && text.len() <= limits::NAME_LEN_MAX - 2) {
        Ok(())
    } else {
        Err(Refusal::with_hint("letters, digits, `-` and `_` between dots", "e.g. \"www.example.com\""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        for host in ["", "www.example.com", "a_b.example", "localhost", "192.0.2.1"] {
            assert_eq!((tls_host(host).as_deref(), http_host(host).as_deref()), (Ok(host), Ok(host)));
        }
        for host in ["2001:db8::1", "::1"] {
            assert!(tls_host(host).is_ok() && http_host(host).is_err(), "{host}");
        }
        for host in ["www.example.com:81", "192.0.2.1:443", "[::1]", "[2001:db8::1]:8443"] {
            assert!(tls_host(host).is_err() && http_host(host).is_ok(), "{host}");
        }
        for host in [
            ".",
            "a..b",
            "a.",
            "-a.example",
            "a-.example",
            "192.0.2.256",
            "1.2.3",
            "a b",
            "a/b",
            "a:0",
            "a:65536",
            "a:",
            "[::1",
            "[::1]8",
            "[::1]:",
            "[a]",
            "ä.example",
            "a:1:2",
            "a@b",
        ] {
            assert!(tls_host(host).is_err() && http_host(host).is_err(), "{host}");
        }
    }

    #[test]
    fn every_host_is_a_server_name() {
        use crate::model::without_port;
        for host in ["a_b.example", "x", "192.0.2.1:443", "[2001:db8::1]:8443", "[::1]", "3com.example:1"] {
            assert!(http_host(host).is_ok());
            assert!(rustls::pki_types::ServerName::try_from(without_port(host)).is_ok(), "{host}");
        }
    }
}
