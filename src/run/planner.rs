//! Capacity is planned each second, and at once when something has happened: on a thread of low priority, from what control
//! and the lanes say, and what comes of it goes to the publisher.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use tokio::sync::{Semaphore, oneshot, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use crate::base::ids::RegionId;
use crate::base::limits::{PLAN_GAP_MS, PLAN_INTERVAL_MS};
use crate::base::moment::Moment;
use crate::control::{CapacityPlanner, Conditions, Control, Demand, Outlook, PlanChange};
use crate::plan::Memory;
use crate::run::priority::{BACKGROUND_NICENESS, give_way};
use crate::run::publisher::Event;
use crate::run::sweep::Sweep;
use crate::serve::Stop;
use crate::snapshot::{Snapshot, Steering};

/// What the planner is asked. Who wants to know what would be waits for his turn: plans that count wait for one of these at
/// the most.
#[derive(Clone)]
pub(super) struct Planner {
    jobs: Sender<Job>,
    turn: Arc<Semaphore>,
}

/// What is to be done.
enum Job {
    /// What an earlier process knew.
    Remember { now: Moment, memory: Arc<Memory> },
    /// A plan is to be made.
    Plan {
        now: Moment,
        snapshot: Arc<Snapshot>,
        conditions: Conditions,
        demand: Demand,
        reply: oneshot::Sender<PlanChange>,
    },
    /// Somebody wants to know what a plan would be.
    Foresee { now: Moment, steering: Arc<Steering>, conditions: Conditions, reply: oneshot::Sender<Arc<Outlook>> },
    /// Somebody wants to know what it would be with other loads.
    Suppose {
        now: Moment,
        steering: Arc<Steering>,
        conditions: Conditions,
        loads: Loads,
        reply: oneshot::Sender<PlanChange>,
    },
}

/// Regions and loads in thousandths.
type Loads = Vec<(RegionId, u64)>;

impl Planner {
    /// What would be planned with this steering; `None`: the server ends.
    pub(super) fn foresee(
        &self,
        now: Moment,
        steering: Arc<Steering>,
        conditions: Conditions,
    ) -> Pin<Box<dyn Future<Output = Option<Arc<Outlook>>> + Send>> {
        Box::pin(self.clone().ask(move |reply| Job::Foresee { now, steering, conditions, reply }))
    }

    /// What would be planned in the end with these loads; `None`: the server ends.
    pub(super) fn suppose(
        &self,
        now: Moment,
        steering: Arc<Steering>,
        conditions: Conditions,
        loads: Loads,
    ) -> Pin<Box<dyn Future<Output = Option<PlanChange>> + Send>> {
        Box::pin(self.clone().ask(move |reply| Job::Suppose { now, steering, conditions, loads, reply }))
    }

    async fn ask<T>(self, job: impl FnOnce(oneshot::Sender<T>) -> Job) -> Option<T> {
        let _turn = self.turn.acquire().await.ok()?;
        let (reply, told) = oneshot::channel();
        self.jobs.send(job(reply)).ok()?;
        told.await.ok()
    }
}

/// Plans until the end of service; foresees for whoever asks.
///
/// # Errors
/// If the thread can't be started.
pub(super) fn start(
    events: Sender<Event>,
    generations: watch::Receiver<u64>,
    sweep: Arc<Sweep>,
    stop: Stop,
) -> io::Result<Planner> {
    let (jobs, wanted) = channel();
    thread::Builder::new().name("planner".into()).spawn(move || work(&wanted))?;
    tokio::spawn(plan(events, generations, sweep, jobs.clone(), stop));
    Ok(Planner { jobs, turn: Arc::new(Semaphore::new(1)) })
}

fn work(jobs: &Receiver<Job>) {
    give_way(BACKGROUND_NICENESS, "planner");
    let mut planner = CapacityPlanner::default();
    for job in jobs {
        // Whoever asked may have gone.
        match job {
            Job::Remember { now, memory } => planner = CapacityPlanner::remembering(&memory, now),
            Job::Plan { now, snapshot, conditions, demand, reply } => {
                let _ = reply.send(planner.step(now, &snapshot.steering, conditions, &demand));
            }
            Job::Foresee { now, steering, conditions, reply } => {
                let _ = reply.send(planner.foresee(now, &steering, conditions));
            }
            Job::Suppose { now, steering, conditions, loads, reply } => {
                let _ = reply.send(planner.suppose(now, &steering, conditions, &loads));
            }
        }
    }
}

async fn plan(
    events: Sender<Event>,
    mut generations: watch::Receiver<u64>,
    sweep: Arc<Sweep>,
    jobs: Sender<Job>,
    stop: Stop,
) {
    let mut every = interval(Duration::from_millis(PLAN_INTERVAL_MS));
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut is_reminded = false;
    loop {
        tokio::select! {
            _ = every.tick() => {}
            changed = generations.changed() => if changed.is_err() { return },
            () = stop.wait() => return,
        }
        let next = Instant::now() + Duration::from_millis(PLAN_GAP_MS);
        let Some(Seen { now, snapshot, conditions, memory }) = look(&events).await else { return };
        if let Some(conditions) = conditions {
            if let Some(memory) = memory.filter(|_| !std::mem::replace(&mut is_reminded, true))
                && jobs.send(Job::Remember { now, memory }).is_err()
            {
                return;
            }
            let demand = sweep.demand(&snapshot);
            let (reply, planned) = oneshot::channel();
            if jobs.send(Job::Plan { now, snapshot, conditions, demand, reply }).is_err() {
                return;
            }
            // The thread ends by a defect alone, which has been logged.
            let Ok(change) = planned.await else { return };
            if events.send(Event::Planned(Box::new(change))).is_err() {
                return;
            }
        }
        tokio::select! {
            () = sleep_until(next) => {}
            () = stop.wait() => return,
        }
    }
}

/// What is seen at one moment.
struct Seen {
    now: Moment,
    snapshot: Arc<Snapshot>,
    /// `None`: no capacity is limited.
    conditions: Option<Conditions>,
    /// What the planner knew last, or an earlier process did.
    memory: Option<Arc<Memory>>,
}

/// What is known at this moment; `None`: the publisher has ended.
async fn look(events: &Sender<Event>) -> Option<Seen> {
    let (reply, seen) = oneshot::channel();
    let look = move |control: &Control, snapshot: &Arc<Snapshot>, now: Moment| {
        let is_limited = snapshot.steering.cells().limited() != 0;
        let conditions = is_limited.then(|| control.conditions(now));
        let (snapshot, memory) = (Arc::clone(snapshot), control.plan_memory().cloned());
        // Whoever asked may have gone.
        let _ = reply.send(Seen { now, snapshot, conditions, memory });
    };
    events.send(Event::Look(Box::new(look))).ok()?;
    seen.await.ok()
}
