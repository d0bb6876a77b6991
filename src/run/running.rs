//! What the admin listener may ask of the running server.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::mpsc::{Sender, SyncSender, TrySendError};

use tokio::sync::oneshot;

use crate::admin::{Commanded, Look, Operations, Readiness, ReloadOutcome};
use crate::control::Command;
use crate::journal::Entry;
use crate::run::publisher::Event;
use crate::run::recorder::Recorder;
use crate::run::reloads::ReloadRequest;
use crate::run::sweep::Sweep;

/// The running server, as the admin listener sees it.
pub(super) struct Running {
    pub(super) sweep: Arc<Sweep>,
    pub(super) requests: SyncSender<ReloadRequest>,
    pub(super) events: Sender<Event>,
    pub(super) recorder: Recorder,
}

impl Operations for Running {
    fn readiness(&self) -> Readiness {
        self.sweep.board.readiness()
    }

    fn metrics(&self) -> String {
        self.sweep.render()
    }

    fn reload(&self, force: bool) -> Pin<Box<dyn Future<Output = Option<ReloadOutcome>> + Send>> {
        let (done, outcome) = oneshot::channel();
        match self.requests.try_send(ReloadRequest { force, done: Some(done) }) {
            Ok(()) => Box::pin(async { outcome.await.ok() }),
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => Box::pin(async { None }),
        }
    }

    fn look(&self, look: Look) -> bool {
        self.events.send(Event::Look(look)).is_ok()
    }

    fn command(&self, command: Command) -> Pin<Box<dyn Future<Output = Commanded> + Send>> {
        let (reply, done) = oneshot::channel();
        let sent = self.events.send(Event::Command { command: Box::new(command), reply });
        Box::pin(async move {
            sent.ok()?;
            done.await.ok()
        })
    }

    fn events(&self, since: Option<u64>, limit: usize) -> Vec<Entry> {
        self.recorder.events(since, limit)
    }
}
