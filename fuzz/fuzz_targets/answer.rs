//! Any octets as a packet to a server of a few small zones: silence, or an answer that is within its limit and that
//! hickory-proto reads.
//!
//! The zones hold what answers are hard about: wildcards, delegations, CNAME chains, DNAME, NSEC, NSEC3, RRsets that do
//! not fit, steered names.
#![no_main]

use std::cell::RefCell;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use hickory_proto::op::{Message, MessageType};
use libfuzzer_sys::fuzz_target;
use meridian::answer::{self, Client, Lane, Outcome, Reply, Transport, respond};
use meridian::base::diagnostic::Report;
use meridian::base::files::MemoryFiles;
use meridian::base::hash::HashKey;
use meridian::dns::Name;
use meridian::model;
use meridian::snapshot::{Options, Snapshot, Steering, link};
use meridian::table::States;
use meridian::wire::query::HEADER_LEN;
use meridian::wire::{Query, Reading, u16_at};
use meridian::zone::parse::Reader;
use meridian::zone::{Builder, Served, ZoneSet};

const KEY: HashKey = HashKey::new(1, 2);
const STEERED: &str = "@ 60 SOA ns h 1 2 3 4 5\n@ 60 NS ns\nns 60 A 192.0.2.1\nalias 60 CNAME www\nstatic 60 TXT x\n";
const REGIONS: &str = include_str!("../regions.toml");
const ZONES: [(&str, &str); 10] = [
    ("steered.test.", STEERED),
    ("big.test.", include_str!("../../tests/corpus/zones/big.test.zone")),
    ("cname.test.", include_str!("../../tests/corpus/zones/cname.test.zone")),
    ("deleg.test.", include_str!("../../tests/corpus/zones/deleg.test.zone")),
    ("dname.test.", include_str!("../../tests/corpus/zones/dname.test.zone")),
    ("nsec.test.", include_str!("../../tests/corpus/zones/nsec.test.zone")),
    ("nsec3.test.", include_str!("../../tests/corpus/zones/nsec3.test.zone")),
    ("optout.test.", include_str!("../../tests/corpus/zones/optout.test.zone")),
    ("wild.test.", include_str!("../../tests/corpus/zones/wild.test.zone")),
    (".", include_str!("../../tests/corpus/zones/root.zone")),
];

thread_local! {
    static SERVER: RefCell<(Snapshot, Lane)> = RefCell::new((snapshot(), Lane::new(1)));
}

fuzz_target!(|packet: &[u8]| {
    SERVER.with_borrow_mut(|(snapshot, lane)| {
        for transport in [Transport::Udp, Transport::Tcp] {
            check(snapshot, lane, packet, transport);
        }
    });
});

fn check(snapshot: &Snapshot, lane: &mut Lane, packet: &[u8], transport: Transport) {
    let client = Client { address: IpAddr::V4(Ipv4Addr::LOCALHOST), transport };
    let mut out = vec![0; 65_535];
    let Reply { len, outcome } = respond(snapshot, lane, packet, client, &mut out);
    let answer = &out[..len];
    let mut query = Query::new();
    query.fill(KEY, packet);
    let Outcome::Answered { rcode, truncated, .. } = outcome else {
        assert_eq!(len, 0);
        assert!(matches!(query.reading, Reading::Short | Reading::Response), "{:?} met with silence", query.reading);
        return;
    };
    assert!(len <= limit(snapshot, &query, transport), "{len} octets are too many");
    assert_eq!(answer[..2], packet[..2], "the id");
    assert_eq!(answer[2] & 0xf9, packet[2] & 0x79 | 0x80, "QR set, opcode and RD as in the query");
    assert_eq!(answer[2] & 0x02 != 0, truncated, "TC");
    let message = Message::from_vec(answer).unwrap_or_else(|error| panic!("{error}: {answer:02x?}"));
    assert_eq!(message.message_type, MessageType::Response);
    assert_eq!(u16::from(message.response_code), rcode);
    if query.reading == Reading::Query {
        let question = HEADER_LEN..query.question_end;
        assert_eq!(u16_at(answer, 4), 1);
        assert_eq!(answer[question.clone()], packet[question], "the question, as sent");
        assert_eq!(message.edns.is_some(), query.edns.is_some(), "EDNS is answered with EDNS, and nothing else is");
    }
    if transport == Transport::Tcp {
        assert!(!truncated, "nothing here is that large");
    }
    // Steered answers take turns.
    if !query.name.wire().ends_with(b"\x07steered\x04test\0") {
        check_batch(snapshot, lane, packet, client, answer);
    }
}

/// RFC 6891 §6.2.3 and §6.2.5: what the client can take, at least 512, at most what we are willing to send.
fn limit(snapshot: &Snapshot, query: &Query, transport: Transport) -> usize {
    match (transport, query.edns) {
        (Transport::Tcp, _) => 65_535,
        (Transport::Udp, None) => 512,
        (Transport::Udp, Some(edns)) => usize::from(edns.payload.min(snapshot.options.udp_payload).max(512)),
    }
}

/// A batch answers as single packets are answered, whatever was in its slots before.
fn check_batch(snapshot: &Snapshot, lane: &mut Lane, packet: &[u8], client: Client, expected: &[u8]) {
    let mut out = vec![0; 65_535];
    for slot in [1, 0] {
        answer::read(snapshot, lane, slot, packet);
    }
    for slot in [0, 1] {
        answer::locate(snapshot, lane, slot);
    }
    for slot in [1, 0] {
        let reply = answer::answer(snapshot, lane, slot, packet, client, &mut out);
        assert_eq!(out[..reply.len], *expected);
    }
}

fn snapshot() -> Snapshot {
    let zones = ZONES.map(|(origin, text)| {
        let origin: Name = origin.parse().unwrap();
        let mut builder = Builder::new(KEY, &origin, 100);
        let (mut report, files) = (Report::new(), MemoryFiles::new());
        let path: Arc<str> = origin.to_string().into();
        let mut reader = Reader::new(&path, text.as_bytes(), &origin, &files);
        while let Some(entry) = reader.next(&mut report) {
            builder.push(entry.owner, entry.rtype, entry.ttl, entry.rdata).unwrap();
        }
        assert!(!report.has_errors(), "{}", report.render());
        Served::Zone(Arc::new(builder.finish().unwrap().0))
    });
    let broken = Served::Failed("broken.test.".parse().unwrap());
    let zones = ZoneSet::of(KEY, zones.into_iter().chain([broken]));
    let mut report = Report::new();
    let model = model::read(&[("regions.toml".into(), REGIONS)], &mut report).map(Arc::new);
    let model = model.unwrap_or_else(|| panic!("{}", report.render()));
    let linked = link(&zones, &model);
    linked.report(&mut report);
    assert!(!report.has_errors(), "{}", report.render());
    let states = States::all_up(&model);
    let options = Options {
        nsid: b"node-1".to_vec(),
        version: Some("meridian".to_owned()),
        id: Some("node-1".to_owned()),
        ..Options::default()
    };
    Snapshot {
        generation: 1,
        key: KEY,
        zones: Arc::new(linked.zones),
        steering: Arc::new(Steering::new(model, &states, 1)),
        options: Arc::new(options),
    }
}
