//! Networks that stand for the clients of a country: what the world map asks about.
//!
//! A country that spans a continent has clients of several places, so each gets several samples, each with the number
//! of addresses that it stands for.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr};

use super::locations::NOWHERE;
use super::places::Places;

/// A network that stands for clients of a country.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Its first address.
    pub address: IpAddr,
    /// Its length in bits.
    pub length: u8,
    /// The addresses that it stands for; of IPv6 its /56 networks.
    pub addresses: u64,
}

/// More of a country's places than are kept are looked at, because another source may know better about some.
const LOOKED_AT: usize = 4;

impl Places {
    /// Up to `each` samples of every country that any source knows, by country; the one that stands for most addresses
    /// first. A pass over all ranges: for a look now and then, never for a query.
    #[must_use]
    pub fn samples(&self, each: usize) -> BTreeMap<[u8; 2], Vec<Sample>> {
        let mut found: BTreeMap<[u8; 2], Vec<Sample>> = BTreeMap::new();
        for own in &self.networks {
            let (address, length) = (own.network.address, own.network.length);
            let bits = if address.is_ipv4() { 32 } else { 56 };
            let addresses = 1_u64 << u32::from(bits.max(length) - length).min(40);
            if let Some(country) = own.place.country {
                found.entry(country).or_default().push(Sample { address, length, addresses });
            }
        }
        for database in &self.databases {
            for (country, mut samples) in self.largest(database.locations.v4.starts(), database.locations.v4.values()) {
                samples.sort_by_key(|sample| std::cmp::Reverse(sample.addresses));
                samples.truncate(each.saturating_mul(LOOKED_AT));
                // A source that is asked earlier may say something else.
                samples.retain(|sample| self.find(sample.address).place.country == Some(country));
                found.entry(country).or_default().extend(samples);
            }
        }
        for samples in found.values_mut() {
            samples.sort_by_key(|sample| (std::cmp::Reverse(sample.addresses), sample.address));
            samples.dedup_by_key(|sample| sample.address);
            samples.truncate(each);
        }
        found
    }

    /// For every location of these ranges the largest network that has it, by country.
    fn largest(&self, starts: &[u32], values: &[u32]) -> BTreeMap<[u8; 2], Vec<Sample>> {
        let mut by_location: HashMap<u32, Sample> = HashMap::new();
        let ends = starts.iter().skip(1).map(|&next| u64::from(next)).chain(std::iter::once(1 << 32));
        for ((&start, &location), end) in starts.iter().zip(values).zip(ends) {
            if location == NOWHERE {
                continue;
            }
            let (first, size) = block(u64::from(start), end);
            let length = u8::try_from(32 - size.trailing_zeros()).unwrap_or(32);
            let here = Sample { address: v4(first), length, addresses: end - u64::from(start) };
            let known = by_location.entry(location).or_insert(Sample { addresses: 0, ..here });
            let total = known.addresses + here.addresses;
            // The shorter its length, the larger the network.
            *known = Sample { addresses: total, ..if here.length < known.length { here } else { *known } };
        }
        let mut by_country: BTreeMap<[u8; 2], Vec<Sample>> = BTreeMap::new();
        for (location, sample) in by_location {
            if let Some(country) = self.locations.country(location) {
                by_country.entry(country).or_default().push(sample);
            }
        }
        by_country
    }
}

/// The largest aligned block of addresses from `start` to before `end`: its first address and its size.
fn block(start: u64, end: u64) -> (u64, u64) {
    let (mut at, mut best) = (start, (start, 1));
    while at < end {
        let aligned: u64 = 1 << at.trailing_zeros().min(32);
        let left = end - at;
        let fitting = if left.is_power_of_two() { left } else { left.next_power_of_two() >> 1 };
        let size: u64 = fitting.min(aligned);
        if size > best.1 {
            best = (at, size);
        }
        at += size;
    }
    best
}

fn v4(bits: u64) -> IpAddr {
    Ipv4Addr::from_bits(u32::try_from(bits).unwrap_or(u32::MAX)).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::diagnostic::Report;

    #[test]
    fn blocks_are_the_largest_inside() {
        for (start, end, expected) in [
            (0, 1 << 32, (0, 1 << 32)),
            (256, 512, (256, 256)),
            (255, 1_024, (512, 512)),
            (3, 4, (3, 1)),
            (1, 8, (4, 4)),
        ] {
            assert_eq!(block(start, end), expected, "{start}..{end}");
        }
    }

    #[test]
    fn own_networks_are_samples() {
        let text = "[networks]\n\"10.1.0.0/16\" = { country = \"DE\" }\n\"10.1.2.0/24\" = { country = \"FR\" }\n\
                    \"2001:db8::/32\" = { country = \"DE\" }\n\"10.2.0.0/16\" = { lat = 1.0, lon = 2.0 }\n";
        let places = Places::read(Vec::new(), Some(("networks.toml", text)), 0, &mut Report::new()).unwrap();
        let samples = places.samples(4);
        let shown = |country: &[u8; 2]| -> Vec<String> {
            let of = samples.get(country).map(Vec::as_slice).unwrap_or_default();
            of.iter().map(|sample| format!("{}/{}", sample.address, sample.length)).collect()
        };
        assert_eq!(shown(b"DE"), ["2001:db8::/32", "10.1.0.0/16"]);
        assert_eq!(shown(b"FR"), ["10.1.2.0/24"]);
        assert_eq!(samples.len(), 2);
        assert_eq!(places.samples(1)[b"DE"].len(), 1);
    }
}
