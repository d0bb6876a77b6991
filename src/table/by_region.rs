//! What is so of some regions of some services: of nearly none, as a rule.

use crate::base::ids::{RegionId, ServiceId};

/// Regions that are being reintroduced, with the part of their weight that counts, in 1/256, 1 to 255.
pub type Ramps = ByRegion<u8>;

/// What regions weigh beside each other by what is fed or measured, where anything is; the service's own weights come on
/// top.
pub type RegionWeights = ByRegion<u32>;

/// Values by service and region, as far as there are any.
#[derive(Clone, Debug)]
pub struct ByRegion<T> {
    /// By [`ServiceId`], as far as there is any; inside by [`RegionId`].
    of: Vec<Vec<(RegionId, T)>>,
}

impl<T> Default for ByRegion<T> {
    fn default() -> Self {
        Self { of: Vec::new() }
    }
}

impl<T: Copy + PartialEq> ByRegion<T> {
    /// The regions of a service that have a value, by id.
    #[inline]
    #[must_use]
    pub fn of(&self, service: ServiceId) -> &[(RegionId, T)] {
        self.of.get(service.index()).map_or(&[], Vec::as_slice)
    }

    /// The value of a region.
    #[must_use]
    pub fn get(&self, service: ServiceId, region: RegionId) -> Option<T> {
        self.of(service).iter().find(|(own, _)| *own == region).map(|(_, value)| *value)
    }

    /// Sets the value of a region, and says what it was.
    pub fn set(&mut self, service: ServiceId, region: RegionId, value: Option<T>) -> Option<T> {
        if value.is_some() {
            self.reach(service);
        }
        let own = self.of.get_mut(service.index())?;
        match (own.binary_search_by_key(&region, |(own, _)| *own), value) {
            (Ok(at), Some(value)) => own.get_mut(at).map(|(_, place)| std::mem::replace(place, value)),
            (Ok(at), None) => Some(own.remove(at).1),
            (Err(at), Some(value)) => {
                own.insert(at, (region, value));
                None
            }
            (Err(_), None) => None,
        }
    }

    /// Sets all values of a service, by region; true if they were others.
    pub fn put(&mut self, service: ServiceId, values: Vec<(RegionId, T)>) -> bool {
        if self.of(service) == values {
            return false;
        }
        self.reach(service);
        if let Some(own) = self.of.get_mut(service.index()) {
            *own = values;
        }
        true
    }

    /// Takes over what `other` says of a service.
    pub fn copy(&mut self, other: &Self, service: ServiceId) {
        self.put(service, other.of(service).to_vec());
    }

    /// Every value, by service and region.
    pub fn iter(&self) -> impl Iterator<Item = (ServiceId, RegionId, T)> {
        let all = (0..).map(ServiceId).zip(&self.of);
        all.flat_map(|(service, own)| own.iter().map(move |&(region, value)| (service, region, value)))
    }

    fn reach(&mut self, service: ServiceId) {
        if self.of.len() <= service.index() {
            self.of.resize_with(service.index() + 1, Vec::new);
        }
    }
}

impl<T: Copy + PartialEq> PartialEq for ByRegion<T> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl<T: Copy + Eq> Eq for ByRegion<T> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_is_there() {
        let (mut ramps, other, service) = (Ramps::default(), Ramps::default(), ServiceId(2));
        let mut weights = RegionWeights::default();
        assert!(weights.put(service, vec![(RegionId(3), 500)]));
        assert!(!weights.put(service, vec![(RegionId(3), 500)]) && !weights.put(ServiceId(9), Vec::new()));
        assert_eq!(weights.get(service, RegionId(3)), Some(500));
        assert!(weights.put(service, Vec::new()));
        assert_eq!(weights, RegionWeights::default());
        assert_eq!(ramps.set(service, RegionId(7), Some(50)), None);
        assert_eq!(ramps.set(service, RegionId(3), Some(20)), None);
        assert_eq!(ramps.set(service, RegionId(7), Some(60)), Some(50));
        assert_eq!(ramps.of(service), [(RegionId(3), 20), (RegionId(7), 60)]);
        assert_eq!(ramps.iter().collect::<Vec<_>>(), [(service, RegionId(3), 20), (service, RegionId(7), 60)]);
        assert_eq!((ramps.get(service, RegionId(7)), ramps.get(ServiceId(0), RegionId(7))), (Some(60), None));
        assert_eq!(ramps.set(service, RegionId(3), None), Some(20));
        assert_ne!(ramps, other);
        ramps.copy(&other, service);
        assert_eq!(ramps, other);
    }
}
