//! What is asked and which answer is right: names that carry their address in them, so that every answer can be
//! checked without a list. One zone, `example.com.`, as `make-zone` writes it.

use std::net::Ipv4Addr;

/// The zone, in wire form.
pub const ZONE: &[u8] = b"\x07example\x03com\x00";
/// The TTL of every address, seconds.
pub const TTL: u32 = 300;
/// The SOA's own TTL, seconds: longer than [`NEGATIVE_TTL`], so that RFC 2308 §5 decides.
pub const SOA_TTL: u32 = 3_600;
/// The SOA's MINIMUM, seconds; with it the TTL of the SOA in a negative answer.
pub const NEGATIVE_TTL: u32 = 60;
/// Generations that an address can tell apart (20 bits below 172.16.0.0/12).
pub const GENERATIONS_MAX: u32 = 1 << 20;
/// Names that an address can tell apart (24 bits below 10.0.0.0/8), and that seven digits can write.
pub const HOSTS_MAX: u32 = 10_000_000;
/// The longest query we write: header, 15 octets of label, zone, type and class, OPT with a client subnet.
pub const QUERY_LEN_MAX: usize = 12 + 16 + ZONE.len() + 4 + 11 + 12;
/// The payload size offered by EDNS.
const PAYLOAD: u16 = 1_232;

/// A name in the zone, or one that is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// `h0000000` and on: its address is 10.0.0.0 plus the number.
    Host(u32),
    /// `c0000000` and on: its address is 172.16.0.0 plus the zone's generation.
    Churned(u32),
    /// `marker`: its address is 172.16.0.0 plus the zone's generation.
    Marker,
    /// A label drawn from a random number, of a kind that the zone does not hold.
    Absent(u64),
}

/// One question: a name, and the client subnet that goes with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    /// The name asked.
    pub owner: Owner,
    /// The client's /24 as its upper 24 bits, if one is sent (RFC 7871).
    pub subnet: Option<u32>,
    /// The site that a steered name must answer this client with, from 1; `None`: any.
    pub site: Option<u8>,
}

impl Owner {
    /// Writes the label with its length octet; returns the octets written (at most 16).
    pub fn write(self, out: &mut [u8]) -> usize {
        match self {
            Self::Host(number) => write_numbered(b'h', number, out),
            Self::Churned(number) => write_numbered(b'c', number, out),
            Self::Marker => {
                out[..7].copy_from_slice(b"\x06marker");
                7
            }
            Self::Absent(random) => write_random(random, out),
        }
    }

    /// The label as text.
    pub fn text(self) -> String {
        let mut out = [0; 16];
        let length = self.write(&mut out);
        String::from_utf8_lossy(&out[1..length]).into_owned()
    }
}

/// The address of host `number`.
pub fn host_address(number: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(0x0a00_0000 | number)
}

/// The address of steered host `number` at a site: on loopback, so that health checks reach it.
pub fn site_address(site: u8, number: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(0x7f00_0000 | u32::from(site) << 16 | (number & 0xffff))
}

/// The address that says the zone's generation.
pub fn generation_address(generation: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(0xac10_0000 | (generation % GENERATIONS_MAX))
}

/// The generation an address says; `None` if it says none.
pub fn generation_of(address: Ipv4Addr) -> Option<u32> {
    let bits = address.to_bits();
    (bits >> 20 == 0xac1).then_some(bits & (GENERATIONS_MAX - 1))
}

/// Writes questions of type A.
#[derive(Clone, Copy, Debug)]
pub struct Writer {
    /// Add an OPT record (RFC 6891); a client subnet needs one.
    pub edns: bool,
}

impl Writer {
    /// Writes the query into `out`, which has room for [`QUERY_LEN_MAX`]; returns its length.
    pub fn write(self, id: u16, question: &Question, out: &mut [u8]) -> usize {
        let additional = u8::from(self.edns || question.subnet.is_some());
        out[..2].copy_from_slice(&id.to_be_bytes());
        out[2..12].copy_from_slice(&[0, 0, 0, 1, 0, 0, 0, 0, 0, additional]);
        let end = 12 + write_question(question.owner, &mut out[12..]);
        if additional == 0 { end } else { end + write_opt(question.subnet, &mut out[end..]) }
    }
}

/// Writes the question section; returns its length.
pub fn write_question(owner: Owner, out: &mut [u8]) -> usize {
    let label = owner.write(out);
    let name = label + ZONE.len();
    out[label..name].copy_from_slice(ZONE);
    out[name..name + 4].copy_from_slice(&[0, 1, 0, 1]);
    name + 4
}

/// Writes the OPT record, with a client subnet if there is one; returns its length.
fn write_opt(subnet: Option<u32>, out: &mut [u8]) -> usize {
    let [high, low] = PAYLOAD.to_be_bytes();
    out[..11].copy_from_slice(&[0, 0, 41, high, low, 0, 0, 0, 0, 0, 0]);
    let Some(subnet) = subnet else { return 11 };
    let [a, b, c, _] = subnet.to_be_bytes();
    out[10] = 11;
    out[11..22].copy_from_slice(&[0, 8, 0, 7, 0, 1, 24, 0, a, b, c]);
    22
}

/// `letter` and seven digits.
fn write_numbered(letter: u8, number: u32, out: &mut [u8]) -> usize {
    out[0] = 8;
    out[1] = letter;
    let mut rest = number;
    for digit in out[2..9].iter_mut().rev() {
        *digit = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
    }
    9
}

/// `x` and 13 letters or digits that say the 64 bits of `random`.
fn write_random(random: u64, out: &mut [u8]) -> usize {
    const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    out[0] = 14;
    out[1] = b'x';
    let mut rest = random;
    for letter in &mut out[2..15] {
        *letter = ALPHABET[(rest & 31) as usize];
        rest >>= 5;
    }
    15
}
