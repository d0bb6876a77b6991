//! From what is answered and fed to a plan, and from a plan to what is published of it.
//!
//! ```text
//! demand, swept from the lanes ─┐
//! offers of the placements ─────┼→ units ─┐
//! loads and capacities ─────────┴→ sites ─┴→ planner → plan → shares by service and class
//! ```
//! A unit is a class of clients of all services that decide alike and are in the same state. Its demand is smoothed; that of
//! clients whose class found no room in the table is spread like the rest.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::answer::Demanded;
use crate::base::hash::steering_hash;
use crate::base::ids::{RegionId, ServiceId};
use crate::base::moment::Moment;
use crate::geo::ClassId;
use crate::model::{Mode, Model};
use crate::plan::{Capacity, Memory, Plan, Planner, Reported, Site, Situation, Unit};
use crate::policy::{Atlases, Counterparts, Kin, Offer};
use crate::snapshot::Steering;
use crate::table::{Planned, PlannedClass};

use super::hub::Control;

/// Demand is smoothed over this: longer than chance, shorter than a crowd takes to come. Feeds tell of a crowd at once, and
/// demand that lags behind makes each answer look as if it meant more load than it does.
const SMOOTHING: Duration = Duration::from_secs(5);

/// What demand there was since the last time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Demand {
    /// By service and class, in seconds of TTL.
    pub rows: Vec<Demanded>,
    /// That of no known class, in seconds of TTL.
    pub others: u64,
}

/// What is known of the regions, by [`RegionId`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conditions {
    /// Regions with their loads and capacities.
    pub sites: Vec<Site>,
    /// Name servers that share the demand.
    pub peers: u32,
    /// The part of a region's load that may leave it per TTL, in thousandths.
    pub step_max: u32,
    /// The part of all demand that may move within a minute while nothing fails, and what of it others than the plan have
    /// moved, in thousandths.
    pub move_max: u32,
    /// See there.
    pub moved: u32,
}

/// A plan, ready to be adopted by the control that has this model.
#[derive(Clone, Debug)]
pub struct PlanChange {
    /// The model it is for.
    pub model: Arc<Model>,
    /// The atlases it is for.
    pub atlases: Arc<Atlases>,
    /// Services of which the plan says something else than before.
    pub services: Vec<(ServiceId, Option<Arc<Planned>>)>,
    /// What it comes to.
    pub outlook: Arc<Outlook>,
    /// What the planner is to know after a restart.
    pub memory: Arc<Memory>,
}

/// What a plan comes to, for people.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outlook {
    /// When it was made.
    pub at: Moment,
    /// The plan; regions by [`RegionId`], without the shares of units.
    pub plan: Plan,
    /// The demand that it is made for, in thousandths of answers a second.
    pub demand: u64,
    /// Classes of clients it was made for.
    pub units: usize,
    /// What was asked: by service that decides and class, in thousandths of answers a second.
    pub asked: Vec<(ServiceId, ClassId, u64)>,
    /// The demand of services that move as a whole, by id.
    pub passive: Vec<(ServiceId, u64)>,
}

/// Plans again and again; remembers what it needs for that.
#[derive(Clone, Debug, Default)]
pub struct CapacityPlanner {
    planner: Planner,
    /// Whose services and classes `rows` are of.
    of: Option<(Arc<Model>, Arc<Atlases>)>,
    rows: BTreeMap<(ServiceId, ClassId), Smoothed>,
    last: Option<Moment>,
}

/// Demand that is smoothed, in thousandths of answers a second.
#[derive(Clone, Copy, Debug)]
struct Smoothed {
    mean: u64,
    since: Moment,
}

/// A unit in the making.
struct Draft {
    service: ServiceId,
    class: ClassId,
    kin: Kin,
    /// Thousandths of answers a second.
    demand: u64,
    ttl_s: u32,
}

impl Control {
    /// What is known of the regions that a plan goes by.
    #[must_use]
    pub fn conditions(&self, now: Moment) -> Conditions {
        let ids = (0..=u8::MAX).map(RegionId).zip(&self.model.regions);
        let site = |(id, region): (RegionId, &crate::model::Region)| {
            let load = self.load_of(id, now);
            let capacity = self.capacity_of(id, now).map(|(target, max)| Capacity { target, max });
            Site { key: steering_hash(&[region.key.as_bytes()]), capacity, load }
        };
        let (peers, step_max, move_max) = (self.settings.peers, self.settings.step_max, self.settings.move_max);
        let moved = self.moves.lately(now).div_ceil(1_000);
        Conditions { sites: ids.map(site).collect(), peers, step_max, move_max, moved }
    }
}

impl CapacityPlanner {
    /// One that goes on where an earlier process ended.
    #[must_use]
    pub fn remembering(memory: &Memory, now: Moment) -> Self {
        Self { planner: Planner::remembering(memory, now), ..Self::default() }
    }

    /// The next plan. `steering` is the one in force, and `demand` what there was since the last time.
    pub fn step(&mut self, now: Moment, steering: &Steering, conditions: Conditions, demand: &Demand) -> PlanChange {
        let elapsed = self.last.map_or(Duration::ZERO, |last| now.since(last));
        self.last = Some(now);
        self.follow(steering);
        self.learn(now, steering, demand, elapsed);
        self.plan(now, steering, conditions, &[])
    }

    /// What a plan would come to with another steering of the same model; nothing is learned, nothing comes into force.
    #[must_use]
    pub fn foresee(&self, now: Moment, steering: &Steering, conditions: Conditions) -> Arc<Outlook> {
        let mut planner = self.clone();
        planner.follow(steering);
        planner.plan(now, steering, conditions, &[]).outlook
    }

    /// What would be planned in the end if regions had these loads, in thousandths, of the clients that they have now; nothing
    /// is learned, nothing comes into force.
    #[must_use]
    pub fn suppose(
        &self,
        now: Moment,
        steering: &Steering,
        mut conditions: Conditions,
        loads: &[(RegionId, u64)],
    ) -> PlanChange {
        for (region, _) in loads {
            if let Some(site) = conditions.sites.get_mut(region.index()) {
                // What its feed says at this moment is not what is asked about.
                site.load = Reported::Silent;
            }
        }
        let mut planner = self.clone();
        planner.follow(steering);
        planner.plan(now, steering, conditions, loads)
    }

    /// Plans for the demand that is known: the next step, or where it would end if loads are supposed.
    fn plan(
        &mut self,
        now: Moment,
        steering: &Steering,
        conditions: Conditions,
        supposed: &[(RegionId, u64)],
    ) -> PlanChange {
        let drafts = self.drafts(steering);
        let (mut units, mut kept, mut seen) = (Vec::new(), Vec::new(), BTreeSet::new());
        for draft in drafts {
            let Some(offer) = steering.placements.offer(&steering.model, draft.service, draft.class) else { continue };
            units.push(unit(unit_key(steering, &draft, &mut seen), offer, &draft));
            kept.push(draft);
        }
        let total = units.iter().map(|unit| unit.demand).sum();
        let Conditions { sites, peers, step_max, move_max, moved } = conditions;
        let situation = Situation { sites, units, peers, step_max, move_max, moved };
        let supposed: Vec<(u8, u64)> = supposed.iter().map(|&(region, load)| (region.0, load)).collect();
        let mut plan = match supposed.is_empty() {
            true => self.planner.step(now, &situation),
            false => self.planner.settle(now, &situation, &supposed),
        };
        let services = services(steering, &kept, std::mem::take(&mut plan.units));
        let asked = self.rows.iter().map(|(&(service, class), smoothed)| (service, class, smoothed.mean)).collect();
        let passive = self.passive(steering);
        let outlook = Outlook { at: now, plan, demand: total, units: kept.len(), asked, passive };
        let (model, atlases) = (Arc::clone(&steering.model), Arc::clone(&steering.atlases));
        let memory = Arc::new(self.planner.memory());
        PlanChange { model, atlases, services, outlook: Arc::new(outlook), memory }
    }

    /// Ids are of one model, and classes of its atlases: what can be told of others is carried over by keys.
    fn follow(&mut self, steering: &Steering) {
        let (model, atlases) = (&steering.model, &steering.atlases);
        if let Some((old, old_atlases)) = &self.of
            && !(Arc::ptr_eq(old, model) && Arc::ptr_eq(old_atlases, atlases))
        {
            let rows = std::mem::take(&mut self.rows).into_iter();
            // Of the same model other atlases differ by what is measured: where a class was, most of it still is.
            let is_same_model = Arc::ptr_eq(old, model);
            let counterparts = if is_same_model { old_atlases.counterparts(atlases) } else { Counterparts::default() };
            let carried = rows.filter_map(|((service, class), smoothed)| {
                let id = model.service_by_key(&old.services.get(service.index())?.key)?;
                let is_same = match (old_atlases.of(service), atlases.of(id)) {
                    (Some(old), Some(new)) => Arc::ptr_eq(old, new),
                    (None, None) => true,
                    (Some(_), None) | (None, Some(_)) => false,
                };
                if is_same || class == ClassId::UNKNOWN {
                    return Some(((id, class), smoothed));
                }
                let now = counterparts.of(old_atlases.number_of(service)?)?.get(class.0 as usize).copied().flatten()?;
                Some(((id, now), smoothed))
            });
            for (key, smoothed) in carried {
                let own = self.rows.entry(key).or_insert(Smoothed { mean: 0, ..smoothed });
                own.mean = own.mean.saturating_add(smoothed.mean);
            }
        }
        self.of = Some((Arc::clone(model), Arc::clone(atlases)));
    }

    /// What those who ask now asked; what others asked fades, which takes longer than any cache lives.
    fn learn(&mut self, now: Moment, steering: &Steering, demand: &Demand, elapsed: Duration) {
        let elapsed_ms = elapsed.as_millis().max(1);
        let known: u64 = demand.rows.iter().map(|row| row.seconds).sum();
        let mut fresh: BTreeMap<(ServiceId, ClassId), u64> = BTreeMap::new();
        for row in &demand.rows {
            let Some(service) = steering.model.services.get(row.service.index()) else { continue };
            // Seconds of TTL → answers of the longest TTL, a second; those of no known class are spread like the rest.
            let seconds = u128::from(row.seconds) * u128::from(known + demand.others) / u128::from(known.max(1));
            let thousandths = seconds * 1_000_000 / u128::from(service.ttl.max.max(1)) / elapsed_ms;
            fresh.insert((row.service, row.class), u64::try_from(thousandths).unwrap_or(u64::MAX));
        }
        for &key in fresh.keys() {
            self.rows.entry(key).or_insert(Smoothed { mean: 0, since: now.before(elapsed) });
        }
        self.rows.retain(|key, smoothed| {
            smoothed.learn(now, fresh.get(key).copied().unwrap_or(0), elapsed);
            smoothed.mean > 0
        });
    }

    /// The demand of active-passive services: of others there is no need to know it one by one.
    fn passive(&self, steering: &Steering) -> Vec<(ServiceId, u64)> {
        let mut demands: BTreeMap<ServiceId, u64> = BTreeMap::new();
        for (&(id, _), smoothed) in &self.rows {
            let Some(service) = steering.model.services.get(id.index()) else { continue };
            if matches!(steering.model.policy(service).mode, Mode::ActivePassive { .. }) {
                let demand = demands.entry(id).or_default();
                *demand = demand.saturating_add(smoothed.mean);
            }
        }
        demands.into_iter().collect()
    }

    /// Demand by class of services that are in one state.
    fn drafts(&self, steering: &Steering) -> Vec<Draft> {
        let mut drafts: BTreeMap<(Kin, ClassId), Draft> = BTreeMap::new();
        for (&(id, class), smoothed) in &self.rows {
            let Some(service) = steering.model.services.get(id.index()) else { continue };
            let Some(kin) = steering.placements.kin(id) else { continue };
            let draft =
                drafts.entry((kin.clone(), class)).or_insert(Draft { service: id, class, kin, demand: 0, ttl_s: 0 });
            draft.demand = draft.demand.saturating_add(smoothed.mean);
            draft.ttl_s = draft.ttl_s.max(service.ttl.max);
        }
        drafts.into_values().collect()
    }
}

impl Smoothed {
    /// A mean over [`SMOOTHING`], and over all there is until that is over.
    fn learn(&mut self, now: Moment, demand: u64, elapsed: Duration) {
        let window = now.since(self.since).min(SMOOTHING).as_millis().max(1);
        let elapsed = elapsed.as_millis().min(window);
        let mean = (u128::from(self.mean) * (window - elapsed) + u128::from(demand) * elapsed) / window;
        self.mean = u64::try_from(mean).unwrap_or(u64::MAX);
    }
}

fn unit(key: u64, offer: Offer, draft: &Draft) -> Unit {
    let sites = |shares: Vec<(RegionId, u32)>| shares.into_iter().map(|(region, number)| (region.0, number)).collect();
    let (demand, ttl_s) = (draft.demand, draft.ttl_s);
    Unit { key, demand, home: sites(offer.home), choices: sites(offer.choices), ttl_s, spills: offer.spills }
}

/// What a unit is known by from one plan to the next, over reloads and changes of state: its policy, regions with weights,
/// order, and the ranks of its class.
fn unit_key(steering: &Steering, draft: &Draft, seen: &mut BTreeSet<u64>) -> u64 {
    let model = &steering.model;
    let mut text = Vec::new();
    let region = |id: RegionId| model.regions.get(id.index()).map_or("", |region| region.key.as_ref()).as_bytes();
    let set = |text: &mut Vec<u8>, set: u128| {
        let ids = (0..=127).map(RegionId).filter(|id| set >> id.index() & 1 == 1);
        ids.for_each(|id| text.extend([region(id), b"\0"].concat()));
    };
    if let Some(service) = model.services.get(draft.service.index()) {
        text.extend(model.policy(service).key.as_bytes());
        for part in &service.regions {
            text.extend([b"\0", region(part.region), &part.weight.to_be_bytes()].concat());
        }
        service.order.iter().for_each(|&id| text.extend([b"\0", region(id)].concat()));
    }
    text.push(1);
    match steering.atlases.of(draft.service).filter(|_| draft.class != ClassId::UNKNOWN) {
        Some(atlas) => {
            for &tier in &atlas.class(draft.class).tiers {
                set(&mut text, tier);
                text.push(1);
            }
        }
        None => text.push(2),
    }
    let mut key = steering_hash(&[&text]);
    if !seen.insert(key) {
        // Services that decide alike and are not in the same state.
        set(&mut text, draft.kin.usable());
        key = steering_hash(&[&text]);
        while !seen.insert(key) {
            key = key.wrapping_add(1);
        }
    }
    key
}

/// What the plan says of services, where that is something else than before.
fn services(
    steering: &Steering,
    drafts: &[Draft],
    shares: Vec<Vec<(u8, u16)>>,
) -> Vec<(ServiceId, Option<Arc<Planned>>)> {
    let mut rows: BTreeMap<&Kin, Vec<PlannedClass>> = BTreeMap::new();
    for (draft, shares) in drafts.iter().zip(shares).filter(|(_, shares)| !shares.is_empty()) {
        let shares = shares.into_iter().map(|(site, share)| (RegionId(site), share)).collect();
        rows.entry(&draft.kin).or_default().push(PlannedClass { class: draft.class, shares });
    }
    let planned: BTreeMap<&Kin, Option<Arc<Planned>>> =
        rows.into_iter().map(|(kin, rows)| (kin, Planned::new(rows).map(Arc::new))).collect();
    let ids = (0..).map(ServiceId).take(steering.model.services.len());
    let changed = ids.filter_map(|id| {
        let before = steering.placements.plan_of(id)?;
        if planned.is_empty() && before == 0 {
            return None;
        }
        let now = planned.get(&steering.placements.kin(id)?).cloned().flatten();
        (now.as_ref().map_or(0, |planned| planned.id()) != before).then_some((id, now))
    });
    changed.collect()
}
