//! A region as a whole, for people: where it is, what it can take, and how it stands in one word.

use serde::Serialize;

use crate::base::ids::{RegionId, ServiceId};
use crate::base::moment::Moment;
use crate::geo::centroid;
use crate::model::{Capacity, Position, Region};
use crate::table::Word;

use super::fed::LoadView;
use super::hub::Control;

/// A region as a whole.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RegionView {
    /// Its key.
    pub key: String,
    /// Its name for people.
    pub label: String,
    /// If not, it is never answered.
    pub enabled: bool,
    /// How it stands.
    pub state: RegionState,
    /// Where on earth it is; `None`: nobody said.
    pub location: Option<LocationView>,
    /// How much it can take; `None`: as much as comes.
    pub capacity: Option<CapacityView>,
    /// What it carries, in the unit of its capacity, and who says so.
    pub load: LoadView,
    /// Services that have endpoints in it.
    pub services: usize,
    /// Those for which it is eligible.
    pub eligible: usize,
    /// Endpoints in it.
    pub endpoints: usize,
    /// Those that are up.
    pub up: usize,
    /// The target of its own check.
    pub check: Option<String>,
}

/// A point on earth, in degrees.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct LocationView {
    /// North is positive, -90 to 90.
    pub lat: f64,
    /// East is positive, -180 to 180.
    pub lon: f64,
}

/// How much a region can take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct CapacityView {
    /// Above it load is to go elsewhere.
    pub target: u64,
    /// Never above it.
    pub max: u64,
    /// What is counted: `answers` a second, or `load`, the number of its feed.
    pub unit: &'static str,
}

/// How a region stands, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RegionState {
    /// Everything in it is well.
    Ok,
    /// It is not eligible for some services, or some endpoints are down.
    Degraded,
    /// It is eligible for no service.
    Down,
    /// Operators drained all of it.
    Drained,
    /// Operators forced all of it down.
    ForcedDown,
    /// Its file says that it is never answered.
    Disabled,
}

impl RegionState {
    /// Every state, in the order of the manual.
    pub const ALL: [Self; 6] = [Self::Ok, Self::Degraded, Self::Down, Self::Drained, Self::ForcedDown, Self::Disabled];

    /// The word used in the API and in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Degraded => "degraded",
            Self::Down => "down",
            Self::Drained => "drained",
            Self::ForcedDown => "forced-down",
            Self::Disabled => "disabled",
        }
    }
}

/// What a region's state follows from.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    enabled: bool,
    services: usize,
    eligible: usize,
    endpoints: usize,
    up: usize,
    /// Endpoints that are drained or forced down,
    taken_away: usize,
    /// and those that are forced down.
    forced_down: usize,
}

impl Sums {
    /// The first line that holds; an operator's word explains more than what the checks find behind it.
    ///
    /// ```text
    /// not enabled                                disabled
    /// all endpoints forced down                  forced-down
    /// all endpoints drained or forced down       drained
    /// eligible for no service                    down
    /// not eligible for some, or endpoints down   degraded
    /// else, also without any service             ok
    /// ```
    const fn state(self) -> RegionState {
        let is_empty = self.endpoints == 0;
        if !self.enabled {
            RegionState::Disabled
        } else if !is_empty && self.forced_down == self.endpoints {
            RegionState::ForcedDown
        } else if !is_empty && self.taken_away == self.endpoints {
            RegionState::Drained
        } else if self.services > 0 && self.eligible == 0 {
            RegionState::Down
        } else if self.eligible < self.services || self.up < self.endpoints {
            RegionState::Degraded
        } else {
            RegionState::Ok
        }
    }
}

impl Control {
    /// All regions, by id.
    #[must_use]
    pub fn region_views(&self, now: Moment) -> Vec<RegionView> {
        (0..).map(RegionId).take(self.model.regions.len()).filter_map(|id| self.region_view(id, now)).collect()
    }

    /// One region; a pass over its endpoints.
    #[must_use]
    pub fn region_view(&self, id: RegionId, now: Moment) -> Option<RegionView> {
        let region = self.model.regions.get(id.index())?;
        let sums = self.sums(id, region);
        let load = self.load_view(id, now);
        let mut targets = self.targets.iter().filter(|(_, target)| target.regions.contains(&id));
        Some(RegionView {
            key: region.key.to_string(),
            label: region.label.clone(),
            enabled: region.enabled,
            state: sums.state(),
            location: location(region),
            capacity: capacity(region, &load),
            load,
            services: sums.services,
            eligible: sums.eligible,
            endpoints: sums.endpoints,
            up: sums.up,
            check: targets.next().map(|(_, target)| target.key.to_string()),
        })
    }

    /// How a region stands, and the part of its services for which it is eligible: 0 to 1, and 1 without any.
    pub(super) fn region_state(&self, id: RegionId) -> Option<(RegionState, f64)> {
        let sums = self.sums(id, self.model.regions.get(id.index())?);
        let part = if sums.services == 0 { 1.0 } else { sums.eligible as f64 / sums.services as f64 };
        Some((sums.state(), part))
    }

    fn sums(&self, id: RegionId, region: &Region) -> Sums {
        let parts = self.wiring.parts(id);
        let eligible = |service: &ServiceId| {
            self.courses.get(service.index()).is_some_and(|course| course.eligible >> id.index() & 1 == 1)
        };
        let mut sums = Sums { enabled: region.enabled, services: parts.len(), ..Sums::default() };
        for (service, range) in parts {
            sums.eligible += usize::from(eligible(service));
            for index in range.start as usize..range.end as usize {
                let word = self.states.word.get(index).copied().unwrap_or(Word::Nothing);
                sums.endpoints += 1;
                sums.up += usize::from(self.states.up.get(index) == Some(&true));
                sums.taken_away += usize::from(matches!(word, Word::Drain | Word::Down));
                sums.forced_down += usize::from(word == Word::Down);
            }
        }
        sums
    }
}

fn location(region: &Region) -> Option<LocationView> {
    match region.position {
        Position::Unknown => None,
        Position::Coordinates { latitude, longitude } => Some(LocationView { lat: latitude, lon: longitude }),
        Position::Country(country) => centroid(country)
            .map(|found| LocationView { lat: found.coordinates.latitude, lon: found.coordinates.longitude }),
    }
}

fn capacity(region: &Region, load: &LoadView) -> Option<CapacityView> {
    let unit = if load.source == "answers" { "answers" } else { "load" };
    match region.capacity {
        Capacity::Unlimited => None,
        Capacity::Limited { target, max } => Some(CapacityView { target, max, unit }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_stands_as_the_table_says() {
        let well = Sums { enabled: true, services: 2, eligible: 2, endpoints: 3, up: 3, ..Sums::default() };
        for (sums, state) in [
            (well, "ok"),
            (Sums { services: 0, eligible: 0, endpoints: 0, up: 0, ..well }, "ok"),
            (Sums { up: 2, ..well }, "degraded"),
            (Sums { eligible: 1, ..well }, "degraded"),
            (Sums { eligible: 0, up: 1, ..well }, "down"),
            (Sums { eligible: 0, up: 0, ..well }, "down"),
            (Sums { eligible: 0, taken_away: 2, ..well }, "down"),
            (Sums { eligible: 0, taken_away: 3, ..well }, "drained"),
            (Sums { eligible: 0, up: 0, taken_away: 3, forced_down: 1, ..well }, "drained"),
            (Sums { eligible: 0, taken_away: 3, forced_down: 3, ..well }, "forced-down"),
            (Sums { enabled: false, eligible: 0, taken_away: 3, forced_down: 3, ..well }, "disabled"),
        ] {
            assert_eq!(sums.state().as_str(), state, "{sums:?}");
        }
        for state in RegionState::ALL {
            assert_eq!(serde_json::to_value(state).unwrap(), state.as_str());
        }
    }
}
