//! Endpoints of one service: their keys, what is checked for them, and the types they have.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use crate::base::diagnostic::{Diagnostic, Report};
use crate::base::ids::{CheckId, RegionId, ServiceId};
use crate::dns::RecordType;

use super::super::super::read::{At, Given, Keyed, RawEndpoint, RawService};
use super::super::super::types::{Checked, Endpoint, Model, Service, ServiceRegion};
use super::super::feeds::OfService;
use super::Context;

/// Adds the endpoints of a service to the model, region by region.
pub(super) fn add(
    context: &Context<'_>,
    id: ServiceId,
    keyed: &Keyed<RawService>,
    checks: &[CheckId],
    model: &mut Model,
    report: &mut Report,
) -> Vec<ServiceRegion> {
    let raw = &keyed.body;
    let mut by_region: BTreeMap<RegionId, (&At<String>, &Vec<RawEndpoint>)> = BTreeMap::new();
    for (name, endpoints) in raw.endpoints.value().into_iter().flatten() {
        if let Some(region) = context.ids.region(name, report).filter(|region| region.index() < model.regions.len()) {
            by_region.insert(region, (name, endpoints));
        }
    }
    let Model { checks: known, endpoints: added, .. } = model;
    let feeds = OfService::new(&keyed.key, raw, checks, known, report);
    let mut parts = Vec::with_capacity(by_region.len());
    for (region, (name, endpoints)) in by_region {
        let start = dense(added.len());
        let mut seen: BTreeMap<Arc<str>, &RawEndpoint> = BTreeMap::new();
        for endpoint in endpoints {
            let key: Arc<str> = format!("{}/{}/{}", keyed.key, name.value, address_part(endpoint)).into();
            if let Some(first) = seen.get(&key) {
                report.push(duplicate(&key, endpoint, first));
                continue;
            }
            seen.insert(Arc::clone(&key), endpoint);
            let checked = checked(raw, &key, endpoint, report);
            let load = feeds.of(endpoint, &key, report);
            let RawEndpoint { at, records, weight, enabled, .. } = endpoint.clone();
            added.push(Endpoint { key, at, service: id, region, weight, records, checked, load, enabled });
        }
        // Types are in the order of their numbers: A is 1.
        let judged = types(&added[start as usize..]).first().copied().unwrap_or(RecordType::A);
        parts.push(ServiceRegion { region, weight: 1, endpoints: start..dense(added.len()), judged });
    }
    parts
}

/// All types of some endpoints, by number.
pub(super) fn types(endpoints: &[Endpoint]) -> Vec<RecordType> {
    let all: BTreeSet<RecordType> =
        endpoints.iter().flat_map(|endpoint| &endpoint.records).map(|record| record.rtype).collect();
    all.into_iter().collect()
}

/// Every region has every type of the service, or the service says which are missing; a CNAME stands alone.
pub(super) fn check_types(raw: &RawService, service: &Service, model: &Model, report: &mut Report) {
    let mut excused: BTreeSet<RecordType> = BTreeSet::new();
    for part in &service.regions {
        let here = types(&model.endpoints[part.endpoints.start as usize..part.endpoints.end as usize]);
        for &rtype in service.types.iter().filter(|rtype| !here.contains(rtype)) {
            if raw.missing.iter().any(|missing| missing.value == rtype) {
                excused.insert(rtype);
            } else {
                report.push(missing_type(service, part, rtype, model));
            }
        }
    }
    for missing in raw.missing.iter().filter(|missing| !excused.contains(&missing.value)) {
        let message = format!("`missing` names {}, which no region of `{}` lacks", missing.value, service.key);
        report.push(Diagnostic::warning("no-effect", message).at(missing.at.clone(), "it can go"));
    }
    check_cname(service, model, report);
}

fn dense(len: usize) -> u32 {
    // Files of more than four billion endpoints do not fit the memory they are read into.
    u32::try_from(len).unwrap_or(u32::MAX)
}

/// What stands for the endpoint in its key: the address operators know it by.
fn address_part(endpoint: &RawEndpoint) -> String {
    match (endpoint.address, endpoint.check_address.value(), endpoint.records.first()) {
        (Some(address), _, _) => address.to_string(),
        (None, Some(checked), _) => checked.value.to_string(),
        (None, None, Some(record)) => format!("{} {}", record.rtype, record.data),
        (None, None, None) => String::new(),
    }
}

fn duplicate(key: &str, second: &RawEndpoint, first: &RawEndpoint) -> Diagnostic {
    let finding = Diagnostic::error("duplicate-endpoint", format!("endpoint `{key}` stands twice"))
        .at(second.at.clone(), "the second time")
        .related(first.at.clone(), "the first time");
    match second.address {
        Some(_) => finding.hint("say weight = 2 to give it a larger share"),
        None => finding.hint("what is checked by one address is one endpoint: put its records in one list"),
    }
}

fn checked(raw: &RawService, key: &str, endpoint: &RawEndpoint, report: &mut Report) -> Checked {
    let own = || match endpoint.records.as_slice() {
        [record] => record.data.parse::<IpAddr>().ok(),
        _ => None,
    };
    match (&raw.check, &endpoint.check_address) {
        (Given::Absent, Given::Value(address)) => {
            let finding =
                Diagnostic::error("missing-check", format!("endpoint `{key}` has a `check_address` and no check"))
                    .at(address.at.clone(), "nothing checks it")
                    .hint("write check = \"…\" in the service");
            report.push(finding);
            Checked::Nothing
        }
        (Given::Value(_), Given::Value(address)) => Checked::Address(address.value),
        (Given::Value(_), Given::Absent) => match endpoint.address.or_else(own) {
            Some(address) => Checked::Address(address),
            None => {
                let finding = Diagnostic::error("missing-address", format!("endpoint `{key}` has no address to check"))
                    .at(endpoint.at.clone(), "the service has a check")
                    .hint("write check_address = \"192.0.2.1\" beside `records`");
                report.push(finding);
                Checked::Nothing
            }
        },
        _ => Checked::Nothing,
    }
}

fn missing_type(service: &Service, part: &ServiceRegion, rtype: RecordType, model: &Model) -> Diagnostic {
    let region = &model.regions[part.region.index()].key;
    let message = format!("service `{}` has no {rtype} in region `{region}`", service.key);
    let mut finding = Diagnostic::error("missing-type", message);
    if let Some(first) = part.endpoint_ids().next() {
        finding = finding.at(model.endpoints[first.index()].at.clone(), format!("no {rtype} here"));
    }
    let mut others =
        service.regions.iter().flat_map(ServiceRegion::endpoint_ids).map(|id| &model.endpoints[id.index()]);
    if let Some(other) = others.find(|endpoint| endpoint.has(rtype)) {
        let note = format!("`{}` has it", model.regions[other.region.index()].key);
        finding = finding.related(other.at.clone(), note);
    }
    finding.hint(format!("add an endpoint, or say missing = [\"{rtype}\"] in the service"))
}

/// RFC 1034 §3.6.2: a CNAME stands alone, and there is one of it.
fn check_cname(service: &Service, model: &Model, report: &mut Report) {
    if !service.types.contains(&RecordType::CNAME) {
        return;
    }
    let endpoints =
        || service.regions.iter().flat_map(ServiceRegion::endpoint_ids).map(|id| &model.endpoints[id.index()]);
    if service.types.len() > 1 {
        let message = format!("service `{}` has CNAME and other records", service.key);
        let mut finding = Diagnostic::error("cname-beside-others", message);
        if let Some(other) = endpoints().flat_map(|e| &e.records).find(|record| record.rtype != RecordType::CNAME) {
            finding = finding.at(other.at.clone(), "a name with a CNAME has nothing else");
        }
        report.push(finding);
    }
    for endpoint in endpoints() {
        if let Some(second) = endpoint.records.iter().filter(|record| record.rtype == RecordType::CNAME).nth(1) {
            let message = format!("endpoint `{}` has several CNAME records", endpoint.key);
            let finding = Diagnostic::error("several-cnames", message)
                .at(second.at.clone(), "a name has one CNAME")
                .hint("make them endpoints of their own");
            report.push(finding);
        }
    }
}
