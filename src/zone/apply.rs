//! The only way a zone changes: [`Zone::apply`] makes the next version, sharing every shard the changes do not touch.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use crate::base::hash::NameHash;
use crate::dns::RecordType;
use crate::wire::FoldedName;
use crate::zone::build::DenialKind;
use crate::zone::negative::NegativeSoa;
use crate::zone::node::{Flags, Node, RrsetData};
use crate::zone::shard::{ShardBuilder, TooLarge};
use crate::zone::{Change, Diff, SHARD_BITS_MAX, SHARD_NODES, Zone, bits_for, shard_of};

/// A name relative to the apex in lower case: what identifies a node.
type Key = Box<[u8]>;

/// A node while it changes.
#[derive(Clone, Debug)]
struct Draft {
    hash: NameHash,
    /// Relative to the apex, case kept.
    name: Box<[u8]>,
    flags: Flags,
    sets: BTreeMap<RecordType, RrsetData>,
    /// It was there before the change.
    existed: bool,
    /// It was a cut or owned a DNAME before the change.
    covered: bool,
}

impl Draft {
    fn of(node: Node<'_>, hash: NameHash) -> Self {
        let flags = node.flags();
        Self {
            hash,
            name: node.name().into(),
            flags,
            sets: node.sets().map(|set| (set.rtype, set.to_data())).collect(),
            existed: true,
            covered: covers(flags),
        }
    }

    fn new(name: &[u8], hash: NameHash) -> Self {
        Self { hash, name: name.into(), flags: Flags::default(), sets: BTreeMap::new(), existed: false, covered: false }
    }

    fn refresh_flags(&mut self) {
        self.flags = self.flags.without(Flags::CUT).without(Flags::DNAME);
        if !self.name.is_empty() && self.sets.contains_key(&RecordType::NS) {
            self.flags = self.flags.with(Flags::CUT);
        }
        if self.sets.contains_key(&RecordType::DNAME) {
            self.flags = self.flags.with(Flags::DNAME);
        }
    }
}

/// True if names below are occluded.
const fn covers(flags: Flags) -> bool {
    flags.has(Flags::CUT) || flags.has(Flags::DNAME)
}

/// The changed nodes by key.
type Drafts = HashMap<Key, Draft>;

impl Zone {
    /// The zone after `diff`. Changes of owners outside the zone are ignored.
    ///
    /// # Errors
    /// If a part of the zone would be too large to hold.
    pub fn apply(&self, diff: &Diff) -> Result<Self, TooLarge> {
        let mut drafts = self.draft(diff);
        self.add_parents(&mut drafts);
        self.settle_descendants(&mut drafts);
        let mut next = self.rebuild(&drafts)?;
        next.order = self.next_order(&next, &drafts);
        next.negative = NegativeSoa::of(&next).map(Arc::new);
        let bits = bits_for(next.node_count());
        // Growing by a quarter of the room is not worth a rebuild; four times the room is.
        if bits >= next.bits + 2 || (next.bits > bits + 2 && next.node_count() * 16 < SHARD_NODES << next.bits) {
            next = next.with_bits(bits.min(SHARD_BITS_MAX))?;
        }
        Ok(next)
    }

    /// The nodes of all owners in the diff, changed.
    fn draft(&self, diff: &Diff) -> Drafts {
        let mut drafts = Drafts::new();
        let mut name = FoldedName::new();
        for Change { owner, rtype, set } in diff.changes() {
            if name.fill(self.key, owner) != Some(owner.len()) || !self.holds(&name) {
                continue;
            }
            let hash = name.hash(name.labels());
            let relative = owner.get(..name.start(self.apex_labels)).unwrap_or_default();
            let draft = drafts.entry(relative.to_ascii_lowercase().into()).or_insert_with(|| match self.node(&name) {
                Some(node) => Draft::of(node, hash),
                None => Draft::new(relative, hash),
            });
            match set {
                Some(set) => draft.sets.insert(*rtype, set.clone()),
                None => draft.sets.remove(rtype),
            };
        }
        drafts.values_mut().for_each(Draft::refresh_flags);
        drafts
    }

    /// Every ancestor of a node with records exists and knows that it has a name below.
    fn add_parents(&self, drafts: &mut Drafts) {
        let mut name = FoldedName::new();
        let present: Vec<Box<[u8]>> =
            drafts.values().filter(|draft| !draft.sets.is_empty()).map(|draft| draft.name.clone()).collect();
        for child in present {
            name.fill(self.key, &self.absolute(&child));
            for labels in (self.apex_labels..name.labels()).rev() {
                let key: Key = name.between(labels, self.apex_labels).into();
                let hash = name.hash(labels);
                if let Some(parent) = drafts.get_mut(&key) {
                    parent.flags = parent.flags.with(Flags::CHILDREN);
                    continue;
                }
                let parent = match self.probe(&name, labels) {
                    Some(node) if node.flags().has(Flags::CHILDREN) => break,
                    Some(node) => Draft::of(node, hash),
                    None => Draft::new(child.get(child.len() - key.len()..).unwrap_or(&key), hash),
                };
                drafts.insert(key, Draft { flags: parent.flags.with(Flags::CHILDREN), ..parent });
            }
        }
    }

    /// Sets the flags of new nodes, and looks through the whole zone where that cannot be avoided: when a node that has
    /// names below it began or ceased to be a cut, or lost its last record.
    fn settle_descendants(&self, drafts: &mut Drafts) {
        let toggled: HashSet<Key> = drafts
            .iter()
            .filter(|(_, draft)| {
                draft.existed && draft.flags.has(Flags::CHILDREN) && draft.covered != covers(draft.flags)
            })
            .map(|(key, _)| key.clone())
            .collect();
        let doubtful = self.doubtful(drafts);
        if !toggled.is_empty() || !doubtful.is_empty() {
            self.scan(drafts, &toggled, &doubtful);
        }
        let fresh: Vec<Key> = drafts.iter().filter(|(_, draft)| !draft.existed).map(|(key, _)| key.clone()).collect();
        for key in fresh {
            let occluded = self.is_occluded(drafts, &key);
            if let Some(draft) = drafts.get_mut(&key).filter(|_| occluded) {
                draft.flags = draft.flags.with(Flags::OCCLUDED);
            }
        }
    }

    /// Nodes without records after the change that stay only if a name below them has some: names that lost all their
    /// records, and the empty names above them.
    fn doubtful(&self, drafts: &Drafts) -> HashSet<Key> {
        let mut doubtful = HashSet::new();
        let mut name = FoldedName::new();
        for draft in drafts.values().filter(|draft| draft.existed && draft.sets.is_empty()) {
            name.fill(self.key, &self.absolute(&draft.name));
            for labels in (self.apex_labels + 1..=name.labels()).rev() {
                let key: Key = name.between(labels, self.apex_labels).into();
                let empty = match drafts.get(&key) {
                    Some(draft) => draft.sets.is_empty(),
                    None => self.probe(&name, labels).is_some_and(Node::is_empty),
                };
                if !empty {
                    break;
                }
                let leaf = labels == name.labels() && !draft.flags.has(Flags::CHILDREN);
                if !leaf {
                    doubtful.insert(key);
                }
            }
        }
        doubtful
    }

    /// One pass over all nodes: which doubtful ones have a living name below, and which names are occluded no more or
    /// from now on.
    fn scan(&self, drafts: &mut Drafts, toggled: &HashSet<Key>, doubtful: &HashSet<Key>) {
        let mut alive: HashSet<Key> = HashSet::new();
        let mut reflagged: Vec<(Key, Draft)> = Vec::new();
        let mut visit = |key: &[u8], has_records: bool, node: Option<(Node<'_>, NameHash)>| {
            let mut below_toggled = false;
            for ancestor in proper_ancestors(key) {
                if has_records && doubtful.contains(ancestor) {
                    alive.insert(ancestor.into());
                }
                below_toggled |= toggled.contains(ancestor);
            }
            if let Some((node, hash)) = node.filter(|_| below_toggled) {
                reflagged.push((key.into(), Draft::of(node, hash)));
            }
        };
        let mut name = FoldedName::new();
        for node in self.nodes() {
            let key = node.name().to_ascii_lowercase();
            if drafts.contains_key(key.as_slice()) {
                continue;
            }
            name.fill(self.key, &self.owner(node));
            visit(&key, !node.is_empty(), Some((node, name.hash(name.labels()))));
        }
        for (key, draft) in drafts.iter() {
            visit(key, !draft.sets.is_empty(), None);
        }
        drafts.extend(reflagged);
        self.settle_scanned(drafts, toggled, doubtful, &alive);
    }

    fn settle_scanned(
        &self,
        drafts: &mut Drafts,
        toggled: &HashSet<Key>,
        doubtful: &HashSet<Key>,
        alive: &HashSet<Key>,
    ) {
        let mut name = FoldedName::new();
        for key in doubtful {
            if !drafts.contains_key(key)
                && let Some(_) = name.fill(self.key, &self.absolute(key))
                && let Some(node) = self.node(&name)
            {
                drafts.insert(key.clone(), Draft::of(node, name.hash(name.labels())));
            }
            if let Some(draft) = drafts.get_mut(key) {
                draft.flags = if alive.contains(key) {
                    draft.flags.with(Flags::CHILDREN)
                } else {
                    draft.flags.without(Flags::CHILDREN)
                };
            }
        }
        let below: Vec<Key> = drafts
            .keys()
            .filter(|key| proper_ancestors(key).any(|ancestor| toggled.contains(ancestor)))
            .cloned()
            .collect();
        for key in below {
            let occluded = self.is_occluded(drafts, &key);
            if let Some(draft) = drafts.get_mut(&key) {
                draft.flags =
                    if occluded { draft.flags.with(Flags::OCCLUDED) } else { draft.flags.without(Flags::OCCLUDED) };
            }
        }
    }

    /// True if, after the change, a cut or a DNAME stands above the name.
    fn is_occluded(&self, drafts: &Drafts, key: &[u8]) -> bool {
        let mut name = FoldedName::new();
        if name.fill(self.key, &self.absolute(key)).is_none() {
            return false;
        }
        (self.apex_labels..name.labels()).any(|labels| match drafts.get(name.between(labels, self.apex_labels)) {
            Some(draft) => covers(draft.flags),
            None => self.probe(&name, labels).is_some_and(|node| covers(node.flags())),
        })
    }

    /// The zone with the drafts in place of their nodes.
    fn rebuild(&self, drafts: &Drafts) -> Result<Self, TooLarge> {
        let mut by_shard: BTreeMap<usize, Vec<&Draft>> = BTreeMap::new();
        for draft in drafts.values() {
            by_shard.entry(shard_of(draft.hash, self.bits)).or_default().push(draft);
        }
        let mut next = self.clone();
        let mut name = FoldedName::new();
        for (index, mut changed) in by_shard {
            let Some(shard) = next.shards.get_mut(index) else { continue };
            // One order whatever the map's: equal changes make equal zones.
            changed.sort_by(|a, b| a.name.cmp(&b.name));
            let mut builder = ShardBuilder::new(shard.size());
            for node in shard.iter() {
                if drafts.contains_key(node.name().to_ascii_lowercase().as_slice()) {
                    next.records -= record_count(node);
                } else {
                    name.fill(self.key, &self.owner(node));
                    builder.add_packed(name.hash(name.labels()), node.packed());
                }
            }
            for draft in changed
                .into_iter()
                .filter(|draft| draft.name.is_empty() || !draft.sets.is_empty() || draft.flags.has(Flags::CHILDREN))
            {
                let out = builder.add(draft.hash);
                out.begin(&draft.name, draft.flags);
                for (rtype, set) in &draft.sets {
                    out.set(*rtype, set);
                    next.records += usize::from(set.view(*rtype).count());
                }
            }
            *shard = builder.finish(self.bits)?;
        }
        Ok(next)
    }

    /// The order of denial names after the change.
    fn next_order(&self, next: &Self, drafts: &Drafts) -> Option<Arc<crate::zone::order::Order>> {
        let kind = |zone: &Self| zone.apex_node().and_then(DenialKind::of);
        let denial = kind(next)?;
        let Some(order) = self.order.as_ref().filter(|_| kind(self) == Some(denial)) else {
            return next.make_order().map(Arc::new);
        };
        let mut changed: Option<crate::zone::order::Order> = None;
        let mut name = FoldedName::new();
        for draft in drafts.values() {
            name.fill(self.key, &self.absolute(&draft.name));
            let had = self.node(&name).is_some_and(|node| node.set(denial.rtype()).is_some());
            let has = draft.sets.contains_key(&denial.rtype());
            if had != has {
                let order = changed.get_or_insert_with(|| order.as_ref().clone());
                let key = denial.key(&draft.name);
                if has { order.insert(key) } else { order.remove(&key) }
            }
        }
        Some(changed.map_or_else(|| Arc::clone(order), Arc::new))
    }

    fn absolute(&self, relative: &[u8]) -> Vec<u8> {
        [relative, self.apex.as_wire()].concat()
    }
}

fn record_count(node: Node<'_>) -> usize {
    node.sets().map(|set| usize::from(set.count())).sum()
}

/// The names above a relative name, the apex (empty) last.
fn proper_ancestors(key: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = key;
    std::iter::from_fn(move || {
        let (&len, after) = rest.split_first()?;
        rest = after.get(usize::from(len)..)?;
        Some(rest)
    })
}
