//! The reference of region files: every key with its type, default, values and meaning.
//!
//! What is read by a form is described where it is read. Keys that take several types, or that have no default, are
//! described here; a test says so when one is left out.

use crate::base::limits;
use crate::base::toml_text::{self, KeyReference};

use super::{Raw, service};

/// Every key of a region file, in the order it is read, in tables named like `regions.NAME`; those of health checks are
/// given by [`super::check_references`].
#[must_use]
pub fn references() -> Vec<KeyReference> {
    let mut keys = toml_text::references_of(SAMPLE, |root| Raw::default().read(root));
    for key in keys.iter_mut().filter(|key| key.kind.is_empty()) {
        let described = DESCRIBED.iter().find(|(table, name, ..)| *table == key.table && *name == key.name);
        if let Some(&(_, _, kind, default, range, meaning)) = described {
            (key.kind, key.default, key.range) = (kind.into(), default.into(), range.into());
            key.meaning = meaning;
        }
    }
    keys
}

/// One of each table that a region file can have, health checks aside.
const SAMPLE: &str = "
[regions.NAME]
location = {}
capacity = {}
load = {}
[policies.NAME]
mode = \"active-passive\"
failback = {}
[services.NAME]
ttl = {}
load = {}
endpoints.REGION = [{}]
[geomaps.NAME]
[safety.NAME]
only_while = {}
";

// What the texts below say.
const _: () = assert!(service::WEIGHT_MAX == 65_535 && service::TTL_MAX == 86_400);
const _: () = assert!(limits::REGION_ENDPOINTS_MAX == 4_096 && limits::TRICKLE_MAX == 20);

/// Table, key, type, default, values, meaning; what is no TOML stands in parentheses.
type Row = (&'static str, &'static str, &'static str, &'static str, &'static str, &'static str);

const REQUIRED: &str = "(required)";
const NONE: &str = "(none)";

const REGION: &str = "regions.NAME";
const LOCATION: &str = "regions.NAME.location";
const CAPACITY: &str = "regions.NAME.capacity";
const LOAD: &str = "regions.NAME.load";
const ENDPOINT_LOAD: &str = "services.NAME.load";
const POLICY: &str = "policies.NAME";
const SERVICE: &str = "services.NAME";
const ENDPOINT: &str = "services.NAME.endpoints.REGION[0]";
const GEOMAP: &str = "geomaps.NAME";
const SAFETY: &str = "safety.NAME";
const ONLY_WHILE: &str = "safety.NAME.only_while";

const RANKING: &str = "table of lists";

#[rustfmt::skip]
const DESCRIBED: &[Row] = &[
    (REGION, "label", "string", "(the region's key)", "", "Its name for people."),
    (REGION, "location", "table", NONE, "", "Where it is: coordinates or a country. Needed where nearness ranks and no map does."),
    (REGION, "capacity", "table", "(unlimited)", "", "How much it can take."),
    (REGION, "load", "table", NONE, "", "Where its load comes from; without it the load of its endpoints counts, else our own answers."),
    (REGION, "check", "string", NONE, "a check", "A check of the whole region: while it fails, every endpoint there counts as down."),
    (REGION, "check_address", "address", NONE, "", "What that check probes; each needs the other."),
    (LOCATION, "lat", "number", NONE, "-90 to 90", "Degrees of latitude, north is positive; with `lon`."),
    (LOCATION, "lon", "number", NONE, "-180 to 180", "Degrees of longitude, east is positive; with `lat`."),
    (LOCATION, "country", "string", NONE, "ISO 3166-1, two capitals", "In place of coordinates: the middle of a country."),
    (CAPACITY, "target", "integer", "(0.8 × `max`)", "0 to `max`", "What it should carry; above it, load spills to others."),
    (CAPACITY, "max", "integer", REQUIRED, "from 0", "What it can carry; nothing is planned above it."),
    (CAPACITY, "unit", "string", "(that of the load feed)", "\"answers\"", "Says that our own answers are counted, in answers per second; not beside a load feed."),
    (LOAD, "url", "URL", NONE, "http:// or https://", "Where a document with the load is fetched. This, `agent`, `push` or `check`."),
    (LOAD, "json", "JSON pointer", "\"\"", "\"\" = the whole document", "Which number of a JSON document is the load, e.g. \"/requests_per_second\"."),
    (LOAD, "prometheus", "series", NONE, "name or name{label=\"value\", …}", "Which series of a Prometheus text are the load: the sum of all with these labels."),
    (LOAD, "agent", "string", NONE, "host:port", "Where an agent in the way of HAProxy says how much is free, e.g. \"75%\": a load of 25, of 100."),
    (LOAD, "push", "boolean", NONE, "true", "If it is told us over the admin interface."),
    (LOAD, "check", "string", NONE, "\"header:NAME\" or \"body:/pointer\"", "Where the load stands in the answer to the region's own check."),
    (LOAD, "target", "string", NONE, "as the load", "Where in the same document the target stands."),
    (LOAD, "max", "string", NONE, "as the load", "Where in the same document the max stands."),

    (POLICY, "mode", "string", REQUIRED, "\"active-active\", \"active-passive\"", "Each client its region, or one region for everybody."),
    (POLICY, "prefer", "string", "\"geo\"", "\"geo\", \"latency\", \"load\", \"response-time\", \"equal\"", "What ranks the regions for a client. Active-active only."),
    (POLICY, "tolerance", "distance or duration", "(50km; 10ms where latency ranks)", "0km to 20000km, or a duration", "Regions no further behind the best than this are its equals. Active-active only."),
    (POLICY, "spill", "boolean", "true", "", "If load above a region's target moves to the next choices. Active-active only."),
    (POLICY, "ramp", "duration", "\"2m\"", "0s to 1d", "How long a recovered region takes to get its whole share back. Active-active only."),
    (POLICY, "geomap", "string", NONE, "a geomap", "Ranks before distance does. Active-active only."),
    (POLICY, "failback", "string or table", "{ after = \"5m\" }", "\"automatic\", \"manual\", { after = … }", "How the better region gets its work back. Active-passive only."),
    (POLICY, "custom", "table of numbers", NONE, "metrics, 0.001 to 1000000 each", "What `balance = \"custom\"` adds up: what one unit of each metric counts. The lower the sum, the better."),
    (POLICY, "when_all_down", "string", "\"preferred\"", "\"preferred\", \"all\", \"last-healthy\", \"fallback\", \"nodata\", \"servfail\"", "What is answered when no region has an endpoint up. \"all\" is for active-active only."),
    (POLICY, "fallback", "list of addresses and records", NONE, "at least one", "What `when_all_down = \"fallback\"` answers."),
    ("policies.NAME.failback", "after", "duration", REQUIRED, "0s to 1d", "How long the better region must have been eligible without a break."),

    (SERVICE, "names", "list of domain names", REQUIRED, "at least one", "The names it owns, with or without the final dot; a first label `*` is a wildcard."),
    (SERVICE, "policy", "string", REQUIRED, "a policy, defined or built in", "How its regions are chosen from."),
    (SERVICE, "check", "string or list of strings", NONE, "checks", "What probes its endpoints; of several all must pass."),
    (SERVICE, "ttl", "integer or table", "{ min = 5, max = 30 }", "0 to 86400", "Seconds that answers may be cached: bounds, or one number for both."),
    (SERVICE, "min_up", "integer or percentage", "1", "1 to 4096, or \"1%\" to \"100%\"", "How many endpoints, or how much of their weight, must be up for a region to be eligible."),
    (SERVICE, "weights", "table of integers", "{}", "0 to 65535", "Shares of regions that are equals, by region; 1 for those not named. 0: only when the others are not eligible."),
    (SERVICE, "order", "list of regions", NONE, "", "The regions, best first: all of them in active-passive; elsewhere for clients that nothing else ranks for."),
    (SERVICE, "missing", "list of record types", "[]", "", "Types that some regions lack on purpose."),
    (SERVICE, "trickle", "percentage", NONE, "\"1%\" to \"20%\"", "So many of its clients go to the next region of its order while that is eligible. Active-passive only; `check` warns."),
    (SERVICE, "follow", "string", NONE, "a service", "Its regions are chosen by that service, so that both always agree."),
    (SERVICE, "endpoints", "table of lists", REQUIRED, "1 to 4096 a region", "Endpoints by region: an address as text, or a table as below."),
    (SERVICE, "load", "table", NONE, "", "Where numbers about each of its endpoints come from: as below, with {address} in the URL."),
    (ENDPOINT_LOAD, "url", "URL", NONE, "http:// or https://, {address}", "Where a document with the numbers is fetched. This, `agent`, `push` or `check`."),
    (ENDPOINT_LOAD, "json", "JSON pointer", "(none beside `metrics`, else \"\")", "\"\" = the whole document", "Which number of a JSON document is the load, e.g. \"/requests_per_second\"."),
    (ENDPOINT_LOAD, "prometheus", "series", NONE, "name or name{label=\"value\", …}", "Which series of a Prometheus text are the load: the sum of all with these labels."),
    (ENDPOINT_LOAD, "agent", "string", NONE, "host:port, {address}", "Where an agent in the way of HAProxy says how much is free, e.g. \"75%\": a load of 25, of 100."),
    (ENDPOINT_LOAD, "push", "boolean", NONE, "true", "If it is told us over the admin interface."),
    (ENDPOINT_LOAD, "check", "string", NONE, "\"header:NAME\" or \"body:/pointer\"", "Where the load stands in the answer to the service's first check over HTTP."),
    (ENDPOINT_LOAD, "target", "string", NONE, "as the load", "Where in the same document the target stands."),
    (ENDPOINT_LOAD, "max", "string", NONE, "as the load", "Where in the same document the max stands."),
    (ENDPOINT_LOAD, "metrics", "table of strings", NONE, "1 to 16", "More numbers of the same document by name, e.g. { connections = \"/conns\", response_ms = \"/rt\" }."),
    ("services.NAME.ttl", "min", "integer", REQUIRED, "0 to `max`", "The least, used when anything may change at any moment."),
    ("services.NAME.ttl", "max", "integer", REQUIRED, "0 to 86400", "The most, used when nothing can change soon."),
    (ENDPOINT, "address", "address", NONE, "", "What is answered: an A or AAAA record. This or `records`."),
    (ENDPOINT, "records", "list of records", NONE, "at least one", "What is answered: type and data as in a zone file, e.g. \"MX 10 mx1.example.com.\". This or `address`."),
    (ENDPOINT, "load", "table", "(that of the service)", "", "Where numbers about it come from: keys as in the service's."),
    (ENDPOINT, "check_address", "address", "(its own address)", "", "What is probed in its place; needed beside `records` if the service has a check."),

    (GEOMAP, "networks", RANKING, "{}", "prefixes", "Rankings by the client's network; the longest prefix counts."),
    (GEOMAP, "asns", RANKING, "{}", "64500 or AS64500", "By the client's autonomous system."),
    (GEOMAP, "subdivisions", RANKING, "{}", "ISO 3166-2, e.g. US-CA", "By the client's state or province."),
    (GEOMAP, "countries", RANKING, "{}", "ISO 3166-1, e.g. DE", "By the client's country."),
    (GEOMAP, "continents", RANKING, "{}", "AF, AN, AS, EU, NA, OC, SA", "By the client's continent."),
    (GEOMAP, "default", "list of regions", NONE, "at least one", "The ranking for clients that nobody can locate."),

    (SAFETY, "regions", "list of regions", REQUIRED, "at least one", "The set that the rule is about."),
    (SAFETY, "services", "list of services", "[]", "", "A region is on while it is eligible for all of these that it has; empty: for any of its services."),
    (SAFETY, "at_least", "integer", NONE, "1 to as many as the set has", "So many of the set are on after any change."),
    (SAFETY, "only_while", "table", NONE, "", "The set may be changed only while so many of other regions are on."),
    (SAFETY, "wait", "duration", "\"0s\"", "0s to 1d", "After a change of one of the set the next waits for so long; `enable` never does."),
    (ONLY_WHILE, "regions", "list of regions", REQUIRED, "at least one", "The regions that are looked at."),
    (ONLY_WHILE, "at_least", "integer", REQUIRED, "1 to as many as are named", "How many of them must be on."),
];

#[cfg(test)]
mod tests {
    use super::super::policy;
    use super::*;
    use crate::base::toml_text::{Choice, Form as _};

    #[test]
    fn every_key_is_described() {
        for key in references() {
            assert!(!key.kind.is_empty() && !key.meaning.is_empty(), "{}.{} is described nowhere", key.table, key.name);
        }
    }

    #[test]
    fn every_description_is_of_a_key() {
        let keys = references();
        for (table, name, ..) in DESCRIBED {
            assert!(keys.iter().any(|key| key.table == *table && key.name == *name), "{table}.{name} is read nowhere");
        }
    }

    #[test]
    fn all_words_are_listed() {
        let keys = references();
        let range = |name: &str| keys.iter().find(|key| key.table == POLICY && key.name == name).map(|key| &*key.range);
        assert_eq!(range("prefer"), Some(&*Choice::new(policy::PREFER).range()));
    }

    #[test]
    fn nothing_is_described_twice() {
        let mut keys: Vec<(String, &str)> = references().into_iter().map(|key| (key.table, key.name)).collect();
        let len = keys.len();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), len);
    }
}
