//! Bytes ↔ values: headers, questions, EDNS, names with their hashes, and the message writer with name compression.
//!
//! Nothing here allocates, and nothing here can panic, whatever the bytes.
//!
//! | RFC | what |
//! |---|---|
//! | 1035 §4.1 | header, question, compression |
//! | 6891 | EDNS(0) |
//! | 5001, 7828, 8914 | NSID, TCP keepalive, extended errors |
//! | 8906, 9619 | what is answered to which malformed query |

pub mod edns;
pub mod folded;
pub mod query;
pub mod writer;

pub use edns::Edns;
pub use folded::FoldedName;
pub use query::{Query, Reading};
pub use writer::Writer;

/// Response codes, RFC 1035 §4.1.1, RFC 2136 §2.2, RFC 6891 §9.
pub mod rcode {
    /// No error.
    pub const NOERROR: u16 = 0;
    /// The query is malformed.
    pub const FORMERR: u16 = 1;
    /// We should answer and cannot.
    pub const SERVFAIL: u16 = 2;
    /// The name does not exist.
    pub const NXDOMAIN: u16 = 3;
    /// This kind of query is not supported.
    pub const NOTIMP: u16 = 4;
    /// We do not answer this.
    pub const REFUSED: u16 = 5;
    /// A name that a DNAME leads to is too long, RFC 6672 §2.2.
    pub const YXDOMAIN: u16 = 6;
    /// The EDNS version is not supported.
    pub const BADVERS: u16 = 16;
}

/// Big-endian 16 bits at `at`; 0 past the end.
#[inline]
#[must_use]
pub fn u16_at(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..).and_then(|rest| rest.first_chunk::<2>()).map_or(0, |chunk| u16::from_be_bytes(*chunk))
}

/// Big-endian 32 bits at `at`; 0 past the end.
#[inline]
#[must_use]
pub fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(|rest| rest.first_chunk::<4>()).map_or(0, |chunk| u32::from_be_bytes(*chunk))
}
