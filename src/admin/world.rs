//! `GET /api/v1/world`: what the clients of every country get now, by the code that answers them.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::admin::looks::looked;
use crate::admin::problem::{problem, unavailable};
use crate::admin::query::{Parameters, bad_request};
use crate::admin::routes::Admin;
use crate::base::countries;
use crate::base::ids::{RegionId, ServiceId};
use crate::base::limits::SAMPLES_EACH;
use crate::geo::{Places, Sample};
use crate::policy::Reason;
use crate::snapshot::{Snapshot, Steering};

/// Shares of regions, the largest first; they add up to 1 unless clients are sent nowhere.
pub(super) type RegionShares = Vec<(String, f64)>;

/// The samples of every country, by its code.
pub(super) type Samples = BTreeMap<[u8; 2], Vec<Sample>>;

/// The samples of the places in force, made when they are first asked for.
#[derive(Debug, Default)]
pub(super) struct Sampled(Mutex<Option<(Weak<Places>, Arc<Samples>)>>);

impl Sampled {
    /// The samples of these places. May take some tenths of a second.
    pub(super) fn of(&self, places: &Arc<Places>) -> Arc<Samples> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*kept {
            Some((of, samples)) if of.as_ptr() == Arc::as_ptr(places) => Arc::clone(samples),
            Some(_) | None => {
                let samples = Arc::new(places.samples(SAMPLES_EACH));
                *kept = Some((Arc::downgrade(places), Arc::clone(&samples)));
                samples
            }
        }
    }
}

/// Everybody, for one service.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct WorldView {
    generation: u64,
    service: String,
    /// Every country there is, by code.
    countries: Vec<CountryView>,
    /// Clients that nobody can locate.
    unknown: ClientsView,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct CountryView {
    /// ISO 3166-1.
    country: String,
    /// The largest network that stands for it; `None`: no source knows one, so its clients are unknown.
    sample: Option<String>,
    regions: RegionShares,
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct ClientsView {
    regions: RegionShares,
    reason: &'static str,
}

/// `?service=KEY`, the first one if it is absent.
pub(super) async fn world(State(admin): State<Arc<Admin>>, RawQuery(query): RawQuery) -> Response {
    let parameters = Parameters::of(query.as_deref(), &["service"]);
    let service = match parameters.and_then(|parameters| Ok(parameters.one("service")?.map(str::to_owned))) {
        Ok(service) => service,
        Err(reason) => return bad_request(reason),
    };
    let snapshot = match looked(&admin.operations, |_, snapshot, _| Arc::clone(snapshot)).await {
        Ok(snapshot) => snapshot,
        Err(refusal) => return refusal,
    };
    let model = &snapshot.steering.model;
    let id = match &service {
        Some(key) => model.service_by_key(key),
        None => model.services().next().map(|(id, _)| id),
    };
    let Some(id) = id else {
        let what = service.map_or("there is no service yet".into(), |key| format!("no such service: `{key}`"));
        return problem(StatusCode::NOT_FOUND, what);
    };
    let seen = tokio::task::spawn_blocking(move || {
        let samples = admin.sampled.of(snapshot.steering.atlases.places());
        view(&snapshot, id, &samples)
    });
    match seen.await {
        Ok(view) => Json(view).into_response(),
        Err(_) => unavailable(),
    }
}

fn view(snapshot: &Snapshot, service: ServiceId, samples: &Samples) -> WorldView {
    let steering = &snapshot.steering;
    let unknown = Clients::of(steering, service, &[]);
    let country = |code: &'static str| {
        let samples = <[u8; 2]>::try_from(code.as_bytes()).ok().and_then(|code| samples.get(&code));
        let clients = samples.map_or_else(|| unknown.clone(), |samples| Clients::of(steering, service, samples));
        let sample = samples.and_then(|samples| samples.first());
        CountryView {
            country: code.into(),
            sample: sample.map(|sample| format!("{}/{}", sample.address, sample.length)),
            regions: clients.shares(steering),
            reason: clients.reason(),
        }
    };
    WorldView {
        generation: snapshot.generation,
        service: steering.model.services.get(service.index()).map_or_else(String::new, |found| found.key.to_string()),
        countries: countries::codes().map(country).collect(),
        unknown: ClientsView { regions: unknown.shares(steering), reason: unknown.reason() },
    }
}

/// What some clients get: regions and reasons, weighed by how many clients get them.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Clients {
    regions: BTreeMap<RegionId, f64>,
    reasons: BTreeMap<Reason, f64>,
    total: f64,
}

impl Clients {
    /// The clients that these samples stand for; without any, those that nobody can locate.
    pub(super) fn of(steering: &Steering, service: ServiceId, samples: &[Sample]) -> Self {
        let mut clients = Self::default();
        if samples.is_empty() {
            clients.add(steering, service, None, 1.0);
        }
        for sample in samples {
            #[expect(clippy::cast_precision_loss, reason = "a share, not a count")]
            clients.add(steering, service, Some((sample.address, sample.length)), sample.addresses as f64);
        }
        clients
    }

    fn add(&mut self, steering: &Steering, service: ServiceId, network: Option<(IpAddr, u8)>, weight: f64) {
        let Some(shares) = steering.shares(service, network) else { return };
        self.total += weight;
        *self.reasons.entry(shares.reason).or_default() += weight;
        for (region, share) in shares.regions {
            *self.regions.entry(region).or_default() += share * weight;
        }
    }

    /// Adds other clients.
    pub(super) fn extend(&mut self, others: &Self) {
        self.total += others.total;
        others.reasons.iter().for_each(|(reason, weight)| *self.reasons.entry(*reason).or_default() += weight);
        others.regions.iter().for_each(|(region, weight)| *self.regions.entry(*region).or_default() += weight);
    }

    /// The regions with their shares, the largest first, to a tenth of a percent.
    pub(super) fn shares(&self, steering: &Steering) -> RegionShares {
        let key = |region: RegionId| steering.model.regions.get(region.index()).map(|region| region.key.to_string());
        let share = |weight: f64| (weight / self.total * 1_000.0).round() / 1_000.0;
        let shares = self.regions.iter().filter_map(|(region, weight)| Some((key(*region)?, share(*weight))));
        let mut shares: RegionShares = shares.collect();
        shares.sort_by(|(_, one), (_, other)| other.total_cmp(one));
        shares
    }

    /// The reason of most of them.
    fn reason(&self) -> &'static str {
        let most = self.reasons.iter().max_by(|(_, one), (_, other)| one.total_cmp(other));
        most.map_or("all-down", |(reason, _)| reason.as_str())
    }
}
