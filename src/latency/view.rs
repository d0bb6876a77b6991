//! What is known of the ways, for people.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::base::moment::Moment;
use crate::geo::Estimate;

use super::publish::{Kept, by_distance};
use super::rows::expected;
use super::source::{Source, Sources};
use super::survey::{Site, Survey};

/// What is known of the ways, in all.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SurveyView {
    /// Networks of which something is known, and the most that are remembered.
    pub networks: usize,
    /// See `networks`.
    pub networks_max: usize,
    /// Pairs of a network and a region that were measured.
    pub ways: usize,
    /// Bytes that takes, about.
    pub bytes: usize,
    /// Networks that gave way to others since the start.
    pub evicted: u64,
    /// Networks that would change their best region, and may not yet.
    pub waiting: usize,
    /// Changes of the best region since the start.
    pub moved: u64,
    /// Networks whose best region is not the one that distance alone would choose.
    pub elsewhere: usize,
    /// By region, in the order of the model.
    pub regions: Vec<RegionCoverage>,
    /// The latency matrix: a row for each country, those of most networks first.
    pub matrix: Vec<CountryRow>,
    /// Networks that gain most by not going where distance alone would send them.
    pub gains: Vec<Gain>,
}

/// How well a region is known.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RegionCoverage {
    /// Its key.
    pub region: String,
    /// Networks whose way to it was measured.
    pub networks: usize,
    /// Round trips that count.
    pub samples: f64,
    /// Seconds since the last one; `None`: never.
    pub age_s: Option<u64>,
    /// Networks whose best region it is.
    pub best_of: usize,
    /// Networks by who measured, a word of [`Source`] each.
    pub sources: BTreeMap<String, usize>,
}

/// A row of the matrix.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CountryRow {
    /// An ISO 3166-1 code; empty: nobody knows.
    pub country: String,
    /// Its networks that were measured.
    pub networks: usize,
    /// Those of them whose best region is not the one that distance alone would choose.
    pub elsewhere: usize,
    /// By region, in the order of the model.
    pub ways: Vec<CellView>,
}

/// What is known of the ways from a country to a region.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CellView {
    /// The median over the country's networks of what is estimated, milliseconds; `None`: nothing is.
    pub ms: Option<f64>,
    /// The same of what distance alone lets expect.
    pub expected_ms: Option<f64>,
    /// Networks of the country whose way there was measured.
    pub networks: usize,
    /// Those whose best region it is.
    pub best_of: usize,
    /// Seconds since the last measurement; `None`: never.
    pub age_s: Option<u64>,
}

/// A network that gains by what was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gain {
    /// It.
    pub network: String,
    /// Its country, if anybody knows.
    pub country: String,
    /// The region that distance alone would choose, and what is estimated for the way there, milliseconds.
    pub nearest: String,
    /// See `nearest`.
    pub nearest_ms: f64,
    /// The region that is best, and what is estimated for the way there, milliseconds.
    pub best: String,
    /// See `best`.
    pub best_ms: f64,
    /// Round trips that count.
    pub samples: f64,
}

/// Networks told one by one.
const GAINS_MAX: usize = 20;

/// A country being gathered.
#[derive(Default)]
struct Country {
    networks: usize,
    elsewhere: usize,
    /// By region.
    ways: Vec<Ways>,
}

/// The ways from a country to a region, being gathered.
#[derive(Default)]
struct Ways {
    /// Microseconds.
    estimates: Vec<u32>,
    /// Microseconds.
    expected: Vec<u32>,
    /// Networks that were measured.
    measured: usize,
    /// Networks that it is best for.
    best_of: usize,
    last: Option<Moment>,
}

impl Survey {
    /// What is known of the ways, in all. A pass over all networks: for a look now and then.
    #[must_use]
    pub fn view(&self, now: Moment) -> SurveyView {
        let count = self.sites.len();
        let nothing =
            |site: &Site| (RegionCoverage { region: site.key.to_string(), ..RegionCoverage::default() }, None);
        let mut regions: Vec<(RegionCoverage, Option<Moment>)> = self.sites.iter().map(nothing).collect();
        let mut countries: BTreeMap<String, Country> = BTreeMap::new();
        let (mut elsewhere, mut gains) = (0, Vec::new());
        for (client, entry) in self.store.iter() {
            let kept = self.published.network(client);
            let code = entry.home.country.map_or_else(String::new, |code| String::from_utf8_lossy(&code).into_owned());
            let country = countries.entry(code.clone()).or_default();
            country.ways.resize_with(count, Default::default);
            country.networks += 1;
            for (region, cell) in &entry.cells {
                let at = usize::from(*region);
                let (Some((coverage, last)), Some(way)) = (regions.get_mut(at), country.ways.get_mut(at)) else {
                    continue;
                };
                coverage.networks += 1;
                coverage.samples += cell.samples(now, self.half_life_ms());
                *last = (*last).max(Some(cell.last()));
                count_sources(cell.sources(), &mut coverage.sources);
                way.measured += 1;
                way.last = way.last.max(Some(cell.last()));
            }
            let Some(kept) = kept else { continue };
            let estimates = self.estimates(kept);
            for (way, estimate) in country.ways.iter_mut().zip(&estimates) {
                way.estimates.push(estimate.us);
                way.expected.push(estimate.expected_us);
            }
            let Some(&best) = kept.order.first() else { continue };
            if let (Some((coverage, _)), Some(way)) =
                (regions.get_mut(usize::from(best)), country.ways.get_mut(usize::from(best)))
            {
                coverage.best_of += 1;
                way.best_of += 1;
            }
            let nearest = by_distance(&entry.home, &self.sites).first().copied().unwrap_or(best);
            if nearest != best {
                elsewhere += 1;
                country.elsewhere += 1;
                let samples = entry.cells.iter().map(|(_, cell)| cell.samples(now, self.half_life_ms())).sum();
                gains.extend(self.gain(client.to_string(), &code, (nearest, best), &estimates, samples));
            }
        }
        gains.sort_by(|a: &Gain, b: &Gain| (b.nearest_ms - b.best_ms).total_cmp(&(a.nearest_ms - a.best_ms)));
        gains.truncate(GAINS_MAX);
        let (networks, ways) = self.size();
        SurveyView {
            networks,
            networks_max: self.settings.networks,
            ways,
            bytes: self.bytes(),
            evicted: self.store.evicted(),
            waiting: self.published.waiting,
            moved: self.published.moved,
            elsewhere,
            regions: regions
                .into_iter()
                .map(|(coverage, last)| RegionCoverage {
                    samples: tenths(coverage.samples),
                    age_s: age_s(last, now),
                    ..coverage
                })
                .collect(),
            matrix: matrix(countries, now),
            gains,
        }
    }

    fn estimates(&self, kept: &Kept) -> Vec<Estimate> {
        let deviations = kept.row.deviations.iter().zip(&self.sites);
        deviations.map(|(deviation, site)| Estimate::new(expected(&kept.home, site), *deviation)).collect()
    }

    fn gain(
        &self,
        network: String,
        country: &str,
        (nearest, best): (u8, u8),
        estimates: &[Estimate],
        samples: f64,
    ) -> Option<Gain> {
        let of = |region: u8| Some((self.sites.get(usize::from(region))?, estimates.get(usize::from(region))?));
        let ((nearest, nearest_way), (best, best_way)) = (of(nearest)?, of(best)?);
        Some(Gain {
            network,
            country: country.to_owned(),
            nearest: nearest.key.to_string(),
            nearest_ms: milliseconds(nearest_way.us),
            best: best.key.to_string(),
            best_ms: milliseconds(best_way.us),
            samples: tenths(samples),
        })
    }
}

fn matrix(countries: BTreeMap<String, Country>, now: Moment) -> Vec<CountryRow> {
    let mut rows: Vec<CountryRow> = countries
        .into_iter()
        .map(|(country, Country { networks, elsewhere, ways })| {
            let ways = ways.into_iter().map(|Ways { estimates, expected, measured, best_of, last }| CellView {
                ms: median(estimates),
                expected_ms: median(expected),
                networks: measured,
                best_of,
                age_s: age_s(last, now),
            });
            CountryRow { country, networks, elsewhere, ways: ways.collect() }
        })
        .collect();
    rows.sort_by(|a, b| b.networks.cmp(&a.networks).then_with(|| a.country.cmp(&b.country)));
    rows
}

fn count_sources(sources: Sources, counts: &mut BTreeMap<String, usize>) {
    sources.iter().map(Source::as_str).for_each(|word| *counts.entry(word.to_owned()).or_default() += 1);
}

fn median(mut times: Vec<u32>) -> Option<f64> {
    times.sort_unstable();
    times.get(times.len() / 2).map(|&us| milliseconds(us))
}

fn age_s(last: Option<Moment>, now: Moment) -> Option<u64> {
    last.map(|last| now.since(last).as_secs())
}

fn milliseconds(us: u32) -> f64 {
    (f64::from(us) / 10.0).round() / 100.0
}

fn tenths(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}
