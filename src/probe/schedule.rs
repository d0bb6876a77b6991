//! When which probe starts: one task, one heap of due times, one task for each probe at work.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit, watch};
use tokio::task::{self, AbortHandle, JoinError, JoinSet};
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::base::limits;
use crate::health::Observation;
use crate::model::CheckKind;

use super::outcome::{Miss, Progress, Target};
use super::prober::Judge;
use super::stats::{CheckStats, ProbeStats};

/// How a probe is executed; never longer than its check's timeout.
pub(super) trait Execute: Send + Sync + 'static {
    fn execute(&self, target: &Target) -> impl Future<Output = Observation> + Send;
}

/// A target for as long as it is probed; one that changed has another slot.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) target: Target,
    check: Arc<CheckStats>,
    is_retired: AtomicBool,
}

impl Slot {
    pub(super) fn new(target: Target, check: Arc<CheckStats>) -> Self {
        Self { target, check, is_retired: AtomicBool::new(false) }
    }

    /// From here on no outcome of it is judged.
    pub(super) fn retire(&self) {
        self.is_retired.store(true, Ordering::Release);
    }

    fn is_retired(&self) -> bool {
        self.is_retired.load(Ordering::Acquire)
    }
}

/// Schedules the probes of `slots` for as long as there can be new ones.
pub(super) async fn run<J: Judge, E: Execute>(
    shared: Arc<Shared<J, E>>,
    slots: watch::Receiver<Arc<[Arc<Slot>]>>,
    seed: u64,
) {
    let mut schedule = Schedule {
        shared,
        slots,
        seed,
        is_first: true,
        entries: HashMap::new(),
        queue: BinaryHeap::new(),
        pushed: 0,
        tasks: JoinSet::new(),
        running: HashMap::new(),
        busy: HashMap::new(),
    };
    let mut sleep = pin!(sleep_until(Instant::now()));
    loop {
        let due = schedule.queue.peek().map(|Reverse(due)| due.at);
        if let Some(due) = due
            && sleep.deadline() != due
        {
            sleep.as_mut().reset(due);
        }
        tokio::select! {
            biased;
            changed = schedule.slots.changed() => match changed {
                Ok(()) => schedule.replace(),
                Err(_) => return,
            },
            () = sleep.as_mut(), if due.is_some() => schedule.start_due(),
            Some(ended) = schedule.tasks.join_next_with_id() => schedule.finish(ended),
        }
    }
}

/// The next start of a target.
#[derive(Debug)]
struct Due {
    at: Instant,
    /// Of equal times the one noted first is the first.
    order: u64,
    slot: Arc<Slot>,
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Due {}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

/// A target that is to be probed.
struct Entry {
    slot: Arc<Slot>,
    /// It was due then, while a probe of the target it replaced was not wholly gone.
    waits_since: Option<Instant>,
    /// Its place in the interval, until it has taken it: the first round was over sooner.
    place: Option<Instant>,
}

/// A probe at work.
struct Running {
    slot: Arc<Slot>,
    scheduled: Instant,
}

struct Schedule<J, E> {
    shared: Arc<Shared<J, E>>,
    slots: watch::Receiver<Arc<[Arc<Slot>]>>,
    seed: u64,
    is_first: bool,
    /// By the targets' ids.
    entries: HashMap<u64, Entry>,
    /// At most one for each entry: none while its probe is at work.
    queue: BinaryHeap<Reverse<Due>>,
    pushed: u64,
    tasks: JoinSet<Option<Instant>>,
    running: HashMap<task::Id, Running>,
    /// The tasks at work by the targets' ids, also of targets that are gone.
    busy: HashMap<u64, AbortHandle>,
}

impl<J: Judge, E: Execute> Schedule<J, E> {
    /// Takes over the newest set of targets.
    fn replace(&mut self) {
        let slots = Arc::clone(&self.slots.borrow_and_update());
        let mut before = std::mem::take(&mut self.entries);
        let mut fresh = Vec::new();
        for slot in slots.iter() {
            let kept = before.remove(&slot.target.id).filter(|entry| Arc::ptr_eq(&entry.slot, slot));
            let entry = kept.unwrap_or_else(|| {
                fresh.push(Arc::clone(slot));
                Entry { slot: Arc::clone(slot), waits_since: None, place: None }
            });
            self.entries.insert(slot.target.id, entry);
        }
        self.queue.retain(|Reverse(due)| !due.slot.is_retired());
        for running in self.running.values().filter(|running| running.slot.is_retired()) {
            if let Some(task) = self.busy.get(&running.slot.target.id) {
                task.abort();
            }
        }
        self.spread(fresh);
    }

    /// Notes the first starts of new targets, evenly over their intervals, each at random within its part. Those of the
    /// very first round come sooner; if they are many, they take their places in the interval after it.
    fn spread(&mut self, fresh: Vec<Arc<Slot>>) {
        let now = Instant::now();
        let count = fresh.len();
        // The very first outcomes are waited for: a few start at once, many within a second.
        let most = if self.is_first {
            let each = Duration::from_millis(u64::try_from(count).unwrap_or(u64::MAX));
            each.min(Duration::from_millis(limits::PROBE_FIRST_SPREAD_MS))
        } else {
            Duration::MAX
        };
        self.is_first &= fresh.is_empty();
        for (index, slot) in fresh.into_iter().enumerate() {
            let interval = slot.target.check.interval;
            let part = (index as f64 + fraction(self.seed ^ slot.target.id)) / count as f64;
            if most < interval
                && count > limits::PROBE_BURST_MAX
                && let Some(entry) = self.entries.get_mut(&slot.target.id)
            {
                entry.place = Some(now + interval.mul_f64(part));
            }
            self.push(slot, now + interval.min(most).mul_f64(part));
        }
    }

    fn push(&mut self, slot: Arc<Slot>, at: Instant) {
        self.pushed += 1;
        self.queue.push(Reverse(Due { at, order: self.pushed, slot }));
    }

    /// Starts what is due.
    fn start_due(&mut self) {
        let now = Instant::now();
        while self.queue.peek().is_some_and(|Reverse(due)| due.at <= now) {
            let Some(Reverse(Due { at, slot, .. })) = self.queue.pop() else { return };
            if slot.is_retired() {
                continue;
            }
            match self.entries.get_mut(&slot.target.id) {
                Some(entry) if self.busy.contains_key(&slot.target.id) => entry.waits_since = Some(at),
                _ => self.start(slot, at),
            }
        }
    }

    fn start(&mut self, slot: Arc<Slot>, scheduled: Instant) {
        let id = slot.target.id;
        let task = self.tasks.spawn(probe(Arc::clone(&self.shared), Arc::clone(&slot), scheduled));
        self.running.insert(task.id(), Running { slot, scheduled });
        self.busy.insert(id, task);
    }

    /// Notes the next start of a target whose probe has ended.
    fn finish(&mut self, ended: Result<(task::Id, Option<Instant>), JoinError>) {
        let (task, next) = match ended {
            Ok((task, next)) => (task, next),
            Err(error) => (error.id(), None),
        };
        let Some(Running { slot, scheduled }) = self.running.remove(&task) else { return };
        let id = slot.target.id;
        self.busy.remove(&id);
        if !slot.is_retired() {
            // Without a next start the probe or its judge has panicked: the target is probed on all the same.
            let interval = slot.target.check.interval;
            let mut next = next.unwrap_or_else(|| Instant::now().max(scheduled + interval));
            // Whoever is failing has other things to do than to find its place.
            if let Some(place) = self.entries.get_mut(&id).and_then(|entry| entry.place.take())
                && next >= scheduled + interval
            {
                next = if place > Instant::now() { place } else { next.max(place + interval) };
            }
            self.push(slot, next);
        } else if let Some(entry) = self.entries.get_mut(&id)
            && let Some(since) = entry.waits_since.take()
        {
            let slot = Arc::clone(&entry.slot);
            self.start(slot, since);
        }
    }
}

/// What all probes share.
pub(super) struct Shared<J, E> {
    judge: Arc<J>,
    execute: E,
    stats: Arc<ProbeStats>,
    permits: Semaphore,
    program_permits: Semaphore,
}

impl<J: Judge, E: Execute> Shared<J, E> {
    pub(super) fn new(judge: Arc<J>, execute: E, stats: Arc<ProbeStats>, max_concurrent: usize) -> Self {
        let permits = Semaphore::new(max_concurrent.clamp(1, Semaphore::MAX_PERMITS));
        Self { judge, execute, stats, permits, program_permits: Semaphore::new(limits::PROBE_PROGRAMS_MAX) }
    }

    /// The right to work; `None` if there was none until `deadline`.
    async fn permit(&self, kind: &CheckKind, deadline: Instant) -> Option<Permit<'_>> {
        // The scarcer one first: who waits for it must not hold the other.
        let program = if matches!(kind, CheckKind::Exec { .. }) {
            Some(acquire(&self.program_permits, deadline).await?)
        } else {
            None
        };
        Some(Permit { _program: program, _probe: acquire(&self.permits, deadline).await? })
    }
}

struct Permit<'a> {
    _program: Option<SemaphorePermit<'a>>,
    _probe: SemaphorePermit<'a>,
}

async fn acquire(permits: &Semaphore, deadline: Instant) -> Option<SemaphorePermit<'_>> {
    // Almost always there is one, and then no timer is needed.
    match permits.try_acquire() {
        Ok(permit) => Some(permit),
        Err(_) => timeout_at(deadline, permits.acquire()).await.ok()?.ok(),
    }
}

/// One probe from its permit to its judgment; the time of the next one, `None` if there is none.
async fn probe<J: Judge, E: Execute>(
    shared: Arc<Shared<J, E>>,
    slot: Arc<Slot>,
    scheduled: Instant,
) -> Option<Instant> {
    let target = &slot.target;
    let permit = shared.permit(&target.check.kind, scheduled + target.check.timeout).await;
    shared.stats.late_by(scheduled.elapsed());
    let outcome = if permit.is_some() {
        let _in_flight = shared.stats.begin();
        shared.execute.execute(target).await
    } else {
        shared.stats.starved.fetch_add(1, Ordering::Relaxed);
        Progress::start().end(Err(Miss::inconclusive("too many probes at work")))
    };
    drop(permit);
    if slot.is_retired() {
        return None;
    }
    shared.stats.ended(outcome.verdict);
    slot.check.count(&outcome);
    let cadence = shared.judge.judge(target.id, outcome).await;
    let cadence = cadence.max(Duration::from_millis(limits::PROBE_INTERVAL_MIN_MS));
    Some(Instant::now().max(scheduled + cadence))
}

/// A number from 0 to 1 that follows from `seed` (the finisher of `SplitMix64`).
fn fraction(seed: u64) -> f64 {
    let mut z = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    (z ^ (z >> 31)) as f64 / u64::MAX as f64
}
