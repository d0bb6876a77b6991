//! Sites by the order of their keys, and units in these numbers: so the order in which they are given decides nothing.

use crate::base::limits::REGIONS_MAX;

use super::shares::{Shares, divide};
use super::{Site, Unit, WHOLE};

/// Which site has which number.
#[derive(Clone, Debug, Default)]
pub(super) struct Roll {
    /// Keys of sites, by number.
    pub(super) keys: Vec<u64>,
    /// Numbers of sites, by their place in the situation.
    numbers: Vec<u8>,
    /// And the other way round.
    places: Vec<u8>,
}

impl Roll {
    pub(super) fn new(sites: &[Site]) -> Self {
        let mut places: Vec<u8> = (0..=u8::MAX).take(sites.len().min(REGIONS_MAX)).collect();
        places.sort_by_key(|&place| (sites[usize::from(place)].key, place));
        let mut numbers = vec![0; places.len()];
        for (number, &place) in (0..=u8::MAX).zip(&places) {
            numbers[usize::from(place)] = number;
        }
        let keys = places.iter().map(|&place| sites[usize::from(place)].key).collect();
        Self { keys, numbers, places }
    }

    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    /// The place in the situation of a site.
    pub(super) fn place(&self, number: u8) -> u8 {
        self.places.get(usize::from(number)).copied().unwrap_or(0)
    }

    /// The number of the site at a place in the situation.
    pub(super) fn number(&self, place: u8) -> Option<u8> {
        self.numbers.get(usize::from(place)).copied()
    }

    /// For each number of an earlier roll the number here.
    pub(super) fn renumbering(&self, keys: &[u64]) -> Vec<Option<u8>> {
        let number = |key: &u64| self.keys.binary_search(key).ok().and_then(|number| u8::try_from(number).ok());
        keys.iter().map(number).collect()
    }

    /// The choices of a unit, the cheapest first, each site once.
    pub(super) fn choices(&self, unit: &Unit, choices: &mut Vec<(u8, u32)>) {
        choices.clear();
        choices.extend(unit.choices.iter().filter_map(|&(place, cost)| Some((self.number(place)?, cost))));
        choices.sort_unstable_by_key(|&(number, cost)| (cost, number));
        let mut seen = 0_u128;
        choices.retain(|&(number, _)| {
            let is_new = seen >> number & 1 == 0;
            seen |= 1 << number;
            is_new
        });
    }

    /// The shares of a unit without any spill, and the sites that it may be sent to.
    pub(super) fn home(&self, unit: &Unit) -> (Shares, u128) {
        let usable = unit.choices.iter().filter_map(|&(place, _)| self.number(place));
        let usable = usable.fold(0_u128, |mask, number| mask | 1 << number);
        let mut weights: Vec<(u8, u64)> = Vec::with_capacity(unit.home.len());
        for &(place, weight) in &unit.home {
            let Some(number) = self.number(place).filter(|&number| usable >> number & 1 == 1) else { continue };
            match weights.iter_mut().find(|(known, _)| *known == number) {
                Some((_, sum)) => *sum += u64::from(weight),
                None => weights.push((number, weight.into())),
            }
        }
        let mut home = divide(&weights, WHOLE);
        if home.is_empty() {
            let cheapest = unit.choices.iter().filter_map(|&(place, cost)| Some((cost, self.number(place)?))).min();
            home.extend(cheapest.map(|(_, number)| (number, WHOLE)));
        }
        (home, usable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roll(keys: &[u64]) -> Roll {
        let site = |&key: &u64| Site { key, capacity: None, load: crate::plan::Reported::Estimated };
        Roll::new(&keys.iter().map(site).collect::<Vec<_>>())
    }

    #[test]
    fn sites_are_numbered_by_key() {
        let roll = roll(&[30, 10, 20]);
        assert_eq!(roll.keys, [10, 20, 30]);
        assert_eq!([0, 1, 2].map(|place| roll.number(place)), [Some(2), Some(0), Some(1)]);
        assert_eq!([0, 1, 2].map(|number| roll.place(number)), [1, 2, 0]);
        assert_eq!(roll.number(3), None);
        assert_eq!(roll.renumbering(&[5, 20]), [None, Some(1)]);
    }

    #[test]
    fn a_home_is_usable() {
        let roll = roll(&[30, 10, 20]);
        let unit = |home: &[(u8, u32)], choices: &[(u8, u32)]| {
            let (home, choices) = (home.to_vec(), choices.to_vec());
            Unit { key: 1, demand: 1, home, choices, ttl_s: 30, spills: true }
        };
        for (home, choices, expected) in [
            (vec![(0, 1)], vec![(0, 5), (1, 9)], vec![(2, WHOLE)]),
            (vec![(0, 1), (1, 1)], vec![(0, 5), (1, 9)], vec![(0, 32_768), (2, 32_767)]),
            // Not among the choices, without a weight, or not there at all: the cheapest.
            (vec![(2, 1)], vec![(0, 5), (1, 9)], vec![(2, WHOLE)]),
            (vec![(1, 0)], vec![(1, 9), (2, 3)], vec![(1, WHOLE)]),
            (vec![(7, 1)], vec![(7, 1), (1, 9)], vec![(0, WHOLE)]),
            (vec![(0, 1)], vec![], vec![]),
        ] {
            assert_eq!(roll.home(&unit(&home, &choices)).0, expected, "{home:?} {choices:?}");
        }
    }
}
