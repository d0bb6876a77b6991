//! The agent at work: it reads at every interval, and what it has read goes to all nodes.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{self, Sender};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval_at, timeout};

use super::beacons::{Beacons, Counter};
use super::connections::Counts;
use super::node::{Node, Trusted};
use super::reading::{Reading, ReadingError};
use super::report::{Batch, Batches, Source};
use super::sender::deliver;
use super::tally::{Medians, Tally};
use crate::base::limits::{AGENT_END_MS, AGENT_QUEUE_MAX};
use crate::base::moment::Moment;

/// What an agent does.
#[derive(Debug)]
pub struct Settings {
    /// How batches are named: the name of this host, or what an operator calls it.
    pub name: String,
    /// The region that this host is in, and the connections that are to be read.
    pub reading: Option<(String, Reading)>,
    /// What browsers may tell, and where.
    pub beacons: Option<Beacons>,
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
    /// The address for beacons is taken, or not ours.
    #[error("cannot listen for beacons on {address}")]
    Beacons {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        #[source]
        error: io::Error,
    },
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
    let Settings { name, reading, beacons, every, networks, nodes } = settings;
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let mut tasks = JoinSet::new();
    let queues = nodes.into_iter().map(|(node, trusted)| {
        let (queue, batches) = mpsc::channel(AGENT_QUEUE_MAX);
        tasks.spawn(deliver(node, trusted, batches, chance));
        queue
    });
    let reporter = Reporter { queues: queues.collect(), batches: Batches::new(&name, now()), networks };
    // Beacons are served until this is dropped.
    let mut servers = JoinSet::new();
    let counter = match beacons {
        None => None,
        Some(beacons) => {
            let address = beacons.listen;
            let (counter, serving) = beacons.bind().await.map_err(|error| WorkError::Beacons { address, error })?;
            servers.spawn(serving);
            Some(counter)
        }
    };
    let mut sources = Sources { reader: reading.map(Reader::new), counter, reporter };
    // A kernel that tells nothing is known now, not after an interval; what this finds is in the first report.
    if let Some(reader) = &mut sources.reader {
        reader.read().await?;
    }
    tracing::info!(name, every_s = every.as_secs_f64(), "ready");
    let mut ticks = interval_at(tokio::time::Instant::now() + every, every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => sources.report().await,
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
        }
    }
    drop(servers);
    // A last look, so that an agent that is started again and again tells something too.
    sources.report().await;
    tracing::info!("ending: what is pending is sent once");
    drop(sources);
    let ended = timeout(Duration::from_millis(AGENT_END_MS), async { while tasks.join_next().await.is_some() {} });
    if ended.await.is_err() {
        tracing::warn!("a node did not answer in time: what waits for it is lost");
    }
    tracing::info!("ended");
    Ok(())
}

/// Whatever is measured, and where it goes.
struct Sources {
    reader: Option<Reader>,
    counter: Option<Counter>,
    reporter: Reporter,
}

impl Sources {
    async fn report(&mut self) {
        if let Some(reader) = &mut self.reader {
            reader.look().await;
            if let Some((_, tally)) = &mut reader.reading {
                self.reporter.report(
                    Source::Agent,
                    tally.take(self.reporter.networks),
                    std::slice::from_ref(&reader.region),
                );
            }
        }
        if let Some(counter) = &self.counter {
            self.reporter.report(Source::Beacon, counter.take(self.reporter.networks), counter.regions());
        }
    }
}

/// Reads on a thread of its own: many connections take longer than others should wait.
struct Reader {
    region: String,
    /// `None` after a defect.
    reading: Option<(Reading, Tally)>,
    is_broken: bool,
}

impl Reader {
    fn new((region, reading): (String, Reading)) -> Self {
        Self { region, reading: Some((reading, Tally::default())), is_broken: false }
    }

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
}

/// Makes batches, and gives them to all nodes.
struct Reporter {
    queues: Vec<Sender<Arc<Batch>>>,
    batches: Batches,
    networks: usize,
}

impl Reporter {
    /// Reports what was counted since the last time, if anything was.
    fn report(&mut self, source: Source, taken: Medians, regions: &[String]) {
        if taken.left_out > 0 || taken.dropped > 0 {
            let (networks, round_trips) = (taken.left_out, taken.dropped);
            tracing::debug!(networks, round_trips, "a report leaves something out");
        }
        if taken.medians.is_empty() {
            return;
        }
        let batch = Arc::new(self.batches.next(source, &taken.medians, regions, now()));
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
