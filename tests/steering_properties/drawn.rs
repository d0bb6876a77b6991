//! Random models and states, and what their rules say in plain words.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;
use proptest::sample::select;

/// The TTL of an answer while nothing is all down.
pub(crate) const TTL_MAX: u32 = 60;

/// Regions, services, and their state.
#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) regions: Vec<Region>,
    pub(crate) services: Vec<Service>,
}

/// A region and what operators say of it.
#[derive(Clone, Debug)]
pub(crate) struct Region {
    enabled: bool,
    drained: bool,
    pub(crate) forced_down: bool,
}

/// A service.
#[derive(Clone, Debug)]
pub(crate) struct Service {
    pub(crate) policy: Policy,
    balance: &'static str,
    pub(crate) answers: usize,
    pub(crate) min_up: usize,
    enabled: bool,
    /// By region.
    pub(crate) weights: Vec<u32>,
    /// By region: empty where the service is not.
    pub(crate) endpoints: Vec<Vec<Endpoint>>,
}

/// An endpoint and its state.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    pub(crate) v6: bool,
    weight: u32,
    enabled: bool,
    up: bool,
    word: &'static str,
}

/// How a service chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Policy {
    /// By the order: the regions from the last to the first.
    Failover,
    Weighted,
    /// The same, and everything together when all is down.
    WeightedAll,
    WeightedNoData,
    WeightedServFail,
    All,
}

impl Policy {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Failover => "failover",
            Self::Weighted => "weighted",
            Self::WeightedAll => "weighted-all",
            Self::WeightedNoData => "weighted-nodata",
            Self::WeightedServFail => "weighted-servfail",
            Self::All => "all",
        }
    }
}

impl World {
    /// True if the endpoint may ever be answered.
    pub(crate) fn is_allowed(&self, service: &Service, region: usize, endpoint: &Endpoint) -> bool {
        let Region { enabled, forced_down, .. } = self.regions[region];
        enabled && !forced_down && service.enabled && endpoint.enabled && endpoint.word != "down"
    }

    /// True if it may be answered in the normal state.
    pub(crate) fn is_serving(&self, service: &Service, region: usize, endpoint: &Endpoint) -> bool {
        let up = endpoint.up || endpoint.word == "up";
        let drained = self.regions[region].drained || endpoint.word == "drain";
        up && !drained && self.is_allowed(service, region, endpoint)
    }

    /// The region file.
    pub(crate) fn model(&self) -> String {
        let mut text = String::from("[checks.ping]\nicmp = {}\n");
        for (number, region) in self.regions.iter().enumerate() {
            writeln!(text, "[regions.r{number}]\nenabled = {}", region.enabled).expect("memory");
        }
        for (number, service) in self.services.iter().enumerate() {
            service.print(number, &mut text).expect("memory");
        }
        text
    }

    /// The script of states.
    pub(crate) fn script(&self) -> String {
        let mut text = String::new();
        for (number, region) in self.regions.iter().enumerate() {
            for (_, word) in [(region.drained, "drain"), (region.forced_down, "down")].iter().filter(|(is, _)| *is) {
                writeln!(text, "OVERRIDE r{number} {word}").expect("memory");
            }
        }
        for (number, service) in self.services.iter().enumerate() {
            for (region, endpoints) in service.regions() {
                for (index, endpoint) in endpoints.iter().enumerate() {
                    let target = format!("s{number}/r{region}/{}", address(number, region, index, endpoint.v6));
                    let state = if endpoint.up { "up" } else { "down" };
                    writeln!(text, "STATE {target} {state}").expect("memory");
                    if endpoint.word != "nothing" {
                        writeln!(text, "OVERRIDE {target} {}", endpoint.word).expect("memory");
                    }
                }
            }
        }
        text
    }
}

impl Service {
    /// The regions that the service is in.
    pub(crate) fn regions(&self) -> impl Iterator<Item = (usize, &Vec<Endpoint>)> {
        self.endpoints.iter().enumerate().filter(|(_, endpoints)| !endpoints.is_empty())
    }

    /// The regions in the order of a failover.
    pub(crate) fn order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = self.regions().map(|(region, _)| region).collect();
        order.reverse();
        order
    }

    /// True if one answer may hold endpoints of several regions.
    pub(crate) fn may_answer_together(&self) -> bool {
        matches!(self.policy, Policy::All | Policy::WeightedAll)
    }

    fn print(&self, number: usize, text: &mut String) -> std::fmt::Result {
        let policy = match self.policy {
            Policy::All => "all".to_owned(),
            Policy::Failover
            | Policy::Weighted
            | Policy::WeightedAll
            | Policy::WeightedNoData
            | Policy::WeightedServFail => {
                let (mode, all_down) = match self.policy {
                    Policy::Failover => ("mode = 'active-passive'", "preferred"),
                    Policy::WeightedAll => ("mode = 'active-active'\nprefer = 'equal'", "all"),
                    Policy::WeightedNoData => ("mode = 'active-active'\nprefer = 'equal'", "nodata"),
                    Policy::WeightedServFail => ("mode = 'active-active'\nprefer = 'equal'", "servfail"),
                    Policy::Weighted | Policy::All => ("mode = 'active-active'\nprefer = 'equal'", "preferred"),
                };
                let (balance, answers) = (self.balance, self.answers);
                writeln!(text, "[policies.p{number}]\n{mode}\nbalance = '{balance}'\nanswers = {answers}")?;
                writeln!(text, "when_all_down = '{all_down}'")?;
                format!("p{number}")
            }
        };
        writeln!(text, "[services.s{number}]\nnames = ['s{number}.example']\npolicy = '{policy}'\ncheck = 'ping'")?;
        let (min_up, enabled) = (self.min_up, self.enabled);
        writeln!(text, "min_up = {min_up}\nenabled = {enabled}\nttl = {{ min = 5, max = {TTL_MAX} }}")?;
        writeln!(text, "missing = ['A', 'AAAA']")?;
        match self.policy {
            Policy::All => {}
            Policy::Failover => {
                let order: Vec<String> = self.order().iter().map(|region| format!("'r{region}'")).collect();
                writeln!(text, "order = [{}]", order.join(", "))?;
            }
            Policy::Weighted | Policy::WeightedAll | Policy::WeightedNoData | Policy::WeightedServFail => {
                let weights = self.regions().map(|(region, _)| format!("r{region} = {}", self.weights[region]));
                writeln!(text, "weights = {{ {} }}", weights.collect::<Vec<_>>().join(", "))?;
            }
        }
        writeln!(text, "[services.s{number}.endpoints]")?;
        for (region, endpoints) in self.regions() {
            let shown = endpoints.iter().enumerate().map(|(index, endpoint)| {
                let address = address(number, region, index, endpoint.v6);
                format!("{{ address = '{address}', weight = {}, enabled = {} }}", endpoint.weight, endpoint.enabled)
            });
            writeln!(text, "r{region} = [{}]", shown.collect::<Vec<_>>().join(", "))?;
        }
        Ok(())
    }
}

/// An endpoint's address tells which one it is.
fn address(service: usize, region: usize, endpoint: usize, v6: bool) -> IpAddr {
    let [service, region, endpoint] = [service, region, endpoint].map(|n| u8::try_from(n).expect("a small number"));
    if v6 {
        Ipv6Addr::new(0x2001, 0xdb8, service.into(), region.into(), 0, 0, 0, endpoint.into()).into()
    } else {
        Ipv4Addr::new(10, service, region, endpoint).into()
    }
}

/// Up to five regions and three services.
pub(crate) fn world() -> impl Strategy<Value = World> {
    (2..=5_usize).prop_flat_map(|count| {
        let regions = prop::collection::vec(region(), count);
        let services = prop::collection::vec(service(count), 1..=3);
        (regions, services).prop_map(|(regions, services)| World { regions, services })
    })
}

/// True one time in `times`.
fn rarely(times: u32) -> impl Strategy<Value = bool> {
    (0..times).prop_map(|draw| draw == 0)
}

fn region() -> impl Strategy<Value = Region> {
    (rarely(12), rarely(8), rarely(12)).prop_map(|(off, drained, forced_down)| Region {
        enabled: !off,
        drained,
        forced_down,
    })
}

fn service(regions: usize) -> impl Strategy<Value = Service> {
    let policy = select(vec![
        Policy::Failover,
        Policy::Weighted,
        Policy::Weighted,
        Policy::WeightedAll,
        Policy::WeightedNoData,
        Policy::WeightedServFail,
        Policy::All,
    ]);
    let balance = select(vec!["round-robin", "weighted", "random", "hash"]);
    let weights = prop::collection::vec(select(vec![0, 1, 1, 2, 3, 10]), regions);
    let endpoints = prop::collection::vec(endpoints(), regions);
    let rest = (1..=3_usize, 1..=2_usize, rarely(20), select(vec![2, 2, 6]));
    (policy, balance, weights, endpoints, rest).prop_map(
        |(policy, balance, weights, mut endpoints, (answers, min_up, off, health))| {
            if endpoints.iter().all(Vec::is_empty) {
                endpoints[0].push(Endpoint { v6: false, weight: 1, enabled: true, up: true, word: "nothing" });
            }
            // Often enough everything is well, and often enough nothing is.
            endpoints.iter_mut().flatten().filter(|_| health == 6).for_each(|endpoint| endpoint.up = false);
            // `min_up` that a region can never reach is refused.
            let fewest = endpoints.iter().filter(|all| !all.is_empty()).map(|all| judged(all)).min().unwrap_or(1);
            Service { policy, balance, answers, min_up: min_up.min(fewest), enabled: !off, weights, endpoints }
        },
    )
}

/// How many endpoints a region is judged on.
fn judged(endpoints: &[Endpoint]) -> usize {
    let v4 = endpoints.iter().filter(|endpoint| !endpoint.v6).count();
    if v4 > 0 { v4 } else { endpoints.len() }
}

fn endpoints() -> impl Strategy<Value = Vec<Endpoint>> {
    let word = select(vec!["nothing", "nothing", "nothing", "nothing", "nothing", "up", "drain", "down"]);
    let state = (rarely(12), rarely(3));
    let endpoint = (any::<bool>(), select(vec![0, 1, 1, 1, 5]), state, word)
        .prop_map(|(v6, weight, (off, down), word)| Endpoint { v6, weight, enabled: !off, up: !down, word });
    prop::collection::vec(endpoint, 0..=4)
}
