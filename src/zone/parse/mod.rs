//! Zone files, read and written.
//!
//! [`Reader`] pulls one record after the other out of a text, without an allocation per record; mistakes become
//! diagnostics and reading goes on behind them. The words themselves are split by [`crate::dns::rdata::Words`].
//!
//! | RFC | what |
//! |---|---|
//! | 1035 §5 | entries, `$ORIGIN`, `$INCLUDE`, the last owner and TTL for what is left out |
//! | 2308 §4 | `$TTL` |
//! | 2181 §8 | TTLs end at 2^31 - 1: more is an error here, not 0 |
//! | 3597 §5 | `TYPE123`, `CLASS1`, `\#` |
//!
//! `$GENERATE` is BIND's. What BIND, NSD and Knot disagree on is read this way:
//!
//! - After `$INCLUDE`, origin and last owner are what they were before; a `$TTL` or TTL of the included file stays,
//!   as in BIND, so that a shared header file can set it.
//! - Without `$TTL` a record takes the TTL of the record before it; an SOA that is the first takes its MINIMUM, with
//!   a warning.
//! - A quoted string ends on its line.

mod reader;
mod state;

mod directive;
mod fault;
mod generate;
mod print;
mod record;

pub use print::print_entry;
pub use reader::{Entry, Reader};
pub use state::State;

#[cfg(test)]
mod tests;
