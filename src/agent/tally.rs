//! Round trips of one interval, by client network and region, and their medians. Memory is bounded in every direction.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use crate::base::limits::{
    AGENT_NETWORKS_MAX, AGENT_SAMPLES_ALL_MAX, LATENCY_SAMPLES_MAX, LATENCY_US_MAX, LATENCY_US_MIN,
};
use crate::latency::ClientNetwork;

/// What the clients of a network have measured to a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Median {
    /// The network of the clients.
    pub network: ClientNetwork,
    /// The region, by its place in a list that whoever counts has.
    pub region: usize,
    /// The median, in microseconds, within what the API takes; of an even number of round trips the mean of the middle two.
    pub rtt_us: u32,
    /// Of how many round trips, 1 to [`LATENCY_SAMPLES_MAX`].
    pub samples: u32,
}

impl Median {
    /// The median in milliseconds.
    #[must_use]
    pub fn ms(&self) -> f64 {
        f64::from(self.rtt_us) / 1_000.0
    }
}

/// The round trips since they were taken last.
#[derive(Debug, Default)]
pub(super) struct Tally {
    by_network: HashMap<(ClientNetwork, usize), Vec<u32>>,
    samples: usize,
    dropped: usize,
    /// Counts intervals, for turns.
    interval: u64,
}

/// What a tally comes to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Medians {
    /// The networks with most round trips first, then by network. Where not all are told, those with as many take turns.
    pub(super) medians: Vec<Median>,
    /// Networks that were left out: there are too many for a report.
    pub(super) left_out: usize,
    /// Round trips that were not counted: too long, or too many to be kept.
    pub(super) dropped: usize,
}

impl Tally {
    /// Counts a round trip in microseconds. What the API would refuse is not counted; a host next door, nearer than the API
    /// can be told, is told as near as can be.
    pub(super) fn count(&mut self, network: ClientNetwork, region: usize, rtt_us: u32) {
        if rtt_us > LATENCY_US_MAX || self.samples >= AGENT_SAMPLES_ALL_MAX {
            self.dropped += 1;
            return;
        }
        let key = (network, region);
        if self.by_network.len() >= AGENT_NETWORKS_MAX && !self.by_network.contains_key(&key) {
            self.dropped += 1;
            return;
        }
        let samples = self.by_network.entry(key).or_default();
        if told(samples.len()) >= LATENCY_SAMPLES_MAX {
            self.dropped += 1;
            return;
        }
        samples.push(rtt_us.max(LATENCY_US_MIN));
        self.samples += 1;
    }

    /// The medians of the `most` networks with most round trips; the tally begins anew.
    pub(super) fn take(&mut self, most: usize) -> Medians {
        let interval = self.interval.wrapping_add(1);
        let Self { by_network, dropped, .. } = std::mem::replace(self, Self { interval, ..Self::default() });
        let medians = by_network.into_iter().map(|((network, region), mut samples)| {
            samples.sort_unstable();
            Median { network, region, rtt_us: median(&samples), samples: told(samples.len()) }
        });
        let mut medians: Vec<Median> = medians.collect();
        medians.sort_by_cached_key(|median| (Reverse(median.samples), turn(median, interval)));
        let left_out = medians.len().saturating_sub(most);
        medians.truncate(most);
        medians.sort_unstable_by_key(|median| (Reverse(median.samples), median.network, median.region));
        Medians { medians, left_out, dropped }
    }
}

/// Where a network stands among others in an interval: each is first as often as any.
fn turn(median: &Median, interval: u64) -> u64 {
    let mut hasher = DefaultHasher::new();
    (median.network, median.region, interval).hash(&mut hasher);
    hasher.finish()
}

/// A count of samples, as the API takes it.
fn told(samples: usize) -> u32 {
    u32::try_from(samples).unwrap_or(u32::MAX)
}

/// Of sorted values; 0 if there are none.
fn median(sorted: &[u32]) -> u32 {
    let middle = sorted.len() / 2;
    let upper = sorted.get(middle).copied().unwrap_or(0);
    let lower = if sorted.len().is_multiple_of(2) { sorted.get(middle.wrapping_sub(1)) } else { None };
    lower.map_or(upper, |&lower| lower.midpoint(upper))
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;
    use proptest::prelude::*;

    fn rows(medians: &Medians) -> Vec<(String, usize, u32, u32)> {
        let medians = medians.medians.iter();
        medians.map(|row| (row.network.to_string(), row.region, row.rtt_us, row.samples)).collect()
    }

    fn network(client: &str) -> ClientNetwork {
        ClientNetwork::of(client.parse().unwrap()).unwrap()
    }

    #[test]
    fn clients_of_a_network_have_a_median() {
        let mut tally = Tally::default();
        for (client, rtt) in [("203.0.113.1", 30_000), ("203.0.113.200", 10_000), ("203.0.113.1", 900_000)] {
            tally.count(network(client), 0, rtt);
        }
        for (client, rtt) in [("2001:db8:1::1", 40_000), ("2001:db8:1:ffff::1", 20_000)] {
            tally.count(network(client), 0, rtt);
        }
        tally.count(network("203.0.113.9"), 1, 7);
        let taken = tally.take(10);
        let expected =
            [("203.0.113.0/24", 0, 30_000, 3), ("2001:db8:1::/48", 0, 30_000, 2), ("203.0.113.0/24", 1, 50, 1)];
        assert_eq!(
            rows(&taken),
            expected.map(|(network, region, rtt, samples)| (network.into(), region, rtt, samples))
        );
        assert_eq!(tally.take(10), Medians::default(), "an interval begins anew");
    }

    #[test]
    fn the_networks_with_most_round_trips_are_told() {
        let mut tally = Tally::default();
        for (client, times) in [("192.0.2.1", 1), ("198.51.100.1", 3), ("203.0.113.1", 2)] {
            (0..times).for_each(|_| tally.count(network(client), 0, 1_000));
        }
        let taken = tally.take(2);
        assert_eq!(taken.left_out, 1);
        assert_eq!(rows(&taken).iter().map(|row| row.3).collect::<Vec<_>>(), [3, 2]);
        // Of those that say as much each comes in turn.
        let mut told = std::collections::BTreeSet::new();
        for _ in 0..200 {
            ["192.0.2.1", "198.51.100.1", "2001:db8::1"]
                .iter()
                .for_each(|client| tally.count(network(client), 0, 1_000));
            told.extend(tally.take(1).medians.into_iter().map(|median| median.network));
        }
        assert_eq!(told.len(), 3);
    }

    #[test]
    fn memory_is_bounded() {
        let mut tally = Tally::default();
        for _ in 0..LATENCY_SAMPLES_MAX + 5 {
            tally.count(network("192.0.2.1"), 0, 1_000);
        }
        tally.count(network("192.0.2.1"), 0, LATENCY_US_MAX + 1);
        for index in (0_u32..).take(AGENT_NETWORKS_MAX + 1) {
            tally.count(ClientNetwork::of(IpAddr::V4((0x0a00_0000 + (index << 8)).into())).unwrap(), 0, 1_000);
        }
        let taken = tally.take(usize::MAX);
        assert_eq!(taken.medians.len(), AGENT_NETWORKS_MAX);
        assert_eq!(taken.medians[0].samples, LATENCY_SAMPLES_MAX);
        assert_eq!(taken.dropped, 5 + 1 + 2);
    }

    proptest! {
        /// As many are below a median as above it, whatever the order of counting.
        #[test]
        fn medians_stand_in_the_middle(values in proptest::collection::vec(50_u32..5_000_000, 1..50)) {
            let mut tally = Tally::default();
            values.iter().for_each(|&rtt| tally.count(network("192.0.2.1"), 0, rtt));
            let median = tally.take(1).medians[0].rtt_us;
            let below = values.iter().filter(|&&value| value < median).count();
            let above = values.iter().filter(|&&value| value > median).count();
            prop_assert!(below <= values.len() / 2 && above <= values.len() / 2, "{below} {above} {median}");
        }
    }
}
