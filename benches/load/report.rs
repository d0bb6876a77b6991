//! What a run found, for people and for scripts.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::processes::CpuTime;
use crate::run::Tally;

/// The figures of one run. Field names are those of `--json`.
#[derive(Debug, Serialize)]
pub struct Report {
    /// How long queries were sent and answers waited for, seconds.
    pub seconds: f64,
    /// Queries sent.
    pub sent: u64,
    /// Answers that belong to a query, right or wrong.
    pub answered: u64,
    /// Answers a second.
    pub qps: f64,
    /// Queries without an answer in time.
    pub lost: u64,
    /// Answers that are not what they must be.
    pub wrong: u64,
    /// The same by what is wrong.
    pub wrong_by_reason: BTreeMap<String, u64>,
    /// Answers after their query was given up.
    pub late: u64,
    /// Second answers to one query.
    pub duplicate: u64,
    /// Messages that belong to no query.
    pub unknown: u64,
    /// Ports refused, connections closed.
    pub socket_errors: u64,
    /// Octets of a mean answer: equal work has equal sizes.
    pub answer_octets: f64,
    /// Latencies, microseconds; with a fixed rate from when the query was due.
    pub latency_us: Latency,
    /// Processor time of the server, if it was measured.
    pub server: Option<Cpu>,
    /// Processor time of this program: far below a load of 1, or it was the limit and not the server.
    pub client: Cpu,
    /// The first wrong answers, in hexadecimal.
    pub examples: Vec<String>,
}

/// Latencies, microseconds.
#[derive(Debug, Serialize)]
pub struct Latency {
    pub p50: f64,
    pub p90: f64,
    pub p99: f64,
    pub p999: f64,
    pub max: f64,
}

/// What a program used while the queries were asked.
#[derive(Debug, Serialize)]
pub struct Cpu {
    /// Seconds of processor time.
    pub seconds: CpuTime,
    /// Microseconds of processor time per answer.
    pub us_per_query: f64,
    /// Of it in the program itself.
    pub user_us_per_query: f64,
    /// Share of one core.
    pub load: f64,
}

impl Cpu {
    fn new(time: CpuTime, seconds: f64, answered: f64) -> Self {
        Self {
            seconds: time,
            us_per_query: time.total() * 1e6 / answered,
            user_us_per_query: time.user * 1e6 / answered,
            load: time.total() / seconds,
        }
    }
}

impl Report {
    /// From a tally over `seconds`, with the processor time of the server, if known, and of this program.
    pub fn new(tally: Tally, seconds: f64, server: Option<CpuTime>, client: CpuTime) -> Self {
        let answered = tally.answered.max(1) as f64;
        let quantile = |share| tally.latency.quantile_us(share);
        Self {
            seconds,
            sent: tally.sent,
            answered: tally.answered,
            qps: tally.answered as f64 / seconds,
            lost: tally.lost,
            wrong: tally.wrong_total(),
            late: tally.late,
            duplicate: tally.duplicate,
            unknown: tally.unknown,
            socket_errors: tally.socket_errors,
            answer_octets: tally.octets as f64 / answered,
            latency_us: Latency {
                p50: quantile(0.5),
                p90: quantile(0.9),
                p99: quantile(0.99),
                p999: quantile(0.999),
                max: tally.latency.max_us(),
            },
            server: server.map(|time| Cpu::new(time, seconds, answered)),
            client: Cpu::new(client, seconds, answered),
            wrong_by_reason: tally.wrong,
            examples: tally.examples,
        }
    }

    /// True if every query had one right answer, but for at most `lost_max` lost ones.
    pub fn is_clean(&self, lost_max: u64) -> bool {
        self.wrong == 0 && self.duplicate == 0 && self.answered > 0 && self.lost <= lost_max
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sent, answered, seconds, qps, lost, wrong, late, duplicate, unknown, .. } = self;
        writeln!(f, "sent {sent}, answered {answered} in {seconds:.3} s: {qps:.0} qps")?;
        writeln!(f, "lost {lost}, wrong {wrong}, late {late}, duplicate {duplicate}, unknown {unknown}")?;
        for (reason, count) in &self.wrong_by_reason {
            writeln!(f, "  {count} × {reason}")?;
        }
        for example in &self.examples {
            writeln!(f, "  {example}")?;
        }
        if self.socket_errors > 0 {
            writeln!(f, "socket errors {}", self.socket_errors)?;
        }
        let Latency { p50, p90, p99, p999, max } = self.latency_us;
        writeln!(f, "latency µs: p50 {p50:.0}, p90 {p90:.0}, p99 {p99:.0}, p99.9 {p999:.0}, max {max:.0}")?;
        write!(f, "mean answer {:.1} octets", self.answer_octets)?;
        for (who, cpu) in self.server.iter().map(|cpu| ("server", cpu)).chain([("client", &self.client)]) {
            let Cpu { us_per_query, user_us_per_query, load, .. } = cpu;
            write!(f, "\n{who} {us_per_query:.3} µs per answer, {user_us_per_query:.3} of it user, load {load:.2}")?;
        }
        Ok(())
    }
}
