//! The middle of a country and the continent it belongs to.

use crate::base::countries::country;

use super::place::Coordinates;

/// Where a country is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Centroid {
    /// `AF`, `AN`, `AS`, `EU`, `NA`, `OC` or `SA`.
    pub continent: [u8; 2],
    /// Its middle.
    pub coordinates: Coordinates,
}

/// The middle and the continent of the country with this code in upper case, if there is one.
#[must_use]
pub fn centroid(code: [u8; 2]) -> Option<Centroid> {
    let country = country(code)?;
    let coordinates = Coordinates { latitude: country.latitude, longitude: country.longitude };
    Some(Centroid { continent: country.continent, coordinates })
}
