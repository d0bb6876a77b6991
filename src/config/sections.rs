//! Every key of `meridian.toml`: its name, type, range, default and meaning, once.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration as Time;

use crate::base::limits;
use crate::base::toml_text::{Boolean, Choice, Duration, Integer, List, MaybeText, Table, Text};

use super::check;
use super::forms::{self, Origins};
use super::types::{
    Admin, Cluster, Config, Dns, GeoIp, Guard, Latency, Log, LogFormat, LogLevel, Method, Plan, Start, State, Tcp,
    Vantage,
};

const SECOND: Time = Time::from_secs(1);
const MINUTE: Time = Time::from_secs(60);
const HOUR: Time = Time::from_secs(3_600);
const DAY: Time = Time::from_secs(86_400);

/// UDP threads of one listening address; beyond this a typo is likelier than a machine.
const THREADS_MAX: usize = 1_024;
/// Connections cost a descriptor and buffers each.
const CONNECTIONS_MAX: usize = 1_000_000;
/// A character string of a TXT record, RFC 1035 §3.3.
const CHARACTER_STRING_MAX: usize = 255;
/// NSID shares the answer with everything else.
const NSID_MAX: usize = 128;

/// Reads the whole file; relative paths count from `folder`.
pub(super) fn read(mut root: Table<'_>, folder: &Path) -> Config {
    let dns = dns(root.table("dns"), folder);
    let log = log(root.table("log"));
    let geoip = geoip(root.table("geoip"), folder);
    let admin = admin(root.table("admin"), folder);
    check::listeners(&root, &dns.listen, admin.listen);
    let state = state(root.table("state"), folder);
    let start = start(root.table("start"));
    let guard = guard(root.table("guard"));
    let plan = plan(root.table("plan"));
    let latency = latency(root.table("latency"));
    let cluster = cluster(root.table("cluster"));
    root.finish();
    Config { dns, log, geoip, admin, state, start, guard, plan, latency, cluster }
}

fn dns(mut dns: Table<'_>, folder: &Path) -> Dns {
    let everywhere = vec![SocketAddr::from(([0; 4], 53)), SocketAddr::from(([0; 16], 53))];
    let addresses = List::new(forms::ADDRESS, "list of addresses").not_empty();
    let listen = dns.key("listen", addresses, everywhere, "Where DNS is served, over UDP and TCP.");
    let zones =
        dns.key("zones", Text, "zones".into(), "The folder of zone files (`*.zone`) and region files (`*.toml`).");
    let origins = dns.key(
        "origins",
        Origins,
        BTreeMap::new(),
        "Origins of zone files whose names do not tell them, e.g. `{ \"root.zone\" = \".\" }`.",
    );
    let threads = dns.key(
        "threads",
        Integer::new(0..=THREADS_MAX),
        0,
        "UDP threads for each listening address; 0 = one per core.",
    );
    let udp_payload = dns.key(
        "udp_payload",
        Integer::new(limits::UDP_PAYLOAD_PLAIN..=limits::UDP_PAYLOAD_MAX),
        limits::UDP_PAYLOAD_DEFAULT,
        "The largest UDP answer in octets, and what clients are told they may send (RFC 6891). Above 1232 an answer may \
         be cut into fragments, which get lost.",
    );
    let nsid = dns.key(
        "nsid",
        MaybeText::new(NSID_MAX),
        None,
        "This server's name for itself, told to clients that ask with NSID (RFC 5001).",
    );
    let version = dns.key(
        "version",
        MaybeText::new(CHARACTER_STRING_MAX),
        None,
        "What `version.bind` (CH TXT) answers; without it the question is refused.",
    );
    let id = dns.key(
        "id",
        MaybeText::new(CHARACTER_STRING_MAX),
        None,
        "What `id.server` (CH TXT, RFC 4892) answers; without it the question is refused.",
    );
    let tcp = tcp(dns.table("tcp"));
    dns.finish();
    Dns { listen, zones: folder.join(zones), origins, threads, udp_payload, nsid, version, id, tcp }
}

fn tcp(mut tcp: Table<'_>) -> Tcp {
    let count = || Integer::new(1..=CONNECTIONS_MAX);
    let connections = tcp.key(
        "connections",
        count(),
        1_000,
        "TCP connections open at once, over all clients. Each takes a file descriptor.",
    );
    let per_client = tcp.key(
        "per_client",
        count(),
        50,
        "TCP connections that one client address may have open; at most `connections`.",
    );
    check::per_client(&tcp, connections, per_client);
    let idle = tcp.key(
        "idle",
        Duration::new(Time::from_millis(100)..=HOUR),
        10 * SECOND,
        "A connection without a query is closed after this (RFC 7766); told to clients that ask (RFC 7828).",
    );
    let read = tcp.key(
        "read",
        Duration::new(Time::from_millis(100)..=MINUTE),
        5 * SECOND,
        "A query that has begun must have arrived whole after this, and an answer must have been taken.",
    );
    tcp.finish();
    Tcp { connections, per_client, idle, read }
}

fn log(mut log: Table<'_>) -> Log {
    const FORMATS: &[(&str, LogFormat)] =
        &[("auto", LogFormat::Auto), ("human", LogFormat::Human), ("json", LogFormat::Json)];
    const LEVELS: &[(&str, LogLevel)] = &[
        ("error", LogLevel::Error),
        ("warn", LogLevel::Warn),
        ("info", LogLevel::Info),
        ("debug", LogLevel::Debug),
        ("trace", LogLevel::Trace),
    ];
    let format = log.key(
        "format",
        Choice::new(FORMATS),
        LogFormat::Auto,
        "How a log line looks; `auto` is `human` on a terminal and `json` elsewhere.",
    );
    let level = log.key("level", Choice::new(LEVELS), LogLevel::Info, "The least level that is written.");
    log.finish();
    Log { format, level }
}

fn geoip(mut geoip: Table<'_>, folder: &Path) -> GeoIp {
    let own = geoip.key("folder", Text, "geoip".into(), "The folder of databases (`*.mmdb`) and `networks.toml`.");
    let databases = geoip.key(
        "databases",
        List::new(Text, "list of files"),
        Vec::new(),
        "Databases in the order they are asked, counted from `folder`; empty = all of the folder, city before country.",
    );
    geoip.finish();
    let own = folder.join(own);
    GeoIp { databases: databases.iter().map(|file| own.join(file)).collect(), folder: own }
}

fn admin(mut admin: Table<'_>, folder: &Path) -> Admin {
    let listen = admin.key(
        "listen",
        forms::ADMIN_ADDRESS,
        SocketAddr::from(([127, 0, 0, 1], 8053)),
        "Where the dashboard, the API and the metrics are served, over HTTP or with `tls` over HTTPS. Off loopback \
         everything but the empty dashboard, `/healthz` and `/readyz` needs a token.",
    );
    let token_file = admin.key(
        "token_file",
        Text,
        "state/admin.token".into(),
        "The file that holds the bearer tokens for changes, and for everything off loopback: a bare token, or lines \
         `NAME SCOPE TOKEN` with the scope `read`, `operate` or `feed`. An absent file is made, with one token in it.",
    );
    let tls = admin.key(
        "tls",
        forms::Tls(folder),
        None,
        "What HTTPS is spoken with: PEM files of the certificate (and those between it and its root) and of its private \
         key. They are read again with every reload.",
    );
    let webhooks = admin.key(
        "webhooks",
        forms::Webhooks(folder),
        Vec::new(),
        "Who is told of events, by a POST of the event as JSON, signed with the secret in `secret_file`: see `docs/api.md`. \
         Without `kinds` it is told of all.",
    );
    admin.finish();
    Admin { listen, token_file: folder.join(token_file), tls, webhooks }
}

fn state(mut state: Table<'_>, folder: &Path) -> State {
    let own = state.key(
        "folder",
        Text,
        "state".into(),
        "The folder of what outlives the process: health state, last good model, event journal, keys.",
    );
    let max_age = state.key(
        "max_age",
        Duration::new(Time::ZERO..=7 * DAY),
        10 * MINUTE,
        "A saved health state older than this is not trusted at start.",
    );
    state.finish();
    State { folder: folder.join(own), max_age }
}

fn start(mut start: Table<'_>) -> Start {
    let wait = start.key(
        "wait",
        Duration::new(Time::ZERO..=10 * MINUTE),
        10 * SECOND,
        "How long the first round of health checks may delay the first answer.",
    );
    let strict = start.key(
        "strict",
        Boolean,
        false,
        "`true`: a zone that cannot be loaded stops the start (as `--strict` does); `false`: that zone alone answers \
         SERVFAIL.",
    );
    start.finish();
    Start { wait, strict }
}

fn guard(mut guard: Table<'_>) -> Guard {
    let window = guard.key(
        "window",
        Duration::new(SECOND..=10 * MINUTE),
        15 * SECOND,
        "Regions that fail within this of each other fail together: then our own uplink is suspected.",
    );
    let hold = guard.key(
        "hold",
        Duration::new(Time::ZERO..=HOUR),
        30 * SECOND,
        "How long a joint failure is disbelieved when there is no `reference` to ask.",
    );
    let reference = guard.key(
        "reference",
        List::new(forms::TARGET, "list of targets"),
        Vec::new(),
        "Targets that tell our own uplink from the world, e.g. `[\"tcp://192.0.2.53:53\"]`.",
    );
    guard.finish();
    Guard { window, hold, reference }
}

fn plan(mut plan: Table<'_>) -> Plan {
    let peers = plan.key(
        "peers",
        Integer::new(1..=limits::PEERS_MAX),
        1,
        "Name servers that share the clients of these zones without a cluster, this one included: each sees that part \
         of the demand.",
    );
    let max_step = plan.key(
        "max_step",
        Integer::new(1..=100_u8),
        10,
        "Percent of a region's load that may leave it within a TTL while it is below its `max`.",
    );
    let max_move = plan.key(
        "max_move",
        Integer::new(1..=100_u8),
        100,
        "Percent of all clients that spills, failback and evacuations together may move within a minute while no health check \
         has found a failure; 100: no limit.",
    );
    plan.finish();
    Plan { peers, max_step, max_move }
}

fn latency(mut latency: Table<'_>) -> Latency {
    let every = latency.key(
        "every",
        Duration::new(SECOND..=10 * MINUTE),
        10 * SECOND,
        "How often it is worked out what steers: where `prefer = \"latency\"` ranks.",
    );
    let networks = latency.key(
        "networks",
        Integer::new(100..=limits::LATENCY_NETWORKS_MAX),
        100_000,
        "Networks of clients (/24 of IPv4, /48 of IPv6) that are remembered, those that are measured most; each takes some \
         3 kB with three regions, with all that follows from it.",
    );
    let half_life = latency.key(
        "half_life",
        Duration::new(10 * SECOND..=7 * DAY),
        HOUR,
        "What was measured counts half after this. However long it is, some forty round trips outvote all before them.",
    );
    let retention = latency.key(
        "retention",
        Duration::new(MINUTE..=90 * DAY),
        7 * DAY,
        "What was not measured for so long is forgotten, also in the state folder.",
    );
    let margin = latency.key(
        "margin",
        Duration::new(Time::ZERO..=SECOND),
        Time::from_millis(5),
        "A region comes before another that was before it when it is better by more than this, and by more than \
         `margin_percent`, and by more than both are uncertain.",
    );
    let margin_percent =
        latency.key("margin_percent", Integer::new(0..=90_u8), 10, "See `margin`; percent of what the other takes.");
    let max_detour = latency.key(
        "max_detour",
        Duration::new(Time::ZERO..=SECOND),
        Time::from_millis(150),
        "Regions that distance lets expect to be slower than the nearest by more than this never come before it, whatever is \
         measured; 150 ms are about 8,000 km.",
    );
    let max_move = latency.key(
        "max_move",
        Integer::new(1..=100_u8),
        10,
        "Percent of all that is measured that may change its best region within ten minutes, twenty networks at least; \
         100: no limit.",
    );
    let probes_for = latency.key(
        "probes_for",
        List::new(forms::CLIENT_NETWORK, "list of networks"),
        Vec::new(),
        "Networks of clients beside this node: what its health checks need to connect to a region is what these clients \
         need, e.g. `[\"192.0.2.0/24\"]`.",
    );
    let vantage = vantage(latency.table("vantage"));
    latency.finish();
    Latency { every, networks, half_life, retention, margin, margin_percent, max_detour, max_move, probes_for, vantage }
}

fn vantage(mut vantage: Table<'_>) -> Option<Vantage> {
    const METHODS: &[(&str, Method)] = &[("icmp", Method::Icmp), ("tcp", Method::Tcp), ("dns", Method::Dns)];
    let region = vantage.key(
        "region",
        MaybeText::new(limits::LABEL_LEN_MAX),
        None,
        "The key of the region this node stands in. With it the node measures how far the resolvers are that ask it: those \
         alone, and no address that did not ask first. Without it this node measures no resolvers.",
    );
    let methods = vantage.key(
        "methods",
        List::new(Choice::new(METHODS), "list of methods").not_empty(),
        vec![Method::Icmp, Method::Dns],
        "How, in the order in which it is tried: an echo (`icmp`), a connection to port 53 (`tcp`), a question to port 53 \
         (`dns`).",
    );
    let per_second = vantage.key(
        "per_second",
        Integer::new(1..=limits::VANTAGE_RATE_MAX),
        5,
        "Resolvers that are measured a second, at most; each is sent a few packets, one after the other.",
    );
    let per_network = vantage.key(
        "per_network",
        Duration::new(MINUTE..=7 * DAY),
        10 * MINUTE,
        "A network (/24 of IPv4, /48 of IPv6) is not measured again before this has passed; one that never answers is asked \
         less and less, once a day in the end.",
    );
    let networks = || List::new(forms::NETWORK, "list of networks");
    let allow =
        vantage.key("allow", networks(), Vec::new(), "Networks whose resolvers may be measured; empty: those of all.");
    let deny = vantage.key(
        "deny",
        networks(),
        Vec::new(),
        "Networks whose resolvers are never measured, e.g. `[\"198.51.100.0/24\"]`; beats `allow`.",
    );
    vantage.finish();
    Some(Vantage { region: region?, methods, per_second, per_network, allow, deny })
}

fn cluster(mut cluster: Table<'_>) -> Option<Cluster> {
    let etcd = cluster.key(
        "etcd",
        List::new(forms::URL, "list of URLs"),
        Vec::new(),
        "URLs of etcd's members, through which nodes share what they see; empty = this node stands alone.",
    );
    let name = || MaybeText::new(limits::LABEL_LEN_MAX);
    let node = cluster.key("node", name(), None, "This node's name, unique in the cluster; needed with `etcd`.");
    let site = cluster.key("site", name(), None, "The site this node stands in; needed with `etcd`.");
    check::cluster(&cluster);
    cluster.finish();
    match (node, site) {
        (Some(node), Some(site)) if !etcd.is_empty() => Some(Cluster { etcd, node, site }),
        _ => None,
    }
}
