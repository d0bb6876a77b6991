//! Records of endpoints: from the operator's text to a type and wire data.

use std::net::IpAddr;

use crate::base::diagnostic::Location;
use crate::dns::name::NameError;
use crate::dns::{Name, RecordType};

use super::types::Record;

/// Why a record has no wire data.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// The data is not what the type wants.
    #[error("{0} data is {1}")]
    Data(RecordType, &'static str),
    /// A name in the data is none.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The type's text form is not known here.
    #[error("records of type {0} cannot be read yet")]
    Unsupported(RecordType),
}

/// The wire form of a record's data (RFC 1035 §3.3, RFC 3596 §2.2), names uncompressed.
///
/// # Errors
/// If the data does not fit the type, or the type is not one of A, AAAA, CNAME and MX.
pub fn to_wire(record: &Record) -> Result<Vec<u8>, RecordError> {
    let rtype = record.rtype;
    let wrong = |expected| RecordError::Data(rtype, expected);
    let mut fields = record.data.split_ascii_whitespace();
    let (first, second, more) = (fields.next(), fields.next(), fields.next().is_some());
    match (rtype, first, second) {
        (RecordType::A, Some(address), None) => match address.parse() {
            Ok(IpAddr::V4(address)) => Ok(address.octets().to_vec()),
            Ok(IpAddr::V6(_)) | Err(_) => Err(wrong("one IPv4 address")),
        },
        (RecordType::AAAA, Some(address), None) => match address.parse() {
            Ok(IpAddr::V6(address)) => Ok(address.octets().to_vec()),
            Ok(IpAddr::V4(_)) | Err(_) => Err(wrong("one IPv6 address")),
        },
        (RecordType::CNAME, Some(name), None) => Ok(name.parse::<Name>()?.as_wire().to_vec()),
        (RecordType::MX, Some(preference), Some(name)) if !more => {
            let preference: u16 = preference.parse().map_err(|_| wrong("a number up to 65535 and a name"))?;
            let mut wire = preference.to_be_bytes().to_vec();
            wire.extend_from_slice(name.parse::<Name>()?.as_wire());
            Ok(wire)
        }
        (RecordType::A, ..) => Err(wrong("one IPv4 address")),
        (RecordType::AAAA, ..) => Err(wrong("one IPv6 address")),
        (RecordType::CNAME, ..) => Err(wrong("one name")),
        (RecordType::MX, ..) => Err(wrong("a number up to 65535 and a name")),
        _ => Err(RecordError::Unsupported(rtype)),
    }
}

/// The A or AAAA record of an address.
pub(super) fn of_address(address: IpAddr, at: Location) -> Record {
    let rtype = match address {
        IpAddr::V4(_) => RecordType::A,
        IpAddr::V6(_) => RecordType::AAAA,
    };
    Record { rtype, data: address.to_string(), at }
}

/// Reads `TYPE data`, e.g. `MX 10 mx1.example.com.`; the data is looked at later.
pub(super) fn parse(text: &str) -> Result<(RecordType, String), String> {
    let (rtype, data) = text.trim().split_once(char::is_whitespace).unwrap_or((text.trim(), ""));
    let Some(rtype) = RecordType::from_text(rtype.as_bytes()) else {
        return Err("a type and its data, e.g. \"MX 10 mx1.example.com.\"".into());
    };
    if rtype.is_meta() || NOT_STEERED.contains(&rtype) {
        return Err(format!("records of type {rtype} cannot be steered"));
    }
    Ok((rtype, data.trim().to_owned()))
}

/// Reads an address, or `TYPE data`.
pub(super) fn address_or_record(text: &str) -> Result<(RecordType, String), String> {
    match text.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => Ok((RecordType::A, address.to_string())),
        Ok(IpAddr::V6(address)) => Ok((RecordType::AAAA, address.to_string())),
        Err(_) => parse(text),
    }
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
    use std::sync::Arc;

    use super::*;

    fn wire(text: &str) -> Result<Vec<u8>, String> {
        let (rtype, data) = address_or_record(text)?;
        let at = Location::in_text(&Arc::from("f"), b"", 0..0);
        to_wire(&Record { rtype, data, at }).map_err(|error| error.to_string())
    }

    #[test]
    fn known_types_have_wire_data() {
        for (text, expected) in [
            ("192.0.2.1", &[192, 0, 2, 1][..]),
            ("a 192.0.2.1", &[192, 0, 2, 1]),
            ("AAAA ::1", &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]),
            ("CNAME a.b.", b"\x01a\x01b\0"),
            ("MX\t10  mx.b", b"\0\x0a\x02mx\x01b\0"),
        ] {
            assert_eq!(wire(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn wrong_data_is_named() {
        for (text, expected) in [
            ("", "a type and its data, e.g. \"MX 10 mx1.example.com.\""),
            ("A ::1", "A data is one IPv4 address"),
            ("A 192.0.2.1 192.0.2.2", "A data is one IPv4 address"),
            ("AAAA 192.0.2.1", "AAAA data is one IPv6 address"),
            ("MX mx.b.", "MX data is a number up to 65535 and a name"),
            ("MX 70000 mx.b.", "MX data is a number up to 65535 and a name"),
            ("MX 10 mx.b. x", "MX data is a number up to 65535 and a name"),
            ("CNAME", "CNAME data is one name"),
            ("CNAME a..b.", "a label is empty"),
            ("SOA a. b. 1 2 3 4 5", "records of type SOA cannot be steered"),
            ("AXFR", "records of type AXFR cannot be steered"),
            ("TXT \"x\"", "records of type TXT cannot be read yet"),
        ] {
            assert_eq!(wire(text), Err(expected.to_owned()), "{text}");
        }
    }
}
