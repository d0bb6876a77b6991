//! Whole names from their parts.

use crate::base::limits::NAME_LEN_MAX;
use crate::zone::{Node, Zone};

/// A name put together from parts, without an allocation.
#[derive(Clone, Copy, Debug)]
pub struct Absolute {
    wire: [u8; NAME_LEN_MAX],
    len: usize,
}

impl Absolute {
    /// The root.
    pub const ROOT: Self = Self { wire: [0; NAME_LEN_MAX], len: 1 };

    /// The name of a node of a zone, case kept.
    #[inline]
    pub fn of(zone: &Zone, node: Node<'_>) -> Self {
        // A node's name was checked when it came into the zone.
        Self::join(node.name(), zone.apex().as_wire()).unwrap_or(Self::ROOT)
    }

    /// Labels and the name they stand below; `None` if that is too long for a name.
    #[inline]
    pub fn join(labels: &[u8], name: &[u8]) -> Option<Self> {
        let len = labels.len() + name.len();
        let mut wire = [0; NAME_LEN_MAX];
        let (head, tail) = wire.get_mut(..len)?.split_at_mut_checked(labels.len())?;
        head.copy_from_slice(labels);
        tail.copy_from_slice(name);
        Some(Self { wire, len })
    }

    /// The name, wire form.
    #[inline]
    pub fn wire(&self) -> &[u8] {
        self.wire.get(..self.len).unwrap_or(&[0])
    }
}
