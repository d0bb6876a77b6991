//! DNS over UDP: one question, and the response code of the answer to it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::net::UdpSocket;

use crate::base::limits;
use crate::dns::{Name, RecordType};

use super::outcome::{Miss, Progress, Seen, Stage, bounded};

/// A query, RFC 1035 §4.1.
pub(super) struct Query {
    octets: Vec<u8>,
}

/// Octets before the question.
const HEADER_LEN: usize = 12;

impl Query {
    /// A query whose id is taken from `number`; it asks for recursion, which only resolvers mind.
    pub(super) fn new(number: u64, name: &Name, rtype: RecordType) -> Self {
        let [a, b, ..] = number.to_le_bytes();
        let mut octets = vec![a, b, 0x01, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        octets.extend_from_slice(name.as_wire());
        octets.extend_from_slice(&rtype.0.to_be_bytes());
        // Class IN.
        octets.extend_from_slice(&[0, 1]);
        Self { octets }
    }

    /// The response code if this answers the query: its id, its question, and the bit that makes it a response.
    fn answered_by(&self, message: &[u8]) -> Option<u8> {
        let (head, question) = self.octets.split_at_checked(HEADER_LEN)?;
        let (found, rest) = message.split_at_checked(HEADER_LEN)?;
        let &[a, b, flags, more, count_high, count_low, ..] = found else { return None };
        let is_response = head.get(..2)? == [a, b] && flags & 0x80 != 0;
        let has_question = [count_high, count_low] == [0, 1]
            && rest.get(..question.len()).is_some_and(|found| found.eq_ignore_ascii_case(question));
        // A server that could not read the query may leave the question out; FORMERR and NOTIMP say so.
        let rcode = more & 0x0f;
        let is_bare = [count_high, count_low] == [0, 0] && matches!(rcode, 1 | 4);
        (is_response && (has_question || is_bare)).then_some(rcode)
    }
}

/// Sends the query; what does not answer it is passed over.
pub(super) async fn probe(address: IpAddr, port: u16, query: &Query, rcodes: &[u8], progress: &mut Progress) -> Seen {
    progress.waits_for(Stage::Answer);
    let any: IpAddr = if address.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind(SocketAddr::new(any, 0)).await.map_err(|error| Miss::socket(&error))?;
    socket.connect(SocketAddr::new(address, port)).await.map_err(|error| Miss::socket(&error))?;
    socket.send(&query.octets).await.map_err(|error| Miss::socket(&error))?;
    let mut buffer = vec![0; limits::UDP_PAYLOAD_MAX];
    loop {
        let len = socket.recv(&mut buffer).await.map_err(|error| Miss::socket(&error))?;
        let Some(rcode) = buffer.get(..len).and_then(|message| query.answered_by(message)) else { continue };
        progress.answered();
        return if rcodes.contains(&rcode) { Ok(None) } else { Err(Miss::fail(rcode_text(rcode))) };
    }
}

fn rcode_text(rcode: u8) -> String {
    const NAMES: [&str; 11] = [
        "NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED", "YXDOMAIN", "YXRRSET", "NXRRSET", "NOTAUTH",
        "NOTZONE",
    ];
    NAMES.get(usize::from(rcode)).map_or_else(|| format!("rcode {rcode}"), |name| bounded(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_told_from_forgeries() {
        let query = Query::new(0x0201, &"a.example".parse().unwrap(), RecordType::A);
        let with = |change: &dyn Fn(&mut Vec<u8>)| {
            let mut answer = query.octets.clone();
            answer[2] |= 0x80;
            change(&mut answer);
            query.answered_by(&answer)
        };
        assert_eq!(with(&|_| ()), Some(0));
        assert_eq!(with(&|answer| answer[3] = 0x83), Some(3));
        assert_eq!(with(&|answer| answer[13] = b'A'), Some(0));
        assert_eq!(with(&|answer| answer[0] = 9), None);
        assert_eq!(with(&|answer| answer[2] = 0x01), None);
        assert_eq!(with(&|answer| answer[13] = b'b'), None);
        assert_eq!(with(&|answer| answer.truncate(20)), None);
        assert_eq!(with(&|answer| answer.truncate(4)), None);
        assert_eq!(with(&|answer| (answer[5], answer[3]) = (0, 1)), Some(1));
        assert_eq!(with(&|answer| (answer[5], answer[3]) = (0, 0)), None);
    }
}
