//! The room as a whole: measurements of a small world in, ranks out of an atlas.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::base::diagnostic::Report;
use crate::base::moment::Moment;
use crate::geo::{Atlas, Measured, Nearness, Places};
use crate::model::{GeoRanking, Model};

/// Frankfurt, Washington, Singapore.
const REGIONS: &str = "[regions.fra]\nlocation = { lat = 50.11, lon = 8.68 }\n[regions.iad]\nlocation = { lat = 38.95, lon = -77.45 }\n\
                       [regions.sin]\nlocation = { lat = 1.35, lon = 103.99 }\n";
const FRA: u128 = 1;
const IAD: u128 = 2;
const SIN: u128 = 4;

/// A survey, what it has published, and the clock.
struct World {
    survey: Survey,
    model: Model,
    places: Arc<Places>,
    measured: Arc<Measured>,
    now: Moment,
}

fn model(text: &str) -> Model {
    let mut report = Report::new();
    crate::model::read(&[("m.toml".into(), text.to_owned())], &mut report)
        .unwrap_or_else(|| panic!("{}", report.render()))
}

impl World {
    fn new(settings: Settings) -> Self {
        let networks: String = (0..200)
            .map(|n| format!("\"10.{n}.0.0/16\" = {{ country = \"DE\", asn = {} }}\n", 64_500 + n / 50))
            .chain(["\"2001:db8::/32\" = { country = \"DE\" }\n\"11.0.0.0/8\" = { country = \"BR\" }\n".into()])
            .collect();
        let text = format!("[networks]\n{networks}");
        let mut report = Report::new();
        let places = Places::read(Vec::new(), Some(("networks.toml", &text)), 0, &mut report).map(Arc::new);
        let model = model(REGIONS);
        let mut survey = Survey::new(settings);
        let places = places.unwrap();
        survey.attend(&model, &places);
        Self { survey, model, places, measured: Arc::default(), now: Moment(1_000_000_000) }
    }

    /// Measures once, so many milliseconds.
    fn measure(&mut self, client: &str, region: &str, ms: f64) -> Result<Taken, RefusalKind> {
        let client = ClientNetwork::parse(client).map_err(|refusal| refusal.kind)?;
        let us = microseconds(ms).map_err(|refusal| refusal.kind)?;
        let measurement = Measurement { client, region: region.into(), us, samples: 8, at: None };
        self.survey.take(self.now, Source::Push, &measurement).map_err(|refusal| refusal.kind)
    }

    /// So many rounds of measurements of networks to regions, ten seconds apart, each followed by a step.
    fn rounds(&mut self, count: usize, ways: &[(&str, &str, f64)]) {
        for _ in 0..count {
            for (client, region, ms) in ways {
                self.measure(client, region, *ms).unwrap();
            }
            self.step();
        }
    }

    fn step(&mut self) {
        if let Some(measured) = self.survey.step(self.now) {
            self.measured = measured;
        }
        self.now = self.now.after(Duration::from_secs(10));
    }

    /// Another process that goes on with the file of this one.
    fn restarted(&self) -> Self {
        let mut again = Self::new(Settings::default());
        again.now = self.now;
        for line in self.survey.file().lines().skip(1) {
            match Line::parse(line) {
                Ok(line) => assert_eq!(again.survey.restore(again.now, &line), Ok(true)),
                Err(_) => again.survey.restore_best(line),
            }
        }
        again.step();
        again
    }

    fn atlas(&self) -> Atlas {
        let nearness = Nearness::Latency { tolerance_us: 0, measured: Arc::clone(&self.measured) };
        Atlas::build(&self.places, &self.model, GeoRanking::Distance, nearness, FRA | IAD | SIN)
    }

    /// The tiers of a client, and its scope.
    fn tiers(&self, client: &str) -> (Vec<u128>, u8) {
        let atlas = self.atlas();
        let (class, scope) = atlas.locate(client.parse::<IpAddr>().unwrap());
        (atlas.class(class).tiers.to_vec(), scope)
    }

    fn best(&self, client: &str) -> u128 {
        self.tiers(client).0[0]
    }
}

#[test]
fn a_network_is_moved_by_what_is_measured_and_back() {
    let mut world = World::new(Settings::default());
    assert_eq!(world.best("10.1.2.3"), FRA);
    let near = [("10.1.2.0/24", "fra", 12.0), ("10.1.2.0/24", "iad", 95.0), ("10.1.9.0/24", "fra", 12.0)];
    world.rounds(6, &near);
    assert_eq!(world.best("10.1.2.3"), FRA);
    let slow = [("10.1.2.0/24", "fra", 180.0), ("10.1.2.0/24", "iad", 95.0), ("10.1.9.0/24", "fra", 12.0)];
    world.rounds(3, &slow);
    assert_eq!(world.best("10.1.2.3"), FRA, "three rounds are not enough");
    world.rounds(9, &slow);
    assert_eq!(world.tiers("10.1.2.3"), (vec![IAD, FRA, SIN], 24));
    assert_eq!(world.best("10.1.9.1"), FRA, "the neighbor stays");
    assert_eq!(world.best("10.150.1.1"), FRA, "and so does everybody else");
    world.rounds(12, &near);
    assert_eq!(world.best("10.1.2.3"), FRA);
}

#[test]
fn what_a_plan_counts_with_is_the_estimated_time() {
    let mut world = World::new(Settings::default());
    world.rounds(12, &[("10.1.2.0/24", "fra", 180.0), ("10.1.2.0/24", "iad", 95.0)]);
    let atlas = world.atlas();
    let costs = atlas.costs(atlas.locate("10.1.2.3".parse().unwrap()).0);
    let ms = |region: u8| {
        let meters = costs.iter().find(|(own, _)| own.0 == region).unwrap().1.unwrap();
        f64::from(meters) / 1_000.0 * 0.018
    };
    assert!((ms(1) - 95.0).abs() < 5.0 && (ms(0) - 180.0).abs() < 20.0 && ms(2) > 180.0, "{costs:?}");
}

#[test]
fn nobody_moves_for_less_than_the_margin() {
    let mut world = World::new(Settings::default());
    world.rounds(30, &[("10.1.2.0/24", "fra", 97.0), ("10.1.2.0/24", "iad", 92.0)]);
    assert_eq!(world.best("10.1.2.3"), FRA, "5 ms, and 5 %");
    world.rounds(30, &[("10.1.2.0/24", "fra", 107.0), ("10.1.2.0/24", "iad", 92.0)]);
    assert_eq!(world.best("10.1.2.3"), IAD, "15 ms, and 14 %");
    world.rounds(30, &[("10.1.2.0/24", "fra", 92.0), ("10.1.2.0/24", "iad", 97.0)]);
    assert_eq!(world.best("10.1.2.3"), IAD, "and it is the same on the way back");
}

#[test]
fn what_is_measured_of_some_counts_for_others_of_their_carrier() {
    let mut world = World::new(Settings::default());
    let clients: Vec<String> = (0..40).map(|n| format!("10.{}.{n}.0/24", n % 10)).collect();
    let ways: Vec<(&str, &str, f64)> =
        clients.iter().flat_map(|client| [(client.as_str(), "fra", 190.0), (client.as_str(), "iad", 90.0)]).collect();
    world.rounds(120, &ways);
    assert_eq!(world.best("10.0.0.1"), IAD);
    assert_eq!(world.best("10.40.77.1"), IAD, "of the same carrier, and never measured");
    let atlas = world.atlas();
    let why = atlas.explain(&world.places, &world.model, "10.40.77.1".parse().unwrap());
    assert_eq!(why.matched, crate::geo::Matched::Latency(crate::geo::Group::System(64_500, *b"DE")));
}

#[test]
fn a_slow_line_is_no_reason_to_leave_a_region_that_alone_was_measured() {
    let mut world = World::new(Settings::default());
    world.rounds(30, &[("10.1.2.0/24", "fra", 40.0)]);
    assert_eq!(world.tiers("10.1.2.3").0, [FRA, IAD, SIN]);
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let mut world = World::new(Settings::default());
    for (client, region, ms, expected) in [
        ("10.1.0.0/16", "fra", 12.0, RefusalKind::BadClient),
        ("10.1.2.3", "lax", 12.0, RefusalKind::UnknownRegion),
        ("10.1.2.3", "fra", 0.0, RefusalKind::Absurd),
        ("10.1.2.3", "fra", f64::NAN, RefusalKind::Absurd),
        // Germany to Singapore, 10,000 km, in 20 ms; even of the middle of a country that is not so.
        ("10.1.2.3", "sin", 20.0, RefusalKind::Impossible),
    ] {
        assert_eq!(world.measure(client, region, ms), Err(expected), "{client} {region} {ms}");
    }
    assert_eq!(world.survey.size(), (0, 0), "nothing is kept of it");
}

#[test]
fn forged_measurements_move_no_more_than_may_be_moved() {
    let mut world = World::new(Settings { max_move: 10, ..Settings::default() });
    let clients: Vec<String> = (0..400).map(|n| format!("10.{}.{}.0/24", n / 4, n % 4)).collect();
    let honest: Vec<_> =
        clients.iter().flat_map(|client| [(client.as_str(), "fra", 12.0), (client.as_str(), "iad", 95.0)]).collect();
    world.rounds(12, &honest);
    let moved =
        |world: &World| clients.iter().filter(|client| world.best(client.split('/').next().unwrap()) != FRA).count();
    assert_eq!(moved(&world), 0);
    // Everybody who measures lies from now on, ten minutes long.
    let forged: Vec<_> =
        clients.iter().flat_map(|client| [(client.as_str(), "fra", 900.0), (client.as_str(), "iad", 60.0)]).collect();
    world.rounds(59, &forged);
    let after = moved(&world);
    assert!((1..=40).contains(&after), "{after} of 400");
    assert!(world.survey.waiting() > 300, "{}", world.survey.waiting());
    // And nobody goes where the way is longer by more than may be: to Singapore, whatever is said.
    let far: Vec<_> = clients.iter().map(|client| (client.as_str(), "sin", 70.0)).collect();
    world.rounds(30, &far);
    assert!(clients.iter().all(|client| world.best(client.split('/').next().unwrap()) != SIN));
}

#[test]
fn who_is_measured_first_takes_no_larger_part_of_what_may_move() {
    let mut world = World::new(Settings { max_move: 10, ..Settings::default() });
    world.rounds(3, &[("10.199.0.0/24", "fra", 300.0), ("10.199.0.0/24", "iad", 95.0)]);
    assert_eq!(world.best("10.199.0.1"), IAD);
    // Alone it was all that was measured, and who comes now makes no room for moves before ten minutes have passed.
    let clients: Vec<String> = (0..399).map(|n| format!("10.{}.{}.0/24", n / 4, n % 4)).collect();
    let ways: Vec<_> =
        clients.iter().flat_map(|client| [(client.as_str(), "fra", 300.0), (client.as_str(), "iad", 95.0)]).collect();
    let moved = |world: &World| {
        let atlas = world.atlas();
        let best = |client: &String| {
            let address: IpAddr = client.split('/').next().unwrap().parse().unwrap();
            atlas.class(atlas.locate(address).0).tiers[0]
        };
        clients.iter().filter(|client| best(client) == IAD).count()
    };
    world.rounds(40, &ways);
    assert_eq!(moved(&world) + 1, crate::base::limits::LATENCY_MOVES_MIN);
    // Then it is one among four hundred, and a tenth may follow.
    world.rounds(24, &ways);
    assert!((55..=60).contains(&moved(&world)), "{} of 400", moved(&world));
}

/// A service with these regions and this tolerance, by latency.
fn service(key: &str, regions: &[&str], tolerance: &str) -> String {
    let endpoints: String = regions.iter().map(|region| format!("{region} = [\"192.0.2.1\"]\n")).collect();
    format!(
        "[policies.{key}]\nmode = \"active-active\"\nprefer = \"latency\"\ntolerance = \"{tolerance}\"\n\
         [services.{key}]\nnames = [\"{key}.example\"]\npolicy = \"{key}\"\n[services.{key}.endpoints]\n{endpoints}"
    )
}

#[test]
fn what_may_move_is_bound_for_each_service() {
    let mut world = World::new(Settings { max_move: 10, ..Settings::default() });
    // One service is not in Frankfurt, and another takes whatever is as near as 20 ms.
    let text = [REGIONS, &service("away", &["iad", "sin"], "0ms"), &service("near", &["fra", "iad"], "20ms")].concat();
    world.model = model(&text);
    let places = Arc::clone(&world.places);
    world.survey.attend(&world.model, &places);
    let clients: Vec<String> = (0..400).map(|n| format!("10.{}.{}.0/24", n / 4, n % 4)).collect();
    let of = |fra: f64, iad: f64, sin: f64| -> Vec<(&str, &str, f64)> {
        clients
            .iter()
            .map(String::as_str)
            .flat_map(|client| [(client, "fra", fra), (client, "iad", iad), (client, "sin", sin)])
            .collect()
    };
    let sent = |world: &World, regions: u128, tolerance_us: u32, first: u128| {
        let nearness = Nearness::Latency { tolerance_us, measured: Arc::clone(&world.measured) };
        let atlas = Atlas::build(&world.places, &world.model, GeoRanking::Distance, nearness, regions);
        let tier = |client: &String| {
            let address: IpAddr = client.split('/').next().unwrap().parse().unwrap();
            atlas.class(atlas.locate(address).0).tiers[0]
        };
        clients.iter().filter(|client| tier(client) == first).count()
    };
    world.rounds(70, &of(60.0, 100.0, 180.0));
    assert_eq!((sent(&world, IAD | SIN, 0, IAD), sent(&world, FRA | IAD, 20_000, FRA)), (400, 400));
    // Washington is said to be out of the world: Frankfurt stays the best of all, and away from it nobody is left behind.
    world.rounds(50, &of(60.0, 900.0, 180.0));
    let moved = sent(&world, IAD | SIN, 0, SIN);
    assert!((1..=40).contains(&moved), "{moved} of 400");
    // And then to be nearly as near as Frankfurt, where many would share.
    world.rounds(50, &of(75.0, 80.0, 180.0));
    let sharing = sent(&world, FRA | IAD, 20_000, FRA | IAD);
    // A tenth as equals, and those who come back to Washington in the other service with the tenth that changes its best.
    assert!((1..=80).contains(&sharing), "{sharing} of 400");
}

#[test]
fn no_tolerance_makes_equals_of_regions_that_are_too_far() {
    let mut world = World::new(Settings::default());
    world.rounds(12, &[("10.1.2.0/24", "fra", 120.0), ("10.1.2.0/24", "iad", 118.0), ("10.1.2.0/24", "sin", 115.0)]);
    let nearness = Nearness::Latency { tolerance_us: 10_000, measured: Arc::clone(&world.measured) };
    let atlas = Atlas::build(&world.places, &world.model, GeoRanking::Distance, nearness, FRA | IAD | SIN);
    assert_eq!(atlas.class(atlas.locate("10.1.2.3".parse().unwrap()).0).tiers[..], [FRA | IAD, SIN]);
}

#[test]
fn one_network_does_not_outvote_those_that_were_hardly_measured() {
    let mut world = World::new(Settings::default());
    for client in ["10.1.2.0/24", "10.2.2.0/24"] {
        let of = |region: &str, us| Measurement {
            client: ClientNetwork::parse(client).unwrap(),
            region: region.into(),
            us,
            samples: 1,
            at: None,
        };
        for measurement in [of("fra", 12_000), of("iad", 95_000)] {
            world.survey.take(world.now, Source::Push, &measurement).unwrap();
        }
    }
    world.rounds(12, &[("10.3.2.0/24", "fra", 900.0), ("10.3.2.0/24", "iad", 95.0)]);
    assert_eq!((world.best("10.3.2.1"), world.best("10.40.77.1")), (IAD, FRA));
}

#[test]
fn clocks_of_senders_may_be_ahead_of_ours_when_ours_is_behind() {
    let mut world = World::new(Settings::default());
    let client = ClientNetwork::parse("10.1.2.3").unwrap();
    let at = Some(world.now.after(Duration::from_secs(3_600)));
    let measurement = Measurement { client, region: "fra".into(), us: 20_000, samples: 1, at };
    let refused = world.survey.take(world.now, Source::Agent, &measurement).map_err(|refusal| refusal.kind);
    assert_eq!(refused, Err(RefusalKind::TooNew));
    world.survey.set_ahead(3_600_000);
    assert_eq!(world.survey.take(world.now, Source::Agent, &measurement), Ok(Taken::Counted));
}

#[test]
fn a_restart_moves_nobody_who_was_held_by_the_margin() {
    let mut world = World::new(Settings::default());
    world.rounds(30, &[("10.1.2.0/24", "fra", 120.0), ("10.1.2.0/24", "iad", 92.0)]);
    world.rounds(30, &[("10.1.2.0/24", "fra", 96.0), ("10.1.2.0/24", "iad", 92.0)]);
    assert_eq!(world.best("10.1.2.3"), IAD, "4 ms are no reason to go back");
    let again = world.restarted();
    assert_eq!((again.best("10.1.2.3"), again.survey.figures().moved), (IAD, 0));
}

#[test]
fn a_flood_says_no_more_than_one_who_measures_now_and_then() {
    let mut world = World::new(Settings::default());
    world.rounds(12, &[("10.1.2.0/24", "fra", 12.0), ("10.1.2.0/24", "iad", 95.0)]);
    for _ in 0..10_000 {
        world.measure("10.1.2.0/24", "fra", 900.0).unwrap();
    }
    world.step();
    assert_eq!(world.best("10.1.2.3"), FRA);
}

#[test]
fn memory_is_bounded_and_those_measured_most_are_kept() {
    let mut world = World::new(Settings { networks: 500, ..Settings::default() });
    let regulars: Vec<String> = (0..200).map(|n| format!("10.{n}.0.0/24")).collect();
    for _ in 0..4 {
        for client in &regulars {
            world.measure(client, "fra", 20.0).unwrap();
        }
        world.now = world.now.after(Duration::from_secs(10));
    }
    for n in 0..20_000_u32 {
        world.measure(&format!("11.{}.{}.0/24", n >> 8, n & 255), "iad", 120.0).unwrap();
    }
    world.step();
    assert!(world.survey.size().0 <= 500, "{:?}", world.survey.size());
    let known = |client: &String| !world.survey.evidence(ClientNetwork::parse(client).unwrap(), world.now).is_empty();
    assert_eq!(regulars.iter().filter(|client| known(client)).count(), 200);
}

#[test]
fn what_is_old_is_forgotten() {
    let mut world = World::new(Settings { retention: Duration::from_secs(3_600), ..Settings::default() });
    world.rounds(12, &[("10.1.2.0/24", "fra", 180.0), ("10.1.2.0/24", "iad", 95.0), ("2001:db8:1::/48", "fra", 20.0)]);
    assert_eq!((world.best("10.1.2.3"), world.survey.size()), (IAD, (2, 3)));
    world.now = world.now.after(Duration::from_secs(3_601));
    world.step();
    assert_eq!((world.best("10.1.2.3"), world.survey.size()), (FRA, (0, 0)));
}

#[test]
fn regions_may_come_and_go() {
    let mut world = World::new(Settings::default());
    world.rounds(12, &[("10.1.2.0/24", "fra", 180.0), ("10.1.2.0/24", "iad", 95.0), ("10.1.2.0/24", "sin", 200.0)]);
    // One that comes first, and Frankfurt is gone.
    let places = Arc::clone(&world.places);
    let model = model(&REGIONS.replace("regions.fra", "regions.ams"));
    world.survey.attend(&model, &places);
    let evidence = world.survey.evidence(ClientNetwork::parse("10.1.2.3").unwrap(), world.now);
    assert_eq!(evidence.keys().map(AsRef::as_ref).collect::<Vec<&str>>(), ["iad", "sin"]);
    world.model = model;
    world.now = world.now.after(Duration::from_secs(60));
    world.step();
    assert_eq!(world.tiers("10.1.2.3").0.len(), 3);
}

#[test]
fn whoever_is_measured_first_stays_where_those_around_are() {
    let mut world = World::new(Settings { max_move: 10, ..Settings::default() });
    let clients: Vec<String> = (0..40).map(|n| format!("10.{}.{n}.0/24", n % 10)).collect();
    let ways: Vec<(&str, &str, f64)> =
        clients.iter().flat_map(|client| [(client.as_str(), "fra", 190.0), (client.as_str(), "iad", 90.0)]).collect();
    world.rounds(120, &ways);
    assert_eq!(world.best("10.40.77.1"), IAD);
    // Sixty networks of that carrier that were never measured, and somebody says that all is as distance lets expect.
    let told: Vec<String> = (0..60).map(|n| format!("10.{}.{}.0/24", n % 30 + 10, 200 + n / 30)).collect();
    let lies: Vec<_> =
        told.iter().flat_map(|client| [(client.as_str(), "fra", 8.0), (client.as_str(), "iad", 124.0)]).collect();
    world.rounds(3, &[ways.as_slice(), lies.as_slice()].concat());
    let atlas = world.atlas();
    let back = told.iter().filter(|client| {
        let address: IpAddr = client.split('/').next().unwrap().parse().unwrap();
        atlas.class(atlas.locate(address).0).tiers[0] == FRA
    });
    let back = back.count();
    assert!(back <= 30, "{back} of 60: no more than may move");
}

#[test]
fn what_is_known_goes_over_a_restart_and_moves_nobody() {
    let mut world = World::new(Settings::default());
    let clients: Vec<String> = (0..60).map(|n| format!("10.{n}.3.0/24")).collect();
    let ways: Vec<(&str, &str, f64)> =
        clients.iter().flat_map(|client| [(client.as_str(), "fra", 190.0), (client.as_str(), "iad", 90.0)]).collect();
    world.rounds(6, &ways);
    let bests = |world: &World| -> Vec<u128> {
        let atlas = world.atlas();
        let address = |client: &String| client.split('/').next().unwrap().parse::<IpAddr>().unwrap();
        clients.iter().map(|client| atlas.class(atlas.locate(address(client)).0).tiers[0]).collect()
    };
    let before = bests(&world);
    let moved = before.iter().filter(|best| **best == IAD).count();
    assert!((20..60).contains(&moved), "some, and not yet all: {moved}");
    let again = world.restarted();
    let after = bests(&again);
    assert!(
        before.iter().zip(&after).all(|(before, after)| *before != IAD || *after == IAD),
        "all are where they were"
    );
    // Those that waited wait on, but for the few that may always move.
    let more = after.iter().filter(|best| **best == IAD).count() - moved;
    assert!(more <= crate::base::limits::LATENCY_MOVES_MIN, "{more}");
    assert_eq!(again.survey.file().lines().count(), world.survey.file().lines().count() + more);
}
