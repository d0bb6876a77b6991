//! `load = { … }` of a region, a service or an endpoint: a load feed, its check and its endpoint not looked up.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::base::diagnostic::{Diagnostic, Location};
use crate::base::limits::FEED_METRICS_MAX;
use crate::base::toml_text::{self, Table, Value};

use super::super::document::series;
use super::super::feeds::{METRIC_LOAD, METRIC_MAX, METRIC_TARGET, Pick, Place, is_metric_name};

/// A load feed as it is written.
#[derive(Clone, Debug)]
pub(in crate::model) struct RawFeed {
    /// Where it is written.
    pub(in crate::model) at: Location,
    pub(in crate::model) way: RawWay,
    pub(in crate::model) picks: Vec<Pick>,
    /// What `every` says; of a check, its interval counts.
    pub(in crate::model) every: Duration,
    pub(in crate::model) max_age: Duration,
}

/// How readings come.
#[derive(Clone, Debug)]
pub(in crate::model) enum RawWay {
    /// The URL, maybe with [`ADDRESS`] in it.
    Pull(String),
    /// `host:port`, maybe with [`ADDRESS`] in it.
    Agent(String),
    Push,
    Check,
}

/// What a feed is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Of {
    Region,
    Endpoint,
}

/// Stands for the address of the endpoint.
pub(in crate::model) const ADDRESS: &str = "{address}";

/// The keys that say how readings come, each with the keys that may stand beside it.
const WAYS: [(&str, &[&str]); 4] = [
    ("url", &["json", "prometheus", "target", "max", "metrics", "every", "max_age"]),
    ("agent", &["every", "max_age"]),
    ("push", &["every", "max_age"]),
    ("check", &["target", "max", "metrics", "max_age"]),
];

const HINT: &str = "write { url = \"http://192.0.2.5/load\", json = \"/requests_per_second\" }";

pub(super) fn read(value: &Value<'_>, of: Of) -> Option<RawFeed> {
    let mut table = value.table_as("a table", Some(HINT))?;
    let url = table.take("url");
    let (json, prometheus) = (table.take("json"), table.take("prometheus"));
    let agent = table.take("agent");
    let push = table.take("push");
    let check = table.take("check");
    let (target, max) = (table.take("target"), table.take("max"));
    let metrics = if of == Of::Endpoint { table.take("metrics") } else { None };
    let (second, hour) = (Duration::from_secs(1), Duration::from_secs(3_600));
    let span = || toml_text::Duration::new(second..=hour);
    let every = table.key(
        "every",
        span(),
        Duration::from_secs(5),
        "How often a reading is fetched, or expected to be pushed. Not beside `check`.",
    );
    let max_age = table.key("max_age", span(), Duration::from_secs(30), "How long a value is trusted.");
    let is_single = one_way(&table);
    if is_single && max_age < every && check.is_none() {
        let reason = "each value would be too old before the next one comes";
        value.push(value.error("bad-value", format!("`{}.max_age` is below `every`", value.path()), reason));
    }
    table.finish();
    let (way, form) = match (url, agent, push, check) {
        (Some(url), ..) => (RawWay::Pull(url.parse("a URL", |text| web_url(text, of))?), None),
        (_, Some(agent), ..) => (RawWay::Agent(agent.parse("an address", |text| agent_address(text, of))?), None),
        (_, _, Some(push), _) => (pushed(&push)?, None),
        (.., Some(check)) => (RawWay::Check, Some(check.parse("a part of an answer", part_of_answer)?)),
        (None, None, None, None) => return None,
    };
    let mut picks = Picks::default();
    if let Some(load) = form {
        picks.add(METRIC_LOAD.into(), load);
    }
    if matches!(way, RawWay::Pull(_)) {
        let is_alone = metrics.is_none();
        picks.add_load(value, json, prometheus, is_alone)?;
    }
    for (name, value) in [(METRIC_TARGET, target), (METRIC_MAX, max)] {
        if let Some(value) = value {
            picks.read(name.into(), &value, &way)?;
        }
    }
    if let Some(metrics) = metrics {
        picks.read_all(&metrics, &way)?;
    }
    let picks = picks.0.into_iter().map(|(metric, place)| Pick { metric, place }).collect();
    is_single.then(|| RawFeed { at: value.at(), way, picks, every, max_age })
}

/// Exactly one key says how readings come, and nothing beside it means nothing.
fn one_way(table: &Table<'_>) -> bool {
    let found: Vec<(Value<'_>, &[&str])> =
        WAYS.iter().filter_map(|(way, beside)| Some((table.peek(way)?, *beside))).collect();
    let [(first, beside), more @ ..] = found.as_slice() else {
        if table.is_present() {
            let words = WAYS.map(|(way, _)| way).join(", ");
            let finding =
                Diagnostic::error("no-kind", format!("`{}` does not say where the load comes from", table.path()))
                    .at(table.at(), "no source here")
                    .hint(format!("exactly one of: {words}"));
            table.push(finding);
        }
        return false;
    };
    let mut is_good = true;
    for (other, _) in more {
        let message = format!("`{}` has both `{}` and `{}`", table.path(), first.key(), other.key());
        let finding = Diagnostic::error("several-kinds", message)
            .at(other.key_at(), "a second source")
            .related(first.key_at(), "the first")
            .hint("a load feed has exactly one source");
        table.push(finding);
        is_good = false;
    }
    let others = ["json", "prometheus", "target", "max", "metrics", "every"];
    for other in others.iter().filter(|other| more.is_empty() && !beside.contains(other)) {
        if let Some(other) = table.peek(other) {
            let message = format!("`{}` means nothing beside `{}`", other.path(), first.key());
            let reason = match (first.key(), other.key()) {
                ("check", "every") => "the interval of the check counts",
                ("check", _) => "`check` says where the load stands",
                ("agent", _) => "an agent says how much is free, and nothing else",
                _ => "whoever pushes names each metric",
            };
            table.push(Diagnostic::error("bad-value", message).at(other.key_at(), reason));
            is_good = false;
        }
    }
    is_good
}

fn pushed(value: &Value<'_>) -> Option<RawWay> {
    if value.boolean()? {
        return Some(RawWay::Push);
    }
    value.push(value.error("bad-value", format!("`{}` is false", value.path()), "leave the feed out"));
    None
}

/// What is picked, each metric once.
#[derive(Default)]
struct Picks(BTreeMap<Arc<str>, Place>);

impl Picks {
    fn add(&mut self, metric: Arc<str>, place: Place) {
        self.0.insert(metric, place);
    }

    /// `json` or `prometheus`; without either, the document is the load if nothing else is picked from it.
    fn add_load(
        &mut self,
        value: &Value<'_>,
        json: Option<Value<'_>>,
        prometheus: Option<Value<'_>>,
        is_alone: bool,
    ) -> Option<()> {
        let place = match (json, prometheus) {
            (Some(first), Some(second)) => {
                let message = format!("`{}` has both `json` and `prometheus`", value.path());
                let finding = Diagnostic::error("bad-value", message)
                    .at(second.key_at(), "a document has one format")
                    .related(first.key_at(), "the first");
                value.push(finding);
                return None;
            }
            (Some(json), None) => Place::Json(json.parse("a JSON pointer", json_pointer)?),
            (None, Some(prometheus)) => Place::Series(prometheus.parse("a series", series)?),
            (None, None) if is_alone => Place::Json(String::new()),
            (None, None) => return Some(()),
        };
        self.add(METRIC_LOAD.into(), place);
        Some(())
    }

    /// A place in the same document as those before.
    fn read(&mut self, metric: Arc<str>, value: &Value<'_>, way: &RawWay) -> Option<()> {
        let place = match way {
            RawWay::Check => value.parse("a part of an answer", part_of_answer)?,
            RawWay::Pull(_) | RawWay::Agent(_) | RawWay::Push => {
                value.parse("a place in the document", part_of_document)?
            }
        };
        let is_json = |place: &Place| matches!(place, Place::Json(_));
        let differs = |known: &Place| is_json(known) != is_json(&place);
        if !matches!(way, RawWay::Check) && self.0.values().any(differs) {
            let message = format!("`{}` is of another format", value.path());
            let reason = if is_json(&place) { "a JSON pointer, and the load is a series" } else { "no JSON pointer" };
            value.push(value.error("bad-value", message, reason).hint("all numbers come from one document"));
            return None;
        }
        if self.0.contains_key(&metric) {
            let message = format!("metric `{metric}` is fed twice");
            value.push(Diagnostic::error("bad-value", message).at(value.key_at(), "it has a key of its own"));
            return None;
        }
        self.add(metric, place);
        Some(())
    }

    fn read_all(&mut self, value: &Value<'_>, way: &RawWay) -> Option<()> {
        let hint = Some("write { connections = \"/connections\" }");
        let entries = value.table_as("a table of metrics and where they stand", hint)?.entries();
        if entries.is_empty() || entries.len() > FEED_METRICS_MAX {
            value.out_of_range(entries.len(), 1, FEED_METRICS_MAX);
            return None;
        }
        let read: Vec<Option<()>> = entries
            .iter()
            .map(|entry| {
                let name = entry.key();
                if !is_metric_name(name) {
                    let message = format!("`{}` is no name for a metric", name.escape_debug());
                    let reason = "letters, digits and `_`";
                    entry.push(Diagnostic::error("bad-key", message).at(entry.key_at(), reason));
                    return None;
                }
                self.read(name.into(), entry, way)
            })
            .collect();
        read.into_iter().collect()
    }
}

fn web_url(text: &str, of: Of) -> Result<String, String> {
    let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    let authority = rest.map(|rest| rest.split(['/', '?', '#']).next().unwrap_or_default());
    match authority {
        Some(authority) if authority.contains('@') => Err("a name and a password are not sent".into()),
        Some(authority) if !authority.is_empty() && !text.contains(|c: char| c.is_whitespace() || c.is_control()) => {
            with_address(text, of)
        }
        _ => Err("it starts with http:// or https:// and a host".into()),
    }
}

fn agent_address(text: &str, of: Of) -> Result<String, String> {
    let port =
        text.rsplit_once(':').filter(|(host, _)| !host.is_empty()).and_then(|(_, port)| port.parse::<u16>().ok());
    let is_bare = |text: &str| text.parse::<std::net::Ipv6Addr>().is_ok();
    match port {
        Some(1..) if !is_bare(text) && !text.contains(|c: char| c.is_whitespace() || c.is_control() || c == '/') => {
            with_address(text, of)
        }
        _ => Err("a host and a port, e.g. 192.0.2.5:8081 or [2001:db8::5]:8081".into()),
    }
}

/// Braces stand for the endpoint's address alone.
fn with_address(text: &str, of: Of) -> Result<String, String> {
    let rest = if of == Of::Endpoint { text.replace(ADDRESS, "") } else { text.to_owned() };
    match (rest.contains(['{', '}']), of) {
        (false, _) => Ok(text.to_owned()),
        (true, Of::Endpoint) => Err(format!("braces stand for an address alone: {ADDRESS}")),
        (true, Of::Region) => Err("a region has no address to put into braces".to_owned()),
    }
}

/// A JSON pointer, or a series of a Prometheus text.
fn part_of_document(text: &str) -> Result<Place, String> {
    match text.starts_with('/') {
        true => json_pointer(text).map(Place::Json),
        false => series(text)
            .map(Place::Series)
            .map_err(|reason| format!("no JSON pointer, which starts with `/`, and no series: {reason}")),
    }
}

/// A header field, or a number in the body of the answer to a health check.
fn part_of_answer(text: &str) -> Result<Place, String> {
    let is_token = |name: &str| {
        // RFC 9110 §5.6.2.
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
    };
    match text.split_once(':') {
        Some(("header", name)) if is_token(name) => Ok(Place::Header(name.to_ascii_lowercase())),
        Some(("body", pointer)) => json_pointer(pointer).map(Place::Json),
        _ => Err("write \"header:X-Load\" or \"body:/json/pointer\"".to_owned()),
    }
}

/// RFC 6901 §3, where `~` stands only in `~0` and `~1`.
fn json_pointer(text: &str) -> Result<String, String> {
    if !text.is_empty() && !text.starts_with('/') {
        return Err(format!("it starts with `/`: \"/{text}\""));
    }
    match text.split('~').skip(1).all(|rest| rest.starts_with(['0', '1'])) {
        true => Ok(text.to_owned()),
        false => Err("`~` is written `~0`".to_owned()),
    }
}
