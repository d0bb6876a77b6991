//! Regions that are being reintroduced.

use crate::base::ids::{RegionId, ServiceId};

/// By service: the regions that are being reintroduced, and the part of their weight that counts, in 1/256, 1 to 255.
#[derive(Clone, Debug, Default)]
pub struct Ramps {
    /// By [`ServiceId`], as far as there is any; inside by [`RegionId`].
    of: Vec<Vec<(RegionId, u8)>>,
}

impl Ramps {
    /// The regions of a service that are being reintroduced, by id, with the part of their weight that counts.
    #[inline]
    #[must_use]
    pub fn of(&self, service: ServiceId) -> &[(RegionId, u8)] {
        self.of.get(service.index()).map_or(&[], Vec::as_slice)
    }

    /// The part of a region's weight that counts; `None`: all of it.
    #[must_use]
    pub fn get(&self, service: ServiceId, region: RegionId) -> Option<u8> {
        self.of(service).iter().find(|(own, _)| *own == region).map(|(_, part)| *part)
    }

    /// Sets the part of a region's weight that counts, and says what it was.
    pub fn set(&mut self, service: ServiceId, region: RegionId, part: Option<u8>) -> Option<u8> {
        if part.is_some() && self.of.len() <= service.index() {
            self.of.resize_with(service.index() + 1, Vec::new);
        }
        let own = self.of.get_mut(service.index())?;
        match (own.binary_search_by_key(&region, |(own, _)| *own), part) {
            (Ok(at), Some(part)) => own.get_mut(at).map(|(_, place)| std::mem::replace(place, part)),
            (Ok(at), None) => Some(own.remove(at).1),
            (Err(at), Some(part)) => {
                own.insert(at, (region, part));
                None
            }
            (Err(_), None) => None,
        }
    }

    /// Takes over what `other` says of a service.
    pub fn copy(&mut self, other: &Self, service: ServiceId) {
        let own: Vec<RegionId> = self.of(service).iter().map(|(region, _)| *region).collect();
        for region in own {
            self.set(service, region, None);
        }
        for &(region, part) in other.of(service) {
            self.set(service, region, Some(part));
        }
    }

    /// Everything that is being reintroduced, by service and region.
    pub fn iter(&self) -> impl Iterator<Item = (ServiceId, RegionId, u8)> {
        let all = (0..).map(ServiceId).zip(&self.of);
        all.flat_map(|(service, own)| own.iter().map(move |&(region, part)| (service, region, part)))
    }
}

impl PartialEq for Ramps {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Ramps {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_is_there() {
        let (mut ramps, other, service) = (Ramps::default(), Ramps::default(), ServiceId(2));
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
