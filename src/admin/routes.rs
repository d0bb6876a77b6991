//! The routes: one table, from which the router is made and which the OpenAPI document is compared with.

use std::fmt::Write;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};

use crate::admin::capped::CappedListener;
use crate::admin::doors::Doors;
use crate::admin::guards::{self, Peer, Refusals};
use crate::admin::operations::{Operations, Readiness};
use crate::admin::pace::Pace;
use crate::admin::problem::{not_found, wrong_method};
use crate::admin::shared::Shared;
use crate::admin::stream::Stream;
use crate::admin::world::Sampled;
use crate::admin::{evacuate, explained, latency, loads, looks, openapi, orders, preview, site, stream, world};
use crate::base::limits::{LATENCY_BODY_LEN_MAX, PUSHES_CLIENT, PUSHES_TOTAL};
use crate::serve::Stop;

/// What all handlers share.
pub(super) struct Admin {
    pub(super) operations: Arc<dyn Operations>,
    pub(super) doors: Arc<Doors>,
    pub(super) stream: Stream,
    /// The listener can be reached by this machine only.
    pub(super) local: bool,
    pub(super) pace: Pace,
    /// Of what changes nothing and is work.
    pub(super) thinking: Pace,
    /// Of readings that are pushed.
    pub(super) feeding: Pace,
    pub(super) refusals: Refusals,
    pub(super) sampled: Sampled,
    pub(super) views: Views,
}

/// What dashboards ask for all at once.
#[derive(Debug, Default)]
pub(super) struct Views {
    pub(super) status: Shared,
    pub(super) regions: Shared,
    pub(super) services: Shared,
    pub(super) checks: Shared,
    pub(super) plan: Shared,
    pub(super) demand: Shared,
}

/// Serves the admin listener until the end of service. Without tokens nothing can be changed, and a listener that
/// is not on loopback shows nothing but health and the empty dashboard.
///
/// # Errors
/// If the socket can't be used.
pub async fn serve(
    listener: TcpListener,
    doors: Arc<Doors>,
    stream: Stream,
    operations: Arc<dyn Operations>,
    stop: Stop,
) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let local = listener.local_addr()?.ip().is_loopback();
    let admin = Admin {
        operations,
        doors: Arc::clone(&doors),
        stream: stream.clone(),
        local,
        pace: Pace::new(Instant::now()),
        thinking: Pace::new(Instant::now()),
        feeding: Pace::of(PUSHES_CLIENT, PUSHES_TOTAL, Instant::now()),
        refusals: Refusals::default(),
        sampled: Sampled::default(),
        views: Views::default(),
    };
    let service = router(Arc::new(admin)).into_make_service_with_connect_info::<Peer>();
    let ended = async move {
        stop.wait().await;
        stream.end();
    };
    axum::serve(CappedListener::new(listener, doors), service).with_graceful_shutdown(ended).await
}

/// Who may use a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    /// Everybody: it tells nothing.
    Open,
    /// Loopback, or any token.
    Read,
    /// The same, and it has a pace, for it is work.
    Think,
    /// A token that may feed or operate.
    Feed,
    /// A token that may operate.
    Change,
}

/// A route, as OpenAPI writes its path.
struct Route {
    #[cfg_attr(not(test), expect(dead_code, reason = "the document is compared with it"))]
    method: &'static str,
    path: &'static str,
    access: Access,
    handler: MethodRouter<Arc<Admin>>,
}

fn routes() -> Vec<Route> {
    use Access::{Change, Feed, Open, Read, Think};
    let looking = |path, access, handler| Route { method: "get", path, access, handler };
    let saying = |path, access, handler| Route { method: "post", path, access, handler };
    vec![
        looking("/", Open, get(site::index)),
        looking("/assets/{*path}", Open, get(site::asset)),
        looking("/healthz", Open, get(async || "ok\n")),
        looking("/readyz", Open, get(readyz)),
        looking("/metrics", Read, get(looks::metrics)),
        looking("/api/v1/openapi.json", Read, get(openapi::openapi)),
        looking("/api/v1/status", Read, get(looks::status)),
        looking("/api/v1/regions", Read, get(looks::regions)),
        looking("/api/v1/services", Read, get(looks::services)),
        looking("/api/v1/checks", Read, get(looks::checks)),
        looking("/api/v1/overrides", Read, get(looks::overrides)),
        looking("/api/v1/events", Read, get(looks::events)),
        looking("/api/v1/history", Read, get(looks::history)),
        looking("/api/v1/server", Read, get(looks::server)),
        looking("/api/v1/traffic", Read, get(looks::traffic)),
        looking("/api/v1/plan", Read, get(looks::plan)),
        looking("/api/v1/demand", Read, get(looks::demand)),
        looking("/api/v1/latency", Think, get(latency::show)),
        looking("/api/v1/latency/export", Think, get(latency::export)),
        looking("/api/v1/explain", Read, get(explained::explained)),
        looking("/api/v1/world", Think, get(world::world)),
        looking("/api/v1/stream", Read, get(stream::stream)),
        saying("/api/v1/preview", Think, post(preview::preview)),
        saying("/api/v1/loads", Feed, post(loads::push)),
        saying("/api/v1/latency", Feed, post(latency::push)),
        saying("/api/v1/latency/import", Change, post(latency::import)),
        saying("/api/v1/reload", Change, post(orders::reload)),
        saying("/api/v1/overrides", Change, post(orders::say)),
        saying("/api/v1/enable", Change, post(orders::enable)),
        saying("/api/v1/switch", Change, post(orders::switch)),
        saying("/api/v1/failback", Change, post(orders::failback)),
        saying("/api/v1/guard/release", Change, post(orders::release)),
        saying("/api/v1/evacuate", Change, post(evacuate::evacuate)),
        saying("/api/v1/evacuate/cancel", Change, post(evacuate::cancel)),
        saying("/api/v1/evacuate/preview", Think, post(evacuate::preview)),
    ]
}

fn router(admin: Arc<Admin>) -> Router {
    let guarded = |router: Router<Arc<Admin>>, Route { path, access, handler, .. }: Route| {
        let reads = || from_fn_with_state(Arc::clone(&admin), guards::may_read);
        let handler = match access {
            Access::Open => handler,
            Access::Read => handler.route_layer(reads()),
            Access::Think => {
                let paced = from_fn_with_state(Arc::clone(&admin), guards::paced);
                handler.route_layer(paced).route_layer(reads())
            }
            Access::Feed => handler.route_layer(from_fn_with_state(Arc::clone(&admin), guards::may_feed)),
            Access::Change => handler.route_layer(from_fn_with_state(Arc::clone(&admin), guards::may_change)),
        };
        router.route(path, handler)
    };
    let router = routes().into_iter().fold(Router::new(), guarded);
    let router = router.fallback(not_found).method_not_allowed_fallback(wrong_method);
    // Bodies are bounded where they are read, and here for whatever else would read one.
    let bounded = DefaultBodyLimit::max(LATENCY_BODY_LEN_MAX);
    router.layer(bounded).layer(from_fn(guards::secured)).with_state(admin)
}

async fn readyz(State(admin): State<Arc<Admin>>) -> Response {
    let Readiness { ready, zones_failed, zones_stale, model_stale } = admin.operations.readiness();
    if !ready {
        return (StatusCode::SERVICE_UNAVAILABLE, "not ready\n").into_response();
    }
    let counts =
        [(zones_failed, "zones_failed"), (zones_stale, "zones_stale"), (usize::from(model_stale), "model_stale")];
    if counts.iter().all(|(count, _)| *count == 0) {
        return "ok\n".into_response();
    }
    let mut text = String::from("degraded\n");
    for (count, what) in counts {
        if count > 0 {
            // Writing to a string can't fail.
            let _ = writeln!(text, "{what} {count}");
        }
    }
    text.into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use std::collections::BTreeSet;

    #[test]
    fn the_document_has_every_route_and_no_other() {
        let document: Value = serde_json::from_str(openapi::OPENAPI).unwrap();
        let mut documented = BTreeSet::new();
        for (path, methods) in document["paths"].as_object().unwrap() {
            documented.extend(methods.as_object().unwrap().keys().map(|method| format!("{method} {path}")));
        }
        // OpenAPI has no word for the rest of a path.
        let served =
            routes().iter().map(|route| format!("{} {}", route.method, route.path.replace("{*", "{"))).collect();
        assert_eq!(documented, served);
    }

    #[test]
    fn the_document_says_who_may_use_a_route() {
        let document: Value = serde_json::from_str(openapi::OPENAPI).unwrap();
        for route in routes() {
            let path = route.path.replace("{*", "{");
            let security = &document["paths"][&path][route.method]["security"];
            let expected = match route.access {
                Access::Open => serde_json::json!([]),
                Access::Read | Access::Think => serde_json::json!([{}, {"token": []}]),
                Access::Feed | Access::Change => serde_json::json!([{"token": []}]),
            };
            assert_eq!(*security, expected, "{} {path}", route.method);
        }
    }
}
