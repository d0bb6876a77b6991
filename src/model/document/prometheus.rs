//! Series in the text format of Prometheus, and how a region file names them.
//!
//! ```text
//! # TYPE requests gauge                              comments and empty lines are passed over
//! requests{site="fra",path="/"} 12.5                 a series and its value
//! requests{site="fra",path="/x"} 3e2 1700000000000   the same, and when it was so: milliseconds (in OpenMetrics seconds)
//! ```

use super::super::feeds::{FeedError, FeedMiss, Series};
use super::number::{shown, thousandths};

/// The sum of some series, and when it was so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sum {
    pub(super) value: u64,
    /// Milliseconds since the epoch, of the oldest series; `None`: the document does not say.
    pub(super) at: Option<u64>,
}

/// A time stamp below this counts seconds: as milliseconds it would be before 1974.
const SECONDS_BELOW: f64 = 1e11;

/// The sums of the series that are wanted, in their order.
pub(super) fn sums(text: &str, wanted: &[&Series]) -> Vec<Result<Sum, FeedMiss>> {
    let mut sums: Vec<Option<Result<Sum, FeedMiss>>> = vec![None; wanted.len()];
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (name, rest) = split_name(line);
        if !wanted.iter().any(|series| series.name == name) {
            continue;
        }
        let sample = sample(rest).ok_or_else(|| {
            FeedMiss::new(FeedError::Unreadable, format!("no line of Prometheus text: `{}`", shown(line)))
        });
        for (series, sum) in wanted.iter().zip(&mut sums).filter(|(series, _)| series.name == name) {
            match (&sample, &mut *sum) {
                (_, Some(Err(_))) => {}
                (Err(miss), _) => *sum = Some(Err(miss.clone())),
                (Ok(sample), _) if !has_labels(&sample.labels, &series.labels) => {}
                (Ok(sample), before) => {
                    let added = thousandths(sample.value).map(|value| add(before.as_ref(), value, sample.at));
                    *sum = Some(added);
                }
            }
        }
    }
    let missing = |series: &Series| FeedMiss::new(FeedError::Missing, format!("there is no `{}`", series.name));
    sums.into_iter().zip(wanted).map(|(sum, series)| sum.unwrap_or_else(|| Err(missing(series)))).collect()
}

fn add(before: Option<&Result<Sum, FeedMiss>>, value: u64, at: Option<u64>) -> Sum {
    match before {
        Some(Ok(sum)) => {
            let at = [sum.at, at].into_iter().flatten().min();
            Sum { value: sum.value.saturating_add(value), at }
        }
        Some(Err(_)) | None => Sum { value, at },
    }
}

/// What stands behind the name of a line.
struct Sample<'t> {
    labels: Vec<(&'t str, String)>,
    value: &'t str,
    at: Option<u64>,
}

fn sample(rest: &str) -> Option<Sample<'_>> {
    let (labels, rest) = match rest.trim_start().strip_prefix('{') {
        Some(inside) => labels(inside)?,
        None => (Vec::new(), rest),
    };
    // An exemplar may follow.
    let mut words = rest.split('#').next().unwrap_or_default().split_whitespace();
    let value = words.next()?;
    let at = match words.next() {
        Some(stamp) => Some(moment(stamp)?),
        None => None,
    };
    words.next().is_none().then_some(Sample { labels, value, at })
}

/// A time stamp in milliseconds.
fn moment(stamp: &str) -> Option<u64> {
    let number: f64 = stamp.parse().ok()?;
    let ms = if number < SECONDS_BELOW { number * 1_000.0 } else { number };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to fit")]
    (0.0..1e15).contains(&ms).then_some(ms as u64)
}

fn has_labels(labels: &[(&str, String)], wanted: &[(String, String)]) -> bool {
    wanted.iter().all(|(name, value)| labels.iter().any(|(known, is)| *known == name.as_str() && is == value))
}

/// A name, and what follows it.
fn split_name(line: &str) -> (&str, &str) {
    let end = line.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':')).unwrap_or(line.len());
    line.split_at_checked(end).unwrap_or((line, ""))
}

/// The labels behind `{`, and what follows `}`.
fn labels(mut text: &str) -> Option<(Vec<(&str, String)>, &str)> {
    let mut labels = Vec::new();
    loop {
        text = text.trim_start();
        if let Some(rest) = text.strip_prefix('}') {
            return Some((labels, rest));
        }
        let (name, rest) = split_name(text);
        if name.is_empty() || name.contains(':') {
            return None;
        }
        let (value, rest) = quoted(rest.trim_start().strip_prefix('=')?.trim_start().strip_prefix('"')?)?;
        labels.push((name, value));
        let rest = rest.trim_start();
        text = match rest.strip_prefix(',') {
            Some(rest) => rest,
            None if rest.starts_with('}') => rest,
            None => return None,
        };
    }
}

/// The text up to the quote that ends it, and what follows.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, text.get(at + 1..)?)),
            '\\' => match chars.next()?.1 {
                'n' => value.push('\n'),
                escaped @ ('\\' | '"') => value.push(escaped),
                _ => return None,
            },
            _ => value.push(c),
        }
    }
    None
}

/// Which series a region file means: `name` or `name{label="value"}`.
pub(in crate::model) fn series(text: &str) -> Result<Series, String> {
    let (name, rest) = split_name(text.trim());
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
        return Err("it starts with the name of a metric".to_owned());
    }
    let labels = match rest.trim_start() {
        "" => Vec::new(),
        rest => match rest.strip_prefix('{').and_then(labels) {
            Some((labels, rest)) if rest.trim().is_empty() => labels,
            _ => return Err("labels are written {label=\"value\", …}".to_owned()),
        },
    };
    let labels = labels.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Ok(Series { name: name.to_owned(), labels })
}
