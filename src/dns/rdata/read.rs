//! Record data from text to wire.

use std::net::Ipv6Addr;
use std::ops::Range;

use crate::base::limits::RDATA_LEN_MAX;
use crate::dns::name::{self, NameError};
use crate::dns::rdata::codec::{Base64Reader, HexReader, read_base32};
use crate::dns::rdata::error::{Malformed, Problem, RdataError};
use crate::dns::rdata::fields::{Field, Kind, fields};
use crate::dns::rdata::mnemonic::{certificate_type, read_algorithm};
use crate::dns::rdata::words::{Word, Words, WordsError};
use crate::dns::rdata::{address, location, service, time, wire};
use crate::dns::rtype::RecordType;

/// Reads the data of one record up to the end of its entry and appends it to `out`, uncompressed. Relative names
/// count from `origin` (wire form). On an error `out` may be left with partial data.
///
/// # Errors
/// If the words are no data of that type, with the place of the first mistake.
pub fn parse_rdata(
    rtype: RecordType,
    words: &mut Words<'_>,
    origin: Option<&[u8]>,
    out: &mut Vec<u8>,
) -> Result<(), RdataError> {
    let start = out.len();
    let before = words.clone();
    let begun = words.at();
    if let Ok(Some(Word { text: br"\#", quoted: false, .. })) = words.next_word() {
        return read_generic(rtype, words, out);
    }
    *words = before.clone();
    let Some(fields) = fields(rtype) else {
        let failure = match word(words) {
            Ok(word) => Failure { span: word.span(), problem: Problem::GenericOnly },
            Err(failure) => failure,
        };
        return Err(failure.in_field("data"));
    };
    for Field { name, kind } in fields {
        read_field(*kind, words, origin, out).map_err(|failure| failure.in_field(name))?;
    }
    end(words)?;
    if out.len() - start > RDATA_LEN_MAX {
        return Err(RdataError { span: begun..words.at(), field: "data", problem: Problem::TooLong });
    }
    wire::check_digest(rtype, &out[start..]).map_err(|Malformed { field }| RdataError {
        span: last_word(&before, words.at()),
        field,
        problem: Problem::Invalid("the digest has not the length its algorithm makes"),
    })
}

/// Seconds: a number, or numbers with units that add up, such as `1h30m` (`w d h m s` in any case).
///
/// # Errors
/// If it is neither, or more than 32 bits hold.
pub fn read_period(text: &[u8]) -> Result<u32, Problem> {
    const WRONG: Problem = Problem::Invalid("neither seconds nor a period like `1h30m`");
    let (mut total, mut value, mut digits, mut units) = (0_u64, 0_u64, false, false);
    for &byte in text {
        if byte.is_ascii_digit() {
            value = value.saturating_mul(10).saturating_add(u64::from(byte - b'0'));
            digits = true;
            continue;
        }
        let unit = match byte.to_ascii_lowercase() {
            b's' => 1,
            b'm' => 60,
            b'h' => 3_600,
            b'd' => 86_400,
            b'w' => 604_800,
            _ => return Err(WRONG),
        };
        if !digits {
            return Err(WRONG);
        }
        total = total.saturating_add(value.saturating_mul(unit));
        (value, digits, units) = (0, false, true);
    }
    if !(digits || units) || (digits && units) {
        return Err(WRONG);
    }
    u32::try_from(total.saturating_add(value)).map_err(|_| Problem::Invalid("more than 4294967295 seconds"))
}

/// A mistake in a field whose name the caller knows.
pub(super) struct Failure {
    pub(super) span: Range<usize>,
    pub(super) problem: Problem,
}

impl Failure {
    pub(super) fn invalid(word: &Word<'_>, reason: &'static str) -> Self {
        Self { span: word.span(), problem: Problem::Invalid(reason) }
    }

    pub(super) fn words(error: WordsError) -> Self {
        let span = match &error {
            WordsError::UnclosedQuote(span) => span.clone(),
            &(WordsError::UnclosedParenthesis(at) | WordsError::StrayParenthesis(at) | WordsError::StrayQuote(at)) => {
                at..at + 1
            }
        };
        Self { span, problem: Problem::Words(error) }
    }

    fn in_field(self, field: &'static str) -> RdataError {
        RdataError { span: self.span, field, problem: self.problem }
    }
}

/// The next word, which must be there.
#[inline]
pub(super) fn word<'a>(words: &mut Words<'a>) -> Result<Word<'a>, Failure> {
    match words.next_word() {
        Ok(Some(word)) => Ok(word),
        Ok(None) => Err(Failure { span: words.at()..words.at(), problem: Problem::Missing }),
        Err(error) => Err(Failure::words(error)),
    }
}

fn read_field(kind: Kind, words: &mut Words<'_>, origin: Option<&[u8]>, out: &mut Vec<u8>) -> Result<(), Failure> {
    match kind {
        Kind::Ipv4 => out.extend_from_slice(&one(words, address::ipv4, "not an IPv4 address")?),
        Kind::Name => read_name(&word(words)?, origin, out)?,
        Kind::U8 => out.extend_from_slice(&read_number(&word(words)?, u64::from(u8::MAX))?.to_be_bytes()[7..]),
        Kind::U16 => out.extend_from_slice(&read_number(&word(words)?, u64::from(u16::MAX))?.to_be_bytes()[6..]),
        Kind::U32 => out.extend_from_slice(&read_number(&word(words)?, u64::from(u32::MAX))?.to_be_bytes()[4..]),
        Kind::Period => {
            let word = word(words)?;
            let period = read_period(word.text).map_err(|problem| Failure { span: word.span(), problem })?;
            out.extend_from_slice(&period.to_be_bytes());
        }
        Kind::Time => {
            let time = one(words, time::read_time, "neither a date `YYYYMMDDHHmmSS` nor seconds since 1970")?;
            out.extend_from_slice(&time.to_be_bytes());
        }
        Kind::Type => {
            let rtype = one(words, RecordType::from_text, "not a record type")?;
            out.extend_from_slice(&rtype.0.to_be_bytes());
        }
        Kind::Algorithm => read_algorithm(words, out)?,
        Kind::CertificateType => {
            let found = one(words, certificate_type, "neither a number from 0 to 65535 nor a certificate type")?;
            out.extend_from_slice(&found.to_be_bytes());
        }
        Kind::Ipv6 => out.extend_from_slice(&one::<Ipv6Addr>(words, address::address, "not an IPv6 address")?.octets()),
        Kind::Locator64 => {
            one(words, |text| address::read_locator(text, out), "not four groups like `14:4fff:ff20:ee64`")?
        }
        Kind::Eui(count) => {
            let reason = if count == 6 {
                "not six octets like `00-00-5e-00-53-2a`"
            } else {
                "not eight octets like `00-00-5e-ef-10-00-00-2a`"
            };
            one(words, |text| address::read_eui(text, count, out), reason)?;
        }
        Kind::Text => read_text(&word(words)?, out)?,
        Kind::OptionalText => next(words)?.map_or(Ok(()), |word| read_text(&word, out))?,
        Kind::Texts => {
            read_text(&word(words)?, out)?;
            while let Some(word) = next(words)? {
                read_text(&word, out)?;
            }
        }
        Kind::Tag => one(words, |text| read_tag(text, out), "a tag has letters and digits only, such as `issue`")?,
        Kind::Value => unescape_word(&word(words)?, out)?,
        Kind::Target => {
            let word = word(words)?;
            if word.text.is_empty() {
                return Err(Failure::invalid(&word, "the target is empty"));
            }
            unescape_word(&word, out)?;
        }
        Kind::Hex => read_hex(words, out)?,
        Kind::Base64 => read_base64(words, false, out)?,
        Kind::OptionalBase64 => read_base64(words, true, out)?,
        Kind::Salt => one(words, |text| read_salt(text, out), "neither `-` nor up to 255 octets in hexadecimal")?,
        Kind::Hash => one(words, |text| read_hash(text, out), "not a hash in base 32 (extended hex alphabet)")?,
        Kind::Bitmap => read_bitmap(words, out)?,
        Kind::ServiceParameters => service::read_parameters(words, out)?,
        Kind::Prefixes => address::read_prefixes(words, out)?,
        Kind::Location => location::read_location(words, out)?,
        Kind::Gateway => address::read_gateway(words, origin, out)?,
        Kind::HostIdentity => read_host_identity(words, origin, out)?,
    }
    Ok(())
}

/// The next word through `read`; a failure with `reason` if that gives `None`.
pub(super) fn one<T>(
    words: &mut Words<'_>,
    read: impl FnOnce(&[u8]) -> Option<T>,
    reason: &'static str,
) -> Result<T, Failure> {
    let word = word(words)?;
    read(word.text).ok_or_else(|| Failure::invalid(&word, reason))
}

/// The next word, if there is one.
fn next<'a>(words: &mut Words<'a>) -> Result<Option<Word<'a>>, Failure> {
    words.next_word().map_err(Failure::words)
}

/// A domain name.
#[inline]
pub(super) fn read_name(word: &Word<'_>, origin: Option<&[u8]>, out: &mut Vec<u8>) -> Result<(), Failure> {
    name::parse_into(word.text, origin, out)
        .map_err(|error: NameError| Failure { span: word.span(), problem: error.into() })
}

fn read_number(word: &Word<'_>, max: u64) -> Result<u64, Failure> {
    number(word.text, max).ok_or_else(|| Failure { span: word.span(), problem: Problem::Number(max) })
}

/// A decimal number of at most `max`.
#[inline]
pub(super) fn number(text: &[u8], max: u64) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0_u64, |sum, &digit| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        sum.checked_mul(10)?.checked_add(digit).filter(|&sum| sum <= max)
    })
}

/// A character string behind its length octet.
fn read_text(word: &Word<'_>, out: &mut Vec<u8>) -> Result<(), Failure> {
    let length_at = out.len();
    out.push(0);
    unescape_word(word, out)?;
    let len = u8::try_from(out.len() - length_at - 1)
        .map_err(|_| Failure::invalid(word, "a string has at most 255 octets: write several strings"))?;
    out[length_at] = len;
    Ok(())
}

/// A CAA tag behind its length octet.
fn read_tag(text: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let len = u8::try_from(text.len()).ok().filter(|&len| len > 0 && text.iter().all(u8::is_ascii_alphanumeric))?;
    out.push(len);
    out.extend_from_slice(text);
    Some(())
}

/// The octets of a word, escapes resolved.
pub(super) fn unescape_word(word: &Word<'_>, out: &mut Vec<u8>) -> Result<(), Failure> {
    unescape_into(word.text, out).ok_or_else(|| Failure { span: word.span(), problem: NameError::BadEscape.into() })
}

/// The octets of a text, escapes resolved; `None` at a bad one.
pub(super) fn unescape_into(text: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let mut rest = text;
    while let Some(at) = rest.iter().position(|&b| b == b'\\') {
        out.extend_from_slice(&rest[..at]);
        let (octet, used) = name::unescape(&rest[at + 1..])?;
        out.push(octet);
        rest = &rest[at + 1 + used..];
    }
    out.extend_from_slice(rest);
    Some(())
}

fn read_hex(words: &mut Words<'_>, out: &mut Vec<u8>) -> Result<(), Failure> {
    let mut reader = HexReader::default();
    let mut last = word(words)?;
    loop {
        reader.read(last.text, out).ok_or_else(|| Failure::invalid(&last, "not hexadecimal digits"))?;
        match next(words)? {
            Some(word) => last = word,
            None => break,
        }
    }
    reader.finish().ok_or_else(|| Failure::invalid(&last, "the last octet is half: one hexadecimal digit is missing"))
}

fn read_base64(words: &mut Words<'_>, optional: bool, out: &mut Vec<u8>) -> Result<(), Failure> {
    let mut last = match next(words)? {
        Some(word) => word,
        None if optional => return Ok(()),
        None => return Err(Failure { span: words.at()..words.at(), problem: Problem::Missing }),
    };
    let mut reader = Base64Reader::default();
    loop {
        reader.read(last.text, out).ok_or_else(|| Failure::invalid(&last, "not base 64"))?;
        match next(words)? {
            Some(word) => last = word,
            None => break,
        }
    }
    reader.finish().ok_or_else(|| Failure::invalid(&last, "not base 64: the text is cut off (`=` pads it)"))
}

fn read_salt(text: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let length_at = out.len();
    out.push(0);
    if text != b"-" {
        let mut reader = HexReader::default();
        reader.read(text, out)?;
        reader.finish()?;
    }
    out[length_at] = u8::try_from(out.len() - length_at - 1).ok()?;
    Some(())
}

fn read_hash(text: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let length_at = out.len();
    out.push(0);
    read_base32(text, out)?;
    out[length_at] = u8::try_from(out.len() - length_at - 1).ok().filter(|&len| len > 0)?;
    Some(())
}

/// RFC 4034 §4.1.2: 256 windows of 256 bits, those without a bit left out.
fn read_bitmap(words: &mut Words<'_>, out: &mut Vec<u8>) -> Result<(), Failure> {
    let mut types = Vec::new();
    while let Some(word) = next(words)? {
        let rtype = RecordType::from_text(word.text).ok_or_else(|| Failure::invalid(&word, "not a record type"))?;
        types.push(rtype.0.to_be_bytes());
    }
    types.sort_unstable();
    for window in types.chunk_by(|[a, _], [b, _]| a == b) {
        let mut bits = [0_u8; 32];
        let mut used = 0;
        for &[_, low] in window {
            bits[usize::from(low / 8)] |= 0x80 >> (low % 8);
            used = low / 8 + 1;
        }
        out.extend_from_slice(&[window[0][0], used]);
        out.extend_from_slice(&bits[..usize::from(used)]);
    }
    Ok(())
}

/// RFC 8005 §6: `algorithm hit public-key [server …]`.
fn read_host_identity(words: &mut Words<'_>, origin: Option<&[u8]>, out: &mut Vec<u8>) -> Result<(), Failure> {
    let start = out.len();
    out.push(0);
    read_algorithm(words, out)?;
    out.extend_from_slice(&[0, 0]);
    let tag = word(words)?;
    let mut reader = HexReader::default();
    let read = reader.read(tag.text, out).and_then(|()| reader.finish());
    let tag_len = u8::try_from(out.len() - start - 4).ok().filter(|&len| len > 0 && read.is_some());
    out[start] = tag_len.ok_or_else(|| Failure::invalid(&tag, "not 1 to 255 octets in hexadecimal"))?;
    let key = word(words)?;
    let key_at = out.len();
    let mut reader = Base64Reader::default();
    let read = reader.read(key.text, out).and_then(|()| reader.finish());
    let key_len = u16::try_from(out.len() - key_at).ok().filter(|&len| len > 0 && read.is_some());
    let key_len = key_len.ok_or_else(|| Failure::invalid(&key, "not a key in base 64, in one word"))?;
    out[start + 2..start + 4].copy_from_slice(&key_len.to_be_bytes());
    while let Some(server) = next(words)? {
        read_name(&server, origin, out)?;
    }
    Ok(())
}

/// RFC 3597 §5, after `\#`.
fn read_generic(rtype: RecordType, words: &mut Words<'_>, out: &mut Vec<u8>) -> Result<(), RdataError> {
    let start = out.len();
    let len_word = word(words).map_err(|failure| failure.in_field("length"))?;
    let said = read_number(&len_word, u64::from(u16::MAX)).map_err(|failure| failure.in_field("length"))?;
    let said = usize::try_from(said).unwrap_or(usize::MAX);
    let before = words.clone();
    if said > 0 {
        read_hex(words, out).map_err(|failure| failure.in_field("data"))?;
    }
    end(words)?;
    let found = out.len() - start;
    let problem = if found != said {
        Problem::Length { said, found }
    } else {
        match wire::validate(rtype, &out[start..]) {
            Ok(()) => return Ok(()),
            Err(malformed) => malformed.into(),
        }
    };
    let span = if said > 0 { last_word(&before, words.at()) } else { len_word.span() };
    Err(RdataError { span, field: "data", problem })
}

/// Nothing may follow.
#[inline]
fn end(words: &mut Words<'_>) -> Result<(), RdataError> {
    match words.next_word() {
        Ok(None) => Ok(()),
        Ok(Some(word)) => Err(RdataError { span: word.span(), field: "end", problem: Problem::Extra }),
        Err(error) => Err(Failure::words(error).in_field("end")),
    }
}

/// Where the last word from `words` on stands, or the end of the entry.
fn last_word(words: &Words<'_>, end: usize) -> Range<usize> {
    let mut words = words.clone();
    let mut span = end..end;
    while let Ok(Some(word)) = words.next_word() {
        span = word.span();
    }
    span
}
