//! The routes that change something: words about targets, active regions, the guard.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use crate::admin::problem::{problem, unavailable};
use crate::admin::routes::Admin;
use crate::control::{Command, Done, Order, Refusal};
use crate::health::{Action, Override};

/// A body, or why there is none.
type Body<T> = Result<Json<T>, JsonRejection>;

/// A word about a target.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Word {
    target: String,
    /// `drain`, `up` or `down`.
    action: Action,
    /// Seconds; absent: until it is taken back.
    for_s: Option<f64>,
    reason: Option<String>,
    owner: Option<String>,
    /// Even if it takes away the last eligible region.
    #[serde(default)]
    confirm: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Enable {
    target: String,
    owner: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Switch {
    service: String,
    region: String,
    owner: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Failback {
    service: String,
    owner: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Release {
    owner: Option<String>,
}

/// Who speaks if nobody says so.
const SOMEBODY: &str = "api";

fn owner(named: Option<String>) -> String {
    named.filter(|name| !name.is_empty()).unwrap_or_else(|| SOMEBODY.to_owned())
}

pub(super) async fn say(State(admin): State<Arc<Admin>>, body: Body<Word>) -> Response {
    let Word { target, action, for_s, reason, owner: by, confirm } = match body {
        Ok(Json(word)) => word,
        Err(rejection) => return unreadable(&rejection),
    };
    let lasting = match for_s.map(Duration::try_from_secs_f64).transpose() {
        Ok(lasting) => lasting,
        Err(error) => return problem(StatusCode::UNPROCESSABLE_ENTITY, format!("`for_s`: {error}")),
    };
    let order = Order { target, lasting, reason: reason.unwrap_or_default(), owner: owner(by), confirm };
    command(&admin, Command::Override(action, order)).await
}

pub(super) async fn enable(State(admin): State<Arc<Admin>>, body: Body<Enable>) -> Response {
    match body {
        Ok(Json(Enable { target, owner: by })) => command(&admin, Command::Enable { target, owner: owner(by) }).await,
        Err(rejection) => unreadable(&rejection),
    }
}

pub(super) async fn switch(State(admin): State<Arc<Admin>>, body: Body<Switch>) -> Response {
    match body {
        Ok(Json(Switch { service, region, owner: by })) => {
            command(&admin, Command::Switch { service, region, owner: owner(by) }).await
        }
        Err(rejection) => unreadable(&rejection),
    }
}

pub(super) async fn failback(State(admin): State<Arc<Admin>>, body: Body<Failback>) -> Response {
    match body {
        Ok(Json(Failback { service, owner: by })) => {
            command(&admin, Command::Failback { service, owner: owner(by) }).await
        }
        Err(rejection) => unreadable(&rejection),
    }
}

pub(super) async fn release(State(admin): State<Arc<Admin>>, body: Body<Release>) -> Response {
    match body {
        Ok(Json(Release { owner: by })) => command(&admin, Command::GuardRelease { owner: owner(by) }).await,
        Err(rejection) => unreadable(&rejection),
    }
}

fn unreadable(rejection: &JsonRejection) -> Response {
    problem(rejection.status(), rejection.body_text())
}

async fn command(admin: &Admin, command: Command) -> Response {
    match admin.operations.command(command).await {
        Some(Ok(done)) => Json(Finished::from(done)).into_response(),
        Some(Err(refusal)) => {
            let status = match refusal {
                Refusal::NotReady => StatusCode::SERVICE_UNAVAILABLE,
                Refusal::UnknownTarget { .. } | Refusal::UnknownService { .. } => StatusCode::NOT_FOUND,
                Refusal::NeedsEnd
                | Refusal::TooLong
                | Refusal::NotActivePassive { .. }
                | Refusal::NotInOrder { .. } => StatusCode::UNPROCESSABLE_ENTITY,
                Refusal::TooMany
                | Refusal::LastRegion { .. }
                | Refusal::NothingToEnable { .. }
                | Refusal::NotEligible { .. }
                | Refusal::NothingBetter { .. }
                | Refusal::NothingHeld => StatusCode::CONFLICT,
            };
            problem(status, refusal.to_string())
        }
        None => unavailable(),
    }
}

/// What was done.
#[derive(Debug, Serialize)]
struct Finished {
    /// In words.
    done: String,
    /// When the word ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
    /// When the last answer given before has expired in every cache.
    #[serde(skip_serializing_if = "Option::is_none")]
    cached_until: Option<String>,
    /// Words that cover the target all the same.
    still: Vec<String>,
}

impl From<Done> for Finished {
    fn from(done: Done) -> Self {
        let Done { message, until, cached_until, still } = done;
        let words = |word: &Override| format!("{} {}", word.action.as_str(), word.target);
        Self {
            done: message,
            until: until.map(|at| at.to_string()),
            cached_until: cached_until.map(|at| at.to_string()),
            still: still.iter().map(words).collect(),
        }
    }
}
