//! The draws of a member for each bucket: stratified, so that all of them together are spread as evenly as can be.

use std::sync::LazyLock;

use crate::base::hash::mix;

/// How well buckets of a table of `size` suit a member: the bucket goes to the least. The weight is not 0.
///
/// Weighted rendezvous gives a bucket to the least −log(u) / weight, u drawn from 0 to 1. Scores are the logarithm of
/// that, so that a weight is subtracted and the difference of two scores is a factor between weights.
pub(super) fn scores(hash: u64, weight: u32, buckets: &[u16], size: usize) -> Vec<i64> {
    let bits = size.trailing_zeros();
    let order = Order::new(hash, bits);
    let weight = i64::from(log2(u64::from(weight)));
    // Smaller tables draw in the middle of coarser strata.
    let spread = STRATA_BITS.saturating_sub(bits);
    let middle = 1 << spread >> 1;
    let draws = &DRAWS;
    let score = |&bucket: &u16| {
        let stratum = order.stratum(u64::from(bucket)) >> bits.saturating_sub(STRATA_BITS) << spread | middle;
        draws.get(usize::try_from(stratum).unwrap_or(0)).map_or(i64::MAX, |&draw| i64::from(draw) - weight)
    };
    buckets.iter().map(score).collect()
}

/// As many different draws as the largest table has buckets.
const STRATA_BITS: u32 = 12;

/// log₂(−log₂ u) + 26 for u in the middle of each stratum, 26 fractional bits.
static DRAWS: LazyLock<Box<[u32]>> = LazyLock::new(|| {
    // u = (2·stratum + 1) / 2¹³, and −log₂ u is above 2⁻¹³.
    let negative_log = |stratum: u64| u64::from((STRATA_BITS + 1) << FRACTION_BITS) - u64::from(log2(2 * stratum + 1));
    (0..1 << STRATA_BITS).map(|stratum| log2(negative_log(stratum))).collect()
});

const FRACTION_BITS: u32 = 26;

/// log₂ of a number, 26 fractional bits, in integers only; of 0 as of 1.
fn log2(number: u64) -> u32 {
    let number = number.max(1);
    let zeros = number.leading_zeros();
    // The mantissa in [1, 2) with 63 fractional bits; each squaring shows the next bit of its logarithm.
    let mut mantissa = number << zeros;
    let mut log = 63 - zeros;
    for _ in 0..FRACTION_BITS {
        let square = (u128::from(mantissa) * u128::from(mantissa)) >> 63;
        let bit = square >> 64;
        #[expect(clippy::cast_possible_truncation, reason = "below 2^64 after the shift by its own top bit")]
        {
            mantissa = (square >> bit) as u64;
            log = log << 1 | bit as u32;
        }
    }
    log
}

/// The order in which a member meets the strata: a permutation of the numbers of `bits` bits, of its own.
struct Order {
    keys: [u64; 3],
    mask: u64,
    shift: u32,
}

impl Order {
    fn new(hash: u64, bits: u32) -> Self {
        Self { keys: [1, 2, 3].map(|round| mix(hash ^ round)), mask: (1 << bits) - 1, shift: bits.div_ceil(2) }
    }

    /// Each round can be undone: an odd factor, a sum, and the upper half mixed into the lower.
    fn stratum(&self, bucket: u64) -> u64 {
        self.keys.iter().fold(bucket, |number, key| {
            let number = number.wrapping_mul(key | 1).wrapping_add(key >> 32) & self.mask;
            number ^ number >> self.shift
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_logarithm_is_right() {
        for number in [1, 2, 3, 0xffff, 1 << 32, (1 << 63) - 1, 1 << 63, u64::MAX / 3, u64::MAX] {
            #[expect(clippy::cast_precision_loss, reason = "compared to seven digits")]
            let (exact, found) = ((number as f64).log2(), f64::from(log2(number)) / f64::from(1 << FRACTION_BITS));
            assert!((exact - found).abs() < 1e-7, "{number}: {exact} {found}");
        }
        assert_eq!(log2(0), 0);
    }

    #[test]
    fn each_stratum_is_met_once() {
        for bits in [1, 6, 8, 12, 16] {
            for hash in (0..50).map(mix) {
                let order = Order::new(hash, bits);
                let mut met = vec![false; 1 << bits];
                for bucket in 0..1 << bits {
                    let stratum = usize::try_from(order.stratum(bucket)).unwrap();
                    assert!(!std::mem::replace(&mut met[stratum], true), "{bits} bits: {stratum} is met twice");
                }
            }
        }
    }

    #[test]
    fn scores_are_the_logarithm_of_what_rendezvous_compares() {
        let buckets: Vec<u16> = (0..64).collect();
        let of_weight = |weight| scores(mix(7), weight, &buckets, 64);
        let (mut one, eight) = (of_weight(1), of_weight(8));
        assert!(one.iter().zip(&eight).all(|(a, b)| a - b == 3 << FRACTION_BITS));
        one.sort_unstable();
        for (stratum, score) in (0_u32..).zip(one.iter().rev()) {
            let u = (f64::from(stratum * 64 + 32) + 0.5) / 4096.0;
            let exact = (-u.log2()).log2() + f64::from(FRACTION_BITS);
            #[expect(clippy::cast_precision_loss, reason = "compared to five digits")]
            let found = *score as f64 / f64::from(1 << FRACTION_BITS);
            assert!((exact - found).abs() < 1e-5, "{stratum}: {exact} {found}");
        }
    }
}
