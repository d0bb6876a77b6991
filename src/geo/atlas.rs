//! For one ranking, tolerance and set of regions: address → class of clients, and the bits of the address that decide.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::base::ids::RegionId;
use crate::model::{GeoRanking, Model};

use super::distance::Point;
use super::measured::{Estimate, US_PER_KM};
use super::places::{Located, Places};
use super::prefix::{Naked, Network};
use super::rank::{Class, Matched, Nearness, Ranker};
use super::sweep::{self, Classified};
use super::table::Table;

/// A class of an [`Atlas`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ClassId(pub u32);

impl ClassId {
    /// Clients of whom nothing is known. Their tiers are the map's `default` alone, and may be none.
    pub const UNKNOWN: Self = Self(sweep::UNKNOWN);
}

/// Which clients prefer which regions, ready for queries.
#[derive(Clone, Debug)]
pub struct Atlas {
    v4: Table<u32>,
    v6: Table<u128>,
    /// By [`ClassId`]; the first one is that of the unknown.
    classes: Vec<Class>,
    /// By [`ClassId`]: the middle of its places, where any is known.
    middles: Vec<Option<Point>>,
    /// By [`ClassId`], where latency ranks: the mean of its estimates, by region of the set.
    means: Vec<Box<[Option<u32>]>>,
    unknown: Class,
    ranking: GeoRanking,
    ranker: Ranker,
}

/// Why a client is in its class.
#[derive(Clone, Debug, PartialEq)]
pub struct Ranked {
    /// Where it is, and who said so.
    pub located: Located,
    /// What decided.
    pub matched: Matched,
    /// The class.
    pub class: ClassId,
    /// How many leading bits of the address decide the class.
    pub scope: u8,
    /// The regions of the set and their distances after bias in kilometers, nearest first; those of which none is
    /// known last.
    pub distances_km: Vec<(RegionId, Option<f64>)>,
    /// What is estimated for the ways to the regions of the set, after bias, in the order of their ranks; empty where
    /// distance ranks.
    pub estimates: Vec<(RegionId, Estimate)>,
}

impl Atlas {
    /// Makes the atlas of a ranking for a set of regions (their ids' bits).
    #[must_use]
    pub fn build(places: &Places, model: &Model, ranking: GeoRanking, nearness: Nearness, regions: u128) -> Self {
        let ranker = Ranker::new(model, ranking, nearness, regions);
        let Classified { classes, middles, means, v4, v6 } = sweep::classify(places, &ranker);
        let unknown = ranker.unknown();
        Self { v4: Table::new(v4), v6: Table::new(v6), classes, middles, means, unknown, ranking, ranker }
    }

    /// The class of an address, and how many of its leading bits decide it: all addresses that agree in so many are
    /// of this class, and with one bit less they are not. IPv4 addresses have 0 to 32, IPv6 addresses 0 to 128.
    #[inline]
    #[must_use]
    pub fn locate(&self, address: IpAddr) -> (ClassId, u8) {
        let (class, scope) = match Naked::new(address) {
            Naked::V4(bits) => self.v4.find(bits),
            Naked::V6(bits) => self.v6.find(bits),
            // If all of IPv4 is one class, these addresses are in ranges with their neighbors.
            Naked::Clothed { outside, .. } if self.v4.len() == 1 => self.v6.find(outside),
            Naked::Clothed { inside, bits, .. } => {
                let (class, scope) = self.v4.find(inside);
                (class, scope + bits)
            }
        };
        (ClassId(class), scope)
    }

    /// A class; for an id of another atlas that of the unknown.
    #[must_use]
    pub fn class(&self, id: ClassId) -> &Class {
        self.classes.get(id.0 as usize).unwrap_or(&self.unknown)
    }

    /// All classes, by id.
    #[must_use]
    pub fn classes(&self) -> &[Class] {
        &self.classes
    }

    /// What it costs clients of a class to go to each region of the set: meters after bias, nearest first, from the middle
    /// of the places of the class, each of which counts once; those of which nothing is known last. Where latency ranks the
    /// meters are those that the estimated time is expected for.
    #[must_use]
    pub fn costs(&self, id: ClassId) -> Vec<(RegionId, Option<u32>)> {
        if self.ranker.measured().is_none() {
            return self.ranker.distances(self.middles.get(id.0 as usize).copied().flatten());
        }
        let means = self.means.get(id.0 as usize).map(|means| &means[..]).unwrap_or_default();
        let meters = |us: u32| u32::try_from(u64::from(us) * 1_000 / u64::from(US_PER_KM)).unwrap_or(u32::MAX);
        let mut costs: Vec<_> = self.ranker.set().zip(means).map(|(region, mean)| (region, mean.map(meters))).collect();
        costs.sort_by_key(|&(region, meters)| (meters.unwrap_or(u32::MAX), region));
        costs
    }

    /// True if latency ranks.
    #[must_use]
    pub fn is_measured(&self) -> bool {
        self.ranker.measured().is_some()
    }

    /// By [`ClassId`]: the class of another atlas that most resembles it, by where a large network of it is there. `None`
    /// for a class without an address.
    #[must_use]
    pub fn counterparts(&self, other: &Self) -> Vec<Option<ClassId>> {
        let examples = self.examples().into_iter();
        let mut found: Vec<Option<ClassId>> =
            examples.map(|example| example.map(|(address, _)| other.locate(address).0)).collect();
        // Whoever is unknown here is so there.
        if let Some(unknown) = found.first_mut() {
            *unknown = Some(ClassId::UNKNOWN);
        }
        found
    }

    /// By [`ClassId`]: a network all of whose addresses are of the class, a large one, IPv4 where there is one. A pass over
    /// all ranges: for a look now and then.
    #[must_use]
    pub fn examples(&self) -> Vec<Option<(IpAddr, u8)>> {
        let mut examples: Vec<Option<(IpAddr, u8)>> = vec![None; self.classes.len()];
        let v4 =
            self.v4.first_networks().map(|(class, start, length)| (class, Ipv4Addr::from_bits(start).into(), length));
        let v6 =
            self.v6.first_networks().map(|(class, start, length)| (class, Ipv6Addr::from_bits(start).into(), length));
        for (class, address, length) in v4.chain(v6) {
            let address: IpAddr = address;
            let Some(example) = examples.get_mut(class as usize) else { continue };
            let is_better = example.is_none_or(|(known, best)| known.is_ipv4() == address.is_ipv4() && length < best);
            if is_better {
                *example = Some((address, length));
            }
        }
        examples
    }

    /// Ranges of IPv4 and of IPv6 addresses it tells apart.
    #[must_use]
    pub fn ranges(&self) -> (usize, usize) {
        (self.v4.len(), self.v6.len())
    }

    /// Bytes its tables take.
    #[must_use]
    pub fn size(&self) -> usize {
        self.v4.size() + self.v6.size()
    }

    /// Why an address is in its class, from the places and the model it was built of.
    #[must_use]
    pub fn explain(&self, places: &Places, model: &Model, address: IpAddr) -> Ranked {
        let located = places.find(address);
        let (class, scope) = self.locate(address);
        let entries = self.ranker.entries();
        let place = &located.place;
        let naked = Network::around(address, u8::MAX).undressed();
        let networks = entries.networks.iter().map(|&(network, entry)| (network.undressed(), entry));
        let network = networks.filter(|(network, _)| network.contains(naked)).max_by_key(|(network, _)| network.length);
        let system = || place.asn.and_then(|asn| entries.asns.get(&asn).copied());
        let entry = network.map(|(_, entry)| entry).or_else(system).or_else(|| entries.of_place(place));
        let map = match self.ranking {
            GeoRanking::Distance => None,
            GeoRanking::Map(id) => model.geomaps.get(id.index()),
        };
        let measured = self.ranker.measured();
        let row = measured.and_then(|measured| measured.row_of(address, place));
        let group = measured.zip(row).and_then(|(measured, row)| measured.row(row)).map(|(group, _)| group.clone());
        let matched = match (entry.and_then(|entry| map?.entries.get(entry as usize)), group) {
            (Some((matched, _)), _) => Matched::Entry(matched.clone()),
            (None, Some(group)) => Matched::Latency(group),
            (None, None) if place.coordinates.is_some() => Matched::Distance,
            (None, None) => Matched::Nothing,
        };
        let estimates = self.ranker.estimates(place.coordinates.map(Point::from), row);
        let distances = self.ranker.distances(place.coordinates.map(Point::from)).into_iter();
        let distances_km =
            distances.map(|(region, distance_m)| (region, distance_m.map(|m| f64::from(m) / 1_000.0))).collect();
        Ranked { located, matched, class, scope, distances_km, estimates }
    }
}
