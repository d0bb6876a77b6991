//! Writing a message: whole RRsets or nothing, names compressed without touching their case.

use crate::base::limits::NAME_LEN_MAX;
use crate::dns::RecordType;
use crate::dns::rdata::{NameLayout, embedded_names};
use crate::dns::rtype::Class;
use crate::wire::query::HEADER_LEN;
use crate::wire::u16_at;

/// Suffixes remembered as targets for compression. More would cost more to search than they save.
const TARGETS_MAX: usize = 64;
/// A pointer has 14 bits, RFC 1035 §4.1.4.
pub const POINTER_MAX: usize = 0x3fff;

/// The message did not fit; nothing of the RRset that failed is left in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// Where a record's owner name comes from.
#[derive(Clone, Copy, Debug)]
pub enum Owner<'a> {
    /// The name of the question, which stands at octet 12: always two octets, and its case is the client's.
    Question,
    /// Any other name, wire form.
    Name(&'a [u8]),
}

/// A message under construction in a caller's buffer. Writes past `limit` fail and leave no trace.
#[derive(Debug)]
pub struct Writer<'a> {
    out: &'a mut [u8],
    at: usize,
    limit: usize,
    /// Where the question's name stands, until its suffixes are remembered: most answers never need them.
    question: Option<usize>,
    targets: &'a mut Targets,
    target_count: usize,
}

/// Room for compression targets, kept from message to message: what is in it beforehand does not matter.
#[derive(Clone, Debug)]
pub struct Targets([Target; TARGETS_MAX]);

impl Targets {
    /// Empty room.
    #[must_use]
    pub const fn new() -> Self {
        Self([Target { offset: 0, len: 0 }; TARGETS_MAX])
    }
}

impl Default for Targets {
    fn default() -> Self {
        Self::new()
    }
}

/// A place in the message where the labels of a name's suffix start.
#[derive(Clone, Copy, Debug)]
struct Target {
    offset: u16,
    /// Length of the suffix in uncompressed wire form: the cheap filter before comparing.
    len: u8,
}

/// What [`Writer::rollback`] returns to.
#[derive(Clone, Copy, Debug)]
pub struct Mark {
    at: usize,
    target_count: usize,
    question: Option<usize>,
}

impl<'a> Writer<'a> {
    /// A writer that continues at `at` and never passes `limit`. If anything stands before `at` beside the header, it is
    /// the question.
    #[inline]
    #[must_use]
    pub fn new(out: &'a mut [u8], at: usize, limit: usize, targets: &'a mut Targets) -> Self {
        let limit = limit.min(out.len());
        let at = at.min(limit);
        let question = (at > HEADER_LEN).then_some(HEADER_LEN);
        Self { out, at, limit, question, targets, target_count: 0 }
    }

    /// Octets written.
    #[inline]
    #[must_use]
    pub fn len(&self) -> usize {
        self.at
    }

    /// True if nothing stands in the message.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.at == 0
    }

    /// True if so many octets more can be written.
    #[must_use]
    pub const fn has_room(&self, octets: usize) -> bool {
        self.at + octets <= self.limit
    }

    /// Moves the limit, within the buffer.
    pub fn set_limit(&mut self, limit: usize) {
        self.limit = limit.min(self.out.len());
    }

    /// The place to return to.
    #[inline]
    #[must_use]
    pub fn mark(&self) -> Mark {
        Mark { at: self.at, target_count: self.target_count, question: self.question }
    }

    /// Takes back all that was written since `mark`.
    #[inline]
    pub fn rollback(&mut self, mark: Mark) {
        self.at = mark.at;
        self.target_count = mark.target_count;
        self.question = mark.question;
    }

    /// The message's octets for the header to be written into.
    #[inline]
    pub fn header_mut(&mut self) -> Option<&mut [u8; 12]> {
        self.out.first_chunk_mut::<12>()
    }

    /// Remembers the suffixes of the uncompressed name at `offset` as compression targets.
    fn remember(&mut self, offset: usize) {
        let mut at = offset;
        let mut len = name_len(self.out, offset);
        while len > 1 && at <= POINTER_MAX {
            self.add_target(at, len);
            let label = 1 + usize::from(self.out.get(at).copied().unwrap_or(0));
            at += label;
            len = len.saturating_sub(label);
        }
    }

    /// Overwrites octets already written; nothing where they were not.
    pub fn patch(&mut self, at: usize, bytes: &[u8]) {
        if let Some(field) = self.out.get_mut(at..at + bytes.len()).filter(|_| at + bytes.len() <= self.at) {
            field.copy_from_slice(bytes);
        }
    }

    /// True if these octets stand at `at`.
    #[inline]
    #[must_use]
    pub fn holds_exactly(&self, at: usize, bytes: &[u8]) -> bool {
        self.out.get(at..at + bytes.len()).is_some_and(|written| written == bytes)
    }

    /// A copy of the octets from `at` on, as many as a name can have.
    #[must_use]
    pub fn copy_of(&self, at: usize) -> [u8; NAME_LEN_MAX] {
        let mut copy = [0; NAME_LEN_MAX];
        for (octet, &written) in copy.iter_mut().zip(self.out.get(at..self.at).unwrap_or_default()) {
            *octet = written;
        }
        copy
    }

    /// Appends octets as they are.
    #[inline]
    pub fn put(&mut self, bytes: &[u8]) -> Result<(), Full> {
        let end = self.at + bytes.len();
        if end > self.limit {
            return Err(Full);
        }
        let target = self.out.get_mut(self.at..end).ok_or(Full)?;
        target.copy_from_slice(bytes);
        self.at = end;
        Ok(())
    }

    /// Appends a name, compressed against what stands before it where the case is the same to the letter.
    pub fn put_name(&mut self, name: &[u8]) -> Result<(), Full> {
        if let Some(question) = self.question.take() {
            self.remember(question);
        }
        let start = self.at;
        let mut from = 0;
        while let Some(&label) = name.get(from).filter(|&&label| label != 0) {
            if let Some(target) = self.find_target(&name[from..]) {
                self.put(&name[..from])?;
                self.put(&(0xc000 | target).to_be_bytes())?;
                self.add_targets(start, name, from);
                return Ok(());
            }
            from += 1 + usize::from(label);
        }
        self.put(name)?;
        self.add_targets(start, name, from);
        Ok(())
    }

    /// Appends one record. `layout` says where names stand in the data.
    #[inline]
    pub fn put_record(
        &mut self,
        owner: Owner<'_>,
        rtype: RecordType,
        ttl: u32,
        data: &[u8],
        layout: DataNames,
    ) -> Result<(), Full> {
        let [type_high, type_low] = rtype.0.to_be_bytes();
        let [class_high, class_low] = Class::IN.0.to_be_bytes();
        let [a, b, c, d] = ttl.to_be_bytes();
        let [len_high, len_low] = u16::try_from(data.len()).map_err(|_| Full)?.to_be_bytes();
        let fixed = [0xc0, 12, type_high, type_low, class_high, class_low, a, b, c, d, len_high, len_low];
        match owner {
            Owner::Question => self.put(&fixed)?,
            Owner::Name(name) => {
                self.put_name(name)?;
                self.put(&fixed[2..])?;
            }
        }
        match layout {
            DataNames::None => self.put_data(data),
            DataNames::Compressible { prefix, names } => {
                self.put_data_names(data, usize::from(prefix), usize::from(names))
            }
        }
    }

    /// Data as it is. Addresses, the usual data, are copied without a call.
    #[inline]
    fn put_data(&mut self, data: &[u8]) -> Result<(), Full> {
        if let Ok(address) = <&[u8; 4]>::try_from(data) {
            self.put(address)
        } else if let Ok(address) = <&[u8; 16]>::try_from(data) {
            self.put(address)
        } else {
            self.put(data)
        }
    }

    /// Data whose names may be compressed: fixed octets, names, the rest; then the length that came of it.
    fn put_data_names(&mut self, data: &[u8], prefix: usize, names: usize) -> Result<(), Full> {
        let start = self.at;
        let (head, mut rest) = data.split_at_checked(prefix).ok_or(Full)?;
        self.put(head)?;
        for _ in 0..names {
            let (name, after) = rest.split_at_checked(name_len(rest, 0)).ok_or(Full)?;
            self.put_name(name)?;
            rest = after;
        }
        self.put(rest)?;
        let len = u16::try_from(self.at - start).map_err(|_| Full)?;
        let field = self.out.get_mut(start - 2..start).ok_or(Full)?;
        field.copy_from_slice(&len.to_be_bytes());
        Ok(())
    }

    fn add_targets(&mut self, start: usize, name: &[u8], written: usize) {
        let mut from = 0;
        while from < written {
            if start + from > POINTER_MAX {
                return;
            }
            self.add_target(start + from, name.len() - from);
            from += 1 + usize::from(name.get(from).copied().unwrap_or(0));
        }
    }

    fn add_target(&mut self, offset: usize, len: usize) {
        let (Ok(offset), Ok(len)) = (u16::try_from(offset), u8::try_from(len)) else { return };
        if let Some(slot) = self.targets.0.get_mut(self.target_count) {
            *slot = Target { offset, len };
            self.target_count += 1;
        }
    }

    fn find_target(&self, suffix: &[u8]) -> Option<u16> {
        self.targets
            .0
            .get(..self.target_count)?
            .iter()
            .find(|target| usize::from(target.len) == suffix.len() && self.holds(usize::from(target.offset), suffix))
            .map(|target| target.offset)
    }

    /// True if the name at `offset`, its pointers followed, is `name` to the letter.
    fn holds(&self, mut offset: usize, mut name: &[u8]) -> bool {
        // Every pointer leads backwards to something written whole, so this ends; the count is a belt to the braces.
        for _ in 0..NAME_LEN_MAX {
            let Some(&octet) = self.out.get(offset) else { return false };
            if octet >= 0xc0 {
                offset = usize::from(u16_at(self.out, offset) & 0x3fff);
                continue;
            }
            let label = 1 + usize::from(octet);
            let (Some(written), Some(wanted)) = (self.out.get(offset..offset + label), name.get(..label)) else {
                return false;
            };
            if written != wanted {
                return false;
            }
            if octet == 0 {
                return true;
            }
            offset += label;
            name = &name[label..];
        }
        false
    }
}

/// Where names stand in a record's data, as far as compression goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataNames {
    /// No name, or names that must not be compressed (RFC 3597 §4).
    None,
    /// After `prefix` fixed octets, `names` names that may be compressed.
    Compressible {
        /// Octets before the first name.
        prefix: u8,
        /// Names in a row.
        names: u8,
    },
}

impl DataNames {
    /// The layout of a type's data: only the types of RFC 1035 may be compressed.
    #[inline]
    #[must_use]
    pub const fn of(rtype: RecordType) -> Self {
        // Most of what is asked for.
        if matches!(rtype, RecordType::A | RecordType::AAAA) {
            return Self::None;
        }
        let NameLayout { prefix, names, compress } = embedded_names(rtype);
        if compress { Self::Compressible { prefix, names } } else { Self::None }
    }
}

/// Length of the uncompressed name at `at`, its root label counted; what there is, if it does not end.
fn name_len(bytes: &[u8], at: usize) -> usize {
    let mut end = at;
    while let Some(&label) = bytes.get(end) {
        end += 1 + usize::from(label);
        if label == 0 {
            break;
        }
    }
    end.min(bytes.len()).saturating_sub(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::Name;

    fn wire(text: &str) -> Vec<u8> {
        text.parse::<Name>().unwrap().as_wire().to_vec()
    }

    #[test]
    fn compresses_to_the_letter_only() {
        let mut buffer = [0; 512];
        let mut targets = Targets::new();
        let mut writer = Writer::new(&mut buffer, 12, 512, &mut targets);
        writer.put_name(&wire("www.example.com.")).unwrap();
        assert_eq!(writer.len(), 12 + 17);
        writer.put_name(&wire("mail.example.com.")).unwrap();
        assert_eq!(writer.len(), 29 + 7, "one label and a pointer");
        writer.put_name(&wire("mail.example.com.")).unwrap();
        assert_eq!(writer.len(), 36 + 2, "a pointer to a name that itself ends in a pointer");
        writer.put_name(&wire("x.EXAMPLE.com.")).unwrap();
        assert_eq!(writer.len(), 38 + 2 + 8 + 2, "EXAMPLE keeps its case, com is shared");
        writer.put_name(&[0]).unwrap();
        assert_eq!(writer.len(), 50 + 1);
    }

    #[test]
    fn what_does_not_fit_leaves_no_trace() {
        let mut buffer = [0; 40];
        let mut targets = Targets::new();
        let mut writer = Writer::new(&mut buffer, 12, 40, &mut targets);
        let mark = writer.mark();
        let data = wire("a.very.long.name.example.");
        assert_eq!(
            writer.put_record(
                Owner::Name(&wire("owner.example.")),
                RecordType::NS,
                60,
                &data,
                DataNames::of(RecordType::NS)
            ),
            Err(Full)
        );
        writer.rollback(mark);
        assert_eq!(writer.len(), 12);
        writer.put_name(&wire("example.")).unwrap();
        assert_eq!(writer.len(), 21, "no target survives that was taken back");
    }
}
