//! The one thread that stores snapshots.
//!
//! Whoever has something new sends an [`Event`]. What has come in is published together: the first at once, the next
//! not before [`PUBLISH_INTERVAL_MS`] have passed. A snapshot that was replaced is kept until no thread holds it, and
//! then freed by a thread that nobody waits for: freeing a million names takes a while.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::base::hash::HashKey;
use crate::base::limits::{EVENTS_MAX, PUBLISH_INTERVAL_MS, RETIRED_POLL_MS};
use crate::run::board::Board;
use crate::serve::system::be_nice;
use crate::snapshot::{Options, Published, Snapshot, Steering};
use crate::zone::ZoneSet;

/// Something that changes what is answered.
pub(super) enum Event {
    /// Files were loaded.
    Reload(Box<Linked>),
}

/// Loaded parts, ready to be published.
pub(super) struct Linked {
    /// All zones.
    pub(super) zones: Arc<ZoneSet>,
    /// What the steered names in them are answered from.
    pub(super) steering: Arc<Steering>,
    /// The server's own options.
    pub(super) options: Arc<Options>,
    /// Told the generation these parts are part of, once queries are answered from it.
    pub(super) published: oneshot::Sender<u64>,
}

/// Niceness of work that nobody waits for.
pub(super) const BACKGROUND_NICENESS: u8 = 10;

/// Starts the publisher and its janitor. They end when all senders are gone.
///
/// # Errors
/// If a thread can't be started.
pub(super) fn start(published: Arc<Published>, key: HashKey, board: Arc<Board>) -> std::io::Result<SyncSender<Event>> {
    let (events, incoming) = sync_channel(EVENTS_MAX);
    let (janitor, retired) = sync_channel(EVENTS_MAX);
    thread::Builder::new().name("janitor".into()).spawn(move || free(&retired))?;
    let publisher = Publisher { published, key, board, janitor, generation: 0, retired: Vec::new(), last: None };
    thread::Builder::new().name("publisher".into()).spawn(move || publisher.run(&incoming))?;
    Ok(events)
}

struct Publisher {
    published: Arc<Published>,
    key: HashKey,
    board: Arc<Board>,
    janitor: SyncSender<Arc<Snapshot>>,
    generation: u64,
    retired: Vec<Arc<Snapshot>>,
    last: Option<Instant>,
}

impl Publisher {
    fn run(mut self, incoming: &Receiver<Event>) {
        loop {
            let event = if self.retired.is_empty() {
                incoming.recv().map_err(RecvTimeoutError::from)
            } else {
                incoming.recv_timeout(Duration::from_millis(RETIRED_POLL_MS))
            };
            match event {
                Ok(first) => {
                    if let Some(last) = self.last {
                        let interval = Duration::from_millis(PUBLISH_INTERVAL_MS);
                        thread::sleep(interval.saturating_sub(last.elapsed()));
                    }
                    self.publish(std::iter::once(first).chain(incoming.try_iter().take(EVENTS_MAX)));
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            self.retire();
        }
    }

    /// Publishes one snapshot with everything the events bring.
    fn publish(&mut self, events: impl Iterator<Item = Event>) {
        let mut latest = None;
        let mut waiting = Vec::new();
        for event in events {
            match event {
                // Each load brings all zones: the last one is right.
                Event::Reload(linked) => {
                    let Linked { zones, steering, options, published } = *linked;
                    latest = Some((zones, steering, options));
                    waiting.push(published);
                }
            }
        }
        let Some((zones, steering, options)) = latest else { return };
        self.generation += 1;
        let next = Snapshot { generation: self.generation, key: self.key, zones, steering, options };
        self.retired.push(self.published.publish(Arc::new(next)));
        self.last = Some(Instant::now());
        self.board.published(self.generation);
        for sender in waiting {
            // Whoever asked may have gone.
            let _ = sender.send(self.generation);
        }
    }

    /// Hands on the snapshots that only this thread still holds.
    fn retire(&mut self) {
        for snapshot in std::mem::take(&mut self.retired) {
            if Arc::strong_count(&snapshot) > 1 {
                self.retired.push(snapshot);
            } else if let Err(
                std::sync::mpsc::TrySendError::Full(snapshot) | std::sync::mpsc::TrySendError::Disconnected(snapshot),
            ) = self.janitor.try_send(snapshot)
            {
                self.retired.push(snapshot);
            }
        }
        self.board.set_retired(self.retired.len());
    }
}

/// Frees what it is sent.
fn free(retired: &Receiver<Arc<Snapshot>>) {
    if let Err(error) = be_nice(BACKGROUND_NICENESS) {
        tracing::debug!(%error, "cannot lower the priority of the janitor");
    }
    for snapshot in retired {
        drop(snapshot);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reload(events: &SyncSender<Event>) -> oneshot::Receiver<u64> {
        let (published, generation) = oneshot::channel();
        let linked = Linked {
            zones: Arc::new(ZoneSet::new(HashKey::new(1, 2))),
            steering: Arc::default(),
            options: Arc::default(),
            published,
        };
        events.send(Event::Reload(Box::new(linked))).unwrap();
        generation
    }

    #[test]
    fn generations_grow_and_old_ones_are_let_go() {
        let key = HashKey::new(1, 2);
        let first = Snapshot {
            generation: 0,
            key,
            zones: Arc::new(ZoneSet::new(key)),
            steering: Arc::default(),
            options: Arc::default(),
        };
        let published = Arc::new(Published::new(first));
        let board = Arc::new(Board::new());
        let events = start(Arc::clone(&published), key, Arc::clone(&board)).unwrap();
        let held = published.load();
        assert_eq!(reload(&events).blocking_recv().unwrap(), 1);
        assert_eq!(published.load().generation, 1);
        assert_eq!(board.generation(), 1);
        // Both are in the queue before the publisher may publish again, or it has published the first by then.
        let (a, b) = (reload(&events), reload(&events));
        let (a, b) = (a.blocking_recv().unwrap(), b.blocking_recv().unwrap());
        assert!(a == 2 && (b == 2 || b == 3), "{a} {b}");
        assert_eq!(published.load().generation, b);
        assert_eq!(held.generation, 0);
        assert!(Arc::strong_count(&held) == 2, "held here and by the publisher");
        drop(events);
    }
}
