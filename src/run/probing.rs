//! The runtime that probes, and the way of an outcome to the publisher and back.
//!
//! It has a thread of its own, so that neither a flood of queries nor a slow disk makes a probe late.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::base::limits::PROBES_MAX;
use crate::health::Observation;
use crate::probe::{Judge, Prober, Roots, Settings};
use crate::run::publisher::Event;

/// How long a probe waits that nobody judged: the process ends.
const UNJUDGED: Duration = Duration::from_secs(3_600);

/// Sends outcomes to the publisher.
pub(super) struct ToPublisher {
    events: Sender<Event>,
}

impl Judge for ToPublisher {
    async fn judge(&self, target: u64, outcome: Observation) -> Duration {
        let (reply, cadence) = oneshot::channel();
        if self.events.send(Event::Outcome { target, outcome, reply }).is_err() {
            return UNJUDGED;
        }
        cadence.await.unwrap_or(UNJUDGED)
    }
}

/// Starts the runtime and the prober on it. Both end when the stop is dropped.
///
/// # Errors
/// If the runtime or its thread can't be started.
pub(super) fn start(events: Sender<Event>, seed: u64, roots: Roots) -> io::Result<(Prober, oneshot::Sender<()>)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let prober = {
        let _inside = runtime.enter();
        Prober::start(Arc::new(ToPublisher { events }), Settings { max_concurrent: PROBES_MAX, seed, roots })
    };
    let (stop, stopped) = oneshot::channel::<()>();
    thread::Builder::new().name("probe".into()).spawn(move || {
        // An error says that the other end is gone, which is what is waited for.
        let _ = runtime.block_on(stopped);
        runtime.shutdown_background();
    })?;
    Ok((prober, stop))
}
