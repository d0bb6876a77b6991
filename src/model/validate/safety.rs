//! Safety rules: regions and services looked up, and what no rule can mean.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::base::diagnostic::{Diagnostic, Report};
use crate::base::ids::{RegionId, ServiceId};
use crate::base::limits::SAFETY_RULES_MAX;

use super::super::read::{At, Keyed, RawSafety};
use super::super::safety::{Gate, SafetyRule};
use super::super::types::Model;
use super::{Ids, twice};

/// Adds all rules to the model.
pub(super) fn validate(rules: Vec<Keyed<RawSafety>>, ids: &Ids, model: &mut Model, report: &mut Report) {
    if let Some(excess) = rules.get(SAFETY_RULES_MAX) {
        let message = format!("{} safety rules are defined", rules.len());
        let reason = format!("at most {SAFETY_RULES_MAX} are allowed");
        report.push(Diagnostic::error("too-many", message).at(excess.at.clone(), reason));
    }
    for keyed in rules.into_iter().take(SAFETY_RULES_MAX) {
        let rule = rule(keyed, ids, report);
        if !report.has_errors() {
            warn(&rule, model, report);
        }
        model.safety.push(rule);
    }
}

fn rule(keyed: Keyed<RawSafety>, ids: &Ids, report: &mut Report) -> SafetyRule {
    let Keyed { key, at, body: raw } = keyed;
    let regions = raw.regions.value().map_or(0, |names| set(names, ids, report));
    let names = raw.services.value().into_iter().flatten();
    let mut services: Vec<ServiceId> =
        names.filter_map(|name| ids.services.find(name, report)).map(ServiceId).collect();
    services.sort_unstable();
    services.dedup();
    if let (Some(names), Some(at_least)) = (raw.regions.value(), raw.at_least.value()) {
        check_count(at_least, names.len(), report);
    }
    let gate = match raw.only_while.value() {
        None => Gate::Open,
        Some(gate) => {
            check_count(&gate.at_least, gate.regions.len(), report);
            Gate::While { regions: set(&gate.regions, ids, report), at_least: gate.at_least.value }
        }
    };
    if raw.at_least.is_absent() && raw.only_while.is_absent() && raw.wait.is_absent() {
        let message = format!("safety rule `{key}` asks for nothing");
        let finding = Diagnostic::error("no-rule", message)
            .at(raw.at.clone(), "neither `at_least` nor `only_while` nor `wait`")
            .hint("write e.g. at_least = 1: so many of its regions stay on");
        report.push(finding);
    }
    let at_least = raw.at_least.value().map_or(0, |count| count.value);
    let wait = raw.wait.value().copied().unwrap_or(Duration::ZERO);
    SafetyRule { key, at, regions, services, at_least, gate, wait }
}

/// The set of these regions; one that stands twice is a mistake.
fn set(names: &[At<String>], ids: &Ids, report: &mut Report) -> u128 {
    let mut seen: BTreeMap<RegionId, &At<String>> = BTreeMap::new();
    for name in names {
        let Some(id) = ids.region(name, report) else { continue };
        match seen.get(&id) {
            Some(first) => report.push(twice(name, first)),
            None => drop(seen.insert(id, name)),
        }
    }
    seen.keys().fold(0, |set, id| set | 1 << id.index())
}

/// More regions than there are can never be on.
fn check_count(count: &At<usize>, regions: usize, report: &mut Report) {
    if count.value > regions {
        let message = format!("`at_least` is {}, of {regions} regions", count.value);
        let reason = "so many can never be on";
        report.push(Diagnostic::error("bad-value", message).at(count.at.clone(), reason));
    }
}

/// What the files themselves make of a rule: a region that is taken out by a file is a change too.
fn warn(rule: &SafetyRule, model: &Model, report: &mut Report) {
    let ids = || (0..=u8::MAX).map(RegionId).zip(&model.regions).filter(|(id, _)| rule.is_about(*id));
    let serves = |id: RegionId| {
        let parts = model.services().filter(|(service, _)| rule.services.is_empty() || rule.services.contains(service));
        let enabled = parts.map(|(_, service)| service).filter(|service| service.enabled);
        enabled.flat_map(|service| &service.regions).any(|part| part.region == id)
    };
    for (_, region) in ids().filter(|(id, _)| !serves(*id)) {
        let message =
            format!("region `{}` of safety rule `{}` has none of the services that count", region.key, rule.key);
        let reason = "nobody is sent there, so it counts for nothing";
        report.push(Diagnostic::warning("no-effect", message).at(rule.at.clone(), reason));
    }
    let on = ids().filter(|(id, region)| region.enabled && serves(*id)).count();
    if on < rule.at_least {
        let message = format!("safety rule `{}` is broken by the region files themselves", rule.key);
        let reason = format!("at least {} regions are to be on, and {on} can be", rule.at_least);
        report.push(Diagnostic::warning("broken-rule", message).at(rule.at.clone(), reason));
    }
}
