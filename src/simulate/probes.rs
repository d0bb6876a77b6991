//! What health checks find: probes of a region that is lost get no answer, and control hears of it as it would in truth.
//!
//! A target that has always passed need not be asked again. From the first loss of one of its regions on it is probed at its
//! own cadence, at a second of its own; a probe without an answer ends with its timeout.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use crate::base::hash::steering_hash;
use crate::base::ids::RegionId;
use crate::base::moment::Moment;
use crate::control::ProbeTarget;
use crate::health::{Observation, Phases, Verdict};
use crate::model::{Checked, Model, RegionCheck};

/// All targets, and when they are probed.
#[derive(Clone, Debug, Default)]
pub(super) struct Probes {
    /// By number: what is known of it.
    targets: BTreeMap<u64, Target>,
    /// What ends when, in order.
    agenda: BTreeSet<(Moment, u64)>,
}

#[derive(Clone, Debug)]
struct Target {
    /// The regions that it is in; none: one of the guard's references.
    regions: Vec<RegionId>,
    interval: Duration,
    timeout: Duration,
    /// It fails from the beginning to the end.
    is_failing: bool,
    /// The probe that is on its way fails.
    fails: bool,
    /// It is on the agenda.
    is_watched: bool,
}

impl Probes {
    /// The targets of a model. `failing`: keys of those that fail, whatever happens.
    pub(super) fn new(targets: &[ProbeTarget], model: &Model, failing: &BTreeSet<String>) -> Self {
        let regions = regions(model);
        let target = |target: &ProbeTarget| Target {
            regions: regions.get(&target.address).cloned().unwrap_or_default(),
            interval: target.check.interval,
            timeout: target.check.timeout,
            is_failing: failing.contains(&*target.key),
            fails: false,
            is_watched: false,
        };
        let targets = targets.iter().map(|found| (found.id, target(found))).collect();
        Self { targets, agenda: BTreeSet::new() }
    }

    /// The first outcome of every target.
    pub(super) fn first(&self) -> Vec<(u64, Observation)> {
        self.targets.iter().map(|(&id, target)| (id, observation(target.is_failing))).collect()
    }

    /// A region is lost or back: its targets are watched from here on.
    pub(super) fn watch(&mut self, now: Moment, region: RegionId) {
        for (&id, target) in &mut self.targets {
            if (target.regions.contains(&region) || target.regions.is_empty()) && !target.is_watched {
                target.is_watched = true;
                let interval_ms = u64::try_from(target.interval.as_millis()).unwrap_or(u64::MAX).max(1);
                let phase = steering_hash(&[&id.to_be_bytes()]) % interval_ms;
                self.agenda.insert((now.after(Duration::from_millis(phase)), id));
            }
        }
    }

    /// The probe that ends next, if it does before or at this moment: when, which, and what it says.
    pub(super) fn next(&mut self, until: Moment, lost: &[bool]) -> Option<(Moment, u64, Observation)> {
        loop {
            let &(at, id) = self.agenda.first().filter(|(at, _)| *at <= until)?;
            self.agenda.pop_first();
            let target = self.targets.get_mut(&id)?;
            if std::mem::take(&mut target.fails) {
                return Some((at, id, observation(true)));
            }
            let is_lost = |region: &RegionId| lost.get(region.index()).copied().unwrap_or(false);
            if target.is_failing || target.regions.iter().any(is_lost) {
                target.fails = true;
                self.agenda.insert((at.after(target.timeout), id));
                continue;
            }
            return Some((at, id, observation(false)));
        }
    }

    /// After an outcome: when it is probed again.
    pub(super) fn again(&mut self, at: Moment, id: u64, cadence: Duration) {
        self.agenda.insert((at.after(cadence.max(Duration::from_millis(1))), id));
    }
}

/// The regions of which each address is checked.
fn regions(model: &Model) -> BTreeMap<IpAddr, Vec<RegionId>> {
    let mut regions: BTreeMap<IpAddr, Vec<RegionId>> = BTreeMap::new();
    for (id, region) in (0..).map(RegionId).zip(&model.regions) {
        if let RegionCheck::Address(_, address) = region.check {
            regions.entry(address).or_default().push(id);
        }
    }
    for endpoint in &model.endpoints {
        if let Checked::Address(address) = endpoint.checked {
            let of = regions.entry(address).or_default();
            if !of.contains(&endpoint.region) {
                of.push(endpoint.region);
            }
        }
    }
    regions
}

fn observation(fails: bool) -> Observation {
    let (verdict, reason) = if fails { (Verdict::Fail, "simulated: no answer") } else { (Verdict::Pass, "simulated") };
    Observation { verdict, reason: reason.into(), warning: None, phases: Phases::default(), fed: Vec::new() }
}
