//! Zones and model together: what happens when one of them does not fit the other.

use std::collections::HashMap;
use std::sync::Arc;

use crate::base::diagnostic::Report;
use crate::dns::Name;
use crate::run::regions::NextModel;
use crate::snapshot::link;
use crate::zone::ZoneSet;

use super::{Held, Loader, last_good};

impl Loader {
    /// Puts the steered names into the zones. A model that does not fit is refused as a whole, if there is one before
    /// it; else a zone that does not fit the model in force is: its version before stays. Returns such zones too.
    /// `None`: there is nothing to stay with.
    pub(super) fn link(
        &mut self,
        next: &mut HashMap<Name, Held>,
        model: &NextModel,
        report: &mut Report,
    ) -> Option<(ZoneSet, Vec<Name>)> {
        match model {
            NextModel::New(new) => {
                let linked = link(&self.set_of(next), new);
                linked.report(report);
                if linked.conflicts.is_empty() {
                    self.regions.take(Arc::clone(new));
                    self.keep_last_good(report);
                    return Some((linked.zones, Vec::new()));
                }
                self.regions.reject();
            }
            NextModel::Same | NextModel::Bad => {}
        }
        if !matches!(model, NextModel::Same) && !self.regions.is_loaded() {
            return None;
        }
        let linked = link(&self.set_of(next), self.model());
        linked.report(report);
        let misfits: Vec<Name> = linked.conflicts.into_iter().filter_map(|conflict| conflict.apex).collect();
        if misfits.is_empty() {
            return Some((linked.zones, misfits));
        }
        for apex in &misfits {
            if let Some(held) = next.get_mut(apex) {
                *held = self.before(apex, &held.file);
            }
        }
        Some((link(&self.set_of(next), self.model()).zones, misfits))
    }

    /// At start, when the region files can't be used: the last ones that could.
    pub(super) fn link_last_good(
        &mut self,
        next: &mut HashMap<Name, Held>,
        report: &mut Report,
    ) -> Option<(ZoneSet, Vec<Name>)> {
        let folder = self.settings.as_ref()?.state.clone()?;
        let (model, finding) = last_good::read(&folder)?;
        report.push(finding);
        let linked = self.link(next, &NextModel::New(model), report)?;
        self.regions.reject();
        Some(linked)
    }

    /// Keeps region files that have just been taken, for a start at which they can't be used.
    fn keep_last_good(&self, report: &mut Report) {
        if let Some(folder) = self.settings.as_ref().and_then(|settings| settings.state.as_ref())
            && let Some(finding) = last_good::write(folder, self.regions.files())
        {
            report.push(finding);
        }
    }
}
