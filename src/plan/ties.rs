//! Of all placements that cost the least, the one that is nearest to what was answered before.
//!
//! Who costs the same may go either way, and which way a search takes is an accident: without this, a change of nothing at
//! all could send clients of two countries to each other's place. What was found is compared with what was before:
//!
//! ```text
//! before    x at a, y at b      the same cost, and nobody moves: x goes back to a, and y to b
//! found     x at b, y at a
//! ```
//!
//! Costs of the cheapest placement come with a potential for each site, such that each item is where its cost less the
//! potential is least. An item has a choice only among sites where that is equal. In the graph of these moves, and of those
//! into a site that has room, every cycle costs nothing; one that brings more back to where it was than away from it is
//! gone round, until there is none.

use super::problem::{Budget, Flow, Problem, sites_of};

/// What is nearer by less than this part of an item is rounding: shares are 1/65,535.
const ROUNDING_PART: u64 = 1 << 14;
/// No way.
const NONE: i64 = i64::MAX;

/// An item that may be at more than one site for the same.
struct Torn {
    item: usize,
    sites: Vec<u8>,
}

/// The best move from a site to another.
#[derive(Clone, Copy, Debug)]
struct Move {
    /// What it takes away from what was before, for each unit: −2 brings back, 2 takes away.
    weight: i64,
    /// `None`: into or out of free room.
    item: Option<usize>,
    limit: u64,
}

const STAY: Move = Move { weight: NONE, item: None, limit: 0 };

/// Changes a cheapest placement into the one of the same cost that is nearest to what was before, or nearer to it if that
/// takes more than the budget.
pub(super) fn settle(problem: &Problem, caps: &[u64], flow: &mut Flow, budget: &mut Budget) {
    let Some((torn, free)) = torn(problem, caps, flow, budget) else { return };
    // The last node is free room.
    let nodes = problem.sites + 1;
    let mut moves = vec![STAY; nodes * nodes];
    while torn.iter().any(|torn| is_off(problem, flow, torn)) {
        free_moves(caps, flow, free, &mut moves);
        list(problem, flow, &torn, &mut moves);
        let (cycle, passes) = negative_cycle(nodes, &moves);
        let Some(cycle) = cycle else { return };
        if !budget.take((moves.len() * passes + torn.len()) as u64) {
            return;
        }
        let amount = cycle.iter().map(|&(from, to)| moves[from * nodes + to].limit).min().unwrap_or(0);
        for (from, to) in cycle {
            if let Move { item: Some(item), .. } = moves[from * nodes + to] {
                flow.shift(problem, item, number(from), number(to), amount);
            }
        }
    }
}

/// The items that have a choice, and the sites that cost as much as those with room: who leaves them takes nothing from
/// what was won. `None` if the placement is not the cheapest.
fn torn(problem: &Problem, caps: &[u64], flow: &Flow, budget: &mut Budget) -> Option<(Vec<Torn>, u128)> {
    let nodes = problem.sites + 1;
    let room = problem.sites;
    let mut costs = vec![NONE; nodes * nodes];
    let mut choices = Vec::new();
    for (number, item) in problem.items.iter().enumerate().filter(|(_, item)| item.demand > 0) {
        extras(problem, number, &mut choices);
        let at_home = (flow.amount(problem, number, item.home) > 0).then_some(item.home);
        let away = flow.away[number].iter().map(|&(site, _)| site);
        for from in at_home.into_iter().chain(away) {
            let here = choices.iter().find(|choice| choice.0 == from).map_or(0, |choice| choice.1);
            for &(to, extra) in choices.iter().filter(|choice| choice.0 != from) {
                let cost = &mut costs[usize::from(from) * nodes + usize::from(to)];
                *cost = (*cost).min(extra - here);
            }
        }
        if !budget.take(choices.len() as u64) {
            return None;
        }
    }
    for site in 0..problem.sites {
        costs[room * nodes + site] = 0;
        if flow.load[site] < caps[site] {
            costs[site * nodes + room] = 0;
        }
    }
    let potentials = potentials(nodes, &costs)?;
    let is_free = |site: &usize| potentials[*site] == potentials[room];
    let free = (0..problem.sites).filter(is_free).fold(0_u128, |mask, site| mask | 1 << site);
    let mut torn = Vec::new();
    for (item, _) in problem.items.iter().enumerate().filter(|(_, item)| item.demand > 0) {
        extras(problem, item, &mut choices);
        let reduced = |&(site, extra): &(u8, i64)| extra - potentials[usize::from(site)];
        let least = choices.iter().map(reduced).min().unwrap_or(0);
        choices.retain(|choice| reduced(choice) == least);
        if choices.len() > 1 {
            torn.push(Torn { item, sites: choices.iter().map(|&(site, _)| site).collect() });
        }
    }
    Some((torn, free))
}

/// What an item costs at each site it may be at more than at home.
fn extras(problem: &Problem, number: usize, choices: &mut Vec<(u8, i64)>) {
    choices.clear();
    let Some(item) = problem.items.get(number) else { return };
    choices.push((item.home, 0));
    choices.extend(problem.ways(item).iter().map(|way| (way.site, i64::from(way.extra))));
}

/// Numbers for the nodes such that no way costs less than the difference between its ends (Bellman and Ford); `None` if
/// there is a cycle that costs less than nothing.
fn potentials(nodes: usize, costs: &[i64]) -> Option<Vec<i64>> {
    let mut potentials = vec![0; nodes];
    for _ in 0..=nodes {
        let mut has_changed = false;
        for (at, &cost) in costs.iter().enumerate().filter(|(_, cost)| **cost != NONE) {
            let reached = potentials[at / nodes] + cost;
            if reached < potentials[at % nodes] {
                potentials[at % nodes] = reached;
                has_changed = true;
            }
        }
        if !has_changed {
            return Some(potentials);
        }
    }
    None
}

/// How much of an item is at a site, and how much of it was there.
fn amounts(problem: &Problem, flow: &Flow, item: usize, site: u8) -> (u64, u64) {
    let before = problem.items.get(item).map_or(&[][..], |item| problem.before(item));
    let before = before.iter().find(|&&(other, _)| other == site).map_or(0, |&(_, amount)| amount);
    (flow.amount(problem, item, site), before)
}

fn rounding(problem: &Problem, item: usize) -> u64 {
    problem.items.get(item).map_or(0, |item| item.demand / ROUNDING_PART)
}

/// True if an item is where it was not, and could be where it was.
fn is_off(problem: &Problem, flow: &Flow, Torn { item, sites }: &Torn) -> bool {
    let rounding = rounding(problem, *item);
    let mut amounts = sites.iter().map(|&site| amounts(problem, flow, *item, site));
    amounts.any(|(now, before)| before > now + rounding)
}

/// No move but those into and out of free room.
fn free_moves(caps: &[u64], flow: &Flow, free: u128, moves: &mut [Move]) {
    let room = caps.len();
    let nodes = room + 1;
    moves.fill(STAY);
    for site in sites_of(free).map(usize::from) {
        moves[room * nodes + site] = Move { weight: 0, item: None, limit: u64::MAX };
        if flow.load[site] < caps[site] {
            moves[site * nodes + room] = Move { weight: 0, item: None, limit: caps[site] - flow.load[site] };
        }
    }
}

/// The best move of an item between each two sites.
fn list(problem: &Problem, flow: &Flow, torn: &[Torn], moves: &mut [Move]) {
    let nodes = problem.sites + 1;
    for Torn { item, sites } in torn {
        let rounding = rounding(problem, *item);
        for &from in sites {
            let (now, before) = amounts(problem, flow, *item, from);
            if now == 0 {
                continue;
            }
            let leaves = if now > before + rounding { (-1, now - before) } else { (1, now) };
            for &to in sites.iter().filter(|&&to| to != from) {
                let (there, before) = amounts(problem, flow, *item, to);
                let enters = if before > there + rounding { (-1, before - there) } else { (1, u64::MAX) };
                let weight = leaves.0 + enters.0;
                let best = &mut moves[usize::from(from) * nodes + usize::from(to)];
                if weight < best.weight {
                    *best = Move { weight, item: Some(*item), limit: leaves.1.min(enters.1) };
                }
            }
        }
    }
}

/// A cycle of moves that weigh less than nothing, and how often all moves were looked at for it.
fn negative_cycle(nodes: usize, moves: &[Move]) -> (Option<Vec<(usize, usize)>>, usize) {
    let mut weights = vec![0; nodes];
    let mut previous = vec![None; nodes];
    for pass in 1..=nodes + 1 {
        let mut has_changed = false;
        for (at, step) in moves.iter().enumerate().filter(|(_, step)| step.weight != NONE) {
            let (from, to) = (at / nodes, at % nodes);
            if weights[from] + step.weight < weights[to] {
                weights[to] = weights[from] + step.weight;
                previous[to] = Some(from);
                has_changed = true;
            }
        }
        if !has_changed {
            return (None, pass);
        }
        if let Some(cycle) = cycle(&previous) {
            return (Some(cycle), pass);
        }
    }
    (None, nodes + 1)
}

/// A cycle among nodes of which each knows the one before it.
fn cycle(previous: &[Option<usize>]) -> Option<Vec<(usize, usize)>> {
    // Which walk came by first.
    let mut seen = vec![usize::MAX; previous.len()];
    for start in 0..previous.len() {
        let mut at = start;
        while seen[at] == usize::MAX {
            seen[at] = start;
            match previous[at] {
                Some(before) => at = before,
                None => break,
            }
        }
        if seen[at] == start && previous[at].is_some() {
            let mut steps = Vec::new();
            let mut to = at;
            while let Some(from) = previous[to] {
                steps.push((from, to));
                to = from;
                if to == at {
                    return Some(steps);
                }
            }
        }
    }
    None
}

fn number(site: usize) -> u8 {
    u8::try_from(site).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::paths;

    /// Where an item may go, at what cost, and how much of it was where.
    type Case<'a> = (&'a [(u8, u32)], &'a [(u8, u64)]);

    /// Where items of 100 come to be that are at home at 0.
    fn settled(caps: &[u64], items: &[Case<'_>]) -> Vec<Vec<(u8, u64)>> {
        let mut problem = Problem::new(caps.len());
        for (choices, before) in items {
            problem.add(100, (0, 0), choices, before);
        }
        let mut flow = paths::solve(&problem, caps, &mut Budget(1_000_000)).unwrap();
        let cost = |flow: &Flow| -> u64 {
            let of = |(item, away): (usize, &Vec<(u8, u64)>)| -> u64 {
                let ways = problem.ways(&problem.items[item]);
                let extra = |site: u8| ways.iter().find(|way| way.site == site).unwrap().extra;
                away.iter().map(|&(site, amount)| u64::from(extra(site)) * amount).sum()
            };
            flow.away.iter().enumerate().map(of).sum()
        };
        let found = cost(&flow);
        settle(&problem, caps, &mut flow, &mut Budget(1_000_000));
        assert_eq!(cost(&flow), found);
        assert!(flow.load.iter().zip(caps).all(|(load, cap)| load <= cap));
        let place = |item: usize| {
            let all = (0..number(caps.len())).map(|site| (site, flow.amount(&problem, item, site)));
            all.filter(|&(_, amount)| amount > 0).collect()
        };
        (0..items.len()).map(place).collect()
    }

    #[test]
    fn who_costs_the_same_stays_where_he_was() {
        let ways: &[(u8, u32)] = &[(1, 5), (2, 5)];
        let both: [&[(u8, u64)]; 2] = [&[(1, 100)], &[(2, 100)]];
        for [first, second] in [both, [both[1], both[0]]] {
            let found = settled(&[0, 100, 100], &[(ways, first), (ways, second)]);
            assert_eq!(found, [first, second]);
        }
        let halves: &[(u8, u64)] = &[(1, 50), (2, 50)];
        assert_eq!(settled(&[0, 100, 100], &[(ways, halves), (ways, halves)]), [halves, halves]);
    }

    #[test]
    fn three_may_change_places() {
        let ways: &[(u8, u32)] = &[(1, 7), (2, 7), (3, 7)];
        for turn in 0..3_u8 {
            let before: Vec<[(u8, u64); 1]> = (0..3).map(|item| [((item + turn) % 3 + 1, 100)]).collect();
            let items: Vec<Case<'_>> = before.iter().map(|before| (ways, &before[..])).collect();
            assert_eq!(settled(&[0, 100, 100, 100], &items), before);
        }
    }

    #[test]
    fn free_room_is_as_good() {
        // Who may be at 1 or 2, and 2 has room: nobody has to come from there.
        assert_eq!(settled(&[0, 200, 200], &[(&[(1, 5), (2, 5)], &[(2, 100)])]), [[(2, 100)]]);
        // Who gains by it is not asked.
        assert_eq!(settled(&[0, 200, 200], &[(&[(1, 5), (2, 6)], &[(2, 100)])]), [[(1, 100)]]);
        // Nobody leaves a home that has room.
        assert_eq!(settled(&[50, 200, 200], &[(&[(1, 5), (2, 5)], &[(2, 100)])]), [[(0, 50), (2, 50)]]);
    }

    #[test]
    fn what_was_where_it_may_not_go_is_forgotten() {
        assert_eq!(settled(&[100, 100, 100, 100], &[(&[(1, 5)], &[(3, 100)])]), [[(0, 100)]]);
    }
}
