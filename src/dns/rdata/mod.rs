//! Record data between text and wire.
//!
//! One table ([`fields()`]) says which fields each type has; [`parse_rdata`], [`print_rdata`] and [`validate`] are walks
//! over it. Every type can also be written as `\# LENGTH HEX`, and a type without a row can only be written so.
//!
//! | RFC | what |
//! |---|---|
//! | 1035 | A NS MD MF CNAME SOA MB MG MR PTR HINFO MINFO MX TXT; §5.1: words, quotes, parentheses, escapes |
//! | 1183, 1712, 2163, 2230 | RP AFSDB X25 ISDN RT, GPOS, PX, KX |
//! | 1876, 3123 | LOC, APL |
//! | 2535, 2931, 4034, 5155, 7344, 7477, 8976 | SIG KEY, DS DNSKEY RRSIG NSEC, NSEC3 NSEC3PARAM, CDS CDNSKEY, CSYNC, ZONEMD |
//! | 2782, 3403, 3596, 4398, 4025, 4255, 4701 | SRV, NAPTR, AAAA, CERT, IPSECKEY, SSHFP, DHCID |
//! | 3597 | `\#`, and which names may be compressed |
//! | 6672, 6698, 6742, 7043, 7208 | DNAME, TLSA, NID L32 L64 LP, EUI48 EUI64, SPF |
//! | 7553, 7929, 8005, 8162, 8659, 9460, 9461, 9540 | URI, OPENPGPKEY, HIP, SMIMEA, CAA, SVCB HTTPS, dohpath, ohttp |

mod words;

mod fields;

mod address;
mod codec;
mod error;
mod layout;
mod location;
mod mnemonic;
mod print;
mod read;
mod service;
mod time;
mod wire;

pub use error::{Malformed, Problem, RdataError};
pub use fields::{Field, Kind, fields, syntax};
pub use layout::{NameLayout, embedded_names};
pub use print::print_rdata;
pub use read::{parse_rdata, read_period};
pub use wire::validate;
pub use words::{Word, Words, WordsError};

#[cfg(test)]
mod tests;
