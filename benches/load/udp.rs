//! Load over UDP: batches in, batches out, on one or several connected sockets.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;

use anyhow::{Context, Result};

use crate::ledger::Ledger;
use crate::run::Run;
use crate::system::{self, Batch, Interest};

/// Room for the answers of a full window.
const RECEIVE_BUFFER: libc::c_int = 8 << 20;
/// Lost queries are looked for so often, nanoseconds.
const GIVE_UP_EVERY_NS: u64 = 50_000_000;

/// Connected sockets, each with its own ids.
pub struct Sockets {
    channels: Vec<(UdpSocket, Ledger)>,
    segmented: bool,
}

impl Sockets {
    /// Opens `count` sockets to `server`, each with at most `window` queries under way. `segmented` lets the kernel cut
    /// datagrams from large ones.
    ///
    /// # Errors
    /// If the system gives none.
    pub fn connect(server: SocketAddr, count: usize, window: usize, segmented: bool) -> Result<Self> {
        let local: SocketAddr = match server {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let channels = (0..count.max(1)).map(|_| {
            let socket = UdpSocket::bind(local)?;
            socket.connect(server)?;
            system::set_receive_buffer(&socket, RECEIVE_BUFFER);
            Ok((socket, Ledger::new(window)))
        });
        let channels = channels.collect::<std::io::Result<_>>().context("cannot open a socket")?;
        Ok(Self { channels, segmented })
    }

    /// Asks until `run` is over, then waits for the last answers.
    pub fn drive(&mut self, run: &mut Run) {
        let interests: Vec<_> =
            self.channels.iter().map(|(socket, _)| Interest { fd: socket.as_raw_fd(), write: false }).collect();
        let (mut received, mut sending, mut scratch) = (Batch::new(), Batch::new(), Vec::new());
        let mut give_up_at = GIVE_UP_EVERY_NS;
        loop {
            let mut moved = 0;
            for (socket, ledger) in &mut self.channels {
                moved += hear(run, socket, ledger, &mut received);
                moved += ask(run, socket, ledger, &mut sending, self.segmented);
            }
            let now_ns = run.now_ns();
            if now_ns >= give_up_at {
                give_up_at = now_ns + GIVE_UP_EVERY_NS;
                self.channels.iter_mut().for_each(|(_, ledger)| run.give_up(ledger, now_ns));
            }
            if run.is_over(now_ns) && self.channels.iter().all(|(_, ledger)| ledger.in_flight() == 0) {
                return;
            }
            if moved == 0 {
                system::wait(&interests, &mut scratch, run.pause(now_ns));
            }
        }
    }
}

/// Takes one batch of answers; returns how many there were.
fn hear(run: &mut Run, socket: &UdpSocket, ledger: &mut Ledger, batch: &mut Batch) -> usize {
    match batch.receive(socket) {
        Ok(0) => 0,
        Ok(count) => {
            let now_ns = run.now_ns();
            batch.datagrams().for_each(|datagram| run.hear(ledger, datagram, now_ns));
            count
        }
        Err(_) => {
            run.tally.socket_errors += 1;
            0
        }
    }
}

/// Sends what is due; returns how much that was.
fn ask(run: &mut Run, socket: &UdpSocket, ledger: &mut Ledger, batch: &mut Batch, segmented: bool) -> usize {
    let now_ns = run.now_ns();
    if run.is_over(now_ns) {
        return 0;
    }
    let due = run.due(ledger, now_ns);
    for _ in 0..due {
        batch.push(|out| run.ask(ledger, now_ns, out));
        if batch.is_full() {
            send(run, socket, batch, segmented);
        }
    }
    send(run, socket, batch, segmented);
    due
}

/// Sends a batch. What the kernel does not take is lost, and found to be so in time.
fn send(run: &mut Run, socket: &UdpSocket, batch: &mut Batch, segmented: bool) {
    let sent = if segmented { batch.send_segmented(socket) } else { batch.send(socket) };
    if sent.is_err() {
        run.tally.socket_errors += 1;
    }
}
