//! `[policies.NAME]`.

use std::time;

use crate::base::diagnostic::{Diagnostic, Location};
use crate::base::limits;
use crate::base::toml_text::{Choice, Integer, Table, Value};
use crate::base::units;

use super::super::records;
use super::super::types::{Balance, Failback, Term, WhenAllDown};
use super::region::is_string;
use super::{At, Given, all, check_key, name};

/// A policy, its map not looked up.
#[derive(Clone, Debug)]
pub(in crate::model) struct RawPolicy {
    pub(in crate::model) mode: Given<RawMode>,
    pub(in crate::model) balance: At<Balance>,
    pub(in crate::model) custom: Given<At<Vec<Term>>>,
    pub(in crate::model) answers: usize,
    pub(in crate::model) when_all_down: At<WhenAllDown>,
    pub(in crate::model) geomap: Given<At<String>>,
}

/// The mode with the keys that belong to it; places are kept for findings about them.
#[derive(Clone, Debug)]
pub(in crate::model) enum RawMode {
    ActiveActive { prefer: At<RawPrefer>, tolerance: Given<At<Tolerance>>, spill: bool, ramp: time::Duration },
    ActivePassive { failback: At<Failback> },
}

/// What ranks, before its tolerance and map are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::model) enum RawPrefer {
    Geo,
    Latency,
    Load,
    ResponseTime,
    Equal,
}

/// A tolerance by its unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::model) enum Tolerance {
    Meters(u32),
    Time(time::Duration),
}

pub(super) const PREFER: &[(&str, RawPrefer)] = &[
    ("geo", RawPrefer::Geo),
    ("latency", RawPrefer::Latency),
    ("load", RawPrefer::Load),
    ("response-time", RawPrefer::ResponseTime),
    ("equal", RawPrefer::Equal),
];

const BALANCE: &[(&str, Balance)] = &[
    ("round-robin", Balance::RoundRobin),
    ("weighted", Balance::Weighted),
    ("random", Balance::Random),
    ("hash", Balance::Hash),
    ("least-connections", Balance::LeastConnections),
    ("weighted-least-connections", Balance::WeightedLeastConnections),
    ("least-response-time", Balance::LeastResponseTime),
    ("least-bandwidth", Balance::LeastBandwidth),
    ("custom", Balance::Custom),
    ("least-recently-loaded", Balance::LeastRecentlyLoaded),
];

const DAY: time::Duration = time::Duration::from_secs(86_400);

/// What `ramp` is when nobody says.
pub(in crate::model) const RAMP_DEFAULT: time::Duration = time::Duration::from_secs(120);

pub(super) fn read(mut table: Table<'_>) -> RawPolicy {
    let here = table.at();
    let hint = "write mode = \"active-active\" or \"active-passive\"";
    let mode = table.require("mode", hint);
    let passive = mode.and_then(|value| value.choice(&[("active-active", false), ("active-passive", true)]));
    let keys = ModeKeys::take(&mut table);
    let geomap = Given::read(keys.geomap.as_ref(), name);
    let mode = match passive {
        None => Given::Wrong,
        Some(false) => keys.active_active(&here),
        Some(true) => keys.active_passive(&here),
    };
    let balance_at = table.peek("balance").map_or_else(|| here.clone(), |value| value.at());
    let meaning = "How an endpoint of the chosen region is chosen.";
    let balance = table.key("balance", Choice::new(BALANCE), Balance::RoundRobin, meaning);
    let custom = Given::read(table.take("custom").as_ref(), custom);
    let answers =
        table.key("answers", Integer::new(1..=ANSWERS_MAX), 1, "Endpoints in one answer, all of the same region.");
    let when_all_down = when_all_down(&mut table, passive == Some(true), here);
    table.finish();
    let balance = At { value: balance, at: balance_at };
    RawPolicy { mode, balance, custom, answers: answers.into(), when_all_down, geomap }
}

/// Metrics, and what one unit of each counts.
fn custom(value: &Value<'_>) -> Option<At<Vec<Term>>> {
    let hint = "write { connections = 1.0, load = 2.5 }";
    let entries = value.table_as("a table of metrics and what they count", Some(hint))?.entries();
    if entries.is_empty() {
        let finding = value.error("out-of-range", format!("`{}` is empty", value.path()), "at least one is needed");
        value.push(finding.hint(hint));
        return None;
    }
    let terms = all(entries.iter().map(|entry| {
        check_key(entry);
        let thousandths = (entry.number(&(COUNT_MIN..=COUNT_MAX))? * 1_000.0).round();
        #[expect(clippy::cast_possible_truncation, reason = "within its range")]
        Some(Term { metric: entry.key().to_owned(), counts: thousandths as u64 })
    }))?;
    Some(At { value: terms, at: value.key_at() })
}

/// What a unit may count: what is less, or more, is meant in another unit.
const COUNT_MIN: f64 = 0.001;
const COUNT_MAX: f64 = 1_000_000.0;

const ANSWERS_MAX: u8 = 8;
const _: () = assert!(ANSWERS_MAX as usize == limits::ANSWERS_MAX);

/// The keys that belong to one mode only.
struct ModeKeys<'d> {
    prefer: Option<Value<'d>>,
    tolerance: Option<Value<'d>>,
    spill: Option<Value<'d>>,
    ramp: Option<Value<'d>>,
    geomap: Option<Value<'d>>,
    failback: Option<Value<'d>>,
}

impl<'d> ModeKeys<'d> {
    fn take(table: &mut Table<'d>) -> Self {
        Self {
            prefer: table.take("prefer"),
            tolerance: table.take("tolerance"),
            spill: table.take("spill"),
            ramp: table.take("ramp"),
            geomap: table.take("geomap"),
            failback: table.take("failback"),
        }
    }

    fn active_active(&self, here: &Location) -> Given<RawMode> {
        if let Some(failback) = &self.failback {
            refuse(failback, "active-active", "every eligible region answers its clients at once; see `ramp`");
        }
        let prefer = match &self.prefer {
            None => Some(At { value: RawPrefer::Geo, at: here.clone() }),
            Some(value) => value.choice(PREFER).map(|prefer| At { value: prefer, at: value.at() }),
        };
        let tolerance = Given::read(self.tolerance.as_ref(), |value| {
            Some(At { value: value.parse("a distance or a duration", tolerance)?, at: value.at() })
        });
        let spill = self.spill.as_ref().and_then(Value::boolean).unwrap_or(true);
        let ramp = self.ramp.as_ref().and_then(|value| value.duration(&(time::Duration::ZERO..=DAY)));
        match prefer {
            Some(prefer) => {
                Given::Value(RawMode::ActiveActive { prefer, tolerance, spill, ramp: ramp.unwrap_or(RAMP_DEFAULT) })
            }
            None => Given::Wrong,
        }
    }

    fn active_passive(&self, here: &Location) -> Given<RawMode> {
        for value in [&self.prefer, &self.tolerance, &self.ramp, &self.geomap].into_iter().flatten() {
            refuse(value, "active-passive", "one region answers everybody; the service's `order` ranks");
        }
        // `spill = false` says what is so.
        if let Some(spill) = &self.spill
            && spill.boolean() == Some(true)
        {
            refuse(spill, "active-passive", "one region answers everybody, however much it is");
        }
        let failback = match &self.failback {
            None => Some(At { value: FAILBACK_DEFAULT, at: here.clone() }),
            Some(value) => failback(value).map(|failback| At { value: failback, at: value.at() }),
        };
        failback.map_or(Given::Wrong, |failback| Given::Value(RawMode::ActivePassive { failback }))
    }
}

/// Long enough to see that the primary stays; short enough for nobody to wait for it.
pub(in crate::model) const FAILBACK_DEFAULT: Failback = Failback::After(time::Duration::from_secs(300));

fn refuse(value: &Value<'_>, mode: &str, reason: &str) {
    let message = format!("`{}` does not go with mode \"{mode}\"", value.path());
    let other = if mode == "active-passive" { "active-active" } else { "active-passive" };
    let hint = format!("take it out, or write mode = \"{other}\"");
    value.push(Diagnostic::error("wrong-mode", message).at(value.key_at(), reason).hint(hint));
}

fn failback(value: &Value<'_>) -> Option<Failback> {
    if is_string(value) {
        return value.choice(&[("automatic", Failback::Automatic), ("manual", Failback::Manual)]);
    }
    let hint = "write \"automatic\", \"manual\" or { after = \"5m\" }";
    let mut table = value.table_as("a word or a table", Some(hint))?;
    let after = table.require("after", hint);
    table.finish();
    Some(Failback::After(after?.duration(&(time::Duration::ZERO..=DAY))?))
}

fn tolerance(text: &str) -> Result<Tolerance, String> {
    // Half of the earth's circumference: more makes all regions equals, which `prefer = "equal"` says better.
    const KILOMETERS_MAX: u32 = 20_000;
    let Some(number) = text.strip_suffix("km") else {
        return units::parse_duration(text)
            .map(Tolerance::Time)
            .map_err(|_| "write e.g. \"50km\" where distance ranks, \"10ms\" where latency ranks".into());
    };
    match number.parse::<u32>() {
        Ok(km) if km <= KILOMETERS_MAX => Ok(Tolerance::Meters(km * 1_000)),
        _ => Err(format!("a whole number of kilometers up to {KILOMETERS_MAX}")),
    }
}

fn when_all_down(table: &mut Table<'_>, passive: bool, here: Location) -> At<WhenAllDown> {
    let value = table.take("when_all_down");
    let fallback = table.take("fallback");
    let records = fallback.as_ref().and_then(|value| {
        let example = "write [\"192.0.2.99\"]";
        records::list(value, "a list of addresses or records", example, records::address_or_record)
    });
    let word = value.as_ref().and_then(|value| {
        value.choice(&[
            ("preferred", WhenAllDown::Preferred),
            ("all", WhenAllDown::All),
            ("last-healthy", WhenAllDown::LastHealthy),
            ("fallback", WhenAllDown::Fallback(Vec::new())),
            ("nodata", WhenAllDown::NoData),
            ("servfail", WhenAllDown::ServFail),
        ])
    });
    let at = value.as_ref().map_or(here, Value::at);
    let value = match (word, &value) {
        (Some(WhenAllDown::All), Some(value)) if passive => {
            refuse(value, "active-passive", "\"all\" would answer with several regions");
            WhenAllDown::Preferred
        }
        (Some(WhenAllDown::Fallback(_)), Some(value)) if fallback.is_none() => {
            let message = format!("`{}` needs `fallback`", value.path());
            let hint = "write fallback = [\"192.0.2.99\"] beside it";
            value.push(value.error("missing-key", message, "nothing says what to answer").hint(hint));
            WhenAllDown::Preferred
        }
        (Some(WhenAllDown::Fallback(_)), _) => {
            return At { value: WhenAllDown::Fallback(records.unwrap_or_default()), at };
        }
        // A wrong word may have been meant to be "fallback".
        (None, Some(_)) => return At { value: WhenAllDown::Preferred, at },
        (word, _) => word.unwrap_or(WhenAllDown::Preferred),
    };
    if let Some(fallback) = &fallback {
        let message = format!("`{}` is never answered", fallback.path());
        let finding =
            Diagnostic::warning("no-effect", message).at(fallback.at(), "`when_all_down` says something else");
        fallback.push(finding.hint("write when_all_down = \"fallback\" beside it"));
    }
    At { value, at }
}
