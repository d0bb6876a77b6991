//! Clients beside this node: what its health checks need to connect to a region is what these clients need.

use std::sync::mpsc::Sender;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{MissedTickBehavior, interval};

use crate::base::moment::Moment;
use crate::config::Config;
use crate::control::Control;
use crate::latency::{ClientNetwork, Measurement, Source};
use crate::run::publisher::Event;
use crate::run::surveyor::Surveyor;
use crate::serve::Stop;

/// How often it is looked what health checks found.
const LOOK: Duration = Duration::from_secs(2);

/// Starts telling the survey what health checks find, where the configuration names clients for whom that counts; it ends
/// with the service.
pub(super) fn start(config: &Config, events: Sender<Event>, surveyor: Surveyor, stop: Stop) {
    let networks = config.latency.probes_for.iter().filter_map(|(address, _)| ClientNetwork::of(*address));
    let networks: Vec<ClientNetwork> = networks.collect();
    if networks.is_empty() {
        return;
    }
    tokio::spawn(async move {
        tokio::select! {
            () = tell(networks, events, surveyor) => {}
            () = stop.wait() => {}
        }
    });
}

async fn tell(networks: Vec<ClientNetwork>, events: Sender<Event>, surveyor: Surveyor) {
    let mut every = interval(LOOK);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut since = Moment(0);
    loop {
        every.tick().await;
        let (reply, seen) = oneshot::channel();
        let look = move |control: &Control, _: &std::sync::Arc<crate::snapshot::Snapshot>, now: Moment| {
            let ways: Vec<(String, Duration)> =
                control.connected(since).map(|(region, took)| (region.to_string(), took)).collect();
            // Whoever asked may have gone.
            let _ = reply.send((now, ways));
        };
        if events.send(Event::Look(Box::new(look))).is_err() {
            return;
        }
        let Ok((now, ways)) = seen.await else { return };
        since = now;
        let told: Vec<Measurement> = networks
            .iter()
            .flat_map(|client| ways.iter().map(|(region, took)| measurement(*client, region, *took)))
            .collect();
        surveyor.tell(Box::new(move |survey, now| {
            for measurement in &told {
                if let Err(refusal) = survey.take(now, Source::Probe, measurement) {
                    survey.count_refusal(refusal.kind);
                }
            }
        }));
    }
}

fn measurement(client: ClientNetwork, region: &str, took: Duration) -> Measurement {
    let us = u32::try_from(took.as_micros()).unwrap_or(u32::MAX);
    Measurement { client, region: region.to_owned(), us, samples: 1, at: None }
}
