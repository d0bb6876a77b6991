//! Policies: the mode with what belongs to it, and those that exist without being defined.

use std::time::Duration;

use crate::base::diagnostic::{Diagnostic, Report};
use crate::base::limits;

use super::super::read::{At, Given, Keyed, RawMode, RawPolicy, RawPrefer, Tolerance};
use super::super::read::{FAILBACK_DEFAULT, RAMP_DEFAULT};
use super::super::types::{Balance, GeoRanking, Mode, Policy, PolicySource, Prefer, Term, WhenAllDown};
use super::Ids;

/// The policies that exist without being defined.
pub(super) const BUILT_IN: &[&str] = &["all", "failover", "latency", "nearest", "weighted"];

/// Regions that differ by less are near in the same way: databases do not know better.
const TOLERANCE_M_DEFAULT: u32 = 50_000;
/// Round-trip times vary by so much without a reason.
const TOLERANCE_TIME_DEFAULT: Duration = Duration::from_millis(10);

/// A policy, and whether conclusions may be drawn from it.
pub(super) struct Checked {
    pub(super) policy: Policy,
    /// If not, its mode or its map was wrong and something stands in for it.
    pub(super) is_sound: bool,
}

impl Checked {
    pub(super) fn into_policy(self) -> Policy {
        self.policy
    }
}

/// All policies by id: the defined ones and those built-in ones that are not redefined.
pub(super) fn validate(defined: Vec<Keyed<RawPolicy>>, ids: &Ids, report: &mut Report) -> Vec<Checked> {
    let mut all: Vec<Checked> = BUILT_IN
        .iter()
        .filter(|&&name| !defined.iter().any(|keyed| keyed.key.as_ref() == name))
        .map(|name| Checked { policy: built_in(name), is_sound: true })
        .collect();
    all.extend(defined.into_iter().map(|keyed| policy(keyed, ids, report)));
    all.sort_by(|a, b| a.policy.key.cmp(&b.policy.key));
    all
}

fn built_in(name: &str) -> Policy {
    let active_active =
        |prefer| Mode::ActiveActive { prefer, ranking: GeoRanking::Distance, spill: true, ramp: RAMP_DEFAULT };
    let mode = match name {
        "all" => Mode::All,
        "failover" => Mode::ActivePassive { failback: FAILBACK_DEFAULT },
        "latency" => active_active(Prefer::Latency { tolerance: TOLERANCE_TIME_DEFAULT }),
        "nearest" => active_active(Prefer::Geo { tolerance_m: TOLERANCE_M_DEFAULT }),
        _ => active_active(Prefer::Equal),
    };
    Policy {
        key: name.into(),
        source: PolicySource::BuiltIn,
        answers: if mode == Mode::All { limits::ANSWERS_MAX } else { 1 },
        mode,
        balance: Balance::RoundRobin,
        custom: Vec::new(),
        when_all_down: WhenAllDown::Preferred,
    }
}

fn policy(keyed: Keyed<RawPolicy>, ids: &Ids, report: &mut Report) -> Checked {
    let Keyed { key, at, body: raw } = keyed;
    let map = raw.geomap.value().and_then(|name| ids.geomap(name, report));
    let ranking = map.map_or(GeoRanking::Distance, GeoRanking::Map);
    let mode = match raw.mode {
        Given::Value(RawMode::ActivePassive { failback }) => Some(Mode::ActivePassive { failback: failback.value }),
        Given::Value(RawMode::ActiveActive { prefer, tolerance, spill, ramp }) => {
            if let (RawPrefer::Equal, Some(name)) = (prefer.value, raw.geomap.value()) {
                report.push(no_effect(&key, "geomap", name));
            }
            prefer_with(&key, &prefer, &tolerance, report).map(|prefer| Mode::ActiveActive {
                prefer,
                ranking,
                spill,
                ramp,
            })
        }
        Given::Absent | Given::Wrong => None,
    };
    let is_sound = mode.is_some() && (raw.geomap.is_absent() || map.is_some());
    let custom = terms(&key, &raw.balance, &raw.custom, report);
    let policy = Policy {
        key,
        source: PolicySource::File(at),
        mode: mode.unwrap_or(Mode::All),
        balance: raw.balance.value,
        custom,
        answers: raw.answers,
        when_all_down: raw.when_all_down.value,
    };
    Checked { policy, is_sound }
}

/// What `custom` adds up: `balance` and the table need each other.
fn terms(key: &str, balance: &At<Balance>, custom: &Given<At<Vec<Term>>>, report: &mut Report) -> Vec<Term> {
    match (balance.value == Balance::Custom, custom) {
        (true, Given::Value(terms)) => return terms.value.clone(),
        (true, Given::Absent) => {
            let finding = Diagnostic::error("missing-key", format!("policy `{key}` needs `custom`"))
                .at(balance.at.clone(), "nothing says what is added up");
            report.push(finding.hint("write custom = { connections = 1.0, load = 2.5 } beside it"));
        }
        (false, Given::Value(terms)) => {
            let finding = Diagnostic::warning("no-effect", format!("`custom` does nothing in policy `{key}`"))
                .at(terms.at.clone(), "`balance` is another");
            report.push(finding.hint("write balance = \"custom\" beside it"));
        }
        (true | false, Given::Wrong) | (false, Given::Absent) => {}
    }
    Vec::new()
}

fn prefer_with(
    key: &str,
    prefer: &At<RawPrefer>,
    tolerance: &Given<At<Tolerance>>,
    report: &mut Report,
) -> Option<Prefer> {
    let given = tolerance.value();
    let distance = |report: &mut Report| match given.map(|given| (given.value, given)) {
        None => Some(TOLERANCE_M_DEFAULT),
        Some((Tolerance::Meters(meters), _)) => Some(meters),
        Some((Tolerance::Time(_), given)) => {
            report.push(wrong_unit(key, given, "distance ranks here", "50km"));
            None
        }
    };
    match prefer.value {
        RawPrefer::Geo => Some(Prefer::Geo { tolerance_m: distance(report)? }),
        RawPrefer::ResponseTime => Some(Prefer::ResponseTime { tolerance_m: distance(report)? }),
        RawPrefer::Latency => match given.map(|given| (given.value, given)) {
            None => Some(Prefer::Latency { tolerance: TOLERANCE_TIME_DEFAULT }),
            Some((Tolerance::Time(tolerance), _)) => Some(Prefer::Latency { tolerance }),
            Some((Tolerance::Meters(_), given)) => {
                report.push(wrong_unit(key, given, "latency ranks here", "10ms"));
                None
            }
        },
        RawPrefer::Load | RawPrefer::Equal => {
            if let Some(given) = given {
                report.push(no_effect(key, "tolerance", given));
            }
            Some(if prefer.value == RawPrefer::Load { Prefer::Load } else { Prefer::Equal })
        }
    }
}

fn wrong_unit(key: &str, given: &At<Tolerance>, reason: &str, example: &str) -> Diagnostic {
    Diagnostic::error("bad-value", format!("the tolerance of policy `{key}` has the wrong unit"))
        .at(given.at.clone(), reason)
        .hint(format!("write e.g. \"{example}\""))
}

fn no_effect<T>(policy: &str, key: &str, given: &At<T>) -> Diagnostic {
    Diagnostic::warning("no-effect", format!("`{key}` does nothing in policy `{policy}`"))
        .at(given.at.clone(), "all regions are one tier here")
}
