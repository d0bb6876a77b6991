//! What is known about endpoints, as a table is built from: health, and the words of operators.
//!
//! A script says it in text, for replay tests and for servers without probes:
//!
//! ```text
//! # what health checks found; everything else is up
//! STATE web/fra/192.0.2.10 down
//! REGION fra down                 every endpoint of the region
//! # what operators say: drain, down (force down), up (force up)
//! OVERRIDE fra drain              a region, SERVICE/REGION or SERVICE/REGION/ADDRESS
//! ```
//!
//! Of several `STATE` and `REGION` lines for one endpoint the last counts; of several `OVERRIDE` lines down beats
//! drain beats up.

use std::sync::Arc;

use crate::base::diagnostic::{Diagnostic, Location, Report};
use crate::base::ids::{EndpointId, RegionId};
use crate::base::suggest::nearest;
use crate::model::Model;

use super::by_region::{Ramps, RegionWeights};

/// What is known about everything that is steered, at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct States {
    /// By [`EndpointId`]: whether health checks say it is up, or the guard holds it up.
    pub up: Vec<bool>,
    /// By [`EndpointId`]: the strongest word that covers it.
    pub word: Vec<Word>,
    /// By [`EndpointId`]: it is up only because the guard disbelieves its failure.
    pub guarded: Vec<bool>,
    /// By [`EndpointId`]: it was up when its service last had an endpoint up.
    pub last_up: Vec<bool>,
    /// By [`EndpointId`]: seconds before which no health check can change `up`: probes left × cadence. [`STEADY`] where
    /// nothing is checked.
    pub steady_s: Vec<u32>,
    /// By [`crate::base::ids::ServiceId`]: seconds to the next change that only the clock brings (the end of an override, a failback, a step
    /// of a ramp); [`STEADY`] if none is due.
    pub change_s: Vec<u32>,
    /// By [`crate::base::ids::ServiceId`]: the region that an active-passive service keeps active while it is eligible.
    pub held: Vec<Option<RegionId>>,
    /// Regions that are being reintroduced.
    pub ramp: Ramps,
    /// By [`EndpointId`]: what its load makes of its fair share of its region, in 1/128; 0 where nothing is fed.
    pub load_weight: Vec<u16>,
    /// What regions weigh by their load or by the time their servers take.
    pub region_weight: RegionWeights,
}

/// Seconds to a change that will not come.
pub const STEADY: u32 = u32::MAX;

/// What an operator says about an endpoint, the weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Word {
    /// Nothing.
    Nothing,
    /// `force up`: it counts as up.
    Up,
    /// `drain`: not answered while another region is eligible.
    Drain,
    /// `force down`: never answered.
    Down,
}

impl States {
    /// Everything up, no words.
    #[must_use]
    pub fn all_up(model: &Model) -> Self {
        let (endpoints, services) = (model.endpoints.len(), model.services.len());
        Self {
            up: vec![true; endpoints],
            word: vec![Word::Nothing; endpoints],
            guarded: vec![false; endpoints],
            last_up: vec![true; endpoints],
            steady_s: vec![STEADY; endpoints],
            change_s: vec![STEADY; services],
            held: vec![None; services],
            ramp: Ramps::default(),
            load_weight: vec![0; endpoints],
            region_weight: RegionWeights::default(),
        }
    }

    /// What a script says; see the head of the module. Lines that are wrong are noted in `report` and skipped.
    #[must_use]
    pub fn from_script(model: &Model, path: &str, text: &str, report: &mut Report) -> Self {
        let mut states = Self::all_up(model);
        let path: Arc<str> = path.into();
        for (number, line) in (1..).zip(text.lines()) {
            let bare = line.split('#').next().unwrap_or_default();
            if let Err(mistake) = states.apply(model, bare) {
                let start = mistake.word.map_or(0, |word| offset(line, word));
                let end = mistake.word.map_or(bare.trim_end().len(), |word| start + word.len());
                let place = Location::in_line(&path, number, line.as_bytes(), start..end);
                let mut finding = Diagnostic::error("bad-state", mistake.message).at(place, mistake.reason);
                finding.hint = mistake.hint;
                report.push(finding);
            }
        }
        states
    }

    fn apply<'l>(&mut self, model: &Model, line: &'l str) -> Result<(), Mistake<'l>> {
        let line = line.trim();
        if line.is_empty() {
            return Ok(());
        }
        // The key of an endpoint without any address has spaces in it, so the target is all between the outer words.
        let words = line.split_once(char::is_whitespace).and_then(|(kind, rest)| {
            rest.trim_start().rsplit_once(char::is_whitespace).map(|(target, value)| (kind, target.trim_end(), value))
        });
        let Some((kind, target, value)) = words else {
            return Err(Mistake::new(None, "a line has three words", "e.g. `STATE web/fra/192.0.2.10 down`"));
        };
        let endpoints = |wanted: &[usize]| -> Result<Vec<EndpointId>, Mistake<'l>> {
            if wanted.contains(&target.split('/').count().min(3)) {
                covered(model, target)
            } else {
                Err(Mistake::new(Some(target), "this line takes another kind of target", "see the head of the script"))
            }
        };
        match kind {
            "STATE" | "REGION" => {
                let up = one_of(value, &[("up", true), ("down", false)])?;
                endpoints(if kind == "STATE" { &[3] } else { &[1] })?.iter().for_each(|id| self.up[id.index()] = up);
            }
            "OVERRIDE" => {
                let word = one_of(value, &[("up", Word::Up), ("drain", Word::Drain), ("down", Word::Down)])?;
                for id in endpoints(&[1, 2, 3])? {
                    let covered = &mut self.word[id.index()];
                    *covered = word.max(*covered);
                }
            }
            _ => return Err(Mistake::new(Some(kind), "no such kind of line", "STATE, REGION or OVERRIDE")),
        }
        Ok(())
    }
}

/// The endpoints that REGION, SERVICE/REGION or SERVICE/REGION/ADDRESS covers.
fn covered<'l>(model: &Model, target: &'l str) -> Result<Vec<EndpointId>, Mistake<'l>> {
    let unknown = |what: &str, word: &'l str, known: &mut dyn Iterator<Item = &str>| Mistake {
        hint: nearest(word, known).map(|known| format!("did you mean `{known}`?")),
        ..Mistake::new(Some(word), "unknown target", format!("no such {what}"))
    };
    let mut parts = target.splitn(3, '/');
    let (first, second, third) = (parts.next().unwrap_or_default(), parts.next(), parts.next());
    let region_key = second.unwrap_or(first);
    let mut regions = model.regions.iter().map(|region| region.key.as_ref());
    let region = model.region_by_key(region_key).ok_or_else(|| unknown("region", region_key, &mut regions))?;
    let all = || (0..).map(EndpointId).zip(&model.endpoints).filter(|(_, endpoint)| endpoint.region == region);
    if second.is_none() {
        return Ok(all().map(|(id, _)| id).collect());
    }
    let mut services = model.services.iter().map(|service| service.key.as_ref());
    let service = model.service_by_key(first).ok_or_else(|| unknown("service", first, &mut services))?;
    if third.is_none() {
        return Ok(all().filter(|(_, endpoint)| endpoint.service == service).map(|(id, _)| id).collect());
    }
    let mut keys = model.endpoints.iter().map(|endpoint| endpoint.key.as_ref());
    let id = model.endpoint_by_key(target).ok_or_else(|| unknown("endpoint", target, &mut keys))?;
    Ok(vec![id])
}

fn one_of<'l, T: Copy>(word: &'l str, choices: &[(&str, T)]) -> Result<T, Mistake<'l>> {
    let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
    let found = choices.iter().find(|(choice, _)| *choice == word).map(|(_, value)| *value);
    found.ok_or_else(|| Mistake::new(Some(word), "no such state", words.join(", ")))
}

/// What is wrong with a line.
struct Mistake<'l> {
    /// The word that is wrong; the whole line if none.
    word: Option<&'l str>,
    message: String,
    reason: String,
    hint: Option<String>,
}

impl<'l> Mistake<'l> {
    fn new(word: Option<&'l str>, message: &str, reason: impl Into<String>) -> Self {
        Self { word, message: message.into(), reason: reason.into(), hint: None }
    }
}

/// Where `word`, a part of `line`, starts in it.
fn offset(line: &str, word: &str) -> usize {
    (word.as_ptr() as usize).saturating_sub(line.as_ptr() as usize).min(line.len())
}
