//! From what was measured of networks to what is taken for everybody: each group is what its members say, held against the
//! group around it, and each network the same.
//!
//! ```text
//! all clients ─ country ─┬ city
//!                        └ autonomous system ─ /16 (IPv6: /32) ─ /20 (/40) ─ /24 (/48)
//! ```
//!
//! All numbers are deviations from what the distance lets expect. What a group says of a region is the median of its
//! networks, each of which counts once however often it was measured, with their scatter; a group and the one around it are
//! weighed by how certain they are. A network's last mile makes all its ways longer: what its ways have in common is taken
//! for that, and counts for ways that nobody has measured too. Else a region would look slow because it alone is measured.

/// What is taken for the deviation of a way, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Known {
    pub(super) us: f64,
    /// The variance of that.
    pub(super) variance: f64,
    /// The standard deviation of what the members of the group are, around it.
    pub(super) scatter: f64,
    /// Somebody has measured this way, or one of a group around.
    pub(super) is_measured: bool,
}

/// What was measured of a way, in microseconds of deviation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Own {
    pub(super) us: f64,
    pub(super) variance: f64,
    pub(super) scatter: f64,
}

/// What is taken for all clients, where nobody has measured: by how much ways differ from what distance lets expect. Within
/// a continent most do by less than this.
const PRIOR: Known = Known { us: 0.0, variance: 10_000.0 * 10_000.0, scatter: 20_000.0, is_measured: false };
/// Where one way alone is measured, no more of what it takes longer is put down to the last mile than the slowest lines
/// in wide use add: the rest is this way's own.
const LAST_MILE_MAX: f64 = 30_000.0;
/// What is taken for the scatter of a group counts as that of so many networks.
const SCATTER_DOUBT: f64 = 2.0;
/// Of a standard deviation, in medians of absolute deviations.
const MAD_TO_DEVIATION: f64 = 1.4826;

/// What is taken for the ways of a group or a network, by region, from what is taken for the group around it (empty: nobody
/// is around) and what was measured of its own.
pub(super) fn refined(around: &[Known], own: &[Option<Own>]) -> Box<[Known]> {
    let around = |at: usize| around.get(at).copied().unwrap_or(PRIOR);
    let measured = own.iter().enumerate().filter_map(|(at, own)| Some((at, (*own)?)));
    let off = measured.map(|(at, own)| Off { us: own.us - around(at).us, variance: own.variance, around: around(at) });
    let common = LastMile::of(off.collect());
    own.iter()
        .enumerate()
        .map(|(at, own)| {
            let around = around(at);
            let guess = around.us + common.us;
            let variance = around.variance + around.scatter * around.scatter + common.variance;
            match own {
                None => Known { us: guess, variance: around.variance + common.variance, ..around },
                Some(own) => {
                    let (trust, doubt) = (1.0 / own.variance.max(1.0), 1.0 / variance.max(1.0));
                    let us = (own.us * trust + guess * doubt) / (trust + doubt);
                    Known { us, variance: 1.0 / (trust + doubt), scatter: own.scatter, is_measured: true }
                }
            }
        })
        .collect()
}

/// How far off a way is from what is taken for the group.
struct Off {
    us: f64,
    variance: f64,
    around: Known,
}

/// What ways that were measured have in common beyond the group's.
struct LastMile {
    us: f64,
    variance: f64,
}

impl LastMile {
    /// ```text
    /// no way is measured     nothing
    /// one                    what it is off by, as far as that is certain, and no more than a last mile adds
    /// several                the median of what they are off by; of the two in the middle the one nearer to nothing, and
    ///                        nothing if they differ in sign
    /// ```
    fn of(mut ways: Vec<Off>) -> Self {
        ways.sort_by(|a, b| a.us.total_cmp(&b.us));
        let middle = (ways.get(ways.len().saturating_sub(1) / 2), ways.get(ways.len() / 2));
        let (Some(lower), Some(upper)) = middle else { return Self { us: 0.0, variance: 0.0 } };
        let nearer = if lower.us.abs() < upper.us.abs() { lower } else { upper };
        let us = if lower.us * upper.us < 0.0 { 0.0 } else { nearer.us };
        let us = if ways.len() == 1 { us.min(LAST_MILE_MAX) } else { us };
        let spread = nearer.around.scatter * nearer.around.scatter;
        let us = us * spread / (spread + nearer.variance);
        // Ways that disagree have little in common; of one alone nobody knows.
        let disagreement = match ways.len() {
            1 => us.abs() / 2.0,
            count => ways.iter().map(|way| (way.us - us).abs()).sum::<f64>() / count as f64,
        };
        Self { us, variance: disagreement * disagreement }
    }
}

/// What networks of a group say of one way: deviation and weight of each; `None`: too few do.
pub(super) fn together(said: &mut [(f64, f64)], least: usize) -> Option<Own> {
    if said.len() < least {
        return None;
    }
    let us = median(said)?;
    let mut off: Vec<(f64, f64)> = said.iter().map(|&(own, weight)| ((own - us).abs(), weight)).collect();
    let scatter = median(&mut off)? * MAD_TO_DEVIATION;
    let count: f64 = said.iter().map(|(_, weight)| weight).sum();
    // Few that agree may do so by chance.
    let usual = PRIOR.scatter * PRIOR.scatter * SCATTER_DOUBT;
    let scatter = ((scatter * scatter * count + usual) / (count + SCATTER_DOUBT)).sqrt();
    // The deviation of a median is a quarter more than that of a mean.
    Some(Own { us, variance: scatter * scatter * 1.57 / count.max(0.1), scatter })
}

/// The weighted median.
fn median(said: &mut [(f64, f64)]) -> Option<f64> {
    said.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let half = said.iter().map(|(_, weight)| weight).sum::<f64>() / 2.0;
    let mut below = 0.0;
    let reached = |(_, weight): &&(f64, f64)| {
        below += weight;
        below >= half
    };
    said.iter().find(reached).map(|(own, _)| *own)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: f64 = 1_000.0;

    fn own(ms: f64, error_ms: f64) -> Option<Own> {
        Some(Own { us: ms * MS, variance: (error_ms * MS).powi(2), scatter: 2.0 * MS })
    }

    #[expect(clippy::cast_possible_truncation, reason = "times of tests")]
    fn ms(known: &[Known]) -> Vec<i64> {
        known.iter().map(|known| (known.us / MS).round() as i64).collect()
    }

    #[test]
    fn what_is_measured_well_counts_and_what_is_not_follows_the_group() {
        for (own_ways, expected) in [
            // Nothing measured.
            (vec![None, None], [0, 0]),
            // Both, well: as measured.
            (vec![own(10.0, 1.0), own(50.0, 1.0)], [10, 50]),
            // One, a little slow: that is the last mile, and counts for the other.
            (vec![own(20.0, 0.5), None], [20, 20]),
            // One, very slow: more than any last mile.
            (vec![own(130.0, 0.5), None], [130, 30]),
            // One is faster than expected: the others may be too.
            (vec![own(-10.0, 0.5), None], [-10, -10]),
            // Hardly measured: hardly anything.
            (vec![own(20.0, 200.0), None], [0, 0]),
        ] {
            assert_eq!(ms(&refined(&[], &own_ways)), expected, "{own_ways:?}");
        }
    }

    #[test]
    fn groups_speak_by_their_median() {
        let mut said = vec![(10.0, 1.0), (12.0, 1.0), (11.0, 1.0), (900.0, 1.0)];
        let found = together(&mut said, 3).unwrap();
        assert_eq!(found.us, 11.0);
        assert!((found.scatter - (400e6_f64 * 2.0 / 6.0).sqrt()).abs() < 10.0, "{}", found.scatter);
        assert_eq!(together(&mut said, 5), None);
        // However much one weighs, it is one that has to be outvoted.
        assert_eq!(together(&mut [(10.0, 1.0), (900.0, 1.5), (11.0, 1.0)], 3).unwrap().us, 11.0);
    }
}
