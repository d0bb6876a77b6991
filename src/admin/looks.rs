//! The routes that show something: state, checks, overrides, events, the server itself.

use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tokio::sync::oneshot;

use crate::admin::operations::{Facts, Operations};
use crate::admin::orders::tag_header;
use crate::admin::problem::{problem, unavailable};
use crate::admin::query::{Parameters, bad_request};
use crate::admin::routes::Admin;
use crate::admin::shared::Shared;
use crate::base::ids::ServiceId;
use crate::base::limits::{EVENTS_SHOWN_MAX, HISTORY_STEP_S};
use crate::base::moment::Moment;
use crate::control::{Control, DemandView, EventKind, ServiceView, View};
use crate::journal::{Sample, Wanted};
use crate::snapshot::{Snapshot, Steering};

/// What `look` makes of control and the snapshot in force; a refusal if nobody can look any more.
pub(super) async fn looked<T: Send + 'static>(
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
    shared: &Shared,
    query: Option<&str>,
    look: impl FnOnce(&Control, &Arc<Snapshot>, Moment) -> T + Send + 'static,
) -> Response {
    match Parameters::of(query, &[]) {
        Ok(_) => shared.show(|| looked(&admin.operations, look)).await,
        Err(reason) => bad_request(reason),
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

pub(super) async fn status(State(admin): State<Arc<Admin>>, RawQuery(query): RawQuery) -> Response {
    let (version, ready) = (env!("CARGO_PKG_VERSION"), admin.operations.readiness().ready);
    let look = move |control: &Control, snapshot: &Arc<Snapshot>, now: Moment| {
        let mut view = control.view(now);
        let ids = (0..).map(ServiceId);
        ids.zip(&mut view.services).for_each(|(id, service)| tell_ttl(id, service, &snapshot.steering));
        Status { version, ready, generation: snapshot.generation, view }
    };
    shown(&admin, &admin.views.status, query.as_deref(), look).await
}

pub(super) async fn regions(State(admin): State<Arc<Admin>>, RawQuery(query): RawQuery) -> Response {
    let look = |control: &Control, _: &Arc<Snapshot>, now: Moment| control.region_views(now);
    shown(&admin, &admin.views.regions, query.as_deref(), look).await
}

/// `?service=KEY`: that one alone.
pub(super) async fn services(State(admin): State<Arc<Admin>>, RawQuery(query): RawQuery) -> Response {
    let parameters = Parameters::of(query.as_deref(), &["service"]);
    let wanted = match parameters.and_then(|parameters| Ok(parameters.one("service")?.map(str::to_owned))) {
        Ok(wanted) => wanted,
        Err(reason) => return bad_request(reason),
    };
    let Some(key) = wanted else {
        let look = |control: &Control, snapshot: &Arc<Snapshot>, _: Moment| {
            let ids = control.model().services().map(|(id, _)| id);
            ids.filter_map(|id| service_view(id, control, &snapshot.steering)).collect::<Vec<ServiceView>>()
        };
        return admin.views.services.show(|| looked(&admin.operations, look)).await;
    };
    let named = key.clone();
    let look = move |control: &Control, snapshot: &Arc<Snapshot>, _: Moment| {
        service_view(control.model().service_by_key(&named)?, control, &snapshot.steering)
    };
    match looked(&admin.operations, look).await {
        Ok(Some(service)) => Json([service]).into_response(),
        Ok(None) => problem(StatusCode::NOT_FOUND, format!("no such service: `{key}`")),
        Err(refusal) => refusal,
    }
}

fn service_view(id: ServiceId, control: &Control, steering: &Steering) -> Option<ServiceView> {
    let mut service = control.service_view(id)?;
    tell_ttl(id, &mut service, steering);
    Some(service)
}

/// What only the snapshot knows of a service.
fn tell_ttl(id: ServiceId, view: &mut ServiceView, steering: &Steering) {
    let model = &steering.model;
    let parts = model.services.get(id.index()).map(|service| service.regions.as_slice()).unwrap_or_default();
    let now = parts.iter().filter_map(|part| {
        let key = model.regions.get(part.region.index())?.key.to_string();
        Some((key, steering.ttl_in(id, part.region)?))
    });
    view.ttl.now = now.collect();
}

pub(super) async fn checks(State(admin): State<Arc<Admin>>, RawQuery(query): RawQuery) -> Response {
    let look = |control: &Control, _: &Arc<Snapshot>, _: Moment| control.target_views();
    shown(&admin, &admin.views.checks, query.as_deref(), look).await
}

/// The tag in the header stands for what operators have said: a change may be made to depend on it.
pub(super) async fn overrides(State(admin): State<Arc<Admin>>, RawQuery(query): RawQuery) -> Response {
    if let Err(reason) = Parameters::of(query.as_deref(), &[]) {
        return bad_request(reason);
    }
    let look = |control: &Control, _: &Arc<Snapshot>, _: Moment| (control.override_views(), control.words_tag());
    match looked(&admin.operations, look).await {
        Ok((views, tag)) => {
            let mut response = Json(views).into_response();
            response.headers_mut().insert(header::ETAG, tag_header(tag));
            response
        }
        Err(refusal) => refusal,
    }
}

/// `?since=NUMBER&limit=NUMBER&region=KEY&kind=KIND&from=MOMENT&to=MOMENT`
pub(super) async fn events(State(admin): State<Arc<Admin>>, RawQuery(query): RawQuery) -> Response {
    let (wanted, limit) = match wanted(query.as_deref()) {
        Ok(wanted) => wanted,
        Err(reason) => return bad_request(reason),
    };
    // What was answered before this was asked is told by now.
    if let Err(refusal) = looked(&admin.operations, |_, _, _| ()).await {
        return refusal;
    }
    let operations = Arc::clone(&admin.operations);
    // The journal may be busy writing to a disk.
    match tokio::task::spawn_blocking(move || operations.events(&wanted, limit)).await {
        Ok(events) => Json(events).into_response(),
        Err(_) => unavailable(),
    }
}

fn wanted(query: Option<&str>) -> Result<(Wanted, usize), String> {
    let parameters = Parameters::of(query, &["since", "limit", "region", "kind", "from", "to"])?;
    let text = |key| parameters.one(key).map(|value| value.map(str::to_owned));
    let moment = |key| parameters.number(key).map(|value| value.map(Moment));
    let limit = parameters.number("limit")?.unwrap_or(EVENTS_SHOWN_MAX as u64);
    let limit = usize::try_from(limit).ok().filter(|limit| (1..=EVENTS_SHOWN_MAX).contains(limit));
    let limit = limit.ok_or_else(|| format!("`limit` is a number from 1 to {EVENTS_SHOWN_MAX}"))?;
    let kind = text("kind")?;
    if let Some(kind) = &kind
        && !EventKind::ALL.iter().any(|known| known.as_str() == kind)
    {
        let known = EventKind::ALL.map(EventKind::as_str).join(", ");
        return Err(format!("`kind` is one of {known}; not `{kind}`"));
    }
    let wanted = Wanted {
        since: parameters.number("since")?,
        region: text("region")?,
        kind,
        from: moment("from")?,
        to: moment("to")?,
    };
    Ok((wanted, limit))
}

/// The server itself.
#[derive(Serialize)]
struct ServerView {
    version: &'static str,
    uptime_s: f64,
    ready: bool,
    generation: u64,
    snapshot_age_s: f64,
    zones: usize,
    zones_failed: usize,
    zones_stale: usize,
    model_stale: bool,
    records: usize,
    reloads: ReloadsView,
    probe_lateness_s: f64,
    drops: u64,
    /// Tokens that the file has.
    tokens: usize,
    /// Peers, once there can be any.
    cluster: Option<()>,
}

/// Loads so far, by what they came to.
#[derive(Serialize)]
struct ReloadsView {
    ok: u64,
    partial: u64,
    refused: u64,
}

pub(super) async fn server(State(admin): State<Arc<Admin>>, RawQuery(query): RawQuery) -> Response {
    if let Err(reason) = Parameters::of(query.as_deref(), &[]) {
        return bad_request(reason);
    }
    let readiness = admin.operations.readiness();
    let facts: Facts = admin.operations.facts();
    let [ok, partial, refused] = facts.reloads;
    let view = ServerView {
        version: env!("CARGO_PKG_VERSION"),
        uptime_s: facts.uptime_s,
        ready: readiness.ready,
        generation: facts.generation,
        snapshot_age_s: facts.snapshot_age_s,
        zones: facts.zones,
        zones_failed: readiness.zones_failed,
        zones_stale: readiness.zones_stale,
        model_stale: readiness.model_stale,
        records: facts.records,
        reloads: ReloadsView { ok, partial, refused },
        probe_lateness_s: facts.probe_lateness_s,
        drops: facts.drops,
        tokens: admin.doors.tokens().map_or(0, |tokens| tokens.count()),
        cluster: None,
    };
    Json(view).into_response()
}

/// What is answered at this time, a second, on the average of the last seconds.
pub(super) async fn traffic(State(admin): State<Arc<Admin>>, RawQuery(query): RawQuery) -> Response {
    match Parameters::of(query.as_deref(), &[]) {
        Ok(_) => Json(admin.operations.traffic()).into_response(),
        Err(reason) => bad_request(reason),
    }
}

/// What is planned: who takes what another cannot.
pub(super) async fn plan(State(admin): State<Arc<Admin>>, RawQuery(query): RawQuery) -> Response {
    shown(&admin, &admin.views.plan, query.as_deref(), |control, _, _| control.plan_view()).await
}

pub(super) async fn demand(State(admin): State<Arc<Admin>>, RawQuery(query): RawQuery) -> Response {
    if let Err(reason) = Parameters::of(query.as_deref(), &[]) {
        return bad_request(reason);
    }
    let look = |control: &Control, snapshot: &Arc<Snapshot>, _: Moment| {
        (control.outlook().cloned(), Arc::clone(&snapshot.steering.model), Arc::clone(&snapshot.steering.atlases))
    };
    let told = async || {
        let (outlook, model, atlases) = looked(&admin.operations, look).await?;
        let told = tokio::task::spawn_blocking(move || DemandView::new(outlook.as_deref(), &model, &atlases));
        told.await.map_err(|_| unavailable())
    };
    admin.views.demand.show(told).await
}

/// How regions stood.
#[derive(Serialize)]
struct HistoryView {
    samples: Vec<Sample>,
    /// Seconds between two samples that no change asks for.
    step_s: u64,
}

/// `?from=MOMENT&to=MOMENT`: the last day if they are absent.
pub(super) async fn history(State(admin): State<Arc<Admin>>, RawQuery(query): RawQuery) -> Response {
    const DAY_MS: u64 = 86_400_000;
    let parameters = Parameters::of(query.as_deref(), &["from", "to"]);
    let span = parameters.and_then(|span| Ok((span.number("from")?, span.number("to")?)));
    let (from, to) = match span {
        Ok((from, to)) => {
            let to = to.unwrap_or(u64::MAX);
            let until = to.min(admin.operations.now().0);
            (Moment(from.unwrap_or(until.saturating_sub(DAY_MS))), Moment(to))
        }
        Err(reason) => return bad_request(reason),
    };
    let operations = Arc::clone(&admin.operations);
    match tokio::task::spawn_blocking(move || operations.history(from, to)).await {
        Ok(Ok(samples)) => Json(HistoryView { samples, step_s: HISTORY_STEP_S }).into_response(),
        Ok(Err(error)) => problem(StatusCode::INTERNAL_SERVER_ERROR, format!("the history can't be read: {error}")),
        Err(_) => unavailable(),
    }
}

pub(super) async fn metrics(State(admin): State<Arc<Admin>>) -> Response {
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    ([(header::CONTENT_TYPE, kind)], admin.operations.metrics().await).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_asked_for_by_all_that_they_are() {
        let (all, limit) = wanted(Some("since=3&limit=7&region=fra&kind=check_up&from=1&to=2")).unwrap();
        let expected = Wanted {
            since: Some(3),
            region: Some("fra".into()),
            kind: Some("check_up".into()),
            from: Some(Moment(1)),
            to: Some(Moment(2)),
        };
        assert_eq!((all, limit), (expected, 7));
        assert_eq!(wanted(None).unwrap(), (Wanted::default(), EVENTS_SHOWN_MAX));
        for wrong in ["limit=0", "limit=1001", "limit=x", "what=x", "kind=check", "from=now", "since=1&since=2"] {
            assert!(wanted(Some(wrong)).is_err(), "{wrong}");
        }
    }
}
