//! The routes and what they answer.

use std::fmt::Write;
use std::future::Future;
use std::io;
use std::net::TcpListener;
use std::pin::Pin;
use std::sync::Arc;

use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

use crate::admin::capped::CappedListener;
use crate::admin::{Token, looks, orders};
use crate::base::moment::Moment;
use crate::control::{Command, Control, Done, Refusal};
use crate::journal::Entry;
use crate::metrics::Rates;
use crate::serve::Stop;
use crate::snapshot::Snapshot;

/// What the running server does for operators.
pub trait Operations: Send + Sync + 'static {
    /// Whether queries are answered.
    fn readiness(&self) -> Readiness;

    /// All metrics in the text format of Prometheus.
    fn metrics(&self) -> Pin<Box<dyn Future<Output = String> + Send>>;

    /// What is answered at this time, a second.
    fn traffic(&self) -> Rates;

    /// Reads what has changed and returns when queries are answered from it. `None`: too many wait already, or the
    /// server ends.
    fn reload(&self, force: bool) -> Pin<Box<dyn Future<Output = Option<ReloadOutcome>> + Send>>;

    /// Has `look` called with control and the snapshot in force. False: the server ends.
    fn look(&self, look: Look) -> bool;

    /// Has an operator's word done, and returns when queries are answered by it. `None`: the server ends.
    fn command(&self, command: Command) -> Pin<Box<dyn Future<Output = Commanded> + Send>>;

    /// Events after number `since`, or the last ones if there is none, the oldest first, at most `limit`. May wait for a
    /// disk.
    fn events(&self, since: Option<u64>, limit: usize) -> Vec<Entry>;
}

/// What an operator's word came to; `None`: the server ends.
pub type Commanded = Option<Result<Done, Refusal>>;

/// Looks at control and the snapshot in force; both are of one model.
pub type Look = Box<dyn FnOnce(&Control, &Arc<Snapshot>, Moment) + Send>;

/// Whether queries are answered, and how well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Readiness {
    /// Sockets are bound, the first load is published, and the end of service has not begun.
    pub ready: bool,
    /// Zones that answer SERVFAIL.
    pub zones_failed: usize,
    /// Zones served from an earlier version.
    pub zones_stale: usize,
    /// What is steered is not what the region files say.
    pub model_stale: bool,
}

/// What a reload came to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReloadOutcome {
    /// `ok`, `partial` or `refused`.
    pub result: &'static str,
    /// The generation that has everything loaded; the running one if nothing was taken.
    pub generation: u64,
    /// Zones there are now, those that answer SERVFAIL included.
    pub zones: usize,
    /// Of these, zones that answer SERVFAIL.
    pub zones_failed: usize,
    /// Of these, zones served from an earlier version.
    pub zones_stale: usize,
    /// Zones that are new: how many.
    pub added: usize,
    /// Zones whose contents or state changed: how many.
    pub changed: usize,
    /// Zones that are gone: how many.
    pub removed: usize,
    /// Apexes of zones added, changed and removed, as far as there is room.
    pub touched: Vec<String>,
    /// Errors found: how many.
    pub errors: usize,
    /// Warnings found: how many.
    pub warnings: usize,
    /// Findings, one line each, as far as there is room; the log has all of them in full.
    pub findings: Vec<String>,
    /// Keys of the configuration that have changed and need a restart.
    pub needs_restart: Vec<String>,
    /// Milliseconds from the start of the load to its publication.
    pub duration_ms: u64,
}

pub(super) struct Admin {
    pub(super) operations: Arc<dyn Operations>,
    token: Option<Token>,
    /// The listener can be reached by this machine only.
    local: bool,
}

/// Serves the admin listener until the end of service. Without a `token` nothing can be changed, and a listener that
/// is not on loopback shows nothing but health.
///
/// # Errors
/// If the socket can't be used.
pub async fn serve(
    listener: TcpListener,
    token: Option<Token>,
    operations: Arc<dyn Operations>,
    stop: Stop,
) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let local = listener.local_addr()?.ip().is_loopback();
    let router = router(Arc::new(Admin { operations, token, local }));
    axum::serve(CappedListener::new(listener), router).with_graceful_shutdown(async move { stop.wait().await }).await
}

fn router(admin: Arc<Admin>) -> Router {
    let reading = Router::new()
        .route("/metrics", get(metrics))
        .route("/api/v1/status", get(looks::status))
        .route("/api/v1/regions", get(looks::regions))
        .route("/api/v1/services", get(looks::services))
        .route("/api/v1/checks", get(looks::checks))
        .route("/api/v1/events", get(looks::events))
        .route("/api/v1/explain", get(looks::explained))
        .route("/api/v1/overrides", get(looks::overrides))
        .route_layer(from_fn_with_state(Arc::clone(&admin), may_read));
    let changing = Router::new()
        .route("/api/v1/reload", post(reload))
        .route("/api/v1/overrides", post(orders::say))
        .route("/api/v1/enable", post(orders::enable))
        .route("/api/v1/switch", post(orders::switch))
        .route("/api/v1/failback", post(orders::failback))
        .route("/api/v1/guard/release", post(orders::release))
        .route_layer(from_fn_with_state(Arc::clone(&admin), may_change));
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(readyz))
        .merge(reading)
        .merge(changing)
        .with_state(admin)
}

async fn may_read(State(admin): State<Arc<Admin>>, request: Request, next: Next) -> Response {
    if admin.local || admin.bears_token(request.headers()) { next.run(request).await } else { unauthorized() }
}

async fn may_change(State(admin): State<Arc<Admin>>, request: Request, next: Next) -> Response {
    if admin.bears_token(request.headers()) { next.run(request).await } else { unauthorized() }
}

impl Admin {
    fn bears_token(&self, headers: &HeaderMap) -> bool {
        let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        match (&self.token, given) {
            (Some(token), Some(given)) => token.is_borne_by(given),
            (None, _) | (_, None) => false,
        }
    }
}

fn unauthorized() -> Response {
    let text = "a bearer token is needed: Authorization: Bearer TOKEN (admin.token_file names the file that has it)\n";
    (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Bearer")], text).into_response()
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

async fn metrics(State(admin): State<Arc<Admin>>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], admin.operations.metrics().await)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReloadParameters {
    #[serde(default)]
    force: bool,
}

async fn reload(State(admin): State<Arc<Admin>>, Query(parameters): Query<ReloadParameters>) -> Response {
    match admin.operations.reload(parameters.force).await {
        Some(outcome) => {
            let status = if outcome.result == "refused" { StatusCode::CONFLICT } else { StatusCode::OK };
            (status, Json(outcome)).into_response()
        }
        None => (StatusCode::SERVICE_UNAVAILABLE, "too many reloads wait, or the server ends\n").into_response(),
    }
}
