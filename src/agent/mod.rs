//! The agent: on the hosts of a region that serve clients, it reads how long the round trips of their connections take,
//! and reports that to Meridian by client network. Nothing finer than a network leaves the host.
//!
//! ```text
//! kernel ─reading→ sockets ─connections→ what is new ─tally→ medians by network ─report→ batch ─sender→ each node
//! ```
//!
//! `beacons` takes what browsers have measured, to any region: it is counted and reported in the same way.
//!
//! Pure are `prefix`, `request`, `sockets`, `connections`, `tally`, `report` and `outbox`: bytes, time and randomness come
//! in as arguments. `reading` asks the kernel, `node` speaks HTTP, `sender` and `work` have the clock.

mod prefix;
mod request;
mod sockets;
mod connections;
mod tally;
mod report;
mod reading;
mod outbox;
mod node;
mod beacons;
mod sender;
mod work;

pub use beacons::Beacons;
pub use connections::Wanted;
pub use node::{Node, NodeError, Trusted};
pub use prefix::{Prefix, PrefixError};
pub use reading::{Reading, ReadingError, look};
pub use sockets::Measure;
pub use tally::Median;
pub use work::{Settings, WorkError, reasons, work};
