//! Proofs of what does not exist, from the NSEC or NSEC3 records a signed zone came with.
//!
//! | RFC | case |
//! |---|---|
//! | 4035 §3.1.3.1, 5155 §7.2.3, §7.2.4 | no data |
//! | 4035 §3.1.3.2, 5155 §7.2.2 | no name |
//! | 4035 §3.1.3.3, 5155 §7.2.6 | wildcard answer |
//! | 4035 §3.1.3.4, 5155 §7.2.5 | wildcard, no data |
//! | 4035 §3.1.4.1, 5155 §7.2.7 | referral to an unsigned zone |

use hickory_proto::dnssec::Nsec3HashAlgorithm;
use hickory_proto::rr::Name as HickoryName;
use hickory_proto::serialize::binary::{BinDecodable, BinDecoder};

use crate::answer::absolute::Absolute;
use crate::answer::resolve::Resolver;
use crate::answer::trace::Trace;
use crate::dns::RecordType;
use crate::wire::{FoldedName, u16_at};
use crate::zone::build::DenialKind;
use crate::zone::order::{canonical_key, name_of_key};
use crate::zone::{Node, Zone};

/// The name exists (or a wildcard below `encloser` stands for it) and has nothing of the type.
pub(super) fn no_data<'s, T: Trace>(
    resolver: &mut Resolver<'s, '_, '_, T>,
    zone: &'s Zone,
    node: Node<'s>,
    name: &FoldedName,
    encloser: Option<usize>,
) {
    match (denial_of(zone), encloser) {
        (None, _) => {}
        (Some(Denial::Nsec), encloser) => {
            // An empty name owns no NSEC: the one before it shows that it has no type (RFC 4035 §3.1.3.2's third case).
            if node.set(RecordType::NSEC).is_some() {
                resolver.want(zone, node, RecordType::NSEC);
            } else {
                want_covering_nsec(resolver, zone, name.between(name.labels(), zone.apex_labels()));
            }
            if encloser.is_some() {
                want_covering_nsec(resolver, zone, name.between(name.labels(), zone.apex_labels()));
            }
        }
        (Some(Denial::Nsec3(params)), None) => {
            if !params.want_matching(resolver, zone, name, name.labels()) {
                // Opt-out: an unsigned delegation has no NSEC3 of its own (RFC 5155 §7.2.4).
                params.want_closest(resolver, zone, name, name.labels().saturating_sub(1));
            }
        }
        (Some(Denial::Nsec3(params)), Some(encloser)) => {
            params.want_closest(resolver, zone, name, encloser);
            params.want_wildcard(resolver, zone, name, encloser);
        }
    }
}

/// The name does not exist, and no wildcard below its closest encloser stands for it.
pub(super) fn no_name<'s, T: Trace>(
    resolver: &mut Resolver<'s, '_, '_, T>,
    zone: &'s Zone,
    name: &FoldedName,
    encloser: usize,
) {
    match denial_of(zone) {
        None => {}
        Some(Denial::Nsec) => {
            want_covering_nsec(resolver, zone, name.between(name.labels(), zone.apex_labels()));
            let wildcard = [b"\x01*", name.between(encloser, zone.apex_labels())].concat();
            want_covering_nsec(resolver, zone, &wildcard);
        }
        Some(Denial::Nsec3(params)) => {
            let closest = params.want_closest(resolver, zone, name, encloser);
            params.want_wildcard(resolver, zone, name, closest);
        }
    }
}

/// A wildcard answered: the name itself must be shown not to exist.
pub(super) fn wildcard_answer<'s, T: Trace>(
    resolver: &mut Resolver<'s, '_, '_, T>,
    zone: &'s Zone,
    name: &FoldedName,
    encloser: usize,
) {
    match denial_of(zone) {
        None => {}
        Some(Denial::Nsec) => want_covering_nsec(resolver, zone, name.between(name.labels(), zone.apex_labels())),
        Some(Denial::Nsec3(params)) => params.want_covering(resolver, zone, name, encloser + 1),
    }
}

/// A cut without DS: shown, so that nobody can pretend it.
pub(super) fn unsigned_referral<'s, T: Trace>(
    resolver: &mut Resolver<'s, '_, '_, T>,
    zone: &'s Zone,
    cut: Node<'s>,
    name: &FoldedName,
    labels: usize,
) {
    match denial_of(zone) {
        None => {}
        Some(Denial::Nsec) => resolver.want(zone, cut, RecordType::NSEC),
        Some(Denial::Nsec3(params)) => {
            let matched = params.want_matching(resolver, zone, name, labels);
            if !matched {
                params.want_closest_below(resolver, zone, name, labels.saturating_sub(1), labels);
            }
        }
    }
}

/// RFC 5155 §7.2.8: the owner of an NSEC3 record is no name of the zone; asked for, it does not exist.
pub(super) fn is_denial_only(zone: &Zone, node: Node<'_>) -> bool {
    zone.order().is_some()
        && node.set(RecordType::NSEC3).is_some()
        && node.sets().all(|set| matches!(set.rtype, RecordType::NSEC3 | RecordType::RRSIG))
}

/// How a zone denies.
enum Denial<'s> {
    Nsec,
    Nsec3(Nsec3Params<'s>),
}

fn denial_of(zone: &Zone) -> Option<Denial<'_>> {
    zone.order()?;
    let apex = zone.apex_node()?;
    match DenialKind::of(apex)? {
        DenialKind::Nsec => Some(Denial::Nsec),
        DenialKind::Nsec3 => {
            let rdata = apex.set(RecordType::NSEC3PARAM)?.rdatas().next()?;
            let salt = rdata.get(5..5 + usize::from(*rdata.get(4)?))?;
            Some(Denial::Nsec3(Nsec3Params { iterations: u16_at(rdata, 2), salt }))
        }
    }
}

/// The NSEC that covers (or matches) a name relative to the apex.
fn want_covering_nsec<'s, T: Trace>(resolver: &mut Resolver<'s, '_, '_, T>, zone: &'s Zone, relative: &[u8]) {
    let Some(key) = zone.order().and_then(|order| order.at_or_before(&canonical_key(relative))) else { return };
    let owner = name_of_key(key);
    want_at(resolver, zone, &owner, RecordType::NSEC);
}

fn want_at<'s, T: Trace>(resolver: &mut Resolver<'s, '_, '_, T>, zone: &'s Zone, relative: &[u8], rtype: RecordType) {
    let Some(owner) = Absolute::join(relative, zone.apex().as_wire()) else { return };
    if resolver.fill_side(owner.wire())
        && let Some(node) = zone.node(resolver.side)
    {
        resolver.want(zone, node, rtype);
    }
}

/// What NSEC3PARAM says, RFC 5155 §4.
struct Nsec3Params<'s> {
    iterations: u16,
    salt: &'s [u8],
}

impl Nsec3Params<'_> {
    /// The first label of the NSEC3 owner for a wire name: its hash in base32hex, lower case.
    fn label(&self, wire: &[u8]) -> Option<Vec<u8>> {
        let name = HickoryName::read(&mut BinDecoder::new(wire)).ok()?;
        let digest = Nsec3HashAlgorithm::SHA1.hash(self.salt, &name, self.iterations).ok()?;
        Some(base32hex(digest.as_ref()))
    }

    /// The NSEC3 that matches the name's last `labels` labels; false if there is none.
    fn want_matching<'s, T: Trace>(
        &self,
        resolver: &mut Resolver<'s, '_, '_, T>,
        zone: &'s Zone,
        name: &FoldedName,
        labels: usize,
    ) -> bool {
        let Some(label) = self.label(name.suffix(labels)) else { return false };
        let Some(found) = zone.order().and_then(|order| order.at_or_before(&label)) else { return false };
        if found != label.as_slice() {
            return false;
        }
        want_label(resolver, zone, found);
        true
    }

    /// The NSEC3 that covers the name's last `labels` labels.
    fn want_covering<'s, T: Trace>(
        &self,
        resolver: &mut Resolver<'s, '_, '_, T>,
        zone: &'s Zone,
        name: &FoldedName,
        labels: usize,
    ) {
        self.want_covering_wire(resolver, zone, name.suffix(labels));
    }

    fn want_covering_wire<'s, T: Trace>(&self, resolver: &mut Resolver<'s, '_, '_, T>, zone: &'s Zone, wire: &[u8]) {
        if let Some(label) = self.label(wire)
            && let Some(found) = zone.order().and_then(|order| order.at_or_before(&label))
        {
            want_label(resolver, zone, found);
        }
    }

    /// RFC 5155 §7.2.1: the closest provable encloser at `encloser` labels or above, and the name one label longer
    /// covered. Returns the encloser's labels.
    fn want_closest<'s, T: Trace>(
        &self,
        resolver: &mut Resolver<'s, '_, '_, T>,
        zone: &'s Zone,
        name: &FoldedName,
        encloser: usize,
    ) -> usize {
        self.want_closest_below(resolver, zone, name, encloser, name.labels())
    }

    /// As [`Self::want_closest`] for the name's last `labels` labels.
    fn want_closest_below<'s, T: Trace>(
        &self,
        resolver: &mut Resolver<'s, '_, '_, T>,
        zone: &'s Zone,
        name: &FoldedName,
        encloser: usize,
        labels: usize,
    ) -> usize {
        let mut closest = encloser;
        while !self.want_matching(resolver, zone, name, closest) && closest > zone.apex_labels() {
            closest -= 1;
        }
        if closest < labels {
            self.want_covering(resolver, zone, name, closest + 1);
        }
        closest
    }

    /// The NSEC3 for `*` below the encloser: matching it if it exists, covering it if not.
    fn want_wildcard<'s, T: Trace>(
        &self,
        resolver: &mut Resolver<'s, '_, '_, T>,
        zone: &'s Zone,
        name: &FoldedName,
        encloser: usize,
    ) {
        // Below an encloser so long that `*` does not fit there can be no wildcard.
        if let Some(wildcard) = Absolute::join(b"\x01*", name.suffix(encloser)) {
            self.want_covering_wire(resolver, zone, wildcard.wire());
        }
    }
}

fn want_label<'s, T: Trace>(resolver: &mut Resolver<'s, '_, '_, T>, zone: &'s Zone, label: &[u8]) {
    let relative = [&[u8::try_from(label.len()).unwrap_or(0)], label].concat();
    want_at(resolver, zone, &relative, RecordType::NSEC3);
}

/// Base 32 with extended hex alphabet, lower case, without padding (RFC 4648 §7).
fn base32hex(bytes: &[u8]) -> Vec<u8> {
    const DIGITS: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";
    let mut out = Vec::with_capacity(bytes.len() * 8 / 5 + 1);
    let (mut buffer, mut bits) = (0_u32, 0);
    for &byte in bytes {
        buffer = buffer << 8 | u32::from(byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            out.push(DIGITS[(buffer >> bits & 31) as usize]);
        }
    }
    if bits > 0 {
        out.push(DIGITS[(buffer << (5 - bits) & 31) as usize]);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_as_rfc_5155_appendix_a() {
        let params = Nsec3Params { iterations: 12, salt: &[0xaa, 0xbb, 0xcc, 0xdd] };
        let label = |text: &str| {
            let name: crate::dns::Name = text.parse().unwrap();
            String::from_utf8(params.label(name.as_wire()).unwrap()).unwrap()
        };
        assert_eq!(label("example"), "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom");
        assert_eq!(label("a.example"), "35mthgpgcu1qg68fab165klnsnk3dpvl");
        assert_eq!(label("*.w.example"), "r53bq7cc2uvmubfu5ocmm6pers9tk9en");
    }
}
