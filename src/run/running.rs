//! What the running server does for operators.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::mpsc::{Sender, SyncSender, TrySendError};

use tokio::sync::oneshot;

use crate::admin::{Commanded, Condition, Facts, Look, Operations, PushResults, Readiness, ReloadOutcome, SurveyTask};
use crate::base::ids::RegionId;
use crate::base::moment::Moment;
use crate::control::{self, Command, Conditions, Outlook, PlanChange, Pushed};
use crate::journal::{Entry, Sample, Wanted};
use crate::metrics::Rates;
use crate::run::planner::Planner;
use crate::run::publisher::{Clock, Event};
use crate::run::recorder::Recorder;
use crate::run::reloads::{ReloadRequest, Wish};
use crate::run::surveyor::Surveyor;
use crate::run::sweep::Sweep;
use crate::snapshot::Steering;

/// The running server, as the admin listener sees it.
pub(super) struct Running {
    pub(super) sweep: Arc<Sweep>,
    pub(super) requests: SyncSender<Wish>,
    pub(super) events: Sender<Event>,
    pub(super) recorder: Recorder,
    pub(super) planner: Planner,
    pub(super) clock: Clock,
    pub(super) surveyor: Surveyor,
}

impl Operations for Running {
    fn readiness(&self) -> Readiness {
        self.sweep.board.readiness()
    }

    fn metrics(&self) -> Pin<Box<dyn Future<Output = String> + Send>> {
        Box::pin(Arc::clone(&self.sweep).scrape(self.events.clone()))
    }

    fn facts(&self) -> Facts {
        self.sweep.facts()
    }

    fn traffic(&self) -> Rates {
        self.sweep.rates()
    }

    fn reload(&self, force: bool, owner: String) -> Pin<Box<dyn Future<Output = Option<ReloadOutcome>> + Send>> {
        let (done, outcome) = oneshot::channel();
        match self.requests.try_send(Wish::Reload(ReloadRequest { force, owner, done: Some(done) })) {
            Ok(()) => Box::pin(async { outcome.await.ok() }),
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => Box::pin(async { None }),
        }
    }

    fn survey(&self, task: SurveyTask) -> bool {
        self.surveyor.tell(task)
    }

    fn look(&self, look: Look) -> bool {
        self.events.send(Event::Look(look)).is_ok()
    }

    fn command(&self, command: Command, condition: Condition) -> Pin<Box<dyn Future<Output = Commanded> + Send>> {
        let (reply, done) = oneshot::channel();
        let sent = self.events.send(Event::Command { command: Box::new(command), condition, reply });
        Box::pin(async move {
            match sent {
                Ok(()) => done.await.unwrap_or(Commanded::Ended),
                Err(_) => Commanded::Ended,
            }
        })
    }

    fn push(&self, readings: Vec<Pushed>) -> Pin<Box<dyn Future<Output = Option<PushResults>> + Send>> {
        let (reply, taken) = oneshot::channel();
        let sent = self.events.send(Event::Pushed { readings, reply });
        Box::pin(async move {
            match sent {
                Ok(()) => taken.await.ok(),
                Err(_) => None,
            }
        })
    }

    fn foresee(
        &self,
        now: Moment,
        steering: Arc<Steering>,
        conditions: Conditions,
    ) -> Pin<Box<dyn Future<Output = Option<Arc<Outlook>>> + Send>> {
        self.planner.foresee(now, steering, conditions)
    }

    fn suppose(
        &self,
        now: Moment,
        steering: Arc<Steering>,
        conditions: Conditions,
        loads: Vec<(RegionId, u64)>,
    ) -> Pin<Box<dyn Future<Output = Option<PlanChange>> + Send>> {
        self.planner.suppose(now, steering, conditions, loads)
    }

    fn events(&self, wanted: &Wanted, limit: usize) -> Vec<Entry> {
        self.recorder.events(wanted, limit)
    }

    fn note(&self, event: control::Event) {
        self.recorder.event(event);
    }

    fn now(&self) -> Moment {
        self.clock.now()
    }

    fn history(&self, from: Moment, to: Moment) -> io::Result<Vec<Sample>> {
        self.recorder.history(from, to)
    }
}
