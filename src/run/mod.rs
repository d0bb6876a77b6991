//! The wiring: files, threads and signals around the pure rooms.
//!
//! A load goes `loader` (files → zones) → `reloads` (the thread that does it when asked) → `publisher` (the one thread
//! that stores snapshots). `server` binds, starts and ends everything (`lanes` those who answer); `running` is what operators
//! may ask of it; `signals` and `notify` talk to whoever started the process.

pub mod ask;
mod exchange;
mod board;
pub mod demo;
mod files;
mod folder;
mod historian;
mod lanes;
mod regions;
mod loader;
pub mod log;
mod notify;
mod parallel;
mod places;
mod priority;
mod probing;
mod feeding;
mod publisher;
mod random;
mod recorder;
mod reloads;
mod running;
mod server;
mod settings;
mod signals;
mod demands;
mod traffic;
mod webhooks;
mod surveyor;
mod vantage;
mod neighbors;
mod sweep;
mod planner;
mod evacuating;

pub use loader::{LoadSettings, Loaded, Loader};
pub use server::{RunError, serve};
pub use settings::{Settings, SettingsError, load_settings};

use crate::base::hash::HashKey;

/// A key for the table hash that nobody can guess.
///
/// # Errors
/// If the system has no source of randomness.
pub fn hash_key() -> std::io::Result<HashKey> {
    Ok(HashKey::new(random::word()?, random::word()?))
}
