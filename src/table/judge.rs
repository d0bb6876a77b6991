//! What a service in a region is, from the states of its endpoints; and which regions a service resorts to.

use crate::base::ids::RegionId;
use crate::model::MinUp;

use super::layout::{Facts, Layout, Part, Terms};
use super::standing::{PartState, Standing, Why};
use super::states::{STEADY, States, Word};

/// The first standing that has a region, and its regions.
pub(super) fn resort(views: &[View]) -> (Standing, u128) {
    type Test = fn(&View) -> bool;
    let tests: [(Standing, Test); 6] = [
        (Standing::Eligible, |view| view.reaches_undrained),
        (Standing::Drained, |view| view.reaches),
        (Standing::SomeUp, |view| view.judged_up > 0),
        (Standing::SomeUp, |view| view.up > 0),
        (Standing::AllDown, |view| view.last > 0),
        (Standing::AllDown, |view| view.allowed > 0),
    ];
    tests
        .into_iter()
        .map(|(standing, test)| {
            let mask = views.iter().filter(|view| test(view)).fold(0, |mask, view| mask | 1 << view.region.index());
            (standing, mask)
        })
        .find(|&(_, mask)| mask != 0)
        .unwrap_or((Standing::Gone, 0))
}

/// What is so about one endpoint.
#[derive(Clone, Copy)]
pub(super) struct State {
    enabled: bool,
    word: Word,
    up: bool,
    last_up: bool,
}

impl State {
    pub(super) fn of(facts: &Facts, states: &States, index: usize) -> Self {
        let word = states.word.get(index).copied().unwrap_or(Word::Nothing);
        let is = |bits: &[bool]| bits.get(index).copied().unwrap_or(false);
        Self { enabled: facts.is_enabled, word, up: is(&states.up) || word == Word::Up, last_up: is(&states.last_up) }
    }

    const fn is_allowed(self) -> bool {
        self.enabled && !matches!(self.word, Word::Down)
    }

    const fn is_up(self) -> bool {
        self.is_allowed() && self.up
    }

    const fn is_undrained(self) -> bool {
        self.is_up() && !matches!(self.word, Word::Drain)
    }

    const fn was_up(self) -> bool {
        self.is_allowed() && self.last_up
    }

    /// Seconds before which no health check can change what is answered because of it.
    fn steady_s(self, states: &States, index: usize) -> u16 {
        match self.word {
            Word::Nothing | Word::Drain if self.enabled => {
                let seconds = states.steady_s.get(index).copied().unwrap_or(STEADY);
                // Late is not never.
                let late = if seconds == STEADY { PartState::STEADY } else { PartState::STEADY - 1 };
                u16::try_from(seconds).unwrap_or(late).min(late)
            }
            // A word is stronger than health.
            Word::Nothing | Word::Drain | Word::Up | Word::Down => PartState::STEADY,
        }
    }
}

/// What is so about a service in one region.
pub(super) struct View {
    region: RegionId,
    enabled: u32,
    allowed: u32,
    up: u32,
    /// That were up last, where that decides when all is down.
    last: u32,
    /// Of the type that the region is judged on.
    judged_up: u32,
    reaches: bool,
    reaches_undrained: bool,
    /// Without the endpoints that the guard holds up it would not reach `min_up`.
    is_guarded: bool,
    steady_s: u16,
}

impl View {
    pub(super) fn new(layout: &Layout, states: &States, part: &Part, terms: Terms) -> Self {
        let (mut enabled, mut allowed, mut up, mut last) = (0, 0, 0, 0);
        let mut steady_s = PartState::STEADY;
        let (mut all, mut passing, mut undrained, mut held) =
            (Tally::default(), Tally::default(), Tally::default(), Tally::default());
        for index in part.start as usize..part.end as usize {
            let Some(facts) = layout.endpoints.get(index) else { continue };
            let state = State::of(facts, states, index);
            enabled += u32::from(state.enabled);
            allowed += u32::from(state.is_allowed());
            up += u32::from(state.is_up());
            last += u32::from(terms.last_healthy && state.was_up());
            steady_s = steady_s.min(state.steady_s(states, index));
            if facts.is_judged {
                let is_held = states.guarded.get(index).copied().unwrap_or(false);
                all.add(facts, state.enabled);
                passing.add(facts, state.is_up());
                undrained.add(facts, state.is_undrained());
                held.add(facts, state.is_undrained() && !is_held);
            }
        }
        let reaches = |some: Tally| some.reaches(terms.min_up, all);
        let (reaches, reaches_undrained, is_guarded) =
            (reaches(passing), reaches(undrained), reaches(undrained) && !reaches(held));
        let (region, judged_up) = (part.region, passing.count);
        Self { region, enabled, allowed, up, last, judged_up, reaches, reaches_undrained, is_guarded, steady_s }
    }

    /// If an endpoint is answered when this region is chosen.
    pub(super) const fn answers(&self, state: State) -> bool {
        if self.reaches_undrained {
            state.is_undrained()
        } else if self.reaches || self.up > 0 {
            state.is_up()
        } else if self.last > 0 {
            state.was_up()
        } else {
            state.is_allowed()
        }
    }

    /// The part, as it is published.
    pub(super) const fn state(&self) -> PartState {
        PartState { why: self.why(), is_guarded: self.is_guarded, steady_s: self.steady_s }
    }

    const fn why(&self) -> Why {
        if self.reaches_undrained {
            Why::Eligible
        } else if self.enabled == 0 {
            Why::Disabled
        } else if self.allowed == 0 {
            Why::ForcedDown
        } else if self.reaches {
            Why::Drained
        } else if self.up > 0 {
            Why::BelowMinUp
        } else {
            Why::Down
        }
    }
}

/// Endpoints of the judged type, by number and by weight.
#[derive(Clone, Copy, Default)]
struct Tally {
    count: u32,
    weight: u64,
}

impl Tally {
    fn add(&mut self, facts: &Facts, counts: bool) {
        if counts {
            self.count += 1;
            self.weight += u64::from(facts.weight);
        }
    }

    const fn reaches(self, min_up: MinUp, all: Self) -> bool {
        match min_up {
            MinUp::Count(need) => self.count >= need,
            MinUp::Percent(percent) => {
                // All of weight 0 are equals.
                let (part, whole) =
                    if all.weight == 0 { (self.count as u64, all.count as u64) } else { (self.weight, all.weight) };
                part > 0 && part * 100 >= whole * percent as u64
            }
        }
    }
}
