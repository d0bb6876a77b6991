//! The text format of Prometheus, for series that are made anew each time somebody asks: what is gone leaves none behind.

use std::fmt::Display;

use metrics::{Key, Label};
use metrics_exporter_prometheus::LabelSet;
use metrics_exporter_prometheus::formatting::{write_help_line, write_metric_line, write_type_line};

use super::table::{Kind, Metric};

/// Observations by size, as whoever counts them keeps them.
#[derive(Clone, Debug, PartialEq)]
pub struct Buckets {
    /// Upper bounds, rising; one more bucket takes the rest.
    pub bounds: &'static [f64],
    /// How many observations each bucket took alone.
    pub counts: Vec<u64>,
    /// The sum of all observations.
    pub sum: f64,
}

/// Text in the making.
#[derive(Default)]
pub(super) struct Text(String);

impl Text {
    /// The text.
    pub(super) fn finish(self) -> String {
        self.0
    }

    /// A metric: what it is, and then its series, which `write` adds.
    pub(super) fn metric(&mut self, metric: &Metric, write: impl FnOnce(&mut Series<'_>)) {
        let kind = match metric.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        write_help_line(&mut self.0, metric.name, None, None, metric.help);
        write_type_line(&mut self.0, metric.name, None, None, kind);
        write(&mut Series { text: &mut self.0, metric });
        self.0.push('\n');
    }

    /// A metric of one series.
    pub(super) fn single(&mut self, metric: &Metric, value: impl Display) {
        self.metric(metric, |series| series.add(&[], value));
    }
}

/// The series of one metric.
pub(super) struct Series<'t> {
    text: &'t mut String,
    metric: &'t Metric,
}

impl Series<'_> {
    /// A counter's or a gauge's series; `labels` are the values, in the order of the table.
    pub(super) fn add(&mut self, labels: &[&str], value: impl Display) {
        let labels = self.labels(labels);
        write_metric_line::<&str, _>(self.text, self.metric.name, None, &labels, None, value, None);
    }

    /// A histogram's series.
    pub(super) fn add_histogram(&mut self, labels: &[&str], buckets: &Buckets) {
        let (name, labels) = (self.metric.name, self.labels(labels));
        let mut total = 0;
        let bounds = buckets.bounds.iter().map(ToString::to_string).chain(["+Inf".to_owned()]);
        for (bound, count) in bounds.zip(&buckets.counts) {
            total += count;
            write_metric_line(self.text, name, Some("bucket"), &labels, Some(("le", bound)), total, None);
        }
        write_metric_line::<&str, _>(self.text, name, Some("sum"), &labels, None, buckets.sum, None);
        write_metric_line::<&str, _>(self.text, name, Some("count"), &labels, None, total, None);
    }

    fn labels(&self, values: &[&str]) -> LabelSet {
        debug_assert_eq!(self.metric.labels.len(), values.len(), "{}", self.metric.name);
        let labels = self.metric.labels.iter().zip(values).map(|(&name, &value)| Label::new(name, value.to_owned()));
        LabelSet::from_key_and_global(
            &Key::from_parts(self.metric.name, labels.collect::<Vec<_>>()),
            &Default::default(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_added_up() {
        let metric = Metric { name: "m_seconds", kind: Kind::Histogram, labels: &["check"], help: "How long." };
        let mut text = Text::default();
        let buckets = Buckets { bounds: &[0.5, 1.0], counts: vec![2, 0, 3], sum: 7.25 };
        text.metric(&metric, |series| series.add_histogram(&["a\"b"], &buckets));
        assert_eq!(
            text.finish(),
            "# HELP m_seconds How long.\n# TYPE m_seconds histogram\n\
             m_seconds_bucket{check=\"a\\\"b\",le=\"0.5\"} 2\n\
             m_seconds_bucket{check=\"a\\\"b\",le=\"1\"} 2\n\
             m_seconds_bucket{check=\"a\\\"b\",le=\"+Inf\"} 5\n\
             m_seconds_sum{check=\"a\\\"b\"} 7.25\n\
             m_seconds_count{check=\"a\\\"b\"} 5\n\n"
        );
    }
}
