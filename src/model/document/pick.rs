//! The picks of a feed, from the document they stand in.

use super::super::feeds::{FeedError, FeedMiss, Metrics, Pick, Place, Series};
use super::{json, prometheus};

/// What was picked from a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// The numbers.
    pub metrics: Metrics,
    /// When they were so, in milliseconds since the epoch; `None`: the document does not say.
    pub at: Option<u64>,
}

/// Everything that is picked from a document that was fetched.
///
/// # Errors
/// The first that is not there, or no number.
pub fn document(body: &[u8], picks: &[Pick]) -> Result<Document, FeedMiss> {
    let wanted: Vec<&Series> = picks.iter().filter_map(|pick| as_series(&pick.place)).collect();
    let mut sums = match wanted.as_slice() {
        [] => Vec::new(),
        wanted => prometheus::sums(&String::from_utf8_lossy(body), wanted),
    }
    .into_iter();
    let json = match picks.iter().any(|pick| matches!(pick.place, Place::Json(_))) {
        true => Some(json::parse(body)?),
        false => None,
    };
    let mut at = None;
    let mut metrics = Vec::with_capacity(picks.len());
    for pick in picks {
        let value = match (&pick.place, &json) {
            (Place::Json(pointer), Some(json)) => json::number(json, pointer)?,
            (Place::Series(_), _) => {
                let sum = sums.next().unwrap_or_else(|| Err(nowhere()))?;
                at = [at, sum.at].into_iter().flatten().min();
                sum.value
            }
            (Place::Json(_), None) | (Place::Header(_), _) => return Err(nowhere()),
        };
        metrics.push((std::sync::Arc::clone(&pick.metric), value));
    }
    Ok(Document { metrics: metrics.into_iter().collect(), at })
}

/// The numbers at some places of the answer to a health check, in their order. `header` finds a field by its name.
pub fn answer<'a>(
    places: &[Place],
    header: impl Fn(&str) -> Option<&'a str>,
    body: &[u8],
) -> Vec<Result<u64, FeedMiss>> {
    let json = places.iter().any(|place| matches!(place, Place::Json(_))).then(|| json::parse(body));
    let number = |place: &Place| match (place, &json) {
        (Place::Header(name), _) => match header(name) {
            Some(text) => super::thousandths(text),
            None => Err(FeedMiss::new(FeedError::Missing, format!("there is no header `{name}`"))),
        },
        (Place::Json(pointer), Some(Ok(json))) => json::number(json, pointer),
        (Place::Json(_), Some(Err(miss))) => Err(miss.clone()),
        (Place::Json(_), None) | (Place::Series(_), _) => Err(nowhere()),
    };
    places.iter().map(number).collect()
}

fn as_series(place: &Place) -> Option<&Series> {
    match place {
        Place::Series(series) => Some(series),
        Place::Json(_) | Place::Header(_) => None,
    }
}

/// A place that such a document does not have; region files with one are refused.
fn nowhere() -> FeedMiss {
    FeedMiss::new(FeedError::Missing, "there is no such place")
}
