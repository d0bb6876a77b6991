//! Region files → raw: each value read alone, with its place; names of other things stay text.
//!
//! What a value means beside others (references, orders, missing types) is [`super::validate`]'s business.

mod check;
mod feed;
mod geomap;
mod policy;
mod reference;
mod region;
mod safety;
mod service;

use std::sync::Arc;

use crate::base::diagnostic::{Diagnostic, Location, Report};
use crate::base::toml_text::{self, Source, Table, Value};

pub(super) use feed::{ADDRESS, RawFeed, RawWay};
pub(super) use geomap::RawGeomap;
pub(super) use policy::{FAILBACK_DEFAULT, RAMP_DEFAULT, RawMode, RawPolicy, RawPrefer, Tolerance};
pub use reference::references;
pub(super) use region::RawRegion;
pub(super) use safety::RawSafety;
pub(super) use service::{RawEndpoint, RawService};

use super::types::Check;

/// The keys of health checks that have a default, in the tables `http`, `tcp` …; those of every kind in the empty one.
#[must_use]
pub fn check_references() -> Vec<toml_text::KeyReference> {
    check::references()
}

/// A value and its place.
#[derive(Clone, Debug)]
pub(super) struct At<T> {
    pub(super) value: T,
    pub(super) at: Location,
}

/// A thing with a key of its own, e.g. `[regions.fra]`.
#[derive(Clone, Debug)]
pub(super) struct Keyed<T> {
    pub(super) key: Arc<str>,
    /// Where the key stands.
    pub(super) at: Location,
    pub(super) body: T,
}

/// A key that may be absent; one that was wrong is neither absent nor given, so that nothing follows from it.
#[derive(Clone, Debug)]
pub(super) enum Given<T> {
    Absent,
    Wrong,
    Value(T),
}

impl<T> Given<T> {
    pub(super) fn read(value: Option<&Value<'_>>, read: impl FnOnce(&Value<'_>) -> Option<T>) -> Self {
        match value {
            None => Self::Absent,
            Some(value) => read(value).map_or(Self::Wrong, Self::Value),
        }
    }

    pub(super) fn value(&self) -> Option<&T> {
        match self {
            Self::Value(value) => Some(value),
            Self::Absent | Self::Wrong => None,
        }
    }

    pub(super) fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }
}

/// All files, in their order; the same key may stand in it twice.
#[derive(Debug, Default)]
pub(super) struct Raw {
    pub(super) regions: Vec<Keyed<RawRegion>>,
    pub(super) checks: Vec<Keyed<Check>>,
    pub(super) policies: Vec<Keyed<RawPolicy>>,
    pub(super) services: Vec<Keyed<RawService>>,
    pub(super) geomaps: Vec<Keyed<RawGeomap>>,
    pub(super) safety: Vec<Keyed<RawSafety>>,
}

impl Raw {
    /// Adds what a file defines.
    pub(super) fn add(&mut self, path: &str, text: &str, report: &mut Report) {
        toml_text::read(&Source::new(path, text), report, |root| self.read(root));
    }

    fn read(&mut self, mut root: Table<'_>) {
        each(&mut root, "regions", &mut self.regions, |table, _| region::read(table));
        each(&mut root, "checks", &mut self.checks, check::read);
        each(&mut root, "policies", &mut self.policies, |table, _| policy::read(table));
        each(&mut root, "services", &mut self.services, |table, _| service::read(table));
        each(&mut root, "geomaps", &mut self.geomaps, |table, _| geomap::read(table));
        each(&mut root, "safety", &mut self.safety, |table, _| safety::read(table));
        root.finish();
    }
}

/// Reads every table in table `name` of the file with `read`.
fn each<T>(
    root: &mut Table<'_>,
    name: &'static str,
    into: &mut Vec<Keyed<T>>,
    mut read: impl FnMut(Table<'_>, &Keyed<()>) -> T,
) {
    for value in root.table(name).entries() {
        check_key(&value);
        let Some(table) = value.table() else { continue };
        let keyed = Keyed { key: value.key().into(), at: value.key_at(), body: () };
        let body = read(table, &keyed);
        into.push(Keyed { key: keyed.key, at: keyed.at, body });
    }
}

/// Keys become labels of metrics and parts of targets (`web/fra`), so they are plain words.
fn check_key(value: &Value<'_>) {
    let key = value.key();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if key.is_empty() || key.len() > KEY_LEN_MAX || !key.bytes().all(plain) {
        let reason = format!("letters, digits, `-` and `_`, 1 to {KEY_LEN_MAX} of them");
        let message = format!("`{}` is no name for this", key.escape_debug());
        value.push(Diagnostic::error("bad-key", message).at(value.key_at(), reason));
    }
}

/// The length of a DNS label: long enough for a name, short enough for a table on a screen.
const KEY_LEN_MAX: usize = 63;

/// A string that is not empty, with its place: the name of something.
fn name(value: &Value<'_>) -> Option<At<String>> {
    let text = value.string()?;
    if text.is_empty() {
        value.push(value.error("bad-value", format!("`{}` is empty", value.path()), "a name belongs here"));
        return None;
    }
    Some(At { value: text.to_owned(), at: value.at() })
}

/// A string or a list of strings that are not empty.
fn names(value: &Value<'_>) -> Option<Vec<At<String>>> {
    if let toml_text::Shape::String(_) = value.shape() {
        return name(value).map(|name| vec![name]);
    }
    let elements = value.list_as("a name or a list of names", None)?;
    if elements.is_empty() {
        value.push(value.error("out-of-range", format!("`{}` is empty", value.path()), "at least one is needed"));
        return None;
    }
    all(elements.iter().map(name))
}

/// All of them, if none is wrong; every wrong one is noted.
fn all<T>(items: impl Iterator<Item = Option<T>>) -> Option<Vec<T>> {
    let items: Vec<Option<T>> = items.collect();
    items.into_iter().collect()
}
