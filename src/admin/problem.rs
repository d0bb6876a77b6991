//! Refusals as problem documents, RFC 9457.

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// A problem document: what is wrong, for programs by status and for people in words.
pub(super) fn problem(status: StatusCode, detail: impl Into<String>) -> Response {
    let title = status.canonical_reason().unwrap_or("refused");
    let body = json!({
        "type": "about:blank", "title": title, "status": status.as_u16(), "detail": detail.into(),
    });
    (status, [(header::CONTENT_TYPE, "application/problem+json")], Json(body)).into_response()
}

/// The server ends, or its queue is full.
pub(super) fn unavailable() -> Response {
    problem(StatusCode::SERVICE_UNAVAILABLE, "the server is busy or ends; try again")
}
