//! The region table: what may be answered now, immutable, one generation.
//!
//! It is what health checks, load and operators' words come down to: per service a set of regions, per endpoint a
//! bit, and, cold, why. A query reads the sets; the reasons are for people.
//!
//! Which regions of a service are usable (the order of resort, first line that has a region):
//!
//! ```text
//! standing   regions that …                               endpoints answered
//! eligible   reach min_up by what is up and not drained   the same
//! drained    reach min_up by what is up                   the same
//! some-up    have an endpoint of the judged type up,
//!            then any endpoint at all                     what is up
//! all-down   have an endpoint that is not taken away      every one not taken away
//!            (last-healthy: first those up last)          (last-healthy: those of them that were up last)
//! gone       none: everything is disabled or forced down  none
//! ```
//!
//! Which endpoints of a region are answered depends on that region alone, so a region that fails whole changes who is
//! sent there and no ready answer.
//!
//! A region reaches `min_up` by its endpoints of one type: A where the service and the region have it, else the
//! first type it has; so a region that lost only its IPv6 stays, and answers no AAAA.
//!
//! Everything by part (a service in a region) or endpoint lies region by region, so that what happens to a region
//! happens in one piece of memory; and what a part becomes changes the set of its service by a bit. Only where no
//! region is eligible is a service looked at as a whole.

mod bits;
mod by_region;
mod standing;
mod states;
mod carried;
mod layout;
mod judge;
mod regions;

pub use bits::Bits;
pub use by_region::{ByRegion, Ramps, RegionWeights};
pub use regions::{Difference, RegionTable};
pub use standing::{PartState, Standing, Why};
pub use states::{STEADY, States, Word};

#[cfg(test)]
mod tests;
