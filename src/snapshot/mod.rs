//! What one answer is computed from: immutable, one generation, one cell that holds it.
//!
//! A query reads one [`Snapshot`], loaded once. Only the publisher stores one; publishing never blocks a query.

pub mod cells;
pub mod rings;
pub mod steering;

mod prepared;
pub mod shares;
pub mod link;
pub mod published;

use std::sync::Arc;
use std::time::Duration;

use crate::base::hash::HashKey;
use crate::base::limits::UDP_PAYLOAD_DEFAULT;
use crate::zone::ZoneSet;

pub use cells::{Cells, Row};
pub use link::{Linked, link};
pub use prepared::Prepared;
pub use published::{Published, View};
pub use shares::Shares;
pub use steering::{Asker, Decision, Outcome, Steering};

/// Everything one answer is computed from.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Counts publications, from 1.
    pub generation: u64,
    /// The key of the table hash.
    pub key: HashKey,
    /// The zones served, with the steered names in them.
    pub zones: Arc<ZoneSet>,
    /// What the steered names are answered from.
    pub steering: Arc<Steering>,
    /// What the server says about itself, and its own bounds.
    pub options: Arc<Options>,
}

/// What the server says about itself, and its own bounds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The largest UDP answer, and what EDNS offers; octets, 512 to 4096.
    pub udp_payload: u16,
    /// NSID (RFC 5001), at most 255 octets; empty: not sent.
    pub nsid: Vec<u8>,
    /// The answer to CH TXT `version.bind` and `version.server`, at most 255 octets; `None`: refused.
    pub version: Option<String>,
    /// The answer to CH TXT `id.server` and `hostname.bind` (RFC 4892), at most 255 octets; `None`: refused.
    pub id: Option<String>,
    /// The idle time-out announced to TCP clients that ask (RFC 7828).
    pub keepalive: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            udp_payload: u16::try_from(UDP_PAYLOAD_DEFAULT).unwrap_or(u16::MAX),
            nsid: Vec::new(),
            version: None,
            id: None,
            keepalive: Duration::from_secs(30),
        }
    }
}
