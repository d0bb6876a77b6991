//! EDNS(0): what a query's OPT record says, and the OPT record of the answer.
//!
//! | RFC | what |
//! |---|---|
//! | 6891 | OPT, payload size, version, DO |
//! | 5001 | NSID |
//! | 7828 | TCP keepalive |
//! | 7871 | client subnet |
//! | 8914 | extended errors |

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::u16_at;

/// Length of an OPT record without options: root, type, class, TTL, RDLENGTH.
pub const OPT_LEN: usize = 11;

/// Option codes.
mod option {
    pub(super) const NSID: u16 = 3;
    pub(super) const CLIENT_SUBNET: u16 = 8;
    pub(super) const KEEPALIVE: u16 = 11;
    pub(super) const EXTENDED_ERROR: u16 = 15;
}

/// Extended error codes, RFC 8914 §4 and the IANA registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExtendedError {
    /// 20: the name is in no zone served here.
    NotAuthoritative,
    /// 24: the zone is configured, and its data could not be read.
    InvalidData,
    /// 21: a kind of query that is not served.
    NotSupported,
}

impl ExtendedError {
    /// The INFO-CODE.
    #[must_use]
    pub const fn code(self) -> u16 {
        match self {
            Self::NotAuthoritative => 20,
            Self::NotSupported => 21,
            Self::InvalidData => 24,
        }
    }
}

/// The OPT record of a query, as far as it matters here. Unknown options are ignored (RFC 6891 §6.1.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Edns {
    /// What the client can receive over UDP, octets.
    pub payload: u16,
    /// EDNS version; only 0 is known.
    pub version: u8,
    /// The DO bit: DNSSEC records are wanted (RFC 3225).
    pub dnssec_ok: bool,
    /// The client asks who answers (NSID).
    pub nsid: bool,
    /// The client speaks TCP keepalive.
    pub keepalive: bool,
    /// Whom the query is asked for.
    pub subnet: Option<ClientSubnet>,
}

/// The network a query is asked for, RFC 7871 §6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientSubnet {
    family: u16,
    /// SOURCE PREFIX-LENGTH: how many leading bits of the address are told, at most 32 or 128.
    pub source: u8,
    /// The address, bits behind `source` 0.
    octets: [u8; 16],
}

impl ClientSubnet {
    const IPV4: u16 = 1;
    const IPV6: u16 = 2;

    /// Reads the option of a query; `None`: RFC 7871 §7.1.2 and §6 call for FORMERR (SCOPE PREFIX-LENGTH set, too few
    /// or too many octets, bits set behind the prefix, a family nobody knows).
    #[inline]
    #[must_use]
    pub fn read(data: &[u8]) -> Option<Self> {
        let (&[family_high, family_low, source, scope], address) = data.split_first_chunk::<4>()?;
        let family = u16::from_be_bytes([family_high, family_low]);
        let width = match family {
            Self::IPV4 => 32,
            Self::IPV6 => 128,
            // `dig +subnet=0` names no family, and tells no address either.
            0 => 0,
            _ => return None,
        };
        if scope != 0 || source > width || address.len() != usize::from(source).div_ceil(8) {
            return None;
        }
        // Bits of the last octet that the prefix has no part in.
        let spare = 0xff_u8.checked_shr((u32::from(source) + 7) % 8 + 1).unwrap_or(0);
        if address.last().is_some_and(|last| last & spare != 0) {
            return None;
        }
        let mut octets = [0; 16];
        octets.get_mut(..address.len())?.copy_from_slice(address);
        Some(Self { family, source, octets })
    }

    /// The network's address; `None` if the client does not want to be told apart (SOURCE PREFIX-LENGTH 0).
    #[inline]
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        let [a, b, c, d, ..] = self.octets;
        match (self.source, self.family) {
            (0, _) => None,
            (_, Self::IPV4) => Some(IpAddr::V4(Ipv4Addr::new(a, b, c, d))),
            _ => Some(IpAddr::V6(Ipv6Addr::from(self.octets))),
        }
    }

    /// The address octets as the query had them.
    fn told(&self) -> &[u8] {
        self.octets.get(..usize::from(self.source).div_ceil(8)).unwrap_or_default()
    }
}

impl Edns {
    /// Reads an OPT record from its class, TTL and RDATA; `None` if an option is malformed.
    #[inline]
    #[must_use]
    pub fn read(class: u16, ttl: u32, mut options: &[u8]) -> Option<Self> {
        let [_, version, flags, _] = ttl.to_be_bytes();
        let mut edns = Self { payload: class, version, dnssec_ok: flags & 0x80 != 0, ..Self::default() };
        while !options.is_empty() {
            let (code, len) = (u16_at(options, 0), usize::from(u16_at(options, 2)));
            let data = options.get(4..4 + len)?;
            match code {
                option::NSID => edns.nsid = true,
                // RFC 7828 §3.2.1: a query's option carries no timeout.
                option::KEEPALIVE if !data.is_empty() => return None,
                option::KEEPALIVE => edns.keepalive = true,
                option::CLIENT_SUBNET if edns.subnet.is_some() => return None,
                option::CLIENT_SUBNET => edns.subnet = Some(ClientSubnet::read(data)?),
                _ => {}
            }
            options = &options[4 + len..];
        }
        Some(edns)
    }
}

/// The OPT record of an answer.
#[derive(Clone, Copy, Debug, Default)]
pub struct OptReply<'a> {
    /// What we receive over UDP, octets.
    pub payload: u16,
    /// Upper eight bits of the response code.
    pub rcode_high: u8,
    /// The query's DO bit, copied (RFC 6891 §6.1.4, RFC 3225 §3).
    pub dnssec_ok: bool,
    /// NSID; empty for none.
    pub nsid: &'a [u8],
    /// Keepalive in units of 100 ms.
    pub keepalive: Option<u16>,
    /// The client subnet of the query, echoed.
    pub subnet: Option<&'a ClientSubnet>,
    /// SCOPE PREFIX-LENGTH: how many leading bits of that subnet the answer holds for.
    pub scope: u8,
    /// Why the answer is what it is.
    pub error: Option<ExtendedError>,
}

impl OptReply<'_> {
    /// Octets the record takes; saturates where the NSID is absurdly long.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        let nsid = if self.nsid.is_empty() { 0 } else { 4 + self.nsid.len() };
        let subnet = self.subnet.map_or(0, |subnet| 4 + 4 + subnet.told().len());
        OPT_LEN + nsid + subnet + self.keepalive.map_or(0, |_| 6) + self.error.map_or(0, |_| 6)
    }

    /// Never: a record has at least its fixed part.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        false
    }

    /// Writes the record through `put`.
    #[inline]
    pub fn write(&self, mut put: impl FnMut(&[u8])) {
        let options = u16::try_from(self.len() - OPT_LEN).unwrap_or(0);
        let [payload_high, payload_low] = self.payload.to_be_bytes();
        let [len_high, len_low] = options.to_be_bytes();
        let flags = if self.dnssec_ok { 0x80 } else { 0 };
        put(&[0, 0, 41, payload_high, payload_low, self.rcode_high, 0, flags, 0, len_high, len_low]);
        // RFC 7871 §7.2.1: FAMILY, SOURCE PREFIX-LENGTH and ADDRESS come back as they were.
        if let Some(subnet) = self.subnet {
            let [family_high, family_low] = subnet.family.to_be_bytes();
            let told = subnet.told();
            let len = u8::try_from(4 + told.len()).unwrap_or(4);
            put(&[0, 8, 0, len, family_high, family_low, subnet.source, self.scope]);
            put(told);
        }
        let mut put_option = |code: u16, data: &[u8]| {
            put(&code.to_be_bytes());
            put(&u16::try_from(data.len()).unwrap_or(0).to_be_bytes());
            put(data);
        };
        if !self.nsid.is_empty() {
            put_option(option::NSID, self.nsid);
        }
        if let Some(timeout) = self.keepalive {
            put_option(option::KEEPALIVE, &timeout.to_be_bytes());
        }
        if let Some(error) = self.error {
            put_option(option::EXTENDED_ERROR, &error.code().to_be_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_options_and_refuses_broken_ones() {
        let plain = Edns::read(1232, 0x8000, &[]).unwrap();
        assert_eq!(plain, Edns { payload: 1232, dnssec_ok: true, ..Edns::default() });
        assert!(Edns::read(1232, 0, &[0, 3, 0, 0]).unwrap().nsid);
        assert!(Edns::read(1232, 0, &[0, 11, 0, 0, 0xff, 0, 0, 1, 9]).unwrap().keepalive);
        assert_eq!(Edns::read(1232, 0x0001_0000, &[]).unwrap().version, 1);
        for broken in [&[0, 3][..], &[0, 3, 0, 1], &[0, 3, 0, 0, 0], &[0, 11, 0, 2, 0, 1]] {
            assert_eq!(Edns::read(1232, 0, broken), None, "{broken:?}");
        }
    }

    #[test]
    fn reads_client_subnets() {
        // FAMILY, SOURCE, SCOPE, ADDRESS; what the address is, or nothing where the client hides.
        for (data, expected) in [
            (&[0, 1, 24, 0, 192, 0, 2][..], Some(Some("192.0.2.0"))),
            (&[0, 1, 32, 0, 192, 0, 2, 1], Some(Some("192.0.2.1"))),
            (&[0, 1, 20, 0, 192, 0, 0x20], Some(Some("192.0.32.0"))),
            (&[0, 1, 0, 0], Some(None)),
            (&[0, 2, 0, 0], Some(None)),
            (&[0, 0, 0, 0], Some(None)),
            (&[0, 2, 56, 0, 0x20, 1, 0xd, 0xb8, 0, 0, 1], Some(Some("2001:db8:0:100::"))),
            // Too few octets, too many, a bit behind the prefix, a scope, too long a prefix, no such family, cut short.
            (&[0, 1, 24, 0, 192, 0], None),
            (&[0, 1, 24, 0, 192, 0, 2, 0], None),
            (&[0, 1, 20, 0, 192, 0, 0x21], None),
            (&[0, 1, 24, 24, 192, 0, 2], None),
            (&[0, 1, 33, 0, 192, 0, 2, 1, 0], None),
            (&[0, 3, 8, 0, 1], None),
            (&[0, 0, 8, 0, 1], None),
            (&[0, 1, 0], None),
        ] {
            let read = ClientSubnet::read(data);
            let shown = read.map(|subnet| subnet.address().map(|address| address.to_string()));
            assert_eq!(shown, expected.map(|address| address.map(str::to_owned)), "{data:?}");
            if let Some(subnet) = read {
                let mut bytes = Vec::new();
                let reply = OptReply { subnet: Some(&subnet), scope: 17, ..OptReply::default() };
                reply.write(|part| bytes.extend_from_slice(part));
                assert_eq!(bytes.len(), reply.len());
                let mut echoed = data.to_vec();
                echoed[3] = 17;
                assert_eq!(bytes[OPT_LEN + 4..], echoed);
            }
        }
        assert_eq!(Edns::read(1232, 0, &[0, 8, 0, 4, 0, 1, 0, 0, 0, 8, 0, 4, 0, 1, 0, 0]), None, "two of them");
    }

    #[test]
    fn length_is_what_is_written() {
        for nsid in [&b""[..], b"fra-1"] {
            for (keepalive, error) in [(None, None), (Some(300), Some(ExtendedError::InvalidData))] {
                let reply = OptReply { payload: 1232, nsid, keepalive, error, ..OptReply::default() };
                let mut bytes = Vec::new();
                reply.write(|part| bytes.extend_from_slice(part));
                assert_eq!(bytes.len(), reply.len());
                assert_eq!(usize::from(u16_at(&bytes, 9)), bytes.len() - OPT_LEN);
            }
        }
    }
}
