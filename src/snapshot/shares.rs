//! Which regions the clients of a network share, and why: the decisions of queries, for whole networks.

use std::net::IpAddr;

use crate::base::ids::{RegionId, ServiceId};
use crate::geo::ClassId;
use crate::policy::{Choice, Ranked, Reason, Split, Target};

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

#[expect(clippy::cast_precision_loss, reason = "counts of a few thousand buckets")]
fn of_split(split: &Split) -> Vec<(RegionId, f64)> {
    let shares = split.shares();
    let total: usize = shares.iter().map(|(_, count)| count).sum();
    shares.into_iter().map(|(region, count)| (region, count as f64 / total.max(1) as f64)).collect()
}

/// All regions of a set in one answer.
fn alike(set: u128) -> Vec<(RegionId, f64)> {
    let ids = (0..=127_u8).filter(|id| set >> id & 1 == 1).map(RegionId);
    ids.map(|id| (id, 1.0 / f64::from(set.count_ones()))).collect()
}
