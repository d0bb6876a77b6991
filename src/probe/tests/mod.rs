//! Probes against real servers on loopback, and the schedule under a clock that jumps.

mod support;
mod schedule;
mod http;
mod tls;
mod others;
mod prober;
