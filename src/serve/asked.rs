//! Who asked a thread lately: a few addresses, for whoever measures ways.
//!
//! The thread alone writes, one address a batch; others read while it does. An address is taken only if it was read whole,
//! so that nobody is ever measured who did not ask.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering, fence};

use crate::base::limits::ASKED_KEPT;

/// Addresses that asked, the last ones of a thread.
#[derive(Debug)]
pub struct Asked {
    is_wanted: AtomicBool,
    next: AtomicU32,
    slots: [Slot; ASKED_KEPT],
}

#[derive(Debug, Default)]
struct Slot {
    /// Odd while it is being written; changes with each address.
    version: AtomicU32,
    high: AtomicU64,
    low: AtomicU64,
}

impl Default for Asked {
    fn default() -> Self {
        let slots = std::array::from_fn(|_| Slot::default());
        Self { is_wanted: AtomicBool::new(false), next: AtomicU32::new(0), slots }
    }
}

impl Asked {
    /// Notes an address, if that is wanted. Only the owning thread calls this.
    #[inline]
    pub fn note(&self, address: IpAddr) {
        if self.is_wanted.load(Ordering::Relaxed) {
            self.keep(address);
        }
    }

    fn keep(&self, address: IpAddr) {
        let next = self.next.load(Ordering::Relaxed);
        self.next.store(next.wrapping_add(1), Ordering::Relaxed);
        let Some(slot) = self.slots.get(next as usize % ASKED_KEPT) else { return };
        let bits = match address {
            IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
            IpAddr::V6(v6) => v6.to_bits(),
        };
        let version = slot.version.load(Ordering::Relaxed);
        slot.version.store(version.wrapping_add(1), Ordering::Relaxed);
        fence(Ordering::Release);
        slot.high.store(u64::try_from(bits >> 64).unwrap_or(0), Ordering::Relaxed);
        #[expect(clippy::cast_possible_truncation, reason = "the lower half")]
        slot.low.store(bits as u64, Ordering::Relaxed);
        slot.version.store(version.wrapping_add(2), Ordering::Release);
    }

    /// Has addresses noted from now on, or no more.
    pub fn want(&self, is_wanted: bool) {
        self.is_wanted.store(is_wanted, Ordering::Relaxed);
    }

    /// Who asked lately, in no order, some twice.
    pub fn read(&self) -> impl Iterator<Item = IpAddr> {
        self.slots.iter().filter_map(|slot| {
            let version = slot.version.load(Ordering::Acquire);
            let (high, low) = (slot.high.load(Ordering::Relaxed), slot.low.load(Ordering::Relaxed));
            fence(Ordering::Acquire);
            let is_whole = version % 2 == 0 && version != 0 && slot.version.load(Ordering::Relaxed) == version;
            let address = Ipv6Addr::from_bits(u128::from(high) << 64 | u128::from(low));
            is_whole.then(|| IpAddr::V6(address).to_canonical())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn addresses_are_noted_when_they_are_wanted() {
        let asked = Asked::default();
        asked.note("192.0.2.1".parse().unwrap());
        assert_eq!(asked.read().count(), 0);
        asked.want(true);
        for address in ["192.0.2.1", "2001:db8::1"] {
            asked.note(address.parse().unwrap());
        }
        let mut found: Vec<String> = asked.read().map(|address| address.to_string()).collect();
        found.sort();
        assert_eq!(found, ["192.0.2.1", "2001:db8::1"]);
        (0..1_000).for_each(|_| asked.note("192.0.2.9".parse().unwrap()));
        assert!(asked.read().all(|address| address.to_string() == "192.0.2.9"));
    }

    #[test]
    fn no_address_is_read_that_was_never_written() {
        let asked = Arc::new(Asked::default());
        asked.want(true);
        let writer = Arc::clone(&asked);
        // Both halves are the same in all that are written.
        let of = |n: u64| IpAddr::V6(Ipv6Addr::from_bits(u128::from(n) << 64 | u128::from(n)));
        let writing = std::thread::spawn(move || (1..200_000).for_each(|n| writer.note(of(n | 1 << 40))));
        while !writing.is_finished() {
            for address in asked.read() {
                let IpAddr::V6(v6) = address else { panic!("{address}") };
                assert_eq!(v6.to_bits() >> 64, v6.to_bits() & u128::from(u64::MAX), "{address}");
            }
        }
        writing.join().unwrap();
    }
}
