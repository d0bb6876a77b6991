//! What is valid and not alive yet: each is noted once, with what happens instead, so that nothing changes its meaning
//! in silence. A feature that comes alive takes its lines out of here.
//!
//! | asked for | until it is fed |
//! |---|---|
//! | `prefer = "latency"` | geography ranks: the map, then distance |
//! | the same, for regions without a location | they come last, as equals |

use crate::base::diagnostic::{Diagnostic, Report};

use super::super::types::{GeoRanking, Mode, Model, Policy, PolicySource, Prefer};
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
        if let Mode::ActiveActive { prefer: Prefer::Latency { .. }, .. } = policy.mode {
            let message = format!("policy `{}` ranks by latency, which is not measured yet", policy.key);
            report.push(Diagnostic::warning("not-yet", message).at(at.clone(), instead(model, index, policy)));
        }
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
