//! The agent at work: it reads at every interval, and what it has read goes to all nodes.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{self, Sender};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval_at, timeout};

use super::connections::Counts;
use super::node::{Node, Trusted};
use super::reading::{Reading, ReadingError};
use super::report::{Batch, Batches, Source};
use super::sender::deliver;
use super::tally::Tally;
use crate::base::limits::{AGENT_END_MS, AGENT_QUEUE_MAX};
use crate::base::moment::Moment;

/// What an agent does.
#[derive(Debug)]
pub struct Settings {
    /// How batches are named: the name of this host, or what an operator calls it.
    pub name: String,
    /// The region that this host is in.
    pub region: String,
    /// Connections that are to be read.
    pub reading: Reading,
    /// From one reading to the next.
    pub every: Duration,
    /// Networks in one report, at most [`AGENT_REPORT_MAX`](crate::base::limits::AGENT_REPORT_MAX).
    pub networks: usize,
    /// Where reports go to. Without any they are logged.
    pub nodes: Vec<(Node, Trusted)>,
}

/// Why an agent can't work, or ended.
#[derive(Debug, thiserror::Error)]
pub enum WorkError {
    /// The system lacks something: signals, threads.
    #[error("the system does not let an agent work")]
    System(#[from] io::Error),
    /// The kernel does not tell what it has measured.
    #[error(transparent)]
    Reading(#[from] ReadingError),
}

/// Reads and reports until SIGTERM or SIGINT.
///
/// # Errors
/// [`WorkError`]. What fails later is logged, and tried again.
pub fn work(settings: Settings) -> Result<(), WorkError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(run(settings))
}

async fn run(settings: Settings) -> Result<(), WorkError> {
    let Settings { name, region, reading, every, networks, nodes } = settings;
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let mut senders = JoinSet::new();
    let queues = nodes.into_iter().map(|(node, trusted)| {
        let (queue, batches) = mpsc::channel(AGENT_QUEUE_MAX);
        senders.spawn(deliver(node, trusted, batches, chance));
        queue
    });
    let mut reporter =
        Reporter { queues: queues.collect(), batches: Batches::new(&name, now()), regions: vec![region], networks };
    let mut reader = Reader { reading: Some((reading, Tally::default())), is_broken: false };
    // A kernel that tells nothing is known now, not after an interval; what this finds is in the first report.
    reader.read().await?;
    tracing::info!(name, region = reporter.regions.first(), every_s = every.as_secs_f64(), "ready");
    let mut ticks = interval_at(tokio::time::Instant::now() + every, every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {
                reader.look().await;
                reporter.report(reader.tally());
            }
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
        }
    }
    // A last look, so that an agent that is started again and again tells something too.
    reader.look().await;
    reporter.report(reader.tally());
    tracing::info!("ending: what is pending is sent once");
    drop(reporter);
    let ended = timeout(Duration::from_millis(AGENT_END_MS), async { while senders.join_next().await.is_some() {} });
    if ended.await.is_err() {
        tracing::warn!("a node did not answer in time: what waits for it is lost");
    }
    tracing::info!("ended");
    Ok(())
}

/// Reads on a thread of its own: many connections take longer than others should wait.
struct Reader {
    /// `None` after a defect.
    reading: Option<(Reading, Tally)>,
    is_broken: bool,
}

impl Reader {
    async fn read(&mut self) -> Result<Counts, WorkError> {
        let Some((mut reading, mut tally)) = self.reading.take() else {
            return Err(io::Error::other("the reading thread met a defect").into());
        };
        let read = tokio::task::spawn_blocking(move || {
            let counts = reading.read(&mut tally);
            (reading, tally, counts)
        });
        let (reading, tally, counts) = read.await.map_err(io::Error::other)?;
        self.reading = Some((reading, tally));
        Ok(counts?)
    }

    /// Reads, and tells if that has become impossible, or possible again.
    async fn look(&mut self) {
        match self.read().await {
            Ok(Counts { clients, counted, beyond }) => {
                if self.is_broken {
                    tracing::info!("connections can be read again");
                }
                self.is_broken = false;
                tracing::debug!(clients, counted, beyond, "connections are read");
            }
            Err(error) => {
                if !self.is_broken {
                    tracing::error!(reason = reasons(&error), "{error}");
                }
                self.is_broken = true;
            }
        }
    }

    fn tally(&mut self) -> Option<&mut Tally> {
        self.reading.as_mut().map(|(_, tally)| tally)
    }
}

/// Makes batches, and gives them to all nodes.
struct Reporter {
    queues: Vec<Sender<Arc<Batch>>>,
    batches: Batches,
    regions: Vec<String>,
    networks: usize,
}

impl Reporter {
    /// Reports what was counted since the last time, if anything was.
    fn report(&mut self, tally: Option<&mut Tally>) {
        let Some(tally) = tally else { return };
        let taken = tally.take(self.networks);
        if taken.left_out > 0 || taken.dropped > 0 {
            let (networks, round_trips) = (taken.left_out, taken.dropped);
            tracing::debug!(networks, round_trips, "a report leaves something out");
        }
        if taken.medians.is_empty() {
            return;
        }
        let batch = Arc::new(self.batches.next(Source::Agent, &taken.medians, &self.regions, now()));
        if self.queues.is_empty() {
            let body = String::from_utf8_lossy(&batch.body);
            tracing::info!(id = batch.id, networks = batch.count, %body, "a report, not sent");
        }
        for queue in &self.queues {
            // Its sender takes what comes but while it sends, and that has a limit of time.
            if queue.try_send(Arc::clone(&batch)).is_err() {
                tracing::warn!(id = batch.id, "a report finds no place in a queue: it is lost");
            }
        }
    }
}

/// Everything behind an error, in a line.
#[must_use]
pub fn reasons(error: &dyn std::error::Error) -> String {
    let mut reasons = Vec::new();
    let mut source = error.source();
    while let Some(reason) = source {
        reasons.push(reason.to_string());
        source = reason.source();
    }
    reasons.join(": ")
}

fn now() -> Moment {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Moment(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// A word that others do not have at the same moment.
fn chance() -> u64 {
    RandomState::new().build_hasher().finish()
}
