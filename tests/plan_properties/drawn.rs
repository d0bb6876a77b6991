//! Random situations: regions and clients on a line, so that costs are distances and chains of displacement occur.

use meridian::plan::{Capacity, Plan, Reported, Site, Situation, Unit, WHOLE};
use proptest::prelude::*;

/// Thousandths of an answer in an answer.
pub(crate) const ANSWER: u64 = 1_000;

/// One unit as it is drawn.
#[derive(Clone, Debug)]
struct Drawn {
    place: u32,
    demand: u64,
    /// Which sites it may be sent to; fenced if few.
    mask: u16,
    split: bool,
}

/// Situations without feeds: loads are answers. `room`: how much capacity there is for each part of the demand, in percent.
pub(crate) fn situation(room: std::ops::Range<u64>) -> impl Strategy<Value = Situation> {
    let site = (0..10_000_u32, 1..100_u64, 101..160_u64);
    let unit =
        (0..10_000_u32, 0..200_u64, prop_oneof![3 => Just(u16::MAX), 1 => any::<u16>()], prop::bool::weighted(0.2));
    let unit = unit.prop_map(|(place, demand, mask, split)| Drawn { place, demand: demand * ANSWER, mask, split });
    let parts = (prop::collection::vec(site, 2..7), prop::collection::vec(unit, 1..24), room);
    parts.prop_map(|(sites, units, room)| {
        let demand: u64 = units.iter().map(|unit| unit.demand).sum();
        let parts: u64 = sites.iter().map(|&(_, part, _)| part).sum();
        let places: Vec<u32> = sites.iter().map(|&(place, ..)| place).collect();
        let site = |(number, &(_, part, max)): (usize, &(u32, u64, u64))| {
            // In whole answers, so that the reference can count them.
            let target = (demand * room / 100 * part / parts / ANSWER + 1) * ANSWER;
            let capacity = Some(Capacity { target, max: target * max / 100 });
            Site { key: 0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(number as u64 + 1), capacity, load: Reported::Estimated }
        };
        let sites: Vec<Site> = sites.iter().enumerate().map(site).collect();
        let units = (1..).zip(&units).map(|(key, drawn)| unit_of(key, drawn, &places)).collect();
        Situation { sites, units, ..Situation::default() }
    })
}

fn unit_of(key: u64, drawn: &Drawn, places: &[u32]) -> Unit {
    let far = |site: usize| drawn.place.abs_diff(places[site]);
    let mut choices: Vec<(u8, u32)> = (0..places.len())
        .filter(|&site| drawn.mask >> site & 1 == 1)
        .map(|site| (u8::try_from(site).unwrap(), far(site)))
        .collect();
    if choices.is_empty() {
        choices.push((0, far(0)));
    }
    choices.sort_by_key(|&(site, cost)| (cost, site));
    let homes = if drawn.split { 2 } else { 1 };
    if let [first, second, ..] = choices.as_mut_slice()
        && drawn.split
    {
        // Equals share.
        second.1 = first.1;
    }
    let home = choices.iter().take(homes).map(|&(site, _)| (site, 1)).collect();
    Unit { key: key * 7_919, demand: drawn.demand, home, choices, ttl_s: 30, spills: true }
}

/// The shares of a unit, its home if the plan says nothing else; in parts of 1.
pub(crate) fn shares(unit: &Unit, planned: &[(u8, u16)]) -> Vec<(u8, f64)> {
    if planned.is_empty() {
        let all: u32 = unit.home.iter().map(|&(_, weight)| weight).sum();
        return unit.home.iter().map(|&(site, weight)| (site, f64::from(weight) / f64::from(all))).collect();
    }
    planned.iter().map(|&(site, share)| (site, f64::from(share) / f64::from(WHOLE))).collect()
}

/// The answers per second that each site is sent.
pub(crate) fn loads(situation: &Situation, plan: &Plan) -> Vec<f64> {
    let mut loads = vec![0.0; situation.sites.len()];
    for (unit, planned) in situation.units.iter().zip(&plan.units) {
        for (site, share) in shares(unit, planned) {
            loads[usize::from(site)] += share * unit.demand as f64 / ANSWER as f64;
        }
    }
    loads
}

/// What a plan costs more than everybody at home, in answers × distance.
pub(crate) fn cost(situation: &Situation, plan: &Plan) -> f64 {
    let mut cost = 0.0;
    for (unit, planned) in situation.units.iter().zip(&plan.units) {
        let far = |site: u8| f64::from(unit.choices.iter().find(|choice| choice.0 == site).unwrap().1);
        let of = |shares: Vec<(u8, f64)>| shares.into_iter().map(|(site, share)| far(site) * share).sum::<f64>();
        cost += (of(shares(unit, planned)) - of(shares(unit, &[]))) * unit.demand as f64 / ANSWER as f64;
    }
    cost
}

/// The answers per second that are not where their home is.
pub(crate) fn moved(situation: &Situation, plan: &Plan) -> f64 {
    let units = situation.units.iter().zip(&plan.units);
    units
        .map(|(unit, planned)| {
            distance(&shares(unit, planned), &shares(unit, &[])) * unit.demand as f64 / ANSWER as f64
        })
        .sum()
}

/// The part that is at other sites in one than in the other.
pub(crate) fn distance(a: &[(u8, f64)], b: &[(u8, f64)]) -> f64 {
    let of = |shares: &[(u8, f64)], site: u8| shares.iter().find(|share| share.0 == site).map_or(0.0, |share| share.1);
    (0..=u8::MAX).map(|site| (of(a, site) - of(b, site)).max(0.0)).sum()
}

/// How full a site is: 0 at its target, 1 at its max, beyond in proportion to its max.
pub(crate) fn level(capacity: Capacity, load: f64) -> f64 {
    let (target, max) = (capacity.target as f64 / ANSWER as f64, capacity.max as f64 / ANSWER as f64);
    if load <= max { (load - target) / (max - target).max(1e-9) } else { load / max }
}
