//! What the kernel answers: bytes → sockets. Whatever the bytes are, nothing here panics.
//!
//! A datagram holds messages of netlink, each with a length and padded to four octets; a message about a socket holds
//! `struct inet_diag_msg` and attributes, one of which is `struct tcp_info` as far as this kernel has it.

use std::net::{IpAddr, Ipv6Addr};

use super::request::{FAMILY_V4, FAMILY_V6, HEADER_LEN, INFO, SOCKETS};

/// Types of messages that are no socket: `NLMSG_ERROR` and `NLMSG_DONE`.
const ERROR: u16 = 2;
const DONE: u16 = 3;
/// Octets of `struct inet_diag_msg`.
const SOCKET_LEN: usize = 72;

/// Which of the kernel's two numbers is taken for the round trip of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Measure {
    /// The least round trip of the last five minutes (`net.ipv4.tcp_min_rtt_wlen`): the way there and back. What a client
    /// adds by acknowledging late, and a queue in front of it that our own answer has filled, is not in it: these would
    /// make a region look far because of what it sends.
    #[default]
    Least,
    /// The smoothed round trip, which the kernel sets its timeouts by: with queues and late acknowledgments.
    Smoothed,
}

/// A connection, as the kernel tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Socket {
    /// The kernel's number of this socket, which no other has until the next boot.
    pub(super) cookie: u64,
    /// The port on our side.
    pub(super) local_port: u16,
    /// The other side, in canonical form.
    pub(super) client: IpAddr,
    /// What was measured; `None` for a socket that keeps nothing, and for a kernel that does not tell.
    pub(super) timing: Option<Timing>,
}

/// What the kernel has measured of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Timing {
    /// Microseconds of the smoothed round trip; 0 before there was one.
    smoothed_us: u32,
    /// Microseconds of the least round trip; all ones before there was one.
    least_us: u32,
    /// Octets of ours that were acknowledged, the handshake not counted.
    pub(super) acknowledged: u64,
}

impl Timing {
    /// A measurement in microseconds, if there is one.
    pub(super) fn rtt_us(&self, measure: Measure) -> Option<u32> {
        let rtt = match measure {
            Measure::Least => self.least_us,
            Measure::Smoothed => self.smoothed_us,
        };
        (1..u32::MAX).contains(&rtt).then_some(rtt)
    }

    #[cfg(test)]
    pub(super) const fn of(least_us: u32, smoothed_us: u32, acknowledged: u64) -> Self {
        Self { smoothed_us, least_us, acknowledged }
    }

    /// From `struct tcp_info` of `linux/tcp.h`; the numbers after these came with Linux 4.6 and later.
    fn read(info: &[u8]) -> Option<Self> {
        Some(Self {
            smoothed_us: u32::from_ne_bytes(octets(info, 68)?),
            acknowledged: u64::from_ne_bytes(octets(info, 120)?),
            least_us: u32::from_ne_bytes(octets(info, 148)?),
        })
    }
}

/// How a list of sockets goes on after a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// There is more to come.
    More,
    /// That was all.
    Last,
    /// The kernel refuses, with this number of an error.
    Refused(i32),
    /// This is not what a kernel says.
    Broken,
}

/// Reads the messages of a datagram that answer the question `sequence`, and gives each socket to `found`.
pub(super) fn read(mut datagram: &[u8], sequence: u32, mut found: impl FnMut(Socket)) -> Part {
    while !datagram.is_empty() {
        let Some((message, rest)) = message(datagram) else { return Part::Broken };
        datagram = rest;
        if message.sequence != sequence {
            continue;
        }
        match message.kind {
            // The end of a list has a number too: an error that came between.
            DONE | ERROR => {
                let Some(number) = octets(message.body, 0).map(i32::from_ne_bytes) else { return Part::Broken };
                return if number == 0 { Part::Last } else { Part::Refused(number.saturating_neg()) };
            }
            SOCKETS => match socket(message.body) {
                Some(socket) => found(socket),
                None => return Part::Broken,
            },
            _ => {}
        }
    }
    Part::More
}

struct Message<'d> {
    kind: u16,
    sequence: u32,
    body: &'d [u8],
}

/// The first message, and what follows it.
fn message(datagram: &[u8]) -> Option<(Message<'_>, &[u8])> {
    let len = usize::try_from(u32::from_ne_bytes(octets(datagram, 0)?)).ok()?;
    let kind = u16::from_ne_bytes(octets(datagram, 4)?);
    let sequence = u32::from_ne_bytes(octets(datagram, 8)?);
    let body = datagram.get(HEADER_LEN..len)?;
    Some((Message { kind, sequence, body }, datagram.get(padded(len)..).unwrap_or_default()))
}

/// From `struct inet_diag_msg` and its attributes.
fn socket(body: &[u8]) -> Option<Socket> {
    let client = match body.first() {
        Some(&FAMILY_V4) => IpAddr::from(octets::<4>(body, 24)?),
        Some(&FAMILY_V6) => Ipv6Addr::from(octets::<16>(body, 24)?).to_canonical(),
        _ => return None,
    };
    let local_port = u16::from_be_bytes(octets(body, 4)?);
    let cookie = u64::from_ne_bytes(octets(body, 44)?);
    let mut attributes = body.get(SOCKET_LEN..)?;
    let mut timing = None;
    while let Some((kind, value, rest)) = attribute(attributes) {
        if kind == INFO {
            timing = Timing::read(value);
        }
        attributes = rest;
    }
    Some(Socket { cookie, local_port, client, timing })
}

/// Type and value of the first attribute, and what follows it.
fn attribute(attributes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let len = usize::from(u16::from_ne_bytes(octets(attributes, 0)?));
    let kind = u16::from_ne_bytes(octets(attributes, 2)?);
    let value = attributes.get(4..len)?;
    Some((kind, value, attributes.get(padded(len)..).unwrap_or_default()))
}

/// Messages and attributes begin at multiples of four octets.
const fn padded(len: usize) -> usize {
    len.saturating_add(3) & !3
}

fn octets<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A message of a kernel, padded.
    fn told(kind: u16, sequence: u32, body: &[u8]) -> Vec<u8> {
        let mut message = u32::try_from(HEADER_LEN + body.len()).unwrap().to_ne_bytes().to_vec();
        message.extend([kind.to_ne_bytes(), [0, 0]].concat());
        message.extend([sequence.to_ne_bytes(), [0; 4]].concat());
        message.extend_from_slice(body);
        message.resize(padded(message.len()), 0);
        message
    }

    /// A socket of a kernel: an attribute that nobody asked for, then `info` octets of `struct tcp_info`.
    fn body(client: IpAddr, cookie: u64, timing: &Timing, info: usize) -> Vec<u8> {
        let mut body = vec![0; SOCKET_LEN];
        let mut put = |at: usize, bytes: &[u8]| body[at..at + bytes.len()].copy_from_slice(bytes);
        put(4, &443_u16.to_be_bytes());
        put(44, &cookie.to_ne_bytes());
        match client {
            IpAddr::V4(address) => {
                put(0, &[FAMILY_V4, 1]);
                put(24, &address.octets());
            }
            IpAddr::V6(address) => {
                put(0, &[FAMILY_V6, 1]);
                put(24, &address.octets());
            }
        }
        let mut table = vec![0; 248];
        table[68..72].copy_from_slice(&timing.smoothed_us.to_ne_bytes());
        table[120..128].copy_from_slice(&timing.acknowledged.to_ne_bytes());
        table[148..152].copy_from_slice(&timing.least_us.to_ne_bytes());
        body.extend([5_u16.to_ne_bytes(), 8_u16.to_ne_bytes(), [7, 0], [0, 0]].concat());
        body.extend([u16::try_from(4 + info).unwrap().to_ne_bytes(), INFO.to_ne_bytes()].concat());
        body.extend_from_slice(&table[..info]);
        body
    }

    fn all(datagram: &[u8]) -> (Part, Vec<Socket>) {
        let mut sockets = Vec::new();
        (read(datagram, 9, |socket| sockets.push(socket)), sockets)
    }

    #[test]
    fn sockets_are_read() {
        let timing = Timing::of(23_400, 30_000, 512);
        for (client, canonical) in
            [("203.0.113.7", "203.0.113.7"), ("::ffff:203.0.113.7", "203.0.113.7"), ("2001:db8::7", "2001:db8::7")]
        {
            let (part, sockets) = all(&told(SOCKETS, 9, &body(client.parse().unwrap(), 77, &timing, 248)));
            let socket =
                Socket { cookie: 77, local_port: 443, client: canonical.parse().unwrap(), timing: Some(timing) };
            assert_eq!((part, sockets), (Part::More, vec![socket]));
        }
    }

    #[test]
    fn old_kernels_and_sockets_that_wait_tell_no_timing() {
        let client = "203.0.113.7".parse().unwrap();
        let timing = Timing::of(1, 2, 3);
        let mut bare = body(client, 1, &timing, 0);
        bare.truncate(SOCKET_LEN);
        for body in [body(client, 1, &timing, 148), bare] {
            assert_eq!(all(&told(SOCKETS, 9, &body)).1[0].timing, None);
        }
        assert_eq!(all(&told(SOCKETS, 9, &body(client, 1, &timing, 152))).1[0].timing, Some(timing));
    }

    #[test]
    fn what_was_not_measured_is_no_measurement() {
        let fresh = Timing::of(u32::MAX, 0, 0);
        assert_eq!((fresh.rtt_us(Measure::Least), fresh.rtt_us(Measure::Smoothed)), (None, None));
        let known = Timing::of(20, 30, 1);
        assert_eq!((known.rtt_us(Measure::Least), known.rtt_us(Measure::Smoothed)), (Some(20), Some(30)));
    }

    #[test]
    fn lists_end() {
        let socket = told(SOCKETS, 9, &body("203.0.113.7".parse().unwrap(), 1, &Timing::of(1, 1, 1), 152));
        let done = told(DONE, 9, &0_i32.to_ne_bytes());
        assert_eq!(all(&[socket.clone(), done.clone()].concat()).0, Part::Last);
        assert_eq!(all(&told(DONE, 8, &0_i32.to_ne_bytes())).0, Part::More, "another question's");
        assert_eq!(all(&told(ERROR, 9, &(-2_i32).to_ne_bytes())).0, Part::Refused(2));
        assert_eq!(all(&told(DONE, 9, &(-4_i32).to_ne_bytes())).0, Part::Refused(4));
        assert_eq!(all(&told(DONE, 9, &[])).0, Part::Broken);
        assert_eq!(all(&socket[..socket.len() - 1]).0, Part::Broken);
        assert_eq!(all(&[0; 16]).0, Part::Broken, "a length that leads nowhere");
        assert_eq!(all(&[]).0, Part::More);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            all(&bytes);
        }

        /// Bytes that are nearly right go deeper.
        #[test]
        fn no_change_panics(at in 0_usize..500, value in any::<u8>(), cut in 0_usize..500) {
            let client = "2001:db8::7".parse().unwrap();
            let mut datagram = told(SOCKETS, 9, &body(client, 1, &Timing::of(1, 2, 3), 248));
            datagram.extend(told(DONE, 9, &0_i32.to_ne_bytes()));
            if let Some(octet) = datagram.get_mut(at) {
                *octet = value;
            }
            datagram.truncate(datagram.len() - cut.min(datagram.len()));
            all(&datagram);
        }
    }
}
