//! A record of a database, whoever made it: the fields that say where an address is.
//!
//! | field | MaxMind | ip-location-db, DB-IP | IPinfo |
//! |---|---|---|---|
//! | country | `country.iso_code`, else `registered_country.iso_code` | `country_code` | `country`, `country_code` |
//! | continent | `continent.code` | `continent.code` | `continent`, `continent_code` (name or code) |
//! | subdivision | `subdivisions[0].iso_code` | `state1` if it is a code | `region_code`, `region` if it is a code |
//! | coordinates | `location.latitude`, `.longitude` | `latitude`, `longitude` | `lat`, `lng`, or `loc` |
//! | city | `city.names.en` | `city` | `city` |
//! | system | `autonomous_system_number` | the same | `asn` (`AS64500`) |

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::place::Coordinates;

/// What a record says, as far as it makes sense.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Record<'a> {
    pub(super) continent: Option<[u8; 2]>,
    pub(super) country: Option<[u8; 2]>,
    /// The part after the country, e.g. `CA`.
    pub(super) subdivision: Option<&'a str>,
    pub(super) city: Option<&'a str>,
    pub(super) coordinates: Option<Coordinates>,
    pub(super) asn: Option<u32>,
}

impl<'a> Record<'a> {
    fn of(fields: &Fields<'a>) -> Self {
        // IPinfo writes a code or a name into `country`.
        let codes = [fields.country.text, fields.country_code.text, fields.registered_country.text];
        let country = codes.into_iter().flatten().find_map(letters);
        let continent = fields.continent.text.or(fields.continent_code.text).and_then(continent);
        // No countries, but registries have used them as such.
        let (country, stand_in) = match country.as_ref() {
            Some(b"EU") => (None, Some(*b"EU")),
            Some(b"AP") => (None, Some(*b"AS")),
            Some(b"ZZ" | b"XX") => (None, None),
            Some(_) | None => (country, None),
        };
        let codes = [fields.subdivisions.text, fields.region_code.text, fields.state.text, fields.region.text];
        let subdivision = codes.into_iter().flatten().find_map(|text| subdivision(text, country));
        let asn = [fields.system, fields.asn].into_iter().find_map(|field| field.system_number());
        Self {
            continent: continent.or(stand_in),
            country,
            subdivision,
            city: fields.city.name.or(fields.city.text).filter(|city| !city.is_empty() && *city != "-"),
            coordinates: fields.coordinates(),
            asn,
        }
    }
}

impl<'de> Deserialize<'de> for Record<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Fields::deserialize(deserializer).map(|fields| Self::of(&fields))
    }
}

/// The keys of the top of a record that mean something.
#[derive(Clone, Copy, Debug, Default)]
struct Fields<'a> {
    continent: Loose<'a>,
    continent_code: Loose<'a>,
    country: Loose<'a>,
    country_code: Loose<'a>,
    registered_country: Loose<'a>,
    subdivisions: Loose<'a>,
    region_code: Loose<'a>,
    state: Loose<'a>,
    region: Loose<'a>,
    city: Loose<'a>,
    location: Loose<'a>,
    latitude: Loose<'a>,
    longitude: Loose<'a>,
    loc: Loose<'a>,
    system: Loose<'a>,
    asn: Loose<'a>,
}

impl<'a> Fields<'a> {
    fn slot(&mut self, key: &str) -> Option<&mut Loose<'a>> {
        Some(match key {
            "continent" => &mut self.continent,
            "continent_code" => &mut self.continent_code,
            "country" => &mut self.country,
            "country_code" => &mut self.country_code,
            "registered_country" => &mut self.registered_country,
            "subdivisions" => &mut self.subdivisions,
            "region_code" => &mut self.region_code,
            "state1" => &mut self.state,
            "region" => &mut self.region,
            "city" => &mut self.city,
            "location" => &mut self.location,
            "latitude" | "lat" => &mut self.latitude,
            "longitude" | "lng" | "lon" => &mut self.longitude,
            "loc" => &mut self.loc,
            "autonomous_system_number" => &mut self.system,
            "asn" => &mut self.asn,
            _ => return None,
        })
    }

    fn coordinates(&self) -> Option<Coordinates> {
        let nested = self.location.latitude.zip(self.location.longitude);
        let flat = || self.latitude.as_number().zip(self.longitude.as_number());
        let text = || {
            let (latitude, longitude) = self.loc.text?.split_once(',')?;
            latitude.trim().parse().ok().zip(longitude.trim().parse().ok())
        };
        let (latitude, longitude) = nested.or_else(flat).or_else(text)?;
        // Where the equator meets the first meridian is water: databases write it for "nowhere".
        Coordinates::new(latitude, longitude).filter(|_| latitude != 0.0 || longitude != 0.0)
    }
}

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FieldsVisitor)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
        let mut fields = Fields::default();
        while let Some(key) = map.next_key::<&str>()? {
            match fields.slot(key) {
                Some(slot) => *slot = map.next_value()?,
                None => _ = map.next_value::<IgnoredAny>()?,
            }
        }
        Ok(fields)
    }
}

/// A value of any shape, and what of it can be of use: databases write the same thing as a word, a number or a map.
#[derive(Clone, Copy, Debug, Default)]
struct Loose<'a> {
    /// The string it is; of a map its `iso_code` or `code`; of a list that of its first element.
    text: Option<&'a str>,
    /// Of a map: its English name.
    name: Option<&'a str>,
    number: Option<f64>,
    /// Of a map.
    latitude: Option<f64>,
    longitude: Option<f64>,
}

impl Loose<'_> {
    fn as_number(&self) -> Option<f64> {
        self.number.or_else(|| self.text?.trim().parse().ok())
    }

    fn system_number(&self) -> Option<u32> {
        let text = self.text.map(|text| text.strip_prefix("AS").unwrap_or(text));
        let number = text.and_then(|text| text.parse().ok());
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be whole and to fit")]
        let whole = |number: f64| {
            (number.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&number)).then_some(number as u32)
        };
        number.or_else(|| self.number.and_then(whole)).filter(|&number| number != 0)
    }
}

impl<'de> Deserialize<'de> for Loose<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LooseVisitor)
    }
}

struct LooseVisitor;

impl<'de> Visitor<'de> for LooseVisitor {
    type Value = Loose<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Loose<'de>, E> {
        Ok(Loose { text: Some(text), ..Loose::default() })
    }

    fn visit_f64<E>(self, number: f64) -> Result<Loose<'de>, E> {
        Ok(Loose { number: Some(number), ..Loose::default() })
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Loose<'de>, E> {
        // Systems have 32 bits, so every number that matters is exact.
        self.visit_f64(number as f64)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Loose<'de>, E> {
        self.visit_f64(number as f64)
    }

    fn visit_u128<E: Error>(self, number: u128) -> Result<Loose<'de>, E> {
        self.visit_f64(number as f64)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Loose<'de>, E> {
        Ok(Loose::default())
    }

    fn visit_borrowed_bytes<E>(self, _: &'de [u8]) -> Result<Loose<'de>, E> {
        Ok(Loose::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Loose<'de>, A::Error> {
        let first = list.next_element()?;
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(first.unwrap_or_default())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Loose<'de>, A::Error> {
        let mut loose = Loose::default();
        while let Some(key) = map.next_key::<&str>()? {
            match key {
                "iso_code" | "code" => loose.text = map.next_value::<Loose<'de>>()?.text,
                "names" => loose.name = map.next_value::<Loose<'de>>()?.name,
                "en" => loose.name = map.next_value::<Loose<'de>>()?.text,
                "latitude" => loose.latitude = map.next_value::<Loose<'de>>()?.as_number(),
                "longitude" => loose.longitude = map.next_value::<Loose<'de>>()?.as_number(),
                _ => _ = map.next_value::<IgnoredAny>()?,
            }
        }
        Ok(loose)
    }
}

/// Two letters, in upper case.
fn letters(text: &str) -> Option<[u8; 2]> {
    match *text.as_bytes() {
        [a, b] if a.is_ascii_alphabetic() && b.is_ascii_alphabetic() => {
            Some([a.to_ascii_uppercase(), b.to_ascii_uppercase()])
        }
        _ => None,
    }
}

/// A continent by its code or name.
fn continent(text: &str) -> Option<[u8; 2]> {
    const NAMES: [(&str, &[u8; 2]); 8] = [
        ("Africa", b"AF"),
        ("Antarctica", b"AN"),
        ("Asia", b"AS"),
        ("Europe", b"EU"),
        ("North America", b"NA"),
        ("Oceania", b"OC"),
        ("Australia", b"OC"),
        ("South America", b"SA"),
    ];
    let by_name = NAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)).map(|(_, code)| **code);
    by_name.or_else(|| letters(text).filter(|code| NAMES.iter().any(|(_, known)| *known == code)))
}

/// The part of an ISO 3166-2 code after the country; `None` for a name.
fn subdivision(text: &str, country: Option<[u8; 2]>) -> Option<&str> {
    let code = match text.split_once('-') {
        Some((before, after)) => {
            country.filter(|country| before.as_bytes() == country)?;
            after
        }
        None => text,
    };
    let is_code = (1..=3).contains(&code.len())
        && code.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
        && country.is_some();
    is_code.then_some(code)
}
