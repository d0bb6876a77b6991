//! Shares by load that nothing feeds: each policy's first service that asks in vain is noted, with what happens instead.
//!
//! | asked for | needs | without it |
//! |---|---|---|
//! | a `balance` by load | a feed with its metrics for every endpoint that has others beside it; for response times a check that sees them will do | none is fed: they take turns; some are not: these get a fair share |
//! | `prefer = "load"` | a load feed and a capacity for every region | none has them: geography ranks; some have not: these count as loaded as the others are |
//! | `prefer = "response-time"` | a check that sees it, or a feed of the endpoints | regions that are equally near share by `weights` alone |

use crate::base::diagnostic::{Diagnostic, Location, Report};

use super::super::feeds::{METRIC_BANDWIDTH, METRIC_CONNECTIONS, METRIC_LOAD, METRIC_RESPONSE_MS};
use super::super::types::{Balance, Endpoint, GeoRanking, Mode, Model, Policy, Prefer, Service, ServiceRegion};
use super::is_placed;

/// Notes the shares by load that nothing feeds.
pub(super) fn note(model: &Model, report: &mut Report) {
    let telling = model.regions_telling_load();
    for (index, policy) in model.policies.iter().enumerate() {
        let services = || model.services.iter().filter(move |service| service.policy.index() == index);
        if policy.balance.is_fed() {
            first(services(), |service| unfed_balance(model, policy, service), report);
        }
        match policy.mode {
            Mode::ActiveActive { prefer: Prefer::Load, ranking, .. } => {
                first(services(), |service| unfed_load(model, service, ranking, telling), report);
            }
            Mode::ActiveActive { prefer: Prefer::ResponseTime { .. }, .. } => {
                first(services(), |service| unfed_time(model, service), report);
            }
            Mode::ActiveActive { .. } | Mode::ActivePassive { .. } | Mode::All => {}
        }
    }
}

/// Notes the first of these services about which there is something to say.
fn first<'m>(
    services: impl Iterator<Item = &'m Service>,
    say: impl FnMut(&'m Service) -> Option<Diagnostic>,
    report: &mut Report,
) {
    services.filter_map(say).take(1).for_each(|finding| report.push(finding));
}

fn warning(message: String, at: &Location, reason: impl Into<String>) -> Diagnostic {
    Diagnostic::warning("unfed", message).at(at.clone(), reason)
}

fn unfed_balance(model: &Model, policy: &Policy, service: &Service) -> Option<Diagnostic> {
    let crowded = service.regions.iter().filter(|part| part.endpoints.len() > 1);
    let endpoints: Vec<&Endpoint> =
        crowded.flat_map(|part| part.endpoint_ids()).map(|id| &model.endpoints[id.index()]).collect();
    let needs = needs(policy);
    let is_seen = policy.balance == Balance::LeastResponseTime && model.sees_server_time(service);
    let is_fed = |endpoint: &Endpoint| is_seen || tells(policy.balance, endpoint, &needs);
    let lacking = *endpoints.iter().find(|endpoint| !is_fed(endpoint))?;
    let words = |metrics: &[&str]| {
        let quoted: Vec<String> = metrics.iter().map(|metric| format!("`{metric}`")).collect();
        quoted.join(" and ")
    };
    if endpoints.iter().any(|endpoint| is_fed(endpoint)) {
        let is_told = |metric: &str| lacking.load.feed().is_some_and(|feed| feed.tells(metric));
        let missing: Vec<&str> = needs.iter().copied().filter(|metric| !is_told(metric)).collect();
        let message = format!("no feed tells {} of endpoint `{}`", words(&missing), lacking.key);
        return Some(warning(message, &lacking.at, "it gets what is fair, and the others share by load"));
    }
    let message = format!("service `{}` balances by {}, which nothing feeds", service.key, words(&needs));
    let picks: Vec<String> = needs.iter().map(|metric| format!("{metric} = \"/{metric}\"")).collect();
    let hint = format!("load = {{ url = \"http://{{address}}/load\", metrics = {{ {} }} }}", picks.join(", "));
    Some(warning(message, &service.at, "its endpoints take turns").hint(format!("write {hint} in the service")))
}

/// The metrics that a balance needs.
fn needs(policy: &Policy) -> Vec<&str> {
    match policy.balance {
        Balance::LeastConnections | Balance::WeightedLeastConnections => vec![METRIC_CONNECTIONS],
        Balance::LeastResponseTime => vec![METRIC_RESPONSE_MS],
        Balance::LeastBandwidth => vec![METRIC_BANDWIDTH],
        Balance::Custom => policy.custom.iter().map(|term| term.metric.as_str()).collect(),
        Balance::LeastRecentlyLoaded => vec![METRIC_LOAD],
        Balance::RoundRobin | Balance::Weighted | Balance::Random | Balance::Hash => Vec::new(),
    }
}

fn tells(balance: Balance, endpoint: &Endpoint, needs: &[&str]) -> bool {
    let Some(feed) = endpoint.load.feed() else { return false };
    // An increase of connections is one of load.
    let is_busy = balance == Balance::LeastRecentlyLoaded && feed.tells(METRIC_CONNECTIONS);
    is_busy || needs.iter().all(|metric| feed.tells(metric))
}

fn unfed_load(model: &Model, service: &Service, ranking: GeoRanking, telling: u128) -> Option<Diagnostic> {
    let lacking = service.region_mask() & !telling;
    if lacking == 0 || service.regions.len() < 2 {
        return None;
    }
    if service.region_mask() & telling == 0 {
        let message =
            format!("service `{}` prefers by load, and no region of it has a load feed and a capacity", service.key);
        let is_placed = |part: &ServiceRegion| is_placed(&model.regions[part.region.index()]);
        let is_ranked = matches!(ranking, GeoRanking::Map(_)) || service.regions.iter().all(is_placed);
        let reason = if is_ranked {
            "regions rank by geography"
        } else {
            "regions rank by geography; those without a location come last, as equals"
        };
        return Some(warning(message, &service.at, reason));
    }
    let region = &model.regions[lacking.trailing_zeros() as usize];
    let message = format!("region `{}` has no load feed, or no capacity", region.key);
    let reason = format!("for service `{}` it counts as loaded as the others are", service.key);
    Some(warning(message, &region.at, reason))
}

fn unfed_time(model: &Model, service: &Service) -> Option<Diagnostic> {
    let mut endpoints =
        service.regions.iter().flat_map(|part| part.endpoint_ids()).map(|id| &model.endpoints[id.index()]);
    let is_fed = |endpoint: &Endpoint| endpoint.load.feed().is_some_and(|feed| feed.tells(METRIC_RESPONSE_MS));
    if service.regions.len() < 2 || model.sees_server_time(service) || endpoints.any(is_fed) {
        return None;
    }
    let message = format!("service `{}` prefers by response time, which no check sees and nothing feeds", service.key);
    let finding = warning(message, &service.at, "regions that are equally near share by `weights` alone");
    Some(finding.hint("a check of kind http, https, grpc, or tcp with `expect`, sees it"))
}
