//! The region table: what may be answered now, immutable, one generation.
//!
//! It is what health checks, load and operators' words come down to: per service a set of regions, per endpoint a
//! bit, and, cold, why. A query reads the sets; the reasons are for people.
//!
//! Which regions of a service are usable (DESIGN's order of resort, first line that has a region):
//!
//! ```text
//! standing   regions that reach min_up with …             endpoints answered
//! eligible   what is up and not drained                   the same
//! drained    what is up                                   the same
//! some-up    (any endpoint at all that is up)             the same
//! all-down   (any endpoint that is not taken away)        every one not taken away
//! gone       none: everything is disabled or forced down  none
//! ```
//!
//! A region reaches `min_up` by its endpoints of one type: A where the service and the region have it, else the
//! first type it has; so a region that lost only its IPv6 stays, and answers no AAAA.

mod states;

use crate::base::ids::{EndpointId, RegionId, ServiceId};
use crate::model::{Endpoint, MinUp, Model, Service, ServiceRegion};

pub use states::{States, Word};

/// What may be answered, by dense id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegionTable {
    /// Counts up with every table published.
    pub generation: u64,
    /// By [`ServiceId`]: the regions that may be answered, as a set of [`RegionId`]s.
    pub usable: Vec<u128>,
    /// By [`ServiceId`]: what the regions are usable for.
    pub standing: Vec<Standing>,
    /// By [`EndpointId`]: whether it may be answered in a usable region.
    pub answerable: Bits,
    /// By [`EndpointId`]: whether it is up, whatever operators say.
    pub up: Bits,
    /// By [`ServiceId`], then in the order of the service's regions: why each is usable or not.
    pub why: Vec<Vec<Why>>,
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
        let endpoints = model.endpoints.len();
        let mut table = Self {
            generation,
            usable: Vec::with_capacity(model.services.len()),
            standing: Vec::with_capacity(model.services.len()),
            answerable: Bits::new(endpoints),
            up: Bits::new(endpoints),
            why: Vec::with_capacity(model.services.len()),
        };
        for (index, up) in states.up.iter().enumerate() {
            table.up.set(index, *up);
        }
        for service in &model.services {
            table.add(model, states, service);
        }
        table
    }

    /// True if a service may be answered from a region.
    #[must_use]
    pub fn is_usable(&self, service: ServiceId, region: RegionId) -> bool {
        self.usable[service.index()] >> region.index() & 1 == 1
    }

    /// True if an endpoint may be answered, provided that its region is chosen.
    #[must_use]
    pub fn is_answerable(&self, endpoint: EndpointId) -> bool {
        self.answerable.get(endpoint.index())
    }

    fn add(&mut self, model: &Model, states: &States, service: &Service) {
        let views: Vec<View> = service.regions.iter().map(|part| View::new(model, states, service, part)).collect();
        let (standing, usable) = resort(&views);
        for part in service.regions.iter().filter(|part| usable >> part.region.index() & 1 == 1) {
            for id in part.endpoint_ids() {
                let state = State::of(model, states, service, id);
                self.answerable.set(id.index(), state.is_answered_at(standing));
            }
        }
        self.usable.push(usable);
        self.standing.push(standing);
        self.why.push(views.iter().map(View::why).collect());
    }
}

/// The first standing that has a region, and its regions.
fn resort(views: &[View]) -> (Standing, u128) {
    type Test = fn(&View) -> bool;
    let tests: [(Standing, Test); 4] = [
        (Standing::Eligible, |view| view.reaches_undrained),
        (Standing::Drained, |view| view.reaches),
        (Standing::SomeUp, |view| view.up > 0),
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
}

impl State {
    fn of(model: &Model, states: &States, service: &Service, id: EndpointId) -> Self {
        let endpoint = &model.endpoints[id.index()];
        let enabled = endpoint.enabled && service.enabled && model.regions[endpoint.region.index()].enabled;
        let word = states.word.get(id.index()).copied().unwrap_or(Word::Nothing);
        let up = states.up.get(id.index()).copied().unwrap_or(false);
        Self { enabled, word, up: up || word == Word::Up }
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

    const fn is_answered_at(self, standing: Standing) -> bool {
        match standing {
            Standing::Eligible => self.is_undrained(),
            Standing::Drained | Standing::SomeUp => self.is_up(),
            Standing::AllDown => self.is_allowed(),
            Standing::Gone => false,
        }
    }
}

/// What is so about a service in one region.
struct View {
    region: RegionId,
    enabled: usize,
    allowed: usize,
    up: usize,
    reaches: bool,
    reaches_undrained: bool,
}

impl View {
    fn new(model: &Model, states: &States, service: &Service, part: &ServiceRegion) -> Self {
        let all: Vec<(&Endpoint, State)> = part
            .endpoint_ids()
            .map(|id| (&model.endpoints[id.index()], State::of(model, states, service, id)))
            .collect();
        let count = |test: fn(State) -> bool| all.iter().filter(|(_, state)| test(*state)).count();
        let reaches = |test: fn(State) -> bool| {
            let Some(judged) = service.judged_type(part, &model.endpoints) else { return false };
            let judged = || all.iter().filter(|(endpoint, state)| state.enabled && endpoint.has(judged));
            let passing = || judged().filter(|(_, state)| test(*state));
            match service.min_up {
                MinUp::Count(need) => passing().count() >= need as usize,
                MinUp::Percent(percent) => {
                    let weight = |endpoints: &mut dyn Iterator<Item = &(&Endpoint, State)>| -> u64 {
                        endpoints.map(|(endpoint, _)| u64::from(endpoint.weight)).sum()
                    };
                    let (total, left) = match weight(&mut judged()) {
                        // All of weight 0 are equals.
                        0 => (judged().count() as u64, passing().count() as u64),
                        total => (total, weight(&mut passing())),
                    };
                    left > 0 && left * 100 >= total * u64::from(percent)
                }
            }
        };
        Self {
            region: part.region,
            enabled: count(|state| state.enabled),
            allowed: count(State::is_allowed),
            up: count(State::is_up),
            reaches: reaches(State::is_up),
            reaches_undrained: reaches(State::is_undrained),
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
