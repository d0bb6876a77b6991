//! The problem that is solved: a plain transportation problem in units of demand.
//!
//! Demand is conserved when it moves, and loads are not: the same client may be a request a second in one region's feed
//! and a connection in another's. So capacities are divided by the scales of their regions, and what is left is demand
//! here, room there, and a cost for each way between.
//!
//! Items with the same home and the same choices at the same cost can't be told apart and are one. Sites are numbered by
//! the order of their keys and items by the least key of their units, so the order in which either was given decides
//! nothing.

use std::collections::HashMap;
use std::ops::Range;

/// Demand with one home, and where it may go.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) demand: u64,
    pub(super) home: u8,
    /// Its ways among those of the problem.
    ways: Range<usize>,
    /// Where it was before, among that of all.
    before: Range<usize>,
}

/// Where an item may go beside its home, and what it costs more than there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Way {
    pub(super) extra: u32,
    pub(super) site: u8,
}

/// Items, and where they may go.
#[derive(Clone, Debug, Default)]
pub(super) struct Problem {
    pub(super) sites: usize,
    pub(super) items: Vec<Item>,
    ways: Vec<Way>,
    before: Vec<(u8, u64)>,
}

/// What a way costs at most: beyond it all are equally far. Sums of three stay below 2³².
pub(super) const EXTRA_MAX: u32 = 1 << 30;

impl Problem {
    pub(super) fn new(sites: usize) -> Self {
        Self { sites, ..Self::default() }
    }

    /// Adds an item. `before`: how much of it was at which site; among equals these come first. A region that costs no more than its home costs one more, so that nobody moves for nothing, and of
    /// two who could make room by moving together only one does.
    pub(super) fn add(&mut self, demand: u64, home: (u8, u32), choices: &[(u8, u32)], before: &[(u8, u64)]) {
        let start = self.ways.len();
        let elsewhere = choices.iter().filter(|&&(site, _)| site != home.0 && usize::from(site) < self.sites);
        self.ways.extend(elsewhere.map(|&(site, cost)| Way { extra: extra(home.1, cost), site }));
        let known = self.before.len();
        self.before.extend_from_slice(before);
        let (ways, before) = (start..self.ways.len(), known..self.before.len());
        self.items.push(Item { demand, home: home.0, ways, before });
    }

    /// Where an item may go beside its home.
    pub(super) fn ways(&self, item: &Item) -> &[Way] {
        self.ways.get(item.ways.clone()).unwrap_or(&[])
    }

    /// How much of an item was at which site.
    pub(super) fn before(&self, item: &Item) -> &[(u8, u64)] {
        self.before.get(item.before.clone()).unwrap_or(&[])
    }

    /// True if nothing of an item was at a site.
    pub(super) fn is_new(&self, item: &Item, site: u8) -> bool {
        !self.before(item).iter().any(|&(other, _)| other == site)
    }

    /// Demand of each site when everybody is at home.
    pub(super) fn at_home(&self) -> Vec<u64> {
        let mut loads = vec![0_u64; self.sites];
        for item in &self.items {
            if let Some(load) = loads.get_mut(usize::from(item.home)) {
                *load = load.saturating_add(item.demand);
            }
        }
        loads
    }

    /// The same without costs: what can be placed at all is decided by far fewer items.
    pub(super) fn without_costs(&self) -> Self {
        let mut coarse = Self::new(self.sites);
        let mut known: HashMap<(u8, u128), usize> = HashMap::new();
        for item in &self.items {
            let reach = self.ways(item).iter().fold(0_u128, |mask, way| mask | 1 << way.site);
            if let Some(&at) = known.get(&(item.home, reach)) {
                coarse.items[at].demand = coarse.items[at].demand.saturating_add(item.demand);
                continue;
            }
            known.insert((item.home, reach), coarse.items.len());
            let start = coarse.ways.len();
            coarse.ways.extend(sites_of(reach).map(|site| Way { extra: 1, site }));
            coarse.items.push(Item { ways: start..coarse.ways.len(), before: 0..0, ..item.clone() });
        }
        coarse
    }
}

/// What a site costs more than a home.
fn extra(home: u32, cost: u32) -> u32 {
    cost.saturating_sub(home).saturating_add(1).min(EXTRA_MAX)
}

/// The sites of a set.
pub(super) fn sites_of(set: u128) -> impl Iterator<Item = u8> {
    (0..128_u8).filter(move |&site| set >> site & 1 == 1)
}

/// Who is where.
#[derive(Clone, Debug, Default)]
pub(super) struct Flow {
    /// Of each item, the demand that is not at home, by site.
    pub(super) away: Vec<Vec<(u8, u64)>>,
    /// Demand of each site.
    pub(super) load: Vec<u64>,
    /// Sites that have more than they may, and all that could take some of it if they had room: nothing leaves this set.
    pub(super) stuck: u128,
}

impl Flow {
    /// Everybody at home.
    pub(super) fn at_home(problem: &Problem) -> Self {
        Self { away: vec![Vec::new(); problem.items.len()], load: problem.at_home(), stuck: 0 }
    }

    /// The demand of an item at a site.
    pub(super) fn amount(&self, problem: &Problem, item: usize, site: u8) -> u64 {
        let (Some(of), Some(away)) = (problem.items.get(item), self.away.get(item)) else { return 0 };
        if site == of.home {
            of.demand.saturating_sub(away.iter().map(|&(_, amount)| amount).sum())
        } else {
            away.iter().find(|&&(other, _)| other == site).map_or(0, |&(_, amount)| amount)
        }
    }

    /// Moves demand of an item.
    pub(super) fn shift(&mut self, problem: &Problem, item: usize, from: u8, to: u8, amount: u64) {
        let (Some(of), Some(away)) = (problem.items.get(item), self.away.get_mut(item)) else { return };
        if from != of.home
            && let Some(at) = away.iter().position(|&(site, _)| site == from)
        {
            away[at].1 = away[at].1.saturating_sub(amount);
            if away[at].1 == 0 {
                away.swap_remove(at);
            }
        }
        if to != of.home {
            match away.iter_mut().find(|(site, _)| *site == to) {
                Some((_, sum)) => *sum = sum.saturating_add(amount),
                None => away.push((to, amount)),
            }
        }
        if let Some(load) = self.load.get_mut(usize::from(from)) {
            *load = load.saturating_sub(amount);
        }
        if let Some(load) = self.load.get_mut(usize::from(to)) {
            *load = load.saturating_add(amount);
        }
    }
}

/// How much may be done for one plan, counted in steps, so that the same plan is found however busy the machine is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget(pub(super) u64);

impl Budget {
    /// Takes steps; false when there are none left.
    pub(super) const fn take(&mut self, steps: u64) -> bool {
        self.0 = self.0.saturating_sub(steps);
        self.0 > 0
    }
}
