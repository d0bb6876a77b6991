//! `GET /api/v1/openapi.json`: what there is to ask, for programs. The document stands in `docs/openapi.json`; a test
//! compares it with the routes.

use axum::http::header;
use axum::response::IntoResponse;

/// The document.
pub const OPENAPI: &str = include_str!("../../docs/openapi.json");

pub(super) async fn openapi() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], OPENAPI)
}
