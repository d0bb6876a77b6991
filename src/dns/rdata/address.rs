//! Fields that hold addresses in unusual dress: APL prefixes, IPSECKEY gateways, EUI and 64-bit locators.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::dns::name;
use crate::dns::rdata::codec::hex_value;
use crate::dns::rdata::error::Problem;
use crate::dns::rdata::mnemonic::read_algorithm;
use crate::dns::rdata::read::{Failure, number, read_name, word};
use crate::dns::rdata::words::Words;

/// Address of a word, if it is one of family `T`.
pub(super) fn address<T: std::str::FromStr>(text: &[u8]) -> Option<T> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// An IPv4 address, as `std` reads it: four numbers without leading zeros. Zone files are full of them, and this takes
/// a third of the time.
#[inline]
pub(super) fn ipv4(text: &[u8]) -> Option<[u8; 4]> {
    let mut octets = [0; 4];
    let mut index = 0;
    let (mut value, mut digits) = (0_u16, 0);
    for &byte in text {
        if byte == b'.' {
            *octets.get_mut(index)? = u8::try_from(value).ok().filter(|_| digits > 0)?;
            (index, value, digits) = (index + 1, 0, 0);
            continue;
        }
        let leading_zero = digits > 0 && value == 0;
        if !byte.is_ascii_digit() || leading_zero || digits == 3 {
            return None;
        }
        value = value * 10 + u16::from(byte - b'0');
        digits += 1;
    }
    octets[3] = u8::try_from(value).ok().filter(|_| digits > 0 && index == 3)?;
    Some(octets)
}

/// APL items to the end, RFC 3123 §5: `[!]family:address/length`.
pub(super) fn read_prefixes(words: &mut Words<'_>, out: &mut Vec<u8>) -> Result<(), Failure> {
    while let Some(word) = words.next_word().map_err(Failure::words)? {
        let (text, negated) = match word.text.strip_prefix(b"!") {
            Some(text) => (text, 0x80),
            None => (word.text, 0),
        };
        let parsed = std::str::from_utf8(text).ok().and_then(|text| {
            let (family, rest) = text.split_once(':')?;
            let (address, length) = rest.split_once('/')?;
            let length: u8 = number(length.as_bytes(), 128)?.try_into().ok()?;
            match (family, address.parse().ok()?) {
                ("1", IpAddr::V4(address)) if length <= 32 => Some((1, length, address.octets().to_vec())),
                ("2", IpAddr::V6(address)) => Some((2, length, address.octets().to_vec())),
                (_, IpAddr::V4(_) | IpAddr::V6(_)) => None,
            }
        });
        let (family, length, octets) = parsed
            .ok_or_else(|| Failure::invalid(&word, "not a prefix like `1:192.0.2.0/24` or `!2:2001:db8::/32`"))?;
        // RFC 3123 §4: trailing zero octets are left out.
        let used = octets.iter().rposition(|&octet| octet != 0).map_or(0, |last| last + 1);
        let used_octet = u8::try_from(used).unwrap_or(16);
        out.extend_from_slice(&[0, family, length, negated | used_octet]);
        out.extend_from_slice(&octets[..used]);
    }
    Ok(())
}

/// The APL item at the start of `rest`: family, prefix length, negation, the address as far as it is given.
fn prefix(rest: &[u8]) -> Option<(u8, u8, bool, &[u8])> {
    let (&[high, family, length, flags], after) = rest.split_first_chunk()?;
    let part = after.get(..usize::from(flags & 0x7f))?;
    let (length_max, part_max) = match family {
        1 => (32, 4),
        2 => (128, 16),
        _ => return None,
    };
    let valid = high == 0 && length <= length_max && part.len() <= part_max && part.last() != Some(&0);
    valid.then_some((family, length, flags & 0x80 != 0, part))
}

/// Octets of APL items that fill `rest`.
pub(super) fn split_prefixes(rest: &[u8]) -> Option<usize> {
    let mut at = 0;
    while at < rest.len() {
        at += 4 + prefix(&rest[at..])?.3.len();
    }
    Some(at)
}

/// Writes APL items.
pub(super) fn write_prefixes(data: &[u8], out: &mut impl fmt::Write) -> fmt::Result {
    let mut rest = data;
    let mut gap = "";
    while let Some((family, length, negated, part)) = prefix(rest) {
        let mut octets = [0; 16];
        octets[..part.len()].copy_from_slice(part);
        let [a, b, c, d, ..] = octets;
        write!(out, "{gap}{}{family}:", if negated { "!" } else { "" })?;
        match family {
            1 => write!(out, "{}/{length}", Ipv4Addr::new(a, b, c, d))?,
            _ => write!(out, "{}/{length}", Ipv6Addr::from(octets))?,
        }
        rest = &rest[4 + part.len()..];
        gap = " ";
    }
    Ok(())
}

/// IPSECKEY gateway type, algorithm and gateway, RFC 4025 §3.1.
pub(super) fn read_gateway(words: &mut Words<'_>, origin: Option<&[u8]>, out: &mut Vec<u8>) -> Result<(), Failure> {
    let kind = word(words)?;
    let Some(number @ 0..=3) = number(kind.text, 3) else {
        return Err(Failure { span: kind.span(), problem: Problem::Number(3) });
    };
    out.push(u8::try_from(number).unwrap_or_default());
    read_algorithm(words, out)?;
    let gateway = word(words)?;
    match number {
        0 if gateway.text == b"." => {}
        0 => return Err(Failure::invalid(&gateway, "without a gateway (type 0) this is a dot")),
        1 => {
            let address: Ipv4Addr =
                address(gateway.text).ok_or_else(|| Failure::invalid(&gateway, "not an IPv4 address (type 1)"))?;
            out.extend_from_slice(&address.octets());
        }
        2 => {
            let address: Ipv6Addr =
                address(gateway.text).ok_or_else(|| Failure::invalid(&gateway, "not an IPv6 address (type 2)"))?;
            out.extend_from_slice(&address.octets());
        }
        _ => read_name(&gateway, origin, out)?,
    }
    Ok(())
}

/// Octets of a gateway at the start of `rest`.
pub(super) fn split_gateway(rest: &[u8]) -> Option<usize> {
    let (&[kind, _], gateway) = rest.split_first_chunk()?;
    let len = match kind {
        0 => 0,
        1 => 4,
        2 => 16,
        3 => name::wire_len(gateway).ok()?,
        _ => return None,
    };
    (gateway.len() >= len).then_some(2 + len)
}

/// Writes a gateway.
pub(super) fn write_gateway(data: &[u8], out: &mut impl fmt::Write) -> fmt::Result {
    let Some((&[kind, algorithm], gateway)) = data.split_first_chunk() else {
        return Ok(());
    };
    write!(out, "{kind} {algorithm} ")?;
    match (kind, gateway.first_chunk::<4>(), gateway.first_chunk::<16>()) {
        (1, Some(&octets), _) => write!(out, "{}", Ipv4Addr::from(octets)),
        (2, _, Some(&octets)) => write!(out, "{}", Ipv6Addr::from(octets)),
        (3, ..) => name::write_wire_name(out, gateway),
        _ => out.write_char('.'),
    }
}

/// `count` octets as pairs of hexadecimal digits between hyphens; `None` if it is none.
pub(super) fn read_eui(text: &[u8], count: u8, out: &mut Vec<u8>) -> Option<()> {
    let mut found = 0;
    for pair in text.split(|&b| b == b'-') {
        let &[high, low] = pair else { return None };
        out.push(hex_value(high)? << 4 | hex_value(low)?);
        found += 1;
    }
    (found == usize::from(count)).then_some(())
}

/// Writes octets as lower case pairs between hyphens.
pub(super) fn write_eui(octets: &[u8], out: &mut impl fmt::Write) -> fmt::Result {
    for (i, octet) in octets.iter().enumerate() {
        write!(out, "{}{octet:02x}", if i == 0 { "" } else { "-" })?;
    }
    Ok(())
}

/// Four groups of one to four hexadecimal digits between colons; `None` if it is none.
pub(super) fn read_locator(text: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let mut found = 0;
    for group in text.split(|&b| b == b':') {
        if group.is_empty() || group.len() > 4 {
            return None;
        }
        let value = group.iter().try_fold(0_u16, |sum, &digit| Some(sum << 4 | u16::from(hex_value(digit)?)))?;
        out.extend_from_slice(&value.to_be_bytes());
        found += 1;
    }
    (found == 4).then_some(())
}

/// Writes four groups of hexadecimal digits.
pub(super) fn write_locator(octets: &[u8], out: &mut impl fmt::Write) -> fmt::Result {
    for (i, pair) in octets.chunks(2).enumerate() {
        let value = pair.iter().fold(0_u16, |sum, &octet| sum << 8 | u16::from(octet));
        write!(out, "{}{value:x}", if i == 0 { "" } else { ":" })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ipv4_as_std_reads_it() {
        for text in [
            "0.0.0.0",
            "255.255.255.255",
            "1.2.3.4",
            "256.1.1.1",
            "1.2.3",
            "1.2.3.",
            ".1.2.3",
            "1..2.3",
            "1.2.3.4.",
            "1.2.3.4.5",
            "01.2.3.4",
            "00.2.3.4",
            "1.2.3.0004",
            "",
            "....",
            "a.b.c.d",
            "1.2.3.4 ",
            "999.1.1.1",
        ] {
            assert_eq!(ipv4(text.as_bytes()), address::<Ipv4Addr>(text.as_bytes()).map(|a| a.octets()), "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_000) })]

        #[test]
        fn any_ipv4_as_std_reads_it(text in "([0-9]{0,4}[.]?){0,6}") {
            prop_assert_eq!(ipv4(text.as_bytes()), address::<Ipv4Addr>(text.as_bytes()).map(|a| a.octets()));
        }
    }
}
