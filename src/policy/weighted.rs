//! Active-active: the first tier with an eligible region, and the shares among it.

use crate::base::ids::RegionId;

/// The part of the answer that clients of one class share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tier {
    /// Which tier, from 0 (the best).
    pub rank: usize,
    /// Its eligible regions; not empty.
    pub eligible: u128,
}

/// The first tier that has an eligible region.
///
/// ```text
/// tiers        eligible   → rank  among
/// {a b} {c}    a b c        0     a b
/// {a b} {c}      b c        0     b       no help from below while one of the tier is left
/// {a b} {c}        c        1     c
/// {a b} {c}                 none          the caller decides by when_all_down
/// ```
#[must_use]
pub fn first_tier(tiers: &[u128], eligible: u128) -> Option<Tier> {
    tiers
        .iter()
        .map(|tier| tier & eligible)
        .enumerate()
        .find(|&(_, left)| left != 0)
        .map(|(rank, eligible)| Tier { rank, eligible })
}

/// The members of `regions` (with their weights) that take part in a split of a tier: those with a weight, and only
/// if none of them is eligible those of weight 0, as equals.
///
/// ```text
/// weights      eligible   → shares
/// a2 b1        a b          a ⅔  b ⅓
/// a2 b1          b          b 1
/// a2 b1 c0     a b c        a ⅔  b ⅓       weight 0 stays out …
/// a2 b1 c0         c        c 1            … until all others are gone
/// a2 c0 d0         c d      c ½  d ½
/// ```
#[must_use]
pub fn members(regions: &[(RegionId, u32)], eligible: u128) -> Vec<(RegionId, u32)> {
    let is_eligible = |region: RegionId| eligible >> region.index() & 1 == 1;
    if regions.iter().any(|&(region, weight)| weight > 0 && is_eligible(region)) {
        regions.iter().copied().filter(|&(_, weight)| weight > 0).collect()
    } else {
        regions.iter().copied().filter(|&(_, weight)| weight == 0).map(|(region, _)| (region, 1)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mask(letters: &str) -> u128 {
        letters.bytes().fold(0, |mask, letter| mask | 1 << (letter - b'a'))
    }

    #[test]
    fn the_first_tier_with_an_eligible_region_is_taken() {
        let tiers = [mask("ab"), mask("c")];
        for (eligible, expected) in [
            ("abc", Some((0, "ab"))),
            ("bc", Some((0, "b"))),
            ("c", Some((1, "c"))),
            ("", None),
            // Not in any tier: fenced out.
            ("d", None),
        ] {
            let expected = expected.map(|(rank, left)| Tier { rank, eligible: mask(left) });
            assert_eq!(first_tier(&tiers, mask(eligible)), expected, "{eligible}");
        }
    }

    #[test]
    fn weight_zero_waits_for_the_others() {
        let weights = |list: &[(char, u32)]| -> Vec<(RegionId, u32)> {
            list.iter().map(|&(letter, weight)| (RegionId(letter as u8 - b'a'), weight)).collect()
        };
        let all = weights(&[('a', 2), ('b', 1), ('c', 0), ('d', 0)]);
        // A member that is not eligible stays in the list: its buckets, and only its, go to the others.
        assert_eq!(members(&all, mask("abc")), weights(&[('a', 2), ('b', 1)]));
        assert_eq!(members(&all, mask("bc")), weights(&[('a', 2), ('b', 1)]));
        assert_eq!(members(&all, mask("c")), weights(&[('c', 1), ('d', 1)]));
        assert_eq!(members(&[], 0), []);
    }
}
