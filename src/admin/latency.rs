//! What is measured of the ways between clients and regions: pushed, shown, exported, imported.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use crate::admin::body::{Body, Table};
use crate::admin::guards::too_fast;
use crate::admin::problem::{problem, problem_with, unavailable};
use crate::admin::routes::Admin;
use crate::base::limits::{
    LATENCY_BATCH_NAME_LEN_MAX, LATENCY_BODY_LEN_MAX, LATENCY_FILE_LEN_MAX, LATENCY_PUSHED_MAX, LATENCY_SAMPLES_MAX,
    REFUSALS_TOLD_MAX,
};
use crate::base::moment::Moment;
use crate::latency::{ClientNetwork, Line, Measurement, Refusal, Source, Survey, Taken, microseconds};

/// What is pushed at once.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Batch {
    source: Option<String>,
    /// One name for one batch: what is sent again counts once.
    id: Option<String>,
    measurements: Vec<Told>,
}

/// One measurement.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Told {
    client: String,
    region: String,
    ms: f64,
    /// JSON knows no difference between 12 and 12.0.
    samples: Option<f64>,
    /// When it was so, milliseconds since 1970; absent: now.
    at: Option<f64>,
}

/// What became of a batch.
#[derive(Debug, Default, Serialize)]
struct Outcome {
    /// Measurements that count.
    taken: usize,
    /// Those of ways of which so many came within ten seconds that these do not; of a file, those of which as new is known.
    thinned: usize,
    /// Those that were not taken, the first ones.
    refused: Vec<Refused>,
    /// All of them.
    refused_in_all: usize,
    /// The batch was taken before; nothing was done.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    duplicate: bool,
}

/// A measurement that was not taken.
#[derive(Debug, Serialize)]
struct Refused {
    /// Its place in the batch, from 0; of a file the number of its line, from 1.
    index: usize,
    /// Why, in a word.
    kind: &'static str,
    /// And in a sentence.
    reason: String,
}

impl Outcome {
    fn refuse(&mut self, index: usize, kind: &'static str, reason: String) {
        self.refused_in_all += 1;
        if self.refused.len() < REFUSALS_TOLD_MAX {
            self.refused.push(Refused { index, kind, reason });
        }
    }

    /// As an answer: an error if nothing at all could be taken.
    fn into_response(self) -> Response {
        match self.refused.first() {
            Some(first) if self.taken + self.thinned == 0 => {
                let detail = format!("nothing was taken; number {}: {}", first.index, first.reason);
                problem_with(StatusCode::UNPROCESSABLE_ENTITY, detail, &self)
            }
            _ => Json(self).into_response(),
        }
    }
}

/// The latest moment that JSON tells exactly: 285,000 years from now.
const MOMENT_MAX: f64 = 9_007_199_254_740_991.0;

/// Takes what can be meant of a batch; 422 if nothing can.
pub(super) async fn push(
    State(admin): State<Arc<Admin>>,
    Body(Batch { source, id, measurements }): Body<Batch, LATENCY_BODY_LEN_MAX>,
) -> Response {
    let wrong = |detail: String| problem(StatusCode::UNPROCESSABLE_ENTITY, detail);
    if measurements.is_empty() || measurements.len() > LATENCY_PUSHED_MAX {
        return wrong(format!("a batch has 1 to {LATENCY_PUSHED_MAX} measurements, this one {}", measurements.len()));
    }
    if id.as_ref().is_some_and(|id| id.is_empty() || id.len() > LATENCY_BATCH_NAME_LEN_MAX) {
        return wrong(format!("`id` has 1 to {LATENCY_BATCH_NAME_LEN_MAX} octets"));
    }
    let word = source.as_deref().unwrap_or("push");
    let source = match Source::from_word(word) {
        Some(source @ (Source::Push | Source::Agent | Source::Beacon | Source::Vantage)) => source,
        Some(Source::Probe | Source::Import) | None => {
            return wrong("`source` is one of push, agent, beacon, vantage".into());
        }
    };
    let is_whole = |number: f64, most: f64| number.fract() == 0.0 && (0.0..=most).contains(&number);
    for (index, Told { samples, at, .. }) in measurements.iter().enumerate() {
        if !samples.is_none_or(|samples| is_whole(samples, LATENCY_SAMPLES_MAX.into()) && samples >= 1.0) {
            return wrong(format!(
                "measurements[{index}]: `samples` is a whole number from 1 to {LATENCY_SAMPLES_MAX}"
            ));
        }
        if !at.is_none_or(|at| is_whole(at, MOMENT_MAX)) {
            return wrong(format!("measurements[{index}]: `at` is milliseconds since 1970"));
        }
    }
    let surveyed = surveyed(&admin, move |survey, now| {
        survey.has_regions().then(|| take(survey, now, source, id.as_deref(), measurements))
    });
    answer(surveyed.await)
}

/// What became of something; without regions it is to be sent again once there are some.
fn answer(surveyed: Result<Option<Outcome>, Response>) -> Response {
    match surveyed {
        Ok(Some(outcome)) => outcome.into_response(),
        Ok(None) => problem(StatusCode::SERVICE_UNAVAILABLE, "no regions are in force yet; try again"),
        Err(refusal) => refusal,
    }
}

fn take(survey: &mut Survey, now: Moment, source: Source, id: Option<&str>, measurements: Vec<Told>) -> Outcome {
    let mut outcome = Outcome::default();
    if id.is_some_and(|id| !survey.is_new(now, id)) {
        outcome.duplicate = true;
        return outcome;
    }
    for (index, told) in measurements.into_iter().enumerate() {
        match measurement(told).and_then(|measurement| survey.take(now, source, &measurement)) {
            Ok(Taken::Counted) => outcome.taken += 1,
            Ok(Taken::Thinned) => outcome.thinned += 1,
            Err(Refusal { kind, reason }) => {
                survey.count_refusal(kind);
                outcome.refuse(index, kind.as_str(), reason);
            }
        }
    }
    outcome
}

fn measurement(told: Told) -> Result<Measurement, Refusal> {
    let Told { client, region, ms, samples, at } = told;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "was found to be whole and in range")]
    let (samples, at) = (samples.map(|samples| samples as u32), at.map(|at| Moment(at as u64)));
    Ok(Measurement {
        client: ClientNetwork::parse(&client)?,
        region,
        us: microseconds(ms)?,
        samples: samples.unwrap_or(1),
        at,
    })
}

/// What is known of the ways, in all.
pub(super) async fn show(State(admin): State<Arc<Admin>>) -> Response {
    match surveyed(&admin, |survey, now| survey.view(now)).await {
        Ok(view) => Json(view).into_response(),
        Err(refusal) => refusal,
    }
}

/// All that is known, as a file.
pub(super) async fn export(State(admin): State<Arc<Admin>>) -> Response {
    match surveyed(&admin, |survey, _| survey.file()).await {
        Ok(text) => {
            ([(header::CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8"))], text).into_response()
        }
        Err(refusal) => refusal,
    }
}

/// Takes a file that was exported, here or elsewhere.
pub(super) async fn import(State(admin): State<Arc<Admin>>, Table(text): Table<LATENCY_FILE_LEN_MAX>) -> Response {
    let restored = surveyed(&admin, move |survey, now| {
        if !survey.has_regions() {
            return None;
        }
        let mut outcome = Outcome::default();
        for (index, text) in (1..)
            .zip(text.lines())
            .filter(|(_, text)| !text.is_empty() && !text.starts_with('#') && *text != Line::HEADER)
        {
            match Line::parse(text) {
                Err(reason) => outcome.refuse(index, "bad-line", reason),
                Ok(line) => match survey.restore(now, &line.with(Source::Import)) {
                    Ok(true) => outcome.taken += 1,
                    // As new is known already.
                    Ok(false) => outcome.thinned += 1,
                    Err(Refusal { kind, reason }) => outcome.refuse(index, kind.as_str(), reason),
                },
            }
        }
        Some(outcome)
    });
    answer(restored.await)
}

/// Does something with the survey, where it is; the answer to give if that cannot be.
pub(super) async fn surveyed<T: Send + 'static>(
    admin: &Admin,
    task: impl FnOnce(&mut Survey, Moment) -> T + Send + 'static,
) -> Result<T, Response> {
    let (reply, done) = oneshot::channel();
    let task = move |survey: &mut Survey, now: Moment| {
        // Whoever asked may have gone.
        let _ = reply.send(task(survey, now));
    };
    if !admin.operations.survey(Box::new(task)) {
        return Err(too_fast());
    }
    done.await.map_err(|_| unavailable())
}
