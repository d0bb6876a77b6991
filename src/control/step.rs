//! What one step gathers on its way: who changed, and what happened.

use std::collections::BTreeMap;

use crate::base::ids::{PartId, RegionId, ServiceId};
use crate::base::limits::EVENTS_EACH_MAX;
use crate::base::moment::Moment;
use crate::model::Service;

use super::event::{Changed, Effects, Event, EventKind};

/// One step, at one moment.
pub(super) struct Step {
    pub(super) now: Moment,
    /// Parts of which anything that a table says may be another: they are to be judged anew.
    pub(super) stale: Vec<PartId>,
    /// Services whose endpoints are up or down, or have words, other than before: what follows is to be seen to.
    pub(super) dirty: Vec<ServiceId>,
    /// Services of which anything that is published changed.
    pub(super) changed: Vec<ServiceId>,
    /// The model is another.
    pub(super) all: bool,
    pub(super) retarget: bool,
    pub(super) refeed: bool,
    pub(super) save: bool,
    /// Regions are eligible for other services than before.
    pub(super) regions_moved: bool,
    events: Vec<Event>,
    /// By kind and region: where the first event stands, and how many there were.
    groups: BTreeMap<(EventKind, Option<RegionId>), Group>,
}

/// Events of one kind in one region.
#[derive(Default)]
struct Group {
    /// Where those that are told one by one stand.
    places: Vec<usize>,
    count: usize,
    name_count: usize,
}

impl Step {
    pub(super) const fn new(now: Moment) -> Self {
        Self {
            now,
            stale: Vec::new(),
            dirty: Vec::new(),
            changed: Vec::new(),
            all: false,
            retarget: false,
            refeed: false,
            save: false,
            regions_moved: false,
            events: Vec::new(),
            groups: BTreeMap::new(),
        }
    }

    /// The dirty services so far, each once, by id.
    pub(super) fn take_dirty(&mut self) -> Vec<ServiceId> {
        sorted(std::mem::take(&mut self.dirty))
    }

    /// The stale parts so far, each once, by id.
    pub(super) fn take_stale(&mut self) -> Vec<PartId> {
        sorted(std::mem::take(&mut self.stale))
    }

    /// Tells an event that stands for itself.
    pub(super) fn tell(&mut self, event: Event) {
        self.events.push(event);
    }

    /// Tells an event of which there may be very many: one of `name_count` names, made only if it will be shown.
    pub(super) fn tell_one_of(
        &mut self,
        kind: EventKind,
        region: Option<RegionId>,
        name_count: usize,
        make: impl FnOnce(Moment) -> Event,
    ) {
        let group = self.groups.entry((kind, region)).or_default();
        group.count += 1;
        group.name_count += name_count;
        if group.count <= EVENTS_EACH_MAX {
            group.places.push(self.events.len());
            self.events.push(make(self.now));
        }
    }

    /// What follows from the step.
    pub(super) fn finish(mut self) -> Effects {
        let mut dropped = vec![false; self.events.len()];
        for group in self.groups.values().filter(|group| group.count > EVENTS_EACH_MAX) {
            let names: Vec<String> =
                group.places.iter().flat_map(|&at| self.events.get(at)).flat_map(|event| event.names.clone()).collect();
            let [first, rest @ ..] = group.places.as_slice() else { continue };
            rest.iter().for_each(|&at| dropped[at] = true);
            let Some(event) = self.events.get_mut(*first) else { continue };
            (event.service, event.endpoint) = (None, None);
            (event.count, event.name_count) = (group.count, 0);
            event.names.clear();
            event.add_names(group.name_count, names.into_iter());
        }
        let mut place = dropped.iter();
        self.events.retain(|_| !place.next().copied().unwrap_or(false));
        self.changed = sorted(self.changed);
        let changed = match (self.all, self.changed.is_empty()) {
            (true, _) => Changed::All,
            (false, true) => Changed::None,
            (false, false) => Changed::Services(self.changed),
        };
        Effects { changed, events: self.events, retarget: self.retarget, refeed: self.refeed, save: self.save }
    }
}

/// Each once, in order.
pub(super) fn sorted<T: Ord>(mut items: Vec<T>) -> Vec<T> {
    // Nearly always a few ascending runs, which this sort merges.
    items.sort();
    items.dedup();
    items
}

/// An event about a service, or about a region of one, with the names of the service.
pub(super) fn about(at: Moment, kind: EventKind, cause: impl Into<String>, service: &Service) -> Event {
    let mut event = Event::new(at, kind, cause);
    event.service = Some(service.key.to_string());
    event.add_names(service.names.len(), service.names.iter().map(|name| name.name.to_string()));
    event
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn very_many_events_become_one() {
        let mut step = Step::new(Moment(7));
        let many = u32::try_from(EVENTS_EACH_MAX).unwrap() + 1;
        for n in 0..many {
            step.tell_one_of(EventKind::RegionLost, Some(RegionId(1)), 2, |at| {
                let mut event = Event::new(at, EventKind::RegionLost, "down");
                event.service = Some(format!("s{n}"));
                event.add_names(2, [format!("a{n}."), format!("b{n}.")].into_iter());
                event
            });
        }
        step.tell_one_of(EventKind::RegionLost, Some(RegionId(2)), 1, |at| Event::new(at, EventKind::RegionLost, "x"));
        step.changed = vec![ServiceId(3), ServiceId(1), ServiceId(3)];
        let effects = step.finish();
        assert_eq!(effects.changed, Changed::Services(vec![ServiceId(1), ServiceId(3)]));
        let [merged, other] = effects.events.as_slice() else { panic!("{:?}", effects.events) };
        assert_eq!((merged.count, merged.name_count, merged.names.len()), (17, 34, 16));
        assert_eq!((merged.service.as_ref(), other.cause.as_str(), other.count), (None, "x", 1));
    }
}
