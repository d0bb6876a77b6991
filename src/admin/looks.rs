//! The routes that show something: state, checks, overrides, events, and why a client gets what it gets.

use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tokio::sync::oneshot;

use crate::admin::problem::{problem, unavailable};
use crate::admin::routes::{Admin, Operations};
use crate::answer::explain::{self, Question, without_regions};
use crate::base::limits::EVENTS_SHOWN_MAX;
use crate::base::moment::Moment;
use crate::control::{Control, View};
use crate::dns::{Name, RecordType};
use crate::snapshot::Snapshot;

/// What `look` makes of control and the snapshot in force; a refusal if nobody can look any more.
async fn looked<T: Send + 'static>(
    operations: &Arc<dyn Operations>,
    look: impl FnOnce(&Control, &Arc<Snapshot>, Moment) -> T + Send + 'static,
) -> Result<T, Response> {
    let (reply, seen) = oneshot::channel();
    let asked = operations.look(Box::new(move |control, snapshot, now| {
        // Whoever asked may have gone.
        let _ = reply.send(look(control, snapshot, now));
    }));
    if !asked {
        return Err(unavailable());
    }
    seen.await.map_err(|_| unavailable())
}

async fn shown<T: Serialize + Send + 'static>(
    admin: &Admin,
    look: impl FnOnce(&Control, &Arc<Snapshot>, Moment) -> T + Send + 'static,
) -> Response {
    match looked(&admin.operations, look).await {
        Ok(view) => Json(view).into_response(),
        Err(refusal) => refusal,
    }
}

/// Everything that is known at one moment.
#[derive(Serialize)]
struct Status {
    version: &'static str,
    ready: bool,
    generation: u64,
    #[serde(flatten)]
    view: View,
}

pub(super) async fn status(State(admin): State<Arc<Admin>>) -> Response {
    let (version, ready) = (env!("CARGO_PKG_VERSION"), admin.operations.readiness().ready);
    let look = move |control: &Control, snapshot: &Arc<Snapshot>, now: Moment| Status {
        version,
        ready,
        generation: snapshot.generation,
        view: control.view(now),
    };
    shown(&admin, look).await
}

pub(super) async fn regions(State(admin): State<Arc<Admin>>) -> Response {
    shown(&admin, |control, _, now| control.view(now).regions).await
}

pub(super) async fn services(State(admin): State<Arc<Admin>>) -> Response {
    shown(&admin, |control, _, now| control.view(now).services).await
}

pub(super) async fn checks(State(admin): State<Arc<Admin>>) -> Response {
    shown(&admin, |control, _, _| control.target_views()).await
}

pub(super) async fn overrides(State(admin): State<Arc<Admin>>) -> Response {
    shown(&admin, |control, _, _| control.override_views()).await
}

/// `?since=NUMBER&limit=NUMBER`
pub(super) async fn events(State(admin): State<Arc<Admin>>, RawQuery(query): RawQuery) -> Response {
    let mut since = None;
    let mut limit = EVENTS_SHOWN_MAX;
    for (key, value) in pairs(query.as_deref().unwrap_or_default()) {
        let number = value.parse::<u64>();
        match (key.as_str(), number) {
            ("since", Ok(number)) => since = Some(number),
            ("limit", Ok(number)) => limit = usize::try_from(number).unwrap_or(limit).clamp(1, EVENTS_SHOWN_MAX),
            ("since" | "limit", Err(_)) => {
                return problem(StatusCode::BAD_REQUEST, format!("`{key}` is a whole number, not `{value}`"));
            }
            _ => return problem(StatusCode::BAD_REQUEST, format!("no such parameter: `{key}`; since, limit")),
        }
    }
    let operations = Arc::clone(&admin.operations);
    // The journal may be busy writing to a disk.
    match tokio::task::spawn_blocking(move || operations.events(since, limit)).await {
        Ok(events) => Json(events).into_response(),
        Err(_) => unavailable(),
    }
}

/// `?name=NAME&type=TYPE&client=ADDRESS[/BITS]&resolver=ADDRESS&down=REGION…`
pub(super) async fn explained(State(admin): State<Arc<Admin>>, RawQuery(query): RawQuery) -> Response {
    let (question, down) = match question(query.as_deref().unwrap_or_default()) {
        Ok(asked) => asked,
        Err(reason) => return problem(StatusCode::BAD_REQUEST, reason),
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
    match explained.await {
        Ok(explanation) => Json(explanation).into_response(),
        Err(_) => unavailable(),
    }
}

fn question(query: &str) -> Result<(Question, Vec<String>), String> {
    let (mut name, mut rtype, mut client, mut resolver, mut down) = (None, RecordType::A, None, None, Vec::new());
    for (key, value) in pairs(query) {
        match key.as_str() {
            "name" => {
                let absolute = format!("{}.", value.trim_end_matches('.'));
                name = Some(absolute.parse::<Name>().map_err(|error| format!("`name`: {error}"))?);
            }
            "type" => {
                rtype = RecordType::from_text(value.to_ascii_uppercase().as_bytes())
                    .ok_or_else(|| format!("`type`: `{value}` is not a record type"))?;
            }
            "client" => client = Some(explain::client(&value).map_err(|reason| format!("`client`: {reason}"))?),
            "resolver" => {
                resolver = Some(value.parse().map_err(|_| format!("`resolver`: `{value}` is not an address"))?);
            }
            "down" => down.push(value),
            _ => return Err(format!("no such parameter: `{key}`; name, type, client, resolver, down")),
        }
    }
    let name = name.ok_or("`name` is missing")?;
    let client = client.ok_or("`client` is missing: an address, or a network like 203.0.113.0/24")?;
    Ok((Question { name, rtype, client, resolver: resolver.unwrap_or(client.0) }, down))
}

/// The pairs of a query string, unescaped.
fn pairs(query: &str) -> Vec<(String, String)> {
    let parts = query.split('&').filter(|part| !part.is_empty());
    let pair = |part: &str| {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        (unescape(key), unescape(value))
    };
    parts.map(pair).collect()
}

fn unescape(text: &str) -> String {
    let bytes = text.as_bytes();
    let (mut out, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while let Some(&byte) = bytes.get(at) {
        let hex = (byte == b'%').then(|| text.get(at + 1..at + 3)).flatten();
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(value) => {
                out.push(value);
                at += 3;
            }
            None => {
                out.push(if byte == b'+' { b' ' } else { byte });
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_unescaped() {
        let found = pairs("name=%2A.example&down=fra&down=i+a%2Fd&x&y=%zz");
        let expected = [("name", "*.example"), ("down", "fra"), ("down", "i a/d"), ("x", ""), ("y", "%zz")];
        assert!(found.iter().map(|(key, value)| (key.as_str(), value.as_str())).eq(expected), "{found:?}");
    }

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
            let found = question(query).map(|(question, _)| question.client.1);
            assert_eq!(found, expected.map_err(str::to_owned), "{query}");
        }
    }
}
