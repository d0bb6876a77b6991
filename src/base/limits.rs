//! Every limit, with its reason. Relations between them are asserted at compile time.

/// Octets of a domain name in wire form, RFC 1035 §2.3.4.
pub const NAME_LEN_MAX: usize = 255;
/// Octets of one label, RFC 1035 §2.3.4.
pub const LABEL_LEN_MAX: usize = 63;
/// Labels of a name, the root's empty one not counted: 127 labels of one octet fill 254 octets, the root ends them.
pub const LABELS_MAX: usize = 127;

/// A DNS message over TCP, RFC 1035 §4.2.2: the length prefix has two octets.
pub const MESSAGE_LEN_MAX: usize = 65_535;
/// Octets of one record's data: its length field has two octets, RFC 1035 §3.2.1.
pub const RDATA_LEN_MAX: usize = 65_535;
/// What any client may be sent over UDP without EDNS, RFC 1035 §4.2.1.
pub const UDP_PAYLOAD_PLAIN: usize = 512;
/// What we offer and send over UDP unless told otherwise: DNS flag day 2020, no fragments on any common path.
pub const UDP_PAYLOAD_DEFAULT: usize = 1_232;
/// The largest UDP payload an operator may set; RFC 6891 §6.2.5 recommends no more.
pub const UDP_PAYLOAD_MAX: usize = 4_096;

/// CNAMEs in one answer, those made by DNAMEs counted; longer chains are answered as far as they went.
pub const ALIAS_STEPS_MAX: usize = 16;
/// Records a single answer may hold in its additional section.
pub const ADDITIONAL_NAMES_MAX: usize = 32;

/// Regions in one model: a region set is one `u128`.
pub const REGIONS_MAX: usize = 128;
/// Endpoints of one service in one region: a ring that small integers can index, far more than one answer can use.
pub const REGION_ENDPOINTS_MAX: usize = 4_096;
/// Addresses in one steered answer: more would not fit 512 octets beside IPv6 for every name.
pub const ANSWERS_MAX: usize = 8;
/// Buckets a region split is evaluated into at publish; a share is right to about 0.1 %.
pub const REGION_BUCKETS: usize = 1_024;

/// Regions of one set up to which every order of them is told apart; 8! orders are far more than the earth has places
/// for, but with more regions the orders of the far ones would cut the address space into crumbs.
pub const REGIONS_ORDERED_MAX: usize = 8;
/// Tiers of a client class that are exact where a set has more regions; the rest follows from the first of them.
pub const TIERS_EXACT: usize = 4;
/// Seconds after which a location database is called old: within a year several percent of all networks move.
pub const DATABASE_AGE_MAX_S: u64 = 366 * 86_400;

/// `$INCLUDE` nesting: deeper is a cycle in all but name.
pub const INCLUDE_DEPTH_MAX: usize = 16;
/// Records one `$GENERATE` line may make: a typo must not fill the memory.
pub const GENERATE_MAX: u64 = 1_048_576;
/// Findings kept in one report; the rest are counted. More than anyone reads, less than a broken 1 GB file makes.
pub const DIAGNOSTICS_MAX: usize = 1_000;
/// Bytes of a source line shown with a finding.
pub const EXCERPT_LEN_MAX: usize = 160;

/// Octets of one UDP query taken; longer ones are dropped and counted. Real queries are below 300, padded ones below 600.
pub const UDP_QUERY_LEN_MAX: usize = 2_048;
/// Bytes asked of the kernel for one UDP socket's receive queue: about 20 ms of a flood of 300,000 queries a second,
/// each charged some 700 bytes.
pub const UDP_RECEIVE_BUFFER: usize = 4 << 20;
/// Milliseconds after which an idle UDP thread looks up: for a newer snapshot to hold and for the end of service.
pub const UDP_IDLE_MS: u64 = 200;
/// Milliseconds a UDP thread goes on answering what is queued once the end of service has begun.
pub const UDP_DRAIN_MS: u64 = 1_000;

/// Bytes read from a stream at once; a connection holds none of it between reads.
pub const STREAM_READ_LEN: usize = 16 << 10;
/// Bytes of answers written to a stream at once: the least that always takes one whole answer after another.
pub const STREAM_WRITE_LEN: usize = 2 * (2 + MESSAGE_LEN_MAX);
/// Milliseconds between two looks at the timeouts of all connections of a thread.
pub const STREAM_TICK_MS: u64 = 100;
/// Milliseconds a connection must have been silent before another may take its place when all places are taken.
pub const STREAM_IDLE_EVICT_MS: u64 = 1_000;
/// Connections the kernel keeps waiting for one listener; `net.core.somaxconn` may lower it.
pub const STREAM_BACKLOG: i32 = 4_096;
/// Milliseconds open connections are given to take their answers once the end of service has begun.
pub const STREAM_DRAIN_MS: u64 = 5_000;
/// Leading bits of a client's address that count as one client, IPv4.
pub const CLIENT_PREFIX_V4: u8 = 32;
/// Leading bits of a client's address that count as one client, IPv6: what one site is given (RFC 6177).
pub const CLIENT_PREFIX_V6: u8 = 56;

/// Connections to the admin listener at one time: people and a scraper, never a crowd.
pub const ADMIN_CONNECTIONS_MAX: usize = 64;
/// Events waiting for the publisher; senders wait, nothing is dropped.
pub const EVENTS_MAX: usize = 256;
/// Reload requests waiting for the loader; one load answers all that wait, so a full queue means somebody loops.
pub const RELOADS_MAX: usize = 64;
/// Milliseconds between two publications, the first one after a pause excepted.
pub const PUBLISH_INTERVAL_MS: u64 = 10;
/// Milliseconds after which the publisher looks again whether retired snapshots are still held.
pub const RETIRED_POLL_MS: u64 = 100;
/// Zones with metrics of their own; with more of them only the totals are shown.
pub const ZONE_SERIES_MAX: usize = 1_000;
/// Times a zone file is read again because it changed while it was read.
pub const READ_ATTEMPTS_MAX: usize = 3;
/// Milliseconds within which a file's time of change proves nothing: a second write may bear the same time.
pub const FRESH_FILE_MS: u64 = 2_000;
/// A reload that takes away more than one zone in this many is refused unless forced.
pub const REMOVED_SHARE: usize = 2;
/// Findings of one reload returned over the admin interface; the log has all of them.
pub const FINDINGS_SHOWN_MAX: usize = 100;

const _: () = assert!(UDP_PAYLOAD_PLAIN <= UDP_PAYLOAD_DEFAULT && UDP_PAYLOAD_DEFAULT <= UDP_PAYLOAD_MAX);
const _: () = assert!(UDP_PAYLOAD_MAX <= MESSAGE_LEN_MAX);
const _: () = assert!(LABELS_MAX * 2 < NAME_LEN_MAX);
const _: () = assert!(REGIONS_MAX <= u128::BITS as usize);
const _: () = assert!(UDP_QUERY_LEN_MAX >= UDP_PAYLOAD_DEFAULT);
const _: () = assert!(STREAM_WRITE_LEN >= 2 + MESSAGE_LEN_MAX);
