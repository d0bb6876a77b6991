//! `docs/regions.md` says what the code says about every key of region files, and its examples are sound.
//!
//! The tables stand between a line `<!-- keys: TABLE -->` and a line `<!-- end -->`; `BLESS=1` writes them anew.

mod golden;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

use meridian::base::diagnostic::{Report, Severity};
use meridian::base::toml_text::KeyReference;
use meridian::model;

const PATH: &str = "docs/regions.md";

#[test]
fn the_manual_lists_every_key() {
    let keys = model::references();
    let (mut filled, mut shown, mut in_table) = (String::new(), BTreeSet::new(), false);
    for line in manual().lines() {
        in_table &= line != "<!-- end -->";
        if !in_table {
            writeln!(filled, "{line}").expect("a string takes it");
        }
        if let Some(table) = line.strip_prefix("<!-- keys: ").and_then(|rest| rest.strip_suffix(" -->")) {
            filled.push_str(&rows(&keys, table));
            shown.insert(table.to_owned());
            in_table = true;
        }
    }
    golden::check(PATH, &filled);
    assert_eq!(shown, keys.iter().map(|key| key.table.clone()).collect(), "tables of the manual, tables of the code");
}

#[test]
fn the_whole_example_has_no_findings() {
    let whole = blocks().into_iter().find(|block| block.starts_with("# zones/regions.toml")).expect("the example");
    let mut report = Report::new();
    assert!(model::read(&[(Arc::from("regions.toml"), whole)], &mut report).is_some(), "{}", report.render());
    assert!(report.is_empty(), "{}", report.render());
}

#[test]
fn every_example_is_sound() {
    let blocks = blocks();
    assert!(blocks.len() >= 8, "only {} examples", blocks.len());
    for block in blocks {
        // What the example takes for granted.
        let given: String = GIVEN.iter().filter(|given| !block.contains(header(given))).copied().collect();
        let mut report = Report::new();
        model::read(&[(Arc::from("example"), block.as_str()), (Arc::from("given"), &given)], &mut report);
        let is_known = |code: &str| ["unfed", "unused", "unchecked", "single-endpoint", "trickle"].contains(&code);
        let bad = report.iter().any(|finding| finding.severity == Severity::Error || !is_known(finding.code));
        assert!(!bad, "{}\n{block}", report.render());
    }
}

const GIVEN: [&str; 7] = [
    "[regions.fra]\nlocation = { lat = 50.11, lon = 8.68 }\n",
    "[regions.iad]\nlocation = { lat = 38.95, lon = -77.45 }\n",
    "[regions.sin]\nlocation = { lat = 1.35, lon = 103.99 }\n",
    "[checks.web]\nhttp = { path = \"/healthz\" }\n",
    "[checks.smtp]\ntcp = { port = 25 }\n",
    "[services.web]\nnames = [\"given-web.example.com\"]\npolicy = \"weighted\"\ncheck = \"web\"\n\
     endpoints = { fra = [\"192.0.2.4\"], iad = [\"192.0.2.5\"] }\n",
    "[services.given]\nnames = [\"given.example.com\"]\npolicy = \"nearest\"\ncheck = \"web\"\n\
     endpoints = { fra = [\"192.0.2.1\"], iad = [\"192.0.2.2\"], sin = [\"192.0.2.3\"] }\n",
];

fn header(given: &str) -> &str {
    given.lines().next().unwrap_or_default()
}

fn manual() -> String {
    std::fs::read_to_string(golden::in_tree(PATH)).expect("the manual is there")
}

/// The examples in TOML.
fn blocks() -> Vec<String> {
    let manual = manual();
    manual.split("```toml\n").skip(1).filter_map(|rest| Some(rest.split("```").next()?.to_owned())).collect()
}

fn rows(keys: &[KeyReference], table: &str) -> String {
    let mut out = String::from("\n| key | type | default | values | meaning |\n|---|---|---|---|---|\n");
    for KeyReference { name, kind, default, range, meaning, .. } in keys.iter().filter(|key| key.table == table) {
        let default = match default.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
            Some(words) => words.to_owned(),
            None => format!("`{default}`"),
        };
        let meaning = meaning.replace('|', "\\|");
        writeln!(out, "| `{name}` | {kind} | {default} | {range} | {meaning} |").expect("a string takes it");
    }
    out.push('\n');
    out
}
