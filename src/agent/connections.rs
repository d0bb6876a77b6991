//! Which connections tell something new: those of clients, with something acknowledged since they were counted last.

use std::collections::HashMap;

use super::prefix::Prefix;
use super::sockets::{Measure, Socket};
use crate::latency::ClientNetwork;

/// Which connections are looked at, and what of them.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// The ports on our side where clients come in, at most
    /// [`AGENT_PORTS_MAX`](crate::base::limits::AGENT_PORTS_MAX).
    pub ports: Vec<u16>,
    /// What is taken for the round trip.
    pub measure: Measure,
    /// If connections of this host with itself are looked at.
    pub loopback: bool,
    /// Networks that are no clients: our own proxies, load balancers, health checks.
    pub ignored: Vec<Prefix>,
}

/// What became of the connections of one reading.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Connections of clients.
    pub(super) clients: usize,
    /// Those that were counted.
    pub(super) counted: usize,
    /// Those that there was no memory for.
    pub(super) beyond: usize,
}

/// A bounded memory of connections, by the kernel's number.
#[derive(Debug)]
pub(super) struct Connections {
    most: usize,
    known: HashMap<u64, Known>,
    round: u64,
    counts: Counts,
}

#[derive(Debug)]
struct Known {
    acknowledged: u64,
    /// The reading that it was seen in last.
    round: u64,
}

impl Connections {
    /// A memory of at most so many.
    pub(super) fn new(most: usize) -> Self {
        Self { most, known: HashMap::new(), round: 0, counts: Counts::default() }
    }

    /// A client's network and its round trip in microseconds, if the connection is one that is wanted and tells something new.
    ///
    /// At least one segment of data was acknowledged: a handshake alone is anybody's who looks for open ports. What is
    /// seen again with nothing acknowledged in between was measured by what has been counted already.
    pub(super) fn see(&mut self, socket: &Socket, wanted: &Wanted) -> Option<(ClientNetwork, u32)> {
        let client = wanted.client(socket)?;
        self.counts.clients += 1;
        let timing = socket.timing.filter(|timing| timing.acknowledged > 0)?;
        let rtt = timing.rtt_us(wanted.measure)?;
        let (is_full, round) = (self.known.len() >= self.most, self.round);
        match self.known.get_mut(&socket.cookie) {
            Some(known) => {
                known.round = round;
                if known.acknowledged == timing.acknowledged {
                    return None;
                }
                known.acknowledged = timing.acknowledged;
            }
            // Counted without being remembered, it would be counted again and again.
            None if is_full => {
                self.counts.beyond += 1;
                return None;
            }
            None => {
                self.known.insert(socket.cookie, Known { acknowledged: timing.acknowledged, round });
            }
        }
        self.counts.counted += 1;
        Some((client, rtt))
    }

    /// Ends a reading that told all connections: those that were not in it are closed, and forgotten.
    pub(super) fn end(&mut self) -> Counts {
        let round = self.round;
        self.known.retain(|_, known| known.round == round);
        self.round += 1;
        std::mem::take(&mut self.counts)
    }
}

impl Wanted {
    /// The network of the client at the other end, if it is one.
    fn client(&self, socket: &Socket) -> Option<ClientNetwork> {
        let client = socket.client;
        let is_wanted = self.ports.contains(&socket.local_port)
            && (self.loopback || !client.is_loopback())
            && !self.ignored.iter().any(|network| network.contains(client));
        ClientNetwork::of(client).filter(|_| is_wanted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::sockets::Timing;

    fn socket(cookie: u64, client: &str, acknowledged: u64) -> Socket {
        let timing = Some(Timing::of(20_000, 30_000, acknowledged));
        Socket { cookie, local_port: 443, client: client.parse().unwrap(), timing }
    }

    fn wanted() -> Wanted {
        Wanted { ports: vec![443], ..Wanted::default() }
    }

    #[test]
    fn only_what_is_new_is_counted() {
        let mut connections = Connections::new(10);
        let client = "203.0.113.7";
        let seen = ClientNetwork::of(client.parse().unwrap()).map(|network| (network, 20_000));
        for (acknowledged, expected) in [(0, None), (100, seen), (100, None), (101, seen), (101, None)] {
            assert_eq!(connections.see(&socket(1, client, acknowledged), &wanted()), expected, "{acknowledged}");
            let counted = usize::from(expected.is_some());
            assert_eq!(connections.end(), Counts { clients: 1, counted, beyond: 0 });
        }
    }

    #[test]
    fn told_twice_in_one_reading_is_counted_once() {
        let mut connections = Connections::new(10);
        assert!(connections.see(&socket(1, "203.0.113.7", 5), &wanted()).is_some());
        assert!(connections.see(&socket(1, "203.0.113.7", 5), &wanted()).is_none());
    }

    #[test]
    fn the_memory_is_bounded_and_forgets_what_is_closed() {
        let mut connections = Connections::new(2);
        for cookie in 1..=3 {
            assert_eq!(connections.see(&socket(cookie, "203.0.113.7", 5), &wanted()).is_some(), cookie < 3);
        }
        assert_eq!(connections.end(), Counts { clients: 3, counted: 2, beyond: 1 });
        // 1 is closed; 3 finds its place in the reading after the one that shows that.
        for expected in [false, true] {
            assert!(connections.see(&socket(2, "203.0.113.7", 5), &wanted()).is_none());
            assert_eq!(connections.see(&socket(3, "203.0.113.7", 5), &wanted()).is_some(), expected);
            connections.end();
        }
    }

    #[test]
    fn others_are_not_looked_at() {
        let mut connections = Connections::new(10);
        let mut wanted = Wanted { ignored: vec!["10.0.0.0/8".parse().unwrap()], ..wanted() };
        for client in ["127.0.0.1", "::1", "10.1.2.3", "169.254.1.1"] {
            assert_eq!(connections.see(&socket(1, client, 5), &wanted), None, "{client}");
        }
        let ours = Socket { local_port: 50_000, ..socket(1, "203.0.113.7", 5) };
        assert_eq!(connections.see(&ours, &wanted), None, "we are the client");
        let silent = Socket { timing: None, ..socket(1, "203.0.113.7", 5) };
        assert_eq!(connections.see(&silent, &wanted), None);
        wanted.loopback = true;
        assert!(connections.see(&socket(1, "127.0.0.1", 5), &wanted).is_some());
    }
}
