//! The planner: from step to step, what it remembers and what it says.
//!
//! ```text
//! what clients follow     caches.rs    from what they were answered within their TTL
//! what an answer is worth scales.rs    from what they follow and what feeds say
//! what to aim at          aim.rs       from demand, room and costs: levels.rs, paths.rs, waterfall.rs
//! how fast                pace.rs      from what is answered to what is aimed at
//! ```
//!
//! A plan is kept while what would move is next to nothing of what each region has: readings tremble, and clients are not
//! to.

use std::collections::HashMap;

use crate::base::limits::PLAN_STEPS_MAX;
use crate::base::moment::Moment;

use super::aim::{Aim, Stance, aim};
use super::caches::{Trail, spread};
use super::leash::Leash;
use super::levels::{Bound, FULL};
use super::pace::{Ground, Pace, Wish};
use super::roll::Roll;
use super::scales::{Scale, TEMPERATE, heated, median};
use super::shares::{Shares, moves, part, share_of};
use super::{Method, Plan, Reported, Situation, Unit, WHOLE, report};

/// Plans step by step.
#[derive(Clone, Debug)]
pub struct Planner {
    /// Steps that may be taken to find the cheapest placement.
    steps_max: u64,
    pub(super) roll: Roll,
    pub(super) scales: Vec<Scale>,
    pace: Pace,
    leash: Leash,
    /// By key: what units were answered.
    pub(super) trails: HashMap<u64, Known>,
    /// The mean heat of those who follow each site.
    pub(super) heats: Vec<u32>,
    stepped: Option<Moment>,
}

impl Default for Planner {
    fn default() -> Self {
        Self::new()
    }
}

/// What is known of a unit from earlier steps.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) trail: Trail,
    /// It was answered with its home.
    pub(super) at_home: bool,
    pub(super) seen: Moment,
}

/// A unit that was not seen for so long is forgotten: longer than demand is ever quiet for by chance.
const FORGOTTEN_MS: u64 = 600_000;
/// The largest demand of a unit: more than all the resolvers of the world ask.
const DEMAND_MAX: u64 = 1 << 40;
/// The part of what is placed on a region that a plan may be off by and is still kept.
const KEPT_PART: u64 = 24;

impl Planner {
    /// A planner that knows of nothing before.
    #[must_use]
    pub fn new() -> Self {
        Self::with_steps(PLAN_STEPS_MAX)
    }

    /// The same, which takes no more than so many steps to find the cheapest placement before it goes by the waterfall.
    #[must_use]
    pub fn with_steps(steps_max: u64) -> Self {
        Self {
            steps_max,
            roll: Roll::default(),
            scales: Vec::new(),
            pace: Pace::default(),
            leash: Leash::default(),
            trails: HashMap::new(),
            heats: Vec::new(),
            stepped: None,
        }
    }

    /// The plan for a situation at a moment that is not before that of the last step.
    pub fn step(&mut self, now: Moment, situation: &Situation) -> Plan {
        let Situation { sites, units, step_max, move_max, moved, .. } = situation;
        self.enroll(Roll::new(sites));
        let (mut stances, mut known) = self.recall(units);
        let followed = self.learn(now, situation, &mut stances, &mut known);

        let mut bounds = self.bounds(situation, &followed);
        let is_held = |number: usize| matches!(site_at(situation, &self.roll, number).load, Reported::Held(_));
        let held =
            (0..self.roll.len()).filter(|&number| is_held(number)).fold(0_u128, |mask, number| mask | 1 << number);
        let aim = aim(&self.roll, units, &stances, held, &mut bounds, self.steps_max);

        let ground = self.ground(situation, &bounds, &stances, &aim, &followed);
        let mut wishes = wishes(&self.roll, units, &stances, &known, &aim);
        if aim.method != Method::Home && may_be_kept(&wishes, &ground) {
            wishes.iter_mut().for_each(|wish| wish.aim.clone_from(&wish.shares));
        }
        let quickest_ms = quickest_ms(units);
        let elapsed_ms = self.stepped.map_or(0, |stepped| now.0.saturating_sub(stepped.0)).min(quickest_ms);
        let total = stances.iter().fold(0_u64, |sum, stance| sum.saturating_add(stance.demand));
        let may = self.leash.left(now, total, *move_max, *moved);
        let gone = self.pace.approach_on(&mut wishes, &ground, elapsed_ms, *step_max, may);
        self.leash.note(now, gone.moved, total);
        self.stepped = Some(now);

        let mut answered: Vec<Shares> = (0..units.len()).map(|unit| aim.of(unit).to_vec()).collect();
        for wish in wishes {
            answered[wish.unit] = wish.shares;
        }
        let (roll, doubted) = (&self.roll, self.doubted());
        let said = report::Said { situation, roll, stances: &stances, bounds: &bounds, aim: &aim, held, doubted };
        let mut plan = said.plan(&answered, &followed, &self.heats, gone.pending);
        (plan.limited, plan.moved) = (gone.limited, self.leash.lately());
        self.remember(now, units, &stances, known, answered);
        plan
    }

    /// Where a plan would end if sites, by their places, had these loads, of the clients that follow them now: once
    /// caches have followed, and whatever is moved on the way. The sites must not have [`Reported::Estimated`] loads. Meant
    /// for a copy: what was supposed is remembered as if it were known.
    pub fn settle(&mut self, now: Moment, situation: &Situation, supposed: &[(u8, u64)]) -> Plan {
        let units = &situation.units;
        self.enroll(Roll::new(&situation.sites));
        let (mut stances, mut known) = self.recall(units);
        let followed = self.learn(now, situation, &mut stances, &mut known);
        for &(place, load) in supposed {
            let number = self.roll.number(place).map(usize::from);
            if let Some(number) = number.filter(|&number| number < followed.len()) {
                self.scales[number].suppose(load, followed[number]);
            }
        }
        let mut bounds = self.bounds(situation, &followed);
        let aim = aim(&self.roll, units, &stances, 0, &mut bounds, self.steps_max);
        let answered: Vec<Shares> = (0..units.len()).map(|unit| aim.of(unit).to_vec()).collect();
        let (roll, doubted) = (&self.roll, self.doubted());
        let said = report::Said { situation, roll, stances: &stances, bounds: &bounds, aim: &aim, held: 0, doubted };
        said.plan(&answered, &followed, &self.heats, 0)
    }

    /// Numbers everything anew when there are other sites than before.
    fn enroll(&mut self, roll: Roll) {
        if roll.keys != self.roll.keys {
            let to = roll.renumbering(&self.roll.keys);
            for known in self.trails.values_mut() {
                known.trail.renumber(&to);
            }
            self.pace.renumber(&to, roll.len());
            let mut scales = vec![Scale::default(); roll.len()];
            for (scale, to) in self.scales.drain(..).zip(&to) {
                if let Some(place) = to.and_then(|to| scales.get_mut(usize::from(to))) {
                    *place = scale;
                }
            }
            self.scales = scales;
            self.heats = vec![TEMPERATE; roll.len()];
        }
        self.roll = roll;
    }

    /// What is known of the units, taken out of memory.
    fn recall(&mut self, units: &[Unit]) -> (Vec<Stance>, Vec<Option<Known>>) {
        let mut stances = Vec::with_capacity(units.len());
        let mut all = Vec::with_capacity(units.len());
        for unit in units {
            let (home, usable) = self.roll.home(unit);
            let known = self.trails.remove(&unit.key);
            let heat = known.as_ref().map_or_else(|| self.heat_of(&home), |known| known.trail.heat);
            let current =
                known.as_ref().map(|known| known.trail.current().to_vec()).filter(|shares| !shares.is_empty());
            stances.push(Stance { demand: demand(unit, heat), home, usable, current });
            all.push(known);
        }
        (stances, all)
    }

    /// The heat of a unit that nothing is known of: that of those who follow its home.
    fn heat_of(&self, home: &[(u8, u16)]) -> u32 {
        let sum = home.iter().fold(0_u64, |sum, &(site, share)| {
            let heat = self.heats.get(usize::from(site)).copied().unwrap_or(TEMPERATE);
            sum + u64::from(heat) * u64::from(share)
        });
        if sum == 0 { TEMPERATE } else { u32::try_from(sum / u64::from(WHOLE)).unwrap_or(TEMPERATE) }
    }

    /// Learns from what feeds say; the demand that follows each site.
    fn learn(
        &mut self,
        now: Moment,
        situation: &Situation,
        stances: &mut [Stance],
        known: &mut [Option<Known>],
    ) -> Vec<u64> {
        let follows = |unit: &Unit, stance: &Stance, known: &Option<Known>| -> Shares {
            let known = known.as_ref();
            known.map_or_else(|| stance.home.clone(), |known| known.trail.followed(now, ttl_ms(unit)).into_owned())
        };
        let units = situation.units.iter().zip(&*stances).zip(&*known);
        let followed: Vec<Shares> = units.map(|((unit, stance), known)| follows(unit, stance, known)).collect();
        let sites = self.roll.len();
        let (mut all, mut usable, mut plain) = (vec![0; sites], vec![0; sites], vec![0; sites]);
        for ((stance, followed), unit) in stances.iter().zip(&followed).zip(&situation.units) {
            spread(stance.demand, followed, &mut all);
            spread(demand(unit, TEMPERATE), followed, &mut plain);
            let is_usable = |&&(site, _): &&(u8, u16)| stance.usable >> site & 1 == 1;
            spread(stance.demand, followed.iter().filter(is_usable), &mut usable);
        }
        self.read(now, situation, &all, &usable);
        let factors: Vec<u32> = self.scales.iter().map(Scale::factor).collect();
        let before = all.clone();
        if factors.iter().any(|&factor| factor != TEMPERATE) {
            all.fill(0);
            for (((stance, followed), known), unit) in
                stances.iter_mut().zip(&followed).zip(known).zip(&situation.units)
            {
                let Some(known) = known else { continue };
                let sum: u64 = followed
                    .iter()
                    .map(|&(site, share)| {
                        u64::from(share) * u64::from(factors.get(usize::from(site)).copied().unwrap_or(TEMPERATE))
                    })
                    .sum();
                known.trail.heat = heated(known.trail.heat, sum / u64::from(WHOLE));
                stance.demand = demand(unit, known.trail.heat);
                spread(stance.demand, followed, &mut all);
            }
        }
        for (scale, (before, after)) in self.scales.iter_mut().zip(before.iter().zip(&all)) {
            scale.reckon(*before, *after);
        }
        let heat = |(all, plain): (&u64, &u64)| {
            let heat = u128::from(*all) * u128::from(TEMPERATE) / u128::from((*plain).max(1));
            if *plain == 0 { TEMPERATE } else { u32::try_from(heat).unwrap_or(u32::MAX) }
        };
        self.heats = all.iter().zip(&plain).map(heat).collect();
        all
    }

    fn read(&mut self, now: Moment, situation: &Situation, all: &[u64], usable: &[u64]) {
        let quickest_ms = quickest_ms(&situation.units);
        let mut fresh = Vec::new();
        let mut is_pressing = false;
        for (number, scale) in self.scales.iter_mut().enumerate() {
            let site = site_at(situation, &self.roll, number);
            scale.followed_by(now, all[number], usable[number]);
            if let Reported::Fresh(load, at) = site.load {
                scale.note(load, at.min(now));
                is_pressing |= is_pressed(site, load, scale.ahead(quickest_ms)) && !scale.is_doubted();
                fresh.push((number, load, at.min(now)));
            }
        }
        for (number, load, at) in fresh {
            let scale = &mut self.scales[number];
            // When one is pressed, it matters how full the others are, and what is decided is followed half a TTL later.
            let load = if is_pressing { scale.ahead(quickest_ms / 2).max(load) } else { load };
            scale.read(load, at, is_pressing);
        }
    }

    /// The scale of a region whose own is not known: the median of the others, by the demand that follows them.
    fn prior(&self, followed: &[u64]) -> Option<u64> {
        median(self.scales.iter().zip(followed).filter_map(|(scale, &demand)| Some((scale.known()?, demand))).collect())
    }

    fn bounds(&self, situation: &Situation, followed: &[u64]) -> Vec<Bound> {
        // An answer is an answer, and a node sees one of so many.
        let answers = u64::from(situation.peers.max(1)) << 32;
        let prior = self.prior(followed);
        let bound = |(number, scale): (usize, &Scale)| {
            let site = site_at(situation, &self.roll, number);
            match (site.load, scale.known().or(prior)) {
                (Reported::Estimated, _) => Bound { capacity: site.capacity, scale: answers, foreign: 0, fixed: 0 },
                (_, Some(known)) => Bound { capacity: site.capacity, scale: known, foreign: scale.foreign, fixed: 0 },
                // Nobody ever said what an answer is worth in the unit of its feed: it takes what comes.
                (_, None) => Bound { capacity: None, scale: answers, foreign: 0, fixed: 0 },
            }
        };
        self.scales.iter().enumerate().map(bound).collect()
    }

    /// Sites whose readings are not believed.
    fn doubted(&self) -> u128 {
        let doubted = self.scales.iter().enumerate().filter(|(_, scale)| scale.is_doubted());
        doubted.fold(0, |mask, (number, _)| mask | 1 << number)
    }

    /// What pace goes by.
    fn ground(
        &self,
        situation: &Situation,
        bounds: &[Bound],
        stances: &[Stance],
        aim: &Aim,
        followed: &[u64],
    ) -> Vec<Ground> {
        let mut placed = vec![0; self.roll.len()];
        for (unit, stance) in stances.iter().enumerate() {
            let shares = stance.current.as_deref().unwrap_or_else(|| aim.of(unit));
            spread(stance.demand, shares, &mut placed);
        }
        let quickest_ms = quickest_ms(&situation.units);
        let ground = |(number, bound): (usize, &Bound)| {
            let (placed, limit) = (placed[number], aim.limits[number]);
            let (site, scale) = (site_at(situation, &self.roll, number), &self.scales[number]);
            let (fed, ahead) = match site.load {
                Reported::Fresh(load, _) if !scale.is_doubted() => (load, scale.ahead(quickest_ms)),
                Reported::Fresh(..) | Reported::Held(_) | Reported::Silent | Reported::Estimated => (0, 0),
            };
            let load = fed.max(bound.load_of(followed[number].max(placed)));
            let is_urgent = is_pressed(site, load, ahead);
            let max = bound.capacity.map(|_| bound.room(FULL).saturating_add(bound.fixed));
            Ground { placed, limit, max, is_urgent }
        };
        bounds.iter().enumerate().map(ground).collect()
    }

    /// Remembers what was said.
    fn remember(
        &mut self,
        now: Moment,
        units: &[Unit],
        stances: &[Stance],
        known: Vec<Option<Known>>,
        answered: Vec<Shares>,
    ) {
        // What is left are units that are not there any more.
        self.trails.retain(|_, known| now.since(known.seen).as_millis() < u128::from(FORGOTTEN_MS));
        self.trails.reserve(units.len());
        for (((unit, stance), known), shares) in units.iter().zip(stances).zip(known).zip(answered) {
            let at_home = shares == stance.home;
            let known = match known {
                Some(Known { mut trail, .. }) => {
                    trail.answer(now, ttl_ms(unit), shares);
                    Known { trail, at_home, seen: now }
                }
                None => {
                    let mut trail = Trail::new(stance.home.clone(), self.heat_of(&stance.home));
                    trail.answer(now, ttl_ms(unit), shares);
                    Known { trail, at_home, seen: now }
                }
            };
            self.trails.insert(unit.key, known);
        }
    }
}

/// The site of a number.
pub(super) fn site_at<'a>(situation: &'a Situation, roll: &Roll, number: usize) -> &'a super::Site {
    let number = u8::try_from(number).unwrap_or(u8::MAX);
    &situation.sites[usize::from(roll.place(number))]
}

/// The demand of a unit, its heat included.
fn demand(unit: &Unit, heat: u32) -> u64 {
    unit.demand.min(DEMAND_MAX) * u64::from(heat) / u64::from(TEMPERATE)
}

fn ttl_ms(unit: &Unit) -> u64 {
    u64::from(unit.ttl_s.max(1)) * 1_000
}

/// The shortest TTL there is.
fn quickest_ms(units: &[Unit]) -> u64 {
    units.iter().map(ttl_ms).min().unwrap_or(0)
}

/// True if a region is at or above its max, or on the way there within a TTL.
fn is_pressed(site: &super::Site, load: u64, ahead: u64) -> bool {
    site.capacity.is_some_and(|capacity| {
        let max = capacity.max.max(capacity.target);
        load >= max || ahead - ahead / 8 >= max
    })
}

/// Shares some of which may be gone with their region, and for these what is aimed at.
fn completed(shares: &[(u8, u16)], aim: &[(u8, u16)]) -> Shares {
    let mut completed = shares.to_vec();
    let mut gone = shares.iter().fold(WHOLE, |rest, &(_, share)| rest.saturating_sub(share));
    for &(site, share) in aim {
        let more = share.saturating_sub(share_of(shares, site)).min(gone);
        gone -= more;
        match completed.iter_mut().find(|(known, _)| *known == site) {
            Some((_, sum)) => *sum += more,
            None => completed.push((site, more)),
        }
    }
    completed.retain(|&(_, share)| share > 0);
    completed.sort_unstable_by_key(|&(site, _)| site);
    completed
}

/// The units that are not answered as is aimed at, and have to get there in time. Those that nothing is known of are
/// answered so at once; and so are those that come from one home to another, because that is not for the plan to slow down.
fn wishes(roll: &Roll, units: &[Unit], stances: &[Stance], known: &[Option<Known>], aim: &Aim) -> Vec<Wish> {
    let (mut wishes, mut choices) = (Vec::new(), Vec::new());
    for (unit, (stance, known)) in stances.iter().zip(known).enumerate() {
        let (Some(current), Some(known)) = (&stance.current, known) else { continue };
        let aimed = aim.of(unit);
        if current == aimed || !units[unit].spills || (known.at_home && aimed == stance.home) {
            continue;
        }
        let is_concerned = |&&(site, _): &&(u8, u32)| current.iter().chain(aimed).any(|&(other, _)| other == site);
        roll.choices(&units[unit], &mut choices);
        let costs = choices.iter().filter(is_concerned).copied().collect();
        wishes.push(Wish {
            unit,
            demand: stance.demand,
            ttl_ms: ttl_ms(&units[unit]),
            usable: stance.usable,
            shares: completed(current, aimed),
            aim: aimed.to_vec(),
            costs,
        });
    }
    wishes
}

/// True if what is answered is so near to what is aimed at that nobody need move.
fn may_be_kept(wishes: &[Wish], ground: &[Ground]) -> bool {
    let mut moving = vec![0_u64; ground.len()];
    for wish in wishes {
        for (from, to, share) in moves(&wish.shares, &wish.aim) {
            if wish.usable >> from & 1 == 0 {
                return false;
            }
            let amount = part(wish.demand, share.into());
            for site in [from, to] {
                moving[usize::from(site)] = moving[usize::from(site)].saturating_add(amount);
            }
        }
    }
    // Of what is there: next to a very large region nobody is little.
    let is_little = |(ground, moving): (&Ground, &u64)| *moving <= ground.limit.min(ground.placed) / KEPT_PART;
    ground.iter().zip(&moving).all(is_little)
}
