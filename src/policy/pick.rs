//! What is left of a policy for the hot path: four kinds of choice among ready answers.
//!
//! Every `balance` is inputs → one of these, at publish. What changes per query needs no shared state: it comes from
//! the lane (a cursor), the client (a hash) or the query (a draw).

use crate::model::Balance;

use super::balance;
use super::buckets::{Buckets, Member, WEIGHT_MAX, endpoint_bucket_count};

/// The endpoints of a region that answer, as indices into `members`: of those that are usable the ones with a
/// weight, and only if there is none of them those of weight 0. An answer is a window of this ring.
#[must_use]
pub fn ring(members: &[Member]) -> Vec<usize> {
    let usable = |weighted: bool| -> Vec<usize> {
        let wanted = |&(_, member): &(usize, &Member)| member.usable && (member.weight > 0) == weighted;
        members.iter().enumerate().filter(wanted).map(|(index, _)| index).collect()
    };
    let weighted = usable(true);
    if weighted.is_empty() { usable(false) } else { weighted }
}

/// How one of several ready answers is chosen. Answers are the windows of a ring: number `i` starts at place `i`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pick {
    /// Always the first.
    Fixed,
    /// Each in its turn: `balance = "round-robin"`.
    Turn {
        /// How many answers there are; not 0.
        len: u16,
    },
    /// By the client's hash: `balance = "hash"`, raises the scope.
    Bucket(Buckets),
    /// By a number drawn from the query: `balance = "weighted"` and `"random"`.
    Draw(Buckets),
}

impl Pick {
    /// The pick for the [`ring()`] of `members`, the endpoints of one type of a service in a region, usable or not;
    /// `loads` is what their load makes of their fair shares ([`balance`]), 0 or nothing where none is fed.
    ///
    /// ```text
    /// balance                 in the ring   → pick
    /// any                     0 or 1          fixed
    /// round-robin             more            turn
    /// weighted                more            draw, by weight
    /// random                  more            draw, alike
    /// hash                    more            bucket, by weight; the buckets of an unusable member go to the others
    /// by load, nobody is fed  more            turn
    /// by load, all alike      more            turn
    /// by load                 more            draw, by fair share × correction
    /// ```
    #[must_use]
    pub fn new(balance: Balance, members: &[Member], loads: &[u16]) -> Self {
        let ring = ring(members);
        let len = u16::try_from(ring.len()).unwrap_or(u16::MAX);
        if len <= 1 {
            return Self::Fixed;
        }
        let weights: Vec<u32> = match balance {
            Balance::RoundRobin => return Self::Turn { len },
            Balance::Weighted | Balance::Hash => members.iter().map(|member| member.weight).collect(),
            Balance::Random => vec![1; members.len()],
            Balance::LeastConnections
            | Balance::WeightedLeastConnections
            | Balance::LeastResponseTime
            | Balance::LeastBandwidth
            | Balance::Custom
            | Balance::LeastRecentlyLoaded => by_load(balance, members, loads),
        };
        // The ring is of one kind: all with a weight, or all without.
        let weightless = ring.iter().all(|&index| members[index].weight == 0);
        let weigh = |member: &Member, weight: u32| match (member.weight == 0, weightless) {
            (false, false) => weight,
            (true, true) => weight.max(1),
            (true, false) | (false, true) => 0,
        };
        let mut own = ring.iter().map(|&index| weights.get(index).copied().unwrap_or(0));
        let first = own.next();
        if balance.is_fed() && own.all(|weight| Some(weight) == first) {
            return Self::Turn { len };
        }
        let weighed: Vec<Member> = members
            .iter()
            .zip(&weights)
            .map(|(member, &weight)| Member { weight: weigh(member, weight), ..*member })
            .collect();
        let buckets = Buckets::assign(&weighed, endpoint_bucket_count(ring.len()));
        match buckets.map(|buckets| buckets.renumbered(&ring)) {
            Some(buckets) if balance == Balance::Hash => Self::Bucket(buckets),
            Some(buckets) => Self::Draw(buckets),
            None => Self::Turn { len },
        }
    }

    /// The number of the answer. `cursor` is the lane's for this service and region and moves on by one when it is
    /// used; `client` is the steering hash of the client; `draw` any 64 well-mixed bits.
    #[inline]
    #[must_use]
    pub fn choose(&self, cursor: &mut u32, client: u64, draw: u64) -> usize {
        match self {
            Self::Fixed => 0,
            Self::Turn { len } => {
                let turn = *cursor;
                *cursor = turn.wrapping_add(1);
                // A wrap of the cursor costs one uneven turn in four billion.
                (turn % u32::from(*len).max(1)) as usize
            }
            // The region was chosen by the upper half of the same hash: the lower half makes an independent choice.
            Self::Bucket(buckets) => buckets.at(client.rotate_left(32)),
            Self::Draw(buckets) => buckets.at(draw),
        }
    }

    /// True if different clients of one place get different answers: the scope must then cover the hashed prefix.
    #[must_use]
    pub const fn depends_on_client(&self) -> bool {
        matches!(self, Self::Bucket(_))
    }
}

/// Fair shares × corrections. Among those that are fed, one that is not gets what is fair.
fn by_load(balance: Balance, members: &[Member], loads: &[u16]) -> Vec<u32> {
    if loads.iter().all(|&load| load == 0) {
        return vec![1; members.len()];
    }
    let correction = |load: u16| u32::from(if load == 0 { balance::EVEN } else { load });
    let weight = |(member, &load): (&Member, &u16)| balance::fair(balance, member.weight) * correction(load);
    members.iter().zip(loads).map(weight).collect()
}

// What `by_load` makes is a weight that buckets take: weights of members go up to 65,535.
const _: () = assert!(65_535 * balance::MOST as u32 <= WEIGHT_MAX);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::hash::mix;

    #[test]
    fn turns_go_round_and_others_leave_the_cursor() {
        let mut cursor = u32::MAX - 1;
        let turns: Vec<usize> = (0..5).map(|_| Pick::Turn { len: 3 }.choose(&mut cursor, 0, 0)).collect();
        assert_eq!(turns, [2, 0, 0, 1, 2]);
        let before = cursor;
        assert_eq!(Pick::Fixed.choose(&mut cursor, 9, 9), 0);
        assert_eq!(cursor, before);
    }

    #[test]
    fn rings_and_picks_of_every_balance() {
        let members = |list: &[(u32, bool)]| -> Vec<Member> {
            let member = |(i, &(weight, usable)): (usize, &(u32, bool))| Member { hash: mix(i as u64), weight, usable };
            list.iter().enumerate().map(member).collect()
        };
        // Index 1 is down, index 2 has no weight.
        let mixed = members(&[(3, true), (1, false), (0, true), (1, true)]);
        assert_eq!(ring(&mixed), [0, 3]);
        let zeros = members(&[(0, true), (5, false), (0, true)]);
        assert_eq!(ring(&zeros), [0, 2]);
        assert_eq!(ring(&members(&[(1, false)])), [] as [usize; 0]);
        let shares = |pick: &Pick| -> [usize; 2] {
            let mut counts = [0; 2];
            (0..4_000).map(mix).for_each(|draw| counts[pick.choose(&mut 0, draw, draw)] += 1);
            counts
        };
        let fed: &[u16] = &[192, 0, 0, 64];
        let (unfed, even, half, zeros_fed): (&[u16], &[u16], &[u16], &[u16]) =
            (&[], &[128, 0, 0, 128], &[64, 0, 0, 0], &[64, 0, 192]);
        for (members, balance, loads, first) in [
            (&mixed, Balance::Weighted, fed, 2_900..3_100),
            (&mixed, Balance::Hash, unfed, 2_900..3_100),
            (&mixed, Balance::Random, unfed, 1_900..2_100),
            (&zeros, Balance::Weighted, unfed, 1_900..2_100),
            (&zeros, Balance::Hash, unfed, 1_900..2_100),
            (&mixed, Balance::LeastConnections, fed, 2_850..3_150),
            (&mixed, Balance::WeightedLeastConnections, fed, 3_450..3_750),
            (&mixed, Balance::WeightedLeastConnections, even, 2_850..3_150),
            (&mixed, Balance::Custom, half, 1_180..1_490),
            (&zeros, Balance::LeastBandwidth, zeros_fed, 850..1_150),
        ] {
            let pick = Pick::new(balance, members, loads);
            let [a, b] = shares(&pick);
            assert!(first.contains(&a) && a + b == 4_000, "{balance:?}: {a} {b}");
            assert_eq!(pick.depends_on_client(), balance == Balance::Hash);
        }
        assert_eq!(Pick::new(Balance::RoundRobin, &mixed, fed), Pick::Turn { len: 2 });
        assert_eq!(Pick::new(Balance::Custom, &mixed, &[]), Pick::Turn { len: 2 });
        assert_eq!(Pick::new(Balance::Custom, &mixed, &[0; 4]), Pick::Turn { len: 2 });
        assert_eq!(Pick::new(Balance::LeastBandwidth, &mixed, &[128; 4]), Pick::Turn { len: 2 });
        assert_eq!(Pick::new(Balance::Hash, &mixed[..2], &[]), Pick::Fixed);
        assert_eq!(Pick::new(Balance::Random, &[], &[]), Pick::Fixed);
    }

    #[test]
    fn the_endpoint_is_independent_of_the_region() {
        let members: Vec<Member> = (0..2).map(|i| Member { hash: mix(i), weight: 1, usable: true }).collect();
        let region = Buckets::assign(&members, 64).unwrap();
        let endpoint = Pick::Bucket(Buckets::assign(&members, 64).unwrap());
        let mut counts = [[0_u32; 2]; 2];
        for client in (0..8_000).map(mix) {
            counts[region.at(client)][endpoint.choose(&mut 0, client, 0)] += 1;
        }
        assert!(counts.iter().flatten().all(|count| (1_800..2_200).contains(count)), "{counts:?}");
    }
}
