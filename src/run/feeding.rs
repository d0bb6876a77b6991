//! The way of a load feed's answer to the publisher. Feeds are asked on the runtime of control.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::Sender;

use crate::feed::{Feeder, Settings, Teller, Told};
use crate::probe::Roots;
use crate::run::publisher::Event;
use crate::serve::Stop;

/// Sends what feeds say to the publisher.
pub(super) struct ToPublisher {
    events: Sender<Event>,
}

impl Teller for ToPublisher {
    fn tell(&self, told: Told) {
        // An error says that the process ends.
        let _ = self.events.send(Event::Told(told));
    }
}

/// Starts a feeder on the runtime of the caller; its work ends with the service.
///
/// # Errors
/// If the cryptography at hand speaks no TLS.
pub(super) fn start(events: Sender<Event>, seed: u64, roots: &Roots, stop: &Stop) -> io::Result<Feeder> {
    let tls = Arc::new(roots.client().map_err(io::Error::other)?);
    let (feeder, work) = Feeder::new(ToPublisher { events }, Settings { seed, tls });
    let stop = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            () = work => {}
            () = stop.wait() => {}
        }
    });
    Ok(feeder)
}
