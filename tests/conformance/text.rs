//! Names and record data from the text of the rows to wire form.
//!
//! Written for the tests alone: what a row says must not pass through the code that is tested.

use meridian::dns::RecordType;

/// The number of a type's mnemonic.
pub(crate) fn rtype(text: &str) -> Result<u16, String> {
    RecordType::from_text(text.as_bytes()).map(|found| found.0).ok_or_else(|| format!("unknown type {text}"))
}

/// A fully qualified name.
pub(crate) fn name(text: &str) -> Result<Vec<u8>, String> {
    if text == "." {
        return Ok(vec![0]);
    }
    let (mut wire, mut label) = (Vec::new(), Vec::new());
    for (octet, escaped) in unescape(text)? {
        if octet != b'.' || escaped {
            label.push(octet);
            continue;
        }
        if !(1..=63).contains(&label.len()) {
            return Err(format!("bad label in {text}"));
        }
        wire.extend(counted(std::mem::take(&mut label))?);
    }
    if !label.is_empty() || wire.len() > 254 {
        return Err(format!("{text} does not end in a dot or is too long"));
    }
    wire.push(0);
    Ok(wire)
}

/// Fields set apart by white space; quotes hold a field together and are taken off.
pub(crate) fn fields(text: &str) -> Result<Vec<String>, String> {
    let (mut found, mut rest) = (Vec::new(), text.trim_start());
    while !rest.is_empty() {
        let (field, after) = match rest.strip_prefix('"') {
            Some(quoted) => {
                let end = closing_quote(quoted).ok_or("a quote is not closed")?;
                (&quoted[..end], &quoted[end + 1..])
            }
            None => rest.split_at(rest.find(char::is_whitespace).unwrap_or(rest.len())),
        };
        found.push(field.to_owned());
        rest = after.trim_start();
    }
    Ok(found)
}

/// Octets of hexadecimal text; white space may stand between.
pub(crate) fn hex(text: &str) -> Result<Vec<u8>, String> {
    let digits: Vec<u8> = text.bytes().filter(|octet| !octet.is_ascii_whitespace()).collect();
    if !digits.len().is_multiple_of(2) {
        return Err("an odd number of hexadecimal digits".to_owned());
    }
    let octet = |pair: &[u8]| std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok());
    digits.chunks(2).map(octet).collect::<Option<_>>().ok_or_else(|| format!("not hexadecimal: {text}"))
}

/// Wire form of record data; every name in it fully qualified. Types not listed are written `\# LENGTH HEX`.
pub(crate) fn rdata(rtype: u16, fields: &[String]) -> Result<Vec<u8>, String> {
    let at = |index: usize| fields.get(index).map(String::as_str).ok_or("a field is missing");
    let mut wire = Vec::new();
    if at(0) == Ok("\\#") {
        let octets = hex(&fields[2..].concat())?;
        return if octets.len().to_string() == at(1)? { Ok(octets) } else { Err("\\# length".to_owned()) };
    }
    match RecordType(rtype) {
        RecordType::A => wire.extend(parse::<std::net::Ipv4Addr>(at(0)?)?.octets()),
        RecordType::AAAA => wire.extend(parse::<std::net::Ipv6Addr>(at(0)?)?.octets()),
        RecordType::NS | RecordType::CNAME | RecordType::PTR | RecordType::DNAME => wire = name(at(0)?)?,
        RecordType::SOA => {
            wire = [name(at(0)?)?, name(at(1)?)?].concat();
            for index in 2..7 {
                wire.extend(parse::<u32>(at(index)?)?.to_be_bytes());
            }
        }
        RecordType::MX => {
            wire.extend(parse::<u16>(at(0)?)?.to_be_bytes());
            wire.extend(name(at(1)?)?);
        }
        RecordType::SRV => {
            for index in 0..3 {
                wire.extend(parse::<u16>(at(index)?)?.to_be_bytes());
            }
            wire.extend(name(at(3)?)?);
        }
        RecordType::TXT | RecordType::SPF | RecordType::HINFO => {
            for field in fields {
                wire.extend(counted(octets(field)?)?);
            }
        }
        RecordType::CAA => {
            wire.push(parse(at(0)?)?);
            wire.extend(counted(octets(at(1)?)?)?);
            wire.extend(octets(at(2)?)?);
        }
        RecordType::DS => {
            wire = numbers_16_8_8(fields)?;
            wire.extend(hex(&fields[3..].concat())?);
        }
        RecordType::DNSKEY => {
            wire = numbers_16_8_8(fields)?;
            wire.extend(base(&fields[3..].concat(), BASE64, 6)?);
        }
        RecordType::RRSIG => wire = rrsig(fields)?,
        RecordType::NSEC => {
            wire = name(at(0)?)?;
            wire.extend(type_bitmap(&fields[1..])?);
        }
        RecordType::NSEC3 | RecordType::NSEC3PARAM => {
            wire.extend([parse::<u8>(at(0)?)?, parse::<u8>(at(1)?)?]);
            wire.extend(parse::<u16>(at(2)?)?.to_be_bytes());
            wire.extend(counted(if at(3)? == "-" { Vec::new() } else { hex(at(3)?)? })?);
            if rtype == RecordType::NSEC3.0 {
                wire.extend(counted(base(&at(4)?.to_ascii_uppercase(), BASE32HEX, 5)?)?);
                wire.extend(type_bitmap(&fields[5..])?);
            }
        }
        other => return Err(format!("write {other} data as \\# LENGTH HEX")),
    }
    Ok(wire)
}

/// Where a quoted text ends: the first quote that no backslash escapes.
fn closing_quote(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.find(|letter| {
        let found = letter == '"' && !escaped;
        escaped = letter == '\\' && !escaped;
        found
    })
}

/// Octets with RFC 1035 §5.1 escapes resolved, each with whether it was escaped.
fn unescape(text: &str) -> Result<Vec<(u8, bool)>, String> {
    let (mut found, mut rest) = (Vec::new(), text.as_bytes());
    while let [first, after @ ..] = rest {
        rest = after;
        if *first != b'\\' {
            found.push((*first, false));
            continue;
        }
        let decimal = after.get(..3).filter(|three| three.iter().all(u8::is_ascii_digit));
        let taken = match (decimal, after.first()) {
            (Some(three), _) => {
                found.push((parse(std::str::from_utf8(three).unwrap_or_default())?, true));
                3
            }
            (None, Some(octet)) => {
                found.push((*octet, true));
                1
            }
            (None, None) => return Err("a backslash at the end".to_owned()),
        };
        rest = &after[taken..];
    }
    Ok(found)
}

/// A length in two octets.
pub(crate) fn length16(length: usize) -> [u8; 2] {
    u16::try_from(length).expect("what a row spells out fits a message").to_be_bytes()
}

fn octets(text: &str) -> Result<Vec<u8>, String> {
    Ok(unescape(text)?.into_iter().map(|(octet, _)| octet).collect())
}

/// With the length before it, in one octet.
fn counted(mut octets: Vec<u8>) -> Result<Vec<u8>, String> {
    octets.insert(0, u8::try_from(octets.len()).map_err(|_| "longer than 255 octets")?);
    Ok(octets)
}

fn parse<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("cannot read {text}"))
}

/// The head that DS and DNSKEY share.
fn numbers_16_8_8(fields: &[String]) -> Result<Vec<u8>, String> {
    let [first, second, third, ..] = fields else { return Err("fields are missing".to_owned()) };
    let head = parse::<u16>(first)?.to_be_bytes();
    Ok(vec![head[0], head[1], parse(second)?, parse(third)?])
}

/// RFC 4034 §3.2.
fn rrsig(fields: &[String]) -> Result<Vec<u8>, String> {
    let [covered, algorithm, labels, ttl, expires, begins, tag, signer, signature @ ..] = fields else {
        return Err("fields of the RRSIG are missing".to_owned());
    };
    let mut wire = rtype(covered)?.to_be_bytes().to_vec();
    wire.extend([parse::<u8>(algorithm)?, parse::<u8>(labels)?]);
    for value in [parse(ttl)?, seconds(expires)?, seconds(begins)?] {
        wire.extend(value.to_be_bytes());
    }
    wire.extend(parse::<u16>(tag)?.to_be_bytes());
    wire.extend(name(signer)?);
    wire.extend(base(&signature.concat(), BASE64, 6)?);
    Ok(wire)
}

/// Seconds since 1970 of `YYYYMMDDHHmmSS`, RFC 4034 §3.2.
fn seconds(text: &str) -> Result<u32, String> {
    let part = |from: usize, to: usize| parse::<u32>(text.get(from..to).unwrap_or_default());
    let (year, month, day) = (part(0, 4)?, part(4, 6)?, part(6, 8)?);
    let leap = |year: u32| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let lengths = [31, if leap(year) { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let days = (1970..year).map(|year| if leap(year) { 366 } else { 365 }).sum::<u32>()
        + lengths.iter().take(month as usize - 1).sum::<u32>()
        + day
        - 1;
    Ok(days * 86_400 + part(8, 10)? * 3_600 + part(10, 12)? * 60 + part(12, 14)?)
}

/// RFC 4034 §4.1.2.
fn type_bitmap(names: &[String]) -> Result<Vec<u8>, String> {
    let mut windows = std::collections::BTreeMap::<u8, [u8; 32]>::new();
    for text in names {
        let [window, low] = rtype(text)?.to_be_bytes();
        windows.entry(window).or_default()[usize::from(low >> 3)] |= 0x80 >> (low & 7);
    }
    let mut wire = Vec::new();
    for (window, bits) in windows {
        let used = 32 - bits.iter().rev().take_while(|octet| **octet == 0).count();
        wire.push(window);
        wire.extend(counted(bits[..used].to_vec())?);
    }
    Ok(wire)
}

const BASE64: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const BASE32HEX: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUV";

/// Octets of text in one of the bases of RFC 4648, `bits` to a letter.
fn base(text: &str, alphabet: &[u8], bits: u32) -> Result<Vec<u8>, String> {
    let (mut wire, mut held, mut count) = (Vec::new(), 0_usize, 0);
    for letter in text.bytes().filter(|letter| *letter != b'=') {
        let value =
            alphabet.iter().position(|known| *known == letter).ok_or_else(|| format!("bad letter in {text}"))?;
        held = held << bits | value;
        count += bits;
        if count >= 8 {
            count -= 8;
            wire.extend(u8::try_from(held >> count));
            held &= (1 << count) - 1;
        }
    }
    Ok(wire)
}
