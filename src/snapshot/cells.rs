//! Where steered answers are counted: one row for each service and region, in it one cell for each reason.
//!
//! The layout follows from the model alone, so every thread counts by the same one; what is counted goes on under the
//! text keys when the next model brings another layout. The number of rows is bounded:
//!
//! ```text
//! rows needed                        a row is
//! services × regions ≤ the limit     a service in a region
//! policies × regions ≤ the limit     all services of a policy in a region, under the name `policy:NAME`
//! more                               everything in a region, under the name `all`
//! ```
//!
//! Each has one more row, without a region: for answers that no single region gave.

use std::sync::Arc;

use crate::base::ids::{RegionId, ServiceId};
use crate::base::limits::METRIC_SERIES_MAX;
use crate::model::Model;
use crate::policy::Reason;

/// Cells that count the scopes of answers (RFC 7871 §7.2.1), 0 to 32 bits and then 0 to 128.
pub const SCOPE_CELLS: usize = 33 + 129;
/// The first of those of IPv6.
const SCOPE_CELLS_V4: usize = 33;
/// Cells of one row.
const ROW_LEN: usize = Reason::ALL.len();

/// The layout of the cells of one model.
#[derive(Debug, Default)]
pub struct Cells {
    rows: Box<[Row]>,
    /// By [`ServiceId`]: the first of its rows.
    starts: Box<[u32]>,
    /// A row is a service's own: one for each of its parts. Otherwise one for each region there is.
    is_by_service: bool,
    regions: usize,
    limited: u128,
}

/// What the cells of one row count.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Row {
    /// The service's key, `policy:NAME` or `all`.
    pub service: Arc<str>,
    /// The region's key; empty where no single region answered.
    pub region: Arc<str>,
}

impl Row {
    fn of(service: &Arc<str>, region: &Arc<str>) -> Self {
        Self { service: Arc::clone(service), region: Arc::clone(region) }
    }
}

impl Cells {
    /// The layout for a model.
    #[must_use]
    pub fn new(model: &Model) -> Self {
        Self::bounded(model, METRIC_SERIES_MAX)
    }

    fn bounded(model: &Model, rows_max: usize) -> Self {
        let none: Arc<str> = "".into();
        let own = model.services.iter().map(|service| service.regions.len() + 1).sum::<usize>();
        if own <= rows_max {
            let mut rows = Vec::with_capacity(own);
            let mut starts = Vec::with_capacity(model.services.len());
            for service in &model.services {
                starts.push(number(rows.len()));
                let regions = service.regions.iter().filter_map(|part| model.regions.get(part.region.index()));
                let regions = regions.map(|region| &region.key).chain([&none]);
                rows.extend(regions.map(|region| Row::of(&service.key, region)));
            }
            return Self {
                rows: rows.into(),
                starts: starts.into(),
                is_by_service: true,
                regions: model.regions.len(),
                limited: model.limited_regions(),
            };
        }
        let width = model.regions.len() + 1;
        let is_by_policy = model.policies.len() * width <= rows_max;
        let names: Vec<Arc<str>> = if is_by_policy {
            model.policies.iter().map(|policy| format!("policy:{}", policy.key).into()).collect()
        } else {
            vec!["all".into()]
        };
        let regions = || model.regions.iter().map(|region| &region.key).chain([&none]);
        let rows = names.iter().flat_map(|name| regions().map(move |region| Row::of(name, region)));
        let start = |policy: usize| if is_by_policy { number(policy * width) } else { 0 };
        Self {
            rows: rows.collect(),
            starts: model.services.iter().map(|service| start(service.policy.index())).collect(),
            is_by_service: false,
            regions: model.regions.len(),
            limited: model.limited_regions(),
        }
    }

    /// The regions whose capacity is limited: demand is counted where there is any.
    #[must_use]
    pub const fn limited(&self) -> u128 {
        self.limited
    }

    /// How many cells there are, those of scopes included.
    #[must_use]
    pub const fn count(&self) -> usize {
        SCOPE_CELLS + self.rows.len() * ROW_LEN
    }

    /// The rows, in order.
    #[must_use]
    pub const fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The first cell of a part of a service, whose region it is; the part behind the last one has no region.
    pub(super) fn of_part(&self, service: ServiceId, part: usize, region: Option<RegionId>) -> u32 {
        let start = self.starts.get(service.index()).map_or(0, |&start| start as usize);
        let row = match region {
            _ if self.is_by_service => start + part,
            Some(region) => start + region.index(),
            None => start + self.regions,
        };
        number(SCOPE_CELLS + row * ROW_LEN)
    }

    /// The cell of an answer with this scope.
    #[inline]
    #[must_use]
    pub const fn of_scope(is_v6: bool, scope: u8) -> usize {
        scope as usize + if is_v6 { SCOPE_CELLS_V4 } else { 0 }
    }

    /// What all cells have counted, parted: scopes of IPv4, of IPv6, and row by row by reason.
    pub fn part(counts: &[u64]) -> (&[u64], &[u64], impl Iterator<Item = &[u64]>) {
        let (scopes, rows) = counts.split_at_checked(SCOPE_CELLS).unwrap_or((counts, &[]));
        let (v4, v6) = scopes.split_at_checked(SCOPE_CELLS_V4).unwrap_or((scopes, &[]));
        (v4, v6, rows.chunks_exact(ROW_LEN))
    }
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::diagnostic::Report;
    use crate::model;

    const MODEL: &str = r#"
        [regions.fra]
        [regions.iad]
        [services.a]
        names = ["a.example."]
        policy = "weighted"
        endpoints = { iad = ["192.0.2.1"] }
        [services.b]
        names = ["b.example."]
        policy = "all"
        endpoints = { fra = ["192.0.2.2"], iad = ["192.0.2.3"] }
    "#;

    fn model() -> Model {
        let mut report = Report::new();
        let model = model::read(&[("regions.toml".into(), MODEL)], &mut report);
        assert!(!report.has_errors(), "{}", report.render());
        model.unwrap()
    }

    /// The name of the row of a service's part, for all parts and the answers of no region.
    fn names(cells: &Cells, model: &Model) -> Vec<String> {
        let mut names = Vec::new();
        for (id, service) in model.services() {
            let parts = service.regions.iter().map(|part| Some(part.region)).chain([None]);
            for (part, region) in parts.enumerate() {
                let first = cells.of_part(id, part, region) as usize;
                let row = &cells.rows()[(first - SCOPE_CELLS) / ROW_LEN];
                assert_eq!((first - SCOPE_CELLS) % ROW_LEN, 0);
                assert!(first + ROW_LEN <= cells.count());
                names.push(format!("{}/{}", row.service, row.region));
            }
        }
        names
    }

    #[test]
    fn rows_are_as_fine_as_there_is_room() {
        let model = model();
        let by_policy = ["policy:weighted/iad", "policy:weighted/", "policy:all/fra", "policy:all/iad", "policy:all/"];
        let policies = 3 * model.policies.len();
        // With more services than this the finest layout would be the longest.
        assert!(policies > 5);
        for (rows_max, len, expected) in
            [(5, 5, ["a/iad", "a/", "b/fra", "b/iad", "b/"]), (4, 3, ["all/iad", "all/", "all/fra", "all/iad", "all/"])]
        {
            let cells = Cells::bounded(&model, rows_max);
            assert_eq!((cells.rows().len(), names(&cells, &model)), (len, expected.map(String::from).to_vec()));
        }
        let mut many = model;
        let (twin, end) = (many.services[1].clone(), many.services.len() + policies);
        many.services.resize(end, twin);
        let cells = Cells::bounded(&many, policies);
        assert_eq!((cells.rows().len(), &names(&cells, &many)[..5]), (policies, &by_policy.map(String::from)[..]));
    }

    #[test]
    fn counts_are_parted_as_they_are_laid_out() {
        let cells = Cells::new(&model());
        let mut counts = vec![0; cells.count()];
        for (cell, count) in [
            (Cells::of_scope(false, 0), 1),
            (Cells::of_scope(false, 32), 2),
            (Cells::of_scope(true, 0), 3),
            (Cells::of_scope(true, 128), 4),
            (cells.of_part(ServiceId(1), 1, Some(RegionId(1))) as usize + Reason::Failover.index(), 5),
        ] {
            assert_eq!(counts[cell], 0);
            counts[cell] = count;
        }
        let (v4, v6, rows) = Cells::part(&counts);
        assert_eq!((v4.len(), v4[0], v4[32]), (33, 1, 2));
        assert_eq!((v6.len(), v6[0], v6[128]), (129, 3, 4));
        let rows: Vec<&[u64]> = rows.collect();
        assert_eq!((rows.len(), rows[3][Reason::Failover.index()]), (5, 5));
    }
}
