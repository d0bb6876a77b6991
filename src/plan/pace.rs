//! How fast a plan becomes true: from what is answered to what is aimed at.
//!
//! ```text
//! what moves                                                   how fast
//! away from a site that may not be answered any more           at once
//! away from a region at or above its max                       at once
//! away from a region that such clients would overfill          at once, as much as they need
//! anything else: above target, on the way back, cheaper        per TTL a tenth of the load of the region it leaves, and
//!                                                              a tenth of the max of the region that receives it
//! ```
//!
//! Of all of it but what moves at once from where nobody may be sent, and what makes room for that, no more than
//! [`Situation::move_max`](super::Situation::move_max) of all clients within a minute (`leash.rs`).
//!
//! A tenth is [`Situation::step_max`](super::Situation::step_max). Clients with a TTL of an hour move as much slower as
//! their caches do. What may move is not saved up. Regions above what they may have go first, then what gains most, which
//! is whoever returns from farthest, and then the least-hurt. Nobody is sent to where there is no room yet.

use super::problem::sites_of;
use super::shares::{Shares, moves, part, share_of};
use super::{WHOLE, levels};

/// A unit that is not answered as it is aimed at.
#[derive(Clone, Debug)]
pub(super) struct Wish {
    /// Its place in the situation.
    pub(super) unit: usize,
    pub(super) demand: u64,
    pub(super) ttl_ms: u64,
    /// Sites that it may be sent to.
    pub(super) usable: u128,
    /// What it is answered, and in the end what it is to be answered next.
    pub(super) shares: Shares,
    pub(super) aim: Shares,
    /// Sites and costs.
    pub(super) costs: Vec<(u8, u32)>,
}

/// What pace goes by for one site, in demand.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ground {
    /// What is placed on it before anything moves.
    pub(super) placed: u64,
    /// What may be placed on it.
    pub(super) limit: u64,
    /// What it must not exceed; `None`: unlimited.
    pub(super) max: Option<u64>,
    /// It is at or above its max, or would be with what is placed on it.
    pub(super) is_urgent: bool,
}

/// What has become of wishes, in demand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Gone {
    /// What has still to move.
    pub(super) pending: u64,
    /// What moved, but for what could not wait.
    pub(super) moved: u64,
    /// What would have moved if more were allowed to.
    pub(super) limited: u64,
}

/// What may still leave and enter each site, in demand × milliseconds of TTL. Below zero when the last share that moved
/// was more than what was left.
#[derive(Clone, Debug, Default)]
pub(super) struct Pace {
    leave: Vec<i128>,
    enter: Vec<i128>,
}

impl Pace {
    /// Numbers sites anew.
    pub(super) fn renumber(&mut self, to: &[Option<u8>], sites: usize) {
        for tokens in [&mut self.leave, &mut self.enter] {
            let mut renumbered = vec![0; sites];
            for (&tokens, to) in tokens.iter().zip(to) {
                if let Some(place) = to.and_then(|to| renumbered.get_mut(usize::from(to))) {
                    *place = tokens;
                }
            }
            *tokens = renumbered;
        }
    }

    /// Moves wishes towards what they aim at, by what has become possible in `elapsed_ms`, and no more than `may` of demand but
    /// for what cannot wait.
    pub(super) fn approach_on(
        &mut self,
        wishes: &mut [Wish],
        ground: &[Ground],
        elapsed_ms: u64,
        step_max: u32,
        may: u64,
    ) -> Gone {
        self.refill(ground, elapsed_ms, step_max);
        let mut march = March::new(wishes, ground, may);
        march.at_once();
        march.make_room();
        march.at_pace(self);
        Gone { pending: march.left(), moved: march.moved, limited: march.limited }
    }

    /// The same without a limit; the demand that has still to move.
    #[cfg(test)]
    pub(super) fn approach(&mut self, wishes: &mut [Wish], ground: &[Ground], elapsed_ms: u64, step_max: u32) -> u64 {
        self.approach_on(wishes, ground, elapsed_ms, step_max, u64::MAX).pending
    }

    fn refill(&mut self, ground: &[Ground], elapsed_ms: u64, step_max: u32) {
        self.leave.resize(ground.len(), 0);
        self.enter.resize(ground.len(), 0);
        let refill = |tokens: &mut i128, load: u64| {
            let part = i128::from(load).saturating_mul(i128::from(elapsed_ms)) / 1_000;
            let more = part.saturating_mul(i128::from(step_max.min(1_000)));
            *tokens = ((*tokens).min(0) + more).min(more);
        };
        for (tokens, ground) in self.leave.iter_mut().zip(ground) {
            refill(tokens, ground.placed);
        }
        for (tokens, ground) in self.enter.iter_mut().zip(ground) {
            refill(tokens, ground.max.unwrap_or(levels::UNLIMITED));
        }
    }
}

/// A part of a unit that goes from one site to another.
#[derive(Clone, Copy, Debug)]
struct Move {
    wish: usize,
    from: u8,
    to: u8,
    share: u16,
    /// What it costs; below zero for those who return.
    cost: i64,
}

struct March<'a> {
    wishes: &'a mut [Wish],
    ground: &'a [Ground],
    /// In the order in which they are to be done.
    moves: Vec<Move>,
    load: Vec<u64>,
    /// What may still move, what has moved, and what was not allowed to.
    may: u64,
    moved: u64,
    limited: u64,
    /// Somebody moved from where nobody may be sent.
    has_loss: bool,
}

impl<'a> March<'a> {
    fn new(wishes: &'a mut [Wish], ground: &'a [Ground], may: u64) -> Self {
        let mut found = Vec::new();
        for (number, wish) in wishes.iter().enumerate() {
            let cost = |site: u8| {
                wish.costs.iter().find(|&&(other, _)| other == site).map_or(i64::MAX / 4, |&(_, cost)| i64::from(cost))
            };
            let moves = moves(&wish.shares, &wish.aim).into_iter();
            found.extend(moves.map(|(from, to, share)| Move {
                wish: number,
                from,
                to,
                share,
                cost: cost(to).saturating_sub(cost(from)),
            }));
        }
        found.sort_by_key(|found| (found.cost, found.wish, found.from, found.to));
        let load = ground.iter().map(|ground| ground.placed).collect();
        Self { wishes, ground, moves: found, load, may, moved: 0, limited: 0, has_loss: false }
    }

    /// What waits for nothing.
    fn at_once(&mut self) {
        for at in 0..self.moves.len() {
            let Move { wish, from, .. } = self.moves[at];
            let is_lost = self.wishes[wish].usable >> from & 1 == 0;
            if is_lost {
                self.has_loss = true;
                self.go(at, u64::MAX);
            } else if self.ground[usize::from(from)].is_urgent {
                self.go_on_leash(at, u64::MAX);
            }
        }
    }

    /// Regions that were sent more than they may have pass on what was there before.
    fn make_room(&mut self) {
        // A chain has no more links than there are sites.
        for _ in 0..self.ground.len() {
            let over = sites_of(u128::MAX).take(self.ground.len()).filter(|&site| self.overfilled(site) > 0);
            let over = over.fold(0_u128, |mask, site| mask | 1 << site);
            let mut has_moved = false;
            for at in 0..self.moves.len() {
                let from = self.moves[at].from;
                if over >> from & 1 == 1 {
                    let amount = self.overfilled(from);
                    // What a failure pushes out of its place is part of it.
                    let gone = if self.has_loss { self.go(at, amount) } else { self.go_on_leash(at, amount) };
                    has_moved |= gone > 0;
                }
            }
            if !has_moved {
                break;
            }
        }
    }

    /// What a site was sent beyond what it may have and had.
    fn overfilled(&self, site: u8) -> u64 {
        let at = usize::from(site);
        self.load[at].saturating_sub(self.ground[at].limit.max(self.ground[at].placed))
    }

    /// What waits for its turn.
    fn at_pace(&mut self, pace: &mut Pace) {
        for only_over in [true, false] {
            for at in 0..self.moves.len() {
                let Move { wish, from, to, .. } = self.moves[at];
                let (from, to) = (usize::from(from), usize::from(to));
                if only_over && self.ground[from].placed <= self.ground[from].limit {
                    continue;
                }
                let ttl = i128::from(self.wishes[wish].ttl_ms.max(1));
                let tokens = pace.leave[from].min(pace.enter[to]).max(0);
                // What exchanges places has to begin somewhere.
                let slack = self.ground[to].limit / 64;
                let room = self.ground[to].limit.saturating_add(slack).saturating_sub(self.load[to]);
                let amount = u64::try_from((tokens / ttl).min(room.into())).unwrap_or(0);
                if tokens > 0 && room > 0 {
                    let spent = i128::from(self.go_on_leash(at, amount.max(1))).saturating_mul(ttl);
                    pace.leave[from] = pace.leave[from].saturating_sub(spent);
                    pace.enter[to] = pace.enter[to].saturating_sub(spent);
                }
            }
        }
    }

    /// Does a move as far as the minute allows; what has moved.
    fn go_on_leash(&mut self, at: usize, amount: u64) -> u64 {
        let Move { wish, share, .. } = self.moves[at];
        let wanted = part(self.wishes[wish].demand, share.into()).min(amount);
        let gone = self.go(at, amount.min(self.may));
        self.moved = self.moved.saturating_add(gone);
        self.limited = self.limited.saturating_add(if self.may < wanted { wanted.saturating_sub(gone) } else { 0 });
        if self.may != u64::MAX {
            self.may = self.may.saturating_sub(gone);
        }
        gone
    }

    /// Does a move, up to an amount, rounded up to a share; what has moved.
    fn go(&mut self, at: usize, amount: u64) -> u64 {
        let Move { wish, from, to, share, .. } = self.moves[at];
        let wish = &mut self.wishes[wish];
        if amount == 0 || share == 0 {
            return 0;
        }
        let whole = u128::from(amount) * u128::from(WHOLE);
        let shares = whole.div_ceil(u128::from(wish.demand.max(1)));
        let moved = u16::try_from(shares).unwrap_or(share).min(share);
        shift(&mut wish.shares, from, to, moved);
        self.moves[at].share -= moved;
        let amount = part(wish.demand, moved.into());
        self.load[usize::from(from)] = self.load[usize::from(from)].saturating_sub(amount);
        self.load[usize::from(to)] = self.load[usize::from(to)].saturating_add(amount);
        amount
    }

    /// The demand that has still to move.
    fn left(&self) -> u64 {
        let left = self.moves.iter().map(|left| part(self.wishes[left.wish].demand, left.share.into()));
        left.fold(0, u64::saturating_add)
    }
}

/// Moves a share from one site to another.
fn shift(shares: &mut Shares, from: u8, to: u8, share: u16) {
    if share_of(shares, to) == 0 {
        let place = shares.partition_point(|&(site, _)| site < to);
        shares.insert(place, (to, 0));
    }
    for (site, of_site) in &mut *shares {
        if *site == from {
            *of_site = of_site.saturating_sub(share);
        } else if *site == to {
            *of_site = of_site.saturating_add(share);
        }
    }
    shares.retain(|&(_, share)| share > 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    const TTL_MS: u64 = 30_000;

    fn ground(placed: u64, limit: u64, max: u64) -> Ground {
        Ground { placed, limit, max: Some(max), is_urgent: placed >= max }
    }

    /// A unit of 1,000 answers with a TTL of 30 s.
    fn wish(shares: &[(u8, u16)], aim: &[(u8, u16)]) -> Wish {
        Wish {
            unit: 0,
            demand: 1_000,
            ttl_ms: TTL_MS,
            usable: 0b1111,
            shares: shares.to_vec(),
            aim: aim.to_vec(),
            costs: vec![(0, 0), (1, 100), (2, 200), (3, 300)],
        }
    }

    fn moved(wishes: &[Wish], site: u8) -> u64 {
        wishes.iter().map(|wish| part(wish.demand, share_of(&wish.shares, site).into())).sum()
    }

    #[test]
    fn a_tenth_moves_per_ttl() {
        let mut pace = Pace::default();
        let mut wishes = [Wish { demand: 1_000_000, ..wish(&[(0, WHOLE)], &[(1, WHOLE)]) }];
        let mut placed = 1_000_000;
        for second in 1..=30 {
            let ground = [ground(placed, 800_000, 2_000_000), ground(1_000_000 - placed, 10_000_000, 20_000_000)];
            let left = pace.approach(&mut wishes, &ground, 1_000, 100);
            placed = moved(&wishes, 0);
            assert!(left.abs_diff(placed) <= 1, "{left}");
            // A little less as the region has less to give; to the next share, which is 1/65,535 of it.
            let expected = 1_000_000 - second * 100_000 / 30;
            assert!(placed + 20 >= expected && placed <= expected + 5_000, "{second}: {placed} of {expected}");
        }
    }

    #[test]
    fn a_receiver_takes_a_tenth_of_its_max() {
        let mut pace = Pace::default();
        let mut wishes = [wish(&[(0, WHOLE)], &[(1, WHOLE)])];
        let ground = [ground(1_000, 800, 2_000), ground(0, 80, 100)];
        pace.approach(&mut wishes, &ground, TTL_MS, 100);
        assert!((9..=11).contains(&moved(&wishes, 1)), "{wishes:?}");
    }

    #[test]
    fn at_or_above_max_nothing_waits() {
        let mut wishes = [wish(&[(0, WHOLE)], &[(0, WHOLE / 2), (1, WHOLE - WHOLE / 2)])];
        let ground = [ground(1_000, 500, 1_000), ground(0, 800, 1_000)];
        assert_eq!(Pace::default().approach(&mut wishes, &ground, 0, 100), 0);
        assert_eq!(wishes[0].shares, wishes[0].aim);
    }

    #[test]
    fn what_is_lost_moves_at_once() {
        let mut wishes = [wish(&[(0, WHOLE)], &[(1, WHOLE)])];
        wishes[0].usable = 0b10;
        let ground = [ground(1_000, 5_000, 6_000), ground(0, 800, 1_000)];
        assert_eq!(Pace::default().approach(&mut wishes, &ground, 0, 100), 0);
    }

    #[test]
    fn room_is_made_for_those_who_cannot_wait() {
        // 0 is at its max and sends half to 1, which is full: as many of its own go on to 2.
        let half = vec![(1, WHOLE / 2), (2, WHOLE - WHOLE / 2)];
        let mut wishes = [wish(&[(0, WHOLE)], &[(0, WHOLE / 2), (1, WHOLE - WHOLE / 2)]), wish(&[(1, WHOLE)], &half)];
        let ground = [ground(1_000, 500, 1_000), ground(1_000, 1_000, 1_250), ground(0, 1_000, 1_250)];
        let left = Pace::default().approach(&mut wishes, &ground, 0, 100);
        assert!(left <= 1, "{left}: {wishes:?}");
    }

    #[test]
    fn nobody_is_sent_where_there_is_no_room_yet() {
        let mut wishes = [wish(&[(0, WHOLE)], &[(1, WHOLE)])];
        let ground = [ground(1_000, 800, 2_000), ground(1_000, 900, 100_000)];
        Pace::default().approach(&mut wishes, &ground, TTL_MS, 100);
        assert_eq!(wishes[0].shares, [(0, WHOLE)]);
    }

    #[test]
    fn what_fails_is_not_limited_and_what_is_said_to_be_full_is() {
        let ground = [ground(1_000, 500, 1_000), ground(0, 8_000, 10_000)];
        let mut wishes = [wish(&[(0, WHOLE)], &[(1, WHOLE)])];
        let gone = Pace::default().approach_on(&mut wishes, &ground, TTL_MS, 1_000, 200);
        assert!((199..=201).contains(&moved(&wishes, 1)), "{wishes:?}");
        assert!(gone.moved.abs_diff(200) <= 1 && gone.limited >= 799, "{gone:?}");
        let mut wishes = [wish(&[(0, WHOLE)], &[(1, WHOLE)])];
        wishes[0].usable = 0b10;
        let gone = Pace::default().approach_on(&mut wishes, &ground, TTL_MS, 1_000, 200);
        assert_eq!(gone, Gone::default());
    }

    #[test]
    fn what_is_not_used_is_not_saved() {
        let mut pace = Pace::default();
        let ground = [ground(1_000, 800, 2_000), ground(0, 10_000, 20_000)];
        for _ in 0..10 {
            pace.approach(&mut [], &ground, TTL_MS, 100);
        }
        let mut wishes = [wish(&[(0, WHOLE)], &[(1, WHOLE)])];
        pace.approach(&mut wishes, &ground, TTL_MS, 100);
        assert!((99..=101).contains(&moved(&wishes, 1)), "{wishes:?}");
    }
}
