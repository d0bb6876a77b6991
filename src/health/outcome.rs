//! What a probe brings back.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

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
}

/// How long the parts of a probe took; `None` for what it has not or did not reach.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Phases {
    /// Until the connection was open.
    pub connect: Option<Duration>,
    /// From there until TLS was agreed on.
    pub tls: Option<Duration>,
    /// From there until the first octet of an answer.
    pub first_byte: Option<Duration>,
    /// All of it.
    pub total: Duration,
}
