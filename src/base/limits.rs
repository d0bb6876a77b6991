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

/// CNAME and DNAME steps followed in one answer; longer chains are answered as far as they went.
pub const ALIAS_STEPS_MAX: usize = 16;
/// Records a single answer may hold in its additional section.
pub const ADDITIONAL_NAMES_MAX: usize = 32;

/// Regions in one model: a region set is one `u128`.
pub const REGIONS_MAX: usize = 128;
/// Endpoints of one service in one region: a ring that small integers can index, far more than one answer can use.
pub const REGION_ENDPOINTS_MAX: usize = 4_096;
/// Addresses in one steered answer, DESIGN part 1.
pub const ANSWERS_MAX: usize = 8;
/// Buckets a region split is evaluated into at publish; a share is right to about 0.1 %.
pub const REGION_BUCKETS: usize = 1_024;

/// `$INCLUDE` nesting: deeper is a cycle in all but name.
pub const INCLUDE_DEPTH_MAX: usize = 16;
/// Records one `$GENERATE` line may make: a typo must not fill the memory.
pub const GENERATE_MAX: u64 = 1_048_576;
/// Findings kept in one report; the rest are counted. More than anyone reads, less than a broken 1 GB file makes.
pub const DIAGNOSTICS_MAX: usize = 1_000;
/// Bytes of a source line shown with a finding.
pub const EXCERPT_LEN_MAX: usize = 160;

const _: () = assert!(UDP_PAYLOAD_PLAIN <= UDP_PAYLOAD_DEFAULT && UDP_PAYLOAD_DEFAULT <= UDP_PAYLOAD_MAX);
const _: () = assert!(UDP_PAYLOAD_MAX <= MESSAGE_LEN_MAX);
const _: () = assert!(LABELS_MAX * 2 < NAME_LEN_MAX);
const _: () = assert!(REGIONS_MAX <= u128::BITS as usize);
