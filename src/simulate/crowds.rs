//! Demand by classes of clients: whoever asks for one service and is of one class gets the same answers.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::base::ids::{RegionId, ServiceId};
use crate::base::limits::SAMPLES_EACH;
use crate::geo::{ClassId, Coordinates, Sample, centroid, distance_m};
use crate::model::{Model, Position};
use crate::snapshot::{Asker, Steering};

use super::profile::{Origin, Profile};

/// Clients of one service and one class.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Group {
    /// The service they ask for.
    pub(super) service: ServiceId,
    /// The service that decides.
    pub(super) decider: ServiceId,
    /// What the deciding service takes them for.
    pub(super) class: ClassId,
    /// A network that stands for them, if any is known.
    pub(super) network: Option<(IpAddr, u8)>,
    /// The longest TTL of the service.
    pub(super) ttl_s: u32,
    /// The shortest one.
    pub(super) ttl_min_s: u32,
    /// Where they are.
    pub(super) members: Vec<Member>,
}

/// Those of a group that are in one place.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Member {
    /// As the profile says it.
    pub(super) origin: Origin,
    /// The country it is in, if it is known.
    pub(super) country: Option<[u8; 2]>,
    /// Answers a second at the beginning.
    pub(super) demand: f64,
    /// Kilometers to each region, by [`RegionId`]; 0 where no place is known.
    pub(super) km: Vec<f64>,
}

/// The groups of a profile, by service and class. Countries that no source knows a network of are clients that nobody can
/// locate; the demand of those is told beside them.
pub(super) fn groups(steering: &Steering, profile: &Profile) -> (Vec<Group>, f64) {
    let places = steering.atlases.places();
    let samples = places.samples(SAMPLES_EACH);
    let positions: Vec<Option<Coordinates>> = steering.model.regions.iter().map(|region| at(region.position)).collect();
    let mut groups: BTreeMap<(ServiceId, ClassId), Group> = BTreeMap::new();
    let mut unlocated = 0.0;
    for row in &profile.rows {
        let (networks, country) = match row.origin {
            Origin::Country(code) => {
                let samples = samples.get(&code).map_or(&[][..], Vec::as_slice);
                (
                    samples.iter().map(|sample| ((sample.address, sample.length), addresses(sample))).collect(),
                    Some(code),
                )
            }
            Origin::Network(address, bits) => (vec![((address, bits), 1.0)], None),
            Origin::Unknown => (Vec::new(), None),
        };
        let whole: f64 = networks.iter().map(|(_, weight)| weight).sum();
        let mut add = |network: Option<(IpAddr, u8)>, demand: f64| {
            let Some(group) = group(steering, row.service, network) else { return };
            let place = network.map(|(address, _)| places.find(address).place);
            let country = country.or(place.as_ref().and_then(|place| place.country));
            let own = place.and_then(|place| place.coordinates).or_else(|| country.and_then(middle));
            let km = |region: &Option<Coordinates>| match (own, region) {
                (Some(own), Some(region)) => f64::from(distance_m(own, *region)) / 1_000.0,
                (None, _) | (_, None) => 0.0,
            };
            let km = positions.iter().map(km).collect();
            let member = Member { origin: row.origin, country, demand, km };
            groups.entry((group.service, group.class)).or_insert(group).members.push(member);
        };
        if networks.is_empty() {
            unlocated += row.demand;
            add(None, row.demand);
        }
        for (network, weight) in networks {
            add(Some(network), row.demand * weight / whole);
        }
    }
    (groups.into_values().collect(), unlocated)
}

fn group(steering: &Steering, service: ServiceId, network: Option<(IpAddr, u8)>) -> Option<Group> {
    let of = steering.model.services.get(service.index())?;
    let (decider, class) = match network {
        Some((address, bits)) => {
            let decision = steering.decide(service, &Asker { resolver: address, subnet: Some((address, bits)) })?;
            (decision.decided_by, decision.class)
        }
        None => (steering.placement(service)?.decided_by, ClassId::UNKNOWN),
    };
    let (ttl_s, ttl_min_s) = (of.ttl.max.max(1), of.ttl.min.max(1));
    Some(Group { service, decider, class, network, ttl_s, ttl_min_s, members: Vec::new() })
}

/// How many addresses a sample stands for, as a weight.
#[expect(clippy::cast_precision_loss, reason = "a weight, not a count")]
pub(super) fn addresses(sample: &Sample) -> f64 {
    sample.addresses as f64
}

fn middle(country: [u8; 2]) -> Option<Coordinates> {
    centroid(country).map(|country| country.coordinates)
}

/// Where a region is.
fn at(position: Position) -> Option<Coordinates> {
    match position {
        Position::Unknown => None,
        Position::Coordinates { latitude, longitude } => Coordinates::new(latitude, longitude),
        Position::Country(code) => middle(code),
    }
}

/// The key of a region.
pub(super) fn key(model: &Model, region: RegionId) -> String {
    model.regions.get(region.index()).map_or_else(String::new, |region| region.key.to_string())
}
