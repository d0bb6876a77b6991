//! How long the ways between clients and regions take: measurements in, what steers out.
//!
//! | step | file |
//! |---|---|
//! | who measures | `source.rs` |
//! | a measurement, and what cannot be meant | `measurement.rs` |
//! | batches that were taken already | `replay.rs` |
//! | one way: a histogram that forgets | `cell.rs` |
//! | all ways, bounded | `store.rs` |
//! | what groups of networks say together, and what that makes of each | `estimate.rs`, `rows.rs` |
//! | to which services that matters | `steered.rs` |
//! | what steers, how steadily and how fast it may change | `publish.rs`, `pace.rs` |
//! | all of these together | `survey.rs` |
//! | what is known, for people | `view.rs` |
//! | a way as a line of a file | `line.rs` |
//!
//! What may go wrong stays within bounds, whoever measures and whatever he says:
//!
//! | a measurement is | then |
//! |---|---|
//! | absurd, faster than light, from another time, of no client, of no region | refused, with a word for it |
//! | sent again in a batch of the same name | told as a duplicate, counted once |
//! | one of very many of one way | [`crate::base::limits::LATENCY_BURST_MAX`] of them count in ten seconds, so what is known well turns in 20 s at the soonest; what is hardly known turns at once |
//! | an outlier | half of what counts has to agree before the median moves |
//! | of more networks than are kept | those with the fewest round trips that count give way; memory is bounded |
//! | forged, by somebody whose token may feed | networks that make `max_move` of all that is measured, or twenty, change the best region of a service in ten minutes, and as many begin to share it with another; no client goes where distance lets expect more than `max_detour` above its nearest; a country, carrier or city is moved by no network alone |
//! | of networks that somebody invents | they make no room for moves before ten minutes have passed |
//!
//! No client is kept, only networks: /24 of IPv4 and /48 of IPv6; and of those nothing older than `retention`.

mod cell;
mod estimate;
mod measurement;
mod pace;
mod publish;
mod replay;
mod rows;
mod source;
mod steered;
mod store;
mod survey;
mod line;
mod view;

#[cfg(test)]
mod tests;

pub use line::{BEST, Line};
pub use measurement::{ClientNetwork, Measurement, Refusal, RefusalKind, V4_BITS, V6_BITS, microseconds};
pub use source::{Source, Sources};
pub use survey::{Counts, Evidence, Figures, Settings, Survey, Taken};
pub use view::{CellView, CountryRow, Gain, RegionCoverage, SurveyView};
