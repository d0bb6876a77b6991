//! The real server as a process, seen from outside: sockets, files, signals, exit codes.

#![allow(clippy::unwrap_used, reason = "a test ends where its helpers do")]

mod admin;
mod commands;
mod demo;
mod failover;
mod identity;
mod lifecycle;
mod metrics;
mod steering;
mod operate;
mod stream;
mod udp;
mod world;
mod zones;

#[path = "../support/mod.rs"]
mod support;
