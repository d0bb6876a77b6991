//! ICMP and ICMPv6: one echo request, RFC 792 and RFC 4443 §4.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket as StdUdpSocket};
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;

use super::outcome::{Miss, Progress, Seen, Stage};

/// Octets of the header of an echo message: type, code, checksum, identifier, sequence.
const HEADER_LEN: usize = 8;
/// Octets that tell our reply from others.
const PAYLOAD_LEN: usize = 16;

/// Sends an echo request with `secret` as its payload and waits for its reply.
pub(super) async fn probe(address: IpAddr, secret: [u64; 2], progress: &mut Progress) -> Seen {
    progress.waits_for(Stage::Answer);
    let socket = open(address)?;
    socket.connect(SocketAddr::new(address, 0)).await.map_err(|error| Miss::socket(&error))?;
    let echo = Echo::new(address.is_ipv4(), secret);
    socket.send(&echo.request).await.map_err(|error| Miss::socket(&error))?;
    let mut buffer = [0; 512];
    loop {
        let len = socket.recv(&mut buffer).await.map_err(|error| Miss::socket(&error))?;
        if buffer.get(..len).is_some_and(|packet| echo.is_answered_by(packet)) {
            progress.answered();
            return Ok(None);
        }
    }
}

/// Sends an echo request with `secret` as its payload: how long its reply took.
///
/// # Errors
/// Why there is none. Whoever asks bounds the time.
pub async fn ping(address: IpAddr, secret: [u64; 2]) -> Result<Duration, String> {
    let refused = |error: io::Error| error.to_string();
    let socket = open(address).map_err(|miss| miss.reason.into_owned())?;
    socket.connect(SocketAddr::new(address, 0)).await.map_err(refused)?;
    let echo = Echo::new(address.is_ipv4(), secret);
    let begun = Instant::now();
    socket.send(&echo.request).await.map_err(refused)?;
    let mut buffer = [0; 512];
    loop {
        let len = socket.recv(&mut buffer).await.map_err(refused)?;
        if buffer.get(..len).is_some_and(|packet| echo.is_answered_by(packet)) {
            return Ok(begun.elapsed());
        }
    }
}

/// A socket for echo messages: one without privileges where the system grants it, else a raw one.
fn open(address: IpAddr) -> Result<UdpSocket, Miss> {
    let (domain, protocol) =
        if address.is_ipv4() { (Domain::IPV4, Protocol::ICMPV4) } else { (Domain::IPV6, Protocol::ICMPV6) };
    let socket = Socket::new(domain, Type::DGRAM, Some(protocol))
        .or_else(|_| Socket::new(domain, Type::RAW, Some(protocol)))
        .map_err(|error| match error.raw_os_error() {
            Some(libc::EPERM | libc::EACCES) => Miss::inconclusive("no permission (CAP_NET_RAW)"),
            _ => Miss::socket(&error),
        })?;
    socket.set_nonblocking(true).map_err(|error| Miss::socket(&error))?;
    // The type has no other word for "a socket that sends and receives": nothing of UDP is used.
    UdpSocket::from_std(StdUdpSocket::from(socket)).map_err(|error| Miss::socket(&error))
}

/// An echo request and how its reply is known.
struct Echo {
    request: Vec<u8>,
    reply_type: u8,
}

impl Echo {
    fn new(is_v4: bool, [a, b]: [u64; 2]) -> Self {
        let (request_type, reply_type) = if is_v4 { (8, 0) } else { (128, 129) };
        let [id_high, id_low, ..] = a.rotate_left(32).to_le_bytes();
        let mut request = vec![request_type, 0, 0, 0, id_high, id_low, 0, 1];
        request.extend_from_slice(&a.to_le_bytes());
        request.extend_from_slice(&b.to_le_bytes());
        // The kernel computes the one of ICMPv6, which covers addresses we do not know.
        let sum = if is_v4 { checksum(&request) } else { 0 };
        for (octet, sum) in request.iter_mut().skip(2).zip(sum.to_be_bytes()) {
            *octet = sum;
        }
        Self { request, reply_type }
    }

    /// True for the reply. A raw socket of IPv4 shows the IP header too; every raw socket sees everybody's packets.
    fn is_answered_by(&self, packet: &[u8]) -> bool {
        let skip = match packet.first() {
            Some(first) if first >> 4 == 4 && packet.len() > HEADER_LEN + PAYLOAD_LEN => usize::from(first & 15) * 4,
            _ => 0,
        };
        let Some(message) = packet.get(skip..) else { return false };
        // An unprivileged socket has an identifier of the kernel's choice: the payload alone is ours.
        message.first() == Some(&self.reply_type) && message.get(HEADER_LEN..) == self.request.get(HEADER_LEN..)
    }
}

/// RFC 1071.
fn checksum(message: &[u8]) -> u16 {
    let (pairs, _) = message.as_chunks::<2>();
    let mut sum: u32 = pairs.iter().map(|&pair| u32::from(u16::from_be_bytes(pair))).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_known_by_their_payload() {
        let echo = Echo::new(true, [1, 2]);
        // A message with its checksum adds up to nothing.
        assert_eq!(checksum(&echo.request), 0);
        let mut reply = echo.request.clone();
        assert!(!echo.is_answered_by(&reply), "our own request");
        reply[0] = 0;
        assert!(echo.is_answered_by(&reply));
        let mut raw = vec![0x45; 20];
        raw.extend_from_slice(&reply);
        assert!(echo.is_answered_by(&raw));
        reply[20] ^= 1;
        assert!(!echo.is_answered_by(&reply));
        assert!(!echo.is_answered_by(&[]) && !echo.is_answered_by(&[0x4f; 30]));
        let mut reply = Echo::new(false, [1, 2]).request;
        reply[0] = 129;
        assert!(Echo::new(false, [1, 2]).is_answered_by(&reply));
    }
}
