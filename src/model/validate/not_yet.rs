//! What is valid and not alive yet: each is noted once, with what happens instead, so that nothing changes its meaning
//! in silence. A feature that comes alive takes its lines out of here.
//!
//! | asked for | until it is fed |
//! |---|---|
//! | `prefer = "latency"`, `"response-time"` or `"load"` | geography ranks: the map, then distance |
//! | the same, for regions without a location | they come last, as equals |
//! | a `balance` that needs load | endpoints take turns |

use crate::base::diagnostic::{Diagnostic, Report};

use super::super::types::{Balance, GeoRanking, Mode, Model, Policy, PolicySource, Prefer};
use super::is_placed;

/// Notes what the model asks for in vain.
pub(super) fn note(model: &Model, report: &mut Report) {
    for (index, policy) in model.policies.iter().enumerate() {
        let used_by = model.services.iter().find(|service| service.policy.index() == index);
        let at = match (&policy.source, used_by) {
            (PolicySource::File(at), _) => at,
            (PolicySource::BuiltIn, Some(service)) => &service.at,
            (PolicySource::BuiltIn, None) => continue,
        };
        if let Some(lacking) = unfed_preference(policy) {
            let message = format!("policy `{}` ranks by {lacking}, which is not measured yet", policy.key);
            report.push(Diagnostic::warning("not-yet", message).at(at.clone(), instead(model, index, policy)));
        }
        if is_fed(policy.balance) {
            let message = format!("policy `{}` balances by load, which is not fed yet", policy.key);
            report.push(Diagnostic::warning("not-yet", message).at(at.clone(), "endpoints take turns until it is"));
        }
    }
}

/// What ranks in vain.
fn unfed_preference(policy: &Policy) -> Option<&'static str> {
    let Mode::ActiveActive { prefer, .. } = policy.mode else { return None };
    match prefer {
        Prefer::Geo { .. } | Prefer::Equal => None,
        Prefer::Latency { .. } => Some("latency"),
        Prefer::Load => Some("load"),
        Prefer::ResponseTime { .. } => Some("response time"),
    }
}

/// Geography, as far as the regions of the services with this policy can be placed.
fn instead(model: &Model, index: usize, policy: &Policy) -> &'static str {
    let has_map = matches!(policy.mode, Mode::ActiveActive { ranking: GeoRanking::Map(_), .. });
    let mut services = model.services.iter().filter(|service| service.policy.index() == index);
    let is_located = |region: usize| is_placed(&model.regions[region]);
    if has_map || services.all(|service| service.regions.iter().all(|part| is_located(part.region.index()))) {
        "regions rank by geography until it is"
    } else {
        "regions rank by geography until it is; those without a location come last, as equals"
    }
}

/// True if nothing but load feeds can tell the weights.
fn is_fed(balance: Balance) -> bool {
    match balance {
        Balance::RoundRobin | Balance::Weighted | Balance::Random | Balance::Hash => false,
        Balance::LeastConnections
        | Balance::WeightedLeastConnections
        | Balance::LeastResponseTime
        | Balance::LeastBandwidth
        | Balance::Custom
        | Balance::LeastRecentlyLoaded => true,
    }
}
