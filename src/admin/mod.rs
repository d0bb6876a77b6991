//! The listener for operators: dashboard, metrics, health, state, and their words.
//!
//! `docs/api.md` is the manual of every route, `docs/openapi.json` the same for programs; both are compared with the
//! table in `routes`.
//!
//! | what | file |
//! |---|---|
//! | tokens with names and scopes | `auth.rs` |
//! | the certificate, and connections under TLS | `tls.rs` |
//! | both in force, renewed by a reload | `doors.rs` |
//! | connections, their number and their patience | `capped.rs` |
//! | what the running server does for operators | `operations.rs` |
//! | problem documents; bodies and parameters read strictly | `problem.rs`, `body.rs`, `query.rs` |
//! | who may do what, how often, and what the journal is told | `guards.rs`, `pace.rs` |
//! | the table of routes | `routes.rs` |
//! | what is shown, once for all who ask at a time | `looks.rs`, `explained.rs`, `world.rs`, `shared.rs` |
//! | what is changed, and what would be | `orders.rs`, `evacuate.rs`, `preview.rs` |
//! | readings that are pushed | `loads.rs` |
//! | what happens, as it happens | `stream.rs` |
//! | the dashboard's files, the OpenAPI document | `site.rs`, `openapi.rs` |
//!
//! What a handler needs from the running server it gets through [`Operations`], so that the rooms above plug in.

mod auth;
mod tls;
mod doors;
mod capped;
mod operations;
mod problem;
mod body;
mod query;
mod pace;
mod guards;
mod shared;
mod routes;
mod looks;
mod explained;
mod world;
mod orders;
mod evacuate;
mod latency;
mod loads;
mod preview;
mod stream;
mod site;
mod openapi;

pub use auth::{Bearer, Scope, TokenError, Tokens};
pub use doors::Doors;
pub use openapi::OPENAPI;
pub use operations::{
    Commanded, Condition, Facts, Look, Operations, PushResults, Readiness, ReloadOutcome, SurveyTask,
};
pub use routes::serve;
pub use stream::Stream;
pub use tls::{TlsError, certificates};
