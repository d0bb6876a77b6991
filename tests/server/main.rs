//! The real server as a process, seen from outside: sockets, files, signals, exit codes.

#![allow(clippy::unwrap_used, reason = "a test ends where its helpers do")]

mod admin;
mod api;
mod api_document;
mod api_manual;
mod api_outside;
mod api_stream;
mod balance;
mod cockpit;
mod commands;
mod demo;
mod failover;
mod feeds;
mod identity;
mod latency;
mod lifecycle;
mod metrics;
mod spill;
mod steering;
mod operate;
mod stream;
mod udp;
mod vantage;
mod world;
mod zones;

#[path = "../support/mod.rs"]
mod support;
