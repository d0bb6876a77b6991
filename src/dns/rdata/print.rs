//! Record data from wire to text.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use crate::dns::name;
use crate::dns::rdata::codec::{write_base32, write_base64, write_hex};
use crate::dns::rdata::fields::{Field, Kind, fields};
use crate::dns::rdata::wire::{self, HostIdentity, host_identity};
use crate::dns::rdata::{address, location, service, time};
use crate::dns::rtype::RecordType;

/// Writes uncompressed wire data as text that [`super::parse_rdata`] reads back to the same octets. Data that is
/// malformed, or of a type without fields, comes in the form of RFC 3597.
///
/// # Errors
/// Only if writing fails.
pub fn print_rdata(rtype: RecordType, rdata: &[u8], out: &mut impl fmt::Write) -> fmt::Result {
    let Some(fields) = fields(rtype).filter(|fields| has_text(rtype, fields, rdata)) else {
        return print_generic(rdata, out);
    };
    let mut rest = rdata;
    for (i, field) in fields.iter().enumerate() {
        let len = wire::split(field.kind, rest).unwrap_or(rest.len());
        let (data, after) = rest.split_at_checked(len).unwrap_or((rest, &[]));
        // Only fields at the end may be empty and then leave no blank behind.
        if i > 0 && !(data.is_empty() && field.kind != Kind::Value) {
            out.write_char(' ')?;
        }
        print_field(field.kind, data, out)?;
        rest = after;
    }
    Ok(())
}

/// True if the text of the fields would be read back to the same octets.
fn has_text(rtype: RecordType, fields: &[Field], rdata: &[u8]) -> bool {
    wire::validate(rtype, rdata).is_ok()
        && !fields.iter().any(|field| field.kind == Kind::Location && !location::has_text(rdata))
}

/// RFC 3597 §5.
fn print_generic(rdata: &[u8], out: &mut impl fmt::Write) -> fmt::Result {
    write!(out, r"\# {}", rdata.len())?;
    if !rdata.is_empty() {
        out.write_char(' ')?;
    }
    write_hex(rdata, out)
}

fn print_field(kind: Kind, data: &[u8], out: &mut impl fmt::Write) -> fmt::Result {
    match kind {
        Kind::Name => name::write_wire_name(out, data),
        Kind::U8 | Kind::U16 | Kind::U32 | Kind::Period | Kind::Algorithm | Kind::CertificateType => {
            write!(out, "{}", be32(data))
        }
        Kind::Time => time::write_time(be32(data), out),
        Kind::Type => write!(out, "{}", rtype_of(data)),
        Kind::Ipv4 => match data.first_chunk::<4>() {
            Some(&octets) => write!(out, "{}", Ipv4Addr::from(octets)),
            None => Ok(()),
        },
        Kind::Ipv6 => match data.first_chunk::<16>() {
            Some(&octets) => write!(out, "{}", Ipv6Addr::from(octets)),
            None => Ok(()),
        },
        Kind::Locator64 => address::write_locator(data, out),
        Kind::Eui(_) => address::write_eui(data, out),
        Kind::Text | Kind::OptionalText | Kind::Texts => print_texts(data, out),
        Kind::Tag => data.iter().skip(1).try_for_each(|&octet| out.write_char(char::from(octet))),
        Kind::Value | Kind::Target => write_quoted(data, out),
        Kind::Hex => write_hex(data, out),
        Kind::Base64 | Kind::OptionalBase64 => write_base64(data, out),
        Kind::Salt if data.len() <= 1 => out.write_char('-'),
        Kind::Salt => write_hex(data.get(1..).unwrap_or_default(), out),
        Kind::Hash => write_base32(data.get(1..).unwrap_or_default(), out),
        Kind::Bitmap => print_bitmap(data, out),
        Kind::ServiceParameters => service::print_parameters(data, out),
        Kind::Prefixes => address::write_prefixes(data, out),
        Kind::Location => location::write_location(data, out),
        Kind::Gateway => address::write_gateway(data, out),
        Kind::HostIdentity => print_host_identity(data, out),
    }
}

/// A number of up to four octets.
fn be32(data: &[u8]) -> u32 {
    data.iter().fold(0, |sum, &octet| sum << 8 | u32::from(octet))
}

fn rtype_of(data: &[u8]) -> RecordType {
    RecordType(data.first_chunk().map_or(0, |octets| u16::from_be_bytes(*octets)))
}

fn print_texts(data: &[u8], out: &mut impl fmt::Write) -> fmt::Result {
    let mut rest = data;
    let mut gap = false;
    while let Some((&len, after)) = rest.split_first() {
        if gap {
            out.write_char(' ')?;
        }
        let (text, after) = after.split_at_checked(usize::from(len)).unwrap_or((after, &[]));
        write_quoted(text, out)?;
        (rest, gap) = (after, true);
    }
    Ok(())
}

/// Octets between quotes, with escapes for what is neither printable nor plain.
pub(super) fn write_quoted(octets: &[u8], out: &mut impl fmt::Write) -> fmt::Result {
    out.write_char('"')?;
    for &octet in octets {
        match octet {
            b'"' | b'\\' => {
                out.write_char('\\')?;
                out.write_char(char::from(octet))?;
            }
            b' '..=b'~' => out.write_char(char::from(octet))?,
            _ => write!(out, "\\{octet:03}")?,
        }
    }
    out.write_char('"')
}

fn print_bitmap(data: &[u8], out: &mut impl fmt::Write) -> fmt::Result {
    let mut rest = data;
    let mut gap = "";
    while let Some((&[window, len], after)) = rest.split_first_chunk() {
        let (bits, after) = after.split_at_checked(usize::from(len)).unwrap_or((after, &[]));
        for (low, octet) in (0..=u8::MAX).step_by(8).zip(bits) {
            let number = u16::from_be_bytes([window, low]);
            for bit in (0..8).filter(|bit| octet & 0x80 >> bit != 0) {
                write!(out, "{gap}{}", RecordType(number + bit))?;
                gap = " ";
            }
        }
        rest = after;
    }
    Ok(())
}

fn print_host_identity(data: &[u8], out: &mut impl fmt::Write) -> fmt::Result {
    let Some(HostIdentity { algorithm, tag, key, mut servers }) = host_identity(data) else {
        return Ok(());
    };
    write!(out, "{algorithm} ")?;
    write_hex(tag, out)?;
    out.write_char(' ')?;
    write_base64(key, out)?;
    while let Ok(len) = name::wire_len(servers) {
        out.write_char(' ')?;
        name::write_wire_name(out, &servers[..len])?;
        servers = &servers[len..];
    }
    Ok(())
}
