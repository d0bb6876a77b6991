//! Any octets as a packet, as an OPT record, and as the parts of a message that is written.
//!
//! What a query is read to be is compared with its octets; what is written is read again by hickory-proto.
#![no_main]

use hickory_proto::op::Message;
use hickory_proto::serialize::binary::{BinEncodable, BinEncoder, NameEncoding};
use libfuzzer_sys::fuzz_target;
use meridian::base::hash::HashKey;
use meridian::dns::{Name, RecordType};
use meridian::wire::edns::{Edns, OptReply};
use meridian::wire::query::HEADER_LEN;
use meridian::wire::writer::{DataNames, Owner, Targets};
use meridian::wire::{Query, Reading, Writer, u16_at};

const KEY: HashKey = HashKey::new(1, 2);

fuzz_target!(|bytes: &[u8]| {
    read_packet(bytes);
    read_options(bytes);
    write_message(bytes);
});

fn read_packet(packet: &[u8]) {
    let mut query = Query::new();
    query.fill(KEY, packet);
    assert!(query.question_end >= HEADER_LEN);
    assert_eq!(query.reading == Reading::Short, packet.len() < HEADER_LEN);
    if query.reading != Reading::Query {
        return;
    }
    assert!(query.question_end <= packet.len());
    let name = &packet[HEADER_LEN..query.question_end - 4];
    assert!(name.eq_ignore_ascii_case(query.name.wire()), "the folded name is the name asked for");
    assert_eq!(Name::from_wire(name).unwrap().label_count(), query.name.labels());
    assert_eq!(query.qtype.0, u16_at(packet, query.question_end - 4));
    assert_eq!(query.qclass.0, u16_at(packet, query.question_end - 2));
    // Reading leaves nothing behind: a used query reads the same as a fresh one.
    let mut again = query.clone();
    again.fill(KEY, &[]);
    again.fill(KEY, packet);
    assert_eq!((again.reading, again.edns, again.name.wire()), (query.reading, query.edns, query.name.wire()));
}

fn read_options(bytes: &[u8]) {
    let Some((head, options)) = bytes.split_first_chunk::<6>() else { return };
    let ttl = u32::from_be_bytes([head[2], head[3], head[4], head[5]]);
    let Some(edns) = Edns::read(u16_at(head, 0), ttl, options) else { return };
    let reply = OptReply {
        payload: edns.payload,
        rcode_high: edns.version,
        dnssec_ok: edns.dnssec_ok,
        nsid: if edns.nsid { b"node-1" } else { b"" },
        keepalive: edns.keepalive.then_some(100),
        subnet: edns.subnet.as_ref(),
        scope: edns.version,
        error: None,
    };
    let mut written = Vec::new();
    reply.write(|part| written.extend_from_slice(part));
    assert_eq!(written.len(), reply.len());
}

/// Names and records cut from the octets, written with compression, read by someone else.
fn write_message(bytes: &[u8]) {
    let Some((&[limit_high, limit_low], records)) = bytes.split_first_chunk::<2>() else { return };
    let limit = usize::from(u16::from_be_bytes([limit_high, limit_low])).max(HEADER_LEN);
    let mut targets = Targets::new();
    let (out, written) = written(records, limit, &mut targets);
    // What a message leaves in the targets does not show in the next one.
    let (other, _) = self::written(records.get(1..).unwrap_or_default(), limit, &mut targets);
    assert!(other.len() <= limit);
    assert_eq!(self::written(records, limit, &mut targets).0, out);
    let message = Message::from_vec(&out).expect("what is written can be read");
    assert_eq!(message.answers.len(), written.len());
    for (record, (owner, rtype, data)) in message.answers.iter().zip(&written) {
        assert_eq!(uncompressed(&record.name), owner.as_wire());
        assert_eq!(u16::from(record.record_type()), rtype.0);
        assert_eq!(uncompressed(&record.data), *data, "data of type {rtype}");
    }
}

type Written = Vec<(Name, RecordType, Vec<u8>)>;

/// A message of at most `limit` octets, and the records that are in it.
fn written(mut rest: &[u8], limit: usize, targets: &mut Targets) -> (Vec<u8>, Written) {
    let mut out = vec![0; limit];
    let mut writer = Writer::new(&mut out, HEADER_LEN, limit, targets);
    let mut written = Written::new();
    while let Some(record) = next_record(&mut rest) {
        let mark = writer.mark();
        let before = writer.len();
        let (owner, rtype, data) = &record;
        let owner = Owner::Name(owner.as_wire());
        if writer.put_record(owner, *rtype, 60, data, DataNames::of(*rtype)).is_ok() {
            written.push(record);
        } else {
            writer.rollback(mark);
            assert_eq!(writer.len(), before);
        }
        assert!(writer.len() <= limit);
    }
    let len = writer.len();
    out.truncate(len);
    out[6..8].copy_from_slice(&u16::try_from(written.len()).unwrap().to_be_bytes());
    (out, written)
}

/// An owner, a choice of type, and names for its data: what the types with compressible names are made of.
fn next_record(rest: &mut &[u8]) -> Option<(Name, RecordType, Vec<u8>)> {
    let (&choice, after) = rest.split_first()?;
    *rest = after;
    let owner = next_name(rest)?;
    let mut data = Vec::new();
    let rtype = match choice % 4 {
        0 => {
            data.extend_from_slice(next_name(rest)?.as_wire());
            RecordType::NS
        }
        1 => {
            data.extend_from_slice(&[0, choice]);
            data.extend_from_slice(next_name(rest)?.as_wire());
            RecordType::MX
        }
        2 => {
            data.extend_from_slice(next_name(rest)?.as_wire());
            data.extend_from_slice(next_name(rest)?.as_wire());
            data.extend_from_slice(&[0; 20]);
            RecordType::SOA
        }
        _ => {
            data.extend_from_slice(&[192, 0, 2, choice]);
            RecordType::A
        }
    };
    Some((owner, rtype, data))
}

/// A name at the start of the octets; their labels are clipped so that most octets are names.
fn next_name(rest: &mut &[u8]) -> Option<Name> {
    let mut wire = Vec::new();
    loop {
        let (&len, after) = rest.split_first()?;
        let label = after.get(..usize::from(len % 16))?;
        *rest = &after[label.len()..];
        if wire.len() + label.len() + 2 > 255 || label.is_empty() {
            break;
        }
        wire.push(len % 16);
        wire.extend_from_slice(label);
    }
    wire.push(0);
    Some(Name::from_wire(&wire).expect("made of labels"))
}

fn uncompressed(value: &impl BinEncodable) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = BinEncoder::new(&mut bytes);
    encoder.set_name_encoding(NameEncoding::Uncompressed);
    value.emit(&mut encoder).unwrap();
    bytes
}
