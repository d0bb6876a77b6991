//! Watching an answer come about: how `explain` learns what the serving code path decided, and why.

use crate::answer::message::Section;
use crate::base::ids::ServiceId;
use crate::dns::RecordType;
use crate::snapshot::rings::Ring;
use crate::snapshot::{Asker, Decision};

/// Whoever watches. Nobody does while queries are served, and then it costs nothing: [`NoTrace`] has no size.
pub trait Trace {
    /// A steered name was decided.
    fn decided(&mut self, made: &Made<'_>);
}

/// Nobody watches.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoTrace;

impl Trace for NoTrace {
    #[inline(always)]
    fn decided(&mut self, _: &Made<'_>) {}
}

/// What was decided of a steered name.
#[derive(Clone, Copy, Debug)]
pub struct Made<'a> {
    /// The section it is for.
    pub section: Section,
    /// The service that owns the name's type.
    pub service: ServiceId,
    /// The type.
    pub rtype: RecordType,
    /// Who asks.
    pub asker: Asker,
    /// The decision.
    pub decision: Decision<'a>,
    /// The ready records and where the window starts; `None` if there are none.
    pub ring: Option<(&'a Ring, usize)>,
}
