//! `POST /api/v1/preview`: what would happen if an operator said a word. It is said to a copy of control.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use crate::admin::body::Body;
use crate::admin::looks::looked;
use crate::admin::orders::{lasting, status_of};
use crate::admin::problem::{problem, unavailable};
use crate::admin::routes::Admin;
use crate::admin::world::{Clients, RegionShares, Samples};
use crate::base::ids::ServiceId;
use crate::base::limits::PREVIEW_SERVICES_MAX;
use crate::base::moment::Moment;
use crate::control::{Breach, Changed, Command, Control, Order, Outlook, Refusal};
use crate::health::Action;
use crate::policy::Choice;
use crate::snapshot::{Snapshot, Steering};
use crate::table::Standing;

/// A word that is not said.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    action: Asking,
    target: Option<String>,
    service: Option<String>,
    region: Option<String>,
    /// Seconds; `force up` needs an end.
    for_s: Option<f64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Asking {
    Drain,
    Up,
    Down,
    Enable,
    Switch,
    Failback,
    GuardRelease,
}

/// What would happen.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
struct PreviewView {
    /// It would be done, with a second word if that is needed.
    allowed: bool,
    /// Why not, or why a second word is needed.
    refusal: Option<String>,
    /// It takes away the last eligible region of a service, so it has to be confirmed.
    needs_confirm: bool,
    /// Safety rules that refuse it; what would happen is shown all the same.
    safety: Vec<Breach>,
    /// Services whose answers would be others, as far as there is room.
    services: Vec<ServiceChange>,
    /// How many there are.
    service_count: usize,
    /// The longest time that caches may go on with earlier answers, seconds.
    ttl_max_s: u32,
    /// Regions whose capacity is limited, by key: what they carry, and would carry.
    loads: Vec<LoadChange>,
}

/// What would become of a service.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct ServiceChange {
    service: String,
    /// Shares of all clients: countries weigh as many addresses as they have.
    before: RegionShares,
    after: RegionShares,
    /// Countries whose clients, or some of them, would go elsewhere.
    countries_moved: Vec<String>,
    all_down: bool,
    /// When the last answer given before has expired in every cache.
    cached_until: Moment,
}

/// What would become of a region's load, in the unit of its feed, or in answers a second without one.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct LoadChange {
    region: String,
    /// What it carries.
    now: f64,
    /// What the plan would bring it to, once caches have followed.
    then: f64,
    target: f64,
    max: f64,
    /// What the plan would fill it to: its target, or more where nobody else has room.
    level: f64,
}

pub(super) async fn preview(State(admin): State<Arc<Admin>>, Body(asked): Body<Asked>) -> Response {
    let command = match asked.command() {
        Ok(command) => command,
        Err(reason) => return problem(axum::http::StatusCode::UNPROCESSABLE_ENTITY, reason),
    };
    let look = |control: &Control, snapshot: &Arc<Snapshot>, now: Moment| (control.clone(), Arc::clone(snapshot), now);
    let (control, snapshot, now) = match looked(&admin.operations, look).await {
        Ok(seen) => seen,
        Err(refusal) => return refusal,
    };
    let operations = Arc::clone(&admin.operations);
    let seen = tokio::task::spawn_blocking(move || {
        let samples = admin.sampled.of(snapshot.steering.atlases.places());
        foresee(control, &snapshot, now, command, &samples)
    });
    match seen.await {
        Ok(Ok((mut view, planned))) => {
            // Without a capacity nothing is planned.
            if let Some((control, after)) = planned.filter(|(control, _)| control.outlook().is_some()) {
                let Some(outlook) = operations.foresee(now, after, control.conditions(now)).await else {
                    return unavailable();
                };
                view.loads = loads(&control, &outlook);
            }
            Json(view).into_response()
        }
        // What is asked about is not there: no preview of anything.
        Ok(Err(refusal)) => problem(status_of(&refusal), refusal.to_string()),
        Err(_) => unavailable(),
    }
}

impl Asked {
    fn command(self) -> Result<Command, String> {
        let Self { action, target, service, region, for_s } = self;
        let owner = String::new();
        let missing = |what: &str| format!("`{what}` is missing");
        let until = for_s.map(lasting).transpose()?;
        let order = |target: Option<String>| {
            let target = target.ok_or_else(|| missing("target"))?;
            Ok::<_, String>(Order { target, lasting: until, ..Order::default() })
        };
        Ok(match action {
            Asking::Drain => Command::Override(Action::Drain, order(target)?),
            Asking::Up => Command::Override(Action::Up, order(target)?),
            Asking::Down => Command::Override(Action::Down, order(target)?),
            Asking::Enable => Command::Enable { target: target.ok_or_else(|| missing("target"))?, owner },
            Asking::Switch => Command::Switch {
                service: service.ok_or_else(|| missing("service"))?,
                region: region.ok_or_else(|| missing("region"))?,
                owner,
            },
            Asking::Failback => Command::Failback { service: service.ok_or_else(|| missing("service"))?, owner },
            Asking::GuardRelease => Command::GuardRelease { owner },
        })
    }
}

/// Control as it would be, and what would steer.
type Foreseen = (Control, Arc<Steering>);

/// Says the word to a control of its own and compares what is answered before and after.
fn foresee(
    mut control: Control,
    snapshot: &Snapshot,
    now: Moment,
    command: Command,
    samples: &Samples,
) -> Result<(PreviewView, Option<Foreseen>), Refusal> {
    let mut view = PreviewView { allowed: true, ..PreviewView::default() };
    let mut result = control.command(now, command.clone());
    let mut command = command;
    if let (Err(refusal @ Refusal::LastRegion { .. }), Command::Override(action, order)) = (&result, &command) {
        (view.needs_confirm, view.refusal) = (true, Some(refusal.to_string()));
        command = Command::Override(*action, Order { confirm: true, ..order.clone() });
        result = control.command(now, command.clone());
    }
    if let Err(refusal @ Refusal::Unsafe(rules)) = &result {
        (view.allowed, view.refusal, view.safety) = (false, Some(refusal.to_string()), rules.clone());
        result = control.command_unruled(now, command);
    }
    let effects = match result {
        Ok((_, effects)) => effects,
        Err(
            refusal @ (Refusal::UnknownTarget { .. } | Refusal::UnknownService { .. } | Refusal::UnknownRegion { .. }),
        ) => return Err(refusal),
        Err(refusal) => {
            return Ok((PreviewView { refusal: Some(refusal.to_string()), ..PreviewView::default() }, None));
        }
    };
    let before = &snapshot.steering;
    let mut changed: Vec<ServiceId> = match effects.changed {
        Changed::None => Vec::new(),
        Changed::Services(services) => services,
        Changed::All => before.model.services().map(|(id, _)| id).collect(),
    };
    changed.sort_unstable();
    changed.dedup();
    let after = Arc::new(before.repaired(control.states(), &changed, snapshot.generation));
    let followers: Vec<ServiceId> = after.placements.followers(&changed).collect();
    changed.extend(followers);
    changed.sort_unstable();
    changed.dedup();
    changed.retain(|&id| differs(before, &after, id));
    view.service_count = changed.len();
    for &id in &changed {
        let ttl = before.model.services.get(id.index()).map_or(0, |service| service.ttl.max);
        view.ttl_max_s = view.ttl_max_s.max(ttl);
    }
    let shown = changed.into_iter().take(PREVIEW_SERVICES_MAX);
    view.services = shown.map(|id| change(before, &after, id, now, samples)).collect();
    Ok((view, Some((control, after))))
}

/// Whether anything that is answered for a service may be another.
fn differs(before: &Steering, after: &Steering, id: ServiceId) -> bool {
    let is_down = |steering| standing(steering, id).is_some_and(|standing| standing >= Standing::AllDown);
    let choices = [before, after].map(|steering| steering.placement(id).map(|placement| &placement.verdict.choice));
    // Where one region answers everybody, its endpoints alone matter.
    let (moves, only) = match choices {
        [Some(Choice::Region(one)), Some(Choice::Region(other))] => (one != other, Some(*one)),
        [one, other] => (one != other, None),
    };
    let parts = before.model.services.get(id.index()).map(|service| service.regions.as_slice()).unwrap_or_default();
    let answering = parts.iter().filter(|part| only.is_none_or(|only| part.region == only));
    let mut endpoints = answering.flat_map(|part| part.endpoint_ids());
    moves
        || is_down(before) != is_down(after)
        || endpoints.any(|id| before.table.is_answerable(id) != after.table.is_answerable(id))
}

fn standing(steering: &Steering, id: ServiceId) -> Option<Standing> {
    steering.table.standing.get(id.index()).copied()
}

/// The loads of a plan that is not in force.
pub(super) fn loads(control: &Control, outlook: &Outlook) -> Vec<LoadChange> {
    let number = |thousandths: u64| thousandths as f64 / 1_000.0;
    let changes = control.model().regions.iter().zip(&outlook.plan.sites).filter_map(|(region, site)| {
        let (capacity, level) = (site.capacity?, site.level?);
        Some(LoadChange {
            region: region.key.to_string(),
            now: number(site.fed.unwrap_or(site.load)),
            then: number(site.aim),
            target: number(capacity.target),
            max: number(capacity.max),
            level: number(level),
        })
    });
    changes.collect()
}

fn change(before: &Steering, after: &Steering, id: ServiceId, now: Moment, samples: &Samples) -> ServiceChange {
    let (key, ttl) = before
        .model
        .services
        .get(id.index())
        .map_or((String::new(), 0), |service| (service.key.to_string(), service.ttl.max));
    let (mut all_before, mut all_after) = (Clients::default(), Clients::default());
    let mut moved = Vec::new();
    for (country, samples) in samples {
        let clients = [before, after].map(|steering| Clients::of(steering, id, samples));
        if clients[0].shares(before) != clients[1].shares(after) {
            moved.push(String::from_utf8_lossy(country).into_owned());
        }
        all_before.extend(&clients[0]);
        all_after.extend(&clients[1]);
    }
    if samples.is_empty() {
        // Nobody can be located: all are alike.
        all_before = Clients::of(before, id, &[]);
        all_after = Clients::of(after, id, &[]);
    }
    ServiceChange {
        service: key,
        before: all_before.shares(before),
        after: all_after.shares(after),
        countries_moved: moved,
        all_down: standing(after, id).is_some_and(|standing| standing >= Standing::AllDown),
        cached_until: now.after(Duration::from_secs(u64::from(ttl))),
    }
}
