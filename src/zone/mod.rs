//! Zones in memory: read from files, changed by differences, looked up by the rules of the RFCs.
//!
//! A [`Zone`] is immutable. Its nodes lie in shards by the hash of their names; [`Zone::apply`] is the only change and
//! copies the shards it touches. Names have no order in memory: canonical order exists only in signed zones, where
//! denial of existence needs it.
//!
//! | RFC | where |
//! |---|---|
//! | 1034 §4.3.2, 2181 §6, 4592, 6672 | `lookup` |
//! | 4034 §6.1, 5155 §7 | `order` |
//! | 1035 §5, 2308 §4, 3597 | `parse` |

pub mod node;
pub mod shard;
pub mod order;
pub mod negative;
pub mod lookup;
pub mod build;
pub mod diff;
pub mod apply;
pub mod set;
pub mod parse;
pub mod check;
pub mod source;
pub mod update;

use std::sync::Arc;

use crate::base::hash::{HashKey, NameHash};
use crate::dns::{Name, RecordType};
use crate::wire::{FoldedName, u32_at};

pub use build::Builder;
pub use diff::{Change, Diff};
pub use lookup::Found;
pub use node::{Flags, Node, Rrset, RrsetData};
pub use set::{Served, ZoneSet};
pub use source::{Loaded, ZoneSource, load};
pub use update::Update;

use negative::NegativeSoa;
use order::Order;
use shard::{Shard, TooLarge};

/// Nodes a shard should have. A change copies a shard, a query searches one: small is good for both, and each costs 40
/// octets of its own.
const SHARD_NODES: usize = 1_024;
/// Shards at most: with more, bits for the tables would run out of the 32 that chunk indexes keep.
const SHARD_BITS_MAX: u32 = 14;

/// All data of one zone.
#[derive(Clone, Debug)]
pub struct Zone {
    key: HashKey,
    apex: Name,
    apex_hash: NameHash,
    apex_labels: usize,
    /// The top `bits` bits of a hash choose the shard.
    bits: u32,
    shards: Vec<Shard>,
    records: usize,
    order: Option<Arc<Order>>,
    negative: Option<Arc<NegativeSoa>>,
}

impl Zone {
    /// The key its names are hashed with.
    #[inline]
    #[must_use]
    pub const fn key(&self) -> HashKey {
        self.key
    }

    /// The apex, its case as in the file.
    #[must_use]
    pub const fn apex(&self) -> &Name {
        &self.apex
    }

    /// Labels of the apex.
    #[inline]
    #[must_use]
    pub const fn apex_labels(&self) -> usize {
        self.apex_labels
    }

    /// The table hash of the apex.
    #[inline]
    #[must_use]
    pub const fn apex_hash(&self) -> NameHash {
        self.apex_hash
    }

    /// The serial of its SOA; 0 without one.
    #[must_use]
    pub fn serial(&self) -> u32 {
        // RFC 1035 §3.3.13: SERIAL is the first of five numbers at the end.
        self.soa().and_then(|soa| soa.rdatas().next()).map_or(0, |rdata| u32_at(rdata, rdata.len().saturating_sub(20)))
    }

    /// Its SOA.
    #[must_use]
    pub fn soa(&self) -> Option<Rrset<'_>> {
        self.apex_node()?.set(RecordType::SOA)
    }

    /// Number of records, steered RRsets not counted.
    #[must_use]
    pub const fn record_count(&self) -> usize {
        self.records
    }

    /// Number of nodes, those that exist only because of names below them included.
    #[must_use]
    pub fn node_count(&self) -> usize {
        self.shards.iter().map(Shard::len).sum()
    }

    /// Octets of memory the zone's data occupies.
    #[must_use]
    pub fn size(&self) -> usize {
        self.shards.iter().map(Shard::size).sum()
    }

    /// The node at the apex.
    #[inline]
    #[must_use]
    pub fn apex_node(&self) -> Option<Node<'_>> {
        self.shard(self.apex_hash)?.find(self.bits, self.apex_hash, &[], &[])
    }

    /// Names with denial records in order, if the zone is signed.
    #[must_use]
    pub fn order(&self) -> Option<&Order> {
        self.order.as_deref()
    }

    /// The SOA of negative answers, if it can be written the short way.
    #[inline]
    #[must_use]
    pub fn negative(&self) -> Option<&NegativeSoa> {
        self.negative.as_deref()
    }

    /// All nodes, in no order.
    pub fn nodes(&self) -> impl Iterator<Item = Node<'_>> {
        self.shards.iter().flat_map(Shard::iter)
    }

    /// The absolute name of a node of this zone.
    #[must_use]
    pub fn owner(&self, node: Node<'_>) -> Vec<u8> {
        [node.name(), self.apex.as_wire()].concat()
    }

    /// The shards, for comparing versions.
    pub(crate) fn shards(&self) -> &[Shard] {
        &self.shards
    }

    /// The node of a whole name, whatever stands above it; for changes and checks, not for answers.
    #[must_use]
    pub fn node(&self, name: &FoldedName) -> Option<Node<'_>> {
        if !self.holds(name) {
            return None;
        }
        self.probe(name, name.labels())
    }

    /// True if the name is at or below the apex.
    #[must_use]
    pub fn holds(&self, name: &FoldedName) -> bool {
        name.labels() >= self.apex_labels && self.apex.as_wire().eq_ignore_ascii_case(name.suffix(self.apex_labels))
    }

    /// Nodes whose hash may start with these 32 bits: few, and all that do.
    pub fn candidates(&self, prefix: u32) -> impl Iterator<Item = Node<'_>> {
        self.shard(NameHash(u64::from(prefix) << 32))
            .into_iter()
            .flat_map(move |shard| shard.candidates(self.bits, prefix))
    }

    /// The node of the name's last `labels` labels.
    #[inline]
    fn probe(&self, name: &FoldedName, labels: usize) -> Option<Node<'_>> {
        let hash = name.hash(labels);
        self.shard(hash)?.find(self.bits, hash, &[], name.between(labels, self.apex_labels))
    }

    #[inline]
    fn shard(&self, hash: NameHash) -> Option<&Shard> {
        self.shards.get(shard_of(hash, self.bits))
    }

    /// The zone over other numbers of shards.
    fn with_bits(&self, bits: u32) -> Result<Self, TooLarge> {
        let mut builders: Vec<_> = (0..1_usize << bits).map(|_| shard::ShardBuilder::new(0)).collect();
        let mut name = FoldedName::new();
        for node in self.nodes() {
            name.fill(self.key, &self.owner(node));
            let hash = name.hash(name.labels());
            if let Some(builder) = builders.get_mut(shard_of(hash, bits)) {
                builder.add_packed(hash, node.packed());
            }
        }
        let shards = builders.into_iter().map(|builder| builder.finish(bits)).collect::<Result<_, _>>()?;
        Ok(Self { bits, shards, ..self.clone() })
    }
}

/// The shard a hash belongs to.
#[inline]
const fn shard_of(hash: NameHash, bits: u32) -> usize {
    // Two shifts, so that a shift by 64 never happens.
    ((hash.0 >> 1) >> (63 - bits)) as usize
}

/// Bits for a zone of about `nodes` nodes.
fn bits_for(nodes: usize) -> u32 {
    (nodes / SHARD_NODES).next_power_of_two().trailing_zeros().min(SHARD_BITS_MAX)
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod source_tests;
