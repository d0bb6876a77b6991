//! Who asks for what: for each service and class of clients, how long caches will hold what they were answered.
//!
//! Answers are counted in seconds of their TTL, not one by one: a resolver asks again when what it holds has run out, so
//! shorter TTLs make more queries and no more clients. The table is bounded; what finds no room is counted together.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::base::hash::mix;
use crate::base::ids::ServiceId;
use crate::base::limits::DEMAND_SLOTS;
use crate::geo::ClassId;

const _: () = assert!(DEMAND_SLOTS.is_power_of_two(), "a slot is found by a mask");
/// Slots looked at for one key: neighbors, in one or two cache lines.
const LOOK: usize = 8;

/// The demand that one lane has seen. It alone adds; whoever sweeps reads.
#[derive(Debug)]
pub struct Demand {
    /// None where no capacity is limited: then nothing is counted.
    slots: Box<[Slot]>,
    others: AtomicU64,
}

#[derive(Debug, Default)]
struct Slot {
    /// The service and the class, plus one; 0: free.
    key: AtomicU64,
    seconds: AtomicU64,
}

/// What was asked for, in seconds of TTL since the table was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Demanded {
    /// The service that decided.
    pub service: ServiceId,
    /// The class of the clients.
    pub class: ClassId,
    /// TTLs of all answers, added up.
    pub seconds: u64,
}

impl Demand {
    /// A table that counts, or one that does not.
    #[must_use]
    pub fn new(counts: bool) -> Self {
        let slots = if counts { DEMAND_SLOTS } else { 0 };
        Self { slots: (0..slots).map(|_| Slot::default()).collect(), others: AtomicU64::new(0) }
    }

    /// Counts an answer. Only the owning thread calls this, so loads and stores do what costlier operations would do.
    #[inline]
    pub fn add(&self, service: ServiceId, class: ClassId, ttl: u32) {
        let key = (u64::from(service.0) << 32 | u64::from(class.0)).wrapping_add(1);
        let start = mix(key);
        for step in 0..LOOK {
            #[expect(clippy::cast_possible_truncation, reason = "masked")]
            let place = (start as usize).wrapping_add(step) & (DEMAND_SLOTS - 1);
            let Some(slot) = self.slots.get(place) else { return };
            let found = slot.key.load(Ordering::Relaxed);
            if found == key || found == 0 {
                let seconds = slot.seconds.load(Ordering::Relaxed).wrapping_add(ttl.into());
                slot.seconds.store(seconds, Ordering::Relaxed);
                if found == 0 {
                    // The key comes last: whoever sees it sees its seconds.
                    slot.key.store(key, Ordering::Release);
                }
                return;
            }
        }
        self.others.store(self.others.load(Ordering::Relaxed).wrapping_add(ttl.into()), Ordering::Relaxed);
    }

    /// All that was counted, in no order.
    pub fn read(&self) -> impl Iterator<Item = Demanded> {
        self.slots.iter().filter_map(|slot| {
            let key = slot.key.load(Ordering::Acquire).checked_sub(1)?;
            let (service, class) = (u32::try_from(key >> 32).ok()?, u32::try_from(key & 0xffff_ffff).ok()?);
            let seconds = slot.seconds.load(Ordering::Relaxed);
            Some(Demanded { service: ServiceId(service), class: ClassId(class), seconds })
        })
    }

    /// What found no room, in seconds of TTL.
    #[must_use]
    pub fn others(&self) -> u64 {
        self.others.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_add_up_by_service_and_class() {
        let demand = Demand::new(true);
        for (service, class, ttl) in [(0, 0, 30), (0, 0, 5), (0, 1, 30), (u32::MAX, 7, 60)] {
            demand.add(ServiceId(service), ClassId(class), ttl);
        }
        let mut found: Vec<Demanded> = demand.read().collect();
        found.sort_unstable();
        let of = |service, class, seconds| Demanded { service: ServiceId(service), class: ClassId(class), seconds };
        assert_eq!((found, demand.others()), (vec![of(0, 0, 35), of(0, 1, 30), of(u32::MAX, 7, 60)], 0));
    }

    #[test]
    fn what_finds_no_room_is_counted_together() {
        let demand = Demand::new(true);
        let many = u32::try_from(2 * DEMAND_SLOTS).unwrap();
        (0..many).for_each(|class| demand.add(ServiceId(1), ClassId(class), 1));
        let found: u64 = demand.read().map(|demanded| demanded.seconds).sum();
        assert_eq!(found + demand.others(), u64::from(many));
        assert!(demand.read().count() > DEMAND_SLOTS * 9 / 10, "the table is used");
    }

    #[test]
    fn a_table_that_does_not_count_is_empty() {
        let demand = Demand::new(false);
        demand.add(ServiceId(1), ClassId(1), 1);
        assert_eq!((demand.read().count(), demand.others()), (0, 0));
    }
}
