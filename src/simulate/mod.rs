//! What would happen: demand and events on a configuration, played in simulated time.
//!
//! A [`World`] drives a [`crate::control::Control`] and a [`crate::control::CapacityPlanner`] of its own, as the server drives
//! its: probes find what is lost, the planner plans once a second, and caches go on with what they were answered until
//! it expires. What comes out is an [`Outcome`], for people as a table or a page, for programs as it is.
//!
//! ```text
//! events → control (probes, words, reloads) → steering ─→ answers → caches → loads of regions
//!             └── plan ← planner ← demand ←──────┘                              │
//!                            └───────────── readings of load feeds ←────────────┘
//! ```
//!
//! | what | file |
//! |---|---|
//! | internet users by country | `population.rs` |
//! | how much is asked from where: a file, or the table | `profile.rs` |
//! | as a server counts it | `recorded.rs` |
//! | the same by classes of clients of a configuration | `crowds.rs` |
//! | what happens, and when | `event.rs` |
//! | what resolvers hold | `caches.rs` |
//! | what health checks find | `probes.rs` |
//! | what load feeds say | `feeds.rs` |
//! | second by second | `world.rs` |
//! | what is seen at a moment | `stage.rs` |
//! | from the first second to the last | `play.rs` |
//! | what came out, for programs | `outcome.rs` |
//! | for people | `text.rs` |
//! | as a page | `page.rs`, `picture.rs` |
//! | what a reload would change | `preview.rs` |

mod event;

pub mod population;

mod profile;

mod recorded;

mod crowds;

mod caches;

mod probes;

mod feeds;

mod world;

mod stage;

mod outcome;

mod play;

mod text;

mod picture;

mod page;

pub mod preview;

#[cfg(test)]
mod tests;

pub use event::{Event, What};
pub use outcome::{CountryRow, Course, Outcome, RegionRow, Segment, SpillRow, Stage, Timeline};
pub use page::page;
pub use play::{Scenario, calibrated, play};
pub use profile::{Origin, Profile, Row};
pub use recorded::Counted;
pub use text::text;
pub use world::{Configuration, Start, World};
