//! Active-passive: one region for everybody.

use crate::base::ids::RegionId;

/// The active region: the first eligible one of the service's `order`, or the one held active while it is eligible.
///
/// `held` is the region that control keeps active although a better one may be eligible again (failback not due, or
/// by hand). Regions outside `order` are never answered. `None`: nothing in `order` is eligible.
///
/// ```text
/// order    eligible   held   → active
/// a b c    a b c      -        a
/// a b c      b c      -        b        primary lost: the first eligible in order
/// a b c        c      -        c
/// a b c               -        none     the caller decides by when_all_down
/// a b c    a b c      b        b        a is back; failback is not due
/// a b c    a   c      b        a        the held one is lost: as if nothing were held
/// a b        b c      c        b        held, but no longer in the order
/// ```
#[must_use]
pub fn active(order: &[RegionId], eligible: u128, held: Option<RegionId>) -> Option<RegionId> {
    let allowed = |region: &RegionId| eligible >> region.index() & 1 == 1;
    held.filter(|region| allowed(region) && order.contains(region)).or_else(|| order.iter().copied().find(allowed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_truth_table_holds() {
        let id = |letter: char| RegionId(u8::try_from(u32::from(letter) - u32::from('a')).unwrap());
        for (order, eligible, held, active_region) in [
            ("abc", "abc", None, Some('a')),
            ("abc", "bc", None, Some('b')),
            ("abc", "c", None, Some('c')),
            ("abc", "", None, None),
            ("abc", "abc", Some('b'), Some('b')),
            ("abc", "ac", Some('b'), Some('a')),
            ("ab", "bc", Some('c'), Some('b')),
        ] {
            let order: Vec<RegionId> = order.chars().map(id).collect();
            let mask = eligible.chars().fold(0, |mask, letter| mask | 1 << id(letter).index());
            assert_eq!(active(&order, mask, held.map(id)), active_region.map(id), "{order:?} {eligible} {held:?}");
        }
    }
}
