//! Countries and continents: their codes as operators write them, and the middle of every country, for addresses and
//! regions of which only the country is known.
//!
//! Codes are ISO 3166-1 alpha-2, with XK (Kosovo) and AN (withdrawn, still met in databases). A position is the
//! centroid of the country's largest polygon on an equal-area projection of Natural Earth's 1:10m map (public domain),
//! rounded to a hundredth of a degree. What that map counts as part of another country, draws too small or draws in the
//! wrong place for its people has well-known coordinates instead: AN, AQ, BQ, BV, CC, CX, GF, GP, KI (Tarawa), MQ, MY
//! (the peninsula), RE, SJ, TK, VA, YT. Continents follow the usual tables of country codes.

use super::suggest::nearest;
use super::toml_text::Refusal;

/// What is known of a country.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Country {
    /// `AF`, `AN`, `AS`, `EU`, `NA`, `OC` or `SA`.
    pub continent: [u8; 2],
    /// Of its middle, in degrees, north is positive.
    pub latitude: f64,
    /// Of its middle, in degrees, east is positive.
    pub longitude: f64,
}

/// The country with this code in upper case, if there is one.
#[must_use]
pub fn country(code: [u8; 2]) -> Option<Country> {
    let index = COUNTRIES.binary_search_by_key(&code, |&(code, ..)| *code).ok()?;
    let &(_, continent, latitude, longitude) = COUNTRIES.get(index)?;
    Some(Country { continent: *continent, latitude, longitude })
}

/// Reads the code of a country.
///
/// # Errors
/// No country has this code; what may be meant.
pub fn parse_country(text: &str) -> Result<[u8; 2], Refusal> {
    if let [a, b] = *text.as_bytes()
        && country([a, b]).is_some()
    {
        return Ok([a, b]);
    }
    let reason = "no country has this code of ISO 3166-1";
    let upper = text.to_ascii_uppercase();
    // Two letters are too few to guess by likeness; these are what people write.
    let meant = match upper.as_str() {
        "UK" => Some("GB"),
        "EL" => Some("GR"),
        "USA" => Some("US"),
        _ => codes().find(|known| *known == upper),
    };
    Err(match meant {
        Some(known) => Refusal::with_hint(reason, format!("did you mean \"{known}\"?")),
        None if CONTINENTS.iter().any(|(code, _)| *code == upper) => {
            Refusal::with_hint(reason, "it is a continent; write two capital letters of a country, e.g. \"DE\"")
        }
        None => Refusal::with_hint(reason, "write two capital letters, e.g. \"DE\""),
    })
}

/// Reads the code of a continent.
///
/// # Errors
/// No continent has this code; what may be meant.
pub fn parse_continent(text: &str) -> Result<[u8; 2], Refusal> {
    if let ([a, b], true) = (text.as_bytes(), CONTINENTS.iter().any(|(code, _)| *code == text)) {
        return Ok([*a, *b]);
    }
    let is_meant = |(code, name): &&(&str, &str)| {
        code.eq_ignore_ascii_case(text) || nearest(text, [*name, &name.replace(' ', "-")]).is_some()
    };
    let hint = match CONTINENTS.iter().find(is_meant) {
        Some((code, _)) => format!("did you mean \"{code}\"?"),
        None => format!("one of: {}", CONTINENTS.map(|(code, _)| code).join(", ")),
    };
    Err(Refusal::with_hint("no continent has this code", hint))
}

/// Reads the code of a part of a country (ISO 3166-2): its country. Which parts a country has is not known here.
///
/// # Errors
/// No part of a country has this code; what may be meant.
pub fn parse_subdivision(text: &str) -> Result<[u8; 2], Refusal> {
    const HINT: &str = "write a code of ISO 3166-2, e.g. \"US-CA\"";
    let Some((before, after)) = text.split_once('-') else {
        return Err(Refusal::with_hint("a country, a hyphen and a part of it belong here", HINT));
    };
    let country = parse_country(before).map_err(|refusal| {
        let hint = refusal.hint.filter(|hint| hint.starts_with("did")).unwrap_or_else(|| HINT.to_owned());
        Refusal::with_hint(format!("`{}` is not a country of ISO 3166-1", before.escape_debug()), hint)
    })?;
    let is_code = |part: &str| {
        (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
    };
    if is_code(after) {
        return Ok(country);
    }
    let upper = after.to_ascii_uppercase();
    let hint = if is_code(&upper) { format!("did you mean \"{before}-{upper}\"?") } else { HINT.to_owned() };
    Err(Refusal::with_hint("one to three capital letters or digits belong after the hyphen", hint))
}

/// The codes of all countries, in order.
pub fn codes() -> impl Iterator<Item = &'static str> {
    COUNTRIES.iter().filter_map(|(code, ..)| std::str::from_utf8(*code).ok())
}

/// Codes and names.
const CONTINENTS: [(&str, &str); 7] = [
    ("AF", "Africa"),
    ("AN", "Antarctica"),
    ("AS", "Asia"),
    ("EU", "Europe"),
    ("NA", "North America"),
    ("OC", "Oceania"),
    ("SA", "South America"),
];

type Row = (&'static [u8; 2], &'static [u8; 2], f64, f64);

/// Country, continent, latitude, longitude; by country.
#[rustfmt::skip]
const COUNTRIES: [Row; 251] = [
    (b"AD", b"EU", 42.54, 1.56), (b"AE", b"AS", 23.90, 54.31), (b"AF", b"AS", 33.76, 65.97),
    (b"AG", b"NA", 17.07, -61.79), (b"AI", b"NA", 18.22, -63.06), (b"AL", b"EU", 41.13, 20.05),
    (b"AM", b"AS", 40.28, 44.94), (b"AN", b"NA", 12.18, -68.60), (b"AO", b"AF", -12.27, 17.56),
    (b"AQ", b"AN", -82.00, 0.00), (b"AR", b"SA", -34.16, -64.94), (b"AS", b"OC", -14.30, -170.72),
    (b"AT", b"EU", 47.58, 14.12), (b"AU", b"OC", -25.13, 134.27), (b"AW", b"NA", 12.52, -69.97),
    (b"AX", b"EU", 60.23, 19.94), (b"AZ", b"AS", 40.33, 47.66), (b"BA", b"EU", 44.16, 17.78),
    (b"BB", b"NA", 13.18, -59.56), (b"BD", b"AS", 23.87, 90.23), (b"BE", b"EU", 50.63, 4.64),
    (b"BF", b"AF", 12.26, -1.76), (b"BG", b"EU", 42.76, 25.21), (b"BH", b"AS", 26.05, 50.55),
    (b"BI", b"AF", -3.36, 29.87), (b"BJ", b"AF", 9.63, 2.33), (b"BL", b"NA", 17.91, -62.83),
    (b"BM", b"NA", 32.31, -64.76), (b"BN", b"AS", 4.49, 114.60), (b"BO", b"SA", -16.64, -64.69),
    (b"BQ", b"NA", 12.18, -68.26), (b"BR", b"SA", -10.47, -53.18), (b"BS", b"NA", 24.70, -78.04),
    (b"BT", b"AS", 27.42, 90.40), (b"BV", b"AN", -54.42, 3.41), (b"BW", b"AF", -22.14, 23.80),
    (b"BY", b"EU", 53.49, 28.02), (b"BZ", b"NA", 17.20, -88.70), (b"CA", b"NA", 56.28, -100.62),
    (b"CC", b"AS", -12.16, 96.87), (b"CD", b"AF", -2.85, 23.64), (b"CF", b"AF", 6.56, 20.46),
    (b"CG", b"AF", -0.84, 15.22), (b"CH", b"EU", 46.79, 8.21), (b"CI", b"AF", 7.62, -5.57),
    (b"CK", b"OC", -21.22, -159.79), (b"CL", b"SA", -33.49, -71.07), (b"CM", b"AF", 5.68, 12.73),
    (b"CN", b"AS", 35.65, 103.54), (b"CO", b"SA", 3.89, -73.08), (b"CR", b"NA", 9.97, -84.19),
    (b"CU", b"NA", 21.60, -78.94), (b"CV", b"AF", 15.08, -23.64), (b"CW", b"NA", 12.19, -68.97),
    (b"CX", b"AS", -10.49, 105.63), (b"CY", b"EU", 34.91, 32.95), (b"CZ", b"EU", 49.72, 15.32),
    (b"DE", b"EU", 50.98, 10.36), (b"DJ", b"AF", 11.75, 42.57), (b"DK", b"EU", 56.21, 9.37),
    (b"DM", b"NA", 15.44, -61.36), (b"DO", b"NA", 18.90, -70.50), (b"DZ", b"AF", 27.89, 2.66),
    (b"EC", b"SA", -1.45, -78.39), (b"EE", b"EU", 58.67, 25.83), (b"EG", b"AF", 26.39, 29.87),
    (b"EH", b"AF", 24.19, -12.24), (b"ER", b"AF", 15.35, 38.85), (b"ES", b"EU", 40.31, -3.57),
    (b"ET", b"AF", 8.59, 39.61), (b"FI", b"EU", 64.13, 26.25), (b"FJ", b"OC", -17.82, 177.98),
    (b"FK", b"SA", -51.73, -58.75), (b"FM", b"OC", 6.88, 158.23), (b"FO", b"EU", 62.14, -6.99),
    (b"FR", b"EU", 46.50, 2.46), (b"GA", b"AF", -0.59, 11.79), (b"GB", b"EU", 53.76, -2.47),
    (b"GD", b"NA", 12.12, -61.68), (b"GE", b"AS", 42.16, 43.52), (b"GF", b"SA", 3.95, -53.08),
    (b"GG", b"EU", 49.46, -2.58), (b"GH", b"AF", 7.94, -1.22), (b"GI", b"EU", 36.13, -5.35),
    (b"GL", b"NA", 72.06, -41.62), (b"GM", b"AF", 13.45, -15.40), (b"GN", b"AF", 10.43, -10.94),
    (b"GP", b"NA", 16.20, -61.53), (b"GQ", b"AF", 1.57, 10.47), (b"GR", b"EU", 39.44, 22.57),
    (b"GS", b"AN", -54.37, -36.69), (b"GT", b"NA", 15.69, -90.36), (b"GU", b"OC", 13.44, 144.77),
    (b"GW", b"AF", 12.06, -14.93), (b"GY", b"SA", 4.79, -58.98), (b"HK", b"AS", 22.42, 114.16),
    (b"HM", b"AN", -53.09, 73.50), (b"HN", b"NA", 14.82, -86.63), (b"HR", b"EU", 45.14, 16.42),
    (b"HT", b"NA", 18.93, -72.68), (b"HU", b"EU", 47.15, 19.39), (b"ID", b"AS", -0.19, 114.02),
    (b"IE", b"EU", 53.15, -8.14), (b"IL", b"AS", 31.43, 34.99), (b"IM", b"EU", 54.23, -4.53),
    (b"IN", b"AS", 22.59, 79.57), (b"IO", b"AS", -7.35, 72.43), (b"IQ", b"AS", 32.97, 43.76),
    (b"IR", b"AS", 32.38, 54.36), (b"IS", b"EU", 64.97, -18.60), (b"IT", b"EU", 43.41, 12.23),
    (b"JE", b"EU", 49.22, -2.13), (b"JM", b"NA", 18.16, -77.32), (b"JO", b"AS", 31.23, 36.76),
    (b"JP", b"AS", 36.58, 137.92), (b"KE", b"AF", 0.55, 37.82), (b"KG", b"AS", 41.44, 74.52),
    (b"KH", b"AS", 12.71, 104.90), (b"KI", b"OC", 1.42, 173.00), (b"KM", b"AF", -11.65, 43.34),
    (b"KN", b"NA", 17.33, -62.76), (b"KP", b"AS", 40.12, 127.17), (b"KR", b"AS", 36.44, 127.87),
    (b"KW", b"AS", 29.32, 47.57), (b"KY", b"NA", 19.32, -81.25), (b"KZ", b"AS", 47.88, 67.26),
    (b"LA", b"AS", 18.46, 103.76), (b"LB", b"AS", 33.92, 35.88), (b"LC", b"NA", 13.90, -60.97),
    (b"LI", b"EU", 47.14, 9.54), (b"LK", b"AS", 7.61, 80.71), (b"LR", b"AF", 6.45, -9.32),
    (b"LS", b"AF", -29.58, 28.23), (b"LT", b"EU", 55.31, 23.90), (b"LU", b"EU", 49.77, 6.07),
    (b"LV", b"EU", 56.84, 24.91), (b"LY", b"AF", 26.91, 18.04), (b"MA", b"AF", 29.64, -8.53),
    (b"MC", b"EU", 43.74, 7.40), (b"MD", b"EU", 47.18, 28.47), (b"ME", b"EU", 42.78, 19.24),
    (b"MF", b"NA", 18.08, -63.05), (b"MG", b"AF", -19.28, 46.72), (b"MH", b"OC", 7.10, 171.20),
    (b"MK", b"EU", 41.59, 21.68), (b"ML", b"AF", 17.25, -3.56), (b"MM", b"AS", 21.09, 96.49),
    (b"MN", b"AS", 46.69, 103.09), (b"MO", b"AS", 22.14, 113.56), (b"MP", b"OC", 15.18, 145.74),
    (b"MQ", b"NA", 14.65, -61.00), (b"MR", b"AF", 20.17, -10.35), (b"MS", b"NA", 16.74, -62.19),
    (b"MT", b"EU", 35.89, 14.44), (b"MU", b"AF", -20.28, 57.57), (b"MV", b"AS", 4.19, 73.51),
    (b"MW", b"AF", -13.20, 34.29), (b"MX", b"NA", 23.70, -102.33), (b"MY", b"AS", 3.79, 102.10),
    (b"MZ", b"AF", -17.13, 35.57), (b"NA", b"AF", -22.02, 17.20), (b"NC", b"OC", -21.32, 165.48),
    (b"NE", b"AF", 17.36, 9.36), (b"NF", b"OC", -29.03, 167.96), (b"NG", b"AF", 9.57, 8.09),
    (b"NI", b"NA", 12.84, -85.03), (b"NL", b"EU", 52.27, 5.63), (b"NO", b"EU", 63.39, 13.09),
    (b"NP", b"AS", 28.24, 83.93), (b"NR", b"OC", -0.52, 166.93), (b"NU", b"OC", -19.05, -169.87),
    (b"NZ", b"OC", -43.92, 170.56), (b"OM", b"AS", 20.53, 56.07), (b"PA", b"NA", 8.52, -80.11),
    (b"PE", b"SA", -9.07, -74.40), (b"PF", b"OC", -17.66, -149.42), (b"PG", b"OC", -6.60, 144.24),
    (b"PH", b"AS", 15.94, 121.42), (b"PK", b"AS", 29.78, 69.25), (b"PL", b"EU", 52.06, 19.41),
    (b"PM", b"NA", 46.95, -56.32), (b"PN", b"OC", -24.37, -128.32), (b"PR", b"NA", 18.23, -66.48),
    (b"PS", b"AS", 31.94, 35.24), (b"PT", b"EU", 39.64, -7.98), (b"PW", b"OC", 7.51, 134.58),
    (b"PY", b"SA", -23.18, -58.42), (b"QA", b"AS", 25.31, 51.19), (b"RE", b"AF", -21.13, 55.53),
    (b"RO", b"EU", 45.82, 24.98), (b"RS", b"EU", 44.20, 20.80), (b"RU", b"AS", 59.45, 97.19),
    (b"RW", b"AF", -1.99, 29.92), (b"SA", b"AS", 23.97, 44.60), (b"SB", b"OC", -9.62, 160.17),
    (b"SC", b"AF", -4.68, 55.47), (b"SD", b"AF", 15.90, 29.92), (b"SE", b"EU", 62.20, 16.50),
    (b"SG", b"AS", 1.36, 103.81), (b"SH", b"AF", -15.96, -5.72), (b"SI", b"EU", 46.11, 14.81),
    (b"SJ", b"EU", 78.61, 16.34), (b"SK", b"EU", 48.70, 19.48), (b"SL", b"AF", 8.57, -11.79),
    (b"SM", b"EU", 43.94, 12.44), (b"SN", b"AF", 14.36, -14.47), (b"SO", b"AF", 4.72, 45.69),
    (b"SR", b"SA", 4.13, -55.91), (b"SS", b"AF", 7.27, 30.30), (b"ST", b"AF", 0.24, 6.61),
    (b"SV", b"NA", 13.74, -88.87), (b"SX", b"NA", 18.04, -63.07), (b"SY", b"AS", 35.00, 38.49),
    (b"SZ", b"AF", -26.56, 31.48), (b"TC", b"NA", 21.81, -71.74), (b"TD", b"AF", 15.23, 18.64),
    (b"TF", b"AN", -49.31, 69.50), (b"TG", b"AF", 8.52, 0.96), (b"TH", b"AS", 15.07, 101.01),
    (b"TJ", b"AS", 38.51, 71.02), (b"TK", b"OC", -9.17, -171.83), (b"TL", b"OC", -8.80, 125.94),
    (b"TM", b"AS", 39.06, 59.42), (b"TN", b"AF", 34.07, 9.55), (b"TO", b"OC", -21.17, -175.20),
    (b"TR", b"AS", 38.95, 35.42), (b"TT", b"NA", 10.42, -61.29), (b"TV", b"OC", -8.50, 179.21),
    (b"TW", b"AS", 23.75, 120.96), (b"TZ", b"AF", -6.25, 34.79), (b"UA", b"EU", 49.09, 31.29),
    (b"UG", b"AF", 1.27, 32.37), (b"UM", b"OC", 5.88, -162.08), (b"US", b"NA", 38.92, -98.98),
    (b"UY", b"SA", -32.78, -56.02), (b"UZ", b"AS", 41.68, 63.21), (b"VA", b"EU", 41.90, 12.45),
    (b"VC", b"NA", 13.26, -61.19), (b"VE", b"SA", 7.10, -66.18), (b"VG", b"NA", 18.42, -64.62),
    (b"VI", b"NA", 17.74, -64.76), (b"VN", b"AS", 16.50, 106.32), (b"VU", b"OC", -15.23, 166.85),
    (b"WF", b"OC", -13.28, -176.16), (b"WS", b"OC", -13.63, -172.44), (b"XK", b"EU", 42.57, 20.87),
    (b"YE", b"AS", 15.92, 47.53), (b"YT", b"AF", -12.82, 45.15), (b"ZA", b"AF", -28.89, 25.21),
    (b"ZM", b"AF", -13.43, 27.79), (b"ZW", b"AF", -18.98, 29.85),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_sorted_and_on_earth() {
        assert!(COUNTRIES.is_sorted_by(|a, b| a.0 < b.0));
        for (code, continent, latitude, longitude) in COUNTRIES {
            assert!(code.iter().all(u8::is_ascii_uppercase));
            assert!(CONTINENTS.iter().any(|(known, _)| known.as_bytes() == continent));
            assert!(latitude.abs() <= 90.0 && longitude.abs() <= 180.0);
        }
    }

    #[test]
    fn finds_countries() {
        let germany = country(*b"DE").expect("a country");
        assert_eq!(germany.continent, *b"EU");
        assert!((germany.latitude - 51.1).abs() < 0.5 && (germany.longitude - 10.4).abs() < 0.5);
        // Over the antimeridian.
        assert!((60.0..110.0).contains(&country(*b"RU").expect("a country").longitude));
        assert!((176.0..180.0).contains(&country(*b"FJ").expect("a country").longitude));
        assert_eq!(country(*b"ZZ"), None);
        assert!(codes().all(|code| parse_country(code).is_ok()));
        assert_eq!(codes().count(), COUNTRIES.len());
    }

    #[test]
    fn wrong_codes_say_what_is_meant() {
        fn hint<T>(read: Result<T, Refusal>) -> Option<String> {
            read.err().map(|refusal| refusal.hint.expect("a hint"))
        }
        for (text, expected) in [
            ("DE", None),
            ("de", Some("did you mean \"DE\"?")),
            ("UK", Some("did you mean \"GB\"?")),
            ("USA", Some("did you mean \"US\"?")),
            ("EU", Some("it is a continent; write two capital letters of a country, e.g. \"DE\"")),
            ("ZZ", Some("write two capital letters, e.g. \"DE\"")),
            ("Ü", Some("write two capital letters, e.g. \"DE\"")),
            ("", Some("write two capital letters, e.g. \"DE\"")),
        ] {
            assert_eq!(hint(parse_country(text)).as_deref(), expected, "{text}");
        }
        for (text, expected) in [
            ("NA", None),
            ("na", Some("did you mean \"NA\"?")),
            ("Europe", Some("did you mean \"EU\"?")),
            ("north-america", Some("did you mean \"NA\"?")),
            ("UE", Some("one of: AF, AN, AS, EU, NA, OC, SA")),
        ] {
            assert_eq!(hint(parse_continent(text)).as_deref(), expected, "{text}");
        }
        for (text, expected) in [
            ("US-CA", None),
            ("GB-ENG", None),
            ("US-ca", Some("did you mean \"US-CA\"?")),
            ("UK-ENG", Some("did you mean \"GB\"?")),
            ("ZZ-A", Some("write a code of ISO 3166-2, e.g. \"US-CA\"")),
            ("US-", Some("write a code of ISO 3166-2, e.g. \"US-CA\"")),
            ("California", Some("write a code of ISO 3166-2, e.g. \"US-CA\"")),
        ] {
            assert_eq!(hint(parse_subdivision(text)).as_deref(), expected, "{text}");
        }
    }
}
