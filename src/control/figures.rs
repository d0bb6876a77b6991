//! What control knows, in numbers for monitoring.
//!
//! A pass over everything takes milliseconds also with very many services, and what comes of it is bounded:
//!
//! ```text
//! services, endpoints, targets   figures
//! up to `most` of them           of each
//! more services                  of those that are all down or failed over, up to `most`
//! more endpoints or targets      none; the sums tell
//! ```

use std::sync::Arc;

use crate::base::ids::{EndpointId, RegionId, ServiceId};
use crate::base::moment::Moment;
use crate::health::{Action, Health, Phase};
use crate::model::FeedError;
use crate::table::{STEADY, Standing};

use super::course::Course;
use super::fed::LoadView;
use super::hub::Control;
use super::plan_view::PlanView;
use super::region::RegionState;
use super::words::earlier;

/// Everything at one moment, in numbers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures {
    /// By id.
    pub regions: Vec<RegionFigures>,
    /// By id.
    pub services: Vec<ServiceFigures>,
    /// By id.
    pub endpoints: Vec<EndpointFigures>,
    /// By number.
    pub targets: Vec<TargetFigures>,
    /// How many services stand how, by [`Standing`].
    pub standings: [usize; Standing::ALL.len()],
    /// How many endpoints are up, and how many are not.
    pub up: [usize; 2],
    /// How many words of operators are in force, by [`Action`].
    pub overrides: [usize; Action::ALL.len()],
    /// When the oldest word of each [`Action`] in force was said.
    pub override_oldest: [Option<Moment>; Action::ALL.len()],
    /// When the first word of each [`Action`] in force ends by itself.
    pub override_expiry: [Option<Moment>; Action::ALL.len()],
    /// What the guard does: 0 nothing, 1 it suspects, 2 it holds, 3 it recovers.
    pub guard: u8,
    /// Endpoints that the guard holds up.
    pub guard_held: usize,
    /// Safety rules, by key: how many regions of the set are on, and whether fewer are than it asks for.
    pub safety: Vec<(Arc<str>, usize, bool)>,
    /// Regions being evacuated: the part of their share that they have left, and whether it is held.
    pub evacuations: Vec<(String, f64, bool)>,
    /// Readings of load feeds that did not come or were not taken, by [`FeedError`].
    pub feed_errors: [u64; FeedError::ALL.len()],
    /// Sources of load feeds by how far they can be trusted: fresh, held, and nothing known.
    pub feeds: [usize; LoadView::STATES.len()],
    /// What is planned; `None`: nothing, for no capacity is limited, or not yet.
    pub plan: Option<PlanView>,
}

/// A region.
#[derive(Clone, Debug, PartialEq)]
pub struct RegionFigures {
    /// Its key.
    pub key: Arc<str>,
    /// How it stands.
    pub state: RegionState,
    /// The part of its services for which it is eligible, 0 to 1; 1 for a region without any.
    pub up: f64,
    /// What it carries.
    pub load: LoadView,
}

/// A service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceFigures {
    /// Its key.
    pub key: Arc<str>,
    /// How many of its regions are eligible.
    pub eligible: u32,
    /// Nothing of it is up, or nothing of it may be answered.
    pub is_all_down: bool,
    /// The key of its active region; `None` if it is not active-passive.
    pub active: Option<Arc<str>>,
    /// How often failures took a region from it; of an active-passive one, its active region.
    pub failovers: u64,
}

/// An endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointFigures {
    /// `service/region/address`.
    pub key: Arc<str>,
    /// Whether it counts as up by its checks and the guard.
    pub is_up: bool,
    /// Seconds before which no check changes it; `None` if nothing is checked.
    pub flip_s: Option<u32>,
    /// How often it went up or down.
    pub flaps: u32,
}

/// A target of probes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetFigures {
    /// The check's key.
    pub check: Arc<str>,
    /// What is probed: the address, with its port where the check has none.
    pub address: String,
    /// What its machine says; `None`: nothing yet.
    pub is_up: Option<bool>,
}

impl Control {
    /// Everything in numbers; at most `most` services, endpoints and targets each.
    #[must_use]
    pub fn figures(&self, now: Moment, most: usize) -> Figures {
        let mut figures = Figures {
            regions: (0..).map(RegionId).take(self.model.regions.len()).filter_map(|id| self.region(id, now)).collect(),
            services: self.services(most),
            guard: match self.guard.phase() {
                Phase::Quiet => 0,
                Phase::Suspects { .. } => 1,
                Phase::Holds { .. } => 2,
                Phase::Recovers { .. } => 3,
            },
            guard_held: self.guarded.len(),
            safety: self.safety_figures(),
            evacuations: self.evacuation_figures(),
            feed_errors: self.loads.errors,
            plan: self.outlook().map(|_| self.plan_view()),
            feeds: self.loads.counts(now),
            ..Figures::default()
        };
        for course in &self.courses {
            figures.standings[course.standing as usize] += 1;
        }
        let up = self.states.up.iter().filter(|up| **up).count();
        figures.up = [up, self.states.up.len() - up];
        for word in self.overrides.iter() {
            let action = word.action as usize;
            figures.overrides[action] += 1;
            let oldest = &mut figures.override_oldest[action];
            *oldest = earlier(*oldest, Some(word.since));
            let expiry = &mut figures.override_expiry[action];
            *expiry = earlier(*expiry, word.expires);
        }
        if self.model.endpoints.len() <= most {
            let ids = (0..).map(EndpointId).take(self.model.endpoints.len());
            figures.endpoints = ids.filter_map(|id| self.endpoint(id)).collect();
        }
        if self.targets.iter().count() <= most {
            let targets = self.targets.iter().map(|(_, target)| TargetFigures {
                check: Arc::clone(&target.check.key),
                address: target.key.rsplit_once('@').map_or("", |(_, address)| address).to_owned(),
                is_up: match target.machine.health() {
                    Health::Up => Some(true),
                    Health::Down => Some(false),
                    Health::Unknown => None,
                },
            });
            figures.targets = targets.collect();
        }
        figures
    }

    fn region(&self, id: RegionId, now: Moment) -> Option<RegionFigures> {
        let region = self.model.regions.get(id.index())?;
        let (state, up) = self.region_state(id)?;
        let load = self.load_view(id, now);
        Some(RegionFigures { key: Arc::clone(&region.key), state, up, load })
    }

    fn services(&self, most: usize) -> Vec<ServiceFigures> {
        let is_few = self.model.services.len() <= most;
        let courses = (0..).map(ServiceId).zip(&self.courses);
        let shown = courses.filter(|(_, course)| is_few || is_lost(course) || course.failovers > 0);
        shown.take(most).filter_map(|(id, course)| self.service(id, course)).collect()
    }

    fn service(&self, id: ServiceId, course: &Course) -> Option<ServiceFigures> {
        let service = self.model.services.get(id.index())?;
        let active = self.failback_of(service).and_then(|_| self.model.regions.get(self.held(id)?.index()));
        Some(ServiceFigures {
            key: Arc::clone(&service.key),
            eligible: course.eligible.count_ones(),
            is_all_down: is_lost(course),
            active: active.map(|region| Arc::clone(&region.key)),
            failovers: course.failovers,
        })
    }

    fn endpoint(&self, id: EndpointId) -> Option<EndpointFigures> {
        Some(EndpointFigures {
            key: Arc::clone(&self.model.endpoints.get(id.index())?.key),
            is_up: self.states.up.get(id.index()).copied().unwrap_or(false),
            flip_s: self.states.steady_s.get(id.index()).copied().filter(|seconds| *seconds != STEADY),
            flaps: self.flaps.get(id.index()).copied().unwrap_or(0),
        })
    }
}

/// Nothing of the service is up, or nothing may be answered.
fn is_lost(course: &Course) -> bool {
    course.standing >= Standing::AllDown
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::base::diagnostic::Report;
    use crate::control::{Command, Order, Settings};
    use crate::health::{Observation, Phases, Verdict};
    use crate::model;

    /// Three services in two regions; `mail` is active-passive, `plain` is not checked.
    const MODEL: &str = "
        [regions.a]
        [regions.b]
        [checks.web]
        tcp = { port = 80 }
        fall = 1
        rise = 1
        [policies.even]
        mode = 'active-active'
        prefer = 'equal'
        [services.mail]
        names = ['mail.example.com']
        policy = 'failover'
        check = 'web'
        order = ['a', 'b']
        endpoints = { a = ['192.0.2.1'], b = ['192.0.2.2'] }
        [services.plain]
        names = ['plain.example.com']
        policy = 'even'
        endpoints = { b = ['192.0.2.3'] }
        [services.web]
        names = ['www.example.com']
        policy = 'even'
        check = 'web'
        endpoints = { a = ['192.0.2.1'], b = ['192.0.2.2'] }
    ";

    fn adopt(control: &mut Control, now: u64, text: &str) {
        let mut report = Report::new();
        let model = model::read(&[("regions.toml".into(), text)], &mut report);
        control.adopt(Moment(now), Arc::new(model.unwrap_or_else(|| panic!("{}", report.render()))));
    }

    fn observe(control: &mut Control, now: u64, last_octet: u8, verdict: Verdict) {
        let address = std::net::IpAddr::from([192, 0, 2, last_octet]);
        let id = control.targets().into_iter().find(|target| target.address == address).unwrap().id;
        let outcome =
            Observation { verdict, reason: "".into(), warning: None, phases: Phases::default(), fed: Vec::new() };
        control.observe(Moment(now), id, &outcome);
    }

    /// Both regions are up.
    fn control() -> Control {
        let mut control = Control::new(Settings::default());
        adopt(&mut control, 0, MODEL);
        observe(&mut control, 1, 1, Verdict::Pass);
        observe(&mut control, 1, 2, Verdict::Pass);
        control
    }

    /// Service by service: key, eligible regions, whether it is all down, active region, failovers.
    fn services(figures: &Figures) -> Vec<(&str, u32, bool, &str, u64)> {
        let row = |service: &'_ ServiceFigures| (service.eligible, service.is_all_down, service.failovers);
        let rows = figures.services.iter().map(|service| (service, row(service)));
        rows.map(|(service, (eligible, down, failovers))| {
            (&*service.key, eligible, down, service.active.as_deref().unwrap_or(""), failovers)
        })
        .collect()
    }

    /// Endpoint by endpoint: key, whether it is up, whether a check can change it, flaps.
    fn endpoints(figures: &Figures) -> Vec<(&str, bool, bool, u32)> {
        let rows = figures.endpoints.iter();
        rows.map(|found| (&*found.key, found.is_up, found.flip_s.is_some(), found.flaps)).collect()
    }

    #[test]
    fn figures_follow_what_happens() {
        let mut control = control();
        let figures = control.figures(Moment(200_000), 100);
        assert_eq!(
            services(&figures),
            [("mail", 2, false, "a", 0), ("plain", 1, false, "", 0), ("web", 2, false, "", 0)]
        );
        assert_eq!(figures.up, [5, 0]);
        assert_eq!(figures.standings, [3, 0, 0, 0, 0]);
        assert_eq!((figures.guard, figures.guard_held, figures.overrides), (0, 0, [0; 3]));
        assert_eq!(figures.targets.iter().map(|target| target.is_up).collect::<Vec<_>>(), [Some(true); 2]);

        // The second region of `mail` fails, which moves nobody, and comes back; then the first.
        observe(&mut control, 60_000, 2, Verdict::Fail);
        observe(&mut control, 120_000, 2, Verdict::Pass);
        observe(&mut control, 180_000, 1, Verdict::Fail);
        let figures = control.figures(Moment(200_000), 100);
        assert_eq!(
            services(&figures),
            [("mail", 1, false, "b", 1), ("plain", 1, false, "", 0), ("web", 1, false, "", 2)]
        );
        let regions = figures.regions.iter().map(|region| (region.state, region.up));
        assert_eq!(regions.collect::<Vec<_>>(), [(RegionState::Down, 0.0), (RegionState::Ok, 1.0)]);
        assert_eq!(
            endpoints(&figures),
            [
                ("mail/a/192.0.2.1", false, true, 1),
                ("web/a/192.0.2.1", false, true, 1),
                ("mail/b/192.0.2.2", true, true, 2),
                ("plain/b/192.0.2.3", true, false, 0),
                ("web/b/192.0.2.2", true, true, 2)
            ]
        );

        // What an operator takes away is no failover.
        let order = Order { target: "b".into(), confirm: true, ..Order::default() };
        control.command(Moment(180_001), Command::Override(Action::Drain, order)).unwrap();
        let figures = control.figures(Moment(200_000), 100);
        assert_eq!(figures.overrides, [0, 1, 0]);
        assert_eq!(figures.override_oldest, [None, Some(Moment(180_001)), None]);
        assert_eq!(figures.override_expiry, [None; 3], "nobody said until when");
        for (target, minutes) in [("web/a", 9), ("mail/a", 4)] {
            let lasting = Some(Duration::from_secs(60 * minutes));
            let order = Order { target: target.into(), lasting, confirm: true, ..Order::default() };
            control.command(Moment(180_001 + minutes), Command::Override(Action::Drain, order)).unwrap();
        }
        let figures = control.figures(Moment(200_000), 100);
        assert_eq!(figures.override_oldest[1], Some(Moment(180_001)));
        assert_eq!(figures.override_expiry, [None, Some(Moment(180_005 + 240_000)), None]);
        assert_eq!(services(&figures)[2], ("web", 0, false, "", 2));

        // A reload keeps what is counted under keys that stay.
        adopt(&mut control, 180_002, &MODEL.replace(".plain]", ".new]"));
        let figures = control.figures(Moment(200_000), 100);
        assert_eq!(
            services(&figures).iter().map(|row| (row.0, row.4)).collect::<Vec<_>>(),
            [("mail", 1), ("new", 0), ("web", 2)]
        );
        assert_eq!(endpoints(&figures).iter().map(|row| row.3).collect::<Vec<_>>(), [1, 1, 2, 0, 2]);
    }

    #[test]
    fn figures_are_bounded() {
        let mut control = control();
        let figures = control.figures(Moment(0), 2);
        // Two targets, which is few; three services and five endpoints, which is many.
        assert_eq!((figures.targets.len(), figures.services.len(), figures.endpoints.len()), (2, 0, 0));
        assert_eq!((figures.up, figures.regions.len()), ([5, 0], 2));
        observe(&mut control, 60_000, 1, Verdict::Fail);
        let figures = control.figures(Moment(0), 2);
        assert_eq!(services(&figures), [("mail", 1, false, "b", 1), ("web", 1, false, "", 1)]);
        assert_eq!(control.figures(Moment(0), 1).services.len(), 1);
    }
}
