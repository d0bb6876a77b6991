//! How long a round trip to a resolver takes, by the methods there are.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use crate::base::limits::VANTAGE_TIMEOUT_MS;
use crate::config::Method;
use crate::probe::ping;

/// Where resolvers answer.
const PORT: u16 = 53;
/// Round trips of one measurement, one after the other.
const TRIPS: usize = 3;

/// The median of three round trips by the first method that is answered; `None`: by none. `random` makes what an answer is
/// known by.
pub async fn measure(address: IpAddr, methods: &[Method], random: impl Fn() -> u64) -> Option<Duration> {
    for method in methods {
        let mut trips = Vec::with_capacity(TRIPS);
        for _ in 0..TRIPS {
            let trip = trip(address, *method, [random(), random()]);
            // One that is not answered the first time is not asked again.
            match timeout(Duration::from_millis(VANTAGE_TIMEOUT_MS), trip).await {
                Ok(Ok(took)) => trips.push(took),
                Ok(Err(_)) | Err(_) => break,
            }
        }
        trips.sort_unstable();
        if let Some(median) = trips.get(trips.len() / 2) {
            return Some(*median);
        }
    }
    None
}

async fn trip(address: IpAddr, method: Method, secret: [u64; 2]) -> io::Result<Duration> {
    let to = SocketAddr::new(address, PORT);
    match method {
        Method::Icmp => ping(address, secret).await.map_err(io::Error::other),
        Method::Tcp => {
            let begun = Instant::now();
            match TcpStream::connect(to).await {
                Ok(_) => Ok(begun.elapsed()),
                // No is an answer, and takes as long.
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(begun.elapsed()),
                Err(error) => Err(error),
            }
        }
        Method::Dns => {
            let any: IpAddr =
                if address.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
            let socket = UdpSocket::bind(SocketAddr::new(any, 0)).await?;
            socket.connect(to).await?;
            let question = question(secret[0]);
            let begun = Instant::now();
            socket.send(&question).await?;
            let mut buffer = [0; 512];
            loop {
                let len = socket.recv(&mut buffer).await?;
                if buffer.get(..len).is_some_and(|answer| is_answer(&question, answer)) {
                    return Ok(begun.elapsed());
                }
            }
        }
    }
}

/// The root's NS, without recursion: what every resolver knows or refuses, and nobody else is bothered with.
fn question(secret: u64) -> [u8; 17] {
    let [high, low, ..] = secret.to_be_bytes();
    [high, low, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1]
}

/// True for an answer, whatever it says, to this question (RFC 1035 §4.1.1).
fn is_answer(question: &[u8], answer: &[u8]) -> bool {
    answer.len() >= 12 && answer.get(..2) == question.get(..2) && answer.get(2).is_some_and(|flags| flags & 0x80 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_refused_connection_is_a_round_trip() {
        // Nothing listens on port 53 of this address.
        let took = measure("127.53.53.53".parse().unwrap(), &[Method::Tcp], || 1).await;
        assert!(took.is_some(), "{took:?}");
    }

    #[test]
    fn answers_are_known() {
        let question = question(0x1234 << 48);
        assert_eq!(question[..2], [0x12, 0x34]);
        let mut answer = question;
        assert!(!is_answer(&question, &answer), "it is a question");
        answer[2] = 0x81;
        answer[3] = 5;
        assert!(is_answer(&question, &answer), "REFUSED is an answer");
        answer[1] ^= 1;
        assert!(!is_answer(&question, &answer), "to another question");
        assert!(!is_answer(&question, &answer[..11]));
    }
}
