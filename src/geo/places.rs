//! Everything known of where addresses are.

use std::net::IpAddr;

use crate::base::diagnostic::{Diagnostic, Report};
use crate::base::limits;

use super::database::{Database, DatabaseFile, DatabaseInfo};
use super::layer::Layer;
use super::locations::{Collector, Knowledge, Locations};
use super::networks::{self, OwnNetwork};
use super::place::Place;
use super::prefix::Network;

/// Everything known of where addresses are: the operator's networks, then databases in their order. Immutable; made
/// by a load.
#[derive(Clone, Debug)]
pub struct Places {
    pub(super) locations: Locations,
    pub(super) databases: Vec<Database>,
    infos: Vec<DatabaseInfo>,
    pub(super) networks: Vec<OwnNetwork>,
    /// Indices into `networks`, or [`NO_NETWORK`].
    pub(super) own: Layer,
    /// The name of the file of networks.
    networks_file: String,
}

/// An address that lies in no network of the operator.
pub(super) const NO_NETWORK: u32 = u32::MAX;

/// Where an address is and who said so.
#[derive(Clone, Debug, PartialEq)]
pub struct Located {
    /// All that is known.
    pub place: Place,
    /// Who said what, in the order they were asked: the file's name, the network for which it holds, what it said
    /// (e.g. `country DE`; `nothing`).
    pub sources: Vec<(String, String, String)>,
    /// The network around the address for which all of this holds.
    pub network: (IpAddr, u8),
}

impl Places {
    /// Nobody can be located.
    #[must_use]
    pub fn none() -> Self {
        Self {
            locations: Collector::new().finish(),
            databases: Vec::new(),
            infos: Vec::new(),
            networks: Vec::new(),
            own: Layer::all(NO_NETWORK),
            networks_file: String::new(),
        }
    }

    /// Reads databases, in the order in which they are asked (see [`super::order()`]), and path and text of
    /// `networks.toml`. All findings go to `report`; `None` if one is an error. `now_unix_s` are seconds since 1970.
    #[must_use]
    pub fn read(
        databases: Vec<DatabaseFile>,
        networks: Option<(&str, &str)>,
        now_unix_s: u64,
        report: &mut Report,
    ) -> Option<Self> {
        let mut own_report = Report::new();
        let mut collector = Collector::new();
        let mut read = Vec::new();
        for file in databases {
            match Database::read(&file, &mut collector) {
                Ok(database) => {
                    own_report.extend(old(&file, database.info.build_epoch, now_unix_s));
                    read.push(database);
                }
                Err(reason) => own_report.push(damaged(&file, &reason)),
            }
        }
        let (path, text) = networks.unwrap_or_default();
        let networks = networks::read(path, text, &mut own_report);
        let has_errors = own_report.has_errors();
        report.extend(own_report);
        if has_errors {
            return None;
        }
        let indexed = networks.iter().zip(0..).map(|(own, index)| (own.network, index));
        Some(Self {
            locations: collector.finish(),
            infos: read.iter().map(|database| database.info.clone()).collect(),
            databases: read,
            own: Layer::of_networks(indexed, NO_NETWORK),
            networks,
            networks_file: path.rsplit(['/', '\\']).next().unwrap_or(path).to_owned(),
        })
    }

    /// True if there is neither a database nor a network of the operator: nobody can be located.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.databases.is_empty() && self.networks.is_empty()
    }

    /// The databases in the order in which they are asked.
    #[must_use]
    pub fn databases(&self) -> &[DatabaseInfo] {
        &self.infos
    }

    /// Where an address is, and who said so. Not for every query: [`super::Atlas::locate`] is.
    #[must_use]
    pub fn find(&self, address: IpAddr) -> Located {
        let mut sources = Vec::new();
        let (own, mut scope) = self.own.find(address);
        if let Some(own) = self.networks.get(own as usize) {
            sources.push((self.networks_file.clone(), own.network.to_string(), said(&own.place, own.place.asn)));
            let network = Network::around(address, scope);
            return Located { place: own.place.clone(), sources, network: (network.address, network.length) };
        }
        let (mut locations, mut asn) = (Vec::new(), 0);
        for database in &self.databases {
            let (index, location_scope) = database.locations.find(address);
            let (system, system_scope) = database.asns.find(address);
            locations.push(index);
            asn = if asn == 0 { system } else { asn };
            let length = location_scope.max(system_scope);
            scope = scope.max(length);
            let network = Network::around(address, length).to_string();
            let system = (system != 0).then_some(system);
            sources.push((database.info.file.clone(), network, said(&self.locations.stated(index), system)));
        }
        let place = self.locations.place(self.believed(locations));
        let place = Place { asn: (asn != 0).then_some(asn), ..place };
        let network = Network::around(address, scope);
        Located { place, sources, network: (network.address, network.length) }
    }

    /// All that is known of where an address is, without who said so.
    #[must_use]
    pub fn place(&self, address: IpAddr) -> Place {
        if let Some(own) = self.networks.get(self.own.find(address).0 as usize) {
            return own.place.clone();
        }
        let said = self.databases.iter().map(|database| database.locations.find(address).0);
        let mut systems = self.databases.iter().map(|database| database.asns.find(address).0);
        let place = self.locations.place(self.believed(said));
        Place { asn: systems.find(|&asn| asn != 0), ..place }
    }

    /// The index of what the databases know of an address, from what each of them says, in their order: the first one
    /// that knows a country or coordinates is believed whole, else the first one that knows anything.
    pub(super) fn believed(&self, said: impl IntoIterator<Item = u32>) -> u32 {
        let (mut location, mut best) = (0, Knowledge::Nothing);
        for index in said {
            let knowledge = self.locations.knowledge(index);
            if knowledge > best {
                (location, best) = (index, knowledge);
            }
        }
        location
    }
}

/// What a source says, for people.
fn said(place: &Place, asn: Option<u32>) -> String {
    let code = |code: [u8; 2]| format!("{}{}", char::from(code[0]), char::from(code[1]));
    let mut parts = Vec::new();
    parts.extend(place.continent.map(|continent| format!("continent {}", code(continent))));
    parts.extend(place.country.map(|country| format!("country {}", code(country))));
    parts.extend(place.subdivision.as_ref().map(|subdivision| format!("subdivision {subdivision}")));
    parts.extend(place.city.as_ref().map(|city| format!("city {city}")));
    parts.extend(place.coordinates.map(|at| format!("at {:.2} {:.2}", at.latitude, at.longitude)));
    parts.extend(asn.map(|asn| format!("AS{asn}")));
    parts.extend(place.name.as_ref().map(|name| format!("\"{name}\"")));
    if parts.is_empty() { "nothing".into() } else { parts.join(", ") }
}

fn damaged(file: &DatabaseFile, reason: &str) -> Diagnostic {
    let mut finding = Diagnostic::error("damaged-database", format!("{} is not a whole database", file.path));
    finding.reason = reason.to_owned();
    finding.hint("fetch it again, or take it out of the folder")
}

fn old(file: &DatabaseFile, build_epoch: u64, now_unix_s: u64) -> Report {
    let mut report = Report::new();
    let age_s = now_unix_s.saturating_sub(build_epoch);
    if age_s > limits::DATABASE_AGE_MAX_S {
        let days = age_s / 86_400;
        let mut finding = Diagnostic::warning("old-database", format!("{} is {days} days old", file.path));
        finding.reason = "networks move: every month it is wrong about more clients".into();
        report.push(finding.hint("fetch a newer one"));
    }
    report
}
