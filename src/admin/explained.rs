//! `GET /api/v1/explain`: what a client gets, and why.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{ConnectInfo, RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::admin::guards::{Peer, may_think, too_fast};
use crate::admin::latency::surveyed;
use crate::admin::looks::looked;
use crate::admin::problem::{problem, unavailable};
use crate::admin::query::{Parameters, bad_request};
use crate::admin::routes::Admin;
use crate::answer::EvidenceView;
use crate::answer::explain::{self, Explanation, Question, without_regions};
use crate::base::ids::{RegionId, ServiceId};
use crate::base::limits::FEED_VALUE_MAX;
use crate::base::moment::Moment;
use crate::control::{Conditions, Control};
use crate::dns::{Name, RecordType};
use crate::latency::{ClientNetwork, Evidence, Survey};
use crate::snapshot::Snapshot;
use crate::table::States;

/// What is asked.
#[derive(Debug)]
struct Asked {
    question: Question,
    /// Regions taken as down.
    down: Vec<String>,
    /// Loads that regions are taken to have.
    loads: Vec<(String, f64)>,
}

/// `?name=NAME&type=TYPE&client=ADDRESS[/BITS]&resolver=ADDRESS&down=REGION…&load=REGION=NUMBER…`
pub(super) async fn explained(
    State(admin): State<Arc<Admin>>,
    ConnectInfo(Peer(client)): ConnectInfo<Peer>,
    RawQuery(query): RawQuery,
) -> Response {
    let Asked { question, down, loads } = match asked(query.as_deref()) {
        Ok(asked) => asked,
        Err(reason) => return bad_request(reason),
    };
    let supposes = !(down.is_empty() && loads.is_empty());
    // To explain what is so is a look; what would be is work.
    if supposes && !may_think(&admin, client.ip()) {
        return too_fast();
    }
    let look = move |control: &Control, snapshot: &Arc<Snapshot>, now: Moment| {
        let supposed = supposes.then(|| (control.states().clone(), control.conditions(now), now));
        (Arc::clone(snapshot), supposed)
    };
    let (mut snapshot, supposed) = match looked(&admin.operations, look).await {
        Ok(seen) => seen,
        Err(refusal) => return refusal,
    };
    if let Some((states, conditions, now)) = supposed {
        snapshot = match suppose(&admin, &snapshot, states, conditions, now, (&down, &loads)).await {
            Ok(snapshot) => snapshot,
            Err(refusal) => return refusal,
        };
    }
    let down = down.iter().map(|key| format!("{key} down"));
    let assumed = down.chain(loads.iter().map(|(key, load)| format!("{key} at a load of {load}"))).collect();
    let explained = tokio::task::spawn_blocking(move || explain::explain(&snapshot, &question, assumed));
    let Ok(explanation) = explained.await else { return unavailable() };
    let with_loads = move |control: &Control, _: &Arc<Snapshot>, now| with_loads(explanation, control, now, &loads);
    let mut explanation = match looked(&admin.operations, with_loads).await {
        Ok(explanation) => explanation,
        Err(refusal) => return refusal,
    };
    if explanation.is_measured() {
        let plain = explanation.clone();
        // Whoever surveys may have too much to do: what decided is told without what was measured.
        explanation =
            surveyed(&admin, move |survey, now| with_evidence(explanation, survey, now)).await.unwrap_or(plain);
    }
    Json(explanation).into_response()
}

/// The snapshot as it would be with regions down, and then with other loads once the plan has followed.
async fn suppose(
    admin: &Admin,
    snapshot: &Arc<Snapshot>,
    mut states: States,
    conditions: Conditions,
    now: Moment,
    (down, loads): (&[String], &[(String, f64)]),
) -> Result<Arc<Snapshot>, Response> {
    let model = &snapshot.steering.model;
    if let Some(key) =
        down.iter().chain(loads.iter().map(|(key, _)| key)).find(|key| model.region_by_key(key).is_none())
    {
        return Err(problem(StatusCode::NOT_FOUND, format!("no such region: `{key}`")));
    }
    let down: Vec<RegionId> = down.iter().filter_map(|key| model.region_by_key(key)).collect();
    let mut supposed = Vec::new();
    for (key, load) in loads {
        let Some(id) = model.region_by_key(key) else { continue };
        if conditions.sites.get(id.index()).is_none_or(|site| site.capacity.is_none()) {
            return Err(bad_request(format!("`load`: `{key}` has no capacity, so no load of it changes anything")));
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "was read as 0 to FEED_VALUE_MAX")]
        supposed.push((id, (load * 1_000.0).round() as u64));
    }
    let mut otherwise = Arc::clone(snapshot);
    if !down.is_empty() {
        let without = tokio::task::spawn_blocking(move || {
            let without = without_regions(&otherwise, &mut states, &down);
            (Arc::new(without), states)
        });
        (otherwise, states) = without.await.map_err(|_| unavailable())?;
    }
    if !supposed.is_empty() {
        let planned = admin.operations.suppose(now, Arc::clone(&otherwise.steering), conditions, supposed).await;
        let services = planned.ok_or_else(unavailable)?.services;
        let changed: Vec<ServiceId> = services.iter().map(|(id, _)| *id).collect();
        for (id, planned) in services {
            states.plans.set(id, planned);
        }
        let steering = tokio::task::spawn_blocking(move || {
            let steering = otherwise.steering.repaired(&states, &changed, otherwise.generation);
            Arc::new(Snapshot { steering: steering.into(), ..Snapshot::clone(&otherwise) })
        });
        return steering.await.map_err(|_| unavailable());
    }
    Ok(otherwise)
}

/// The same with what load makes of shares.
fn with_loads(mut explanation: Explanation, control: &Control, now: Moment, loads: &[(String, f64)]) -> Explanation {
    let model = control.model();
    let of_endpoint = |key: &str| control.load_words(model.endpoint_by_key(key)?);
    let of_region = |service: &str, region: &str| {
        control.region_load_words(model.service_by_key(service)?, model.region_by_key(region)?, now)
    };
    explanation.add_loads(of_endpoint, of_region);
    control.explain_loads(&mut explanation, now, loads);
    explanation
}

/// The same with what was measured of the client's own network.
fn with_evidence(mut explanation: Explanation, survey: &Survey, now: Moment) -> Explanation {
    explanation.add_evidence(|address| {
        let Some(client) = ClientNetwork::of(address) else { return BTreeMap::new() };
        let evidence = survey.evidence(client, now).into_iter();
        let told = evidence.map(|(region, evidence)| {
            let Evidence { us, samples, last, sources } = evidence;
            let view = EvidenceView {
                network: client.to_string(),
                ms: (f64::from(us) / 10.0).round() / 100.0,
                samples: (samples * 10.0).round() / 10.0,
                age_s: now.since(last).as_secs(),
                sources: sources.iter().map(|source| source.as_str().to_owned()).collect(),
            };
            (region.to_string(), view)
        });
        told.collect()
    });
    explanation
}

fn asked(query: Option<&str>) -> Result<Asked, String> {
    let parameters = Parameters::of(query, &["name", "type", "client", "resolver", "down", "load"])?;
    let name = parameters.one("name")?.ok_or("`name` is missing")?;
    let absolute = format!("{}.", name.trim_end_matches('.'));
    let name = absolute.parse::<Name>().map_err(|error| format!("`name`: {error}"))?;
    let rtype = match parameters.one("type")? {
        None => RecordType::A,
        Some(value) => RecordType::from_text(value.to_ascii_uppercase().as_bytes())
            .ok_or_else(|| format!("`type`: `{value}` is not a record type"))?,
    };
    let client = parameters.one("client")?;
    let client = client.ok_or("`client` is missing: an address, or a network like 203.0.113.0/24")?;
    let client = explain::client(client).map_err(|reason| format!("`client`: {reason}"))?;
    let resolver = parameters.one("resolver")?;
    let resolver = resolver.map(|value| value.parse().map_err(|_| format!("`resolver`: `{value}` is not an address")));
    let resolver = resolver.transpose()?.unwrap_or(client.0);
    let question = Question { name, rtype, client, resolver };
    let down = parameters.all("down").map(str::to_owned).collect();
    Ok(Asked { question, down, loads: parameters.all("load").map(load).collect::<Result<_, _>>()? })
}

/// `fra=120`.
fn load(text: &str) -> Result<(String, f64), String> {
    let read = text.split_once('=').and_then(|(key, number)| Some((key, number.parse::<f64>().ok()?)));
    let read = read.filter(|(key, number)| !key.is_empty() && (0.0..=FEED_VALUE_MAX as f64 / 1_000.0).contains(number));
    let (key, number) = read.ok_or_else(|| format!("`load`: `{text}` is not a region and its load, like fra=120"))?;
    Ok((key.to_owned(), number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_say_what_is_wrong_with_them() {
        for (query, expected) in [
            ("name=a.example&client=192.0.2.1", Ok(24)),
            ("name=a.example&client=2001:db8::1&type=aaaa", Ok(56)),
            ("name=a.example&client=192.0.2.0/20&resolver=::1", Ok(20)),
            ("client=192.0.2.1", Err("`name` is missing")),
            ("name=a.example", Err("`client` is missing: an address, or a network like 203.0.113.0/24")),
            (
                "name=a.example&client=192.0.2.0/33",
                Err("`client`: `192.0.2.0/33` is neither an address nor a network like 203.0.113.0/24"),
            ),
            ("name=a.example&client=::1&type=XY", Err("`type`: `XY` is not a record type")),
            ("name=a.example&client=::1&resolver=x", Err("`resolver`: `x` is not an address")),
            ("name=a.example&client=::1&load=fra=1&load=sin=0.5", Ok(56)),
            ("name=a.example&client=::1&load=fra", Err("`load`: `fra` is not a region and its load, like fra=120")),
            (
                "name=a.example&client=::1&load=fra=-1",
                Err("`load`: `fra=-1` is not a region and its load, like fra=120"),
            ),
            (
                "name=a.example&client=::1&load=fra=NaN",
                Err("`load`: `fra=NaN` is not a region and its load, like fra=120"),
            ),
            ("who=me", Err("no such parameter: `who`; name, type, client, resolver, down, load")),
        ] {
            let found = asked(Some(query)).map(|asked| asked.question.client.1);
            assert_eq!(found, expected.map_err(str::to_owned), "{query}");
        }
    }
}
