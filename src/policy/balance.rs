//! What is fed → weights: among the endpoints of a region, and among regions that are equals.
//!
//! DNS does not choose for a connection. It chooses for a cache, which sends what it likes to that address until the TTL
//! ends. A rule that always names whoever has the least to do at this moment therefore sends everybody to one place for
//! as long as a TTL, and the next time to another: the herd that hard limits are known for. So a rule here never picks.
//! It shares out, and four things keep its shares calm:
//!
//! - **Fair shares are the rule, load corrects them.** An endpoint's *correction* is what its cost stands to the others';
//!   at equal costs it is 1, and the costs alone decide, so that a rule can be worked out by hand.
//! - **Bounds.** A correction is [`LEAST`] to [`MOST`]: nobody gets more than twice its fair share, however idle it says
//!   it is, and nobody less than a quarter. A server that answers errors fast looks idle; health checks are for that.
//! - **Easing.** Shares follow what is fed with a time constant of two TTLs: before that, caches have hardly heard of the
//!   last change.
//! - **Holding.** What is published is rounded, and stays until what it should be is an eighth away from it: small
//!   changes of a metric change nothing, no ring is made anew, and nobody moves. Then it goes half the way.
//!
//! **The loop.** What is fed answers to what is published. Connections and bandwidth are in proportion to shares and shares to
//! 1 ÷ these: a gain of 1. The free part of a region's target has a gain of at most 3 up to the target ([`cost_of_load`] says
//! how), and more only where all are above. `tests.rs` lets such loops run behind caches of a TTL, at 40 % to 90 % of the
//! targets: with feeds that lag up to a TTL behind all settle within minutes. Going the whole way in place of half of it they
//! swing for ever; so they do, by a few percent, with feeds that lag by two TTLs at 90 %. Response times that rise all at
//! once near the limit of a server have no bounded gain: there the bounds alone hold.
//!
//! Who is not fed gets its fair share: what the others get on average. If nobody is fed there are no corrections.
//!
//! All of it is integers, and the order of those who share decides nothing.

use std::time::Duration;

use crate::model::{Balance, METRIC_BANDWIDTH, METRIC_CONNECTIONS, METRIC_RESPONSE_MS, Term};

/// A correction of 1, as it is published.
pub const EVEN: u16 = 128;
/// The least correction: a quarter of the fair share.
pub const LEAST: u16 = EVEN / 4;
/// The greatest correction: twice the fair share.
pub const MOST: u16 = EVEN * 2;

/// The unit in which corrections are reckoned, in that in which they are published.
const FINE: u32 = 512;
/// A correction of 1 in the reckoning.
pub const FAIR: u32 = EVEN as u32 * FINE;

/// One of those who share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// What it gets when all cost the same, in proportion to the others'; not 0.
    pub fair: u32,
    /// What it costs to send it more, the less the better; `None`: nobody knows.
    pub cost: Option<u64>,
}

/// The corrections of fair shares, in 1/[`FAIR`]; `None` if nothing is known of anybody.
///
/// A correction is in proportion to 1 ÷ cost, within the bounds; and the corrections of those that are known leave them
/// together what is fair.
///
/// ```text
/// fair    cost           → corrections     shares
/// 1 1     10 10            1    1          50 50
/// 1 1     10 30            1½   ½          75 25
/// 1 1     1 1000           1¾   ¼          87 12      a quarter of what is fair stays
/// 1 1 1   1 1000 1000      2    ½ ½        67 17 17   nobody gets more than twice what is fair
/// 3 1     10 10            1    1          75 25
/// 1 1 1   10 30 ?          1½   ½ 1        50 17 33
/// 1 1     ? ?              none
/// ```
#[must_use]
pub fn corrections(candidates: &[Candidate]) -> Option<Vec<u32>> {
    let most = candidates.iter().filter_map(|candidate| candidate.cost).max()?;
    // What is left of the greatest cost can be multiplied with any correction.
    let shift = (u64::BITS - most.leading_zeros()).saturating_sub(COST_BITS);
    let scaled = |cost: u64| (cost >> shift).max(1);
    let known: Vec<(u64, u64)> =
        candidates.iter().filter_map(|candidate| Some((u64::from(candidate.fair), scaled(candidate.cost?)))).collect();
    let fair: u64 = known.iter().map(|(fair, _)| fair * u64::from(FAIR)).sum();
    let is_enough =
        |level: u64| known.iter().map(|&(fair, cost)| fair * u64::from(correction(level, cost))).sum::<u64>() >= fair;
    // The least level at which they get together what is fair. At this one each gets the most there is.
    let (mut low, mut high) = (0, scaled(most) * u64::from(MOST) * u64::from(FINE));
    while low < high {
        let middle = low + (high - low) / 2;
        if is_enough(middle) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    Some(candidates.iter().map(|candidate| candidate.cost.map_or(FAIR, |cost| correction(low, scaled(cost)))).collect())
}

/// Bits of a cost that count.
const COST_BITS: u32 = 46;
const _: () = assert!((MOST as u64 * FINE as u64) << COST_BITS <= 1 << 63);

/// The correction for a cost at a level: the cost of those that get what is fair.
fn correction(level: u64, cost: u64) -> u32 {
    let bounded = (level / cost).clamp(u64::from(LEAST) * u64::from(FINE), u64::from(MOST) * u64::from(FINE));
    u32::try_from(bounded).unwrap_or(FAIR)
}

/// What is fair for an endpoint of this weight.
#[must_use]
pub fn fair(balance: Balance, weight: u32) -> u32 {
    if balance == Balance::WeightedLeastConnections { weight.max(1) } else { 1 }
}

/// What an endpoint costs, from its metrics in thousandths. A metric that is not fed makes it unknown.
///
/// ```text
/// balance                      fair        cost
/// least-connections            alike       connections + 1
/// weighted-least-connections   by weight   connections ÷ weight + 1
/// least-response-time          alike       response_ms + 1
/// least-bandwidth              alike       bandwidth
/// custom                       alike       the sum of metric × what `custom` says it counts
/// least-recently-loaded        alike       1 ÷ time without an increase of load: see [`Rest`]
/// others                       not by cost
/// ```
#[must_use]
pub fn cost(balance: Balance, weight: u32, terms: &[Term], metric: impl Fn(&str) -> Option<u64>) -> Option<u64> {
    match balance {
        Balance::LeastConnections => Some(metric(METRIC_CONNECTIONS)?.saturating_add(ONE)),
        Balance::WeightedLeastConnections => {
            // Weights go up to 65,535: what is divided by them must have been multiplied before.
            let parts = |value: u64| value.saturating_mul(1 << 16);
            Some((parts(metric(METRIC_CONNECTIONS)?) / u64::from(weight.max(1))).saturating_add(parts(ONE)))
        }
        Balance::LeastResponseTime => Some(metric(METRIC_RESPONSE_MS)?.saturating_add(ONE)),
        Balance::LeastBandwidth => metric(METRIC_BANDWIDTH),
        Balance::Custom => {
            let counts = |term: &Term| Some(metric(&term.metric)?.saturating_mul(term.counts) / ONE);
            terms.iter().map(counts).try_fold(0_u64, |sum, value| Some(sum.saturating_add(value?)))
        }
        Balance::LeastRecentlyLoaded | Balance::RoundRobin | Balance::Weighted | Balance::Random | Balance::Hash => {
            None
        }
    }
}

/// Metrics are in thousandths.
const ONE: u64 = 1_000;

/// How long an endpoint's load has not increased, for `least-recently-loaded`.
///
/// ```text
/// load                                   → the rest
/// first value                              begins
/// above the last mark by more than 1/16    begins anew, and this is the mark
/// below the mark                           goes on, and this is the mark
/// else                                     goes on: noise is no increase
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rest {
    mark: u64,
    /// Milliseconds on the caller's clock.
    since_ms: u64,
}

impl Rest {
    /// The first value.
    #[must_use]
    pub const fn new(now_ms: u64, load: u64) -> Self {
        Self { mark: load, since_ms: now_ms }
    }

    /// After another value.
    #[must_use]
    pub const fn noted(self, now_ms: u64, load: u64) -> Self {
        if load > self.mark.saturating_add(self.mark / 16) {
            Self::new(now_ms, load)
        } else if load < self.mark {
            Self { mark: load, ..self }
        } else {
            self
        }
    }

    /// The cost: the longer the rest, the less. Ten seconds count in any case, for values come in steps of seconds; a day
    /// is as good as for ever.
    #[must_use]
    pub fn cost(&self, now_ms: u64) -> u64 {
        const DAY_MS: u64 = 86_400_000;
        (1 << COST_BITS) / (now_ms.saturating_sub(self.since_ms).min(DAY_MS) + 10_000)
    }
}

/// What a region costs by its load: 1 ÷ the part of its target that is free.
///
/// A region without room is not shut at once: from three quarters of the target on, its part falls more slowly, and to no
/// less than 1/16 at `max`. Where every region is above its target, they share by what is left below `max`; and nowhere
/// does a little more load make a much smaller share, which would make everybody swing.
///
/// ```text
/// load         0    target ÷ 2   target × ¾   …                          max and above
/// free part    1    1/2          1/4          in a line between the two  1/16
/// ```
#[must_use]
pub fn cost_of_load(load: u64, target: u64, max: u64) -> u64 {
    const WHOLE: u128 = 1 << 16;
    let (load, target, max) = (u128::from(load), u128::from(target.max(1)), u128::from(max));
    let knee = target * 3 / 4;
    let free = if load <= knee {
        WHOLE - load * WHOLE / target
    } else {
        let band = max.saturating_sub(knee).max(1);
        let left = max.saturating_sub(load).min(band);
        WHOLE / 16 + left * (WHOLE / 4 - WHOLE / 16) / band
    };
    u64::try_from((WHOLE * WHOLE * ONE as u128) / free.max(1)).unwrap_or(u64::MAX)
}

/// What a region costs by the time its servers take, milliseconds in thousandths.
///
/// ```text
/// time    0    9 ms   99 ms
/// cost    1    10     100
/// ```
#[must_use]
pub const fn cost_of_time(time: u64) -> u64 {
    time.saturating_add(ONE)
}

/// The corrections of one group, as time goes by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Course {
    steps: Vec<Eased>,
    /// What was published last was on the way to something else.
    is_moving: bool,
    /// How long ago that was.
    quiet: Duration,
}

/// The correction of one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Eased {
    /// On its way to what is wanted, in 1/[`FAIR`].
    pub now: u32,
    /// As it is published, in 1/[`EVEN`].
    pub held: u16,
}

impl Default for Eased {
    fn default() -> Self {
        Self { now: FAIR, held: EVEN }
    }
}

impl Course {
    /// The course of so many, or of those that were under way before.
    #[must_use]
    pub fn new(members: impl IntoIterator<Item = Eased>) -> Self {
        Self { steps: members.into_iter().collect(), is_moving: false, quiet: Duration::ZERO }
    }

    /// All of them, in order.
    #[must_use]
    pub fn members(&self) -> &[Eased] {
        &self.steps
    }

    /// True if all have what is fair.
    #[must_use]
    pub fn is_even(&self) -> bool {
        self.steps.iter().all(|step| step.held == EVEN)
    }

    /// All begin again at what is fair.
    pub fn reset(&mut self) {
        self.steps.fill(Eased::default());
        self.is_moving = false;
    }

    /// Goes on towards what is wanted; true if something else is to be published.
    ///
    /// ```text
    /// all are within 1/8 of what is published             nothing changes
    /// one is not                                          all are published anew: half the way, in six significant bits
    /// … then all arrive, and `over` has passed, and
    ///     all are within 1/16                             it is over
    ///     one is not                                      all are published anew: half the way
    /// ```
    ///
    /// Half the way, because what is fed answers to what is published: whoever gets more will cost more. The whole way
    /// would go as far beyond the point where both agree as it was before it, and back again, for ever.
    pub fn step(&mut self, wanted: &[u32], elapsed: Duration, over: Duration) -> bool {
        for (step, &wanted) in self.steps.iter_mut().zip(wanted) {
            step.now = ease(step.now, wanted, elapsed, over);
        }
        self.quiet = self.quiet.saturating_add(elapsed);
        if self.is_within(8) {
            let has_arrived = self.is_moving && self.quiet >= over && self.is_there(wanted);
            if !has_arrived || self.is_within(16) {
                self.is_moving &= !has_arrived;
                return false;
            }
        }
        (self.is_moving, self.quiet) = (true, Duration::ZERO);
        let mut differs = false;
        for step in &mut self.steps {
            let held = rounded(step.now.midpoint(u32::from(step.held) * FINE));
            differs |= held != step.held;
            step.held = held;
        }
        differs
    }

    /// True if another step towards this would bring nothing.
    #[must_use]
    pub fn is_settled(&self, wanted: &[u32]) -> bool {
        !self.is_moving && self.is_there(wanted)
    }

    /// True if nobody is a part of `1 / part` away from what is published.
    fn is_within(&self, part: u32) -> bool {
        let is_near = |step: &Eased| {
            let held = u32::from(step.held) * FINE;
            step.now.abs_diff(held) <= held / part
        };
        self.steps.iter().all(is_near)
    }

    fn is_there(&self, wanted: &[u32]) -> bool {
        self.steps.iter().zip(wanted).all(|(step, wanted)| step.now.abs_diff(*wanted) <= wanted / 64)
    }
}

/// Where a value is after `elapsed` on its way: a share of the way that is left, as of a thing that takes `over` for most
/// of it.
fn ease(from: u32, to: u32, elapsed: Duration, over: Duration) -> u32 {
    let ms = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX).min(1 << 40);
    let way = i64::from(to) - i64::from(from);
    let gone = way * ms(elapsed) / (ms(elapsed) + ms(over)).max(1);
    u32::try_from(i64::from(from) + gone).unwrap_or(to)
}

/// A correction in the published unit.
fn rounded(correction: u32) -> u16 {
    u16::try_from(coarse(correction) / FINE).unwrap_or(EVEN).clamp(LEAST, MOST)
}

/// A number in six significant bits: off by 1/64 at most.
#[must_use]
pub const fn coarse(number: u32) -> u32 {
    let grid = 1_u32 << (u32::BITS - number.leading_zeros()).saturating_sub(6);
    number.saturating_add(grid / 2) / grid * grid
}

#[cfg(test)]
mod tests;
