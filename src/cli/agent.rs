//! `meridian agent`

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;
use serde_json::json;

use crate::agent::{
    Beacons, Measure, Median, Node, NodeError, Prefix, Reading, Settings, Trusted, Wanted, WorkError, look, reasons,
    work,
};
use crate::base::limits::{
    AGENT_EVERY_MS_MAX, AGENT_EVERY_MS_MIN, AGENT_NODES_MAX, AGENT_PORTS_MAX, AGENT_REPORT_DEFAULT, AGENT_REPORT_MAX,
    BEACON_REGIONS_MAX,
};
use crate::cli::{Exit, LogFormatArgument, complain, say};
use crate::config::LogLevel;
use crate::run::log;

#[derive(Debug, clap::Args)]
pub(super) struct AgentArguments {
    /// The region that this host is in, as the region files call it
    #[arg(long, value_name = "REGION", required_unless_present_any = ["once", "beacons"])]
    region: Option<String>,
    /// A node to report to, e.g. https://ns1.example.net:8053; repeat it for several, each gets every report
    #[arg(long, value_name = "URL", required_unless_present_any = ["once", "dry_run"])]
    to: Vec<Node>,
    /// The file of the token that nodes want, of scope `feed` or `operate`; it is read anew for each report
    #[arg(long, value_name = "FILE", required_unless_present_any = ["once", "dry_run"])]
    token_file: Option<PathBuf>,
    /// Certificates that nodes of https:// are known by, a PEM file, instead of those of the system's authorities
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Let http:// lead to other machines: the token can then be read on the way
    #[arg(long)]
    clear: bool,
    /// The ports that clients connect to; repeat it for several
    #[arg(long, value_name = "PORT", default_values_t = [443, 80], value_parser = clap::value_parser!(u16).range(1..))]
    port: Vec<u16>,
    /// From one reading to the next, in seconds or as 500ms, 10s, 2m: 1 second to 5 minutes
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = every)]
    every: Duration,
    /// What reports are named by [default: the name of this host]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// What is taken for the round trip of a connection
    #[arg(long, value_enum, value_name = "WHICH", default_value = "least")]
    rtt: Rtt,
    /// A network, or an address, whose connections are no clients: proxies of our own, health checks; may be repeated
    #[arg(long, value_name = "NETWORK")]
    ignore: Vec<Prefix>,
    /// Take this host for a client of itself, in connections and beacons, which is good for nothing but a trial
    #[arg(long)]
    loopback: bool,
    /// The most networks in one report; those with most connections go first
    #[arg(long, value_name = "COUNT", default_value_t = AGENT_REPORT_DEFAULT, value_parser = networks)]
    networks: usize,
    /// Look at the connections as they are, print what would be reported, and end
    #[arg(long, conflicts_with_all = ["to", "dry_run"])]
    once: bool,
    /// With `--once`: as JSON, for programs
    #[arg(long, requires = "once")]
    json: bool,
    /// Log reports instead of sending them
    #[arg(long, conflicts_with = "to")]
    dry_run: bool,
    /// Listen here for measurements of browsers, over HTTP in clear: behind your own web server
    #[arg(long, value_name = "ADDRESS", conflicts_with = "once", requires = "beacon_regions")]
    beacons: Option<SocketAddr>,
    /// The regions that browsers may tell of, e.g. fra,iad,sin
    #[arg(long, value_name = "REGIONS", value_delimiter = ',', requires = "beacons")]
    beacon_regions: Vec<String>,
    /// A network, or an address, of web servers that tell in `X-Forwarded-For` whom they speak for; may be repeated
    #[arg(long, value_name = "NETWORK", requires = "beacons")]
    trusted_proxy: Vec<Prefix>,
    /// An origin, e.g. https://www.example.com, whose pages may send measurements to another host; may be repeated.
    /// Pages of the host that they send to always may
    #[arg(long, value_name = "ORIGIN", requires = "beacons")]
    allow_origin: Vec<String>,
    /// How log lines look
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "auto")]
    log_format: LogFormatArgument,
}

/// One of the two numbers that the kernel has.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Rtt {
    /// The least of the last five minutes: the way there and back
    Least,
    /// The smoothed one: with queues on the way, and the time that clients take to acknowledge
    Smoothed,
}

pub(super) fn run(arguments: AgentArguments) -> Exit {
    if let Err(mistake) = arguments.check() {
        complain(&format!("error: {mistake}"));
        return Exit::Usage;
    }
    if arguments.once {
        return once(&arguments);
    }
    log::start(arguments.log_format.into(), LogLevel::Info);
    match arguments.settings().and_then(|settings| Ok(work(settings)?)) {
        Ok(()) => Exit::Ok,
        Err(error @ Failure::Node(_)) => told(&error, Exit::BadConfig),
        Err(error @ Failure::Work(_)) => told(&error, Exit::Failed),
    }
}

/// Why the command fails.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Node(#[from] NodeError),
    #[error(transparent)]
    Work(#[from] WorkError),
}

fn told(error: &Failure, exit: Exit) -> Exit {
    tracing::error!(reason = reasons(error), "{error}");
    exit
}

fn once(arguments: &AgentArguments) -> Exit {
    match look(arguments.wanted(), arguments.networks) {
        Ok(medians) if arguments.json => {
            let rows = medians
                .iter()
                .map(|row| json!({"network": row.network.to_string(), "samples": row.samples, "ms": row.ms()}));
            say(&format!("{:#}", rows.collect::<serde_json::Value>()));
            Exit::Ok
        }
        Ok(medians) => {
            table(&medians);
            Exit::Ok
        }
        Err(error) => {
            complain(&format!("{error}: {}", reasons(&error)));
            Exit::Failed
        }
    }
}

fn table(medians: &[Median]) {
    if medians.is_empty() {
        say("no client has a connection here of which the kernel has measured a round trip");
        return;
    }
    say(&format!("{:<24} {:>11} {:>10}", "network", "connections", "ms"));
    for row in medians {
        say(&format!("{:<24} {:>11} {:>10.3}", row.network.to_string(), row.samples, row.ms()));
    }
}

impl AgentArguments {
    /// What the definition of the arguments can't say.
    fn check(&self) -> Result<(), String> {
        if self.port.len() > AGENT_PORTS_MAX {
            return Err(format!("{} ports are too many: at most {AGENT_PORTS_MAX}", self.port.len()));
        }
        if self.to.len() > AGENT_NODES_MAX {
            return Err(format!("{} nodes are too many: at most {AGENT_NODES_MAX}", self.to.len()));
        }
        if self.beacon_regions.len() > BEACON_REGIONS_MAX {
            return Err(format!(
                "{} regions are too many for a page to measure: at most {BEACON_REGIONS_MAX}",
                self.beacon_regions.len()
            ));
        }
        match self.to.iter().find(|node| !node.is_private() && !self.clear) {
            Some(node) => Err(format!(
                "{node} would be sent the token in clear: use https://, or --clear if the network between is yours alone"
            )),
            None => Ok(()),
        }
    }

    fn wanted(&self) -> Wanted {
        let measure = match self.rtt {
            Rtt::Least => Measure::Least,
            Rtt::Smoothed => Measure::Smoothed,
        };
        Wanted { ports: self.port.clone(), measure, loopback: self.loopback, ignored: self.ignore.clone() }
    }

    fn settings(&self) -> Result<Settings, Failure> {
        let nodes = match &self.token_file {
            Some(file) if !self.to.is_empty() => {
                let trusted = Trusted::new(file, self.ca.as_deref())?;
                self.to.iter().map(|node| (node.clone(), trusted.clone())).collect()
            }
            _ => Vec::new(),
        };
        Ok(Settings {
            name: self.name.clone().unwrap_or_else(host_name),
            reading: match &self.region {
                Some(region) => Some((region.clone(), Reading::new(self.wanted()).map_err(WorkError::from)?)),
                None => None,
            },
            beacons: self.beacons.map(|listen| Beacons {
                listen,
                regions: self.beacon_regions.clone(),
                proxies: self.trusted_proxy.clone(),
                origins: self.allow_origin.clone(),
                loopback: self.loopback,
            }),
            every: self.every,
            networks: self.networks,
            nodes,
        })
    }
}

fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    if name.is_empty() { "agent".to_owned() } else { name.to_owned() }
}

/// `10`, `10s`, `500ms`, `2m`
fn every(text: &str) -> Result<Duration, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit_ms = match unit {
        "ms" => 1,
        "" | "s" => 1_000,
        "m" => 60_000,
        _ => return Err("a time is a number with ms, s or m".into()),
    };
    let number: u64 = number.parse().map_err(|_| "a time is a number with ms, s or m")?;
    let ms = number.saturating_mul(unit_ms);
    if (AGENT_EVERY_MS_MIN..=AGENT_EVERY_MS_MAX).contains(&ms) {
        Ok(Duration::from_millis(ms))
    } else {
        Err("between 1 second and 5 minutes".into())
    }
}

fn networks(text: &str) -> Result<usize, String> {
    let count = text.parse().ok().filter(|count| (1..=AGENT_REPORT_MAX).contains(count));
    count.ok_or_else(|| format!("a number from 1 to {AGENT_REPORT_MAX}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units_and_bounds() {
        for (text, seconds) in [("10", 10), ("1000ms", 1), ("5m", 300), ("1s", 1)] {
            assert_eq!(every(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "s", "999ms", "301s", "1h", "-1s", "99999999999999999999s", "18446744073709551615m"] {
            assert!(every(text).is_err(), "{text}");
        }
    }
}
