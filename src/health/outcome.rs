//! What a probe brings back.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::FeedMiss;

/// What one probe says about its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It did what the check asks for.
    Pass,
    /// It did not.
    Fail,
    /// The probe itself could not be made (no route, no file descriptor, a host that does not resolve): no vote.
    Inconclusive,
}

impl Verdict {
    /// The word used in metrics and the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Inconclusive => "inconclusive",
        }
    }
}

/// One outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// What it says.
    pub verdict: Verdict,
    /// In words, for people: `status 503`, `connection refused`.
    pub reason: Arc<str>,
    /// What should be seen to although the probe passed: a certificate that ends soon.
    pub warning: Option<Arc<str>>,
    /// Where its time went.
    pub phases: Phases,
    /// The numbers that load feeds want from its answer, in the order in which they were asked for; empty if there was
    /// no answer.
    pub fed: Vec<Result<u64, FeedMiss>>,
}

/// When a probe reached what, counted from its start; `None`: it never did, or its kind has no such phase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Phases {
    /// The connection was open.
    pub connect: Option<Duration>,
    /// The TLS handshake was done.
    pub tls: Option<Duration>,
    /// The first octet of the answer was there; for HTTP, its head.
    pub first_byte: Option<Duration>,
    /// The probe was over.
    pub total: Duration,
}

impl Phases {
    /// How long the other end worked on its answer: from the open connection to the first octet.
    #[must_use]
    pub fn server(&self) -> Option<Duration> {
        let open = self.tls.or(self.connect)?;
        Some(self.first_byte?.saturating_sub(open))
    }
}
