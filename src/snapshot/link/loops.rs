//! CNAME services that lead in a circle: from steered name to steered name, through whatever aliases, wildcards and
//! DNAMEs of the zones lie between.

use std::collections::HashSet;

use crate::base::diagnostic::Diagnostic;
use crate::base::ids::ServiceId;
use crate::base::limits::ALIAS_STEPS_MAX;
use crate::dns::{Name, RecordType};
use crate::model::{Model, Service};
use crate::wire::FoldedName;
use crate::zone::{Found, Served, ZoneSet};

use super::Conflict;

/// A conflict for every service that may lead back to itself; `zones` have the steered names in them.
pub(super) fn find(zones: &ZoneSet, model: &Model) -> Vec<Conflict> {
    let mut folded = FoldedName::new();
    let mut targets: Vec<Vec<Target>> =
        model.services.iter().map(|service| targets(zones, model, service, &mut folded)).collect();
    drop_ends(&mut targets);
    let circles = model.services().filter_map(|(id, service)| Some((service, way_back(&targets, id)?)));
    circles
        .map(|(service, through)| {
            let finding = Diagnostic::error("steered-loop", format!("service `{}` leads back to itself", service.key))
                .at(service.at.clone(), "its CNAMEs lead to steered names whose CNAMEs lead here");
            let finding = match &through {
                Some(apex) => finding.hint(format!("the way leads through aliases of zone {apex}")),
                None => finding,
            };
            Conflict { apex: through, finding }
        })
        .collect()
}

/// A CNAME service that another leads to.
#[derive(Clone)]
struct Target {
    service: ServiceId,
    /// The zone that has the last alias on the way, if there is one.
    through: Option<Name>,
}

/// The CNAME services that the CNAMEs of a service lead to, whatever is up.
fn targets(zones: &ZoneSet, model: &Model, service: &Service, folded: &mut FoldedName) -> Vec<Target> {
    if !service.types.contains(&RecordType::CNAME) {
        return Vec::new();
    }
    let endpoints = service.regions.iter().flat_map(|part| part.endpoint_ids());
    let records = endpoints.filter_map(|id| model.endpoints.get(id.index())).flat_map(|endpoint| &endpoint.records);
    records.filter_map(|record| target(zones, &record.wire, folded)).collect()
}

/// The CNAME service that answers for a name in wire form, or for what the aliases of zones make of it.
fn target(zones: &ZoneSet, name: &[u8], folded: &mut FoldedName) -> Option<Target> {
    let (mut name, mut through) = (name.to_vec(), None);
    for _ in 0..ALIAS_STEPS_MAX {
        folded.fill(zones.key(), &name)?;
        let Served::Zone(zone) = zones.find(folded, folded.labels())? else { return None };
        name = match zone.find(folded) {
            Found::Node(node) | Found::Wildcard(node, _) => {
                let set = node.set(RecordType::CNAME)?;
                if let Some(service) = set.service() {
                    return Some(Target { service, through });
                }
                set.rdatas().next()?.to_vec()
            }
            Found::Dname(node, labels) => {
                let renamed = node.set(RecordType::DNAME)?.rdatas().next()?;
                [folded.wire().get(..folded.start(labels))?, renamed].concat()
            }
            Found::Cut(..) | Found::Nothing(_) => return None,
        };
        through = Some(zone.apex().clone());
    }
    None
}

/// Takes out what leads to an end. What is left is in a circle, or leads to one: as a rule nothing.
fn drop_ends(targets: &mut [Vec<Target>]) {
    let mut sources: Vec<Vec<ServiceId>> = vec![Vec::new(); targets.len()];
    for (id, leads_to) in (0..).map(ServiceId).zip(&*targets) {
        for target in leads_to {
            if let Some(sources) = sources.get_mut(target.service.index()) {
                sources.push(id);
            }
        }
    }
    let is_end = |&(_, leads_to): &(ServiceId, &Vec<Target>)| leads_to.is_empty();
    let mut ends: Vec<ServiceId> = (0..).map(ServiceId).zip(&*targets).filter(is_end).map(|(id, _)| id).collect();
    while let Some(end) = ends.pop() {
        for source in sources.get_mut(end.index()).map(std::mem::take).unwrap_or_default() {
            let Some(leads_to) = targets.get_mut(source.index()).filter(|leads_to| !leads_to.is_empty()) else {
                continue;
            };
            leads_to.retain(|target| target.service != end);
            if leads_to.is_empty() {
                ends.push(source);
            }
        }
    }
}

/// If a service leads back to itself: the zone that has the last alias on the way, if there is one.
fn way_back(targets: &[Vec<Target>], id: ServiceId) -> Option<Option<Name>> {
    let next = |id: ServiceId| targets.get(id.index()).map_or(&[][..], Vec::as_slice);
    let mut stack = next(id).to_vec();
    let mut seen = HashSet::new();
    while let Some(Target { service, through }) = stack.pop() {
        if service == id {
            return Some(through);
        }
        if seen.insert(service) {
            let onward = next(service).iter().cloned();
            stack.extend(onward.map(|target| Target { through: target.through.or_else(|| through.clone()), ..target }));
        }
    }
    None
}
