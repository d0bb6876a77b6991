//! Forms that only the configuration has: addresses, targets, URLs, origins.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use crate::base::limits::WEBHOOKS_MAX;
use crate::base::toml_text::{Form, Parsed, Refusal, Text, Value};
use crate::dns::name::Name;

use super::types::{Target, TlsFiles, Webhook};

/// An address and port that DNS is served at.
pub(super) const ADDRESS: Parsed<SocketAddr> =
    Parsed::new("address", "an address with a port", |text| parse_address("", text, 53), ToString::to_string);

/// An address and port that HTTP is served at.
pub(super) const ADMIN_ADDRESS: Parsed<SocketAddr> =
    Parsed::new("address", "an address with a port", |text| parse_address("", text, 8053), ToString::to_string);

/// A reference target of the guard.
pub(super) const TARGET: Parsed<Target> = Parsed::new("target", "a target", parse_target, ToString::to_string);

/// The URL of a member of etcd.
pub(super) const URL: Parsed<String> = Parsed::new("URL", "a URL", parse_url, Clone::clone);

/// A network of clients.
pub(super) const CLIENT_NETWORK: Parsed<(IpAddr, u8)> =
    Parsed::new("network", "a network", parse_network, |(address, length): &(IpAddr, u8)| {
        format!("{address}/{length}")
    });

/// A network of any length.
pub(super) const NETWORK: Parsed<(IpAddr, u8)> =
    Parsed::new("network", "a network", parse_any_network, |(address, length): &(IpAddr, u8)| {
        format!("{address}/{length}")
    });

fn parse_any_network(text: &str) -> Result<(IpAddr, u8), Refusal> {
    const EXAMPLE: &str = "write e.g. \"192.0.2.0/24\" or \"2001:db8::/32\"";
    let (address, length) = text.split_once('/').unwrap_or((text, ""));
    let address = address.parse::<IpAddr>().map_err(|_| Refusal::with_hint("this is no network", EXAMPLE))?;
    let width = if address.is_ipv4() { 32 } else { 128 };
    match length.parse::<u8>() {
        Ok(length) if length <= width => Ok((address, length)),
        _ => Err(Refusal::with_hint(format!("a length from 0 to {width} belongs after the slash"), EXAMPLE)),
    }
}

/// Reads `192.0.2.0/24` or `2001:db8:1::/48`: the networks that measurements are of.
fn parse_network(text: &str) -> Result<(IpAddr, u8), Refusal> {
    const EXAMPLE: &str = "write e.g. \"192.0.2.0/24\" or \"2001:db8:1::/48\"";
    let (address, length) = text.split_once('/').unwrap_or((text, ""));
    let address = address.parse::<IpAddr>().map_err(|_| Refusal::with_hint("this is no network", EXAMPLE))?;
    let wanted = if address.is_ipv4() { "24" } else { "48" };
    if length != wanted {
        return Err(Refusal::with_hint(format!("measurements are of networks /{wanted}"), EXAMPLE));
    }
    Ok((address, if address.is_ipv4() { 24 } else { 48 }))
}

/// Reads `192.0.2.1:53` or `[2001:db8::1]:53`; `scheme` and `port` are only for the hint.
fn parse_address(scheme: &str, text: &str, port: u16) -> Result<SocketAddr, Refusal> {
    let example = || format!("write e.g. \"{scheme}192.0.2.1:{port}\" or \"{scheme}[2001:db8::1]:{port}\"");
    if let Ok(address) = text.parse::<SocketAddr>() {
        return match address.ip() {
            // IPv6 sockets are bound for IPv6 only.
            IpAddr::V6(ip) if ip.to_ipv4_mapped().is_some() => {
                let plain = SocketAddr::new(ip.to_canonical(), address.port());
                Err(Refusal::with_hint("this is an IPv4 address written as IPv6", format!("write \"{scheme}{plain}\"")))
            }
            IpAddr::V4(_) | IpAddr::V6(_) => Ok(address),
        };
    }
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    if let Ok(ip) = bare.parse::<IpAddr>() {
        let whole = SocketAddr::new(ip, port);
        return Err(Refusal::with_hint("the port is missing", format!("write \"{scheme}{whole}\"")));
    }
    let Some((host, number)) = text.rsplit_once(':') else {
        return Err(Refusal::with_hint("this is no IP address", example()));
    };
    if host.parse::<std::net::Ipv6Addr>().is_ok() {
        return Err(Refusal::with_hint(
            "an IPv6 address before a port stands in brackets",
            format!("write \"{scheme}[{host}]:{number}\""),
        ));
    }
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    if host == "*" || host.is_empty() {
        let both = format!("write \"0.0.0.0:{number}\" and \"[::]:{number}\"");
        return Err(Refusal::with_hint("every address is written out, IPv4 and IPv6 each", both));
    }
    if host.parse::<IpAddr>().is_ok() {
        return Err(Refusal::with_hint(format!("`{number}` is no port"), "a port is a number from 0 to 65535"));
    }
    Err(Refusal::with_hint(format!("`{host}` is no IP address"), example()))
}

fn parse_target(text: &str) -> Result<Target, Refusal> {
    let Some((scheme, address)) = text.split_once("://") else {
        return Err(Refusal::with_hint("the scheme is missing", "write e.g. \"tcp://192.0.2.53:53\""));
    };
    if scheme != "tcp" {
        return Err(Refusal::with_hint(format!("`{scheme}` is no scheme of a target"), "the scheme is `tcp`"));
    }
    parse_address("tcp://", address, 53).map(Target::Tcp)
}

fn parse_url(text: &str) -> Result<String, Refusal> {
    let example = "write e.g. \"https://192.0.2.7:2379\"";
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let Some(rest) = rest else {
        return Err(Refusal::with_hint("it starts with neither `https://` nor `http://`", example));
    };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if host.is_empty() || host.starts_with(':') {
        return Err(Refusal::with_hint("the host is missing", example));
    }
    if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err("a URL has no spaces".into());
    }
    Ok(text.trim_end_matches('/').to_owned())
}

/// A table of file names and the origins of these zone files.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origins;

impl Form for Origins {
    type Output = BTreeMap<String, Name>;

    fn read(&self, value: &Value<'_>) -> Option<BTreeMap<String, Name>> {
        let table =
            value.table_as("a table of file names and origins", Some("write e.g. { \"root.zone\" = \".\" }"))?;
        let mut origins = BTreeMap::new();
        for entry in table.entries() {
            let origin = entry.parse_or_refuse("a domain name", parse_origin);
            if entry.key().is_empty() || entry.key().contains('/') {
                let message = format!("`{}` is not a file name", entry.path());
                let finding = crate::base::diagnostic::Diagnostic::error("bad-value", message)
                    .at(entry.key_at(), "no name of a file in the folder `dns.zones`")
                    .hint("write the file's name alone, e.g. \"root.zone\"");
                entry.push(finding);
            }
            if let Some(origin) = origin {
                origins.insert(entry.key().to_owned(), origin);
            }
        }
        Some(origins)
    }

    fn kind(&self) -> String {
        "table of file names and domain names".into()
    }

    fn show(&self, value: &BTreeMap<String, Name>) -> String {
        if value.is_empty() {
            return "{}".into();
        }
        let entries: Vec<String> =
            value.iter().map(|(file, origin)| format!("{file:?} = {:?}", origin.to_string())).collect();
        format!("{{ {} }}", entries.join(", "))
    }
}

/// An origin is absolute, with or without its last dot.
fn parse_origin(text: &str) -> Result<Name, Refusal> {
    if text.is_empty() {
        return Err(Refusal::with_hint("nothing stands here", "the root is written \".\""));
    }
    Name::parse(text.as_bytes(), Some(&Name::root())).map_err(|error| error.to_string().into())
}

/// A table of a certificate and its key, by the paths of their files counted from a folder.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tls<'f>(pub(super) &'f Path);

impl Form for Tls<'_> {
    type Output = Option<TlsFiles>;

    fn read(&self, value: &Value<'_>) -> Option<Option<TlsFiles>> {
        const HINT: &str = "write e.g. { certificate = \"admin.crt\", key = \"admin.key\" }";
        let mut table = value.table_as("a table of `certificate` and `key`", Some(HINT))?;
        let is_empty = table.peek("certificate").is_none() && table.peek("key").is_none();
        if is_empty {
            table.finish();
            return Some(None);
        }
        let certificate = table.require("certificate", HINT).and_then(|value| path(&value, self.0));
        let key = table.require("key", HINT).and_then(|value| path(&value, self.0));
        table.finish();
        Some(Some(TlsFiles { certificate: certificate?, key: key? }))
    }

    fn kind(&self) -> String {
        "table of files".into()
    }

    fn range(&self) -> String {
        "`{ certificate, key }`; `{}` = none".into()
    }

    fn show(&self, value: &Option<TlsFiles>) -> String {
        match value {
            None => "{}".into(),
            Some(TlsFiles { certificate, key }) => format!("{{ certificate = {certificate:?}, key = {key:?} }}"),
        }
    }
}

/// A list of receivers of events; their paths count from a folder.
#[derive(Clone, Copy, Debug)]
pub(super) struct Webhooks<'f>(pub(super) &'f Path);

impl Form for Webhooks<'_> {
    type Output = Vec<Webhook>;

    fn read(&self, value: &Value<'_>) -> Option<Vec<Webhook>> {
        let entries = value.list_as("a list of tables", Some("write [[admin.webhooks]] before each of them"))?;
        if entries.len() > WEBHOOKS_MAX {
            let reason = format!("{} of them, at most {WEBHOOKS_MAX} are allowed", entries.len());
            value.push(value.error("out-of-range", format!("`{}` is too long", value.path()), reason));
        }
        // All of them are read, so that all mistakes are told.
        let read: Vec<Option<Webhook>> = entries.iter().map(|entry| self.webhook(entry)).collect();
        read.into_iter().collect()
    }

    fn kind(&self) -> String {
        "list of tables".into()
    }

    fn range(&self) -> String {
        "`{ url, secret_file, kinds }` each".into()
    }

    fn show(&self, _: &Vec<Webhook>) -> String {
        "[]".into()
    }
}

impl Webhooks<'_> {
    fn webhook(&self, entry: &Value<'_>) -> Option<Webhook> {
        const HINT: &str = "write e.g. { url = \"https://hooks.example.com/meridian\", secret_file = \"hook.secret\" }";
        let mut table = entry.table_as("a table", Some(HINT))?;
        let url = table.require("url", HINT).and_then(|value| {
            let url = value.parse_or_refuse("a URL", parse_url)?;
            // The last slash may matter to the receiver.
            Some(value.as_str().map_or(url, str::to_owned))
        });
        let secret_file = table.require("secret_file", HINT).and_then(|value| path(&value, self.0));
        let kinds = match table.take("kinds") {
            None => Some(Vec::new()),
            Some(value) => value.list().and_then(|kinds| {
                let read: Vec<_> = kinds.iter().map(|kind| kind.string().map(str::to_owned)).collect();
                read.into_iter().collect()
            }),
        };
        table.finish();
        Some(Webhook { url: url?, kinds: kinds?, secret_file: secret_file? })
    }
}

fn path(value: &Value<'_>, folder: &Path) -> Option<PathBuf> {
    Text.read(value).map(|path| folder.join(path))
}
