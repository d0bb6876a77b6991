//! A name made ready for lookups: folded to lower case, with the table hash of each of its suffixes.

use crate::base::hash::{HashKey, NameHash};
use crate::base::limits::{LABEL_LEN_MAX, LABELS_MAX, NAME_LEN_MAX};

/// Room for the longest name, rounded up to whole words.
const ROOM: usize = NAME_LEN_MAX.next_multiple_of(8);

/// A name in lower case with the hash of every suffix. Large, therefore made once per lane and refilled per query.
#[derive(Clone, Debug)]
pub struct FoldedName {
    lower: [u8; ROOM],
    /// `starts[i]`: where the suffix of `i` labels starts. `starts[0]` is the root's zero octet.
    starts: [u8; LABELS_MAX + 1],
    /// `hashes[i]`: the table hash of the suffix of `i` labels.
    hashes: [NameHash; LABELS_MAX + 1],
    labels: u8,
}

impl FoldedName {
    /// The root.
    #[must_use]
    pub const fn new() -> Self {
        Self { lower: [0; ROOM], starts: [0; LABELS_MAX + 1], hashes: [NameHash(0); LABELS_MAX + 1], labels: 0 }
    }

    /// Refills from the uncompressed wire name at the start of `wire`; returns its length, or `None` if there is no
    /// such name (then the value is unspecified, but safe to use). The loop over the labels is the first of the two
    /// passes a query's name takes; the second runs from the root and hashes.
    #[inline]
    pub fn fill(&mut self, key: HashKey, wire: &[u8]) -> Option<usize> {
        let mut forward = [0_u8; LABELS_MAX + 1];
        let mut labels = 0_usize;
        let mut at = 0_usize;
        loop {
            let len = usize::from(*wire.get(at)?);
            if len == 0 {
                break;
            }
            if len > LABEL_LEN_MAX || at + 1 + len >= NAME_LEN_MAX {
                return None;
            }
            *forward.get_mut(labels)? = u8::try_from(at).ok()?;
            labels += 1;
            at += 1 + len;
        }
        let name_len = at + 1;
        fold_case(&mut self.lower, wire, name_len);
        self.labels = u8::try_from(labels).ok()?;
        self.starts[0] = u8::try_from(at).ok()?;
        let mut hash = key.root();
        self.hashes[0] = hash;
        let mut end = at;
        for (count, &start) in forward.get(..labels)?.iter().rev().enumerate() {
            let start_at = usize::from(start);
            hash = key.child(hash, self.lower.get(start_at + 1..end)?);
            end = start_at;
            *self.starts.get_mut(count + 1)? = start;
            *self.hashes.get_mut(count + 1)? = hash;
        }
        Some(name_len)
    }

    /// Number of labels, the root's not counted.
    #[inline]
    #[must_use]
    pub fn labels(&self) -> usize {
        usize::from(self.labels)
    }

    /// The name in lower case, wire form.
    #[inline]
    #[must_use]
    pub fn wire(&self) -> &[u8] {
        self.lower.get(..=usize::from(self.starts[0])).unwrap_or_default()
    }

    /// The last `labels` labels as a wire name.
    #[inline]
    #[must_use]
    pub fn suffix(&self, labels: usize) -> &[u8] {
        self.lower.get(self.start(labels)..=usize::from(self.starts[0])).unwrap_or_default()
    }

    /// The labels in front of the last `below`, up to `labels` counted from the root: a name relative to the suffix of
    /// `below` labels, without a root label.
    #[inline]
    #[must_use]
    pub fn between(&self, labels: usize, below: usize) -> &[u8] {
        self.lower.get(self.start(labels)..self.start(below)).unwrap_or_default()
    }

    /// Where the suffix of `labels` labels starts in the wire form.
    #[inline]
    #[must_use]
    pub fn start(&self, labels: usize) -> usize {
        self.starts.get(labels).map_or(0, |&start| usize::from(start))
    }

    /// The table hash of the suffix of `labels` labels.
    #[inline]
    #[must_use]
    pub fn hash(&self, labels: usize) -> NameHash {
        self.hashes.get(labels).copied().unwrap_or(NameHash(0))
    }
}

impl Default for FoldedName {
    fn default() -> Self {
        Self::new()
    }
}

/// Copies the first `len` octets of `wire` in lower case, eight at a time. Length octets are below `A`, so they stay.
/// What comes along of the octets behind them is not part of the name.
#[inline]
fn fold_case(lower: &mut [u8; ROOM], wire: &[u8], len: usize) {
    let (targets, _) = lower.as_chunks_mut::<8>();
    let words = len.div_ceil(8);
    let (whole, rest) = wire.as_chunks::<8>();
    for (target, word) in targets.iter_mut().zip(whole).take(words) {
        *target = fold_word(u64::from_le_bytes(*word)).to_le_bytes();
    }
    // The name ends with the packet, as it does in tests and on the side, never in a question.
    if words > whole.len()
        && let Some(target) = targets.get_mut(whole.len())
    {
        let mut word = [0; 8];
        for (octet, &value) in word.iter_mut().zip(rest) {
            *octet = value;
        }
        *target = fold_word(u64::from_le_bytes(word)).to_le_bytes();
    }
}

/// Lower case of eight octets at once: sets bit 5 of each octet between `A` and `Z`.
#[inline]
const fn fold_word(word: u64) -> u64 {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let low = word & (0x7f * EACH);
    let from_a = low.wrapping_add((0x80 - b'A' as u64) * EACH);
    let past_z = low.wrapping_add((0x80 - b'Z' as u64 - 1) * EACH);
    let upper = from_a & !past_z & !word & (0x80 * EACH);
    word | (upper >> 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::Name;

    #[test]
    fn suffixes_and_hashes_agree_with_the_names() {
        let key = HashKey::new(7, 8);
        let name: Name = "Www.EXAMPLE.Com.".parse().unwrap();
        let mut folded = FoldedName::new();
        assert_eq!(folded.fill(key, name.as_wire()), Some(name.as_wire().len()));
        assert_eq!(folded.labels(), 3);
        assert_eq!(folded.wire(), b"\x03www\x07example\x03com\x00");
        assert_eq!(folded.suffix(2), b"\x07example\x03com\x00");
        assert_eq!(folded.suffix(0), b"\x00");
        assert_eq!(folded.between(3, 1), b"\x03www\x07example");
        let mut parent = FoldedName::new();
        parent.fill(key, name.parent().unwrap().as_wire());
        assert_eq!(parent.hash(2), folded.hash(2));
        assert_ne!(folded.hash(2), folded.hash(3));
    }

    #[test]
    fn folds_every_octet_as_ascii() {
        for octet in 0..=255_u8 {
            let word = u64::from_le_bytes([octet, b'A', 0xc1, octet, 0, 0xff, b'Z', b'[']);
            let expected = [octet.to_ascii_lowercase(), b'a', 0xc1, octet.to_ascii_lowercase(), 0, 0xff, b'z', b'['];
            assert_eq!(fold_word(word).to_le_bytes(), expected);
        }
    }

    #[test]
    fn the_longest_name_fits_and_one_more_octet_does_not() {
        let key = HashKey::new(7, 8);
        let mut wire: Vec<u8> = [1, b'a'].repeat(127);
        wire.push(0);
        let mut folded = FoldedName::new();
        assert_eq!(folded.fill(key, &wire), Some(255));
        assert_eq!(folded.labels(), 127);
        let mut long = vec![2, b'a', b'a'];
        long.extend([1, b'a'].repeat(126));
        long.push(0);
        assert_eq!(long.len(), 256);
        assert_eq!(folded.fill(key, &long), None);
    }
}
