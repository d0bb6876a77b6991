//! The demand that the lanes have counted, since it was last asked for.

use std::collections::HashMap;
use std::sync::Arc;

use crate::answer::{Counts, Demanded};
use crate::base::ids::ServiceId;
use crate::control::Demand;
use crate::geo::ClassId;
use crate::snapshot::Cells;

/// Demand by layouts of cells, which are of one model and its atlases.
#[derive(Default)]
pub(super) struct Demands {
    lanes: Vec<Seen>,
    fresh: Vec<Fresh>,
}

type Rows = HashMap<(ServiceId, ClassId), u64>;

/// A lane's demand, as it was when it was read last.
struct Seen {
    counts: Arc<Counts>,
    rows: Rows,
    others: u64,
}

/// What came of one layout since it was asked for.
struct Fresh {
    cells: Arc<Cells>,
    rows: Rows,
    others: u64,
}

impl Demands {
    /// Takes over what all lanes have counted, those included that are over.
    pub(super) fn take(&mut self, lanes: &[Arc<Counts>]) {
        for counts in lanes.iter().filter(|counts| counts.cells().limited() != 0) {
            self.take_lane(counts);
        }
        self.lanes.retain(|seen| lanes.iter().any(|counts| Arc::ptr_eq(counts, &seen.counts)));
        self.fresh.retain(|fresh| lanes.iter().any(|counts| Arc::ptr_eq(counts.cells(), &fresh.cells)));
    }

    fn take_lane(&mut self, counts: &Arc<Counts>) {
        let lane = self.lanes.iter().position(|seen| Arc::ptr_eq(&seen.counts, counts)).unwrap_or_else(|| {
            self.lanes.push(Seen { counts: Arc::clone(counts), rows: Rows::new(), others: 0 });
            self.lanes.len() - 1
        });
        let fresh =
            self.fresh.iter().position(|fresh| Arc::ptr_eq(&fresh.cells, counts.cells())).unwrap_or_else(|| {
                self.fresh.push(Fresh { cells: Arc::clone(counts.cells()), rows: Rows::new(), others: 0 });
                self.fresh.len() - 1
            });
        let (Some(seen), Some(fresh)) = (self.lanes.get_mut(lane), self.fresh.get_mut(fresh)) else { return };
        for Demanded { service, class, seconds } in counts.demand().read() {
            let before = seen.rows.insert((service, class), seconds).unwrap_or(0);
            if seconds != before {
                *fresh.rows.entry((service, class)).or_default() += seconds.wrapping_sub(before);
            }
        }
        let others = counts.demand().others();
        fresh.others += others.wrapping_sub(std::mem::replace(&mut seen.others, others));
    }

    /// What came of a layout since it was asked for last.
    pub(super) fn since_last(&mut self, cells: &Arc<Cells>) -> Demand {
        let Some(fresh) = self.fresh.iter_mut().find(|fresh| Arc::ptr_eq(&fresh.cells, cells)) else {
            return Demand::default();
        };
        let rows = std::mem::take(&mut fresh.rows).into_iter();
        let mut rows: Vec<Demanded> =
            rows.map(|((service, class), seconds)| Demanded { service, class, seconds }).collect();
        rows.sort_unstable();
        Demand { rows, others: std::mem::take(&mut fresh.others) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::diagnostic::Report;
    use crate::model;
    use crate::snapshot::Steering;
    use crate::table::States;

    #[test]
    fn demand_is_what_came_since_the_last_time() {
        let text = "[regions.fra]\ncapacity = { max = 1 }\n[services.a]\nnames = ['a.example.']\npolicy = 'weighted'\n\
                    endpoints = { fra = ['192.0.2.1'] }\n";
        let model = Arc::new(model::read(&[("regions.toml".into(), text)], &mut Report::new()).unwrap());
        let steering = Steering::new(Arc::clone(&model), &States::all_up(&model), 1);
        let lanes: Vec<Arc<Counts>> = (0..2).map(|_| Arc::new(Counts::new(steering.cells()))).collect();
        let mut demands = Demands::default();
        let add = |lane: usize, class, ttl| lanes[lane].demand().add(ServiceId(0), ClassId(class), ttl);
        let told = |demands: &mut Demands| {
            demands.take(&lanes);
            let Demand { rows, others } = demands.since_last(steering.cells());
            (rows.iter().map(|row| (row.class.0, row.seconds)).collect::<Vec<_>>(), others)
        };
        add(0, 1, 30);
        add(1, 1, 20);
        add(1, 2, 5);
        assert_eq!(told(&mut demands), (vec![(1, 50), (2, 5)], 0));
        assert_eq!(told(&mut demands), (vec![], 0));
        add(0, 2, 7);
        demands.take(&lanes);
        add(0, 2, 1);
        assert_eq!(told(&mut demands), (vec![(2, 8)], 0));
        // Lanes that count by another layout are forgotten, and what they counted with them.
        demands.take(&[]);
        assert_eq!(demands.since_last(steering.cells()), Demand::default());
    }
}
