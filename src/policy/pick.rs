//! What is left of a policy for the hot path: four kinds of choice among ready answers.
//!
//! Every `balance` is inputs → one of these, at publish. What changes per query needs no shared state: it comes from
//! the lane (a cursor), the client (a hash) or the query (a draw).

use crate::policy::buckets::Buckets;

/// How one of several ready answers is chosen. Answers are the windows of a ring: number `i` starts at endpoint `i`.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::hash::mix;
    use crate::policy::buckets::Member;

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
