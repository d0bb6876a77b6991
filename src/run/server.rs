//! A running server, from bound sockets to the last answer.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::mpsc::{Sender, SyncSender, TrySendError, channel, sync_channel};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, oneshot};

use crate::admin::{
    self, Commanded, Condition, Doors, Facts, Look, Operations, Readiness, ReloadOutcome, Stream, TlsError, TokenError,
    Tokens,
};
use crate::answer::Lane;
use crate::base::diagnostic::Report;
use crate::base::hash::HashKey;
use crate::base::limits::{ADMIN_CONNECTIONS_MAX, RELOADS_MAX, STATE_SAVE_MS, STREAM_DRAIN_MS, UDP_RECEIVE_BUFFER};
use crate::base::moment::Moment;
use crate::config::Config;
use crate::control::{self, Command, Control};
use crate::journal::{Entry, Sample, Wanted};
use crate::metrics::{Metrics, Rates, ReloadResult};
use crate::probe::Prober;
use crate::run::board::Board;
use crate::run::loader::Loader;
use crate::run::notify::{Notice, notify};
use crate::run::publisher::{Clock, Event};
use crate::run::recorder::{self, Recorder};
use crate::run::reloads::{ReloadRequest, Reloads};
use crate::run::settings::{Settings, options};
use crate::run::sweep::Sweep;
use crate::run::webhooks::{self, WebhookError};
use crate::run::{historian, log, probing, publisher, random};
use crate::serve::{
    BindError, Caps, ConnectionLimits, Listener, Stop, StreamOptions, StreamServer, UdpServer, bind, system,
};
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
    let stream = Stream::default();
    let told = stream.clone();
    let admin_stop = Stop::default();
    let hooks = webhooks::start(&config.admin.webhooks, &admin_stop)?;
    let listeners: Vec<recorder::Listener> = vec![Box::new(move |entry| told.event(entry)), hooks];
    let (recorder, recording) = Recorder::start(&config.state.folder, listeners, Arc::clone(&parts.sweep.metrics))?;
    let clock = parts.sweep.clock;
    let operations = Arc::new(Running {
        sweep: Arc::clone(&parts.sweep),
        requests: requests.clone(),
        events: events.clone(),
        recorder: recorder.clone(),
        clock,
    });

    let (first_round, round_done) = oneshot::channel();
    let (prober, probing) = probing::start(events.clone(), random::word()?)?;
    // Set once, here.
    let _ = parts.sweep.probes.set(prober.stats());
    let publishing =
        publisher::start(parts.publisher(&config, prober, recorder.clone(), clock, first_round), incoming)?;
    let watched = parts.sweep.board.generations();
    let sweep = &parts.sweep;
    let kept =
        historian::keep(events.clone(), watched.clone(), recorder.clone(), Arc::clone(sweep), admin_stop.clone());
    tokio::spawn(kept);
    tokio::spawn(historian::tell(stream.clone(), watched, clock));
    tokio::spawn(historian::tell_traffic(stream.clone(), Arc::clone(sweep), admin_stop.clone()));
    tokio::spawn(admin::serve(parts.admin, Arc::clone(&parts.doors), stream, operations, admin_stop.clone()));
    let start_wait = config.start.wait;
    let mut reloads = Reloads {
        settings,
        config,
        loader: Loader::new(parts.key),
        events,
        metrics: Arc::clone(&parts.sweep.metrics),
        board: Arc::clone(&parts.sweep.board),
        doors: Arc::clone(&parts.doors),
        recorder,
        clock,
    };
    let (loaded, first_load) = oneshot::channel();
    thread::Builder::new().name("loader".into()).spawn(move || {
        if loaded.send(reloads.first()).is_ok() {
            reloads.run(&requested);
        }
    })?;
    tokio::select! {
        first = first_load => check_first(first, strict)?,
        () = signals.end() => return Ok(()),
    }
    tokio::select! {
        () = first_checks(round_done, start_wait) => {}
        () = signals.end() => return Ok(()),
    }

    let stop = Stop::default();
    let ended = parts.lanes.start(&parts.published, &parts.sweep, &stop)?;
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
    finish(publishing, recording).await;
    tracing::info!("stopped");
    Ok(())
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

/// Waits until the state of control is on the disk.
async fn finish(publishing: thread::JoinHandle<()>, recording: thread::JoinHandle<()>) {
    let threads = tokio::task::spawn_blocking(move || {
        // A thread that panicked has been logged.
        let _ = publishing.join();
        let _ = recording.join();
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
    /// What the publisher works with: control as an earlier process left it, among other things.
    fn publisher(
        &self,
        config: &Config,
        prober: Prober,
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

fn announce(listener: &Listener) {
    for transport in ["udp", "tcp"] {
        tracing::info!(transport, address = %listener.address, "listening");
    }
    if let Some(got) = listener.short_buffer {
        tracing::warn!(
            address = %listener.address,
            bytes = got,
            "the UDP receive buffer is small, bursts will be lost: sysctl -w net.core.rmem_max={UDP_RECEIVE_BUFFER}"
        );
    }
}

/// The sockets, and who will answer at them.
struct Lanes {
    listeners: Vec<Listener>,
    stream_options: StreamOptions,
}

impl Lanes {
    /// Starts all threads. The receiver ends when the last of them has ended.
    fn start(self, published: &Arc<Published>, sweep: &Sweep, stop: &Stop) -> Result<mpsc::Receiver<()>, RunError> {
        let (alive, ended) = mpsc::channel(1);
        for (at, (socket, tally)) in sweep.udp.iter().enumerate() {
            let seed = random::word()?;
            let make_lane = Box::new(move || Lane::new(seed));
            let (socket, tally) = (Arc::clone(socket), Arc::clone(tally));
            let server = UdpServer::new(socket, published.view(), make_lane, tally, stop.clone())?;
            let alive = alive.clone();
            thread::Builder::new().name(format!("udp-{at}")).spawn(move || {
                server.run();
                drop(alive);
            })?;
        }
        let mut shares: Vec<Vec<std::net::TcpListener>> = sweep.tcp.iter().map(|_| Vec::new()).collect();
        for listener in self.listeners {
            for (share, socket) in shares.iter_mut().zip(listener.tcp) {
                share.push(socket);
            }
        }
        for (at, (listeners, tally)) in shares.into_iter().zip(&sweep.tcp).enumerate() {
            let seed = random::word()?;
            let make_lane = Box::new(move || Lane::new(seed));
            let (tally, caps) = (Arc::clone(tally), Arc::clone(&sweep.caps));
            let view = published.view();
            let (options, stop, alive) = (self.stream_options, stop.clone(), alive.clone());
            thread::Builder::new().name(format!("tcp-{at}")).spawn(move || {
                let server = StreamServer::new(listeners, view, make_lane, tally, caps, options, stop);
                if let Err(error) = server.run() {
                    tracing::error!(%error, "TCP is not served");
                }
                drop(alive);
            })?;
        }
        Ok(ended)
    }
}

/// The signals that matter.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for the word to end.
    async fn end(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    /// Sees to reloads and counters until the word to end.
    async fn work(&mut self, requests: &SyncSender<ReloadRequest>, sweep: &Sweep) {
        let mut every_second = tokio::time::interval(Duration::from_secs(1));
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hangup.recv() => {
                    // If the queue is full, a load that will see the same files is about to begin.
                    let _ = requests.try_send(ReloadRequest { force: false, owner: "SIGHUP".into(), done: None });
                }
                _ = every_second.tick() => sweep.sweep(),
            }
        }
    }
}

/// The running server, as the admin listener sees it.
struct Running {
    sweep: Arc<Sweep>,
    requests: SyncSender<ReloadRequest>,
    events: Sender<Event>,
    recorder: Recorder,
    clock: Clock,
}

impl Operations for Running {
    fn readiness(&self) -> Readiness {
        self.sweep.board.readiness()
    }

    fn metrics(&self) -> Pin<Box<dyn Future<Output = String> + Send>> {
        Box::pin(Arc::clone(&self.sweep).scrape(self.events.clone()))
    }

    fn facts(&self) -> Facts {
        self.sweep.facts()
    }

    fn traffic(&self) -> Rates {
        self.sweep.rates()
    }

    fn reload(&self, force: bool, owner: String) -> Pin<Box<dyn Future<Output = Option<ReloadOutcome>> + Send>> {
        let (done, outcome) = oneshot::channel();
        match self.requests.try_send(ReloadRequest { force, owner, done: Some(done) }) {
            Ok(()) => Box::pin(async { outcome.await.ok() }),
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => Box::pin(async { None }),
        }
    }

    fn look(&self, look: Look) -> bool {
        self.events.send(Event::Look(look)).is_ok()
    }

    fn command(&self, command: Command, condition: Condition) -> Pin<Box<dyn Future<Output = Commanded> + Send>> {
        let (reply, done) = oneshot::channel();
        let sent = self.events.send(Event::Command { command: Box::new(command), condition, reply });
        Box::pin(async move {
            match sent {
                Ok(()) => done.await.unwrap_or(Commanded::Ended),
                Err(_) => Commanded::Ended,
            }
        })
    }

    fn events(&self, wanted: &Wanted, limit: usize) -> Vec<Entry> {
        self.recorder.events(wanted, limit)
    }

    fn note(&self, event: control::Event) {
        self.recorder.event(event);
    }

    fn now(&self) -> Moment {
        self.clock.now()
    }

    fn history(&self, from: Moment, to: Moment) -> io::Result<Vec<Sample>> {
        self.recorder.history(from, to)
    }
}
