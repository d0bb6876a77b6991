//! Replays: a zone, a region file, what happens to the regions, and what clients are answered meanwhile.

mod script;

mod happening;

mod controlled;

mod world;

mod play;

pub(crate) use play::play;
pub(crate) use script::Replay;
