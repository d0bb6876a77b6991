//! Which threads give way to those that answer, when there is not enough processor for all.

use crate::serve::system::be_nice;

/// Niceness of work that nobody waits for.
pub(super) const BACKGROUND_NICENESS: u8 = 10;
/// Niceness of what people look at: what a failure has to tell to hundreds of dashboards at once must not take a core
/// from the queries that come meanwhile. Measured by `benches/streams`.
pub(super) const WATCHING_NICENESS: u8 = 5;

/// Lowers the priority of the calling thread; threads that it starts from now on inherit that.
pub(super) fn give_way(niceness: u8, what: &'static str) {
    if let Err(error) = be_nice(niceness) {
        tracing::debug!(%error, what, "cannot lower the priority of a thread");
    }
}
