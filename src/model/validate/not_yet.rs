//! What is valid and not alive yet: each is noted with what happens instead, so that nothing changes its meaning in
//! silence. A feature that comes alive takes its lines out of here.

use crate::base::diagnostic::{Diagnostic, Location, Report};

use super::super::types::{
    Balance, Capacity, Failback, LoadFeed, Mode, Model, Policy, PolicySource, Prefer, WhenAllDown,
};

/// Notes what the model asks for in vain.
pub(super) fn note(model: &Model, report: &mut Report) {
    for (index, policy) in model.policies.iter().enumerate() {
        let used_by = model.services.iter().find(|service| service.policy.index() == index);
        let at = match (&policy.source, used_by) {
            (PolicySource::File(at), _) => at,
            (PolicySource::BuiltIn, Some(service)) => &service.at,
            (PolicySource::BuiltIn, None) => continue,
        };
        for instead in in_policy(policy) {
            let message = format!("policy `{}` is not wholly alive yet", policy.key);
            report.push(Diagnostic::warning("not-yet", message).at(at.clone(), instead));
        }
    }
    let mut first = |what: &str, at: Option<&Location>, instead: &str| {
        if let Some(at) = at {
            report.push(Diagnostic::warning("not-yet", format!("{what} not alive yet")).at(at.clone(), instead));
        }
    };
    let limited = model.regions.iter().find(|region| region.capacity != Capacity::Unlimited);
    first("capacities are", limited.map(|region| &region.at), "every region counts as unlimited");
    let fed = model.regions.iter().find(|region| region.load != LoadFeed::OwnAnswers);
    first("load feeds are", fed.map(|region| &region.at), "nothing is fetched");
    first(
        "health checks are",
        model.checks.first().map(|check| &check.at),
        "nothing is probed; every endpoint counts as up",
    );
    first("geomaps are", model.geomaps.first().map(|geomap| &geomap.at), "`order` ranks for all clients");
    let hinted = model.services.iter().find(|service| service.hints);
    first("address hints are", hinted.map(|service| &service.at), "HTTPS and SVCB records are answered as written");
}

fn in_policy(policy: &Policy) -> Vec<&'static str> {
    let mut instead = Vec::new();
    match policy.mode {
        Mode::ActiveActive { prefer, .. } => instead.extend(match prefer {
            Prefer::Geo { .. } => {
                Some("`prefer = \"geo\"`: the service's `order` ranks, without one all regions are equals")
            }
            Prefer::Latency { .. } => {
                Some("`prefer = \"latency\"`: the service's `order` ranks, without one all regions are equals")
            }
            Prefer::Load => Some("`prefer = \"load\"`: all regions are equals, shared by `weights` alone"),
            Prefer::ResponseTime { .. } => {
                Some("`prefer = \"response-time\"`: the service's `order` ranks, without one all regions are equals")
            }
            Prefer::Equal => None,
        }),
        Mode::ActivePassive { failback } => {
            let is_defined = matches!(policy.source, PolicySource::File(_));
            if is_defined && failback != Failback::Automatic {
                instead.push("`failback`: the first eligible region of `order` answers at once");
            }
        }
        Mode::All => {}
    }
    match policy.balance {
        Balance::RoundRobin | Balance::Weighted | Balance::Random | Balance::Hash => {}
        Balance::LeastConnections
        | Balance::WeightedLeastConnections
        | Balance::LeastResponseTime
        | Balance::LeastBandwidth
        | Balance::Custom
        | Balance::LeastRecentlyLoaded => instead.push("`balance`: nothing is fed yet, endpoints take turns"),
    }
    match policy.when_all_down {
        WhenAllDown::Preferred | WhenAllDown::All | WhenAllDown::NoData | WhenAllDown::ServFail => {}
        WhenAllDown::LastHealthy | WhenAllDown::Fallback(_) => instead.push("`when_all_down`: acts as \"preferred\""),
    }
    instead
}
