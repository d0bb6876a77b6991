//! `POST /api/v1/evacuate`, its preview step by step, and its end.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};

use crate::admin::body::Body;
use crate::admin::guards::{Audit, Who};
use crate::admin::looks::looked;
use crate::admin::orders::{Said, command, lasting, refused};
use crate::admin::preview::{LoadChange, loads};
use crate::admin::problem::{problem, unavailable};
use crate::admin::routes::Admin;
use crate::base::limits::{EVACUATION_STEP, EVACUATION_STEP_MIN};
use crate::base::moment::Moment;
use crate::control::{Breach, Command, Control, EvacuationOrder, Refusal, Room};
use crate::snapshot::{Snapshot, Steering};

/// A region to be evacuated.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Evacuate {
    region: String,
    /// Percent of its share that a step takes; JSON knows no difference between 25 and 25.0.
    step: Option<f64>,
    /// Seconds from one step to the next; absent: long enough for caches.
    every_s: Option<f64>,
    /// Seconds that the drain at its end lasts; absent: until it is taken back.
    for_s: Option<f64>,
    reason: Option<String>,
    owner: Option<String>,
    /// Even if it takes away the last eligible region.
    #[serde(default)]
    confirm: bool,
    /// Safety rules that shall not refuse it.
    #[serde(default)]
    override_safety: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Cancel {
    region: String,
    reason: Option<String>,
    owner: Option<String>,
}

impl Evacuate {
    fn order(self, said: &Said) -> Result<EvacuationOrder, String> {
        let Self { region, step, every_s, for_s, confirm, .. } = self;
        let step = step.unwrap_or_else(|| EVACUATION_STEP.into());
        let step = (EVACUATION_STEP_MIN..=100).find(|&whole| f64::from(whole) == step);
        let step = step.ok_or_else(|| format!("`step` is a whole percentage from {EVACUATION_STEP_MIN} to 100"))?;
        let every = every_s.map(pause).transpose()?;
        let lasting = for_s.map(lasting).transpose()?;
        let (reason, owner) = (said.reason.clone(), said.owner.clone());
        Ok(EvacuationOrder { region, step, every, lasting, reason, owner, confirm })
    }
}

/// From one step to the next: a second to a day.
fn pause(seconds: f64) -> Result<Duration, String> {
    let pause = (1.0..=86_400.0).contains(&seconds).then(|| Duration::try_from_secs_f64(seconds).ok()).flatten();
    pause.ok_or_else(|| "`every_s` is a number of seconds from 1 to 86400".to_owned())
}

pub(super) async fn evacuate(
    State(admin): State<Arc<Admin>>,
    Extension(who): Extension<Who>,
    headers: HeaderMap,
    Body(mut body): Body<Evacuate>,
) -> Response {
    let (region, rules) = (body.region.clone(), std::mem::take(&mut body.override_safety));
    let said = Said::of(body.owner.take(), body.reason.take(), &who);
    let read = said.and_then(|said| Ok((body.order(&said)?, said)));
    let (order, said) = match read {
        Ok(read) => read,
        Err(reason) => return problem(StatusCode::UNPROCESSABLE_ENTITY, reason),
    };
    let audit = Audit { region: Some(region.clone()), ..said.audit(format!("evacuate {region}")) };
    command(&admin, &headers, said.despite(rules, Command::Evacuate(order)), audit).await
}

pub(super) async fn cancel(
    State(admin): State<Arc<Admin>>,
    Extension(who): Extension<Who>,
    headers: HeaderMap,
    Body(Cancel { region, reason, owner }): Body<Cancel>,
) -> Response {
    let said = match Said::of(owner, reason, &who) {
        Ok(said) => said,
        Err(reason) => return problem(StatusCode::UNPROCESSABLE_ENTITY, reason),
    };
    let audit = Audit { region: Some(region.clone()), ..said.audit(format!("evacuate {region} --cancel")) };
    let owner = said.owner.clone();
    command(&admin, &headers, Command::EndEvacuation { region, owner }, audit).await
}

/// What an evacuation would come to, step by step, with the demand of now.
#[derive(Debug, Default, Serialize)]
struct EvacuationPreview {
    /// It would be begun, with a second word if that is needed.
    allowed: bool,
    /// Why not, or why a second word is needed.
    refusal: Option<String>,
    /// It takes away the last eligible region of a service, so it has to be confirmed.
    needs_confirm: bool,
    /// Safety rules that refuse it; its steps are shown all the same.
    safety: Vec<Breach>,
    /// In words, if it would be begun.
    plan: String,
    steps: Vec<StepPreview>,
}

#[derive(Debug, Serialize)]
struct StepPreview {
    /// Percent of its share that it has left then.
    left: u8,
    /// Seconds after the beginning.
    at_s: u64,
    /// Why it would be held here; null: there is room, or nobody knows.
    full: Option<String>,
    /// Regions whose capacity is limited: what they carry, and would carry then; empty where nothing is planned.
    loads: Vec<LoadChange>,
}

pub(super) async fn preview(State(admin): State<Arc<Admin>>, Body(mut body): Body<Evacuate>) -> Response {
    let rules = std::mem::take(&mut body.override_safety);
    let said = Said::of(body.owner.take(), body.reason.take(), &Who::default());
    let read = said.and_then(|said| Ok((body.order(&said)?, said)));
    let (order, said) = match read {
        Ok(read) => read,
        Err(reason) => return problem(StatusCode::UNPROCESSABLE_ENTITY, reason),
    };
    let look = |control: &Control, snapshot: &Arc<Snapshot>, now: Moment| (control.clone(), Arc::clone(snapshot), now);
    let (mut control, snapshot, now) = match looked(&admin.operations, look).await {
        Ok(seen) => seen,
        Err(refusal) => return refusal,
    };
    let before = control.outlook().cloned();
    let (region, step) = (order.region.clone(), order.step.max(1));
    let begun =
        tokio::task::spawn_blocking(move || begin(&mut control, now, order, &said, &rules).map(|view| (view, control)));
    let (mut view, control) = match begun.await {
        Ok(Ok((view, control))) => (view, Arc::new(control)),
        Ok(Err(refusal @ (Refusal::UnknownRegion { .. } | Refusal::UnknownRule { .. } | Refusal::NeedsReason))) => {
            return refused(&refusal);
        }
        Ok(Err(refusal)) => {
            return Json(EvacuationPreview { refusal: Some(refusal.to_string()), ..Default::default() })
                .into_response();
        }
        Err(_) => return unavailable(),
    };
    let every_s = control.evacuation_views().iter().find(|one| one.region == region).map_or(0, |one| one.every_s);
    let (mut left, mut at_s) = (100_u8, 0);
    while left > 0 {
        left = left.saturating_sub(step);
        let (begun, snapshot, key) = (Arc::clone(&control), Arc::clone(&snapshot), region.clone());
        let staged = tokio::task::spawn_blocking(move || stage(&begun, &snapshot, now, &key, left));
        let (then, steering) = match staged.await {
            Ok(Some(staged)) => staged,
            Ok(None) => {
                view.steps.push(StepPreview { left, at_s, full: Room::unknown().full, loads: Vec::new() });
                break;
            }
            Err(_) => return unavailable(),
        };
        // Without a capacity nothing is planned; with one, nothing is done before there is a plan.
        let (mut full, mut changes) = (None, Vec::new());
        if control.is_plan_awaited(now) {
            full = Room::unknown().full;
        }
        if let Some(before) = &before {
            let Some(outlook) = admin.operations.foresee(now, steering, then.conditions(now)).await else {
                return unavailable();
            };
            full = Room::of(&then, &region, Some(before), Some(&outlook)).full;
            changes = loads(&then, &outlook);
        }
        view.steps.push(StepPreview { left, at_s, full, loads: changes });
        at_s += every_s;
    }
    Json(view).into_response()
}

/// Begins the evacuation in a control of its own.
fn begin(
    control: &mut Control,
    now: Moment,
    order: EvacuationOrder,
    said: &Said,
    rules: &[String],
) -> Result<EvacuationPreview, Refusal> {
    let mut view = EvacuationPreview { allowed: true, ..EvacuationPreview::default() };
    let mut order = order;
    let ruled = |order: &EvacuationOrder| said.clone().despite(rules.to_vec(), Command::Evacuate(order.clone()));
    let mut result = control.command(now, ruled(&order));
    if let Err(refusal @ Refusal::LastRegion { .. }) = &result {
        (view.needs_confirm, view.refusal) = (true, Some(refusal.to_string()));
        order.confirm = true;
        result = control.command(now, ruled(&order));
    }
    if let Err(refusal @ Refusal::Unsafe(breaches)) = &result {
        (view.allowed, view.refusal, view.safety) = (false, Some(refusal.to_string()), breaches.clone());
        result = control.command_unruled(now, Command::Evacuate(order));
    }
    view.plan = result?.0.message;
    Ok(view)
}

/// What a step comes to, and what would steer then.
fn stage(
    control: &Control,
    snapshot: &Snapshot,
    now: Moment,
    region: &str,
    left: u8,
) -> Option<(Control, Arc<Steering>)> {
    let (then, services) = control.after_step(now, region, left)?;
    let steering = Arc::new(snapshot.steering.repaired(then.states(), &services, snapshot.generation));
    Some((then, steering))
}
