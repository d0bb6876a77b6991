//! What is promised of steering, over random databases, networks, maps, policies and states, seen through `respond()`:
//!
//! | promise | test |
//! |---|---|
//! | two clients within a returned scope get the same decision | `whoever_shares_the_scope_shares_the_answer` |
//! | `explain` names what the wire answers | `explain_names_what_the_wire_answers` |
//! | A, AAAA, HTTPS, MX, hints, wildcards, followers and aliases agree on the region | `all_types_agree_on_the_region` |
//! | nothing forced down or fenced out ever appears; an eligible region exists → never an all-down answer | `only_what_may_be_answered_is` |
//! | taking one of n out moves only its share | `a_loss_moves_nobody_else` |
//! | shares match weights, in a tier of near regions too | `shares_of_a_tier_are_those_of_the_weights` |
//!
//! `steering_properties` and `place_properties` show more of policies that do not look at places, and of bias.

#[path = "../conformance/wire.rs"]
#[allow(dead_code, reason = "the rows of the corpus use the rest")]
mod wire;

mod drawn;
mod served;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use meridian::dns::RecordType;
use proptest::prelude::*;
use proptest::sample::select;

use drawn::{FALLBACK, Policy, REGIONS, Word, World, address_of, bits_of, hosts, world};
use served::{Answer, Asker, Server, UNKNOWN_RESOLVER, is_v6};

/// Clients that a share is measured with: one standard deviation is below 0.012.
const CROWD: u32 = 2_000;
/// How far a share may be off: five standard deviations.
const TOLERANCE: f64 = 0.06;

/// Clients near the networks that are drawn, of every kind that resolvers tell.
fn asker() -> impl Strategy<Value = Asker> {
    let v4 = (select(vec![10_u32, 10, 20, 30]), any::<u32>()).prop_map(|(head, bits)| head << 24 | bits >> 8);
    let v6 =
        (select(vec![0x2a00_u128, 0x2a01, 0x2a02]), any::<u128>()).prop_map(|(head, bits)| head << 112 | bits >> 16);
    let kinds = (v4.clone(), v6, 0..8_u8, 0..=128_u8, any::<bool>()).prop_map(|(v4, v6, kind, length, is_usual)| {
        let inside = u128::from(v4);
        let (address, usual): (IpAddr, u8) = match kind {
            0..=2 => (Ipv4Addr::from_bits(v4).into(), 24),
            3..=4 => (Ipv6Addr::from_bits(v6).into(), 56),
            5 => (Ipv6Addr::from_bits(0xffff << 32 | inside).into(), 120),
            6 => (Ipv6Addr::from_bits(0x0064_ff9b << 96 | inside).into(), 120),
            _ => (Ipv6Addr::from_bits(0x2002 << 112 | inside << 80).into(), 48),
        };
        let length = if is_usual { usual } else { length % if address.is_ipv4() { 33 } else { 129 } };
        let (v6, bits) = bits_of(address);
        (address_of(v6, bits & !hosts(v6, length)), length)
    });
    let resolver = prop_oneof![Just(UNKNOWN_RESOLVER), v4.prop_map(|bits| Ipv4Addr::from_bits(bits).into())];
    (prop::option::weighted(0.9, kinds), resolver).prop_map(|(told, resolver)| Asker { told, resolver })
}

fn askers() -> impl Strategy<Value = Vec<Asker>> {
    prop::collection::vec(asker(), 12)
}

/// The address that is told, if any part of it is.
fn client(asker: Asker) -> Option<IpAddr> {
    asker.told.filter(|(_, length)| *length > 0).map(|(address, _)| address)
}

/// Another client within the scope of an answer, told by as many bits.
fn neighbor(asker: Asker, answer: &Answer, within: u128) -> Option<Asker> {
    let ((address, length), scope) = asker.told.zip(answer.scope)?;
    let (v6, bits) = bits_of(address);
    let free = hosts(v6, scope) & !hosts(v6, length);
    let told = (address_of(v6, bits & !free | within & free), length);
    Some(Asker { told: Some(told), ..asker })
}

/// The part of an answer that does not change from query to query.
fn essence(world: &World, answer: &Answer) -> (u16, u32, Vec<usize>, Option<u8>, Vec<Vec<u8>>) {
    // Endpoints of all regions together take turns.
    let is_together = world.policy == Policy::All || world.all_down == "all";
    let is_fixed = world.balance == "hash" && !is_together;
    let data = if is_fixed { answer.data.clone() } else { Vec::new() };
    (answer.rcode, answer.ttl, answer.regions.clone(), answer.scope, data)
}

/// Names and types, with whether every region has the type up whenever it is chosen.
const QUESTIONS: [(&str, RecordType); 9] = [
    ("w.example", RecordType::A),
    ("w.example", RecordType::AAAA),
    ("w.example", RecordType::HTTPS),
    ("w.example", RecordType::MX),
    ("x.apps.example", RecordType::A),
    ("x.apps.example", RecordType::HTTPS),
    ("chain.example", RecordType::A),
    ("chain.example", RecordType::MX),
    ("alias.example", RecordType::A),
];

proptest! {
    // Each case builds large tables of buckets without optimization.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(96) })]

    #[test]
    fn whoever_shares_the_scope_shares_the_answer(world in world(), askers in askers(), within in any::<u128>()) {
        let mut server = Server::new(&world);
        for asker in askers {
            for (name, rtype) in QUESTIONS {
                let answer = server.ask(name, rtype, asker);
                prop_assert_eq!(answer.scope.is_some(), asker.told.is_some());
                if client(asker).is_none() {
                    prop_assert_eq!(answer.scope.unwrap_or(0), 0);
                }
                // A negative answer has no scope: who may not leave a fence may get one that others do not.
                let is_negative = answer.data.is_empty() || answer.regions.is_empty() && rtype != RecordType::HTTPS;
                let Some(other) = neighbor(asker, &answer, within).filter(|_| !is_negative) else { continue };
                let others = server.ask(name, rtype, other);
                prop_assert_eq!(essence(&world, &others), essence(&world, &answer), "{} {}: {:?} {:?}", name, rtype, other, asker);
            }
        }
    }

    #[test]
    fn explain_names_what_the_wire_answers(world in world(), askers in askers()) {
        let mut server = Server::new(&world);
        for asker in askers {
            let Some(told) = asker.told else { continue };
            for (name, rtype) in QUESTIONS {
                let (answer, explained) = (server.ask(name, rtype, asker), server.explain(name, rtype, told, asker.resolver));
                prop_assert_eq!(Some(explained.scope), answer.scope, "{} {} {:?}", name, rtype, explained);
                prop_assert_eq!(explained.rcode == "SERVFAIL", answer.rcode == 2);
                prop_assert_eq!(explained.answers.len(), answer.data.len());
                let Some(step) = explained.steps.last() else {
                    // A static record: only its hints are steered.
                    prop_assert_eq!((name, rtype), ("w.example", RecordType::HTTPS));
                    continue;
                };
                match REGIONS.iter().position(|key| *key == step.chosen) {
                    // A type that has nothing up in the region is not answered.
                    Some(region) => prop_assert!(answer.regions.iter().all(|found| *found == region), "{:?} {:?}", step, answer),
                    None if step.chosen == "fallback" => prop_assert_eq!(answer.region(), Some(FALLBACK)),
                    None if step.chosen == "together" => {}
                    None => prop_assert!(answer.regions.is_empty(), "{:?} {:?}", step, answer),
                }
            }
        }
    }

    #[test]
    fn all_types_agree_on_the_region(world in world(), askers in askers()) {
        let mut server = Server::new(&world);
        for asker in askers {
            let addresses = server.ask("w.example", RecordType::A, asker);
            let Some(region) = addresses.region().filter(|_| world.policy != Policy::All) else { continue };
            let may_be_mixed = world.all_down == "all" && !REGIONS.iter().enumerate().any(|(region, _)| world.is_eligible(region));
            if may_be_mixed {
                continue;
            }
            for (name, rtype) in QUESTIONS.into_iter().filter(|(name, _)| *name != "alias.example") {
                let answer = server.ask(name, rtype, asker);
                prop_assert!(answer.regions.iter().all(|found| *found == region), "{} {}: {:?}, not {}", name, rtype, answer, region);
                // What is judged, and what is always up, is answered to everybody.
                if !matches!(rtype, RecordType::AAAA) {
                    prop_assert!(!answer.data.is_empty(), "{} {}", name, rtype);
                }
                if answer.data.is_empty() {
                    continue;
                }
                prop_assert!(answer.ttl <= addresses.ttl || rtype == RecordType::MX, "{} {}: {:?} {:?}", name, rtype, answer, addresses);
            }
        }
    }

    #[test]
    fn only_what_may_be_answered_is(world in world(), askers in askers()) {
        let mut server = Server::new(&world);
        for asker in askers {
            let inside = world.inside(client(asker), asker.resolver);
            let eligible: Vec<usize> = inside.iter().copied().filter(|&region| world.is_eligible(region)).collect();
            for (name, rtype) in QUESTIONS.into_iter().filter(|(name, _)| *name != "alias.example") {
                let answer = server.ask(name, rtype, asker);
                let told = || format!("{name} {rtype} {asker:?}: {answer:?}");
                for &region in answer.regions.iter().filter(|region| **region != FALLBACK) {
                    prop_assert!(inside.contains(&region), "fenced out: {}", told());
                    prop_assert!(eligible.is_empty() || eligible.contains(&region), "not eligible: {}", told());
                }
                for &(region, endpoint) in answer.endpoints.iter().filter(|(region, _)| *region != FALLBACK) {
                    prop_assert!(world.is_allowed(region, endpoint), "forced down: {}", told());
                    prop_assert!(eligible.is_empty() || world.is_serving(region, endpoint), "not up: {}", told());
                    match rtype {
                        RecordType::A => prop_assert!(!is_v6(endpoint)),
                        RecordType::AAAA => prop_assert!(is_v6(endpoint)),
                        _ => {}
                    }
                }
                if !eligible.is_empty() {
                    prop_assert!(answer.rcode == 0 && !answer.regions.contains(&FALLBACK), "{}", told());
                    prop_assert!(!answer.data.is_empty() || rtype == RecordType::AAAA, "{}", told());
                }
            }
            let (Some(told), false) = (asker.told, eligible.is_empty()) else { continue };
            let explained = server.explain("w.example", RecordType::A, told, asker.resolver);
            prop_assert!(!explained.is_all_down(), "{:?}", explained);
        }
    }

    #[test]
    fn a_loss_moves_nobody_else(world in world(), askers in askers(), lost in 0..REGIONS.len()) {
        let mut after = world.clone();
        after.states[lost].iter_mut().for_each(|(_, word)| *word = Word::Down);
        let (mut before, mut without) = (Server::new(&world), Server::new(&after));
        for asker in askers {
            for (name, rtype) in [("w.example", RecordType::A), ("x.apps.example", RecordType::A), ("w.example", RecordType::MX)] {
                let (was, is) = (before.ask(name, rtype, asker), without.ask(name, rtype, asker));
                let Some(region) = was.region().filter(|&region| region != FALLBACK && region != lost) else { continue };
                if world.is_eligible(region) && world.policy != Policy::All {
                    prop_assert_eq!(is.region(), Some(region), "{} {}: {:?} moved", name, rtype, asker);
                }
                prop_assert!(!is.endpoints.iter().any(|(region, _)| *region == lost));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(16) })]

    #[test]
    fn shares_of_a_tier_are_those_of_the_weights(world in world(), near in any::<bool>()) {
        let world = world.in_one_tier(near);
        let eligible: Vec<usize> = (0..REGIONS.len()).filter(|&region| world.is_eligible(region)).collect();
        let weights: u32 = eligible.iter().map(|&region| world.weights[region]).sum();
        let mut server = Server::new(&world);
        let mut counts = [0_u32; REGIONS.len()];
        for number in (0..CROWD).filter(|_| !eligible.is_empty()) {
            let told = Some((Ipv4Addr::from_bits(10 << 24 | number << 8).into(), 24));
            let answer = server.ask("w.example", RecordType::A, Asker { told, resolver: UNKNOWN_RESOLVER });
            counts[answer.region().expect("a region is eligible")] += 1;
        }
        for (region, count) in counts.into_iter().enumerate().filter(|_| !eligible.is_empty()) {
            let wanted = match (eligible.contains(&region), weights) {
                (false, _) => 0.0,
                (true, 0) => 1.0 / eligible.len() as f64,
                (true, all) => f64::from(world.weights[region]) / f64::from(all),
            };
            let tolerance = if wanted == 0.0 || wanted == 1.0 { 0.0 } else { TOLERANCE };
            let found = f64::from(count) / f64::from(CROWD);
            prop_assert!((found - wanted).abs() <= tolerance, "{}: {} is not {}", REGIONS[region], found, wanted);
        }
    }
}
