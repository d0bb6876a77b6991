//! Where domain names stand inside record data: what compression and additional-section processing need to know.

use crate::dns::rtype::RecordType;

/// Where the domain names of a type's data stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameLayout {
    /// Octets before the first name.
    pub prefix: u8,
    /// Names that follow each other there; 0 if the type has none, or none at a fixed place.
    pub names: u8,
    /// True if they may be compressed in a message: the types of RFC 1035 only, RFC 3597 §4.
    pub compress: bool,
}

/// Where the names of type `rtype` stand.
#[inline]
#[must_use]
pub const fn embedded_names(rtype: RecordType) -> NameLayout {
    let (prefix, names, compress) = match rtype {
        RecordType::NS
        | RecordType::MD
        | RecordType::MF
        | RecordType::CNAME
        | RecordType::MB
        | RecordType::MG
        | RecordType::MR
        | RecordType::PTR => (0, 1, true),
        RecordType::SOA | RecordType::MINFO => (0, 2, true),
        RecordType::MX => (2, 1, true),
        RecordType::DNAME | RecordType::NSEC => (0, 1, false),
        RecordType::RP => (0, 2, false),
        RecordType::AFSDB | RecordType::RT | RecordType::KX | RecordType::LP | RecordType::SVCB | RecordType::HTTPS => {
            (2, 1, false)
        }
        RecordType::PX => (2, 2, false),
        RecordType::SRV => (6, 1, false),
        RecordType::RRSIG | RecordType::SIG => (18, 1, false),
        _ => (0, 0, false),
    };
    NameLayout { prefix, names, compress }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::rdata::wire::split;
    use crate::dns::rdata::{Field, Kind, fields};

    /// What the table of fields says: octets of fixed width, then names.
    fn from_table(rtype: RecordType) -> (u8, u8) {
        let fields = fields(rtype).unwrap_or_default();
        let is_name = |field: &&Field| field.kind == Kind::Name;
        let before = fields.iter().take_while(|field| !is_name(field)).count();
        let names = fields[before..].iter().take_while(is_name).count();
        // A field has fixed width if no octets and more octets than it needs split in the same way.
        let width = |kind| (0..=16).find(|&len| split(kind, &vec![0; len]).is_some()).unwrap();
        let fixed = |kind| split(kind, &[9; 255]) == Some(width(kind));
        if names == 0 || !fields[..before].iter().all(|field| fixed(field.kind)) {
            return (0, 0);
        }
        let prefix: usize = fields[..before].iter().map(|field| width(field.kind)).sum();
        (prefix.try_into().unwrap(), names.try_into().unwrap())
    }

    #[test]
    fn agrees_with_the_table_of_fields() {
        for &(_, rtype) in RecordType::MNEMONICS {
            let layout = embedded_names(rtype);
            assert_eq!((layout.prefix, layout.names), from_table(rtype), "{rtype}");
        }
    }
}
