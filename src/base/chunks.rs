//! A vector whose copies share what they do not change: the next generation of a large table costs what differs in it.

use std::ops::Index;
use std::sync::Arc;

/// Items of one chunk: few enough that a change copies little, many enough that a copy of the vector is short.
const CHUNK_LEN: usize = 256;

/// A vector in shared chunks; see the head of the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunks<T> {
    chunks: Box<[Arc<[T]>]>,
    len: usize,
}

impl<T> Default for Chunks<T> {
    fn default() -> Self {
        Self { chunks: Box::default(), len: 0 }
    }
}

impl<T> Chunks<T> {
    /// How many items there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// True if there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The item with this index.
    #[inline]
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&T> {
        self.chunks.get(index / CHUNK_LEN)?.get(index % CHUNK_LEN)
    }

    /// All items in order.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.chunks.iter().flat_map(|chunk| chunk.iter())
    }
}

impl<T: Clone> Chunks<T> {
    /// So many copies of an item.
    #[must_use]
    pub fn filled(item: &T, len: usize) -> Self {
        std::iter::repeat_n(item.clone(), len).collect()
    }

    /// Replaces the item with this index, in this copy only; nothing happens past the end.
    pub fn set(&mut self, index: usize, item: T) {
        let Some(chunk) = self.chunks.get_mut(index / CHUNK_LEN) else { return };
        if let Some(place) = Arc::make_mut(chunk).get_mut(index % CHUNK_LEN) {
            *place = item;
        }
    }
}

impl<T> FromIterator<T> for Chunks<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        let mut items = items.into_iter();
        let (mut chunks, mut len) = (Vec::new(), 0);
        loop {
            let chunk: Arc<[T]> = items.by_ref().take(CHUNK_LEN).collect();
            if chunk.is_empty() {
                return Self { chunks: chunks.into(), len };
            }
            len += chunk.len();
            chunks.push(chunk);
        }
    }
}

impl<T> Index<usize> for Chunks<T> {
    type Output = T;

    fn index(&self, index: usize) -> &T {
        &self.chunks[index / CHUNK_LEN][index % CHUNK_LEN]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_share_what_they_do_not_change() {
        for len in [0, 1, CHUNK_LEN - 1, CHUNK_LEN, CHUNK_LEN + 1, 3 * CHUNK_LEN] {
            let first: Chunks<usize> = (0..len).collect();
            assert_eq!((first.len(), first.is_empty()), (len, len == 0));
            let mut second = first.clone();
            for index in [0, CHUNK_LEN, len] {
                second.set(index, 7_000);
            }
            assert!(first.iter().copied().eq(0..len), "{len}");
            let expected = (0..len).map(|index| if [0, CHUNK_LEN].contains(&index) { 7_000 } else { index });
            assert!(second.iter().copied().eq(expected));
            let shared = first.chunks.iter().zip(&*second.chunks).filter(|(a, b)| Arc::ptr_eq(a, b)).count();
            assert_eq!(shared, first.chunks.len().saturating_sub(2));
            assert_eq!(first.get(len), None);
        }
        assert_eq!(Chunks::filled(&3, 300).iter().sum::<i32>(), 900);
        assert_eq!(Chunks::filled(&3, 300)[299], 3);
    }
}
