//! `networks.toml`: where the operator's own networks are, which no database knows better.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use crate::base::countries::{parse_country, parse_subdivision};
use crate::base::diagnostic::{Diagnostic, Location, Report};
use crate::base::toml_text::{self, Source, Table, Value};

use super::place::{Coordinates, Place};
use super::prefix::{Naked, Network};

/// A network and where it is.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct OwnNetwork {
    pub(super) network: Network,
    pub(super) place: Place,
}

/// Reads the text of `networks.toml`; all findings go to `report`. What it gives is worth using if none is an error.
pub(super) fn read(path: &str, text: &str, report: &mut Report) -> Vec<OwnNetwork> {
    let source = Source::new(path, text);
    toml_text::read(&source, report, |mut root| {
        let entries = root.table("networks").entries();
        root.finish();
        let mut first_at: BTreeMap<Network, Location> = BTreeMap::new();
        let mut networks = Vec::new();
        for entry in entries {
            let network = network(&entry);
            let place = place(&entry);
            let Some(network) = network else { continue };
            if let Some(first) = first_at.get(&network) {
                let message = format!("network {network} is defined twice");
                let finding = Diagnostic::error("defined-twice", message).at(entry.key_at(), "here again");
                entry.push(finding.related(first.clone(), "first here").hint("keep one of them"));
                continue;
            }
            first_at.insert(network, entry.key_at());
            networks.extend(place.map(|place| OwnNetwork { network, place }));
        }
        networks
    })
}

/// The key as a network.
fn network(entry: &Value<'_>) -> Option<Network> {
    let refuse = |reason: String, hint: Option<String>| {
        let message = format!("`{}` is no network", entry.key().escape_debug());
        let mut finding = Diagnostic::error("bad-value", message).at(entry.key_at(), reason);
        finding.hint = hint;
        entry.push(finding);
    };
    const EXAMPLE: &str = "an address and a length, e.g. \"10.1.0.0/16\" or \"2001:db8::/32\"";
    let (address, length) = entry.key().split_once('/').unwrap_or((entry.key(), ""));
    let Ok(address) = address.parse::<IpAddr>() else {
        refuse(EXAMPLE.into(), None);
        return None;
    };
    let width = if address.is_ipv4() { 32 } else { 128 };
    let Some(length) = length.parse::<u8>().ok().filter(|&length| length <= width) else {
        let hint = length.is_empty().then(|| format!("for one address write \"{address}/{width}\""));
        refuse(format!("a length from 0 to {width} belongs after the slash"), hint);
        return None;
    };
    let network = Network::around(address, length);
    if network.address != address {
        refuse(format!("it has bits set after the first {length}"), Some(format!("write \"{network}\"")));
        return None;
    }
    if matches!(Naked::new(address), Naked::Clothed { bits, .. } if length >= bits) {
        let hint = format!("write \"{}\"", network.undressed());
        refuse("IPv4 clients behind IPv6 are looked up as IPv4".into(), Some(hint));
        return None;
    }
    Some(network)
}

/// The value as a place.
fn place(entry: &Value<'_>) -> Option<Place> {
    const HINT: &str = "write { country = \"DE\" } or { lat = 52.5, lon = 13.4 }";
    let mut table = entry.table_as("a table", Some(HINT))?;
    let (given_country, lat, lon) = (table.take("country"), table.take("lat"), table.take("lon"));
    let asn = table.take("asn").map(|value| asn(&value));
    let given_subdivision = table.take("subdivision");
    let name = table.take("name").map(|value| text(&value));
    let given = given_country.is_some() || given_subdivision.is_some() || lat.is_some() || lon.is_some();
    let country = given_country.map(|value| value.parse_or_refuse("a country", parse_country));
    let subdivision = given_subdivision.map(|value| subdivision(&value, country.flatten()));
    let coordinates = coordinates(&table, lat.as_ref(), lon.as_ref());
    let is_damaged = table.is_damaged();
    table.finish();
    if !given && !is_damaged {
        let message = format!("`{}` says no place", entry.path());
        entry.push(entry.error("missing-place", message, "neither `country` nor `lat` and `lon`").hint(HINT));
        return None;
    }
    // What is wrong has been noted, and then nobody uses the place.
    let subdivision = subdivision.flatten();
    let country = country.flatten().or_else(|| subdivision.as_ref().map(|(country, _)| *country));
    let place = Place {
        country,
        subdivision: subdivision.map(|(_, code)| code),
        asn: asn.flatten(),
        coordinates,
        name: name.flatten(),
        ..Place::default()
    };
    Some(place.completed())
}

fn coordinates(table: &Table<'_>, lat: Option<&Value<'_>>, lon: Option<&Value<'_>>) -> Option<Coordinates> {
    match (lat, lon) {
        (Some(lat), Some(lon)) => {
            let (latitude, longitude) = (lat.number(&(-90.0..=90.0)), lon.number(&(-180.0..=180.0)));
            Coordinates::new(latitude?, longitude?)
        }
        (Some(value), None) | (None, Some(value)) => {
            let other = if lat.is_some() { "lon" } else { "lat" };
            if !table.is_damaged() {
                let message = format!("`{}` stands alone", value.path());
                value.push(value.error("missing-key", message, format!("`{other}` belongs to it")));
            }
            None
        }
        (None, None) => None,
    }
}

/// The country and the whole code.
fn subdivision(value: &Value<'_>, of: Option<[u8; 2]>) -> Option<([u8; 2], Arc<str>)> {
    value.parse_or_refuse("a subdivision", |text| {
        let country = parse_subdivision(text)?;
        if of.is_some_and(|of| of != country) {
            return Err("it lies in another country than `country` says".into());
        }
        Ok((country, text.into()))
    })
}

fn asn(value: &Value<'_>) -> Option<u32> {
    value.integer(&(1..=i64::from(u32::MAX))).and_then(|number| u32::try_from(number).ok())
}

fn text(value: &Value<'_>) -> Option<Arc<str>> {
    value.string().filter(|text| !text.is_empty()).map(Into::into)
}
