//! States brought from one model to another, by text keys.

use crate::base::ids::{EndpointId, RegionId};
use crate::model::{Model, Service};

use super::states::States;

impl States {
    /// What may be expected of a model before it comes into force: what has the same key is in the state it is in now, and
    /// all else is up.
    #[must_use]
    pub fn carried(model: &Model, (old_model, old): (&Model, &Self)) -> Self {
        let mut states = Self::all_up(model);
        let new_region = |old: RegionId| model.region_by_key(&old_model.regions.get(old.index())?.key);
        let regions: Vec<Option<RegionId>> =
            model.regions.iter().map(|region| old_model.region_by_key(&region.key)).collect();
        for (id, service) in model.services() {
            let Some(old_id) = old_model.service_by_key(&service.key) else { continue };
            let Some(old_service) = old_model.services.get(old_id.index()) else { continue };
            let held = old.held.get(old_id.index()).copied().flatten().and_then(new_region);
            put(&mut states.held, id.index(), Some(held));
            put(&mut states.change_s, id.index(), old.change_s.get(old_id.index()).copied());
            for &(region, part) in old.ramp.of(old_id) {
                if let Some(region) = new_region(region) {
                    states.ramp.set(id, region, Some(part));
                }
            }
            for &(region, weight) in old.region_weight.of(old_id) {
                if let Some(region) = new_region(region) {
                    states.region_weight.set(id, region, Some(weight));
                }
            }
            for (endpoint, old_endpoint) in pairs((model, service), (old_model, old_service), &regions) {
                let (new, old_index) = (endpoint.index(), old_endpoint.index());
                put(&mut states.up, new, old.up.get(old_index).copied());
                put(&mut states.word, new, old.word.get(old_index).copied());
                put(&mut states.guarded, new, old.guarded.get(old_index).copied());
                put(&mut states.last_up, new, old.last_up.get(old_index).copied());
                put(&mut states.steady_s, new, old.steady_s.get(old_index).copied());
                put(&mut states.load_weight, new, old.load_weight.get(old_index).copied());
            }
        }
        states
    }
}

/// The endpoints of a service that have the same key in both models. `regions`: by region of the new one that of the old.
fn pairs(
    (model, service): (&Model, &Service),
    (old_model, old_service): (&Model, &Service),
    regions: &[Option<RegionId>],
) -> Vec<(EndpointId, EndpointId)> {
    let mut pairs = Vec::new();
    for part in &service.regions {
        let region = regions.get(part.region.index()).copied().flatten();
        let Some(old_part) = old_service.regions.iter().find(|old| Some(old.region) == region) else { continue };
        for id in part.endpoint_ids() {
            let key = model.endpoints.get(id.index()).map(|endpoint| &endpoint.key);
            let same = |old: &EndpointId| old_model.endpoints.get(old.index()).map(|endpoint| &endpoint.key) == key;
            pairs.extend(old_part.endpoint_ids().find(same).map(|old| (id, old)));
        }
    }
    pairs
}

/// Writes a value, if there is one and a place for it.
fn put<T>(values: &mut [T], index: usize, value: Option<T>) {
    if let (Some(place), Some(value)) = (values.get_mut(index), value) {
        *place = value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::diagnostic::Report;
    use crate::base::ids::ServiceId;
    use crate::model;
    use crate::table::Word;

    fn load(regions: &str, services: &str) -> Model {
        let mut text = String::from("[checks.c]\nicmp = {}\n");
        regions.chars().for_each(|region| text.push_str(&format!("[regions.{region}]\n")));
        for service in services.chars() {
            let order: Vec<String> = regions.chars().map(|region| format!("'{region}'")).collect();
            text.push_str(&format!(
                "[services.{service}]\nnames = ['{service}.example']\npolicy = 'failover'\ncheck = 'c'\norder = [{}]\n",
                order.join(", ")
            ));
            for region in regions.chars() {
                text.push_str(&format!("endpoints.{region} = ['192.0.2.{}']\n", u32::from(region)));
            }
        }
        let mut report = Report::new();
        model::read(&[("m".into(), text)], &mut report).unwrap_or_else(|| panic!("{}", report.render()))
    }

    #[test]
    fn what_has_the_same_key_keeps_its_state() {
        let (old_model, model) = (load("bc", "tu"), load("abc", "stu"));
        let mut old = States::all_up(&old_model);
        let down = old_model.endpoint_by_key("u/c/192.0.2.99").unwrap();
        (old.up[down.index()], old.word[down.index()], old.steady_s[down.index()]) = (false, Word::Drain, 7);
        // Region c is the second of the old model, and the third of the new one.
        (old.held[1], old.change_s[1]) = (Some(RegionId(1)), 9);
        old.ramp.set(ServiceId(0), RegionId(0), Some(25));
        old.region_weight.set(ServiceId(0), RegionId(1), Some(700));
        old.load_weight[down.index()] = 96;
        let states = States::carried(&model, (&old_model, &old));
        let mut expected = States::all_up(&model);
        let down = model.endpoint_by_key("u/c/192.0.2.99").unwrap();
        (expected.up[down.index()], expected.word[down.index()], expected.steady_s[down.index()]) =
            (false, Word::Drain, 7);
        (expected.held[2], expected.change_s[2]) = (Some(RegionId(2)), 9);
        expected.ramp.set(ServiceId(1), RegionId(1), Some(25));
        expected.region_weight.set(ServiceId(1), RegionId(2), Some(700));
        expected.load_weight[down.index()] = 96;
        assert_eq!(states, expected);
    }
}
