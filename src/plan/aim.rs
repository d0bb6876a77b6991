//! What to aim at: the shares that would be right if nothing took time.

use std::collections::HashMap;

use super::levels::{self, Bound, Levels};
use super::problem::{Budget, Flow, Problem};
use super::roll::Roll;
use super::shares::{Shares, divide, part, share_of};
use super::{Method, Unit, WHOLE, paths, waterfall};

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
    choices: Vec<(u8, u32)>,
    before: u128,
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
    let (mut groups, mut of_unit) = groups(roll, units, stances, held);
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
        for &(site, share) in &group.home {
            let cost = group.choices.iter().find(|&&(other, _)| other == site).map_or(0, |&(_, cost)| cost);
            problem.add(part(group.demand, share.into()), (site, cost), &group.choices, group.before);
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
    if let Some(flow) = paths::solve(problem, &levels.caps, &mut Budget(steps_max)) {
        return (flow, levels, Method::Optimal);
    }
    let flow = waterfall::solve(problem, &levels.caps, &mut budget);
    (flow.unwrap_or_else(|| Flow::at_home(problem)), levels, Method::Waterfall)
}

/// Units that have the same home and the same choices, and of which the same is held.
fn groups(roll: &Roll, units: &[Unit], stances: &[Stance], held: u128) -> (Vec<Group>, Vec<usize>) {
    let mut known: HashMap<Vec<u64>, usize> = HashMap::new();
    let mut groups: Vec<Group> = Vec::new();
    let mut of_unit = Vec::with_capacity(units.len());
    let (mut choices, mut words) = (Vec::new(), Vec::new());
    for (unit, stance) in units.iter().zip(stances) {
        roll.choices(unit, &mut choices);
        let (pinned, home) = if unit.spills { hold(stance, held, &choices) } else { (stance.home.clone(), Vec::new()) };
        choices.retain(|&(site, _)| held >> site & 1 == 0);
        words.clear();
        words.push((pinned.len() << 32 | home.len()) as u64);
        words.extend(pinned.iter().chain(&home).map(|&(site, share)| u64::from(share) << 8 | u64::from(site)));
        if unit.spills {
            words.extend(choices.iter().map(|&(site, cost)| u64::from(cost) << 8 | u64::from(site)));
        }
        let before = stance.current.iter().flatten().fold(0_u128, |mask, &(site, _)| mask | 1 << site);
        let group = known.get(words.as_slice()).copied().unwrap_or(groups.len());
        if let Some(group) = groups.get_mut(group) {
            group.key = group.key.min(unit.key);
            group.demand = group.demand.saturating_add(stance.demand);
            group.before |= before;
        } else {
            known.insert(words.clone(), group);
            let choices = if unit.spills { choices.clone() } else { Vec::new() };
            groups.push(Group { key: unit.key, demand: stance.demand, pinned, home, choices, before });
        }
        of_unit.push(group);
    }
    (groups, of_unit)
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
