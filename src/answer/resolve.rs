//! Finding the answer: RFC 1034 §4.3.2, one alias after the other through all zones served.

use crate::answer::absolute::Absolute;
use crate::answer::lane::{Scratch, Turns};
use crate::answer::message::{Message, Section};
use crate::answer::sections::{AUTHORITY_MAX, Pending, Wanted};
use crate::answer::trace::Trace;
use crate::answer::{Client, Slot, denial};
use crate::base::limits::{ADDITIONAL_NAMES_MAX, ALIAS_STEPS_MAX};
use crate::base::list::ShortList;
use crate::dns::RecordType;
use crate::dns::rtype::Class;
use crate::snapshot::{Asker, Snapshot, Steering};
use crate::wire::edns::ExtendedError;
use crate::wire::writer::{Full, Owner};
use crate::wire::{FoldedName, Query, rcode};
use crate::zone::{Found, Node, Rrset, Served, Zone, ZoneSet};

/// Answers a query of class IN.
#[inline]
pub fn resolve<T: Trace>(
    snapshot: &Snapshot,
    slot: &Slot,
    client: Client,
    scratch: &mut Scratch,
    message: &mut Message<'_>,
    trace: &mut T,
) {
    let query = &slot.query;
    let Scratch { alias, side, renamed, turns } = scratch;
    let mut resolver = Resolver {
        zones: &snapshot.zones,
        steering: &snapshot.steering,
        client,
        trace,
        turns,
        negative_ttl_max: u32::MAX,
        negative_of: None,
        query,
        message,
        side,
        renamed,
        renamed_by: ShortList::new(),
        authority: ShortList::new(),
        additional: ShortList::new(),
    };
    resolver.run(slot.served(snapshot), alias);
}

/// The state of one resolution.
pub(super) struct Resolver<'s, 'q, 'm, T> {
    pub(super) zones: &'s ZoneSet,
    pub(super) steering: &'s Steering,
    client: Client,
    /// Who watches.
    pub(super) trace: &'q mut T,
    pub(super) turns: &'q mut Turns,
    /// The most a negative answer may live, seconds: a steered name wants it short.
    pub(super) negative_ttl_max: u32,
    /// The zone whose SOA says how long there is nothing.
    negative_of: Option<&'s Zone>,
    pub(super) query: &'q Query,
    pub(super) message: &'q mut Message<'m>,
    /// A name looked up on the side.
    pub(super) side: &'q mut FoldedName,
    /// The name a DNAME made.
    renamed: &'q mut Absolute,
    /// The DNAMEs met on the way.
    renamed_by: ShortList<Node<'s>, ALIAS_STEPS_MAX>,
    pub(super) authority: ShortList<Pending<'s>, AUTHORITY_MAX>,
    pub(super) additional: ShortList<Wanted<'s>, ADDITIONAL_NAMES_MAX>,
}

/// What became of an RRset that was to be written.
pub(super) enum Put<'s> {
    /// It is written; its first record's data.
    Written(Option<&'s [u8]>),
    /// It is steered, and has nothing for this client now.
    Nothing,
    /// It is steered, and all of it is down, which is to be SERVFAIL.
    Failed,
}

/// How one step of the resolution ended.
enum Step<'s> {
    /// The answer is complete.
    Done,
    /// A CNAME leads on to this name.
    Follow(&'s [u8]),
    /// A DNAME leads on to the name it made, which the scratch holds.
    Renamed,
}

impl<'s, T: Trace> Resolver<'s, '_, '_, T> {
    #[inline]
    fn run(&mut self, served: Option<&'s Served>, alias: &mut FoldedName) {
        let query = self.query;
        if matches!(query.qtype, RecordType::AXFR | RecordType::IXFR) {
            self.message.reject(rcode::REFUSED, Some(ExtendedError::NotSupported));
            return;
        }
        let step = match self.parent_for_ds(served, &query.name) {
            None => return self.message.reject(rcode::REFUSED, Some(ExtendedError::NotAuthoritative)),
            Some(Served::Failed(_)) => return self.message.reject(rcode::SERVFAIL, Some(ExtendedError::InvalidData)),
            Some(Served::Zone(zone)) => self.step(zone, &query.name, Owner::Question, true),
        };
        let mut owner = Owner::Question;
        match step {
            Ok(Step::Done) => {}
            Ok(step) => {
                self.follow(step, alias);
                owner = Owner::Name(alias.wire());
            }
            Err(Full) => self.message.truncate(),
        }
        if let Some(zone) = self.negative_of.filter(|_| !self.message.is_truncated()) {
            self.write_soa(zone);
        }
        if !self.message.is_truncated() && !self.authority.is_empty() {
            self.write_authority();
        }
        if !self.message.is_truncated() && !self.additional.is_empty() {
            self.write_additional(owner);
        }
    }

    /// Follows aliases while they lead to names we serve. A chain that comes back to a name it has seen, or is longer
    /// than [`ALIAS_STEPS_MAX`], is answered as far as it went.
    #[cold]
    fn follow(&mut self, mut step: Step<'s>, alias: &mut FoldedName) {
        let mut seen = ShortList::<u64, ALIAS_STEPS_MAX>::new();
        seen.push(self.query.name.hash(self.query.name.labels()).0);
        let mut made;
        loop {
            let target: &[u8] = match step {
                Step::Done => return,
                Step::Follow(target) => target,
                Step::Renamed => {
                    made = *self.renamed;
                    made.wire()
                }
            };
            if alias.fill(self.zones.key(), target).is_none() {
                return;
            }
            let hash = alias.hash(alias.labels()).0;
            if seen.iter().any(|other| other == hash) || !seen.push(hash) {
                return;
            }
            let served = self.parent_for_ds(self.zones.find(alias, alias.labels()), alias);
            let Some(Served::Zone(zone)) = served else { return };
            match self.step(zone, alias, Owner::Name(target), false) {
                Ok(next) => step = next,
                Err(Full) => return self.message.truncate(),
            }
        }
    }

    /// Who asks, as far as steering is concerned.
    pub(super) fn asker(&self) -> Asker {
        let told = self.query.edns.as_ref().and_then(|edns| edns.subnet.as_ref());
        let subnet = told.and_then(|subnet| Some((subnet.address()?, subnet.source)));
        Asker { resolver: self.client.address, subnet }
    }

    /// Sets the name looked up on the side.
    pub(super) fn fill_side(&mut self, wire: &[u8]) -> bool {
        self.side.fill(self.zones.key(), wire).is_some()
    }

    /// The zone that answers for a name: the longest match; for DS at an apex the parent's zone, if we serve it too
    /// (RFC 4035 §3.1.4.1).
    #[inline]
    fn parent_for_ds(&self, served: Option<&'s Served>, name: &FoldedName) -> Option<&'s Served> {
        let zones: &'s ZoneSet = self.zones;
        if self.query.qtype == RecordType::DS
            && let Some(above) = name.labels().checked_sub(1)
            && let Some(Served::Zone(zone)) = served
            && zone.apex_labels() == name.labels()
        {
            return zones.find(name, above).or(served);
        }
        served
    }

    /// One name in one zone.
    #[inline]
    fn step(&mut self, zone: &'s Zone, name: &FoldedName, owner: Owner<'_>, first: bool) -> Result<Step<'s>, Full> {
        let found = zone.find(name);
        if first {
            // RFC 1035 §4.1.1: AA speaks of the name asked for; it is off if that is delegated, and for QCLASS ANY (§6.2).
            self.message.authoritative = self.query.qclass == Class::IN && !self.is_referral(&found);
        }
        match found {
            Found::Node(node) if node.is_cut() && self.query.qtype != RecordType::DS => {
                self.referral(zone, node, name, name.labels())
            }
            Found::Node(node) if denial::is_denial_only(zone, node) => {
                self.no_name(zone, name, zone.apex_labels());
                Ok(Step::Done)
            }
            Found::Node(node) => self.data(zone, node, name, owner, None),
            Found::Wildcard(node, encloser) => self.wildcard(zone, node, name, owner, encloser),
            Found::Cut(node, labels) => self.referral(zone, node, name, labels),
            Found::Dname(node, labels) => self.rename(zone, node, name, owner, labels),
            Found::Nothing(encloser) => {
                self.no_name(zone, name, encloser);
                Ok(Step::Done)
            }
        }
    }

    /// A wildcard stands for the name. Apart from the names that exist, so that those need no second way of [`Self::data`].
    fn wildcard(
        &mut self,
        zone: &'s Zone,
        node: Node<'s>,
        name: &FoldedName,
        owner: Owner<'_>,
        encloser: usize,
    ) -> Result<Step<'s>, Full> {
        self.data(zone, node, name, owner, Some(encloser))
    }

    fn is_referral(&self, found: &Found<'_>) -> bool {
        match found {
            Found::Node(node) => node.is_cut() && self.query.qtype != RecordType::DS,
            Found::Cut(..) => true,
            Found::Wildcard(..) | Found::Dname(..) | Found::Nothing(_) => false,
        }
    }

    /// The name exists, or a wildcard stands for it (then `encloser` says below what).
    #[inline(always)]
    fn data(
        &mut self,
        zone: &'s Zone,
        node: Node<'s>,
        name: &FoldedName,
        owner: Owner<'_>,
        encloser: Option<usize>,
    ) -> Result<Step<'s>, Full> {
        let qtype = self.query.qtype;
        if qtype == RecordType::ANY {
            return self.any(zone, node, name, owner, encloser);
        }
        let exact = node.set(qtype);
        let Some(set) = exact.or_else(|| node.set(RecordType::CNAME)) else {
            self.no_data(zone, node, name, encloser);
            return Ok(Step::Done);
        };
        match self.put(Section::Answer, owner, node, set)? {
            Put::Written(first) => {
                self.prove_wildcard(zone, name, encloser);
                let leads_on = exact.is_none();
                return Ok(first.filter(|_| leads_on).map_or(Step::Done, Step::Follow));
            }
            Put::Nothing => self.no_data(zone, node, name, encloser),
            Put::Failed => self.message.set_rcode(rcode::SERVFAIL),
        }
        Ok(Step::Done)
    }

    /// RFC 8482 §4.1: one RRset stands for all, the lowest type that has anything for this client; signatures and
    /// denials only if there is nothing else.
    #[cold]
    fn any(
        &mut self,
        zone: &'s Zone,
        node: Node<'s>,
        name: &FoldedName,
        owner: Owner<'_>,
        encloser: Option<usize>,
    ) -> Result<Step<'s>, Full> {
        let plain = |set: &Rrset<'_>| !matches!(set.rtype, RecordType::RRSIG | RecordType::NSEC | RecordType::NSEC3);
        let of_zone = node.sets().next().filter(|_| !node.sets().any(|set| plain(&set)));
        let mut failed = false;
        for set in node.sets().filter(plain).chain(of_zone) {
            match self.put(Section::Answer, owner, node, set)? {
                Put::Written(_) => {
                    self.prove_wildcard(zone, name, encloser);
                    return Ok(Step::Done);
                }
                Put::Nothing => {}
                Put::Failed => failed = true,
            }
        }
        if failed {
            self.message.set_rcode(rcode::SERVFAIL);
        } else {
            self.no_data(zone, node, name, encloser);
        }
        Ok(Step::Done)
    }

    /// RFC 4035 §3.1.3.3: what a wildcard answered comes with the proof that nothing closer exists.
    #[inline]
    fn prove_wildcard(&mut self, zone: &'s Zone, name: &FoldedName, encloser: Option<usize>) {
        if let Some(encloser) = encloser.filter(|_| self.message.dnssec) {
            denial::wildcard_answer(self, zone, name, encloser);
        }
    }

    /// Writes an RRset, or what its service decides for this client.
    #[inline(always)]
    pub(super) fn put(
        &mut self,
        section: Section,
        owner: Owner<'_>,
        node: Node<'s>,
        set: Rrset<'s>,
    ) -> Result<Put<'s>, Full> {
        match set.service() {
            Some(service) => self.put_steered(section, owner, node, service, set.rtype),
            None => {
                if matches!(set.rtype, RecordType::HTTPS | RecordType::SVCB)
                    && let Some(decision) = self.hinting(node)
                {
                    return self.put_static_hinted(section, owner, node, set, &decision);
                }
                self.message.put_set(section, owner, node, set, set.ttl)?;
                self.want_addresses(node, set.rtype, set.rdatas());
                Ok(Put::Written(set.rdatas().next()))
            }
        }
    }

    /// RFC 2308 §2.2: NOERROR with the SOA.
    fn no_data(&mut self, zone: &'s Zone, node: Node<'s>, name: &FoldedName, encloser: Option<usize>) {
        self.negative_of = Some(zone);
        if self.message.dnssec {
            denial::no_data(self, zone, node, name, encloser);
        }
    }

    /// RFC 2308 §2.1: NXDOMAIN with the SOA. At the end of a chain it speaks of the last name (RFC 6604 §3).
    #[inline]
    fn no_name(&mut self, zone: &'s Zone, name: &FoldedName, encloser: usize) {
        self.message.set_rcode(rcode::NXDOMAIN);
        self.negative_of = Some(zone);
        if self.message.dnssec {
            denial::no_name(self, zone, name, encloser);
        }
    }

    /// RFC 1034 §4.3.2 step 3b: whose name this is.
    fn referral(&mut self, zone: &'s Zone, cut: Node<'s>, name: &FoldedName, labels: usize) -> Result<Step<'s>, Full> {
        let Some(servers) = cut.set(RecordType::NS) else { return Ok(Step::Done) };
        self.want(zone, cut, RecordType::NS);
        if self.message.dnssec {
            if cut.set(RecordType::DS).is_some() {
                self.want(zone, cut, RecordType::DS);
            } else {
                denial::unsigned_referral(self, zone, cut, name, labels);
            }
        }
        self.write_authority();
        self.authority = ShortList::new();
        self.write_glue(zone, cut, servers)?;
        Ok(Step::Done)
    }

    /// RFC 6672 §2.2, §3.1: the DNAME, and a CNAME made from it with its TTL.
    fn rename(
        &mut self,
        zone: &'s Zone,
        node: Node<'s>,
        name: &FoldedName,
        owner: Owner<'_>,
        labels: usize,
    ) -> Result<Step<'s>, Full> {
        let Some((set, target)) = node.set(RecordType::DNAME).and_then(|set| Some((set, set.rdatas().next()?))) else {
            return Ok(Step::Done);
        };
        let dname_owner = Absolute::of(zone, node);
        // A DNAME met twice stands in the answer once.
        if !self.renamed_by.iter().any(|other| other.is(node)) {
            self.message.put_set(Section::Answer, Owner::Name(dname_owner.wire()), node, set, set.ttl)?;
            self.renamed_by.push(node);
        }
        let asked = self.message.question_name();
        let written = if let Owner::Name(wire) = owner { wire } else { &asked };
        let prefix_len = name.start(labels);
        let Some(made) = written.get(..prefix_len).and_then(|prefix| Absolute::join(prefix, target)) else {
            self.message.set_rcode(rcode::YXDOMAIN);
            return Ok(Step::Done);
        };
        self.message.put_record(Section::Answer, owner, RecordType::CNAME, set.ttl, made.wire())?;
        *self.renamed = made;
        // A query for CNAME or for anything is answered by the CNAME just made.
        let answered = matches!(self.query.qtype, RecordType::CNAME | RecordType::ANY);
        Ok(if answered { Step::Done } else { Step::Renamed })
    }
}
