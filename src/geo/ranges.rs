//! Sorted ranges of addresses, and the shortest prefix around an address that stays inside its range.

/// A number that holds an address: `u32` or `u128`.
pub(super) trait Bits: Copy + Ord + std::fmt::Debug + Into<u128> {
    /// Leading bits in which two addresses agree, below the width for different ones.
    fn common(self, other: Self) -> u8;
    /// The address before it, if there is one.
    fn before(self) -> Option<Self>;
    /// Its first sixteen bits.
    fn top(self) -> usize;
    /// The first address.
    const FIRST: Self;
}

#[expect(clippy::cast_possible_truncation, reason = "at most 128")]
impl Bits for u32 {
    #[inline]
    fn common(self, other: Self) -> u8 {
        (self ^ other).leading_zeros() as u8
    }

    #[inline]
    fn before(self) -> Option<Self> {
        self.checked_sub(1)
    }

    #[inline]
    fn top(self) -> usize {
        (self >> 16) as usize
    }

    const FIRST: Self = 0;
}

#[expect(clippy::cast_possible_truncation, reason = "at most 128")]
impl Bits for u128 {
    #[inline]
    fn common(self, other: Self) -> u8 {
        (self ^ other).leading_zeros() as u8
    }

    #[inline]
    fn before(self) -> Option<Self> {
        self.checked_sub(1)
    }

    #[inline]
    fn top(self) -> usize {
        (self >> 112) as usize
    }

    const FIRST: Self = 0;
}

/// The leading bits of `address` that decide: the length of the shortest prefix around it inside the range that
/// starts at `start` and ends before `next`, or with the last address.
#[inline]
pub(super) fn scope<B: Bits>(address: B, start: B, next: Option<B>) -> u8 {
    // The prefix must part from both neighbors of the range, so it is one bit longer than what they have in common.
    let below = start.before().map_or(0, |before| address.common(before) + 1);
    let above = next.map_or(0, |next| address.common(next) + 1);
    below.max(above)
}

/// All addresses in ranges, each with a value; neighbors have different ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ranges<B> {
    /// Where ranges start; the first one with the first address.
    starts: Vec<B>,
    values: Vec<u32>,
}

impl<B: Bits> Ranges<B> {
    /// One range with this value.
    pub(super) fn all(value: u32) -> Self {
        Self { starts: vec![B::FIRST], values: vec![value] }
    }

    /// From `start` on the value is `value`. Starts must not go down; the last word about a start counts.
    pub(super) fn push(&mut self, start: B, value: u32) {
        if self.starts.last() == Some(&start) {
            self.starts.pop();
            self.values.pop();
        }
        if self.values.last() != Some(&value) {
            self.starts.push(start);
            self.values.push(value);
        }
    }

    /// The value at an address and the length of the shortest prefix around it with that value alone.
    pub(super) fn find(&self, address: B) -> (u32, u8) {
        let next = self.starts.partition_point(|&start| start <= address);
        let at = next.saturating_sub(1);
        let start = self.starts.get(at).copied().unwrap_or(B::FIRST);
        let value = self.values.get(at).copied().unwrap_or(0);
        (value, scope(address, start, self.starts.get(next).copied()))
    }

    /// The same ranges, their values replaced; what becomes equal is merged.
    pub(super) fn map(&self, mut value: impl FnMut(u32) -> u32) -> Self {
        let mut ranges = Self { starts: Vec::new(), values: Vec::new() };
        for (&start, &old) in self.starts.iter().zip(&self.values) {
            ranges.push(start, value(old));
        }
        ranges
    }

    pub(super) fn starts(&self) -> &[B] {
        &self.starts
    }

    pub(super) fn values(&self) -> &[u32] {
        &self.values
    }

    /// Gives back the starts and the values.
    pub(super) fn into_parts(self) -> (Vec<B>, Vec<u32>) {
        (self.starts, self.values)
    }
}

/// Networks that may lie in each other → ranges; the longest network around an address gives its value. `networks`
/// are first and last address and value; nested or disjoint, as prefixes are.
pub(super) fn flatten<B: Bits + TryFrom<u128>>(mut networks: Vec<(u128, u128, u32)>, gap: u32) -> Ranges<B> {
    // Outer ones first: by start, then the longest range.
    networks.sort_by_key(|&(first, last, _)| (first, std::cmp::Reverse(last)));
    let mut ranges = Ranges::all(gap);
    let mut open: Vec<(u128, u32)> = Vec::new();
    let close = |ranges: &mut Ranges<B>, open: &mut Vec<(u128, u32)>, until: Option<u128>| {
        while let Some(&(last, _)) = open.last() {
            if until.is_some_and(|until| last >= until) {
                break;
            }
            open.pop();
            let outer = open.last().map_or(gap, |&(_, value)| value);
            if let Some(next) = last.checked_add(1).and_then(|next| B::try_from(next).ok()) {
                ranges.push(next, outer);
            }
        }
    };
    for (first, last, value) in networks {
        close(&mut ranges, &mut open, Some(first));
        if let Ok(first) = B::try_from(first) {
            ranges.push(first, value);
        }
        open.push((last, value));
    }
    close(&mut ranges, &mut open, None);
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_merge_and_are_found() {
        let ranges: Ranges<u32> =
            flatten(vec![(10, 19, 1), (20, 29, 1), (30, 39, 2), (u32::MAX.into(), u32::MAX.into(), 3)], 0);
        assert_eq!(ranges.starts(), [0, 10, 30, 40, u32::MAX]);
        assert_eq!(ranges.values(), [0, 1, 2, 0, 3]);
        for (address, value) in [(0, 0), (9, 0), (10, 1), (29, 1), (30, 2), (40, 0), (u32::MAX, 3)] {
            assert_eq!(ranges.find(address).0, value, "{address}");
        }
        assert_eq!(ranges.map(|value| value.min(1)).values(), [0, 1, 0, 1]);
    }

    #[test]
    fn the_scope_is_the_shortest_prefix_inside() {
        let ranges: Ranges<u32> = flatten(vec![(0x0a01_0200, 0x0a01_02ff, 1)], 0);
        // Inside: 10.1.2.0/24 itself. Outside: what does not touch it.
        assert_eq!(ranges.find(0x0a01_0203), (1, 24));
        assert_eq!(ranges.find(0x0a01_0300), (0, 24));
        assert_eq!(ranges.find(0x0a01_0400), (0, 22));
        assert_eq!(ranges.find(0xc000_0000), (0, 1));
        assert_eq!(Ranges::<u128>::all(7).find(5), (7, 0));
    }

    #[test]
    fn the_longest_network_wins() {
        let networks =
            vec![(0x0a00_0000, 0x0aff_ffff, 1), (0x0a01_0000, 0x0a01_ffff, 2), (0x0a00_0000, 0x0a00_00ff, 3)];
        let ranges: Ranges<u32> = flatten(networks, 0);
        assert_eq!(ranges.starts(), [0, 0x0a00_0000, 0x0a00_0100, 0x0a01_0000, 0x0a02_0000, 0x0b00_0000]);
        assert_eq!(ranges.values(), [0, 3, 1, 2, 1, 0]);
        let all: Ranges<u128> = flatten(vec![(0, u128::MAX, 4), (u128::MAX, u128::MAX, 5)], 0);
        assert_eq!(all.values(), [4, 5]);
    }
}
