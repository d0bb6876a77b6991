//! The outcome as a page: one file that asks nobody for anything, readable in light and dark and on paper.

use std::fmt::{self, Write};

use super::outcome::{Outcome, Segment, Stage};
use super::picture::{bars, color, escape, flows, loads, unserved};
use super::text::{number, percent, time};

/// Places that are shown in pictures, and in tables.
const BARS: usize = 16;
const ROWS: usize = 30;

const STYLE: &str = "\
:root{color-scheme:light dark;--bg:#fff;--fg:#1c2128;--dim:#667;--rule:#d8dce2;--max:#c62828;--target:#b26a00}
@media (prefers-color-scheme:dark){:root{--bg:#14181d;--fg:#e4e7eb;--dim:#98a2b0;--rule:#333a44;--max:#ff6b62;--target:#f0b24a}}
body{background:var(--bg);color:var(--fg);font:15px/1.5 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem}
h1,h2,h3{line-height:1.2}h2{margin-top:2.5rem;border-bottom:1px solid var(--rule);padding-bottom:.3rem}
.dim{color:var(--dim)}.grid2{display:grid;grid-template-columns:repeat(auto-fit,minmax(20rem,1fr));gap:1rem 2rem}
figure{margin:0;max-width:40rem}figcaption{font-weight:600}svg{width:100%;height:auto;overflow:visible}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}.scroll{overflow-x:auto}
th,td{text-align:right;padding:.2rem .6rem;border-bottom:1px solid var(--rule);white-space:nowrap}
th:first-child,td:first-child,.left{text-align:left}
text{fill:var(--dim);font-size:12px}.end{text-anchor:end}.middle{text-anchor:middle}
.grid{stroke:var(--rule)}.event{stroke:var(--dim);stroke-dasharray:2 3}
.max,.target{fill:none;stroke-width:1.5}.max{stroke:var(--max)}.target{stroke:var(--target);stroke-dasharray:6 4}
.line{fill:none;stroke-width:2}.flow{opacity:.75}.flow.stays{opacity:.25}
.key{display:inline-block;width:.8em;height:.8em;border-radius:2px;margin-right:.4em;vertical-align:baseline}
.over{color:var(--max);font-weight:600}
";
const COLORS: [&str; 11] = [
    "#3b7dd8", "#e07b39", "#3a9e6e", "#a45bc4", "#c9a227", "#d0517f", "#4aa6b5", "#8a6d4b", "#7583d6", "#7d9a3c",
    "#9aa0a8",
];

/// The page of one outcome, or of two side by side.
#[must_use]
pub fn page(outcomes: &[Outcome]) -> String {
    let mut page = String::new();
    // Writing to a string can't fail.
    let _ = write_page(outcomes, &mut page);
    page
}

fn write_page(outcomes: &[Outcome], out: &mut String) -> fmt::Result {
    writeln!(out, "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">")?;
    writeln!(out, "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">")?;
    writeln!(out, "<title>Meridian: what if</title>\n<style>\n{STYLE}")?;
    for (number, color) in COLORS.iter().enumerate() {
        let class = if number + 1 == COLORS.len() { "nowhere".to_owned() } else { format!("c{number}") };
        writeln!(out, ".{class}{{fill:{color};background:{color}}}.line.{class}{{fill:none;stroke:{color}}}")?;
    }
    writeln!(out, "</style>\n</head>\n<body>\n<h1>What if</h1>")?;
    for outcome in outcomes {
        write_outcome(outcome, out)?;
    }
    writeln!(out, "</body>\n</html>")
}

fn write_outcome(outcome: &Outcome, out: &mut String) -> fmt::Result {
    writeln!(out, "<h2>{}</h2>", escape(&outcome.configuration))?;
    writeln!(out, "<p>Demand: {}.</p>", escape(&outcome.demand))?;
    if !outcome.assumed.is_empty() {
        writeln!(out, "<p class=\"dim\">Assumed: {}.</p>", escape(&outcome.assumed.join("; ")))?;
    }
    writeln!(
        out,
        "<h3>Loads over time</h3>\n<p class=\"dim\">Solid: load; red: max; dashed: target; dotted: events.</p>"
    )?;
    writeln!(out, "<div class=\"grid2\">")?;
    for line in &outcome.timeline.regions {
        let (class, key) = (color(outcome, &line.region), escape(&line.region));
        writeln!(out, "<figure><figcaption><span class=\"key {class}\"></span>{key}</figcaption>")?;
        loads(outcome, line, out)?;
        writeln!(out, "</figure>")?;
    }
    if outcome.timeline.unserved.iter().any(|unserved| *unserved > 0.0) {
        writeln!(out, "<figure><figcaption><span class=\"key nowhere\"></span>nowhere</figcaption>")?;
        unserved(outcome, out)?;
        writeln!(out, "</figure>")?;
    }
    writeln!(out, "</div>")?;
    for (index, stage) in outcome.stages.iter().enumerate() {
        writeln!(out, "<h3>{}</h3>", escape(&stage.what))?;
        let segment = index.checked_sub(1).and_then(|before| outcome.segments.get(before));
        write_stage(outcome, stage, segment, out)?;
    }
    if !outcome.told.is_empty() {
        writeln!(out, "<h3>What the server would have told</h3>\n<div class=\"scroll\"><table>")?;
        for (second, line) in &outcome.told {
            writeln!(out, "<tr><td>{second} s</td><td class=\"left\">{}</td></tr>", escape(line))?;
        }
        writeln!(out, "</table></div>")?;
    }
    Ok(())
}

fn write_stage(outcome: &Outcome, stage: &Stage, segment: Option<&Segment>, out: &mut String) -> fmt::Result {
    let (demand, km) = (number(stage.demand), stage.mean_km);
    writeln!(out, "<p>{demand} answers/s, {km:.0} km from client to region on average.")?;
    if let Some(segment) = segment {
        match segment.settled_s {
            Some(seconds) => writeln!(out, "Settled within 5 % after {}.", time(seconds))?,
            None => writeln!(out, "<span class=\"over\">Not settled.</span>")?,
        }
        if segment.unserved > 0.0 {
            writeln!(out, "{} answers went nowhere.", number(segment.unserved))?;
        }
    }
    writeln!(out, "</p>")?;
    write_regions(outcome, stage, segment, out)?;
    writeln!(out, "<div class=\"grid2\">\n<figure><figcaption>Who goes where</figcaption>")?;
    bars(outcome, stage, BARS, out)?;
    writeln!(out, "</figure>")?;
    if let Some(segment) = segment {
        writeln!(out, "<figure><figcaption>Who moves</figcaption>")?;
        flows(outcome, segment, stage, out)?;
        writeln!(out, "</figure>")?;
    }
    writeln!(out, "</div>")?;
    write_countries(stage, out)
}

fn write_regions(outcome: &Outcome, stage: &Stage, segment: Option<&Segment>, out: &mut String) -> fmt::Result {
    let maybe = |value: Option<f64>| value.map_or("–".to_owned(), number);
    writeln!(
        out,
        "<div class=\"scroll\"><table>\n<tr><th>region</th><th>state</th><th>answers/s</th><th>share</th><th>load</th><th>target</th><th>max</th><th>of max</th><th>peak</th></tr>"
    )?;
    for region in &stage.regions {
        let filled = region.utilization.unwrap_or(0.0);
        let class = if filled > 1.0 { " class=\"over\"" } else { "" };
        let course = segment.and_then(|segment| segment.regions.iter().find(|course| course.region == region.region));
        let peak = course.map_or("–".to_owned(), |course| {
            let of_max = course.peak_utilization.map_or(String::new(), |part| format!(" ({})", percent(part)));
            format!("{}{of_max} after {}", number(course.peak), time(course.peak_s))
        });
        writeln!(
            out,
            "<tr><td><span class=\"key {}\"></span>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td{class}>{}</td><td>{peak}</td></tr>",
            color(outcome, &region.region),
            escape(&region.region),
            region.state,
            number(region.answers),
            percent(region.share),
            number(region.load),
            maybe(region.target),
            maybe(region.max),
            region.utilization.map_or("–".to_owned(), percent),
        )?;
    }
    writeln!(out, "</table></div>")
}

fn write_countries(stage: &Stage, out: &mut String) -> fmt::Result {
    writeln!(out, "<details><summary>Clients and moves as tables</summary>\n<div class=\"scroll\"><table>")?;
    writeln!(out, "<tr><th>clients</th><th>answers/s</th><th class=\"left\">go to</th></tr>")?;
    for country in stage.countries.iter().take(ROWS) {
        let shares: Vec<String> =
            country.regions.iter().map(|(region, share)| format!("{region} {}", percent(*share))).collect();
        let (origin, demand, shares) = (escape(&country.origin), number(country.demand), escape(&shares.join(", ")));
        writeln!(out, "<tr><td>{origin}</td><td>{demand}</td><td class=\"left\">{shares}</td></tr>")?;
    }
    writeln!(out, "</table></div>")?;
    if !stage.spills.is_empty() {
        writeln!(out, "<p>The plan sends elsewhere, {:.0} km further on average:</p>\n<ul>", stage.extra_km)?;
        for spill in &stage.spills {
            let (from, to, demand) = (escape(&spill.from), escape(&spill.to), number(spill.demand));
            writeln!(out, "<li>{from} → {to}: {demand} answers/s, {} of its clients</li>", percent(spill.part))?;
        }
        writeln!(out, "</ul>")?;
    }
    writeln!(out, "</details>")
}
