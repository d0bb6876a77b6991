//! What is known of the ways to regions, for people.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::answer::explanation::Explanation;
use crate::geo::{Estimate, Group};

/// What is known of the way to a region.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WayView {
    /// What is estimated for it, there and back, after bias: milliseconds.
    pub ms: f64,
    /// The standard deviation of that, milliseconds; 0: nothing is measured.
    pub error_ms: f64,
    /// What the distance alone lets expect, after bias: milliseconds.
    pub expected_ms: f64,
    /// What was measured for the client's own network; `None`: nothing, or nobody was asked.
    #[serde(default)]
    pub evidence: Option<EvidenceView>,
}

/// What was measured of the way between a network and a region.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EvidenceView {
    /// The network.
    pub network: String,
    /// The median, milliseconds.
    pub ms: f64,
    /// Round trips that count, after what is old has faded.
    pub samples: f64,
    /// Seconds since the last one.
    pub age_s: u64,
    /// Who measured: `probe`, `vantage`, `push`, `agent`, `beacon`, `import`.
    pub sources: Vec<String>,
}

impl WayView {
    pub(super) fn new(estimate: Estimate) -> Self {
        let Estimate { us, error_us, expected_us } = estimate;
        Self {
            ms: milliseconds(us),
            error_ms: milliseconds(error_us),
            expected_ms: milliseconds(expected_us),
            evidence: None,
        }
    }
}

impl Explanation {
    /// True if regions are ranked by latency for some name on the way.
    #[must_use]
    pub fn is_measured(&self) -> bool {
        self.steps.iter().flat_map(|step| &step.regions).any(|region| region.latency.is_some())
    }

    /// Says what was measured of the networks of clients: by the address that was located, and by region.
    pub fn add_evidence(&mut self, of: impl Fn(IpAddr) -> BTreeMap<String, EvidenceView>) {
        for step in &mut self.steps {
            let Some(address) = step.place.as_ref().and_then(|place| place.address) else { continue };
            let mut evidence = of(address);
            for region in &mut step.regions {
                if let Some(latency) = &mut region.latency {
                    latency.evidence = evidence.remove(&region.region);
                }
            }
        }
    }
}

/// Clients that were measured together, in words.
#[must_use]
pub fn group_text(group: &Group) -> String {
    let code = |code: &[u8; 2]| String::from_utf8_lossy(code).into_owned();
    match group {
        Group::World => "all clients".into(),
        Group::Country(country) => format!("country {}", code(country)),
        Group::City(country, city) => format!("city {city}, {}", code(country)),
        Group::System(asn, country) => format!("AS{asn} in {}", code(country)),
        Group::Network(address, length) => format!("network {address}/{length}"),
    }
}

/// With two digits.
fn milliseconds(us: u32) -> f64 {
    (f64::from(us) / 10.0).round() / 100.0
}
