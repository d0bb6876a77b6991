//! Names in order, for denial of existence in signed zones.
//!
//! With NSEC, the owners of NSEC records in canonical order (RFC 4034 §6.1); with NSEC3, the hashes in the owners' first
//! labels (RFC 5155 §7). Both are kept as octet strings whose plain order is the order wanted, in blocks that versions
//! of a zone share.

use std::sync::Arc;

use crate::dns::name::labels;

/// Entries a block holds when made; a block that grows to twice this is split.
const BLOCK: usize = 256;

/// A sorted set of keys.
#[derive(Clone, Debug, Default)]
pub struct Order {
    blocks: Vec<Arc<Vec<Box<[u8]>>>>,
}

impl Order {
    /// The set of these keys.
    #[must_use]
    pub fn new(mut keys: Vec<Box<[u8]>>) -> Self {
        keys.sort_unstable();
        keys.dedup();
        Self { blocks: keys.chunks(BLOCK).map(|chunk| Arc::new(chunk.to_vec())).collect() }
    }

    /// True if there is no key.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// All keys in order.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.blocks.iter().flat_map(|block| block.iter().map(AsRef::as_ref))
    }

    /// The greatest key that is `key` or less; without one, the last of all: the chain is a circle.
    #[must_use]
    pub fn at_or_before(&self, key: &[u8]) -> Option<&[u8]> {
        let block = self.blocks.partition_point(|block| block.first().is_some_and(|first| first.as_ref() <= key));
        let Some(block) = block.checked_sub(1).and_then(|at| self.blocks.get(at)) else {
            return self.blocks.last()?.last().map(AsRef::as_ref);
        };
        let after = block.partition_point(|entry| entry.as_ref() <= key);
        block.get(after.checked_sub(1)?).map(AsRef::as_ref)
    }

    /// Adds a key; copies one block.
    pub fn insert(&mut self, key: Box<[u8]>) {
        let at = self.block_for(&key);
        let Some(shared) = self.blocks.get_mut(at) else {
            self.blocks.push(Arc::new(vec![key]));
            return;
        };
        let block = Arc::make_mut(shared);
        let Err(position) = block.binary_search(&key) else { return };
        block.insert(position, key);
        if block.len() >= 2 * BLOCK {
            let upper = block.split_off(BLOCK);
            self.blocks.insert(at + 1, Arc::new(upper));
        }
    }

    /// Takes a key away; copies one block.
    pub fn remove(&mut self, key: &[u8]) {
        let at = self.block_for(key);
        let Some(shared) = self.blocks.get_mut(at) else { return };
        if let Ok(position) = shared.binary_search_by(|entry| entry.as_ref().cmp(key)) {
            let block = Arc::make_mut(shared);
            block.remove(position);
            if block.is_empty() {
                self.blocks.remove(at);
            }
        }
    }

    fn block_for(&self, key: &[u8]) -> usize {
        self.blocks.partition_point(|block| block.first().is_some_and(|first| first.as_ref() <= key)).saturating_sub(1)
    }
}

/// The key of a wire name (relative or absolute, any case): plain order of keys is canonical order of names.
///
/// Labels go from the last to the first, in lower case, each closed by 0; octets 0 and 1 inside a label become 1 1 and
/// 1 2, so that the end of a label sorts before any octet.
#[must_use]
pub fn canonical_key(name: &[u8]) -> Box<[u8]> {
    let mut key = Vec::with_capacity(name.len() + 4);
    let parts: Vec<&[u8]> = labels(name).collect();
    for label in parts.iter().rev() {
        for octet in label.iter().map(u8::to_ascii_lowercase) {
            match octet {
                0 => key.extend_from_slice(&[1, 1]),
                1 => key.extend_from_slice(&[1, 2]),
                other => key.push(other),
            }
        }
        key.push(0);
    }
    key.into()
}

/// The wire name, in lower case and without a root label, whose [`canonical_key`] is `key`.
#[must_use]
pub fn name_of_key(key: &[u8]) -> Vec<u8> {
    let mut parts: Vec<Vec<u8>> = vec![Vec::new()];
    let mut rest = key.iter();
    while let Some(&octet) = rest.next() {
        match (octet, parts.last_mut()) {
            (0, _) => parts.push(Vec::new()),
            (1, Some(label)) => label.push(rest.next().map_or(0, |escaped| escaped - 1)),
            (other, Some(label)) => label.push(other),
            (_, None) => {}
        }
    }
    parts.pop();
    let mut name = Vec::with_capacity(key.len());
    for label in parts.iter().rev() {
        name.push(u8::try_from(label.len()).unwrap_or(0));
        name.extend_from_slice(label);
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::Name;
    use proptest::prelude::*;

    fn any_name() -> impl Strategy<Value = Name> {
        proptest::collection::vec(proptest::collection::vec(0_u8..4, 1..4), 0..4)
            .prop_map(|labels| labels.iter().rev().fold(Name::root(), |name, label| name.prepend(label).unwrap()))
    }

    proptest! {
        #[test]
        fn keys_sort_as_names_do_and_lead_back(a in any_name(), b in any_name()) {
            prop_assert_eq!(canonical_key(a.as_wire()).cmp(&canonical_key(b.as_wire())), a.cmp(&b));
            let mut back = name_of_key(&canonical_key(a.as_wire()));
            back.push(0);
            prop_assert_eq!(back, a.as_wire());
        }

        #[test]
        fn behaves_as_a_sorted_set(keys in proptest::collection::vec(0_u16..600, 0..1500), gone in proptest::collection::vec(0_u16..600, 0..900), asked in 0_u16..600) {
            let bytes = |key: u16| -> Box<[u8]> { Box::new(key.to_be_bytes()) };
            let mut model = std::collections::BTreeSet::new();
            let (first, later) = keys.split_at(keys.len() / 2);
            let mut order = Order::new(first.iter().map(|&key| bytes(key)).collect());
            model.extend(first);
            for &key in later {
                order.insert(bytes(key));
                model.insert(key);
            }
            for key in gone {
                order.remove(&bytes(key));
                model.remove(&key);
            }
            prop_assert!(order.iter().eq(model.iter().map(|&key| bytes(key)).collect::<Vec<_>>().iter().map(AsRef::as_ref)));
            let expected = model.range(..=asked).next_back().or(model.last()).map(|&key| bytes(key));
            prop_assert_eq!(order.at_or_before(&bytes(asked)), expected.as_deref());
        }
    }
}
