//! Durations and distances as operators write them: `"5s"`, `"1m30s"`, `"100ms"`, `"50km"`.

use std::time::Duration;

/// Reads a duration: one or more of a number and a unit (`ms`, `s`, `m`, `h`, `d`), largest unit first, e.g. `1m30s`.
///
/// # Errors
/// A sentence that says what is wrong with the text.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];
    if text.is_empty() {
        return Err("a duration is empty".into());
    }
    let mut rest = text;
    let mut total: u64 = 0;
    let mut last = u64::MAX;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let letters = rest[digits..].bytes().take_while(u8::is_ascii_alphabetic).count();
        let (number, unit) = (&rest[..digits], &rest[digits..digits + letters]);
        let Ok(number) = number.parse::<u64>() else {
            return Err(format!("`{rest}` does not start with a whole number"));
        };
        let Some(&(_, scale)) = UNITS.iter().find(|(name, _)| *name == unit) else {
            return Err(if unit.is_empty() {
                "a unit is missing: ms, s, m, h or d".into()
            } else {
                format!("`{unit}` is no unit: ms, s, m, h or d")
            });
        };
        if scale >= last {
            return Err("units go from the largest to the smallest, each once".into());
        }
        last = scale;
        total = number.checked_mul(scale).and_then(|ms| total.checked_add(ms)).ok_or("the duration is too long")?;
        rest = &rest[digits + letters..];
    }
    Ok(Duration::from_millis(total))
}

/// Writes a duration the way [`parse_duration`] reads it.
#[must_use]
pub fn format_duration(duration: Duration) -> String {
    let mut ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    if ms == 0 {
        return "0s".into();
    }
    let mut out = String::new();
    for (unit, scale) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)] {
        if ms >= scale {
            out.push_str(&format!("{}{unit}", ms / scale));
            ms %= scale;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, ms) in
            [("5s", 5_000), ("1m30s", 90_000), ("100ms", 100), ("1d", 86_400_000), ("0s", 0), ("1h1ms", 3_600_001)]
        {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(ms)), "{text}");
            assert_eq!(format_duration(Duration::from_millis(ms)), text);
        }
        for text in
            ["", "5", "s", "5 s", "5x", "1s1m", "1s1s", "-5s", "1.5s", "99999999999999999999s", "9999999999999999d"]
        {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }
}
