//! The manual and the service file say what the command takes.

use std::collections::BTreeSet;
use std::process::Command;

fn read(path: &str) -> String {
    std::fs::read_to_string(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn agent(arguments: &[&str]) -> std::process::Output {
    Command::new(env!("CARGO_BIN_EXE_meridian")).arg("agent").args(arguments).output().unwrap()
}

/// The options that a text names.
fn options(text: &str) -> BTreeSet<&str> {
    let is_part = |c: char| c.is_ascii_lowercase() || c == '-';
    let words = text.split(|c| !is_part(c)).map(|word| word.trim_end_matches('-'));
    words.filter(|word| word.starts_with("--") && word.len() > 2).collect()
}

#[test]
fn every_option_of_the_manual_is_one() {
    let manual = read("docs/agent.md");
    let help = String::from_utf8(agent(&["--help"]).stdout).unwrap();
    let (named, known) = (options(&manual), options(&help));
    let unknown: Vec<_> = named.difference(&known).filter(|option| **option != "--help").collect();
    assert!(named.len() > 10 && unknown.is_empty(), "{unknown:?}");
}

#[test]
fn the_service_starts_what_the_command_takes() {
    let unit = read("dist/systemd/meridian-agent.service");
    let line = unit.lines().find_map(|line| line.strip_prefix("ExecStart=/usr/bin/meridian agent ")).unwrap();
    let arguments: Vec<&str> = line.split(' ').collect();
    let output = agent(&arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    // Nobody has handed it a token: the only thing that is amiss.
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("cannot read the token from ${CREDENTIALS_DIRECTORY}/token"), "{said}");
}

#[test]
fn the_attributes_of_the_script_are_those_of_the_manual() {
    let (manual, script) = (read("docs/agent.md"), read("dist/rum/beacon.js"));
    let line = script.lines().find(|line| line.contains("currentScript.dataset")).unwrap();
    let names = line.split(['{', '}']).nth(1).unwrap().split(", ").map(|one| one.split('=').next().unwrap().trim());
    for name in names {
        assert!(manual.contains(&format!("| `data-{name}` |")), "{name} is not in docs/agent.md");
    }
    // A page should not notice it.
    assert!(script.len() < 2_500, "{} octets", script.len());
}
