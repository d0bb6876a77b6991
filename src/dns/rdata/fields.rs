//! The one table: which fields the data of each type has.

use crate::dns::rtype::RecordType;

/// How a field is written and how it lies on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A domain name, uncompressed.
    Name,
    /// A number of one octet.
    U8,
    /// A number of two octets.
    U16,
    /// A number of four octets.
    U32,
    /// Seconds in four octets; units are read (`1h30m`).
    Period,
    /// A point in time in four octets, `YYYYMMDDHHmmSS` or seconds since 1970 (RFC 4034 §3.2).
    Time,
    /// A record type.
    Type,
    /// A DNSSEC algorithm, one octet, by number or mnemonic (RFC 4034 appendix A.1).
    Algorithm,
    /// A certificate type, two octets, by number or mnemonic (RFC 4398 §2.1).
    CertificateType,
    /// An IPv4 address.
    Ipv4,
    /// An IPv6 address.
    Ipv6,
    /// Four groups of up to four hexadecimal digits between colons (RFC 6742 §2.1.2).
    Locator64,
    /// This many octets as pairs of hexadecimal digits between hyphens (RFC 7043).
    Eui(u8),
    /// A character string of at most 255 octets.
    Text,
    /// A character string that may be missing.
    OptionalText,
    /// One or more character strings, to the end.
    Texts,
    /// A CAA tag: letters and digits behind a length octet (RFC 8659 §4.1).
    Tag,
    /// Octets to the end, written as one string of any length; may be empty.
    Value,
    /// As [`Kind::Value`], at least one octet.
    Target,
    /// Octets to the end in hexadecimal digits, at least one.
    Hex,
    /// Octets to the end in base 64, at least one.
    Base64,
    /// Octets to the end in base 64, or nothing.
    OptionalBase64,
    /// Hexadecimal digits behind a length octet, `-` if there are none (RFC 5155 §3.3).
    Salt,
    /// Base 32 with the extended hex alphabet behind a length octet (RFC 5155 §3.3).
    Hash,
    /// A set of record types to the end (RFC 4034 §4.1.2).
    Bitmap,
    /// Service parameters to the end (RFC 9460 §2.1).
    ServiceParameters,
    /// Address prefixes to the end (RFC 3123 §4).
    Prefixes,
    /// A place on Earth (RFC 1876 §2).
    Location,
    /// Gateway type, algorithm and gateway (RFC 4025 §2.1).
    Gateway,
    /// Everything in a HIP record (RFC 8005 §5).
    HostIdentity,
}

/// One field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// What it is called in messages, in the words of its RFC.
    pub name: &'static str,
    /// How it is written.
    pub kind: Kind,
}

macro_rules! table {
    ($($($rtype:ident)|+ => $($name:literal $kind:expr),+;)*) => {
        /// The fields of a type, in the order of the wire and of the text; `None` if it is written as `\#` only.
        #[must_use]
        pub const fn fields(rtype: RecordType) -> Option<&'static [Field]> {
            match rtype {
                $($(RecordType::$rtype)|+ => Some(const { &[$(Field { name: $name, kind: $kind }),+] }),)*
                _ => None,
            }
        }
    };
}

use Kind::{
    Algorithm, Base64, Bitmap, CertificateType, Eui, Gateway, Hash, Hex, HostIdentity, Ipv4, Ipv6, Location, Locator64,
    Name, OptionalBase64, OptionalText, Period, Prefixes, Salt, ServiceParameters, Tag, Target, Text, Texts, Time,
    Type, U8, U16, U32, Value,
};

table! {
    A => "address" Ipv4;
    AAAA => "address" Ipv6;
    NS => "server" Name;
    CNAME | DNAME => "target" Name;
    PTR => "name" Name;
    MB | MD | MF => "host" Name;
    MG | MR => "mailbox" Name;
    MINFO => "mailbox" Name, "error-mailbox" Name;
    SOA => "mname" Name, "rname" Name, "serial" U32, "refresh" Period, "retry" Period, "expire" Period, "minimum" Period;
    HINFO => "cpu" Text, "os" Text;
    MX => "preference" U16, "exchange" Name;
    TXT | SPF | AVC => "strings" Texts;
    RP => "mailbox" Name, "text-name" Name;
    AFSDB => "subtype" U16, "host" Name;
    X25 => "address" Text;
    ISDN => "address" Text, "subaddress" OptionalText;
    RT => "preference" U16, "host" Name;
    PX => "preference" U16, "map822" Name, "mapx400" Name;
    GPOS => "longitude" Text, "latitude" Text, "altitude" Text;
    KX => "preference" U16, "exchanger" Name;
    LOC => "location" Location;
    SRV => "priority" U16, "weight" U16, "port" U16, "target" Name;
    NAPTR => "order" U16, "preference" U16, "flags" Text, "services" Text, "regexp" Text, "replacement" Name;
    CERT => "type" CertificateType, "key-tag" U16, "algorithm" Algorithm, "certificate" Base64;
    APL => "prefixes" Prefixes;
    DS | CDS => "key-tag" U16, "algorithm" Algorithm, "digest-type" U8, "digest" Hex;
    SSHFP => "algorithm" U8, "type" U8, "fingerprint" Hex;
    IPSECKEY => "precedence" U8, "gateway" Gateway, "public-key" OptionalBase64;
    RRSIG | SIG => "type-covered" Type, "algorithm" Algorithm, "labels" U8, "original-ttl" Period, "expiration" Time,
        "inception" Time, "key-tag" U16, "signer" Name, "signature" Base64;
    NSEC => "next-name" Name, "types" Bitmap;
    DNSKEY | CDNSKEY => "flags" U16, "protocol" U8, "algorithm" Algorithm, "public-key" Base64;
    KEY => "flags" U16, "protocol" U8, "algorithm" Algorithm, "public-key" OptionalBase64;
    DHCID => "identity" Base64;
    NSEC3 => "hash-algorithm" U8, "flags" U8, "iterations" U16, "salt" Salt, "next-hash" Hash, "types" Bitmap;
    NSEC3PARAM => "hash-algorithm" U8, "flags" U8, "iterations" U16, "salt" Salt;
    TLSA | SMIMEA => "usage" U8, "selector" U8, "matching-type" U8, "association" Hex;
    HIP => "host-identity" HostIdentity;
    OPENPGPKEY => "key" Base64;
    CSYNC => "serial" U32, "flags" U16, "types" Bitmap;
    ZONEMD => "serial" U32, "scheme" U8, "hash-algorithm" U8, "digest" Hex;
    SVCB | HTTPS => "priority" U16, "target" Name, "parameters" ServiceParameters;
    NID => "preference" U16, "node-id" Locator64;
    L32 => "preference" U16, "locator" Ipv4;
    L64 => "preference" U16, "locator" Locator64;
    LP => "preference" U16, "target" Name;
    EUI48 => "address" Eui(6);
    EUI64 => "address" Eui(8);
    URI => "priority" U16, "weight" U16, "target" Target;
    CAA => "flags" U8, "tag" Tag, "value" Value;
}

/// How the data of a type is written, for a hint: `preference exchange`.
#[must_use]
pub fn syntax(rtype: RecordType) -> String {
    let Some(fields) = fields(rtype) else {
        return r"\# LENGTH HEX".to_owned();
    };
    let words = fields.iter().map(|field| {
        let several = match field.kind {
            Location => "d1 [m1 [s1]] N|S d2 [m2 [s2]] E|W altitude [size [horizontal-precision [vertical-precision]]]",
            Gateway => "gateway-type algorithm gateway",
            HostIdentity => "algorithm hit public-key [server …]",
            Bitmap => "[type …]",
            ServiceParameters => "[key=value …]",
            Prefixes => "[[!]family:address/length …]",
            Texts => "string …",
            OptionalText | OptionalBase64 => return format!("[{}]", field.name),
            Name | U8 | U16 | U32 | Period | Time | Type | Algorithm | CertificateType | Ipv4 | Ipv6 | Locator64
            | Eui(_) | Text | Tag | Value | Target | Hex | Base64 | Salt | Hash => field.name,
        };
        several.to_owned()
    });
    words.collect::<Vec<String>>().join(" ")
}
