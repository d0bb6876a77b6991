//! Every metric: name, help, labels, and the handles, made once.
//!
//! The rooms that count keep plain numbers ([`Traffic`], [`Gauges`]); here they become series. Counters are told the
//! totals each second; gauges are read when somebody asks. `docs/metrics.md` lists the same table for operators.

mod figures;
mod gauges;
mod labels;
mod rates;
mod table;
mod text;
mod ways;

use metrics::{Counter, Histogram, Key, KeyName, Label, Level, Metadata, Recorder, SharedString};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

use crate::control::{Event, EventKind};
use crate::policy::Reason;

pub use figures::CheckFigures;
pub use gauges::{Gauges, ZoneGauges, ZoneState};
pub use labels::{
    CloseReason, DropReason, QTYPE_COUNT, RCODE_COUNT, ReloadResult, TransportLabel, qtype_index, rcode_index,
    rcode_text,
};
pub use rates::{AnswerRate, Rates, TransportRate};
pub use table::{Kind, METRICS, Metric};
pub use text::Buckets;

use labels::qtype_text;
use table::*;

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
    /// Answers with a steered name by [`Reason`].
    pub steered: [u64; Reason::ALL.len()],
}

/// Label `result` of probes.
pub const PROBE_RESULTS: [&str; 3] = ["pass", "fail", "inconclusive"];

/// Counter handles of one transport.
struct TrafficCounters {
    queries: Vec<Counter>,
    responses: Vec<Counter>,
    dropped: Vec<Counter>,
    truncated: Counter,
    steered: Vec<Counter>,
}

/// All counters of the process, and the text of everything.
pub struct Metrics {
    handle: PrometheusHandle,
    traffic: Vec<TrafficCounters>,
    tcp_accepted: Counter,
    tcp_closed: Vec<Counter>,
    reloads: Vec<Counter>,
    reload_duration: Histogram,
    probes: Vec<Counter>,
    probes_starved: Counter,
    panics: Counter,
    events: Vec<Counter>,
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
        let recorder = recorder();
        let per_transport = |transport: &TransportLabel| {
            let transport = transport.as_str();
            TrafficCounters {
                queries: (0..QTYPE_COUNT)
                    .map(|at| counter(&recorder, &QUERIES, &[transport, qtype_text(at)]))
                    .collect(),
                responses: (0..RCODE_COUNT)
                    .map(|at| counter(&recorder, &RESPONSES, &[transport, rcode_text(at)]))
                    .collect(),
                dropped: DropReason::ALL
                    .iter()
                    .map(|reason| counter(&recorder, &DROPPED, &[transport, reason.as_str()]))
                    .collect(),
                truncated: counter(&recorder, &TRUNCATED, &[transport]),
                steered: Reason::ALL
                    .iter()
                    .map(|reason| counter(&recorder, &STEERED, &[transport, reason.as_str()]))
                    .collect(),
            }
        };
        Self {
            traffic: TransportLabel::ALL.iter().map(per_transport).collect(),
            tcp_accepted: counter(&recorder, &TCP_ACCEPTED, &[]),
            tcp_closed: CloseReason::ALL.iter().map(|r| counter(&recorder, &TCP_CLOSED, &[r.as_str()])).collect(),
            reloads: ReloadResult::ALL.iter().map(|r| counter(&recorder, &RELOADS, &[r.as_str()])).collect(),
            reload_duration: recorder.register_histogram(&key(&RELOAD_DURATION, &[]), &METADATA),
            probes: PROBE_RESULTS.iter().map(|result| counter(&recorder, &PROBES, &[result])).collect(),
            probes_starved: counter(&recorder, &PROBES_STARVED, &[]),
            panics: counter(&recorder, &PANICS, &[]),
            events: EventKind::ALL.iter().map(|kind| counter(&recorder, &EVENTS, &[kind.as_str()])).collect(),
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
            (&counters.steered, &totals.steered[..]),
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

    /// Takes over the totals of probes: in the order of [`PROBE_RESULTS`], and those that starved.
    pub fn set_probes(&self, ended: [u64; PROBE_RESULTS.len()], starved: u64) {
        for (counter, total) in self.probes.iter().zip(ended) {
            counter.absolute(total);
        }
        self.probes_starved.absolute(starved);
    }

    /// Takes over the total of answers given up.
    pub fn set_panics(&self, total: u64) {
        self.panics.absolute(total);
    }

    /// Counts an event, for all that it stands for.
    pub fn count_event(&self, event: &Event) {
        if let Some(counter) = self.events.get(event.kind as usize) {
            counter.increment(event.count as u64);
        }
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
        self.handle.render() + &gauges::render(gauges)
    }
}

const METADATA: Metadata<'static> = Metadata::new(module_path!(), Level::INFO, None);

/// Buckets of the reload duration: from one record of a small zone to a cold start of the largest.
const RELOAD_BUCKETS: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0];

/// A recorder for the counters that are always there.
fn recorder() -> PrometheusRecorder {
    let builder = PrometheusBuilder::new();
    let matcher = Matcher::Full(RELOAD_DURATION.name.into());
    // The only error is an empty list of buckets.
    let recorder = builder.set_buckets_for_metric(matcher, RELOAD_BUCKETS).unwrap_or_default().build_recorder();
    for metric in METRICS {
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
    use std::sync::Arc;

    use super::*;
    use crate::base::limits::ZONE_SERIES_MAX;
    use crate::dns::RecordType;

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
        assert!(!text.contains("meridian_zone_serial{"));
        assert_eq!(line(&text, "meridian_records"), Some("2002"));
    }

    #[test]
    fn every_metric_is_described_and_shown() {
        let zones = vec![zone("example.com.", ZoneState::Current, 10)];
        let figures = Some(crate::control::Figures::default());
        let text = Metrics::new().render(&Gauges { zones: Arc::new(zones), figures, ..Gauges::default() });
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
