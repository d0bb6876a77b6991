//! The node as a vantage at work: who asked is measured, if and as far as the configuration says, and the survey is told.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::{MissedTickBehavior, interval};

use crate::base::hash::mix;
use crate::base::limits::VANTAGE_PENDING_MAX;
use crate::config::{Config, Vantage};
use crate::latency::{ClientNetwork, Measurement, Source};
use crate::run::publisher::Clock;
use crate::run::surveyor::Surveyor;
use crate::run::sweep::Sweep;
use crate::serve::Stop;
use crate::vantage::{Rules, Targets, measure};

/// How often it is looked who asked.
const LOOK: Duration = Duration::from_secs(1);
/// Round trips that one measurement is.
const TRIPS: u32 = 3;

/// Starts measuring who asks, where the configuration says so; it ends with the service.
pub(super) fn start(config: &Config, sweep: &Arc<Sweep>, surveyor: Surveyor, seed: u64, stop: Stop) {
    let Some(vantage) = config.latency.vantage.clone() else { return };
    sweep.udp.iter().for_each(|(_, tally)| tally.asked.want(true));
    let work = Work::new(vantage, Arc::clone(sweep), surveyor, seed);
    tokio::spawn(async move {
        tokio::select! {
            () = work.run() => {}
            () = stop.wait() => {}
        }
    });
}

struct Work {
    vantage: Vantage,
    sweep: Arc<Sweep>,
    surveyor: Surveyor,
    clock: Clock,
    seed: u64,
    targets: Arc<Mutex<Targets>>,
    pending: Arc<Semaphore>,
}

impl Work {
    fn new(vantage: Vantage, sweep: Arc<Sweep>, surveyor: Surveyor, seed: u64) -> Self {
        let (per_network, allow, deny) = (vantage.per_network, vantage.allow.clone(), vantage.deny.clone());
        let targets = Targets::new(Rules { per_network, allow, deny });
        let clock = sweep.clock;
        let (targets, pending) = (Arc::new(Mutex::new(targets)), Arc::new(Semaphore::new(VANTAGE_PENDING_MAX)));
        Self { vantage, sweep, surveyor, clock, seed, targets, pending }
    }

    async fn run(self) {
        let mut every = interval(LOOK / self.vantage.per_second.max(1));
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut ticks = 0_u32;
        loop {
            every.tick().await;
            if ticks.is_multiple_of(self.vantage.per_second) {
                self.look();
            }
            ticks = ticks.wrapping_add(1);
            let now = self.clock.now();
            let next = self.targets.lock().unwrap_or_else(PoisonError::into_inner).next(now);
            if let Some(address) = next
                && let Ok(permit) = Arc::clone(&self.pending).try_acquire_owned()
            {
                let one = self.one(address, mix(self.seed ^ u64::from(ticks)));
                tokio::spawn(async move {
                    one.await;
                    drop(permit);
                });
            }
        }
    }

    /// Who asked since the last look.
    fn look(&self) {
        let now = self.clock.now();
        let mut targets = self.targets.lock().unwrap_or_else(PoisonError::into_inner);
        for (_, tally) in &self.sweep.udp {
            tally.asked.read().for_each(|address| targets.asked(now, address));
        }
    }

    /// Measures one.
    fn one(&self, address: IpAddr, seed: u64) -> impl Future<Output = ()> + use<> {
        let (vantage, surveyor, clock) = (self.vantage.clone(), self.surveyor.clone(), self.clock);
        let targets = Arc::clone(&self.targets);
        async move {
            let draws = std::cell::Cell::new(seed);
            let random = move || {
                draws.set(mix(draws.get().wrapping_add(1)));
                draws.get()
            };
            let took = measure(address, &vantage.methods, random).await;
            targets.lock().unwrap_or_else(PoisonError::into_inner).ended(clock.now(), address, took.is_some());
            let (Some(took), Some(client)) = (took, ClientNetwork::of(address)) else { return };
            let us = u32::try_from(took.as_micros()).unwrap_or(u32::MAX);
            let measurement = Measurement { client, region: vantage.region, us, samples: TRIPS, at: None };
            surveyor.tell(Box::new(move |survey, now| {
                if let Err(refusal) = survey.take(now, Source::Vantage, &measurement) {
                    survey.count_refusal(refusal.kind);
                }
            }));
        }
    }
}
