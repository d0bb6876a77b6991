//! Networks that an operator names.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// A network that an operator names, of any length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefix {
    address: IpAddr,
    len: u32,
}

/// Why a text is no network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PrefixError {
    /// What stands before the slash.
    #[error("not an address, nor a network such as 192.0.2.0/24")]
    Address,
    /// What stands behind it.
    #[error("the length of a network is 0 to 32, of IPv6 0 to 128")]
    Length,
    /// Bits are set that do not belong to the network: was another one meant?
    #[error("the address has bits beyond the length of the network")]
    Bits,
}

impl Prefix {
    /// True if the address, in its canonical form, is in the network.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(own), IpAddr::V4(other)) => own == cut_v4(other, self.len),
            (IpAddr::V6(own), IpAddr::V6(other)) => own == cut_v6(other, self.len),
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

impl FromStr for Prefix {
    type Err = PrefixError;

    /// `192.0.2.0/24`, or an address alone.
    fn from_str(text: &str) -> Result<Self, PrefixError> {
        let (address, len) = text.split_once('/').map_or((text, None), |(address, len)| (address, Some(len)));
        let address: IpAddr = address.parse().map_err(|_| PrefixError::Address)?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let len = len.map_or(Ok(most), str::parse).map_err(|_| PrefixError::Length)?;
        if len > most {
            return Err(PrefixError::Length);
        }
        let prefix = Self { address, len };
        if prefix.contains(address) { Ok(prefix) } else { Err(PrefixError::Bits) }
    }
}

fn cut_v4(address: Ipv4Addr, len: u32) -> Ipv4Addr {
    let mask = u32::MAX.checked_shl(32_u32.saturating_sub(len)).unwrap_or(0);
    Ipv4Addr::from_bits(address.to_bits() & mask)
}

fn cut_v6(address: Ipv6Addr, len: u32) -> Ipv6Addr {
    let mask = u128::MAX.checked_shl(128_u32.saturating_sub(len)).unwrap_or(0);
    Ipv6Addr::from_bits(address.to_bits() & mask)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_of_operators_hold_addresses() {
        for (text, inside, outside) in [
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.0"),
            ("192.0.2.1", "192.0.2.1", "192.0.2.2"),
            ("0.0.0.0/0", "255.1.2.3", "::"),
            ("2001:db8::/33", "2001:db8:7fff::1", "2001:db8:8000::"),
            ("::/0", "ffff::1", "0.0.0.0"),
        ] {
            let prefix: Prefix = text.parse().unwrap();
            assert!(prefix.contains(inside.parse().unwrap()), "{text}");
            assert!(!prefix.contains(outside.parse().unwrap()), "{text}");
        }
        for (text, error) in [
            ("10.0.0.0/33", PrefixError::Length),
            ("10.0.0.0/x", PrefixError::Length),
            ("ten", PrefixError::Address),
            ("10.0.0.1/8", PrefixError::Bits),
        ] {
            assert_eq!(text.parse::<Prefix>(), Err(error), "{text}");
        }
    }
}
