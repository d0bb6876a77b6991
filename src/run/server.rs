//! A running server, from bound sockets to the last answer.

use std::io;
use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use crate::admin::{self, Doors, ReloadOutcome, Stream, TlsError, TokenError, Tokens};
use crate::base::diagnostic::Report;
use crate::base::hash::HashKey;
use crate::base::limits::{ADMIN_CONNECTIONS_MAX, RELOADS_MAX, STATE_SAVE_MS, STREAM_DRAIN_MS};
use crate::config::Config;
use crate::control::{self, Control};
use crate::feed::Feeder;
use crate::metrics::{Metrics, ReloadResult};
use crate::probe::{Prober, Roots};
use crate::run::board::Board;
use crate::run::lanes::{Lanes, announce};
use crate::run::loader::Loader;
use crate::run::notify::{Notice, notify};
use crate::run::planner::Planner;
use crate::run::priority::{WATCHING_NICENESS, give_way};
use crate::run::publisher::{Clock, Event};
use crate::run::recorder::{self, Recorder};
use crate::run::reloads::{Reloads, Wish};
use crate::run::running::Running;
use crate::run::settings::{Settings, options};
use crate::run::signals::Signals;
use crate::run::surveyor::Surveyor;
use crate::run::sweep::Sweep;
use crate::run::webhooks::{self, WebhookError};
use crate::run::{
    evacuating, feeding, historian, log, neighbors, planner, probing, publisher, random, surveyor, vantage,
};
use crate::serve::{BindError, Caps, ConnectionLimits, Stop, StreamOptions, bind, system};
use crate::snapshot::{Published, Snapshot};
use crate::zone::ZoneSet;

/// Stream threads: each keeps tens of thousands of connections busy.
const STREAM_THREADS_MAX: usize = 2;

/// Files that are open beside connections: listeners, logs, a zone file on each core, the admin listener's clients.
const FILES_BESIDE_CONNECTIONS: u64 = 200 + ADMIN_CONNECTIONS_MAX as u64;

/// Why the server did not start.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The zones folder can't be read, or the region files have errors.
    #[error("nothing can be loaded")]
    Zones(Report),
    /// Zones have errors, and the operator wants that to prevent the start.
    #[error("{failed} zones have errors and the start is strict")]
    Strict {
        /// Zones without data.
        failed: usize,
        /// Everything found.
        report: Report,
    },
    /// An address could not be bound.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The address of the admin listener could not be bound.
    #[error("cannot listen on {address} (admin)")]
    AdminBind {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        #[source]
        error: io::Error,
    },
    /// The admin listener can be reached from outside, and there is no token to protect it.
    #[error("the admin listener {address} is not on loopback and needs a token")]
    Token {
        /// The address.
        address: SocketAddr,
        /// Why there is none.
        #[source]
        error: TokenError,
    },
    /// The certificate of the admin listener, or its key, can't be used.
    #[error("the admin listener can't speak TLS")]
    Tls(#[from] TlsError),
    /// The secret of a webhook can't be used.
    #[error(transparent)]
    Webhook(#[from] WebhookError),
    /// Threads, randomness, signals.
    #[error("cannot start")]
    System(#[from] io::Error),
}

/// Serves until SIGTERM or SIGINT; returns when the last answer has left. `strict`: zones with errors prevent the
/// start. `config` is what `settings` say; they are read again with every reload.
///
/// # Errors
/// [`RunError`] if the server can't start.
pub fn serve(settings: Settings, config: Config, strict: bool) -> Result<(), RunError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let result = runtime.block_on(run(settings, config, strict));
    // Whatever the control runtime still does is nobody's concern now.
    runtime.shutdown_background();
    result
}

async fn run(settings: Settings, config: Config, strict: bool) -> Result<(), RunError> {
    let mut signals = Signals::new()?;
    raise_file_limit(config.dns.tcp.connections);
    let parts = Parts::bind(&config)?;
    let (requests, requested) = sync_channel(RELOADS_MAX);
    let (events, incoming) = channel();
    let (stream, admin_stop) = (Stream::default(), Stop::default());
    let (recorder, recording) = start_recorder(&config, &stream, &admin_stop, &parts.sweep.metrics)?;
    let clock = parts.sweep.clock;
    let generations = parts.sweep.board.generations();
    let planner = planner::start(events.clone(), generations, Arc::clone(&parts.sweep), admin_stop.clone())?;
    tokio::spawn(evacuating::evacuate(events.clone(), planner.clone(), admin_stop.clone()));
    let (surveyor, surveying) = parts.survey(&config, &requests, &recorder)?;
    let operations = parts.operations(requests.clone(), events.clone(), recorder.clone(), planner, surveyor.clone());

    let (first_round, round_done) = oneshot::channel();
    let roots = Roots::system();
    let (prober, probing) = probing::start(events.clone(), random::word()?, roots.clone())?;
    // Set once, here.
    let _ = parts.sweep.probes.set(prober.stats());
    let feeder = feeding::start(events.clone(), random::word()?, &roots, &admin_stop)?;
    let work = parts.publisher(&config, prober, feeder, recorder.clone(), clock, first_round);
    let publishing = publisher::start(work, incoming)?;
    watch(&stream, &parts.sweep, &admin_stop, events.clone(), recorder.clone());
    parts.measure(&config, &events, &surveyor, &admin_stop)?;
    tokio::spawn(admin::serve(parts.admin, Arc::clone(&parts.doors), stream, operations, admin_stop.clone()));
    let start_wait = config.start.wait;
    let reloads = Reloads {
        settings,
        config,
        loader: Loader::new(parts.key),
        events,
        metrics: Arc::clone(&parts.sweep.metrics),
        board: Arc::clone(&parts.sweep.board),
        doors: Arc::clone(&parts.doors),
        recorder,
        clock,
        surveyor: surveyor.clone(),
    };
    tokio::select! {
        first = load(reloads, requested)? => check_first(first, strict)?,
        () = signals.end() => return Ok(()),
    }
    tokio::select! {
        () = first_checks(round_done, start_wait) => {}
        () = signals.end() => return Ok(()),
    }

    let stop = Stop::default();
    let ended = parts.lanes.start(&parts.published, &parts.sweep, &stop)?;
    // Last, so that nothing that answers or decides inherits it: what is left on this thread shows and tells.
    give_way(WATCHING_NICENESS, "admin");
    parts.sweep.board.set_serving(true);
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "ready");
    notify(Notice::Ready);
    signals.work(&requests, &parts.sweep).await;

    tracing::info!("stopping");
    notify(Notice::Stopping);
    parts.sweep.board.set_serving(false);
    drain(&stop, ended, &mut signals).await;
    admin_stop.begin();
    drop((probing, requests));
    surveyor.end();
    finish([publishing, recording, surveying]).await;
    tracing::info!("stopped");
    Ok(())
}

/// Starts the thread that loads; what the first load came to.
fn load(mut reloads: Reloads, requested: Receiver<Wish>) -> io::Result<oneshot::Receiver<(ReloadOutcome, Report)>> {
    let (loaded, first_load) = oneshot::channel();
    thread::Builder::new().name("loader".into()).spawn(move || {
        if loaded.send(reloads.first()).is_ok() {
            reloads.run(&requested);
        }
    })?;
    Ok(first_load)
}

/// Starts the recorder, which tells the stream and the webhooks what it writes.
fn start_recorder(
    config: &Config,
    stream: &Stream,
    stop: &Stop,
    metrics: &Arc<Metrics>,
) -> Result<(Recorder, thread::JoinHandle<()>), RunError> {
    let (hooks, stream) = (webhooks::start(&config.admin.webhooks, stop)?, stream.clone());
    let listeners: Vec<recorder::Listener> = vec![Box::new(move |entry| stream.event(entry)), hooks];
    Ok(Recorder::start(&config.state.folder, listeners, Arc::clone(metrics))?)
}

/// Starts the tasks that keep the history and tell those who follow; they end with the service.
fn watch(stream: &Stream, sweep: &Arc<Sweep>, stop: &Stop, events: Sender<Event>, recorder: Recorder) {
    let generations = sweep.board.generations();
    tokio::spawn(historian::keep(events, generations.clone(), recorder, Arc::clone(sweep), stop.clone()));
    tokio::spawn(historian::tell(stream.clone(), generations, sweep.clock));
    tokio::spawn(historian::tell_traffic(stream.clone(), Arc::clone(sweep), stop.clone()));
}

/// Waits for the first outcome of every check, but not for ever.
async fn first_checks(done: oneshot::Receiver<()>, wait: Duration) {
    match tokio::time::timeout(wait, done).await {
        Ok(_) => {}
        Err(_) => tracing::warn!(
            wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
            "answering before every health check has had an outcome (start.wait)"
        ),
    }
}

/// Waits until the state of control, and what was measured, is on the disk.
async fn finish(threads: [thread::JoinHandle<()>; 3]) {
    let threads = tokio::task::spawn_blocking(move || {
        for thread in threads {
            // A thread that panicked has been logged.
            let _ = thread.join();
        }
    });
    if tokio::time::timeout(Duration::from_millis(STATE_SAVE_MS), threads).await.is_err() {
        tracing::warn!("the state of health checks and overrides may not be saved");
    }
}

fn raise_file_limit(connections: usize) {
    match system::raise_file_limit() {
        Ok(limit) if limit < connections as u64 + FILES_BESIDE_CONNECTIONS => tracing::warn!(
            limit,
            connections,
            "too few open files are allowed for `dns.tcp.connections`: raise the limit (LimitNOFILE, ulimit -n)"
        ),
        Ok(_) => {}
        Err(error) => tracing::warn!(%error, "cannot raise the limit on open files"),
    }
}

/// What the first load came to decides whether there is a start.
fn check_first(
    first: Result<(ReloadOutcome, Report), oneshot::error::RecvError>,
    strict: bool,
) -> Result<(), RunError> {
    // The loader ends without a word only by a defect, which has been logged.
    let (outcome, report) = first.map_err(io::Error::other)?;
    if outcome.result == ReloadResult::Refused.as_str() {
        return Err(RunError::Zones(report));
    }
    if strict && outcome.result != ReloadResult::Ok.as_str() {
        return Err(RunError::Strict { failed: outcome.zones_failed, report });
    }
    log::report(&report);
    Ok(())
}

/// Announces the end and waits until all threads have ended; a second signal ends the wait.
async fn drain(stop: &Stop, mut ended: mpsc::Receiver<()>, signals: &mut Signals) {
    stop.begin();
    let bound = Duration::from_millis(2 * STREAM_DRAIN_MS);
    tokio::select! {
        _ = ended.recv() => {}
        () = signals.end() => tracing::warn!("stopped without waiting for answers to leave"),
        () = tokio::time::sleep(bound) => tracing::warn!("some threads did not end in time"),
    }
}

/// Everything that is bound and made before zones are loaded.
struct Parts {
    key: HashKey,
    lanes: Lanes,
    admin: std::net::TcpListener,
    doors: Arc<Doors>,
    published: Arc<Published>,
    sweep: Arc<Sweep>,
}

impl Parts {
    fn bind(config: &Config) -> Result<Self, RunError> {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let udp_threads = if config.dns.threads == 0 { cores } else { config.dns.threads };
        let tcp_threads = cores.min(STREAM_THREADS_MAX);
        let mut listeners = Vec::new();
        for &address in &config.dns.listen {
            listeners.push(bind(address, udp_threads, tcp_threads)?);
        }
        let (admin, doors) = bind_admin(config)?;
        for listener in &listeners {
            announce(listener);
        }
        let key = HashKey::new(random::word()?, random::word()?);
        let first = Snapshot {
            generation: 0,
            key,
            zones: Arc::new(ZoneSet::new(key)),
            steering: Arc::default(),
            options: options(config),
        };
        let limits = ConnectionLimits { total: config.dns.tcp.connections, per_client: config.dns.tcp.per_client };
        let udp =
            listeners.iter().flat_map(|listener| &listener.udp).map(|socket| (Arc::clone(socket), Arc::default()));
        let sweep = Arc::new(Sweep {
            metrics: Arc::new(Metrics::new()),
            board: Arc::new(Board::new()),
            probes: OnceLock::new(),
            udp: udp.collect(),
            tcp: (0..tcp_threads).map(|_| Arc::default()).collect(),
            caps: Arc::new(Caps::new(limits)),
            answered: Mutex::default(),
            demands: Mutex::default(),
            surveyed: Arc::default(),
            clock: Clock::start(),
        });
        let milliseconds = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let stream_options = StreamOptions {
            idle_timeout_ms: milliseconds(config.dns.tcp.idle),
            read_timeout_ms: milliseconds(config.dns.tcp.read),
            write_timeout_ms: milliseconds(config.dns.tcp.read),
            connections: config.dns.tcp.connections.div_ceil(tcp_threads),
        };
        let lanes = Lanes { listeners, stream_options };
        Ok(Self { key, lanes, admin, doors: Arc::new(doors), published: Arc::new(Published::new(first)), sweep })
    }
}

impl Parts {
    /// What the admin listener asks and says.
    fn operations(
        &self,
        requests: SyncSender<Wish>,
        events: Sender<Event>,
        recorder: Recorder,
        planner: Planner,
        surveyor: Surveyor,
    ) -> Arc<Running> {
        Arc::new(Running {
            sweep: Arc::clone(&self.sweep),
            requests,
            events,
            recorder,
            planner,
            clock: self.sweep.clock,
            surveyor,
        })
    }

    /// Starts what surveys the ways between clients and regions.
    fn survey(
        &self,
        config: &Config,
        loader: &SyncSender<Wish>,
        recorder: &Recorder,
    ) -> io::Result<(Surveyor, thread::JoinHandle<()>)> {
        let (clock, figures) = (self.sweep.clock, Arc::clone(&self.sweep.surveyed));
        let neighbors = surveyor::Neighbors { clock, loader: loader.clone(), recorder: recorder.clone(), figures };
        surveyor::start(config, neighbors)
    }

    /// Starts what this node measures by itself, as far as the configuration says so.
    fn measure(&self, config: &Config, events: &Sender<Event>, surveyor: &Surveyor, stop: &Stop) -> io::Result<()> {
        vantage::start(config, &self.sweep, surveyor.clone(), random::word()?, stop.clone());
        neighbors::start(config, events.clone(), surveyor.clone(), stop.clone());
        Ok(())
    }

    /// What the publisher works with: control as an earlier process left it, among other things.
    fn publisher(
        &self,
        config: &Config,
        prober: Prober,
        feeder: Feeder,
        recorder: Recorder,
        clock: Clock,
        first_round: oneshot::Sender<()>,
    ) -> publisher::Parts {
        let mut control = Control::new(control::Settings::from(config));
        if let Some(saved) = recorder::saved_state(&config.state.folder) {
            control.restore(clock.now(), &saved);
        }
        publisher::Parts {
            published: Arc::clone(&self.published),
            key: self.key,
            board: Arc::clone(&self.sweep.board),
            control,
            prober,
            feeder,
            recorder,
            clock,
            first_round,
        }
    }
}

fn bind_admin(config: &Config) -> Result<(std::net::TcpListener, Doors), RunError> {
    let wanted = config.admin.listen;
    let listener =
        std::net::TcpListener::bind(wanted).map_err(|error| RunError::AdminBind { address: wanted, error })?;
    let address = listener.local_addr()?;
    let path = &config.admin.token_file;
    let tokens = match Tokens::read_or_make(path, random::bytes) {
        Ok((tokens, made)) => {
            if made {
                tracing::info!(path = %path.display(), "made a token for the admin listener");
            }
            Some(tokens)
        }
        Err(error) if address.ip().is_loopback() => {
            let reason = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
            tracing::warn!(%error, reason, "nothing can be changed over the admin listener: there is no token");
            None
        }
        Err(error) => return Err(RunError::Token { address, error }),
    };
    let files = config.admin.tls.as_ref().map(|files| (files.certificate.clone(), files.key.clone()));
    let doors = Doors::open(path.clone(), tokens, files)?;
    if doors.tls().is_none() && !address.ip().is_loopback() {
        tracing::warn!(%address, "tokens go over the network in clear: set `admin.tls`, or put a proxy with TLS before it");
    }
    tracing::info!(transport = "http", %address, tls = doors.tls().is_some(), "listening");
    Ok((listener, doors))
}
