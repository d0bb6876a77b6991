//! The one room of `unsafe` code: system calls that the standard library and socket2 do not offer.
//!
//! Everything exported is safe to call. Each `unsafe` block says what it relies on.
#![expect(unsafe_code, reason = "batched socket calls and process limits exist only as C functions")]
#![expect(clippy::cast_possible_truncation, reason = "sizes of C structures, which C counts in narrower types")]

mod batch;
mod option;
mod process;

pub use batch::{Batch, Datagram, Wait};
pub use option::{
    force_receive_buffer, omit_path_mtu, receive_overflows, receive_packet_info_v4, receive_packet_info_v6,
};
pub use process::{be_nice, monotonic_us, raise_file_limit, return_freed_memory};
