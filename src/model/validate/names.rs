//! Who owns which name and type.

use std::collections::BTreeMap;

use crate::base::diagnostic::{Diagnostic, Report};
use crate::dns::{Name, RecordType};

use super::super::types::{Model, Service, ServiceName};

/// Notes every (name, type) that two services claim, and every CNAME that would not stand alone.
pub(super) fn check(model: &Model, report: &mut Report) {
    let mut owners: BTreeMap<&Name, Vec<(&Service, &ServiceName)>> = BTreeMap::new();
    for service in &model.services {
        for name in &service.names {
            let others = owners.entry(&name.name).or_default();
            for (other, there) in others.iter() {
                conflict(service, name, other, there, report);
            }
            others.push((service, name));
        }
    }
}

fn conflict(service: &Service, name: &ServiceName, other: &Service, there: &ServiceName, report: &mut Report) {
    let (a, b) = (service.claims(), other.claims());
    let shared: Vec<String> = a.iter().filter(|rtype| b.contains(rtype)).map(ToString::to_string).collect();
    let finding = if !shared.is_empty() {
        let types = shared.join(" and ");
        let message = format!("services `{}` and `{}` both own {types} at `{}`", other.key, service.key, name.name);
        let reason = format!("claimed by `{}`", service.key);
        Diagnostic::error("claimed-twice", message).at(name.at.clone(), reason)
    } else if a.contains(&RecordType::CNAME) || b.contains(&RecordType::CNAME) {
        let message = format!("`{}` has a CNAME of one service and records of another", name.name);
        let reason = format!("claimed by `{}`: a name with a CNAME has nothing else", service.key);
        Diagnostic::error("cname-beside-others", message).at(name.at.clone(), reason)
    } else {
        return;
    };
    report.push(finding.related(there.at.clone(), format!("and by `{}`", other.key)));
}
