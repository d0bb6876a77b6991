//! The order of endpoints: region by region, in each service by service.
//!
//! What happens at once happens to a region: all its endpoints fail, come back or are drained together. Whatever is
//! kept by endpoint then lies in one piece, and a lost region of a hundred thousand services costs one pass through it.

use super::types::{Endpoint, Model};

impl Model {
    /// Brings endpoints into their order, which every model that is served has.
    pub fn order_endpoints(&mut self) {
        let mut spans: Vec<(u8, usize, usize)> = Vec::new();
        for (service, regions) in self.services.iter().map(|service| &service.regions).enumerate() {
            spans.extend(regions.iter().enumerate().map(|(at, part)| (part.region.0, service, at)));
        }
        // Equal keys do not occur: a service stands once in a region.
        spans.sort_unstable();
        let mut endpoints: Vec<Option<Endpoint>> = std::mem::take(&mut self.endpoints).into_iter().map(Some).collect();
        let mut ordered = Vec::with_capacity(endpoints.len());
        for (_, service, at) in spans {
            let Some(part) = self.services.get_mut(service).and_then(|service| service.regions.get_mut(at)) else {
                continue;
            };
            let start = u32::try_from(ordered.len()).unwrap_or(u32::MAX);
            ordered.extend(part.endpoints.clone().filter_map(|index| endpoints.get_mut(index as usize)?.take()));
            part.endpoints = start..u32::try_from(ordered.len()).unwrap_or(u32::MAX);
        }
        self.endpoints = ordered;
    }
}

#[cfg(test)]
mod tests {
    use crate::base::diagnostic::Report;

    #[test]
    fn endpoints_stand_region_by_region() {
        let text = "[regions.a]\n[regions.b]\n\
            [services.x]\nnames = [\"x.example.com\"]\npolicy = \"weighted\"\n\
            endpoints = { b = [\"192.0.2.2\", \"192.0.2.1\"], a = [\"192.0.2.3\"] }\n\
            [services.y]\nnames = [\"y.example.com\"]\npolicy = \"weighted\"\n\
            endpoints = { a = [\"192.0.2.4\"], b = [\"192.0.2.5\"] }\n";
        let model = crate::model::read(&[("r.toml".into(), text)], &mut Report::new()).unwrap();
        let keys: Vec<&str> = model.endpoints.iter().map(|endpoint| endpoint.key.as_ref()).collect();
        assert_eq!(keys, ["x/a/192.0.2.3", "y/a/192.0.2.4", "x/b/192.0.2.2", "x/b/192.0.2.1", "y/b/192.0.2.5"]);
        for key in keys {
            let id = model.endpoint_by_key(key).unwrap();
            assert_eq!(model.endpoints[id.index()].key.as_ref(), key);
        }
    }
}
