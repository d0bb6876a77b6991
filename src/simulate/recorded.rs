//! Demand as a name server has counted it: by class of clients, spread over the places of each class.
//!
//! A server counts by what clients are taken for, not by where they are, so within a class demand is spread by the number of
//! people who use the internet there. That changes nothing about what the same files answer, since all of a class get the
//! same; only where another configuration parts them it is an estimate.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use crate::answer::explain::client;
use crate::base::ids::ServiceId;
use crate::base::limits::SAMPLES_EACH;
use crate::geo::{ClassId, Sample};
use crate::model::Model;
use crate::policy::Atlases;

use super::crowds::addresses;
use super::population::users;
use super::profile::{Origin, Profile, Row};

/// What a name server counts.
#[derive(Clone, Debug, PartialEq)]
pub struct Counted {
    /// The key of the service that decides.
    pub service: String,
    /// A network of the class of clients; `None`: those whom nobody can locate.
    pub network: Option<String>,
    /// Answers a second.
    pub demand: f64,
}

/// Networks that stand for a class within one country, if not the whole country does.
const NETWORKS_EACH: usize = 4;

/// Where clients of a class are, and how many of all in the class.
type Spread = Vec<(Origin, f64)>;

impl Profile {
    /// The demand that a server tells, times `factor`. Services that the files do not have are left out.
    #[must_use]
    pub fn recorded(model: &Model, atlases: &Atlases, counted: &[Counted], factor: f64) -> Self {
        let samples = atlases.places().samples(SAMPLES_EACH);
        let mut spreads: HashMap<(ServiceId, ClassId), Spread> = HashMap::new();
        let mut demands: BTreeMap<(ServiceId, Origin), f64> = BTreeMap::new();
        for Counted { service, network, demand } in counted {
            let Some(service) = model.service_by_key(service) else { continue };
            let network = network.as_ref().and_then(|network| client(network).ok());
            let atlas = atlases.of(service);
            // A service that does not rank by place takes all clients for the same.
            let class = |address: IpAddr| atlas.map_or(ClassId::UNKNOWN, |atlas| atlas.locate(address).0);
            if atlas.is_some() && network.is_none() {
                *demands.entry((service, Origin::Unknown)).or_default() += demand * factor;
                continue;
            }
            let own = network.map_or(ClassId::UNKNOWN, |(address, _)| class(address));
            let spread = spreads.entry((service, own)).or_insert_with(|| {
                let spread = spread(&samples, |address| class(address) == own);
                let itself = network.map_or(Origin::Unknown, |(address, bits)| Origin::Network(address, bits));
                if spread.is_empty() { vec![(itself, 1.0)] } else { spread }
            });
            for (origin, part) in spread {
                *demands.entry((service, *origin)).or_default() += demand * factor * *part;
            }
        }
        let rows: Vec<Row> =
            demands.into_iter().map(|((service, origin), demand)| Row { service, origin, demand }).collect();
        let total: f64 = rows.iter().map(|row| row.demand).sum();
        let source = format!("as the running server counts it, {total:.0} answers/s");
        Self { source, rows, worth: BTreeMap::new() }
    }

    /// As a file that [`Profile::read`] reads.
    #[must_use]
    pub fn to_file(&self, model: &Model) -> String {
        let mut text = format!("# Answers a second, by service: {}.\n", self.source);
        let mut services: BTreeMap<ServiceId, Vec<&Row>> = BTreeMap::new();
        self.rows.iter().for_each(|row| services.entry(row.service).or_default().push(row));
        for (service, mut rows) in services {
            let Some(service) = model.services.get(service.index()) else { continue };
            rows.sort_by(|a, b| b.demand.total_cmp(&a.demand).then(a.origin.cmp(&b.origin)));
            text += &format!("\n[services.{}]\n", service.key);
            for Row { origin, demand, .. } in rows.into_iter().filter(|row| row.demand >= 0.0005) {
                let key = origin.words();
                let key = if key.contains('/') { format!("\"{key}\"") } else { key };
                text += &format!("{key} = {demand:.3}\n");
            }
        }
        text
    }
}

/// The places of a class: countries of which all is in it, and networks of those of which only a part is.
fn spread(samples: &BTreeMap<[u8; 2], Vec<Sample>>, is_own: impl Fn(IpAddr) -> bool) -> Spread {
    let mut spread = Vec::new();
    for (&country, samples) in samples {
        let Some(users) = users(country) else { continue };
        let own: Vec<&Sample> = samples.iter().filter(|sample| is_own(sample.address)).collect();
        if own.len() == samples.len() {
            spread.push((Origin::Country(country), f64::from(users)));
            continue;
        }
        let all: f64 = samples.iter().map(addresses).sum();
        let part = own.iter().copied().map(addresses).sum::<f64>() / all.max(1.0);
        // They come with the one that stands for most first.
        let shown = &own[..own.len().min(NETWORKS_EACH)];
        let of_shown: f64 = shown.iter().copied().map(addresses).sum();
        spread.extend(shown.iter().map(|sample| {
            let weight = f64::from(users) * part * addresses(sample) / of_shown;
            (Origin::Network(sample.address, sample.length), weight)
        }));
    }
    let all: f64 = spread.iter().map(|(_, weight)| weight).sum();
    spread.iter_mut().for_each(|(_, weight)| *weight /= all);
    spread
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::diagnostic::Report;
    use crate::geo::Places;
    use crate::model;
    use std::sync::Arc;

    const REGIONS: &str = "[regions.fra]\nlocation = { lat = 50.1, lon = 8.7 }\n[regions.iad]\n\
        location = { lat = 39.0, lon = -77.5 }\n[services.web]\nnames = ['www.example.']\npolicy = 'nearest'\n\
        endpoints = { fra = ['192.0.2.1'], iad = ['192.0.2.2'] }\n";
    const NETWORKS: &str = "[networks]\n\"10.0.0.0/16\" = { country = \"DE\" }\n\"10.1.0.0/16\" = { country = \"FR\" }\n\
        \"10.2.0.0/16\" = { country = \"US\" }\n\"10.3.0.0/16\" = { country = \"DE\", lat = 39.0, lon = -77.0 }\n";

    fn recorded(counted: &[(&str, Option<&str>, f64)]) -> (Profile, Model) {
        let model = model::read(&[("regions.toml".into(), REGIONS)], &mut Report::new()).unwrap();
        let places = Places::read(Vec::new(), Some(("networks.toml", NETWORKS)), 0, &mut Report::new()).unwrap();
        let atlases = Atlases::new(&model, Arc::new(places));
        let counted: Vec<Counted> = counted
            .iter()
            .map(|&(service, network, demand)| Counted {
                service: service.into(),
                network: network.map(str::to_owned),
                demand,
            })
            .collect();
        (Profile::recorded(&model, &atlases, &counted, 2.0), model)
    }

    #[test]
    fn demand_is_spread_over_the_places_of_a_class() {
        let (profile, _) =
            recorded(&[("web", Some("10.1.2.0/24"), 50.0), ("web", None, 5.0), ("gone", Some("10.2.0.0/16"), 7.0)]);
        let of = |origin: Origin| profile.rows.iter().find(|row| row.origin == origin).map_or(0.0, |row| row.demand);
        let (france, germany) = (of(Origin::Country(*b"FR")), of(Origin::Network("10.0.0.0".parse().unwrap(), 16)));
        assert!((france + germany - 100.0).abs() < 1e-6, "{profile:?}");
        // Half of Germany is nearer to Virginia, as far as the table of networks knows.
        let expected = 56_800.0 / (56_800.0 + 70_300.0 / 2.0) * 100.0;
        assert!((france - expected).abs() < 0.01, "{france} {expected}");
        assert_eq!((of(Origin::Unknown), profile.rows.len()), (10.0, 3));
    }

    #[test]
    fn what_is_written_is_read() {
        let (profile, model) = recorded(&[("web", Some("10.2.0.0/16"), 50.0), ("web", None, 5.0)]);
        let mut report = Report::new();
        let read = Profile::read("demand.toml", &profile.to_file(&model), &model, &mut report);
        assert!(report.is_empty(), "{}", report.render());
        let rounded = |profile: &Profile| {
            let rows = profile.rows.iter().map(|row| (row.origin, format!("{:.3}", row.demand)));
            rows.collect::<BTreeMap<_, _>>()
        };
        assert_eq!(rounded(&read), rounded(&profile));
    }
}
