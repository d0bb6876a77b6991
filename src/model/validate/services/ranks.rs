//! What ranks and weighs the regions of a service, and whether its policy can work with it.

use std::collections::BTreeMap;

use crate::base::diagnostic::{Diagnostic, Location, Report};
use crate::base::ids::RegionId;
use crate::dns::RecordType;

use super::super::super::read::{At, RawService};
use super::super::super::types::{GeoRanking, Mode, Model, Policy, Prefer, Record, RegionCheck, Service, WhenAllDown};
use super::super::{is_placed, twice};
use super::{Context, part};

/// Gives the regions their weights.
pub(super) fn weigh(context: &Context<'_>, raw: &RawService, service: &mut Service, report: &mut Report) {
    for (name, weight) in &raw.weights {
        let Some(region) = context.ids.region(name, report) else { continue };
        match part(service, region) {
            Some(part) => part.weight = weight.value,
            None => not_in_service(raw, service, name, report),
        }
    }
}

/// Looks up the order.
pub(super) fn order(context: &Context<'_>, raw: &RawService, service: &mut Service, report: &mut Report) {
    let mut seen: BTreeMap<RegionId, &At<String>> = BTreeMap::new();
    for name in raw.order.value().into_iter().flatten() {
        let Some(region) = context.ids.region(name, report) else { continue };
        if let Some(first) = seen.get(&region) {
            report.push(twice(name, first));
        } else if part(service, region).is_none() {
            not_in_service(raw, service, name, report);
        } else {
            service.order.push(region);
            seen.insert(region, name);
        }
    }
}

/// Checks what the policy needs of the service.
pub(super) fn check_policy(raw: &RawService, service: &Service, policy: &Policy, model: &Model, report: &mut Report) {
    match &policy.mode {
        Mode::ActivePassive { .. } => passive(raw, service, policy, model, report),
        Mode::ActiveActive {
            prefer: Prefer::Geo { .. } | Prefer::ResponseTime { .. },
            ranking: GeoRanking::Distance,
            ..
        } => placed(raw, service, policy, model, report),
        Mode::ActiveActive { prefer: Prefer::Equal, .. } => {
            let order = raw.order.value().and_then(|order| order.first());
            no_effect(service, policy, "order", order.map(|name| &name.at), report);
        }
        Mode::All => {
            let order = raw.order.value().and_then(|order| order.first());
            no_effect(service, policy, "order", order.map(|name| &name.at), report);
            no_effect(service, policy, "weights", raw.weights.first().map(|(name, _)| &name.at), report);
        }
        Mode::ActiveActive { .. } => {}
    }
    if let Some(percent) = raw.trickle.value() {
        trickle(percent, raw, service, policy, report);
    }
    if let WhenAllDown::Fallback(records) = &policy.when_all_down {
        fallback(raw, service, policy, records, report);
    }
    let one_cname = service.types == [RecordType::CNAME];
    if one_cname && policy.answers > 1 {
        let finding =
            Diagnostic::error("several-cnames", format!("service `{}` may answer several CNAMEs", service.key));
        let reason = format!("this policy gives up to {} answers; a name has one CNAME", policy.answers);
        report.push(match policy_at(raw) {
            Some(at) => finding.at(at, reason),
            None => finding,
        });
    }
}

/// That a passive region answers some is meant, or it is a mistake that is hard to see later: it is always told.
fn trickle(percent: &At<u8>, raw: &RawService, service: &Service, policy: &Policy, report: &mut Report) {
    let key = &service.key;
    let finding = if !matches!(policy.mode, Mode::ActivePassive { .. }) {
        Diagnostic::error(
            "wrong-mode",
            format!("`trickle` in service `{key}` does not go with policy `{}`", policy.key),
        )
        .at(percent.at.clone(), "it has no passive region: every region answers its clients")
        .hint("take it out, or use weights")
    } else if service.regions.len() < 2 || !raw.follow.is_absent() {
        let reason =
            if raw.follow.is_absent() { "it has one region" } else { "its regions are chosen by another service" };
        Diagnostic::warning("no-effect", format!("`trickle` does nothing in service `{key}`"))
            .at(percent.at.clone(), reason)
    } else {
        let message =
            format!("service `{key}` sends {} % of its clients to a region that is not the active one", percent.value);
        Diagnostic::warning("trickle", message).at(
            percent.at.clone(),
            "so that the next region of its order is known to work; this is no mistake if it is meant",
        )
    };
    report.push(finding);
}

/// What is answered in place of the endpoints has to answer the same questions.
fn fallback(raw: &RawService, service: &Service, policy: &Policy, records: &[Record], report: &mut Report) {
    // Records that could not be read are told already.
    let Some(first) = records.first() else { return };
    let fitting = records.iter().filter(|record| service.types.contains(&record.rtype));
    let is_cname = service.types == [RecordType::CNAME];
    let finding = match (fitting.clone().count(), is_cname.then(|| fitting.clone().nth(1)).flatten()) {
        (0, _) => {
            let types: Vec<String> = service.types.iter().map(ToString::to_string).collect();
            let (types, key) = (types.join(" or "), &policy.key);
            let message = format!("the fallback of policy `{key}` has no {types} for service `{}`", service.key);
            Diagnostic::error("fallback-type", message).at(first.at.clone(), "of another type")
        }
        (_, Some(second)) => {
            let message = format!("the fallback of policy `{}` has several CNAMEs", policy.key);
            Diagnostic::error("several-cnames", message).at(second.at.clone(), "a name has one CNAME")
        }
        _ => return,
    };
    report.push(match policy_at(raw) {
        Some(at) => finding.related(at, format!("service `{}` takes it", service.key)),
        None => finding,
    });
}

fn passive(raw: &RawService, service: &Service, policy: &Policy, model: &Model, report: &mut Report) {
    let at = policy_at(raw);
    let error = |code, message: String, reason: &str| match &at {
        Some(at) => Diagnostic::error(code, message).at(at.clone(), reason),
        None => Diagnostic::error(code, message),
    };
    let region_of = |region: RegionId| &model.regions[region.index()];
    // A region's own check moves the service too.
    let all_checked = service.regions.iter().all(|part| region_of(part.region).check != RegionCheck::Nothing);
    if raw.check.is_absent() && !all_checked {
        let message = format!("service `{}` is active-passive and has no check", service.key);
        let finding = error("missing-check", message, "nothing would ever make it fail over");
        report.push(finding.hint("write check = \"…\" in the service"));
    }
    if raw.order.is_absent() && service.regions.len() > 1 {
        let keys: Vec<String> =
            service.regions.iter().map(|part| format!("\"{}\"", region_of(part.region).key)).collect();
        let message = format!("service `{}` is active-passive and has no `order`", service.key);
        let finding = error("missing-order", message, "nothing says which region is first");
        report.push(finding.hint(format!("write order = [{}], the primary first", keys.join(", "))));
    }
    if let Some(names) = raw.order.value() {
        for left_out in service.regions.iter().filter(|part| !service.order.contains(&part.region)) {
            let region = region_of(left_out.region);
            let message = format!("`order` of service `{}` leaves out region `{}`", service.key, region.key);
            let mut finding = Diagnostic::error("incomplete-order", message);
            let start = model.endpoints.get(left_out.endpoints.start as usize);
            if let Some(at) = names.last().map(|name| &name.at).or(start.map(|endpoint| &endpoint.at)) {
                finding = finding.at(at.clone(), "it would never answer");
            }
            report.push(finding.hint("add it, or leave its endpoints out"));
        }
    }
    no_effect(service, policy, "weights", raw.weights.first().map(|(name, _)| &name.at), report);
}

/// Distance ranks places: every region needs one, unless there is nothing to rank.
fn placed(raw: &RawService, service: &Service, policy: &Policy, model: &Model, report: &mut Report) {
    if service.regions.len() < 2 {
        return;
    }
    for part in &service.regions {
        let region = &model.regions[part.region.index()];
        if is_placed(region) {
            continue;
        }
        let message = format!("policy `{}` ranks by distance, and region `{}` has no location", policy.key, region.key);
        let mut finding = Diagnostic::error("missing-place", message).at(region.at.clone(), "nobody knows where it is");
        if let Some(at) = policy_at(raw) {
            finding = finding.related(at, "ranked by distance here");
        }
        let hint = "write location = { lat = 50.11, lon = 8.68 } in the region, or give the policy a `geomap`";
        report.push(finding.hint(hint));
    }
}

fn not_in_service(raw: &RawService, service: &Service, name: &At<String>, report: &mut Report) {
    // Its endpoints may have been unreadable.
    if raw.endpoints.value().is_none() {
        return;
    }
    let message = format!("service `{}` has no endpoints in region `{}`", service.key, name.value);
    report.push(Diagnostic::error("not-in-service", message).at(name.at.clone(), "there is nothing to answer"));
}

fn no_effect(service: &Service, policy: &Policy, key: &str, at: Option<&Location>, report: &mut Report) {
    if let Some(at) = at {
        let message = format!("`{key}` does nothing in service `{}`", service.key);
        let reason = format!("policy `{}` does not look at it", policy.key);
        report.push(Diagnostic::warning("no-effect", message).at(at.clone(), reason));
    }
}

fn policy_at(raw: &RawService) -> Option<Location> {
    raw.policy.value().map(|name| name.at.clone())
}
