//! What is answered at this time, a second: for the admin listener.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::base::moment::Moment;

/// Rates of the last seconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Rates {
    /// When they were asked for.
    pub at: Moment,
    /// The seconds over which they are averaged; 0 before two counts were made.
    pub window_s: f64,
    /// Steered answers, by service, region and reason; without those that were not given.
    pub answers: Vec<AnswerRate>,
    /// Steered answers that `answers` has no room for, a second.
    pub others_per_second: f64,
    /// By `udp` and `tcp`.
    pub transports: BTreeMap<&'static str, TransportRate>,
    /// Answers by response code, a second; without codes that were not given.
    pub rcodes: BTreeMap<&'static str, f64>,
}

/// How often a service was answered with a region.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AnswerRate {
    /// The service's key; with very many services `policy:NAME` or `all`.
    pub service: String,
    /// The region's key; empty where no single region answered.
    pub region: String,
    /// Why.
    pub reason: &'static str,
    /// Answers a second.
    pub per_second: f64,
}

/// What a transport carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct TransportRate {
    /// Queries that were answered, a second.
    pub queries_per_second: f64,
    /// Packets that got no answer, a second.
    pub dropped_per_second: f64,
}
