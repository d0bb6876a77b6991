//! What happens, and when: as it is written on the command line.
//!
//! ```text
//! REGION[@TIME]                    lost, back, drained
//! COUNTRY|all=FACTOR[@TIME]        so many times as much is asked
//! REGION=[TARGET/]MAX[@TIME]       another capacity, by a reload
//! ```
//! TIME is a duration after the beginning, at which everything has settled.

use std::time::Duration;

use crate::base::countries::parse_country;
use crate::base::suggest::nearest;
use crate::base::units::{format_duration, parse_duration};
use crate::model::Model;

/// One thing that happens.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Seconds after the beginning.
    pub at_s: u32,
    /// What.
    pub what: What,
}

/// What happens.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// Nothing in this region answers any more; health checks have to find out.
    Lose(String),
    /// It answers again.
    Back(String),
    /// An operator drains it.
    Drain(String),
    /// So many times as much is asked as at the beginning, from a country or from everywhere.
    Scale(Option<[u8; 2]>, f64),
    /// A reload gives it another capacity.
    Capacity {
        /// The region.
        region: String,
        /// `None`: 0.8 × `max`.
        target: Option<u64>,
        /// What it can carry.
        max: u64,
    },
}

/// The largest factor that makes sense.
const FACTOR_MAX: f64 = 1_000.0;
/// The latest event.
const TIME_MAX: Duration = Duration::from_secs(86_400);

impl Event {
    /// `fra@60s`, and what happens to it.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn of_region(text: &str, what: fn(String) -> What) -> Result<Self, String> {
        let (region, at_s) = timed(text)?;
        if region.is_empty() {
            return Err("a region belongs here, e.g. fra or fra@60s".into());
        }
        Ok(Self { at_s, what: what(region.to_owned()) })
    }

    /// `DE=2`, `all=1.5@5m`
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn scale(text: &str) -> Result<Self, String> {
        let (scale, at_s) = timed(text)?;
        let (whom, factor) = scale.split_once('=').ok_or("write COUNTRY=FACTOR or all=FACTOR, e.g. DE=2")?;
        let factor: f64 = factor.parse().map_err(|_| format!("`{factor}` is no number"))?;
        Self::scaled(whom, factor, at_s)
    }

    /// `all`, `DE@60s`: twice as much is asked.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn double(text: &str) -> Result<Self, String> {
        let (whom, at_s) = timed(text)?;
        Self::scaled(whom, 2.0, at_s)
    }

    fn scaled(whom: &str, factor: f64, at_s: u32) -> Result<Self, String> {
        if !(0.0..=FACTOR_MAX).contains(&factor) {
            return Err(format!("a factor is from 0 to {FACTOR_MAX}"));
        }
        let country = match whom {
            "all" => None,
            code => Some(parse_country(code).map_err(|refusal| match refusal.hint {
                Some(hint) => format!("`{code}`: {}; {hint}", refusal.reason),
                None => format!("`{code}`: {}", refusal.reason),
            })?),
        };
        Ok(Self { at_s, what: What::Scale(country, factor) })
    }

    /// `fra=3000`, `fra=2400/3000@60s`
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn capacity(text: &str) -> Result<Self, String> {
        let (capacity, at_s) = timed(text)?;
        let (region, numbers) = capacity.split_once('=').ok_or("write REGION=MAX or REGION=TARGET/MAX")?;
        let number = |text: &str| text.parse::<u64>().map_err(|_| format!("`{text}` is no whole number"));
        let (target, max) = match numbers.split_once('/') {
            Some((target, max)) => (Some(number(target)?), number(max)?),
            None => (None, number(numbers)?),
        };
        if target.is_some_and(|target| target > max) {
            return Err(format!("the target is above the max in `{numbers}`"));
        }
        Ok(Self { at_s, what: What::Capacity { region: region.to_owned(), target, max } })
    }

    /// The region it is about.
    #[must_use]
    pub fn region(&self) -> Option<&str> {
        match &self.what {
            What::Lose(region) | What::Back(region) | What::Drain(region) | What::Capacity { region, .. } => {
                Some(region)
            }
            What::Scale(..) => None,
        }
    }

    /// Whether a model has what it is about.
    ///
    /// # Errors
    /// It has not, and what may be meant.
    pub fn check(&self, model: &Model) -> Result<(), String> {
        let Some(key) = self.region().filter(|key| model.region_by_key(key).is_none()) else { return Ok(()) };
        let hint = nearest(key, model.regions.iter().map(|region| region.key.as_ref()));
        Err(match hint {
            Some(known) => format!("no such region: `{key}`; did you mean `{known}`?"),
            None => format!("no such region: `{key}`"),
        })
    }

    /// In words.
    #[must_use]
    pub fn words(&self) -> String {
        let at = format_duration(Duration::from_secs(self.at_s.into()));
        let what = match &self.what {
            What::Lose(region) => format!("{region} is lost"),
            What::Back(region) => format!("{region} is back"),
            What::Drain(region) => format!("{region} is drained"),
            What::Scale(None, factor) => format!("demand × {factor}"),
            What::Scale(Some(country), factor) => {
                format!("demand of {} × {factor}", String::from_utf8_lossy(country))
            }
            What::Capacity { region, target: Some(target), max } => {
                format!("capacity of {region} is {max}, target {target}")
            }
            What::Capacity { region, target: None, max } => format!("capacity of {region} is {max}"),
        };
        format!("{at}: {what}")
    }
}

/// The text before `@`, and the seconds after it.
fn timed(text: &str) -> Result<(&str, u32), String> {
    let Some((what, time)) = text.rsplit_once('@') else { return Ok((text, 0)) };
    let time = match time.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => parse_duration(time)?,
    };
    if time > TIME_MAX {
        return Err(format!("an event is at most {} after the beginning", format_duration(TIME_MAX)));
    }
    u32::try_from(time.as_secs()).map(|at_s| (what, at_s)).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_as_people_write_them() {
        for (event, words) in [
            (Event::of_region("fra", What::Lose), "0s: fra is lost"),
            (Event::of_region("fra@90", What::Back), "1m30s: fra is back"),
            (Event::scale("DE=1.5@2m"), "2m: demand of DE × 1.5"),
            (Event::double("all"), "0s: demand × 2"),
            (Event::capacity("fra=10@1s"), "1s: capacity of fra is 10"),
            (Event::capacity("fra=8/10"), "0s: capacity of fra is 10, target 8"),
        ] {
            assert_eq!(event.unwrap().words(), words);
        }
    }

    #[test]
    fn mistakes_are_told() {
        for (event, words) in [
            (Event::of_region("@5s", What::Lose), "a region belongs here"),
            (Event::of_region("fra@soon", What::Lose), "does not start with a whole number"),
            (Event::of_region("fra@2d", What::Lose), "at most 1d"),
            (Event::scale("DE"), "write COUNTRY=FACTOR"),
            (Event::scale("UK=2"), "did you mean \"GB\"?"),
            (Event::scale("all=-1"), "a factor is from 0"),
            (Event::capacity("fra=10/8"), "above the max"),
            (Event::capacity("fra=many"), "is no whole number"),
        ] {
            assert!(event.as_ref().is_err_and(|error| error.contains(words)), "{event:?}");
        }
    }
}
