//! Prefixes of addresses, and IPv4 in IPv6 clothes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// `::ffff:0:0/96`, RFC 4291 §2.5.5.2.
const MAPPED: u128 = 0xffff << 32;
/// `64:ff9b::/96`, RFC 6052 §2.1.
const TRANSLATED: u128 = 0x0064_ff9b << 96;
/// `2002::/16`, RFC 3056 §2.
const SIX_TO_FOUR: u128 = 0x2002 << 112;

/// The IPv6 prefixes whose addresses are those of IPv4 clients: first address, length, and where the IPv4 address
/// starts is also the length.
pub(super) const CLOTHES: [(u128, u8); 3] = [(MAPPED, 96), (TRANSLATED, 96), (SIX_TO_FOUR, 16)];

/// An address as it is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Naked {
    V4(u32),
    V6(u128),
    /// IPv4 behind so many bits of IPv6.
    Clothed {
        inside: u32,
        outside: u128,
        bits: u8,
    },
}

impl Naked {
    #[inline]
    pub(super) fn new(address: IpAddr) -> Self {
        let outside = match address {
            IpAddr::V4(v4) => return Self::V4(v4.to_bits()),
            IpAddr::V6(v6) => v6.to_bits(),
        };
        for (first, bits) in CLOTHES {
            if (outside ^ first) >> (128 - bits) == 0 {
                // The 32 bits after the clothes.
                #[expect(clippy::cast_possible_truncation, reason = "32 bits are what is wanted")]
                let inside = (outside >> (96 - bits)) as u32;
                return Self::Clothed { inside, outside, bits };
            }
        }
        Self::V6(outside)
    }
}

/// A network: an address whose host bits are zero, and a length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Network {
    pub(super) address: IpAddr,
    pub(super) length: u8,
}

impl Network {
    /// The network of this length around an address; longer than the address means the address alone.
    pub(super) fn around(address: IpAddr, length: u8) -> Self {
        match address {
            IpAddr::V4(v4) => {
                let length = length.min(32);
                let mask = u32::MAX.checked_shl(u32::from(32 - length)).unwrap_or(0);
                Self { address: Ipv4Addr::from_bits(v4.to_bits() & mask).into(), length }
            }
            IpAddr::V6(v6) => {
                let length = length.min(128);
                let mask = u128::MAX.checked_shl(u32::from(128 - length)).unwrap_or(0);
                Self { address: Ipv6Addr::from_bits(v6.to_bits() & mask).into(), length }
            }
        }
    }

    /// True if the other network lies in it.
    pub(super) fn contains(self, other: Self) -> bool {
        let ((is_v6, first, last), (other_is_v6, other_first, other_last)) = (self.range(), other.range());
        is_v6 == other_is_v6 && first <= other_first && other_last <= last
    }

    /// The same network without IPv6 clothes, if it wears some.
    pub(super) fn undressed(self) -> Self {
        match Naked::new(self.address) {
            Naked::Clothed { inside, bits, .. } if self.length >= bits => {
                Self::around(Ipv4Addr::from_bits(inside).into(), self.length - bits)
            }
            Naked::Clothed { .. } | Naked::V4(_) | Naked::V6(_) => self,
        }
    }

    /// First and last address, and if they are IPv6.
    pub(super) fn range(self) -> (bool, u128, u128) {
        match self.address {
            IpAddr::V4(v4) => {
                let hosts = u32::MAX.checked_shr(self.length.into()).unwrap_or(0);
                (false, v4.to_bits().into(), (v4.to_bits() | hosts).into())
            }
            IpAddr::V6(v6) => {
                let hosts = u128::MAX.checked_shr(self.length.into()).unwrap_or(0);
                (true, v6.to_bits(), v6.to_bits() | hosts)
            }
        }
    }
}

/// A network as it is looked up: IPv4 behind IPv6 (mapped, translated, 6to4) without its clothes.
#[must_use]
pub fn undressed(address: IpAddr, length: u8) -> (IpAddr, u8) {
    let network = Network::around(address, length).undressed();
    (network.address, network.length)
}

/// First address and length of the network of this length around an address.
#[must_use]
pub fn network_around(address: IpAddr, length: u8) -> (IpAddr, u8) {
    let network = Network::around(address, length);
    (network.address, network.length)
}

impl std::fmt::Display for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clothes_come_off() {
        let inside = u32::from(Ipv4Addr::new(192, 0, 2, 4));
        for (text, bits) in [
            ("::ffff:192.0.2.4", 96),
            ("64:ff9b::192.0.2.4", 96),
            ("2002:c000:204:1:2:3:4:5", 16),
            ("2002:c000:204::", 16),
        ] {
            let outside: Ipv6Addr = text.parse().expect("an address");
            let expected = Naked::Clothed { inside, outside: outside.to_bits(), bits };
            assert_eq!(Naked::new(outside.into()), expected, "{text}");
        }
        for text in ["::192.0.2.4", "64:ff9b:1::1", "2001::1", "2003::", "::fffe:0:0"] {
            let address: Ipv6Addr = text.parse().expect("an address");
            assert_eq!(Naked::new(address.into()), Naked::V6(address.to_bits()), "{text}");
        }
    }

    #[test]
    fn networks_have_ranges() {
        let network = |text: &str| {
            let (address, length) = text.split_once('/').expect("a network");
            Network { address: address.parse().expect("an address"), length: length.parse().expect("a length") }
        };
        assert_eq!(network("10.0.0.0/8").range(), (false, 0x0a00_0000, 0x0aff_ffff));
        assert_eq!(network("0.0.0.0/0").range(), (false, 0, u128::from(u32::MAX)));
        assert_eq!(network("::/0").range(), (true, 0, u128::MAX));
        assert_eq!(network("::1/128").range(), (true, 1, 1));
        assert_eq!(network("::ffff:10.0.0.0/104").undressed(), network("10.0.0.0/8"));
        assert_eq!(network("2002:c000:200::/40").undressed(), network("192.0.2.0/24"));
        assert_eq!(network("2000::/3").undressed(), network("2000::/3"));
        assert_eq!(Network::around("10.1.2.3".parse().expect("an address"), 8), network("10.0.0.0/8"));
        assert_eq!(Network::around("2001:db8::1".parse().expect("an address"), 0), network("::/0"));
    }
}
