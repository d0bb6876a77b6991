//! The example that the README starts with: it is sound, and it is what the README shows.

use std::fs;
use std::path::Path;
use std::process::Command;

const README: &str = include_str!("../README.md");

#[test]
fn the_example_has_no_findings() {
    let check = Command::new(env!("CARGO_BIN_EXE_meridian"))
        .arg("check")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("the program runs");
    let said = String::from_utf8_lossy(&check.stdout);
    assert_eq!(check.status.code(), Some(0), "{said}");
    assert!(said.contains("0 errors, 0 warnings"), "{said}");
}

#[test]
fn the_readme_shows_lines_of_the_example() {
    let zone = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("zones/example.com.zone"));
    let zone = zone.expect("the example zone");
    let excerpt = README.split("```\n$TTL").nth(1).and_then(|rest| rest.split("```").next()).expect("an excerpt");
    for line in excerpt.lines().skip(1) {
        assert!(zone.lines().any(|other| other == line), "the README has {line:?}, the zone has not");
    }
}
