//! Examples: each rule once.

use mmdb_writer::Value;

use crate::base::diagnostic::Report;
use crate::base::ids::RegionId;
use crate::model::{GeoMatch, GeoRanking};

use super::super::{Atlas, ClassId, DatabaseFile, Matched, Place, Places, order};
use super::*;

const ALL: u128 = FRA | IAD | SIN | TBD;
const DB: &[(&str, &str)] = &[("192.0.2.0/24", "DE"), ("198.51.100.0/24", "US"), ("2001:db8::/32", "SG")];

fn countries(rows: &[(&str, &str)]) -> DatabaseFile {
    let rows: Vec<_> = rows.iter().map(|(network, code)| (*network, country(code))).collect();
    database("country.mmdb", "Country", &rows)
}

#[track_caller]
fn check(atlas: &Atlas, client: &str, tiers: &[u128], is_fenced: bool) {
    let class = atlas.class(atlas.locate(address(client)).0);
    assert_eq!((&*class.tiers, class.is_fenced), (tiers, is_fenced), "{client}");
}

#[test]
fn distance_ranks_in_tiers() {
    let places = places(vec![countries(DB)], "");
    let atlas = Atlas::build(&places, &model(""), GeoRanking::Distance, by_distance(0), ALL);
    check(&atlas, "192.0.2.1", &[FRA, IAD, SIN, TBD], false);
    check(&atlas, "198.51.100.1", &[IAD, FRA, SIN, TBD], false);
    check(&atlas, "2001:db8::1", &[SIN, FRA, IAD, TBD], false);
    assert_eq!(atlas.locate(address("203.0.113.1")).0, ClassId::UNKNOWN);
    check(&atlas, "203.0.113.1", &[], false);
    // Within 10,000 km of the best are the equals.
    let atlas = Atlas::build(&places, &model(""), GeoRanking::Distance, by_distance(7_000_000), FRA | IAD | SIN);
    check(&atlas, "192.0.2.1", &[FRA | IAD, SIN], false);
}

#[test]
fn the_most_specific_entry_wins_alone() {
    let map = "default = ['sin']\ncontinents = { EU = ['iad'], NA = ['sin'] }\ncountries = { DE = [['fra', 'tbd']] }\n\
               subdivisions = { US-CA = ['tbd'] }\nasns = { AS64500 = ['iad', 'sin'] }\n\
               networks = { '192.0.2.128/25' = ['sin'], '203.0.113.0/24' = ['iad'] }";
    let california = Value::map([
        ("country", Value::map([("iso_code", Value::from("US"))])),
        ("subdivisions", Value::array([Value::map([("iso_code", Value::from("CA"))])])),
    ]);
    let city = database(
        "city.mmdb",
        "City",
        &[
            ("192.0.2.0/24", country("DE")),
            ("198.51.100.0/24", country("US")),
            ("198.51.100.128/25", california),
            ("2001:db8::/32", country("FR")),
        ],
    );
    let asn = database(
        "asn.mmdb",
        "ASN",
        &[("192.0.2.64/26", Value::map([("autonomous_system_number", Value::from(64_500_u32))]))],
    );
    let places = places(vec![city, asn], "");
    let model = model(map);
    let atlas = Atlas::build(&places, &model, MAP, by_distance(0), ALL);
    check(&atlas, "192.0.2.1", &[FRA | TBD, IAD, SIN], false);
    check(&atlas, "192.0.2.65", &[IAD, SIN, FRA, TBD], false);
    check(&atlas, "192.0.2.129", &[SIN, FRA, IAD, TBD], false);
    check(&atlas, "198.51.100.1", &[SIN, IAD, FRA, TBD], false);
    check(&atlas, "198.51.100.129", &[TBD, IAD, FRA, SIN], false);
    check(&atlas, "2001:db8::1", &[IAD, FRA, SIN, TBD], false);
    // A network of the map matches where nobody knows a place; then the default goes on.
    check(&atlas, "203.0.113.1", &[IAD, SIN, FRA | TBD], false);
    check(&atlas, "8.8.8.8", &[SIN], false);
    let explained = |client| atlas.explain(&places, &model, address(client));
    assert_eq!(explained("192.0.2.65").matched, Matched::Entry(GeoMatch::Asn(64_500)));
    assert_eq!(explained("198.51.100.129").matched, Matched::Entry(GeoMatch::Subdivision("US-CA".into())));
    assert_eq!(explained("8.8.8.8").matched, Matched::Nothing);
    let german = explained("192.0.2.1");
    assert_eq!(german.distances_km.first().map(|(region, _)| *region), Some(RegionId(0)));
    assert_eq!(german.distances_km.last(), Some(&(RegionId(3), None)));
    assert_eq!(german.located.sources[0], ("city.mmdb".into(), "192.0.2.0/24".into(), "country DE".into()));
    assert_eq!(german.located.network, (address("192.0.2.0"), 26));
}

#[test]
fn a_fence_keeps_its_clients() {
    let places = places(vec![countries(DB)], "");
    let map = "fence = true\ncountries = { DE = ['fra'], SG = ['sin'] }\ndefault = ['iad']";
    let atlas = Atlas::build(&places, &model(map), MAP, by_distance(0), FRA | IAD);
    check(&atlas, "192.0.2.1", &[FRA], true);
    check(&atlas, "198.51.100.1", &[IAD, FRA], false);
    check(&atlas, "2001:db8::1", &[], true);
    check(&atlas, "8.8.8.8", &[IAD], false);
    // One region, but not for everybody.
    let atlas = Atlas::build(&places, &model(map), MAP, by_distance(0), IAD);
    check(&atlas, "192.0.2.1", &[], true);
    check(&atlas, "198.51.100.1", &[IAD], false);
}

#[test]
fn one_region_is_one_class() {
    let places = places(vec![countries(DB)], "");
    let atlas = Atlas::build(&places, &model("countries = { DE = ['fra'] }"), MAP, by_distance(0), FRA);
    for client in ["192.0.2.1", "8.8.8.8", "2001:db8::1", "::ffff:8.8.8.8"] {
        let (class, scope) = atlas.locate(address(client));
        assert!(class != ClassId::UNKNOWN && scope == 0, "{client}");
        check(&atlas, client, &[FRA], false);
    }
}

#[test]
fn operators_know_their_networks_best() {
    let networks = "[networks]\n'10.0.0.0/8' = { country = 'US' }\n'10.1.0.0/16' = { lat = 1.3, lon = 103.9, name = \
                    'x', asn = 64500 }\n'192.0.2.0/25' = { subdivision = 'US-CA' }\n";
    let places = places(vec![countries(DB)], networks);
    let atlas = Atlas::build(&places, &model("asns = { 64500 = ['tbd'] }"), MAP, by_distance(0), ALL);
    check(&atlas, "10.2.0.1", &[IAD, FRA, SIN, TBD], false);
    check(&atlas, "10.1.0.1", &[TBD, SIN, FRA, IAD], false);
    check(&atlas, "192.0.2.1", &[IAD, FRA, SIN, TBD], false);
    check(&atlas, "192.0.2.129", &[FRA, IAD, SIN, TBD], false);
    assert_eq!(places.find(address("192.0.2.1")).place.country, Some(*b"US"));
    assert_eq!(places.find(address("10.1.0.1")).sources.len(), 1);
    assert_eq!(places.find(address("10.1.0.1")).place.country, None);
}

/// FIELD: a rule for a large network with an exception never answers a scope that holds the exception.
#[test]
fn an_exception_is_in_no_scope() {
    let places = places(Vec::new(), "");
    let map = "networks = { '10.0.0.0/8' = ['fra'], '10.1.2.0/24' = ['iad'] }";
    let atlas = Atlas::build(&places, &model(map), MAP, by_distance(0), FRA | IAD);
    for (client, scope) in
        [("10.1.2.3", 24), ("10.1.3.1", 24), ("10.1.0.1", 23), ("10.0.0.1", 16), ("10.255.0.1", 9), ("11.0.0.1", 8)]
    {
        assert_eq!(atlas.locate(address(client)).1, scope, "{client}");
    }
    for (client, scope) in [("::ffff:10.1.2.3", 120), ("64:ff9b::10.1.3.1", 120), ("2002:a01:203::1", 40)] {
        let v4 = address(["10.1.2.3", "10.1.3.1", "10.1.2.3"][usize::from(scope == 40) * 2]);
        let (class, found) = atlas.locate(address(client));
        assert_eq!(found, scope, "{client}");
        if scope != 120 || client.starts_with("::") {
            assert_eq!(class, atlas.locate(v4).0, "{client}");
        }
    }
}

#[test]
fn many_regions_have_a_fixed_tail() {
    let regions: String =
        (0..12).map(|i| format!("[regions.r{i:02}]\nlocation = {{ lat = 0, lon = {} }}\n", i * 10)).collect();
    let mut report = Report::new();
    let model = model::read(&[("m.toml".into(), regions)], &mut report).expect("a model");
    let networks = "[networks]\n'10.0.0.0/9' = { lat = 0, lon = 56 }\n'10.128.0.0/9' = { lat = 0, lon = 84 }\n";
    let atlas = Atlas::build(&places(Vec::new(), networks), &model, GeoRanking::Distance, by_distance(0), 0xfff);
    let order = |client| -> Vec<u32> {
        atlas.class(atlas.locate(address(client)).0).tiers.iter().map(|tier| tier.trailing_zeros()).collect()
    };
    // Exact: 6 5 7 4; the rest as seen from 6.
    assert_eq!(order("10.0.0.1"), [6, 5, 7, 4, 8, 3, 9, 2, 10, 1, 11, 0]);
    assert_eq!(order("10.128.0.1"), [8, 9, 7, 10, 6, 5, 11, 4, 3, 2, 1, 0]);
}

#[test]
fn records_of_all_makers_are_read() {
    let text =
        |pairs: &[(&'static str, &str)]| Value::map(pairs.iter().map(|(key, value)| (*key, Value::from(*value))));
    let registered = Value::map([("registered_country", Value::map([("iso_code", Value::from("FR"))]))]);
    let maxmind = Value::map([
        ("continent", Value::map([("code", Value::from("EU"))])),
        ("city", Value::map([("names", Value::map([("de", Value::from("Köln")), ("en", Value::from("Cologne"))]))])),
        ("country", Value::map([("iso_code", Value::from("DE"))])),
        ("location", Value::map([("latitude", Value::from(50.9_f64)), ("longitude", Value::from(6.9_f64))])),
        ("subdivisions", Value::array([Value::map([("iso_code", Value::from("NW"))])])),
    ]);
    let flat = Value::map([
        ("country_code", Value::from("DE")),
        ("city", Value::from("Cologne")),
        ("state1", Value::from("North Rhine-Westphalia")),
        ("latitude", Value::from(50.9_f32)),
        ("longitude", Value::from(6.9_f32)),
        ("autonomous_system_number", Value::from(64_500_u32)),
    ]);
    let ipinfo = text(&[
        ("country", "Germany"),
        ("country_code", "DE"),
        ("continent", "Europe"),
        ("asn", "AS64500"),
        ("region_code", "NW"),
        ("lat", "50.9"),
        ("lng", "6.9"),
        ("city", "Cologne"),
    ]);
    let file = database(
        "x.mmdb",
        "x",
        &[
            ("10.0.0.0/16", maxmind),
            ("10.1.0.0/16", flat),
            ("10.2.0.0/16", ipinfo),
            ("10.3.0.0/16", registered),
            ("10.4.0.0/16", text(&[("country", "DE"), ("loc", "50.9,6.9")])),
            ("10.5.0.0/16", text(&[("country_code", "EU")])),
            ("10.6.0.0/16", Value::from("not a map")),
            ("10.7.0.0/16", text(&[("country", "")])),
        ],
    );
    let places = places(vec![file], "");
    let find = |client| places.find(address(client)).place;
    for (client, subdivision, city, asn) in [
        ("10.0.0.1", Some("DE-NW"), Some("Cologne"), None),
        ("10.1.0.1", None, Some("Cologne"), Some(64_500)),
        ("10.2.0.1", Some("DE-NW"), Some("Cologne"), Some(64_500)),
        ("10.4.0.1", None, None, None),
    ] {
        let place = find(client);
        assert_eq!((place.country, place.continent), (Some(*b"DE"), Some(*b"EU")), "{client}");
        assert_eq!((place.subdivision.as_deref(), place.city.as_deref()), (subdivision, city), "{client}");
        assert_eq!(place.asn, asn, "{client}");
        let at = place.coordinates.expect("coordinates");
        assert!((at.latitude - 50.9).abs() < 1e-5 && (at.longitude - 6.9).abs() < 1e-5, "{client}: {at:?}");
    }
    assert_eq!(find("10.3.0.1").country, Some(*b"FR"));
    assert_eq!(find("10.5.0.1"), Place { continent: Some(*b"EU"), ..Place::default() });
    assert!(find("10.6.0.1").is_unknown() && find("10.7.0.1").is_unknown() && find("10.8.0.1").is_unknown());
}

#[test]
fn databases_are_asked_in_order() {
    let system = Value::map([("autonomous_system_number", Value::from(64_500_u32))]);
    let point = Value::map([("latitude", Value::from(1.0_f64)), ("longitude", Value::from(2.0_f64))]);
    let files = vec![
        database("a.mmdb", "x", &[("10.0.0.0/8", system.clone())]),
        database("b.mmdb", "GeoLite2-ASN", &[("10.0.0.0/8", system)]),
        database("c.mmdb", "geo-whois-asn-country", &[("10.0.0.0/8", country("DE"))]),
        DatabaseFile { path: "geoip/d.mmdb".into(), bytes: b"no database".to_vec() },
        database("e.mmdb", "x", &[("10.0.0.0/8", point)]),
        database("f.mmdb", "DBIP-City-Lite", &[("10.0.0.0/8", country("FR"))]),
    ];
    let ordered = order(files);
    let names: Vec<&str> = ordered.iter().map(DatabaseFile::name).collect();
    assert_eq!(names, ["e.mmdb", "f.mmdb", "c.mmdb", "d.mmdb", "a.mmdb", "b.mmdb"]);
}

#[test]
fn damaged_and_old_databases_are_told() {
    let whole = countries(DB);
    let read = |bytes: Vec<u8>, now| {
        let mut report = Report::new();
        let file = DatabaseFile { path: "geoip/x.mmdb".into(), bytes };
        let places = Places::read(vec![file], None, now, &mut report);
        assert_eq!(places.is_none(), report.has_errors());
        report.iter().map(|finding| finding.code).collect::<Vec<_>>()
    };
    assert_eq!(read(whole.bytes.clone(), 1_000_000_000), [""; 0]);
    assert_eq!(read(whole.bytes.clone(), 1_040_000_000), ["old-database"]);
    assert_eq!(read(Vec::new(), 0), ["damaged-database"]);
    assert_eq!(read(whole.bytes[..whole.bytes.len() / 2].to_vec(), 0), ["damaged-database"]);
    // No octet that is wrong makes it panic or loop.
    for at in 0..whole.bytes.len() {
        for flip in [1, 0x80, 0xff] {
            let mut bytes = whole.bytes.clone();
            bytes[at] ^= flip;
            read(bytes, 0);
        }
    }
}
