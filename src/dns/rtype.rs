//! Record types and classes by number and by mnemonic, RFC 1035 §3.2, RFC 3597 §5, RFC 6895 and the IANA registry.

use std::fmt;

/// A record type (or a query type).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordType(pub u16);

macro_rules! record_types {
    ($($name:ident $text:literal $number:literal,)*) => {
        impl RecordType {
            $(
                #[doc = concat!("`", $text, "`, type ", $number, ".")]
                pub const $name: Self = Self($number);
            )*

            /// The mnemonic, if the type has one.
            #[must_use]
            pub const fn mnemonic(self) -> Option<&'static str> {
                match self.0 {
                    $($number => Some($text),)*
                    _ => None,
                }
            }

            /// Every mnemonic known here.
            pub const MNEMONICS: &[(&'static str, Self)] = &[$(($text, Self($number)),)*];
        }
    };
}

record_types! {
    A "A" 1, NS "NS" 2, MD "MD" 3, MF "MF" 4, CNAME "CNAME" 5, SOA "SOA" 6, MB "MB" 7, MG "MG" 8, MR "MR" 9,
    NULL "NULL" 10, WKS "WKS" 11, PTR "PTR" 12, HINFO "HINFO" 13, MINFO "MINFO" 14, MX "MX" 15, TXT "TXT" 16,
    RP "RP" 17, AFSDB "AFSDB" 18, X25 "X25" 19, ISDN "ISDN" 20, RT "RT" 21, NSAP "NSAP" 22, SIG "SIG" 24,
    KEY "KEY" 25, PX "PX" 26, GPOS "GPOS" 27, AAAA "AAAA" 28, LOC "LOC" 29, NXT "NXT" 30, EID "EID" 31,
    NIMLOC "NIMLOC" 32, SRV "SRV" 33, NAPTR "NAPTR" 35, KX "KX" 36, CERT "CERT" 37, DNAME "DNAME" 39,
    OPT "OPT" 41, APL "APL" 42, DS "DS" 43, SSHFP "SSHFP" 44, IPSECKEY "IPSECKEY" 45, RRSIG "RRSIG" 46,
    NSEC "NSEC" 47, DNSKEY "DNSKEY" 48, DHCID "DHCID" 49, NSEC3 "NSEC3" 50, NSEC3PARAM "NSEC3PARAM" 51,
    TLSA "TLSA" 52, SMIMEA "SMIMEA" 53, HIP "HIP" 55, CDS "CDS" 59, CDNSKEY "CDNSKEY" 60,
    OPENPGPKEY "OPENPGPKEY" 61, CSYNC "CSYNC" 62, ZONEMD "ZONEMD" 63, SVCB "SVCB" 64, HTTPS "HTTPS" 65,
    SPF "SPF" 99, NID "NID" 104, L32 "L32" 105, L64 "L64" 106, LP "LP" 107, EUI48 "EUI48" 108, EUI64 "EUI64" 109,
    TKEY "TKEY" 249, TSIG "TSIG" 250, IXFR "IXFR" 251, AXFR "AXFR" 252, MAILB "MAILB" 253, MAILA "MAILA" 254,
    ANY "ANY" 255, URI "URI" 256, CAA "CAA" 257, AVC "AVC" 258,
}

impl RecordType {
    /// Reads a mnemonic in any case, or `TYPE123` (RFC 3597 §5).
    #[must_use]
    pub fn from_text(text: &[u8]) -> Option<Self> {
        if let Some((_, found)) = Self::MNEMONICS.iter().find(|(name, _)| name.as_bytes().eq_ignore_ascii_case(text)) {
            return Some(*found);
        }
        generic_number(text, b"TYPE").map(Self)
    }

    /// True for types that may stand in a question only or carry the protocol itself: never zone data
    /// (RFC 6895 §3.1: OPT, and 128..=255).
    #[must_use]
    pub const fn is_meta(self) -> bool {
        self.0 == 0 || self.0 == Self::OPT.0 || (self.0 >= 128 && self.0 <= 255)
    }
}

/// The number in `TYPE123` or `CLASS32`.
fn generic_number(text: &[u8], prefix: &[u8]) -> Option<u16> {
    let (head, digits) = text.split_at_checked(prefix.len())?;
    if !head.eq_ignore_ascii_case(prefix) || digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

impl fmt::Display for RecordType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.mnemonic() {
            Some(name) => f.write_str(name),
            None => write!(f, "TYPE{}", self.0),
        }
    }
}

/// A class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Class(pub u16);

impl Class {
    /// The Internet.
    pub const IN: Self = Self(1);
    /// Chaos: the server talks about itself, RFC 4892.
    pub const CH: Self = Self(3);
    /// Hesiod.
    pub const HS: Self = Self(4);
    /// RFC 2136 §2.4: "the name or RRset is not in use".
    pub const NONE: Self = Self(254);
    /// Any class, in questions.
    pub const ANY: Self = Self(255);

    /// Reads `IN`, `CH`, `HS` or `CLASS123` in any case (RFC 3597 §5).
    #[must_use]
    pub fn from_text(text: &[u8]) -> Option<Self> {
        match text.to_ascii_uppercase().as_slice() {
            b"IN" => Some(Self::IN),
            b"CH" => Some(Self::CH),
            b"HS" => Some(Self::HS),
            _ => generic_number(text, b"CLASS").map(Self),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mnemonics_and_generic_types_read_both_ways() {
        for &(text, rtype) in RecordType::MNEMONICS {
            assert_eq!(RecordType::from_text(text.as_bytes()), Some(rtype));
            assert_eq!(rtype.to_string(), text);
        }
        assert_eq!(RecordType::from_text(b"type65280"), Some(RecordType(65280)));
        assert_eq!(RecordType(65280).to_string(), "TYPE65280");
        for bad in ["TYPE", "TYPE65536", "TYPE1a", "TYP1", ""] {
            assert_eq!(RecordType::from_text(bad.as_bytes()), None, "{bad}");
        }
    }
}
