//! The steering model: region files → raw → valid types.
//!
//! [`read`] takes any number of files, merges them and reports everything that is wrong with them at once. What
//! needs zones (a steered name outside every zone, beside a delegation, over static records) is checked where names
//! are linked; every [`ServiceName`] keeps its place for that.
//!
//! | code | meaning (beside those of [`crate::base::toml_text`]) |
//! |---|---|
//! | `bad-key` | a region, service … whose name is no plain word |
//! | `defined-twice` | one thing in two places |
//! | `duplicate-name`, `-endpoint`, `-region`, `-record`, `-match` | the same entry twice in one thing |
//! | `unknown-region`, `-check`, `-policy`, `-service`, `-geomap` | named, not defined |
//! | `no-kind`, `several-kinds`, `timeout-too-long` | a check or a load feed without exactly one kind; a check that overlaps itself |
//! | `several-bodies`, `never-passes`, `needs-tls` | keys of a check that do not go together |
//! | `wrong-mode` | a key of the other mode |
//! | `missing-type` | a region lacks a record type that others have |
//! | `missing-order`, `incomplete-order`, `not-in-service` | regions that rank, and those that are there |
//! | `missing-check`, `missing-address` | something to check, nothing to check it with (or the reverse) |
//! | `unreachable-min-up` | no region can ever have so many endpoints up |
//! | `claimed-twice`, `cname-beside-others`, `several-cnames` | who owns a name and a type |
//! | `missing-place` | geography without location or map |
//! | `fallback-type` | a fallback that does not answer what its service is asked for |
//! | `bad-follow`, `too-many` | as they say |
//! | `trickle` | clients that go to a passive region on purpose: a warning |
//! | `no-rule` | a safety rule that asks for nothing |
//! | `unchecked`, `single-endpoint`, `same-place`, `short-ttl`, `unused`, `no-effect`, `broken-rule` | warnings |
//! | `unfed` | shares by load that nothing feeds: a warning that says what happens instead |

mod order;
mod read;
mod records;
mod checks;
mod feeds;
pub mod document;
mod types;
mod safety;
mod lookups;
mod validate;

#[cfg(test)]
mod tests;

pub use checks::*;
pub use feeds::*;
pub use read::{check_references, references};
pub use safety::{Gate, SafetyRule};
pub use types::*;
pub use validate::read;
