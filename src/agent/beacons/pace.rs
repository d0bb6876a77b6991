//! How many beacons are taken: of one network, and of all, within a minute.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::base::limits::{AGENT_NETWORKS_MAX, BEACON_PACE_MS, BEACONS_ALL_MAX, BEACONS_NETWORK_MAX};
use crate::latency::ClientNetwork;

const MINUTE: Duration = Duration::from_millis(BEACON_PACE_MS);

/// Counts beacons by the minute.
#[derive(Debug)]
pub(super) struct Pace {
    began: Instant,
    by_network: HashMap<ClientNetwork, u32>,
    all: u32,
}

impl Pace {
    pub(super) fn new(now: Instant) -> Self {
        Self { began: now, by_network: HashMap::new(), all: 0 }
    }

    /// Counts a beacon.
    ///
    /// # Errors
    /// If it is one too many: how long there will be no place for another.
    pub(super) fn count(&mut self, now: Instant, network: ClientNetwork) -> Result<(), Duration> {
        if now.saturating_duration_since(self.began) >= MINUTE {
            *self = Self::new(now);
        }
        let is_new = !self.by_network.contains_key(&network);
        let left = MINUTE.saturating_sub(now.saturating_duration_since(self.began));
        if self.all >= BEACONS_ALL_MAX || (is_new && self.by_network.len() >= AGENT_NETWORKS_MAX) {
            return Err(left);
        }
        let own = self.by_network.entry(network).or_default();
        if *own >= BEACONS_NETWORK_MAX {
            return Err(left);
        }
        *own += 1;
        self.all += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(index: u32) -> ClientNetwork {
        ClientNetwork::of(std::net::IpAddr::V4((0x0a00_0000 + (index << 8)).into())).unwrap()
    }

    #[test]
    fn a_network_has_so_many_a_minute() {
        let start = Instant::now();
        let mut pace = Pace::new(start);
        for _ in 0..BEACONS_NETWORK_MAX {
            assert_eq!(pace.count(start, network(1)), Ok(()));
        }
        let later = start + MINUTE / 4;
        assert_eq!(pace.count(later, network(1)), Err(MINUTE * 3 / 4));
        assert_eq!(pace.count(later, network(2)), Ok(()), "others are not held up");
        assert_eq!(pace.count(start + MINUTE, network(1)), Ok(()));
    }

    #[test]
    fn all_have_so_many_a_minute() {
        let start = Instant::now();
        let mut pace = Pace::new(start);
        for index in 0..BEACONS_ALL_MAX {
            assert_eq!(pace.count(start, network(index)), Ok(()));
        }
        assert_eq!(pace.count(start, network(BEACONS_ALL_MAX)), Err(MINUTE));
        assert_eq!(pace.count(start + MINUTE, network(BEACONS_ALL_MAX)), Ok(()));
    }
}
