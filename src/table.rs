//! The region table: what may be answered now, immutable, one generation.
//!
//! It is what health checks, load and operators' words come down to: per service a set of regions, per endpoint a
//! bit, and, cold, why. A query reads the sets; the reasons are for people.
//!
//! Which regions of a service are usable (the order of resort, first line that has a region):
//!
//! ```text
//! standing   regions that …                               endpoints answered
//! eligible   reach min_up by what is up and not drained   the same
//! drained    reach min_up by what is up                   the same
//! some-up    have an endpoint of the judged type up,
//!            then any endpoint at all                     what is up
//! all-down   have an endpoint that is not taken away      every one not taken away
//!            (last-healthy: first those up last)          (last-healthy: those of them that were up last)
//! gone       none: everything is disabled or forced down  none
//! ```
//!
//! Which endpoints of a region are answered depends on that region alone, so a region that fails whole changes who is
//! sent there and no ready answer.
//!
//! A region reaches `min_up` by its endpoints of one type: A where the service and the region have it, else the
//! first type it has; so a region that lost only its IPv6 stays, and answers no AAAA.

mod layout;
mod states;

use std::sync::Arc;

use crate::base::chunks::Chunks;
use crate::base::ids::{EndpointId, RegionId, ServiceId};
use crate::model::{MinUp, Model};

use layout::{Facts, Layout, Part, Terms};
pub use states::{STEADY, States, Word};

/// What may be answered, by dense id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegionTable {
    /// Counts up with every table published.
    pub generation: u64,
    /// By [`ServiceId`]: the regions that may be answered, as a set of [`RegionId`]s.
    pub usable: Chunks<u128>,
    /// By [`ServiceId`]: what the regions are usable for.
    pub standing: Chunks<Standing>,
    /// By [`EndpointId`]: whether it is answered when its region is chosen.
    pub answerable: Bits,
    /// By [`EndpointId`]: whether it is up, whatever operators say.
    pub up: Bits,
    /// Service by service, in the order of the service's regions.
    parts: Chunks<PartState>,
    layout: Arc<Layout>,
}

/// A service in one region, at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartState {
    /// Why the region is usable or not.
    pub why: Why,
    /// It is usable only because the guard disbelieves a failure.
    pub is_guarded: bool,
    /// Seconds before which no health check can change it, as far as 16 bits reach; [`PartState::STEADY`]: never.
    pub steady_s: u16,
}

impl PartState {
    /// No health check can change it.
    pub const STEADY: u16 = u16::MAX;
}

/// How far down a service had to go to find regions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// Regions are eligible.
    Eligible,
    /// Only drained regions are left.
    Drained,
    /// No region reaches `min_up`; some have an endpoint up.
    SomeUp,
    /// Nothing is up: `when_all_down` decides.
    AllDown,
    /// Nothing may ever be answered: disabled or forced down.
    Gone,
}

/// Why a region is usable for a service, or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// It reaches `min_up`.
    Eligible,
    /// The region, the service or all its endpoints there are disabled.
    Disabled,
    /// All its endpoints are forced down.
    ForcedDown,
    /// It would be eligible, but for a drain.
    Drained,
    /// Some endpoints are up, fewer than `min_up`.
    BelowMinUp,
    /// No endpoint is up.
    Down,
}

impl Standing {
    /// All of them, the best first.
    pub const ALL: [Self; 5] = [Self::Eligible, Self::Drained, Self::SomeUp, Self::AllDown, Self::Gone];

    /// The word used in the API and in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Eligible => "eligible",
            Self::Drained => "drained",
            Self::SomeUp => "some-up",
            Self::AllDown => "all-down",
            Self::Gone => "gone",
        }
    }
}

impl Why {
    /// The word used in `explain` and the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Eligible => "eligible",
            Self::Disabled => "disabled",
            Self::ForcedDown => "forced-down",
            Self::Drained => "drained",
            Self::BelowMinUp => "below-min-up",
            Self::Down => "down",
        }
    }
}

impl RegionTable {
    /// The table for a model whose endpoints are in `states`.
    #[must_use]
    pub fn build(model: &Model, states: &States, generation: u64) -> Self {
        let services = model.services.len();
        let layout = Arc::new(Layout::new(model));
        let mut table = Self {
            generation,
            usable: Chunks::filled(&0, services),
            standing: Chunks::filled(&Standing::Gone, services),
            answerable: Bits::new(model.endpoints.len()),
            up: Bits::new(model.endpoints.len()),
            parts: Chunks::default(),
            layout,
        };
        let start = PartState { why: Why::Disabled, is_guarded: false, steady_s: PartState::STEADY };
        table.parts = Chunks::filled(&start, table.layout.part_count());
        table.judge(states, model.services().map(|(id, _)| id));
        table
    }

    /// The next table of the same model, in which only these services differ: what a transition publishes.
    #[must_use]
    pub fn repaired(&self, states: &States, changed: impl IntoIterator<Item = ServiceId>, generation: u64) -> Self {
        let mut table = Self { generation, ..self.clone() };
        table.judge(states, changed);
        table
    }

    /// The same in place, for a table that nobody else reads: what control keeps to see what a change means.
    pub fn repair(&mut self, states: &States, changed: impl IntoIterator<Item = ServiceId>) {
        self.judge(states, changed);
    }

    /// A service in each of its regions, in their order.
    pub fn parts(&self, service: ServiceId) -> impl Iterator<Item = PartState> {
        self.layout.part_range(service).filter_map(|index| self.parts.get(index).copied())
    }

    /// Where the states of a service's regions start; for [`RegionTable::steady_s`].
    #[must_use]
    pub fn parts_start(&self, service: ServiceId) -> u32 {
        u32::try_from(self.layout.part_range(service).start).unwrap_or(u32::MAX)
    }

    /// Seconds before which no health check can change a service in a region; see [`PartState::steady_s`].
    #[inline]
    #[must_use]
    pub fn steady_s(&self, part: usize) -> u16 {
        self.parts.get(part).map_or(PartState::STEADY, |state| state.steady_s)
    }

    /// Why each region of a service is usable or not, in the order of the service's regions.
    #[must_use]
    pub fn why(&self, service: ServiceId) -> Vec<Why> {
        self.parts(service).map(|part| part.why).collect()
    }

    /// True if a service may be answered from a region.
    #[must_use]
    pub fn is_usable(&self, service: ServiceId, region: RegionId) -> bool {
        self.usable.get(service.index()).is_some_and(|usable| usable >> region.index() & 1 == 1)
    }

    /// True if an endpoint is answered when its region is chosen.
    #[must_use]
    pub fn is_answerable(&self, endpoint: EndpointId) -> bool {
        self.answerable.get(endpoint.index())
    }

    fn judge(&mut self, states: &States, services: impl IntoIterator<Item = ServiceId>) {
        let layout = Arc::clone(&self.layout);
        // One buffer for all services.
        let mut views: Vec<View> = Vec::new();
        for id in services {
            let (parts, terms) = layout.parts(id);
            views.clear();
            views.extend(parts.iter().map(|part| View::new(&layout, states, part, terms)));
            let (standing, usable) = resort(&views);
            for (index, (part, view)) in layout.part_range(id).zip(parts.iter().zip(&views)) {
                self.judge_endpoints(&layout, states, part, view);
                let is_guarded = view.is_guarded && usable >> part.region.index() & 1 == 1;
                let state = PartState { why: view.why(), is_guarded, steady_s: view.steady_s };
                if self.parts.get(index) != Some(&state) {
                    self.parts.set(index, state);
                }
            }
            self.usable.set(id.index(), usable);
            self.standing.set(id.index(), standing);
        }
    }

    fn judge_endpoints(&mut self, layout: &Layout, states: &States, part: &Part, view: &View) {
        for index in part.start as usize..part.end as usize {
            let Some(facts) = layout.endpoints.get(index) else { continue };
            let state = State::of(facts, states, index);
            self.answerable.set(index, view.answers(state));
            self.up.set(index, states.up.get(index).copied().unwrap_or(false));
        }
    }
}

/// The first standing that has a region, and its regions.
fn resort(views: &[View]) -> (Standing, u128) {
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
struct State {
    enabled: bool,
    word: Word,
    up: bool,
    last_up: bool,
}

impl State {
    fn of(facts: &Facts, states: &States, index: usize) -> Self {
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
                u16::try_from(seconds).unwrap_or(PartState::STEADY)
            }
            // A word is stronger than health.
            Word::Nothing | Word::Drain | Word::Up | Word::Down => PartState::STEADY,
        }
    }
}

/// What is so about a service in one region.
struct View {
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
    fn new(layout: &Layout, states: &States, part: &Part, terms: Terms) -> Self {
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
    const fn answers(&self, state: State) -> bool {
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

/// A set of dense ids.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bits {
    words: Box<[u64]>,
}

impl Bits {
    /// An empty set for ids below `len`.
    #[must_use]
    pub fn new(len: usize) -> Self {
        Self { words: vec![0; len.div_ceil(64)].into() }
    }

    /// True if `index` is in the set; false past its end.
    #[inline]
    #[must_use]
    pub fn get(&self, index: usize) -> bool {
        self.words.get(index / 64).is_some_and(|word| word >> (index % 64) & 1 == 1)
    }

    /// Puts `index` in or takes it out; nothing happens past the end.
    pub fn set(&mut self, index: usize, value: bool) {
        if let Some(word) = self.words.get_mut(index / 64) {
            *word = *word & !(1 << (index % 64)) | u64::from(value) << (index % 64);
        }
    }
}

#[cfg(test)]
mod tests;
