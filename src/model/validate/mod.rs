//! Raw → valid: keys become ids, references are looked up, and what only shows when things stand together is checked.

mod feeds;
mod names;
mod policies;
mod safety;
mod services;
mod unfed;
mod warnings;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use crate::base::diagnostic::{Diagnostic, Location, Report};
use crate::base::ids::{CheckId, GeomapId, PolicyId, RegionId};
use crate::base::limits;
use crate::base::suggest::nearest;

use super::feeds::{FeedWay, LoadFeed};
use super::read::{At, Keyed, Raw, RawGeomap, RawRegion};
use super::types::{Capacity, Check, GeoMatch, Geomap, Model, Position, Ranking, Region, RegionCheck};

/// Reads region files, each a path and its text, into one model; `None` if anything is an error. All findings go to
/// `report`. The order of the files decides nothing but the order of findings.
pub fn read<T: AsRef<str>>(files: &[(Arc<str>, T)], report: &mut Report) -> Option<Model> {
    let mut findings = Report::new();
    let mut raw = Raw::default();
    for (path, text) in files {
        raw.add(path, text.as_ref(), &mut findings);
    }
    let model = validate(raw, &mut findings);
    let valid = !findings.has_errors();
    if valid {
        unfed::note(&model, &mut findings);
    }
    report.extend(findings);
    valid.then_some(model)
}

/// The model, with something harmless where an error stands.
fn validate(raw: Raw, report: &mut Report) -> Model {
    let regions = unique(raw.regions, "region", report);
    let checks = unique(raw.checks, "check", report);
    let policies = unique(raw.policies, "policy", report);
    let services = unique(raw.services, "service", report);
    let geomaps = unique(raw.geomaps, "geomap", report);
    let safety = unique(raw.safety, "safety rule", report);
    if let Some(excess) = regions.get(limits::REGIONS_MAX) {
        let message = format!("{} regions are defined", regions.len());
        report.push(
            Diagnostic::error("too-many", message)
                .at(excess.at.clone(), format!("at most {} are allowed", limits::REGIONS_MAX)),
        );
    }
    let ids = Ids {
        regions: Keys::new("region", "unknown-region", &regions),
        checks: Keys::new("check", "unknown-check", &checks),
        policies: Keys::new("policy", "unknown-policy", &policies).with(policies::BUILT_IN),
        services: Keys::new("service", "unknown-service", &services),
        geomaps: Keys::new("geomap", "unknown-geomap", &geomaps),
    };
    let checks: Vec<Check> = checks.into_iter().map(|keyed| keyed.body).collect();
    let unit = |(id, keyed): (u8, &Keyed<RawRegion>)| Some((RegionId(id), keyed.body.unit.clone()?));
    let units: Vec<(RegionId, Location)> = (0..).zip(&regions).filter_map(unit).collect();
    let regions = regions.into_iter().take(limits::REGIONS_MAX);
    let mut model = Model {
        geomaps: geomaps.into_iter().map(|keyed| geomap(keyed, &ids, report)).collect(),
        regions: regions.map(|keyed| region(keyed, &ids, &checks, report)).collect(),
        checks,
        ..Model::default()
    };
    let checked = policies::validate(policies, &ids, report);
    services::validate(services, &ids, &checked, &mut model, report);
    model.policies = checked.into_iter().map(policies::Checked::into_policy).collect();
    names::check(&model, report);
    safety::validate(safety, &ids, &mut model, report);
    feeds::check_units(&units, &model, report);
    warnings::check(&model, &ids, report);
    model.order_endpoints();
    model
}

/// The items in the order of their keys; of two with one key the first.
fn unique<T>(items: Vec<Keyed<T>>, what: &str, report: &mut Report) -> Vec<Keyed<T>> {
    let mut by_key: BTreeMap<Arc<str>, Keyed<T>> = BTreeMap::new();
    for item in items {
        if let Some(first) = by_key.get(&item.key) {
            let message = format!("{what} `{}` is defined twice", item.key);
            report.push(
                Diagnostic::error("defined-twice", message)
                    .at(item.at, "the second definition")
                    .related(first.at.clone(), "the first one"),
            );
        } else {
            by_key.insert(Arc::clone(&item.key), item);
        }
    }
    by_key.into_values().collect()
}

/// The keys of everything, by kind.
struct Ids {
    regions: Keys,
    checks: Keys,
    policies: Keys,
    services: Keys,
    geomaps: Keys,
}

impl Ids {
    fn region(&self, name: &At<String>, report: &mut Report) -> Option<RegionId> {
        u8::try_from(self.regions.find(name, report)?).ok().map(RegionId)
    }

    fn check(&self, name: &At<String>, report: &mut Report) -> Option<CheckId> {
        self.checks.find(name, report).map(CheckId)
    }

    fn policy(&self, name: &At<String>, report: &mut Report) -> Option<PolicyId> {
        self.policies.find(name, report).map(PolicyId)
    }

    fn geomap(&self, name: &At<String>, report: &mut Report) -> Option<GeomapId> {
        self.geomaps.find(name, report).map(GeomapId)
    }
}

/// The keys of one kind in order, and which of them anything refers to.
struct Keys {
    kind: &'static str,
    code: &'static str,
    ids: BTreeMap<Arc<str>, u32>,
    used: RefCell<Vec<bool>>,
}

impl Keys {
    fn new<T>(kind: &'static str, code: &'static str, items: &[Keyed<T>]) -> Self {
        Self { kind, code, ids: BTreeMap::new(), used: RefCell::default() }
            .numbered(items.iter().map(|item| Arc::clone(&item.key)))
    }

    /// The same with more keys.
    fn with(self, more: &[&str]) -> Self {
        let keys: Vec<Arc<str>> = self.ids.keys().cloned().chain(more.iter().map(|&key| key.into())).collect();
        self.numbered(keys.into_iter())
    }

    fn numbered(mut self, keys: impl Iterator<Item = Arc<str>>) -> Self {
        self.ids = keys.map(|key| (key, 0)).collect();
        (0..).zip(self.ids.values_mut()).for_each(|(number, id)| *id = number);
        self.used = RefCell::new(vec![false; self.ids.len()]);
        self
    }

    /// The number of `name`, which counts as used; an error with the nearest key if there is none.
    fn find(&self, name: &At<String>, report: &mut Report) -> Option<u32> {
        if let Some(&id) = self.ids.get(name.value.as_str()) {
            if let Some(used) = self.used.borrow_mut().get_mut(id as usize) {
                *used = true;
            }
            return Some(id);
        }
        let Self { kind, code, ids, .. } = self;
        let mut finding = Diagnostic::error(code, format!("{kind} `{}` is not defined", name.value.escape_debug()))
            .at(name.at.clone(), format!("no such {kind}"));
        finding.hint = match nearest(&name.value, ids.keys().map(AsRef::as_ref)) {
            Some(key) => Some(format!("did you mean `{key}`?")),
            None if ids.is_empty() => Some(format!("there is no {kind} at all; one is a table [{kind}s.NAME]")),
            None => {
                let some: Vec<&str> = ids.keys().take(HINT_KEYS_MAX).map(AsRef::as_ref).collect();
                let more = if ids.len() > HINT_KEYS_MAX { ", …" } else { "" };
                Some(format!("defined: {}{more}", some.join(", ")))
            }
        };
        report.push(finding);
        None
    }

    fn is_used(&self, id: usize) -> bool {
        self.used.borrow().get(id).copied().unwrap_or(true)
    }
}

/// More keys than this in a hint help nobody.
const HINT_KEYS_MAX: usize = 10;

fn region(keyed: Keyed<RawRegion>, ids: &Ids, checks: &[Check], report: &mut Report) -> Region {
    let Keyed { key, at, body: raw } = keyed;
    let check = region_check(&key, &raw, ids, report);
    let label = if raw.label.is_empty() { key.to_string() } else { raw.label.clone() };
    if let (Some(unit), Some(feed)) = (&raw.unit, raw.load.value()) {
        let message = format!("the capacity of region `{key}` has a unit beside a load feed");
        let finding = Diagnostic::error("bad-value", message)
            .at(unit.clone(), "its capacity is in the unit of its load feed")
            .related(feed.at.clone(), "the feed")
            .hint("leave `unit` out, or the feed");
        report.push(finding);
    }
    let load = region_feed(&key, &raw, check, checks, report);
    let capacity = match (&load, raw.capacity.value) {
        // An agent counts percent.
        (LoadFeed::Feed(feed), Capacity::Unlimited) if matches!(feed.way, FeedWay::Agent { .. }) => {
            Capacity::Limited { target: 80, max: 100 }
        }
        (_, capacity) => capacity,
    };
    Region { key, at, label, position: raw.position, capacity, bias: raw.bias, load, check, enabled: raw.enabled }
}

fn region_feed(key: &str, raw: &RawRegion, check: RegionCheck, checks: &[Check], report: &mut Report) -> LoadFeed {
    let ids: Vec<CheckId> = match check {
        RegionCheck::Nothing => Vec::new(),
        RegionCheck::Address(id, _) => vec![id],
    };
    let feed = raw.load.value().and_then(|feed| {
        let template = feeds::template(feed, &format!("region `{key}`"), &ids, checks, report)?;
        template.feed(None)
    });
    feed.map_or(LoadFeed::Nothing, |feed| LoadFeed::Feed(Arc::new(feed)))
}

fn region_check(key: &str, raw: &RawRegion, ids: &Ids, report: &mut Report) -> RegionCheck {
    match (raw.check.value(), raw.check_address.value()) {
        (Some(name), Some(address)) => {
            ids.check(name, report).map_or(RegionCheck::Nothing, |check| RegionCheck::Address(check, address.value))
        }
        (Some(name), None) => {
            ids.check(name, report);
            if raw.check_address.is_absent() {
                let finding =
                    Diagnostic::error("missing-address", format!("region `{key}` has a check and no address"))
                        .at(name.at.clone(), "nothing to check")
                        .hint("write check_address = \"192.0.2.1\" beside it");
                report.push(finding);
            }
            RegionCheck::Nothing
        }
        (None, Some(address)) if raw.check.is_absent() => {
            let message = format!("region `{key}` has a `check_address` and no check");
            let finding = Diagnostic::error("missing-check", message)
                .at(address.at.clone(), "nothing checks it")
                .hint("write check = \"…\" beside it");
            report.push(finding);
            RegionCheck::Nothing
        }
        _ => RegionCheck::Nothing,
    }
}

fn geomap(keyed: Keyed<RawGeomap>, ids: &Ids, report: &mut Report) -> Geomap {
    let Keyed { key, at, body } = keyed;
    let ranking = |tiers: Vec<Vec<At<String>>>, report: &mut Report| -> Ranking {
        let mut seen: BTreeMap<RegionId, At<String>> = BTreeMap::new();
        let mut valid = Vec::new();
        for tier in tiers {
            let mut regions = Vec::new();
            for name in tier {
                let Some(id) = ids.region(&name, report) else { continue };
                match seen.get(&id) {
                    Some(first) => report.push(twice(&name, first)),
                    None => {
                        regions.push(id);
                        seen.insert(id, name);
                    }
                }
            }
            valid.push(regions);
        }
        valid
    };
    let mut entries: BTreeMap<GeoMatch, (Location, Ranking)> = BTreeMap::new();
    for (matched, tiers) in body.entries {
        let ranking = ranking(tiers, report);
        match entries.entry(matched.value) {
            Entry::Vacant(vacant) => drop(vacant.insert((matched.at, ranking))),
            Entry::Occupied(first) => report.push(
                Diagnostic::error("duplicate-match", format!("geomap `{key}` has two entries for the same clients"))
                    .at(matched.at, "the second one")
                    .related(first.get().0.clone(), "the first one"),
            ),
        }
    }
    let entries = entries.into_iter().map(|(matched, (_, ranking))| (matched, ranking)).collect();
    Geomap { key, at, entries, default: ranking(body.default, report), fence: body.fence }
}

/// A region that stands twice in one list.
fn twice(second: &At<String>, first: &At<String>) -> Diagnostic {
    Diagnostic::error("duplicate-region", format!("region `{}` stands twice in one list", second.value))
        .at(second.at.clone(), "the second time")
        .related(first.at.clone(), "the first time")
}

/// True if a region says where it is.
fn is_placed(region: &Region) -> bool {
    region.position != Position::Unknown
}
