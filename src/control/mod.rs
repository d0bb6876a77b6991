//! One pure step function: outcomes, commands and time come in; the states of everything that is steered come out, and
//! what happened.
//!
//! [`Control`] does nothing by itself: whoever drives it passes in each outcome, command and model with the moment, calls
//! [`Control::tick`] at [`Control::next_deadline`], publishes [`Control::states`] when [`Effects`] says so, and performs the
//! other effects (events, probes, the state file). So an hour can be played in a millisecond, and what-if is a second
//! control.
//!
//! ```text
//! outcome → target's machine → endpoints → guard → states.up ─┐
//! command, expiry → overrides → states.word ──────────────────┴→ region table → per service: active region, ramp, events
//! ```

mod event;

mod planning;

mod spill;

mod plan_view;

mod step;

mod targets;

mod wiring;

mod words;

mod course;

mod agenda;

mod hub;

mod outcome;

mod judge;

mod follow;

mod clock;

mod command;

mod refusal;

mod safety;

mod evacuation;

mod room;

mod moves;

mod adopt;

mod saved;

mod loads;

mod sums;

mod fed;

mod balance;

mod region;

mod service;

mod view;

mod figures;

#[cfg(test)]
mod tests;

pub use command::{Command, Done, Order};
pub use evacuation::{Evacuation, EvacuationOrder, EvacuationView, Held};
pub use event::{Changed, Effects, Event, EventKind, Severity};
pub use fed::{FedView, LoadView};
pub use figures::{EndpointFigures, Figures, RegionFigures, ServiceFigures, TargetFigures};
pub use hub::{Control, Settings};
pub use loads::{EndpointReading, FeedTarget, Pushed, Reading, Source};
pub use plan_view::{DemandRow, DemandView, PlanView, PlannedRegion, SpillView};
pub use planning::{CapacityPlanner, Conditions, Demand, Outlook, PlanChange};
pub use refusal::Refusal;
pub use region::{CapacityView, LocationView, RegionState, RegionView};
pub use room::{Receiver, Room};
pub use safety::{Breach, GateView, SafetyView};
pub use saved::{Saved, SavedHeld, SavedRamp};
pub use service::{ActiveView, EndpointView, RampView, ServiceView, TtlView};
pub use targets::ProbeTarget;
pub use view::{GuardView, LastView, OverrideView, PhasesView, TargetView, View};
