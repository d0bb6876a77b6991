//! What the plan in force comes to, for people: views for programs and the dashboard, and a word in explanations.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use serde::Serialize;

use crate::answer::explain::{Explanation, RegionLoad, Step};
use crate::base::ids::{RegionId, ServiceId};
use crate::base::moment::Moment;
use crate::geo::{Atlas, ClassId};
use crate::model::Model;
use crate::plan::{SitePlan, Spill};
use crate::policy::Atlases;

use super::hub::Control;
use super::planning::Outlook;

/// What is planned.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PlanView {
    /// When it was planned; `None`: no region has a capacity, or nothing was planned yet.
    pub at: Option<Moment>,
    /// How: `home` (nothing had to move), `optimal` or `waterfall`.
    pub method: &'static str,
    /// The demand it is made for, in answers a second.
    pub demand: f64,
    /// Classes of clients, each of all services that decide alike.
    pub classes: usize,
    /// Demand that is still to move, in answers a second: caches and regions are given time.
    pub pending: f64,
    /// Demand that would have moved already if more were allowed to move within a minute, in answers a second.
    pub limited: f64,
    /// Kilometers that a spilled answer goes further, on average.
    pub extra_km: f64,
    /// Regions, by key.
    pub regions: Vec<PlannedRegion>,
    /// Who goes where, the most first.
    pub spills: Vec<SpillView>,
}

/// What is planned for a region. Loads are in the unit of its feed, or in answers a second without one.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PlannedRegion {
    /// The region.
    pub region: String,
    /// The load its feed says.
    pub fed: Option<f64>,
    /// The load it is taken to have.
    pub load: f64,
    /// The load it will have once caches have followed.
    pub planned: f64,
    /// What it should carry.
    pub target: Option<f64>,
    /// What it can carry.
    pub max: Option<f64>,
    /// What it may be filled to now: its target, or more where nobody else has room.
    pub level: Option<f64>,
    /// Answers a second of its own clients, whoever answers them.
    pub home: f64,
    /// The part of its own clients that go elsewhere, 0 to 1.
    pub shed: f64,
    /// Answers a second of clients of others.
    pub received: f64,
    /// Its shares are held as they are: its feed is overdue.
    pub held: bool,
}

/// Clients of one region that go to another.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SpillView {
    /// Whose they are.
    pub from: String,
    /// Where they go.
    pub to: String,
    /// Answers a second.
    pub demand: f64,
    /// The part of all clients of `from`, 0 to 1.
    pub part: f64,
}

/// Who asks for what.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DemandView {
    /// When; `None`: no region has a capacity, so nothing is counted, or nothing was yet.
    pub at: Option<Moment>,
    /// By service and class of clients.
    pub rows: Vec<DemandRow>,
}

/// What one class of clients asks of one service.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DemandRow {
    /// The service that decides.
    pub service: String,
    /// A network of the class; `None`: clients that nobody can locate.
    pub network: Option<String>,
    /// Answers a second.
    pub demand: f64,
}

impl DemandView {
    /// Who asks for what, by classes of these atlases, which may take a pass over all their ranges.
    #[must_use]
    pub fn new(outlook: Option<&Outlook>, model: &Model, atlases: &Atlases) -> Self {
        let Some(outlook) = outlook else { return Self { at: None, rows: Vec::new() } };
        // Services that rank alike have one atlas.
        let mut examples: HashMap<*const Atlas, Vec<Option<(IpAddr, u8)>>> = HashMap::new();
        let row = |&(service, class, demand): &(ServiceId, ClassId, u64)| {
            let network = atlases.of(service).filter(|_| class != ClassId::UNKNOWN).and_then(|atlas| {
                let examples = examples.entry(Arc::as_ptr(atlas)).or_insert_with(|| atlas.examples());
                examples.get(class.0 as usize).copied().flatten()
            });
            let service = model.services.get(service.index())?.key.to_string();
            let network = network.map(|(address, length)| format!("{address}/{length}"));
            Some(DemandRow { service, network, demand: number(demand) })
        };
        Self { at: Some(outlook.at), rows: outlook.asked.iter().filter_map(row).collect() }
    }
}

impl Control {
    /// What is planned, for programs.
    #[must_use]
    pub fn plan_view(&self) -> PlanView {
        let Some(outlook) = self.outlook() else {
            let (at, method, regions, spills) = (None, "home", Vec::new(), Vec::new());
            return PlanView {
                at,
                method,
                demand: 0.0,
                classes: 0,
                pending: 0.0,
                limited: 0.0,
                extra_km: 0.0,
                regions,
                spills,
            };
        };
        let plan = &outlook.plan;
        let spilled: u64 = plan.spills.iter().map(|spill| spill.demand).sum();
        let mut spills: Vec<SpillView> = plan.spills.iter().map(|spill| self.spill_view(outlook, spill)).collect();
        spills.sort_by(|a, b| b.demand.total_cmp(&a.demand).then_with(|| (&a.from, &a.to).cmp(&(&b.from, &b.to))));
        let ids = (0..=u8::MAX).map(RegionId);
        PlanView {
            at: Some(outlook.at),
            method: plan.method.as_str(),
            demand: number(outlook.demand),
            classes: outlook.units,
            pending: number(plan.pending),
            limited: number(plan.limited),
            extra_km: if spilled == 0 { 0.0 } else { plan.extra_cost as f64 / number(spilled) },
            regions: ids.zip(&plan.sites).map(|(id, site)| planned(self.region_key(id), site)).collect(),
            spills,
        }
    }

    fn spill_view(&self, outlook: &Outlook, spill: &Spill) -> SpillView {
        let home = outlook.plan.sites.get(usize::from(spill.from)).map_or(0, |site| site.home);
        SpillView {
            from: self.region_key(RegionId(spill.from)),
            to: self.region_key(RegionId(spill.to)),
            demand: number(spill.demand),
            part: part(spill.demand, home),
        }
    }

    /// Adds to an explanation what its regions carry, and where clients go that are too many.
    ///
    /// `supposed`: loads that are not theirs, by key.
    pub fn explain_loads(&self, explanation: &mut Explanation, now: Moment, supposed: &[(String, f64)]) {
        for step in &mut explanation.steps {
            for view in &mut step.regions {
                let Some(region) = self.model.region_by_key(&view.region) else { continue };
                view.load = self.carried(region, now);
                if let Some(&(_, current)) = supposed.iter().find(|(key, _)| *key == view.region) {
                    let (target, max) = self.capacity_of(region, now).unzip();
                    view.load = Some(RegionLoad { current, target: target.map(number), max: max.map(number) });
                }
            }
            step.spill = self.outlook().and_then(|_| spill_text(step));
        }
    }

    /// What a region carries: as it is told, or as the plan in force takes it to be; `None`: nobody knows.
    #[must_use]
    pub fn carried(&self, region: RegionId, now: Moment) -> Option<RegionLoad> {
        let site = self.outlook().and_then(|outlook| outlook.plan.sites.get(region.index()));
        let told = self.load_view(region, now);
        let planned = site.filter(|site| site.capacity.is_some()).map(|site| number(site.load));
        let current = told.current.or(planned)?;
        Some(RegionLoad { current, target: told.target, max: told.max })
    }
}

/// `fra is at 96 % of max: 38 % of clients like this one go to ams`; nothing where nobody is sent elsewhere.
fn spill_text(step: &Step) -> Option<String> {
    let eligible = |tier: usize| tier > 0;
    let home = step.regions.iter().filter(|view| view.state == "eligible" && eligible(view.tier)).map(|view| view.tier);
    let home = home.min()?;
    let elsewhere: Vec<String> = step
        .regions
        .iter()
        .filter(|view| view.tier != home)
        .filter_map(|view| view.share.filter(|&share| share > 0.0).map(|share| (share, &view.region)))
        .map(|(share, region)| format!("{:.0} % of clients like this one go to {region}", share * 100.0))
        .collect();
    let full = step.regions.iter().filter(|view| view.tier == home).filter_map(|view| {
        let RegionLoad { current, max, .. } = view.load?;
        Some(format!("{} is at {:.0} % of max", view.region, current * 100.0 / max.filter(|&max| max > 0.0)?))
    });
    let full: Vec<String> = full.collect();
    (!elsewhere.is_empty() && !full.is_empty()).then(|| format!("{}: {}", full.join(", "), elsewhere.join(", ")))
}

fn planned(region: String, site: &SitePlan) -> PlannedRegion {
    PlannedRegion {
        region,
        fed: site.fed.map(number),
        load: number(site.load),
        planned: number(site.planned),
        target: site.capacity.map(|capacity| number(capacity.target)),
        max: site.capacity.map(|capacity| number(capacity.max)),
        level: site.level.map(number),
        home: number(site.home),
        shed: part(site.shed, site.home),
        received: number(site.received),
        held: site.held,
    }
}

/// Of thousandths.
fn number(thousandths: u64) -> f64 {
    thousandths as f64 / 1_000.0
}

/// To four digits.
fn part(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { (part as f64 / whole as f64 * 10_000.0).round() / 10_000.0 }
}
