//! Readings that are pushed: batches of numbers about regions and endpoints.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use crate::admin::body::Body;
use crate::admin::problem::{problem, problem_with, unavailable};
use crate::admin::routes::Admin;
use crate::base::limits::{FEED_METRICS_MAX, LOADS_BODY_LEN_MAX, LOADS_PUSHED_MAX};
use crate::base::moment::Moment;
use crate::control::{Pushed, Source};
use crate::model::document::thousandths_of;
use crate::model::{FeedError, FeedMiss, is_metric_name};

/// What is pushed at once.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Batch {
    readings: Vec<Told>,
}

/// One reading, about a region or an endpoint.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Told {
    region: Option<String>,
    endpoint: Option<String>,
    metrics: BTreeMap<String, f64>,
    /// When it was so; absent: now.
    at: Option<u64>,
}

/// What became of a batch.
#[derive(Debug, Serialize)]
struct Taken {
    /// Readings that were taken.
    taken: usize,
    /// Those that were not, in the order of the batch.
    refused: Vec<Refused>,
}

/// A reading that was not taken.
#[derive(Debug, Serialize)]
struct Refused {
    /// Its place in the batch, from 0.
    index: usize,
    /// What it is about.
    source: String,
    /// Why, in a word.
    kind: &'static str,
    /// And in a sentence.
    reason: String,
}

/// Takes what can be meant of a batch; 422 if nothing can.
pub(super) async fn push(
    State(admin): State<Arc<Admin>>,
    Body(Batch { readings }): Body<Batch, LOADS_BODY_LEN_MAX>,
) -> Response {
    if readings.is_empty() || readings.len() > LOADS_PUSHED_MAX {
        let detail = format!("a batch has 1 to {LOADS_PUSHED_MAX} readings, this one {}", readings.len());
        return problem(StatusCode::UNPROCESSABLE_ENTITY, detail);
    }
    let pushed: Result<Vec<Pushed>, String> = (0..).zip(readings).map(|(index, told)| pushed(index, told)).collect();
    let pushed = match pushed {
        Ok(pushed) => pushed,
        Err(reason) => return problem(StatusCode::UNPROCESSABLE_ENTITY, reason),
    };
    let names: Vec<String> = pushed.iter().map(|reading| reading.source.key().to_string()).collect();
    let Some(results) = admin.operations.push(pushed).await else { return unavailable() };
    let taken = results.iter().filter(|result| result.is_ok()).count();
    let results = results.into_iter().zip(names).enumerate();
    let refused = results.filter_map(|(index, (result, source))| {
        let FeedMiss { kind, reason } = result.err()?;
        Some(Refused { index, source, kind: kind.as_str(), reason })
    });
    let answer = Taken { taken, refused: refused.collect() };
    match answer.refused.first() {
        Some(first) if taken == 0 => {
            let detail = format!("no reading was taken; `{}`: {}", first.source, first.reason);
            problem_with(StatusCode::UNPROCESSABLE_ENTITY, detail, &answer)
        }
        _ => Json(answer).into_response(),
    }
}

/// A reading as control takes it; what is wrong with its form is the whole batch's mistake.
fn pushed(index: usize, told: Told) -> Result<Pushed, String> {
    let source = match (told.region, told.endpoint) {
        (Some(region), None) => Source::Region(region.into()),
        (None, Some(endpoint)) => Source::Endpoint(endpoint.into()),
        _ => return Err(format!("readings[{index}] is about either a `region` or an `endpoint`")),
    };
    if !told.metrics.keys().all(|name| is_metric_name(name)) {
        return Err(format!("readings[{index}]: a metric is called by letters, digits and `_`, at most 63 of them"));
    }
    let metrics = match told.metrics.len() {
        0..=FEED_METRICS_MAX => told.metrics.into_iter().map(metric).collect(),
        many => Err(FeedMiss::new(FeedError::Unreadable, format!("{many} metrics, at most {FEED_METRICS_MAX}"))),
    };
    Ok(Pushed { source, metrics, at: told.at.map(Moment) })
}

fn metric((name, value): (String, f64)) -> Result<(Arc<str>, u64), FeedMiss> {
    let value = thousandths_of(value);
    let value = value.map_err(|miss| FeedMiss { reason: format!("`{name}`: {}", miss.reason), ..miss })?;
    Ok((name.into(), value))
}
