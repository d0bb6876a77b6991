//! Load over TCP: connections that are reused, queries pipelined, one write per refill.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsRawFd;

use anyhow::{Context, Result};

use crate::ledger::Ledger;
use crate::question::QUERY_LEN_MAX;
use crate::run::Run;
use crate::system::{self, Interest};

/// Bytes read at a time.
const READ_LEN: usize = 65_536;
/// Lost queries are looked for so often, nanoseconds.
const GIVE_UP_EVERY_NS: u64 = 50_000_000;

/// Connections, each with its own ids.
pub struct Connections {
    server: SocketAddr,
    channels: Vec<Channel>,
}

struct Channel {
    stream: TcpStream,
    ledger: Ledger,
    /// Read and not yet understood.
    incoming: Vec<u8>,
    /// Written and not yet taken by the kernel.
    outgoing: Vec<u8>,
}

impl Connections {
    /// Opens `count` connections to `server`, each with at most `window` queries under way.
    ///
    /// # Errors
    /// If the server does not accept them.
    pub fn connect(server: SocketAddr, count: usize, window: usize) -> Result<Self> {
        let channels = (0..count.max(1)).map(|_| {
            let ledger = Ledger::new(window);
            Ok(Channel { stream: dial(server)?, ledger, incoming: Vec::new(), outgoing: Vec::new() })
        });
        let channels = channels.collect::<io::Result<_>>().with_context(|| format!("cannot connect to {server}"))?;
        Ok(Self { server, channels })
    }

    /// Asks until `run` is over, then waits for the last answers. A connection that the server closes is opened again;
    /// its queries are lost.
    ///
    /// # Errors
    /// If a connection cannot be opened again.
    pub fn drive(&mut self, run: &mut Run) -> Result<()> {
        let (mut scratch, mut read) = (Vec::new(), vec![0; READ_LEN]);
        let mut give_up_at = GIVE_UP_EVERY_NS;
        loop {
            let mut moved = 0;
            for channel in &mut self.channels {
                match channel.exchange(run, &mut read) {
                    Ok(count) => moved += count,
                    Err(_) => {
                        run.give_up_all(&mut channel.ledger);
                        channel.reopen(self.server)?;
                    }
                }
            }
            let now_ns = run.now_ns();
            if now_ns >= give_up_at {
                give_up_at = now_ns + GIVE_UP_EVERY_NS;
                self.channels.iter_mut().for_each(|channel| run.give_up(&mut channel.ledger, now_ns));
            }
            if run.is_over(now_ns) && self.channels.iter().all(|channel| channel.ledger.in_flight() == 0) {
                return Ok(());
            }
            if moved == 0 {
                let interests: Vec<_> = self.channels.iter().map(Channel::interest).collect();
                system::wait(&interests, &mut scratch, run.pause(now_ns));
            }
        }
    }
}

impl Channel {
    /// Reads what is there and sends what is due; returns how many answers and queries that was.
    fn exchange(&mut self, run: &mut Run, read: &mut [u8]) -> io::Result<usize> {
        let heard = self.hear(run, read)?;
        let now_ns = run.now_ns();
        let due = if run.is_over(now_ns) { 0 } else { run.due(&self.ledger, now_ns) };
        for _ in 0..due {
            let mut query = [0; QUERY_LEN_MAX];
            let length = run.ask(&mut self.ledger, now_ns, &mut query);
            self.outgoing.extend(u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes());
            self.outgoing.extend(&query[..length]);
        }
        self.flush()?;
        Ok(heard + due)
    }

    fn hear(&mut self, run: &mut Run, read: &mut [u8]) -> io::Result<usize> {
        match self.stream.read(read) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(length) => self.incoming.extend(&read[..length]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(0),
            Err(error) => return Err(error),
        }
        let now_ns = run.now_ns();
        let (mut heard, mut at) = (0, 0);
        while let Some(message) = first_message(&self.incoming[at..]) {
            run.hear(&mut self.ledger, message, now_ns);
            at += 2 + message.len();
            heard += 1;
        }
        self.incoming.drain(..at);
        Ok(heard)
    }

    fn flush(&mut self) -> io::Result<()> {
        while !self.outgoing.is_empty() {
            match self.stream.write(&self.outgoing) {
                Ok(length) => drop(self.outgoing.drain(..length)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn reopen(&mut self, server: SocketAddr) -> Result<()> {
        self.stream = dial(server).with_context(|| format!("cannot connect to {server} again"))?;
        self.incoming.clear();
        self.outgoing.clear();
        Ok(())
    }

    fn interest(&self) -> Interest {
        Interest { fd: self.stream.as_raw_fd(), write: !self.outgoing.is_empty() }
    }
}

/// A connection that neither waits nor delays small writes.
fn dial(server: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(server)?;
    stream.set_nodelay(true)?;
    stream.set_nonblocking(true)?;
    Ok(stream)
}

/// The first whole message behind its length (RFC 1035 §4.2.2).
fn first_message(octets: &[u8]) -> Option<&[u8]> {
    let (&length, rest) = octets.split_first_chunk()?;
    rest.get(..usize::from(u16::from_be_bytes(length)))
}
