//! A short list without an allocation: what one answer collects on its way.

/// At most `N` items; further ones are not taken. Its room is made with the first item: most answers need none of it.
#[derive(Clone, Copy, Debug)]
pub struct ShortList<T, const N: usize> {
    items: Option<[Option<T>; N]>,
    len: usize,
}

impl<T: Copy, const N: usize> ShortList<T, N> {
    /// An empty list.
    #[inline]
    #[must_use]
    pub const fn new() -> Self {
        Self { items: None, len: 0 }
    }

    /// Adds an item; false if there is no room.
    #[inline]
    pub fn push(&mut self, item: T) -> bool {
        match self.items.get_or_insert([None; N]).get_mut(self.len) {
            Some(slot) => {
                *slot = Some(item);
                self.len += 1;
                true
            }
            None => false,
        }
    }

    /// The items in the order they were added.
    #[inline]
    pub fn iter(&self) -> impl Iterator<Item = T> + '_ {
        self.items.iter().flatten().take(self.len).copied().flatten()
    }

    /// True if there is no item.
    #[inline]
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl<T: Copy, const N: usize> Default for ShortList<T, N> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_what_fits() {
        let mut list = ShortList::<u8, 2>::new();
        assert!(list.is_empty());
        assert!(list.push(1) && list.push(2) && !list.push(3));
        assert_eq!(list.iter().collect::<Vec<_>>(), [1, 2]);
    }
}
