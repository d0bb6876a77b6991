//! `[regions.NAME]`.

use std::net::IpAddr;

use crate::base::countries::parse_country;
use crate::base::diagnostic::Location;
use crate::base::toml_text::{Boolean, Integer, Shape, Table, Value};

use super::super::types::{Capacity, Position};
use super::feed::{self, RawFeed};
use super::{At, Given, name};

/// A region, its check not looked up.
#[derive(Clone, Debug)]
pub(in crate::model) struct RawRegion {
    pub(in crate::model) label: String,
    pub(in crate::model) position: Position,
    pub(in crate::model) capacity: At<Capacity>,
    /// Where the unit of the capacity is written, if it is.
    pub(in crate::model) unit: Option<Location>,
    pub(in crate::model) bias: i8,
    pub(in crate::model) load: Given<RawFeed>,
    pub(in crate::model) check: Given<At<String>>,
    pub(in crate::model) check_address: Given<At<IpAddr>>,
    pub(in crate::model) enabled: bool,
}

pub(super) fn read(mut table: Table<'_>) -> RawRegion {
    let here = table.at();
    let label = table.take("label").and_then(|value| value.string()).unwrap_or_default().to_owned();
    // A place that is wrong is not one that is missing: nothing follows from it.
    let position = match table.take("location") {
        Some(value) => position(&value).unwrap_or(Position::Coordinates { latitude: 0.0, longitude: 0.0 }),
        None => Position::Unknown,
    };
    let limits = table.take("capacity");
    let unit = limits.as_ref().and_then(Value::as_table).and_then(|table| table.peek("unit")).map(|unit| unit.at());
    let capacity = located(limits, &here, capacity, Capacity::Unlimited);
    let bias = table.key("bias", Integer::new(-99..=99_i8), 0, "Grows or shrinks the area it attracts.");
    let load = Given::read(table.take("load").as_ref(), |value| feed::read(value, feed::Of::Region));
    let check = Given::read(table.take("check").as_ref(), name);
    let check_address = Given::read(table.take("check_address").as_ref(), address);
    let enabled = table.key("enabled", Boolean, true, "If not: loaded and probed, never answered.");
    table.finish();
    RawRegion { label, position, capacity, unit, bias, load, check, check_address, enabled }
}

/// An IP address without a port.
pub(super) fn address(value: &Value<'_>) -> Option<At<IpAddr>> {
    let parse = |text: &str| text.parse::<IpAddr>().map_err(|_| "write e.g. 192.0.2.10 or 2001:db8::10".to_owned());
    Some(At { value: value.parse("an IP address", parse)?, at: value.at() })
}

fn located<T>(
    value: Option<Value<'_>>,
    here: &Location,
    read: impl FnOnce(&Value<'_>) -> Option<T>,
    absent: T,
) -> At<T> {
    match value {
        Some(value) => At { value: read(&value).unwrap_or(absent), at: value.at() },
        None => At { value: absent, at: here.clone() },
    }
}

fn position(value: &Value<'_>) -> Option<Position> {
    let mut table = value.table_as("a table", Some("write { lat = 50.11, lon = 8.68 } or { country = \"DE\" }"))?;
    let (lat, lon, country_code) = (table.take("lat"), table.take("lon"), table.take("country"));
    table.finish();
    match (lat, lon, country_code) {
        (Some(lat), Some(lon), None) => {
            let (latitude, longitude) = (lat.number(&(-90.0..=90.0)), lon.number(&(-180.0..=180.0)));
            Some(Position::Coordinates { latitude: latitude?, longitude: longitude? })
        }
        (None, None, Some(code)) => Some(Position::Country(code.parse_or_refuse("a country", parse_country)?)),
        _ => {
            let message = format!("`{}` is no place", value.path());
            value.push(
                value
                    .error("bad-value", message, "either `lat` and `lon`, or `country`")
                    .hint("write { lat = 50.11, lon = 8.68 } or { country = \"DE\" }"),
            );
            None
        }
    }
}

fn capacity(value: &Value<'_>) -> Option<Capacity> {
    let mut table = value.table_as("a table", Some("write { target = 4000, max = 5000 }"))?;
    let number = |value: Value<'_>| value.integer(&(0..=i64::MAX)).and_then(|n| u64::try_from(n).ok());
    let target = table.take("target");
    let max = table.require("max", "write what the region can take at most, e.g. max = 5000");
    if let Some(unit) = table.take("unit") {
        unit.choice(&[("answers", ())]);
    }
    table.finish();
    let max = number(max?)?;
    let Some(target_value) = target else {
        // A fifth is kept for what no plan foresees.
        return Some(Capacity::Limited { target: max / 5 * 4 + max % 5 * 4 / 5, max });
    };
    let target = number(target_value.clone())?;
    if target > max {
        let message = format!("`{}` is above `max`", target_value.path());
        target_value.push(target_value.error("bad-value", message, format!("`max` is {max}")));
        return None;
    }
    Some(Capacity::Limited { target, max })
}

/// True if the value is a string; for keys that take a word or more.
pub(super) fn is_string(value: &Value<'_>) -> bool {
    matches!(value.shape(), Shape::String(_))
}
