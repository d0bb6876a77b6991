//! What steers: it changes when enough has changed, and no faster than it may.
//!
//! Estimates are never still. What steers keeps its numbers until one is off by the dead band, its order until a region is
//! better by the margin ([`ordered`]), and its pace: within ten minutes no more than a part of all that is measured may change the
//! best region of any service, what gains most first, and as much get an equal of it; groups go where their networks are.
//! Whoever forges measurements, or breaks what measures, gets no further than that before somebody has seen it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::base::moment::Moment;
use crate::geo::{Deviation, Estimate, Group, Measured, Row, ordered};

use super::estimate::Known;
use super::measurement::ClientNetwork;
use super::pace::{Pace, Totals};
use super::rows::{Fresh, expected, groups_around};
use super::steered::{Answered, Change, Steered};
use super::store::Home;
use super::survey::{Settings, Site};

/// What is published keeps its number while the estimate is no further off, microseconds…
const DEAD_BAND_US: u32 = 1_500;
/// … or part of a hundred of itself.
const DEAD_BAND_PERCENT: u32 = 4;
/// Numbers that have changed without moving anybody are published after this: the plan counts with them.
const REFRESH_MS: u64 = 60_000;

/// What steers.
#[derive(Clone, Debug, Default)]
pub(super) struct Published {
    rows: BTreeMap<Group, Kept>,
    /// Networks that changed their best region lately.
    bests: Pace,
    /// Networks whose best region got equals lately.
    equals: Pace,
    totals: Totals,
    last: Option<Moment>,
    /// Something differs from what was handed out last.
    is_changed: bool,
    /// Where networks were sent by an earlier process: going back there moves nobody.
    restored: BTreeMap<Group, u8>,
    /// Networks that would change their best region, and may not yet.
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
    is_network: bool,
}

/// What rows are made by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules<'a> {
    pub(super) sites: &'a [Site],
    pub(super) steered: &'a [Steered],
    pub(super) settings: &'a Settings,
}

/// A change of where clients are sent that is wished for.
struct Move {
    group: Group,
    /// `None`: nothing is known any more.
    kept: Option<Kept>,
    gain_us: u32,
    change: Change,
}

/// What its networks weigh of which a region is the best, and how many these are, by group and region.
type Tally = BTreeMap<(u32, u8), (f64, usize)>;

impl Kept {
    /// The same, with this region before all others.
    fn sent_to(mut self, best: u8) -> Self {
        let others = self.order.iter().copied().filter(|region| *region != best);
        self.order = std::iter::once(best).chain(others).collect();
        self.row.order = self.order.clone();
        self
    }
}

impl Published {
    /// Takes what is fresh, as far as it may. `None`: nothing is to be published.
    pub(super) fn step(&mut self, now: Moment, fresh: Vec<Fresh>, rules: Rules<'_>) -> Option<Arc<Measured>> {
        let (networks, groups): (Vec<Fresh>, Vec<Fresh>) = fresh.into_iter().partition(|fresh| fresh.is_network);
        let mut before = std::mem::take(&mut self.rows);
        let mut has_moved = self.step_networks(now, &networks, &mut before, rules);
        has_moved |= self.step_groups(&groups, &networks, &mut before, rules);
        self.is_changed |= !before.is_empty();
        let is_due = self.last.is_none_or(|last| now.0.saturating_sub(last.0) >= REFRESH_MS);
        if !(has_moved || self.is_changed && is_due) {
            return None;
        }
        (self.last, self.is_changed) = (Some(now), false);
        let regions = rules.sites.iter().map(|site| Arc::clone(&site.key)).collect();
        let rows = self.rows.iter().map(|(group, kept)| (group.clone(), kept.row.clone())).collect();
        Some(Arc::new(Measured::new(regions, rules.settings.margin, rows)))
    }

    /// Takes what is fresh of networks: at once where nobody is sent to another region by it, and else as far as that may
    /// change; true if somebody is. Regions behind those that are answered change places as they like: at the start they do so
    /// for nearly all networks, which would use up the pace for hours.
    fn step_networks(
        &mut self,
        now: Moment,
        networks: &[Fresh],
        before: &mut BTreeMap<Group, Kept>,
        rules: Rules<'_>,
    ) -> bool {
        let mut moves = Vec::new();
        let mut restored = std::mem::take(&mut self.restored);
        for fresh in networks {
            let group = fresh.group.clone();
            let old = before.remove(&group);
            self.is_changed |= old.is_none();
            let old = old.unwrap_or_else(|| {
                let inherited = inherited(before, &group, &fresh.home, rules);
                match restored.remove(&group) {
                    Some(best) => inherited.sent_to(best),
                    None => inherited,
                }
            });
            let (kept, gain_us) = next(fresh, Some(&old), rules);
            let change = change(&old, &kept, &fresh.expected, rules);
            if change == Change::Nothing {
                self.is_changed |= old.row != kept.row;
                self.rows.insert(group, kept);
            } else {
                self.rows.insert(group.clone(), old);
                moves.push(Move { group, kept: Some(kept), gain_us, change });
            }
        }
        let is_network = |(group, kept): (&Group, &Kept)| kept.is_network.then(|| group.clone());
        for group in before.iter().filter_map(is_network).collect::<Vec<Group>>() {
            let Some(old) = before.remove(&group) else { continue };
            let expected: Vec<u32> = rules.sites.iter().map(|site| expected(&old.home, site)).collect();
            let change = change(&old, &inherited(before, &group, &old.home, rules), &expected, rules);
            if change == Change::Nothing {
                self.is_changed = true;
                continue;
            }
            self.rows.insert(group.clone(), old);
            moves.push(Move { group, kept: None, gain_us: 0, change });
        }
        let total = networks.iter().map(|fresh| fresh.weight).sum();
        let total = self.totals.least(now, total);
        let most = match rules.settings.max_move {
            100.. => f64::INFINITY,
            part => total * f64::from(part) / 100.0,
        };
        self.go(now, moves, most)
    }

    /// Takes what is fresh of groups, as far as their networks agree; true if the best region of one changes.
    fn step_groups(
        &mut self,
        groups: &[Fresh],
        networks: &[Fresh],
        before: &mut BTreeMap<Group, Kept>,
        rules: Rules<'_>,
    ) -> bool {
        let mut tally = Tally::new();
        for network in networks {
            let best = self.rows.get(&network.group).and_then(|kept| kept.order.first().copied());
            for (group, best) in network.groups.iter().filter_map(|group| Some((*group, best?))) {
                let (weight, count) = tally.entry((group, best)).or_default();
                (*weight, *count) = (*weight + network.weight, *count + 1);
            }
        }
        let mut has_moved = false;
        for group in groups {
            let old = before.remove(&group.group);
            let (kept, _) = next(group, old.as_ref(), rules);
            if is_agreed(&kept, group, &tally) {
                has_moved |= old.as_ref().is_none_or(|old| old.order.first() != kept.order.first());
                self.is_changed |= old.is_none_or(|old| old.row != kept.row);
                self.rows.insert(group.group.clone(), kept);
            } else if let Some(old) = old {
                match is_agreed(&old, group, &tally) {
                    true => _ = self.rows.insert(group.group.clone(), old),
                    false => self.is_changed = true,
                }
            }
        }
        has_moved
    }

    /// Lets networks be sent elsewhere as far as they may, what gains most first: true if any is.
    fn go(&mut self, now: Moment, mut moves: Vec<Move>, most: f64) -> bool {
        moves.sort_by(|a, b| b.gain_us.cmp(&a.gain_us).then_with(|| a.group.cmp(&b.group)));
        self.waiting = 0;
        let mut has_moved = false;
        for wished in moves {
            let is_best = wished.change == Change::Best;
            // What becomes an equal gains nobody anything: it takes no room from what does.
            let pace = if is_best { &mut self.bests } else { &mut self.equals };
            if pace.takes(now, most) {
                self.moved += u64::from(is_best);
                has_moved = true;
                self.take(wished);
            } else {
                self.waiting += usize::from(is_best);
            }
        }
        has_moved
    }

    fn take(&mut self, Move { group, kept, .. }: Move) {
        match kept {
            Some(kept) => _ = self.rows.insert(group, kept),
            None => _ = self.rows.remove(&group),
        }
    }

    /// Where an earlier process sent a network.
    pub(super) fn restore(&mut self, client: ClientNetwork, best: u8) {
        let (address, length) = client.network();
        self.restored.insert(Group::Network(address, length), best);
    }

    /// Networks that are not sent to the region that distance alone would choose, and where they are sent.
    pub(super) fn elsewhere(&self, sites: &[Site]) -> impl Iterator<Item = (&Group, u8)> {
        self.rows.iter().filter_map(|(group, kept)| {
            let best = *kept.order.first().filter(|_| kept.is_network)?;
            (by_distance(&kept.home, sites).first() != Some(&best)).then_some((group, best))
        })
    }

    /// What was handed out last is no longer what is to steer, whatever is measured.
    pub(super) const fn touch(&mut self) {
        (self.is_changed, self.last) = (true, None);
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

/// A group speaks for those of it who were not measured while more than half of what was measured of it, and more than one
/// network, goes where it would send them: so it is bound by the same pace, no network alone moves a country, and a country on
/// two coasts, or a carrier whose networks have little in common, leaves them to a group around it.
fn is_agreed(kept: &Kept, group: &Fresh, tally: &Tally) -> bool {
    let of = |best: &u8| group.groups.first().and_then(|number| tally.get(&(*number, *best)));
    let agreed = kept.order.first().and_then(of);
    agreed.is_some_and(|(weight, networks)| *networks > 1 && weight * 2.0 > group.weight)
}

/// What steers clients of a network that is not measured itself: the row of the least published group that it is in.
fn inherited(
    published: &BTreeMap<Group, Kept>,
    network: &Group,
    home: &Home,
    Rules { sites, settings, .. }: Rules<'_>,
) -> Kept {
    // Of whom no place is known, nothing is known that all have in common.
    let is_meant = |group: &Group| *group != Group::World || home.coordinates.is_some();
    let around = groups_around(network, home).filter(is_meant).find_map(|group| published.get(&group));
    let deviations = around.map_or_else(|| vec![None; sites.len()].into(), |kept| kept.row.deviations.clone());
    let way = |&region: &u8| {
        let at = usize::from(region);
        let expected_us = sites.get(at).map_or(u32::MAX, |site| expected(home, site));
        (region, Estimate::new(expected_us, deviations.get(at).copied().flatten()))
    };
    let ways: Vec<(u8, Estimate)> = by_distance(home, sites).iter().map(way).collect();
    let order: Box<[u8]> = ordered(&ways, settings.margin).into_iter().map(|(region, _)| region).collect();
    Kept { row: Row { deviations, order: order.clone() }, order, home: home.clone(), is_network: true }
}

/// What it changes for the clients of a network if this row follows that one.
fn change(old: &Kept, kept: &Kept, expected: &[u32], rules: Rules<'_>) -> Change {
    let answered = |steered: Steered, kept: &Kept| -> Answered {
        let estimate = |region: u8| {
            let at = usize::from(region);
            let deviation = kept.row.deviations.get(at).copied().flatten();
            Estimate::new(expected.get(at).copied().unwrap_or(u32::MAX), deviation)
        };
        steered.answered(&kept.order, estimate, rules.settings.margin)
    };
    let changes =
        rules.steered.iter().map(|steered| Change::between(answered(*steered, old), answered(*steered, kept)));
    changes.max().unwrap_or(Change::Nothing)
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
fn next(fresh: &Fresh, old: Option<&Kept>, Rules { sites, settings, .. }: Rules<'_>) -> (Kept, u32) {
    let kept = |at: usize| *old?.row.deviations.get(at)?;
    let ways = fresh.ways.iter().zip(sites).zip(&*fresh.expected).enumerate();
    let deviations: Vec<Option<Deviation>> = ways
        .map(|(at, ((way, site), expected_us))| {
            let is_known = way.is_measured || site.coordinates.is_some();
            is_known.then(|| steady(way, *expected_us, kept(at)))
        })
        .collect();
    let before = old.map_or_else(|| nearest_first(&fresh.expected), |old| old.order.clone());
    let estimate = |region: u8| {
        let at = usize::from(region);
        let expected_us = fresh.expected.get(at).copied().unwrap_or(u32::MAX);
        Estimate::new(expected_us, deviations.get(at).copied().flatten())
    };
    let missing = (0..=u8::MAX).take(sites.len()).filter(|region| !before.contains(region));
    let ranked: Vec<(u8, Estimate)> =
        before.iter().copied().chain(missing).map(|region| (region, estimate(region))).collect();
    let ranked = ordered(&ranked, settings.margin);
    let order: Box<[u8]> = ranked.iter().map(|(region, _)| *region).collect();
    let us = |region: Option<&u8>| region.map_or(0, |region| estimate(*region).us);
    let gain_us = us(before.first()).saturating_sub(us(order.first()));
    // A group is at many places, each with an order of its own.
    let row =
        Row { deviations: deviations.into(), order: if fresh.is_network { order.clone() } else { Box::default() } };
    (Kept { row, order, home: fresh.home.clone(), is_network: fresh.is_network }, gain_us)
}

/// What is estimated, unless what is kept is as good.
fn steady(way: &Known, expected_us: u32, kept: Option<Deviation>) -> Deviation {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast of floats saturates")]
    let fresh = {
        // Nobody is the middle of a group; a way that was measured itself has no scatter.
        let variance = way.variance + way.scatter * way.scatter;
        Deviation { us: way.us.round() as i32, error_us: variance.sqrt().round() as u32 }
    };
    let Some(kept) = kept else { return fresh };
    let estimate = expected_us.saturating_add_signed(fresh.us);
    let band = DEAD_BAND_US.max(estimate / 100 * DEAD_BAND_PERCENT);
    let is_as_sure = fresh.error_us <= kept.error_us * 3 / 2 && kept.error_us <= fresh.error_us * 3 / 2 + DEAD_BAND_US;
    if fresh.us.abs_diff(kept.us) <= band && is_as_sure { kept } else { fresh }
}
