//! What to aim at: the shares that would be right if nothing took time.

use std::collections::HashMap;
use std::ops::Range;

use crate::base::hash::mix;

use super::levels::{self, Bound, Levels};
use super::problem::{Budget, Flow, Problem};
use super::roll::Roll;
use super::shares::{Shares, divide, part, share_of};
use super::{Method, Unit, WHOLE, paths, ties, waterfall};

/// What is known of one unit.
#[derive(Clone, Debug, Default)]
pub(super) struct Stance {
    /// Its demand, heat included.
    pub(super) demand: u64,
    pub(super) home: Shares,
    pub(super) usable: u128,
    /// What it is answered; `None` if nothing is known of it.
    pub(super) current: Option<Shares>,
}

/// Units that can't be told apart: they get the same shares.
#[derive(Debug)]
struct Group {
    key: u64,
    demand: u64,
    /// What stays as it is.
    pinned: Shares,
    /// Where the rest is at home.
    home: Shares,
    /// Where it may go, among the choices of all groups.
    choices: Range<usize>,
    /// How much of it was at which site.
    before: Vec<(u8, u64)>,
}

/// All groups, and where they may go.
#[derive(Debug, Default)]
struct Groups {
    all: Vec<Group>,
    choices: Vec<(u8, u32)>,
    /// The first group with a fingerprint; the next one has the next fingerprint.
    known: HashMap<u64, usize>,
}

/// What is aimed at.
#[derive(Debug, Default)]
pub(super) struct Aim {
    /// Shares of each group of units.
    pub(super) shares: Vec<Shares>,
    /// The group of each unit.
    pub(super) group: Vec<usize>,
    /// The level of each site, and the demand that may be placed on it.
    pub(super) levels: Vec<u32>,
    pub(super) limits: Vec<u64>,
    pub(super) method: Method,
}

impl Aim {
    /// The shares that a unit is to have.
    pub(super) fn of(&self, unit: usize) -> &[(u8, u16)] {
        self.group.get(unit).and_then(|&group| self.shares.get(group)).map_or(&[], Vec::as_slice)
    }
}

/// Solves the situation. `held`: sites whose shares stay as they are. `bounds` are completed with what does not move.
pub(super) fn aim(
    roll: &Roll,
    units: &[Unit],
    stances: &[Stance],
    held: u128,
    bounds: &mut [Bound],
    steps_max: u64,
) -> Aim {
    let (Groups { all: mut groups, choices, .. }, mut of_unit) = Groups::of(roll, units, stances, held);
    // By key, so that the order of units decides nothing.
    let mut order: Vec<usize> = (0..groups.len()).collect();
    order.sort_by_key(|&group| (groups[group].key, group));
    let mut place = vec![0; groups.len()];
    order.iter().enumerate().for_each(|(new, &old)| place[old] = new);
    of_unit.iter_mut().for_each(|group| *group = place[*group]);
    groups.sort_by_key(|group| group.key);

    let mut problem = Problem::new(roll.len());
    let mut first_items = Vec::with_capacity(groups.len());
    for group in &groups {
        for &(site, share) in &group.pinned {
            let fixed = &mut bounds[usize::from(site)].fixed;
            *fixed = fixed.saturating_add(part(group.demand, share.into()));
        }
        first_items.push(problem.items.len());
        let choices = choices.get(group.choices.clone()).unwrap_or(&[]);
        let demands: Vec<u64> = group.home.iter().map(|&(_, share)| part(group.demand, share.into())).collect();
        let homes = group.home.iter().zip(&demands).zip(group.before_each(&demands));
        for ((&(site, _), &demand), before) in homes {
            let cost = choices.iter().find(|&&(other, _)| other == site).map_or(0, |&(_, cost)| cost);
            problem.add(demand, (site, cost), choices, &before);
        }
    }
    let (flow, levels, method) = solve(&problem, bounds, steps_max);
    let shares = groups.iter().zip(first_items).map(|(group, first)| group.shares(&problem, &flow, first));
    let limits = levels.caps.iter().zip(&*bounds).map(|(cap, bound)| cap.saturating_add(bound.fixed));
    Aim { shares: shares.collect(), group: of_unit, limits: limits.collect(), levels: levels.of, method }
}

/// Levels first, by who may go where; then who goes, by what it costs.
fn solve(problem: &Problem, bounds: &[Bound], steps_max: u64) -> (Flow, Levels, Method) {
    let lowest = || {
        let of = vec![0; bounds.len()];
        Levels { caps: bounds.iter().map(|bound| bound.room(0)).collect(), of }
    };
    let (at_home, caps) = (problem.at_home(), lowest().caps);
    if at_home.iter().zip(&caps).all(|(load, cap)| load <= cap) {
        return (Flow::at_home(problem), lowest(), Method::Home);
    }
    let coarse = problem.without_costs();
    let mut budget = Budget(steps_max / 4);
    let levels = levels::settle(&coarse, bounds, |caps| paths::solve(&coarse, caps, &mut budget));
    // It looks at each way once, however many there are.
    let mut budget = Budget(u64::MAX);
    let levels = levels
        .or_else(|| levels::settle(&coarse, bounds, |caps| waterfall::solve(&coarse, caps, &mut budget)))
        .unwrap_or_else(lowest);
    if let Some(mut flow) = paths::solve(problem, &levels.caps, &mut Budget(steps_max)) {
        ties::settle(problem, &levels.caps, &mut flow, &mut Budget(steps_max / 4));
        return (flow, levels, Method::Optimal);
    }
    let flow = waterfall::solve(problem, &levels.caps, &mut budget);
    (flow.unwrap_or_else(|| Flow::at_home(problem)), levels, Method::Waterfall)
}

impl Groups {
    /// Units that have the same home and the same choices, and of which the same is held; and the group of each.
    fn of(roll: &Roll, units: &[Unit], stances: &[Stance], held: u128) -> (Self, Vec<usize>) {
        let mut groups = Self::default();
        let mut of_unit = Vec::with_capacity(units.len());
        let mut choices = Vec::new();
        for (unit, stance) in units.iter().zip(stances) {
            choices.clear();
            let (pinned, home) = if unit.spills {
                roll.choices(unit, &mut choices);
                let held_and_home = hold(stance, held, &choices);
                choices.retain(|&(site, _)| held >> site & 1 == 0);
                held_and_home
            } else {
                (stance.home.clone(), Vec::new())
            };
            let number = groups.find(pinned, home, &choices);
            let group = &mut groups.all[number];
            group.key = group.key.min(unit.key);
            group.demand = group.demand.saturating_add(stance.demand);
            for &(site, share) in stance.current.iter().flatten().filter(|(site, _)| held >> site & 1 == 0) {
                let amount = part(stance.demand, share.into());
                match group.before.iter_mut().find(|(known, _)| *known == site) {
                    Some((_, sum)) => *sum = sum.saturating_add(amount),
                    None => group.before.push((site, amount)),
                }
            }
            of_unit.push(number);
        }
        (groups, of_unit)
    }

    /// The group with these homes and choices, a new one if there is none.
    fn find(&mut self, pinned: Shares, home: Shares, choices: &[(u8, u32)]) -> usize {
        let mut fingerprint = fingerprint(&pinned, &home, choices);
        while let Some(&number) = self.known.get(&fingerprint) {
            let group = &self.all[number];
            if group.pinned == pinned && group.home == home && self.choices[group.choices.clone()] == *choices {
                return number;
            }
            fingerprint = fingerprint.wrapping_add(1);
        }
        let number = self.all.len();
        self.known.insert(fingerprint, number);
        let start = self.choices.len();
        self.choices.extend_from_slice(choices);
        let choices = start..self.choices.len();
        self.all.push(Group { key: u64::MAX, demand: 0, pinned, home, choices, before: Vec::new() });
        number
    }
}

/// A number that differs where homes or choices do, almost always.
fn fingerprint(pinned: &[(u8, u16)], home: &[(u8, u16)], choices: &[(u8, u32)]) -> u64 {
    let shares = pinned.iter().chain(home).map(|&(site, share)| u64::from(share) << 8 | u64::from(site));
    let choices = choices.iter().map(|&(site, cost)| u64::from(cost) << 8 | u64::from(site));
    let lens = (pinned.len() << 8 | home.len()) as u64;
    shares.chain(choices).fold(mix(lens), |state, word| mix(state ^ word))
}

/// The shares of a unit that are held, and where the rest of it is at home: where it is, if its home is held, because
/// the way back is closed.
fn hold(stance: &Stance, held: u128, choices: &[(u8, u32)]) -> (Shares, Shares) {
    let is_held = |site: u8| held >> site & 1 == 1;
    let current = stance.current.as_ref().unwrap_or(&stance.home);
    if !current.iter().chain(&stance.home).any(|&(site, _)| is_held(site)) {
        return (Vec::new(), stance.home.clone());
    }
    let is_usable = |site: u8| stance.usable >> site & 1 == 1;
    let pinned: Shares = current.iter().copied().filter(|&(site, _)| is_held(site) && is_usable(site)).collect();
    let rest = pinned.iter().fold(WHOLE, |rest, &(_, share)| rest.saturating_sub(share));
    let stays = stance.home.iter().any(|&(site, _)| is_held(site));
    let base = if stays { current } else { &stance.home };
    let free = base.iter().filter(|&&(site, _)| !is_held(site) && is_usable(site));
    let weights: Vec<(u8, u64)> = free.map(|&(site, share)| (site, share.into())).collect();
    let mut home = divide(&weights, rest);
    if home.is_empty() && rest > 0 {
        let open = choices.iter().find(|&&(site, _)| !is_held(site));
        home.extend(open.map(|&(site, _)| (site, rest)));
    }
    if home.is_empty() {
        // Nowhere to go but where it is held.
        let weights: Vec<(u8, u64)> = pinned.iter().map(|&(site, share)| (site, share.into())).collect();
        let all = divide(&weights, WHOLE);
        return (if all.is_empty() { stance.home.clone() } else { all }, Vec::new());
    }
    (pinned, home)
}

impl Group {
    /// What was before, for each of its homes: what was there, and of the rest what fills them up.
    fn before_each(&self, demands: &[u64]) -> Vec<Vec<(u8, u64)>> {
        let mut rest = self.before.clone();
        rest.sort_unstable_by_key(|&(site, _)| site);
        let mut take = |demand: u64, from: &dyn Fn(u8) -> bool| -> Vec<(u8, u64)> {
            let mut left = demand;
            let mut taken = Vec::new();
            for (site, amount) in rest.iter_mut().filter(|(site, amount)| *amount > 0 && from(*site)) {
                let part = left.min(*amount);
                *amount -= part;
                left -= part;
                taken.push((*site, part));
            }
            taken
        };
        let homes = self.home.iter().zip(demands);
        let mut each: Vec<_> = homes.map(|(&(home, _), &demand)| take(demand, &|site| site == home)).collect();
        for (before, demand) in each.iter_mut().zip(demands) {
            let known = before.iter().map(|&(_, amount)| amount).sum();
            before.extend(take(demand.saturating_sub(known), &|_| true));
        }
        each
    }

    /// The shares that come of where its items are.
    fn shares(&self, problem: &Problem, flow: &Flow, first: usize) -> Shares {
        let mut weights: Vec<(u8, u64)> = Vec::new();
        let mut add = |site: u8, weight: u64| match weights.iter_mut().find(|(known, _)| *known == site) {
            Some((_, sum)) => *sum += weight,
            None => weights.push((site, weight)),
        };
        for (item, &(home, share)) in (first..).zip(&self.home) {
            let demand = problem.items.get(item).map_or(0, |item| item.demand);
            // In 1/2⁴⁰ of the demand, times a share.
            let weight = |amount: u64| {
                let part = (u128::from(amount) << 40) / u128::from(demand.max(1));
                u64::try_from(part * u128::from(share)).unwrap_or(u64::MAX >> 8)
            };
            let away = flow.away.get(item).map_or(&[][..], Vec::as_slice);
            // Who asks for nothing is at home.
            add(home, if demand == 0 { u64::from(share) << 40 } else { weight(flow.amount(problem, item, home)) });
            away.iter().for_each(|&(site, amount)| add(site, weight(amount)));
        }
        weights.sort_unstable_by_key(|&(site, _)| site);
        let rest = self.pinned.iter().fold(WHOLE, |rest, &(_, share)| rest.saturating_sub(share));
        let mut shares = divide(&weights, rest);
        for &(site, share) in &self.pinned {
            let sum = share_of(&shares, site).saturating_add(share);
            shares.retain(|&(other, _)| other != site);
            shares.push((site, sum));
        }
        shares.sort_unstable_by_key(|&(site, _)| site);
        shares
    }
}
