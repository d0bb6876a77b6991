//! `[checks.NAME]`: what is probed, how often, and how many outcomes change a state.

mod http;
mod parts;

use std::sync::Arc;
use std::time;

use crate::base::diagnostic::{Diagnostic, Location};
use crate::base::limits;
use crate::base::toml_text::{
    self, Boolean, Choice, Duration, Form as _, Integer, KeyReference, List, Parsed, Table, Text, Value,
};
use crate::dns::{Name, RecordType};

use super::super::checks::CheckKind;
use super::super::types::Check;
use super::Keyed;

/// The kinds, each a key of its own in the check.
const KINDS: [&str; 8] = ["http", "https", "tcp", "tls", "dns", "grpc", "icmp", "exec"];

/// The keys of checks that have a default; those of a kind stand in the table of its name.
pub(super) fn references() -> Vec<KeyReference> {
    toml_text::references(|mut root| {
        for kind in KINDS {
            keys_of(kind, &mut root.table(kind));
        }
        read(root, &Keyed { key: "".into(), at: Location::in_text(&"".into(), b"", 0..0), body: () })
    })
}

/// Reads a check; where it is wrong, something valid stands in, because references to it are right all the same.
pub(super) fn read(mut table: Table<'_>, keyed: &Keyed<()>) -> Check {
    const SECOND: time::Duration = time::Duration::from_secs(1);
    let (least, hour) = (time::Duration::from_millis(limits::PROBE_INTERVAL_MIN_MS), time::Duration::from_secs(3600));
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
    let kind = keys_of(value.key(), &mut table);
    table.finish();
    kind
}

fn keys_of(kind: &str, table: &mut Table<'_>) -> Option<CheckKind> {
    match kind {
        "http" => http::read(table, 80).map(CheckKind::Http),
        "https" => {
            let request = http::read(table, 443);
            let certificate = parts::certificate(table);
            request.map(|request| CheckKind::Https { request, certificate })
        }
        "tcp" => {
            let port = parts::required_port(table);
            let send = parts::text(table, "send", "What is sent once the connection is open.");
            let expect = parts::text(table, "expect", "What must stand in the first 4 KiB received.");
            port.map(|port| CheckKind::Tcp { port, send, expect })
        }
        "tls" => {
            let port = parts::port(table, 443);
            let host = parts::host(table, "The server name sent and verified; \"\": the address.");
            let certificate = parts::certificate(table);
            Some(CheckKind::Tls { port, host, certificate })
        }
        "dns" => dns(table),
        "grpc" => grpc(table),
        "icmp" => Some(CheckKind::Icmp),
        _ => {
            let command = table.require("command", "write command = [\"/usr/local/bin/check\", \"--quick\"]");
            let command = command.and_then(|value| List::new(Text, "list of strings").not_empty().read(&value));
            command.map(|command| CheckKind::Exec { command })
        }
    }
}

fn dns(table: &mut Table<'_>) -> Option<CheckKind> {
    let port = parts::port(table, 53);
    let name = table.require("name", "write what to ask for, e.g. name = \"example.com\"");
    let name =
        name.and_then(|value| value.parse("a domain name", |text| text.parse::<Name>().map_err(|e| e.to_string())));
    let rtype = table.key("type", RTYPE, RecordType::A, "The type asked for.");
    let rcodes = List::new(RCODE, "list of response codes").not_empty();
    let rcodes = table.key("rcode", rcodes, vec![0], "The response codes that pass.");
    Some(CheckKind::Dns { port, name: name?, rtype, rcodes })
}

const RTYPE: Parsed<RecordType> = Parsed::new(
    "record type",
    "a record type",
    |text| {
        let rtype = RecordType::from_text(text.as_bytes()).filter(|rtype| !rtype.is_meta());
        rtype.ok_or_else(|| "e.g. \"A\" or \"SOA\"".into())
    },
    RecordType::to_string,
);

/// RFC 1035 §4.1.1 and RFC 2136 §2.2: the codes that four bits hold.
const RCODE: Choice<u8> = Choice::new(&[
    ("NOERROR", 0),
    ("FORMERR", 1),
    ("SERVFAIL", 2),
    ("NXDOMAIN", 3),
    ("NOTIMP", 4),
    ("REFUSED", 5),
    ("YXDOMAIN", 6),
    ("YXRRSET", 7),
    ("NXRRSET", 8),
    ("NOTAUTH", 9),
    ("NOTZONE", 10),
]);

fn grpc(table: &mut Table<'_>) -> Option<CheckKind> {
    let port = parts::required_port(table);
    let service = parts::text(table, "service", "The service asked about; \"\": the whole server.");
    let host = parts::authority(table, "The authority of the request and the server name of TLS; \"\": the address.");
    let tls = table.key("tls", Boolean, false, "If the connection is inside TLS.");
    let misplaced = ["verify", "days_left", "warn_days"].map(|name| table.peek(name)).into_iter().flatten();
    for value in misplaced.filter(|_| !tls) {
        let message = format!("`{}` says something about a certificate that is never seen", value.path());
        let finding = Diagnostic::error("needs-tls", message).at(value.key_at(), "nothing is inside TLS");
        value.push(finding.hint("write tls = true beside it"));
    }
    let certificate = parts::certificate(table);
    Some(CheckKind::Grpc { port: port?, service, host, certificate: tls.then_some(certificate) })
}
