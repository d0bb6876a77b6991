//! What a reload would change: which clients would go elsewhere, and what regions would carry.
//!
//! What the running server answers comes in by country; what the files would answer is worked out by a settled world, so that
//! capacity counts on both sides. Of a country of which some clients change places with others of it, that is not seen.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write};

use crate::base::ids::ServiceId;

use super::outcome::Stage;
use super::play::settled_world;
use super::population::{self, users};
use super::profile::{Origin, Profile, Row};
use super::recorded::Counted;
use super::text::{number, percent};
use super::world::{Configuration, Start, World};

/// Regions with their shares.
pub type RegionShares = Vec<(String, f64)>;

/// By country (`unknown` is one too): the regions of its clients.
pub type Answers = BTreeMap<String, RegionShares>;

/// What a running server does.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observed {
    /// By service: what it answers.
    pub answers: BTreeMap<String, Answers>,
    /// By region: what it carries.
    pub carries: BTreeMap<String, Option<f64>>,
    /// Some clients are sent elsewhere because their own region is full. If none are, none are in what it is compared with.
    pub is_spilling: bool,
    /// It counts by whom it is asked.
    pub is_counting: bool,
}

/// What a reload would change.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Preview {
    /// By key.
    pub services: BTreeMap<String, ServiceChange>,
    /// What regions would carry.
    pub regions: Vec<RegionChange>,
    /// Where the demand is from.
    pub demand: String,
}

/// What would change of a service.
#[derive(Clone, Debug, PartialEq)]
pub enum ServiceChange {
    /// The files alone have it.
    New,
    /// The server alone has it.
    Gone,
    /// Both have it.
    Both(Change),
}

/// Clients that would go elsewhere.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Change {
    /// The part of all clients, by users of the internet.
    pub by_users: f64,
    /// The part of all countries, each of which counts as much.
    pub by_countries: f64,
    /// The part of what is asked now; `None` where the server does not count by whom.
    pub by_demand: Option<f64>,
    /// Countries that were compared.
    pub compared: usize,
    /// Countries of which some clients would, those with the most first.
    pub countries: Vec<CountryChange>,
}

/// What would change of a country.
#[derive(Clone, Debug, PartialEq)]
pub struct CountryChange {
    /// Its code, or `unknown`.
    pub country: String,
    /// The part of its clients.
    pub part: f64,
    /// Its users of the internet, in thousands.
    pub users: u32,
    /// Where they go.
    pub before: RegionShares,
    /// Where they would go.
    pub after: RegionShares,
}

/// What would change of a region. Loads are in the unit of its feed, else in answers a second.
#[derive(Clone, Debug, PartialEq)]
pub struct RegionChange {
    /// Its key.
    pub region: String,
    /// What it carries.
    pub now: Option<f64>,
    /// What it would; `None`: the files do not have it.
    pub projected: Option<f64>,
    /// What it should carry then.
    pub target: Option<f64>,
    /// What it could.
    pub max: Option<f64>,
}

/// Shares come in thousandths: less than this is rounding.
const LEAST: f64 = 0.003;
/// What is compared though nobody is known to ask for it, in answers a second; and what says something if it is asked.
const DEMAND_TOKEN: f64 = 1e-9;
const DEMAND_LEAST: f64 = 1e-3;

impl Preview {
    /// Compares what a server answers with what a configuration would.
    #[must_use]
    pub fn new(configuration: &Configuration, profile: &Profile, start: &Start, server: &Observed) -> Self {
        let Observed { answers: server, carries, is_spilling, is_counting } = server;
        let (world, _) = settled_world(configuration, profile, start);
        let fresh = World::new(configuration, profile, start, 0);
        let compared = if *is_spilling { &world } else { &fresh };
        let model = &configuration.model;
        let mut demands = if *is_counting { demands(profile) } else { BTreeMap::new() };
        let mut services: BTreeMap<String, ServiceChange> = BTreeMap::new();
        for (id, service) in model.services() {
            let change = match server.get(&*service.key) {
                Some(before) => {
                    let demands = demands.remove(&id).unwrap_or_default();
                    ServiceChange::Both(Change::new(before, &answers(compared, id), &demands))
                }
                None => ServiceChange::New,
            };
            services.insert(service.key.to_string(), change);
        }
        for key in server.keys() {
            services.entry(key.clone()).or_insert(ServiceChange::Gone);
        }
        let stage = world.stage(String::new());
        Self { services, regions: regions(&stage, carries), demand: profile.source.clone() }
    }
}

/// What is asked of each service, by country.
fn demands(profile: &Profile) -> BTreeMap<ServiceId, BTreeMap<String, f64>> {
    let mut demands: BTreeMap<ServiceId, BTreeMap<String, f64>> = BTreeMap::new();
    for Row { service, origin, demand } in &profile.rows {
        *demands.entry(*service).or_default().entry(origin.words()).or_default() += demand;
    }
    demands
}

/// What a world answers of a service, by country.
fn answers(world: &World, service: ServiceId) -> Answers {
    let mut sums: BTreeMap<String, (f64, BTreeMap<String, f64>)> = BTreeMap::new();
    // Groups are in the order of services.
    let first = world.groups.partition_point(|group| group.service < service);
    let groups = world.groups.iter().zip(&world.crowds).skip(first);
    for (group, crowd) in groups.take_while(|(group, _)| group.service == service) {
        for member in &group.members {
            let (all, regions) = sums.entry(member.origin.words()).or_default();
            *all += member.demand;
            for (region, share) in crowd.answer.iter() {
                *regions.entry(super::crowds::key(&world.steering.model, *region)).or_default() +=
                    member.demand * share;
            }
        }
    }
    let shares = |(all, regions): (f64, BTreeMap<String, f64>)| {
        let mut shares: RegionShares =
            regions.into_iter().map(|(key, sum)| (key, if all > 0.0 { sum / all } else { 0.0 })).collect();
        shares.sort_by(|a, b| b.1.total_cmp(&a.1));
        shares
    };
    sums.into_iter().map(|(origin, sums)| (origin, shares(sums))).collect()
}

fn regions(stage: &Stage, carries: &BTreeMap<String, Option<f64>>) -> Vec<RegionChange> {
    let mut regions: Vec<RegionChange> = stage
        .regions
        .iter()
        .map(|region| RegionChange {
            region: region.region.clone(),
            now: carries.get(&region.region).copied().flatten(),
            projected: Some(region.load),
            target: region.target,
            max: region.max,
        })
        .collect();
    for (key, now) in carries {
        if !regions.iter().any(|region| region.region == *key) {
            let (projected, target, max) = (None, None, None);
            regions.push(RegionChange { region: key.clone(), now: *now, projected, target, max });
        }
    }
    regions.sort_by(|a, b| a.region.cmp(&b.region));
    regions
}

impl Change {
    /// Compares countries that both sides have. `demands`: what is asked by country, if that is counted.
    #[must_use]
    pub fn new(before: &Answers, after: &Answers, demands: &BTreeMap<String, f64>) -> Self {
        let mut change = Self::default();
        let (mut users_all, mut users_moved, mut moved) = (0.0, 0.0, 0.0);
        let (mut asked, mut asked_moved) = (0.0, 0.0);
        for (country, after) in after {
            let Some(before) = before.get(country) else { continue };
            let known = <[u8; 2]>::try_from(country.as_bytes()).ok().and_then(users).unwrap_or(0);
            let part = differing(before, after);
            let demand = demands.get(country).copied().unwrap_or(0.0);
            asked += demand;
            asked_moved += part * demand;
            change.compared += 1;
            users_all += f64::from(known);
            if part > 0.0 {
                users_moved += part * f64::from(known);
                moved += part;
                let (country, before, after) = (country.clone(), before.clone(), after.clone());
                change.countries.push(CountryChange { country, part, users: known, before, after });
            }
        }
        let weight = |country: &CountryChange| country.part * f64::from(country.users);
        change.countries.sort_by(|a, b| weight(b).total_cmp(&weight(a)).then_with(|| a.country.cmp(&b.country)));
        change.by_users = if users_all > 0.0 { users_moved / users_all } else { 0.0 };
        #[expect(clippy::cast_precision_loss, reason = "some hundred countries")]
        let compared = change.compared.max(1) as f64;
        change.by_countries = moved / compared;
        change.by_demand = (asked >= DEMAND_LEAST).then(|| asked_moved / asked);
        change
    }
}

/// The part that goes elsewhere.
fn differing(before: &RegionShares, after: &RegionShares) -> f64 {
    let total = |shares: &RegionShares| shares.iter().map(|(_, share)| share).sum::<f64>();
    let of = |key: &str| after.iter().find(|(known, _)| known == key).map_or(0.0, |(_, share)| *share);
    let same: f64 = before.iter().map(|(key, share)| share.min(of(key))).sum();
    let part = total(before).max(total(after)) - same;
    if part < LEAST { 0.0 } else { part }
}

/// A preview for people. `rows`: countries that are shown of each service.
#[must_use]
pub fn text(preview: &Preview, rows: usize) -> String {
    let mut text = String::new();
    // Writing to a string can't fail.
    let _ = write_preview(preview, rows, &mut text);
    text
}

fn write_preview(preview: &Preview, rows: usize, out: &mut String) -> fmt::Result {
    for (key, change) in &preview.services {
        match change {
            ServiceChange::New => writeln!(out, "  {key:<14} is new")?,
            ServiceChange::Gone => writeln!(out, "  {key:<14} would be steered no longer")?,
            ServiceChange::Both(change) => write_change(key, change, rows, out)?,
        }
    }
    writeln!(out, "\n  region         load now  projected     target        max  of max")?;
    let maybe = |value: Option<f64>| value.map_or("-".to_owned(), number);
    for region in &preview.regions {
        let RegionChange { region: key, now, projected, target, max } = region;
        let filled = projected.zip(max.filter(|max| *max > 0.0)).map_or("-".into(), |(load, max)| percent(load / max));
        let gone = if projected.is_none() { "  gone" } else { "" };
        let (now, projected, target, max) = (maybe(*now), maybe(*projected), maybe(*target), maybe(*max));
        writeln!(out, "  {key:<13} {now:>9} {projected:>10} {target:>10} {max:>10}  {filled:>6}{gone}")?;
    }
    writeln!(out, "  projected for {}", preview.demand)
}

fn write_change(key: &str, change: &Change, rows: usize, out: &mut String) -> fmt::Result {
    let Change { by_users, by_countries, by_demand, compared, countries } = change;
    if countries.is_empty() {
        return writeln!(out, "  {key:<14} nobody goes elsewhere ({compared} countries compared)");
    }
    let asked = by_demand.map_or(String::new(), |part| format!("{} of what is asked now, ", percent(part)));
    writeln!(
        out,
        "  {key:<14} {asked}{} of clients go elsewhere by internet users, {} with all countries alike; {} of {compared} countries",
        percent(*by_users),
        percent(*by_countries),
        countries.len()
    )?;
    for country in countries.iter().take(rows) {
        let CountryChange { country, part, before, after, .. } = country;
        writeln!(out, "    {country:<8} {:>7}  {} → {}", percent(*part), shares(before), shares(after))?;
    }
    if let Some(rest) = countries.len().checked_sub(rows).filter(|rest| *rest > 0) {
        writeln!(out, "    and {rest} more")?;
    }
    Ok(())
}

fn shares(shares: &RegionShares) -> String {
    if shares.is_empty() {
        return "nowhere".into();
    }
    let parts: Vec<String> = shares.iter().map(|(key, share)| format!("{key} {}", percent(*share))).collect();
    parts.join(", ")
}

/// The profile that a preview projects loads for: what the server counts by whom, by country, else by population; with the
/// clients that nobody can locate and countries that nobody asks from beside it, so that these are compared as well.
#[must_use]
pub fn profile(configuration: &Configuration, total: Option<f64>, counted: &[Counted], factor: f64) -> Profile {
    let Configuration { model, atlases, .. } = configuration;
    let mut profile = if counted.is_empty() {
        Profile::population(model, total)
    } else {
        let mut recorded = Profile::recorded(model, atlases, counted, factor);
        for row in &mut recorded.rows {
            let Origin::Network(address, _) = row.origin else { continue };
            row.origin = atlases.places().find(address).place.country.map_or(Origin::Unknown, Origin::Country);
        }
        recorded
    };
    let asked: BTreeSet<(ServiceId, Origin)> = profile.rows.iter().map(|row| (row.service, row.origin)).collect();
    let countries = || population::all().map(|(code, _)| Origin::Country(code)).chain([Origin::Unknown]);
    let all = model.services().flat_map(|(service, _)| countries().map(move |origin| (service, origin)));
    let missing = all.filter(|row| !asked.contains(row));
    profile.rows.extend(missing.map(|(service, origin)| Row { service, origin, demand: DEMAND_TOKEN }));
    profile
}
