//! A plan comes into force: shares of services, and what is told of it.
//!
//! ```text
//! region                                                    event
//! clients of its own go elsewhere, first time               spill_begun
//! none has gone elsewhere for a minute                      spill_ended
//! is to be filled above its target: nobody can take it      spill_full, once until it is over
//! its load is not what its clients explain, first time      feed_doubted
//! none of its loads was doubted for a minute                feed_believed
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::base::ids::RegionId;
use crate::base::moment::Moment;
use crate::plan::{Memory, SitePlan};
use crate::policy::{Atlases, Counterparts};
use crate::table::Plans;

use super::event::{Effects, Event, EventKind};
use super::hub::Control;
use super::moves::millionths;
use super::planning::{Outlook, PlanChange};
use super::step::Step;

/// A spill, or a doubt, that comes back within this has not ended.
const PAUSE: Duration = Duration::from_secs(60);
/// A region sheds something if it is at least this part of its own demand: less is rounding.
const SHED_PART: u64 = 500;

/// The plan in force, and what was told of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Spilling {
    outlook: Option<Arc<Outlook>>,
    /// What the planner knows, or an earlier process knew.
    memory: Option<Arc<Memory>>,
    /// By the region's key: what goes on.
    regions: BTreeMap<Arc<str>, Course>,
    /// By the region's key: when its load was doubted last.
    doubts: BTreeMap<Arc<str>, Moment>,
}

/// What goes on about one region.
#[derive(Clone, Copy, Debug)]
struct Course {
    /// When it shed last.
    last: Moment,
    /// It is to be filled above its target.
    is_full: bool,
}

impl Control {
    /// A plan comes into force. One for another model than the one in force is ignored: the next one is on its way.
    pub fn adopt_plan(&mut self, now: Moment, change: PlanChange) -> Effects {
        let mut step = Step::new(now);
        if !self.has_begun || !Arc::ptr_eq(&change.model, &self.model) {
            return step.finish();
        }
        for (service, planned) in change.services {
            if self.states.plans.set(service, planned) {
                step.changed.push(service);
                step.changed.extend(self.wiring.followers(service));
            }
        }
        self.tell_spills(&change.outlook, &mut step);
        self.tell_doubts(&change.outlook, &mut step);
        if change.outlook.plan.limited > 0 {
            let part = millionths(change.outlook.plan.limited, change.outlook.demand).div_ceil(10_000);
            let most = self.settings.move_max.div_ceil(10);
            let told = || {
                format!(
                    "the plan would move {part} % more of all clients, and at most {most} % may move within a minute"
                )
            };
            self.tell_limited(told, &mut step);
        }
        self.spilling.memory = Some(change.memory);
        self.spilling.outlook = Some(change.outlook);
        step.finish()
    }

    /// What the plan in force comes to; `None` before the first, and from another model on until its first.
    #[must_use]
    pub const fn outlook(&self) -> Option<&Arc<Outlook>> {
        self.spilling.outlook.as_ref()
    }

    /// What a planner knows after a restart; `None`: nothing.
    #[must_use]
    pub const fn plan_memory(&self) -> Option<&Arc<Memory>> {
        self.spilling.memory.as_ref()
    }

    /// What the planner of an earlier process knew.
    pub(super) fn remember_plan(&mut self, memory: &Memory) {
        self.spilling.memory = Some(Arc::new(memory.clone()));
    }

    /// Services or classes of clients will be others: what is planned is forgotten, and planned anew.
    pub fn forget_plan(&mut self) {
        self.spilling.outlook = None;
        self.states.plans = Plans::default();
    }

    /// Classes of clients have other numbers in these atlases: what is planned goes on for the clients it was planned for.
    pub fn renumber_plan(&mut self, atlases: &Atlases, counterparts: &Counterparts) {
        self.states.plans.renumber(|id| counterparts.of(atlases.number_of(id)?));
    }

    fn tell_spills(&mut self, outlook: &Outlook, step: &mut Step) {
        let mut courses = std::mem::take(&mut self.spilling.regions);
        for (id, site) in (0..=u8::MAX).map(RegionId).zip(&outlook.plan.sites) {
            let Some(region) = self.model.regions.get(id.index()) else { continue };
            let key = Arc::clone(&region.key);
            let (sheds, is_full) = (site.shed > 0 && site.shed >= site.home / SHED_PART, is_full(site));
            let known = courses.get(&key).copied();
            if known.is_none() && sheds {
                step.save = true;
                step.tell(about(step.now, EventKind::SpillBegun, &key, self.where_to(id, outlook)));
            }
            if is_full && !known.is_some_and(|course| course.is_full) {
                step.tell(about(step.now, EventKind::SpillFull, &key, filled(site)));
            }
            if sheds || is_full {
                let last = if sheds { step.now } else { known.map_or(step.now, |course| course.last) };
                courses.insert(key, Course { last, is_full });
            } else if let Some(course) = courses.get_mut(&key) {
                course.is_full = false;
            }
        }
        courses.retain(|key, course| {
            let is_over = !course.is_full && step.now.since(course.last) >= PAUSE;
            if is_over {
                step.save = true;
                step.tell(about(step.now, EventKind::SpillEnded, key, String::new()));
            }
            !is_over
        });
        self.spilling.regions = courses;
    }

    fn tell_doubts(&mut self, outlook: &Outlook, step: &mut Step) {
        let regions = self.model.regions.iter().zip(&outlook.plan.sites);
        for (region, site) in regions.filter(|(_, site)| site.doubted) {
            if self.spilling.doubts.insert(Arc::clone(&region.key), step.now).is_none() {
                let fed = site.fed.map_or_else(String::new, |fed| format!("it says {}, ", whole(fed)));
                let cause = format!("{fed}about {} would be expected", whole(site.load));
                step.tell(about(step.now, EventKind::FeedDoubted, &region.key, cause));
            }
        }
        self.spilling.doubts.retain(|key, last| {
            let is_over = step.now.since(*last) >= PAUSE;
            if is_over {
                step.tell(about(step.now, EventKind::FeedBelieved, key, String::new()));
            }
            !is_over
        });
    }

    /// `96 % of max; 38 % of its clients go to ams, 2 % to lon`.
    fn where_to(&self, from: RegionId, outlook: &Outlook) -> String {
        let Some(site) = outlook.plan.sites.get(from.index()) else { return String::new() };
        let mut to: Vec<(u64, String)> = outlook
            .plan
            .spills
            .iter()
            .filter(|spill| spill.from == from.0)
            .map(|spill| (spill.demand, self.region_key(RegionId(spill.to))))
            .collect();
        to.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        let parts: Vec<String> =
            to.into_iter().map(|(demand, key)| format!("{} % to {key}", percent(demand, site.home))).collect();
        match parts.is_empty() {
            true => filled(site),
            false => format!("{}; of its own clients go {}", filled(site), parts.join(", ")),
        }
    }
}

/// It is filled above its target: there is no room for what it has too much.
fn is_full(site: &SitePlan) -> bool {
    match (site.capacity, site.level) {
        (Some(capacity), Some(level)) => level > capacity.target && site.planned > capacity.target,
        (_, None) | (None, _) => false,
    }
}

/// `96 % of max`.
fn filled(site: &SitePlan) -> String {
    let load = site.fed.unwrap_or(site.load);
    site.capacity.map_or_else(String::new, |capacity| format!("{} % of max", percent(load, capacity.max)))
}

/// Thousandths in whole numbers.
const fn whole(thousandths: u64) -> u64 {
    (thousandths + 500) / 1_000
}

/// A part in whole percent.
fn percent(part: u64, whole: u64) -> u64 {
    let percent = (u128::from(part) * 100 + u128::from(whole) / 2) / u128::from(whole.max(1));
    u64::try_from(percent).unwrap_or(u64::MAX)
}

fn about(at: Moment, kind: EventKind, region: &Arc<str>, cause: String) -> Event {
    let mut event = Event::new(at, kind, cause);
    event.region = Some(region.to_string());
    event
}
