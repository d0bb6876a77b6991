//! Pictures of an outcome as SVG, to stand inside a page: loads over time, who goes where, who moves.
//!
//! Colors are classes of the page (`c0` to `c9` by region), so that pictures follow light and dark.

use std::fmt::Write;

use super::outcome::{Outcome, RegionLine, Segment, Stage, Timeline};
use super::text::{number, percent};

/// Colors that are told apart.
const COLORS: usize = 10;
/// The size of a picture of loads, and the room for words at its left and below.
const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 170.0;
const LEFT: f64 = 56.0;
const BELOW: f64 = 22.0;
/// The height of a bar and what is between two.
const BAR: f64 = 18.0;
const GAP: f64 = 6.0;
/// The height of a picture of moves.
const FLOW_HEIGHT: f64 = 260.0;
/// What is between two regions there.
const FLOW_GAP: f64 = 10.0;

/// The class of the color of a region.
pub(super) fn color(outcome: &Outcome, key: &str) -> String {
    let regions = outcome.stages.first().map(|stage| stage.regions.as_slice()).unwrap_or_default();
    let place = regions.iter().position(|region| region.region == key);
    place.map_or_else(|| "nowhere".to_owned(), |place| format!("c{}", place % COLORS))
}

/// What may stand in a page.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// The load of a region over time, with its target and max.
pub(super) fn loads(outcome: &Outcome, line: &RegionLine, out: &mut String) -> std::fmt::Result {
    let timeline = &outcome.timeline;
    let highest = line.load.iter().copied().chain(line.max.iter().flatten().copied()).fold(0.0, f64::max);
    let plane = Plane::new(timeline, highest);
    plane.open(&format!("load of {} over time", line.region), out)?;
    for (values, class, word) in [(&line.max, "max", "max"), (&line.target, "target", "target")] {
        if let Some(points) = plane.maybe(timeline, values) {
            writeln!(out, "<polyline class=\"{class}\" points=\"{points}\"><title>{word}</title></polyline>")?;
        }
    }
    plane.events(outcome, out)?;
    let points = plane.line(timeline, &line.load);
    let color = color(outcome, &line.region);
    writeln!(out, "<polyline class=\"line {color}\" points=\"{points}\"><title>load</title></polyline>\n</svg>")
}

/// What goes nowhere over time.
pub(super) fn unserved(outcome: &Outcome, out: &mut String) -> std::fmt::Result {
    let timeline = &outcome.timeline;
    let plane = Plane::new(timeline, timeline.unserved.iter().copied().fold(0.0, f64::max));
    plane.open("answers a second that go nowhere", out)?;
    plane.events(outcome, out)?;
    let points = plane.line(timeline, &timeline.unserved);
    writeln!(out, "<polyline class=\"line nowhere\" points=\"{points}\"/>\n</svg>")
}

/// Where values over time are drawn.
struct Plane {
    first: f64,
    last: f64,
    highest: f64,
}

impl Plane {
    fn new(timeline: &Timeline, highest: f64) -> Self {
        let end = |second: Option<&i64>| second.map_or(0.0, |&second| seconds(second));
        let (first, last) = (end(timeline.seconds.first()), end(timeline.seconds.last()));
        Self { first, last, highest: if highest > 0.0 { highest * 1.08 } else { 1.0 } }
    }

    fn x(&self, second: f64) -> f64 {
        LEFT + (second - self.first) / (self.last - self.first).max(1.0) * (WIDTH - LEFT)
    }

    fn y(&self, value: f64) -> f64 {
        (HEIGHT - BELOW) * (1.0 - value / self.highest)
    }

    fn line(&self, timeline: &Timeline, values: &[f64]) -> String {
        let points = timeline.seconds.iter().zip(values);
        let points = points.map(|(&second, &value)| format!("{:.1},{:.1}", self.x(seconds(second)), self.y(value)));
        points.collect::<Vec<_>>().join(" ")
    }

    /// A line of what is not always there; `None`: it never is.
    fn maybe(&self, timeline: &Timeline, values: &[Option<f64>]) -> Option<String> {
        let there = timeline.seconds.iter().zip(values).filter_map(|(&second, value)| Some((second, (*value)?)));
        let points: Vec<String> =
            there.map(|(second, value)| format!("{:.1},{:.1}", self.x(seconds(second)), self.y(value))).collect();
        (!points.is_empty()).then(|| points.join(" "))
    }

    fn open(&self, label: &str, out: &mut String) -> std::fmt::Result {
        let label = escape(label);
        writeln!(out, "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{label}\">")?;
        for part in [0.0, 0.5, 1.0] {
            let value = self.highest / 1.08 * part;
            let y = self.y(value);
            writeln!(out, "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{WIDTH}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>")?;
            let (x, y) = (LEFT - 6.0, y + 4.0);
            writeln!(out, "<text class=\"end\" x=\"{x}\" y=\"{y:.1}\">{}</text>", number(value))?;
        }
        for part in [0.0, 0.25, 0.5, 0.75, 1.0] {
            let second = self.first + (self.last - self.first) * part;
            let class = if part == 0.0 {
                ""
            } else if part == 1.0 {
                "end"
            } else {
                "middle"
            };
            let (x, y) = (self.x(second), HEIGHT - 5.0);
            writeln!(out, "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y}\">{second:.0} s</text>")?;
        }
        Ok(())
    }

    fn events(&self, outcome: &Outcome, out: &mut String) -> std::fmt::Result {
        for segment in &outcome.segments {
            let (x, bottom) = (self.x(f64::from(segment.at_s)), HEIGHT - BELOW);
            let words = escape(&segment.events.join(", "));
            writeln!(
                out,
                "<line class=\"event\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"0\" y2=\"{bottom}\"><title>{words}</title></line>"
            )?;
        }
        Ok(())
    }
}

#[expect(clippy::cast_precision_loss, reason = "seconds of a picture")]
fn seconds(second: i64) -> f64 {
    second as f64
}

/// Who goes where: a bar for each of the places with the most demand, regions side by side.
pub(super) fn bars(outcome: &Outcome, stage: &Stage, rows: usize, out: &mut String) -> std::fmt::Result {
    let countries = stage.countries.get(..rows).unwrap_or(&stage.countries);
    #[expect(clippy::cast_precision_loss, reason = "rows of a picture")]
    let height = countries.len() as f64 * (BAR + GAP);
    let most = countries.iter().map(|country| country.demand).fold(0.0, f64::max).max(f64::MIN_POSITIVE);
    let label = escape(&format!("who goes where, {}", stage.what));
    writeln!(out, "<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{label}\">")?;
    let mut y = 0.0;
    for country in countries {
        let origin = escape(&country.origin);
        let words = y + BAR - 4.0;
        writeln!(out, "<text class=\"end\" x=\"{}\" y=\"{words}\">{origin}</text>", LEFT * 2.0 - 6.0)?;
        let width = (WIDTH - LEFT * 2.0) * country.demand / most;
        let mut x = LEFT * 2.0;
        for (region, share) in &country.regions {
            let (class, own) = (color(outcome, region), width * share);
            let title = escape(&format!("{} → {region}: {}", country.origin, percent(*share)));
            writeln!(
                out,
                "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y}\" width=\"{own:.1}\" height=\"{BAR}\"><title>{title}</title></rect>"
            )?;
            x += own;
        }
        y += BAR + GAP;
    }
    writeln!(out, "</svg>")
}

/// Who moves: regions before at the left, after at the right, and between them who stays and who goes.
pub(super) fn flows(outcome: &Outcome, segment: &Segment, after: &Stage, out: &mut String) -> std::fmt::Result {
    let mut flows: Vec<(String, String, f64)> =
        segment.moves.iter().map(|moved| (moved.from.clone(), moved.to.clone(), moved.demand)).collect();
    for region in &after.regions {
        let came: f64 = flows.iter().filter(|(_, to, _)| *to == region.region).map(|(.., demand)| demand).sum();
        let stays = region.answers - came;
        if stays > 0.0 {
            flows.push((region.region.clone(), region.region.clone(), stays));
        }
    }
    let names: Vec<String> =
        after.regions.iter().map(|region| region.region.clone()).chain(["nowhere".to_owned()]).collect();
    let all: f64 = flows.iter().map(|(.., demand)| demand).sum::<f64>().max(f64::MIN_POSITIVE);
    #[expect(clippy::cast_precision_loss, reason = "regions of a picture")]
    let scale = (FLOW_HEIGHT - FLOW_GAP * names.len() as f64) / all;
    let label = escape(&format!("who moves after {}", segment.events.join(", ")));
    writeln!(out, "<svg viewBox=\"0 0 {WIDTH} {FLOW_HEIGHT}\" role=\"img\" aria-label=\"{label}\">")?;
    let (left, right) = (column(&names, &flows, true, scale), column(&names, &flows, false, scale));
    let (mut from_y, mut to_y) = (left.clone(), right.clone());
    let (x1, x2) = (LEFT * 2.0, WIDTH - LEFT * 2.0);
    let middle = (x1 + x2) / 2.0;
    for (a, name) in names.iter().enumerate() {
        for (b, other) in names.iter().enumerate() {
            let between = flows.iter().filter(|(from, to, _)| from == name && to == other);
            let demand: f64 = between.map(|(.., demand)| demand).sum();
            if demand <= 0.0 {
                continue;
            }
            let height = demand * scale;
            let (top, end) = (from_y[a], to_y[b]);
            let (bottom, end_bottom) = (top + height, end + height);
            let class = color(outcome, name);
            let stays = if a == b { " stays" } else { "" };
            let title = escape(&format!("{name} → {other}: {} answers/s", number(demand)));
            writeln!(
                out,
                "<path class=\"flow {class}{stays}\" d=\"M{x1} {top:.1}C{middle} {top:.1} {middle} {end:.1} {x2} {end:.1}V{end_bottom:.1}C{middle} {end_bottom:.1} {middle} {bottom:.1} {x1} {bottom:.1}Z\"><title>{title}</title></path>"
            )?;
            (from_y[a], to_y[b]) = (bottom, end_bottom);
        }
    }
    for (x, class, starts, ends) in [(x1 - 6.0, "end", &left, &from_y), (x2 + 6.0, "", &right, &to_y)] {
        for ((name, start), end) in names.iter().zip(starts).zip(ends).filter(|((_, start), end)| *end > *start) {
            let y = (start + end) / 2.0 + 4.0;
            writeln!(out, "<text class=\"{class}\" x=\"{x}\" y=\"{y:.1}\">{}</text>", escape(name))?;
        }
    }
    writeln!(out, "</svg>")
}

/// Where each region begins in a column.
fn column(names: &[String], flows: &[(String, String, f64)], is_left: bool, scale: f64) -> Vec<f64> {
    let mut y = 0.0;
    let start = names.iter().map(|name| {
        let of = flows.iter().filter(|(from, to, _)| if is_left { from == name } else { to == name });
        let height: f64 = of.map(|(.., demand)| demand * scale).sum();
        let start = y;
        y += height + FLOW_GAP;
        start
    });
    start.collect()
}
