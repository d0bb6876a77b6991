//! Reading a packet: what it asks, or what it deserves instead.
//!
//! | packet | reading |
//! |---|---|
//! | shorter than a header, or a response | silence (answering would let two servers answer each other for ever) |
//! | opcode other than QUERY | NOTIMP, header only |
//! | QDCOUNT other than 1 | FORMERR, header only (RFC 9619) |
//! | question, record or OPT malformed; two OPTs | FORMERR |
//! | EDNS version above 0 | BADVERS (RFC 6891 §6.1.3) |
//! | otherwise | a query |

use crate::base::hash::HashKey;
use crate::dns::RecordType;
use crate::dns::rtype::Class;
use crate::wire::{Edns, FoldedName, rcode, u16_at, u32_at};

/// Length of a message header.
pub const HEADER_LEN: usize = 12;

/// What a packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// A well-formed query.
    Query,
    /// To be answered with this response code; the question is echoed where it could be read.
    Reject(u16),
    /// Not to be answered: shorter than a header.
    Short,
    /// Not to be answered: a response.
    Response,
}

/// A query; refilled for every packet, because its name is large.
#[derive(Clone, Debug)]
pub struct Query {
    /// What the packet is; the other fields hold only as far as it could be read.
    pub reading: Reading,
    /// The name asked for.
    pub name: FoldedName,
    /// The type asked for.
    pub qtype: RecordType,
    /// The class asked for.
    pub qclass: Class,
    /// Where the question ends in the packet; [`HEADER_LEN`] if it could not be read.
    pub question_end: usize,
    /// The OPT record.
    pub edns: Option<Edns>,
}

impl Query {
    /// A query to be refilled.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            reading: Reading::Short,
            name: FoldedName::new(),
            qtype: RecordType(0),
            qclass: Class(0),
            question_end: HEADER_LEN,
            edns: None,
        }
    }

    /// Reads `packet`.
    #[inline]
    pub fn fill(&mut self, key: HashKey, packet: &[u8]) {
        self.question_end = HEADER_LEN;
        self.edns = None;
        self.reading = self.read(key, packet).unwrap_or(Reading::Reject(rcode::FORMERR));
    }

    /// `None`: malformed.
    #[inline]
    fn read(&mut self, key: HashKey, packet: &[u8]) -> Option<Reading> {
        let Some(header) = packet.first_chunk::<HEADER_LEN>() else { return Some(Reading::Short) };
        if header[2] & 0x80 != 0 {
            return Some(Reading::Response);
        }
        if header[2] & 0x78 != 0 {
            return Some(Reading::Reject(rcode::NOTIMP));
        }
        if u16_at(header, 4) != 1 {
            return None;
        }
        let name_len = self.name.fill(key, packet.get(HEADER_LEN..)?)?;
        let end = HEADER_LEN + name_len + 4;
        let fixed = packet.get(end - 4..end)?;
        self.qtype = RecordType(u16_at(fixed, 0));
        self.qclass = Class(u16_at(fixed, 2));
        self.question_end = end;
        let others = usize::from(u16_at(header, 6)) + usize::from(u16_at(header, 8));
        let additional = usize::from(u16_at(header, 10));
        // Octets behind the last record are ignored, as all peers do: nothing in them can change the answer.
        if others + additional > 0 {
            self.read_records(packet, others, additional)?;
        }
        match self.edns {
            Some(edns) if edns.version != 0 => Some(Reading::Reject(rcode::BADVERS)),
            _ => Some(Reading::Query),
        }
    }

    /// Walks the records behind the question and takes the OPT record. A query has no use for the others (an IXFR query
    /// carries an SOA, a signed one a TSIG), yet they must be well-formed.
    #[inline]
    fn read_records(&mut self, packet: &[u8], others: usize, additional: usize) -> Option<()> {
        let mut at = self.question_end;
        for index in 0..others + additional {
            let owner = at;
            at = skip_name(packet, at)?;
            let fixed = packet.get(at..at + 10)?;
            let data = packet.get(at + 10..at + 10 + usize::from(u16_at(fixed, 8)))?;
            at += 10 + data.len();
            if u16_at(fixed, 0) == RecordType::OPT.0 {
                // RFC 6891 §6.1.1: one OPT, owned by the root, in the additional section.
                if index < others || self.edns.is_some() || packet.get(owner) != Some(&0) {
                    return None;
                }
                self.edns = Some(Edns::read(u16_at(fixed, 2), u32_at(fixed, 4), data)?);
            } else if u16_at(fixed, 0) == RecordType::TSIG.0 && !is_tsig(data) {
                return None;
            }
        }
        Some(())
    }
}

impl Default for Query {
    fn default() -> Self {
        Self::new()
    }
}

/// True if the data of a TSIG record can be read (RFC 8945 §4.2); whether it is right is another matter.
#[cold]
fn is_tsig(data: &[u8]) -> bool {
    let sizes = || {
        let mac_at = skip_name(data, 0)? + 8;
        let other_at = mac_at + 2 + usize::from(u16_at(data, mac_at)) + 4;
        data.get(other_at..other_at + 2)?;
        Some(other_at + 2 + usize::from(u16_at(data, other_at)))
    };
    sizes() == Some(data.len())
}

/// Where the maybe compressed name at `at` ends. Pointers end a name and are not followed: no owner here matters.
#[inline]
fn skip_name(packet: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match *packet.get(at)? {
            0 => return Some(at + 1),
            len @ 1..=63 => at += 1 + usize::from(len),
            0xc0.. => return packet.get(at + 1).map(|_| at + 2),
            _ => return None,
        }
    }
}
