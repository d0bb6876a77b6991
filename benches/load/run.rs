//! One run: asks, hears, counts. The transports bring the bytes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::check::{Checker, Generations};
use crate::histogram::Histogram;
use crate::ledger::{Found, Ledger, Sent};
use crate::question::Writer;
use crate::workload::Workload;

/// When a run asks, and when it ends.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Sending ends after this time.
    pub duration: Duration,
    /// Sending ends after so many queries, if that comes first.
    pub queries: u64,
    /// Queries a second; `None`: as many as the window lets through.
    pub rate: Option<f64>,
    /// A query without an answer after this time is lost.
    pub timeout: Duration,
    /// New queries are sent when there is room for so many: 1 refills at once, more makes a client that sends in batches.
    pub refill: usize,
}

/// The generations of a zone that is reloaded while it is asked for.
#[derive(Debug, Default)]
pub struct Reloads {
    /// The last one whose file was put in place.
    pub written: AtomicU32,
    /// The last one reported loaded.
    pub done: AtomicU32,
    /// No reload follows: the run may end.
    pub finished: AtomicBool,
}

/// What came of the queries.
#[derive(Debug)]
pub struct Tally {
    /// Queries sent.
    pub sent: u64,
    /// Answers that belong to a query, right or wrong.
    pub answered: u64,
    /// Queries given up.
    pub lost: u64,
    /// Answers to queries given up.
    pub late: u64,
    /// Second answers.
    pub duplicate: u64,
    /// Messages with an id that nobody waits for.
    pub unknown: u64,
    /// Errors of the socket: a refused port, a closed connection.
    pub socket_errors: u64,
    /// Octets of all answers.
    pub octets: u64,
    /// Wrong answers by what is wrong.
    pub wrong: BTreeMap<String, u64>,
    /// The first wrong answers, for a person to read.
    pub examples: Vec<String>,
    /// From sending (or from when sending was due) to the answer.
    pub latency: Histogram,
    /// When a generation was first answered, nanoseconds since the start; generations passed over are not in it.
    pub first_answers: Vec<(u32, u64)>,
}

/// Wrong answers that are shown whole.
const EXAMPLES_MAX: usize = 10;

/// A run under way.
pub struct Run {
    workload: Workload,
    writer: Writer,
    checker: Checker,
    reloads: Arc<Reloads>,
    limits: Limits,
    /// When the clock was started.
    pub start: Instant,
    timeout_ns: u64,
    /// What came of it so far.
    pub tally: Tally,
}

impl Run {
    /// Starts the clock.
    pub fn new(workload: Workload, checker: Checker, reloads: Arc<Reloads>, limits: Limits) -> Self {
        let timeout_ns = nanoseconds(limits.timeout);
        let writer = Writer { edns: checker.edns };
        Self { workload, writer, checker, reloads, limits, start: Instant::now(), timeout_ns, tally: Tally::new() }
    }

    /// Nanoseconds since the start.
    pub fn now_ns(&self) -> u64 {
        nanoseconds(self.start.elapsed())
    }

    /// True once no more queries are to be sent.
    pub fn is_over(&self, now_ns: u64) -> bool {
        now_ns >= nanoseconds(self.limits.duration)
            || self.tally.sent >= self.limits.queries
            || self.reloads.finished.load(Ordering::Acquire)
    }

    /// How many queries may be sent now on the socket of `ledger`.
    pub fn due(&self, ledger: &Ledger, now_ns: u64) -> usize {
        let room = ledger.room();
        if room < self.limits.refill && ledger.in_flight() > 0 {
            return 0;
        }
        let left = self.limits.queries - self.tally.sent.min(self.limits.queries);
        let by_rate = match self.limits.rate {
            Some(rate) => ((now_ns as f64 / 1e9 * rate) as u64 + 1).saturating_sub(self.tally.sent),
            None => u64::MAX,
        };
        room.min(usize::try_from(left.min(by_rate)).unwrap_or(usize::MAX))
    }

    /// How long nothing needs to be sent, if no answer comes: until the next query is due, or a lost one may be given up.
    pub fn pause(&self, now_ns: u64) -> Duration {
        const IDLE: Duration = Duration::from_millis(5);
        let Some(rate) = self.limits.rate else { return IDLE };
        let due_ns = (self.tally.sent as f64 / rate * 1e9) as u64;
        Duration::from_nanos(due_ns.saturating_sub(now_ns)).min(IDLE)
    }

    /// Writes the next query into `out`; returns its length.
    pub fn ask(&mut self, ledger: &mut Ledger, now_ns: u64, out: &mut [u8]) -> usize {
        let at_ns = match self.limits.rate {
            Some(rate) => ((self.tally.sent as f64 / rate * 1e9) as u64).min(now_ns),
            None => now_ns,
        };
        let question = self.workload.next();
        let generation = self.reloads.done.load(Ordering::Acquire);
        let id = ledger.open(Sent { question, at_ns, generation });
        self.tally.sent += 1;
        self.writer.write(id, &question, out)
    }

    /// Takes a message from the server.
    pub fn hear(&mut self, ledger: &mut Ledger, message: &[u8], now_ns: u64) {
        let found = message.first_chunk().map(|&id| ledger.close(u16::from_be_bytes(id)));
        match found {
            Some(Found::Waiting(sent)) => self.judge(&sent, message, now_ns),
            Some(Found::Late) => self.tally.late += 1,
            Some(Found::Duplicate) => self.tally.duplicate += 1,
            Some(Found::Unknown) | None => self.tally.unknown += 1,
        }
    }

    /// Gives up the queries of `ledger` that have waited too long.
    pub fn give_up(&mut self, ledger: &mut Ledger, now_ns: u64) {
        self.tally.lost += ledger.give_up(now_ns.saturating_sub(self.timeout_ns));
    }

    /// Gives up all queries of `ledger`: their connection is gone.
    pub fn give_up_all(&mut self, ledger: &mut Ledger) {
        self.tally.lost += ledger.give_up(u64::MAX);
        self.tally.socket_errors += 1;
    }

    fn judge(&mut self, sent: &Sent, message: &[u8], now_ns: u64) {
        self.tally.answered += 1;
        self.tally.octets += message.len() as u64;
        self.tally.latency.count(now_ns.saturating_sub(sent.at_ns));
        let generations = Generations { oldest: sent.generation, newest: self.reloads.written.load(Ordering::Acquire) };
        let wrong = match self.checker.check(&sent.question, generations, message) {
            Ok(None) => return,
            Ok(Some(generation)) => return self.tally.note_generation(generation, now_ns),
            Err(wrong) => wrong,
        };
        let reason = wrong.to_string();
        if self.tally.examples.len() < EXAMPLES_MAX {
            let owner = sent.question.owner.text();
            self.tally.examples.push(format!("{owner}: {reason}: {}", hexadecimal(message)));
        }
        *self.tally.wrong.entry(reason).or_default() += 1;
    }
}

impl Tally {
    fn new() -> Self {
        Self {
            sent: 0,
            answered: 0,
            lost: 0,
            late: 0,
            duplicate: 0,
            unknown: 0,
            socket_errors: 0,
            octets: 0,
            wrong: BTreeMap::new(),
            examples: Vec::new(),
            latency: Histogram::new(),
            first_answers: Vec::new(),
        }
    }

    fn note_generation(&mut self, generation: u32, now_ns: u64) {
        if self.first_answers.last().is_none_or(|&(last, _)| last < generation) {
            self.first_answers.push((generation, now_ns));
        }
    }

    /// All wrong answers.
    pub fn wrong_total(&self) -> u64 {
        self.wrong.values().sum()
    }
}

/// A duration in nanoseconds; more than 584 years count as these.
fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn hexadecimal(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}
