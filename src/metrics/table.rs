//! The table of all metrics: name, kind, labels, help.

/// What a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts observations by size.
    Histogram,
}

/// One metric.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// Its labels, in order.
    pub labels: &'static [&'static str],
    /// What it says, in one sentence.
    pub help: &'static str,
}

macro_rules! metrics {
    ($($constant:ident $kind:ident $name:literal [$($label:literal),*] $help:literal;)*) => {
        $(pub(super) const $constant: Metric =
            Metric { name: $name, kind: Kind::$kind, labels: &[$($label),*], help: $help };)*
        /// All metrics, in the order of the documentation.
        pub const METRICS: &[Metric] = &[$($constant),*];
    };
}

metrics! {
    QUERIES Counter "meridian_dns_queries_total" ["transport", "qtype"]
        "Queries that were answered, by the type asked for; `none` where there was no question to read.";
    RESPONSES Counter "meridian_dns_responses_total" ["transport", "rcode"]
        "Answers, by response code.";
    TRUNCATED Counter "meridian_dns_truncated_total" ["transport"]
        "Answers that had the TC bit set because they did not fit.";
    STEERED Counter "meridian_steered_answers_total" ["transport", "reason"]
        "Answers with a steered name, by why the client got what it got.";
    ANSWERS Counter "meridian_answers_total" ["service", "region", "reason"]
        "Answers for steered names, by service, region and why the client got it; with very many services by policy.";
    ECS_SCOPE Histogram "meridian_ecs_scope_length" ["family"]
        "Length, in bits, of the scope in answers for steered names that have a client subnet option.";
    DROPPED Counter "meridian_dns_dropped_total" ["transport", "reason"]
        "Packets that got no answer, by reason.";
    TCP_ACCEPTED Counter "meridian_tcp_connections_total" []
        "TCP connections accepted.";
    TCP_CLOSED Counter "meridian_tcp_closed_total" ["reason"]
        "TCP connections closed, by reason.";
    TCP_OPEN Gauge "meridian_tcp_connections" []
        "TCP connections open.";
    TCP_LIMIT Gauge "meridian_tcp_connections_limit" []
        "TCP connections that may be open at one time.";
    ZONES Gauge "meridian_zones" []
        "Zones served.";
    ZONES_FAILED Gauge "meridian_zones_failed" []
        "Zones that answer SERVFAIL because their file could not be read.";
    ZONES_STALE Gauge "meridian_zones_stale" []
        "Zones served from an earlier version because their newest file could not be read.";
    MODEL_STALE Gauge "meridian_model_stale" []
        "1 if names are steered by earlier region files, because the newest can't be used.";
    RECORDS Gauge "meridian_records" []
        "Records of all zones served.";
    ZONE_SERIAL Gauge "meridian_zone_serial" ["zone"]
        "Serial number of the zone's SOA record. Absent when there are more than 1000 zones.";
    ZONE_RECORDS Gauge "meridian_zone_records" ["zone"]
        "Records of the zone. Absent when there are more than 1000 zones.";
    ZONE_STATE Gauge "meridian_zone_state" ["zone"]
        "2: served from its newest file; 1: from an earlier version, because the newest is bad; 0: SERVFAIL. Absent when there are more than 1000 zones.";
    RELOADS Counter "meridian_reloads_total" ["result"]
        "Loads of the zones, the first one at start included, by result.";
    RELOAD_DURATION Histogram "meridian_reload_duration_seconds" []
        "Time from the start of a load to its publication.";
    GENERATION Gauge "meridian_snapshot_generation" []
        "Generation of the data answered from; grows with each publication.";
    SNAPSHOT_AGE Gauge "meridian_snapshot_age_seconds" []
        "Time since the last publication.";
    SNAPSHOTS_RETIRED Gauge "meridian_snapshots_retired" []
        "Earlier generations that some thread still holds.";
    PROBES Counter "meridian_probes_total" ["result"]
        "Probes of health checks that have ended, by result.";
    PROBES_STARVED Counter "meridian_probes_starved_total" []
        "Probes that could not start in time because too many were at work.";
    PROBE_LATENESS Histogram "meridian_probe_lateness_seconds" []
        "How much later than planned probes began.";
    PROBE_LATENESS_MAX Gauge "meridian_probe_lateness_max_seconds" []
        "How much later than planned the latest probe since the last look began.";
    PANICS Counter "meridian_panics_total" []
        "Answers given up because of a defect in the server; each is logged. Anything but 0 deserves a report.";
    UPTIME Gauge "meridian_uptime_seconds" []
        "Time since the server was started.";
    READY Gauge "meridian_ready" []
        "1 if the server answers queries.";
    BUILD_INFO Gauge "meridian_build_info" ["version"]
        "Always 1; the label says which version runs.";
}
