//! All regions solved together: successive shortest paths.
//!
//! Beginning with everybody at home, where no demand costs anything extra, demand is sent from a region that has too much
//! along the path that costs least to one that has room, as much as fits, until none has too much. A step of a path may
//! displace others: the excess of `fra` goes to `ams` and clients of `ams` move on to `lon`, if that costs less than
//! sending those of `fra` to `lon`. Each stage is the cheapest way to place what it has placed (no cycle of moves makes
//! it cheaper), so the last one is the cheapest of all.
//!
//! The graph has a node for each region, not for each client. The way from `a` to `b` costs what it costs the least-hurt
//! of those that are at `a` and may go to `b`; a heap for each pair keeps them in order. Heaps are made when a path first
//! leads through `a`, which it does only if `a` is full; an entry whose item has left `a` is thrown away when it comes up.
//!
//! Shortest paths are Dijkstra's over costs reduced by potentials (Johnson), which are the distances found before: so
//! costs that are negative, of clients that move back towards their home, do not matter.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::problem::{Budget, EXTRA_MAX, Flow, Problem, sites_of};

/// Places everybody so that no site has more than its cap, at the least cost; what can't be placed stays, and is said to
/// be stuck. `None` if that takes more than the budget.
pub(super) fn solve(problem: &Problem, caps: &[u64], budget: &mut Budget) -> Option<Flow> {
    let mut search = Search::new(problem, caps);
    while search.has_excess() {
        if !search.find(budget) {
            return None;
        }
        let Some(end) = search.end else {
            search.flow.stuck = search.settled;
            break;
        };
        // The first time in any case, so that each search gets somewhere.
        let mut has_moved = search.augment(end, true);
        if !has_moved {
            return None;
        }
        while has_moved {
            if !budget.take(1) {
                return None;
            }
            has_moved = search.augment(end, false);
        }
    }
    Some(search.flow)
}

/// An item at a site, as a candidate for another: cost (plus [`EXTRA_MAX`]), whether the other had none of it before,
/// and the item, in one number that orders them.
type Candidate = Reverse<u64>;

struct Search<'a> {
    problem: &'a Problem,
    caps: &'a [u64],
    flow: Flow,
    /// For each pair of sites, those at the first that may go to the second; nothing where no path led to the first.
    heaps: Vec<Option<Vec<BinaryHeap<Candidate>>>>,
    /// Items whose home is the site: those that are there in the beginning.
    natives: Vec<Vec<u32>>,
    /// Items that have come to the site from elsewhere.
    arrived: Vec<Vec<u32>>,
    potentials: Vec<i64>,
    /// The potential of having found room.
    goal: i64,
    /// Of the last search: distances, the site before on the path, and the sites whose distance is final.
    distances: Vec<i64>,
    previous: Vec<Option<u8>>,
    settled: u128,
    /// Where the path ends.
    end: Option<u8>,
}

const FAR: i64 = i64::MAX;

impl<'a> Search<'a> {
    fn new(problem: &'a Problem, caps: &'a [u64]) -> Self {
        let sites = problem.sites;
        let mut natives = vec![Vec::new(); sites];
        for (number, item) in (0_u32..).zip(&problem.items) {
            if let Some(natives) = natives.get_mut(usize::from(item.home)) {
                natives.push(number);
            }
        }
        Self {
            problem,
            caps,
            flow: Flow::at_home(problem),
            heaps: vec![None; sites],
            natives,
            arrived: vec![Vec::new(); sites],
            potentials: vec![0; sites],
            goal: 0,
            distances: vec![FAR; sites],
            previous: vec![None; sites],
            settled: 0,
            end: None,
        }
    }

    fn excess(&self, site: usize) -> u64 {
        self.flow.load[site].saturating_sub(self.caps[site])
    }

    fn room(&self, site: usize) -> u64 {
        self.caps[site].saturating_sub(self.flow.load[site])
    }

    fn has_excess(&self) -> bool {
        (0..self.problem.sites).any(|site| self.excess(site) > 0)
    }

    /// Finds the cheapest path from a site with too much to one with room; false if the budget is used up.
    fn find(&mut self, budget: &mut Budget) -> bool {
        self.distances.fill(FAR);
        self.previous.fill(None);
        (self.settled, self.end) = (0, None);
        for site in 0..self.problem.sites {
            if self.excess(site) > 0 {
                self.distances[site] = -self.potentials[site];
            }
        }
        let mut shortest = FAR;
        while let Some(site) = self.nearest() {
            let distance = self.distances[usize::from(site)];
            if distance >= shortest {
                break;
            }
            self.settled |= 1 << site;
            if self.room(usize::from(site)) > 0 {
                let whole = distance + self.potentials[usize::from(site)] - self.goal;
                if whole < shortest {
                    (shortest, self.end) = (whole, Some(site));
                }
                continue;
            }
            if !self.expand(site, distance, budget) {
                return false;
            }
        }
        if self.end.is_some() {
            for site in 0..self.problem.sites {
                self.potentials[site] += self.distances[site].min(shortest);
            }
            self.goal += shortest;
        }
        true
    }

    /// The site with the least distance that is not final; of equals the first.
    fn nearest(&self) -> Option<u8> {
        let open = sites_of(!self.settled).take_while(|&site| usize::from(site) < self.problem.sites);
        let reached = open.filter(|&site| self.distances[usize::from(site)] < FAR);
        reached.min_by_key(|&site| (self.distances[usize::from(site)], site))
    }

    /// Follows all ways that lead on from a full site.
    fn expand(&mut self, site: u8, distance: i64, budget: &mut Budget) -> bool {
        if !self.open(site, budget) {
            return false;
        }
        for to in 0..self.problem.sites {
            let Some((cost, _)) = self.cheapest(site, to) else { continue };
            let reduced = cost + self.potentials[usize::from(site)] - self.potentials[to];
            // Never negative as reckoned; if it were, the path would be longer than it need be, and nothing worse.
            let reached = distance.saturating_add(reduced.max(0));
            if self.settled >> to & 1 == 0 && reached < self.distances[to] {
                self.distances[to] = reached;
                self.previous[to] = Some(site);
            }
        }
        budget.take(self.problem.sites as u64)
    }

    /// Makes the heaps of a site.
    fn open(&mut self, site: u8, budget: &mut Budget) -> bool {
        let at = usize::from(site);
        if self.heaps[at].is_some() {
            return true;
        }
        let mut lists: Vec<Vec<Candidate>> = vec![Vec::new(); self.problem.sites];
        let mut steps = 0;
        for &item in self.natives[at].iter().chain(&self.arrived[at]) {
            if self.flow.amount(self.problem, item as usize, site) > 0 {
                steps += self.offer(item, site, |to, candidate| lists[usize::from(to)].push(candidate));
            }
        }
        self.heaps[at] = Some(lists.into_iter().map(BinaryHeap::from).collect());
        budget.take(steps)
    }

    /// An item at a site as a candidate for all other sites it may go to; how many those are.
    fn offer(&self, number: u32, site: u8, mut put: impl FnMut(u8, Candidate)) -> u64 {
        let Some(item) = self.problem.items.get(number as usize) else { return 0 };
        let ways = self.problem.ways(item);
        let here = extra_at(self.problem, number as usize, site);
        let home = (item.home != site).then_some((0, item.home));
        let others = ways.iter().filter(|way| way.site != site).map(|way| (way.extra, way.site));
        let mut count = 0;
        for (extra, to) in home.into_iter().chain(others) {
            let cost = u64::from(EXTRA_MAX + extra - here);
            let is_new = u64::from(self.problem.is_new(item, to));
            put(to, Reverse(cost << 32 | is_new << 31 | u64::from(number)));
            count += 1;
        }
        count
    }

    /// What the way from a site to another costs, and the item that takes it.
    fn cheapest(&mut self, site: u8, to: usize) -> Option<(i64, u32)> {
        let heap = self.heaps.get_mut(usize::from(site))?.as_mut()?.get_mut(to)?;
        loop {
            let &Reverse(top) = heap.peek()?;
            #[expect(clippy::cast_possible_truncation, reason = "the lower 31 bits are the item")]
            let item = top as u32 & (u32::MAX >> 1);
            if self.flow.amount(self.problem, item as usize, site) > 0 {
                let cost = i64::try_from(top >> 32).unwrap_or(0) - i64::from(EXTRA_MAX);
                return Some((cost, item));
            }
            heap.pop();
        }
    }

    /// Sends what fits along the path that was found; false if nothing does, or if it is not as short as that any more,
    /// unless it `is_new`.
    fn augment(&mut self, end: u8, is_new: bool) -> bool {
        let mut steps = Vec::new();
        let mut amount = self.room(usize::from(end));
        let mut to = end;
        while let Some(from) = self.previous[usize::from(to)] {
            let Some((cost, item)) = self.cheapest(from, usize::from(to)) else { return false };
            if !is_new && cost + self.potentials[usize::from(from)] != self.potentials[usize::from(to)] {
                return false;
            }
            amount = amount.min(self.flow.amount(self.problem, item as usize, from));
            steps.push((item, from, to));
            to = from;
        }
        amount = amount.min(self.excess(usize::from(to)));
        if amount == 0 {
            return false;
        }
        // From the end on: each step makes the room that the step before it takes.
        for (item, from, to) in steps {
            let is_new = self.flow.amount(self.problem, item as usize, to) == 0;
            self.flow.shift(self.problem, item as usize, from, to, amount);
            if is_new {
                self.arrive(item, to);
            }
        }
        true
    }

    /// An item that was not at a site has come there.
    fn arrive(&mut self, item: u32, site: u8) {
        let at = usize::from(site);
        let Some(mut heaps) = self.heaps[at].take() else {
            self.arrived[at].push(item);
            return;
        };
        self.offer(item, site, |to, candidate| heaps[usize::from(to)].push(candidate));
        self.heaps[at] = Some(heaps);
    }
}

/// What an item costs at a site more than at home.
fn extra_at(problem: &Problem, item: usize, site: u8) -> u32 {
    let Some(item) = problem.items.get(item) else { return 0 };
    let way = problem.ways(item).iter().find(|way| way.site == site);
    way.map_or(0, |way| way.extra)
}
