//! Links between the documents lead somewhere.

use std::fs;
use std::path::{Path, PathBuf};

/// The relative targets of the links in a document, without what follows `#`.
fn targets(text: &str) -> Vec<&str> {
    let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let files = links.map(|link| link.split('#').next().unwrap_or_default());
    files.filter(|file| !file.is_empty() && !file.contains(':')).collect()
}

fn dead(document: &Path, text: &str) -> Vec<String> {
    let folder = document.parent().unwrap_or(Path::new(""));
    let dead = targets(text).into_iter().filter(|target| !folder.join(target).exists());
    dead.map(|target| format!("{}: `{target}` is not there", document.display())).collect()
}

fn documents() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = ["", "docs", "benches", "tests/corpus"].map(|folder| root.join(folder));
    let files = folders.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten();
    let paths = files.filter_map(Result::ok).map(|entry| entry.path());
    paths.filter(|path| path.extension().is_some_and(|extension| extension == "md")).collect()
}

#[test]
fn links_lead_somewhere() {
    let documents = documents();
    assert!(documents.len() > 5, "the documents were not found");
    let read = |path: &PathBuf| fs::read_to_string(path).expect("a document");
    let dead: Vec<String> = documents.iter().flat_map(|path| dead(path, &read(path))).collect();
    assert!(dead.is_empty(), "\n{}\n", dead.join("\n"));
}

#[test]
fn the_rule_can_be_broken() {
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/x.md");
    let text = "[a](../README.md#status) [b](https://example.com/) [c](nowhere.md) [d](#here)";
    assert_eq!(dead(&document, text).len(), 1);
}
