//! The prober: what the rest of the house sees of the probes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::health::Observation;

use super::execute::Execution;
use super::lag::Lag;
use super::outcome::Target;
use super::schedule::{self, Execute, Shared, Slot};
use super::stats::ProbeStats;
use super::tls::Roots;

/// Receives every outcome, judges it, and says when the next probe of that target starts, counted from the scheduled
/// start of this one; less than [`crate::base::limits::PROBE_INTERVAL_MIN_MS`] counts as that. The next probe waits for it: there
/// is one outcome of a target in flight, and none is dropped. A call that has begun when its target is removed is
/// cut off at its next `await`.
pub trait Judge: Send + Sync + 'static {
    /// Judges the outcome of a probe of the target with this id.
    fn judge(&self, target: u64, outcome: Observation) -> impl Future<Output = Duration> + Send;
}

/// What a prober needs to know.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Probes at work at one time; more wait, and their wait counts as lateness.
    pub max_concurrent: usize,
    /// What starts are spread by.
    pub seed: u64,
    /// The authorities whose certificates are good.
    pub roots: Roots,
}

/// Probes a set of targets until it is dropped.
#[derive(Debug)]
pub struct Prober {
    known: Mutex<HashMap<u64, Arc<Slot>>>,
    slots: watch::Sender<Arc<[Arc<Slot>]>>,
    stats: Arc<ProbeStats>,
    /// Dropped with the prober, which ends them and everything they started.
    tasks: JoinSet<()>,
}

impl Prober {
    /// Starts on the current tokio runtime, which needs I/O and time, without targets. The runtime should have no other work: what else keeps
    /// it busy makes probes late.
    pub fn start<J: Judge>(judge: Arc<J>, settings: Settings) -> Self {
        let lag = Arc::new(Lag::new());
        let execution = Execution::new(&settings.roots, Arc::clone(&lag));
        let mut prober = Self::start_with(judge, &settings, execution);
        prober.tasks.spawn(async move { lag.watch().await });
        prober
    }

    /// The same with another way to execute a probe.
    pub(super) fn start_with<J: Judge, E: Execute>(judge: Arc<J>, settings: &Settings, execute: E) -> Self {
        let (slots, receiver) = watch::channel(Arc::from(Vec::new()));
        let stats = Arc::new(ProbeStats::default());
        let shared = Shared::new(judge, execute, Arc::clone(&stats), settings.max_concurrent);
        let mut tasks = JoinSet::new();
        tasks.spawn(schedule::run(Arc::new(shared), receiver, settings.seed));
        Self { known: Mutex::default(), slots, stats, tasks }
    }

    /// Replaces the set of targets; of two with one id the later counts.
    ///
    /// New ones start spread over their interval; those of the very first set at once, over
    /// [`crate::base::limits::PROBE_FIRST_SPREAD_MS`] at most. Removed ones stop at once: a probe of theirs that is at work is
    /// aborted and never judged. Those that are the same (id, kind, interval, timeout and address) are not disturbed.
    pub fn set_targets(&self, targets: Vec<Target>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next: HashMap<u64, Arc<Slot>> = HashMap::with_capacity(targets.len());
        let mut order = Vec::with_capacity(targets.len());
        for target in targets {
            let id = target.id;
            let slot = match known.get(&id) {
                Some(slot) if slot.target.is_same(&target) => Arc::clone(slot),
                _ => {
                    let check = self.stats.of_check(&target.check.key);
                    Arc::new(Slot::new(target, check))
                }
            };
            if next.insert(id, slot).is_none() {
                order.push(id);
            }
        }
        for (id, slot) in known.iter() {
            if !next.get(id).is_some_and(|kept| Arc::ptr_eq(kept, slot)) {
                // Marked here and not by the schedule, so that no outcome of it is judged after this returns.
                slot.retire();
            }
        }
        self.slots.send_replace(order.iter().filter_map(|id| next.get(id).cloned()).collect());
        *known = next;
        self.stats.keep_checks(&known.values().map(|slot| &*slot.target.check.key).collect());
    }

    /// What the probes did since the start.
    #[must_use]
    pub fn stats(&self) -> Arc<ProbeStats> {
        Arc::clone(&self.stats)
    }
}
