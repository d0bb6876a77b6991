//! Domain names: wire form with case kept, text form with escapes, canonical order.
//!
//! | RFC | what |
//! |---|---|
//! | 1035 §3.1, §5.1 | wire form, text form with `\X` and `\DDD` |
//! | 4343 | names compare without regard to ASCII case |
//! | 4034 §6.1 | canonical order |

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

use crate::base::limits::{LABEL_LEN_MAX, NAME_LEN_MAX};

/// An absolute domain name in uncompressed wire form, 1 to 255 octets. Equality, hash and order ignore ASCII case;
/// the order is the canonical one of DNSSEC.
#[derive(Clone)]
pub struct Name(Box<[u8]>);

/// Why octets or a text are no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// More than 255 octets in wire form.
    #[error("a name has at most 255 octets")]
    NameTooLong,
    /// A label of more than 63 octets.
    #[error("a label has at most 63 octets")]
    LabelTooLong,
    /// Two dots in a row, or a dot at the start.
    #[error("a label is empty")]
    EmptyLabel,
    /// A backslash that starts no valid escape.
    #[error("a backslash is followed by a character or by three digits up to 255")]
    BadEscape,
    /// A relative name where nothing says what it is relative to.
    #[error("the name is relative: end it with a dot, or set an origin")]
    Relative,
    /// Wire octets that end early, or hold a compression pointer.
    #[error("the octets are no uncompressed name")]
    BadWire,
}

impl Name {
    /// The root.
    #[must_use]
    pub fn root() -> Self {
        Self(Box::new([0]))
    }

    /// A name from uncompressed wire octets that end with the root label and nothing after it.
    ///
    /// # Errors
    /// If they are no name.
    pub fn from_wire(wire: &[u8]) -> Result<Self, NameError> {
        if wire_len(wire)? == wire.len() { Ok(Self(wire.into())) } else { Err(NameError::BadWire) }
    }

    /// Reads presentation format; a name without a final dot, and `@`, are relative to `origin`.
    ///
    /// # Errors
    /// If the text is no name, or relative without an origin.
    pub fn parse(text: &[u8], origin: Option<&Self>) -> Result<Self, NameError> {
        let mut wire = Vec::with_capacity(text.len() + 2);
        parse_into(text, origin.map(Self::as_wire), &mut wire)?;
        Ok(Self(wire.into()))
    }

    /// The wire form.
    #[must_use]
    pub fn as_wire(&self) -> &[u8] {
        &self.0
    }

    /// The labels from the first to the last, without the root's empty one.
    pub fn labels(&self) -> impl Iterator<Item = &[u8]> {
        labels(&self.0)
    }

    /// Number of labels; 0 for the root.
    #[must_use]
    pub fn label_count(&self) -> usize {
        self.labels().count()
    }

    /// True for the root.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.0.len() == 1
    }

    /// True if the first label is `*` (RFC 4592 §2.1.1).
    #[must_use]
    pub fn is_wildcard(&self) -> bool {
        self.0.starts_with(b"\x01*")
    }

    /// The name without its first label; `None` for the root.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        let first = usize::from(self.0[0]);
        (first != 0).then(|| Self(self.0[1 + first..].into()))
    }

    /// The name with one more label in front.
    ///
    /// # Errors
    /// If the label is empty or too long, or the name becomes too long.
    pub fn prepend(&self, label: &[u8]) -> Result<Self, NameError> {
        if label.is_empty() {
            return Err(NameError::EmptyLabel);
        }
        let len = u8::try_from(label.len())
            .ok()
            .filter(|&len| usize::from(len) <= LABEL_LEN_MAX)
            .ok_or(NameError::LabelTooLong)?;
        if 1 + label.len() + self.0.len() > NAME_LEN_MAX {
            return Err(NameError::NameTooLong);
        }
        let mut wire = Vec::with_capacity(1 + label.len() + self.0.len());
        wire.push(len);
        wire.extend_from_slice(label);
        wire.extend_from_slice(&self.0);
        Ok(Self(wire.into()))
    }

    /// True if `self` is `ancestor` or below it.
    #[must_use]
    pub fn is_at_or_below(&self, ancestor: &Self) -> bool {
        is_at_or_below(&self.0, &ancestor.0)
    }

    /// The name in lower case.
    #[must_use]
    pub fn to_lowercase(&self) -> Self {
        Self(self.0.to_ascii_lowercase().into())
    }
}

/// Appends to `wire` the wire form of the name in `text`; relative to `origin` (wire form) unless it ends with a dot.
/// The loader's hot path: no allocation beyond `wire`. On an error `wire` is left with a partial name.
///
/// # Errors
/// As [`Name::parse`].
pub fn parse_into(text: &[u8], origin: Option<&[u8]>, wire: &mut Vec<u8>) -> Result<(), NameError> {
    let start = wire.len();
    let finish = |wire: &mut Vec<u8>| {
        wire.extend_from_slice(origin.ok_or(NameError::Relative)?);
        if wire.len() - start > NAME_LEN_MAX { Err(NameError::NameTooLong) } else { Ok(()) }
    };
    match text {
        b"." => {
            wire.push(0);
            return Ok(());
        }
        b"@" => return finish(wire),
        b"" => return Err(NameError::EmptyLabel),
        _ => {}
    }
    let mut rest = text;
    loop {
        let length_at = wire.len();
        wire.push(0);
        // Labels end at an unescaped dot.
        let mut dotted = false;
        while let [byte, after @ ..] = rest {
            rest = after;
            match byte {
                b'.' => {
                    dotted = true;
                    break;
                }
                b'\\' => {
                    let (octet, used) = unescape(rest).ok_or(NameError::BadEscape)?;
                    wire.push(octet);
                    rest = &rest[used..];
                }
                &byte => wire.push(byte),
            }
        }
        match wire.len() - length_at - 1 {
            0 => return Err(NameError::EmptyLabel),
            #[expect(clippy::cast_possible_truncation, reason = "at most LABEL_LEN_MAX by the pattern's guard")]
            len if len <= LABEL_LEN_MAX => wire[length_at] = len as u8,
            _ => return Err(NameError::LabelTooLong),
        }
        if wire.len() - start >= NAME_LEN_MAX {
            return Err(NameError::NameTooLong);
        }
        if rest.is_empty() {
            if dotted {
                wire.push(0);
                return Ok(());
            }
            return finish(wire);
        }
    }
}

/// The octet an escape stands for, and the bytes used after the backslash: `\.` or `\046` (RFC 1035 §5.1).
#[must_use]
pub fn unescape(after_backslash: &[u8]) -> Option<(u8, usize)> {
    let first = *after_backslash.first()?;
    if !first.is_ascii_digit() {
        return Some((first, 1));
    }
    let digits = after_backslash.get(..3).filter(|d| d.iter().all(u8::is_ascii_digit))?;
    let value = digits.iter().fold(0_u16, |sum, d| sum * 10 + u16::from(d - b'0'));
    u8::try_from(value).ok().map(|octet| (octet, 3))
}

/// Length of the uncompressed name at the start of `wire`, its root label counted.
///
/// # Errors
/// If there is none.
pub fn wire_len(wire: &[u8]) -> Result<usize, NameError> {
    let mut at = 0;
    loop {
        let len = usize::from(*wire.get(at).ok_or(NameError::BadWire)?);
        if len > LABEL_LEN_MAX {
            return Err(NameError::BadWire);
        }
        at += 1 + len;
        if at > NAME_LEN_MAX {
            return Err(NameError::NameTooLong);
        }
        if len == 0 {
            return Ok(at);
        }
    }
}

/// The labels of a valid wire name, first to last, without the root's empty one. Stops early on octets that are no name.
pub fn labels(wire: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = wire;
    std::iter::from_fn(move || {
        let (&len, after) = rest.split_first()?;
        let (label, after) = after.split_at_checked(usize::from(len))?;
        rest = after;
        (len != 0).then_some(label)
    })
}

/// True if wire name `name` is `ancestor` or below it.
#[must_use]
pub fn is_at_or_below(name: &[u8], ancestor: &[u8]) -> bool {
    let mut rest = name;
    while rest.len() > ancestor.len() {
        let skip = 1 + usize::from(rest[0]);
        match rest.get(skip..) {
            Some(after) => rest = after,
            None => return false,
        }
    }
    rest.eq_ignore_ascii_case(ancestor)
}

/// Appends a wire name in presentation format, absolute.
///
/// # Errors
/// Only if writing fails.
pub fn write_wire_name(f: &mut impl fmt::Write, wire: &[u8]) -> fmt::Result {
    if wire.first() == Some(&0) {
        return f.write_char('.');
    }
    for label in labels(wire) {
        for &octet in label {
            match octet {
                b'.' | b'\\' | b'"' | b'(' | b')' | b';' | b'@' | b'$' => {
                    f.write_char('\\')?;
                    f.write_char(char::from(octet))?;
                }
                0x21..=0x7e => f.write_char(char::from(octet))?,
                _ => write!(f, "\\{octet:03}")?,
            }
        }
        f.write_char('.')?;
    }
    Ok(())
}

/// Canonical order of two wire names: label by label from the root, octets in lower case (RFC 4034 §6.1).
#[must_use]
pub fn canonical_cmp(a: &[u8], b: &[u8]) -> Ordering {
    let (a, b): (Vec<&[u8]>, Vec<&[u8]>) = (labels(a).collect(), labels(b).collect());
    for (x, y) in a.iter().rev().zip(b.iter().rev()) {
        let order = x.iter().map(u8::to_ascii_lowercase).cmp(y.iter().map(u8::to_ascii_lowercase));
        if order.is_ne() {
            return order;
        }
    }
    a.len().cmp(&b.len())
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        // Length octets are below the letters, so folding case over the whole wire form is exact.
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for Name {}

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for octet in &self.0 {
            state.write_u8(octet.to_ascii_lowercase());
        }
    }
}

impl Ord for Name {
    fn cmp(&self, other: &Self) -> Ordering {
        canonical_cmp(&self.0, &other.0)
    }
}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_wire_name(f, &self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_wire_name(f, &self.0)
    }
}

impl std::str::FromStr for Name {
    type Err = NameError;

    /// Reads a name as operators write it in configuration: always absolute, the final dot optional.
    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::parse(text.as_bytes(), Some(&Self::root()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    #[test]
    fn text_and_wire() {
        let origin = name("example.com.");
        for (text, shown) in [
            ("www", "www.example.com."),
            ("www.", "www."),
            ("@", "example.com."),
            (".", "."),
            (r"a\.b", r"a\.b.example.com."),
            (r"a\046b", r"a\.b.example.com."),
            (r"\000\255.", r"\000\255."),
            (r"\@.", r"\@."),
            ("*.x", "*.x.example.com."),
        ] {
            let parsed = Name::parse(text.as_bytes(), Some(&origin)).unwrap();
            assert_eq!(parsed.to_string(), shown);
            assert_eq!(Name::parse(shown.as_bytes(), None).unwrap().as_wire(), parsed.as_wire());
            assert_eq!(Name::from_wire(parsed.as_wire()).unwrap(), parsed);
        }
    }

    #[test]
    fn refuses_what_is_no_name() {
        let long = "a".repeat(64);
        let full = ["a".repeat(63), "b".repeat(63), "c".repeat(63), "d".repeat(62)].join(".");
        for (text, error) in [
            ("", NameError::EmptyLabel),
            ("a..b.", NameError::EmptyLabel),
            (".a.", NameError::EmptyLabel),
            (long.as_str(), NameError::LabelTooLong),
            (full.as_str(), NameError::NameTooLong),
            (r"a\25", NameError::BadEscape),
            (r"a\256", NameError::BadEscape),
            (r"a\", NameError::BadEscape),
        ] {
            assert_eq!(Name::parse(text.as_bytes(), Some(&name("x."))), Err(error), "{text}");
        }
        assert_eq!(Name::parse(b"www", None), Err(NameError::Relative));
        let fits = ["a".repeat(63), "b".repeat(63), "c".repeat(63), "d".repeat(61)].join(".");
        assert_eq!(name(&fits).as_wire().len(), 255);
        for wire in [&b""[..], b"\x01", b"\xc0\x0c", b"\x01a", b"\x01a\x00\x00"] {
            assert_eq!(Name::from_wire(wire), Err(NameError::BadWire));
        }
    }

    #[test]
    fn order_is_that_of_rfc_4034() {
        // The list of RFC 4034 §6.1.
        let sorted = [
            "example.",
            "a.example.",
            "yljkjljk.a.example.",
            "Z.a.example.",
            "zABC.a.EXAMPLE.",
            "z.example.",
            r"\001.z.example.",
            "*.z.example.",
            r"\200.z.example.",
        ];
        let names: Vec<Name> = sorted.iter().map(|text| name(text)).collect();
        let mut shuffled = names.clone();
        shuffled.reverse();
        shuffled.sort();
        assert_eq!(shuffled, names);
    }

    #[test]
    fn case_is_kept_and_ignored() {
        assert_eq!(name("WwW.Example."), name("www.example."));
        assert_eq!(name("WwW.Example.").to_string(), "WwW.Example.");
        assert!(name("a.B.c.").is_at_or_below(&name("b.C.")));
        assert!(!name("ab.c.").is_at_or_below(&name("b.c.")));
        assert!(name("x.").is_at_or_below(&Name::root()));
    }
}
