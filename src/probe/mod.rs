//! Health checks at work: probes start on time, never overlap, and end as outcomes that somebody else judges.
//!
//! [`Prober`] holds a set of [`Target`]s; a [`Judge`] receives each outcome ([`crate::health::Observation`]) and says when that target's next
//! probe starts. Nothing here knows services, states or overrides, and nothing logs.
//!
//! ```text
//! set_targets → schedule: one task, one heap of due times ─due→ a task a probe: permit → execute → judge ─cadence→ heap
//! ```
//!
//! | result | when |
//! |---|---|
//! | pass | the check's rule is fulfilled |
//! | fail | the other end refused, was silent until the timeout, or answered something else |
//! | inconclusive | *we* could not probe: no route, no socket, no permit, no permission, or this runtime lagged |
//!
//! Every reason and what it means: `docs/checks.md`.

mod beside;
mod outcome;
mod stats;
mod prober;
mod schedule;
mod execute;
mod lag;
mod tcp;
mod tls;
mod trust;
mod http;
mod grpc;
mod dns;
mod icmp;
mod exec;

#[cfg(test)]
mod tests;

pub use beside::beside;
pub use icmp::ping;
pub use outcome::Target;
pub use prober::{Judge, Prober, Settings};
pub use stats::{CheckStats, LATENCY_BUCKETS_S, LATENESS_BUCKETS_S, LATENESS_BUCKETS_US, ProbeStats};
pub use tls::Roots;
pub use trust::Trust;
