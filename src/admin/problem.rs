//! Refusals as problem documents, RFC 9457.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Value, json};

/// What a refusal says, beside the response: for the journal.
#[derive(Clone, Debug)]
pub(super) struct Detail(pub(super) String);

/// A problem document: what is wrong, for programs by status and for people in words.
pub(super) fn problem(status: StatusCode, detail: impl Into<String>) -> Response {
    problem_with(status, detail, &())
}

/// A problem document that says more: the members of `more` stand in it too (RFC 9457 §3.2).
pub(super) fn problem_with(status: StatusCode, detail: impl Into<String>, more: &impl Serialize) -> Response {
    let (title, detail) = (status.canonical_reason().unwrap_or("refused"), detail.into());
    let mut body = json!({
        "type": "about:blank", "title": title, "status": status.as_u16(), "detail": detail,
    });
    if let (Some(body), Ok(Value::Object(more))) = (body.as_object_mut(), serde_json::to_value(more)) {
        body.extend(more);
    }
    let mut response = (status, Json(body)).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    response.extensions_mut().insert(Detail(detail));
    response
}

/// The server ends, or its queue is full.
pub(super) fn unavailable() -> Response {
    problem(StatusCode::SERVICE_UNAVAILABLE, "the server is busy or ends; try again")
}

/// Nothing stands at this path.
pub(super) async fn not_found() -> Response {
    problem(StatusCode::NOT_FOUND, "nothing stands here; /api/v1/openapi.json lists what there is")
}

/// The path is right, the method is not.
pub(super) async fn wrong_method() -> Response {
    problem(StatusCode::METHOD_NOT_ALLOWED, "this path takes other methods: see the header `Allow`")
}
