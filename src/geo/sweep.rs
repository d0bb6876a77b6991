//! Layers of ranges → one layer of ranges of classes, in one pass over all of them.

use std::collections::HashMap;

use crate::base::limits::LATENCY_CLASSES_MAX;

use super::distance::{Gathered, Point};
use super::layer::Layer;
use super::measured::NO_ROW;
use super::place::Place;
use super::places::{NO_NETWORK, Places};
use super::prefix::CLOTHES;
use super::ranges::{Bits, Ranges};
use super::rank::{Class, Ranker};

/// Classes by id and the ranges of addresses that have them.
#[derive(Debug)]
pub(super) struct Classified {
    pub(super) classes: Vec<Class>,
    /// By class: the middle of its places, where any is known.
    pub(super) middles: Vec<Option<Point>>,
    /// By class, where latency ranks: by region of the set, by id, the mean of what is estimated for the ways of its places,
    /// microseconds; `None` where nothing is.
    pub(super) means: Vec<Box<[Option<u32>]>>,
    pub(super) v4: Ranges<u32>,
    pub(super) v6: Ranges<u128>,
}

/// The class of the unknown.
pub(super) const UNKNOWN: u32 = 0;
/// In IPv6: addresses that are looked up as IPv4.
const CLOTHED: u32 = u32::MAX;
const NO_ENTRY: u32 = u32::MAX;

/// Works out the class of every address. Each distinct place is ranked once.
pub(super) fn classify(places: &Places, ranker: &Ranker) -> Classified {
    let mut classes = Classes::new(places, ranker);
    if ranker.is_trivial() {
        let everybody = classes.intern(ranker.everything());
        let (v4, v6) = (Ranges::all(everybody), Ranges::all(everybody));
        return classes.classified(v4, v6);
    }
    let entries = ranker.entries();
    let map = Layer::of_networks(entries.networks.iter().copied(), NO_ENTRY);
    let measured = ranker.measured().map_or_else(|| Layer::all(NO_ROW), |measured| measured.networks.clone());
    let systems: Vec<Layer> = if classes.systems.is_empty() {
        Vec::new()
    } else {
        let system = |asn| System::of(asn, classes.systems.binary_search(&asn).ok()).0;
        places.databases.iter().map(|database| database.asns.map(system)).collect()
    };
    let locations = places.databases.iter().map(|database| &database.locations);
    let layers: Vec<&Layer> = [&places.own, &map, &measured].into_iter().chain(&systems).chain(locations).collect();
    let split = layers.len() - places.databases.len();

    let v4_layers: Vec<&Ranges<u32>> = layers.iter().map(|layer| &layer.v4).collect();
    let v4 = sweep(&v4_layers, |values| classes.of(values, split));

    // IPv4 in IPv6 clothes is looked up as IPv4. If that is one class, its addresses can join their neighbors.
    let clothed = if let [only] = v4.values() { *only } else { CLOTHED };
    let clothes = CLOTHES.iter().map(|&(first, bits)| (first, first | (u128::MAX >> bits), 1));
    let clothes = super::ranges::flatten(clothes.collect(), 0);
    let mut v6_layers: Vec<&Ranges<u128>> = layers.iter().map(|layer| &layer.v6).collect();
    v6_layers.push(&clothes);
    let v6 = sweep(&v6_layers, |values| match values {
        [values @ .., 0] => classes.of(values, split),
        _ => clothed,
    });
    classes.classified(v4, v6)
}

/// What a database says about the system of an address, as far as it matters: 0 for nothing, 1 for one that makes no
/// difference (which hides what later databases say), from 2 on its place among those that do.
struct System(u32);

impl System {
    fn of(asn: u32, place: Option<usize>) -> Self {
        let place = place.and_then(|place| u32::try_from(place).ok());
        Self(if asn == 0 { 0 } else { place.map_or(1, |place| place.saturating_add(2)) })
    }

    fn place(self) -> Option<usize> {
        self.0.checked_sub(2).map(|place| place as usize)
    }
}

/// Goes over all layers at once; `class` makes a value of the layers' values at a range.
fn sweep<B: Bits>(layers: &[&Ranges<B>], mut class: impl FnMut(&[u32]) -> u32) -> Ranges<B> {
    let mut at = vec![0; layers.len()];
    let value_at = |layer: &Ranges<B>, at: usize| layer.values().get(at).copied().unwrap_or_default();
    let mut values: Vec<u32> = layers.iter().map(|layer| value_at(layer, 0)).collect();
    let mut ranges = Ranges::all(class(&values));
    loop {
        let nexts = layers.iter().zip(&at).filter_map(|(layer, at)| layer.starts().get(at + 1));
        let Some(&next) = nexts.min() else { break };
        for ((layer, at), value) in layers.iter().zip(&mut at).zip(&mut values) {
            if layer.starts().get(*at + 1) == Some(&next) {
                *at += 1;
                *value = value_at(layer, *at);
            }
        }
        ranges.push(next, class(&values));
    }
    ranges
}

/// Makes one tier of all behind the first `exact` ones.
fn fold(class: &mut Class, exact: usize) {
    if let Some((first, rest)) = class.tiers.split_at_checked(exact)
        && !rest.is_empty()
    {
        let rest = rest.iter().fold(0, |all, tier| all | tier);
        class.tiers = first.iter().copied().chain([rest]).collect();
    }
}

/// Classes being collected, each content once.
struct Classes<'p> {
    places: &'p Places,
    ranker: &'p Ranker,
    rows: Vec<Class>,
    /// By class: its places.
    gathered: Vec<Gathered>,
    /// By class: what is estimated for the ways of its places.
    sums: Vec<Sums>,
    id_of: HashMap<Class, u32>,
    /// Autonomous systems that make a difference, sorted.
    systems: Vec<u32>,
    /// By location, then by network of the operator; [`NOT_YET`] where nobody has asked.
    of_place: Vec<u32>,
    /// By the same, and what else makes a difference: what matched of the map, and what was measured.
    of_case: HashMap<Case, u32>,
}

const NOT_YET: u32 = u32::MAX;

/// What makes a difference beside the place.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Case {
    place: u32,
    entry: Option<u32>,
    row: Option<u32>,
}

/// By region of the set: microseconds, and of how many ways.
type Sums = Box<[(u64, u64)]>;

impl<'p> Classes<'p> {
    fn new(places: &'p Places, ranker: &'p Ranker) -> Self {
        let of_place = vec![NOT_YET; places.locations.len() + places.networks.len()];
        let measured = ranker.measured().into_iter().flat_map(|measured| measured.systems.keys().map(|(asn, _)| *asn));
        let mut systems: Vec<u32> = ranker.entries().asns.keys().copied().chain(measured).collect();
        systems.sort_unstable();
        systems.dedup();
        let mut classes = Self {
            places,
            ranker,
            rows: Vec::new(),
            gathered: Vec::new(),
            sums: Vec::new(),
            id_of: HashMap::new(),
            systems,
            of_place,
            of_case: HashMap::new(),
        };
        // The unknown are not among the contents: nobody else is as unknown as they.
        classes.push(ranker.unknown());
        classes
    }

    fn classified(mut self, mut v4: Ranges<u32>, mut v6: Ranges<u128>) -> Classified {
        // Half as many steps of costs, until there are few enough: the ranks stay as long as they can.
        for halvings in 1..=u8::BITS {
            if self.rows.len() <= LATENCY_CLASSES_MAX || self.ranker.measured().is_none() {
                break;
            }
            let halve = |cost: &mut u8| *cost = cost.checked_shr(halvings).unwrap_or(0) << halvings.min(7);
            (v4, v6) = self.merge(v4, v6, |class| class.costs.iter_mut().for_each(halve));
        }
        // Then the ranks behind the first few.
        for exact in (1..=4).rev() {
            if self.rows.len() <= LATENCY_CLASSES_MAX || self.ranker.measured().is_none() {
                break;
            }
            (v4, v6) = self.merge(v4, v6, |class| fold(class, exact));
        }
        let middles = self.gathered.into_iter().map(Gathered::middle).collect();
        let mean = |&(sum, count): &(u64, u64)| u32::try_from(sum.checked_div(count)?).ok();
        let means = self.sums.iter().map(|sums| sums.iter().map(mean).collect()).collect();
        Classified { classes: self.rows, middles, means, v4, v6 }
    }

    /// Merges the classes that are the same when made simpler.
    fn merge(
        &mut self,
        v4: Ranges<u32>,
        v6: Ranges<u128>,
        simplify: impl Fn(&mut Class),
    ) -> (Ranges<u32>, Ranges<u128>) {
        let rows = std::mem::take(&mut self.rows).into_iter();
        let (gathered, sums) = (std::mem::take(&mut self.gathered), std::mem::take(&mut self.sums));
        self.id_of.clear();
        let of_each = rows.zip(gathered).zip(sums).enumerate().map(|(old, ((mut class, gathered), sums))| {
            simplify(&mut class);
            // The unknown stay by themselves.
            let id = if old == 0 { self.push(class) } else { self.intern(class) };
            if let Some(into) = self.gathered.get_mut(id as usize) {
                into.merge(gathered);
            }
            for ((sum, count), more) in self.sums.get_mut(id as usize).into_iter().flatten().zip(&sums) {
                (*sum, *count) = (*sum + more.0, *count + more.1);
            }
            id
        });
        let new_of: Vec<u32> = of_each.collect();
        let renewed = |id: u32| new_of.get(id as usize).copied().unwrap_or(id);
        (v4.map(renewed), v6.map(renewed))
    }

    /// The class where the layers have these values: the operator's network, the map's network, the network that was
    /// measured, each database's system if systems matter, and from `split` on each database's location.
    fn of(&mut self, values: &[u32], split: usize) -> u32 {
        let (&[own, network, measured, ref systems @ ..], locations) = values.split_at(split) else { return UNKNOWN };
        let own = self.places.networks.get(own as usize).map(|_| own);
        let (index, system) = match own {
            Some(own) => (index(self.places.locations.len(), own), None),
            None => {
                let first = systems.iter().find(|&&system| system != 0);
                let asn = first.and_then(|&system| self.systems.get(System(system).place()?)).copied();
                (self.places.believed(locations.iter().copied()), asn)
            }
        };
        if (network, measured, system) == (NO_ENTRY, NO_ROW, None)
            && let Some(&known) = self.of_place.get(index as usize)
            && known != NOT_YET
        {
            return known;
        }
        let mut place = self.place(index);
        place.asn = place.asn.or(system);
        let entries = self.ranker.entries();
        let of_system = || place.asn.and_then(|asn| entries.asns.get(&asn).copied());
        let entry = Some(network).filter(|&network| network != NO_ENTRY);
        let entry = entry.or_else(of_system).or_else(|| entries.of_place(&place));
        let row = Some(measured).filter(|&row| row != NO_ROW).or_else(|| self.row(&place));
        let case = Case { place: index, entry, row };
        let id = match self.of_case.get(&case) {
            Some(&known) => known,
            None => {
                let id = self.rank(&place, entry, row);
                self.of_case.insert(case, id);
                id
            }
        };
        if (network, measured, system) == (NO_ENTRY, NO_ROW, None)
            && let Some(slot) = self.of_place.get_mut(index as usize)
        {
            *slot = id;
        }
        id
    }

    /// The place at an index into `of_place`. Of locations it has no system: those have a layer of their own.
    fn place(&self, index: u32) -> Place {
        let own = (index as usize).checked_sub(self.places.locations.len());
        match own.and_then(|own| self.places.networks.get(own)) {
            Some(own) => own.place.clone(),
            None => self.places.locations.place(index),
        }
    }

    /// What was measured of the clients of a place in no network that was.
    fn row(&self, place: &Place) -> Option<u32> {
        self.ranker.measured()?.of_place(place)
    }

    fn rank(&mut self, place: &Place, entry: Option<u32>, row: Option<u32>) -> u32 {
        let id = self.ranker.class(place.coordinates, entry, row).map_or(UNKNOWN, |class| self.intern(class));
        if let (Some(coordinates), Some(gathered)) = (place.coordinates, self.gathered.get_mut(id as usize)) {
            gathered.add(coordinates.into());
        }
        if let Some(sums) = self.sums.get_mut(id as usize).filter(|_| self.ranker.measured().is_some()) {
            for (region, estimate) in self.ranker.estimates(place.coordinates.map(Point::from), row) {
                let place = self.ranker.set().position(|own| own == region);
                if let Some((sum, count)) = place.and_then(|place| sums.get_mut(place)) {
                    (*sum, *count) = (*sum + u64::from(estimate.us), *count + 1);
                }
            }
        }
        id
    }

    fn intern(&mut self, class: Class) -> u32 {
        if let Some(&id) = self.id_of.get(&class) {
            return id;
        }
        let id = self.push(class.clone());
        self.id_of.insert(class, id);
        id
    }

    fn push(&mut self, class: Class) -> u32 {
        let id = u32::try_from(self.rows.len()).unwrap_or(UNKNOWN);
        self.rows.push(class);
        self.gathered.push(Gathered::default());
        self.sums.push(self.ranker.set().map(|_| (0, 0)).collect());
        id
    }
}

fn index(locations: usize, own: u32) -> u32 {
    u32::try_from(locations).unwrap_or(NO_NETWORK).saturating_add(own)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_behind_the_first_tiers_is_one() {
        for (exact, expected) in [(4, &[1, 2, 4][..]), (3, &[1, 2, 4]), (2, &[1, 2, 4]), (1, &[1, 6])] {
            let mut class = Class { tiers: [1, 2, 4].into(), ..Class::default() };
            fold(&mut class, exact);
            assert_eq!(&*class.tiers, expected, "{exact}");
        }
    }
}
