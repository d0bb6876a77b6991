//! How many connections there may be, in total and per client, and what became of each.
//!
//! A client that has all the connections it may have gets no more. The places in total are shared out evenly among the
//! stream threads, and the kernel spreads connections over these. When all places of a thread are taken, a new
//! connection takes the place of the one that has been silent for longest, if that is at least
//! [`STREAM_IDLE_EVICT_MS`](crate::base::limits::STREAM_IDLE_EVICT_MS): whoever merely holds places open loses them
//! first (RFC 7766 §6.2.3). If all are busy, the new one is refused.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::base::limits::{CLIENT_PREFIX_V4, CLIENT_PREFIX_V6};
use crate::metrics::CloseReason;

/// What an operator allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// Connections in total.
    pub total: usize,
    /// Connections of one client: an IPv4 address, or an IPv6 /56.
    pub per_client: usize,
}

/// The places taken; shared by all stream threads and touched only when a connection opens or closes.
#[derive(Debug)]
pub struct Caps {
    limits: ConnectionLimits,
    open: AtomicUsize,
    clients: Mutex<HashMap<IpAddr, usize>>,
    accepted: AtomicU64,
    closed: [AtomicU64; CloseReason::ALL.len()],
}

impl Caps {
    /// Nothing is taken.
    #[must_use]
    pub fn new(limits: ConnectionLimits) -> Self {
        Self {
            limits,
            open: AtomicUsize::new(0),
            clients: Mutex::default(),
            accepted: AtomicU64::new(0),
            closed: std::array::from_fn(|_| AtomicU64::new(0)),
        }
    }

    /// The limits.
    #[must_use]
    pub fn limits(&self) -> ConnectionLimits {
        self.limits
    }

    /// Connections open.
    #[must_use]
    pub fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Takes a place for a connection from `address`; false if that client has all it may have. A place taken must be
    /// given back with [`Self::release`].
    #[must_use]
    pub fn take(&self, address: IpAddr) -> bool {
        self.accepted.fetch_add(1, Ordering::Relaxed);
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let held = clients.entry(prefix(address)).or_default();
        if *held >= self.limits.per_client {
            return false;
        }
        *held += 1;
        self.open.fetch_add(1, Ordering::Relaxed);
        true
    }

    /// Gives back the place of a connection from `address`.
    pub fn release(&self, address: IpAddr) {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(held) = clients.get_mut(&prefix(address)) {
            *held -= 1;
            if *held == 0 {
                clients.remove(&prefix(address));
            }
            self.open.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Counts a connection that ended, or never began, for `reason`.
    pub fn count_closed(&self, reason: CloseReason) {
        self.closed[reason.index()].fetch_add(1, Ordering::Relaxed);
    }

    /// Totals since the start: connections accepted, and closed by [`CloseReason`].
    #[must_use]
    pub fn totals(&self) -> (u64, [u64; CloseReason::ALL.len()]) {
        let closed = std::array::from_fn(|at| self.closed[at].load(Ordering::Relaxed));
        (self.accepted.load(Ordering::Relaxed), closed)
    }
}

/// What counts as one client.
fn prefix(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(v4) => Ipv4Addr::from_bits(v4.to_bits() & (u32::MAX << (32 - u32::from(CLIENT_PREFIX_V4)))).into(),
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << (128 - u32::from(CLIENT_PREFIX_V6)))).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_taken_and_given_back() {
        let caps = Caps::new(ConnectionLimits { total: 3, per_client: 2 });
        let [a, b, c] = ["192.0.2.1", "2001:db8:0:1::1", "2001:db8:0:2::1"].map(|text| text.parse().unwrap());
        assert!(caps.take(a) && caps.take(a) && !caps.take(a));
        assert!(caps.take(b) && caps.take(c));
        assert!(!caps.take(b), "b and c are in one /56, which has two");
        caps.release(a);
        assert!(caps.take(a) && !caps.take(a));
        assert_eq!(caps.open(), 4);
        for address in [a, a, b, c, "192.0.2.10".parse().unwrap()] {
            caps.release(address);
        }
        assert_eq!(caps.open(), 0);
        assert!(caps.clients.lock().unwrap().is_empty());
        assert_eq!(caps.totals().0, 8);
    }
}
