//! `[checks.NAME]`: what is probed, how often, and how many outcomes change a state.

use std::sync::Arc;
use std::time;

use crate::base::diagnostic::Diagnostic;
use crate::base::toml_text::{Boolean, Duration, Integer, List, Shape, Table, Text, Value};
use crate::dns::{Name, RecordType};

use super::super::types::{Check, CheckKind, HttpCheck};
use super::{Keyed, all};

/// The kinds, each a key of its own in the check.
const KINDS: [&str; 8] = ["http", "https", "tcp", "tls", "dns", "grpc", "icmp", "exec"];

/// Reads a check; where it is wrong, something valid stands in, because references to it are right all the same.
pub(super) fn read(mut table: Table<'_>, keyed: &Keyed<()>) -> Check {
    const SECOND: time::Duration = time::Duration::from_secs(1);
    let (least, hour) = (time::Duration::from_millis(100), time::Duration::from_secs(3600));
    let kind = kind(&mut table);
    let interval = table.key("interval", Duration::new(least..=hour), 5 * SECOND, "From one probe to the next.");
    // Faster checks get fitting defaults, so that `interval = "1s"` alone is valid.
    let timeout_default = (2 * SECOND).min(interval / 2);
    let timeout = table.take("timeout");
    let timeout_given = timeout.as_ref().and_then(|value| value.duration(&(time::Duration::from_millis(1)..=hour)));
    let fall = table.key("fall", Integer::new(1..=100_u32), 3, "Failures to go down.");
    let rise = table.key("rise", Integer::new(1..=100_u32), 5, "Successes in a row to come back.");
    let retry = table.key(
        "retry",
        Duration::new(least..=hour),
        SECOND.min(interval),
        "From one probe to the next while an up endpoint is failing.",
    );
    if let (Some(value), Some(given)) = (&timeout, timeout_given)
        && given >= interval
    {
        let reason = format!("the interval is {}", crate::base::units::format_duration(interval));
        let message = format!("`{}` is not less than the interval", value.path());
        value.push(value.error("timeout-too-long", message, reason).hint("probes of one endpoint never overlap"));
    }
    table.finish();
    let timeout = timeout_given.unwrap_or(timeout_default);
    Check { key: Arc::clone(&keyed.key), at: keyed.at.clone(), kind, interval, timeout, fall, rise, retry }
}

fn kind(table: &mut Table<'_>) -> CheckKind {
    let found: Vec<Value<'_>> = KINDS.iter().filter_map(|kind| table.take(kind)).collect();
    match found.as_slice() {
        [] => {
            if table.is_present() {
                let finding = Diagnostic::error("no-kind", format!("`{}` does not say what to check", table.path()))
                    .at(table.at(), "no kind of check here")
                    .hint(format!("exactly one of: {}", KINDS.join(", ")));
                table.push(finding);
            }
        }
        [_] => {}
        [first, more @ ..] => {
            for other in more {
                let message = format!("`{}` has both `{}` and `{}`", table.path(), first.key(), other.key());
                let finding = Diagnostic::error("several-kinds", message)
                    .at(other.key_at(), "a second kind")
                    .related(first.key_at(), "the first")
                    .hint("a check has exactly one kind; a service may name several checks");
                table.push(finding);
            }
        }
    }
    let read: Vec<Option<CheckKind>> = found.iter().map(one_kind).collect();
    read.into_iter().next().flatten().unwrap_or(CheckKind::Icmp)
}

fn one_kind(value: &Value<'_>) -> Option<CheckKind> {
    let mut table =
        value.table_as("a table", Some("e.g. http = { path = \"/healthz\" }, tcp = { port = 25 }, icmp = {}"))?;
    let kind = match value.key() {
        "http" => Some(CheckKind::Http(http(&mut table, 80))),
        "https" => {
            let request = http(&mut table, 443);
            let verify = table.key("verify", Boolean, true, "If the certificate must be valid for the host.");
            Some(CheckKind::Https { request, verify })
        }
        "tcp" => required_port(&mut table).map(|port| CheckKind::Tcp { port }),
        "tls" => {
            let port = port(&mut table, 443);
            let host = optional_text(&mut table, "host");
            let verify = table.key("verify", Boolean, true, "If the certificate must be valid for the host.");
            Some(CheckKind::Tls { port, host, verify })
        }
        "dns" => dns(&mut table),
        "grpc" => {
            let port = required_port(&mut table);
            let service = optional_text(&mut table, "service");
            port.map(|port| CheckKind::Grpc { port, service })
        }
        "icmp" => Some(CheckKind::Icmp),
        _ => {
            let command = table.require("command", "write command = [\"/usr/local/bin/check\", \"--quick\"]");
            let command = command.and_then(|value| {
                crate::base::toml_text::Form::read(&List::new(Text, "list of strings").not_empty(), &value)
            });
            command.map(|command| CheckKind::Exec { command })
        }
    };
    table.finish();
    kind
}

fn http(table: &mut Table<'_>, port_default: u16) -> HttpCheck {
    let path = table.take("path").and_then(|value| value.parse("a path", absolute_path));
    let port = port(table, port_default);
    let host = optional_text(table, "host");
    let status = table.take("status").and_then(|value| {
        let elements = value.list_as("a list of status codes", Some("write [\"200-299\", \"401\"]"))?;
        if elements.is_empty() {
            value.push(value.error("out-of-range", format!("`{}` is empty", value.path()), "nothing would ever pass"));
            return None;
        }
        all(elements.iter().map(status))
    });
    let body = optional_text(table, "body");
    HttpCheck {
        path: path.unwrap_or_else(|| "/".into()),
        port,
        host,
        status: status.unwrap_or_else(|| vec![(200, 299)]),
        body,
    }
}

fn status(value: &Value<'_>) -> Option<(u16, u16)> {
    if let Shape::Integer(_) = value.shape() {
        let code = u16::try_from(value.integer(&(100..=599))?).ok()?;
        return Some((code, code));
    }
    value.parse("a status code", |text| {
        let (from, to) = text.split_once('-').unwrap_or((text, text));
        match (from.parse(), to.parse()) {
            (Ok(from), Ok(to)) if (100..=to).contains(&from) && to <= 599 => Ok((from, to)),
            _ => Err("a code from 100 to 599, or a range like \"200-299\"".to_owned()),
        }
    })
}

fn absolute_path(text: &str) -> Result<String, String> {
    // A line end would end the request line; a space would end the path.
    if text.starts_with('/') && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(text.to_owned())
    } else {
        Err("it starts with `/` and has no spaces".into())
    }
}

fn dns(table: &mut Table<'_>) -> Option<CheckKind> {
    let port = port(table, 53);
    let name = table.require("name", "write what to ask for, e.g. name = \"example.com\"");
    let rtype = table.take("type");
    let name =
        name.and_then(|value| value.parse("a domain name", |text| text.parse::<Name>().map_err(|e| e.to_string())));
    let rtype = match rtype {
        None => Some(RecordType::A),
        Some(value) => value.parse("a record type", |text| {
            RecordType::from_text(text.as_bytes())
                .filter(|t| !t.is_meta())
                .ok_or_else(|| "e.g. \"A\" or \"SOA\"".to_owned())
        }),
    };
    Some(CheckKind::Dns { port, name: name?, rtype: rtype? })
}

fn port(table: &mut Table<'_>, default: u16) -> u16 {
    table.key("port", Integer::new(1..=u16::MAX), default, "Port.")
}

fn required_port(table: &mut Table<'_>) -> Option<u16> {
    let value = table.require("port", "write the port, e.g. port = 25")?;
    u16::try_from(value.integer(&(1..=i64::from(u16::MAX)))?).ok()
}

fn optional_text(table: &mut Table<'_>, name: &'static str) -> String {
    table.take(name).and_then(|value| value.string()).unwrap_or_default().to_owned()
}
