//! The policy `all`: every eligible endpoint of every eligible region, in one answer.

use crate::base::ids::RegionId;
use crate::base::limits;

/// The regions that together make the answer, in id order.
///
/// ```text
/// regions   eligible   → answered
/// a b c     a b c        a b c
/// a b c       b          b
/// a b c                  nothing: the caller decides by when_all_down
/// ```
pub fn regions(members: u128, eligible: u128) -> impl Iterator<Item = RegionId> {
    let both = members & eligible;
    (0..limits::REGIONS_MAX)
        .filter(move |index| both >> index & 1 == 1)
        .filter_map(|index| u8::try_from(index).ok().map(RegionId))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_eligible_region_takes_part() {
        for (members, eligible, answered) in [
            (0b111, 0b111, vec![0, 1, 2]),
            (0b111, 0b010, vec![1]),
            (0b111, 0, vec![]),
            (1 << 127, u128::MAX, vec![127]),
        ] {
            let found: Vec<u8> = regions(members, eligible).map(|region| region.0).collect();
            assert_eq!(found, answered);
        }
    }
}
