//! Records of endpoints: from the operator's text to a type and wire data.

use std::net::IpAddr;

use crate::base::diagnostic::{Diagnostic, Location};
use crate::base::suggest::nearest;
use crate::base::toml_text::{Refusal, Value};
use crate::dns::rdata::{Problem, RdataError, Word, Words, parse_rdata, print_rdata, syntax};
use crate::dns::{Name, RecordType};

use super::types::Record;

/// The A or AAAA record of an address.
pub(super) fn of_address(address: IpAddr, at: Location) -> Record {
    let (rtype, wire) = match address {
        IpAddr::V4(address) => (RecordType::A, Box::from(address.octets())),
        IpAddr::V6(address) => (RecordType::AAAA, Box::from(address.octets())),
    };
    Record { rtype, data: address.to_string(), wire, at }
}

/// Reads `TYPE DATA`, e.g. `MX 10 mx1.example.com.`, the data as in a zone file.
pub(super) fn record(value: &Value<'_>) -> Option<Record> {
    let (rtype, wire) = value.parse_or_refuse("a record", parse)?;
    let mut data = String::new();
    // Writing to a string cannot fail.
    let _ = print_rdata(rtype, &wire, &mut data);
    Some(Record { rtype, data, wire, at: value.at() })
}

/// Reads a list of records, each with `read`; the same record twice is an error, because a set has it once
/// (RFC 2181 §5).
pub(super) fn list(
    value: &Value<'_>,
    expected: &str,
    example: &str,
    read: impl Fn(&Value<'_>) -> Option<Record>,
) -> Option<Vec<Record>> {
    let elements = value.list_as(expected, Some(example))?;
    if elements.is_empty() {
        value.push(value.error("out-of-range", format!("`{}` is empty", value.path()), "at least one is needed"));
        return None;
    }
    let records: Vec<Option<Record>> = elements.iter().map(read).collect();
    let records: Vec<Record> = records.into_iter().collect::<Option<_>>()?;
    for (index, record) in records.iter().enumerate() {
        let same = |other: &&Record| other.rtype == record.rtype && other.wire == record.wire;
        if let Some(first) = records.get(..index).and_then(|before| before.iter().find(same)) {
            let message = format!("`{}` has {} {} twice", value.path(), record.rtype, record.data);
            let finding = Diagnostic::error("duplicate-record", message)
                .at(record.at.clone(), "the second time")
                .related(first.at.clone(), "the first time");
            value.push(finding);
        }
    }
    Some(records)
}

/// Reads an address or a record.
pub(super) fn address_or_record(value: &Value<'_>) -> Option<Record> {
    match value.string()?.parse() {
        Ok(address) => Some(of_address(address, value.at())),
        Err(_) => record(value),
    }
}

fn parse(text: &str) -> Result<(RecordType, Box<[u8]>), Refusal> {
    const EXAMPLE: &str = "write e.g. \"MX 10 mx1.example.com.\"";
    let mut words = Words::new(text.as_bytes(), 0);
    let Ok(Some(Word { text: word, .. })) = words.next_word() else {
        return Err(Refusal::with_hint("a type and its data belong here", EXAMPLE));
    };
    let Some(rtype) = RecordType::from_text(word) else {
        let word = String::from_utf8_lossy(word).to_uppercase();
        let known = nearest(&word, RecordType::MNEMONICS.iter().map(|(name, _)| *name));
        let hint = known.map_or_else(|| EXAMPLE.to_owned(), |known| format!("did you mean `{known}`?"));
        return Err(Refusal::with_hint("the first word is no record type", hint));
    };
    if rtype.is_meta() || NOT_STEERED.contains(&rtype) {
        return Err(format!("records of type {rtype} cannot be steered").into());
    }
    let mut wire = Vec::new();
    // Names of a region file are absolute, with or without the final dot.
    let origin = Name::root();
    parse_rdata(rtype, &mut words, Some(origin.as_wire()), &mut wire).map_err(|error| {
        let RdataError { field, problem, .. } = &error;
        let reason = if *problem == Problem::Missing {
            format!("{field} is missing")
        } else if *problem == Problem::Extra {
            "nothing is expected behind the data".to_owned()
        } else {
            error.to_string()
        };
        Refusal::with_hint(reason, format!("write \"{rtype} {}\"", syntax(rtype)))
    })?;
    if text.get(words.at()..).is_some_and(|rest| !rest.trim().is_empty()) {
        return Err(Refusal::with_hint("a record is one line", "make it a list of several records"));
    }
    Ok((rtype, wire.into()))
}

/// What makes a zone a zone, or is signed into it: it cannot differ from answer to answer.
const NOT_STEERED: [RecordType; 12] = [
    RecordType::SOA,
    RecordType::NS,
    RecordType::DNAME,
    RecordType::DS,
    RecordType::DNSKEY,
    RecordType::CDS,
    RecordType::CDNSKEY,
    RecordType::RRSIG,
    RecordType::NSEC,
    RecordType::NSEC3,
    RecordType::NSEC3PARAM,
    RecordType::ZONEMD,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_have_wire_data() {
        for (text, rtype, expected) in [
            ("A 192.0.2.1", RecordType::A, &[192, 0, 2, 1][..]),
            ("a  192.0.2.1 ; a comment", RecordType::A, &[192, 0, 2, 1]),
            ("AAAA ::1", RecordType::AAAA, &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]),
            ("CNAME a.b.", RecordType::CNAME, b"\x01a\x01b\0"),
            ("MX\t10  mx.b", RecordType::MX, b"\0\x0a\x02mx\x01b\0"),
            ("MX ( 10\n mx.b )", RecordType::MX, b"\0\x0a\x02mx\x01b\0"),
            ("TXT \"a b\" c", RecordType::TXT, b"\x03a b\x01c"),
            (r"TYPE65280 \# 2 0102", RecordType(65280), &[1, 2]),
        ] {
            assert_eq!(parse(text), Ok((rtype, expected.into())), "{text}");
        }
    }

    #[test]
    fn wrong_data_is_named() {
        for (text, expected) in [
            ("", "a type and its data belong here"),
            ("BANANA 5", "the first word is no record type"),
            ("MX mx.b.", "preference: not a whole number from 0 to 65535"),
            ("MX 10", "exchange is missing"),
            ("CNAME a..b.", "target: a label is empty"),
            ("A 192.0.2.1 192.0.2.2", "nothing is expected behind the data"),
            ("A 192.0.2.1\nA 192.0.2.2", "a record is one line"),
            ("SOA a. b. 1 2 3 4 5", "records of type SOA cannot be steered"),
            ("AXFR", "records of type AXFR cannot be steered"),
        ] {
            assert_eq!(parse(text).map_err(|refusal| refusal.reason), Err(expected.to_owned()), "{text}");
        }
    }
}
