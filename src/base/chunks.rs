//! A vector whose copies share what they do not change: the next generation of a large table costs what differs in it.

use std::ops::Index;
use std::sync::Arc;

/// A vector in shared chunks of `LEN` items: few enough that a change copies little, many enough that a copy of the
/// vector is short.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunks<T, const LEN: usize = 256> {
    chunks: Box<[Arc<[T]>]>,
    len: usize,
}

impl<T, const LEN: usize> Default for Chunks<T, LEN> {
    fn default() -> Self {
        Self { chunks: Box::default(), len: 0 }
    }
}

impl<T, const LEN: usize> Chunks<T, LEN> {
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
        self.chunks.get(index / LEN)?.get(index % LEN)
    }

    /// All items in order.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.chunks.iter().flat_map(|chunk| chunk.iter())
    }
}

impl<T: PartialEq, const LEN: usize> Chunks<T, LEN> {
    /// The indices of items that are others than in `before`, a copy of which this one was made from. What the two share
    /// is not looked at.
    pub fn differences(&self, before: &Self) -> impl Iterator<Item = usize> {
        let pairs =
            self.chunks.iter().zip(&before.chunks).enumerate().filter(|(_, (now, then))| !Arc::ptr_eq(now, then));
        pairs.flat_map(|(number, (now, then))| {
            let items = now.iter().zip(then.iter()).enumerate().filter(|(_, (now, then))| now != then);
            items.map(move |(at, _)| number * LEN + at)
        })
    }
}

impl<T: Clone, const LEN: usize> Chunks<T, LEN> {
    /// So many copies of an item.
    #[must_use]
    pub fn filled(item: &T, len: usize) -> Self {
        std::iter::repeat_n(item.clone(), len).collect()
    }

    /// Replaces the item with this index, in this copy only; nothing happens past the end.
    pub fn set(&mut self, index: usize, item: T) {
        if let Some(place) = self.editor().get_mut(index) {
            *place = item;
        }
    }

    /// Changes many items, in ascending order, in this copy only.
    pub fn editor(&mut self) -> Editor<'_, T, LEN> {
        Editor { rest: self.chunks.iter_mut(), next: 0, current: &mut [] }
    }
}

/// Changes items of a vector one after the other: each chunk is asked only once whether others share it.
#[derive(Debug)]
pub struct Editor<'c, T, const LEN: usize> {
    rest: std::slice::IterMut<'c, Arc<[T]>>,
    /// The number of the chunk that `rest` starts with.
    next: usize,
    /// The chunk before it.
    current: &'c mut [T],
}

impl<T: Clone, const LEN: usize> Editor<'_, T, LEN> {
    /// The item with this index, which is in no chunk before that of the one asked for last; `None` otherwise, and past
    /// the end.
    #[inline]
    pub fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        let chunk = index / LEN;
        if chunk + 1 != self.next {
            let skipped = chunk.checked_sub(self.next)?;
            self.current = Arc::make_mut(self.rest.nth(skipped)?);
            self.next = chunk + 1;
        }
        self.current.get_mut(index % LEN)
    }

    /// Writes an item, like [`Editor::get_mut`]; true if it was another. What is the same stays shared.
    #[inline]
    pub fn put(&mut self, index: usize, item: T) -> bool
    where
        T: PartialEq,
    {
        if self.get(index).is_none_or(|before| *before == item) {
            return false;
        }
        let place = self.get_mut(index);
        place.is_some_and(|place| {
            *place = item;
            true
        })
    }

    /// What [`Editor::get_mut`] would give, to be looked at.
    #[inline]
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&T> {
        let chunk = index / LEN;
        let items = if chunk + 1 == self.next {
            &*self.current
        } else {
            self.rest.as_slice().get(chunk.checked_sub(self.next)?)?
        };
        items.get(index % LEN)
    }
}

impl<T, const LEN: usize> FromIterator<T> for Chunks<T, LEN> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        let mut items = items.into_iter();
        let (mut chunks, mut len) = (Vec::new(), 0);
        loop {
            let chunk: Arc<[T]> = items.by_ref().take(LEN).collect();
            if chunk.is_empty() {
                return Self { chunks: chunks.into(), len };
            }
            len += chunk.len();
            chunks.push(chunk);
        }
    }
}

impl<T, const LEN: usize> Index<usize> for Chunks<T, LEN> {
    type Output = T;

    fn index(&self, index: usize) -> &T {
        &self.chunks[index / LEN][index % LEN]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEN: usize = 256;

    #[test]
    fn copies_share_what_they_do_not_change() {
        for len in [0, 1, LEN - 1, LEN, LEN + 1, 3 * LEN] {
            let first: Chunks<usize> = (0..len).collect();
            assert_eq!((first.len(), first.is_empty()), (len, len == 0));
            let mut second = first.clone();
            for index in [0, LEN, len] {
                second.set(index, 7_000);
            }
            assert!(first.iter().copied().eq(0..len), "{len}");
            let expected = (0..len).map(|index| if [0, LEN].contains(&index) { 7_000 } else { index });
            assert!(second.iter().copied().eq(expected));
            let shared = first.chunks.iter().zip(&*second.chunks).filter(|(a, b)| Arc::ptr_eq(a, b)).count();
            assert_eq!(shared, first.chunks.len().saturating_sub(2));
            assert_eq!(first.get(len), None);
            let expected: Vec<usize> = [0, LEN].into_iter().filter(|index| *index < len).collect();
            assert_eq!(second.differences(&first).collect::<Vec<_>>(), expected);
        }
        assert_eq!(Chunks::<i32>::filled(&3, 300).iter().sum::<i32>(), 900);
        assert_eq!(Chunks::<i32>::filled(&3, 300)[299], 3);
    }

    #[test]
    fn editors_go_forward_only() {
        let first: Chunks<usize, 4> = (0..10).collect();
        let mut second = first.clone();
        let mut editor = second.editor();
        for index in [1, 0, 3, 8, 9] {
            *editor.get_mut(index).unwrap() += 100;
        }
        assert_eq!((editor.put(9, 109), editor.put(9, 109), editor.put(10, 1)), (false, false, false));
        assert!([7, 10, 12].into_iter().all(|index| editor.get_mut(index).is_none()));
        assert!(second.iter().copied().eq([100, 101, 2, 103, 4, 5, 6, 7, 108, 109]));
        assert_eq!(second.differences(&first).collect::<Vec<_>>(), [0, 1, 3, 8, 9]);
        assert!(Arc::ptr_eq(&first.chunks[1], &second.chunks[1]));
    }
}
