//! Serving DNS: bytes arrive here and leave here, no decision is made here.
//!
//! Every thread has a [`Lane`](crate::answer::Lane), a view of the published snapshot and a [`Tally`] of its own;
//! threads share nothing that is written per query. `udp` answers datagrams in batches on blocking threads; `stream`
//! answers TCP on single-threaded runtimes, so that a connection never leaves its thread. `listen` binds, `system`
//! holds the system calls.

mod caps;
mod connection;
mod listen;
mod stop;
mod stream;
pub mod system;
mod asked;
mod tally;
mod udp;

pub use asked::Asked;
pub use caps::{Caps, ConnectionLimits};
pub use listen::{BindError, Listener, bind};
pub use stop::Stop;
pub use stream::{StreamOptions, StreamServer};
pub use tally::{BATCH_BUCKETS_S, Tally};
pub use udp::UdpServer;

/// Makes the lane of a thread, and a fresh one if the thread has met a defect.
pub type MakeLane = Box<dyn Fn() -> crate::answer::Lane + Send>;
