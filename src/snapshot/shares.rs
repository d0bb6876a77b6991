//! Which regions the clients of a network share, and why: the decisions of queries, for whole networks; and what the
//! endpoints of a region share.

use std::net::IpAddr;

use crate::base::ids::{EndpointId, RegionId, ServiceId};
use crate::dns::RecordType;
use crate::geo::ClassId;
use crate::model::Endpoint;
use crate::policy::{Choice, Member, Pick, Ranked, Reason, Split, Target, ring};

use super::steering::{Asker, Steering};

/// What clients get.
#[derive(Clone, Debug, PartialEq)]
pub struct Shares {
    /// The regions with their shares, which add up to 1; empty if they are sent to none.
    pub regions: Vec<(RegionId, f64)>,
    /// Why these.
    pub reason: Reason,
}

impl Steering {
    /// What the clients of a network (an address and a length in bits) get, or those that nobody can locate. `None` for
    /// an id of another model.
    #[must_use]
    pub fn shares(&self, service: ServiceId, network: Option<(IpAddr, u8)>) -> Option<Shares> {
        let placement = self.placement(service)?;
        let choice = &placement.verdict.choice;
        let (mut regions, reason) = match (choice, network) {
            (Choice::Ranked(ranked), None) => of_class(ranked, ClassId::UNKNOWN, 0),
            (Choice::Ranked(ranked), Some((address, bits))) => {
                let asker = Asker { resolver: address, subnet: Some((address, bits)) };
                let hash = self.decide(service, &asker)?.hash;
                of_class(ranked, class(ranked, address), hash)
            }
            (Choice::Split(split), _) => (of_split(split), placement.verdict.reason),
            (Choice::Region(region), _) => (vec![(*region, 1.0)], placement.verdict.reason),
            (Choice::All(set), _) => (alike(*set), placement.verdict.reason),
            (Choice::Fallback | Choice::NoData | Choice::ServFail, _) => (Vec::new(), placement.verdict.reason),
        };
        // A service that takes over a decision answers with what it has up there itself.
        if placement.decided_by != service {
            regions.retain(|(region, _)| self.table.is_usable(service, *region));
        }
        Some(Shares { regions, reason })
    }

    /// The endpoints of a service in a region that answer with a type, each with its share of the answers: how often one
    /// is the first of those in an answer.
    #[must_use]
    pub fn endpoint_shares(&self, service: ServiceId, region: RegionId, rtype: RecordType) -> Vec<(EndpointId, f64)> {
        let places = self.places(service, region, rtype);
        let Some(ring) = self.ring_of(service, region, rtype) else { return Vec::new() };
        let mut counts = vec![0_usize; places.len()];
        match ring.pick() {
            Pick::Fixed => counts.iter_mut().take(1).for_each(|count| *count = 1),
            Pick::Turn { .. } => counts.fill(1),
            Pick::Bucket(buckets) | Pick::Draw(buckets) => {
                for &place in buckets.slots() {
                    counts.get_mut(usize::from(place)).into_iter().for_each(|count| *count += 1);
                }
            }
        }
        let total: usize = counts.iter().sum();
        places.into_iter().zip(counts).map(|(id, count)| (id, part(count, total))).collect()
    }

    /// The endpoints in the places of a ring.
    fn places(&self, service: ServiceId, region: RegionId, rtype: RecordType) -> Vec<EndpointId> {
        let parts = self.model.services.get(service.index()).map_or(&[][..], |service| &service.regions);
        let part = parts.iter().find(|part| part.region == region);
        let all = part.into_iter().flat_map(|part| part.endpoint_ids());
        let own = all.filter_map(|id| Some((id, self.model.endpoints.get(id.index())?)));
        let own: Vec<_> = own.filter(|(_, endpoint)| endpoint.has(rtype)).collect();
        let member = |(id, endpoint): &(EndpointId, &Endpoint)| Member {
            hash: 0,
            weight: endpoint.weight,
            usable: self.table.is_answerable(*id),
        };
        let members: Vec<Member> = own.iter().map(member).collect();
        ring(&members).into_iter().filter_map(|index| own.get(index).map(|(id, _)| *id)).collect()
    }

    /// Seconds that answers with a region may be kept now by clients for whom it ranks first; `None` for an id of
    /// another model.
    #[must_use]
    pub fn ttl_in(&self, service: ServiceId, region: RegionId) -> Option<u32> {
        self.ttl_while(service, 1 << region.index())
    }
}

fn class(ranked: &Ranked, address: IpAddr) -> ClassId {
    ranked.atlas.as_ref().map_or(ClassId::UNKNOWN, |atlas| atlas.locate(address).0)
}

fn of_class(ranked: &Ranked, class: ClassId, hash: u64) -> (Vec<(RegionId, f64)>, Reason) {
    let chosen = ranked.choose(class, hash);
    let regions = match (chosen.to, ranked.split_of(class).filter(|_| chosen.hashed)) {
        (Target::Region(_), Some(split)) => of_split(split),
        (Target::Region(region), None) => vec![(region, 1.0)],
        (Target::Fallback | Target::NoData | Target::ServFail, _) => Vec::new(),
    };
    (regions, chosen.reason)
}

fn of_split(split: &Split) -> Vec<(RegionId, f64)> {
    let shares = split.shares();
    let total: usize = shares.iter().map(|(_, count)| count).sum();
    shares.into_iter().map(|(region, count)| (region, part(count, total))).collect()
}

#[expect(clippy::cast_precision_loss, reason = "counts of a few thousand buckets")]
fn part(count: usize, total: usize) -> f64 {
    count as f64 / total.max(1) as f64
}

/// All regions of a set in one answer.
fn alike(set: u128) -> Vec<(RegionId, f64)> {
    let ids = (0..=127_u8).filter(|id| set >> id & 1 == 1).map(RegionId);
    ids.map(|id| (id, 1.0 / f64::from(set.count_ones()))).collect()
}
