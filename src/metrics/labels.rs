//! The values of labels: enums, never what a client sends.

use crate::answer::Silence;
use crate::dns::RecordType;

/// An enum of label values: its variants, their texts, and a count.
macro_rules! label {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[$variant_doc])* $variant,)* }

        impl $name {
            /// All values, in order.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The value of the label.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// The place among [`Self::ALL`].
            #[must_use]
            pub const fn index(self) -> usize {
                self as usize
            }
        }
    };
}

label! {
    /// Label `transport`.
    TransportLabel {
        /// Datagrams.
        Udp "udp",
        /// Streams.
        Tcp "tcp",
    }
}

label! {
    /// Label `reason` of dropped packets.
    DropReason {
        /// Shorter than a header.
        Short "short",
        /// A response, not a query.
        Response "response",
        /// There was no room for any answer.
        NoRoom "no-room",
        /// Longer than any query we take.
        Oversized "oversized",
        /// From port 0, to which nothing can be sent.
        PortZero "port-zero",
        /// The kernel refused to send the answer.
        SendFailed "send-failed",
        /// The kernel had no room to keep the query.
        ReceiveOverflow "receive-overflow",
    }
}

impl From<Silence> for DropReason {
    fn from(silence: Silence) -> Self {
        match silence {
            Silence::Short => Self::Short,
            Silence::Response => Self::Response,
            Silence::NoRoom => Self::NoRoom,
        }
    }
}

label! {
    /// Label `reason` of closed TCP connections.
    CloseReason {
        /// The client closed it, or the network broke.
        Client "client",
        /// Silent for too long between queries.
        Idle "idle",
        /// A query came too slowly.
        SlowQuery "slow-query",
        /// Answers were taken too slowly.
        SlowReader "slow-reader",
        /// What came was no DNS query.
        Garbage "garbage",
        /// Gave its place to a new one because all were taken.
        Evicted "evicted",
        /// Not accepted: all places were taken and all were busy.
        Full "full",
        /// Not accepted: the client had all the connections it may have.
        ClientFull "client-full",
        /// The server ended.
        Shutdown "shutdown",
    }
}

label! {
    /// Label `result` of reloads.
    ReloadResult {
        /// Everything was read and taken.
        Ok "ok",
        /// Taken, but at least one zone kept its last version or answers SERVFAIL.
        Partial "partial",
        /// Nothing was taken.
        Refused "refused",
    }
}

/// Label `qtype`: the types that are asked for; all others count as `other`.
const QTYPES: [(&str, RecordType); 24] = [
    ("A", RecordType::A),
    ("AAAA", RecordType::AAAA),
    ("ANY", RecordType::ANY),
    ("AXFR", RecordType::AXFR),
    ("CAA", RecordType::CAA),
    ("CDS", RecordType::CDS),
    ("CNAME", RecordType::CNAME),
    ("DNAME", RecordType::DNAME),
    ("DNSKEY", RecordType::DNSKEY),
    ("DS", RecordType::DS),
    ("HTTPS", RecordType::HTTPS),
    ("IXFR", RecordType::IXFR),
    ("MX", RecordType::MX),
    ("NAPTR", RecordType::NAPTR),
    ("NS", RecordType::NS),
    ("NSEC", RecordType::NSEC),
    ("PTR", RecordType::PTR),
    ("RRSIG", RecordType::RRSIG),
    ("SOA", RecordType::SOA),
    ("SRV", RecordType::SRV),
    ("SSHFP", RecordType::SSHFP),
    ("SVCB", RecordType::SVCB),
    ("TLSA", RecordType::TLSA),
    ("TXT", RecordType::TXT),
];
/// Values of label `qtype`.
pub const QTYPE_COUNT: usize = QTYPES.len() + 2;
#[expect(clippy::cast_possible_truncation, reason = "a handful")]
const QTYPE_OTHER: u8 = QTYPES.len() as u8;
const QTYPE_NONE: u8 = QTYPE_OTHER + 1;

/// One look instead of a search: a query is counted in a few nanoseconds.
#[expect(clippy::cast_possible_truncation, reason = "places among a handful")]
static QTYPE_INDEX: [u8; 260] = {
    let mut index = [QTYPE_OTHER; 260];
    let mut at = 0;
    while at < QTYPES.len() {
        index[QTYPES[at].1.0 as usize] = at as u8;
        at += 1;
    }
    index
};

/// The place of a query type among the values of label `qtype`.
#[inline]
#[must_use]
pub fn qtype_index(qtype: Option<RecordType>) -> usize {
    usize::from(qtype.map_or(QTYPE_NONE, |qtype| *QTYPE_INDEX.get(usize::from(qtype.0)).unwrap_or(&QTYPE_OTHER)))
}

pub(super) fn qtype_text(index: usize) -> &'static str {
    match QTYPES.get(index) {
        Some((text, _)) => text,
        None if index == usize::from(QTYPE_NONE) => "none",
        None => "other",
    }
}

/// Label `rcode`, by number; the last one stands for all others.
const RCODES: [(&str, u16); 10] = [
    ("NOERROR", 0),
    ("FORMERR", 1),
    ("SERVFAIL", 2),
    ("NXDOMAIN", 3),
    ("NOTIMP", 4),
    ("REFUSED", 5),
    ("YXDOMAIN", 6),
    ("NOTAUTH", 9),
    ("BADVERS", 16),
    ("BADCOOKIE", 23),
];
/// Values of label `rcode`.
pub const RCODE_COUNT: usize = RCODES.len() + 1;

/// The value of label `rcode` at a place.
#[must_use]
pub fn rcode_text(index: usize) -> &'static str {
    RCODES.get(index).map_or("other", |(text, _)| text)
}

#[expect(clippy::cast_possible_truncation, reason = "places among a handful")]
static RCODE_INDEX: [u8; 24] = {
    let mut index = [RCODES.len() as u8; 24];
    let mut at = 0;
    while at < RCODES.len() {
        index[RCODES[at].1 as usize] = at as u8;
        at += 1;
    }
    index
};

/// The place of a response code among the values of label `rcode`.
#[inline]
#[must_use]
pub fn rcode_index(rcode: u16) -> usize {
    RCODE_INDEX.get(usize::from(rcode)).map_or(RCODES.len(), |&index| usize::from(index))
}
