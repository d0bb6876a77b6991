//! Is this the right answer? Everything a resolver relies on is compared: id and question (by the caller's ledger and
//! here), flags, code, counts, owner, type, TTL, address, the SOA of a negative answer, OPT and client subnet.

use std::net::Ipv4Addr;

use crate::question::{self, Owner, Question};

/// What counts as right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// What the zone says: see [`Owner`].
    Zone,
    /// One record with any of these addresses, whatever is asked: weighted names, or the bare responder.
    Address(Vec<Ipv4Addr>),
    /// One record with the name's address at the site that the question says, or at any of so many sites: steered names.
    Sites(u8),
}

/// The generations an answer may say, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Generations {
    /// The last one whose reload was reported done when the query was sent.
    pub oldest: u32,
    /// The last one written when the answer came.
    pub newest: u32,
}

/// What is wrong with an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Wrong {
    /// It ends inside a record, or has octets after the last.
    #[error("malformed message")]
    Malformed,
    /// QR is clear, or the opcode is another.
    #[error("no response to a query")]
    NotResponse,
    /// TC is set.
    #[error("truncated")]
    Truncated,
    /// AA is clear.
    #[error("not authoritative")]
    NotAuthoritative,
    /// Another response code.
    #[error("response code {0}")]
    Code(u8),
    /// The question section is not what was asked.
    #[error("another question")]
    Question,
    /// Another number of answer records.
    #[error("{0} answer records")]
    AnswerCount(u16),
    /// The record is of another name, type or class.
    #[error("a record of another name or type")]
    Record,
    /// Another TTL.
    #[error("TTL {0}")]
    Ttl(u32),
    /// Another address.
    #[error("address {0}")]
    Address(Ipv4Addr),
    /// A negative answer without the zone's SOA.
    #[error("no SOA in a negative answer")]
    NoSoa,
    /// An OPT record missing where one was sent, or there where none was (RFC 6891 §6.1.1).
    #[error("OPT record missing or not asked for")]
    Opt,
    /// The client subnet is not the one sent (RFC 7871 §7.3).
    #[error("another client subnet")]
    Subnet,
    /// The zone before the last reload that was reported done.
    #[error("old answer: generation {found}, but {oldest} was reported loaded before the query was sent")]
    Old {
        /// What the answer says.
        found: u32,
        /// The least it may say.
        oldest: u32,
    },
    /// A generation nobody has written.
    #[error("generation {0} was never written")]
    Future(u32),
}

/// Checks answers.
#[derive(Clone, Debug)]
pub struct Checker {
    /// What counts as right.
    pub expected: Expected,
    /// Whether the queries carry an OPT record.
    pub edns: bool,
    /// The TTL that addresses must have, seconds; `None` for any.
    pub ttl: Option<u32>,
}

/// Octets of a message's header.
const HEADER_LEN: usize = 12;
const TYPE_A: u16 = 1;
const TYPE_SOA: u16 = 6;
const TYPE_OPT: u16 = 41;
const CODE_NAME_ERROR: u8 = 3;
const OPTION_SUBNET: u16 = 8;

impl Checker {
    /// Compares `answer` with what `question` must be answered. Returns the generation that the answer to a marker says.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self, question: &Question, generations: Generations, answer: &[u8]) -> Result<Option<u32>, Wrong> {
        let header: &[u8; HEADER_LEN] = answer.first_chunk().ok_or(Wrong::Malformed)?;
        let negative = matches!((&self.expected, question.owner), (Expected::Zone, Owner::Absent(_)));
        check_flags(header, if negative { CODE_NAME_ERROR } else { 0 })?;
        let mut reader = Reader { message: answer, at: HEADER_LEN };
        reader.question(question.owner)?;
        let counts = [4, 6, 8, 10].map(|at| u16::from_be_bytes([header[at], header[at + 1]]));
        let [_, answers, authorities, additionals] = counts;
        if answers != u16::from(!negative) {
            return Err(Wrong::AnswerCount(answers));
        }
        let generation = match negative {
            false => self.check_address(question, generations, &reader.record()?)?,
            true => None,
        };
        let mut soa = false;
        for _ in 0..authorities {
            let record = reader.record()?;
            soa |= negative && check_soa(&record)?;
        }
        if negative && !soa {
            return Err(Wrong::NoSoa);
        }
        let mut opt = false;
        for _ in 0..additionals {
            let record = reader.record()?;
            if record.rtype == TYPE_OPT {
                opt = true;
                check_subnet(question.subnet, record.data)?;
            }
        }
        if reader.at != answer.len() {
            return Err(Wrong::Malformed);
        }
        if opt == (self.edns || question.subnet.is_some()) { Ok(generation) } else { Err(Wrong::Opt) }
    }

    fn check_address(
        &self,
        question: &Question,
        generations: Generations,
        record: &Record,
    ) -> Result<Option<u32>, Wrong> {
        if record.rtype != TYPE_A || record.class != 1 || !record.is_owner(HEADER_LEN) {
            return Err(Wrong::Record);
        }
        if self.ttl.is_some_and(|ttl| ttl != record.ttl) {
            return Err(Wrong::Ttl(record.ttl));
        }
        let octets: [u8; 4] = record.data.try_into().map_err(|_| Wrong::Malformed)?;
        let address = Ipv4Addr::from(octets);
        let is_at = |number, site| address == question::site_address(site, number);
        match (&self.expected, question.owner) {
            (Expected::Address(list), _) if list.contains(&address) => Ok(None),
            (&Expected::Sites(sites), Owner::Host(number)) => {
                let mut allowed = question.site.map_or(1..=sites, |site| site..=site);
                if allowed.any(|site| is_at(number, site)) { Ok(None) } else { Err(Wrong::Address(address)) }
            }
            (Expected::Zone, Owner::Host(number)) if address == question::host_address(number) => Ok(None),
            (Expected::Zone, Owner::Marker | Owner::Churned(_)) => check_generation(address, generations).map(Some),
            (Expected::Address(_) | Expected::Sites(_) | Expected::Zone, _) => Err(Wrong::Address(address)),
        }
    }
}

/// QR, opcode, AA, TC and the response code.
fn check_flags(header: &[u8; HEADER_LEN], code: u8) -> Result<(), Wrong> {
    let (high, low) = (header[2], header[3]);
    if high & 0xf8 != 0x80 || header[4..6] != [0, 1] {
        return Err(Wrong::NotResponse);
    }
    if low & 0x0f != code {
        return Err(Wrong::Code(low & 0x0f));
    }
    if high & 0x02 != 0 {
        return Err(Wrong::Truncated);
    }
    if high & 0x04 == 0 { Err(Wrong::NotAuthoritative) } else { Ok(()) }
}

/// The address of a marker against the generations that are right.
fn check_generation(address: Ipv4Addr, generations: Generations) -> Result<u32, Wrong> {
    let found = question::generation_of(address).ok_or(Wrong::Address(address))?;
    if found < generations.oldest {
        return Err(Wrong::Old { found, oldest: generations.oldest });
    }
    if found > generations.newest { Err(Wrong::Future(found)) } else { Ok(found) }
}

/// True for the zone's SOA.
fn check_soa(record: &Record) -> Result<bool, Wrong> {
    if record.rtype != TYPE_SOA {
        return Ok(false);
    }
    let mut name = [0; 255];
    let length = record.owner(&mut name).ok_or(Wrong::Malformed)?;
    if !name[..length].eq_ignore_ascii_case(question::ZONE) {
        return Err(Wrong::NoSoa);
    }
    // RFC 2308 §5: the lesser of the SOA's TTL and MINIMUM.
    if record.ttl == question::NEGATIVE_TTL { Ok(true) } else { Err(Wrong::Ttl(record.ttl)) }
}

/// RFC 7871 §7.3: FAMILY, SOURCE PREFIX-LENGTH and ADDRESS come back as sent; a server may leave the option out.
fn check_subnet(sent: Option<u32>, mut options: &[u8]) -> Result<(), Wrong> {
    while let Some((&[code_high, code_low, length_high, length_low], rest)) = options.split_first_chunk() {
        let length = usize::from(u16::from_be_bytes([length_high, length_low]));
        let (data, rest) = rest.split_at_checked(length).ok_or(Wrong::Malformed)?;
        options = rest;
        if u16::from_be_bytes([code_high, code_low]) != OPTION_SUBNET {
            continue;
        }
        let Some(sent) = sent else { return Err(Wrong::Subnet) };
        let [a, b, c, _] = sent.to_be_bytes();
        match data {
            [0, 1, 24, _scope, address @ ..] if *address == [a, b, c] => {}
            _ => return Err(Wrong::Subnet),
        }
    }
    if options.is_empty() { Ok(()) } else { Err(Wrong::Malformed) }
}

/// A cursor over a message.
struct Reader<'a> {
    message: &'a [u8],
    at: usize,
}

/// One record; its owner is decoded on demand.
struct Record<'a> {
    message: &'a [u8],
    start: usize,
    rtype: u16,
    class: u16,
    ttl: u32,
    data: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Passes over the question if it is the one for `owner`, octet for octet.
    fn question(&mut self, owner: Owner) -> Result<(), Wrong> {
        let mut wanted = [0; question::QUERY_LEN_MAX];
        let length = question::write_question(owner, &mut wanted);
        let rest = self.message.get(self.at..).unwrap_or_default();
        if !rest.starts_with(&wanted[..length]) {
            return Err(Wrong::Question);
        }
        self.at += length;
        Ok(())
    }

    /// The next record.
    fn record(&mut self) -> Result<Record<'a>, Wrong> {
        let start = self.at;
        self.skip_name()?;
        let fixed: &[u8; 10] = self.message.get(self.at..).and_then(<[u8]>::first_chunk).ok_or(Wrong::Malformed)?;
        let &[t0, t1, c0, c1, l0, l1, l2, l3, d0, d1] = fixed;
        let data_start = self.at + 10;
        self.at = data_start + usize::from(u16::from_be_bytes([d0, d1]));
        Ok(Record {
            message: self.message,
            start,
            rtype: u16::from_be_bytes([t0, t1]),
            class: u16::from_be_bytes([c0, c1]),
            ttl: u32::from_be_bytes([l0, l1, l2, l3]),
            data: self.message.get(data_start..self.at).ok_or(Wrong::Malformed)?,
        })
    }

    fn skip_name(&mut self) -> Result<(), Wrong> {
        loop {
            match *self.message.get(self.at).ok_or(Wrong::Malformed)? {
                0 => {
                    self.at += 1;
                    return Ok(());
                }
                0xc0.. => {
                    self.at += 2;
                    return Ok(());
                }
                length @ 1..=63 => self.at += 1 + usize::from(length),
                64..=0xbf => return Err(Wrong::Malformed),
            }
        }
    }
}

impl Record<'_> {
    /// True if the owner is the name at `at` of the message.
    fn is_owner(&self, at: usize) -> bool {
        // What every server sends: a pointer to the question.
        if self.message[self.start..].starts_with(&[0xc0, 12]) && at == HEADER_LEN {
            return true;
        }
        let (mut ours, mut theirs) = ([0; 255], [0; 255]);
        let lengths = (decode(self.message, self.start, &mut ours), decode(self.message, at, &mut theirs));
        match lengths {
            (Some(ours_len), Some(theirs_len)) => ours[..ours_len].eq_ignore_ascii_case(&theirs[..theirs_len]),
            _ => false,
        }
    }

    /// Decodes the owner; returns its length.
    fn owner(&self, out: &mut [u8; 255]) -> Option<usize> {
        decode(self.message, self.start, out)
    }
}

/// Writes the uncompressed name at `at` into `out`; `None` if it is none.
fn decode(message: &[u8], mut at: usize, out: &mut [u8; 255]) -> Option<usize> {
    let mut written = 0;
    loop {
        let length = *message.get(at)?;
        match length {
            0xc0.. => {
                let target = usize::from(length & 0x3f) << 8 | usize::from(*message.get(at + 1)?);
                // Only ever backwards, so that no chain of pointers is endless.
                at = (target < at).then_some(target)?;
            }
            64..=0xbf => return None,
            0..=63 => {
                let end = at + 1 + usize::from(length);
                let label = message.get(at..end)?;
                out.get_mut(written..written + label.len())?.copy_from_slice(label);
                written += label.len();
                at = end;
                if length == 0 {
                    return Some(written);
                }
            }
        }
    }
}
