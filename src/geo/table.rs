//! The table that queries ask: ranges with an index by the first sixteen bits of the address.

use super::ranges::{Bits, Ranges, scope};

/// Ranges, ready for fast lookups.
#[derive(Clone, Debug)]
pub(super) struct Table<B> {
    /// Where ranges start; the first one with the first address.
    starts: Box<[B]>,
    values: Box<[u32]>,
    /// By the first sixteen bits: how many ranges start below; one more for the end. Empty in small tables.
    index: Box<[u32]>,
}

/// Tables with fewer ranges have no index: a quarter of a megabyte would save them two or three steps.
const INDEXED_MIN: usize = 64;

impl<B: Bits> Table<B> {
    pub(super) fn new(ranges: Ranges<B>) -> Self {
        let (starts, values) = ranges.into_parts();
        let index = if starts.len() < INDEXED_MIN { Box::default() } else { index(&starts) };
        Self { starts: starts.into(), values: values.into(), index }
    }

    /// The value at an address, and how many of its leading bits decide it.
    #[inline]
    pub(super) fn find(&self, address: B) -> (u32, u8) {
        let top = address.top();
        let (from, to) = match self.index.get(top..top + 2) {
            Some(&[from, to]) => (from as usize, to as usize),
            Some(_) | None => (0, self.starts.len()),
        };
        let near = self.starts.get(from..to).unwrap_or_default();
        let next = from + near.partition_point(|&start| start <= address);
        // The first range starts with the first address, so there is one at or below any address.
        let at = next.saturating_sub(1);
        let start = self.starts.get(at).copied().unwrap_or(B::FIRST);
        let value = self.values.get(at).copied().unwrap_or_default();
        (value, scope(address, start, self.starts.get(next).copied()))
    }

    /// Of each range its value and the network that its first address is in: address and length.
    pub(super) fn first_networks(&self) -> impl Iterator<Item = (u32, B, u8)> {
        let nexts = self.starts.iter().skip(1).copied().map(Some).chain([None]);
        let ranges = self.starts.iter().zip(&self.values).zip(nexts);
        ranges.map(|((&start, &value), next)| (value, start, scope(start, start, next)))
    }

    pub(super) fn len(&self) -> usize {
        self.starts.len()
    }

    /// Bytes it takes.
    pub(super) fn size(&self) -> usize {
        size_of_val(&*self.starts) + size_of_val(&*self.values) + size_of_val(&*self.index)
    }
}

fn index<B: Bits>(starts: &[B]) -> Box<[u32]> {
    let mut index = Vec::with_capacity((1 << 16) + 1);
    let mut below = 0;
    for top in 0..=1 << 16 {
        below += starts.get(below..).unwrap_or_default().partition_point(|start| start.top() < top);
        index.push(u32::try_from(below).unwrap_or(u32::MAX));
    }
    index.into()
}
