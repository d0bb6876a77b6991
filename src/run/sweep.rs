//! Adding up what the threads have counted.

use std::net::UdpSocket;
use std::os::fd::AsFd;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};

use crate::admin::Facts;
use crate::metrics::{DropReason, Gauges, Metrics, Traffic, TransportLabel, ZoneGauges, ZoneState};
use crate::probe::ProbeStats;
use crate::run::board::Board;
use crate::serve::{Caps, Tally, system};

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
            probe_lateness_s: std::time::Duration::from_micros(late_us).as_secs_f64(),
            drops: traffic.dropped.iter().sum(),
        }
    }

    /// Everything as text, as it is at this moment.
    #[must_use]
    pub(super) fn render(&self) -> String {
        self.sweep();
        // Microseconds; the next look begins at nothing.
        let late_us = self.probes.get().map_or(0, |probes| probes.late_max.swap(0, Ordering::Relaxed));
        let gauges = Gauges {
            tcp_open: self.caps.open(),
            tcp_limit: self.caps.limits().total,
            probe_lateness_s: std::time::Duration::from_micros(late_us).as_secs_f64(),
            ..self.board.gauges()
        };
        self.metrics.render(&gauges)
    }
}
