//! What holds for any packet and any zone: `respond` answers or is silent and stays within its bounds, what it writes
//! hickory-proto reads as it was meant, and a zone that is printed and read again is the same zone.

#![expect(clippy::unwrap_used, reason = "a test stops at what it does not expect")]

#[allow(dead_code, reason = "the corpus uses all of it")]
#[path = "conformance/wire.rs"]
mod wire;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use hickory_proto::op::{Message as TheirMessage, MessageType};
use hickory_proto::rr::Record as TheirRecord;
use hickory_proto::serialize::binary::{BinEncodable, BinEncoder, NameEncoding};
use meridian::answer::{Client, Lane, Outcome, Silence, Transport, respond};
use meridian::base::diagnostic::Report;
use meridian::base::files::MemoryFiles;
use meridian::base::hash::HashKey;
use meridian::dns::{Name, RecordType};
use meridian::model;
use meridian::snapshot::{Options, Snapshot, Steering, link};
use meridian::table::States;
use meridian::zone::parse::{Entry, print_entry};
use meridian::zone::{self, Diff, Served, Zone, ZoneSet};
use proptest::prelude::*;

use wire::Message;

const KEY: HashKey = HashKey::new(1, 2);

/// Answers that hickory-proto does not read, although the RFCs allow them: record data of no length, RFC 3597 §5.
fn hickory_refuses(answer: &Message) -> bool {
    answer.sections.iter().flatten().any(|record| record.data.is_empty())
}

/// What fails is printed in full; no file is written for it.
fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases) }
}

const STEERED: &str = "$TTL 60\n@ SOA ns h 1 2 3 4 5\n@ NS ns\nns A 192.0.2.1\nalias CNAME www\nstatic TXT x\n";

const REGIONS: &str = r#"
[regions.fra]
[regions.iad]
[checks.port]
tcp = { port = 80 }

[services.web]
names = ["www.steered.test", "*.apps.steered.test"]
policy = "failover"
check = "port"
order = ["fra", "iad"]
[services.web.endpoints]
fra = ["192.0.2.10", "192.0.2.11", "2001:db8:f::10"]
iad = ["198.51.100.10", "2001:db8:1::10"]

[services.everywhere]
names = ["all.steered.test"]
policy = "all"
[services.everywhere.endpoints]
fra = ["192.0.2.20", "192.0.2.21", "192.0.2.22"]
iad = ["198.51.100.20", "198.51.100.21"]

[services.mail]
names = ["steered.test"]
policy = "weighted"
[services.mail.endpoints]
fra = [{ records = ["MX 10 www.steered.test.", "MX 20 static.steered.test."] }]
iad = [{ records = ["MX 10 all.steered.test."] }]
"#;

/// The zone files of the corpus.
fn corpus() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/zones");
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// Reads a zone; names that end without a dot count from the root.
fn load(text: &[u8], origin: &Name) -> Zone {
    let mut report = Report::new();
    let loaded = zone::load(KEY, &"a.zone".into(), text, origin, &MemoryFiles::new(), &mut report);
    loaded.unwrap_or_else(|| panic!("{}\n{}", report.render(), String::from_utf8_lossy(text))).zone
}

/// The origin that a corpus file's name says.
fn origin(path: &Path) -> Name {
    let stem = path.file_stem().unwrap().to_string_lossy();
    match &*stem {
        "root" | "root-wild" => Name::root(),
        "example.wildcard" => "example.".parse().unwrap(),
        stem => format!("{stem}.").parse().unwrap(),
    }
}

/// All zones of the corpus (of the two roots the second), a steered zone, and one that has failed.
static SNAPSHOT: LazyLock<Snapshot> = LazyLock::new(|| {
    let zones = corpus().into_iter().map(|path| load(&std::fs::read(&path).unwrap(), &origin(&path)));
    let steered = load(STEERED.as_bytes(), &"steered.test.".parse().unwrap());
    let zones = zones.chain([steered]).map(|zone| Served::Zone(Arc::new(zone)));
    let failed = Served::Failed("failed.test.".parse().unwrap());
    let zones = ZoneSet::of(KEY, zones.chain([failed]));
    let mut report = Report::new();
    let model = model::read(&[("regions.toml".into(), REGIONS)], &mut report).map(Arc::new);
    let model = model.unwrap_or_else(|| panic!("{}", report.render()));
    let linked = link(&zones, &model);
    linked.report(&mut report);
    assert!(!report.has_errors(), "{}", report.render());
    let states = States::all_up(&model);
    let (version, id) = (Some("x".repeat(255)), Some("node-1".to_owned()));
    let options = Options { nsid: vec![b'n'; 128], version, id, ..Options::default() };
    Snapshot {
        generation: 1,
        key: KEY,
        zones: Arc::new(linked.zones),
        steering: Arc::new(Steering::new(model, &states, 1)),
        options: Arc::new(options),
    }
});

/// Every name of every zone, wire form.
static NAMES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let of = |zone: &Arc<Zone>| zone.nodes().map(|node| zone.owner(node)).collect::<Vec<_>>();
    let mut names: Vec<Vec<u8>> = SNAPSHOT.zones.zones().flat_map(of).collect();
    names.extend(["version.bind.", "id.server.", "failed.test."].map(|name| {
        let name: Name = name.parse().unwrap();
        name.as_wire().to_vec()
    }));
    names.sort();
    names
});

/// A name that is served, one below it, or any other.
fn any_name() -> impl Strategy<Value = Vec<u8>> {
    let label = proptest::collection::vec(any::<u8>(), 1..=63);
    let served = any::<prop::sample::Index>().prop_map(|index| index.get(&NAMES).clone());
    let below = (proptest::collection::vec(label, 0..3), served.clone(), any::<u64>());
    let below = below.prop_map(|(labels, name, case)| {
        let mut wire: Vec<u8> =
            labels.iter().flat_map(|label| [&[u8::try_from(label.len()).unwrap()], &label[..]].concat()).collect();
        wire.extend(name);
        // Letters of any case, as resolvers send them.
        wire.iter_mut()
            .enumerate()
            .filter(|(at, octet)| octet.is_ascii_alphabetic() && case >> (at % 64) & 1 == 1)
            .for_each(|(_, octet)| *octet ^= 0x20);
        wire
    });
    prop_oneof![1 => served, 1 => below].prop_filter("a name has 255 octets at most", |wire| wire.len() <= 255)
}

fn any_type() -> impl Strategy<Value = u16> {
    let common = vec![1_u16, 1, 2, 5, 6, 12, 15, 16, 28, 33, 35, 39, 43, 46, 47, 48, 50, 51, 64, 65, 252, 255, 257];
    prop_oneof![8 => prop::sample::select(common), 1 => any::<u16>()]
}

/// An OPT record.
fn any_opt() -> impl Strategy<Value = Vec<u8>> {
    let code = prop_oneof![Just(3_u16), Just(8), Just(10), Just(11), Just(12), Just(15), any::<u16>()];
    let option = (code, proptest::collection::vec(any::<u8>(), 0..20));
    let option = prop_oneof![Just((3_u16, Vec::new())), Just((11, Vec::new())), option];
    let payload = prop_oneof![Just(1_232_u16), Just(4_096), Just(512), Just(0), 512_u16..1_300, any::<u16>()];
    let flags = prop_oneof![4 => Just(0x8000_u32), 4 => Just(0), 1 => any::<u32>()];
    (payload, flags, proptest::collection::vec(option, 0..3)).prop_map(|(payload, flags, options)| {
        let mut data = Vec::new();
        for (code, octets) in options {
            data.extend(code.to_be_bytes());
            data.extend(u16::try_from(octets.len()).unwrap().to_be_bytes());
            data.extend(octets);
        }
        let mut opt = vec![0, 0, 41];
        opt.extend(payload.to_be_bytes());
        opt.extend(flags.to_be_bytes());
        opt.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
        opt.extend(data);
        opt
    })
}

/// A query as it should be.
fn any_query() -> impl Strategy<Value = Vec<u8>> {
    let class = prop_oneof![9 => Just(1_u16), 1 => Just(3), 1 => Just(255), 1 => any::<u16>()];
    let flags = prop_oneof![9 => Just(0x0100_u16), 1 => any::<u16>()];
    (any::<u16>(), flags, any_name(), any_type(), class, proptest::option::of(any_opt())).prop_map(
        |(id, flags, name, qtype, class, opt)| {
            let mut packet = Vec::new();
            for word in [id, flags, 1, 0, 0, u16::from(opt.is_some())] {
                packet.extend(word.to_be_bytes());
            }
            packet.extend(name);
            packet.extend(qtype.to_be_bytes());
            packet.extend(class.to_be_bytes());
            packet.extend(opt.unwrap_or_default());
            packet
        },
    )
}

/// Octets without sense, queries, and queries with a few octets changed, cut or added.
fn any_packet() -> impl Strategy<Value = Vec<u8>> {
    let changes = proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4);
    let rest = proptest::collection::vec(any::<u8>(), 0..40);
    let damaged =
        (any_query(), changes, any::<prop::sample::Index>(), rest).prop_map(|(mut packet, changes, cut, rest)| {
            for (at, octet) in changes {
                let at = at.index(packet.len());
                packet[at] = octet;
            }
            packet.truncate(cut.index(packet.len() * 3));
            packet.extend(rest);
            packet
        });
    prop_oneof![1 => proptest::collection::vec(any::<u8>(), 0..600), 6 => any_query(), 3 => damaged]
}

fn any_transport() -> impl Strategy<Value = Transport> {
    prop_oneof![Just(Transport::Udp), Just(Transport::Tcp)]
}

/// The most an answer may have. What cannot be read may have offered anything.
fn limit(packet: &[u8], transport: Transport) -> usize {
    let own = usize::from(SNAPSHOT.options.udp_payload);
    match (transport, Message::parse_prefix(packet)) {
        (Transport::Tcp, _) => 65_535,
        (Transport::Udp, Err(_)) => own,
        (Transport::Udp, Ok((query, _))) => {
            query.opt.iter().map(|opt| usize::from(opt.class).clamp(512, own)).max().unwrap_or(512)
        }
    }
}

/// The answer to a packet, or the reason for silence, with room for `room` octets.
fn answer(packet: &[u8], transport: Transport, room: usize) -> Result<Vec<u8>, Silence> {
    let client = Client { address: IpAddr::V4(Ipv4Addr::LOCALHOST), transport };
    let mut out = vec![0xaa; room];
    let reply = respond(&SNAPSHOT, &mut Lane::new(1), packet, client, &mut out);
    match reply.outcome {
        Outcome::Silent(silence) => {
            assert_eq!(reply.len, 0);
            Err(silence)
        }
        Outcome::Answered { rcode, qtype, truncated, .. } => {
            out.truncate(reply.len);
            let read = Message::parse(&out).unwrap_or_else(|error| panic!("{}: {out:02x?}", error.0));
            assert_eq!((read.rcode, read.flags & 0x200 != 0), (rcode, truncated), "what is told to those who count");
            assert_eq!(read.question.is_empty(), qtype.is_none());
            Ok(out)
        }
    }
}

/// hickory-proto reads an answer as the same records.
fn check_second_opinion(octets: &[u8], answer: &Message) {
    let theirs = match TheirMessage::from_vec(octets) {
        Ok(theirs) => theirs,
        Err(_) if hickory_refuses(answer) => return,
        Err(error) => panic!("{error}: {octets:02x?}"),
    };
    assert_eq!(theirs.metadata.id, answer.id);
    assert_eq!(theirs.metadata.message_type, MessageType::Response);
    assert_eq!(u16::from(theirs.metadata.response_code), answer.rcode);
    assert_eq!(theirs.metadata.truncation, answer.flags & 0x200 != 0);
    assert_eq!(theirs.queries.len(), usize::from(!answer.question.is_empty()));
    assert_eq!(theirs.edns.is_some(), !answer.opt.is_empty());
    let sections = [&theirs.answers, &theirs.authorities, &theirs.additionals];
    for (theirs, ours) in sections.into_iter().zip(&answer.sections) {
        assert_eq!(theirs.len(), ours.len());
        for (theirs, ours) in theirs.iter().zip(ours) {
            assert_eq!((emit(theirs), theirs.ttl), (uncompressed(ours), ours.ttl), "{theirs}");
        }
    }
}

/// A record in wire form without compression.
fn emit(record: &TheirRecord) -> Vec<u8> {
    let mut out = Vec::new();
    let mut encoder = BinEncoder::new(&mut out);
    encoder.set_name_encoding(NameEncoding::Uncompressed);
    record.emit(&mut encoder).unwrap();
    out
}

fn uncompressed(record: &wire::Record) -> Vec<u8> {
    let mut out = record.owner.clone();
    out.extend([record.rtype.to_be_bytes(), record.class.to_be_bytes()].concat());
    out.extend(record.ttl.to_be_bytes());
    out.extend(u16::try_from(record.data.len()).unwrap().to_be_bytes());
    out.extend(&record.data);
    out
}

proptest! {
    #![proptest_config(config(4_000))]

    #[test]
    fn any_packet_is_answered_within_bounds_or_met_with_silence(packet in any_packet(), transport in any_transport()) {
        let octets = match answer(&packet, transport, 65_535) {
            Ok(octets) => octets,
            Err(silence) => {
                let expected = if packet.len() < 12 { Silence::Short } else { Silence::Response };
                prop_assert_eq!(silence, expected);
                prop_assert!(packet.len() < 12 || packet[2] & 0x80 != 0);
                return Ok(());
            }
        };
        prop_assert!(octets.len() <= limit(&packet, transport), "{} octets", octets.len());
        prop_assert_eq!(&octets[..2], &packet[..2], "the id");
        // QR is set; opcode and RD are those of the query; RA, Z, AD and CD are clear.
        prop_assert_eq!((octets[2] & 0xf9, octets[3] & 0xf0), (packet[2] & 0x79 | 0x80, 0));
        let read = Message::parse(&octets).unwrap();
        if !read.question.is_empty() {
            prop_assert_eq!(&read.question, &packet[12..12 + read.question.len()], "the question as sent");
        }
        check_second_opinion(&octets, &read);
    }

    #[test]
    fn a_query_gets_its_question_back(packet in any_query(), transport in any_transport()) {
        let mut packet = packet;
        // No response, and opcode QUERY.
        packet[2] &= 0x07;
        let asked = Message::parse(&packet).unwrap();
        let read = Message::parse(&answer(&packet, transport, 65_535).unwrap()).unwrap();
        prop_assert_eq!(read.question, asked.question);
        // An OPT that cannot be read is met with FORMERR, and without one (RFC 6891 §7).
        prop_assert!(read.opt.len() == asked.opt.len() || read.rcode == 1 && read.opt.is_empty());
    }

    #[test]
    fn little_room_is_never_overstepped(packet in any_packet(), transport in any_transport(), room in 0_usize..1_500) {
        match answer(&packet, transport, room) {
            Ok(octets) => prop_assert!(octets.len() <= room),
            // A header, a question and an OPT have this much at most.
            Err(Silence::NoRoom) => prop_assert!(room < 12 + 255 + 4 + 200, "{} octets are room enough", room),
            Err(Silence::Short | Silence::Response) => {}
        }
    }
}

#[test]
fn what_hickory_refuses_it_still_refuses() {
    let mut packet = b"\0\x01\0\0\0\x01\0\0\0\0\0\0\x05empty\x05types\x04test\0".to_vec();
    packet.extend([65_281_u16.to_be_bytes(), 1_u16.to_be_bytes()].concat());
    let octets = answer(&packet, Transport::Udp, 512).unwrap();
    assert!(hickory_refuses(&Message::parse(&octets).unwrap()));
    assert!(TheirMessage::from_vec(&octets).is_err());
}

/// The zone as text, a line for each record.
fn print(zone: &Zone) -> String {
    let mut text = String::new();
    for node in zone.nodes() {
        let owner = zone.owner(node);
        for set in node.sets() {
            for rdata in set.rdatas() {
                print_entry(&Entry { owner: &owner, rtype: set.rtype, ttl: set.ttl, rdata }, &mut text).unwrap();
            }
        }
    }
    text
}

/// Printed and read again, whatever the origin, it is the same zone.
fn check_printed(zone: &Zone) {
    let text = print(zone);
    assert_eq!(text.lines().count(), zone.record_count());
    let again = load(text.as_bytes(), &Name::root());
    assert_eq!((again.record_count(), again.node_count()), (zone.record_count(), zone.node_count()), "{text}");
    assert!(again.apex().as_wire().eq_ignore_ascii_case(zone.apex().as_wire()));
    for (old, new) in [(zone, &again), (&again, zone)] {
        let diff = Diff::between(old, new);
        assert!(diff.is_empty(), "{diff:?}\n{text}");
    }
}

#[test]
fn a_zone_of_the_corpus_that_is_printed_and_read_again_is_the_same() {
    for path in corpus() {
        check_printed(&load(&std::fs::read(&path).unwrap(), &origin(&path)));
    }
}

/// `TYPE DATA` of every type that is known by its text, and that may stand anywhere and more than once.
fn data_of_known_types() -> Vec<String> {
    let rows = include_str!("../src/dns/rdata/vectors.tsv").lines().filter(|line| !line.starts_with('#'));
    rows.map(|row| row.split('\t').take(2).collect::<Vec<_>>().join(" "))
        .filter(|row| !["SOA ", "CNAME ", "DNAME "].iter().any(|rtype| row.starts_with(rtype)))
        .collect()
}

fn any_data() -> impl Strategy<Value = String> {
    let hex = |octets: Vec<u8>| octets.iter().map(|octet| format!("{octet:02X}")).collect::<String>();
    let unknown = (65_280_u16..65_300, proptest::collection::vec(any::<u8>(), 0..40))
        .prop_map(move |(rtype, octets)| format!("TYPE{rtype} \\# {} {}", octets.len(), hex(octets)));
    let octets = || proptest::collection::vec(any::<u8>(), 0..=255);
    let escape = |octets: Vec<u8>| octets.iter().map(|octet| format!("\\{octet:03}")).collect::<String>();
    let text = proptest::collection::vec(octets(), 1..3).prop_map(move |strings| {
        strings.into_iter().fold("TXT".to_owned(), |line, octets| format!("{line} \"{}\"", escape(octets)))
    });
    prop_oneof![8 => prop::sample::select(data_of_known_types()), 1 => unknown, 1 => text]
}

/// What a name owns: one alias, or anything else.
#[derive(Clone, Debug)]
enum Owned {
    Alias(&'static str, Name),
    Data(Vec<(u32, String)>),
}

fn any_owner() -> impl Strategy<Value = Name> {
    let label = prop_oneof![
        4 => prop::sample::select(vec![b"a".to_vec(), b"B".to_vec(), b"*".to_vec(), b"_x".to_vec(), b"a.b".to_vec()]),
        1 => proptest::collection::vec(any::<u8>(), 1..=63),
    ];
    proptest::collection::vec(label, 0..3).prop_map(|labels| {
        let apex: Name = "example.".parse().unwrap();
        labels.iter().fold(apex, |name, label| name.prepend(label).unwrap())
    })
}

fn any_owned() -> impl Strategy<Value = Owned> {
    let ttl = prop_oneof![Just(0_u32), Just(300), 0_u32..=0x7fff_ffff];
    prop_oneof![
        1 => (prop::sample::select(vec!["CNAME", "DNAME"]), any_owner()).prop_map(|(rtype, to)| Owned::Alias(rtype, to)),
        5 => proptest::collection::vec((ttl, any_data()), 0..6).prop_map(Owned::Data),
    ]
}

proptest! {
    #![proptest_config(config(256))]

    #[test]
    fn a_zone_that_is_printed_and_read_again_is_the_same(
        owned in proptest::collection::btree_map(any_owner(), any_owned(), 0..20),
    ) {
        let mut text = String::from("$TTL 300\nexample. SOA ns.example. h.example. 1 2 3 4 5\nexample. NS ns.example.\n");
        // Names that differ in case alone are one name.
        let owned: BTreeMap<Name, Owned> = owned.into_iter().map(|(name, owned)| (name.to_lowercase(), owned)).collect();
        for (name, owned) in owned {
            let is_apex = name.label_count() == 1;
            match owned {
                Owned::Alias(rtype, to) if !is_apex => writeln!(text, "{name} {rtype} {to}").unwrap(),
                Owned::Alias(..) => {}
                Owned::Data(rows) => {
                    for (ttl, data) in rows {
                        writeln!(text, "{name} {ttl} {data}").unwrap();
                    }
                }
            }
        }
        let zone = load(text.as_bytes(), &"example.".parse().unwrap());
        prop_assert!(zone.apex_node().is_some_and(|apex| apex.set(RecordType::SOA).is_some()));
        check_printed(&zone);
    }
}
