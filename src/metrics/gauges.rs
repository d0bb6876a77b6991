//! What is read at the moment somebody asks, and its text.

use std::sync::Arc;

use crate::base::limits::ZONE_SERIES_MAX;
use crate::control::Figures;
use crate::latency;
use crate::policy::Reason;
use crate::snapshot::Row;

use super::figures::{self, CheckFigures};
use super::table::*;
use super::text::{Buckets, Text};
use super::ways;

/// How a zone stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ZoneState {
    /// Answers SERVFAIL.
    Failed = 0,
    /// Served from an earlier version.
    Stale = 1,
    /// Served from its newest file.
    Current = 2,
}

/// One zone, for its series.
#[derive(Clone, Debug)]
pub struct ZoneGauges {
    /// The apex, absolute.
    pub zone: String,
    /// How it stands.
    pub state: ZoneState,
    /// The serial of its SOA; `None` without data.
    pub serial: Option<u32>,
    /// Its records.
    pub records: usize,
}

/// What is read at the moment somebody asks.
#[derive(Clone, Debug, Default)]
pub struct Gauges {
    /// Zones, those without data included.
    pub zones: Arc<Vec<ZoneGauges>>,
    /// Whether an earlier model is in force, because the newest can't be used.
    pub model_stale: bool,
    /// Open TCP connections.
    pub tcp_open: usize,
    /// How many there may be.
    pub tcp_limit: usize,
    /// The published generation; 0 before the first.
    pub generation: u64,
    /// Seconds since its publication.
    pub age_s: f64,
    /// Earlier generations still held.
    pub retired: usize,
    /// Seconds since the start.
    pub uptime_s: f64,
    /// What is measured of the ways between clients and regions.
    pub latency: latency::Figures,
    /// Whether queries are answered.
    pub ready: bool,
    /// Seconds by which the latest probe since the last look was late.
    pub probe_lateness_max_s: f64,
    /// By how much probes were late.
    pub probe_lateness: Option<Buckets>,
    /// How long it took to answer a batch of UDP queries.
    pub batches: Option<Buckets>,
    /// The probes of each check.
    pub checks: Vec<CheckFigures>,
    /// What control knows; `None`: it could not be asked.
    pub figures: Option<Figures>,
    /// Steered answers since the start, by service and region, and by [`Reason`].
    pub answers: Vec<(Row, [u64; Reason::ALL.len()])>,
    /// The scopes of steered answers that have a client subnet option, of IPv4 and of IPv6.
    pub ecs_scopes: Option<[Buckets; 2]>,
}

/// The text of all of it. What nobody can tell yet has no series.
pub(super) fn render(gauges: &Gauges) -> String {
    let mut text = Text::default();
    let with_state = |state: ZoneState| gauges.zones.iter().filter(|zone| zone.state == state).count();
    text.single(&TCP_OPEN, gauges.tcp_open);
    text.single(&TCP_LIMIT, gauges.tcp_limit);
    text.single(&ZONES, gauges.zones.len() - with_state(ZoneState::Failed));
    text.single(&ZONES_FAILED, with_state(ZoneState::Failed));
    text.single(&ZONES_STALE, with_state(ZoneState::Stale));
    text.single(&MODEL_STALE, u8::from(gauges.model_stale));
    text.single(&RECORDS, gauges.zones.iter().map(|zone| zone.records).sum::<usize>());
    render_zones(gauges, &mut text);
    text.single(&GENERATION, gauges.generation);
    text.single(&SNAPSHOT_AGE, gauges.age_s);
    text.single(&SNAPSHOTS_RETIRED, gauges.retired);
    text.single(&UPTIME, gauges.uptime_s);
    text.single(&READY, u8::from(gauges.ready));
    text.single(&PROBE_LATENESS_MAX, gauges.probe_lateness_max_s);
    text.metric(&PROBE_LATENESS, |series| {
        gauges.probe_lateness.iter().for_each(|buckets| series.add_histogram(&[], buckets));
    });
    text.metric(&BATCH, |series| gauges.batches.iter().for_each(|buckets| series.add_histogram(&[], buckets)));
    render_answers(gauges, &mut text);
    figures::render_checks(&gauges.checks, &mut text);
    if let Some(figures) = &gauges.figures {
        figures::render(figures, &mut text);
    }
    ways::render(&gauges.latency, &mut text);
    text.metric(&BUILD_INFO, |series| series.add(&[env!("CARGO_PKG_VERSION")], 1));
    text.finish()
}

fn render_answers(gauges: &Gauges, text: &mut Text) {
    text.metric(&ANSWERS, |series| {
        for (row, counts) in &gauges.answers {
            for (reason, count) in Reason::ALL.iter().zip(counts).filter(|(_, count)| **count > 0) {
                series.add(&[&row.service, &row.region, reason.as_str()], count);
            }
        }
    });
    text.metric(&ECS_SCOPE, |series| {
        for (family, buckets) in ["ipv4", "ipv6"].iter().zip(gauges.ecs_scopes.iter().flatten()) {
            series.add_histogram(&[family], buckets);
        }
    });
}

fn render_zones(gauges: &Gauges, text: &mut Text) {
    let zones = if gauges.zones.len() <= ZONE_SERIES_MAX { gauges.zones.as_slice() } else { &[] };
    text.metric(&ZONE_SERIAL, |series| {
        for zone in zones {
            zone.serial.iter().for_each(|serial| series.add(&[&zone.zone], serial));
        }
    });
    text.metric(&ZONE_RECORDS, |series| zones.iter().for_each(|zone| series.add(&[&zone.zone], zone.records)));
    text.metric(&ZONE_STATE, |series| zones.iter().for_each(|zone| series.add(&[&zone.zone], zone.state as u8)));
}
