//! What stands beside the answer: the authority section with its SOA or cut, and addresses the client would ask for next.

use crate::answer::absolute::Absolute;
use crate::answer::message::Section;
use crate::answer::resolve::Resolver;
use crate::answer::trace::Trace;
use crate::base::limits::ADDITIONAL_NAMES_MAX;
use crate::base::list::ShortList;
use crate::dns::RecordType;
use crate::dns::name::{is_at_or_below, wire_len};
use crate::wire::writer::{Full, Owner};
use crate::wire::{u16_at, u32_at};
use crate::zone::{Found, Node, Rrset, Served, Zone};

/// RRsets the authority section may need: an SOA or a cut, and the proofs of every wildcard on the way.
pub(super) const AUTHORITY_MAX: usize = 16;

/// An RRset for the authority section, found on the way and written when the answer section is whole.
#[derive(Clone, Copy)]
pub(super) struct Pending<'s> {
    zone: &'s Zone,
    node: Node<'s>,
    rtype: RecordType,
}

/// A name whose addresses the client will want next.
#[derive(Clone, Copy)]
pub(super) enum Wanted<'s> {
    /// In wire form.
    Name(&'s [u8]),
    /// The owner of the answer itself, whose node this is.
    Owner(Node<'s>),
}

impl<'s, T: Trace> Resolver<'s, '_, '_, T> {
    /// The SOA of a negative answer, RFC 2308 §3.
    #[inline]
    pub(super) fn write_soa(&mut self, zone: &'s Zone) {
        let written = match zone.negative() {
            Some(soa) if self.message.can_be_pointed_to() => {
                let name = &self.query.name;
                // Where the question ends with the apex, if it does: after an alias it may end otherwise.
                let at = (name.labels() >= zone.apex_labels()).then(|| name.start(zone.apex_labels()));
                self.message.put_negative_soa(zone.apex().as_wire(), at, soa, self.negative_ttl_max)
            }
            _ => self.write_whole_soa(zone),
        };
        if written.is_err() {
            self.message.truncate();
        }
    }

    fn write_whole_soa(&mut self, zone: &'s Zone) -> Result<(), Full> {
        let Some((apex, set)) = zone.apex_node().and_then(|apex| Some((apex, apex.set(RecordType::SOA)?))) else {
            return Ok(());
        };
        // RFC 2308 §5: a negative answer lives for the lesser of the SOA's TTL and its MINIMUM.
        let ttl = set.ttl.min(soa_minimum(set)).min(self.negative_ttl_max);
        self.message.put_set(Section::Authority, Owner::Name(zone.apex().as_wire()), apex, set, ttl)
    }

    /// Notes an RRset for the authority section, once.
    pub(super) fn want(&mut self, zone: &'s Zone, node: Node<'s>, rtype: RecordType) {
        if !self.authority.iter().any(|pending| pending.rtype == rtype && pending.node.is(node)) {
            self.authority.push(Pending { zone, node, rtype });
        }
    }

    #[inline]
    pub(super) fn write_authority(&mut self) {
        for Pending { zone, node, rtype } in self.authority.iter() {
            let Some(set) = node.set(rtype) else { continue };
            // RFC 2308 §5: a negative answer lives for the lesser of the SOA's TTL and its MINIMUM.
            let owner = Absolute::of(zone, node);
            if self.message.put_set(Section::Authority, Owner::Name(owner.wire()), node, set, set.ttl).is_err() {
                return self.message.truncate();
            }
        }
    }

    /// Addresses of the servers of a cut. Those below it are glue the client cannot do without (RFC 9471 §3.1).
    pub(super) fn write_glue(&mut self, zone: &'s Zone, cut: Node<'s>, servers: Rrset<'s>) -> Result<(), Full> {
        let cut_name = Absolute::of(zone, cut);
        for needed in [true, false] {
            for server in servers.rdatas() {
                if is_at_or_below(server, cut_name.wire()) != needed || !self.fill_side(server) {
                    continue;
                }
                let Some(node) = zone.node(self.side) else { continue };
                for rtype in [RecordType::A, RecordType::AAAA] {
                    let Some(set) = node.set(rtype) else { continue };
                    // A server beside the cut may be steered.
                    let put = self.put(Section::Additional, Owner::Name(server), node, set);
                    if put.is_err() && needed {
                        return Err(Full);
                    }
                }
            }
        }
        Ok(())
    }

    /// Notes the names in an RRset whose addresses help (RFC 1034 §4.3.2 step 6, RFC 2782, RFC 9460 §4.1).
    #[inline(always)]
    pub(super) fn want_addresses(&mut self, node: Node<'s>, rtype: RecordType, rdatas: impl Iterator<Item = &'s [u8]>) {
        match rtype {
            RecordType::NS => self.want_named(node, rtype, rdatas, 0),
            RecordType::MX | RecordType::SVCB | RecordType::HTTPS => self.want_named(node, rtype, rdatas, 2),
            RecordType::SRV => self.want_named(node, rtype, rdatas, 6),
            _ => {}
        }
    }

    /// Notes the names that stand `prefix` octets behind the start of each record's data.
    fn want_named(&mut self, node: Node<'s>, rtype: RecordType, rdatas: impl Iterator<Item = &'s [u8]>, prefix: usize) {
        for rdata in rdatas {
            let Some(rest) = rdata.get(prefix..) else { continue };
            let Some(name) = wire_len(rest).ok().and_then(|len| rest.get(..len)) else { continue };
            if name.len() > 1 {
                self.additional.push(Wanted::Name(name));
            } else if matches!(rtype, RecordType::SVCB | RecordType::HTTPS) && u16_at(rdata, 0) != 0 {
                // RFC 9460 §2.5: in service mode `.` is the owner itself.
                self.additional.push(Wanted::Owner(node));
            }
        }
    }

    /// Addresses of those names; what does not fit is left out without a word (RFC 2181 §9).
    pub(super) fn write_additional(&mut self, owner: Owner<'_>) {
        let mut seen = ShortList::<u64, ADDITIONAL_NAMES_MAX>::new();
        let wanted = std::mem::take(&mut self.additional);
        for wanted in wanted.iter() {
            let (name, node) = match wanted {
                Wanted::Owner(node) => (owner, Some(node)),
                Wanted::Name(name) => {
                    if !self.fill_side(name) {
                        continue;
                    }
                    let hash = self.side.hash(self.side.labels()).0;
                    if seen.iter().any(|other| other == hash) || !seen.push(hash) {
                        continue;
                    }
                    (Owner::Name(name), self.address_node())
                }
            };
            let Some(node) = node else { continue };
            for rtype in [RecordType::A, RecordType::AAAA] {
                let Some(set) = node.set(rtype) else { continue };
                if self.put(Section::Additional, name, node, set).is_err() {
                    return;
                }
            }
        }
    }

    /// Where the addresses of the name on the side stand: data or glue of the zone it is in, never below a DNAME.
    fn address_node(&self) -> Option<Node<'s>> {
        let Served::Zone(zone) = self.zones.find(self.side, self.side.labels())? else { return None };
        match zone.find(self.side) {
            Found::Node(node) => Some(node),
            Found::Cut(..) => zone.node(self.side),
            Found::Wildcard(..) | Found::Dname(..) | Found::Nothing(_) => None,
        }
    }
}

/// MINIMUM, the last number of the SOA's data.
fn soa_minimum(set: Rrset<'_>) -> u32 {
    set.rdatas().next().map_or(0, |rdata| u32_at(rdata, rdata.len().saturating_sub(4)))
}
