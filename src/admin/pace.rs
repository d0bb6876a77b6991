//! How many changes may be asked for: a bucket of tokens for each client, and one for all.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::base::limits::{CHANGES_CLIENT, CHANGES_TOTAL, CLIENT_PREFIX_V4, CLIENT_PREFIX_V6, PACED_CLIENTS_MAX};

/// Who has asked for how much lately.
#[derive(Debug)]
pub(super) struct Pace(Mutex<Buckets>);

/// How much at once, and how much more each second.
type Rate = (u32, u32);

#[derive(Debug)]
struct Buckets {
    /// Of a client, and of all together.
    rates: [Rate; 2],
    total: Bucket,
    clients: HashMap<IpAddr, Bucket>,
    /// Those for whom there is no room.
    others: Bucket,
}

/// Requests that may still be made, and when that was so.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    left: f64,
    at: Instant,
}

impl Pace {
    /// The pace of changes; nobody has asked for anything.
    pub(super) fn new(now: Instant) -> Self {
        Self::of(CHANGES_CLIENT, CHANGES_TOTAL, now)
    }

    /// Another pace for a client and for all together.
    pub(super) fn of(client: Rate, total: Rate, now: Instant) -> Self {
        let full = |(size, _): Rate| Bucket { left: f64::from(size), at: now };
        let (others, rates) = (full(client), [client, total]);
        Self(Mutex::new(Buckets { rates, total: full(total), clients: HashMap::new(), others }))
    }

    /// Whether a client may ask for one more, as far as it is the client's own doing.
    pub(super) fn allows_client(&self, client: IpAddr, now: Instant) -> bool {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let buckets = &mut *buckets;
        let (client, rate) = (prefix(client), buckets.rates[0]);
        if buckets.clients.len() >= PACED_CLIENTS_MAX && !buckets.clients.contains_key(&client) {
            // Whoever has a full bucket is as one who never came.
            buckets.clients.retain(|_, bucket| !bucket.is_full(rate, now));
        }
        let has_room = buckets.clients.len() < PACED_CLIENTS_MAX || buckets.clients.contains_key(&client);
        let own = if has_room {
            let full = Bucket { left: f64::from(rate.0), at: now };
            buckets.clients.entry(client).or_insert(full)
        } else {
            &mut buckets.others
        };
        own.take(rate, now)
    }

    /// Whether all clients together may ask for one more. To be asked last: who is refused takes nothing from the others.
    pub(super) fn allows_one_more(&self, now: Instant) -> bool {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let rate = buckets.rates[1];
        buckets.total.take(rate, now)
    }
}

impl Bucket {
    fn take(&mut self, (size, per_second): Rate, now: Instant) -> bool {
        self.fill((size, per_second), now);
        let takes = self.left >= 1.0;
        self.left -= if takes { 1.0 } else { 0.0 };
        takes
    }

    fn fill(&mut self, (size, per_second): Rate, now: Instant) {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.left = (self.left + passed * f64::from(per_second)).min(f64::from(size));
        self.at = now;
    }

    fn is_full(mut self, rate: Rate, now: Instant) -> bool {
        self.fill(rate, now);
        self.left >= f64::from(rate.0)
    }
}

/// What counts as one client.
fn prefix(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => Ipv4Addr::from_bits(v4.to_bits() & (u32::MAX << (32 - u32::from(CLIENT_PREFIX_V4)))).into(),
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << (128 - u32::from(CLIENT_PREFIX_V6)))).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn v4(number: u32) -> IpAddr {
        Ipv4Addr::from_bits(number).into()
    }

    fn allows(pace: &Pace, client: IpAddr, now: Instant) -> bool {
        pace.allows_client(client, now) && pace.allows_one_more(now)
    }

    #[test]
    fn a_client_has_its_own_pace() {
        let start = Instant::now();
        let pace = Pace::new(start);
        let allowed = |client, now| (0..100).filter(|_| allows(&pace, client, now)).count();
        assert_eq!(allowed(v4(1), start), 60);
        assert_eq!(allowed(v4(2), start), 60);
        assert_eq!(allowed(v4(1), start + Duration::from_secs(1)), 20);
        assert_eq!(allowed(v4(1), start + Duration::from_secs(3_600)), 60);
        let [a, b]: [IpAddr; 2] = ["2001:db8::1".parse().unwrap(), "2001:db8:0:ff::1".parse().unwrap()];
        assert_eq!(allowed(a, start + Duration::from_secs(7_200)) + allowed(b, start + Duration::from_secs(7_200)), 60);
    }

    #[test]
    fn all_together_have_one_too() {
        let start = Instant::now();
        let pace = Pace::new(start);
        let crowd = |now| (0..10_000).filter(|&number| allows(&pace, v4(number), now)).count();
        assert_eq!(crowd(start), 200);
        assert_eq!(crowd(start + Duration::from_millis(100)), 10);
        assert!(pace.0.lock().unwrap().clients.len() <= PACED_CLIENTS_MAX);
    }
}
