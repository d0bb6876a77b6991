//! Answering steered names: the decision for this client, its records, and the address hints that follow from it.

use crate::answer::message::{MADE_LEN_MAX, Section};
use crate::answer::resolve::{Put, Resolver};
use crate::answer::trace::{Made, Trace};
use crate::base::ids::ServiceId;
use crate::dns::RecordType;
use crate::dns::name::wire_len;
use crate::snapshot::{Decision, Outcome};
use crate::wire::u16_at;
use crate::wire::writer::{Full, Owner};
use crate::zone::{Node, Rrset};

/// SvcParamKeys, RFC 9460 §14.3.2.
const IPV4_HINT: u16 = 4;
const IPV6_HINT: u16 = 6;

impl<'s, T: Trace> Resolver<'s, '_, '_, T> {
    /// Writes what a service decides for this client.
    pub(super) fn put_steered(
        &mut self,
        section: Section,
        owner: Owner<'_>,
        node: Node<'s>,
        service: ServiceId,
        rtype: RecordType,
    ) -> Result<Put<'s>, Full> {
        let asker = self.asker();
        let Some(decision) = self.steering.decide(service, &asker) else { return Ok(Put::Failed) };
        let ring = decision.ring(rtype).map(|ring| (ring, self.turns.start(ring, decision.hash)));
        self.trace.decided(&Made { section, service, rtype, asker, decision, ring });
        let Some((ring, start)) = ring else { return Ok(self.put_nothing(section, &decision)) };
        if section == Section::Answer {
            self.message.note(decision.reason);
            self.turns.counts.answered(ring.cell, decision.reason);
            if decision.is_demand {
                self.turns.counts.demand().add(decision.decided_by, decision.class, decision.ttl);
            }
        }
        // Without a client subnet there is no scope.
        if let Some((address, _)) = asker.subnet {
            let scope = decision.scope_of(ring);
            self.message.widen_scope(scope);
            self.turns.counts.scoped(address.is_ipv6(), scope);
        }
        if decision.hints && matches!(rtype, RecordType::HTTPS | RecordType::SVCB) {
            self.put_hinted(section, owner, rtype, decision.ttl, ring.records(start), node, &decision)?;
        } else if let Some(set) = ring.single(start) {
            self.message.put_records(section, owner, rtype, decision.ttl, set.rdatas())?;
            self.want_addresses(node, rtype, set.rdatas());
            return Ok(Put::Written(set.rdatas().next()));
        } else {
            self.message.put_records(section, owner, rtype, decision.ttl, ring.records(start))?;
        }
        self.want_addresses(node, rtype, ring.records(start));
        Ok(Put::Written(ring.records(start).next()))
    }

    /// A service has no records of a type for this client.
    #[cold]
    fn put_nothing(&mut self, section: Section, decision: &Decision<'s>) -> Put<'s> {
        if section == Section::Answer {
            self.message.note(decision.reason);
            self.turns.counts.answered(decision.cell(), decision.reason);
        }
        if decision.outcome == Outcome::ServFail {
            return Put::Failed;
        }
        self.negative_ttl_max = decision.negative_ttl;
        Put::Nothing
    }

    /// The decision about the addresses of a node, if its static HTTPS or SVCB records get hints from it.
    #[cold]
    pub(super) fn hinting(&self, node: Node<'s>) -> Option<Decision<'s>> {
        let addresses = node.set(RecordType::A).or_else(|| node.set(RecordType::AAAA))?;
        self.steering.decide(addresses.service()?, &self.asker()).filter(|decision| decision.hints)
    }

    /// Writes a static RRset with the hints of a decision. It lives no longer than the decision.
    #[cold]
    pub(super) fn put_static_hinted(
        &mut self,
        section: Section,
        owner: Owner<'_>,
        node: Node<'s>,
        set: Rrset<'s>,
        decision: &Decision<'s>,
    ) -> Result<Put<'s>, Full> {
        self.message.widen_scope(decision.scope);
        self.put_hinted(section, owner, set.rtype, set.ttl.min(decision.ttl), set.rdatas(), node, decision)?;
        self.want_addresses(node, set.rtype, set.rdatas());
        Ok(Put::Written(set.rdatas().next()))
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of a record, and of what it is made from")]
    fn put_hinted<'r>(
        &mut self,
        section: Section,
        owner: Owner<'_>,
        rtype: RecordType,
        ttl: u32,
        rdatas: impl Iterator<Item = &'r [u8]>,
        node: Node<'s>,
        decision: &Decision<'s>,
    ) -> Result<(), Full> {
        // A service of HTTPS records alone takes the hints from the service of the addresses.
        let of_addresses = self.hinting(node);
        let mut hints: [Option<_>; 2] = [None, None];
        for (hint, family) in hints.iter_mut().zip([RecordType::A, RecordType::AAAA]) {
            let by = Some(decision).into_iter().chain(&of_addresses).find(|by| by.ring(family).is_some());
            *hint = by.and_then(|by| Some((by.ring(family)?, by.hash)));
            if let Some((by, ring)) = by.and_then(|by| Some((by, by.ring(family)?))) {
                self.message.widen_scope(by.scope_of(ring));
            }
        }
        let [v4, v6] = hints.map(|hint| hint.map(|(ring, hash)| (ring, self.turns.start(ring, hash))));
        let addresses = |key: u16, put: &mut dyn FnMut(&[u8])| {
            let family = if key == IPV4_HINT { v4 } else { v6 };
            family.iter().flat_map(|(ring, start)| ring.records(*start)).for_each(put);
        };
        self.message.put_made(section, owner, rtype, ttl, rdatas, |rdata, bytes| {
            let mut made = Hinted { bytes, len: 0 };
            made.fill(rdata, &addresses)?;
            Some(made.len)
        })
    }
}

/// Hands out the addresses for a hint, by its key.
type Addresses<'a> = dyn Fn(u16, &mut dyn FnMut(&[u8])) + 'a;

/// HTTPS or SVCB data in the making.
struct Hinted<'b> {
    bytes: &'b mut [u8; MADE_LEN_MAX],
    len: usize,
}

impl Hinted<'_> {
    /// Copies `rdata` with the hints put in; `None` if nothing is to be put in or there is no room.
    ///
    /// Only where the target is the owner itself (`.`) in service mode (RFC 9460 §2.4.3, §2.5); parameters stand in the
    /// order of their keys (§2.2).
    fn fill(&mut self, rdata: &[u8], addresses: &Addresses<'_>) -> Option<()> {
        let target = rdata.get(2..)?;
        let target_len = wire_len(target).ok()?;
        if u16_at(rdata, 0) == 0 || target_len != 1 {
            return None;
        }
        let (head, mut rest) = rdata.split_at_checked(2 + target_len)?;
        self.put(head)?;
        let mut pending = [(IPV4_HINT, true), (IPV6_HINT, true)];
        loop {
            let key = (rest.len() >= 4).then(|| u16_at(rest, 0));
            for (hint, waits) in &mut pending {
                if *waits && key.is_none_or(|key| key >= *hint) {
                    *waits = false;
                    // What is written by hand stays.
                    if key != Some(*hint) {
                        self.put_hint(*hint, addresses)?;
                    }
                }
            }
            if key.is_none() {
                return Some(());
            }
            let (parameter, behind) = rest.split_at_checked(4 + usize::from(u16_at(rest, 2)))?;
            self.put(parameter)?;
            rest = behind;
        }
    }

    /// Puts a hint in, unless there is no address for it.
    fn put_hint(&mut self, key: u16, addresses: &Addresses<'_>) -> Option<()> {
        let mut len = 0;
        addresses(key, &mut |address| len += address.len());
        let len = u16::try_from(len).ok()?;
        if len == 0 {
            return Some(());
        }
        self.put(&key.to_be_bytes())?;
        self.put(&len.to_be_bytes())?;
        let mut done = Some(());
        addresses(key, &mut |address| done = done.and_then(|()| self.put(address)));
        done
    }

    fn put(&mut self, bytes: &[u8]) -> Option<()> {
        let end = self.len.checked_add(bytes.len())?;
        self.bytes.get_mut(self.len..end)?.copy_from_slice(bytes);
        self.len = end;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_stand_in_the_order_of_keys() {
        let v4: &[&[u8]] = &[&[192, 0, 2, 1], &[192, 0, 2, 2]];
        let v6: &[&[u8]] = &[&[0x20; 16]];
        let alpn = [0, 1, 0, 3, 2, b'h', b'2'];
        let port = [0, 3, 0, 2, 1, 187];
        let ech = [0, 5, 0, 1, 9];
        let path = [0, 7, 0, 1, 9];
        let hint4 = [0, 4, 0, 8, 192, 0, 2, 1, 192, 0, 2, 2];
        let hint6 = [&[0, 6, 0, 16][..], &[0x20; 16]].concat();
        let data = |parts: &[&[u8]]| [&[0, 1, 0][..], &parts.concat()].concat();
        let hinted = |rdata: &[u8], v4: &[&[u8]], v6: &[&[u8]]| {
            let mut bytes = [0; MADE_LEN_MAX];
            let mut made = Hinted { bytes: &mut bytes, len: 0 };
            let addresses = |key: u16, put: &mut dyn FnMut(&[u8])| {
                let family = if key == IPV4_HINT { v4 } else { v6 };
                family.iter().for_each(|address| put(address));
            };
            made.fill(rdata, &addresses)?;
            Some(made.bytes[..made.len].to_vec())
        };
        for (rdata, v4, v6, expected) in [
            (data(&[]), v4, v6, Some(data(&[&hint4, &hint6]))),
            (data(&[&alpn, &port, &path]), v4, v6, Some(data(&[&alpn, &port, &hint4, &hint6, &path]))),
            (data(&[&alpn, &ech]), v4, v6, Some(data(&[&alpn, &hint4, &ech, &hint6]))),
            // Only one family is up.
            (data(&[&alpn]), v4, &[], Some(data(&[&alpn, &hint4]))),
            // Written by hand.
            (data(&[&[0, 4, 0, 4, 1, 1, 1, 1]]), v4, v6, Some(data(&[&[0, 4, 0, 4, 1, 1, 1, 1], &hint6]))),
            // Alias mode, and another target.
            (vec![0, 0, 0], v4, v6, None),
            (vec![0, 1, 1, b'x', 0], v4, v6, None),
            (vec![0, 1, 0, 0, 1, 0, 9], v4, v6, None),
        ] {
            assert_eq!(hinted(&rdata, v4, v6), expected, "{rdata:?}");
        }
    }
}
