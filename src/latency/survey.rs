//! The survey: measurements come in, and what is to steer comes out, with a bound on how fast it may.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::base::limits::LATENCY_SAMPLES_MAX;
use crate::base::moment::Moment;
use crate::geo::{Coordinates, Margin, Measured, Places, distance_m, region_coordinates};
use crate::model::Model;

use super::cell::Cell;
use super::measurement::{ClientNetwork, Measurement, Refusal, RefusalKind, possible, timely};
use super::publish::{Published, Rules};
use super::replay::Batches;
use super::rows::{self, Fresh};
use super::source::{Source, Sources};
use super::steered::Steered;
use super::store::{Home, Store};

/// What a survey goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Networks that are remembered, those that are measured most.
    pub networks: usize,
    /// What was measured counts half after this.
    pub half_life: Duration,
    /// What was not measured for so long is forgotten.
    pub retention: Duration,
    /// What a region must be better by.
    pub margin: Margin,
    /// Of all that is measured, what may change its best region within ten minutes, in per cent.
    pub max_move: u32,
}

impl Default for Settings {
    fn default() -> Self {
        let margin = Margin::default();
        let (half_life, retention) = (Duration::from_secs(3_600), Duration::from_secs(7 * 86_400));
        Self { networks: 100_000, half_life, retention, margin, max_move: 10 }
    }
}

/// A region as a survey knows it.
#[derive(Clone, Debug)]
pub(super) struct Site {
    pub(super) key: Arc<str>,
    pub(super) coordinates: Option<Coordinates>,
}

/// What became of a measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It counts.
    Counted,
    /// So many were taken of this way within ten seconds that it does not.
    Thinned,
}

/// All that was measured, and what follows from it.
#[derive(Clone, Debug)]
pub struct Survey {
    pub(super) settings: Settings,
    places: Arc<Places>,
    pub(super) sites: Vec<Site>,
    /// What ranks by latency.
    steered: Vec<Steered>,
    /// What the clocks of senders are ahead of ours, milliseconds.
    ahead_ms: i64,
    pub(super) store: Store,
    batches: Batches,
    pub(super) published: Published,
    counts: Counts,
    /// Changes with what is known.
    revision: u64,
}

/// What came in since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Measurements that count, by [`Source`].
    pub taken: [u64; Source::ALL.len()],
    /// Those that came too many at once to count, by [`Source`].
    pub thinned: [u64; Source::ALL.len()],
    /// Those refused, by [`RefusalKind`].
    pub refused: [u64; RefusalKind::ALL.len()],
    /// Batches that had been taken before.
    pub duplicates: u64,
}

/// What there is to say in numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// What came in.
    pub counts: Counts,
    /// Networks of which something is known.
    pub networks: usize,
    /// Pairs of a network and a region that were measured.
    pub ways: usize,
    /// Bytes that takes, about.
    pub bytes: usize,
    /// Networks that gave way to others.
    pub evicted: u64,
    /// Changes of the best region.
    pub moved: u64,
    /// Networks that would change their best region, and may not yet.
    pub waiting: usize,
}

impl Survey {
    /// Nothing is measured.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            places: Arc::new(Places::none()),
            sites: Vec::new(),
            steered: Vec::new(),
            ahead_ms: 0,
            store: Store::default(),
            batches: Batches::default(),
            published: Published::default(),
            counts: Counts::default(),
            revision: 0,
        }
    }

    /// Goes by other settings from now on.
    pub fn configure(&mut self, settings: Settings) {
        if settings.margin != self.settings.margin {
            self.published.touch();
        }
        self.settings = settings;
    }

    /// Regions and places are these from now on. What was measured of regions that are gone is forgotten.
    pub fn attend(&mut self, model: &Model, places: &Arc<Places>) {
        let sites: Vec<Site> = model
            .regions
            .iter()
            .map(|region| Site { key: Arc::clone(&region.key), coordinates: region_coordinates(region.position) })
            .collect();
        let is_same = sites.len() == self.sites.len() && sites.iter().zip(&self.sites).all(|(a, b)| a.key == b.key);
        if !is_same {
            let place = |site: &Site| sites.iter().position(|new| new.key == site.key);
            let new_of: Vec<Option<u8>> =
                self.sites.iter().map(|site| place(site).and_then(|place| u8::try_from(place).ok())).collect();
            self.store.renumber(&new_of);
            self.published.renumber(&new_of, sites.len());
        }
        self.sites = sites;
        self.steered = Steered::of(model);
        if !Arc::ptr_eq(places, &self.places) {
            self.places = Arc::clone(places);
            self.store.locate(places);
        }
    }

    /// True if there are regions: before, no measurement is of any.
    #[must_use]
    pub const fn has_regions(&self) -> bool {
        !self.sites.is_empty()
    }

    /// Senders say when they measured by clocks that are so far ahead of the one that tells this survey the time,
    /// milliseconds: ours is not set while we run, theirs may be.
    pub const fn set_ahead(&mut self, ahead_ms: i64) {
        self.ahead_ms = ahead_ms;
    }

    /// True if a batch of this name was not taken within the last hour; from now on it was.
    pub fn is_new(&mut self, now: Moment, batch: &str) -> bool {
        let is_new = self.batches.is_new(now, batch);
        self.counts.duplicates += u64::from(!is_new);
        is_new
    }

    /// Counts a measurement that was refused before it came here.
    pub fn count_refusal(&mut self, kind: RefusalKind) {
        if let Some(count) = self.counts.refused.get_mut(kind as usize) {
            *count += 1;
        }
    }

    /// Takes a measurement.
    ///
    /// # Errors
    /// If it cannot be meant; see [`RefusalKind`]. Whoever asks counts it.
    pub fn take(&mut self, now: Moment, source: Source, measurement: &Measurement) -> Result<Taken, Refusal> {
        let Measurement { client, region, us, samples, at } = measurement;
        let at = at.map_or(now, |at| Moment(at.0.saturating_add_signed(self.ahead_ms.saturating_neg())));
        timely(at, now)?;
        let site = self.site(region)?;
        let coordinates = self.sites.get(usize::from(site)).and_then(|site| site.coordinates);
        let known = self.store.entry(*client).map(|entry| (entry.home.coordinates, entry.home.city.is_some()));
        let (from, names_city) = known.unwrap_or_else(|| {
            let home = Home::of(*client, &self.places);
            (home.coordinates, home.city.is_some())
        });
        if let (Some(from), Some(to)) = (from, coordinates) {
            possible(*us, f64::from(distance_m(from, to)) / 1_000.0, names_city)?;
        }
        let half_life_ms = self.half_life_ms();
        let cell = self.cell(*client, site, now);
        let samples = (*samples).clamp(1, LATENCY_SAMPLES_MAX);
        // A median of many says more than one round trip, but it is one moment of one sender.
        let samples = samples.min(SAMPLES_OF_ONE);
        let taken = cell.add(now, *us, samples, Sources::of(source), half_life_ms);
        let (counts, told) = match taken {
            0 => (&mut self.counts.thinned, Taken::Thinned),
            _ => (&mut self.counts.taken, Taken::Counted),
        };
        if let Some(count) = counts.get_mut(source as usize) {
            *count += 1;
        }
        Ok(told)
    }

    /// The number of a region.
    pub(super) fn site(&self, key: &str) -> Result<u8, Refusal> {
        let place = self.sites.iter().position(|site| &*site.key == key).and_then(|place| u8::try_from(place).ok());
        let refusal = || Refusal {
            kind: RefusalKind::UnknownRegion,
            reason: format!("no such region: `{}`", key.chars().take(64).collect::<String>().escape_debug()),
        };
        place.ok_or_else(refusal)
    }

    /// The cell of a way; a new one for one that was not measured yet.
    pub(super) fn cell(&mut self, client: ClientNetwork, site: u8, now: Moment) -> &mut Cell {
        if self.store.is_full(self.settings.networks) {
            self.store.evict(self.settings.networks, now, self.half_life_ms());
        }
        self.revision += 1;
        self.store.cell(client, site, now, &self.places)
    }

    /// Works out what is to steer. `None`: nothing has changed enough, or not for long enough.
    pub fn step(&mut self, now: Moment) -> Option<Arc<Measured>> {
        let before = self.size();
        self.store.forget(now.before(self.settings.retention));
        if self.store.len() > self.settings.networks {
            self.store.evict(self.settings.networks, now, self.half_life_ms());
        }
        self.revision += u64::from(self.size() != before);
        let fresh: Vec<Fresh> = rows::fresh(&self.store, &self.sites, now, self.half_life_ms());
        let rules = Rules { sites: &self.sites, steered: &self.steered, settings: &self.settings };
        self.published.step(now, fresh, rules)
    }

    pub(super) fn half_life_ms(&self) -> u64 {
        u64::try_from(self.settings.half_life.as_millis()).unwrap_or(u64::MAX)
    }

    /// What there is to say in numbers.
    #[must_use]
    pub fn figures(&self) -> Figures {
        let (networks, ways) = self.size();
        let (evicted, moved, waiting) = (self.store.evicted(), self.published.moved, self.published.waiting);
        Figures { counts: self.counts.clone(), networks, ways, bytes: self.bytes(), evicted, moved, waiting }
    }

    /// Another number after each change of what is known, or of where networks are sent.
    #[must_use]
    pub const fn revision(&self) -> u64 {
        self.revision.wrapping_add(self.published.moved)
    }

    /// Networks of which something is known, and ways.
    #[must_use]
    pub fn size(&self) -> (usize, usize) {
        (self.store.len(), self.store.cells())
    }

    /// Bytes that what was measured takes, about.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.store.size() + self.published.size()
    }

    /// Networks that would change their best region, and may not yet.
    #[must_use]
    pub const fn waiting(&self) -> usize {
        self.published.waiting
    }

    /// What was measured of a network's ways lately, by region.
    #[must_use]
    pub fn evidence(&self, client: ClientNetwork, now: Moment) -> BTreeMap<Arc<str>, Evidence> {
        let cells = self.store.entry(client).map(|entry| entry.cells.as_slice()).unwrap_or_default();
        let told = cells.iter().filter_map(|(region, cell)| {
            let key = Arc::clone(&self.sites.get(usize::from(*region))?.key);
            let us = cell.percentile(50)?;
            let samples = cell.samples(now, self.half_life_ms());
            Some((key, Evidence { us, samples, last: cell.last(), sources: cell.sources() }))
        });
        told.collect()
    }
}

/// Round trips that a measurement counts for, however many it is the median of.
const SAMPLES_OF_ONE: u32 = 8;

/// What was measured of a way.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evidence {
    /// The median, microseconds.
    pub us: u32,
    /// Round trips that still count.
    pub samples: f64,
    /// When it was measured last.
    pub last: Moment,
    /// Who did.
    pub sources: Sources,
}
