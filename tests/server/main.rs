//! The real server as a process, seen from outside: sockets, files, signals, exit codes.

mod admin;
mod commands;
mod lifecycle;
mod stream;
mod udp;

#[path = "../support/mod.rs"]
mod support;
