//! The node as a vantage: it measures how far the resolvers are that ask it, seldom and gently. Off unless the
//! configuration says in which region it stands.
//!
//! | step | file |
//! |---|---|
//! | which resolver is next, if any | `targets.rs` |
//! | how long a round trip to it takes | `ask.rs` |

mod ask;
mod targets;

pub use ask::measure;
pub use targets::{Rules, Targets};
