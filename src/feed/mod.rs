//! Load feeds at work: documents are fetched and agents asked, on time, and what they say goes to somebody else who
//! judges it.
//!
//! [`Feeder`] holds the feeds that are to be asked ([`crate::control::FeedTarget`]); a [`Teller`] receives what came of
//! each asking. What is pushed, and what stands in answers to health checks, does not come this way.
//!
//! ```text
//! set_feeds → one job for each document, one task for each job: wait ─due→ permit → ask → pick → tell ─every→ wait
//! ```
//!
//! A feed that fails or is slow takes its permits from others of its kind, so those that are well never wait for it.

mod feeder;
mod ask;

#[cfg(test)]
mod tests;

pub use feeder::{Feeder, Settings, Teller, Told};
