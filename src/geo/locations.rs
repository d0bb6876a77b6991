//! Every distinct location of all databases, once: what ranges of addresses lead to.

use std::collections::HashMap;
use std::sync::Arc;

use super::place::{Coordinates, Place};
use super::record::Record;

/// The index of a location of which nothing is known.
pub(super) const NOWHERE: u32 = 0;

/// Locations by index; the first one is [`NOWHERE`].
#[derive(Clone, Debug)]
pub(super) struct Locations {
    rows: Vec<Location>,
    texts: Vec<Arc<str>>,
}

/// A location in 28 bytes: a city database has half a million of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Location {
    continent: Option<[u8; 2]>,
    country: Option<[u8; 2]>,
    /// From 1, places among the texts; 0 is none.
    subdivision: u32,
    city: u32,
    /// Latitude and longitude in millionths of a degree, a tenth of a meter.
    micro_degrees: Option<(i32, i32)>,
}

/// How much a location tells: the first database that knows most is believed whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Knowledge {
    Nothing,
    /// Neither a country nor coordinates.
    Vague,
    Located,
}

impl Locations {
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn knowledge(&self, index: u32) -> Knowledge {
        let row = self.row(index);
        if row.country.is_some() || row.micro_degrees.is_some() {
            Knowledge::Located
        } else if row == Location::default() {
            Knowledge::Nothing
        } else {
            Knowledge::Vague
        }
    }

    /// Its country, an ISO 3166-1 code.
    pub(super) fn country(&self, index: u32) -> Option<[u8; 2]> {
        self.row(index).country
    }

    /// The location as a place, completed by its country.
    pub(super) fn place(&self, index: u32) -> Place {
        self.stated(index).completed()
    }

    /// The location as a place, with no more than a database said.
    pub(super) fn stated(&self, index: u32) -> Place {
        let row = self.row(index);
        let text = |index: u32| self.texts.get((index as usize).checked_sub(1)?).cloned();
        let coordinates = row.micro_degrees.map(|(latitude, longitude)| Coordinates {
            latitude: f64::from(latitude) / 1e6,
            longitude: f64::from(longitude) / 1e6,
        });
        Place {
            continent: row.continent,
            country: row.country,
            subdivision: text(row.subdivision),
            city: text(row.city),
            coordinates,
            ..Place::default()
        }
    }

    fn row(&self, index: u32) -> Location {
        self.rows.get(index as usize).copied().unwrap_or_default()
    }
}

/// Locations being collected.
#[derive(Debug)]
pub(super) struct Collector {
    locations: Locations,
    row_of: HashMap<Location, u32>,
    text_of: HashMap<Arc<str>, u32>,
}

impl Collector {
    pub(super) fn new() -> Self {
        let nowhere = Location::default();
        let locations = Locations { rows: vec![nowhere], texts: Vec::new() };
        Self { locations, row_of: HashMap::from([(nowhere, NOWHERE)]), text_of: HashMap::new() }
    }

    /// The index of what a record says of a location.
    pub(super) fn index(&mut self, record: &Record<'_>) -> u32 {
        let subdivision = record
            .subdivision
            .zip(record.country)
            .map_or(0, |(code, [a, b])| self.text(&format!("{}{}-{code}", char::from(a), char::from(b))));
        let row = Location {
            continent: record.continent,
            country: record.country,
            subdivision,
            city: record.city.map_or(0, |city| self.text(city)),
            micro_degrees: record.coordinates.map(|at| (micro(at.latitude), micro(at.longitude))),
        };
        let rows = &mut self.locations.rows;
        *self.row_of.entry(row).or_insert_with(|| {
            rows.push(row);
            u32::try_from(rows.len() - 1).unwrap_or(NOWHERE)
        })
    }

    pub(super) fn finish(self) -> Locations {
        self.locations
    }

    fn text(&mut self, text: &str) -> u32 {
        if let Some(&index) = self.text_of.get(text) {
            return index;
        }
        let text: Arc<str> = text.into();
        self.locations.texts.push(Arc::clone(&text));
        let index = u32::try_from(self.locations.texts.len()).unwrap_or(0);
        self.text_of.insert(text, index);
        index
    }
}

#[expect(clippy::cast_possible_truncation, reason = "at most 180 million")]
fn micro(degrees: f64) -> i32 {
    (degrees * 1e6).round() as i32
}
