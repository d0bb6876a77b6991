//! Where clients are: addresses → classes of clients that a map cannot tell apart, each with its exact scope.
//!
//! [`Places`] holds what is known: the operator's networks, then databases in the MaxMind format. An [`Atlas`] is made
//! of it for one ranking, tolerance and set of regions; a query asks only [`Atlas::locate`], which finds a range in a
//! sorted table. The scope (RFC 7871 §7.2.1) is the shortest prefix around the address that stays inside its merged
//! range: exactly the clients of one class, never one of another.
//!
//! | step | file |
//! |---|---|
//! | what is known of a place | `place.rs` |
//! | the middle of a country | `centroids.rs` |
//! | great circles and bias | `distance.rs` |
//! | IPv4 in IPv6 clothes, prefixes as ranges | `prefix.rs` |
//! | sorted ranges of addresses and the scope of an address in them | `ranges.rs` |
//! | the same for both families | `layer.rs` |
//! | distinct locations | `locations.rs` |
//! | a record of a database, whoever made it | `record.rs` |
//! | a database → ranges of locations and systems | `database.rs` |
//! | the order in which databases are asked | `order.rs` |
//! | `networks.toml` | `networks.rs` |
//! | all of these together | `places.rs` |
//! | networks that stand for the clients of a country | `samples.rs` |
//! | what was measured of the ways to regions, and the order that follows | `measured.rs` |
//! | a place → tiers of regions | `rank.rs` |
//! | layers of ranges → ranges of classes | `sweep.rs` |
//! | the table that queries ask | `table.rs` |
//! | for one ranking and set of regions: address → class, scope | `atlas.rs` |
//!
//! | code | meaning (beside those of [`crate::base::toml_text`]) |
//! |---|---|
//! | `damaged-database` | not a database, or not a whole one |
//! | `old-database` | a warning: its data is older than a year |
//! | `missing-place` | a network that says neither country nor coordinates |
//! | `defined-twice` | one network in two places |

mod atlas;
mod centroids;
mod database;
mod distance;
mod layer;
mod locations;
mod measured;
mod networks;
mod order;
mod place;
mod places;
mod prefix;
mod rank;
mod ranges;
mod samples;
mod record;
mod sweep;
mod table;

#[cfg(test)]
mod tests;

pub use atlas::{Atlas, ClassId, Ranked};
pub use centroids::{Centroid, centroid};
pub use database::{DatabaseFile, DatabaseInfo};
pub use distance::distance_m;
pub use measured::{Deviation, Estimate, Group, Margin, Measured, Row, expected_us, ordered};
pub use order::order;
pub use place::{Coordinates, Place};
pub use places::{Located, Places};
pub use prefix::{network_around, undressed};
pub use rank::{Class, Matched, Nearness, region_coordinates};
pub use samples::Sample;
