//! The database that comes with the project, against its own library; and how fast lookups are.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Instant;

use crate::base::hash::steering_hash;
use crate::base::ids::RegionId;
use crate::model::GeoRanking;

use super::super::{Atlas, ClassId, DatabaseFile, Places, centroid, distance_m};
use super::*;

fn bytes() -> Vec<u8> {
    std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/geoip/country.mmdb")).expect("the database")
}

fn default_places() -> Places {
    places_of(bytes())
}

fn places_of(bytes: Vec<u8>) -> Places {
    let mut report = Report::new();
    let file = DatabaseFile { path: "geoip/country.mmdb".into(), bytes };
    let sample = include_str!("../../../geoip/networks.toml");
    let places = Places::read(vec![file], Some(("geoip/networks.toml", sample)), 1_782_000_000, &mut report);
    assert!(report.is_empty(), "{}", report.render());
    places.expect("no errors")
}

/// Addresses spread over IPv4, and over the IPv6 that is in use.
fn addresses(count: u32) -> impl Iterator<Item = IpAddr> {
    (0..count).flat_map(|i| {
        let hash = steering_hash(&[&i.to_be_bytes()]);
        let v6 = (0x2400 | u128::from(hash >> 50 & 0x0a0f)) << 112 | u128::from(hash) << 48;
        [IpAddr::from(Ipv4Addr::from_bits((hash >> 32) as u32)), IpAddr::from(Ipv6Addr::from_bits(v6))]
    })
}

#[test]
fn agrees_with_the_library() {
    let bytes = bytes();
    let reader = maxminddb::Reader::from_source(bytes.as_slice()).expect("a database");
    let places = default_places();
    let model = model("");
    let atlas = Atlas::build(&places, &model, GeoRanking::Distance, by_distance(0), FRA | IAD | SIN);
    let sites = [(50.11, 8.68), (38.95, -77.45), (1.35, 103.99)];
    let mut known = 0;
    for client in addresses(3_000) {
        let found = reader.lookup(client).expect("a lookup");
        let code: Option<&str> = found.decode_path(&[maxminddb::PathElement::Key("country_code")]).expect("a record");
        let (class, _) = atlas.locate(client);
        let Some(code) = code else {
            assert_eq!(class, ClassId::UNKNOWN, "{client}");
            continue;
        };
        known += 1;
        let from = centroid(code.as_bytes().try_into().expect("a code")).expect("a country").coordinates;
        let mut ranked: Vec<(u32, RegionId)> = sites
            .iter()
            .zip(0..)
            .map(|(&(latitude, longitude), id)| {
                (distance_m(from, super::super::Coordinates { latitude, longitude }), RegionId(id))
            })
            .collect();
        ranked.sort_unstable();
        let tiers: Vec<u128> = ranked.iter().map(|(_, region)| 1 << region.0).collect();
        assert_eq!(&*atlas.class(class).tiers, tiers, "{client} in {code}");
        assert_eq!(
            atlas.explain(&places, &model, client).located.place.country.as_ref().map(<[u8; 2]>::as_slice),
            Some(code.as_bytes())
        );
    }
    assert!(known > 1_000, "{known}");
}

/// `cargo test --release --lib geo::tests::default_database::speed -- --ignored --nocapture`
#[test]
#[ignore = "a measurement"]
fn speed() {
    let bytes = bytes();
    let started = Instant::now();
    let places = places_of(bytes);
    println!("read: {:?}", started.elapsed());
    let started = Instant::now();
    let atlas = Atlas::build(&places, &model(""), GeoRanking::Distance, by_distance(50_000), FRA | IAD | SIN);
    println!(
        "build: {:?}, {:?} ranges, {} bytes, {} classes",
        started.elapsed(),
        atlas.ranges(),
        atlas.size(),
        atlas.classes().len()
    );
    for is_v4 in [true, false] {
        let clients: Vec<IpAddr> = addresses(1_000_000).filter(|client| client.is_ipv4() == is_v4).collect();
        let started = Instant::now();
        let sum: u64 = clients.iter().map(|&client| u64::from(atlas.locate(client).1)).sum();
        let ns = started.elapsed().as_nanos() / clients.len() as u128;
        println!("IPv4 {is_v4}: {ns} ns a lookup, mean scope {}", sum / clients.len() as u64);
    }
}
