//! What is probed: each health check of each address once, whoever needs it, and the machine of each.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::base::diagnostic::Location;
use crate::base::ids::{EndpointId, RegionId};
use crate::base::limits::{REFERENCE_INTERVAL_MS, REFERENCE_TIMEOUT_MS};
use crate::base::moment::Moment;
use crate::config;
use crate::health::{Machine, Observation, Rule, Verdict};
use crate::model::{Check, CheckKind, Feed, Pick, Place};

use super::loads::Source;

/// One thing to probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeTarget {
    /// Its number: the same for the same key as long as the process lives.
    pub id: u64,
    /// `check@address`.
    pub key: Arc<str>,
    /// How it is probed.
    pub check: Arc<Check>,
    /// Where.
    pub address: IpAddr,
    /// Numbers that load feeds want from the answer.
    pub wants: Arc<[Place]>,
}

/// All targets of a model, and the numbers of those that ever were.
#[derive(Clone, Debug, Default)]
pub(super) struct Targets {
    numbers: BTreeMap<Arc<str>, u32>,
    slots: Vec<Option<Target>>,
    /// Targets without any outcome.
    unheard: usize,
}

/// A target and who needs it.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) key: Arc<str>,
    pub(super) check: Arc<Check>,
    pub(super) address: IpAddr,
    pub(super) rule: Rule,
    pub(super) machine: Machine,
    pub(super) last: Option<(Moment, Observation)>,
    /// How long its server works on an answer, over the last few.
    pub(super) server: Option<Duration>,
    /// Inconclusive outcomes in a row.
    pub(super) inconclusive: u32,
    /// The endpoints that need it; not those of `regions`.
    pub(super) endpoints: Vec<EndpointId>,
    /// The regions whose own check it is.
    pub(super) regions: Vec<RegionId>,
    /// Its number among the guard's references.
    pub(super) reference: Option<usize>,
    /// Whom its answers feed.
    pub(super) feeds: Vec<(Source, Arc<Feed>)>,
    /// What these want of it.
    pub(super) wants: Arc<[Place]>,
}

/// What makes the targets of the next model.
pub(super) struct Retargeting<'t> {
    targets: &'t mut Targets,
    old: Vec<Option<Target>>,
    /// Machines of an earlier process, by key.
    saved: BTreeMap<String, Machine>,
    /// Some target is new or probed otherwise.
    differs: bool,
}

impl Targets {
    /// Starts over for another model; what is still wanted keeps its number and machine.
    pub(super) fn begin(&mut self, saved: BTreeMap<String, Machine>) -> Retargeting<'_> {
        let old = std::mem::take(&mut self.slots);
        Retargeting { targets: self, old, saved, differs: false }
    }

    pub(super) fn get(&self, number: u32) -> Option<&Target> {
        self.slots.get(number as usize)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, number: u32) -> Option<&mut Target> {
        self.slots.get_mut(number as usize)?.as_mut()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &Target)> {
        (0..).zip(&self.slots).filter_map(|(number, slot)| Some((number, slot.as_ref()?)))
    }

    /// The number of a key, if it is a target now.
    pub(super) fn number(&self, key: &str) -> Option<u32> {
        self.numbers.get(key).copied().filter(|&number| self.get(number).is_some())
    }

    pub(super) const fn is_heard(&self) -> bool {
        self.unheard == 0
    }

    /// Keeps the last outcome of a target; what the one before was.
    pub(super) fn hear(&mut self, number: u32, now: Moment, outcome: &Observation) -> Option<(Moment, Observation)> {
        let target = self.slots.get_mut(number as usize)?.as_mut()?;
        let before = target.last.replace((now, outcome.clone()));
        if outcome.verdict == Verdict::Pass
            && let Some(time) = outcome.phases.server()
        {
            // One slow answer is none of the server's.
            target.server = Some(target.server.map_or(time, |usual| (usual * 3 + time) / 4));
        }
        if before.is_none() {
            self.unheard = self.unheard.saturating_sub(1);
        }
        before
    }
}

impl Retargeting<'_> {
    /// The target of a check and an address.
    pub(super) fn want(&mut self, check: &Arc<Check>, address: IpAddr) -> u32 {
        self.want_key(format!("{}@{address}", check.key), check, address)
    }

    /// The guard's reference target of this number.
    pub(super) fn want_reference(&mut self, number: usize, reference: config::Target) {
        let config::Target::Tcp(socket) = reference;
        let check = Arc::new(reference_check(socket.port()));
        let wanted = self.want_key(format!("{}@{socket}", check.key), &check, socket.ip());
        if let Some(target) = self.targets.get_mut(wanted) {
            target.reference = Some(number);
        }
    }

    pub(super) fn add_endpoint(&mut self, number: u32, endpoint: EndpointId) {
        if let Some(target) = self.targets.get_mut(number)
            && target.endpoints.last() != Some(&endpoint)
        {
            target.endpoints.push(endpoint);
        }
    }

    pub(super) fn add_region(&mut self, number: u32, region: RegionId) {
        if let Some(target) = self.targets.get_mut(number) {
            target.regions.push(region);
        }
    }

    pub(super) fn add_feed(&mut self, number: u32, source: Source, feed: &Arc<Feed>) {
        if let Some(target) = self.targets.get_mut(number) {
            target.feeds.push((source, Arc::clone(feed)));
        }
    }

    /// True if other targets are to be probed, or some otherwise.
    pub(super) fn finish(mut self) -> bool {
        for target in self.targets.slots.iter_mut().flatten() {
            let picks = target.feeds.iter().flat_map(|(_, feed)| &feed.picks);
            let wanted: BTreeSet<&Place> = picks.map(|Pick { place, .. }| place).collect();
            if !wanted.iter().copied().eq(target.wants.iter()) {
                target.wants = wanted.into_iter().cloned().collect();
                self.differs = true;
            }
        }
        self.targets.unheard = self.targets.slots.iter().flatten().filter(|target| target.last.is_none()).count();
        // What is left of the old ones is no longer wanted.
        self.differs || self.old.iter().any(Option::is_some)
    }

    fn want_key(&mut self, key: String, check: &Arc<Check>, address: IpAddr) -> u32 {
        let targets = &mut *self.targets;
        let next = u32::try_from(targets.numbers.len()).unwrap_or(u32::MAX);
        let key: Arc<str> = key.into();
        let number = *targets.numbers.entry(Arc::clone(&key)).or_insert(next);
        let index = number as usize;
        if targets.slots.len() <= index {
            targets.slots.resize_with(index + 1, || None);
        }
        let Some(slot) = targets.slots.get_mut(index).filter(|slot| slot.is_none()) else { return number };
        let target = match self.old.get_mut(index).and_then(Option::take) {
            Some(mut target) => {
                if !is_same(&target.check, check) {
                    target.machine.clear_counters();
                    self.differs = true;
                }
                target.endpoints.clear();
                target.regions.clear();
                target.feeds.clear();
                Target { check: Arc::clone(check), rule: Rule::from(check.as_ref()), reference: None, ..target }
            }
            None => {
                self.differs = true;
                Target {
                    check: Arc::clone(check),
                    address,
                    rule: Rule::from(check.as_ref()),
                    machine: self.saved.remove(key.as_ref()).unwrap_or_default(),
                    key,
                    last: None,
                    server: None,
                    inconclusive: 0,
                    endpoints: Vec::new(),
                    regions: Vec::new(),
                    reference: None,
                    feeds: Vec::new(),
                    wants: Arc::default(),
                }
            }
        };
        *slot = Some(target);
        number
    }
}

/// True if two versions of a check probe alike and count alike.
fn is_same(one: &Check, other: &Check) -> bool {
    let numbers = |check: &Check| (check.interval, check.timeout, check.fall, check.rise, check.retry);
    one.kind == other.kind && numbers(one) == numbers(other)
}

/// How a reference target is probed. Every outcome counts by itself, so the thresholds are 1.
fn reference_check(port: u16) -> Check {
    let interval = Duration::from_millis(REFERENCE_INTERVAL_MS);
    Check {
        key: "guard-reference".into(),
        at: Location { path: "".into(), line: 0, column: 0, text: String::new(), mark: 0..0 },
        kind: CheckKind::Tcp { port, send: String::new(), expect: String::new() },
        interval,
        timeout: Duration::from_millis(REFERENCE_TIMEOUT_MS),
        fall: 1,
        rise: 1,
        retry: interval,
    }
}
