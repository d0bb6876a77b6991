//! Ground floor: what every other room may use and nothing above is known here.
//!
//! Ids, limits, hashes, units, diagnostics and the codes of countries. No socket, no file, no clock, no randomness: those come in as
//! arguments, so that everything built on this is a pure function of what it is given.

pub mod chunks;
pub mod countries;
pub mod diagnostic;
pub mod files;
pub mod hash;
pub mod ids;
pub mod limits;
pub mod list;
pub mod moment;
pub mod prefetch;
pub mod suggest;
pub mod toml_text;
pub mod units;
