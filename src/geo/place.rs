//! What is known of where an address is.

use std::sync::Arc;

use super::centroids::centroid;

/// What is known of where an address is; by default nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Place {
    /// `AF`, `AN`, `AS`, `EU`, `NA`, `OC` or `SA`.
    pub continent: Option<[u8; 2]>,
    /// An ISO 3166-1 code in upper case.
    pub country: Option<[u8; 2]>,
    /// An ISO 3166-2 code, e.g. `US-CA`.
    pub subdivision: Option<Arc<str>>,
    /// The city's English name.
    pub city: Option<Arc<str>>,
    /// The number of the autonomous system.
    pub asn: Option<u32>,
    /// Where on earth; the middle of the country if nobody knows better.
    pub coordinates: Option<Coordinates>,
    /// The name an operator gave to the network.
    pub name: Option<Arc<str>>,
}

/// A point on earth, in degrees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Coordinates {
    /// North is positive, -90 to 90.
    pub latitude: f64,
    /// East is positive, -180 to 180.
    pub longitude: f64,
}

impl Place {
    /// The place with what its country tells: the continent, and the middle of the country for want of coordinates.
    #[must_use]
    pub(super) fn completed(mut self) -> Self {
        if let Some(country) = self.country.and_then(centroid) {
            self.continent = self.continent.or(Some(country.continent));
            self.coordinates = self.coordinates.or(Some(country.coordinates));
        }
        self
    }

    /// True if nothing at all is known.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        *self == Self::default()
    }
}

impl Coordinates {
    /// The point, if it is one.
    #[must_use]
    pub fn new(latitude: f64, longitude: f64) -> Option<Self> {
        let is_point = latitude.abs() <= 90.0 && longitude.abs() <= 180.0;
        is_point.then_some(Self { latitude, longitude })
    }
}
