//! What a planner remembers beyond the end of the process: else it would take those who were sent elsewhere for clients at
//! home, and how much they are worth for that of half of them, and send all of them back.

use serde::{Deserialize, Serialize};

use crate::base::moment::Moment;

use super::caches::Trail;
use super::planner::{Known, Planner};
use super::scales::{Scale, TEMPERATE, heated};
use super::shares::Shares;

/// What a planner knows, by keys: of sites what an answer is worth, and of units that are not at home where they are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    sites: Vec<SiteMemory>,
    units: Vec<UnitMemory>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct SiteMemory {
    key: u64,
    scale: u64,
    foreign: u64,
    heat: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct UnitMemory {
    key: u64,
    heat: u32,
    /// By key of the site.
    shares: Vec<(u64, u16)>,
}

impl Planner {
    /// What is worth remembering.
    #[must_use]
    pub fn memory(&self) -> Memory {
        let sites = self.roll.keys.iter().zip(&self.scales).zip(&self.heats);
        let sites = sites.map(|((&key, scale), &heat)| {
            let (scale, foreign) = (scale.known().unwrap_or(0), scale.foreign);
            SiteMemory { key, scale, foreign, heat }
        });
        let away = self.trails.iter().filter(|(_, known)| !known.at_home);
        let mut units: Vec<UnitMemory> = away.map(|(&key, known)| self.unit_memory(key, known)).collect();
        units.sort_unstable_by_key(|unit| unit.key);
        Memory { sites: sites.collect(), units }
    }

    /// A planner that goes on from there.
    #[must_use]
    pub fn remembering(memory: &Memory, now: Moment) -> Self {
        let mut planner = Self::new();
        let mut sites = memory.sites.clone();
        sites.sort_unstable_by_key(|site| site.key);
        sites.dedup_by_key(|site| site.key);
        sites.truncate(crate::base::limits::REGIONS_MAX);
        planner.roll.keys = sites.iter().map(|site| site.key).collect();
        planner.scales = sites.iter().map(|site| Scale::remembered(site.scale, site.foreign)).collect();
        planner.heats = sites.iter().map(|site| site.heat).collect();
        for unit in &memory.units {
            let number = |key: &u64| planner.roll.keys.binary_search(key).ok().and_then(|at| u8::try_from(at).ok());
            let known = unit.shares.iter().filter_map(|(key, share)| Some((number(key)?, *share)));
            let mut shares: Shares = known.filter(|&(_, share)| share > 0).collect();
            shares.sort_unstable_by_key(|&(site, _)| site);
            shares.dedup_by_key(|&mut (site, _)| site);
            let sum: u32 = shares.iter().map(|&(_, share)| u32::from(share)).sum();
            if sum <= u32::from(super::WHOLE) {
                let trail = Trail::new(shares, heated(unit.heat, TEMPERATE.into()));
                planner.trails.insert(unit.key, Known { trail, at_home: false, seen: now });
            }
        }
        planner
    }

    fn unit_memory(&self, key: u64, known: &Known) -> UnitMemory {
        let place = |site: u8| self.roll.keys.get(usize::from(site)).copied();
        let shares = known.trail.current().iter().filter_map(|&(site, share)| Some((place(site)?, share)));
        UnitMemory { key, heat: known.trail.heat, shares: shares.collect() }
    }
}
