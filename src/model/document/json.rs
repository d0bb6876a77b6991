//! Numbers in JSON documents.

use serde_json::Value;

use super::super::feeds::{FeedError, FeedMiss};
use super::number::{shown, thousandths, thousandths_of};

/// A JSON document.
pub(super) fn parse(body: &[u8]) -> Result<Value, FeedMiss> {
    serde_json::from_slice(body).map_err(|error| FeedMiss::new(FeedError::Unreadable, format!("no JSON: {error}")))
}

/// The number at a pointer. A number in quotes is one too: some servers write all numbers so.
pub(super) fn number(document: &Value, pointer: &str) -> Result<u64, FeedMiss> {
    let found = document.pointer(pointer);
    let place = if pointer.is_empty() { "the document" } else { pointer };
    match found {
        None => Err(FeedMiss::new(FeedError::Missing, format!("there is no `{}`", shown(pointer)))),
        Some(Value::String(text)) => thousandths(text),
        Some(Value::Number(number)) => match number.as_f64() {
            Some(number) => thousandths_of(number),
            None => Err(FeedMiss::new(FeedError::Number, format!("{number} is no amount"))),
        },
        Some(Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_)) => {
            Err(FeedMiss::new(FeedError::Number, format!("{} is no number", shown(place))))
        }
    }
}
