//! A set of dense ids, whose copies share what they do not change.

use crate::base::chunks::{Chunks, Editor};

/// Words of one chunk: 32,768 ids.
const WORDS: usize = 512;

/// A set of dense ids.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bits {
    words: Chunks<u64, WORDS>,
}

/// Changes a set in ascending order.
pub(super) struct BitsEditor<'b> {
    words: Editor<'b, u64, WORDS>,
}

impl Bits {
    /// An empty set for ids below `len`.
    #[must_use]
    pub fn new(len: usize) -> Self {
        Self { words: Chunks::filled(&0, len.div_ceil(64)) }
    }

    /// True if `index` is in the set; false past its end.
    #[inline]
    #[must_use]
    pub fn get(&self, index: usize) -> bool {
        self.words.get(index / 64).is_some_and(|word| word >> (index % 64) & 1 == 1)
    }

    /// Puts `index` in or takes it out; nothing happens past the end.
    pub fn set(&mut self, index: usize, value: bool) {
        self.editor().set(index, value);
    }

    /// The ids that are in one set and not in the other, a copy of which this one was made from.
    pub fn differences(&self, before: &Self) -> impl Iterator<Item = usize> {
        let word = |words: &Chunks<u64, WORDS>, index: usize| words.get(index).copied().unwrap_or(0);
        self.words.differences(&before.words).flat_map(move |index| {
            let differing = word(&self.words, index) ^ word(&before.words, index);
            (0..64).filter(move |bit| differing >> bit & 1 == 1).map(move |bit| index * 64 + bit)
        })
    }

    pub(super) fn editor(&mut self) -> BitsEditor<'_> {
        BitsEditor { words: self.words.editor() }
    }
}

impl BitsEditor<'_> {
    /// Puts `index` in or takes it out; nothing happens past the end.
    #[inline]
    pub(super) fn set(&mut self, index: usize, value: bool) {
        if let Some(word) = self.words.get(index / 64).copied() {
            self.words.put(index / 64, word & !(1 << (index % 64)) | u64::from(value) << (index % 64));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_keep_what_they_are_given() {
        let mut bits = Bits::new(130);
        for index in [0, 63, 64, 129] {
            bits.set(index, true);
        }
        let before = bits.clone();
        bits.set(64, false);
        bits.set(1_000, true);
        let found: Vec<usize> = (0..1_100).filter(|&index| bits.get(index)).collect();
        assert_eq!(found, [0, 63, 129]);
        assert_eq!(bits.differences(&before).collect::<Vec<_>>(), [64]);
    }
}
