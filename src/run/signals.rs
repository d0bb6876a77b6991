//! Signals from whoever started the process.

use std::io;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::run::reloads::{ReloadRequest, Wish};
use crate::run::sweep::Sweep;

/// The signals that matter.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for the word to end.
    pub(super) async fn end(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    /// Sees to reloads and counters until the word to end.
    pub(super) async fn work(&mut self, requests: &SyncSender<Wish>, sweep: &Sweep) {
        let mut every_second = tokio::time::interval(Duration::from_secs(1));
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hangup.recv() => {
                    // If the queue is full, a load that will see the same files is about to begin.
                    let _ = requests.try_send(Wish::Reload(ReloadRequest { force: false, owner: "SIGHUP".into(), done: None }));
                }
                _ = every_second.tick() => sweep.sweep(),
            }
        }
    }
}
