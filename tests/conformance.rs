//! The corpus of `tests/corpus`: every row can be read, says why, and the comparison sees what it must see.

#[path = "conformance/ask.rs"]
mod ask;
#[path = "conformance/compare.rs"]
mod compare;
#[path = "conformance/rows.rs"]
mod rows;
#[path = "support/mod.rs"]
mod support;
#[path = "conformance/text.rs"]
mod text;
#[path = "conformance/wire.rs"]
mod wire;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::sync::Arc;

use meridian::answer::{self, Client, Lane};
use meridian::base::diagnostic::Report;
use meridian::base::files::MemoryFiles;
use meridian::base::hash::HashKey;
use meridian::snapshot::Snapshot;
use meridian::zone::{self, Served, ZoneSet};

use compare::{check_theme, check_transports_agree, differences};
use rows::{Echo, Expected, Opt, Row, Theme, Transport};
use support::{CONFIG, TestServer};
use wire::{Message, Record};

/// One question to a server, over UDP or TCP.
type Ask = fn(SocketAddr, &[u8]) -> std::io::Result<Option<Vec<u8>>>;

fn corpus() -> Vec<Theme> {
    rows::load_all().unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn every_row_says_why_and_names_its_zones() {
    let themes = corpus();
    let count: usize = themes.iter().map(|theme| theme.rows.len()).sum();
    assert!(count >= 300, "only {count} rows");
    for theme in &themes {
        assert!(!theme.zones.is_empty(), "{} names no zone", theme.name);
        for (origin, path) in &theme.zones {
            assert!(path.is_file(), "{}: zone {origin} has no file", theme.name);
        }
        for row in &theme.rows {
            assert!(row.why.iter().any(|why| why.contains("RFC ")), "{}.rows:{} names no RFC", theme.name, row.line);
        }
    }
}

#[test]
fn no_question_stands_twice_in_a_theme() {
    for theme in corpus() {
        let mut seen = std::collections::HashSet::new();
        for row in &theme.rows {
            assert!(seen.insert(row.packet.clone()) || row.transports.len() == 1, "{}.rows:{}", theme.name, row.line);
        }
    }
}

#[test]
fn the_answer_a_row_describes_is_accepted() {
    for theme in corpus() {
        for transport in [Transport::Udp, Transport::Tcp] {
            let mut rows = theme.rows.iter().filter(|row| row.transports.contains(&transport));
            let found = check_theme(&theme, transport, |packet| answer_of(rows.next()?, packet));
            // Without compression some answers are longer than what was offered.
            let found: Vec<_> = found.into_iter().filter(|line| !line.contains(" were offered")).collect();
            assert!(found.is_empty(), "{}", found.join("\n"));
        }
    }
}

#[test]
fn an_answer_that_lacks_or_adds_anything_is_not_accepted() {
    for theme in corpus() {
        for row in &theme.rows {
            let packet = row.packet_with_id(1);
            let Some(right) = answer_of(row, &packet) else {
                assert!(!differences(row, &packet, Some(&packet), Transport::Tcp).is_empty());
                continue;
            };
            let place = format!("{}.rows:{}", theme.name, row.line);
            assert!(!differences(row, &packet, None, Transport::Tcp).is_empty(), "{place}: silence passed");
            for (octet, mask) in [(0, 1), (2, 0x80), (2, 0x04), (2, 0x02), (2, 0x01), (2, 0x08), (3, 0x80), (3, 0x01)] {
                let mut wrong = right.clone();
                wrong[octet] ^= mask;
                assert!(!differences(row, &packet, Some(&wrong), Transport::Tcp).is_empty(), "{place}: header {octet}");
            }
            let Some(expected) = &row.expected else { continue };
            for (section, index) in (0..3).flat_map(|at| (0..expected.sections[at].len()).map(move |i| (at, i))) {
                let mut sections = expected.sections.clone();
                sections[section].remove(index);
                let wrong = encode(expected, &sections, &packet);
                assert!(
                    !differences(row, &packet, Some(&wrong), Transport::Tcp).is_empty(),
                    "{place}: {section} {index}"
                );
                sections = expected.sections.clone();
                sections[section][index].ttl += 1;
                let wrong = encode(expected, &sections, &packet);
                assert!(!differences(row, &packet, Some(&wrong), Transport::Tcp).is_empty(), "{place}: TTL");
            }
        }
    }
}

#[test]
fn questions_and_silence_pass_over_sockets() {
    let themes = corpus();
    let theme = Arc::new(themes.into_iter().find(|theme| theme.name == "header").expect("the theme is there"));
    let server = stand_in(&theme);
    for (transport, ask) in [(Transport::Udp, ask::udp as Ask), (Transport::Tcp, ask::tcp)] {
        let found = check_theme(&theme, transport, |packet| ask(server, packet).expect("the stand-in answers"));
        assert!(found.is_empty(), "{}", found.join("\n"));
    }
    let asked = |ask: Ask| move |packet: &[u8]| ask(server, packet).expect("the stand-in answers");
    assert!(check_transports_agree(&theme, asked(ask::udp), asked(ask::tcp)).is_empty());
    let deaf = check_transports_agree(&theme, asked(ask::udp), |_| None);
    let answered = theme.rows.iter().filter(|row| row.expected.is_some()).count();
    assert_eq!(deaf.len(), answered, "a missing answer is a difference");
}

/// A server on loopback that answers what the theme's rows describe, and the sentinel with its own octets.
/// Its threads end with the process.
fn stand_in(theme: &Arc<Theme>) -> SocketAddr {
    let (udp, tcp) = loop {
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        if let Ok(udp) = UdpSocket::bind(tcp.local_addr().expect("it is bound")) {
            break (udp, tcp);
        }
    };
    let address = tcp.local_addr().expect("it is bound");
    let of_udp = Arc::clone(theme);
    std::thread::spawn(move || {
        let mut packet = [0; 65_535];
        while let Ok((length, client)) = udp.recv_from(&mut packet) {
            if let Some(answer) = answer_by_packet(&of_udp, &packet[..length]) {
                udp.send_to(&answer, client).expect("loopback takes it");
            }
        }
    });
    let of_tcp = Arc::clone(theme);
    std::thread::spawn(move || {
        for stream in tcp.incoming() {
            let mut stream = stream.expect("a connection");
            let mut length = [0; 2];
            while stream.read_exact(&mut length).is_ok() {
                let mut packet = vec![0; usize::from(u16::from_be_bytes(length))];
                stream.read_exact(&mut packet).expect("a whole frame");
                if let Some(answer) = answer_by_packet(&of_tcp, &packet) {
                    let frame = [&text::length16(answer.len())[..], &answer].concat();
                    if stream.write_all(&frame).is_err() {
                        break;
                    }
                }
            }
        }
    });
    address
}

/// What the row of this packet describes; the packet itself where no row has it.
fn answer_by_packet(theme: &Theme, packet: &[u8]) -> Option<Vec<u8>> {
    let same = |row: &&Row| row.packet == packet || (packet.len() > 2 && row.packet_with_id(0)[..] == blank_id(packet));
    match theme.rows.iter().find(same) {
        Some(row) => answer_of(row, packet),
        None => Some(packet.to_vec()),
    }
}

fn blank_id(packet: &[u8]) -> Vec<u8> {
    [&[0, 0][..], &packet[2..]].concat()
}

/// The octets a row describes; nothing for silence.
fn answer_of(row: &Row, packet: &[u8]) -> Option<Vec<u8>> {
    row.expected.as_ref().map(|expected| encode(expected, &expected.sections, packet))
}

fn encode(expected: &Expected, sections: &[Vec<Record>; 3], packet: &[u8]) -> Vec<u8> {
    let request = Message::parse_prefix(packet).ok().map(|(request, _)| request);
    let question = match (expected.echo, &request) {
        (Echo::AsSent, Some(request)) => request.question.clone(),
        _ => Vec::new(),
    };
    let opt = request.filter(|_| expected.opt != Opt::Absent).and_then(|request| request.opt.first().cloned());
    let opcode = u16::from(packet[2] & 0x78) << 8;
    let mut octets = packet[..2].to_vec();
    let flags = 0x8000 | opcode | expected.flags | (expected.rcode & 15);
    let counts = [usize::from(!question.is_empty()), sections[0].len(), sections[1].len()];
    octets.extend(flags.to_be_bytes());
    for count in counts.into_iter().chain([sections[2].len() + usize::from(opt.is_some())]) {
        octets.extend(text::length16(count));
    }
    octets.extend(question);
    for record in sections.iter().flatten() {
        octets.extend(&record.owner);
        octets.extend([record.rtype.to_be_bytes(), record.class.to_be_bytes()].concat());
        octets.extend(record.ttl.to_be_bytes());
        octets.extend(text::length16(record.data.len()));
        octets.extend(&record.data);
    }
    if let Some(opt) = opt {
        octets.extend([0, 0, 41, 4, 208]);
        octets.extend((u32::from(expected.rcode >> 4) << 24 | (opt.ttl & 0x8000)).to_be_bytes());
        octets.extend([0, 0]);
    }
    octets
}

/// The theme's zones, loaded as the server loads them.
fn snapshot(theme: &Theme) -> Snapshot {
    let key = HashKey::new(1, 2);
    let zones = theme.zones.iter().map(|(origin, path)| {
        let text = std::fs::read(path).expect("the zone file is there");
        let mut report = Report::new();
        let path = path.to_string_lossy().into();
        let origin = origin.parse().expect("an origin");
        let loaded = zone::load(key, &path, &text, &origin, &MemoryFiles::new(), &mut report);
        Served::Zone(Arc::new(loaded.unwrap_or_else(|| panic!("{}", report.render())).zone))
    });
    let zones = Arc::new(ZoneSet::of(key, zones));
    Snapshot { generation: 1, key, zones, steering: Arc::default(), options: Arc::default() }
}

fn respond(snapshot: &Snapshot, lane: &mut Lane, packet: &[u8], transport: answer::Transport) -> Option<Vec<u8>> {
    let mut out = vec![0; 65_535];
    let client = Client { address: Ipv4Addr::LOCALHOST.into(), transport };
    let reply = answer::respond(snapshot, lane, packet, client, &mut out);
    out.truncate(reply.len);
    (reply.len > 0).then_some(out)
}

/// The server itself with the theme's zones, which it reads from files.
fn start(theme: &Theme) -> TestServer {
    let (mut origins, mut files) = (Vec::new(), Vec::new());
    for (number, (origin, path)) in theme.zones.iter().enumerate() {
        let file = format!("{number}.zone");
        origins.push(format!("\"{file}\" = \"{origin}\""));
        files.push((format!("zones/{file}"), std::fs::read_to_string(path).expect("the zone file is there")));
    }
    let origins = format!("[dns]\norigins = {{ {} }}\n", origins.join(", "));
    files.push(("meridian.toml".to_owned(), CONFIG.replace("[dns]\n", &origins)));
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    let server = TestServer::start(&files);
    assert_eq!(server.http("GET", "/readyz", None).1, "ok\n", "{}", server.log());
    server
}

#[test]
fn every_row_is_answered_over_sockets_as_it_says() {
    let mut found = Vec::new();
    for theme in corpus() {
        let server = start(&theme);
        let dns = server.dns();
        let asked = |ask: Ask| move |packet: &[u8]| ask(dns, packet).expect("the server answers the sentinel");
        let (mut udp, mut tcp) = (asked(ask::udp), asked(ask::tcp));
        found.extend(check_theme(&theme, Transport::Udp, &mut udp));
        found.extend(check_theme(&theme, Transport::Tcp, &mut tcp));
        found.extend(check_transports_agree(&theme, udp, tcp));
        assert_eq!(server.metric("meridian_panics_total"), 0.0, "{}", theme.name);
    }
    assert!(found.is_empty(), "{} differences:\n{}", found.len(), found.join("\n"));
}

#[test]
fn every_row_is_answered_as_it_says() {
    let mut found = Vec::new();
    for theme in corpus() {
        let snapshot = snapshot(&theme);
        let mut lane = Lane::new(1);
        let mut udp = |packet: &[u8]| respond(&snapshot, &mut lane, packet, answer::Transport::Udp);
        found.extend(check_theme(&theme, Transport::Udp, &mut udp));
        let mut lane = Lane::new(2);
        let mut tcp = |packet: &[u8]| respond(&snapshot, &mut lane, packet, answer::Transport::Tcp);
        found.extend(check_theme(&theme, Transport::Tcp, &mut tcp));
        found.extend(check_transports_agree(&theme, &mut udp, &mut tcp));
    }
    assert!(found.is_empty(), "{} differences:\n{}", found.len(), found.join("\n"));
}
