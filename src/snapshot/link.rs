//! Steered names become nodes of the zones they are in.
//!
//! A steered name stands in the zone as if it owned its types (RFC 4592): it exists, its other types are NODATA, it
//! blocks wildcards, its parents exist. What cannot be so is found here, each with the place in the region file.
//!
//! | code | meaning |
//! |---|---|
//! | `outside-zones` | the name is in no zone |
//! | `below-cut`, `below-dname` | the name is delegated or renamed away |
//! | `owned-statically` | the zone file has the same type, or a CNAME, at the name |
//! | `cname-at-apex`, `cname-beside-data` | a CNAME service where other data is |
//! | `hand-written-hints` | an HTTPS or SVCB record at the name has address hints that would contradict the steering |
//! | `steered-loop` | CNAME services lead in a circle, by themselves or with aliases of zones between |

mod loops;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::base::diagnostic::{Diagnostic, Report};
use crate::dns::name::wire_len;
use crate::dns::{Name, RecordType};
use crate::model::{Model, Service, ServiceName};
use crate::wire::{FoldedName, u16_at};
use crate::zone::{Change, Diff, Found, Node, RrsetData, Served, Zone, ZoneSet};

/// What linking came to.
#[derive(Clone, Debug)]
pub struct Linked {
    /// The zones with their steered names.
    pub zones: ZoneSet,
    /// Zones that do not fit the model, with what is wrong; not in `zones` as they are here.
    pub conflicts: Vec<Conflict>,
}

/// A zone and the model contradict each other.
#[derive(Clone, Debug)]
pub struct Conflict {
    /// The apex of the zone; `None` if no zone is to blame.
    pub apex: Option<Name>,
    /// What is wrong.
    pub finding: Diagnostic,
}

/// Puts the names of a model into zones as their files say them.
#[must_use]
pub fn link(zones: &ZoneSet, model: &Model) -> Linked {
    let mut conflicts = Vec::new();
    let mut overlays: BTreeMap<Name, (Arc<Zone>, Diff)> = BTreeMap::new();
    let mut folded = FoldedName::new();
    for (id, service) in model.services() {
        for name in &service.names {
            match place(zones, service, name, &mut folded) {
                Ok(None) => {}
                Ok(Some(zone)) => {
                    let (_, diff) =
                        overlays.entry(zone.apex().clone()).or_insert_with(|| (Arc::clone(zone), Diff::new()));
                    for rtype in service.claims() {
                        let set = Some(RrsetData::steered(id));
                        diff.push(Change { owner: name.name.as_wire().into(), rtype, set });
                    }
                }
                Err(conflict) => conflicts.push(*conflict),
            }
        }
    }
    let linked = overlays.into_iter().filter_map(|(apex, (zone, diff))| match zone.apply(&diff) {
        Ok(zone) => Some(Served::Zone(Arc::new(zone))),
        Err(error) => {
            let finding = Diagnostic::error("zone-too-large", format!("zone {apex}: {error}"));
            conflicts.push(Conflict { apex: Some(apex), finding });
            None
        }
    });
    let linked: Vec<Served> = linked.collect();
    let zones =
        if linked.is_empty() { zones.clone() } else { ZoneSet::of(zones.key(), zones.iter().cloned().chain(linked)) };
    conflicts.extend(loops::find(&zones, model));
    Linked { zones, conflicts }
}

impl Linked {
    /// Adds the conflicts to a report.
    pub fn report(&self, report: &mut Report) {
        for conflict in &self.conflicts {
            report.push(conflict.finding.clone());
        }
    }
}

/// The zone a steered name goes into; `None` if its zone has no data to contradict or to serve.
fn place<'z>(
    zones: &'z ZoneSet,
    service: &Service,
    name: &ServiceName,
    folded: &mut FoldedName,
) -> Result<Option<&'z Arc<Zone>>, Box<Conflict>> {
    let shown = &name.name;
    folded.fill(zones.key(), shown.as_wire());
    let zone = match zones.find(folded, folded.labels()) {
        None => {
            let finding = Diagnostic::error("outside-zones", format!("steered name {shown} is outside every zone"))
                .at(name.at.clone(), "no zone file covers it")
                .hint("add a zone file for it, or correct the name");
            return Err(Box::new(Conflict { apex: None, finding }));
        }
        Some(Served::Failed(_)) => return Ok(None),
        Some(Served::Zone(zone)) => zone,
    };
    let finding = match zone.find(folded) {
        Found::Cut(node, _) => Some(below_cut(zone, shown, node)),
        Found::Node(node) if node.is_cut() => Some(below_cut(zone, shown, node)),
        Found::Dname(node, _) => Some(below_dname(zone, shown, node)),
        Found::Node(node) => clash(zone, service, shown, node),
        Found::Wildcard(..) | Found::Nothing(_) => None,
    };
    match finding {
        None => Ok(Some(zone)),
        Some(Fault { code, message, reason, hint }) => {
            let finding = Diagnostic::error(code, message).at(name.at.clone(), reason).hint(hint);
            Err(Box::new(Conflict { apex: Some(zone.apex().clone()), finding }))
        }
    }
}

/// A finding without its place, which is always the name's.
struct Fault {
    code: &'static str,
    message: String,
    reason: String,
    hint: &'static str,
}

fn below_cut(zone: &Zone, shown: &Name, cut: Node<'_>) -> Fault {
    Fault {
        code: "below-cut",
        message: format!("steered name {shown} is delegated away"),
        reason: format!("{} has NS records in zone {}", owner(zone, cut), zone.apex()),
        hint: "steer it in the zone that it is delegated to",
    }
}

fn below_dname(zone: &Zone, shown: &Name, dname: Node<'_>) -> Fault {
    Fault {
        code: "below-dname",
        message: format!("steered name {shown} is below a DNAME"),
        reason: format!("{} has a DNAME in zone {}", owner(zone, dname), zone.apex()),
        hint: "steer the name that it is renamed to",
    }
}

fn owner(zone: &Zone, node: Node<'_>) -> Name {
    Name::from_wire(&zone.owner(node)).unwrap_or_else(|_| Name::root())
}

/// What the zone file has at the name that the service cannot be beside.
fn clash(zone: &Zone, service: &Service, shown: &Name, node: Node<'_>) -> Option<Fault> {
    let claims = service.claims();
    let is_alias = claims.contains(&RecordType::CNAME);
    let mut own = node.sets().filter(|set| set.service().is_none());
    if let Some(set) = own.clone().find(|set| claims.contains(&set.rtype) || set.rtype == RecordType::CNAME) {
        return Some(Fault {
            code: "owned-statically",
            message: format!("{shown} has {} records in the zone file and is steered", set.rtype),
            reason: format!("service `{}` owns this name's {}", service.key, list(&claims)),
            hint: "take the records out of the zone file, or the name out of the service",
        });
    }
    if is_alias && node.name().is_empty() {
        return Some(Fault {
            code: "cname-at-apex",
            message: format!("{shown} cannot be steered by CNAME"),
            reason: format!("it is the apex of zone {}", zone.apex()),
            hint: "steer addresses there: an apex has SOA and NS records (RFC 2181 §10.1)",
        });
    }
    if let Some(set) = own.next().filter(|_| is_alias) {
        return Some(Fault {
            code: "cname-beside-data",
            message: format!("{shown} cannot be steered by CNAME"),
            reason: format!("the zone file has {} records at it", set.rtype),
            hint: "a CNAME stands alone (RFC 2181 §10.1)",
        });
    }
    let hinted = hinted(node).filter(|_| claims.contains(&RecordType::A))?;
    Some(Fault {
        code: "hand-written-hints",
        message: format!("{shown} is steered and has hand-written address hints"),
        reason: format!("its {hinted} record in the zone file has ipv4hint or ipv6hint"),
        hint: "take the hints out; `hints = true` adds those of the decision",
    })
}

fn list(types: &[RecordType]) -> String {
    types.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ")
}

/// The type of the HTTPS or SVCB record of a node that has address hints (RFC 9460 §7.3: keys 4 and 6).
fn hinted(node: Node<'_>) -> Option<RecordType> {
    let has_hints = |rdata: &[u8]| {
        let mut rest = rdata.get(2..).and_then(|name| name.get(wire_len(name).ok()?..)).unwrap_or_default();
        while rest.len() >= 4 {
            if matches!(u16_at(rest, 0), 4 | 6) {
                return true;
            }
            rest = rest.get(4 + usize::from(u16_at(rest, 2))..).unwrap_or_default();
        }
        false
    };
    [RecordType::HTTPS, RecordType::SVCB]
        .into_iter()
        .find(|&rtype| node.set(rtype).is_some_and(|set| set.rdatas().any(has_hints)))
}
