//! `meridian.toml`: text in, a valid [`Config`] out, or every error of the file at once.
//!
//! Each key is read at exactly one place, in `sections.rs`, together with its type, range, default and meaning;
//! `dist/meridian.toml` and `docs/configuration.md` are kept equal to that by a test. The types have nothing left to
//! interpret: paths are resolved, addresses are addresses, and what is absent has its default.
//!
//! Beside the codes of [`crate::base::toml_text`]: `duplicate-address` (two listeners with one address) and the warning
//! `no-effect` (a key that another one switches off).

mod check;
mod forms;
mod sections;
#[cfg(test)]
mod tests;
mod types;

pub use types::{
    Admin, Cluster, Config, Dns, GeoIp, Guard, Latency, Log, LogFormat, LogLevel, Method, Plan, Start, State, Target,
    Tcp, TlsFiles, Vantage, Webhook,
};
