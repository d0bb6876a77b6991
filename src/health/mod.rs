//! What outcomes of health checks and words of operators mean, each by itself: pure state machines.
//!
//! [`Machine`] makes a verdict of the outcomes of one target. [`Guard`] tells the loss of our own uplink from the loss
//! of the world. [`Overrides`] keeps what operators say. `control` brings them together.

mod machine;

mod outcome;

mod guard;

mod overrides;

pub use guard::{Guard, Phase, SavedGuard, Step};
pub use machine::{Health, Machine, Rule, Transition};
pub use outcome::{Observation, Phases, Verdict};
pub use overrides::{Action, Override, Overrides, Target};
