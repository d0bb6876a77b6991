//! LOC, RFC 1876: a place on Earth. Angles are thousandths of a second of arc, lengths centimetres.

use std::fmt;

use crate::dns::rdata::error::Problem;
use crate::dns::rdata::read::{Failure, word};
use crate::dns::rdata::words::{Word, Words};

/// Angles count from the equator and the prime meridian at 2^31.
const ANGLE_ORIGIN: u32 = 1 << 31;
const DEGREE: u32 = 3_600_000;
/// Altitudes count from 100 km below the reference spheroid.
const ALTITUDE_ORIGIN: u64 = 10_000_000;
/// Octets of the data.
const LEN: usize = 16;

/// Reads the whole data.
pub(super) fn read_location(words: &mut Words<'_>, out: &mut Vec<u8>) -> Result<(), Failure> {
    let latitude = read_angle(words, b'N', b'S', 90)?;
    let longitude = read_angle(words, b'E', b'W', 180)?;
    let altitude = read_altitude(word(words)?)?;
    // RFC 1876 §3: 1 m, 10 km, 10 m unless given.
    let mut sizes = [0x12, 0x16, 0x13];
    for size in &mut sizes {
        match words.next_word().map_err(Failure::words)? {
            Some(word) => *size = read_size(word)?,
            None => break,
        }
    }
    out.push(0);
    out.extend_from_slice(&sizes);
    for value in [latitude, longitude, altitude] {
        out.extend_from_slice(&value.to_be_bytes());
    }
    Ok(())
}

/// Degrees, minutes if given, seconds if given, and the letter of the hemisphere.
fn read_angle(words: &mut Words<'_>, positive: u8, negative: u8, degrees_max: u32) -> Result<u32, Failure> {
    let first = word(words)?;
    let degrees = decimal(first.text, 0).and_then(|value| u32::try_from(value).ok()).filter(|&d| d <= degrees_max);
    let mut angle =
        degrees.ok_or_else(|| Failure::invalid(&first, "not whole degrees of latitude or longitude"))? * DEGREE;
    for (scale, places, max, name) in [
        (60_000, 0, 59, "neither minutes from 0 to 59 nor the letter of a hemisphere"),
        (1, 3, 59_999, "neither seconds below 60 nor the letter of a hemisphere"),
        (0, 0, 0, "not the letter of a hemisphere"),
    ] {
        let next = word(words)?;
        let letter = match next.text {
            [letter] => letter.to_ascii_uppercase(),
            _ => 0,
        };
        if letter == positive || letter == negative {
            if angle > degrees_max * DEGREE {
                return Err(Failure::invalid(&next, "the angle is too large"));
            }
            return Ok(if letter == positive { ANGLE_ORIGIN + angle } else { ANGLE_ORIGIN - angle });
        }
        let value = decimal(next.text, places).and_then(|value| u32::try_from(value).ok());
        let value = value.filter(|&value| scale > 0 && value <= max).ok_or_else(|| Failure::invalid(&next, name))?;
        angle += value * scale;
    }
    Err(Failure { span: words.at()..words.at(), problem: Problem::Missing })
}

fn read_altitude(word: Word<'_>) -> Result<u32, Failure> {
    let (text, below) = match word.text.strip_prefix(b"-") {
        Some(text) => (text, true),
        None => (word.text, false),
    };
    let value = meters(text).and_then(|value| {
        let value = if below { ALTITUDE_ORIGIN.checked_sub(value)? } else { ALTITUDE_ORIGIN.checked_add(value)? };
        u32::try_from(value).ok()
    });
    value.ok_or_else(|| Failure::invalid(&word, "not an altitude from -100000.00m to 42849672.95m"))
}

fn read_size(word: Word<'_>) -> Result<u8, Failure> {
    let size = meters(word.text).and_then(|mut value| {
        let mut exponent = 0;
        while value >= 10 {
            value /= 10;
            exponent += 1;
        }
        (exponent <= 9).then_some(u8::try_from(value).ok()? << 4 | exponent)
    });
    size.ok_or_else(|| Failure::invalid(&word, "not a length from 0 to 90000000.00m"))
}

/// Centimetres from `12`, `12.5` or `12.50m`.
fn meters(text: &[u8]) -> Option<u64> {
    decimal(text.strip_suffix(b"m").unwrap_or(text), 2)
}

/// A decimal number times 10 to the power of `places`.
fn decimal(text: &[u8], places: usize) -> Option<u64> {
    let point = text.iter().position(|&b| b == b'.');
    let (whole, fraction) = match point {
        Some(at) => (&text[..at], &text[at + 1..]),
        None => (text, &b""[..]),
    };
    let bad_point = point.is_some() && fraction.is_empty();
    if whole.is_empty() || bad_point || fraction.len() > places || whole.len() > 10 {
        return None;
    }
    let padding = std::iter::repeat_n(&b'0', places - fraction.len());
    whole
        .iter()
        .chain(fraction)
        .chain(padding)
        .try_fold(0_u64, |sum, digit| digit.is_ascii_digit().then(|| sum * 10 + u64::from(digit - b'0')))
}

/// Octets of the data at the start of `rest`, if they are a place.
pub(super) fn split_location(rest: &[u8]) -> Option<usize> {
    let data = rest.get(..LEN)?;
    let sizes_valid = data[1..4].iter().all(|size| size >> 4 <= 9 && size & 15 <= 9);
    let within = |at: usize, degrees: u32| be32(data, at).abs_diff(ANGLE_ORIGIN) <= degrees * DEGREE;
    (data[0] == 0 && sizes_valid && within(4, 90) && within(8, 180)).then_some(LEN)
}

/// False for sizes whose text would be read back as another octet: nothing times a power of ten.
pub(super) fn has_text(data: &[u8]) -> bool {
    data.get(1..4).is_some_and(|sizes| sizes.iter().all(|&size| size == 0 || size >> 4 != 0))
}

/// Writes the whole data.
pub(super) fn write_location(data: &[u8], out: &mut impl fmt::Write) -> fmt::Result {
    for (at, positive, negative) in [(4, 'N', 'S'), (8, 'E', 'W')] {
        let value = be32(data, at);
        let angle = value.abs_diff(ANGLE_ORIGIN);
        let (degrees, minutes, rest) = (angle / DEGREE, angle / 60_000 % 60, angle % 60_000);
        let letter = if value >= ANGLE_ORIGIN { positive } else { negative };
        write!(out, "{degrees} {minutes} {}.{:03} {letter} ", rest / 1000, rest % 1000)?;
    }
    let altitude = u64::from(be32(data, 12));
    let sign = if altitude < ALTITUDE_ORIGIN { "-" } else { "" };
    let distance = altitude.abs_diff(ALTITUDE_ORIGIN);
    write!(out, "{sign}{}.{:02}m", distance / 100, distance % 100)?;
    for size in data.get(1..4).unwrap_or_default() {
        let value = u64::from(size >> 4) * 10_u64.pow(u32::from(size & 15));
        write!(out, " {}.{:02}m", value / 100, value % 100)?;
    }
    Ok(())
}

fn be32(data: &[u8], at: usize) -> u32 {
    data.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |octets| u32::from_be_bytes(*octets))
}
