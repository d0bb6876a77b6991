//! Meridian: an authoritative DNS server that answers each client with the data centre that is right for it.
//!
//! The rooms, from the ground up; a room uses only rooms above it in this list:

pub mod base;
pub mod dns;
pub mod wire;
pub mod config;
pub mod model;
pub mod geo;
pub mod latency;
pub mod zone;
pub mod table;
pub mod health;
pub mod policy;
pub mod plan;
pub mod snapshot;
pub mod answer;
pub mod control;
pub mod simulate;
pub mod metrics;
pub mod probe;
pub mod vantage;
pub mod feed;
pub mod agent;
pub mod journal;
pub mod serve;
pub mod admin;
pub mod run;
pub mod cli;
