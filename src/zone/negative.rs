//! The SOA of negative answers, made ready: a flood of names that do not exist must cost no more than one of names that do.

use crate::dns::RecordType;
use crate::dns::name::wire_len;
use crate::wire::u32_at;
use crate::zone::Zone;

/// A zone's SOA, its names split so that what they share with the apex becomes a pointer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NegativeSoa {
    /// The lesser of the SOA's TTL and its MINIMUM (RFC 2308 §5), seconds.
    pub ttl: u32,
    /// MNAME's labels in front of the apex.
    pub primary: Box<[u8]>,
    /// RNAME's labels in front of the apex.
    pub mailbox: Box<[u8]>,
    /// SERIAL, REFRESH, RETRY, EXPIRE, MINIMUM.
    pub numbers: [u8; 20],
}

impl NegativeSoa {
    /// The SOA of a zone; `None` if it has none, if it is signed (signatures go with it), if it is the root (nothing to
    /// point to), or if a name in it is not below the apex to the letter: then it is written the usual way.
    #[must_use]
    pub fn of(zone: &Zone) -> Option<Self> {
        let apex = zone.apex_node()?;
        if zone.apex().is_root() || apex.set(RecordType::RRSIG).is_some() {
            return None;
        }
        let soa = apex.set(RecordType::SOA)?;
        let rdata = soa.rdatas().next()?;
        let (primary, rest) = rdata.split_at_checked(wire_len(rdata).ok()?)?;
        let (mailbox, numbers) = rest.split_at_checked(wire_len(rest).ok()?)?;
        let below = |name: &[u8]| name.strip_suffix(zone.apex().as_wire()).map(Into::into);
        Some(Self {
            ttl: soa.ttl.min(u32_at(numbers, 16)),
            primary: below(primary)?,
            mailbox: below(mailbox)?,
            numbers: *numbers.first_chunk()?,
        })
    }
}
