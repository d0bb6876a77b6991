//! Asking the kernel: a netlink socket, a question for each family, and the answers.

use std::io::{self, Read as _, Write as _};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

use super::connections::{Connections, Counts, Wanted};
use super::request::{FAMILY_V4, FAMILY_V6, request};
use super::sockets::{Part, read};
use super::tally::{Median, Tally};
use crate::base::limits::{AGENT_CONNECTIONS_MAX, AGENT_KERNEL_MS};

/// `NETLINK_SOCK_DIAG`
const SOCK_DIAG: i32 = 4;
/// Octets of a datagram: the kernel makes none that is longer than 32 KiB, and such only for buffers of that length.
const BUFFER_LEN: usize = 64 << 10;

/// Why the kernel's measurements can't be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadingError {
    /// It can't be asked.
    #[error("cannot ask the kernel for its connections")]
    Ask(#[source] io::Error),
    /// It refuses to say.
    #[error("the kernel does not tell its connections (is the module `tcp_diag` there?)")]
    Refused(#[source] io::Error),
    /// What it says can't be understood.
    #[error("the kernel tells its connections in a form that is not known")]
    Broken,
}

/// Reads connections again and again.
#[derive(Debug)]
pub struct Reading {
    socket: Socket,
    buffer: Vec<u8>,
    sequence: u32,
    wanted: Wanted,
    connections: Connections,
}

impl Reading {
    /// Opens a socket to the kernel, for which no privilege is needed.
    ///
    /// # Errors
    /// [`ReadingError::Ask`]
    pub fn new(wanted: Wanted) -> Result<Self, ReadingError> {
        let socket = Socket::new(Domain::from(libc::AF_NETLINK), Type::DGRAM, Some(Protocol::from(SOCK_DIAG)));
        let socket = socket.map_err(ReadingError::Ask)?;
        socket.set_read_timeout(Some(Duration::from_millis(AGENT_KERNEL_MS))).map_err(ReadingError::Ask)?;
        let connections = Connections::new(AGENT_CONNECTIONS_MAX);
        Ok(Self { socket, buffer: vec![0; BUFFER_LEN], sequence: 0, wanted, connections })
    }

    /// Reads all connections once, and counts what is new as region 0. Blocks for some milliseconds for every ten
    /// thousand of them.
    ///
    /// # Errors
    /// [`ReadingError`]; what was read before is counted, and nothing is forgotten.
    pub(super) fn read(&mut self, tally: &mut Tally) -> Result<Counts, ReadingError> {
        for family in [FAMILY_V4, FAMILY_V6] {
            self.ask(family, tally)?;
        }
        Ok(self.connections.end())
    }

    fn ask(&mut self, family: u8, tally: &mut Tally) -> Result<(), ReadingError> {
        let Self { socket, buffer, sequence, wanted, connections } = self;
        // What is left of a question that failed bears another number.
        *sequence = sequence.wrapping_add(1);
        let mut stream: &Socket = socket;
        stream.write_all(&request(family, &wanted.ports, *sequence)).map_err(ReadingError::Ask)?;
        loop {
            let len = match stream.read(buffer) {
                Ok(len) => len,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(ReadingError::Ask(error)),
            };
            let part = read(buffer.get(..len).unwrap_or_default(), *sequence, |socket| {
                if let Some((network, rtt_us)) = connections.see(&socket, wanted) {
                    tally.count(network, 0, rtt_us);
                }
            });
            match part {
                Part::More if len > 0 => {}
                Part::Last => return Ok(()),
                // Without IPv6 there are no connections of it.
                Part::Refused(libc::ENOENT) if family == FAMILY_V6 => return Ok(()),
                Part::Refused(number) => return Err(ReadingError::Refused(io::Error::from_raw_os_error(number))),
                Part::More | Part::Broken => return Err(ReadingError::Broken),
            }
        }
    }
}

/// One look at the connections as they are: the medians of at most `most` networks, those with most connections first.
///
/// # Errors
/// [`ReadingError`]
pub fn look(wanted: Wanted, most: usize) -> Result<Vec<Median>, ReadingError> {
    let mut tally = Tally::default();
    Reading::new(wanted)?.read(&mut tally)?;
    Ok(tally.take(most).medians)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::limits::AGENT_PORTS_MAX;
    use std::net::{SocketAddr, TcpListener, TcpStream};

    /// A connection on loopback over which both sides have sent something, and what was sent is acknowledged.
    fn talk(listener: &TcpListener, host: &str, client: &mut Option<TcpStream>) -> TcpStream {
        let mut here = TcpStream::connect((host, listener.local_addr().unwrap().port())).unwrap();
        let (mut there, _) = listener.accept().unwrap();
        let mut octet = [0];
        for _ in 0..2 {
            there.write_all(b"a").unwrap();
            here.read_exact(&mut octet).unwrap();
            // It carries the acknowledgment.
            here.write_all(b"b").unwrap();
            there.read_exact(&mut octet).unwrap();
        }
        *client = Some(here);
        there
    }

    /// A listener that takes both families where its address is for both.
    fn listen(address: SocketAddr) -> TcpListener {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).unwrap();
        if address.is_ipv6() {
            socket.set_only_v6(false).unwrap();
        }
        socket.bind(&address.into()).unwrap();
        socket.listen(16).unwrap();
        socket.into()
    }

    #[test]
    fn the_kernel_tells_connections_on_loopback() {
        for (address, host, network) in [
            ("127.0.0.1:0", "127.0.0.1", "127.0.0.0/24"),
            ("[::1]:0", "::1", "::/48"),
            ("[::]:0", "127.0.0.1", "127.0.0.0/24"),
        ] {
            let listener = listen(address.parse().unwrap());
            // As many ports as there may be: the kernel must take the longest program.
            let port = listener.local_addr().unwrap().port();
            let ports = (1..).take(AGENT_PORTS_MAX - 1).chain([port]).collect();
            let wanted = Wanted { ports, loopback: true, ..Wanted::default() };
            let mut reading = Reading::new(wanted.clone()).unwrap();
            let mut tally = Tally::default();
            let mut clients = [None, None];
            let servers: Vec<TcpStream> = clients.iter_mut().map(|client| talk(&listener, host, client)).collect();
            let counts = reading.read(&mut tally).unwrap();
            assert_eq!((counts.clients, counts.counted), (2, 2), "the ends of clients are not ours");
            let taken = tally.take(9).medians;
            assert_eq!(taken.len(), 1);
            assert_eq!((taken[0].network.to_string(), taken[0].samples), (network.to_owned(), 2));
            assert!(taken[0].rtt_us < 1_000_000, "{taken:?}");
            // Nothing is new.
            assert_eq!(reading.read(&mut tally).unwrap().counted, 0);
            drop(servers);
            assert!(look(Wanted { loopback: false, ..wanted }, 9).unwrap().is_empty());
        }
    }
}
