//! What those who share cost: from readings of feeds, and from what health checks saw.

use std::time::Duration;

use crate::base::ids::{EndpointId, RegionId, ServiceId};
use crate::base::moment::Moment;
use crate::model::{
    Balance, METRIC_BANDWIDTH, METRIC_CONNECTIONS, METRIC_LOAD, METRIC_RESPONSE_MS, Metrics, Policy, Term,
};
use crate::plan::Reported;
use crate::policy::balance::{Candidate, Rest, coarse, cost, cost_of_load, cost_of_time, fair};

use super::groups::Kind;
use crate::control::hub::Control;
use crate::control::loads::show;

/// What is known of a group at a moment: candidates in its order, and the rests that they follow from.
pub(super) type Known = (Vec<Candidate>, Vec<Option<Rest>>);

impl Control {
    /// What is known of a group.
    pub(super) fn candidates(&self, number: usize, now: Moment) -> Option<Known> {
        let group = self.balances.groups.get(number)?;
        let mut rests = group.rests.clone();
        let candidates = match &group.kind {
            Kind::Endpoints { service, ids } => {
                let policy = self.model.policy(self.model.services.get(service.index())?);
                let known = |(id, rest): (&EndpointId, &mut Option<Rest>)| self.candidate(*id, policy, rest, now);
                ids.iter().zip(&mut rests).map(known).collect()
            }
            Kind::Load { regions, .. } => {
                let targets = self.targets_of(regions, now);
                let of_region = |(&(region, weight), target): (&(RegionId, u32), u32)| Candidate {
                    // Targets and weights, each up to 2^16, make up the fair share.
                    fair: target.saturating_mul(weight).max(1),
                    cost: self.cost_of_region(region, now),
                };
                regions.iter().zip(targets).map(of_region).collect()
            }
            Kind::Time { service, regions } => {
                let parts = &self.model.services.get(service.index())?.regions;
                let time = |region: RegionId| {
                    let part = parts.iter().find(|part| part.region == region)?;
                    self.time_of(part.endpoint_ids())
                };
                let of_region = |&(region, weight): &(RegionId, u32)| Candidate {
                    fair: weight.max(1),
                    cost: time(region).map(cost_of_time),
                };
                regions.iter().map(of_region).collect()
            }
        };
        Some((candidates, rests))
    }

    fn candidate(&self, id: EndpointId, policy: &Policy, rest: &mut Option<Rest>, now: Moment) -> Candidate {
        let weight = self.model.endpoints.get(id.index()).map_or(1, |endpoint| endpoint.weight);
        let fair = fair(policy.balance, weight);
        if self.states.up.get(id.index()) != Some(&true) {
            // It begins anew when it comes back.
            *rest = None;
            return Candidate { fair, cost: None };
        }
        let cost = if policy.balance == Balance::LeastRecentlyLoaded {
            let load = self.endpoint_metrics(id).and_then(busy);
            *rest = load.map(|load| rest.map_or(Rest::new(now.0, load), |rest| rest.noted(now.0, load)));
            rest.map(|rest| rest.cost(now.0))
        } else {
            cost(policy.balance, weight, &policy.custom, |metric| self.metric_of(id, metric))
        };
        Candidate { fair, cost }
    }

    /// One number about an endpoint, in thousandths.
    fn metric_of(&self, id: EndpointId, metric: &str) -> Option<u64> {
        let fed = self.endpoint_metrics(id).and_then(|metrics| metrics.get(metric));
        if metric == METRIC_RESPONSE_MS { fed.or_else(|| self.seen_time(id)) } else { fed }
    }

    /// How long the server of an endpoint works on its answers, as its checks see it: microseconds.
    fn seen_time(&self, id: EndpointId) -> Option<u64> {
        let times = self.wiring.needs(id).iter().filter_map(|&number| self.targets.get(number)?.server);
        times.max().map(micros)
    }

    /// The mean of the endpoints that are up.
    fn time_of(&self, ids: impl Iterator<Item = EndpointId>) -> Option<u64> {
        let up = ids.filter(|id| self.states.up.get(id.index()) == Some(&true));
        let times: Vec<u64> = up.filter_map(|id| self.metric_of(id, METRIC_RESPONSE_MS)).collect();
        times.iter().fold(0_u64, |sum, &time| sum.saturating_add(time)).checked_div(times.len() as u64)
    }

    fn cost_of_region(&self, region: RegionId, now: Moment) -> Option<u64> {
        let (target, max) = self.capacity_of(region, now)?;
        match self.load_of(region, now) {
            Reported::Fresh(load, _) | Reported::Held(load) => Some(cost_of_load(load, target, max)),
            Reported::Silent | Reported::Estimated => None,
        }
    }

    /// The targets of regions beside each other, 1 to 65,536; one without counts as the others do on average.
    pub(super) fn targets_of(&self, regions: &[(RegionId, u32)], now: Moment) -> Vec<u32> {
        let targets: Vec<Option<u64>> =
            regions.iter().map(|(region, _)| self.capacity_of(*region, now).map(|(target, _)| target)).collect();
        let known = targets.iter().flatten();
        let most = u128::from(known.clone().max().copied().unwrap_or(1).max(1));
        let mean = known.clone().map(|&target| u128::from(target)).sum::<u128>() / (known.count() as u128).max(1);
        let scaled = |target: Option<u64>| {
            let target = target.map_or(mean, u128::from) << 16;
            coarse(u32::try_from(target / most).unwrap_or(1).max(1))
        };
        targets.into_iter().map(scaled).collect()
    }

    /// What makes an endpoint's share what it is, in words: `12 connections`.
    #[must_use]
    pub fn load_words(&self, id: EndpointId) -> Option<String> {
        let endpoint = self.model.endpoints.get(id.index())?;
        let policy = self.model.policy(self.model.services.get(endpoint.service.index())?);
        let metric = |metric: &str| self.metric_of(id, metric).map(show);
        match policy.balance {
            Balance::LeastConnections | Balance::WeightedLeastConnections => {
                Some(format!("{} connections", metric(METRIC_CONNECTIONS)?))
            }
            Balance::LeastResponseTime => Some(format!("{} ms", metric(METRIC_RESPONSE_MS)?)),
            Balance::LeastBandwidth => Some(format!("{} bit/s", metric(METRIC_BANDWIDTH)?)),
            Balance::Custom => {
                let known = |term: &Term| Some(format!("{} {}", term.metric, metric(&term.metric)?));
                policy.custom.iter().map(known).collect::<Option<Vec<String>>>().map(|terms| terms.join(", "))
            }
            Balance::LeastRecentlyLoaded => {
                let load = self.endpoint_metrics(id).and_then(busy)?;
                Some(format!("load {}", show(load)))
            }
            Balance::RoundRobin | Balance::Weighted | Balance::Random | Balance::Hash => None,
        }
    }

    /// What makes a region's share what it is, in words, for a service: `load 400 of 1000`.
    #[must_use]
    pub fn region_load_words(&self, service: ServiceId, region: RegionId, now: Moment) -> Option<String> {
        let groups = &self.balances.groups;
        groups.iter().find_map(|group| match &group.kind {
            Kind::Load { services, .. } if services.contains(&service) => {
                let (target, _) = self.capacity_of(region, now)?;
                match self.load_of(region, now) {
                    Reported::Fresh(load, _) | Reported::Held(load) => {
                        Some(format!("load {} of {}", show(load), show(target)))
                    }
                    Reported::Silent | Reported::Estimated => Some(format!("target {}", show(target))),
                }
            }
            Kind::Time { service: own, .. } if *own == service => {
                let parts = &self.model.services.get(service.index())?.regions;
                let part = parts.iter().find(|part| part.region == region)?;
                Some(format!("{} ms", show(self.time_of(part.endpoint_ids())?)))
            }
            Kind::Load { .. } | Kind::Time { .. } | Kind::Endpoints { .. } => None,
        })
    }
}

/// What an increase is seen by.
fn busy(metrics: &Metrics) -> Option<u64> {
    metrics.get(METRIC_LOAD).or_else(|| metrics.get(METRIC_CONNECTIONS))
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
