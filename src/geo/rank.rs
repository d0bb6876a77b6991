//! A place → tiers of regions: the map's most specific entry, then nearness.
//!
//! | an entry of the map matches | the map is a fence | coordinates are known | tiers |
//! |---|---|---|---|
//! | yes | yes | - | the entry's, nothing else |
//! | yes | no | yes | the entry's, then the other regions by distance |
//! | yes | no | no | the entry's, then what is left of the map's `default`, then what is left in one tier |
//! | no | - | yes | all regions by distance |
//! | no | - | no | the client is unknown: the map's `default` |
//!
//! Of several entries the most specific one matches, alone: networks (the longest), autonomous systems, subdivisions,
//! countries, continents. Only regions of the set appear; a tier that has none of them vanishes.

use std::collections::BTreeMap;

use crate::base::ids::RegionId;
use crate::base::limits;
use crate::model::{GeoMatch, GeoRanking, Geomap, Model, Position};

use super::centroids::centroid;
use super::distance::{Point, biased_m};
use super::place::{Coordinates, Place};
use super::prefix::Network;

/// All clients that a map cannot tell apart.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Class {
    /// Sets of regions by their ids' bits, best first; disjoint, none empty, only regions of the atlas.
    pub tiers: Box<[u128]>,
    /// If these clients never leave their tiers, of which there may be none: then nothing may be answered.
    pub is_fenced: bool,
}

/// What decided about a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Matched {
    /// An entry of the map.
    Entry(GeoMatch),
    /// No entry, but it is known where the client is.
    Distance,
    /// Neither.
    Nothing,
}

/// Ranks the regions of one set by one ranking.
#[derive(Clone, Debug)]
pub(super) struct Ranker {
    regions: u128,
    tolerance_m: u32,
    /// The regions of the set that have a position, by id.
    sites: Vec<Site>,
    /// By site: the other sites, nearest first.
    neighbors: Vec<Vec<RegionId>>,
    entries: Entries,
    /// By entry.
    entry_tiers: Vec<Vec<u128>>,
    default_tiers: Vec<u128>,
    fence: bool,
}

#[derive(Clone, Copy, Debug)]
struct Site {
    region: RegionId,
    point: Point,
    bias: i8,
}

/// The entries of a map by what they match; the values are their places in the map.
#[derive(Clone, Debug, Default)]
pub(super) struct Entries {
    pub(super) networks: Vec<(Network, u32)>,
    pub(super) asns: BTreeMap<u32, u32>,
    subdivisions: BTreeMap<String, u32>,
    countries: BTreeMap<[u8; 2], u32>,
    continents: BTreeMap<[u8; 2], u32>,
}

impl Ranker {
    pub(super) fn new(model: &Model, ranking: GeoRanking, tolerance_m: u32, regions: u128) -> Self {
        let ids = (0..=u8::MAX).map(RegionId).zip(&model.regions);
        let members = ids.filter(|(id, _)| has(regions, *id));
        let sites: Vec<Site> = members
            .clone()
            .filter_map(|(region, of)| Some(Site { region, point: coordinates(of.position)?.into(), bias: of.bias }))
            .collect();
        let regions = members.fold(0, |mask, (id, _)| mask | bit(id));
        let map = match ranking {
            GeoRanking::Distance => None,
            GeoRanking::Map(id) => model.geomaps.get(id.index()),
        };
        let masked = |tiers: &[Vec<RegionId>]| {
            let mut left = regions;
            let masks = tiers.iter().map(|tier| tier.iter().fold(0, |mask, &id| mask | bit(id)));
            let masks = masks.map(|mask| {
                let tier = left & mask;
                left &= !mask;
                tier
            });
            masks.filter(|&mask| mask != 0).collect::<Vec<u128>>()
        };
        let entries = map.map(|map| map.entries.as_slice()).unwrap_or_default();
        Self {
            regions,
            tolerance_m,
            neighbors: sites.iter().map(|from| nearest_first(*from, &sites)).collect(),
            sites,
            entries: map.map(Entries::new).unwrap_or_default(),
            entry_tiers: entries.iter().map(|(_, tiers)| masked(tiers)).collect(),
            default_tiers: map.map(|map| masked(&map.default)).unwrap_or_default(),
            fence: map.is_some_and(|map| map.fence),
        }
    }

    pub(super) fn entries(&self) -> &Entries {
        &self.entries
    }

    /// True if there is nothing to choose: at most one region, and nobody is kept from it.
    pub(super) fn is_trivial(&self) -> bool {
        self.regions.count_ones() <= 1 && (!self.fence || self.entry_tiers.is_empty())
    }

    /// All regions in one tier.
    pub(super) fn everything(&self) -> Class {
        Class { tiers: [self.regions].into_iter().filter(|&mask| mask != 0).collect(), is_fenced: false }
    }

    /// The class of clients of whom nothing is known.
    pub(super) fn unknown(&self) -> Class {
        Class { tiers: self.default_tiers.as_slice().into(), is_fenced: false }
    }

    /// The class of clients with these coordinates that this entry of the map matches; `None`: the unknown.
    pub(super) fn class(&self, coordinates: Option<Coordinates>, entry: Option<u32>) -> Option<Class> {
        let mut tiers = match entry {
            Some(entry) => self.entry_tiers.get(entry as usize).cloned().unwrap_or_default(),
            None if coordinates.is_some() => Vec::new(),
            None => return None,
        };
        let is_fenced = self.fence && entry.is_some();
        if !is_fenced {
            match coordinates {
                Some(coordinates) => self.append_by_distance(coordinates.into(), &mut tiers),
                None => {
                    let left = self.left(&tiers);
                    tiers.extend(self.default_tiers.iter().map(|tier| tier & left).filter(|&tier| tier != 0));
                    tiers.extend(Some(self.left(&tiers)).filter(|&tier| tier != 0));
                }
            }
        }
        Some(Class { tiers: tiers.into(), is_fenced })
    }

    /// The regions of the set with their distances after bias in meters, nearest first; those without a position last.
    pub(super) fn distances(&self, from: Option<Point>) -> Vec<(RegionId, Option<u32>)> {
        let sited = from.map(|from| self.by_distance(from, self.regions)).unwrap_or_default();
        let known = sited.iter().fold(0, |mask, &(_, region)| mask | bit(region));
        let rest = regions_of(self.regions & !known).map(|region| (region, None));
        sited.iter().map(|&(distance_m, region)| (region, Some(distance_m))).chain(rest).collect()
    }

    /// Appends the regions that are not in `tiers` yet, by distance from `from`.
    fn append_by_distance(&self, from: Point, tiers: &mut Vec<u128>) {
        let is_small = self.regions.count_ones() as usize <= limits::REGIONS_ORDERED_MAX;
        let exact_max = if is_small { usize::MAX } else { limits::TIERS_EXACT };
        let sited = self.by_distance(from, self.left(tiers));
        let mut rest = sited.as_slice();
        while let Some(&(best_m, _)) = rest.first().filter(|_| tiers.len() < exact_max) {
            let end = rest.partition_point(|&(distance_m, _)| distance_m <= best_m.saturating_add(self.tolerance_m));
            let (tier, after) = rest.split_at(end);
            tiers.push(tier.iter().fold(0, |mask, &(_, region)| mask | bit(region)));
            rest = after;
        }
        if !rest.is_empty() {
            let left = rest.iter().fold(0, |mask, &(_, region)| mask | bit(region));
            self.append_tail(left, tiers);
        }
        tiers.extend(Some(self.left(tiers)).filter(|&tier| tier != 0));
    }

    /// Appends `left`, one region a tier, nearest first from the best region that has a position: the same for all
    /// clients who have the same best ones.
    fn append_tail(&self, left: u128, tiers: &mut Vec<u128>) {
        let mut best = tiers.iter().flat_map(|&tier| regions_of(tier));
        let anchor = best.find_map(|region| self.sites.iter().position(|site| site.region == region));
        match anchor.and_then(|anchor| self.neighbors.get(anchor)) {
            Some(neighbors) => {
                let tail = neighbors.iter().filter(|&&region| has(left, region));
                tiers.extend(tail.map(|&region| bit(region)));
            }
            None => tiers.push(left),
        }
    }

    /// The sites among `among` with their distances in meters after bias, nearest first, then by id.
    fn by_distance(&self, from: Point, among: u128) -> Vec<(u32, RegionId)> {
        let sites = self.sites.iter().filter(|site| has(among, site.region));
        let mut sited: Vec<_> = sites.map(|site| (site.biased_m(from), site.region)).collect();
        sited.sort_unstable();
        sited
    }

    /// The regions of the set that are in no tier.
    fn left(&self, tiers: &[u128]) -> u128 {
        tiers.iter().fold(self.regions, |left, tier| left & !tier)
    }
}

impl Site {
    fn biased_m(&self, from: Point) -> u32 {
        biased_m(self.point.distance_m(from), self.bias)
    }
}

impl Entries {
    fn new(map: &Geomap) -> Self {
        let mut entries = Self::default();
        for ((matched, _), index) in map.entries.iter().zip(0..) {
            match matched {
                GeoMatch::Network(address, length) => {
                    entries.networks.push((Network::around(*address, *length), index));
                }
                GeoMatch::Asn(asn) => _ = entries.asns.entry(*asn).or_insert(index),
                GeoMatch::Subdivision(code) => _ = entries.subdivisions.entry(code.clone()).or_insert(index),
                GeoMatch::Country(code) => _ = entries.countries.entry(*code).or_insert(index),
                GeoMatch::Continent(code) => _ = entries.continents.entry(*code).or_insert(index),
            }
        }
        entries
    }

    /// The most specific entry for a place, networks and systems aside.
    pub(super) fn of_place(&self, place: &Place) -> Option<u32> {
        let subdivision = place.subdivision.as_deref().and_then(|code| self.subdivisions.get(code));
        let country = || place.country.as_ref().and_then(|code| self.countries.get(code));
        let continent = || place.continent.as_ref().and_then(|code| self.continents.get(code));
        subdivision.or_else(country).or_else(continent).copied()
    }
}

fn coordinates(position: Position) -> Option<Coordinates> {
    match position {
        Position::Unknown => None,
        Position::Coordinates { latitude, longitude } => Coordinates::new(latitude, longitude),
        Position::Country(code) => centroid(code).map(|country| country.coordinates),
    }
}

fn nearest_first(from: Site, sites: &[Site]) -> Vec<RegionId> {
    let others = sites.iter().filter(|site| site.region != from.region);
    let mut sorted: Vec<_> = others.map(|site| (site.biased_m(from.point), site.region)).collect();
    sorted.sort_unstable();
    sorted.into_iter().map(|(_, region)| region).collect()
}

fn bit(region: RegionId) -> u128 {
    1_u128.checked_shl(region.0.into()).unwrap_or(0)
}

fn has(mask: u128, region: RegionId) -> bool {
    mask & bit(region) != 0
}

fn regions_of(mask: u128) -> impl Iterator<Item = RegionId> {
    (0..128).map(RegionId).filter(move |&region| has(mask, region))
}
