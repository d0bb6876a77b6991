//! Finding what a zone has for a name: RFC 1034 §4.3.2 step 3, with wildcards of RFC 4592 and DNAME of RFC 6672.
//!
//! | the name | above it | found |
//! |---|---|---|
//! | exists | no cut, no DNAME | the node; if it is a cut itself, the caller decides by type |
//! | exists | a cut or DNAME | that cut or DNAME: the name is glue, or occluded |
//! | does not exist | closest encloser is a cut or DNAME, or below one | that cut or DNAME |
//! | does not exist | closest encloser has `*` below it | the wildcard |
//! | does not exist | neither | nothing; the encloser is told for the proof |

use crate::wire::FoldedName;
use crate::zone::Zone;
use crate::zone::node::{Flags, Node};

/// What a zone has for a name.
#[derive(Clone, Copy, Debug)]
pub enum Found<'z> {
    /// The name itself, not below a cut or a DNAME. It may own NS records and so be a cut.
    Node(Node<'z>),
    /// The wildcard that stands for the name; the closest encloser has this many labels.
    Wildcard(Node<'z>, usize),
    /// The name is below a zone cut; the cut's name has this many labels.
    Cut(Node<'z>, usize),
    /// The name is below the owner of a DNAME, which has this many labels.
    Dname(Node<'z>, usize),
    /// The name does not exist; the closest encloser has this many labels.
    Nothing(usize),
}

impl Zone {
    /// What the zone has for a name at or below its apex.
    #[inline]
    #[must_use]
    pub fn find(&self, name: &FoldedName) -> Found<'_> {
        match self.probe(name, name.labels()) {
            Some(node) if !node.flags().has(Flags::OCCLUDED) => Found::Node(node),
            Some(_) => self.find_above(name),
            None => self.find_missing(name),
        }
    }

    /// The name is not there: finds the closest encloser.
    fn find_missing(&self, name: &FoldedName) -> Found<'_> {
        let mut labels = name.labels();
        while labels > self.apex_labels {
            labels -= 1;
            let Some(encloser) = self.probe(name, labels) else { continue };
            let flags = encloser.flags();
            return if flags.has(Flags::OCCLUDED) {
                self.find_above(name)
            } else if flags.has(Flags::CUT) {
                Found::Cut(encloser, labels)
            } else if flags.has(Flags::DNAME) {
                Found::Dname(encloser, labels)
            } else if flags.has(Flags::CHILDREN) {
                self.find_wildcard(name, labels)
            } else {
                Found::Nothing(labels)
            };
        }
        Found::Nothing(self.apex_labels)
    }

    /// The source of synthesis, RFC 4592 §2.2.1: `*` right below the closest encloser.
    #[inline]
    fn find_wildcard(&self, name: &FoldedName, encloser: usize) -> Found<'_> {
        let hash = self.key.child(name.hash(encloser), b"*");
        let wildcard = self
            .shard(hash)
            .and_then(|shard| shard.find(self.bits, hash, b"\x01*", name.between(encloser, self.apex_labels)));
        wildcard.map_or(Found::Nothing(encloser), |node| Found::Wildcard(node, encloser))
    }

    /// The name is occluded: finds the topmost cut or DNAME above it.
    fn find_above(&self, name: &FoldedName) -> Found<'_> {
        for labels in self.apex_labels..name.labels() {
            let Some(node) = self.probe(name, labels) else { continue };
            if node.flags().has(Flags::CUT) {
                return Found::Cut(node, labels);
            }
            if node.flags().has(Flags::DNAME) {
                return Found::Dname(node, labels);
            }
        }
        Found::Nothing(self.apex_labels)
    }

    /// Asks the processor for the memory where the search for `name` starts.
    #[inline]
    pub fn prefetch_slot(&self, name: &FoldedName) {
        let hash = name.hash(name.labels());
        if let Some(shard) = self.shard(hash) {
            shard.prefetch_slot(self.bits, hash);
        }
    }

    /// Asks the processor for the node of `name`; [`Zone::prefetch_slot`] went before.
    #[inline]
    pub fn prefetch_node(&self, name: &FoldedName) {
        let hash = name.hash(name.labels());
        if let Some(shard) = self.shard(hash) {
            shard.prefetch_node(self.bits, hash);
        }
    }
}
