//! What the capacity plan says: shares of classes of clients that are not what their regions' ranks and weights make them.

use std::collections::HashMap;
use std::sync::Arc;

use crate::base::hash::steering_hash;
use crate::base::ids::{RegionId, ServiceId};
use crate::geo::ClassId;

/// By service: what the plan says of it, if anything.
#[derive(Clone, Debug, Default)]
pub struct Plans {
    /// By [`ServiceId`], as far as there is any.
    of: Vec<Option<Arc<Planned>>>,
}

/// What the plan says of the services that are in one state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    id: u64,
    rows: Box<[PlannedClass]>,
}

/// The shares of a class of clients, whatever they add up to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PlannedClass {
    /// The class, of the atlas of the services.
    pub class: ClassId,
    /// By region.
    pub shares: Box<[(RegionId, u16)]>,
}

impl Planned {
    /// What is said of classes; `None` if nothing is. Classes with equal shares count as they come: each once.
    #[must_use]
    pub fn new(mut rows: Vec<PlannedClass>) -> Option<Self> {
        rows.retain(|row| !row.shares.is_empty());
        rows.sort_unstable();
        rows.dedup_by_key(|row| row.class);
        if rows.is_empty() {
            return None;
        }
        let mut bytes = Vec::new();
        for row in &rows {
            bytes.extend(row.class.0.to_be_bytes());
            bytes.push(u8::try_from(row.shares.len()).unwrap_or(u8::MAX));
            for (region, share) in &row.shares {
                bytes.push(region.0);
                bytes.extend(share.to_be_bytes());
            }
        }
        // 0 stands for no plan.
        let id = steering_hash(&[&bytes]).max(1);
        Some(Self { id, rows: rows.into() })
    }

    /// The same for plans that say the same.
    #[must_use]
    pub const fn id(&self) -> u64 {
        self.id
    }

    /// What is said, by class.
    #[must_use]
    pub const fn rows(&self) -> &[PlannedClass] {
        &self.rows
    }
}

impl Plans {
    /// What the plan says of a service.
    #[inline]
    #[must_use]
    pub fn of(&self, service: ServiceId) -> Option<&Arc<Planned>> {
        self.of.get(service.index())?.as_ref()
    }

    /// The [`Planned::id`] of what the plan says of a service; 0 if nothing.
    #[inline]
    #[must_use]
    pub fn id_of(&self, service: ServiceId) -> u64 {
        self.of(service).map_or(0, |planned| planned.id())
    }

    /// Classes have other numbers: `before` tells, of the services of which that is so, by new class the old one.
    pub fn renumber<'c>(&mut self, before: impl Fn(ServiceId) -> Option<&'c [Option<ClassId>]>) {
        // Services that decide alike share what is said of them, before and after.
        let mut kept = Vec::new();
        let mut known: HashMap<(*const Planned, *const Option<ClassId>), Option<Arc<Planned>>> = HashMap::new();
        for (id, slot) in (0..).map(ServiceId).zip(&mut self.of) {
            let (Some(planned), Some(before)) = (slot.as_ref(), before(id)) else { continue };
            let key = (Arc::as_ptr(planned), before.as_ptr());
            if let Some(renumbered) = known.get(&key) {
                *slot = renumbered.clone();
                continue;
            }
            let row = |(class, old): (u32, &Option<ClassId>)| {
                let at = planned.rows.binary_search_by_key(&(*old)?, |row| row.class).ok()?;
                Some(PlannedClass { class: ClassId(class), shares: planned.rows.get(at)?.shares.clone() })
            };
            let renumbered = Planned::new((0..).zip(before).filter_map(row).collect()).map(Arc::new);
            // The old one stays alive until the end: nobody else gets its address.
            known.insert(key, renumbered.clone());
            kept.extend(std::mem::replace(slot, renumbered));
        }
    }

    /// Sets what the plan says of a service; true if it was something else.
    pub fn set(&mut self, service: ServiceId, planned: Option<Arc<Planned>>) -> bool {
        if self.id_of(service) == planned.as_ref().map_or(0, |planned| planned.id()) {
            return false;
        }
        if self.of.len() <= service.index() {
            self.of.resize(service.index() + 1, None);
        }
        if let Some(place) = self.of.get_mut(service.index()) {
            *place = planned;
        }
        true
    }
}

/// Those that say the same are equal.
impl PartialEq for Plans {
    fn eq(&self, other: &Self) -> bool {
        let services = self.of.len().max(other.of.len());
        (0..).map(ServiceId).take(services).all(|id| self.id_of(id) == other.id_of(id))
    }
}

impl Eq for Plans {}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(rows: &[(u32, &[(u8, u16)])]) -> Option<Planned> {
        let row = |&(class, shares): &(u32, &[(u8, u16)])| PlannedClass {
            class: ClassId(class),
            shares: shares.iter().map(|&(region, share)| (RegionId(region), share)).collect(),
        };
        Planned::new(rows.iter().map(row).collect())
    }

    #[test]
    fn plans_that_say_the_same_are_the_same() {
        let one = planned(&[(2, &[(0, 7)]), (1, &[(0, 1), (3, 2)])]).unwrap();
        assert_eq!(planned(&[(1, &[(0, 1), (3, 2)]), (9, &[]), (2, &[(0, 7)])]).unwrap(), one);
        assert_ne!(planned(&[(1, &[(0, 1), (3, 2)]), (2, &[(0, 8)])]).unwrap().id(), one.id());
        assert_eq!(planned(&[(9, &[])]), None);
    }

    #[test]
    fn what_is_set_is_there() {
        let (mut plans, service) = (Plans::default(), ServiceId(2));
        let one = planned(&[(0, &[(0, 1)])]).map(Arc::new);
        assert!(plans.set(service, one.clone()) && !plans.set(service, one.clone()));
        assert_eq!(plans.of(service), one.as_ref());
        assert_eq!((plans.id_of(ServiceId(0)), plans.id_of(ServiceId(9))), (0, 0));
        assert_ne!(plans, Plans::default());
        assert!(plans.set(service, None));
        assert_eq!(plans, Plans::default());
    }
}
