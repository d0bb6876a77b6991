//! The listener for operators: metrics, health, reload.
//!
//! | path | who | what |
//! |---|---|---|
//! | `GET /healthz` | everybody | 200: the process lives |
//! | `GET /readyz` | everybody | 200: queries are answered (`ok` or `degraded`); 503: they are not (`starting`) |
//! | `GET /metrics` | loopback, or the token | the text format of Prometheus |
//! | `POST /api/v1/reload[?force=true]` | the token | reads what has changed; answers when it is answered from |
//!
//! What a handler needs from the running server it gets through [`Operations`], so that the rooms above plug in.

mod auth;
mod capped;
mod routes;

pub use auth::{Token, TokenError};
pub use routes::{Operations, Readiness, ReloadOutcome, serve};
