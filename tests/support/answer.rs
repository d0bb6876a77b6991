//! Answers, as hickory-proto reads them, and queries with an OPT.

use std::net::{IpAddr, SocketAddr, UdpSocket};

use hickory_proto::op::Message;
use hickory_proto::rr::rdata::opt::{EdnsCode, EdnsOption};

use super::{PATIENCE, ask, ask_tcp, framed, query, read_framed, tcp_client_from};

pub const TYPE_A: u16 = 1;
pub const TYPE_TXT: u16 = 16;
pub const TYPE_AAAA: u16 = 28;

pub const NOERROR: u16 = 0;
pub const SERVFAIL: u16 = 2;
pub const NXDOMAIN: u16 = 3;
pub const REFUSED: u16 = 5;

/// What an answer says: its response code, and the data of its answer section, sorted.
pub type Said = (u16, Vec<String>);

/// Reads an answer.
pub fn said(octets: &[u8]) -> Said {
    let message = Message::from_vec(octets).unwrap();
    let mut data: Vec<String> = message.answers.iter().map(|record| record.data.to_string()).collect();
    data.sort();
    (message.metadata.response_code.into(), data)
}

/// What is to be said: a response code and data.
pub fn saying(rcode: u16, data: &[&str]) -> Said {
    (rcode, data.iter().map(|text| (*text).to_owned()).collect())
}

/// Asks over UDP and over TCP, and expects to be told the same.
pub fn ask_both(server: SocketAddr, name: &str, qtype: u16) -> Said {
    let over_udp = said(&ask(server, &query(11, name, qtype)));
    assert_eq!(said(&ask_tcp(server, &query(12, name, qtype))), over_udp, "{name} over TCP and over UDP");
    over_udp
}

/// Asks for the A records of a name as the client at `source`, over UDP and over TCP.
pub fn ask_both_from(source: IpAddr, server: SocketAddr, name: &str) -> Said {
    let packet = query(13, name, TYPE_A);
    let socket = UdpSocket::bind((source, 0)).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.send_to(&packet, server).unwrap();
    let mut buffer = [0; 512];
    let len = socket.recv(&mut buffer).unwrap();
    let over_udp = said(&buffer[..len]);
    let mut stream = tcp_client_from(source, server);
    std::io::Write::write_all(&mut stream, &framed(&packet)).unwrap();
    assert_eq!(said(&read_framed(&mut stream).unwrap()), over_udp, "{name} over TCP and over UDP from {source}");
    over_udp
}

/// The TTLs of an answer's answer section.
pub fn ttls(octets: &[u8]) -> Vec<u32> {
    Message::from_vec(octets).unwrap().answers.iter().map(|record| record.ttl).collect()
}

/// A query with an OPT of payload size 1232 and one option.
pub fn query_with_option(id: u16, name: &str, qtype: u16, code: u16, data: &[u8]) -> Vec<u8> {
    let mut packet = query(id, name, qtype);
    packet[11] = 1;
    let length = u16::try_from(4 + data.len()).unwrap();
    packet.extend_from_slice(&[0, 0, 41, 0x04, 0xd0, 0, 0, 0, 0]);
    packet.extend_from_slice(&length.to_be_bytes());
    packet.extend_from_slice(&code.to_be_bytes());
    packet.extend_from_slice(&(length - 4).to_be_bytes());
    packet.extend_from_slice(data);
    packet
}

/// The data of an EDNS option of an answer.
pub fn option(octets: &[u8], code: u16) -> Option<Vec<u8>> {
    let edns = Message::from_vec(octets).unwrap().edns?;
    let found = edns.options().get(EdnsCode::from(code))?;
    if let EdnsOption::NSID(payload) = found {
        return Some(payload.as_ref().to_vec());
    }
    let EdnsOption::Unknown(_, data) = found else { panic!("{found:?}") };
    Some(data.clone())
}

/// A query for the clients of a network, as their resolver tells it.
pub fn query_for(id: u16, name: &str, qtype: u16, network: IpAddr, bits: u8) -> Vec<u8> {
    let (family, octets) = match network {
        IpAddr::V4(address) => (1, address.octets().to_vec()),
        IpAddr::V6(address) => (2, address.octets().to_vec()),
    };
    let data = [&[0, family, bits, 0][..], &octets[..usize::from(bits).div_ceil(8)]].concat();
    query_with_option(id, name, qtype, EdnsCode::Subnet.into(), &data)
}

/// The client subnet of an answer: network, SOURCE PREFIX-LENGTH, SCOPE PREFIX-LENGTH.
pub fn subnet(octets: &[u8]) -> Option<(IpAddr, u8, u8)> {
    let edns = Message::from_vec(octets).unwrap().edns?;
    let found = edns.options().get(EdnsCode::Subnet)?;
    let EdnsOption::Subnet(subnet) = found else { panic!("{found:?}") };
    Some((subnet.addr(), subnet.source_prefix(), subnet.scope_prefix()))
}
