//! What must hold in a zone, and what is worth a word.
//!
//! | code | severity | source |
//! |---|---|---|
//! | `soa-count`, `no-ns` | error | RFC 1035 §5.2 |
//! | `soa-not-at-apex` | error | RFC 1035 §5.2 |
//! | `cname-and-other-data`, `cname-count` | error | RFC 2181 §10.1, RFC 1034 §3.6.2 |
//! | `dname-count`, `dname-and-cname` | error | RFC 6672 §2.4 |
//! | `missing-address` | warning | RFC 1034 §4.2.1: glue, or a server in the zone without an address |
//! | `target-is-alias` | warning | RFC 2181 §10.3 |
//! | `occluded` | warning | data below a cut or a DNAME is never served |
//! | `duplicate-record`, `ttl-mismatch` | warning | RFC 2181 §5 |

use std::collections::HashMap;
use std::collections::HashSet;
use std::sync::Arc;

use crate::base::diagnostic::{Diagnostic, Location, Report};
use crate::base::limits;
use crate::dns::name::{is_at_or_below, wire_len};
use crate::dns::{Name, RecordType};
use crate::wire::FoldedName;
use crate::zone::build::{Oddity, OddityKind};
use crate::zone::parse::Reader;
use crate::zone::{Diff, Flags, Found, Node, Zone};

/// Something found about an RRset, not yet with its place in the file.
#[derive(Clone, Debug)]
struct Finding {
    diagnostic: Diagnostic,
    reason: String,
    owner: Vec<u8>,
    rtype: RecordType,
}

/// What was found in a zone.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    findings: Vec<Finding>,
}

impl Findings {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn push(&mut self, owner: &[u8], rtype: RecordType, diagnostic: Diagnostic, reason: impl Into<String>) {
        if self.findings.len() <= limits::DIAGNOSTICS_MAX {
            self.findings.push(Finding { diagnostic, reason: reason.into(), owner: owner.to_vec(), rtype });
        }
    }

    /// Reports all, each with its place: the file is read once more, but only if there is something to report.
    pub fn report(self, mut reader: Reader<'_>, path: &Arc<str>, report: &mut Report) {
        if self.findings.is_empty() {
            return;
        }
        let wanted: HashSet<(Vec<u8>, RecordType)> =
            self.findings.iter().map(|finding| (finding.owner.to_ascii_lowercase(), finding.rtype)).collect();
        let mut places: HashMap<(Vec<u8>, RecordType), Vec<Location>> = HashMap::new();
        let mut silent = Report::new();
        while let Some(entry) = reader.next(&mut silent) {
            let key = (entry.owner.to_ascii_lowercase(), entry.rtype);
            if wanted.contains(&key)
                && let Some(location) = reader.location()
            {
                let found = places.entry(key).or_default();
                if found.len() < 2 {
                    found.push(location);
                }
            }
        }
        for Finding { diagnostic, reason, owner, rtype } in self.findings {
            let found = places.get(&(owner.to_ascii_lowercase(), rtype)).map(Vec::as_slice).unwrap_or_default();
            // Of two records that clash, the second is the one to look at.
            report.push(match found {
                [] => diagnostic.hint(format!("in {path}")),
                [only] => diagnostic.at(only.clone(), reason),
                [first, second, ..] => {
                    diagnostic.at(second.clone(), reason).related(first.clone(), "the first is here")
                }
            });
        }
    }
}

/// Checks a whole zone.
pub fn check_all(zone: &Zone, oddities: &[Oddity], findings: &mut Findings) {
    check_oddities(oddities, findings);
    check_apex(zone, findings);
    let mut name = FoldedName::new();
    for node in zone.nodes() {
        check_node(zone, node, &mut name, findings);
    }
}

/// Checks what a change may have broken: the apex, the changed names, and the cuts and servers they belong to.
pub fn check_changed(zone: &Zone, diff: &Diff, oddities: &[Oddity], findings: &mut Findings) {
    check_oddities(oddities, findings);
    check_apex(zone, findings);
    let mut name = FoldedName::new();
    let mut seen = HashSet::new();
    for change in diff.changes() {
        if seen.insert(change.owner.to_ascii_lowercase())
            && name.fill(zone.key(), &change.owner).is_some()
            && let Some(node) = zone.node(&name)
        {
            check_node(zone, node, &mut name, findings);
        }
    }
}

fn check_oddities(oddities: &[Oddity], findings: &mut Findings) {
    for Oddity { owner, rtype, kind } in oddities {
        let name = shown(owner);
        match kind {
            OddityKind::Duplicate => findings.push(
                owner,
                *rtype,
                Diagnostic::warning("duplicate-record", format!("{name} {rtype} stands twice")),
                "the same record again: it is served once",
            ),
            OddityKind::TtlMismatch => findings.push(
                owner,
                *rtype,
                Diagnostic::warning("ttl-mismatch", format!("the {rtype} records of {name} have different TTLs"))
                    .hint("give all records of one name and type the same TTL (RFC 2181 §5.2)"),
                "the least of them is served for all",
            ),
        }
    }
}

fn check_apex(zone: &Zone, findings: &mut Findings) {
    let apex = zone.apex().as_wire();
    let count = |rtype| zone.apex_node().and_then(|node| node.set(rtype)).map_or(0, |set| set.count());
    let soa = count(RecordType::SOA);
    if soa != 1 {
        let diagnostic = Diagnostic::error("soa-count", format!("zone {} has {soa} SOA records", zone.apex()));
        findings.push(apex, RecordType::SOA, diagnostic, "a zone has exactly one");
    }
    if count(RecordType::NS) == 0 {
        let diagnostic = Diagnostic::error("no-ns", format!("zone {} has no NS record at its apex", zone.apex()))
            .hint(format!("name the servers that answer for it: `{} NS ns1.example.net.`", zone.apex()));
        findings.push(apex, RecordType::SOA, diagnostic, "nobody can find a zone without name servers");
    }
}

fn check_node(zone: &Zone, node: Node<'_>, name: &mut FoldedName, findings: &mut Findings) {
    // The usual node: one or two sets of types that nothing is demanded of.
    if !node.sets().any(|set| needs_check(set.rtype)) && !node.flags().has(Flags::OCCLUDED) {
        return;
    }
    let owner = zone.owner(node);
    check_aliases(node, &owner, findings);
    if node.name().is_empty() {
        // The apex has its own check.
    } else if node.set(RecordType::SOA).is_some() {
        let diagnostic = Diagnostic::error("soa-not-at-apex", format!("{} owns an SOA", shown(&owner)))
            .hint("a child zone has a file of its own; here it has NS records");
        findings.push(&owner, RecordType::SOA, diagnostic, format!("the zone is {}", zone.apex()));
    }
    if node.flags().has(Flags::OCCLUDED) {
        let glue = |rtype| matches!(rtype, RecordType::A | RecordType::AAAA | RecordType::RRSIG | RecordType::NSEC);
        if let Some(set) = node.sets().find(|set| !glue(set.rtype)) {
            let diagnostic =
                Diagnostic::warning("occluded", format!("{} {} is never served", shown(&owner), set.rtype));
            findings.push(&owner, set.rtype, diagnostic, "it is below a zone cut or a DNAME");
        }
        return;
    }
    for (rtype, prefix) in [(RecordType::NS, 0), (RecordType::MX, 2), (RecordType::SRV, 6)] {
        let Some(set) = node.set(rtype) else { continue };
        for rdata in set.rdatas() {
            let Some(target) = rdata.get(prefix..).and_then(|rest| rest.get(..wire_len(rest).ok()?)) else { continue };
            check_target(zone, &owner, rtype, target, name, findings);
        }
    }
}

const fn needs_check(rtype: RecordType) -> bool {
    matches!(
        rtype,
        RecordType::NS | RecordType::CNAME | RecordType::SOA | RecordType::MX | RecordType::SRV | RecordType::DNAME
    )
}

fn check_aliases(node: Node<'_>, owner: &[u8], findings: &mut Findings) {
    let name = shown(owner);
    if let Some(cname) = node.set(RecordType::CNAME) {
        let allowed = |rtype| {
            matches!(
                rtype,
                RecordType::CNAME
                    | RecordType::RRSIG
                    | RecordType::NSEC
                    | RecordType::KEY
                    | RecordType::SIG
                    | RecordType::NXT
            )
        };
        if node.set(RecordType::DNAME).is_some() {
            let diagnostic = Diagnostic::error("dname-and-cname", format!("{name} owns both CNAME and DNAME"));
            findings.push(owner, RecordType::DNAME, diagnostic, "they exclude each other (RFC 6672 §2.4)");
        } else if let Some(other) = node.sets().find(|set| !allowed(set.rtype)) {
            let diagnostic =
                Diagnostic::error("cname-and-other-data", format!("{name} owns both CNAME and {}", other.rtype))
                    .hint("an alias has no data of its own; at an apex use A and AAAA records");
            findings.push(owner, RecordType::CNAME, diagnostic, "a CNAME stands alone (RFC 2181 §10.1)");
        }
        if cname.count() > 1 {
            let diagnostic = Diagnostic::error("cname-count", format!("{name} owns {} CNAME records", cname.count()));
            findings.push(owner, RecordType::CNAME, diagnostic, "a name is an alias of one name");
        }
    }
    if let Some(dname) = node.set(RecordType::DNAME).filter(|set| set.count() > 1) {
        let diagnostic = Diagnostic::error("dname-count", format!("{name} owns {} DNAME records", dname.count()));
        findings.push(owner, RecordType::DNAME, diagnostic, "a name has at most one (RFC 6672 §2.4)");
    }
}

/// A server named in the zone must have an address there.
fn check_target(
    zone: &Zone,
    owner: &[u8],
    rtype: RecordType,
    target: &[u8],
    name: &mut FoldedName,
    findings: &mut Findings,
) {
    if target.len() <= 1 || !is_at_or_below(target, zone.apex().as_wire()) || name.fill(zone.key(), target).is_none() {
        return;
    }
    let shown_target = shown(target);
    let missing = |reason: &str| {
        let diagnostic = Diagnostic::warning(
            "missing-address",
            format!("{} {rtype} names {shown_target}, which has no address", shown(owner)),
        )
        .hint(format!("add `{shown_target} A …` or `AAAA …` to this file"));
        (diagnostic, reason.to_owned())
    };
    let has_address = |node: Node<'_>| node.set(RecordType::A).is_some() || node.set(RecordType::AAAA).is_some();
    let is_apex = owner.len() == zone.apex().as_wire().len();
    let cut_needs_glue = rtype == RecordType::NS && !is_apex && is_at_or_below(target, owner);
    match zone.node(name) {
        Some(node) if has_address(node) => {}
        Some(node) if node.set(RecordType::CNAME).is_some() => {
            let diagnostic = Diagnostic::warning(
                "target-is-alias",
                format!("{} {rtype} names the alias {shown_target}", shown(owner)),
            );
            findings.push(owner, rtype, diagnostic, "it must name the host itself (RFC 2181 §10.3)");
        }
        _ => {
            // Below another cut the address is that zone's business.
            let elsewhere = matches!(zone.find(name), Found::Cut(..) | Found::Wildcard(..));
            if cut_needs_glue || !elsewhere {
                let (diagnostic, reason) = missing(if cut_needs_glue {
                    "resolvers need glue to get below the cut"
                } else {
                    "the name is in this zone"
                });
                findings.push(owner, rtype, diagnostic, reason);
            }
        }
    }
}

fn shown(wire: &[u8]) -> Name {
    Name::from_wire(wire).unwrap_or_else(|_| Name::root())
}
