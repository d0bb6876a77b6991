//! `[services.NAME]` and its endpoints.

use std::net::IpAddr;

use crate::base::limits;
use crate::base::toml_text::{Boolean, Form as _, Integer, Shape, Table, Value};
use crate::dns::{Name, RecordType};

use super::super::records;
use super::super::types::{MinUp, Record, ServiceName, Ttl};
use super::feed::{self, RawFeed};
use super::region::address;
use super::{At, Given, all, name, names};

/// A service, nothing it names looked up.
#[derive(Clone, Debug)]
pub(in crate::model) struct RawService {
    pub(in crate::model) names: Given<Vec<ServiceName>>,
    pub(in crate::model) policy: Given<At<String>>,
    pub(in crate::model) check: Given<Vec<At<String>>>,
    pub(in crate::model) ttl: At<Ttl>,
    pub(in crate::model) min_up: At<MinUp>,
    pub(in crate::model) weights: Vec<(At<String>, At<u32>)>,
    pub(in crate::model) order: Given<Vec<At<String>>>,
    pub(in crate::model) missing: Vec<At<RecordType>>,
    pub(in crate::model) ecs: bool,
    pub(in crate::model) hints: At<bool>,
    pub(in crate::model) trickle: Given<At<u8>>,
    pub(in crate::model) follow: Given<At<String>>,
    /// The feed of each endpoint that has none of its own.
    pub(in crate::model) load: Given<RawFeed>,
    pub(in crate::model) enabled: bool,
    /// By region, in the order of the file.
    pub(in crate::model) endpoints: Given<Vec<(At<String>, Vec<RawEndpoint>)>>,
}

/// An endpoint, its key not made.
#[derive(Clone, Debug)]
pub(in crate::model) struct RawEndpoint {
    pub(in crate::model) at: crate::base::diagnostic::Location,
    /// Set if it is an address, not a list of records.
    pub(in crate::model) address: Option<IpAddr>,
    pub(in crate::model) records: Vec<Record>,
    pub(in crate::model) check_address: Given<At<IpAddr>>,
    pub(in crate::model) weight: u32,
    pub(in crate::model) load: Given<RawFeed>,
    pub(in crate::model) enabled: bool,
}

/// What a TTL is when nobody says: as short as resolvers honor, as long as failover may take.
pub(in crate::model) const TTL_DEFAULT: Ttl = Ttl { min: 5, max: 30 };
/// A day: longer answers are not steered.
pub(super) const TTL_MAX: i64 = 86_400;
/// Leaves [`crate::policy`] room to scale weights by ramp and plan in 24 bits.
pub(in crate::model) const WEIGHT_MAX: u32 = 65_535;

pub(super) fn read(mut table: Table<'_>) -> RawService {
    let here = table.at();
    let names_value = table.require("names", "write names = [\"www.example.com\"]");
    let service_names = Given::read(names_value.as_ref(), service_names);
    let policy = table.require("policy", "e.g. policy = \"failover\", \"weighted\" or \"nearest\"");
    let policy = Given::read(policy.as_ref(), name);
    let check = Given::read(table.take("check").as_ref(), names);
    let ttl = or_here(table.take("ttl"), &here, TTL_DEFAULT, ttl);
    let min_up = or_here(table.take("min_up"), &here, MinUp::Count(1), min_up);
    let weights = table.take("weights").and_then(|value| weights(&value)).unwrap_or_default();
    let order = Given::read(table.take("order").as_ref(), |value| {
        all(value.list_as("a list of regions", Some("write [\"fra\", \"iad\"]"))?.iter().map(name))
    });
    let missing = table.take("missing").and_then(|value| missing(&value)).unwrap_or_default();
    let ecs = table.key("ecs", Boolean, true, "If the client subnet of a query counts.");
    let hints_at = table.peek("hints").map_or_else(|| here.clone(), |value| value.key_at());
    let hints = table.key("hints", Boolean, false, "If HTTPS and SVCB records get the addresses of the same decision.");
    let trickle = Given::read(table.take("trickle").as_ref(), trickle);
    let follow = Given::read(table.take("follow").as_ref(), name);
    let load = Given::read(table.take("load").as_ref(), |value| feed::read(value, feed::Of::Endpoint));
    let enabled = table.key("enabled", Boolean, true, "If not: loaded and probed, never answered.");
    let endpoints = table.require("endpoints", "write endpoints.fra = [\"192.0.2.10\"]");
    let endpoints = Given::read(endpoints.as_ref(), endpoints_by_region);
    table.finish();
    RawService {
        names: service_names,
        policy,
        check,
        ttl,
        min_up,
        weights,
        order,
        missing,
        ecs,
        hints: At { value: hints, at: hints_at },
        trickle,
        follow,
        load,
        enabled,
        endpoints,
    }
}

fn or_here<T>(
    value: Option<Value<'_>>,
    here: &crate::base::diagnostic::Location,
    default: T,
    read: impl FnOnce(&Value<'_>) -> Option<T>,
) -> At<T> {
    match value {
        Some(value) => At { value: read(&value).unwrap_or(default), at: value.at() },
        None => At { value: default, at: here.clone() },
    }
}

fn service_names(value: &Value<'_>) -> Option<Vec<ServiceName>> {
    let elements = value.list_as("a list of domain names", Some("write [ ] around it"))?;
    if elements.is_empty() {
        value.push(value.error("out-of-range", format!("`{}` is empty", value.path()), "at least one is needed"));
        return None;
    }
    all(elements.iter().map(|element| {
        let name = element.parse("a domain name", |text| {
            let name = text.parse::<Name>().map_err(|error| error.to_string())?;
            if name.labels().skip(1).any(|label| label == b"*") {
                return Err("`*` stands for names only as the first label (RFC 4592)".to_owned());
            }
            Ok(name)
        })?;
        Some(ServiceName { name, at: element.at() })
    }))
}

fn ttl(value: &Value<'_>) -> Option<Ttl> {
    let seconds = |value: &Value<'_>| value.integer(&(0..=TTL_MAX)).and_then(|n| u32::try_from(n).ok());
    if let Shape::Integer(_) = value.shape() {
        let both = seconds(value)?;
        return Some(Ttl { min: both, max: both });
    }
    let hint = "write seconds, e.g. 30 or { min = 5, max = 30 }";
    let mut table = value.table_as("a number of seconds or a table", Some(hint))?;
    let (min, max) = (table.require("min", hint), table.require("max", hint));
    table.finish();
    let (min, max) = (min.and_then(|value| seconds(&value)), max.and_then(|value| seconds(&value)));
    let (min, max) = (min?, max?);
    if min > max {
        let reason = format!("`min` is {min}, `max` is {max}");
        value.push(value.error("bad-value", format!("`{}.min` is above `max`", value.path()), reason));
        return None;
    }
    Some(Ttl { min, max })
}

fn min_up(value: &Value<'_>) -> Option<MinUp> {
    if let Shape::Integer(_) = value.shape() {
        let count = value.integer(&(1..=i64::try_from(limits::REGION_ENDPOINTS_MAX).unwrap_or(i64::MAX)))?;
        return u32::try_from(count).ok().map(MinUp::Count);
    }
    let percent = value.parse("a number of endpoints or a percentage", |text| {
        let number = text.strip_suffix('%').and_then(|number| number.parse::<u8>().ok());
        number.filter(|number| (1..=100).contains(number)).ok_or_else(|| "write e.g. 2 or \"50%\"".to_owned())
    })?;
    Some(MinUp::Percent(percent))
}

fn trickle(value: &Value<'_>) -> Option<At<u8>> {
    let percent = value.parse("a percentage", |text| {
        let number = text.strip_suffix('%').and_then(|number| number.parse::<u8>().ok());
        let number = number.filter(|number| (1..=limits::TRICKLE_MAX).contains(number));
        number.ok_or_else(|| format!("write \"1%\" to \"{}%\"", limits::TRICKLE_MAX))
    })?;
    Some(At { value: percent, at: value.key_at() })
}

fn weights(value: &Value<'_>) -> Option<Vec<(At<String>, At<u32>)>> {
    let entries = value.table_as("a table of regions and their weights", Some("write { fra = 2 }"))?.entries();
    all(entries.iter().map(|entry| {
        let weight = At { value: weight(entry)?, at: entry.at() };
        Some((At { value: entry.key().to_owned(), at: entry.key_at() }, weight))
    }))
}

fn weight(value: &Value<'_>) -> Option<u32> {
    Integer::new(0..=WEIGHT_MAX).read(value)
}

fn missing(value: &Value<'_>) -> Option<Vec<At<RecordType>>> {
    all(value.list_as("a list of record types", Some("write [\"AAAA\"]"))?.iter().map(|element| {
        let rtype = element.parse("a record type", |text| {
            RecordType::from_text(text.as_bytes()).ok_or_else(|| "e.g. \"AAAA\"".to_owned())
        })?;
        Some(At { value: rtype, at: element.at() })
    }))
}

fn endpoints_by_region(value: &Value<'_>) -> Option<Vec<(At<String>, Vec<RawEndpoint>)>> {
    let entries = value.table_as("a table of regions and their endpoints", None)?.entries();
    if entries.is_empty() {
        value.push(value.error("out-of-range", format!("`{}` is empty", value.path()), "at least one is needed"));
        return None;
    }
    all(entries.iter().map(|entry| {
        let elements = entry.list_as("a list of endpoints", Some("write [\"192.0.2.10\"]"))?;
        let path = entry.path();
        if elements.is_empty() {
            let finding = entry.error("out-of-range", format!("`{path}` is empty"), "at least one is needed");
            entry.push(finding.hint("leave the region out, or say enabled = false at an endpoint"));
            return None;
        }
        if elements.len() > limits::REGION_ENDPOINTS_MAX {
            entry.out_of_range(elements.len(), 1, limits::REGION_ENDPOINTS_MAX);
            return None;
        }
        let endpoints = all(elements.iter().map(endpoint))?;
        Some((At { value: entry.key().to_owned(), at: entry.key_at() }, endpoints))
    }))
}

fn endpoint(value: &Value<'_>) -> Option<RawEndpoint> {
    const HINT: &str =
        "write \"192.0.2.10\", { address = \"192.0.2.10\" } or { records = [\"MX 10 mx.example.com.\"] }";
    let at = value.at();
    if let Shape::String(_) = value.shape() {
        let address = address(value)?.value;
        let records = vec![records::of_address(address, at.clone())];
        let (check_address, load) = (Given::Absent, Given::Absent);
        return Some(RawEndpoint {
            at,
            address: Some(address),
            records,
            check_address,
            weight: 1,
            load,
            enabled: true,
        });
    }
    let mut table = value.table_as("an endpoint", Some(HINT))?;
    let (address_value, records_value) = (table.take("address"), table.take("records"));
    let check_address = Given::read(table.take("check_address").as_ref(), address);
    let weight = table.key(
        "weight",
        Integer::new(0..=WEIGHT_MAX),
        1,
        "Its share inside the region; 0: only when the others are down.",
    );
    let load = Given::read(table.take("load").as_ref(), |value| feed::read(value, feed::Of::Endpoint));
    let enabled = table.key("enabled", Boolean, true, "If not: loaded and probed, never answered.");
    table.finish();
    let (address, records) = match (address_value, records_value) {
        (Some(value), None) => {
            let address = address(&value)?;
            (Some(address.value), vec![records::of_address(address.value, address.at)])
        }
        (None, Some(value)) => {
            let example = "write [\"MX 10 mx.example.com.\"]";
            (None, records::list(&value, "a list of records", example, records::record)?)
        }
        (Some(_), Some(second)) => {
            let message = format!("`{}` has both `address` and `records`", value.path());
            value.push(second.error("bad-value", message, "an endpoint is one or the other").hint(HINT));
            return None;
        }
        (None, None) => {
            let message = format!("`{}` has neither `address` nor `records`", value.path());
            value.push(value.error("missing-key", message, "nothing to answer").hint(HINT));
            return None;
        }
    };
    Some(RawEndpoint { at, address, records, check_address, weight, load, enabled })
}
