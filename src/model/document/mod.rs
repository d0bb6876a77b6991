//! What stands in the documents of load feeds: numbers, in thousandths. Nothing here fails on any octets.
//!
//! | document | file |
//! |---|---|
//! | a number as text | `number.rs` |
//! | JSON | `json.rs` |
//! | the text format of Prometheus | `prometheus.rs` |
//! | what an agent of HAProxy says | `agent.rs` |
//! | the picks of a feed, from any of them | `pick.rs` |

mod number;
mod json;
mod prometheus;
mod agent;
mod pick;

#[cfg(test)]
mod tests;

pub use agent::{AGENT_WHOLE, agent_load};
pub use number::{thousandths, thousandths_of};
pub use pick::{Document, answer, document};
pub(super) use prometheus::series;
