//! Shares: how a unit is divided among sites, in 1/65,535.

use super::WHOLE;

/// Site and share, by site, none of them zero.
pub(super) type Shares = Vec<(u8, u16)>;

/// Divides `whole` by weights that are given by site, exactly: what rounding leaves over goes where most was cut off.
/// Nothing if no weight is above zero.
pub(super) fn divide(weights: &[(u8, u64)], whole: u16) -> Shares {
    let total: u128 = weights.iter().map(|&(_, weight)| u128::from(weight)).sum();
    if total == 0 {
        return Vec::new();
    }
    let mut left = whole;
    let mut cut = Vec::with_capacity(weights.len());
    for &(site, weight) in weights {
        let exact = u128::from(weight) * u128::from(whole);
        // A part of `whole`, which is a u16.
        let share = u16::try_from(exact / total).unwrap_or(whole).min(left);
        left -= share;
        cut.push((exact % total, site, share));
    }
    // What is left over is less than one for each of them.
    cut.sort_unstable_by_key(|&(rest, site, _)| (std::cmp::Reverse(rest), site));
    for (_, _, share) in cut.iter_mut().take(usize::from(left)) {
        *share += 1;
    }
    cut.sort_unstable_by_key(|&(_, site, _)| site);
    cut.into_iter().filter(|&(.., share)| share > 0).map(|(_, site, share)| (site, share)).collect()
}

/// The share of a site.
pub(super) fn share_of(shares: &[(u8, u16)], site: u8) -> u16 {
    shares.iter().find(|&&(other, _)| other == site).map_or(0, |&(_, share)| share)
}

/// The part of `demand` that a share is, rounded down.
pub(super) fn part(demand: u64, share: u32) -> u64 {
    let part = u128::from(demand) * u128::from(share) / u128::from(WHOLE);
    u64::try_from(part).unwrap_or(u64::MAX)
}

/// What has to move to come from some shares to others: from, to and share. What both have stays; of the rest each
/// giver gives to the receivers in the order of sites.
pub(super) fn moves(from: &[(u8, u16)], to: &[(u8, u16)]) -> Vec<(u8, u8, u16)> {
    let surplus = |of: &[(u8, u16)], other: &[(u8, u16)]| -> Shares {
        let over = of.iter().map(|&(site, share)| (site, share.saturating_sub(share_of(other, site))));
        over.filter(|&(_, share)| share > 0).collect()
    };
    let (givers, receivers) = (surplus(from, to), surplus(to, from));
    let mut receivers = receivers.into_iter();
    let mut receiver = receivers.next();
    let mut found = Vec::new();
    for (giver, mut gives) in givers {
        while let Some((site, takes)) = receiver.as_mut() {
            let moved = gives.min(*takes);
            found.push((giver, *site, moved));
            gives -= moved;
            *takes -= moved;
            if *takes == 0 {
                receiver = receivers.next();
            }
            if gives == 0 {
                break;
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_add_up() {
        for (weights, whole, expected) in [
            (vec![(3, 1)], WHOLE, vec![(3, WHOLE)]),
            (vec![(0, 1), (1, 1)], WHOLE, vec![(0, 32_768), (1, 32_767)]),
            (vec![(0, 1), (1, 1), (2, 1)], 10, vec![(0, 4), (1, 3), (2, 3)]),
            (vec![(0, 0), (1, 7)], 10, vec![(1, 10)]),
            (vec![(0, 1), (1, 1_000_000)], 10, vec![(1, 10)]),
            (vec![(0, 0)], 10, vec![]),
            (vec![], 10, vec![]),
            (vec![(0, u64::MAX), (1, u64::MAX)], 10, vec![(0, 5), (1, 5)]),
        ] {
            assert_eq!(divide(&weights, whole), expected, "{weights:?}");
        }
    }

    #[test]
    fn only_what_differs_moves() {
        for (from, to, expected) in [
            (vec![(0, 10)], vec![(0, 10)], vec![]),
            (vec![(0, 10)], vec![(0, 6), (1, 4)], vec![(0, 1, 4)]),
            (vec![(0, 6), (1, 4)], vec![(0, 10)], vec![(1, 0, 4)]),
            (vec![(0, 6), (1, 4)], vec![(2, 5), (3, 5)], vec![(0, 2, 5), (0, 3, 1), (1, 3, 4)]),
            // What a site had that is gone has no giver.
            (vec![(1, 4)], vec![(1, 10)], vec![]),
        ] {
            assert_eq!(moves(&from, &to), expected, "{from:?} {to:?}");
        }
    }
}
