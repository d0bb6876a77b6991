//! Which client is which: the prefix that a share is decided on, and its hash.
//!
//! Clients of one network are sent to one region, so that a resolver farm and the users behind it agree. The prefix
//! is also the least scope an answer that depends on the hash may carry (RFC 7871 §7.2.1).

use std::net::IpAddr;

use crate::base::hash::mix;

/// The longest IPv4 prefix that is hashed.
pub const PREFIX_V4_MAX: u8 = 24;
/// The longest IPv6 prefix that is hashed.
pub const PREFIX_V6_MAX: u8 = 56;

/// The part of a client's address that steering sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClientPrefix {
    /// Family, length and bits in one word: equal for equal prefixes, different for different ones.
    word: u64,
    length: u8,
    /// Bits of IPv6 clothes before the prefix.
    clothes: u8,
}

impl ClientPrefix {
    /// The prefix of a client known to `source` bits (32 and 128 for a whole address): at most /24 or /56. An IPv4
    /// address in IPv6 clothes (`::ffff:0:0/96`) counts as IPv4 if its source reaches past the clothes.
    #[must_use]
    pub fn new(address: IpAddr, source: u8) -> Self {
        match address {
            IpAddr::V4(v4) => Self::v4(v4.to_bits(), source),
            IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
                Some(v4) if source > 96 => Self { clothes: 96, ..Self::v4(v4.to_bits(), source.min(128) - 96) },
                _ => {
                    let length = source.min(PREFIX_V6_MAX);
                    // The top 56 bits; the length takes 6 of the 8 bits below, the family the next.
                    let top = (v6.to_bits() >> 64) as u64;
                    Self { word: keep(top, length) | 1 << 7 | u64::from(length), length, clothes: 0 }
                }
            },
        }
    }

    /// Its length in bits.
    #[must_use]
    pub const fn length(self) -> u8 {
        self.length
    }

    /// What the scope of a hashed answer may not fall below: its length, counted from the start of the address as the
    /// client wrote it.
    #[must_use]
    pub const fn scope(self) -> u8 {
        self.length + self.clothes
    }

    fn v4(bits: u32, source: u8) -> Self {
        let length = source.min(PREFIX_V4_MAX);
        Self { word: keep(u64::from(bits) << 32, length) | u64::from(length), length, clothes: 0 }
    }
}

/// The steering hash of a client for a service: `seed` is [`crate::base::hash::steering_hash`] of the service's
/// name, made once at publish. Fixed for ever, like the steering hash itself.
#[inline]
#[must_use]
pub const fn steer(seed: u64, client: ClientPrefix) -> u64 {
    mix(seed ^ mix(client.word))
}

/// The first `length` bits of `bits`, the others 0.
const fn keep(bits: u64, length: u8) -> u64 {
    if length == 0 { 0 } else { bits & (u64::MAX << (64 - length as u32)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::hash::steering_hash;

    fn client(address: &str, source: u8) -> ClientPrefix {
        ClientPrefix::new(address.parse().unwrap(), source)
    }

    #[test]
    fn clients_of_one_network_are_one_client() {
        for (a, b, same) in [
            (client("192.0.2.1", 32), client("192.0.2.254", 32), true),
            (client("192.0.2.1", 32), client("192.0.2.0", 24), true),
            (client("192.0.2.1", 32), client("192.0.3.1", 32), false),
            (client("192.0.2.1", 16), client("192.0.3.1", 16), true),
            // A shorter source is another client: it stands for all of its network.
            (client("192.0.0.0", 16), client("192.0.0.0", 24), false),
            (client("2001:db8::1", 128), client("2001:db8:0:ff::1", 128), true),
            (client("2001:db8::1", 128), client("2001:db8:0:100::1", 128), false),
            (client("::ffff:192.0.2.1", 128), client("192.0.2.9", 32), true),
            (client("::", 0), client("0.0.0.0", 0), false),
            (client("192.0.2.1", 0), client("203.0.113.1", 0), true),
        ] {
            assert_eq!((a.word, a.length) == (b.word, b.length), same, "{a:?} {b:?}");
            assert_eq!(steer(7, a) == steer(7, b), same);
        }
        assert_eq!(client("192.0.2.1", 32).length(), 24);
        assert_eq!(client("2001:db8::", 48).length(), 48);
    }

    #[test]
    fn the_hash_never_changes() {
        // Vectors computed once by an independent script; a node of another version must agree with every one.
        let seed = steering_hash(&[b"web"]);
        assert_eq!(seed, 0x972b_c64e_181f_42c1);
        assert_eq!(steer(seed, client("192.0.2.1", 32)), 0x1f51_3465_c490_a1ac);
        assert_eq!(steer(seed, client("2001:db8::1", 128)), 0x85a8_0c9f_fcea_0766);
    }
}
