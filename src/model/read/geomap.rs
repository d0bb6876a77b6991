//! `[geomaps.NAME]`: which clients prefer which regions.

use std::net::IpAddr;

use crate::base::countries::{parse_continent, parse_country, parse_subdivision};
use crate::base::toml_text::{Boolean, Refusal, Shape, Table, Value};

use super::super::types::GeoMatch;
use super::{At, all, name};

/// A map, its regions not looked up.
#[derive(Clone, Debug)]
pub(in crate::model) struct RawGeomap {
    pub(in crate::model) entries: Vec<(At<GeoMatch>, RawRanking)>,
    pub(in crate::model) default: RawRanking,
    pub(in crate::model) fence: bool,
}

/// Tiers of regions by name, best first.
pub(in crate::model) type RawRanking = Vec<Vec<At<String>>>;

pub(super) fn read(mut table: Table<'_>) -> RawGeomap {
    let mut entries = Vec::new();
    // In the order of precedence, which is also the order of `GeoMatch`.
    for (key, parse) in [
        ("networks", network as fn(&str) -> Result<GeoMatch, Refusal>),
        ("asns", asn),
        ("subdivisions", |text| parse_subdivision(text).map(|_| GeoMatch::Subdivision(text.to_owned()))),
        ("countries", |text| parse_country(text).map(GeoMatch::Country)),
        ("continents", |text| parse_continent(text).map(GeoMatch::Continent)),
    ] {
        let Some(listed) = table.take(key).and_then(|value| value.table()) else { continue };
        for value in listed.entries() {
            let matched = match parse(value.key()) {
                Ok(matched) => Some(matched),
                Err(Refusal { reason, hint }) => {
                    let message = format!("`{}` matches nothing", value.path());
                    let mut finding = value.error("bad-value", message, String::new()).at(value.key_at(), reason);
                    finding.hint = hint;
                    value.push(finding);
                    None
                }
            };
            if let (Some(matched), Some(ranking)) = (matched, ranking(&value)) {
                entries.push((At { value: matched, at: value.key_at() }, ranking));
            }
        }
    }
    let default = table.take("default").and_then(|value| ranking(&value)).unwrap_or_default();
    let fence = table.key("fence", Boolean, false, "If clients that matched an entry never leave its list.");
    table.finish();
    RawGeomap { entries, default, fence }
}

/// A list is an order; a nested list is a tier of equals.
fn ranking(value: &Value<'_>) -> Option<RawRanking> {
    let elements = value.list_as("a list of regions", Some("write [\"fra\", [\"iad\", \"sin\"]]"))?;
    if elements.is_empty() {
        value.push(value.error("out-of-range", format!("`{}` is empty", value.path()), "at least one is needed"));
        return None;
    }
    all(elements.iter().map(|element| {
        let Shape::List(tier) = element.shape() else { return name(element).map(|name| vec![name]) };
        if tier.is_empty() {
            element.push(element.error("out-of-range", format!("`{}` is empty", element.path()), "a tier has regions"));
            return None;
        }
        all(tier.iter().map(name))
    }))
}

fn network(text: &str) -> Result<GeoMatch, Refusal> {
    const EXAMPLE: &str = "write e.g. \"203.0.113.0/24\" or \"2001:db8::/32\"";
    let (address, length) = text.split_once('/').ok_or(EXAMPLE)?;
    let address: IpAddr = address.parse().map_err(|_| EXAMPLE)?;
    let length: u8 = length.parse().map_err(|_| EXAMPLE)?;
    let (bits, width) = match address {
        IpAddr::V4(v4) => (u128::from(v4.to_bits()) << 96, 32),
        IpAddr::V6(v6) => (v6.to_bits(), 128),
    };
    if length > width {
        return Err(format!("a prefix has at most {width} bits here").into());
    }
    if bits.checked_shl(length.into()).unwrap_or(0) != 0 {
        return Err(format!("it has bits set after the first {length}").into());
    }
    Ok(GeoMatch::Network(address, length))
}

fn asn(text: &str) -> Result<GeoMatch, Refusal> {
    let digits = text.strip_prefix("AS").unwrap_or(text);
    digits.parse().map(GeoMatch::Asn).map_err(|_| "write the number, e.g. 64500 or AS64500".into())
}
