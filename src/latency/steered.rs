//! To whom a row matters: the services that rank by latency, and what each of them answers by it.

use crate::geo::{Estimate, Margin, ordered};
use crate::model::{Mode, Model, Prefer};

/// Services that rank the same regions by latency, with the same tolerance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Steered {
    /// By the bits of their numbers.
    regions: u128,
    /// Regions that differ from the best by no more than this are its equals, microseconds.
    tolerance_us: u32,
}

/// What a row comes to for some services.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Answered {
    /// The best region.
    pub(super) best: Option<u8>,
    /// It and its equals, by the bits of their numbers: all that is answered while all are well.
    pub(super) equals: u128,
}

/// What another row changes for clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Change {
    /// Nobody is sent to a region where nobody was sent before.
    Nothing,
    /// The best region stays, and others become its equals.
    Equals,
    /// Some service has another best region.
    Best,
}

impl Steered {
    /// What ranks by latency in a model, each once. While nothing does, what is measured is ordered as if all regions were
    /// ranked.
    pub(super) fn of(model: &Model) -> Vec<Self> {
        let ranked = model.services.iter().filter_map(|service| match model.policy(service).mode {
            Mode::ActiveActive { prefer: Prefer::Latency { tolerance }, .. } => {
                let tolerance_us = u32::try_from(tolerance.as_micros()).unwrap_or(u32::MAX);
                Some(Self { regions: service.region_mask(), tolerance_us })
            }
            Mode::ActiveActive { .. } | Mode::ActivePassive { .. } | Mode::All => None,
        });
        let mut all: Vec<Self> = ranked.collect();
        all.sort_unstable();
        all.dedup();
        if all.is_empty() {
            all.push(Self { regions: u128::MAX, tolerance_us: 0 });
        }
        all
    }

    /// What is answered by this order and these estimates, as atlases have it without the bias of regions.
    pub(super) fn answered(self, order: &[u8], estimate: impl Fn(u8) -> Estimate, margin: Margin) -> Answered {
        let bit = |region: u8| 1_u128.checked_shl(region.into()).unwrap_or(0);
        let mut ranked: Vec<(u8, Estimate)> = order.iter().map(|region| (*region, estimate(*region))).collect();
        ranked.retain(|(region, _)| self.regions & bit(*region) != 0);
        if ranked.len() < order.len() {
            // Who is far among all may be near among these.
            ranked = ordered(&ranked, margin);
        }
        let Some(&(best, first)) = ranked.first() else { return Answered::default() };
        let nearest = ranked.iter().map(|(_, estimate)| estimate.expected_us).min().unwrap_or(0);
        let is_equal = |own: Estimate| {
            own.us.abs_diff(first.us) <= self.tolerance_us
                && own.is_far(nearest, margin) == first.is_far(nearest, margin)
        };
        let equals = ranked.iter().filter(|(_, estimate)| is_equal(*estimate));
        Answered { best: Some(best), equals: equals.fold(0, |all, (region, _)| all | bit(*region)) }
    }
}

impl Change {
    /// From what was answered to what would be.
    pub(super) const fn between(before: Answered, after: Answered) -> Self {
        let is_same = match (before.best, after.best) {
            (Some(before), Some(after)) => before == after,
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        match is_same {
            false => Self::Best,
            true if after.equals & !before.equals != 0 => Self::Equals,
            true => Self::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Region by number: milliseconds, estimated and expected.
    fn answered(steered: Steered, order: &[u8], ways: &[(u32, u32)]) -> Answered {
        let estimate = |region: u8| {
            let (us, expected_us) = ways[usize::from(region)];
            Estimate { us: us * 1_000, error_us: 0, expected_us: expected_us * 1_000 }
        };
        steered.answered(order, estimate, Margin::default())
    }

    #[test]
    fn the_best_of_a_set_is_answered_with_its_equals() {
        let of = |regions, tolerance_us| Steered { regions, tolerance_us };
        let ways = [(30, 20), (36, 40), (25, 60), (28, 171)];
        for (steered, order, best, equals) in [
            (of(u128::MAX, 0), [0, 1, 2, 3], 0, 0b0001),
            // As near as 10 ms, but for the one that is too far whatever is measured.
            (of(u128::MAX, 10_000), [0, 1, 2, 3], 0, 0b0111),
            (of(0b1110, 0), [0, 2, 1, 3], 2, 0b0100),
            // Among two that are both far from the client the far one is as good as any.
            (of(0b1000, 10_000), [0, 1, 2, 3], 3, 0b1000),
        ] {
            assert_eq!(answered(steered, &order, &ways), Answered { best: Some(best), equals }, "{steered:?}");
        }
        assert_eq!(answered(of(0, 0), &[0, 1], &ways), Answered::default());
    }

    #[test]
    fn who_leaves_the_equals_moves_nobody_to_where_nobody_was() {
        let of = |best, equals| Answered { best: Some(best), equals };
        for (before, after, change) in [
            (of(0, 0b01), of(0, 0b01), Change::Nothing),
            (of(0, 0b11), of(0, 0b01), Change::Nothing),
            (of(0, 0b01), of(0, 0b11), Change::Equals),
            (of(0, 0b11), of(1, 0b11), Change::Best),
            (Answered::default(), of(0, 0b01), Change::Best),
        ] {
            assert_eq!(Change::between(before, after), change, "{before:?} {after:?}");
        }
    }
}
