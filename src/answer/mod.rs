//! From a packet to its answer: read, find the zone, look up, write.
//!
//! [`respond`] is the single entry of every transport, of `explain` and of the tests. It cannot fail: every packet has
//! an answer (REFUSED and FORMERR are answers) or is met with silence. It does no I/O, takes no lock and reads no clock;
//! all that it changes is the caller's [`Lane`].
//!
//! | RFC | where |
//! |---|---|
//! | 1034 §4.3.2, 6604, 6672, 8482 | `resolve` |
//! | 2308 §3, 2782, 9460 §4.1, 9471 | `sections` |
//! | 4035 §3.1, 5155 §7.2 | `denial` |
//! | 2181 §9, 4343, 6891, 8914 | `message` |
//! | 4892 | `chaos` |
//! | 7871 | `steered`, `message` |
//! | 9460 §2.4.3 (hints) | `steered` |

pub mod chaos;
pub mod denial;
pub mod absolute;
mod demand;
pub mod counts;
pub mod lane;
pub mod message;
pub mod resolve;
pub mod sections;
pub mod steered;
pub mod trace;
pub mod explain;
mod explanation;
mod ways;

use std::net::IpAddr;

use crate::dns::RecordType;
use crate::dns::rtype::Class;
use crate::policy::Reason;
use crate::snapshot::Snapshot;
use crate::wire::query::Reading;
use crate::wire::rcode;
use crate::zone::Served;

pub use counts::Counts;
pub use demand::{Demand, Demanded};
pub use lane::{BATCH, Lane, Slot};
pub use trace::{Made, NoTrace, Trace};
pub use ways::{EvidenceView, WayView, group_text};

use message::Message;

/// How a query came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// A datagram: the answer is bound by the payload size both sides allow.
    Udp,
    /// A stream: the answer has up to 65,535 octets.
    Tcp,
}

/// Who asks, and how.
#[derive(Clone, Copy, Debug)]
pub struct Client {
    /// The address the query came from; IPv4-mapped addresses folded to IPv4.
    pub address: IpAddr,
    /// How it came.
    pub transport: Transport,
}

/// Why a packet got no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Silence {
    /// Shorter than a header.
    Short,
    /// A response: answering it could go on for ever.
    Response,
    /// The caller's buffer cannot even hold a header and the question.
    NoRoom,
}

/// What became of a packet.
#[derive(Clone, Copy, Debug)]
pub struct Reply {
    /// Octets of the answer; 0 for silence.
    pub len: usize,
    /// What it was, for those who count.
    pub outcome: Outcome,
}

/// What those who count need to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// There is an answer.
    Answered {
        /// The response code with its EDNS bits, 0 to 4095.
        rcode: u16,
        /// The type asked for; `None` where no question could be read.
        qtype: Option<RecordType>,
        /// TC is set.
        truncated: bool,
        /// Why the first steered name of the answer got what it got; `None` if nothing was steered.
        steered: Option<Reason>,
    },
    /// There is none.
    Silent(Silence),
}

/// Answers one packet into `out`.
#[inline]
pub fn respond(snapshot: &Snapshot, lane: &mut Lane, packet: &[u8], client: Client, out: &mut [u8]) -> Reply {
    read(snapshot, lane, 0, packet);
    answer(snapshot, lane, 0, packet, client, out)
}

/// [`respond`], watched.
pub fn respond_traced(
    snapshot: &Snapshot,
    lane: &mut Lane,
    packet: &[u8],
    client: Client,
    out: &mut [u8],
    trace: &mut impl Trace,
) -> Reply {
    read(snapshot, lane, 0, packet);
    answer_traced(snapshot, lane, 0, packet, client, out, trace)
}

/// Reads packet number `slot` (below [`BATCH`]) of a batch, and has the memory fetched where its answer will be looked up.
#[inline]
pub fn read(snapshot: &Snapshot, lane: &mut Lane, slot: usize, packet: &[u8]) {
    let Some(Slot { query, zone, generation }) = lane.slot_mut(slot) else { return };
    query.fill(snapshot.key, packet);
    if query.reading == Reading::Query {
        (*zone, *generation) = (snapshot.zones.find_index(&query.name, query.name.labels()), snapshot.generation);
        if let Some(Served::Zone(zone)) = zone.and_then(|index| snapshot.zones.at(index)) {
            zone.prefetch_slot(&query.name);
        }
    }
}

/// Has the node fetched that packet number `slot` asks for; between [`read`] of the whole batch and [`answer`].
#[inline]
pub fn locate(snapshot: &Snapshot, lane: &mut Lane, slot: usize) {
    let Some(slot) = lane.slot_mut(slot) else { return };
    if slot.query.reading == Reading::Query
        && let Some(Served::Zone(zone)) = slot.served(snapshot)
    {
        zone.prefetch_node(&slot.query.name);
    }
}

/// Answers packet number `slot`, which [`read`] has read, into `out`.
pub fn answer(
    snapshot: &Snapshot,
    lane: &mut Lane,
    slot: usize,
    packet: &[u8],
    client: Client,
    out: &mut [u8],
) -> Reply {
    answer_traced(snapshot, lane, slot, packet, client, out, &mut NoTrace)
}

fn answer_traced(
    snapshot: &Snapshot,
    lane: &mut Lane,
    slot: usize,
    packet: &[u8],
    client: Client,
    out: &mut [u8],
    trace: &mut impl Trace,
) -> Reply {
    lane.fit(snapshot.steering.cursors());
    let Some((slot, scratch, targets)) = lane.split(slot) else { return silent(Silence::NoRoom) };
    let query = &slot.query;
    let code = match query.reading {
        Reading::Short => return silent(Silence::Short),
        Reading::Response => return silent(Silence::Response),
        Reading::Reject(code) => Some(code),
        Reading::Query => None,
    };
    let Some(mut message) = Message::begin(snapshot, query, packet, client.transport, out, targets) else {
        return silent(Silence::NoRoom);
    };
    match (code, query.qclass) {
        (Some(code), _) => message.reject(code, None),
        (None, Class::IN | Class::ANY) => resolve::resolve(snapshot, slot, client, scratch, &mut message, trace),
        (None, Class::CH) => chaos::answer(&snapshot.options, query, &mut message),
        (None, _) => message.reject(rcode::REFUSED, None),
    }
    message.finish()
}

const fn silent(silence: Silence) -> Reply {
    Reply { len: 0, outcome: Outcome::Silent(silence) }
}
