//! The state machine of one target: one health check of one address.
//!
//! ```text
//!            pass                    fail × fall
//!  Unknown ────────→ Up ──────────────────────────→ Down
//!     │               ↑                               ↑ │
//!     │               └──── pass × rise in a row ─────┼─┘
//!     └───────────────────────────────────────────────┘
//!            fail
//! ```
//!
//! ```text
//! state    outcome        counters                                          becomes
//! Unknown  pass           both 0                                            Up      the first outcome sets the state
//! Unknown  fail           both 0                                            Down
//! Up       fail           n_ok = 0, n_fail + 1                              Down    when n_fail reaches fall
//! Up       pass           if n_fail > 0: n_ok + 1; at rise both 0           Up
//! Down     pass           n_ok + 1                                          Up      when n_ok reaches rise
//! Down     fail           n_ok = 0                                          Down
//! any      inconclusive   as they are                                       as it is
//! ```
//!
//! Failures of an up target that fewer than `rise` passes separate add up, so one that flaps goes down.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::Check;

use super::Verdict;

/// What a target's outcomes have come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    health: Health,
    /// Passes in a row that count towards a change or towards forgetting failures.
    n_ok: u32,
    /// Failures of an up target that are not forgotten.
    n_fail: u32,
}

/// What a machine says of its target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Health {
    /// There was no outcome yet.
    #[default]
    Unknown,
    /// It works.
    Up,
    /// It does not.
    Down,
}

impl Health {
    /// The word used in metrics and the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

/// The numbers of a check that its machines go by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Failures to go down, from 1.
    pub fall: u32,
    /// Passes in a row to come back, from 1.
    pub rise: u32,
    /// From one probe to the next.
    pub interval: Duration,
    /// The same while an up target is failing.
    pub retry: Duration,
}

impl From<&Check> for Rule {
    fn from(check: &Check) -> Self {
        Self { fall: check.fall, rise: check.rise, interval: check.interval, retry: check.retry }
    }
}

/// A change of what a machine says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    /// What it said.
    pub from: Health,
    /// What it says.
    pub to: Health,
    /// Outcomes that led to it, the last one counted.
    pub outcomes: u32,
}

impl Machine {
    /// What it says of its target.
    #[must_use]
    pub const fn health(&self) -> Health {
        self.health
    }

    /// Passes in a row that count, and failures that are not forgotten.
    #[must_use]
    pub const fn counters(&self) -> (u32, u32) {
        (self.n_ok, self.n_fail)
    }

    /// Takes one outcome; what changed, if anything did.
    pub fn observe(&mut self, rule: &Rule, verdict: Verdict) -> Option<Transition> {
        match (self.health, verdict) {
            (_, Verdict::Inconclusive) => None,
            (Health::Unknown, Verdict::Pass) => Some(self.turn(Health::Up, 1)),
            (Health::Unknown, Verdict::Fail) => Some(self.turn(Health::Down, 1)),
            (Health::Up, Verdict::Fail) => {
                self.n_ok = 0;
                self.n_fail = self.n_fail.saturating_add(1);
                (self.n_fail >= rule.fall).then(|| self.turn(Health::Down, self.n_fail))
            }
            (Health::Up, Verdict::Pass) => {
                if self.n_fail > 0 {
                    self.n_ok = self.n_ok.saturating_add(1);
                    if self.n_ok >= rule.rise {
                        self.clear_counters();
                    }
                }
                None
            }
            (Health::Down, Verdict::Pass) => {
                self.n_ok = self.n_ok.saturating_add(1);
                (self.n_ok >= rule.rise).then(|| self.turn(Health::Up, self.n_ok))
            }
            (Health::Down, Verdict::Fail) => {
                self.n_ok = 0;
                None
            }
        }
    }

    /// From this probe to the next.
    #[must_use]
    pub const fn cadence(&self, rule: &Rule) -> Duration {
        if self.is_failing() { rule.retry } else { rule.interval }
    }

    /// How long its state cannot change: the probes that are left until it would, at the present cadence. Nothing while
    /// there was no outcome: the first one may come any moment.
    #[must_use]
    pub fn steady(&self, rule: &Rule) -> Duration {
        let left = match self.health {
            Health::Unknown => 0,
            Health::Up => rule.fall.saturating_sub(self.n_fail).max(1),
            Health::Down => rule.rise.saturating_sub(self.n_ok).max(1),
        };
        self.cadence(rule).saturating_mul(left)
    }

    /// Forgets the counters and keeps the state: what an edited check does to its machines.
    pub const fn clear_counters(&mut self) {
        self.n_ok = 0;
        self.n_fail = 0;
    }

    /// True for an up target with failures that are not forgotten.
    #[must_use]
    pub const fn is_failing(&self) -> bool {
        matches!(self.health, Health::Up) && self.n_fail > 0
    }

    const fn turn(&mut self, to: Health, outcomes: u32) -> Transition {
        let from = self.health;
        *self = Self { health: to, n_ok: 0, n_fail: 0 };
        Transition { from, to, outcomes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: Rule = Rule { fall: 3, rise: 2, interval: Duration::from_secs(5), retry: Duration::from_secs(1) };

    /// `+` pass, `-` fail, `?` inconclusive.
    fn after(outcomes: &str) -> Machine {
        let mut machine = Machine::default();
        for outcome in outcomes.chars() {
            let verdict = match outcome {
                '+' => Verdict::Pass,
                '-' => Verdict::Fail,
                _ => Verdict::Inconclusive,
            };
            let before = machine;
            let transition = machine.observe(&RULE, verdict);
            assert_eq!(transition.is_some(), before.health != machine.health, "{outcomes}");
            if let Some(transition) = transition {
                assert_eq!((transition.from, transition.to), (before.health, machine.health));
                assert_eq!(machine.counters(), (0, 0), "{outcomes}");
            }
        }
        machine
    }

    #[test]
    fn the_truth_table_holds() {
        use Health::{Down, Unknown, Up};
        for (outcomes, health, n_ok, n_fail, steady_s, cadence_s) in [
            ("", Unknown, 0, 0, 0, 5),
            ("???", Unknown, 0, 0, 0, 5),
            // The first outcome sets the state, without thresholds.
            ("+", Up, 0, 0, 15, 5),
            ("-", Down, 0, 0, 10, 5),
            ("?-", Down, 0, 0, 10, 5),
            // Up: failures count, …
            ("+-", Up, 0, 1, 2, 1),
            ("+--", Up, 0, 2, 1, 1),
            ("+---", Down, 0, 0, 10, 5),
            // … inconclusive outcomes do not, …
            ("+-?-", Up, 0, 2, 1, 1),
            ("+--?-", Down, 0, 0, 10, 5),
            // … fewer than `rise` passes do not forget them, …
            ("+-+-", Up, 0, 2, 1, 1),
            ("+-+-+-", Down, 0, 0, 10, 5),
            ("+-+", Up, 1, 1, 2, 1),
            ("+-+?", Up, 1, 1, 2, 1),
            // … `rise` in a row do.
            ("+-++", Up, 0, 0, 15, 5),
            ("+--++--", Up, 0, 2, 1, 1),
            ("++++", Up, 0, 0, 15, 5),
            // Down: passes in a row count.
            ("-+", Down, 1, 0, 5, 5),
            ("-+-", Down, 0, 0, 10, 5),
            ("-+-+", Down, 1, 0, 5, 5),
            ("-+?+", Up, 0, 0, 15, 5),
            ("---++", Up, 0, 0, 15, 5),
        ] {
            let machine = after(outcomes);
            assert_eq!((machine.health(), machine.counters()), (health, (n_ok, n_fail)), "{outcomes}");
            assert_eq!(machine.steady(&RULE), Duration::from_secs(steady_s), "{outcomes}");
            assert_eq!(machine.cadence(&RULE), Duration::from_secs(cadence_s), "{outcomes}");
        }
    }

    #[test]
    fn an_edited_check_keeps_the_state() {
        for (outcomes, health) in [("+--", Health::Up), ("-+", Health::Down)] {
            let mut machine = after(outcomes);
            machine.clear_counters();
            assert_eq!((machine.health(), machine.counters()), (health, (0, 0)));
        }
    }

    #[test]
    fn a_transition_tells_how_many_outcomes_it_took() {
        let mut machine = after("+--");
        assert_eq!(machine.observe(&RULE, Verdict::Fail).map(|transition| transition.outcomes), Some(3));
        machine = after("-+");
        assert_eq!(machine.observe(&RULE, Verdict::Pass).map(|transition| transition.outcomes), Some(2));
    }
}
