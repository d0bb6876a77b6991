//! Evacuations go on: what is due is foreseen by the planner, and control decides about the step.

use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{MissedTickBehavior, interval};

use crate::base::limits::EVACUATION_LOOK_MS;
use crate::base::moment::Moment;
use crate::control::{Control, Room};
use crate::run::planner::Planner;
use crate::run::publisher::Event;
use crate::serve::Stop;
use crate::snapshot::Snapshot;

/// Takes the steps that are due until the end of service.
pub(super) async fn evacuate(events: Sender<Event>, planner: Planner, stop: Stop) {
    let mut every = interval(Duration::from_millis(EVACUATION_LOOK_MS));
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = every.tick() => {}
            () = stop.wait() => return,
        }
        let Some(due) = look(&events).await else { return };
        let Some(Due { region, control, snapshot, now }) = due else { continue };
        let Some(room) = foresee(&control, &snapshot, now, &region, &planner).await else { return };
        if events.send(Event::Evacuate { region, room }).is_err() {
            return;
        }
    }
}

/// A step that is due, and what is known at that moment.
struct Due {
    region: String,
    control: Control,
    snapshot: Arc<Snapshot>,
    now: Moment,
}

/// What is due; `None` outside: the publisher has ended.
async fn look(events: &Sender<Event>) -> Option<Option<Due>> {
    let (reply, seen) = oneshot::channel();
    let look = move |control: &Control, snapshot: &Arc<Snapshot>, now: Moment| {
        // After a reload nobody can tell what a step comes to until the next plan, which is soon.
        let region = control.evacuation_due(now).filter(|_| !control.is_plan_awaited(now));
        let due = region.map(|region| Due { region, control: control.clone(), snapshot: Arc::clone(snapshot), now });
        // Whoever asked may have gone.
        let _ = reply.send(due);
    };
    events.send(Event::Look(Box::new(look))).ok()?;
    seen.await.ok()
}

/// What the next step of a region would come to; `None`: the server ends.
async fn foresee(
    control: &Control,
    snapshot: &Arc<Snapshot>,
    now: Moment,
    region: &str,
    planner: &Planner,
) -> Option<Room> {
    // Without a capacity nothing is planned.
    let Some(before) = control.outlook().cloned() else { return Some(Room::default()) };
    let then = control.next_step(region).and_then(|left| control.after_step(now, region, left));
    let Some((then, services)) = then else { return Some(Room::unknown()) };
    let snapshot = Arc::clone(snapshot);
    let repaired = tokio::task::spawn_blocking(move || {
        let steering = Arc::new(snapshot.steering.repaired(then.states(), &services, snapshot.generation));
        (then, steering)
    });
    let (then, steering) = repaired.await.ok()?;
    let outlook = planner.foresee(now, steering, then.conditions(now)).await?;
    Some(Room::of(&then, region, Some(&before), Some(&outlook)))
}
