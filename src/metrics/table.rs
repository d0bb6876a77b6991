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
    BATCH Histogram "meridian_dns_batch_seconds" []
        "Time from the arrival of a batch of UDP queries to the last of its answers, of one batch in 64.";
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
    CHECKS Counter "meridian_checks_total" ["check", "result"]
        "Probes that have ended, by health check and result. Absent when there are more than 500 checks.";
    CHECK_LATENCY Histogram "meridian_check_latency_seconds" ["check"]
        "Time from the start of a probe to its end, of those that passed or failed. Absent when there are more than 500 checks.";
    CHECK_UP Gauge "meridian_check_up" ["check", "address"]
        "1 if the health check of the address says up, 0 if down; absent before its first outcome. Absent when there are more than 10000 of them.";
    ENDPOINT_UP Gauge "meridian_endpoint_up" ["service", "region", "endpoint"]
        "1 if the endpoint counts as up by its checks and the guard. Absent when there are more than 10000 endpoints.";
    ENDPOINT_FLIP Gauge "meridian_endpoint_flip_seconds" ["service", "region", "endpoint"]
        "Time within which no health check can change the endpoint; absent if nothing is checked. Absent when there are more than 10000 endpoints.";
    ENDPOINT_FLAPS Counter "meridian_endpoint_flaps_total" ["service", "region", "endpoint"]
        "How often the endpoint went up or down. Absent when there are more than 10000 endpoints.";
    ENDPOINTS Gauge "meridian_endpoints" ["state"]
        "Endpoints by whether they count as up.";
    REGION_UP Gauge "meridian_region_up" ["region"]
        "The part of its services for which the region is eligible, 0 to 1; 1 without services.";
    REGION_STATE Gauge "meridian_region_state" ["region", "state"]
        "1 for the state in which the region is, 0 for the others.";
    REGION_LOAD Gauge "meridian_region_load" ["region"]
        "What the region carries, in the unit of its load feed; absent where nobody says.";
    REGION_LOAD_AGE Gauge "meridian_region_load_age_seconds" ["region"]
        "Time since the load of the region was so.";
    REGION_CAPACITY_TARGET Gauge "meridian_region_capacity_target" ["region"]
        "What the region should carry, in the unit of its load; absent where it takes as much as comes.";
    REGION_CAPACITY_MAX Gauge "meridian_region_capacity_max" ["region"]
        "What the region can carry, in the unit of its load; absent where it takes as much as comes.";
    FEEDS Gauge "meridian_feeds" ["state"]
        "Load feeds of regions and endpoints, by how far their last reading can be trusted.";
    FEED_ERRORS Counter "meridian_feed_errors_total" ["kind"]
        "Readings of load feeds that did not come or were not taken, by reason.";
    REGION_LOAD_PLANNED Gauge "meridian_region_load_planned" ["region"]
        "What the region will carry once caches have followed the capacity plan, in the unit of its load; absent without a plan.";
    REGION_CAPACITY_LEVEL Gauge "meridian_region_capacity_level" ["region"]
        "What the region may be filled to now: its target, or more where nobody else has room; absent where it takes as much as comes.";
    REGION_SHED Gauge "meridian_region_shed_ratio" ["region"]
        "The part of the region's own clients that the plan sends elsewhere, 0 to 1; absent without a plan.";
    REGION_SPILL Gauge "meridian_spill_answers" ["from", "to"]
        "Answers per second of clients of one region that the plan sends to another.";
    PLAN_METHOD Gauge "meridian_plan_method" ["method"]
        "1 for the way in which the plan in force was found; absent without a plan.";
    PLAN_PENDING Gauge "meridian_plan_pending_answers" []
        "Demand that is still to move, in answers per second: caches and regions are given time; absent without a plan.";
    PLAN_LIMITED Gauge "meridian_plan_limited_answers" []
        "Demand that would have moved already if more were allowed to move within a minute, in answers per second; absent without a plan.";
    PLAN_EXTRA Gauge "meridian_plan_extra_kilometers" []
        "How much further a spilled answer goes, on average; absent without a plan.";
    LATENCY_MEASUREMENTS Counter "meridian_latency_measurements_total" ["source", "result"]
        "Measurements of ways between clients and regions: taken, or thinned because too many of one way came at once; files are not counted.";
    LATENCY_REFUSED Counter "meridian_latency_refused_total" ["kind"]
        "Measurements that cannot be meant.";
    LATENCY_DUPLICATES Counter "meridian_latency_duplicates_total" []
        "Batches of measurements that had been taken before.";
    LATENCY_NETWORKS Gauge "meridian_latency_networks" []
        "Networks of clients of which something was measured.";
    LATENCY_WAYS Gauge "meridian_latency_ways" []
        "Pairs of a network and a region that were measured.";
    LATENCY_BYTES Gauge "meridian_latency_bytes" []
        "Bytes that what was measured takes, about.";
    LATENCY_EVICTED Counter "meridian_latency_evicted_total" []
        "Networks that were forgotten because others are measured more.";
    LATENCY_MOVES Counter "meridian_latency_moves_total" []
        "Networks that changed their best region by what was measured.";
    LATENCY_WAITING Gauge "meridian_latency_moves_waiting" []
        "Networks that would change their best region by what was measured, and may not yet.";
    SERVICES Gauge "meridian_services" ["standing"]
        "Services by what their regions are usable for.";
    SERVICE_ELIGIBLE Gauge "meridian_service_regions_eligible" ["service"]
        "How many regions of the service are eligible.";
    SERVICE_ALL_DOWN Gauge "meridian_service_all_down" ["service"]
        "1 if nothing of the service is up or may be answered.";
    SERVICE_ACTIVE Gauge "meridian_service_active" ["service", "region"]
        "1 for the active region of an active-passive service.";
    FAILOVERS Counter "meridian_failovers_total" ["service"]
        "How often failures took a region from the service; from an active-passive one, its active region.";
    EVENTS Counter "meridian_events_total" ["kind"]
        "Events by kind; one that stands for several counts for all of them.";
    OVERRIDES Gauge "meridian_overrides" ["action"]
        "Words of operators in force, by what they say.";
    OVERRIDE_OLDEST Gauge "meridian_override_oldest_timestamp_seconds" ["action"]
        "When the oldest of them was said, in seconds since 1970; absent where there is none.";
    OVERRIDE_EXPIRY Gauge "meridian_override_expiry_timestamp_seconds" ["action"]
        "When the next of them ends by itself, in seconds since 1970; absent where none does.";
    GUARD_STATE Gauge "meridian_guard_state" []
        "What the guard does: 0 nothing, 1 it suspects our own uplink, 2 it holds, 3 it recovers.";
    GUARD_HELD Gauge "meridian_guard_held_endpoints" []
        "Endpoints that the guard holds up.";
    SAFETY_ON Gauge "meridian_safety_regions_on" ["rule"]
        "How many regions of the safety rule's set are on.";
    SAFETY_BROKEN Gauge "meridian_safety_broken" ["rule"]
        "1 while fewer regions are on than the safety rule asks for, 0 otherwise.";
    EVACUATION_LEFT Gauge "meridian_evacuation_left_ratio" ["region"]
        "The part of its share that a region has left that is being evacuated, 0 to 1; absent for the others.";
    EVACUATION_HELD Gauge "meridian_evacuation_held" ["region"]
        "1 while the evacuation of the region is held, 0 while it goes on; absent for the others.";
    PANICS Counter "meridian_panics_total" []
        "Answers given up because of a defect in the server; each is logged. Anything but 0 deserves a report.";
    UPTIME Gauge "meridian_uptime_seconds" []
        "Time since the server was started.";
    READY Gauge "meridian_ready" []
        "1 if the server answers queries.";
    BUILD_INFO Gauge "meridian_build_info" ["version"]
        "Always 1; the label says which version runs.";
}
