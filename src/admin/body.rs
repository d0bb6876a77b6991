//! A body, JSON or a table, bounded, or why there is none.

use axum::body::{Bytes, HttpBody, to_bytes};
use axum::extract::{FromRequest, Request};
use axum::http::{StatusCode, header};
use axum::response::Response;
use http_body_util::LengthLimitError;
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use crate::admin::problem::problem;
use crate::base::limits::ADMIN_BODY_LEN_MAX;

/// A body of the type wanted.
///
/// ```text
/// what is wrong                        status
/// Content-Type is not JSON             415: so no form of another site can send it
/// longer than LEN_MAX                  413
/// not JSON                             400
/// JSON of another shape                422
/// ```
pub(super) struct Body<T, const LEN_MAX: usize = ADMIN_BODY_LEN_MAX>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync, const LEN_MAX: usize> FromRequest<S> for Body<T, LEN_MAX> {
    type Rejection = Response;

    async fn from_request(request: Request, _: &S) -> Result<Self, Response> {
        let bytes = bytes(request, ("JSON", "application/json"), LEN_MAX).await?;
        serde_json::from_slice(&bytes).map(Self).map_err(|error| {
            let status = match error.classify() {
                Category::Data => StatusCode::UNPROCESSABLE_ENTITY,
                Category::Syntax | Category::Eof | Category::Io => StatusCode::BAD_REQUEST,
            };
            problem(status, error.to_string())
        })
    }
}

/// A body that is a table as text: 415 unless it is said to be one, 413 if it is longer, 422 if it is no UTF-8.
pub(super) struct Table<const LEN_MAX: usize>(pub(super) String);

impl<S: Send + Sync, const LEN_MAX: usize> FromRequest<S> for Table<LEN_MAX> {
    type Rejection = Response;

    async fn from_request(request: Request, _: &S) -> Result<Self, Response> {
        let bytes = bytes(request, ("CSV", "text/csv"), LEN_MAX).await?;
        let wrong = |_| problem(StatusCode::UNPROCESSABLE_ENTITY, "the file is not UTF-8 text");
        String::from_utf8(bytes.into()).map(Self).map_err(wrong)
    }
}

/// The octets of a body that is said to be what is wanted: its name, and its media type.
async fn bytes(request: Request, (name, wanted): (&str, &str), len_max: usize) -> Result<Bytes, Response> {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let kind = kind.and_then(|kind| kind.split(';').next()).unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case(wanted) {
        let detail = format!("the body is {name}: `Content-Type: {wanted}` belongs in the header");
        return Err(problem(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
    }
    let body = request.into_body();
    if body.size_hint().lower() > len_max as u64 {
        return Err(too_large(len_max));
    }
    to_bytes(body, len_max).await.map_err(|error| {
        let source = std::error::Error::source(&error);
        if source.is_some_and(|source| source.is::<LengthLimitError>()) {
            too_large(len_max)
        } else {
            problem(StatusCode::BAD_REQUEST, "the body did not arrive whole")
        }
    })
}

fn too_large(len_max: usize) -> Response {
    problem(StatusCode::PAYLOAD_TOO_LARGE, format!("a body has at most {len_max} octets"))
}
