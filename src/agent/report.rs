//! Batches, as `POST /api/v1/latency` takes them.

use serde::Serialize;

use super::tally::Median;
use crate::base::limits::AGENT_NAME_LEN_MAX;
use crate::base::moment::Moment;

/// Who has measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Source {
    /// The kernel, of connections.
    Agent,
    /// Browsers, by script.
    Beacon,
}

/// A batch that can be sent as often as needed: by its id a node knows it again.
#[derive(Debug)]
pub(super) struct Batch {
    /// What no other batch is called.
    pub(super) id: String,
    /// Networks in it.
    pub(super) count: usize,
    /// The body of the request.
    pub(super) body: Vec<u8>,
}

/// Makes batches, each with a new id: the agent's name, when it was started, and a number.
#[derive(Debug)]
pub(super) struct Batches {
    name: String,
    started: Moment,
    number: u64,
}

#[derive(Serialize)]
struct Document<'a> {
    source: Source,
    id: &'a str,
    measurements: Vec<Measurement<'a>>,
}

#[derive(Serialize)]
struct Measurement<'a> {
    client: String,
    region: &'a str,
    ms: f64,
    samples: u32,
    at: Moment,
}

impl Batches {
    /// Of an agent that was started then. Characters of its name that are not for names of hosts become `-`.
    pub(super) fn new(name: &str, started: Moment) -> Self {
        let plain = |c: char| if c.is_ascii_alphanumeric() || ".-_".contains(c) { c } else { '-' };
        Self { name: name.chars().map(plain).take(AGENT_NAME_LEN_MAX).collect(), started, number: 0 }
    }

    /// The next batch: of `medians` at the moment `at`, whose regions are places in `regions`.
    pub(super) fn next(&mut self, source: Source, medians: &[Median], regions: &[String], at: Moment) -> Batch {
        self.number += 1;
        let id = format!("{}/{}-{}", self.name, self.started.0, self.number);
        let measurements = medians.iter().filter_map(|median| {
            let region = regions.get(median.region)?;
            let client = median.network.to_string();
            Some(Measurement { client, region, ms: median.ms(), samples: median.samples, at })
        });
        let document = Document { source, id: &id, measurements: measurements.collect() };
        let count = document.measurements.len();
        // Texts and numbers can always be written.
        let body = serde_json::to_vec(&document).unwrap_or_default();
        Batch { id, count, body }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::limits::{AGENT_REPORT_MAX, LATENCY_SAMPLES_MAX};
    use crate::latency::ClientNetwork;

    #[test]
    fn a_batch_is_what_the_api_takes() {
        let mut batches = Batches::new("fra edge/1", Moment(1_769_990_000_000));
        let network = ClientNetwork::of("203.0.113.9".parse().unwrap()).unwrap();
        let median = Median { network, region: 0, rtt_us: 23_400, samples: 12 };
        let batch = batches.next(Source::Agent, &[median], &["fra".into()], Moment(1_769_990_010_000));
        let expected = serde_json::json!({
            "source": "agent", "id": "fra-edge-1/1769990000000-1",
            "measurements": [
                {"client": "203.0.113.0/24", "region": "fra", "ms": 23.4, "samples": 12, "at": 1_769_990_010_000_u64}
            ]
        });
        assert_eq!(serde_json::from_slice::<serde_json::Value>(&batch.body).unwrap(), expected);
        assert_eq!((batch.id.as_str(), batch.count), ("fra-edge-1/1769990000000-1", 1));
        let next = batches.next(Source::Agent, &[], &[], Moment(0));
        assert_eq!(next.id, "fra-edge-1/1769990000000-2");
    }

    #[test]
    fn the_largest_batch_fits_the_api() {
        let mut batches = Batches::new(&"é".repeat(500), Moment(u64::MAX));
        let network = ClientNetwork::of("2fff:ffff:ffff::".parse().unwrap()).unwrap();
        let median = Median { network, region: 0, rtt_us: 9_999_999, samples: LATENCY_SAMPLES_MAX };
        let batch = batches.next(Source::Agent, &[median; AGENT_REPORT_MAX], &["r".repeat(63)], Moment(u64::MAX));
        assert!(batch.body.len() < 1 << 20, "{}", batch.body.len());
        assert!(batch.id.len() <= 128);
    }
}
