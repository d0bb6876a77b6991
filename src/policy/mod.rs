//! Who is answered: pure rules from plain inputs (masks, orders, weights) to regions, shares and endpoints.
//!
//! A rule stands alone in its file, its truth table above it. [`Placements`] runs them at publish; what is left for a
//! query is a [`Pick`] among ready answers: no rule is evaluated per query.
//!
//! | step (in this order) | file |
//! |---|---|
//! | which client is which: the hashed prefix | `client.rs` |
//! | active-passive: one region for everybody | `failover.rs` |
//! | active-active: which atlas ranks for which service | `atlases.rs` |
//! | active-active: the first tier with an eligible region | `ranked.rs` |
//! | active-active: shares among it, ramps | `split.rs` |
//! | active-active: shares that the capacity plan makes | `planned.rs` |
//! | every endpoint of every eligible region | `all.rs` |
//! | shares → buckets, so that a change moves only its share | `buckets.rs` |
//! | what is fed → weights, of endpoints and of regions | `balance.rs` |
//! | among the endpoints of a region: fixed, turn, bucket, draw | `pick.rs` |
//! | services that decide alike | `groups.rs` |
//! | a service at one moment, and why a region is answered | `situation.rs` |
//! | what a service answers with | `verdict.rs` |
//! | services that come to the same state in the same way | `turns.rs` |
//! | model + region table → placements | `place.rs` |
//! | what the capacity plan may do with them | `offer.rs` |

mod reason;

mod client;

pub mod failover;

mod atlases;

mod planned;

mod ranked;

mod split;

pub mod all;

mod buckets;

pub mod balance;

mod pick;

mod groups;

mod situation;

mod verdict;

mod turns;

mod place;

mod offer;

pub use atlases::{Atlases, Counterparts};
pub use buckets::{Buckets, Member, WEIGHT_MAX, endpoint_bucket_count};
pub use client::{ClientPrefix, PREFIX_V4_MAX, PREFIX_V6_MAX, steer};
pub use groups::leader;
pub use offer::{Kin, Offer};
pub use pick::{Pick, ring};
pub use place::{Inputs, Placements};
pub use ranked::{Chosen, Ranked, Target};
pub use reason::Reason;
pub use split::Split;
pub use verdict::{Choice, Placement, Verdict};
