//! DNS over TCP: a few threads, each with a runtime of its own, so that a connection never leaves its thread and the
//! thread's lane, view and buffers need no lock.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, LocalOptions};
use tokio::task::spawn_local;

use crate::answer::Lane;
use crate::base::limits::{STREAM_DRAIN_MS, STREAM_IDLE_EVICT_MS, STREAM_READ_LEN, STREAM_TICK_MS, STREAM_WRITE_LEN};
use crate::metrics::CloseReason;
use crate::serve::connection::{Connection, Place};
use crate::serve::{Caps, MakeLane, Stop, Tally};
use crate::snapshot::View;

/// Patience with clients. Deadlines are looked at every
/// [`STREAM_TICK_MS`](crate::base::limits::STREAM_TICK_MS).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamOptions {
    /// Silence between queries, RFC 7766 §6.2.3.
    pub idle_timeout_ms: u64,
    /// From the first octet of a query to its last.
    pub read_timeout_ms: u64,
    /// From answers made to answers taken.
    pub write_timeout_ms: u64,
    /// Connections of one thread.
    pub connections: usize,
}

/// One thread that answers connections.
pub struct StreamServer {
    listeners: Vec<std::net::TcpListener>,
    view: View,
    make_lane: MakeLane,
    tally: Arc<Tally>,
    caps: Arc<Caps>,
    options: StreamOptions,
    stop: Stop,
}

/// What the connections of a thread share.
pub(super) struct Worker {
    pub(super) core: RefCell<Core>,
    /// Where all connections read to; apart from `core`, because it is read from while that is at work.
    pub(super) input: RefCell<Box<[u8]>>,
    pub(super) tally: Arc<Tally>,
    pub(super) options: StreamOptions,
    /// Milliseconds since the thread began, as of the last tick.
    pub(super) now_ms: Cell<u64>,
    /// The end of service has begun.
    pub(super) draining: Cell<bool>,
    caps: Arc<Caps>,
    places: RefCell<Places>,
    make_lane: MakeLane,
}

/// What answering needs.
pub(super) struct Core {
    pub(super) view: View,
    pub(super) lane: Lane,
    pub(super) output: Box<[u8]>,
}

/// The connections of a thread.
#[derive(Default)]
struct Places {
    taken: Vec<Option<Rc<Place>>>,
    free: Vec<usize>,
}

impl Places {
    fn add(&mut self, place: Rc<Place>) -> usize {
        if let Some(at) = self.free.pop() {
            self.taken[at] = Some(place);
            return at;
        }
        self.taken.push(Some(place));
        self.taken.len() - 1
    }

    fn remove(&mut self, at: usize) {
        self.taken[at] = None;
        self.free.push(at);
    }

    fn iter(&self) -> impl Iterator<Item = &Rc<Place>> {
        self.taken.iter().flatten()
    }

    fn len(&self) -> usize {
        self.taken.len() - self.free.len()
    }
}

impl StreamServer {
    /// A server for listening sockets, which must be non-blocking.
    #[must_use]
    pub fn new(
        listeners: Vec<std::net::TcpListener>,
        view: View,
        make_lane: MakeLane,
        tally: Arc<Tally>,
        caps: Arc<Caps>,
        options: StreamOptions,
        stop: Stop,
    ) -> Self {
        Self { listeners, view, make_lane, tally, caps, options, stop }
    }

    /// Answers until the end of service; then connections are given
    /// [`STREAM_DRAIN_MS`](crate::base::limits::STREAM_DRAIN_MS) to take their answers.
    ///
    /// # Errors
    /// If the runtime can't be made.
    pub fn run(self) -> io::Result<()> {
        // One event can carry many connections; each is polled in turn.
        let runtime = Builder::new_current_thread().enable_io().enable_time().build_local(LocalOptions::default())?;
        runtime.block_on(self.serve())
    }

    async fn serve(self) -> io::Result<()> {
        let worker = Rc::new(Worker {
            core: RefCell::new(Core {
                view: self.view,
                lane: (self.make_lane)(),
                output: vec![0; STREAM_WRITE_LEN].into_boxed_slice(),
            }),
            input: RefCell::new(vec![0; STREAM_READ_LEN].into_boxed_slice()),
            tally: self.tally,
            options: self.options,
            now_ms: Cell::new(0),
            draining: Cell::new(false),
            caps: self.caps,
            places: RefCell::default(),
            make_lane: self.make_lane,
        });
        let mut accepting = Vec::new();
        for listener in self.listeners {
            let listener = TcpListener::from_std(listener)?;
            accepting.push(spawn_local(accept(listener, Rc::clone(&worker), self.stop.clone())));
        }
        let start = Instant::now();
        let mut tick = tokio::time::interval(Duration::from_millis(STREAM_TICK_MS));
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut end_ms = None;
        loop {
            tokio::select! {
                _ = tick.tick() => {}
                () = self.stop.wait(), if end_ms.is_none() => {
                    for task in accepting.drain(..) {
                        // Each takes in what waits and ends; a panic there would have been logged.
                        let _ = task.await;
                    }
                    end_ms = Some(worker.now_ms.get() + STREAM_DRAIN_MS);
                    // Draining begins with the next tick: what has come in with the last connections is heard by then.
                    tick.reset();
                    continue;
                }
            }
            worker.now_ms.set(u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX));
            worker.draining.set(end_ms.is_some());
            worker.look_around();
            if end_ms.is_some_and(|end_ms| worker.places.borrow().len() == 0 || worker.now_ms.get() >= end_ms) {
                return Ok(());
            }
        }
    }
}

impl Worker {
    /// Wakes the connections whose time has come, and moves on to the current snapshot.
    fn look_around(&self) {
        let core = &mut *self.core.borrow_mut();
        self.tally.follow(&mut core.lane, core.view.load());
        let (now_ms, draining) = (self.now_ms.get(), self.draining.get());
        for place in self.places.borrow().iter() {
            if draining || place.deadline_ms.get() <= now_ms {
                place.wake();
            }
        }
    }

    /// Takes a place for a new connection, or says why there is none.
    fn admit(&self, client: IpAddr) -> Result<(), CloseReason> {
        if !self.caps.take(client) {
            return Err(CloseReason::ClientFull);
        }
        // The one told to close is still counted until its turn comes: the limit is exceeded for that moment only.
        if self.places.borrow().len() >= self.options.connections && self.evict().is_none() {
            self.caps.release(client);
            return Err(CloseReason::Full);
        }
        Ok(())
    }

    /// Closes the connection that has been silent for longest.
    fn evict(&self) -> Option<()> {
        let places = self.places.borrow();
        // Those told to close count no more.
        let open = places.iter().filter(|place| place.deadline_ms.get() != 0);
        let idlest = open.min_by_key(|place| place.active_ms.get())?;
        if self.now_ms.get().saturating_sub(idlest.active_ms.get()) < STREAM_IDLE_EVICT_MS {
            return None;
        }
        idlest.close(CloseReason::Evicted);
        Some(())
    }

    fn begin(self: &Rc<Self>, stream: TcpStream, address: SocketAddr) {
        let client = address.ip().to_canonical();
        if let Err(reason) = self.admit(client) {
            self.caps.count_closed(reason);
            return;
        }
        let place = Rc::new(Place::new(self.now_ms.get(), self.options.idle_timeout_ms));
        let at = self.places.borrow_mut().add(Rc::clone(&place));
        let leave = Leave { worker: Rc::clone(self), at, client, reason: CloseReason::Shutdown };
        spawn_local(async move {
            let mut leave = leave;
            leave.reason = Connection::new(stream, client, place, Rc::clone(&leave.worker)).await;
        });
    }
}

/// Gives back the place of a connection, whichever way it ends.
struct Leave {
    worker: Rc<Worker>,
    at: usize,
    client: IpAddr,
    /// The end of service, unless the connection gets to say another.
    reason: CloseReason,
}

impl Drop for Leave {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // A defect met by one connection must not end the service of all. Its lane may be in any state.
            self.worker.tally.panicked();
            if let Ok(mut core) = self.worker.core.try_borrow_mut() {
                core.lane = (self.worker.make_lane)();
            }
        }
        self.worker.places.borrow_mut().remove(self.at);
        self.worker.caps.release(self.client);
        self.worker.caps.count_closed(self.reason);
    }
}

/// Takes in connections until the end of service, and then those that wait already.
async fn accept(listener: TcpListener, worker: Rc<Worker>, stop: Stop) {
    let mut stopped = pin!(stop.wait());
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stopped => break,
        };
        match accepted {
            Ok((stream, address)) => worker.begin(stream, address),
            // The client has gone already.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                // No more files, mostly: wait for connections to close rather than spin.
                tracing::warn!(%error, "cannot accept connections");
                tokio::time::sleep(Duration::from_millis(STREAM_TICK_MS)).await;
            }
        }
    }
    while let Some(Ok((stream, address))) = poll_fn(|context| match listener.poll_accept(context) {
        Poll::Ready(accepted) => Poll::Ready(Some(accepted)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
    {
        worker.begin(stream, address);
    }
}
