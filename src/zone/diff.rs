//! What leads from one version of a zone to the next.

use std::collections::BTreeSet;

use crate::dns::RecordType;
use crate::wire::FoldedName;
use crate::zone::Zone;
use crate::zone::node::{Node, RrsetData};

/// One RRset that becomes another, appears or goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The owner, wire form, case as it is to be kept if the name is new.
    pub owner: Box<[u8]>,
    /// The type.
    pub rtype: RecordType,
    /// What it becomes; `None`: it goes.
    pub set: Option<RrsetData>,
}

/// A list of changes, at most one per owner and type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diff {
    changes: Vec<Change>,
}

impl Diff {
    /// No change.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a change.
    pub fn push(&mut self, change: Change) {
        self.changes.push(change);
    }

    /// The changes.
    #[must_use]
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// True if nothing changes.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Number of RRsets that change.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.changes.len()
    }

    /// What leads from `old` to `new`, both of one apex. Steered RRsets are not compared: they are not the file's.
    #[must_use]
    pub fn between(old: &Zone, new: &Zone) -> Self {
        let mut diff = Self::new();
        let mut name = FoldedName::new();
        let same_sharding = old.shards().len() == new.shards().len();
        for (index, shard) in new.shards().iter().enumerate() {
            if same_sharding && old.shards().get(index).is_some_and(|other| other.is(shard)) {
                continue;
            }
            for node in shard.iter() {
                let owner = new.owner(node);
                name.fill(new.key, &owner);
                diff.push_node(&owner, old.node(&name), Some(node));
            }
        }
        for (index, shard) in old.shards().iter().enumerate() {
            if same_sharding && new.shards().get(index).is_some_and(|other| other.is(shard)) {
                continue;
            }
            for node in shard.iter() {
                let owner = old.owner(node);
                name.fill(old.key, &owner);
                if new.node(&name).is_none() {
                    diff.push_node(&owner, Some(node), None);
                }
            }
        }
        diff
    }

    /// Adds what leads from one node of a name to another.
    fn push_node(&mut self, owner: &[u8], old: Option<Node<'_>>, new: Option<Node<'_>>) {
        let contents = |node: Option<Node<'_>>, rtype| node.and_then(|node| node.set(rtype)).map(|set| set.to_data());
        let types: BTreeSet<RecordType> = old
            .into_iter()
            .chain(new)
            .flat_map(|node| node.sets().filter(|set| set.service().is_none()).map(|set| set.rtype).collect::<Vec<_>>())
            .collect();
        for rtype in types {
            let (before, after) = (contents(old, rtype), contents(new, rtype));
            if before != after {
                self.push(Change { owner: owner.into(), rtype, set: after });
            }
        }
    }
}
