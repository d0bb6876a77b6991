//! Plans that can be worked out by hand.

use std::time::Duration;

use super::*;
use crate::base::hash::steering_hash;
use crate::base::moment::Moment;

const NOW: Moment = Moment(1_000_000_000);

/// `a 60/80` is a region that is filled to 60 and bears 80, `a` alone one without limit; `|` between regions.
fn sites(text: &str) -> Vec<Site> {
    let site = |text: &str| {
        let mut words = text.split_whitespace();
        let key = steering_hash(&[words.next().unwrap().as_bytes()]);
        let capacity = words.next().map(|word| {
            let (target, max) = word.split_once('/').unwrap();
            Capacity { target: thousandths(target), max: thousandths(max) }
        });
        Site { key, capacity, load: Reported::Estimated }
    };
    text.split('|').map(site).collect()
}

/// `x 40 a b+5 c+9`: 40 answers per second whose home is `a`, that may go to `b` for 5 more and to `c` for 9 more;
/// `a&b` is a home of two in equal parts, `!x` one that does not spill. Names of regions are their order: `a` is the first.
fn units(text: &str) -> Vec<Unit> {
    let site = |word: &str| u8::try_from(u32::from(word.chars().next().unwrap()) - u32::from('a')).unwrap();
    let unit = |text: &str| {
        let mut words = text.split_whitespace();
        let (name, demand, homes) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
        let mut choices: Vec<(u8, u32)> = homes.split('&').map(|word| (site(word), 100)).collect();
        let home = choices.iter().map(|&(site, _)| (site, 1)).collect();
        choices.extend(words.map(|word| (site(word), 100 + word[2..].parse::<u32>().unwrap())));
        let key = u64::from(name.bytes().last().unwrap());
        Unit { key, demand: thousandths(demand), home, choices, ttl_s: 30, spills: !name.starts_with('!') }
    };
    text.split('|').map(unit).collect()
}

fn thousandths(text: &str) -> u64 {
    text.parse::<u64>().unwrap() * 1_000
}

fn situation(of_sites: &str, of_units: &str) -> Situation {
    Situation { sites: sites(of_sites), units: units(of_units), ..Situation::default() }
}

/// `x: a 20 b 20 | y: a 40`: what each unit is sent where, in whole answers.
fn told(situation: &Situation, plan: &Plan) -> String {
    let of_unit = |(unit, planned): (&Unit, &Vec<(u8, u16)>)| {
        let all: u32 = unit.home.iter().map(|&(_, weight)| weight).sum();
        let at_home: Vec<(u8, u64)> =
            unit.home.iter().map(|&(site, weight)| (site, unit.demand * u64::from(weight) / u64::from(all))).collect();
        let there = planned.iter().map(|&(site, share)| (site, unit.demand * u64::from(share) / u64::from(WHOLE)));
        let amounts = if planned.is_empty() { at_home } else { there.collect() };
        let letter = |site: u8| char::from(b'a' + site);
        let amounts = amounts.into_iter().map(|(site, amount)| format!(" {} {}", letter(site), (amount + 500) / 1_000));
        format!("{}:{}", char::from(u8::try_from(unit.key).unwrap()), amounts.collect::<String>())
    };
    situation.units.iter().zip(&plan.units).map(of_unit).collect::<Vec<_>>().join(" | ")
}

#[test]
fn plans_are_as_worked_out_by_hand() {
    for (of_sites, of_units, optimal, waterfall) in [
        // There is room at home.
        ("a 60/80 | b 60/80", "x 60 a b+5 | y 60 b a+5", "x: a 60 | y: b 60", ""),
        // The least-hurt go, …
        ("a 60/80 | b 60/80", "x 40 a b+5 | y 40 a b+9 | z 30 b a+5", "x: a 20 b 20 | y: a 40 | z: b 30", ""),
        // … of equals the one with the least key, …
        ("a 60/80 | b 60/80", "x 40 a b+5 | y 40 a b+5", "x: a 30 b 10 | y: a 30 b 10", ""),
        ("a 60/80 | b 60/80 | c", "x 40 a b+5 c+9 | y 40 a b+5 c+8", "x: a 20 b 20 | y: a 40", ""),
        // … to the next that has room, and the rest farther.
        ("a 60/80 | b 60/80 | c 60/80", "x 90 a b+5 c+9 | z 50 b", "x: a 60 b 10 c 20 | z: b 50", ""),
        ("a 60/80 | b", "x 99 a b+5", "x: a 60 b 39", ""),
        // Displacing others is cheaper than going far; the waterfall goes far.
        (
            "a 60/80 | b 60/80 | c 60/80",
            "x 80 a b+2 c+50 | z 60 b c+3",
            "x: a 60 b 20 | z: b 40 c 20",
            "x: a 60 c 20 | z: b 60",
        ),
        // The only way out leads through a full region; the waterfall has to fill both above target.
        (
            "a 60/80 | b 60/80 | c 60/80",
            "x 80 a b+2 | z 60 b c+3",
            "x: a 60 b 20 | z: b 40 c 20",
            "x: a 70 b 10 | z: b 60",
        ),
        // All that can be reached are over target: raised in proportion to max - target, …
        ("a 60/80 | b 60/100", "x 99 a b+5 | z 60 b", "x: a 73 b 26 | z: b 60", ""),
        // … and others not at all, …
        ("a 60/80 | b 60/100 | c 60/80", "x 99 a b+5 | z 60 b | y 50 c", "x: a 73 b 26 | z: b 60 | y: c 50", ""),
        // … and when all are over max in proportion to max: shared, never dumped on one.
        ("a 60/80 | b 60/120", "x 300 a b+5", "x: a 120 b 180", ""),
        ("a 60/80 | b 60/80", "x 300 a b+5 | z 50 b", "x: a 175 b 125 | z: b 50", ""),
        // Who may not leave does not, and makes no other region fuller than it need be.
        ("a 60/80 | b 60/80", "x 99 a | y 30 a b+5", "x: a 99 | y: b 30", ""),
        ("a 60/80 | b 60/80", "!x 80 a b+1 | y 30 a b+5", "x: a 80 | y: b 30", ""),
        // No capacity at all: everybody goes, or stays if there is nowhere to go.
        ("a 0/0 | b 60/80", "x 30 a b+5", "x: b 30", ""),
        ("a 0/0 | b 0/0", "x 30 a b+5", "x: a 30", ""),
        // A home of two is shed from where it is too much.
        ("a 20/30 | b 60/80", "x 60 a&b", "x: a 20 b 40", ""),
        ("a 20/30 | b 60/80 | c", "x 60 a&b c+1", "x: a 20 b 40", "x: a 20 b 40"),
    ] {
        let situation = situation(of_sites, of_units);
        let plan = Planner::new().step(NOW, &situation);
        assert_eq!(told(&situation, &plan), optimal, "{of_sites}, {of_units}");
        let plan = Planner::with_steps(0).step(NOW, &situation);
        let waterfall = if waterfall.is_empty() { optimal } else { waterfall };
        assert_eq!(told(&situation, &plan), waterfall, "{of_sites}, {of_units}: waterfall");
    }
}

#[test]
fn a_plan_says_what_it_comes_to() {
    let situation = situation("a 60/80 | b 60/80", "x 40 a b+5 | y 40 a b+9 | z 30 b a+5");
    let plan = Planner::new().step(NOW, &situation);
    assert_eq!(plan.method, Method::Optimal);
    assert_eq!(plan.spills.iter().map(|spill| (spill.from, spill.to)).collect::<Vec<_>>(), [(0, 1)]);
    let [a, b] = plan.sites.as_slice() else { panic!("two sites") };
    let near = |value: u64, expected: u64| value.abs_diff(expected * 1_000) < 10;
    assert!(near(a.planned, 60) && near(a.home, 80) && near(a.shed, 20) && a.received == 0, "{a:?}");
    assert!(near(b.planned, 50) && near(b.home, 30) && near(b.received, 20) && b.shed == 0, "{b:?}");
    // Nothing was answered before: clients follow their homes until they ask.
    assert!(near(a.load, 80) && near(b.load, 30), "{a:?}");
    assert_eq!((a.level, a.scale, plan.pending), (Some(60_000), 1 << 32, 0));
    assert!(plan.extra_cost.abs_diff(20 * 5) <= 1, "{}", plan.extra_cost);
}

#[test]
fn peers_share_the_clients() {
    let mut situation = situation("a 60/80 | b 600/800", "x 40 a b+5");
    situation.peers = 3;
    let plan = Planner::new().step(NOW, &situation);
    assert_eq!(told(&situation, &plan), "x: a 20 b 20");
}

#[test]
fn a_stale_feed_holds_the_shares_that_concern_it() {
    let mut planner = Planner::new();
    let mut situation = situation("a 60/80 | b 60/80 | c 60/80", "x 70 a b+5 c+9 | z 40 b c+5");
    let plan = planner.step(NOW, &situation);
    assert_eq!(told(&situation, &plan), "x: a 60 b 10 | z: b 40");
    situation.sites[0].load = Reported::Held(1);
    // Whatever else happens: the part at `a` stays, and what is elsewhere does not come back; it may go on.
    for (demand, b_capacity, expected) in
        [(70, 60, "x: a 60 b 10 | z: b 40"), (140, 50, "x: a 120 b 10 c 10 | z: b 40")]
    {
        situation.units[0].demand = demand * 1_000;
        situation.sites[1].capacity = Some(Capacity { target: b_capacity * 1_000, max: b_capacity * 1_000 });
        let plan = planner.step(NOW.after(Duration::from_secs(3_600)), &situation);
        assert!(plan.sites[0].held);
        assert_eq!(told(&situation, &plan), expected);
    }
}

#[test]
fn what_can_no_longer_be_answered_is_left_at_once() {
    let mut planner = Planner::new();
    let mut situation = situation("a 60/80 | b 60/80 | c 60/80", "x 70 a b+5 c+9");
    planner.step(NOW, &situation);
    situation.units[0].choices.remove(0);
    situation.units[0].home = vec![(1, 1)];
    let plan = planner.step(NOW, &situation);
    assert_eq!(told(&situation, &plan), "x: b 60 c 10");
    assert_eq!(plan.pending, 0);
}

#[test]
fn regions_and_units_come_and_go() {
    let mut planner = Planner::new();
    let before = situation("a 60/80 | b 60/80 | c 60/80", "x 79 a b+5 c+9 | z 40 c a+5");
    planner.step(NOW, &before);
    // `a` is gone, what was the second is the first; of `x` what it had at `b` is known, and that `a` is lost.
    let mut after = situation("b 60/80 | c 60/80", "x 79 a b+9 | z 40 b");
    after.sites[0].key = before.sites[1].key;
    after.sites[1].key = before.sites[2].key;
    let plan = planner.step(NOW, &after);
    assert_eq!(told(&after, &plan), "x: a 60 b 19 | z: b 40");
}

#[test]
fn a_feed_teaches_what_an_answer_is_worth() {
    let mut planner = Planner::new();
    let mut situation = situation("a 6000/8000 | b 6000/8000", "x 40 a b+5 | z 10 b a+5");
    let mut plan = Plan::default();
    for second in (0..600).step_by(5) {
        let now = NOW.after(Duration::from_secs(second));
        // Each answer is worth 200 at both.
        let at = |site: u8| {
            let units = situation.units.iter().zip(&plan.units);
            let of = |(unit, planned): (&Unit, &Vec<(u8, u16)>)| {
                let home = [(unit.home[0].0, WHOLE)];
                let shares = if planned.is_empty() { &home[..] } else { planned };
                shares.iter().filter(|share| share.0 == site).map(|share| unit.demand * u64::from(share.1)).sum::<u64>()
            };
            units.map(of).sum::<u64>() / u64::from(WHOLE) * 200
        };
        let loads = if second == 0 { [8_000_000, 2_000_000] } else { [at(0), at(1)] };
        for (site, load) in situation.sites.iter_mut().zip(loads) {
            site.load = Reported::Fresh(load, now);
        }
        plan = planner.step(now, &situation);
    }
    let told = told(&situation, &plan);
    assert!(["x: a 30 b 10 | z: b 10", "x: a 31 b 9 | z: b 10"].contains(&told.as_str()), "{told}: {:?}", plan.sites);
}

#[test]
fn a_restart_changes_nothing() {
    let mut planner = Planner::new();
    let mut situation = situation("a 6000/8000 | b 6000/8000", "x 40 a b+5 | z 10 b a+5");
    let mut now = NOW;
    for second in 0..120 {
        now = NOW.after(Duration::from_secs(second));
        // Each answer is worth 200, and `a` has shed since the first minute.
        let loads = if second < 60 { [8_000_000, 2_000_000] } else { [6_000_000, 4_000_000] };
        for (site, load) in situation.sites.iter_mut().zip(loads) {
            site.load = Reported::Fresh(load, now);
        }
        planner.step(now, &situation);
    }
    let text = serde_json::to_string(&planner.memory()).unwrap();
    let mut restarted = Planner::remembering(&serde_json::from_str(&text).unwrap(), now);
    assert_eq!(restarted.memory(), planner.memory());
    let now = now.after(Duration::from_secs(1));
    situation.sites[0].load = Reported::Fresh(6_000_000, now);
    situation.sites[1].load = Reported::Fresh(4_000_000, now);
    assert_eq!(told(&situation, &restarted.step(now, &situation)), told(&situation, &planner.step(now, &situation)));
    // One that knows nothing takes all for clients at home, and `a` for a region that they do not fill.
    assert_eq!(told(&situation, &Planner::new().step(now, &situation)), "x: a 40 | z: b 10");
}
