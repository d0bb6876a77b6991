//! The sockets of the server, and the threads that answer at them.

use std::sync::Arc;
use std::thread;

use tokio::sync::mpsc;

use crate::answer::Lane;
use crate::base::limits::UDP_RECEIVE_BUFFER;
use crate::run::random;
use crate::run::sweep::Sweep;
use crate::serve::{Listener, Stop, StreamOptions, StreamServer, UdpServer};
use crate::snapshot::Published;

/// The sockets, and who will answer at them.
pub(super) struct Lanes {
    pub(super) listeners: Vec<Listener>,
    pub(super) stream_options: StreamOptions,
}

impl Lanes {
    /// Starts all threads. The receiver ends when the last of them has ended.
    ///
    /// # Errors
    /// If there is no randomness or no thread.
    pub(super) fn start(
        self,
        published: &Arc<Published>,
        sweep: &Sweep,
        stop: &Stop,
    ) -> std::io::Result<mpsc::Receiver<()>> {
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

/// Says where the server listens, and what is wrong with the socket.
pub(super) fn announce(listener: &Listener) {
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
