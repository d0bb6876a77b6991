//! Tests of the room as a whole: tables of examples, random worlds against a naive reading of the rules, the database
//! that comes with the project.

mod default_database;
mod examples;
mod random;

use std::net::IpAddr;
use std::time::{Duration, UNIX_EPOCH};

use mmdb_writer::ipnet::IpNet;
use mmdb_writer::{Ipv4Aliasing, Value, Writer};

use crate::base::diagnostic::Report;
use crate::base::ids::GeomapId;
use crate::model::{self, GeoRanking, Model};

use super::{DatabaseFile, Nearness, Places};

const fn by_distance(tolerance_m: u32) -> Nearness {
    Nearness::Distance { tolerance_m }
}

const MAP: GeoRanking = GeoRanking::Map(GeomapId(0));
/// Frankfurt, Washington, Singapore, one nowhere; in the order of their keys.
const REGIONS: &str = "[regions.fra]\nlocation = { lat = 50.11, lon = 8.68 }\n[regions.iad]\nlocation = { lat = 38.95, \
                       lon = -77.45 }\n[regions.sin]\nlocation = { lat = 1.35, lon = 103.99 }\n[regions.tbd]\n";
const FRA: u128 = 1;
const IAD: u128 = 2;
const SIN: u128 = 4;
const TBD: u128 = 8;

fn model(geomap: &str) -> Model {
    let text = format!("{REGIONS}\n[geomaps.m]\n{geomap}\n");
    let mut report = Report::new();
    model::read(&[("m.toml".into(), text)], &mut report).unwrap_or_else(|| panic!("{}", report.render()))
}

fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

/// A database of networks and records, longer networks over shorter ones.
fn database(name: &str, database_type: &str, records: &[(&str, Value)]) -> DatabaseFile {
    database_with(name, database_type, records, Ipv4Aliasing::Enabled)
}

fn database_with(name: &str, database_type: &str, records: &[(&str, Value)], aliasing: Ipv4Aliasing) -> DatabaseFile {
    let mut records: Vec<(IpNet, &Value)> =
        records.iter().map(|(network, value)| (network.parse().expect("a network"), value)).collect();
    records.sort_by_key(|(network, _)| network.prefix_len());
    let mut writer = Writer::builder(database_type)
        .description(&[("en", "a test")])
        .ipv4_aliasing(aliasing)
        .build_epoch(UNIX_EPOCH + Duration::from_secs(1_000_000_000))
        .build();
    for (network, value) in records {
        writer.insert_value(network, value.clone()).expect("it fits");
    }
    DatabaseFile { path: format!("geoip/{name}").into(), bytes: writer.to_bytes().expect("it fits") }
}

fn country(code: &str) -> Value {
    Value::map([("country", Value::map([("iso_code", Value::from(code))]))])
}

fn places(databases: Vec<DatabaseFile>, networks: &str) -> Places {
    let mut report = Report::new();
    let places = Places::read(databases, Some(("geoip/networks.toml", networks)), 1_000_000_000, &mut report);
    assert!(report.is_empty(), "{}", report.render());
    places.expect("no errors")
}
