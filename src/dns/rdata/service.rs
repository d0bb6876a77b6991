//! Service parameters of SVCB and HTTPS, RFC 9460; `dohpath` RFC 9461, `ohttp` RFC 9540.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use crate::base::suggest::nearest;
use crate::dns::rdata::address;
use crate::dns::rdata::codec::{Base64Reader, write_base64};
use crate::dns::rdata::error::Problem;
use crate::dns::rdata::print::write_quoted;
use crate::dns::rdata::read::{Failure, number, unescape_into};
use crate::dns::rdata::words::{Word, Words};

const MANDATORY: u16 = 0;
const ALPN: u16 = 1;
const NO_DEFAULT_ALPN: u16 = 2;
const PORT: u16 = 3;
const IPV4_HINT: u16 = 4;
const ECH: u16 = 5;
const IPV6_HINT: u16 = 6;
const DOH_PATH: u16 = 7;
const OHTTP: u16 = 8;
/// Reserved as invalid, RFC 9460 §14.3.2.
const INVALID: u16 = 65_535;

const KEYS: [(&str, u16); 9] = [
    ("mandatory", MANDATORY),
    ("alpn", ALPN),
    ("no-default-alpn", NO_DEFAULT_ALPN),
    ("port", PORT),
    ("ipv4hint", IPV4_HINT),
    ("ech", ECH),
    ("ipv6hint", IPV6_HINT),
    ("dohpath", DOH_PATH),
    ("ohttp", OHTTP),
];

/// One parameter as read: its key, its value on the wire, and where it stands.
struct Parameter<'a> {
    key: u16,
    value: Vec<u8>,
    word: Word<'a>,
}

/// Reads parameters to the end of the entry; on the wire they are sorted by key (RFC 9460 §2.2).
pub(super) fn read_parameters(words: &mut Words<'_>, out: &mut Vec<u8>) -> Result<(), Failure> {
    let mut parameters: Vec<Parameter<'_>> = Vec::new();
    while let Some(word) = words.next_word().map_err(Failure::words)? {
        let parameter = read_parameter(word)?;
        if parameters.iter().any(|other| other.key == parameter.key) {
            return Err(Failure::invalid(&word, "the key stands here twice"));
        }
        parameters.push(parameter);
    }
    parameters.sort_unstable_by_key(|parameter| parameter.key);
    for Parameter { key, value, word } in &parameters {
        let has = |key: u16| parameters.binary_search_by_key(&key, |parameter| parameter.key).is_ok();
        if *key == MANDATORY && !pairs(value).all(has) {
            return Err(Failure::invalid(word, "a mandatory key is missing from the record"));
        }
        if *key == NO_DEFAULT_ALPN && !has(ALPN) {
            return Err(Failure::invalid(word, "`no-default-alpn` needs `alpn`"));
        }
        let len = u16::try_from(value.len()).map_err(|_| Failure { span: word.span(), problem: Problem::TooLong })?;
        out.extend_from_slice(&key.to_be_bytes());
        out.extend_from_slice(&len.to_be_bytes());
        out.extend_from_slice(value);
    }
    Ok(())
}

/// `key` or `key=value` or `key="value"`.
fn read_parameter(word: Word<'_>) -> Result<Parameter<'_>, Failure> {
    let fail = |reason| Failure::invalid(&word, reason);
    let (key_text, value_text) = match word.text.iter().position(|&b| b == b'=') {
        Some(at) => (&word.text[..at], Some(&word.text[at + 1..])),
        None => (word.text, None),
    };
    let key = key_number(key_text).ok_or_else(|| {
        let near = nearest(&String::from_utf8_lossy(key_text), KEYS.iter().map(|(name, _)| *name));
        Failure { span: word.at..word.at + key_text.len(), problem: Problem::Key(near) }
    })?;
    let raw = value_text.unwrap_or_default();
    let raw = raw.strip_prefix(b"\"").and_then(|raw| raw.strip_suffix(b"\"")).unwrap_or(raw);
    let mut text = Vec::with_capacity(raw.len());
    unescape_into(raw, &mut text)
        .ok_or_else(|| fail("a backslash is followed by a character or by three digits up to 255"))?;
    // RFC 9460 §2.1: `keyNNN` gives the value as it lies on the wire, also for a key that has a name.
    let value = if key_text.first_chunk() == Some(b"key") { Some(text) } else { encode(key, &text) };
    let value = value.filter(|value| is_valid(key, value)).ok_or_else(|| fail(expected(key)))?;
    Ok(Parameter { key, value, word })
}

/// The number of a key by name or as `key123`, without leading zeros.
fn key_number(text: &[u8]) -> Option<u16> {
    if let Some((_, key)) = KEYS.iter().find(|(name, _)| name.as_bytes() == text) {
        return Some(*key);
    }
    let digits = text.strip_prefix(b"key")?;
    if digits.len() > 1 && digits[0] == b'0' {
        return None;
    }
    number(digits, u64::from(INVALID - 1)).and_then(|key| u16::try_from(key).ok())
}

/// What the value of a key looks like.
const fn expected(key: u16) -> &'static str {
    match key {
        MANDATORY => "`mandatory` lists other keys between commas, each once",
        ALPN => "`alpn` lists protocols between commas, such as `h3,h2`",
        NO_DEFAULT_ALPN => "`no-default-alpn` has no value",
        PORT => "`port` is a number from 0 to 65535",
        IPV4_HINT => "`ipv4hint` lists IPv4 addresses between commas",
        ECH => "`ech` is base 64",
        IPV6_HINT => "`ipv6hint` lists IPv6 addresses between commas",
        DOH_PATH => "`dohpath` is a URI template that starts with `/` and has the variable `dns`",
        OHTTP => "`ohttp` has no value",
        _ => "the value is wrong",
    }
}

/// The wire form of a value, escapes resolved.
fn encode(key: u16, text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() + 1);
    match key {
        MANDATORY => {
            let mut keys = text.split(|&b| b == b',').map(key_number).collect::<Option<Vec<u16>>>()?;
            keys.sort_unstable();
            out.extend(keys.iter().flat_map(|key| key.to_be_bytes()));
        }
        ALPN => encode_list(text, &mut out)?,
        PORT => out.extend_from_slice(&u16::try_from(number(text, u64::from(u16::MAX))?).ok()?.to_be_bytes()),
        IPV4_HINT => {
            for item in text.split(|&b| b == b',') {
                out.extend_from_slice(&address::address::<Ipv4Addr>(item)?.octets());
            }
        }
        IPV6_HINT => {
            for item in text.split(|&b| b == b',') {
                out.extend_from_slice(&address::address::<Ipv6Addr>(item)?.octets());
            }
        }
        ECH => {
            let mut reader = Base64Reader::default();
            reader.read(text, &mut out)?;
            reader.finish()?;
        }
        _ => out.extend_from_slice(text),
    }
    Some(out)
}

/// RFC 9460 appendix A.1: items between commas, `\,` and `\\` inside them, each behind a length octet.
fn encode_list(text: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let mut item = Vec::new();
    let mut rest = text.iter();
    loop {
        let byte = rest.next();
        match byte {
            Some(b'\\') => item.push(*rest.next()?),
            None | Some(b',') => {
                out.push(u8::try_from(item.len()).ok()?);
                out.append(&mut item);
                if byte.is_none() {
                    return Some(());
                }
            }
            Some(&octet) => item.push(octet),
        }
    }
}

/// Octets of well-formed parameters that fill `rest`: keys ascend, values fit, `mandatory` and `no-default-alpn` hold.
pub(super) fn split_parameters(rest: &[u8]) -> Option<usize> {
    let mut at = 0;
    let mut last = None;
    let mut mandatory: &[u8] = &[];
    let (mut has_alpn, mut needs_alpn) = (false, false);
    let mut found = Vec::new();
    while at < rest.len() {
        let (key, value) = parameter(&rest[at..])?;
        if last >= Some(key) || !is_valid(key, value) {
            return None;
        }
        match key {
            MANDATORY => mandatory = value,
            ALPN => has_alpn = true,
            NO_DEFAULT_ALPN => needs_alpn = true,
            _ => {}
        }
        found.push(key);
        last = Some(key);
        at += 4 + value.len();
    }
    let complete = pairs(mandatory).all(|key| found.binary_search(&key).is_ok());
    (complete && (has_alpn || !needs_alpn)).then_some(at)
}

/// Key and value of the parameter at the start of `rest`.
fn parameter(rest: &[u8]) -> Option<(u16, &[u8])> {
    let (&[k1, k0, l1, l0], after) = rest.split_first_chunk()?;
    let value = after.get(..usize::from(u16::from_be_bytes([l1, l0])))?;
    Some((u16::from_be_bytes([k1, k0]), value))
}

/// Is this a value for that key (RFC 9460 §7, §8)?
fn is_valid(key: u16, value: &[u8]) -> bool {
    match key {
        MANDATORY => {
            let keys: Vec<u16> = pairs(value).collect();
            !keys.is_empty() && value.len().is_multiple_of(2) && keys[0] != MANDATORY && keys.is_sorted_by(|a, b| a < b)
        }
        ALPN => {
            let mut rest = value;
            while let Some((&len, after)) = rest.split_first() {
                match after.get(usize::from(len)..) {
                    Some(next) if len > 0 => rest = next,
                    _ => return false,
                }
            }
            !value.is_empty()
        }
        NO_DEFAULT_ALPN | OHTTP => value.is_empty(),
        PORT => value.len() == 2,
        IPV4_HINT => !value.is_empty() && value.len().is_multiple_of(4),
        IPV6_HINT => !value.is_empty() && value.len().is_multiple_of(16),
        ECH => !value.is_empty(),
        // RFC 9461 §5: a relative URI template in UTF-8, which has the variable "dns".
        DOH_PATH => {
            let text = std::str::from_utf8(value).unwrap_or_default();
            text.starts_with('/') && text.contains('{') && text.contains("dns")
        }
        _ => key != INVALID,
    }
}

fn pairs(value: &[u8]) -> impl Iterator<Item = u16> {
    value.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]))
}

/// Writes parameters in the order of the wire.
pub(super) fn print_parameters(data: &[u8], out: &mut impl fmt::Write) -> fmt::Result {
    let mut rest = data;
    let mut gap = "";
    while let Some((key, value)) = parameter(rest) {
        out.write_str(gap)?;
        print_key(key, out)?;
        if !value.is_empty() {
            out.write_char('=')?;
            print_value(key, value, out)?;
        }
        rest = &rest[4 + value.len()..];
        gap = " ";
    }
    Ok(())
}

fn print_key(key: u16, out: &mut impl fmt::Write) -> fmt::Result {
    match KEYS.get(usize::from(key)) {
        Some((name, _)) => out.write_str(name),
        None => write!(out, "key{key}"),
    }
}

fn print_value(key: u16, value: &[u8], out: &mut impl fmt::Write) -> fmt::Result {
    match key {
        MANDATORY => {
            for (i, key) in pairs(value).enumerate() {
                out.write_str(if i == 0 { "" } else { "," })?;
                print_key(key, out)?;
            }
            Ok(())
        }
        ALPN => print_list(value, out),
        PORT => pairs(value).try_for_each(|port| write!(out, "{port}")),
        IPV4_HINT => {
            let addresses = value.chunks_exact(4).filter_map(|chunk| chunk.first_chunk::<4>());
            for (i, &octets) in addresses.enumerate() {
                write!(out, "{}{}", if i == 0 { "" } else { "," }, Ipv4Addr::from(octets))?;
            }
            Ok(())
        }
        IPV6_HINT => {
            let addresses = value.chunks_exact(16).filter_map(|chunk| chunk.first_chunk::<16>());
            for (i, &octets) in addresses.enumerate() {
                write!(out, "{}{}", if i == 0 { "" } else { "," }, Ipv6Addr::from(octets))?;
            }
            Ok(())
        }
        ECH => write_base64(value, out),
        _ => write_quoted(value, out),
    }
}

fn print_list(value: &[u8], out: &mut impl fmt::Write) -> fmt::Result {
    let mut text = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some((&len, after)) = rest.split_first() {
        let (item, after) = after.split_at_checked(usize::from(len)).unwrap_or((after, &[]));
        if !text.is_empty() {
            text.push(b',');
        }
        for &octet in item {
            if matches!(octet, b',' | b'\\') {
                text.push(b'\\');
            }
            text.push(octet);
        }
        rest = after;
    }
    write_quoted(&text, out)
}
