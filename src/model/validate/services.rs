//! Services: references looked up, endpoints keyed, and the rules between a service, its policy and its regions.

mod endpoints;
mod ranks;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::base::diagnostic::{Diagnostic, Report};
use crate::base::ids::{CheckId, PolicyId, RegionId, ServiceId};
use crate::dns::Name;

use super::super::read::{Given, Keyed, RawService};
use super::super::types::{Follow, MinUp, Model, Service, ServiceName, ServiceRegion};
use super::Ids;
use super::policies::Checked;

/// What every step needs.
struct Context<'a> {
    ids: &'a Ids,
    policies: &'a [Checked],
}

/// Adds all services and their endpoints to the model.
pub(super) fn validate(
    services: Vec<Keyed<RawService>>,
    ids: &Ids,
    policies: &[Checked],
    model: &mut Model,
    report: &mut Report,
) {
    let context = Context { ids, policies };
    let mut follows = Vec::new();
    for (id, keyed) in (0..).map(ServiceId).zip(services) {
        if let Some(name) = keyed.body.follow.value() {
            follows.push((id, name.clone()));
        }
        let service = one(&context, id, &keyed, model, report);
        model.services.push(service);
    }
    for (id, name) in follows {
        let Some(leader) = ids.services.find(&name, report).map(ServiceId) else { continue };
        if let Err(reason) = may_follow(model, id, leader) {
            let message = format!("service `{}` cannot follow `{}`", model.services[id.index()].key, name.value);
            report.push(Diagnostic::error("bad-follow", message).at(name.at, reason));
            continue;
        }
        model.services[id.index()].follow = Follow::Service(leader);
    }
}

fn one(
    context: &Context<'_>,
    id: ServiceId,
    keyed: &Keyed<RawService>,
    model: &mut Model,
    report: &mut Report,
) -> Service {
    let raw = &keyed.body;
    let policy = raw.policy.value().and_then(|name| context.ids.policy(name, report));
    let checks: Vec<CheckId> =
        raw.check.value().into_iter().flatten().filter_map(|name| context.ids.check(name, report)).collect();
    let first_endpoint = model.endpoints.len();
    let regions = endpoints::add(context, id, keyed, &checks, model, report);
    let added = &model.endpoints[first_endpoint..];
    let types = endpoints::types(added);
    let mut service = Service {
        key: Arc::clone(&keyed.key),
        at: keyed.at.clone(),
        names: distinct_names(raw.names.value().map_or(&[][..], Vec::as_slice), report),
        policy: policy.unwrap_or(PolicyId(0)),
        checks,
        ttl: raw.ttl.value,
        min_up: raw.min_up.value,
        regions,
        order: Vec::new(),
        types,
        ecs: raw.ecs,
        hints: raw.hints.value,
        trickle: raw.trickle.value().map_or(0, |percent| percent.value),
        follow: Follow::Nobody,
        enabled: raw.enabled,
    };
    ranks::weigh(context, raw, &mut service, report);
    ranks::order(context, raw, &mut service, report);
    // Without all endpoints, conclusions about what is missing would be wrong.
    if let Given::Value(_) = raw.endpoints {
        endpoints::check_types(raw, &service, model, report);
        check_min_up(raw, &service, model, report);
        if let Some(checked) = policy.and_then(|policy| context.policies.get(policy.index())).filter(|c| c.is_sound) {
            ranks::check_policy(raw, &service, &checked.policy, model, report);
        }
    }
    service
}

fn distinct_names(names: &[ServiceName], report: &mut Report) -> Vec<ServiceName> {
    let mut seen: BTreeMap<&Name, &ServiceName> = BTreeMap::new();
    let mut distinct = Vec::with_capacity(names.len());
    for name in names {
        if let Some(first) = seen.get(&name.name) {
            let finding = Diagnostic::error("duplicate-name", format!("`{}` stands twice in `names`", name.name))
                .at(name.at.clone(), "the second time")
                .related(first.at.clone(), "the first time");
            report.push(finding);
        } else {
            seen.insert(&name.name, name);
            distinct.push(name.clone());
        }
    }
    distinct
}

/// A region that can never be eligible is a mistake, not a choice.
fn check_min_up(raw: &RawService, service: &Service, model: &Model, report: &mut Report) {
    let MinUp::Count(need) = service.min_up else { return };
    for found in &service.regions {
        let judged = found.judged;
        let count = found.endpoint_ids().filter(|id| model.endpoints[id.index()].has(judged)).count();
        if count < need as usize {
            let region = &model.regions[found.region.index()].key;
            let message = format!("service `{}` needs {need} endpoints up in a region", service.key);
            let reason = format!("`{region}` has {count} of type {judged}");
            report.push(Diagnostic::error("unreachable-min-up", message).at(raw.min_up.at.clone(), reason));
        }
    }
}

/// A follower needs its leader's regions, and the way must end.
fn may_follow(model: &Model, id: ServiceId, leader: ServiceId) -> Result<(), String> {
    let mut next = leader;
    loop {
        if next == id {
            return Err("it would follow itself".into());
        }
        match model.services[next.index()].follow {
            Follow::Nobody => break,
            Follow::Service(further) => next = further,
        }
    }
    let lacking = model.services[leader.index()].region_mask() & !model.services[id.index()].region_mask();
    match model.regions.iter().enumerate().find(|(index, _)| lacking >> index & 1 == 1) {
        Some((_, region)) => Err(format!("it has no endpoints in `{}`", region.key)),
        None => Ok(()),
    }
}

/// The service's part in `region`, if it has endpoints there.
fn part(service: &mut Service, region: RegionId) -> Option<&mut ServiceRegion> {
    service.regions.iter_mut().find(|found| found.region == region)
}
