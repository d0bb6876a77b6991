//! Asks a server over UDP and TCP.
//!
//! A packet that may meet silence is followed by a question that is always answered, the sentinel: where its answer comes
//! first, the silence is known without waiting for a time-out.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

/// Longer than any server needs on loopback; only a server that hangs is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// `sentinel.invalid. A` with an id that no row has.
const SENTINEL: &[u8] = b"\xff\xfe\0\0\0\x01\0\0\0\0\0\0\x08sentinel\x07invalid\0\0\x01\0\x01";

/// The answer to `packet` over UDP; None for silence.
pub(crate) fn udp(server: SocketAddr, packet: &[u8]) -> std::io::Result<Option<Vec<u8>>> {
    let socket = UdpSocket::bind(if server.is_ipv4() { "127.0.0.1:0" } else { "[::1]:0" })?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.connect(server)?;
    socket.send(packet)?;
    socket.send(SENTINEL)?;
    let mut answer = vec![0; 65_535];
    let length = socket.recv(&mut answer)?;
    answer.truncate(length);
    Ok(unless_sentinel(answer))
}

/// The answer to `packet` over a connection of its own; None for silence, and for a connection that the server closed.
pub(crate) fn tcp(server: SocketAddr, packet: &[u8]) -> std::io::Result<Option<Vec<u8>>> {
    let mut stream = TcpStream::connect_timeout(&server, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let frame = |message: &[u8]| [&super::text::length16(message.len())[..], message].concat();
    stream.write_all(&[frame(packet), frame(SENTINEL)].concat())?;
    let mut length = [0; 2];
    if stream.read_exact(&mut length).is_err() {
        return Ok(None);
    }
    let mut answer = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut answer)?;
    Ok(unless_sentinel(answer))
}

fn unless_sentinel(answer: Vec<u8>) -> Option<Vec<u8>> {
    (answer.get(..2) != SENTINEL.get(..2)).then_some(answer)
}
