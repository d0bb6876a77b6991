//! What one line of a zone file hands to the next.

use std::sync::Arc;

/// Everything that influences how the next line is read. Two equal states read the same line in the same way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    origin: Arc<[u8]>,
    owner: Arc<[u8]>,
    ttl_default: Option<u32>,
    ttl_last: Option<u32>,
}

impl State {
    /// The origin that relative names count from, in wire form.
    #[must_use]
    pub fn origin(&self) -> &[u8] {
        &self.origin
    }

    /// What of the state matters to a line that names its owner: not the owner before it, and no last TTL where `$TTL`
    /// has set the default.
    #[must_use]
    pub fn before_owner(self) -> Self {
        let ttl_last = if self.ttl_default.is_some() { None } else { self.ttl_last };
        Self { owner: Arc::from([].as_slice()), ttl_last, ..self }
    }
}

/// [`State`] while reading: the owner is overwritten in place.
#[derive(Debug)]
pub(super) struct Current {
    /// Wire form.
    pub(super) origin: Arc<[u8]>,
    /// Owner of the last record in wire form; empty before the first.
    pub(super) owner: Vec<u8>,
    /// From `$TTL`.
    pub(super) ttl_default: Option<u32>,
    /// Of the last record that had one.
    pub(super) ttl_last: Option<u32>,
}

impl Current {
    pub(super) fn at_start(origin: &[u8]) -> Self {
        Self { origin: origin.into(), owner: Vec::new(), ttl_default: None, ttl_last: None }
    }

    pub(super) fn save(&self) -> State {
        State {
            origin: Arc::clone(&self.origin),
            owner: self.owner.as_slice().into(),
            ttl_default: self.ttl_default,
            ttl_last: self.ttl_last,
        }
    }
}

impl From<State> for Current {
    fn from(state: State) -> Self {
        Self {
            origin: state.origin,
            owner: state.owner.to_vec(),
            ttl_default: state.ttl_default,
            ttl_last: state.ttl_last,
        }
    }
}
