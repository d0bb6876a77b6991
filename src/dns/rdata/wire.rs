//! Record data on the wire: is it well formed, and where does each field end.

use crate::base::limits::RDATA_LEN_MAX;
use crate::dns::name;
use crate::dns::rdata::error::Malformed;
use crate::dns::rdata::fields::{Kind, fields};
use crate::dns::rdata::{address, location, service};
use crate::dns::rtype::RecordType;

/// Checks uncompressed wire data. Any octets are right for a type whose fields are not known here.
///
/// # Errors
/// If the octets are no data of that type.
pub fn validate(rtype: RecordType, rdata: &[u8]) -> Result<(), Malformed> {
    if rdata.len() > RDATA_LEN_MAX {
        return Err(Malformed { field: "end" });
    }
    let Some(fields) = fields(rtype) else {
        return Ok(());
    };
    let mut rest = rdata;
    for field in fields {
        let len = split(field.kind, rest).ok_or(Malformed { field: field.name })?;
        rest = rest.get(len..).ok_or(Malformed { field: field.name })?;
    }
    if !rest.is_empty() {
        return Err(Malformed { field: "end" });
    }
    check_digest(rtype, rdata)
}

/// A digest has the length of its algorithm: RFC 4034 §5.1, 4509 §2.1, 6605 §2 (DS), 8976 §2.2 (ZONEMD).
pub(super) fn check_digest(rtype: RecordType, rdata: &[u8]) -> Result<(), Malformed> {
    let (digest_at, lengths): (usize, &[(u8, usize)]) = match rtype {
        RecordType::DS | RecordType::CDS => (4, &[(1, 20), (2, 32), (4, 48)]),
        RecordType::ZONEMD => (6, &[(1, 48), (2, 64)]),
        _ => return Ok(()),
    };
    let algorithm = rdata.get(digest_at - 1);
    let len = rdata.len().saturating_sub(digest_at);
    match lengths.iter().find(|(known, _)| Some(known) == algorithm) {
        Some(&(_, right)) if len != right => Err(Malformed { field: "digest" }),
        _ => Ok(()),
    }
}

/// Octets the field at the start of `rest` takes, if it is well formed.
pub(super) fn split(kind: Kind, rest: &[u8]) -> Option<usize> {
    let fixed = |len: usize| (rest.len() >= len).then_some(len);
    match kind {
        Kind::Name => name::wire_len(rest).ok(),
        Kind::U8 | Kind::Algorithm => fixed(1),
        Kind::U16 | Kind::Type | Kind::CertificateType => fixed(2),
        Kind::U32 | Kind::Period | Kind::Time | Kind::Ipv4 => fixed(4),
        Kind::Locator64 => fixed(8),
        Kind::Ipv6 => fixed(16),
        Kind::Eui(len) => fixed(usize::from(len)),
        Kind::Text | Kind::Salt => text_len(rest),
        Kind::OptionalText => {
            if rest.is_empty() {
                Some(0)
            } else {
                text_len(rest)
            }
        }
        Kind::Hash => text_len(rest).filter(|&len| len > 1),
        Kind::Tag => text_len(rest).filter(|&len| len > 1 && rest[1..len].iter().all(u8::is_ascii_alphanumeric)),
        Kind::Texts => {
            let mut at = text_len(rest)?;
            while at < rest.len() {
                at += text_len(&rest[at..])?;
            }
            Some(at)
        }
        Kind::Value | Kind::OptionalBase64 => Some(rest.len()),
        Kind::Target | Kind::Hex | Kind::Base64 => (!rest.is_empty()).then_some(rest.len()),
        Kind::Bitmap => split_bitmap(rest),
        Kind::ServiceParameters => service::split_parameters(rest),
        Kind::Prefixes => address::split_prefixes(rest),
        Kind::Location => location::split_location(rest),
        Kind::Gateway => address::split_gateway(rest),
        Kind::HostIdentity => split_host_identity(rest),
    }
}

/// Octets of a character string with its length octet.
fn text_len(rest: &[u8]) -> Option<usize> {
    let len = 1 + usize::from(*rest.first()?);
    (rest.len() >= len).then_some(len)
}

/// RFC 4034 §4.1.2: windows ascend, hold 1 to 32 octets, and end with one that is not zero.
fn split_bitmap(rest: &[u8]) -> Option<usize> {
    let mut at = 0;
    let mut last = None;
    while at < rest.len() {
        let &[window, len] = rest[at..].first_chunk()?;
        let bits = rest.get(at + 2..at + 2 + usize::from(len))?;
        if last >= Some(window) || len > 32 || bits.last().is_none_or(|&octet| octet == 0) {
            return None;
        }
        last = Some(window);
        at += 2 + bits.len();
    }
    Some(at)
}

/// The parts of HIP data, RFC 8005 §5.
pub(super) struct HostIdentity<'a> {
    pub(super) algorithm: u8,
    pub(super) tag: &'a [u8],
    pub(super) key: &'a [u8],
    /// Names one behind the other.
    pub(super) servers: &'a [u8],
}

/// The parts of HIP data, if it falls into them; the servers are not checked.
pub(super) fn host_identity(data: &[u8]) -> Option<HostIdentity<'_>> {
    let (&[tag_len, algorithm, high, low], rest) = data.split_first_chunk()?;
    let (tag, rest) = rest.split_at_checked(usize::from(tag_len))?;
    let (key, servers) = rest.split_at_checked(usize::from(u16::from_be_bytes([high, low])))?;
    (!tag.is_empty() && !key.is_empty()).then_some(HostIdentity { algorithm, tag, key, servers })
}

fn split_host_identity(rest: &[u8]) -> Option<usize> {
    let HostIdentity { mut servers, .. } = host_identity(rest)?;
    while !servers.is_empty() {
        servers = servers.get(name::wire_len(servers).ok()?..)?;
    }
    Some(rest.len())
}
