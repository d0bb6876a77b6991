//! What is valid and not alive yet: each is noted with what happens instead, so that nothing changes its meaning in
//! silence. A feature that comes alive takes its lines out of here.

use crate::base::diagnostic::{Diagnostic, Location, Report};

use super::super::types::{Balance, Capacity, LoadFeed, Mode, Model, Policy, PolicySource, Prefer};

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
}

fn in_policy(policy: &Policy) -> impl Iterator<Item = &'static str> {
    let preference = match policy.mode {
        Mode::ActiveActive { prefer, .. } => match prefer {
            Prefer::Latency { .. } => Some("`prefer = \"latency\"`: nothing is measured yet, nearness ranks"),
            Prefer::Load => Some("`prefer = \"load\"`: nothing is fed yet, nearness ranks"),
            Prefer::ResponseTime { .. } => Some("`prefer = \"response-time\"`: nothing is fed yet, nearness ranks"),
            Prefer::Geo { .. } | Prefer::Equal => None,
        },
        Mode::ActivePassive { .. } | Mode::All => None,
    };
    let balance = match policy.balance {
        Balance::RoundRobin | Balance::Weighted | Balance::Random | Balance::Hash => None,
        Balance::LeastConnections
        | Balance::WeightedLeastConnections
        | Balance::LeastResponseTime
        | Balance::LeastBandwidth
        | Balance::Custom
        | Balance::LeastRecentlyLoaded => Some("`balance`: nothing is fed yet, endpoints take turns"),
    };
    preference.into_iter().chain(balance)
}
