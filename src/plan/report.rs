//! What a step says: the plan in the numbers of the situation, with what it comes to for each region.

use super::aim::{Aim, Stance};
use super::caches::spread;
use super::levels::Bound;
use super::planner::site_at;
use super::roll::Roll;
use super::shares::{Shares, moves, part};
use super::{Plan, Reported, SitePlan, Situation, Spill, Unit, WHOLE};

/// What a plan was made from.
pub(super) struct Said<'a> {
    pub(super) situation: &'a Situation,
    pub(super) roll: &'a Roll,
    pub(super) stances: &'a [Stance],
    pub(super) bounds: &'a [Bound],
    pub(super) aim: &'a Aim,
    /// Sites whose shares are held, and those whose readings are not believed.
    pub(super) held: u128,
    pub(super) doubted: u128,
}

impl Said<'_> {
    /// The plan that answers units so. `followed`: the demand that follows each site, `heats`: its heat.
    pub(super) fn plan(&self, answered: &[Shares], followed: &[u64], heats: &[u32], pending: u64) -> Plan {
        let sites = self.roll.len();
        let (mut planned, mut aimed) = (vec![0; sites], vec![0; sites]);
        let (mut home, mut spilled) = (vec![0; sites], vec![0_u64; sites * sites]);
        let mut extra_cost = 0_i128;
        let mut units = Vec::with_capacity(answered.len());
        for (at, ((unit, stance), shares)) in self.situation.units.iter().zip(self.stances).zip(answered).enumerate() {
            spread(stance.demand, shares, &mut planned);
            spread(stance.demand, self.aim.of(at), &mut aimed);
            spread(unit.demand, &stance.home, &mut home);
            if *shares == stance.home {
                units.push(Vec::new());
                continue;
            }
            for (from, to, share) in moves(&stance.home, shares) {
                let amount = part(unit.demand, share.into());
                let of_pair = &mut spilled[usize::from(from) * sites + usize::from(to)];
                *of_pair = of_pair.saturating_add(amount);
            }
            extra_cost += self.extra_cost(unit, &stance.home, shares);
            units.push(self.placed(shares));
        }
        let mut spills = Vec::new();
        for (from, row) in (0..=u8::MAX).zip(spilled.chunks(sites.max(1))) {
            for (to, &demand) in (0..=u8::MAX).zip(row).filter(|&(_, &demand)| demand > 0) {
                spills.push(Spill { from: self.roll.place(from), to: self.roll.place(to), demand });
            }
        }
        spills.sort_unstable_by_key(|spill| (spill.from, spill.to));
        let sum = |which: &dyn Fn(&Spill) -> bool| {
            spills.iter().filter(|spill| which(spill)).fold(0_u64, |sum, spill| sum.saturating_add(spill.demand))
        };
        let mut plans = vec![SitePlan::default(); self.situation.sites.len()];
        for (number, bound) in self.bounds.iter().enumerate() {
            let site = site_at(self.situation, self.roll, number);
            let place = self.roll.place(u8::try_from(number).unwrap_or(0));
            plans[usize::from(place)] = SitePlan {
                fed: match site.load {
                    Reported::Fresh(load, _) | Reported::Held(load) => Some(load),
                    Reported::Silent | Reported::Estimated => None,
                },
                load: bound.load_of(followed[number]),
                planned: bound.load_of(planned[number]),
                aim: bound.load_of(aimed[number]),
                capacity: site.capacity,
                level: bound.load(self.aim.levels[number]),
                scale: bound.scale,
                heat: heats[number],
                home: home[number],
                received: sum(&|spill| spill.to == place),
                shed: sum(&|spill| spill.from == place),
                held: self.held >> number & 1 == 1,
                doubted: self.doubted >> number & 1 == 1,
            };
        }
        let extra_cost = u64::try_from(extra_cost.max(0) / (1_000 * i128::from(WHOLE))).unwrap_or(u64::MAX);
        Plan { units, sites: plans, spills, method: self.aim.method, pending, extra_cost, ..Plan::default() }
    }

    /// What shares cost more than home, in thousandths of a demand and 1/65,535.
    fn extra_cost(&self, unit: &Unit, home: &[(u8, u16)], shares: &[(u8, u16)]) -> i128 {
        let cost = |shares: &[(u8, u16)]| -> i128 {
            let of_site = |site: u8| {
                let place = self.roll.place(site);
                unit.choices.iter().find(|&&(other, _)| other == place).map_or(0, |&(_, cost)| i128::from(cost))
            };
            shares.iter().map(|&(site, share)| of_site(site) * i128::from(share)).sum()
        };
        (cost(shares) - cost(home)) * i128::from(unit.demand)
    }

    /// Shares in the numbers of the situation.
    fn placed(&self, shares: &[(u8, u16)]) -> Shares {
        let mut placed: Shares = shares.iter().map(|&(site, share)| (self.roll.place(site), share)).collect();
        placed.sort_unstable_by_key(|&(site, _)| site);
        placed
    }
}
