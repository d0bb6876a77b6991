//! What the demo shows: a guide of things to try, and how the data centres stand.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use super::files::Folder;
use super::{Centers, DemoOptions};
use crate::run::ask;

/// How often the state is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Networks for the guide: a word for people, and what to ask with.
const CLIENTS: [(&str, &str); 3] =
    [("Germany", "88.198.0.0/24"), ("the United States", "4.4.4.0/24"), ("Singapore", "203.116.1.0/24")];

/// Says what there is, and what to try.
pub(super) fn guide(options: &DemoOptions, folder: &Folder, centers: &Centers, out: &mut impl Write) -> io::Result<()> {
    let (host, port) = (options.dns.ip(), options.dns.port());
    writeln!(out, "Three data centres, and a name server that steers between them.\n")?;
    for (number, center) in (1..).zip(centers.iter()) {
        writeln!(out, "  {number} {:<4} {:<10} http://{}/", center.key, center.label, center.address)?;
    }
    writeln!(out, "\nAsk as clients of different countries (their resolver tells their network):\n")?;
    for (place, network) in CLIENTS {
        writeln!(out, "  dig @{host} -p {port} www.example.com +short +subnet={network:<16} # {place}")?;
    }
    writeln!(
        out,
        "  dig @{host} -p {port} api.example.com +short                          # one for everybody: failover"
    )?;
    if !folder.knows_the_world() {
        writeln!(
            out,
            "\n(There is no location database in {}: only these networks are known.)",
            options.geoip.display()
        )?;
    }
    writeln!(out, "\nKill or revive a data centre: type its number and Enter, or")?;
    if let Some(center) = centers.iter().next() {
        writeln!(out, "  curl http://{0}/kill      curl http://{0}/revive", center.address)?;
    }
    writeln!(out, "Its clients get the next nearest; when it is back, they return little by little (ramp).")?;
    let config = folder.config();
    writeln!(out, "\nGive orders as an operator would (this configuration names the server and its token):\n")?;
    for order in ["status", "drain fra --reason \"trying it\"", "enable fra", "switch api sin", "failback api"] {
        writeln!(out, "  meridian {order} --config {}", config.display())?;
    }
    writeln!(out, "\nState and metrics: http://{0}/api/v1/status http://{0}/metrics. Ctrl-C ends.\n", options.admin)
}

/// Shows how things stand whenever that changes: in place on a terminal, else as lines.
pub(super) fn watch(admin: SocketAddr, centers: &Centers, is_terminal: bool) {
    let mut shown = Vec::new();
    loop {
        thread::sleep(LOOK_EVERY);
        let Ok(status) = ask::get(admin, "/api/v1/status") else { continue };
        if service(&status, "web").is_none() {
            // Nothing is loaded yet.
            continue;
        }
        let lines = lines(&status, centers);
        if lines == shown {
            continue;
        }
        let mut out = io::stdout().lock();
        // On a terminal the state stands at one place, unless something was typed meanwhile.
        let text = if is_terminal { block(&lines) } else { changed(&lines, &shown) };
        if out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_err() {
            return;
        }
        shown = lines;
    }
}

/// A line for each data centre.
fn lines(status: &Value, centers: &Centers) -> Vec<String> {
    let line = |center: &super::Center| {
        let web = service(status, "web");
        let state = web.and_then(|web| state_in(web, &center.key)).unwrap_or("-");
        let ramp = web.and_then(|web| ramp_in(web, &center.key));
        let ramp = ramp.map_or(String::new(), |percent| format!(", {percent} % of its clients so far"));
        let active = service(status, "api").and_then(|api| api["active"]["region"].as_str()) == Some(&*center.key);
        let active = if active { "  <- api.example.com" } else { "" };
        let life = if center.is_dead() { "dead " } else { "alive" };
        format!("{:<4} {:<10} {life}  server says: {state}{ramp}{active}", center.key, center.label)
    };
    centers.iter().map(line).collect()
}

fn service<'v>(status: &'v Value, key: &str) -> Option<&'v Value> {
    status["services"].as_array()?.iter().find(|service| service["key"] == key)
}

/// Why a region is usable for a service, or not.
fn state_in<'v>(service: &'v Value, region: &str) -> Option<&'v str> {
    service["regions"].as_array()?.iter().find(|part| part[0] == region)?[1].as_str()
}

/// The part of its clients that a region has again, percent, while it is being reintroduced.
fn ramp_in(service: &Value, region: &str) -> Option<u64> {
    service["ramps"].as_array()?.iter().find(|ramp| ramp["region"] == region)?["percent"].as_u64()
}

fn block(lines: &[String]) -> String {
    let mut text = String::from("\n");
    for line in lines {
        // Green while all is well, red while not; the words say it too.
        let color = if line.contains("says: eligible") { 32 } else { 31 };
        text.push_str(&format!("  \x1b[{color}m{line}\x1b[0m\n"));
    }
    text
}

fn changed(lines: &[String], shown: &[String]) -> String {
    let fresh = lines.iter().enumerate().filter(|(index, line)| shown.get(*index) != Some(*line));
    fresh.map(|(_, line)| format!("{line}\n")).collect()
}
