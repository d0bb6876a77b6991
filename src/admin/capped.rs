//! A TCP listener that holds no more than so many connections at one time, and none that does nothing for long.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep};

use crate::admin::doors::Doors;
use crate::admin::tls::Wire;
use crate::base::limits::{ADMIN_CONNECTIONS_MAX, ADMIN_QUIET_MS, ADMIN_STALL_MS};

/// Accepts when there is room; the rest wait in the kernel.
pub(super) struct CappedListener {
    listener: TcpListener,
    doors: Arc<Doors>,
    room: Arc<Semaphore>,
}

impl CappedListener {
    pub(super) fn new(listener: TcpListener, doors: Arc<Doors>) -> Self {
        Self { listener, doors, room: Arc::new(Semaphore::new(ADMIN_CONNECTIONS_MAX)) }
    }
}

impl axum::serve::Listener for CappedListener {
    type Io = CappedStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (CappedStream, SocketAddr) {
        loop {
            // The semaphore is never closed.
            let Ok(permit) = Arc::clone(&self.room).acquire_owned().await else { continue };
            match self.listener.accept().await {
                Ok((stream, address)) => {
                    let wire = Wire::new(stream, self.doors.tls());
                    return (CappedStream::new(wire, permit), address);
                }
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    tracing::warn!(%error, "cannot accept admin connections");
                    sleep(Duration::from_secs(1)).await;
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

const QUIET_MAX: Duration = Duration::from_millis(ADMIN_QUIET_MS);
const STALL_MAX: Duration = Duration::from_millis(ADMIN_STALL_MS);

/// A connection and its place. It ends when nothing is said in either direction for [`ADMIN_QUIET_MS`], and when an
/// answer is not taken for [`ADMIN_STALL_MS`].
pub(super) struct CappedStream {
    wire: Wire,
    quiet: Pin<Box<Sleep>>,
    /// Runs while the other end does not take what is written.
    stall: Option<Pin<Box<Sleep>>>,
    _permit: OwnedSemaphorePermit,
}

impl CappedStream {
    fn new(wire: Wire, permit: OwnedSemaphorePermit) -> Self {
        // A handshake is no longer than an answer may take.
        let patience = if wire.is_greeting() { STALL_MAX } else { QUIET_MAX };
        Self { wire, quiet: Box::pin(sleep(patience)), stall: None, _permit: permit }
    }

    fn spoken(&mut self) {
        self.quiet.as_mut().reset(Instant::now() + QUIET_MAX);
    }

    /// What becomes of something written.
    fn written<T>(&mut self, context: &mut Context<'_>, done: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if done.is_ready() {
            self.stall = None;
            self.spoken();
            return done;
        }
        let stall = self.stall.get_or_insert_with(|| Box::pin(sleep(STALL_MAX)));
        stall.as_mut().poll(context).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for CappedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.wire).poll_read(context, buffer) {
            Poll::Pending => self.quiet.as_mut().poll(context).map(|()| Err(io::ErrorKind::TimedOut.into())),
            ready => {
                self.spoken();
                ready
            }
        }
    }
}

impl AsyncWrite for CappedStream {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.wire).poll_write(context, bytes);
        self.written(context, done)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let done = Pin::new(&mut self.wire).poll_flush(context);
        self.written(context, done)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let done = Pin::new(&mut self.wire).poll_shutdown(context);
        self.written(context, done)
    }
}
