//! What steers: it changes when enough has changed, and no faster than it may.
//!
//! Estimates are never still. What steers keeps its numbers until one is off by the dead band, its order until a region is
//! better by the margin ([`ordered`]), and its pace: within ten minutes networks of no more than a part of all that is measured
//! may change their best region, what gains most first; groups follow their networks. Whoever forges measurements, or breaks what
//! measures, gets no further than that before somebody has seen it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::base::limits::LATENCY_MOVES_MIN;
use crate::base::moment::Moment;
use crate::geo::{Deviation, Estimate, Group, Measured, Row, ordered};

use super::estimate::Known;
use super::measurement::ClientNetwork;
use super::rows::{Fresh, expected};
use super::store::Home;
use super::survey::{Settings, Site};

/// What is published keeps its number while the estimate is no further off, microseconds…
const DEAD_BAND_US: u32 = 1_500;
/// … or part of a hundred of itself.
const DEAD_BAND_PERCENT: u32 = 4;
/// The window of the bound on moves.
const WINDOW_MS: u64 = 600_000;
/// Numbers that have changed without moving anybody are published after this: the plan counts with them.
const REFRESH_MS: u64 = 60_000;

/// What steers.
#[derive(Clone, Debug, Default)]
pub(super) struct Published {
    rows: BTreeMap<Group, Kept>,
    /// When what part of all changed its best region, in millionths.
    moves: VecDeque<(Moment, u64)>,
    last: Option<Moment>,
    /// Something differs from what was handed out last.
    is_changed: bool,
    /// What is known comes from an earlier process: clients are where it has them.
    pub(super) is_restored: bool,
    /// Networks that may not change their best region yet.
    pub(super) waiting: usize,
    /// Changes of the best region since the start.
    pub(super) moved: u64,
}

/// A row, and what is kept beside it.
#[derive(Clone, Debug, Default)]
pub(super) struct Kept {
    pub(super) row: Row,
    /// As the clients of its home have it.
    pub(super) order: Box<[u8]>,
    pub(super) home: Home,
    weight: f64,
    is_network: bool,
}

/// A change of the best region that is wished for.
struct Move {
    group: Group,
    /// `None`: nothing is known any more.
    kept: Option<Kept>,
    gain_us: u32,
    weight: f64,
}

/// What of its networks' round trips each region is the best of, by group and region.
type Tally = BTreeMap<(u32, u8), f64>;

impl Published {
    /// Takes what is fresh, as far as it may. `None`: nothing is to be published.
    pub(super) fn step(
        &mut self,
        now: Moment,
        fresh: Vec<Fresh>,
        sites: &[Site],
        settings: &Settings,
    ) -> Option<Arc<Measured>> {
        let total: f64 = fresh.iter().filter(|fresh| fresh.is_network).map(|fresh| fresh.weight).sum();
        let (networks, groups): (Vec<Fresh>, Vec<Fresh>) = fresh.into_iter().partition(|fresh| fresh.is_network);
        let mut before = std::mem::take(&mut self.rows);
        let mut moves = Vec::new();
        for network in &networks {
            moves.extend(self.renew(network, before.remove(&network.group), sites, settings));
        }
        let forgotten: Vec<Group> =
            before.iter().filter(|(_, old)| old.is_network).map(|(group, _)| group.clone()).collect();
        for group in forgotten {
            let Some(old) = before.remove(&group) else { continue };
            if old.order.first() == by_distance(&old.home, sites).first() {
                self.is_changed = true;
                continue;
            }
            let weight = old.weight;
            self.rows.insert(group.clone(), old);
            moves.push(Move { group, kept: None, gain_us: 0, weight });
        }
        let mut has_moved = self.go(now, moves, total, settings);
        let mut tally = Tally::new();
        for network in &networks {
            let best = self.rows.get(&network.group).and_then(|kept| kept.order.first().copied());
            for (group, best) in network.groups.iter().filter_map(|group| Some((*group, best?))) {
                *tally.entry((group, best)).or_default() += network.weight;
            }
        }
        for group in &groups {
            let old = before.remove(&group.group);
            let (kept, _) = next(group, old.as_ref(), sites, settings);
            if is_agreed(&kept, group, &tally) {
                has_moved |= old.as_ref().is_none_or(|old| old.order.first() != kept.order.first());
                self.is_changed |= old.is_none_or(|old| old.row != kept.row);
                self.rows.insert(group.group.clone(), kept);
            } else {
                let existed = old.is_some();
                let agreed = old.filter(|old| is_agreed(old, group, &tally));
                self.is_changed |= existed && agreed.is_none();
                self.rows.extend(agreed.map(|old| (group.group.clone(), old)));
            }
        }
        self.is_changed |= !before.is_empty();
        let is_due = self.last.is_none_or(|last| now.0.saturating_sub(last.0) >= REFRESH_MS);
        if !(has_moved || self.is_changed && is_due) {
            return None;
        }
        (self.last, self.is_changed) = (Some(now), false);
        let regions = sites.iter().map(|site| Arc::clone(&site.key)).collect();
        let rows = self.rows.iter().map(|(group, kept)| (group.clone(), kept.row.clone())).collect();
        Some(Arc::new(Measured::new(regions, settings.margin, rows)))
    }

    /// Puts the next row of a group in place of the old one, unless another region is best: then that is wished for. Regions
    /// behind the best change places as they like: no client moves by it, and at the start they do so for nearly all
    /// networks, which would use up the pace for hours.
    fn renew(&mut self, fresh: &Fresh, old: Option<Kept>, sites: &[Site], settings: &Settings) -> Option<Move> {
        let (kept, gain_us) = next(fresh, old.as_ref(), sites, settings);
        let usual = old.as_ref().map_or_else(|| nearest_first(&fresh.expected), |old| old.order.clone());
        let group = fresh.group.clone();
        if kept.order.first() == usual.first() {
            self.is_changed |= old.is_none_or(|old| old.row != kept.row);
            self.rows.insert(group, kept);
            return None;
        }
        self.rows.extend(old.map(|old| (group.clone(), old)));
        Some(Move { group, kept: Some(kept), gain_us, weight: fresh.weight })
    }

    /// Lets networks change their best region as far as they may, what gains most first; true if any does.
    fn go(&mut self, now: Moment, mut moves: Vec<Move>, total: f64, settings: &Settings) -> bool {
        while self.moves.front().is_some_and(|(at, _)| now.0.saturating_sub(at.0) > WINDOW_MS) {
            self.moves.pop_front();
        }
        let is_restored = std::mem::take(&mut self.is_restored) && !moves.is_empty();
        moves.sort_by(|a, b| b.gain_us.cmp(&a.gain_us).then_with(|| a.group.cmp(&b.group)));
        let most = u64::from(settings.max_move) * 10_000;
        let mut spent = self.moves.iter().map(|(_, part)| part).sum::<u64>();
        self.waiting = 0;
        let mut has_moved = false;
        for wished in moves {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast of floats saturates")]
            let part = (wished.weight * 1e6 / total.max(1.0)) as u64;
            if !(is_restored || self.moves.len() < LATENCY_MOVES_MIN || spent + part <= most) {
                self.waiting += 1;
                continue;
            }
            if !is_restored {
                spent += part;
                self.moves.push_back((now, part));
                self.moved += 1;
            }
            has_moved = true;
            self.take(wished);
        }
        has_moved
    }

    fn take(&mut self, Move { group, kept, .. }: Move) {
        match kept {
            Some(kept) => _ = self.rows.insert(group, kept),
            None => _ = self.rows.remove(&group),
        }
    }

    /// Regions have other numbers: rows are made anew.
    pub(super) fn renumber(&mut self, new_of: &[Option<u8>], len: usize) {
        let renewed = |order: &[u8]| -> Box<[u8]> {
            order.iter().filter_map(|old| new_of.get(usize::from(*old)).copied().flatten()).collect()
        };
        for kept in self.rows.values_mut() {
            kept.order = renewed(&kept.order);
            kept.row.order = renewed(&kept.row.order);
            let mut deviations = vec![None; len];
            for (old, new) in kept.row.deviations.iter().zip(new_of) {
                if let Some(slot) = new.and_then(|new| deviations.get_mut(usize::from(new))) {
                    *slot = *old;
                }
            }
            kept.row.deviations = deviations.into();
        }
        self.is_changed = true;
    }

    /// What steers clients of a network that was measured.
    pub(super) fn network(&self, client: ClientNetwork) -> Option<&Kept> {
        let (address, length) = client.network();
        self.rows.get(&Group::Network(address, length))
    }

    /// Bytes it takes, about.
    pub(super) fn size(&self) -> usize {
        let of_row = |kept: &Kept| kept.row.deviations.len() * size_of::<Option<Deviation>>() + kept.order.len() * 2;
        // What was handed out is a copy.
        let of_copy = size_of::<(Group, Row)>();
        self.rows.values().map(|kept| size_of::<(Group, Kept)>() * 3 / 2 + of_copy + 2 * of_row(kept)).sum()
    }
}

/// A group speaks for those of it who were not measured while more than half of what was measured of it goes where it would
/// send them: so it is bound by the same pace, no network alone moves a country, and a country on two coasts, or a carrier whose
/// networks have little in common, leaves them to a group around it.
fn is_agreed(kept: &Kept, group: &Fresh, tally: &Tally) -> bool {
    let of = |best: u8| group.groups.first().and_then(|number| tally.get(&(*number, best))).copied().unwrap_or(0.0);
    kept.order.first().is_some_and(|best| of(*best) * 2.0 > group.weight)
}

/// The regions by what distance lets expect.
pub(super) fn by_distance(home: &Home, sites: &[Site]) -> Box<[u8]> {
    nearest_first(&sites.iter().map(|site| expected(home, site)).collect::<Vec<u32>>())
}

fn nearest_first(expected: &[u32]) -> Box<[u8]> {
    let mut regions: Vec<(u32, u8)> = expected.iter().copied().zip(0..=u8::MAX).collect();
    regions.sort_unstable();
    regions.into_iter().map(|(_, region)| region).collect()
}

/// The next row of a group, and what its first region is better by than the one before, microseconds.
fn next(fresh: &Fresh, old: Option<&Kept>, sites: &[Site], settings: &Settings) -> (Kept, u32) {
    let kept = |at: usize| *old?.row.deviations.get(at)?;
    let ways = fresh.ways.iter().zip(sites).zip(&*fresh.expected).enumerate();
    let deviations: Vec<Option<Deviation>> = ways
        .map(|(at, ((way, site), expected_us))| {
            let is_known = way.is_measured || site.coordinates.is_some();
            is_known.then(|| steady(way, fresh.is_network, *expected_us, kept(at)))
        })
        .collect();
    let before = old.map_or_else(|| nearest_first(&fresh.expected), |old| old.order.clone());
    let estimate = |region: u8| {
        let at = usize::from(region);
        let expected_us = fresh.expected.get(at).copied().unwrap_or(u32::MAX);
        Estimate::new(expected_us, deviations.get(at).copied().flatten())
    };
    let ranked = before
        .iter()
        .chain((0..=u8::MAX).take(sites.len()).filter(|region| !before.contains(region)).collect::<Vec<_>>().iter())
        .map(|&region| (region, estimate(region)))
        .collect::<Vec<_>>();
    let ranked = ordered(&ranked, settings.margin);
    let order: Box<[u8]> = ranked.iter().map(|(region, _)| *region).collect();
    let us = |region: Option<&u8>| region.map_or(0, |region| estimate(*region).us);
    let gain_us = us(before.first()).saturating_sub(us(order.first()));
    // A group is at many places, each with an order of its own.
    let row =
        Row { deviations: deviations.into(), order: if fresh.is_network { order.clone() } else { Box::default() } };
    (Kept { row, order, home: fresh.home.clone(), weight: fresh.weight, is_network: fresh.is_network }, gain_us)
}

/// What is estimated, unless what is kept is as good.
fn steady(way: &Known, is_network: bool, expected_us: u32, kept: Option<Deviation>) -> Deviation {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast of floats saturates")]
    let fresh = {
        // Of a group nobody is the middle.
        let scatter = if is_network && way.is_measured { 0.0 } else { way.scatter * way.scatter };
        Deviation { us: way.us.round() as i32, error_us: (way.variance + scatter).sqrt().round() as u32 }
    };
    let Some(kept) = kept else { return fresh };
    let estimate = expected_us.saturating_add_signed(fresh.us);
    let band = DEAD_BAND_US.max(estimate / 100 * DEAD_BAND_PERCENT);
    let is_as_sure = fresh.error_us <= kept.error_us * 3 / 2 && kept.error_us <= fresh.error_us * 3 / 2 + DEAD_BAND_US;
    if fresh.us.abs_diff(kept.us) <= band && is_as_sure { kept } else { fresh }
}
