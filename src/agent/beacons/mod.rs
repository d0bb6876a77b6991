//! Beacons: what browsers have measured, by `dist/rum/beacon.js` in pages of the operator.
//!
//! ```text
//! POST /beacon ─listener→ pace ─origin, client, document→ tally ─every interval→ a report of source `beacon`
//! ```
//!
//! Of a browser nothing is kept or logged but its network, regions and milliseconds. Anybody can send anything here: what
//! is taken is bounded by network, and a median by network hears no single voice. Pure are `client`, `document` and `pace`.

mod client;
mod document;
mod pace;
mod listener;
mod serve;

pub use serve::Beacons;
pub(super) use serve::Counter;
