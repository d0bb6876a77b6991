//! Numbers as text, with a fraction or an exponent.

use crate::base::limits::FEED_VALUE_MAX;

use super::super::feeds::{FeedError, FeedMiss};

/// The number that a text is, in thousandths.
///
/// # Errors
/// If it is no number from 0 to [`FEED_VALUE_MAX`]; NaN and the infinities are none.
pub fn thousandths(text: &str) -> Result<u64, FeedMiss> {
    let text = text.trim();
    match text.parse::<f64>() {
        Ok(number) => thousandths_of(number),
        Err(_) => Err(FeedMiss::new(FeedError::Number, format!("`{}` is no number", shown(text)))),
    }
}

/// A number in thousandths.
///
/// # Errors
/// As for [`thousandths`].
pub fn thousandths_of(number: f64) -> Result<u64, FeedMiss> {
    let refuse = |what: &str| {
        let number = shown(&number.to_string());
        Err(FeedMiss::new(FeedError::Number, format!("{number} is {what}")))
    };
    if !number.is_finite() {
        return refuse("no amount");
    }
    if number < 0.0 {
        return refuse("below 0");
    }
    let thousandths = (number * 1_000.0).round();
    if thousandths > FEED_VALUE_MAX as f64 {
        return refuse("larger than anything");
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to fit")]
    Ok(thousandths as u64)
}

/// A text from outside as part of a reason: a word or two on one line.
pub(super) fn shown(text: &str) -> String {
    const SHOWN_MAX: usize = 40;
    text.chars().filter(|c| !c.is_control()).take(SHOWN_MAX).collect()
}
