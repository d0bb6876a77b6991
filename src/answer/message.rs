//! The answer under construction: header, question as it came, three sections, OPT last.

use crate::answer::{Outcome, Reply, Transport};
use crate::base::limits::{MESSAGE_LEN_MAX, NAME_LEN_MAX, UDP_PAYLOAD_PLAIN};
use crate::dns::RecordType;
use crate::policy::Reason;
use crate::snapshot::Snapshot;
use crate::wire::edns::{ExtendedError, OptReply};
use crate::wire::query::{HEADER_LEN, Query};
use crate::wire::writer::{DataNames, Full, Owner, POINTER_MAX, Targets};
use crate::wire::{Writer, u16_at};
use crate::zone::negative::NegativeSoa;
use crate::zone::{Node, Rrset};

/// Data that is made for one answer has room of this size, octets: eight hints of each family and what stands beside them.
pub const MADE_LEN_MAX: usize = 1_024;

/// Where a record stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    /// What was asked for.
    Answer,
    /// Who is responsible, or why there is nothing.
    Authority,
    /// What the client would ask next.
    Additional,
}

/// An answer under construction.
#[derive(Debug)]
pub struct Message<'m> {
    writer: Writer<'m>,
    /// ID and flags of the query.
    head: [u8; 4],
    question_end: usize,
    qtype: RecordType,
    counts: [u16; 3],
    opt: Option<OptReply<'m>>,
    /// The client wants DNSSEC records.
    pub dnssec: bool,
    /// AA.
    pub authoritative: bool,
    rcode: u16,
    truncated: bool,
    steered: Option<Reason>,
}

impl<'m> Message<'m> {
    /// Begins the answer to `packet`; `None` if `out` cannot hold even the question.
    // It has one caller: always inlined, so that the message is made where it stays.
    #[inline(always)]
    pub fn begin(
        snapshot: &'m Snapshot,
        query: &'m Query,
        packet: &[u8],
        transport: Transport,
        out: &'m mut [u8],
        targets: &'m mut Targets,
    ) -> Option<Self> {
        let options = &snapshot.options;
        let limit = match (transport, &query.edns) {
            (Transport::Tcp, _) => MESSAGE_LEN_MAX,
            (Transport::Udp, None) => UDP_PAYLOAD_PLAIN,
            // RFC 6891 §6.2.3: values below 512 are treated as 512.
            (Transport::Udp, Some(edns)) => usize::from(edns.payload.min(options.udp_payload)).max(UDP_PAYLOAD_PLAIN),
        };
        let limit = limit.min(out.len());
        let head = *packet.first_chunk::<4>()?;
        let question = packet.get(HEADER_LEN..query.question_end)?;
        out.get_mut(HEADER_LEN..query.question_end)?.copy_from_slice(question);
        // Room for OPT is kept from the start. A long NSID beside a long name may be too much for 512 octets.
        let room = limit.checked_sub(query.question_end)?;
        let mut opt = None;
        let mut reserved = 0;
        if let Some(edns) = &query.edns {
            let mut reply = OptReply {
                payload: options.udp_payload,
                dnssec_ok: edns.dnssec_ok,
                nsid: if edns.nsid { &options.nsid } else { &[] },
                keepalive: (edns.keepalive && transport == Transport::Tcp)
                    .then(|| u16::try_from(options.keepalive.as_millis() / 100).unwrap_or(u16::MAX)),
                subnet: edns.subnet.as_ref(),
                ..OptReply::default()
            };
            reserved = reply.len();
            if reserved > room {
                reply.nsid = &[];
                reserved = reply.len();
            }
            if reserved > room {
                return None;
            }
            opt = Some(reply);
        }
        Some(Self {
            writer: Writer::new(out, query.question_end, limit - reserved, targets),
            head,
            question_end: query.question_end,
            qtype: query.qtype,
            counts: [0; 3],
            opt,
            dnssec: query.edns.as_ref().is_some_and(|edns| edns.dnssec_ok),
            authoritative: false,
            rcode: 0,
            truncated: false,
            steered: None,
        })
    }

    /// Makes it an answer with nothing but a response code.
    #[cold]
    pub fn reject(&mut self, rcode: u16, error: Option<ExtendedError>) {
        self.rcode = rcode;
        if let Some(opt) = &mut self.opt {
            let plain = opt.len();
            opt.error = error;
            if !self.writer.has_room(opt.len() - plain) {
                opt.error = None;
            }
        }
    }

    /// Sets the response code.
    #[inline]
    pub fn set_rcode(&mut self, rcode: u16) {
        self.rcode = rcode;
    }

    /// True once something had to be left out that the client must know of.
    #[inline]
    #[must_use]
    pub const fn is_truncated(&self) -> bool {
        self.truncated
    }

    /// Notes why the client got what it got; the first word counts.
    #[inline]
    pub fn note(&mut self, reason: Reason) {
        self.steered = self.steered.or(Some(reason));
    }

    /// Says how many leading bits of the client subnet decided a part of the answer: the longest counts for all of it
    /// (RFC 7871 §7.2.1).
    #[inline]
    pub fn widen_scope(&mut self, scope: u8) {
        if let Some(opt) = &mut self.opt {
            opt.scope = opt.scope.max(scope);
        }
    }

    /// Sets TC: something was left out.
    #[cold]
    pub fn truncate(&mut self) {
        self.truncated = true;
    }

    /// The name of the question as the client wrote it, wire form.
    #[must_use]
    pub fn question_name(&self) -> [u8; NAME_LEN_MAX] {
        self.writer.copy_of(HEADER_LEN)
    }

    /// Writes an RRset, with its signatures if they are wanted. Whole or not at all.
    ///
    /// # Errors
    /// If it does not fit.
    #[inline]
    pub fn put_set(
        &mut self,
        section: Section,
        owner: Owner<'_>,
        node: Node<'_>,
        set: Rrset<'_>,
        ttl: u32,
    ) -> Result<(), Full> {
        self.whole(section, |message| {
            let layout = DataNames::of(set.rtype);
            let mut count = 0;
            for rdata in set.rdatas() {
                // RFC 4034 §3: a signature has the TTL of what it covers.
                let ttl = if set.rtype == RecordType::RRSIG { covered_ttl(node, rdata).unwrap_or(ttl) } else { ttl };
                message.writer.put_record(owner, set.rtype, ttl, rdata, layout)?;
                count += 1;
            }
            if message.dnssec && set.rtype != RecordType::RRSIG {
                count += message.put_signatures(owner, node, set.rtype, ttl)?;
            }
            Ok(count)
        })
    }

    /// Does what writes records and returns how many, and counts them; if they do not fit, nothing of it stays.
    #[inline(always)]
    fn whole(&mut self, section: Section, write: impl FnOnce(&mut Self) -> Result<u16, Full>) -> Result<(), Full> {
        let mark = self.writer.mark();
        match write(self) {
            Ok(count) => {
                self.count(section, count);
                Ok(())
            }
            Err(full) => {
                self.writer.rollback(mark);
                Err(full)
            }
        }
    }

    /// Writes records of one owner and type. All or none.
    ///
    /// # Errors
    /// If they do not fit.
    #[inline]
    pub fn put_records<'r>(
        &mut self,
        section: Section,
        owner: Owner<'_>,
        rtype: RecordType,
        ttl: u32,
        rdatas: impl Iterator<Item = &'r [u8]>,
    ) -> Result<(), Full> {
        self.whole(section, |message| {
            let layout = DataNames::of(rtype);
            let mut count = 0;
            for rdata in rdatas {
                message.writer.put_record(owner, rtype, ttl, rdata, layout)?;
                count += 1;
            }
            Ok(count)
        })
    }

    /// [`Self::put_records`], each record's data remade by `make` into a buffer; what it has no use for stays as it is.
    ///
    /// # Errors
    /// If they do not fit.
    #[cold]
    pub fn put_made<'r>(
        &mut self,
        section: Section,
        owner: Owner<'_>,
        rtype: RecordType,
        ttl: u32,
        rdatas: impl Iterator<Item = &'r [u8]>,
        mut make: impl FnMut(&[u8], &mut [u8; MADE_LEN_MAX]) -> Option<usize>,
    ) -> Result<(), Full> {
        self.whole(section, |message| {
            let layout = DataNames::of(rtype);
            let mut count = 0;
            for rdata in rdatas {
                let mut buffer = [0; MADE_LEN_MAX];
                let len = make(rdata, &mut buffer);
                let data = len.and_then(|len| buffer.get(..len)).unwrap_or(rdata);
                message.writer.put_record(owner, rtype, ttl, data, layout)?;
                count += 1;
            }
            Ok(count)
        })
    }

    /// Writes the signatures over a node's RRset of a type, RFC 4035 §3.1.1.
    fn put_signatures(&mut self, owner: Owner<'_>, node: Node<'_>, covered: RecordType, ttl: u32) -> Result<u16, Full> {
        let Some(signatures) = node.set(RecordType::RRSIG) else { return Ok(0) };
        let mut count = 0;
        for rdata in signatures.rdatas().filter(|rdata| u16_at(rdata, 0) == covered.0) {
            self.writer.put_record(owner, RecordType::RRSIG, ttl, rdata, DataNames::None)?;
            count += 1;
        }
        Ok(count)
    }

    /// Writes one record.
    ///
    /// # Errors
    /// If it does not fit.
    pub fn put_record(
        &mut self,
        section: Section,
        owner: Owner<'_>,
        rtype: RecordType,
        ttl: u32,
        rdata: &[u8],
    ) -> Result<(), Full> {
        self.whole(section, |message| {
            message.writer.put_record(owner, rtype, ttl, rdata, DataNames::of(rtype)).map(|()| 1)
        })
    }

    /// True if a pointer can reach the next octet written (RFC 1035 §4.1.4).
    #[inline]
    #[must_use]
    pub fn can_be_pointed_to(&self) -> bool {
        self.writer.len() <= POINTER_MAX
    }

    /// Writes the SOA of a negative answer. `question_at` says where in the question's name the apex starts, if it does.
    ///
    /// # Errors
    /// If it does not fit.
    #[inline]
    pub fn put_negative_soa(
        &mut self,
        apex: &[u8],
        question_at: Option<usize>,
        soa: &NegativeSoa,
        ttl_max: u32,
    ) -> Result<(), Full> {
        let at = question_at.map(|at| HEADER_LEN + at).filter(|&at| self.writer.holds_exactly(at, apex));
        self.whole(Section::Authority, |message| {
            message.try_negative_soa(apex, at, soa, soa.ttl.min(ttl_max)).map(|()| 1)
        })
    }

    #[inline]
    fn try_negative_soa(&mut self, apex: &[u8], at: Option<usize>, soa: &NegativeSoa, ttl: u32) -> Result<(), Full> {
        let here = self.writer.len();
        let Ok(pointer) = u16::try_from(at.unwrap_or(here)) else { return Err(Full) };
        let [high, low] = (0xc000 | pointer).to_be_bytes();
        if at.is_some() {
            self.writer.put(&[high, low])?;
        } else {
            self.writer.put(apex)?;
        }
        let [a, b, c, d] = ttl.to_be_bytes();
        let data_len = soa.primary.len() + soa.mailbox.len() + 4 + soa.numbers.len();
        let [len_high, len_low] = u16::try_from(data_len).map_err(|_| Full)?.to_be_bytes();
        self.writer.put(&[0, 6, 0, 1, a, b, c, d, len_high, len_low])?;
        self.writer.put(&soa.primary)?;
        self.writer.put(&[high, low])?;
        self.writer.put(&soa.mailbox)?;
        self.writer.put(&[high, low])?;
        self.writer.put(&soa.numbers)
    }

    /// Writes one record of class CH behind the question, whose class that is.
    ///
    /// # Errors
    /// If it does not fit.
    pub fn put_chaos(&mut self, rtype: RecordType, rdata: &[u8]) -> Result<(), Full> {
        let at = self.writer.len();
        self.put_record(Section::Answer, Owner::Question, rtype, 0, rdata)?;
        self.writer.patch(at + 4, &crate::dns::rtype::Class::CH.0.to_be_bytes());
        Ok(())
    }

    #[inline]
    fn count(&mut self, section: Section, records: u16) {
        let index = match section {
            Section::Answer => 0,
            Section::Authority => 1,
            Section::Additional => 2,
        };
        self.counts[index] += records;
    }

    /// Writes OPT and header; the message is whole.
    #[inline]
    #[must_use]
    pub fn finish(&mut self) -> Reply {
        if let Some(opt) = &mut self.opt {
            opt.rcode_high = u8::try_from(self.rcode >> 4).unwrap_or(0);
            self.writer.set_limit(usize::MAX);
            opt.write(|bytes| {
                // There is room: it was kept.
                let _ = self.writer.put(bytes);
            });
            self.counts[2] += 1;
        }
        let has_question = self.question_end > HEADER_LEN;
        let [id_high, id_low, flags, _] = self.head;
        // Opcode and RD come back as sent; RA, Z, AD and CD are clear in an authoritative answer (RFC 4035 §3.1.6).
        let flags = 0x80 | (flags & 0x79) | u8::from(self.authoritative) << 2 | u8::from(self.truncated) << 1;
        let low_rcode = u8::try_from(self.rcode & 0xf).unwrap_or(0);
        let [answers, authorities, additionals] = self.counts.map(u16::to_be_bytes);
        if let Some(header) = self.writer.header_mut() {
            *header = [
                id_high,
                id_low,
                flags,
                low_rcode,
                0,
                u8::from(has_question),
                answers[0],
                answers[1],
                authorities[0],
                authorities[1],
                additionals[0],
                additionals[1],
            ];
        }
        Reply {
            len: self.writer.len(),
            outcome: Outcome::Answered {
                rcode: self.rcode,
                qtype: has_question.then_some(self.qtype),
                truncated: self.truncated,
                steered: self.steered,
            },
        }
    }
}

/// The TTL of the RRset that a signature covers, if the node has it.
#[cold]
fn covered_ttl(node: Node<'_>, signature: &[u8]) -> Option<u32> {
    node.set(RecordType(u16_at(signature, 0))).map(|set| set.ttl)
}
