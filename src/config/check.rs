//! Checks across keys.

use std::net::SocketAddr;

use crate::base::diagnostic::{Diagnostic, Location};
use crate::base::toml_text::{Table, Value};

/// No two listeners have one address: DNS is served over TCP too. Port 0 is never taken twice.
pub(super) fn listeners(root: &Table<'_>, dns: &[SocketAddr], admin: SocketAddr) {
    let written = |table: &str| root.peek(table)?.as_table()?.peek("listen");
    let mut listeners = match written("dns") {
        Some(list) => list.as_list().unwrap_or_default().iter().filter_map(Listener::written).collect(),
        None => dns.iter().map(|&address| Listener::default("dns.listen", address)).collect::<Vec<_>>(),
    };
    match written("admin") {
        Some(value) => listeners.extend(Listener::written(&value)),
        None => listeners.push(Listener::default("admin.listen", admin)),
    }
    for (index, listener) in listeners.iter().enumerate() {
        if let Some(first) = listeners.iter().take(index).find(|first| first.clashes(listener)) {
            root.push(twice(first, listener));
        }
    }
}

/// An address with where it stands; what is a default stands nowhere.
struct Listener {
    key: String,
    address: SocketAddr,
    at: Option<Location>,
}

impl Listener {
    fn written(value: &Value<'_>) -> Option<Self> {
        let address = value.as_str()?.parse().ok()?;
        Some(Self { key: value.path(), address, at: Some(value.at()) })
    }

    fn default(key: &str, address: SocketAddr) -> Self {
        Self { key: key.into(), address, at: None }
    }

    fn clashes(&self, other: &Self) -> bool {
        self.address == other.address && self.address.port() != 0
    }
}

fn twice(first: &Listener, second: &Listener) -> Diagnostic {
    // The one further down gets the mark. At least one stands in the file, for the defaults differ.
    let line = |listener: &Listener| listener.at.as_ref().map(|at| at.line);
    let (marked, other) = if line(first) > line(second) { (first, second) } else { (second, first) };
    let message = format!("`{}` has the address of `{}`", marked.key, other.key);
    let mut finding = Diagnostic::error("duplicate-address", message).hint("take another address or port");
    if let Some(at) = &marked.at {
        let reason = if other.at.is_some() { "again here".into() } else { format!("the default of `{}`", other.key) };
        finding = finding.at(at.clone(), reason);
    }
    if let Some(at) = &other.at {
        finding = finding.related(at.clone(), "first here");
    }
    finding
}

/// One client cannot have more connections than there are.
pub(super) fn per_client(tcp: &Table<'_>, connections: usize, per_client: usize) {
    let (one, all) = (tcp.peek("per_client"), tcp.peek("connections"));
    // A wrong value was noted, and is not compared.
    let is_read = |value: &Option<Value<'_>>, read: usize| {
        value.as_ref().is_none_or(|value| value.as_integer() == i64::try_from(read).ok())
    };
    if per_client <= connections || !is_read(&one, per_client) || !is_read(&all, connections) {
        return;
    }
    let mut finding =
        Diagnostic::error("out-of-range", "`dns.tcp.per_client` is more than `dns.tcp.connections`").hint("set both");
    finding = match (one, all) {
        (Some(one), Some(all)) => finding.at(one.at(), "more than all").related(all.at(), "all of them"),
        (Some(one), None) => finding.at(one.at(), format!("`connections` is {connections} by default")),
        (None, Some(all)) => finding.at(all.at(), format!("`per_client` is {per_client} by default")),
        (None, None) => finding,
    };
    tcp.push(finding);
}

/// A cluster needs all its keys; keys of a cluster without `etcd` do nothing.
pub(super) fn cluster(cluster: &Table<'_>) {
    if cluster.is_damaged() {
        return;
    }
    // Values of the wrong type were noted; they count neither as set nor as unset.
    let etcd = cluster.peek("etcd");
    let members = etcd.as_ref().map_or(Some(Vec::new()), Value::as_list);
    for (key, need) in [("node", "each node of a cluster has its own name"), ("site", "each node stands in a site")] {
        let value = cluster.peek(key);
        let name = value.as_ref().map_or(Some(""), Value::as_str);
        let (Some(members), Some(name)) = (&members, name) else { continue };
        let path = format!("cluster.{key}");
        match (&etcd, &value) {
            (Some(etcd), _) if !members.is_empty() && name.is_empty() => {
                let at = value.map_or_else(|| etcd.key_at(), |value| value.at());
                let finding = Diagnostic::error("missing-key", format!("`{path}` is missing"))
                    .at(at, need)
                    .hint(format!("write e.g. {key} = \"fra\""));
                cluster.push(finding);
            }
            (_, Some(value)) if members.is_empty() && !name.is_empty() => {
                let finding = Diagnostic::warning("no-effect", format!("`{path}` has no effect"))
                    .at(value.key_at(), "there is no cluster without `etcd`")
                    .hint("set `cluster.etcd`, or remove this");
                cluster.push(finding);
            }
            _ => {}
        }
    }
}
