//! Whatever happens to control, in whatever order, some things hold. The rules one by one are in `tests/replay`.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::base::diagnostic::Report;
use crate::base::ids::EndpointId;
use crate::base::moment::Moment;
use crate::geo::Places;
use crate::health::{Action, Observation, Phases, Verdict};
use crate::model::{self, Mode, Model};
use crate::policy::{Atlases, balance};
use crate::snapshot::{Prepared, Steering};
use crate::table::{RegionTable, Standing, States, Word};

const HEAD: &str = "
[checks.web]
tcp = { port = 80 }
fall = 2
rise = 2
[checks.gate]
icmp = {}
fall = 1
rise = 1
[policies.even]
mode = 'active-active'
prefer = 'equal'
ramp = '20s'
[policies.standby]
mode = 'active-passive'
failback = { after = '15s' }
[policies.eager]
mode = 'active-passive'
failback = 'automatic'
[services.web]
names = ['www.example.com']
policy = 'even'
check = 'web'
endpoints = { a = ['192.0.2.1', '192.0.2.2'], b = ['192.0.2.3', '192.0.2.4'], c = ['192.0.2.5'] }
[services.mail]
names = ['mail.example.com']
policy = 'standby'
check = ['web', 'gate']
order = ['b', 'a', 'c']
endpoints = { a = ['192.0.2.1'], b = ['192.0.2.3'], c = ['192.0.2.6'] }
[policies.least]
mode = 'active-active'
prefer = 'load'
balance = 'least-connections'
[services.app]
names = ['app.example.com']
policy = 'least'
check = 'web'
load = { push = true, every = '5s', max_age = '20s' }
endpoints = { a = ['192.0.2.1', '192.0.2.2'], b = ['192.0.2.3', '192.0.2.4'], c = ['192.0.2.5'] }
";

/// The model at first, one with more in it, and one with less and other.
fn models() -> [Arc<Model>; 3] {
    let eager = "[services.eager]\nnames = ['eager.example.com']\npolicy = 'eager'\ncheck = 'web'\norder = ['a', 'b']\n\
                 endpoints = { a = ['192.0.2.7'], b = ['192.0.2.3'] }\n";
    let plain = "[services.plain]\nnames = ['plain.example.com']\npolicy = 'even'\n\
                 endpoints = { a = ['192.0.2.8'], b = ['192.0.2.9'] }\n";
    let fed = "capacity = { target = 80, max = 100 }\nload = { push = true }\n";
    let regions = "[regions.a]\nFED[regions.b]\nFEDcheck = 'gate'\ncheck_address = '192.0.2.100'\n[regions.c]\n"
        .replace("FED", fed);
    let other = HEAD
        .replace("'192.0.2.4'", "'192.0.2.44'")
        .replace("fall = 2", "fall = 3")
        .replace("'gate']", "'gate', 'web']");
    let texts = [
        format!("{regions}{HEAD}{eager}"),
        format!("{regions}[regions.d]\n{HEAD}{eager}{plain}"),
        format!("{}enabled = false\n{}", regions, other.replace("['web', 'gate', 'web']", "['gate']")),
    ];
    texts.map(|text| {
        let mut report = Report::new();
        let model = model::read(&[("regions.toml".into(), text.as_str())], &mut report);
        Arc::new(model.unwrap_or_else(|| panic!("{}", report.render())))
    })
}

#[derive(Clone, Debug)]
enum Happening {
    Outcome(usize, Verdict),
    /// Every target of the region, as often as that changes its state.
    Region(usize, Verdict),
    Word(Action, usize, Option<u64>),
    Enable(usize),
    Switch(usize, usize),
    Failback(usize),
    Release,
    Time(u64),
    /// Time passes and whoever drives control is late.
    Late(u64),
    Reload(usize),
    Restart,
    /// What a region or an endpoint is said to carry.
    Load(usize, u64),
}

const SOURCES: [&str; 6] = ["a", "b", "app/a/192.0.2.1", "app/a/192.0.2.2", "app/b/192.0.2.3", "app/b/192.0.2.4"];
const TARGETS: [&str; 7] = ["a", "b", "c", "web/a", "mail/b", "web/a/192.0.2.1", "web/b/192.0.2.4"];
const SERVICES: [&str; 3] = ["mail", "eager", "web"];
const REGIONS: [&str; 3] = ["a", "b", "c"];

fn happening() -> impl Strategy<Value = Happening> {
    let verdict = || select(vec![Verdict::Pass, Verdict::Pass, Verdict::Fail, Verdict::Fail, Verdict::Inconclusive]);
    let action = select(vec![Action::Up, Action::Drain, Action::Down]);
    prop_oneof![
        8 => (0..20_usize, verdict()).prop_map(|(target, verdict)| Happening::Outcome(target, verdict)),
        4 => (0..3_usize, verdict()).prop_map(|(region, verdict)| Happening::Region(region, verdict)),
        3 => (action, 0..TARGETS.len(), prop::option::of(1..40_u64))
            .prop_map(|(action, target, seconds)| Happening::Word(action, target, seconds)),
        2 => (0..TARGETS.len()).prop_map(Happening::Enable),
        1 => (0..SERVICES.len(), 0..REGIONS.len()).prop_map(|(service, region)| Happening::Switch(service, region)),
        1 => (0..SERVICES.len()).prop_map(Happening::Failback),
        1 => Just(Happening::Release),
        5 => (0..30_000_u64).prop_map(Happening::Time),
        1 => (0..5_000_u64).prop_map(Happening::Late),
        1 => (0..3_usize).prop_map(Happening::Reload),
        1 => Just(Happening::Restart),
        6 => (0..SOURCES.len(), 0..120_u64).prop_map(|(source, load)| Happening::Load(source, load)),
    ]
}

struct Play {
    control: Control,
    now: Moment,
    models: [Arc<Model>; 3],
    /// Brought up to date by what control says that changed.
    published: States,
    /// The same for all answers; those of another model are prepared as if its load had begun `earlier`.
    steering: Steering,
    earlier: (Arc<Model>, States),
    steps: usize,
}

impl Play {
    fn new() -> Self {
        let models = models();
        let mut play = Self {
            control: Control::new(settings()),
            now: Moment(1_000_000),
            published: States::all_up(&models[0]),
            steering: Steering::default(),
            earlier: (Arc::default(), States::all_up(&Model::default())),
            steps: 0,
            models,
        };
        play.adopt(0);
        play
    }

    fn adopt(&mut self, number: usize) {
        let effects = self.control.adopt(self.now, Arc::clone(&self.models[number]));
        self.publish(effects);
    }

    fn step(&mut self, happening: &Happening) {
        let owner = String::new;
        self.steps += 1;
        if self.steps.is_multiple_of(4) {
            self.earlier = (Arc::clone(self.control.model()), self.control.states().clone());
        }
        match *happening {
            Happening::Outcome(number, verdict) => {
                let ids: Vec<u64> = self.control.targets().iter().map(|target| target.id).collect();
                self.observe(ids[number % ids.len()], verdict);
            }
            Happening::Region(number, verdict) => {
                let region = self.models[0].region_by_key(REGIONS[number]).unwrap();
                let needs = |id: u32| self.control.wiring.needs(EndpointId(id)).to_vec();
                let parts = self.control.wiring.parts(region);
                let numbers: Vec<u32> = parts.iter().flat_map(|(_, range)| range.clone()).flat_map(needs).collect();
                for number in numbers.iter().chain(&numbers).chain(&numbers) {
                    self.observe(u64::from(*number), verdict);
                }
            }
            Happening::Word(action, target, seconds) => {
                let lasting = seconds.map(Duration::from_secs);
                let order =
                    Order { target: TARGETS[target].into(), lasting, confirm: target % 2 == 0, ..Order::default() };
                self.command(Command::Override(action, order));
            }
            Happening::Enable(target) => {
                self.command(Command::Enable { target: TARGETS[target].into(), owner: owner() });
            }
            Happening::Switch(service, region) => self.command(Command::Switch {
                service: SERVICES[service].into(),
                region: REGIONS[region].into(),
                owner: owner(),
            }),
            Happening::Failback(service) => {
                self.command(Command::Failback { service: SERVICES[service].into(), owner: owner() });
            }
            Happening::Release => self.command(Command::GuardRelease { owner: owner() }),
            Happening::Time(ms) => self.pass(ms),
            Happening::Late(ms) => self.now = self.now.after(Duration::from_millis(ms)),
            Happening::Reload(number) => {
                self.pass(0);
                self.adopt(number);
                // Once more changes nothing.
                let states = self.control.states().clone();
                self.adopt(number);
                assert_eq!(self.control.states(), &states);
            }
            Happening::Restart => {
                self.pass(0);
                self.restart();
            }
            Happening::Load(source, load) => self.load(SOURCES[source], load),
        }
        self.check();
    }

    fn observe(&mut self, target: u64, verdict: Verdict) {
        let outcome =
            Observation { verdict, reason: "".into(), warning: None, phases: Phases::default(), fed: Vec::new() };
        let (_, effects) = self.control.observe(self.now, target, &outcome);
        self.publish(effects);
    }

    fn command(&mut self, command: Command) {
        let before = self.control.states().clone();
        match self.control.command(self.now, command) {
            Ok((_, effects)) => self.publish(effects),
            Err(_) => assert_eq!(self.control.states(), &before, "a refusal changes nothing"),
        }
    }

    fn load(&mut self, source: &str, load: u64) {
        let key: Arc<str> = source.into();
        let (source, metric) = match source.contains('/') {
            true => (Source::Endpoint(key), "connections"),
            false => (Source::Region(key), "load"),
        };
        let metrics = Ok([(metric.into(), load * 1_000)].into_iter().collect());
        let (_, effects) = self.control.push(self.now, vec![Pushed { source, metrics, at: None }]);
        self.publish(effects);
    }

    fn pass(&mut self, ms: u64) {
        let end = self.now.after(Duration::from_millis(ms));
        while let Some(deadline) = self.control.next_deadline().filter(|deadline| *deadline <= end) {
            self.now = self.now.max(deadline);
            let effects = self.control.tick(self.now);
            self.publish(effects);
            assert!(self.control.next_deadline().is_none_or(|next| next > self.now), "a deadline stays");
        }
        self.now = end;
    }

    fn restart(&mut self) {
        let text = serde_json::to_string(&self.control.save(self.now)).unwrap();
        let saved: Saved = serde_json::from_str(&text).unwrap();
        let mut next = Control::new(settings());
        assert!(next.restore(self.now, &saved));
        let effects = next.adopt(self.now, Arc::clone(self.control.model()));
        let before = std::mem::replace(&mut self.control, next);
        // What is fed is not saved: weights by load begin anew.
        let now = self.control.states();
        let unfed = States {
            load_weight: now.load_weight.clone(),
            region_weight: now.region_weight.clone(),
            ..before.states().clone()
        };
        assert_eq!(now, &unfed);
        assert!(now.load_weight.iter().all(|weight| *weight == 0));
        assert_eq!(self.control.table, RegionTable::build(self.control.model(), &unfed, 0));
        // A machine that knows nothing is not saved, and a wait begins anew.
        assert_eq!(Saved { at: self.now, ..self.control.save(self.now) }, saved);
        self.publish(effects);
    }

    fn publish(&mut self, effects: Effects) {
        let (model, truth) = (self.control.model(), self.control.states());
        let table = self.control.table().clone();
        match effects.changed {
            Changed::None => {}
            Changed::All => {
                self.published = truth.clone();
                let atlases = Arc::new(Atlases::new(model, Arc::new(Places::none())));
                let prepared = Prepared::new(Arc::clone(model), atlases, (&self.earlier.0, &self.earlier.1));
                self.steering = prepared.adopted(table, truth);
            }
            Changed::Services(ids) => {
                self.steering = self.steering.next(table, truth, &ids);
                for id in ids {
                    for endpoint in model.services[id.index()].regions.iter().flat_map(|part| part.endpoint_ids()) {
                        let index = endpoint.index();
                        self.published.up[index] = truth.up[index];
                        self.published.word[index] = truth.word[index];
                        self.published.guarded[index] = truth.guarded[index];
                        self.published.last_up[index] = truth.last_up[index];
                        self.published.steady_s[index] = truth.steady_s[index];
                        self.published.load_weight[index] = truth.load_weight[index];
                    }
                    self.published.change_s[id.index()] = truth.change_s[id.index()];
                    self.published.held[id.index()] = truth.held[id.index()];
                    self.published.ramp.copy(&truth.ramp, id);
                    self.published.region_weight.copy(&truth.region_weight, id);
                }
            }
        }
        assert_eq!(&self.published, truth, "something changed that was not said");
    }

    fn check(&self) {
        let (model, states) = (self.control.model(), self.control.states());
        let (endpoints, services) = (model.endpoints.len(), model.services.len());
        let by_endpoint = [states.up.len(), states.guarded.len(), states.last_up.len(), states.word.len()];
        assert!(by_endpoint.iter().all(|len| *len == endpoints) && states.steady_s.len() == endpoints);
        assert!(states.change_s.len() == services && states.held.len() == services);
        let table = RegionTable::build(model, states, 0);
        assert_eq!(table, self.control.table, "the table kept is what follows");
        for (id, service) in model.services() {
            let (usable, standing) = (table.usable[id.index()], table.standing[id.index()]);
            match (states.held[id.index()], &model.policy(service).mode) {
                (Some(held), Mode::ActivePassive { .. }) if standing < Standing::AllDown => {
                    assert_eq!(usable >> held.index() & 1, 1, "the active region of {} is usable", service.key);
                }
                (None, Mode::ActivePassive { .. }) => assert!(standing >= Standing::AllDown),
                (Some(_), Mode::ActivePassive { .. }) => {}
                (held, _) => assert_eq!(held, None),
            }
            let ids = || service.regions.iter().flat_map(|part| part.endpoint_ids()).map(EndpointId::index);
            if ids().any(|index| states.up[index]) {
                assert!(ids().all(|index| states.last_up[index] == states.up[index]), "what is up was up last");
            }
            assert!(states.change_s[id.index()] > 0);
        }
        for (index, word) in states.word.iter().enumerate() {
            assert!(*word != Word::Down || !table.answerable.get(index), "forced down is never answered");
            assert!(!states.guarded[index] || states.up[index], "guarded is up");
        }
        assert!(states.ramp.iter().all(|(_, _, part)| part > 0));
        let bounds = |weight: &u16| *weight == 0 || (balance::LEAST..=balance::MOST).contains(weight);
        assert!(states.load_weight.len() == endpoints && states.load_weight.iter().all(bounds));
        assert!(states.region_weight.iter().all(|(.., weight)| weight > 0));
        assert_eq!(*self.steering.table, table, "the table published is what follows");
        let holds = self.control.guard.is_holding();
        assert_eq!(holds, states.guarded.contains(&true), "a guard that holds holds something");
    }
}

fn settings() -> Settings {
    let references = vec![crate::config::Target::Tcp(([192, 0, 2, 200], 53).into())];
    Settings { references, ..Settings::default() }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(100) })]

    #[test]
    fn whatever_happens(happenings in prop::collection::vec(happening(), 1..60)) {
        let mut play = Play::new();
        for happening in &happenings {
            play.step(happening);
        }
        let (model, atlases) = (Arc::clone(play.control.model()), Arc::clone(&play.steering.atlases));
        let fresh = Steering::with_atlases(model, atlases, play.control.states(), 0);
        prop_assert!(play.steering == fresh, "repaired and prepared answers are as good as new");
    }
}

#[test]
fn an_outcome_that_changes_nothing_says_nothing() {
    let mut play = Play::new();
    let ids: Vec<u64> = play.control.targets().iter().map(|target| target.id).collect();
    ids.iter().for_each(|id| play.observe(*id, Verdict::Pass));
    let outcome = Observation {
        verdict: Verdict::Pass,
        reason: "".into(),
        warning: None,
        phases: Phases::default(),
        fed: Vec::new(),
    };
    for id in ids {
        assert!(play.control.observe(play.now, id, &outcome).1.is_empty());
    }
    assert!(play.control.first_round_done());
    assert!(play.control.observe(play.now, 9_999, &outcome).1.is_empty(), "a target that is gone");
}

#[test]
fn numbers_of_targets_stay() {
    let mut play = Play::new();
    let keys = |play: &Play| -> std::collections::BTreeMap<Arc<str>, u64> {
        play.control.targets().into_iter().map(|target| (target.key, target.id)).collect()
    };
    let first = keys(&play);
    play.adopt(2);
    let second = keys(&play);
    play.adopt(0);
    assert_eq!(keys(&play), first);
    assert!(second.iter().all(|(key, id)| first.get(key).is_none_or(|first| first == id)));
    assert!(!play.control.adopt(play.now, Arc::clone(&play.models[0])).retarget);
    assert!(play.control.adopt(play.now, Arc::clone(&play.models[2])).retarget);
}

#[test]
fn other_settings_count_from_the_next_model_on() {
    let mut play = Play::new();
    let count = play.control.targets().len();
    play.control.configure(Settings { references: Vec::new(), ..settings() });
    assert!(play.control.adopt(play.now, Arc::clone(&play.models[0])).retarget);
    assert_eq!(play.control.targets().len(), count - 1);
}

#[test]
fn a_certificate_that_ends_soon_is_told_once() {
    let mut play = Play::new();
    let id = play.control.targets()[0].id;
    let outcome = |warning: Option<&str>| Observation {
        verdict: Verdict::Pass,
        reason: "".into(),
        warning: warning.map(Into::into),
        phases: Phases::default(),
        fed: Vec::new(),
    };
    for (warning, told) in [(None, 0), (Some("3 days"), 1), (Some("3 days"), 0), (Some("2 days"), 1), (None, 0)] {
        let (_, effects) = play.control.observe(play.now, id, &outcome(warning));
        let count = effects.events.iter().filter(|event| event.kind == EventKind::CertificateWarning).count();
        assert_eq!(count, told, "{warning:?}");
    }
}

#[test]
fn orders_wait_for_the_first_model() {
    let mut control = Control::new(settings());
    let order = Command::Failback { service: "web".into(), owner: "ana".into() };
    assert_eq!(control.command(Moment(0), order).map(|_| ()), Err(Refusal::NotReady));
}
