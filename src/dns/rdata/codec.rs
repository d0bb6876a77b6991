//! Base 16, 32 and 64 of RFC 4648, read and written piece by piece: a value may be spread over several words.

use std::fmt;

/// Collects hexadecimal digits into octets.
#[derive(Default)]
pub(super) struct HexReader {
    high: Option<u8>,
}

impl HexReader {
    /// Reads more digits; `None` at one that is none.
    pub(super) fn read(&mut self, digits: &[u8], out: &mut Vec<u8>) -> Option<()> {
        for &digit in digits {
            let value = hex_value(digit)?;
            match self.high.take() {
                Some(high) => out.push(high << 4 | value),
                None => self.high = Some(value),
            }
        }
        Some(())
    }

    /// `None` if the last octet is half.
    pub(super) fn finish(self) -> Option<()> {
        self.high.is_none().then_some(())
    }
}

/// The value of a hexadecimal digit.
pub(super) const fn hex_value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// Writes octets in upper case hexadecimal digits.
pub(super) fn write_hex(octets: &[u8], out: &mut impl fmt::Write) -> fmt::Result {
    octets.iter().try_for_each(|octet| write!(out, "{octet:02X}"))
}

/// Collects base 64 characters into octets. Padding is required, and the bits it hides are zero.
#[derive(Default)]
pub(super) struct Base64Reader {
    bits: u32,
    characters: u8,
    padding: u8,
}

impl Base64Reader {
    /// Reads more characters; `None` at one that is wrong.
    pub(super) fn read(&mut self, text: &[u8], out: &mut Vec<u8>) -> Option<()> {
        for &character in text {
            let value = match character {
                b'=' if self.characters >= 2 => {
                    self.padding += 1;
                    0
                }
                _ if self.padding > 0 => return None,
                b'A'..=b'Z' => character - b'A',
                b'a'..=b'z' => character - b'a' + 26,
                b'0'..=b'9' => character - b'0' + 52,
                b'+' => 62,
                b'/' => 63,
                _ => return None,
            };
            self.bits = self.bits << 6 | u32::from(value);
            self.characters += 1;
            if self.characters == 4 {
                let octets = self.bits.to_be_bytes();
                let (kept, hidden) = octets[1..].split_at(3 - usize::from(self.padding));
                if hidden.iter().any(|&octet| octet != 0) {
                    return None;
                }
                out.extend_from_slice(kept);
                // Nothing may follow padding: `characters` stays 0, so that a further `=` is refused too.
                self.bits = 0;
                self.characters = 0;
            }
        }
        Some(())
    }

    /// `None` if the last group is not complete.
    pub(super) fn finish(self) -> Option<()> {
        (self.characters == 0).then_some(())
    }
}

/// Writes octets in base 64 with padding.
pub(super) fn write_base64(octets: &[u8], out: &mut impl fmt::Write) -> fmt::Result {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for group in octets.chunks(3) {
        let bits = group.iter().enumerate().fold(0, |bits, (i, &octet)| bits | u32::from(octet) << (16 - 8 * i));
        for i in 0..4 {
            let character = if i > group.len() { b'=' } else { ALPHABET[(bits >> (18 - 6 * i) & 63) as usize] };
            out.write_char(char::from(character))?;
        }
    }
    Ok(())
}

/// Appends the octets of unpadded base 32 in the extended hex alphabet; `None` if it is none.
pub(super) fn read_base32(text: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let (mut bits, mut count) = (0_u16, 0);
    for &character in text {
        let value = match character.to_ascii_uppercase() {
            digit @ b'0'..=b'9' => digit - b'0',
            letter @ b'A'..=b'V' => letter - b'A' + 10,
            _ => return None,
        };
        bits = bits << 5 | u16::from(value);
        count += 5;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count & 0xff) as u8);
            bits &= (1 << count) - 1;
        }
    }
    // What is left is less than a character, and zero.
    (count < 5 && bits == 0).then_some(())
}

/// Writes octets in unpadded base 32, extended hex alphabet, upper case.
pub(super) fn write_base32(octets: &[u8], out: &mut impl fmt::Write) -> fmt::Result {
    const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHIJKLMNOPQRSTUV";
    for group in octets.chunks(5) {
        let bits = group.iter().enumerate().fold(0, |bits, (i, &octet)| bits | u64::from(octet) << (32 - 8 * i));
        for i in 0..(group.len() * 8).div_ceil(5) {
            out.write_char(char::from(ALPHABET[(bits >> (35 - 5 * i) & 31) as usize]))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_of_rfc_4648() {
        for (octets, base64, base32) in [
            ("", "", ""),
            ("f", "Zg==", "CO"),
            ("fo", "Zm8=", "CPNG"),
            ("foo", "Zm9v", "CPNMU"),
            ("foob", "Zm9vYg==", "CPNMUOG"),
            ("fooba", "Zm9vYmE=", "CPNMUOJ1"),
            ("foobar", "Zm9vYmFy", "CPNMUOJ1E8"),
        ] {
            let mut text = String::new();
            write_base64(octets.as_bytes(), &mut text).unwrap();
            assert_eq!(text, base64);
            let (mut reader, mut out) = (Base64Reader::default(), Vec::new());
            // In two words.
            let (head, tail) = base64.as_bytes().split_at(base64.len() / 3);
            reader.read(head, &mut out).unwrap();
            reader.read(tail, &mut out).unwrap();
            reader.finish().unwrap();
            assert_eq!(out, octets.as_bytes());

            let mut text = String::new();
            write_base32(octets.as_bytes(), &mut text).unwrap();
            assert_eq!(text, base32);
            let mut out = Vec::new();
            read_base32(base32.to_lowercase().as_bytes(), &mut out).unwrap();
            assert_eq!(out, octets.as_bytes());
        }
    }

    #[test]
    fn refuses_what_is_no_base_64_or_32() {
        for text in ["Z", "Zg", "Zg=", "Zh==", "Z===", "Zg==Zg==", "Zg===", "====", "Zm 9", "Zm9v=", "Zm8=="] {
            let (mut reader, mut out) = (Base64Reader::default(), Vec::new());
            assert!(reader.read(text.as_bytes(), &mut out).and_then(|()| reader.finish()).is_none(), "{text}");
        }
        for text in ["C", "CP", "CPN", "W0", "CO======"] {
            assert_eq!(read_base32(text.as_bytes(), &mut Vec::new()), (text == "never").then_some(()), "{text}");
        }
    }
}
