//! Every metric: name, help, labels, and the handles, made once.
//!
//! The rooms that count keep plain numbers ([`Traffic`], [`Gauges`]); here they become series. Counters are told the
//! totals each second; gauges are read when somebody asks. `docs/metrics.md` lists the same table for operators.

use std::sync::Arc;

use metrics::{Counter, Histogram, Key, KeyName, Label, Level, Metadata, Recorder, SharedString};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

use crate::answer::Silence;
use crate::base::limits::ZONE_SERIES_MAX;
use crate::dns::RecordType;

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
        $(const $constant: Metric =
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
    PANICS Counter "meridian_panics_total" []
        "Answers given up because of a defect in the server; each is logged. Anything but 0 deserves a report.";
    UPTIME Gauge "meridian_uptime_seconds" []
        "Time since the server was started.";
    READY Gauge "meridian_ready" []
        "1 if the server answers queries.";
    BUILD_INFO Gauge "meridian_build_info" ["version"]
        "Always 1; the label says which version runs.";
}

/// An enum of label values: its variants, their texts, and a count.
macro_rules! label {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[$variant_doc])* $variant,)* }

        impl $name {
            /// All values, in order.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The value of the label.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// The place among [`Self::ALL`].
            #[must_use]
            pub const fn index(self) -> usize {
                self as usize
            }
        }
    };
}

label! {
    /// Label `transport`.
    TransportLabel {
        /// Datagrams.
        Udp "udp",
        /// Streams.
        Tcp "tcp",
    }
}

label! {
    /// Label `reason` of dropped packets.
    DropReason {
        /// Shorter than a header.
        Short "short",
        /// A response, not a query.
        Response "response",
        /// There was no room for any answer.
        NoRoom "no-room",
        /// Longer than any query we take.
        Oversized "oversized",
        /// From port 0, to which nothing can be sent.
        PortZero "port-zero",
        /// The kernel refused to send the answer.
        SendFailed "send-failed",
        /// The kernel had no room to keep the query.
        ReceiveOverflow "receive-overflow",
    }
}

impl From<Silence> for DropReason {
    fn from(silence: Silence) -> Self {
        match silence {
            Silence::Short => Self::Short,
            Silence::Response => Self::Response,
            Silence::NoRoom => Self::NoRoom,
        }
    }
}

label! {
    /// Label `reason` of closed TCP connections.
    CloseReason {
        /// The client closed it, or the network broke.
        Client "client",
        /// Silent for too long between queries.
        Idle "idle",
        /// A query came too slowly.
        SlowQuery "slow-query",
        /// Answers were taken too slowly.
        SlowReader "slow-reader",
        /// What came was no DNS query.
        Garbage "garbage",
        /// Gave its place to a new one because all were taken.
        Evicted "evicted",
        /// Not accepted: all places were taken and all were busy.
        Full "full",
        /// Not accepted: the client had all the connections it may have.
        ClientFull "client-full",
        /// The server ended.
        Shutdown "shutdown",
    }
}

label! {
    /// Label `result` of reloads.
    ReloadResult {
        /// Everything was read and taken.
        Ok "ok",
        /// Taken, but at least one zone kept its last version or answers SERVFAIL.
        Partial "partial",
        /// Nothing was taken.
        Refused "refused",
    }
}

/// Label `qtype`: the types that are asked for; all others count as `other`.
const QTYPES: [(&str, RecordType); 24] = [
    ("A", RecordType::A),
    ("AAAA", RecordType::AAAA),
    ("ANY", RecordType::ANY),
    ("AXFR", RecordType::AXFR),
    ("CAA", RecordType::CAA),
    ("CDS", RecordType::CDS),
    ("CNAME", RecordType::CNAME),
    ("DNAME", RecordType::DNAME),
    ("DNSKEY", RecordType::DNSKEY),
    ("DS", RecordType::DS),
    ("HTTPS", RecordType::HTTPS),
    ("IXFR", RecordType::IXFR),
    ("MX", RecordType::MX),
    ("NAPTR", RecordType::NAPTR),
    ("NS", RecordType::NS),
    ("NSEC", RecordType::NSEC),
    ("PTR", RecordType::PTR),
    ("RRSIG", RecordType::RRSIG),
    ("SOA", RecordType::SOA),
    ("SRV", RecordType::SRV),
    ("SSHFP", RecordType::SSHFP),
    ("SVCB", RecordType::SVCB),
    ("TLSA", RecordType::TLSA),
    ("TXT", RecordType::TXT),
];
/// Values of label `qtype`.
pub const QTYPE_COUNT: usize = QTYPES.len() + 2;
#[expect(clippy::cast_possible_truncation, reason = "a handful")]
const QTYPE_OTHER: u8 = QTYPES.len() as u8;
const QTYPE_NONE: u8 = QTYPE_OTHER + 1;

/// One look instead of a search: a query is counted in a few nanoseconds.
#[expect(clippy::cast_possible_truncation, reason = "places among a handful")]
static QTYPE_INDEX: [u8; 260] = {
    let mut index = [QTYPE_OTHER; 260];
    let mut at = 0;
    while at < QTYPES.len() {
        index[QTYPES[at].1.0 as usize] = at as u8;
        at += 1;
    }
    index
};

/// The place of a query type among the values of label `qtype`.
#[inline]
#[must_use]
pub fn qtype_index(qtype: Option<RecordType>) -> usize {
    usize::from(qtype.map_or(QTYPE_NONE, |qtype| *QTYPE_INDEX.get(usize::from(qtype.0)).unwrap_or(&QTYPE_OTHER)))
}

fn qtype_text(index: usize) -> &'static str {
    match QTYPES.get(index) {
        Some((text, _)) => text,
        None if index == usize::from(QTYPE_NONE) => "none",
        None => "other",
    }
}

/// Label `rcode`, by number; the last one stands for all others.
const RCODES: [(&str, u16); 10] = [
    ("NOERROR", 0),
    ("FORMERR", 1),
    ("SERVFAIL", 2),
    ("NXDOMAIN", 3),
    ("NOTIMP", 4),
    ("REFUSED", 5),
    ("YXDOMAIN", 6),
    ("NOTAUTH", 9),
    ("BADVERS", 16),
    ("BADCOOKIE", 23),
];
/// Values of label `rcode`.
pub const RCODE_COUNT: usize = RCODES.len() + 1;

#[expect(clippy::cast_possible_truncation, reason = "places among a handful")]
static RCODE_INDEX: [u8; 24] = {
    let mut index = [RCODES.len() as u8; 24];
    let mut at = 0;
    while at < RCODES.len() {
        index[RCODES[at].1 as usize] = at as u8;
        at += 1;
    }
    index
};

/// The place of a response code among the values of label `rcode`.
#[inline]
#[must_use]
pub fn rcode_index(rcode: u16) -> usize {
    RCODE_INDEX.get(usize::from(rcode)).map_or(RCODES.len(), |&index| usize::from(index))
}

/// Totals since the start of one transport.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Answered queries by [`qtype_index`].
    pub queries: [u64; QTYPE_COUNT],
    /// Answers by [`rcode_index`].
    pub responses: [u64; RCODE_COUNT],
    /// Packets without an answer by [`DropReason`].
    pub dropped: [u64; DropReason::ALL.len()],
    /// Answers with the TC bit.
    pub truncated: u64,
}

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
    /// Whether queries are answered.
    pub ready: bool,
}

/// Counter handles of one transport.
struct TrafficCounters {
    queries: Vec<Counter>,
    responses: Vec<Counter>,
    dropped: Vec<Counter>,
    truncated: Counter,
}

/// All counters of the process, and the text of everything.
pub struct Metrics {
    handle: PrometheusHandle,
    traffic: Vec<TrafficCounters>,
    tcp_accepted: Counter,
    tcp_closed: Vec<Counter>,
    reloads: Vec<Counter>,
    reload_duration: Histogram,
    panics: Counter,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// All counters, at zero.
    #[must_use]
    pub fn new() -> Self {
        let recorder = recorder(&|kind| kind != Kind::Gauge);
        let per_transport = |transport: &TransportLabel| {
            let transport = transport.as_str();
            TrafficCounters {
                queries: (0..QTYPE_COUNT)
                    .map(|at| counter(&recorder, &QUERIES, &[transport, qtype_text(at)]))
                    .collect(),
                responses: (0..RCODE_COUNT)
                    .map(|at| {
                        let rcode = RCODES.get(at).map_or("other", |(text, _)| text);
                        counter(&recorder, &RESPONSES, &[transport, rcode])
                    })
                    .collect(),
                dropped: DropReason::ALL
                    .iter()
                    .map(|reason| counter(&recorder, &DROPPED, &[transport, reason.as_str()]))
                    .collect(),
                truncated: counter(&recorder, &TRUNCATED, &[transport]),
            }
        };
        Self {
            traffic: TransportLabel::ALL.iter().map(per_transport).collect(),
            tcp_accepted: counter(&recorder, &TCP_ACCEPTED, &[]),
            tcp_closed: CloseReason::ALL.iter().map(|r| counter(&recorder, &TCP_CLOSED, &[r.as_str()])).collect(),
            reloads: ReloadResult::ALL.iter().map(|r| counter(&recorder, &RELOADS, &[r.as_str()])).collect(),
            reload_duration: recorder.register_histogram(&key(&RELOAD_DURATION, &[]), &METADATA),
            panics: counter(&recorder, &PANICS, &[]),
            handle: recorder.handle(),
        }
    }

    /// Takes over the totals of one transport.
    pub fn set_traffic(&self, transport: TransportLabel, totals: &Traffic) {
        let counters = &self.traffic[transport.index()];
        for (counters, totals) in [
            (&counters.queries, &totals.queries[..]),
            (&counters.responses, &totals.responses[..]),
            (&counters.dropped, &totals.dropped[..]),
        ] {
            for (counter, &total) in counters.iter().zip(totals) {
                counter.absolute(total);
            }
        }
        counters.truncated.absolute(totals.truncated);
    }

    /// Takes over the totals of TCP connections: accepted, and closed by [`CloseReason`].
    pub fn set_connections(&self, accepted: u64, closed: &[u64; CloseReason::ALL.len()]) {
        self.tcp_accepted.absolute(accepted);
        for (counter, &total) in self.tcp_closed.iter().zip(closed) {
            counter.absolute(total);
        }
    }

    /// Takes over the total of answers given up.
    pub fn set_panics(&self, total: u64) {
        self.panics.absolute(total);
    }

    /// Counts one load that took `seconds`.
    pub fn count_reload(&self, result: ReloadResult, seconds: f64) {
        self.reloads[result.index()].increment(1);
        self.reload_duration.record(seconds);
    }

    /// Empties what histograms have collected; to be called every few seconds.
    pub fn upkeep(&self) {
        self.handle.run_upkeep();
    }

    /// Everything in the text format of Prometheus.
    #[must_use]
    pub fn render(&self, gauges: &Gauges) -> String {
        self.handle.render() + &render_gauges(gauges)
    }
}

/// Gauges live in a recorder of their own for one moment: a zone that is gone leaves no series behind.
fn render_gauges(gauges: &Gauges) -> String {
    let recorder = recorder(&|kind| kind == Kind::Gauge);
    let set = |metric: &Metric, labels: &[&str], value: f64| {
        recorder.register_gauge(&key(metric, labels), &METADATA).set(value);
    };
    let with_state = |state: ZoneState| gauges.zones.iter().filter(|zone| zone.state == state).count();
    set(&TCP_OPEN, &[], gauges.tcp_open as f64);
    set(&TCP_LIMIT, &[], gauges.tcp_limit as f64);
    set(&ZONES, &[], (gauges.zones.len() - with_state(ZoneState::Failed)) as f64);
    set(&ZONES_FAILED, &[], with_state(ZoneState::Failed) as f64);
    set(&ZONES_STALE, &[], with_state(ZoneState::Stale) as f64);
    set(&MODEL_STALE, &[], f64::from(u8::from(gauges.model_stale)));
    set(&RECORDS, &[], gauges.zones.iter().map(|zone| zone.records as f64).sum());
    set(&GENERATION, &[], gauges.generation as f64);
    set(&SNAPSHOT_AGE, &[], gauges.age_s);
    set(&SNAPSHOTS_RETIRED, &[], gauges.retired as f64);
    set(&UPTIME, &[], gauges.uptime_s);
    set(&READY, &[], f64::from(u8::from(gauges.ready)));
    set(&BUILD_INFO, &[env!("CARGO_PKG_VERSION")], 1.0);
    if gauges.zones.len() <= ZONE_SERIES_MAX {
        for zone in gauges.zones.iter() {
            let label = [zone.zone.as_str()];
            set(&ZONE_STATE, &label, f64::from(zone.state as u8));
            set(&ZONE_RECORDS, &label, zone.records as f64);
            if let Some(serial) = zone.serial {
                set(&ZONE_SERIAL, &label, f64::from(serial));
            }
        }
    }
    recorder.handle().render()
}

const METADATA: Metadata<'static> = Metadata::new(module_path!(), Level::INFO, None);

/// Buckets of the reload duration: from one record of a small zone to a cold start of the largest.
const RELOAD_BUCKETS: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0];

/// A recorder that knows the metrics of the kinds wanted.
fn recorder(wanted: &dyn Fn(Kind) -> bool) -> PrometheusRecorder {
    let builder = PrometheusBuilder::new();
    let matcher = Matcher::Full(RELOAD_DURATION.name.into());
    // The only error is an empty list of buckets.
    let recorder = builder.set_buckets_for_metric(matcher, RELOAD_BUCKETS).unwrap_or_default().build_recorder();
    for metric in METRICS.iter().filter(|metric| wanted(metric.kind)) {
        let (name, help) = (KeyName::from_const_str(metric.name), SharedString::const_str(metric.help));
        match metric.kind {
            Kind::Counter => recorder.describe_counter(name, None, help),
            Kind::Gauge => recorder.describe_gauge(name, None, help),
            Kind::Histogram => recorder.describe_histogram(name, None, help),
        }
    }
    recorder
}

fn counter(recorder: &PrometheusRecorder, metric: &Metric, values: &[&'static str]) -> Counter {
    recorder.register_counter(&key(metric, values), &METADATA)
}

fn key(metric: &Metric, values: &[&str]) -> Key {
    debug_assert_eq!(metric.labels.len(), values.len(), "{}", metric.name);
    let labels: Vec<Label> =
        metric.labels.iter().zip(values).map(|(&name, value)| Label::new(name, (*value).to_owned())).collect();
    Key::from_parts(metric.name, labels)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line<'a>(text: &'a str, series: &str) -> Option<&'a str> {
        text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))
    }

    fn zone(name: &str, state: ZoneState, records: usize) -> ZoneGauges {
        ZoneGauges { zone: name.into(), state, serial: (state != ZoneState::Failed).then_some(7), records }
    }

    #[test]
    fn totals_become_series() {
        let metrics = Metrics::new();
        let mut udp = Traffic::default();
        udp.queries[qtype_index(Some(RecordType::A))] = 5;
        udp.queries[qtype_index(Some(RecordType(65280)))] = 2;
        udp.queries[qtype_index(None)] = 1;
        udp.responses[rcode_index(3)] = 4;
        udp.responses[rcode_index(4000)] = 3;
        udp.dropped[DropReason::PortZero.index()] = 9;
        metrics.set_traffic(TransportLabel::Udp, &udp);
        metrics.set_traffic(TransportLabel::Udp, &udp);
        metrics.count_reload(ReloadResult::Partial, 0.02);
        let text = metrics.render(&Gauges::default());
        for (series, value) in [
            ("meridian_dns_queries_total{transport=\"udp\",qtype=\"A\"}", "5"),
            ("meridian_dns_queries_total{transport=\"udp\",qtype=\"other\"}", "2"),
            ("meridian_dns_queries_total{transport=\"udp\",qtype=\"none\"}", "1"),
            ("meridian_dns_queries_total{transport=\"tcp\",qtype=\"A\"}", "0"),
            ("meridian_dns_responses_total{transport=\"udp\",rcode=\"NXDOMAIN\"}", "4"),
            ("meridian_dns_responses_total{transport=\"udp\",rcode=\"other\"}", "3"),
            ("meridian_dns_dropped_total{transport=\"udp\",reason=\"port-zero\"}", "9"),
            ("meridian_reloads_total{result=\"partial\"}", "1"),
            ("meridian_reload_duration_seconds_bucket{le=\"0.025\"}", "1"),
        ] {
            assert_eq!(line(&text, series), Some(value), "{series}\n{text}");
        }
    }

    #[test]
    fn zones_have_series_of_their_own_up_to_a_limit() {
        let metrics = Metrics::new();
        let zones = vec![zone("example.com.", ZoneState::Current, 10), zone("example.net.", ZoneState::Failed, 0)];
        let text = metrics.render(&Gauges { zones: Arc::new(zones), ..Gauges::default() });
        assert_eq!(line(&text, "meridian_zone_serial{zone=\"example.com.\"}"), Some("7"));
        assert_eq!(line(&text, "meridian_zone_serial{zone=\"example.net.\"}"), None);
        assert_eq!(line(&text, "meridian_zone_state{zone=\"example.net.\"}"), Some("0"));
        assert_eq!(line(&text, "meridian_zones"), Some("1"));
        assert_eq!(line(&text, "meridian_zones_failed"), Some("1"));
        let zones = (0..=ZONE_SERIES_MAX).map(|i| zone(&format!("z{i}."), ZoneState::Current, 2)).collect();
        let text = metrics.render(&Gauges { zones: Arc::new(zones), ..Gauges::default() });
        assert!(!text.contains("meridian_zone_serial"));
        assert_eq!(line(&text, "meridian_records"), Some("2002"));
    }

    #[test]
    fn every_metric_is_described_and_shown() {
        let zones = vec![zone("example.com.", ZoneState::Current, 10)];
        let text = Metrics::new().render(&Gauges { zones: Arc::new(zones), ..Gauges::default() });
        for metric in METRICS {
            let kind = match metric.kind {
                Kind::Counter => "counter",
                Kind::Gauge => "gauge",
                Kind::Histogram => "histogram",
            };
            assert_eq!(line(&text, &format!("# TYPE {}", metric.name)), Some(kind), "{text}");
            assert!(text.contains(&format!("# HELP {} ", metric.name)), "{}", metric.name);
            assert_eq!(metric.name.ends_with("_total"), metric.kind == Kind::Counter, "{}", metric.name);
            assert!(metric.help.ends_with('.'), "{}", metric.name);
        }
    }

    #[test]
    fn the_documentation_lists_every_metric() {
        let documentation = include_str!("../docs/metrics.md");
        let rows: Vec<String> = METRICS
            .iter()
            .map(|metric| {
                let kind = format!("{:?}", metric.kind).to_lowercase();
                let labels = metric.labels.iter().map(|label| format!("`{label}`")).collect::<Vec<_>>().join(", ");
                format!("| `{}` | {kind} | {labels} | {} |", metric.name, metric.help)
            })
            .collect();
        let listed: Vec<&str> = documentation.lines().filter(|line| line.starts_with("| `meridian_")).collect();
        assert_eq!(listed, rows, "docs/metrics.md must read:\n{}", rows.join("\n"));
    }
}
