//! What is served all the same, and worth a look.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::base::diagnostic::{Diagnostic, Location, Report};
use crate::base::units::format_duration;
use crate::dns::RecordType;

use super::super::types::{Mode, Model, PolicySource, Position, RegionCheck, Service, ServiceRegion, WhenAllDown};
use super::Ids;

/// Notes all warnings about the whole model.
pub(super) fn check(model: &Model, ids: &Ids, report: &mut Report) {
    for service in &model.services {
        single(service, model, report);
        short_ttl(service, model, report);
    }
    same_place(model, report);
    // What refers to a thing may stand where an error is.
    if !report.has_errors() {
        model.services.iter().for_each(|service| unchecked(service, model, report));
        unused(model, ids, report);
        fallbacks(model, report);
        hints(model, report);
    }
}

fn warn(report: &mut Report, code: &'static str, message: String, at: &Location, reason: &str) {
    report.push(Diagnostic::warning(code, message).at(at.clone(), reason));
}

/// Active-passive without a check is an error that is told elsewhere.
fn unchecked(service: &Service, model: &Model, report: &mut Report) {
    let is_passive = matches!(model.policy(service).mode, Mode::ActivePassive { .. });
    let is_checked = |part: &ServiceRegion| model.regions[part.region.index()].check != RegionCheck::Nothing;
    let has_checked_regions = !service.regions.is_empty() && service.regions.iter().all(is_checked);
    if service.checks.is_empty() && !is_passive && !has_checked_regions {
        let message = format!("service `{}` has no check", service.key);
        warn(report, "unchecked", message, &service.at, "its endpoints always count as up");
    }
}

fn single(service: &Service, model: &Model, report: &mut Report) {
    let endpoints =
        || service.regions.iter().flat_map(ServiceRegion::endpoint_ids).map(|id| &model.endpoints[id.index()]);
    let most = service.types.iter().map(|&rtype| endpoints().filter(|endpoint| endpoint.has(rtype)).count()).max();
    if most == Some(1) {
        let message = format!("service `{}` has a single endpoint", service.key);
        warn(report, "single-endpoint", message, &service.at, "nothing can take over");
    }
}

/// A cache that asks again before a check can have changed anything asks for nothing.
fn short_ttl(service: &Service, model: &Model, report: &mut Report) {
    // The last failure that takes an endpoint down comes at least so long after the first.
    let fastest = |check: &super::super::types::Check| check.retry * check.fall.saturating_sub(1);
    let Some(least) = service.checks.iter().map(|id| fastest(&model.checks[id.index()])).min() else { return };
    if Duration::from_secs(service.ttl.max.into()) < least {
        let message = format!("the TTL of service `{}` is below what its checks can ever change", service.key);
        let reason =
            format!("at most {} s; its state changes after {} at the soonest", service.ttl.max, format_duration(least));
        warn(report, "short-ttl", message, &service.at, &reason);
    }
}

fn same_place(model: &Model, report: &mut Report) {
    for (index, region) in model.regions.iter().enumerate() {
        let Position::Country(country) = region.position else { continue };
        if let Some(first) = model.regions[..index].iter().find(|other| other.position == region.position) {
            let code = String::from_utf8_lossy(&country);
            let message = format!("regions `{}` and `{}` are both in the middle of {code}", first.key, region.key);
            let finding = Diagnostic::warning("same-place", message)
                .at(region.at.clone(), "distance cannot tell them apart")
                .related(first.at.clone(), "the same place")
                .hint("write location = { lat = …, lon = … }");
            report.push(finding);
        }
    }
}

fn fallbacks(model: &Model, report: &mut Report) {
    for (id, policy) in model.policies.iter().enumerate() {
        let WhenAllDown::Fallback(records) = &policy.when_all_down else { continue };
        let mut services = model.services.iter().filter(|service| service.policy.index() == id).peekable();
        if services.peek().is_none() {
            continue;
        }
        let owned: BTreeSet<RecordType> = services.flat_map(|service| service.types.iter().copied()).collect();
        for record in records.iter().filter(|record| !owned.contains(&record.rtype)) {
            let message = format!("`fallback` of policy `{}` has {} {}", policy.key, record.rtype, record.data);
            let reason = format!("no service with this policy has {}", record.rtype);
            warn(report, "no-effect", message, &record.at, &reason);
        }
    }
}

fn hints(model: &Model, report: &mut Report) {
    let hinting = [RecordType::A, RecordType::AAAA, RecordType::HTTPS, RecordType::SVCB];
    for service in model.services.iter().filter(|service| service.hints) {
        if !service.types.iter().any(|rtype| hinting.contains(rtype)) {
            let message = format!("`hints` does nothing in service `{}`", service.key);
            warn(report, "no-effect", message, &service.at, "it has neither addresses nor HTTPS or SVCB records");
        }
    }
}

fn unused(model: &Model, ids: &Ids, report: &mut Report) {
    let regions = model.regions.iter().map(|region| (&region.key, &region.at));
    let checks = model.checks.iter().map(|check| (&check.key, &check.at));
    let geomaps = model.geomaps.iter().map(|geomap| (&geomap.key, &geomap.at));
    let mut note = |kind: &str, key: &str, at: &Location| {
        warn(report, "unused", format!("{kind} `{key}` is never used"), at, "nothing refers to it");
    };
    regions.enumerate().filter(|(id, _)| !ids.regions.is_used(*id)).for_each(|(_, (key, at))| note("region", key, at));
    checks.enumerate().filter(|(id, _)| !ids.checks.is_used(*id)).for_each(|(_, (key, at))| note("check", key, at));
    geomaps.enumerate().filter(|(id, _)| !ids.geomaps.is_used(*id)).for_each(|(_, (key, at))| note("geomap", key, at));
    for (id, policy) in model.policies.iter().enumerate() {
        if let PolicySource::File(at) = &policy.source
            && !ids.policies.is_used(id)
        {
            note("policy", &policy.key, at);
        }
    }
}
