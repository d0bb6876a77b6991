//! The order in which databases are asked when the operator does not say.
//!
//! | kind | asked |
//! |---|---|
//! | cities: it says so, or its records have coordinates | first |
//! | countries: it says so, or its records have them | then |
//! | anything else, also what cannot be read | then |
//! | autonomous systems alone | last |

use super::database::{self, DatabaseFile};
use super::record::Record;

/// Sorts databases into the order in which they are asked: by what they hold, then by their file's name.
#[must_use]
pub fn order(files: Vec<DatabaseFile>) -> Vec<DatabaseFile> {
    let mut kinds: Vec<(Kind, DatabaseFile)> = files.into_iter().map(|file| (kind(&file.bytes), file)).collect();
    kinds.sort_by(|(a, x), (b, y)| (a, x.name(), &x.path).cmp(&(b, y.name(), &y.path)));
    kinds.into_iter().map(|(_, file)| file).collect()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    City,
    Country,
    Other,
    System,
}

/// Records looked at to tell what a database holds whose name does not tell.
const RECORDS_LOOKED_AT: usize = 100;

fn kind(bytes: &[u8]) -> Kind {
    database::sample(bytes, |database_type, records| {
        let name = database_type.to_ascii_lowercase();
        // In this order: "geo-whois-asn-country" holds countries.
        for (word, kind) in [("city", Kind::City), ("country", Kind::Country), ("asn", Kind::System)] {
            if name.contains(word) {
                return kind;
            }
        }
        let kinds = records.take(RECORDS_LOOKED_AT).filter_map(|record| kind_of(&record));
        kinds.min().unwrap_or(Kind::Other)
    })
    .unwrap_or(Kind::Other)
}

fn kind_of(record: &Record<'_>) -> Option<Kind> {
    if record.coordinates.is_some() || record.city.is_some() {
        Some(Kind::City)
    } else if record.country.is_some() {
        Some(Kind::Country)
    } else {
        record.asn.map(|_| Kind::System)
    }
}
