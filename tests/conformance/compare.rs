//! Compares an answer with a row and says each difference in a line.

use std::collections::HashMap;
use std::fmt::Write as _;

use hickory_proto::op::Message as HickoryMessage;

use super::rows::{Echo, Expected, Opt, Row, Theme, Transport};
use super::wire::{Key, Message, Record};

/// Asks every row of a theme over one transport; `ask` gives the answer's octets, or nothing for silence.
/// Each difference is a line that begins with the row's place.
pub(crate) fn check_theme(
    theme: &Theme,
    transport: Transport,
    mut ask: impl FnMut(&[u8]) -> Option<Vec<u8>>,
) -> Vec<String> {
    let mut found = Vec::new();
    for (row, id) in theme.rows.iter().zip(0x1000..) {
        if row.transports.contains(&transport) {
            let packet = row.packet_with_id(id);
            let answer = ask(&packet);
            for line in differences(row, &packet, answer.as_deref(), transport) {
                found.push(format!("{}.rows:{} {transport:?} {}: {line}", theme.name, row.line, row.question));
            }
        }
    }
    found
}

/// Asks every row that is not for one transport alone over both and compares the answers with each other: header,
/// question, and the records of each section. An answer with TC is left out.
pub(crate) fn check_transports_agree(
    theme: &Theme,
    mut udp: impl FnMut(&[u8]) -> Option<Vec<u8>>,
    mut tcp: impl FnMut(&[u8]) -> Option<Vec<u8>>,
) -> Vec<String> {
    let mut found = Vec::new();
    for (row, id) in theme.rows.iter().zip(0x1000..).filter(|(row, _)| row.transports.len() == 2) {
        let packet = row.packet_with_id(id);
        let pair = [udp(&packet), tcp(&packet)].map(|answer| answer.map(|octets| Message::parse(&octets)));
        let same = match &pair {
            [None, None] => true,
            [Some(Ok(first)), Some(Ok(second))] => first.flags & 0x200 != 0 || first.essence() == second.essence(),
            _ => false,
        };
        if !same {
            found.push(format!("{}.rows:{} {}: UDP and TCP differ", theme.name, row.line, row.question));
        }
    }
    found
}

/// Every way in which `answer` is not what `row` wants; empty when it is.
pub(crate) fn differences(row: &Row, packet: &[u8], answer: Option<&[u8]>, transport: Transport) -> Vec<String> {
    let (expected, octets) = match (&row.expected, answer) {
        (None, None) => return Vec::new(),
        (None, Some(_)) => return vec!["answered instead of silence".to_owned()],
        (Some(_), None) => return vec!["no answer".to_owned()],
        (Some(expected), Some(octets)) => (expected, octets),
    };
    let message = match Message::parse(octets) {
        Ok(message) => message,
        Err(error) => return vec![format!("unreadable: {}", error.0)],
    };
    let request = Message::parse_prefix(packet).ok().map(|(request, _)| request);
    let mut found = header_differences(expected, packet, &message);
    found.extend(length_difference(octets, request.as_ref(), transport));
    found.extend(question_difference(expected, request.as_ref(), &message));
    found.extend(opt_differences(expected, request.as_ref(), &message));
    for (index, name) in ["answer", "authority", "additional"].into_iter().enumerate() {
        found.extend(section_differences(name, index, expected, &message.sections[index]));
    }
    found.extend(second_opinion(octets, &message));
    found
}

fn header_differences(expected: &Expected, packet: &[u8], message: &Message) -> Vec<String> {
    let mut found = Vec::new();
    if message.id.to_be_bytes() != packet[..2] {
        found.push(format!("id {:04x}", message.id));
    }
    if message.flags & 0x8000 == 0 {
        found.push("QR clear".to_owned());
    }
    if message.opcode() != u16::from(packet[2] >> 3 & 15) {
        found.push(format!("opcode {}", message.opcode()));
    }
    if message.rcode != expected.rcode {
        found.push(format!("rcode {} for {}", message.rcode, expected.rcode));
    }
    if message.flags & 0x07F0 != expected.flags {
        found.push(format!("flags {:04x} for {:04x}", message.flags & 0x07F0, expected.flags));
    }
    found
}

/// RFC 6891 §6.2.3: never more over UDP than was offered, 512 octets without an offer.
fn length_difference(octets: &[u8], request: Option<&Message>, transport: Transport) -> Option<String> {
    let offered = request.and_then(|request| request.opt.first()).map_or(512, |opt| opt.class.max(512));
    (transport == Transport::Udp && octets.len() > usize::from(offered))
        .then(|| format!("{} octets where {offered} were offered", octets.len()))
}

fn question_difference(expected: &Expected, request: Option<&Message>, message: &Message) -> Option<String> {
    let wanted = match (expected.echo, request) {
        (Echo::Any, _) | (Echo::AsSent, None) => return None,
        (Echo::Empty, _) => &[][..],
        (Echo::AsSent, Some(request)) => &request.question,
    };
    (message.question != wanted).then(|| "question not as sent".to_owned())
}

/// RFC 6891 §6.1.1: an OPT for an OPT, none for none; DO is copied (RFC 3225 §3), the other flags are clear.
fn opt_differences(expected: &Expected, request: Option<&Message>, message: &Message) -> Vec<String> {
    let asked = match (expected.opt, request.and_then(|request| request.opt.first())) {
        (Opt::Any, _) => return Vec::new(),
        (Opt::AsAsked, asked) => asked,
        (Opt::Absent, _) => None,
    };
    let (asked, opt) = match (asked, message.opt.as_slice()) {
        (None, []) => return Vec::new(),
        (Some(asked), [opt]) => (asked, opt),
        (_, found) => return vec![format!("{} OPT", found.len())],
    };
    let mut found = Vec::new();
    if opt.owner != [0] || opt.class < 512 {
        found.push("OPT owner or payload size".to_owned());
    }
    if opt.ttl & 0x00FF_FFFF != asked.ttl & 0x8000 {
        found.push(format!("EDNS version or flags {:06x}", opt.ttl & 0x00FF_FFFF));
    }
    found
}

/// Records missing and records too many; then the order of aliases, which are a chain.
fn section_differences(name: &str, index: usize, expected: &Expected, got: &[Record]) -> Vec<String> {
    let exact = expected.exact_case;
    let count = |records: &[Record]| {
        records.iter().fold(HashMap::<Key, usize>::new(), |mut counts, record| {
            *counts.entry(record.key(exact)).or_default() += 1;
            counts
        })
    };
    let (mut need, mut may) = (count(&expected.sections[index]), count(&expected.optional[index]));
    let take = |counts: &mut HashMap<Key, usize>, record: &Record| match counts.get_mut(&record.key(exact)) {
        Some(left) if *left > 0 => {
            *left -= 1;
            true
        }
        _ => false,
    };
    let mut found = Vec::new();
    for record in got {
        if !take(&mut need, record) && !take(&mut may, record) {
            found.push(format!("{name} +{}", show(record)));
        }
    }
    for record in &expected.sections[index] {
        if take(&mut need, record) {
            found.push(format!("{name} -{}", show(record)));
        }
    }
    let chain = |records: &[Record]| -> Vec<Key> {
        records.iter().filter(|record| [5, 39].contains(&record.rtype)).map(|record| record.key(exact)).collect()
    };
    if found.is_empty() && expected.optional[index].is_empty() && chain(got) != chain(&expected.sections[index]) {
        found.push(format!("{name} chain out of order"));
    }
    found
}

/// hickory-proto reads the same octets as the same counts. It knows no record data of no length, which RFC 3597 §5
/// allows, so such answers are not shown to it.
fn second_opinion(octets: &[u8], message: &Message) -> Option<String> {
    if message.sections.iter().flatten().any(|record| record.data.is_empty()) {
        return None;
    }
    match HickoryMessage::from_vec(octets) {
        Err(error) => Some(format!("hickory-proto: {error}")),
        Ok(read) => {
            let counts = [read.answers.len(), read.authorities.len(), read.additionals.len()];
            let ours = [0, 1, 2].map(|index: usize| message.sections[index].len());
            (counts != ours).then(|| format!("hickory-proto counts {counts:?}, not {ours:?}"))
        }
    }
}

/// Enough of a record to know it by.
fn show(record: &Record) -> String {
    let mut text = String::new();
    let mut rest = record.owner.as_slice();
    while let [length @ 1..=63, after @ ..] = rest {
        let (label, next) = after.split_at(usize::from(*length).min(after.len()));
        text.extend([&label.escape_ascii().to_string(), "."]);
        rest = next;
    }
    let kind = meridian::dns::RecordType(record.rtype);
    // Writing to a String cannot fail.
    let _ = write!(text, " {} {kind} {}", record.ttl, record.data.escape_ascii());
    text
}
