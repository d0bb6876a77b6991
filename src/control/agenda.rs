//! When to look at which service again.

use std::collections::BTreeMap;

use crate::base::ids::ServiceId;
use crate::base::moment::Moment;

/// Services by the moment at which they are to be looked at. When a region comes back, a hundred thousand of them are
/// put on it for one moment; so what is taken off again stays in its list until its moment comes, and is only counted.
#[derive(Clone, Debug, Default)]
pub(super) struct Agenda {
    moments: BTreeMap<Moment, Entry>,
}

#[derive(Clone, Debug, Default)]
struct Entry {
    services: Vec<ServiceId>,
    /// How many of them are still meant.
    meant: usize,
}

impl Agenda {
    /// The first moment at which there is something to do.
    pub(super) fn first(&self) -> Option<Moment> {
        self.moments.first_key_value().map(|(at, _)| *at)
    }

    /// Puts a service on the agenda. The service itself has to know when it is on.
    pub(super) fn put(&mut self, at: Moment, service: ServiceId) {
        let entry = self.moments.entry(at).or_default();
        entry.services.push(service);
        entry.meant += 1;
    }

    /// Takes a service off that was put on for this moment.
    pub(super) fn take_off(&mut self, at: Moment) {
        if let Some(entry) = self.moments.get_mut(&at) {
            entry.meant = entry.meant.saturating_sub(1);
            if entry.meant == 0 {
                self.moments.remove(&at);
            }
        }
    }

    /// The services put on for the first moment, if that has come, by id; some may have been taken off since, or be
    /// there twice.
    pub(super) fn pop(&mut self, now: Moment) -> Option<(Moment, Vec<ServiceId>)> {
        let first = self.moments.first_entry().filter(|entry| *entry.key() <= now)?;
        let (at, Entry { mut services, .. }) = first.remove_entry();
        services.sort();
        Some((at, services))
    }

    pub(super) fn clear(&mut self) {
        self.moments.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_goes_with_the_last_that_is_meant() {
        let mut agenda = Agenda::default();
        for service in [7, 3, 5] {
            agenda.put(Moment(20), ServiceId(service));
        }
        agenda.put(Moment(10), ServiceId(3));
        assert_eq!(agenda.first(), Some(Moment(10)));
        agenda.take_off(Moment(10));
        assert_eq!(agenda.first(), Some(Moment(20)));
        agenda.take_off(Moment(20));
        assert_eq!(agenda.pop(Moment(19)), None);
        assert_eq!(agenda.pop(Moment(20)), Some((Moment(20), vec![ServiceId(3), ServiceId(5), ServiceId(7)])));
        assert_eq!((agenda.first(), agenda.pop(Moment(99))), (None, None));
    }
}
