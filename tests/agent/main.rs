//! The real `meridian agent` on loopback: connections that are really measured, beacons that are really posted, and a
//! stand-in for a node that answers what the test wants.

#![allow(clippy::unwrap_used, reason = "a test ends where its helpers do")]

mod beacons;
mod connections;
mod documents;
mod node;
mod process;
