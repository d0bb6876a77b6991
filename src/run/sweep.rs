//! Adding up what the threads have counted.

use std::collections::BTreeMap;
use std::net::UdpSocket;
use std::os::fd::AsFd;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::admin::Facts;
use crate::base::limits::{FIGURES_WAIT_MS, METRIC_SERIES_MAX};
use crate::control::{Control, Demand, Figures};
use crate::latency;
use crate::metrics::{
    Buckets, CheckFigures, DropReason, Gauges, Metrics, Rates, Traffic, TransportLabel, ZoneGauges, ZoneState,
};
use crate::probe::{LATENCY_BUCKETS_S, LATENESS_BUCKETS_S, ProbeStats};
use crate::run::board::Board;
use crate::run::demands::Demands;
use crate::run::publisher::{Clock, Event};
use crate::run::traffic::Answered;
use crate::serve::{BATCH_BUCKETS_S, Caps, Tally, system};
use crate::snapshot::Snapshot;

/// Everything that counts.
pub(super) struct Sweep {
    /// The series.
    pub(super) metrics: Arc<Metrics>,
    /// The state of the server.
    pub(super) board: Arc<Board>,
    /// UDP threads: their sockets and their counters.
    pub(super) udp: Vec<(Arc<UdpSocket>, Arc<Tally>)>,
    /// Counters of stream threads.
    pub(super) tcp: Vec<Arc<Tally>>,
    /// What the prober counts, once there is one.
    pub(super) probes: OnceLock<Arc<ProbeStats>>,
    /// Connections.
    pub(super) caps: Arc<Caps>,
    /// What was answered.
    pub(super) answered: Mutex<Answered>,
    /// Who asked for what.
    pub(super) demands: Mutex<Demands>,
    /// What is measured of the ways to regions, as it was a moment ago.
    pub(super) surveyed: Arc<Mutex<latency::Figures>>,
    /// The time of day.
    pub(super) clock: Clock,
}

impl Sweep {
    /// Brings the counters up to date.
    pub(super) fn sweep(&self) {
        let mut udp = Traffic::default();
        let mut tcp = Traffic::default();
        let mut panics = 0;
        for (socket, tally) in &self.udp {
            tally.add_to(&mut udp);
            panics += tally.panics();
            // What the kernel had to drop: an older kernel can't tell.
            udp.dropped[DropReason::ReceiveOverflow.index()] +=
                system::receive_overflows(socket.as_fd()).unwrap_or_default();
        }
        for tally in &self.tcp {
            tally.add_to(&mut tcp);
            panics += tally.panics();
        }
        self.take_answered([udp, tcp]);
        self.metrics.set_traffic(TransportLabel::Udp, &udp);
        self.metrics.set_traffic(TransportLabel::Tcp, &tcp);
        let (accepted, closed) = self.caps.totals();
        self.metrics.set_connections(accepted, &closed);
        self.metrics.set_panics(panics);
        if let Some(probes) = self.probes.get() {
            let ended = [&probes.pass, &probes.fail, &probes.inconclusive].map(|count| count.load(Ordering::Relaxed));
            self.metrics.set_probes(ended, probes.starved.load(Ordering::Relaxed));
        }
        self.metrics.upkeep();
    }

    /// Numbers about the server itself.
    #[must_use]
    pub(super) fn facts(&self) -> Facts {
        let mut traffic = Traffic::default();
        self.udp.iter().for_each(|(_, tally)| tally.add_to(&mut traffic));
        self.tcp.iter().for_each(|tally| tally.add_to(&mut traffic));
        let gauges = self.board.gauges();
        let has_data = |zone: &&ZoneGauges| zone.state != ZoneState::Failed;
        let late_us = self.probes.get().map_or(0, |probes| probes.late_max.load(Ordering::Relaxed));
        Facts {
            uptime_s: gauges.uptime_s,
            generation: gauges.generation,
            snapshot_age_s: gauges.age_s,
            zones: gauges.zones.iter().filter(has_data).count(),
            records: gauges.zones.iter().map(|zone| zone.records).sum(),
            reloads: self.board.reloads(),
            probe_lateness_s: Duration::from_micros(late_us).as_secs_f64(),
            drops: traffic.dropped.iter().sum(),
        }
    }

    /// Adds up what the lanes have counted; `totals` by [`TransportLabel`].
    fn take_answered(&self, totals: [Traffic; TransportLabel::ALL.len()]) {
        let mut answered = self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        let tallies = self.udp.iter().map(|(_, tally)| tally).chain(&self.tcp);
        let lanes: Vec<_> = tallies.flat_map(|tally| tally.counts()).collect();
        answered.take(&lanes);
        answered.note(Instant::now(), totals);
        self.demands.lock().unwrap_or_else(PoisonError::into_inner).take(&lanes);
    }

    /// The demand since it was asked for last, for the services of a snapshot.
    pub(super) fn demand(&self, snapshot: &Snapshot) -> Demand {
        self.sweep();
        self.demands.lock().unwrap_or_else(PoisonError::into_inner).since_last(snapshot.steering.cells())
    }

    /// Steered answers so far, by the region's key.
    pub(super) fn answers_by_region(&self) -> BTreeMap<String, u64> {
        self.sweep();
        let totals = self.answered.lock().unwrap_or_else(PoisonError::into_inner).totals();
        let mut regions = BTreeMap::new();
        for (row, counts) in totals.into_iter().filter(|(row, _)| !row.region.is_empty()) {
            *regions.entry(row.region.to_string()).or_default() += counts.iter().sum::<u64>();
        }
        regions
    }

    /// What is answered at this time, a second.
    pub(super) fn rates(&self) -> Rates {
        self.answered.lock().unwrap_or_else(PoisonError::into_inner).rates(self.clock.now())
    }

    /// Everything as text; `events` lead to control, which is not waited for without end.
    pub(super) async fn scrape(self: Arc<Self>, events: Sender<Event>) -> String {
        let (reply, seen) = oneshot::channel();
        let look = Box::new(move |control: &Control, _: &Arc<Snapshot>, now| {
            // Whoever asked may have gone.
            let _ = reply.send(control.figures(now, METRIC_SERIES_MAX));
        });
        let figures = match events.send(Event::Look(look)) {
            Ok(()) => {
                tokio::time::timeout(Duration::from_millis(FIGURES_WAIT_MS), seen).await.ok().and_then(Result::ok)
            }
            Err(_) => None,
        };
        // With very many series it takes a while, and others wait for this thread.
        tokio::task::spawn_blocking(move || self.render(figures)).await.unwrap_or_default()
    }

    /// Everything as text, as it is at this moment, with what control says if it could be asked.
    fn render(&self, figures: Option<Figures>) -> String {
        self.sweep();
        // Microseconds; the next look begins at nothing.
        let late_us = self.probes.get().map_or(0, |probes| probes.late_max.swap(0, Ordering::Relaxed));
        let (answers, scopes) = {
            let answered = self.answered.lock().unwrap_or_else(PoisonError::into_inner);
            (answered.totals(), answered.scopes())
        };
        let gauges = Gauges {
            tcp_open: self.caps.open(),
            tcp_limit: self.caps.limits().total,
            probe_lateness_max_s: Duration::from_micros(late_us).as_secs_f64(),
            probe_lateness: self.probes.get().map(|probes| {
                let (counts, sum) = probes.lateness();
                Buckets { bounds: &LATENESS_BUCKETS_S, counts, sum }
            }),
            batches: Some(self.batches()),
            checks: self.checks(),
            figures,
            answers,
            ecs_scopes: Some(scopes),
            latency: self.surveyed.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            ..self.board.gauges()
        };
        self.metrics.render(&gauges)
    }

    /// How long batches of all UDP threads took.
    fn batches(&self) -> Buckets {
        let mut all = Buckets { bounds: &BATCH_BUCKETS_S, counts: vec![0; BATCH_BUCKETS_S.len() + 1], sum: 0.0 };
        for (_, tally) in &self.udp {
            let (counts, sum) = tally.batches();
            all.counts.iter_mut().zip(counts).for_each(|(total, count)| *total += count);
            all.sum += sum;
        }
        all
    }

    /// The probes of each check.
    fn checks(&self) -> Vec<CheckFigures> {
        let checks = self.probes.get().map(|probes| probes.checks()).unwrap_or_default();
        let figures = checks.into_iter().map(|(check, stats)| {
            let (counts, sum) = stats.latency();
            let latency = Buckets { bounds: &LATENCY_BUCKETS_S, counts, sum };
            CheckFigures { check: check.to_string(), ended: stats.ended(), latency }
        });
        figures.collect()
    }
}
