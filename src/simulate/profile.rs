//! How much is asked from where: written down in a file, or spread over countries by how many people use the internet.
//!
//! ```toml
//! # Answers a second, by service; a resolver that asks once in the longest TTL of a service is one answer in that time.
//! [services.web]
//! DE = 1200.5                  # a country
//! "203.0.113.0/24" = 50        # a network
//! unknown = 10                 # clients that nobody can locate
//!
//! # Load for each answer, in the unit of the region's load feed; 1 where nothing is said.
//! [worth]
//! fra = 12.5
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::answer::explain::client;
use crate::base::countries::parse_country;
use crate::base::diagnostic::{Diagnostic, Report};
use crate::base::ids::{RegionId, ServiceId};
use crate::base::suggest::nearest;
use crate::base::toml_text::{self, Source, Value};
use crate::model::{Capacity, Follow, Model};

use super::population;

/// How much is asked from where.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Profile {
    /// Where it is from, in words.
    pub source: String,
    /// What is asked.
    pub rows: Vec<Row>,
    /// Load for each answer, by region; 1 where nothing is said.
    pub worth: BTreeMap<RegionId, f64>,
}

/// What is asked from one place of one service.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Row {
    /// The service.
    pub service: ServiceId,
    /// From where.
    pub origin: Origin,
    /// Answers a second.
    pub demand: f64,
}

/// Where clients are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// In a country.
    Country([u8; 2]),
    /// In a network.
    Network(IpAddr, u8),
    /// Nobody knows.
    Unknown,
}

/// The most answers a second of one row.
const DEMAND_MAX: f64 = 1e9;
/// The part of all targets that the population asks for when nobody says how much.
const PART_OF_TARGETS: f64 = 2.0 / 3.0;
/// Answers a second of the world where no capacity is limited.
const TOTAL_DEFAULT: f64 = 1_000.0;

impl Profile {
    /// So many answers a second, from all countries by their users of the internet, of all services alike that decide by
    /// themselves. Without a number as many as fill the targets of all regions to two thirds.
    #[must_use]
    pub fn population(model: &Model, total: Option<f64>) -> Self {
        let targets: u64 = model
            .regions
            .iter()
            .filter(|region| region.enabled)
            .map(|region| match region.capacity {
                Capacity::Unlimited => 0,
                Capacity::Limited { target, .. } => target,
            })
            .sum();
        #[expect(clippy::cast_precision_loss, reason = "a share, not a count")]
        let (total, how) = match total {
            Some(total) => (total, "--total"),
            None if targets > 0 => (targets as f64 * PART_OF_TARGETS, "two thirds of all targets"),
            None => (TOTAL_DEFAULT, "no region has a capacity"),
        };
        let decides = |follow: &Follow| matches!(follow, Follow::Nobody);
        let services: Vec<ServiceId> = model
            .services()
            .filter(|(_, service)| service.enabled && decides(&service.follow))
            .map(|(id, _)| id)
            .collect();
        let users: f64 = population::all().map(|(_, users)| f64::from(users)).sum();
        #[expect(clippy::cast_precision_loss, reason = "a share, not a count")]
        let each = total / users / services.len().max(1) as f64;
        let of = |service: ServiceId| {
            population::all().map(move |(code, users)| Row {
                service,
                origin: Origin::Country(code),
                demand: f64::from(users) * each,
            })
        };
        let rows = services.into_iter().flat_map(of).collect();
        let source = format!("internet users by country (CIA World Factbook, 2014), {total:.0} answers/s ({how})");
        Self { source, rows, worth: BTreeMap::new() }
    }

    /// Reads the text of a file; all findings go to `report`.
    #[must_use]
    pub fn read(path: &str, text: &str, model: &Model, report: &mut Report) -> Self {
        let source = Source::new(path, text);
        toml_text::read(&source, report, |mut root| {
            let (services, worth) = (root.table("services").entries(), root.table("worth").entries());
            root.finish();
            let mut rows = Vec::new();
            for entry in services {
                let names = model.services.iter().map(|service| service.key.as_ref());
                let service = known(&entry, "service", model.service_by_key(entry.key()), names);
                let Some(table) = entry.table_as("a table", Some("write [services.web] and under it DE = 100")) else {
                    continue;
                };
                let mut seen = BTreeSet::new();
                for row in table.entries() {
                    let (origin, demand) = (origin(&row), row.number(&(0.0..=DEMAND_MAX)));
                    if let (Some(service), Some(origin), Some(demand)) = (service, origin, demand)
                        && seen.insert(origin)
                    {
                        rows.push(Row { service, origin, demand });
                    }
                }
            }
            let worth = worth.into_iter().filter_map(|entry| {
                let names = model.regions.iter().map(|region| region.key.as_ref());
                let region = known(&entry, "region", model.region_by_key(entry.key()), names);
                Some((region?, entry.number(&(1e-6..=1e6))?))
            });
            Self { source: path.to_owned(), rows, worth: worth.collect() }
        })
    }

    /// Answers a second, all together.
    #[must_use]
    pub fn total(&self) -> f64 {
        self.rows.iter().map(|row| row.demand).sum()
    }
}

fn known<'m, T>(entry: &Value<'_>, what: &str, found: Option<T>, names: impl Iterator<Item = &'m str>) -> Option<T> {
    if found.is_none() {
        let message = format!("{what} `{}` is not defined", entry.key().escape_debug());
        let mut finding = Diagnostic::error("unknown-reference", message).at(entry.key_at(), format!("no such {what}"));
        finding.hint = nearest(entry.key(), names).map(|known| format!("did you mean `{known}`?"));
        entry.push(finding);
    }
    found
}

fn origin(row: &Value<'_>) -> Option<Origin> {
    let refuse = |reason: String, hint: Option<String>| {
        let message = format!("`{}` is no place", row.key().escape_debug());
        let mut finding = Diagnostic::error("bad-value", message).at(row.key_at(), reason);
        finding.hint = hint;
        row.push(finding);
    };
    let key = row.key();
    if key == "unknown" {
        return Some(Origin::Unknown);
    }
    if key.contains('/') || key.contains(':') || key.parse::<IpAddr>().is_ok() {
        return match client(key) {
            Ok((address, bits)) => Some(Origin::Network(address, bits)),
            Err(reason) => {
                refuse(reason, None);
                None
            }
        };
    }
    match parse_country(key) {
        Ok(code) => Some(Origin::Country(code)),
        Err(refusal) => {
            let hint = refusal.hint.unwrap_or_default();
            refuse(
                refusal.reason,
                Some(format!("{hint}; a network like \"203.0.113.0/24\" or unknown may stand here")),
            );
            None
        }
    }
}

impl Origin {
    /// As the file writes it.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Country(code) => String::from_utf8_lossy(code).into_owned(),
            Self::Network(address, bits) => format!("{address}/{bits}"),
            Self::Unknown => "unknown".into(),
        }
    }
}
