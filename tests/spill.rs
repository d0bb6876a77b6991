//! From demand to answers: what is asked is planned, the plan is adopted, and answers follow, in simulated time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use meridian::answer::Demanded;
use meridian::base::diagnostic::Report;
use meridian::base::ids::ServiceId;
use meridian::base::moment::Moment;
use meridian::config::Config;
use meridian::control::{
    CapacityPlanner, Command, Control, Demand, EvacuationOrder, EventKind, Order, Pushed, Room, Settings, Source,
};
use meridian::geo::ClassId;
use meridian::health::Action;
use meridian::model;
use meridian::policy::Reason;
use meridian::snapshot::Steering;

const TTL_S: u64 = 10;
const MODEL: &str = r#"
    [regions.ams]
    [regions.fra]
    capacity = { target = 80, max = 100 }
    [regions.iad]
    [geomaps.near]
    default = ["fra", "ams", "iad"]
    [policies.near]
    mode = "active-active"
    prefer = "geo"
    geomap = "near"
    ramp = "0s"
    [services.web]
    names = ["www.example."]
    policy = "near"
    ttl = { min = 5, max = 10 }
    endpoints = { fra = ["192.0.2.1"], ams = ["192.0.2.2"], iad = ["192.0.2.3"] }
    [services.twin]
    names = ["twin.example."]
    policy = "near"
    ttl = { min = 5, max = 10 }
    endpoints = { fra = ["192.0.2.1"], ams = ["192.0.2.2"], iad = ["192.0.2.3"] }
    [services.tail]
    names = ["tail.example."]
    policy = "near"
    ttl = { min = 5, max = 10 }
    follow = "web"
    endpoints.fra = [{ records = ["TXT fra"] }]
    endpoints.ams = [{ records = ["TXT ams"] }]
    endpoints.iad = [{ records = ["TXT iad"] }]
"#;

struct World {
    control: Control,
    planner: CapacityPlanner,
    steering: Steering,
    now: Moment,
    events: Vec<(EventKind, String)>,
}

impl World {
    fn new(model: &str) -> Self {
        let mut report = Report::new();
        let model = model::read(&[("m".into(), model)], &mut report);
        let model = Arc::new(model.unwrap_or_else(|| panic!("{}", report.render())));
        let now = Moment(1_700_000_000_000);
        let mut control = Control::new(Settings::default());
        control.adopt(now, Arc::clone(&model));
        let steering = Steering::new(model, control.states(), 1);
        Self { control, planner: CapacityPlanner::default(), steering, now, events: Vec::new() }
    }

    fn service(&self, key: &str) -> ServiceId {
        self.steering.model.service_by_key(key).unwrap_or_else(|| panic!("{key}"))
    }

    /// Seconds in which clients of these services that nobody can locate are answered so often each second.
    fn play(&mut self, seconds: u64, answers: &[(&str, u64)]) {
        for _ in 0..seconds {
            self.now = self.now.after(Duration::from_secs(1));
            let row = |&(key, count): &(&str, u64)| Demanded {
                service: self.service(key),
                class: ClassId::UNKNOWN,
                seconds: count * TTL_S,
            };
            let demand = Demand { rows: answers.iter().map(row).collect(), others: 0 };
            let change = self.planner.step(self.now, &self.steering, self.control.conditions(self.now), &demand);
            let effects = self.control.adopt_plan(self.now, change);
            self.events.extend(effects.events.iter().map(|event| (event.kind, event.line())));
            let all: Vec<ServiceId> = self.steering.model.services().map(|(id, _)| id).collect();
            self.steering = self.steering.repaired(self.control.states(), &all, self.steering.table.generation + 1);
        }
    }

    /// Percent by region.
    fn shares(&self, key: &str) -> BTreeMap<String, i64> {
        let shares = self.steering.shares(self.service(key), None).unwrap_or_else(|| panic!("{key}"));
        let percent = |share: f64| format!("{:.0}", share * 100.0).parse().unwrap_or(-1);
        let key = |region: meridian::base::ids::RegionId| self.steering.model.regions[region.index()].key.to_string();
        shares.regions.into_iter().map(|(region, share)| (key(region), percent(share))).collect()
    }

    fn kinds(&self) -> Vec<EventKind> {
        self.events.iter().map(|(kind, _)| *kind).collect()
    }
}

fn near(found: &BTreeMap<String, i64>, expected: &[(&str, i64)]) -> bool {
    found.len() == expected.len()
        && expected.iter().all(|(key, percent)| found.get(*key).is_some_and(|found| (found - percent).abs() <= 4))
}

#[test]
fn what_is_too_much_for_a_region_goes_to_the_next_and_comes_home_again() {
    let mut world = World::new(MODEL);
    world.play(60, &[("web", 40)]);
    assert_eq!(world.shares("web"), [("fra".to_owned(), 100)].into());
    assert_eq!(world.events, []);

    // Twice what fits, by two services that decide alike: half of each has to go, and whoever follows goes along.
    world.play(300, &[("web", 100), ("twin", 60)]);
    for service in ["web", "twin", "tail"] {
        assert!(near(&world.shares(service), &[("fra", 50), ("ams", 50)]), "{service}: {:?}", world.shares(service));
    }
    assert_eq!(world.kinds(), [EventKind::SpillBegun]);
    let (_, told) = &world.events[0];
    assert!(told.starts_with("fra is full: clients go elsewhere: ") && told.contains("% to ams"), "{told}");
    let view = world.control.plan_view();
    assert_eq!((view.method, view.spills.len()), ("optimal", 1));
    assert!((view.spills[0].part - 0.5).abs() < 0.04, "{view:?}");

    // They come home at the pace of caches, the last of them slowly.
    world.play(1_500, &[("web", 40)]);
    assert_eq!(world.shares("web"), [("fra".to_owned(), 100)].into());
    assert_eq!(world.kinds(), [EventKind::SpillBegun, EventKind::SpillEnded]);
}

#[test]
fn a_load_that_clients_do_not_explain_is_told_once_and_believed_in_the_end() {
    let feed = "capacity = { target = 8000, max = 10000 }\nload = { push = true, every = \"5s\", max_age = \"30s\" }";
    let mut world = World::new(&MODEL.replace("capacity = { target = 80, max = 100 }", feed));
    let feed = |world: &mut World, seconds: u64, load: u64| {
        for _ in 0..seconds {
            let metrics = [(Arc::from("load"), load * 1_000)].into_iter().collect();
            let pushed = Pushed { source: Source::Region("fra".into()), metrics: Ok(metrics), at: None };
            let (taken, effects) = world.control.push(world.now, vec![pushed]);
            assert_eq!((taken, effects.events.len()), (vec![Ok(())], 0));
            world.play(1, &[("web", 40)]);
        }
    };
    feed(&mut world, 60, 100);
    assert_eq!(world.events, []);
    // It fails and comes back, twice within a minute: that is one doubt.
    for load in [0, 100, 0, 100] {
        feed(&mut world, 10, load);
    }
    assert_eq!(world.kinds(), [EventKind::FeedDoubted]);
    let (_, told) = &world.events[0];
    assert!(told.contains("it says 0, about 100 would be expected"), "{told}");
    feed(&mut world, 60, 100);
    assert_eq!(world.kinds(), [EventKind::FeedDoubted, EventKind::FeedBelieved]);
    // What is said for longer is learned, and then no doubt is left.
    feed(&mut world, 120, 2_000);
    let twice = [EventKind::FeedDoubted, EventKind::FeedBelieved].repeat(2);
    assert_eq!(world.kinds(), twice, "{:?}", world.events);
}

#[test]
fn reasons_tell_who_was_sent_elsewhere() {
    let mut world = World::new(MODEL);
    world.play(300, &[("web", 160)]);
    let mut reasons = BTreeMap::new();
    for net in 0..=255_u8 {
        let asker = meridian::snapshot::Asker { resolver: [10, 0, net, 1].into(), subnet: None };
        let decision = world.steering.decide(world.service("web"), &asker).unwrap();
        *reasons.entry(decision.reason).or_insert(0) += 1;
    }
    let (stay, go) = (reasons[&Reason::Preferred], reasons[&Reason::Spill]);
    assert!(stay + go == 256 && (90..=166).contains(&go), "{reasons:?}");
}

#[test]
fn several_name_servers_see_a_part_each() {
    let mut world = World::new(MODEL);
    let mut config = Config::default_in(std::path::Path::new("."));
    config.plan.peers = 4;
    world.control.configure(Settings::from(&config));
    world.play(300, &[("web", 40)]);
    assert!(near(&world.shares("web"), &[("fra", 50), ("ams", 50)]), "{:?}", world.shares("web"));
}

#[test]
fn everything_full_is_shared_in_proportion_and_told_as_an_error() {
    let limits = "capacity = { target = 80, max = 100 }";
    let all = MODEL.replace("[regions.ams]", &format!("[regions.ams]\n{limits}"));
    let mut world = World::new(&all.replace("[regions.iad]", &format!("[regions.iad]\n{limits}")));
    world.play(400, &[("web", 600)]);
    let shares = world.shares("web");
    assert!(near(&shares, &[("fra", 33), ("ams", 33), ("iad", 33)]), "{shares:?}");
    assert!(world.kinds().contains(&EventKind::SpillFull), "{:?}", world.events);
}

#[test]
fn a_lost_region_leaves_its_part_of_a_plan_at_once() {
    let mut world = World::new(MODEL);
    world.play(300, &[("web", 160)]);
    let mut states = world.control.states().clone();
    let ams = world.steering.model.endpoint_by_key("web/ams/192.0.2.2").unwrap();
    states.up[ams.index()] = false;
    world.steering = world.steering.repaired(&states, &[world.service("web")], 1_000);
    assert_eq!(world.shares("web"), [("fra".to_owned(), 100)].into());
    assert!(near(&world.shares("twin"), &[("fra", 50), ("ams", 50)]));
}

#[test]
fn a_restart_sends_nobody_home() {
    let mut world = World::new(MODEL);
    world.play(300, &[("web", 160)]);
    let text = serde_json::to_string(&world.control.save(world.now)).unwrap();
    let mut again = World::new(MODEL);
    let (now, model) = (world.now, Arc::clone(&again.steering.model));
    again.control = Control::new(Settings::default());
    assert!(again.control.restore(now, &serde_json::from_str(&text).unwrap()));
    again.control.adopt(now, model);
    again.planner = CapacityPlanner::remembering(again.control.plan_memory().unwrap(), now);
    again.now = now;
    // All that is left would fit at home; those who were away are still away, and go home at the pace of caches.
    again.play(2, &[("web", 80)]);
    assert!(near(&again.shares("web"), &[("fra", 50), ("ams", 50)]), "{:?}", again.shares("web"));
}

#[test]
fn without_limits_nothing_is_planned() {
    let mut world = World::new(&MODEL.replace("capacity = { target = 80, max = 100 }", ""));
    world.play(60, &[("web", 10_000)]);
    assert_eq!((world.shares("web"), world.events.len()), ([("fra".to_owned(), 100)].into(), 0));
}

/// Takes the steps of evacuations that are due, as the server does.
fn evacuate(world: &mut World) {
    if let Some(region) = world.control.evacuation_due(world.now) {
        let left = world.control.next_step(&region).expect("it goes on");
        let (then, services) = world.control.after_step(world.now, &region, left).expect("it is in the model");
        let steering = world.steering.repaired(then.states(), &services, 1_000_000);
        let before = world.control.outlook().cloned();
        let outlook = world.planner.foresee(world.now, &steering, then.conditions(world.now));
        let room = Room::of(&then, &region, before.as_deref(), Some(&outlook));
        let effects = world.control.step_evacuation(world.now, &region, &room);
        world.events.extend(effects.events.iter().map(|event| (event.kind, event.line())));
    }
}

fn order(region: &str) -> EvacuationOrder {
    EvacuationOrder {
        region: region.into(),
        step: 25,
        every: Some(Duration::from_secs(30)),
        lasting: None,
        reason: String::new(),
        owner: String::new(),
        confirm: false,
    }
}

fn begin(world: &mut World, region: &str) {
    world.control.command(world.now, Command::Evacuate(order(region))).expect("nothing refuses it");
}

#[test]
fn an_evacuation_goes_as_far_as_the_others_have_room_and_on_when_they_have_more() {
    let limits = "capacity = { target = 80, max = 100 }";
    let all = MODEL.replace("[regions.ams]", &format!("[regions.ams]\n{limits}"));
    let mut world = World::new(&all.replace("[regions.iad]", "[regions.iad]\ncapacity = { target = 8, max = 10 }"));
    world.play(60, &[("web", 76), ("twin", 36)]);
    world.events.clear();
    // Of 112, 80 are at home and 32 at the next one: of those 80, ams can take 48 and iad 8.
    begin(&mut world, "fra");
    for _ in 0..20 {
        evacuate(&mut world);
        world.play(30, &[("web", 76), ("twin", 36)]);
    }
    let left = world.control.evacuation_views()[0].left;
    assert!((25..=50).contains(&left), "{left}: {:?}", world.events);
    let held = world.control.evacuation_views()[0].held.clone().unwrap();
    assert!(held.why.starts_with("no room: ams would carry "), "{held:?}");
    assert_eq!(world.kinds().iter().filter(|kind| **kind == EventKind::EvacuationHeld).count(), 1);
    for region in ["ams", "iad"] {
        let view = world.control.plan_view();
        let planned = view.regions.iter().find(|one| one.region == region).unwrap();
        assert!(planned.planned <= planned.target.unwrap() * 1.05, "{planned:?}");
    }
    // At night there is room.
    for _ in 0..20 {
        evacuate(&mut world);
        world.play(30, &[("web", 20), ("twin", 10)]);
    }
    assert!(world.kinds().contains(&EventKind::EvacuationDone), "{:?}", world.events);
    assert_eq!(world.shares("web").get("fra"), None, "{:?}", world.shares("web"));
}

fn limited(percent: u8) -> Settings {
    let mut config = Config::default_in(std::path::Path::new("."));
    config.plan.max_move = percent;
    Settings::from(&config)
}

#[test]
fn no_more_than_a_part_of_all_clients_moves_within_a_minute_while_nothing_fails() {
    let mut world = World::new(MODEL);
    world.control.configure(limited(10));
    world.play(60, &[("web", 40)]);
    // Twice what fits, and above max: without a limit half of it would go at once.
    let mut before = 100;
    for minute in 1..=3 {
        world.play(60, &[("web", 160)]);
        let now = world.shares("web")["fra"];
        assert!(before - now <= 11, "{minute}: from {before} to {now}");
        before = now;
    }
    assert!(before <= 80, "{before}");
    assert_eq!(world.kinds().iter().filter(|kind| **kind == EventKind::MoveLimited).count(), 1, "{:?}", world.events);
    assert!(world.control.plan_view().limited > 0.0);
    // What is lost goes at once, however much it is.
    let mut states = world.control.states().clone();
    let fra = world.steering.model.endpoint_by_key("web/fra/192.0.2.1").expect("it is there");
    states.up[fra.index()] = false;
    world.steering = world.steering.repaired(&states, &[world.service("web")], 1_000_000);
    assert_eq!(world.shares("web").get("fra"), None);
}

#[test]
fn an_evacuation_keeps_to_what_may_move_within_a_minute() {
    let mut world = World::new(MODEL);
    world.control.configure(limited(30));
    world.play(60, &[("web", 40)]);
    begin(&mut world, "fra");
    evacuate(&mut world);
    assert_eq!(world.control.evacuation_views()[0].left, 75);
    world.play(30, &[("web", 40)]);
    evacuate(&mut world);
    let held = world.control.evacuation_views()[0].held.clone().expect("it waits");
    assert!(held.why.starts_with("at most 30 % of all clients may move within a minute"), "{held:?}");
    for _ in 0..4 {
        world.play(10, &[("web", 40)]);
        evacuate(&mut world);
    }
    assert_eq!(world.control.evacuation_views()[0].left, 50, "{:?}", world.events);
}

#[test]
fn services_fail_back_no_faster_than_clients_may_move() {
    let passive = |key: &str| {
        format!(
            "[services.{key}]\nnames = [\"{key}.example.\"]\npolicy = \"back\"\ncheck = \"tcp\"\norder = [\"fra\", \"ams\"]\n\
             ttl = {{ min = 5, max = 10 }}\nendpoints = {{ fra = [\"192.0.2.1\"], ams = [\"192.0.2.2\"] }}\n"
        )
    };
    let policy = "[checks.tcp]\ntcp = { port = 80 }\n[policies.back]\nmode = \"active-passive\"\nfailback = { after = \"10s\" }\n";
    let mut world =
        World::new(&[MODEL, policy, &passive("one"), &passive("two")].concat().replace("max = 100", "max = 900"));
    world.control.configure(limited(50));
    let asked = [("one", 20), ("two", 20), ("web", 10)];
    world.play(30, &asked);
    let order = Order { target: "fra".into(), ..Order::default() };
    world.control.command(world.now, Command::Override(Action::Drain, order)).expect("drained");
    world.play(30, &asked);
    world.control.command(world.now, Command::Enable { target: "fra".into(), owner: String::new() }).expect("enabled");
    let mut back = Vec::new();
    for second in 1..=90 {
        world.play(1, &asked);
        let effects = world.control.tick(world.now);
        let moved = effects.events.iter().filter(|event| event.kind == EventKind::FailedBack);
        back.extend(moved.map(|event| (second, event.service.clone())));
        world.events.extend(effects.events.iter().map(|event| (event.kind, event.line())));
    }
    let [(first, _), (second, _)] = back.as_slice() else { panic!("{back:?}: {:?}", world.events) };
    assert!(*first <= 11 && *second >= first + 60, "{back:?}");
    assert!(world.kinds().contains(&EventKind::MoveLimited));
}

/// Takes steps while minutes pass, and tells what was left of the share after each.
fn pass_minutes(world: &mut World, minutes: u64, asked: &[(&str, u64)]) -> u8 {
    for _ in 0..minutes {
        evacuate(world);
        world.play(60, asked);
    }
    world.control.evacuation_views().first().map_or(0, |view| view.left)
}

#[test]
fn the_last_step_of_an_evacuation_may_move_a_large_service_once_it_is_quiet() {
    let passive = "[checks.tcp]\ntcp = { port = 80 }\n[policies.back]\nmode = \"active-passive\"\n[services.one]\nnames = [\"one.example.\"]\npolicy = \"back\"\ncheck = \"tcp\"\n\
                   order = [\"fra\", \"ams\"]\nttl = { min = 5, max = 10 }\n\
                   endpoints = { fra = [\"192.0.2.1\"], ams = [\"192.0.2.2\"] }\n";
    let mut world = World::new(&[MODEL, passive].concat().replace("max = 100", "max = 900"));
    world.control.configure(limited(20));
    let asked = [("one", 30), ("web", 10)];
    world.play(60, &asked);
    begin(&mut world, "fra");
    assert_eq!(pass_minutes(&mut world, 10, &asked), 0, "{:?}", world.control.evacuation_views());
    assert!(world.kinds().contains(&EventKind::EvacuationDone), "{:?}", world.events);
    let told = world.events.iter().filter(|(kind, _)| *kind == EventKind::EvacuationStep).count();
    assert_eq!(told, 3, "{:?}", world.events);
}

#[test]
fn an_evacuation_in_one_step_keeps_to_what_may_move() {
    let mut world = World::new(MODEL);
    world.control.configure(limited(20));
    world.play(60, &[("web", 40)]);
    let order = EvacuationOrder { step: 100, ..order("fra") };
    world.control.command(world.now, Command::Evacuate(order)).expect("nothing refuses it");
    assert_eq!(pass_minutes(&mut world, 5, &[("web", 40)]), 100);
    let held = world.control.evacuation_views()[0].held.clone().expect("it waits");
    assert!(held.why.ends_with("smaller steps are needed"), "{held:?}");
}

#[test]
fn an_evacuation_in_small_steps_overfills_nobody() {
    let limits = "capacity = { target = 80, max = 100 }";
    let mut world = World::new(&MODEL.replace("[regions.ams]", &format!("[regions.ams]\n{limits}")));
    // All that is left of the region takes its place; each step moves less than a sixty-fourth of what ams has.
    let asked = [("web", 70), ("twin", 86)];
    world.play(120, &asked);
    let mut steps = Vec::new();
    for aim in [80_000, 80_500, 81_000, 81_500, 82_000] {
        let outlook = world.control.outlook().cloned().expect("there is a plan");
        let mut outlook = meridian::control::Outlook::clone(&outlook);
        let ams = world.steering.model.region_by_key("ams").expect("it is there");
        outlook.plan.sites[ams.index()].aim = aim;
        steps.push(outlook);
    }
    let full: Vec<bool> = steps
        .windows(2)
        .map(|pair| Room::of(&world.control, "fra", Some(&pair[0]), Some(&pair[1])).full.is_some())
        .collect();
    assert_eq!(full, [false, false, true, true]);
    // Nobody knows what a region without a level can take.
    let ams = world.steering.model.region_by_key("ams").expect("it is there");
    steps[4].plan.sites[ams.index()].level = None;
    assert_eq!(Room::of(&world.control, "fra", Some(&steps[3]), Some(&steps[4])), Room::default());
}

#[test]
fn after_a_reload_automation_waits_for_the_first_plan() {
    let mut world = World::new(MODEL);
    world.control.configure(limited(30));
    world.play(60, &[("web", 40)]);
    begin(&mut world, "fra");
    assert!(!world.control.is_plan_awaited(world.now));
    world.control.forget_plan();
    assert!(world.control.is_plan_awaited(world.now));
    world.control.step_evacuation(world.now, "fra", &Room::default());
    let held = world.control.evacuation_views()[0].held.clone().expect("it waits");
    assert!(held.why.starts_with("there is no plan yet"), "{held:?}");
    world.play(30, &[("web", 40)]);
    evacuate(&mut world);
    assert_eq!(world.control.evacuation_views()[0].left, 75, "{:?}", world.events);
    // Where no capacity is known none will come.
    assert!(
        !World::new(&MODEL.replace("capacity = { target = 80, max = 100 }", "")).control.is_plan_awaited(world.now)
    );
}

#[test]
fn of_two_evacuations_the_second_is_judged_by_what_the_first_has_changed() {
    let mut world = World::new(MODEL);
    world.play(60, &[("web", 40)]);
    begin(&mut world, "iad");
    world.play(1, &[("web", 40)]);
    begin(&mut world, "fra");
    for region in ["iad", "fra"] {
        assert_eq!(world.control.evacuation_due(world.now).as_deref(), Some(region));
        evacuate(&mut world);
    }
    assert_eq!(world.control.evacuation_due(world.now), None);
}
