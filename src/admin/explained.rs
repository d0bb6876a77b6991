//! `GET /api/v1/explain`: what a client gets, and why.

use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::admin::looks::looked;
use crate::admin::problem::{problem, unavailable};
use crate::admin::query::{Parameters, bad_request};
use crate::admin::routes::Admin;
use crate::answer::explain::{self, Explanation, Question, without_regions};
use crate::base::moment::Moment;
use crate::control::Control;
use crate::dns::{Name, RecordType};
use crate::snapshot::Snapshot;

/// `?name=NAME&type=TYPE&client=ADDRESS[/BITS]&resolver=ADDRESS&down=REGION…`
pub(super) async fn explained(State(admin): State<Arc<Admin>>, RawQuery(query): RawQuery) -> Response {
    let (question, down) = match question(query.as_deref()) {
        Ok(asked) => asked,
        Err(reason) => return bad_request(reason),
    };
    let needs_states = !down.is_empty();
    let look = move |control: &Control, snapshot: &Arc<Snapshot>, _: Moment| {
        (Arc::clone(snapshot), needs_states.then(|| control.states().clone()))
    };
    let (snapshot, states) = match looked(&admin.operations, look).await {
        Ok(seen) => seen,
        Err(refusal) => return refusal,
    };
    let mut regions = Vec::new();
    for key in &down {
        match snapshot.steering.model.region_by_key(key) {
            Some(region) => regions.push(region),
            None => return problem(StatusCode::NOT_FOUND, format!("no such region: `{key}`")),
        }
    }
    let assumed = down.iter().map(|key| format!("{key} down")).collect();
    let explained = tokio::task::spawn_blocking(move || {
        let otherwise = states.map(|states| without_regions(&snapshot, &states, &regions));
        explain::explain(otherwise.as_ref().unwrap_or(&snapshot), &question, assumed)
    });
    let Ok(explanation) = explained.await else { return unavailable() };
    match looked(&admin.operations, move |control, _, now| with_loads(explanation, control, now)).await {
        Ok(explanation) => Json(explanation).into_response(),
        Err(refusal) => refusal,
    }
}

/// The same with what load makes of shares.
fn with_loads(mut explanation: Explanation, control: &Control, now: Moment) -> Explanation {
    let model = control.model();
    let of_endpoint = |key: &str| control.load_words(model.endpoint_by_key(key)?);
    let of_region = |service: &str, region: &str| {
        control.region_load_words(model.service_by_key(service)?, model.region_by_key(region)?, now)
    };
    explanation.add_loads(of_endpoint, of_region);
    control.explain_loads(&mut explanation, now);
    explanation
}

fn question(query: Option<&str>) -> Result<(Question, Vec<String>), String> {
    let parameters = Parameters::of(query, &["name", "type", "client", "resolver", "down"])?;
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
    Ok((Question { name, rtype, client, resolver }, parameters.all("down").map(str::to_owned).collect()))
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
            ("who=me", Err("no such parameter: `who`; name, type, client, resolver, down")),
        ] {
            let found = question(Some(query)).map(|(question, _)| question.client.1);
            assert_eq!(found, expected.map_err(str::to_owned), "{query}");
        }
    }
}
