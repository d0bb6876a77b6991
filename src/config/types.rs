//! The valid configuration.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::base::diagnostic::Report;
use crate::base::toml_text::{self, KeyReference, Source};
use crate::dns::name::Name;

use super::sections;

/// All of `meridian.toml`, valid. Paths count from the folder of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// `[dns]`: what is served where.
    pub dns: Dns,
    /// `[log]`: what is told about it.
    pub log: Log,
    /// `[geoip]`: where clients are.
    pub geoip: GeoIp,
    /// `[admin]`: the listener for operators.
    pub admin: Admin,
    /// `[state]`: what outlives the process.
    pub state: State,
    /// `[start]`: the first seconds.
    pub start: Start,
    /// `[guard]`: telling a dead world from a dead uplink.
    pub guard: Guard,
    /// `[plan]`: moving load from regions that are full.
    pub plan: Plan,
    /// `[latency]`: how long the ways between clients and regions take.
    pub latency: Latency,
    /// `[cluster]`: the other nodes; `None` for a node that stands alone.
    pub cluster: Option<Cluster>,
}

impl Config {
    /// Reads `text`, the file that the operator knows as `path`. All findings go to `report`; `None` if one of them is
    /// an error.
    pub fn read(path: &str, text: &str, report: &mut Report) -> Option<Self> {
        let mut findings = Report::new();
        let config = Self::read_loosely(path, text, &mut findings);
        let sound = !findings.has_errors();
        report.extend(findings);
        sound.then_some(config)
    }

    /// The same for those who look for more mistakes: what is wrong has its default. Never to be served.
    pub fn read_loosely(path: &str, text: &str, report: &mut Report) -> Self {
        let folder = Path::new(path).parent().unwrap_or(Path::new(""));
        toml_text::read(&Source::new(path, text), report, |root| sections::read(root, folder))
    }

    /// The configuration of an empty or absent file in `folder`.
    #[must_use]
    pub fn default_in(folder: &Path) -> Self {
        toml_text::read(&Source::new("", ""), &mut Report::new(), |root| sections::read(root, folder))
    }

    /// Every key with its type, default, range and meaning, in reading order.
    #[must_use]
    pub fn references() -> Vec<KeyReference> {
        toml_text::references(|root| sections::read(root, Path::new("")))
    }
}

/// `[dns]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dns {
    /// Addresses served over UDP and TCP, at least one, each once. Port 0 takes any free port.
    pub listen: Vec<SocketAddr>,
    /// The folder of zone files and region files.
    pub zones: PathBuf,
    /// Origins of zone files whose names do not tell them, by file name.
    pub origins: BTreeMap<String, Name>,
    /// UDP threads per listening address; 0 = one per core.
    pub threads: usize,
    /// The largest UDP answer, in octets, and what we offer to receive (RFC 6891 §6.2.4).
    pub udp_payload: usize,
    /// The server's name for itself in NSID (RFC 5001); `None` = not sent.
    pub nsid: Option<String>,
    /// What `version.bind.` CH TXT answers; `None` = REFUSED.
    pub version: Option<String>,
    /// What `id.server.` CH TXT (RFC 4892) answers; `None` = REFUSED.
    pub id: Option<String>,
    /// `[dns.tcp]`
    pub tcp: Tcp,
}

/// `[dns.tcp]`: limits of TCP service (RFC 7766 §6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tcp {
    /// Open connections in total.
    pub connections: usize,
    /// Open connections of one client address, at most `connections`.
    pub per_client: usize,
    /// A connection without a query is closed after this.
    pub idle: Duration,
    /// A query that has begun must be complete after this, and an answer taken.
    pub read: Duration,
}

/// `[log]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// How a line looks.
    pub format: LogFormat,
    /// The least level written.
    pub level: LogLevel,
}

/// How a log line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Human on a terminal, JSON elsewhere.
    Auto,
    /// For people.
    Human,
    /// One JSON object a line.
    Json,
}

/// The least level written, from the most severe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// What needs somebody.
    Error,
    /// What may need somebody.
    Warn,
    /// What changed.
    Info,
    /// Why it changed.
    Debug,
    /// Everything.
    Trace,
}

/// `[geoip]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GeoIp {
    /// The folder of databases and `networks.toml`.
    pub folder: PathBuf,
    /// Databases in the order they are asked; empty = all of the folder, city before country.
    pub databases: Vec<PathBuf>,
}

/// `[admin]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admin {
    /// Address of the HTTP listener. Port 0 takes any free port.
    pub listen: SocketAddr,
    /// The file that holds the bearer tokens.
    pub token_file: PathBuf,
    /// What TLS is spoken with; `None` = HTTP in clear.
    pub tls: Option<TlsFiles>,
    /// Who is told of events.
    pub webhooks: Vec<Webhook>,
}

/// A certificate and its key, both PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The file of the certificate, and of those between it and its root.
    pub certificate: PathBuf,
    /// The file of its private key.
    pub key: PathBuf,
}

/// A receiver of events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// `http://` or `https://`.
    pub url: String,
    /// The kinds of events it is told of; empty = all.
    pub kinds: Vec<String>,
    /// The file of the secret that events are signed with.
    pub secret_file: PathBuf,
}

/// `[state]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// The folder of everything that outlives the process.
    pub folder: PathBuf,
    /// A saved health state older than this is not trusted at start.
    pub max_age: Duration,
}

/// `[start]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Start {
    /// The first round of health checks delays answering for this long at most.
    pub wait: Duration,
    /// True: a zone that cannot be loaded stops the start, instead of being answered SERVFAIL.
    pub strict: bool,
}

/// `[guard]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guard {
    /// Regions that fail within this of each other fail together.
    pub window: Duration,
    /// How long a joint failure is disbelieved when no reference target can be asked.
    pub hold: Duration,
    /// Targets that tell our own uplink from the world.
    pub reference: Vec<Target>,
}

/// A place outside that answers when our own uplink works; written `tcp://192.0.2.53:53`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Works if a TCP connection opens.
    Tcp(SocketAddr),
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "tcp://{address}"),
        }
    }
}

/// `[plan]`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Name servers that share the clients without telling each other; this one included.
    pub peers: u32,
    /// Percent of a region's load that may leave it within a TTL while it is below its `max`; 1 to 100.
    pub max_step: u8,
    /// Percent of all clients that automation may move within a minute while nothing fails; 1 to 100, and 100 is no limit.
    pub max_move: u8,
}

/// `[latency]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Latency {
    /// How often what steers is worked out.
    pub every: Duration,
    /// Networks that are remembered.
    pub networks: usize,
    /// What was measured counts half after this.
    pub half_life: Duration,
    /// What was not measured for so long is forgotten.
    pub retention: Duration,
    /// A region comes before another that was before it when it is better by more than this…
    pub margin: Duration,
    /// … and by more than so many per cent.
    pub margin_percent: u8,
    /// Regions that distance lets expect to be slower than the nearest by more than this never come before it.
    pub max_detour: Duration,
    /// Per cent of all that is measured that may change its best region within ten minutes; 1 to 100.
    pub max_move: u8,
    /// Networks of clients whose ways are those of this node's health checks: first address and length.
    pub probes_for: Vec<(IpAddr, u8)>,
    /// `[latency.vantage]`: what this node measures itself; `None`: nothing.
    pub vantage: Option<Vantage>,
}

/// `[latency.vantage]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vantage {
    /// The key of the region this node stands in.
    pub region: String,
    /// How it measures, in the order in which it tries.
    pub methods: Vec<Method>,
    /// Networks that are measured a second, at most.
    pub per_second: u32,
    /// A network is not measured again before this has passed.
    pub per_network: Duration,
    /// Networks that may be measured; empty: all.
    pub allow: Vec<(IpAddr, u8)>,
    /// Networks that are never measured.
    pub deny: Vec<(IpAddr, u8)>,
}

/// How a resolver is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// An echo of ICMP.
    Icmp,
    /// A connection to port 53, opened or refused.
    Tcp,
    /// A question to port 53 over UDP, whatever is answered.
    Dns,
}

/// `[cluster]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cluster {
    /// URLs of etcd's members, at least one; `http` or `https`.
    pub etcd: Vec<String>,
    /// This node's name, unique in the cluster.
    pub node: String,
    /// The site this node stands in.
    pub site: String,
}
