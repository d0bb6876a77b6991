//! The feeder: which feed is asked when, and by which task.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use tokio::sync::{Semaphore, watch};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use crate::base::hash::mix;
use crate::base::limits::{FEED_SLOW_MS, FEED_TIMEOUT_MS, FEEDS_ASKED_MAX, FEEDS_ILL_MAX};
use crate::control::{FeedTarget, Source};
use crate::model::{FeedError, FeedMiss, FeedWay, METRIC_LOAD, METRIC_MAX, Metrics, Pick, document};

use super::ask;

/// What came of one asking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The job that asked: to be compared with [`Feeder::is_current`] once it is read.
    pub job: u64,
    /// For each source that is fed by it.
    pub said: Vec<(Source, Result<document::Document, FeedMiss>)>,
}

/// Receives what came of each asking.
pub trait Teller: Send + Sync + 'static {
    /// Takes it without waiting.
    fn tell(&self, told: Told);
}

/// What a feeder needs to know.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What starts are spread by.
    pub seed: u64,
    /// How servers with TLS are spoken to.
    pub tls: Arc<ClientConfig>,
}

/// A set of feeds that are asked as long as somebody works on it: see [`Feeder::new`].
#[derive(Debug)]
pub struct Feeder {
    jobs: BTreeMap<Key, Arc<Job>>,
    /// Their ids.
    current: BTreeSet<u64>,
    /// Jobs that were ever made.
    made: u64,
    sets: watch::Sender<Arc<[Arc<Job>]>>,
}

/// What is asked, and how often: sources that want the same are one job.
type Key = (FeedWay, Duration);

#[derive(Debug)]
struct Job {
    id: u64,
    way: FeedWay,
    every: Duration,
    /// Whom the answer feeds, and with what.
    wants: Vec<(Source, Vec<Pick>)>,
}

impl Feeder {
    /// A feeder without feeds, and the work itself, which goes on as long as it is polled and the feeder is there.
    pub fn new<T: Teller>(teller: T, settings: Settings) -> (Self, impl Future<Output = ()> + Send) {
        let (sets, jobs) = watch::channel(Arc::from(Vec::new()));
        let (well, ill) = (Semaphore::new(FEEDS_ASKED_MAX), Semaphore::new(FEEDS_ILL_MAX));
        let shared = Arc::new(Shared { teller, settings, well, ill });
        (Self { jobs: BTreeMap::new(), current: BTreeSet::new(), made: 0, sets }, run(shared, jobs))
    }

    /// Replaces the set of feeds. Those that are no longer asked stop at once, new ones start spread over a moment, and
    /// those that are the same are not disturbed.
    pub fn set_feeds(&mut self, feeds: Vec<FeedTarget>) {
        let mut wanted: BTreeMap<Key, Vec<(Source, Vec<Pick>)>> = BTreeMap::new();
        for FeedTarget { source, feed } in feeds {
            wanted.entry((feed.way.clone(), feed.every)).or_default().push((source, feed.picks.clone()));
        }
        let mut before = std::mem::take(&mut self.jobs);
        for (key, wants) in wanted {
            let job = match before.remove(&key) {
                Some(job) if job.wants == wants => job,
                _ => {
                    self.made += 1;
                    Arc::new(Job { id: self.made, way: key.0.clone(), every: key.1, wants })
                }
            };
            self.jobs.insert(key, job);
        }
        self.current = self.jobs.values().map(|job| job.id).collect();
        self.sets.send_replace(self.jobs.values().cloned().collect());
    }

    /// True if a job is still wanted: what others told is about feeds that were taken away.
    #[must_use]
    pub fn is_current(&self, job: u64) -> bool {
        self.current.contains(&job)
    }
}

struct Shared<T> {
    teller: T,
    settings: Settings,
    well: Semaphore,
    ill: Semaphore,
}

/// Keeps one task for each job.
async fn run<T: Teller>(shared: Arc<Shared<T>>, mut sets: watch::Receiver<Arc<[Arc<Job>]>>) {
    let mut tasks = JoinSet::new();
    let mut running: BTreeMap<u64, AbortHandle> = BTreeMap::new();
    while sets.changed().await.is_ok() {
        let jobs = Arc::clone(&sets.borrow_and_update());
        let wanted: BTreeSet<u64> = jobs.iter().map(|job| job.id).collect();
        running.retain(|id, task| {
            let stays = wanted.contains(id);
            if !stays {
                task.abort();
            }
            stays
        });
        while tasks.try_join_next().is_some() {}
        let new: Vec<&Arc<Job>> = jobs.iter().filter(|job| !running.contains_key(&job.id)).collect();
        let span = Duration::from_millis(u64::try_from(new.len()).unwrap_or(u64::MAX).saturating_mul(SPREAD_MS));
        for job in new {
            let start = Instant::now() + job.every.min(span).mul_f64(fraction(shared.settings.seed ^ job.id));
            let task = tasks.spawn(work(Arc::clone(&shared), Arc::clone(job), start));
            running.insert(job.id, task);
        }
    }
}

/// Milliseconds between the starts of two new feeds on average.
const SPREAD_MS: u64 = 2;

/// One job for as long as it is wanted.
async fn work<T: Teller>(shared: Arc<Shared<T>>, job: Arc<Job>, start: Instant) {
    let Job { id, way, every, wants } = &*job;
    let (mut next, mut is_ill) = (start, false);
    loop {
        sleep_until(next).await;
        let permits = if is_ill { &shared.ill } else { &shared.well };
        let permit = timeout_at(next + *every, permits.acquire()).await;
        let begun = Instant::now();
        let answer = match permit {
            Ok(Ok(_permit)) => {
                let patience = (*every).min(Duration::from_millis(FEED_TIMEOUT_MS));
                let late = || Err(FeedMiss::new(FeedError::Timeout, "no answer in time"));
                timeout(patience, answer(way, &shared.settings.tls)).await.unwrap_or_else(|_| late())
            }
            Ok(Err(_)) | Err(_) => Err(FeedMiss::new(FeedError::Timeout, "too many feeds are asked at one time")),
        };
        is_ill = answer.is_err() || begun.elapsed() > Duration::from_millis(FEED_SLOW_MS);
        let said = wants.iter().map(|(source, picks)| (source.clone(), pick(&answer, source, picks))).collect();
        shared.teller.tell(Told { job: *id, said });
        // What was missed is not made up for.
        next = (next + *every).max(Instant::now());
    }
}

/// What a feed answers.
enum Answer {
    Document(hyper::body::Bytes),
    Line(String),
}

async fn answer(way: &FeedWay, tls: &Arc<ClientConfig>) -> Result<Answer, FeedMiss> {
    match way {
        FeedWay::Pull { url } => ask::pull(url, tls).await.map(Answer::Document),
        FeedWay::Agent { address } => ask::line(address).await.map(Answer::Line),
        // Control asks for none of these.
        FeedWay::Push | FeedWay::Check(_) => Err(FeedMiss::new(FeedError::Unknown, "it is not asked")),
    }
}

/// What one source takes from an answer.
fn pick(answer: &Result<Answer, FeedMiss>, source: &Source, picks: &[Pick]) -> Result<document::Document, FeedMiss> {
    match answer {
        Ok(Answer::Document(body)) => document::document(body, picks),
        Ok(Answer::Line(line)) => {
            let load = [(METRIC_LOAD.into(), document::agent_load(line)?)];
            // What a region can take stands in its file.
            let max = matches!(source, Source::Endpoint(_)).then(|| (METRIC_MAX.into(), document::AGENT_WHOLE));
            let metrics: Metrics = load.into_iter().chain(max).collect();
            Ok(document::Document { metrics, at: None })
        }
        Err(miss) => Err(miss.clone()),
    }
}

/// A number from 0 to 1 that follows from `seed`.
fn fraction(seed: u64) -> f64 {
    mix(seed) as f64 / u64::MAX as f64
}
