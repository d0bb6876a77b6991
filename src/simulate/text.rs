//! What came out, for people: tables on a terminal.

use std::fmt::{self, Write};
use std::time::Duration;

use crate::base::units::format_duration;

use super::outcome::{Outcome, RegionRow, Segment, SpillRow, Stage};

/// The outcome of one or, side by side, of two configurations. `rows`: countries and moves that are shown.
#[must_use]
pub fn text(outcomes: &[Outcome], rows: usize) -> String {
    let mut text = String::new();
    for (index, outcome) in outcomes.iter().enumerate() {
        if index > 0 {
            text.push('\n');
        }
        // Writing to a string can't fail.
        let _ = write_outcome(outcome, rows, &mut text);
    }
    if let [one, other] = outcomes {
        let _ = write_difference(one, other, &mut text);
    }
    text
}

fn write_outcome(outcome: &Outcome, rows: usize, out: &mut String) -> fmt::Result {
    writeln!(out, "{}", outcome.configuration)?;
    writeln!(out, "  demand    {}", outcome.demand)?;
    if outcome.unlocated > 0.0 {
        let part = percent(outcome.unlocated / outcome.total.max(f64::MIN_POSITIVE));
        writeln!(out, "            {part} of it from clients that nobody can locate")?;
    }
    for assumed in &outcome.assumed {
        writeln!(out, "  assumed   {assumed}")?;
    }
    for (index, stage) in outcome.stages.iter().enumerate() {
        writeln!(out)?;
        write_stage(stage, rows, out)?;
        if let Some(segment) = index.checked_sub(1).and_then(|before| outcome.segments.get(before)) {
            write_segment(segment, rows, out)?;
        }
    }
    Ok(())
}

fn write_stage(stage: &Stage, rows: usize, out: &mut String) -> fmt::Result {
    writeln!(out, "{}: {} answers/s, {:.0} km on average", stage.what, number(stage.demand), stage.mean_km)?;
    writeln!(out, "  region        state    answers/s   share       load     target        max  of max")?;
    for region in &stage.regions {
        writeln!(out, "  {}", region_line(region))?;
    }
    if stage.unserved > 0.0 {
        writeln!(
            out,
            "  nowhere                {:>9}  {:>6}",
            number(stage.unserved),
            percent(stage.unserved / stage.demand)
        )?;
    }
    for spill in stage.spills.iter().take(rows) {
        let SpillRow { from, to, demand, part, .. } = spill;
        writeln!(out, "  spill     {from} → {to}: {} answers/s, {} of its clients", number(*demand), percent(*part))?;
    }
    if !stage.spills.is_empty() {
        writeln!(
            out,
            "            {:.0} km further than their own region, on average ({})",
            stage.extra_km, stage.method
        )?;
    }
    writeln!(out, "  clients           answers/s  go to")?;
    for country in stage.countries.iter().take(rows) {
        let regions: Vec<String> =
            country.regions.iter().map(|(region, share)| format!("{region} {}", percent(*share))).collect();
        let regions = if regions.is_empty() { "nowhere".into() } else { regions.join(", ") };
        writeln!(out, "  {:<17} {:>9}  {regions}", country.origin, number(country.demand))?;
    }
    if let Some(rest) = stage.countries.get(rows..).filter(|rest| !rest.is_empty()) {
        let demand: f64 = rest.iter().map(|country| country.demand).sum();
        writeln!(out, "  {:<17} {:>9}", format!("{} more", rest.len()), number(demand))?;
    }
    Ok(())
}

fn region_line(region: &RegionRow) -> String {
    let maybe = |value: Option<f64>| value.map_or("-".to_owned(), number);
    let RegionRow { region: key, state, answers, share, load, target, max, utilization, .. } = region;
    format!(
        "{key:<13} {state:<7} {:>10}  {:>6} {:>10} {:>10} {:>10}  {:>6}",
        number(*answers),
        percent(*share),
        number(*load),
        maybe(*target),
        maybe(*max),
        utilization.map_or("-".to_owned(), percent),
    )
}

fn write_segment(segment: &Segment, rows: usize, out: &mut String) -> fmt::Result {
    for moved in segment.moves.iter().take(rows) {
        let SpillRow { from, to, demand, part, extra_km } = moved;
        let further = if to == "nowhere" || from == "nowhere" { String::new() } else { format!(", {extra_km:+.0} km") };
        writeln!(
            out,
            "  moved     {from} → {to}: {} answers/s, {} of its clients{further}",
            number(*demand),
            percent(*part)
        )?;
    }
    let played = segment.until_s - segment.at_s;
    match segment.settled_s {
        Some(seconds) => writeln!(out, "  settled   within 5 % after {}", time(seconds))?,
        None => writeln!(out, "  settled   not within the {} that were played", time(played))?,
    }
    match (segment.unserved > 0.0, segment.unserved_s) {
        (false, _) => {}
        (true, Some(seconds)) => {
            writeln!(out, "  unserved  {} answers, the last after {}", number(segment.unserved), time(seconds))?;
        }
        (true, None) => writeln!(out, "  unserved  {} answers, and it did not end", number(segment.unserved))?,
    }
    for course in segment.regions.iter().filter(|course| course.peak_utilization.is_some()) {
        let peak = course.peak_utilization.unwrap_or(0.0);
        let over =
            if course.over_max_s > 0 { format!(", above max for {}", time(course.over_max_s)) } else { String::new() };
        writeln!(out, "  peak      {}: {} of max after {}{over}", course.region, percent(peak), time(course.peak_s))?;
    }
    Ok(())
}

/// Two configurations, side by side at the end.
fn write_difference(one: &Outcome, other: &Outcome, out: &mut String) -> fmt::Result {
    let (Some(a), Some(b)) = (one.stages.last(), other.stages.last()) else { return Ok(()) };
    writeln!(out, "\nA = {}, B = {}, at the end", one.configuration, other.configuration)?;
    writeln!(out, "  region          A answers/s    B answers/s  A of max  B of max")?;
    let mut keys: Vec<&str> = a.regions.iter().chain(&b.regions).map(|region| region.region.as_str()).collect();
    keys.sort_unstable();
    keys.dedup();
    for key in keys {
        let of = |stage: &Stage| stage.regions.iter().find(|region| region.region == key).cloned();
        let answers = |region: &Option<RegionRow>| region.as_ref().map_or("-".into(), |region| number(region.answers));
        let filled = |region: &Option<RegionRow>| {
            region.as_ref().and_then(|region| region.utilization).map_or("-".into(), percent)
        };
        let (a, b) = (of(a), of(b));
        writeln!(out, "  {key:<13} {:>13}  {:>13}  {:>8}  {:>8}", answers(&a), answers(&b), filled(&a), filled(&b))?;
    }
    writeln!(out, "  kilometers    {:>13.0}  {:>13.0}", a.mean_km, b.mean_km)?;
    writeln!(out, "  go elsewhere  {:>13}", percent(differing(a, b)))
}

/// The part of the demand that goes to other regions in the one than in the other.
pub(super) fn differing(a: &Stage, b: &Stage) -> f64 {
    let mut sum = 0.0;
    for country in &a.countries {
        let Some(other) = b.countries.iter().find(|other| other.origin == country.origin) else { continue };
        let share = |of: &[(String, f64)], key: &str| of.iter().find(|(known, _)| known == key).map_or(0.0, |of| of.1);
        let same: f64 = country.regions.iter().map(|(key, part)| part.min(share(&other.regions, key))).sum();
        sum += country.demand * (1.0 - same).max(0.0);
    }
    if a.demand > 0.0 { sum / a.demand } else { 0.0 }
}

/// Whole from a hundred on.
pub(super) fn number(number: f64) -> String {
    if number >= 100.0 || number == 0.0 { format!("{number:.0}") } else { format!("{number:.1}") }
}

pub(super) fn percent(part: f64) -> String {
    format!("{:.1} %", part * 100.0)
}

pub(super) fn time(seconds: u32) -> String {
    format_duration(Duration::from_secs(seconds.into()))
}
