//! What an operator is told where region files and zone files contradict each other: each folder of
//! `tests/golden/link` has zone files, region files, and in `findings.txt` what is found.

mod golden;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use meridian::base::diagnostic::Report;
use meridian::base::files::MemoryFiles;
use meridian::base::hash::HashKey;
use meridian::model;
use meridian::snapshot::{Linked, link};
use meridian::zone::{self, Served, ZoneSet};

const FOLDER: &str = "tests/golden/link";

/// The files of a folder that end in `extension`, in the order of their names: path in the folder, contents.
fn files(folder: &Path, extension: &str) -> Vec<(Arc<str>, String)> {
    let entries = fs::read_dir(folder).expect("the folder is readable").map(|entry| entry.expect("an entry").path());
    let mut paths: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|found| found == extension)).collect();
    paths.sort();
    let read = |path: &PathBuf| {
        let name = path.file_name().expect("a file").to_string_lossy();
        (name.into(), fs::read_to_string(path).expect("text"))
    };
    paths.iter().map(read).collect()
}

/// The zones and the model of a folder, linked.
fn linked(folder: &Path) -> Linked {
    let key = HashKey::new(1, 2);
    let mut report = Report::new();
    let zones: Vec<Served> = files(folder, "zone")
        .iter()
        .filter_map(|(path, text)| {
            let origin = path.strip_suffix("zone")?.parse().expect("the file is named by its origin");
            let loaded = zone::load(key, path, text.as_bytes(), &origin, &MemoryFiles::new(), &mut report)?;
            Some(Served::Zone(Arc::new(loaded.zone)))
        })
        .collect();
    let model = model::read(&files(folder, "toml"), &mut report);
    assert!(!report.has_errors(), "{}: {}", folder.display(), report.render());
    link(&ZoneSet::of(key, zones), &model.expect("there are no errors"))
}

fn folders() -> Vec<String> {
    let entries = fs::read_dir(golden::in_tree(FOLDER)).expect("the folder exists");
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn contradictions_are_explained() {
    let folders = folders();
    assert!(folders.len() >= 15, "only {} folders", folders.len());
    let mut differences = Vec::new();
    for name in folders {
        let folder = format!("{FOLDER}/{name}");
        let mut report = Report::new();
        linked(&golden::in_tree(&folder)).report(&mut report);
        for finding in report.iter() {
            assert!(finding.at.is_some(), "{name}: a finding without a place: {}", finding.line());
            assert!(!finding.reason.is_empty(), "{name}: a finding without a reason: {}", finding.line());
        }
        let expected = golden::in_tree(&format!("{folder}/findings.txt"));
        differences.extend(golden::compare(&expected, &report.render()).err());
    }
    assert!(differences.is_empty(), "{}", differences.join("\n\n"));
}

#[test]
fn every_contradiction_of_the_list_has_its_folder() {
    let mut found = String::new();
    for name in folders() {
        for conflict in linked(&golden::in_tree(&format!("{FOLDER}/{name}"))).conflicts {
            found.push_str(&conflict.finding.line());
        }
    }
    for code in [
        "outside-zones",
        "below-cut",
        "below-dname",
        "owned-statically",
        "cname-at-apex",
        "cname-beside-data",
        "hand-written-hints",
        "steered-loop",
    ] {
        assert!(found.contains(&format!("[{code}]")), "{code} is shown nowhere");
    }
}
