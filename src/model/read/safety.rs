//! `[safety.NAME]`: what changes may not do to a set of regions.

use std::time::Duration;

use crate::base::diagnostic::Location;
use crate::base::limits;
use crate::base::toml_text::{Table, Value};

use super::{At, Given, names};

/// A rule, its regions and services not looked up.
#[derive(Clone, Debug)]
pub(in crate::model) struct RawSafety {
    pub(in crate::model) at: Location,
    pub(in crate::model) regions: Given<Vec<At<String>>>,
    pub(in crate::model) services: Given<Vec<At<String>>>,
    pub(in crate::model) at_least: Given<At<usize>>,
    pub(in crate::model) only_while: Given<RawGate>,
    pub(in crate::model) wait: Given<Duration>,
}

/// Regions of which some must be on.
#[derive(Clone, Debug)]
pub(in crate::model) struct RawGate {
    pub(in crate::model) regions: Vec<At<String>>,
    pub(in crate::model) at_least: At<usize>,
}

/// An operator who needs longer than this from one change to the next does not need a rule for it.
const WAIT_MAX: Duration = Duration::from_secs(86_400);

pub(super) fn read(mut table: Table<'_>) -> RawSafety {
    let at = table.at();
    let regions = table.require("regions", "write regions = [\"fra\", \"iad\"]");
    let regions = regions.map_or(Given::Wrong, |value| Given::read(Some(&value), names));
    let services = Given::read(table.take("services").as_ref(), names);
    let at_least = Given::read(table.take("at_least").as_ref(), count);
    let only_while = Given::read(table.take("only_while").as_ref(), gate);
    let wait = Given::read(table.take("wait").as_ref(), |value| value.duration(&(Duration::ZERO..=WAIT_MAX)));
    table.finish();
    RawSafety { at, regions, services, at_least, only_while, wait }
}

fn gate(value: &Value<'_>) -> Option<RawGate> {
    let hint = "write { regions = [\"iad\", \"sin\"], at_least = 1 }";
    let mut table = value.table_as("a table", Some(hint))?;
    let (regions, at_least) = (table.require("regions", hint), table.require("at_least", hint));
    table.finish();
    let (regions, at_least) = (names(&regions?), count(&at_least?));
    Some(RawGate { regions: regions?, at_least: at_least? })
}

/// How many regions.
fn count(value: &Value<'_>) -> Option<At<usize>> {
    let most = i64::try_from(limits::REGIONS_MAX).unwrap_or(i64::MAX);
    let count = usize::try_from(value.integer(&(1..=most))?).ok()?;
    Some(At { value: count, at: value.at() })
}
