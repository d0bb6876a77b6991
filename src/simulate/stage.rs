//! What is seen of a world at a moment.

use std::collections::BTreeMap;

use crate::base::ids::RegionId;
use crate::table::Word;

use super::crowds::{Group, key};
use super::outcome::{CountryRow, Flow, RegionRow, SpillRow, Stage};
use super::profile::Origin;
use super::world::World;

/// Less than this part of the demand is not told: it is rounding.
const LEAST: f64 = 1e-4;

impl World {
    /// How everything stands.
    pub(super) fn stage(&self, what: String) -> Stage {
        let flows = self.flows();
        let demand: f64 = self.crowds.iter().map(|crowd| crowd.demand).sum();
        let far: f64 =
            flows.iter().map(|flow| flow.parts.iter().zip(&flow.km).map(|(part, km)| part * km).sum::<f64>()).sum();
        let served: f64 = flows.iter().map(|flow| flow.parts.iter().take(flow.km.len()).sum::<f64>()).sum();
        let plan = self.control.outlook().map(|outlook| &outlook.plan);
        let spilled: f64 = plan.map_or(0.0, |plan| plan.spills.iter().map(|spill| thousandths(spill.demand)).sum());
        #[expect(clippy::cast_precision_loss, reason = "kilometers")]
        let cost = plan.map_or(0.0, |plan| plan.extra_cost as f64);
        Stage {
            at_s: self.second,
            what,
            demand: rounded(demand),
            unserved: rounded(self.unserved),
            mean_km: rounded(if served > 0.0 { far / served } else { 0.0 }),
            extra_km: rounded(if spilled > 0.0 { cost / spilled } else { 0.0 }),
            method: plan.map_or("none", |plan| plan.method.as_str()),
            regions: self.region_rows(&flows, demand),
            countries: self.country_rows(),
            spills: self.spill_rows(),
            flows,
        }
    }

    /// Where each group goes.
    fn flows(&self) -> Vec<Flow> {
        let flow = |(crowd, group): (&super::world::Crowd, &Group)| {
            let mut parts: Vec<f64> = crowd.caches.following().iter().map(|part| crowd.demand * part).collect();
            let followed: f64 = crowd.caches.following().iter().sum();
            parts.push(crowd.demand * (1.0 - followed).max(0.0));
            Flow { parts, km: self.kilometers(group) }
        };
        self.crowds.iter().zip(&self.groups).map(flow).collect()
    }

    /// How far each region is from a group, on average.
    fn kilometers(&self, group: &Group) -> Vec<f64> {
        let whole: f64 = group.members.iter().map(|member| member.demand).sum();
        let of = |region: usize| {
            let sum: f64 = group.members.iter().map(|member| member.demand * member.km[region]).sum();
            if whole > 0.0 { sum / whole } else { 0.0 }
        };
        (0..self.lost.len()).map(of).collect()
    }

    fn region_rows(&self, flows: &[Flow], demand: f64) -> Vec<RegionRow> {
        let plan = self.control.outlook().map(|outlook| &outlook.plan);
        let row = |id: RegionId| {
            let answers: f64 = flows.iter().map(|flow| flow.parts[id.index()]).sum();
            let load = if self.lost[id.index()] { 0.0 } else { answers * self.worth_of(id) };
            let capacity = self.capacity(id);
            let level = plan.and_then(|plan| plan.sites.get(id.index())?.level).map(thousandths);
            RegionRow {
                region: key(&self.steering.model, id),
                state: self.state(id),
                answers: rounded(answers),
                share: part(answers, demand),
                load: rounded(load),
                target: capacity.map(|(target, _)| target),
                max: capacity.map(|(_, max)| max),
                level: level.map(rounded),
                utilization: capacity.filter(|(_, max)| *max > 0.0).map(|(_, max)| part(load, max)),
            }
        };
        (0..).map(RegionId).take(self.lost.len()).map(row).collect()
    }

    /// `up`, `lost`, `drained` or `down`: as most of its endpoints are.
    fn state(&self, region: RegionId) -> &'static str {
        let (model, states) = (&self.steering.model, self.control.states());
        if self.lost[region.index()] {
            return "lost";
        }
        let (mut all, mut drained, mut down) = (0, 0, 0);
        for (index, _) in model.endpoints.iter().enumerate().filter(|(_, endpoint)| endpoint.region == region) {
            let word = states.word.get(index).copied().unwrap_or(Word::Nothing);
            let up = states.up.get(index).copied().unwrap_or(true);
            all += 1;
            drained += usize::from(word == Word::Drain);
            down += usize::from(word == Word::Down || (!up && word != Word::Up));
        }
        match (drained * 2 > all, down * 2 > all) {
            (_, true) => "down",
            (true, false) => "drained",
            (false, false) => "up",
        }
    }

    fn country_rows(&self) -> Vec<CountryRow> {
        let mut sums: BTreeMap<Origin, (f64, Vec<f64>)> = BTreeMap::new();
        for (group, crowd) in self.groups.iter().zip(&self.crowds) {
            for member in &group.members {
                let demand = self.demand(member);
                let (all, parts) = sums.entry(member.origin).or_insert_with(|| (0.0, vec![0.0; self.lost.len()]));
                *all += demand;
                parts.iter_mut().zip(crowd.caches.following()).for_each(|(sum, part)| *sum += demand * part);
            }
        }
        let row = |(origin, (demand, parts)): (Origin, (f64, Vec<f64>))| {
            let ids = (0..).map(RegionId).zip(parts).filter(|(_, sum)| *sum > demand * LEAST);
            let mut regions: Vec<(String, f64)> =
                ids.map(|(id, sum)| (key(&self.steering.model, id), part(sum, demand))).collect();
            regions.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
            CountryRow { origin: origin.words(), demand: rounded(demand), regions }
        };
        let mut rows: Vec<CountryRow> = sums.into_iter().map(row).collect();
        rows.sort_by(|a, b| b.demand.total_cmp(&a.demand).then_with(|| a.origin.cmp(&b.origin)));
        rows
    }

    /// Whose clients the plan sends elsewhere.
    fn spill_rows(&self) -> Vec<SpillRow> {
        let view = self.control.plan_view();
        let rows = view.spills.into_iter().map(|spill| SpillRow {
            from: spill.from,
            to: spill.to,
            demand: rounded(spill.demand),
            part: spill.part,
            extra_km: rounded(view.extra_km),
        });
        rows.collect()
    }

    /// Who changed the region from one stage to another, the most first; `nowhere` is one too.
    pub(super) fn moves(&self, before: &Stage, after: &Stage) -> Vec<SpillRow> {
        let regions = self.lost.len();
        let mut sums: BTreeMap<(usize, usize), (f64, f64)> = BTreeMap::new();
        let mut homes = vec![0.0; regions + 1];
        for (before, after) in before.flows.iter().zip(&after.flows) {
            let (was, is): (f64, f64) = (before.parts.iter().sum(), after.parts.iter().sum());
            // As if those who came had been where the others were.
            let scale = if was > 0.0 { is / was } else { 0.0 };
            let differ: Vec<f64> =
                before.parts.iter().zip(&after.parts).map(|(before, after)| after - before * scale).collect();
            homes.iter_mut().zip(&before.parts).for_each(|(home, part)| *home += part * scale);
            let come: f64 = differ.iter().filter(|part| **part > 0.0).sum();
            for (from, gone) in differ.iter().enumerate().filter(|(_, part)| **part < 0.0) {
                for (to, own) in differ.iter().enumerate().filter(|(_, part)| **part > 0.0) {
                    let amount = -gone * own / come;
                    let km = |region: usize| after.km.get(region).copied();
                    let extra = km(to).zip(km(from)).map_or(0.0, |(to, from)| to - from);
                    let sum = sums.entry((from, to)).or_default();
                    *sum = (sum.0 + amount, sum.1 + amount * extra);
                }
            }
        }
        let name = |region: usize| match u8::try_from(region) {
            Ok(id) if region < regions => key(&self.steering.model, RegionId(id)),
            Ok(_) | Err(_) => "nowhere".into(),
        };
        let least = after.demand * LEAST;
        let told = sums.into_iter().filter(|(_, (amount, _))| *amount > least);
        let mut rows: Vec<SpillRow> = told
            .map(|((from, to), (amount, extra))| SpillRow {
                from: name(from),
                to: name(to),
                demand: rounded(amount),
                part: part(amount, homes[from]),
                extra_km: rounded(extra / amount),
            })
            .collect();
        rows.sort_by(|a, b| b.demand.total_cmp(&a.demand).then_with(|| (&a.from, &a.to).cmp(&(&b.from, &b.to))));
        rows
    }
}

/// To a tenth.
pub(super) fn rounded(number: f64) -> f64 {
    // Without a minus before zero.
    (number * 10.0).round() / 10.0 + 0.0
}

/// To four digits.
pub(super) fn part(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { (part / whole * 10_000.0).round() / 10_000.0 + 0.0 } else { 0.0 }
}

#[expect(clippy::cast_precision_loss, reason = "a demand, not a count")]
fn thousandths(number: u64) -> f64 {
    number as f64 / 1_000.0
}
