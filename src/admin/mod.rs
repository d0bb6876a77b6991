//! The listener for operators: metrics, health, state, and their words.
//!
//! | path | who | what |
//! |---|---|---|
//! | `GET /healthz` | everybody | 200: the process lives |
//! | `GET /readyz` | everybody | 200: queries are answered (`ok` or `degraded`); 503: they are not (`starting`) |
//! | `GET /metrics` | loopback, or the token | the text format of Prometheus |
//! | `GET /api/v1/status` | loopback, or the token | everything below in one document |
//! | `GET /api/v1/regions`, `services`, `checks`, `overrides` | the same | how they stand |
//! | `GET /api/v1/events?since=N&limit=N` | the same | what happened |
//! | `GET /api/v1/explain?name=…&client=…` | the same | what a client gets, and why |
//! | `POST /api/v1/reload[?force=true]` | the token | reads what has changed; answers when it is answered from |
//! | `POST /api/v1/overrides`, `enable`, `switch`, `failback`, `guard/release` | the token | an operator's word |
//!
//! What a handler needs from the running server it gets through [`Operations`], so that the rooms above plug in.

mod auth;
mod capped;
mod looks;
mod orders;
mod problem;
mod routes;

pub use auth::{Token, TokenError};
pub use routes::{Commanded, Look, Operations, Readiness, ReloadOutcome, serve};
