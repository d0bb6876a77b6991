//! Numbers that have names in text: DNSSEC algorithms and certificate types.

use crate::dns::rdata::read::{Failure, number, one};
use crate::dns::rdata::words::Words;

/// A DNSSEC algorithm, RFC 4034 appendix A.1 and the IANA registry.
pub(super) fn read_algorithm(words: &mut Words<'_>, out: &mut Vec<u8>) -> Result<(), Failure> {
    const MNEMONICS: [(&[u8], u8); 16] = [
        (b"RSAMD5", 1),
        (b"DH", 2),
        (b"DSA", 3),
        (b"RSASHA1", 5),
        (b"DSA-NSEC3-SHA1", 6),
        (b"RSASHA1-NSEC3-SHA1", 7),
        (b"NSEC3RSASHA1", 7),
        (b"RSASHA256", 8),
        (b"RSASHA512", 10),
        (b"ECC-GOST", 12),
        (b"ECDSAP256SHA256", 13),
        (b"ECDSAP384SHA384", 14),
        (b"ED25519", 15),
        (b"ED448", 16),
        (b"PRIVATEDNS", 253),
        (b"PRIVATEOID", 254),
    ];
    let read = |text: &[u8]| {
        let known = MNEMONICS.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
        known.map(|&(_, value)| value).or_else(|| u8::try_from(number(text, u64::from(u8::MAX))?).ok())
    };
    out.push(one(words, read, "neither a number from 0 to 255 nor a DNSSEC algorithm")?);
    Ok(())
}

/// RFC 4398 §2.1.
pub(super) fn certificate_type(text: &[u8]) -> Option<u16> {
    const MNEMONICS: [(&[u8], u16); 10] = [
        (b"PKIX", 1),
        (b"SPKI", 2),
        (b"PGP", 3),
        (b"IPKIX", 4),
        (b"ISPKI", 5),
        (b"IPGP", 6),
        (b"ACPKIX", 7),
        (b"IACPKIX", 8),
        (b"URI", 253),
        (b"OID", 254),
    ];
    let known = MNEMONICS.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
    known.map(|&(_, value)| value).or_else(|| u16::try_from(number(text, u64::from(u16::MAX))?).ok())
}
