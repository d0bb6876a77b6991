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
//!
//! Where latency ranks, what is estimated for the way to a region stands for the distance: in the table "coordinates are
//! known" is then "coordinates are known, or something was measured".

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::base::ids::RegionId;
use crate::base::limits;
use crate::model::{GeoMatch, GeoRanking, Geomap, Model, Position};

use super::centroids::centroid;
use super::distance::{Point, biased};
use super::measured::{Estimate, Group, Measured, Row, expected_us, ordered};
use super::place::{Coordinates, Place};
use super::prefix::Network;

/// All clients that a map cannot tell apart.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Class {
    /// Sets of regions by their ids' bits, best first; disjoint, none empty, only regions of the atlas.
    pub tiers: Box<[u128]>,
    /// If these clients never leave their tiers, of which there may be none: then nothing may be answered.
    pub is_fenced: bool,
    /// Where latency ranks: what the way to each region of the set takes, by id, in steps of 20 %.
    pub costs: Box<[u8]>,
}

/// What makes a region near.
#[derive(Clone, Debug)]
pub enum Nearness {
    /// The great circle; regions no more than `tolerance_m` meters further than the nearest are its equals.
    Distance {
        /// Meters.
        tolerance_m: u32,
    },
    /// The time there and back, as far as it was measured, and else as the great circle lets expect.
    Latency {
        /// Regions that differ from the best by no more than this are its equals, microseconds.
        tolerance_us: u32,
        /// What was measured.
        measured: Arc<Measured>,
    },
}

/// What decided about a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Matched {
    /// An entry of the map.
    Entry(GeoMatch),
    /// No entry, but the ways of a group of clients it belongs to were measured.
    Latency(Group),
    /// No entry, but it is known where the client is.
    Distance,
    /// Neither.
    Nothing,
}

/// Ranks the regions of one set by one ranking.
#[derive(Clone, Debug)]
pub(super) struct Ranker {
    regions: u128,
    nearness: Nearness,
    /// The regions of the set, by id, with their bias and their place among those measured.
    members: Vec<Member>,
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

#[derive(Clone, Copy, Debug)]
struct Member {
    region: RegionId,
    bias: i8,
    /// Its place among the regions that were measured.
    measured: Option<u8>,
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
    pub(super) fn new(model: &Model, ranking: GeoRanking, nearness: Nearness, regions: u128) -> Self {
        let ids = (0..=u8::MAX).map(RegionId).zip(&model.regions);
        let measured = |key: &Arc<str>| match &nearness {
            Nearness::Distance { .. } => None,
            Nearness::Latency { measured, .. } => {
                (0..=u8::MAX).zip(measured.regions()).find(|(_, own)| *own == key).map(|(place, _)| place)
            }
        };
        let members = ids.filter(|(id, _)| has(regions, *id));
        let sites: Vec<Site> = members
            .clone()
            .filter_map(|(region, of)| {
                Some(Site { region, point: region_coordinates(of.position)?.into(), bias: of.bias })
            })
            .collect();
        let member = |(region, of): (RegionId, &crate::model::Region)| Member {
            region,
            bias: of.bias,
            measured: measured(&of.key),
        };
        let members: Vec<Member> = members.map(member).collect();
        let regions = members.iter().fold(0, |mask, member| mask | bit(member.region));
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
            members,
            neighbors: sites.iter().map(|from| nearest_first(*from, &sites)).collect(),
            sites,
            entries: map.map(Entries::new).unwrap_or_default(),
            entry_tiers: entries.iter().map(|(_, tiers)| masked(tiers)).collect(),
            default_tiers: map.map(|map| masked(&map.default)).unwrap_or_default(),
            fence: map.is_some_and(|map| map.fence),
            nearness,
        }
    }

    /// What was measured; `None`: distance ranks.
    pub(super) fn measured(&self) -> Option<&Measured> {
        match &self.nearness {
            Nearness::Distance { .. } => None,
            Nearness::Latency { measured, .. } => Some(measured),
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
        Class { tiers: [self.regions].into_iter().filter(|&mask| mask != 0).collect(), ..Class::default() }
    }

    /// The class of clients of whom nothing is known.
    pub(super) fn unknown(&self) -> Class {
        Class { tiers: self.default_tiers.as_slice().into(), ..Class::default() }
    }

    /// The class of clients with these coordinates that this entry of the map matches, and of whom this is measured;
    /// `None`: the unknown.
    pub(super) fn class(
        &self,
        coordinates: Option<Coordinates>,
        entry: Option<u32>,
        row: Option<u32>,
    ) -> Option<Class> {
        let is_known = coordinates.is_some() || row.is_some();
        let mut tiers = match entry {
            Some(entry) => self.entry_tiers.get(entry as usize).cloned().unwrap_or_default(),
            None if is_known => Vec::new(),
            None => return None,
        };
        let is_fenced = self.fence && entry.is_some();
        let from = coordinates.map(Point::from);
        let estimates = self.estimates(from, row);
        let costs = self.measured().map(|_| self.costs(&estimates)).unwrap_or_default();
        if !is_fenced && is_known {
            self.append_nearest(from, &estimates, &mut tiers);
        } else if !is_fenced {
            let left = self.left(&tiers);
            tiers.extend(self.default_tiers.iter().map(|tier| tier & left).filter(|&tier| tier != 0));
            tiers.extend(Some(self.left(&tiers)).filter(|&tier| tier != 0));
        }
        Some(Class { tiers: tiers.into(), is_fenced, costs })
    }

    /// The regions of the set of which something is known of the way, from `from` for clients of this row, in the order of
    /// their ranks: what is estimated after bias. Empty where distance ranks.
    pub(super) fn estimates(&self, from: Option<Point>, row: Option<u32>) -> Vec<(RegionId, Estimate)> {
        let Some(measured) = self.measured() else { return Vec::new() };
        let row = row.and_then(|row| measured.row(row)).map(|(_, row)| row);
        let mut known: Vec<(Member, Estimate)> =
            self.members.iter().filter_map(|&member| Some((member, self.estimate(member, from, row)?))).collect();
        let rank = |member: &Member| {
            let order = row.map(|row| &row.order[..]).unwrap_or_default();
            order.iter().position(|&place| Some(place) == member.measured).unwrap_or(usize::MAX)
        };
        known.sort_by_key(|(member, estimate)| (rank(member), estimate.expected_us, member.region));
        let known = known.into_iter().map(|(member, estimate)| (member.region, estimate)).collect::<Vec<_>>();
        ordered(&known, measured.margin())
    }

    /// What is estimated for the way to a region, after bias; `None`: neither its place nor a measurement is known.
    fn estimate(&self, member: Member, from: Option<Point>, row: Option<&Row>) -> Option<Estimate> {
        let site = self.sites.iter().find(|site| site.region == member.region);
        let distance_m = site.zip(from).map(|(site, from)| biased(site.point.distance_m(from), 0));
        let deviation = row.zip(member.measured).and_then(|(row, place)| *row.deviations.get(usize::from(place))?);
        if distance_m.is_none() && deviation.is_none() {
            return None;
        }
        let Estimate { us, error_us, expected_us } = Estimate::new(expected_us(distance_m), deviation);
        let after_bias = |us: u32| biased(us.into(), member.bias);
        Some(Estimate { us: after_bias(us), error_us, expected_us: after_bias(expected_us) })
    }

    /// By region of the set: the step of what its way takes; the highest for one of which nothing is known.
    fn costs(&self, known: &[(RegionId, Estimate)]) -> Box<[u8]> {
        let of = |member: &Member| known.iter().find(|(region, _)| *region == member.region);
        self.members.iter().map(|member| of(member).map_or(u8::MAX, |(_, estimate)| step(estimate.us))).collect()
    }

    /// The regions of the set, by id.
    pub(super) fn set(&self) -> impl Iterator<Item = RegionId> {
        self.members.iter().map(|member| member.region)
    }

    /// The regions of the set with their distances after bias in meters, nearest first; those without a position last.
    pub(super) fn distances(&self, from: Option<Point>) -> Vec<(RegionId, Option<u32>)> {
        let sited = from.map(|from| self.by_distance(from, self.regions)).unwrap_or_default();
        let known = sited.iter().fold(0, |mask, &(_, region)| mask | bit(region));
        let rest = regions_of(self.regions & !known).map(|region| (region, None));
        sited.iter().map(|&(distance_m, region)| (region, Some(distance_m))).chain(rest).collect()
    }

    /// Appends the regions that are not in `tiers` yet, the nearest first.
    fn append_nearest(&self, from: Option<Point>, estimates: &[(RegionId, Estimate)], tiers: &mut Vec<u128>) {
        let is_small = self.regions.count_ones() as usize <= limits::REGIONS_ORDERED_MAX;
        let exact_max = if is_small { usize::MAX } else { limits::TIERS_EXACT };
        let left = self.left(tiers);
        // What it costs to go there, and if it is too far to be the equal of those that are not.
        let (mut rest, tolerance): (Vec<(u32, bool, RegionId)>, u32) = match &self.nearness {
            Nearness::Distance { tolerance_m } => {
                let sited = from.map(|from| self.by_distance(from, left)).unwrap_or_default();
                (sited.into_iter().map(|(meters, region)| (meters, false, region)).collect(), *tolerance_m)
            }
            Nearness::Latency { tolerance_us, measured } => {
                let nearest = estimates.iter().map(|(_, estimate)| estimate.expected_us).min().unwrap_or(0);
                let is_far = |estimate: &Estimate| estimate.is_far(nearest, measured.margin());
                let left = estimates.iter().filter(|(region, _)| has(left, *region));
                (left.map(|(region, estimate)| (estimate.us, is_far(estimate), *region)).collect(), *tolerance_us)
            }
        };
        while let Some(&(best, is_far, _)) = rest.first().filter(|_| tiers.len() < exact_max) {
            let (tier, after): (Vec<_>, Vec<_>) =
                rest.into_iter().partition(|(cost, far, _)| cost.abs_diff(best) <= tolerance && *far == is_far);
            tiers.push(tier.iter().fold(0, |mask, &(_, _, region)| mask | bit(region)));
            rest = after;
        }
        if !rest.is_empty() {
            let left = rest.iter().fold(0, |mask, &(_, _, region)| mask | bit(region));
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
        biased(self.point.distance_m(from), self.bias)
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

/// Where a region is, if anybody knows.
#[must_use]
pub fn region_coordinates(position: Position) -> Option<Coordinates> {
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

/// What the steps of costs differ by: classes whose ways take about as long are one.
pub(super) const COST_STEP_PERCENT: u32 = 20;

/// The number of the step that a time lies in, from a tenth of a millisecond on.
fn step(us: u32) -> u8 {
    let mut bound = u64::from(STEP_FIRST_US);
    let mut step = 0;
    while bound < u64::from(us) && step < u8::MAX - 1 {
        bound += bound * u64::from(COST_STEP_PERCENT) / 100;
        step += 1;
    }
    step
}

/// The first step of costs, microseconds.
const STEP_FIRST_US: u32 = 100;

fn bit(region: RegionId) -> u128 {
    1_u128.checked_shl(region.0.into()).unwrap_or(0)
}

fn has(mask: u128, region: RegionId) -> bool {
    mask & bit(region) != 0
}

fn regions_of(mask: u128) -> impl Iterator<Item = RegionId> {
    (0..128).map(RegionId).filter(move |&region| has(mask, region))
}
