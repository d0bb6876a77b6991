//! What outlives the process: the journal of events, the history of regions, the state of control, the last good
//! region files.
//!
//! All of it stands in the state folder. Files that are replaced are written whole beside the old one, brought to the
//! disk and put in its place, so that a crash leaves one or the other.

mod atomic;
mod events;
mod history;
mod last_good;
mod line_file;

pub use atomic::write_atomically;
pub use events::{Entry, Journal, JournalError, Wanted};
pub use history::{History, LoadSample, RegionSample, Sample};
pub use last_good::LastGood;
