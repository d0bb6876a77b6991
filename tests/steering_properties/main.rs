//! What steering keeps, whatever the model and the state: properties of random regions, services, weights and states,
//! seen through `respond()`.

#[path = "../conformance/wire.rs"]
#[allow(dead_code, reason = "the rows of the corpus use the rest")]
mod wire;

mod drawn;
mod served;

use std::collections::BTreeMap;

use proptest::prelude::*;

use drawn::{Policy, Service, World, world};
use served::{Answer, Server};

/// Clients that are asked for in every state.
const CLIENTS: u32 = 40;
/// Clients that a share is measured with: one standard deviation is below 0.012.
const CROWD: u32 = 2_000;
/// How far a share may be off: five standard deviations.
const TOLERANCE: f64 = 0.06;

/// The regions that a service may be answered from in its normal state, by the rules told in words: enabled, not taken
/// away by an operator, and enough of what it is judged on up.
fn eligible(world: &World, service: &Service) -> Vec<usize> {
    let is_eligible = |&(region, endpoints): &(usize, &Vec<drawn::Endpoint>)| {
        let has_v4 = endpoints.iter().any(|endpoint| !endpoint.v6);
        let judged = endpoints.iter().filter(|endpoint| endpoint.v6 != has_v4);
        let serving = judged.filter(|endpoint| world.is_serving(service, region, endpoint)).count();
        serving >= service.min_up
    };
    service.regions().filter(is_eligible).map(|(region, _)| region).collect()
}

/// The regions that share the clients of a service, with their parts, if its policy shares by weight.
fn shares(service: &Service, eligible: &[usize]) -> BTreeMap<usize, f64> {
    let weighted: Vec<usize> = eligible.iter().copied().filter(|&region| service.weights[region] > 0).collect();
    if weighted.is_empty() {
        return eligible.iter().map(|&region| (region, 1.0 / eligible.len() as f64)).collect();
    }
    let all: u32 = weighted.iter().map(|&region| service.weights[region]).sum();
    weighted.into_iter().map(|region| (region, f64::from(service.weights[region]) / f64::from(all))).collect()
}

/// Both families of one client.
fn ask(server: &mut Server, service: usize, client: u32) -> [Answer; 2] {
    [server.ask(service, client, false), server.ask(service, client, true)]
}

proptest! {
    // Each case builds tables of 4,096 buckets without optimization.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_client_is_sent_to_one_region(world in world()) {
        let mut server = Server::new(&world);
        for (number, service) in world.services.iter().enumerate().filter(|(_, s)| !s.may_answer_together()) {
            for client in 0..CLIENTS {
                let mut regions: Vec<usize> = Vec::new();
                for answer in ask(&mut server, number, client).iter().chain(&ask(&mut server, number, client)) {
                    regions.extend(answer.addresses.iter().map(|found| found.region));
                }
                regions.dedup();
                prop_assert!(regions.len() <= 1, "{}: client {} is sent to {:?}", service.policy.word(), client, regions);
            }
        }
    }

    #[test]
    fn what_is_forced_down_or_disabled_never_appears(world in world()) {
        let mut server = Server::new(&world);
        for (number, service) in world.services.iter().enumerate() {
            for client in 0..CLIENTS {
                for answer in ask(&mut server, number, client) {
                    for found in &answer.addresses {
                        prop_assert_eq!(found.service, number);
                        let endpoint = &service.endpoints[found.region][found.endpoint];
                        prop_assert!(world.is_allowed(service, found.region, endpoint), "{:?}", found);
                        prop_assert_eq!(endpoint.v6, found.v6);
                    }
                    let mut distinct = answer.addresses.clone();
                    distinct.sort();
                    distinct.dedup();
                    prop_assert_eq!(distinct.len(), answer.addresses.len());
                    let most = if service.may_answer_together() { 8 } else { service.answers };
                    prop_assert!(distinct.len() <= most);
                }
            }
        }
    }

    #[test]
    fn while_a_region_is_eligible_nothing_else_is_answered(world in world()) {
        let mut server = Server::new(&world);
        for (number, service) in world.services.iter().enumerate() {
            let eligible = eligible(&world, service);
            if eligible.is_empty() {
                continue;
            }
            for client in 0..CLIENTS {
                let answers = ask(&mut server, number, client);
                // What regions are judged on is answered to everybody.
                let judged = eligible.iter().any(|&region| service.endpoints[region].iter().all(|e| e.v6));
                prop_assert!(judged || !answers[0].addresses.is_empty(), "{}", service.policy.word());
                for answer in answers {
                    prop_assert_eq!(answer.rcode, 0);
                    for found in &answer.addresses {
                        let endpoint = &service.endpoints[found.region][found.endpoint];
                        prop_assert!(eligible.contains(&found.region), "{:?} of {:?}", found, eligible);
                        prop_assert!(world.is_serving(service, found.region, endpoint), "{:?}", found);
                        prop_assert_eq!(answer.ttl, drawn::TTL_MAX);
                    }
                    if let (Policy::Failover, Some(first)) = (service.policy, answer.addresses.first()) {
                        let best = service.order().into_iter().find(|region| eligible.contains(region));
                        prop_assert_eq!(Some(first.region), best);
                    }
                }
            }
        }
    }

    #[test]
    fn a_loss_moves_its_share_and_nobody_else(world in world(), lost in any::<prop::sample::Index>()) {
        let lost = lost.index(world.regions.len());
        let mut after = world.clone();
        after.regions[lost].forced_down = true;
        let (mut before, mut without) = (Server::new(&world), Server::new(&after));
        for (number, service) in world.services.iter().enumerate().filter(|(_, s)| s.policy == Policy::Weighted) {
            let eligible_now = eligible(&world, service);
            let left: Vec<usize> = eligible_now.iter().copied().filter(|&region| region != lost).collect();
            // When the last region with a weight goes, those without come in: nobody else was there.
            if left.is_empty() {
                continue;
            }
            for client in 0..CLIENTS {
                let (was, is) = (ask(&mut before, number, client), ask(&mut without, number, client));
                let region = |answers: &[Answer; 2]| {
                    answers.iter().flat_map(|answer| &answer.addresses).next().map(|found| found.region)
                };
                prop_assert!(region(&was) == region(&is) || region(&was) == Some(lost), "{} moved", client);
                prop_assert!(region(&is) != Some(lost));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn shares_are_those_of_the_weights(world in world()) {
        let mut server = Server::new(&world);
        for (number, service) in world.services.iter().enumerate().filter(|(_, s)| s.policy == Policy::Weighted) {
            let eligible = eligible(&world, service);
            if eligible.is_empty() {
                continue;
            }
            let mut counts: BTreeMap<usize, u32> = BTreeMap::new();
            for client in 0..CROWD {
                let answers = ask(&mut server, number, client);
                let first = answers.iter().flat_map(|answer| &answer.addresses).next();
                *counts.entry(first.expect("a region is eligible").region).or_default() += 1;
            }
            let expected = shares(service, &eligible);
            for region in 0..world.regions.len() {
                let found = f64::from(counts.get(&region).copied().unwrap_or(0)) / f64::from(CROWD);
                let wanted = expected.get(&region).copied().unwrap_or(0.0);
                let tolerance = if wanted == 0.0 || wanted == 1.0 { 0.0 } else { TOLERANCE };
                prop_assert!((found - wanted).abs() <= tolerance, "{region}: {found} of {expected:?}");
            }
        }
    }
}
