//! Data centres that die and come back, as clients of three countries and operators see it.

use std::fs;

use mmdb_writer::Value;
use mmdb_writer::ipnet::IpNet;

use crate::support::answer::{NOERROR, TYPE_A, option, query_for, query_with_option, said, subnet, ttls};
use crate::support::{ask, query};
use crate::world::{ALL, ASHBURN, FRANKFURT, SINGAPORE, World, wait_until};

const GERMANS: [u8; 3] = [10, 1, 7];
const SINGAPOREANS: [u8; 3] = [10, 3, 7];
const FORMERR: u16 = 1;
/// Option codes.
const NSID: u16 = 3;
const SUBNET: u16 = 8;

#[test]
fn clients_leave_a_dead_data_centre_and_come_back_step_by_step() {
    let world = World::start("");
    let fra = &world.centers[0];
    for (address, [a, b]) in ALL {
        let (got, scope) = world.ask("www.example.com", [a, b, 200]);
        assert_eq!(got, address);
        assert!((16..=24).contains(&scope), "scope {scope}");
    }
    world.expect(&["status"], 0, &["service web: eligible"]);
    assert_eq!(world.events("check_down").len(), 0);

    fra.die();
    world.wait_for(GERMANS, ASHBURN.0);
    // All its clients go, to the next nearest, and nobody else does.
    assert_eq!(world.count(FRANKFURT.1, ASHBURN.0), 200);
    assert_eq!(world.count(ASHBURN.1, ASHBURN.0), 200);
    assert_eq!(world.count(SINGAPORE.1, SINGAPORE.0), 200);
    world.wait_for_event("check_down", &["@127.0.1.1", "status 503"]);
    world.wait_for_event("region_lost", &["\"fra\"", "\"web\"", "www.example.com."]);
    // One data centre less is no service that is ill.
    world.wait_for_status(0, &["checks that are not up", "status 503"]);

    // One success less than `rise` is none.
    let passed = fra.passed();
    fra.pass(2);
    wait_until(|| fra.passed(), |now| *now == passed + 2);
    let failed = fra.failed();
    wait_until(|| fra.failed(), |now| *now >= failed + 3);
    assert_eq!(world.checks("down"), 1);
    assert_eq!(world.events("check_up").len(), 0);
    assert_eq!(world.count(FRANKFURT.1, ASHBURN.0), 200);

    let passed = fra.passed();
    fra.live();
    let first = wait_until(|| world.count(FRANKFURT.1, FRANKFURT.0), |count| *count > 0);
    assert!(first < 200, "all came back at once");
    assert!(fra.passed() >= passed + 3, "it came back after {} successes", fra.passed() - passed);
    world.wait_for_status(0, &["ramp at"]);
    world.wait_for_event("check_up", &["@127.0.1.1"]);
    world.wait_for_event("region_back", &["\"fra\"", "\"web\""]);
    world.wait_for_event("ramp_begun", &["\"fra\"", "\"web\""]);
    wait_until(|| world.count(FRANKFURT.1, FRANKFURT.0), |count| *count == 200);
    world.wait_for_event("ramp_ended", &["\"fra\"", "\"web\""]);
    let status = world.wait_for_status(0, &[]);
    assert!(!status.contains("ramp at"), "{status}");
    // Nobody else ever was anywhere else.
    let lost = world.events("check_down");
    assert!(lost.iter().all(|event| event["target"].to_string().contains("@127.0.1.1")), "{lost:#?}");
}

#[test]
fn an_active_passive_service_fails_over_and_waits_for_a_word() {
    let world = World::start("");
    assert_eq!(world.mail(), ASHBURN.0);
    world.centers[1].die();
    wait_until(|| world.mail(), |got| got == FRANKFURT.0);
    world.wait_for_event("active_moved", &["\"mail\"", "\"fra\""]);
    world.wait_for_status(0, &["service mail: eligible, active: fra"]);
    world.centers[1].live();
    wait_until(|| world.checks("up"), |up| *up == 3);
    // It could, and is not told to.
    assert_eq!(world.mail(), FRANKFURT.0);
    world.expect(&["explain", "mail.example.com", "--client", "10.1.7.0/24"], 0, &["fra: failback-hold"]);
    world.expect(&["failback", "mail"], 0, &["iad is the active region of mail"]);
    assert_eq!(world.mail(), ASHBURN.0);
    world.wait_for_event("failed_back", &["\"mail\"", "\"iad\""]);
    // What an operator switched to stays, and fails over like any other.
    world.expect(&["switch", "mail", "sin"], 0, &["sin is the active region of mail"]);
    assert_eq!(world.mail(), SINGAPORE.0);
    world.centers[2].die();
    wait_until(|| world.mail(), |got| got == ASHBURN.0);
}

#[test]
fn a_world_that_fails_at_once_is_disbelieved_until_an_operator_says_so() {
    let world = World::start("[guard]\nwindow = \"10m\"\nhold = \"1h\"\n");
    // The guard compares with what was up when its window opened, which was before the start; with a model it opens anew.
    let regions = fs::read_to_string(world.server.folder().join("zones/regions.toml")).unwrap();
    world.server.write("zones/regions.toml", &regions.replace("max = 5", "max = 6"));
    assert_eq!(world.server.reload("").1["result"], "ok");
    world.centers.iter().for_each(|center| center.die());
    wait_until(|| world.checks("down"), |down| *down == 3);
    world.wait_for_status(0, &["guard: suspects", "held by the guard"]);
    for (address, [a, b]) in ALL {
        world.wait_for([a, b, 0], address);
    }
    assert_eq!(world.events("service_all_down").len(), 0);

    world.expect(&["guard", "release"], 0, &[]);
    world.wait_for_status(4, &["service web: all-down", "status 503"]);
    world.wait_for_event("guard_released", &[]);
    world.wait_for_event("service_all_down", &["\"web\""]);
    // What clients get is what they would get if all were up, for as short as can be.
    assert_eq!(world.web(SINGAPOREANS), SINGAPORE.0);
    let network = std::net::Ipv4Addr::new(10, 3, 7, 0).into();
    assert_eq!(ttls(&ask(world.server.dns(), &query_for(7, "www.example.com", TYPE_A, network, 24))), [1]);

    // An operator knows better.
    world.expect(&["force", "up", "fra", "--for", "1h", "--reason", "the check is wrong"], 0, &["fra"]);
    world.wait_for_status(0, &["forced up", "the check is wrong"]);
    world.wait_for(SINGAPOREANS, FRANKFURT.0);
    world.expect(&["enable", "fra"], 0, &["fra"]);
    world.wait_for_status(4, &["all-down"]);
    world.centers.iter().for_each(|center| center.live());
    world.wait_for_event("service_recovered", &["\"web\""]);
    world.wait_for_status(0, &["service web: eligible"]);
    for (address, [a, b]) in ALL {
        world.wait_for([a, b, 0], address);
    }
}

#[test]
fn what_is_forced_down_is_answered_to_nobody() {
    let world = World::start("");
    world.expect(&["force", "down", "web/fra/127.0.1.1", "--reason", "bad disk"], 0, &["web/fra/127.0.1.1"]);
    assert_eq!(world.count(FRANKFURT.1, ASHBURN.0), 200);
    world.expect(&["status"], 0, &["forced down", "bad disk"]);
    // The other service has a word of its own.
    world.expect(&["switch", "mail", "fra"], 0, &[]);
    assert_eq!(world.mail(), FRANKFURT.0);
    world.expect(&["force", "down", "iad"], 0, &[]);
    assert_eq!(world.count(FRANKFURT.1, SINGAPORE.0), 200);
    world.expect(&["drain", "web/sinn"], 1, &["did you mean `web/sin`?"]);
    world.expect(&["drain", "web/sin"], 1, &["last eligible region"]);
    world.expect(&["force", "down", "web/sin", "--yes"], 0, &[]);
    // Nothing is left that may be answered, whatever `when_all_down` says.
    let network = std::net::Ipv4Addr::new(10, 1, 7, 0).into();
    let (rcode, data) = said(&ask(world.server.dns(), &query_for(7, "www.example.com", TYPE_A, network, 24)));
    assert!(data.is_empty(), "{rcode}: {data:?}");
    assert_eq!(world.run(&["status"]).0, 4);
    for target in ["web/fra/127.0.1.1", "iad", "web/sin"] {
        world.expect(&["enable", target], 0, &[target]);
    }
    for (address, [a, b]) in ALL {
        world.wait_for([a, b, 0], address);
    }
}

#[test]
fn explain_says_beforehand_what_the_wire_answers_later() {
    let world = World::start("");
    let client = "10.1.7.0/24";
    let explain =
        |more: &[&str]| world.json(&[&["explain", "www.example.com", "--client", client, "--json"], more].concat());
    let agrees = |told: &serde_json::Value, (address, scope): (String, u8)| {
        assert!(told["answers"][0].as_str().unwrap().ends_with(&address), "{told:#}: {address}");
        assert_eq!(told["scope"], scope, "{told:#}");
    };
    let (real, without) = (explain(&[]), explain(&["--down", "fra"]));
    assert_eq!((&real["steps"][0]["chosen"], &real["steps"][0]["reason"]), (&"fra".into(), &"preferred".into()));
    assert_eq!((&without["steps"][0]["chosen"], &without["steps"][0]["reason"]), (&"iad".into(), &"failover".into()));
    agrees(&real, world.ask("www.example.com", GERMANS));
    let (_, said) = world.run(&["explain", "www.example.com", "--client", client]);
    for word in ["fra", "km", "DE", "networks.toml", "preferred"] {
        assert!(said.contains(word), "{word}: {said}");
    }
    world.centers[0].die();
    world.wait_for(GERMANS, ASHBURN.0);
    agrees(&without, world.ask("www.example.com", GERMANS));
    assert_eq!(explain(&[])["answers"][0].as_str().unwrap().rsplit(' ').next(), Some(ASHBURN.0));
    // The files know nothing of that.
    assert_eq!(explain(&["--offline"])["steps"][0]["chosen"], "fra");

    world.expect(&["geoip", "lookup", "10.3.0.1"], 0, &["SG", "a Singaporean network", "sin > "]);
    let found = world.json(&["geoip", "lookup", "10.1.2.3", "--json"]);
    assert_eq!(
        (&found["network"], &found["services"]["web"]),
        (&"10.1.0.0/16".into(), &serde_json::json!(["fra", "iad", "sin"]))
    );
    world.expect(&["geoip", "lookup", "nowhere"], 2, &["nowhere"]);
}

/// A small one: the loader is in no hurry where others are busy.
fn database(countries: &[(&str, &str)]) -> Vec<u8> {
    let mut writer = mmdb_writer::Writer::builder("Country").build();
    for (network, code) in countries {
        let record = Value::map([("country", Value::map([("iso_code", Value::from(*code))]))]);
        writer.insert_value(network.parse::<IpNet>().unwrap(), record).unwrap();
    }
    writer.to_bytes().unwrap()
}

#[test]
fn bad_files_change_nothing_for_clients() {
    let world = World::start("");
    let located = || {
        for (network, address) in [([88, 198, 0], FRANKFURT.0), ([203, 116, 1], SINGAPORE.0), ([10, 2, 0], ASHBURN.0)] {
            assert_eq!(world.web(network), address, "{network:?}");
        }
    };
    let findings = |expected: &str| {
        let (_, outcome) = world.server.reload("");
        assert_eq!(outcome["result"], expected, "{outcome:#}");
        outcome["findings"].to_string()
    };
    // A database comes, and is damaged.
    let path = world.server.folder().join("geoip/country.mmdb");
    let whole = database(&[("88.198.0.0/16", "DE"), ("203.116.0.0/16", "SG")]);
    fs::write(&path, &whole).unwrap();
    findings("ok");
    located();
    for damaged in [&whole[..whole.len() / 2], b"this is no database", b""] {
        fs::write(&path, damaged).unwrap();
        let found = findings("partial");
        assert!(found.contains("country.mmdb"), "{found}");
        located();
    }
    fs::write(&path, &whole).unwrap();
    findings("ok");
    // Region files with a mistake: steering goes on, with health and all.
    let regions = fs::read_to_string(world.server.folder().join("zones/regions.toml")).unwrap();
    world.server.write("zones/regions.toml", &regions.replace("\"near\"", "\"nearr\""));
    let found = findings("partial");
    assert!(found.contains("regions.toml:") && found.contains("nearr"), "{found}");
    located();
    world.centers[0].die();
    world.wait_for([88, 198, 0], ASHBURN.0);
    world.server.write("zones/regions.toml", &regions);
    findings("ok");
    // States were kept.
    assert_eq!(world.web([88, 198, 0]), ASHBURN.0);
}

#[test]
fn client_subnets_are_read_to_the_letter_and_never_told_unasked() {
    let world = World::start("");
    let dns = world.server.dns();
    let with = |data: &[u8]| ask(dns, &query_with_option(7, "www.example.com", TYPE_A, SUBNET, data));
    let malformed: [&[u8]; 7] = [
        // Too few octets, too many, bits behind the prefix, a scope, too long a prefix, no such family, cut short.
        &[0, 1, 24, 0, 10, 1],
        &[0, 1, 24, 0, 10, 1, 7, 0],
        &[0, 1, 20, 0, 10, 1, 0x21],
        &[0, 1, 24, 24, 10, 1, 7],
        &[0, 1, 33, 0, 10, 1, 7, 1, 0],
        &[0, 3, 8, 0, 10],
        &[0, 1, 0],
    ];
    for data in malformed {
        let answer = with(data);
        // The lower four bits stand in the header.
        assert_eq!(u16::from(crate::support::rcode(&answer)), FORMERR, "{data:?}");
    }
    // A client that hides gets an answer that holds for everybody.
    let answer = with(&[0, 1, 0, 0]);
    assert_eq!(said(&answer).0, NOERROR);
    assert_eq!(subnet(&answer).map(|(_, source, scope)| (source, scope)), Some((0, 0)));
    // Names that are not steered are the same for everybody.
    let network = std::net::Ipv4Addr::new(10, 1, 7, 0).into();
    let answer = ask(dns, &query_for(7, "ns1.example.com", TYPE_A, network, 24));
    assert_eq!(subnet(&answer), Some((network, 24, 0)));
    // No OPT for those who sent none, no subnet for those who told none.
    let plain = ask(dns, &query(7, "www.example.com", TYPE_A));
    assert_eq!((said(&plain).0, &plain[10..12]), (NOERROR, &[0, 0][..]));
    let other = ask(dns, &query_with_option(7, "www.example.com", TYPE_A, NSID, &[]));
    assert_eq!((&other[10..12], subnet(&other)), (&[0, 1][..], None));
    assert_eq!(option(&other, SUBNET), None);
}
