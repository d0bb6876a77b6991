//! The tables, what holds whatever is fed, and a loop of caches that has to settle.

use std::collections::VecDeque;
use std::time::Duration;

use proptest::prelude::*;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn of(fair: &[u32], costs: &[Option<u64>]) -> Vec<Candidate> {
    fair.iter().zip(costs).map(|(&fair, &cost)| Candidate { fair, cost }).collect()
}

/// Shares in percent, rounded.
fn percent(candidates: &[Candidate], corrections: &[u32]) -> Vec<u64> {
    let parts: Vec<u64> = candidates
        .iter()
        .zip(corrections)
        .map(|(one, &correction)| u64::from(one.fair) * u64::from(correction))
        .collect();
    let sum: u64 = parts.iter().sum();
    parts.iter().map(|part| (part * 200 / sum).div_ceil(2)).collect()
}

#[test]
fn the_table_of_corrections_holds() {
    let known = |costs: &[u64]| costs.iter().map(|&cost| Some(cost)).collect::<Vec<_>>();
    for (fair, costs, shares) in [
        (&[1, 1][..], known(&[10, 10]), &[50, 50][..]),
        (&[1, 1], known(&[10, 30]), &[75, 25]),
        (&[1, 1], known(&[1, 1_000]), &[88, 13]),
        (&[1, 1, 1], known(&[1, 1_000, 1_000]), &[67, 17, 17]),
        (&[3, 1], known(&[10, 10]), &[75, 25]),
        (&[1, 1, 1], vec![Some(10), Some(30), None], &[50, 17, 33]),
        (&[1, 1], known(&[0, 0]), &[50, 50]),
        (&[1, 1], known(&[u64::MAX, u64::MAX / 2]), &[33, 67]),
        (&[65_535, 1], known(&[u64::MAX, 0]), &[100, 0]),
        (&[1, 1], vec![Some(7), None], &[50, 50]),
    ] {
        let candidates = of(fair, &costs);
        let found = percent(&candidates, &corrections(&candidates).unwrap());
        let is_near = found.iter().zip(shares).all(|(&found, &share): (&u64, &u64)| found.abs_diff(share) <= 1);
        assert!(is_near, "{fair:?} {costs:?}: {found:?}, not {shares:?}");
    }
    assert_eq!(corrections(&of(&[1, 1], &[None, None])), None);
    assert_eq!(corrections(&[]), None);
}

#[test]
fn the_table_of_costs_holds() {
    let terms = [Term { metric: "connections".into(), counts: 1_000 }, Term { metric: "queue".into(), counts: 2_500 }];
    let metric = |name: &str| {
        let known = [("connections", 11_000), ("response_ms", 31_000), ("bandwidth", 5_000_000), ("queue", 2_000)];
        known.iter().find(|(own, _)| *own == name).map(|(_, value)| *value)
    };
    let own = |balance: Balance, weight: u32| cost(balance, weight, &terms, metric);
    assert_eq!(own(Balance::LeastConnections, 7), Some(12_000));
    assert_eq!(own(Balance::WeightedLeastConnections, 1), Some(12_000 << 16));
    assert_eq!(own(Balance::WeightedLeastConnections, 11), Some(2_000 << 16));
    assert_eq!(own(Balance::WeightedLeastConnections, 0), Some(12_000 << 16), "a reserve");
    assert_eq!(own(Balance::LeastResponseTime, 7), Some(32_000));
    assert_eq!(own(Balance::LeastBandwidth, 7), Some(5_000_000));
    assert_eq!(own(Balance::Custom, 7), Some(11_000 + 5_000));
    for balance in
        [Balance::RoundRobin, Balance::Weighted, Balance::Random, Balance::Hash, Balance::LeastRecentlyLoaded]
    {
        assert_eq!(own(balance, 7), None, "{balance:?}");
    }
    let without_queue = |name: &str| metric(name).filter(|_| name != "queue");
    assert_eq!(cost(Balance::Custom, 1, &terms, without_queue), None, "a sum that lacks a term is none");
    assert_eq!(cost(Balance::LeastConnections, 1, &terms, |_| None), None);
    assert_eq!(cost(Balance::Custom, 1, &terms, |_| Some(u64::MAX)), Some(u64::MAX / 1_000 * 2));
    assert_eq!((fair(Balance::LeastConnections, 9), fair(Balance::WeightedLeastConnections, 9)), (1, 9));
    assert_eq!(fair(Balance::WeightedLeastConnections, 0), 1);
}

#[test]
fn the_table_of_rests_holds() {
    let mut rest = Rest::new(0, 1_600);
    for (now, load, since) in [
        (5_000, 1_600, 0),
        (10_000, 1_700, 0),
        (15_000, 1_701, 15_000),
        (20_000, 800, 15_000),
        (25_000, 850, 15_000),
        (30_000, 851, 30_000),
        (35_000, 0, 30_000),
        (40_000, 1, 40_000),
    ] {
        rest = rest.noted(now, load);
        assert_eq!(rest.since_ms, since, "at {now}");
    }
    assert!(rest.cost(50_000) > rest.cost(60_000));
    assert_eq!(rest.cost(100_000_000), rest.cost(u64::MAX), "a day is as good as for ever");
}

#[test]
fn the_table_of_free_parts_holds() {
    // In 1/1,000 of the least cost.
    let relative = |load: u64| cost_of_load(load, 800, 1_000) * 1_000 / cost_of_load(0, 800, 1_000);
    for (load, cost) in [(0, 1_000), (400, 2_000), (600, 4_000), (800, 6_400), (1_000, 16_000), (9_000, 16_000)] {
        assert!(relative(load).abs_diff(cost) <= 10, "{load}: {}", relative(load));
    }
    assert!((0..1_100).all(|load| relative(load) <= relative(load + 1)), "more load is never cheaper");
    for (load, target, max) in [(0, 0, 0), (5, 0, 10), (u64::MAX, 1, 1), (u64::MAX, u64::MAX, u64::MAX)] {
        assert!(cost_of_load(load, target, max) > 0);
    }
    assert_eq!((cost_of_time(0), cost_of_time(9_000), cost_of_time(99_000)), (1_000, 10_000, 100_000));
}

#[test]
fn what_is_published_is_coarse() {
    for (number, expected) in
        [(0, 0), (63, 63), (64, 64), (65, 66), (65_536, 65_536), (66_000, 65_536), (67_000, 67_584)]
    {
        assert_eq!(coarse(number), expected);
    }
    let shares: Vec<u16> =
        [FAIR / 4, FAIR, FAIR * 2, FAIR + FAIR / 65, FAIR + FAIR / 63].into_iter().map(rounded).collect();
    assert_eq!(shares, [LEAST, EVEN, MOST, EVEN, 132]);
    assert!(coarse(u32::MAX) > 0);
}

#[test]
fn shares_follow_step_by_step_and_are_held() {
    let wanted = corrections(&of(&[1, 1], &[Some(10), Some(30)])).unwrap();
    let mut course = Course::new([Eased::default(); 2]);
    let mut published = Vec::new();
    for second in 0..600 {
        if course.step(&wanted, SECOND, Duration::from_secs(60)) {
            published.push((second, course.members()[0].held));
        }
    }
    assert!(course.is_settled(&wanted));
    let (first, last) = (published[0], published[published.len() - 1]);
    assert!((10..30).contains(&first.0) && first.1 < 150, "nothing jumps: {published:?}");
    assert!((180..=192).contains(&last.1) && published.len() < 12, "{published:?}");
    assert!(published.is_sorted_by_key(|(_, held)| *held), "{published:?}");
    course.reset();
    assert!(course.is_even());
}

/// Servers behind caches: each second a thirtieth of all clients asks anew, and is with the endpoint it got for a TTL; the
/// feed lags `lag` seconds behind. What each server takes is `speed` of what it is sent.
fn play(speeds: &[u64], lag: usize, cost: impl Fn(usize, u64) -> u64) -> Vec<Vec<u16>> {
    const TTL: usize = 30;
    let fair = vec![1; speeds.len()];
    let mut course = Course::new(vec![Eased::default(); speeds.len()]);
    let mut asked: VecDeque<Vec<u64>> = VecDeque::new();
    let mut loads: VecDeque<Vec<u64>> = VecDeque::new();
    let mut published = Vec::new();
    for _ in 0..1_200 {
        let held: Vec<u64> = course.members().iter().map(|one| u64::from(one.held)).collect();
        let sum: u64 = held.iter().sum();
        asked.push_front(held.iter().map(|held| held * 1_000_000 / sum).collect());
        asked.truncate(TTL);
        let load = |server: usize| {
            let sent: u64 = asked.iter().map(|shares| shares[server]).sum::<u64>() / asked.len() as u64;
            sent * 100 / speeds[server]
        };
        loads.push_front((0..speeds.len()).map(load).collect());
        loads.truncate(lag + 1);
        let seen = &loads[loads.len() - 1];
        let costs: Vec<Option<u64>> = seen.iter().enumerate().map(|(at, &load)| Some(cost(at, load))).collect();
        course.step(&corrections(&of(&fair, &costs)).unwrap(), SECOND, Duration::from_secs(2 * TTL as u64));
        published.push(course.members().iter().map(|one| one.held).collect());
    }
    published
}

#[test]
fn a_loop_of_caches_settles() {
    for lag in [0, 5, 30] {
        // One server is four times as slow as the other.
        let connections = play(&[100, 25], lag, |_, load| load + 1_000);
        // All are at `part` of their targets on average, and one of them carries something that is not ours.
        let regions = |part: u64| {
            let target = 100_000_000 / 3 / part;
            let room = |at: usize, load: u64| {
                let foreign = if at == 0 { target / 5 } else { 0 };
                cost_of_load(load + foreign, target, target * 5 / 4)
            };
            play(&[100, 100, 100], lag, room)
        };
        for published in [connections, regions(40), regions(60), regions(75), regions(90)] {
            let changes: Vec<usize> =
                (1..published.len()).filter(|&second| published[second] != published[second - 1]).collect();
            let late = changes.iter().filter(|&&second| second > 600).count();
            assert!(late == 0 && changes.len() < 20, "lag {lag}: changes at {changes:?}");
            assert_ne!(published[published.len() - 1], published[0], "it follows at all");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn whatever_is_fed(
        members in prop::collection::vec((1..1_000_u32, prop::option::weighted(0.8, 0..100_000_000_u64)), 1..20),
        at in 0..20_usize,
        more in 0..100_000_000_u64,
        turn in 0..20_usize,
    ) {
        let candidates: Vec<Candidate> = members.iter().map(|&(fair, cost)| Candidate { fair, cost }).collect();
        let Some(found) = corrections(&candidates) else {
            prop_assert!(candidates.iter().all(|candidate| candidate.cost.is_none()));
            return Ok(());
        };
        // Bounds: together what is fair and hardly more, each at most twice and at least a quarter of it.
        let sum = |found: &[u32]| -> u64 {
            candidates.iter().zip(found).map(|(one, &it)| u64::from(one.fair) * u64::from(it)).sum()
        };
        let fair: u64 = candidates.iter().map(|one| u64::from(one.fair) * u64::from(FAIR)).sum();
        prop_assert!(found.iter().all(|it| (FAIR / 4..=FAIR * 2).contains(it)));
        prop_assert!(sum(&found) >= fair && sum(&found) <= fair + fair / 1_000, "{} of {fair}", sum(&found));
        for (candidate, it) in candidates.iter().zip(&found) {
            prop_assert!(candidate.cost.is_some() || *it == FAIR, "who is not fed gets what is fair");
        }
        // The order decides nothing.
        let mut turned = candidates.clone();
        turned.rotate_left(turn % candidates.len());
        let mut expected = found.clone();
        expected.rotate_left(turn % candidates.len());
        prop_assert_eq!(corrections(&turned), Some(expected));
        // Who costs more gets no larger share, and no other a smaller one.
        let at = at % candidates.len();
        if let Some(cost) = candidates[at].cost {
            let mut dearer = candidates.clone();
            dearer[at].cost = Some(cost + more);
            let after = corrections(&dearer).unwrap();
            prop_assert!(after[at] <= found[at]);
            let others = (0..candidates.len()).filter(|other| *other != at);
            prop_assert!(others.into_iter().all(|other| after[other] >= found[other]));
        }
    }

    #[test]
    fn what_wobbles_changes_nothing(
        costs in prop::collection::vec(1_000..100_000_u64, 2..10),
        wobbles in prop::collection::vec(-3..=3_i64, 200),
    ) {
        let wanted = |costs: &[u64]| {
            let costs: Vec<Option<u64>> = costs.iter().map(|&cost| Some(cost)).collect();
            corrections(&of(&vec![1; costs.len()], &costs)).unwrap()
        };
        let over = Duration::from_secs(60);
        let mut course = Course::new(vec![Eased::default(); costs.len()]);
        (0..1_000).for_each(|_| { course.step(&wanted(&costs), SECOND, over); });
        // Up to 3 % up or down, each for itself. What rests at the edge where nothing ever moved is brought into the middle.
        let began_even = course.members().iter().all(|one| one.held == EVEN);
        let mut changes = 0;
        for wobble in wobbles.chunks_exact(costs.len()) {
            let by = |(&cost, &percent): (&u64, &i64)| cost.saturating_add_signed(cost as i64 * percent / 100);
            let now: Vec<u64> = costs.iter().zip(wobble).map(by).collect();
            changes += usize::from(course.step(&wanted(&now), SECOND * 5, over));
        }
        prop_assert!(changes <= if began_even { 3 } else { 0 }, "{changes} changes");
    }

    #[test]
    fn what_is_published_is_bounded(
        costs in prop::collection::vec(prop::option::weighted(0.9, 0..1_000_000_u64), 2..12),
        seconds in 1..400_u32,
    ) {
        let candidates = of(&vec![1; costs.len()], &costs);
        let mut course = Course::new(vec![Eased::default(); costs.len()]);
        if let Some(wanted) = corrections(&candidates) {
            (0..seconds).for_each(|_| { course.step(&wanted, SECOND, Duration::from_secs(20)); });
        }
        let held: Vec<u32> = course.members().iter().map(|one| u32::from(one.held)).collect();
        let fair = held.iter().sum::<u32>() as f64 / held.len() as f64;
        prop_assert!(held.iter().all(|&one| f64::from(one) <= fair * 2.2 && f64::from(one) >= fair / 4.5), "{held:?}");
    }
}
