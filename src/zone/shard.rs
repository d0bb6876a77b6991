//! A part of a zone: the nodes whose hashes share their top bits, in one arena, found through one table.
//!
//! A table entry is an 8-bit tag above the node's offset in units of 8 octets; 0 is empty. The tag keeps most strangers
//! from costing a look into the arena, so that a miss costs one cache line and a hit two.

use std::sync::Arc;

use crate::base::hash::NameHash;
use crate::base::prefetch::prefetch;
use crate::zone::node::{Node, NodeWriter};

/// Octets between which nodes start: the price of 24-bit offsets.
const ALIGNMENT: usize = 8;
/// Bits of an entry that hold the offset.
const OFFSET_BITS: u32 = 24;
/// The largest arena the offsets can reach.
const ARENA_MAX: usize = ALIGNMENT << OFFSET_BITS;

/// An immutable shard; cloning shares it.
#[derive(Clone, Debug)]
pub struct Shard {
    table: Arc<[u32]>,
    arena: Arc<[u8]>,
    nodes: u32,
}

/// A shard would hold more than 128 MiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a part of the zone is larger than 128 MiB: an RRset or a name has far too much data")]
pub struct TooLarge;

impl Shard {
    /// Number of nodes.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.nodes as usize
    }

    /// True if it has no node.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.nodes == 0
    }

    /// True if both are the same shard, not merely equal.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.arena, &other.arena)
    }

    /// Octets of memory the shard occupies.
    #[must_use]
    pub fn size(&self) -> usize {
        self.arena.len() + self.table.len() * 4
    }

    /// The node with this hash whose relative name is `first` followed by `rest`, in lower case.
    // Each caller knows whether there is a `first`.
    #[inline(always)]
    #[must_use]
    pub fn find(&self, bits: u32, hash: NameHash, first: &[u8], rest: &[u8]) -> Option<Node<'_>> {
        let mask = self.table.len().wrapping_sub(1);
        let start = home(bits, hash, self.table.len());
        for step in 0..self.table.len() {
            let entry = *self.table.get((start + step) & mask)?;
            if entry == 0 {
                return None;
            }
            if entry >> OFFSET_BITS == tag(hash) {
                let node = self.node(entry)?;
                if node.name_is(first, rest) {
                    return Some(node);
                }
            }
        }
        None
    }

    /// Asks the processor for the table line where the search for `hash` starts.
    #[inline]
    pub fn prefetch_slot(&self, bits: u32, hash: NameHash) {
        let slot = home(bits, hash, self.table.len()) & self.table.len().wrapping_sub(1);
        prefetch(&self.table, slot);
    }

    /// Asks the processor for the node the first matching entry leads to, if that entry is at the search's start.
    #[inline]
    pub fn prefetch_node(&self, bits: u32, hash: NameHash) {
        let mask = self.table.len().wrapping_sub(1);
        let slot = home(bits, hash, self.table.len());
        for step in 0..2 {
            match self.table.get((slot + step) & mask) {
                Some(&entry) if entry != 0 && entry >> OFFSET_BITS == tag(hash) => {
                    prefetch(&self.arena, offset(entry));
                    return;
                }
                _ => {}
            }
        }
    }

    /// All nodes whose hash starts with the 32 bits of `prefix`, and maybe a few others of the same chain.
    pub fn candidates(&self, bits: u32, prefix: u32) -> impl Iterator<Item = Node<'_>> {
        let mask = self.table.len().wrapping_sub(1);
        let start = home(bits, NameHash(u64::from(prefix) << 32), self.table.len());
        (0..self.table.len())
            .map_while(move |step| self.table.get((start + step) & mask).copied().filter(|&entry| entry != 0))
            .filter_map(|entry| self.node(entry))
    }

    /// All nodes, in the order they were written.
    pub fn iter(&self) -> impl Iterator<Item = Node<'_>> {
        let mut at = ALIGNMENT;
        std::iter::from_fn(move || {
            let node = Node::at(self.arena.get(at..).filter(|rest| !rest.is_empty())?);
            at = (at + node.packed().len().max(1)).next_multiple_of(ALIGNMENT);
            Some(node)
        })
    }

    #[inline]
    fn node(&self, entry: u32) -> Option<Node<'_>> {
        self.arena.get(offset(entry)..).map(Node::at)
    }
}

/// Where the search for a hash starts: the bits right below those that chose the shard.
#[inline]
fn home(bits: u32, hash: NameHash, slots: usize) -> usize {
    let width = slots.trailing_zeros();
    // Two shifts, so that a shift by 64 never happens.
    let aligned = hash.0 << bits;
    ((aligned >> 1) >> (63 - width)) as usize
}

#[inline]
const fn tag(hash: NameHash) -> u32 {
    (hash.0 & 0xff) as u32
}

#[inline]
const fn offset(entry: u32) -> usize {
    (entry & ((1 << OFFSET_BITS) - 1)) as usize * ALIGNMENT
}

/// Collects the nodes of one shard.
#[derive(Debug)]
pub struct ShardBuilder {
    writer: NodeWriter,
    entries: Vec<(NameHash, usize)>,
}

impl ShardBuilder {
    /// A builder with room for about `octets` of packed nodes.
    #[must_use]
    pub fn new(octets: usize) -> Self {
        let mut arena = Vec::with_capacity(octets + ALIGNMENT);
        // Offset 0 stays unused: an entry of 0 is empty.
        arena.resize(ALIGNMENT, 0);
        Self { writer: NodeWriter::new(arena), entries: Vec::new() }
    }

    /// Where the next node with this hash is to be written; write exactly one.
    pub fn add(&mut self, hash: NameHash) -> &mut NodeWriter {
        let len = self.writer.arena.len().next_multiple_of(ALIGNMENT);
        self.writer.arena.resize(len, 0);
        self.entries.push((hash, len));
        &mut self.writer
    }

    /// Adds a packed node as it is.
    pub fn add_packed(&mut self, hash: NameHash, packed: &[u8]) {
        self.add(hash).arena.extend_from_slice(packed);
    }

    /// The shard.
    ///
    /// # Errors
    /// If the nodes take more than 128 MiB.
    pub fn finish(self, bits: u32) -> Result<Shard, TooLarge> {
        if self.writer.arena.len() > ARENA_MAX {
            return Err(TooLarge);
        }
        // At most two thirds full, so that a search is short and always ends.
        let slots = (self.entries.len() * 3 / 2 + 1).next_power_of_two();
        let mut table = vec![0_u32; slots];
        for &(hash, at) in &self.entries {
            let mut slot = home(bits, hash, slots);
            while table[slot & (slots - 1)] != 0 {
                slot += 1;
            }
            let units = u32::try_from(at / ALIGNMENT).map_err(|_| TooLarge)?;
            table[slot & (slots - 1)] = tag(hash) << OFFSET_BITS | units;
        }
        let nodes = u32::try_from(self.entries.len()).map_err(|_| TooLarge)?;
        Ok(Shard { table: table.into(), arena: self.writer.arena.into(), nodes })
    }
}
