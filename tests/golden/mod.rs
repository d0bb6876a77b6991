//! Golden files: beside each input stands what is expected of it. `BLESS=1 cargo test` writes the expectations anew;
//! read the difference before you commit it.

#![allow(dead_code, reason = "each test program uses a part")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A path in the tree.
pub(crate) fn in_tree(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Compares the file at `path` (counted from the tree's top) with `actual`, or writes it when blessing.
///
/// # Panics
/// If they differ.
pub(crate) fn check(path: &str, actual: &str) {
    if let Err(difference) = compare(&in_tree(path), actual) {
        panic!("{difference}");
    }
}

/// Runs `render(file name, bytes)` over every `*.extension` of `folder` and compares each with the `.txt` beside it.
/// `at_least` inputs must be there, and no expectation without its input.
///
/// # Panics
/// If any differs; all that differ are told.
pub(crate) fn run(folder: &str, extension: &str, at_least: usize, render: impl Fn(&str, &[u8]) -> String) {
    let folder = in_tree(folder);
    let (mut inputs, mut expectations) = (BTreeSet::new(), BTreeSet::new());
    for entry in fs::read_dir(&folder).expect("the folder exists") {
        let path = entry.expect("the folder is readable").path();
        match path.extension().and_then(|e| e.to_str()) {
            Some(found) if found == extension => inputs.insert(path),
            Some("txt") => expectations.insert(path),
            _ => continue,
        };
    }
    assert!(inputs.len() >= at_least, "{} holds only {} inputs", folder.display(), inputs.len());
    let mut differences = Vec::new();
    for input in &inputs {
        let name = input.file_name().and_then(|n| n.to_str()).expect("a UTF-8 file name");
        let actual = render(name, &fs::read(input).expect("the input is readable"));
        let expected = input.with_extension("txt");
        expectations.remove(&expected);
        differences.extend(compare(&expected, &actual).err());
    }
    differences.extend(expectations.iter().map(|path| format!("{} has no input", path.display())));
    assert!(differences.is_empty(), "{}", differences.join("\n\n"));
}

/// Compares the file at `path` with `actual`, or writes it when blessing; how they differ.
pub(crate) fn compare(path: &Path, actual: &str) -> Result<(), String> {
    let actual = format!("{}\n", actual.trim_end());
    let expected = fs::read_to_string(path).unwrap_or_default();
    if expected == actual {
        return Ok(());
    }
    if std::env::var_os("BLESS").is_some() {
        return fs::write(path, actual).map_err(|error| format!("{}: {error}", path.display()));
    }
    let path = path.display();
    Err(format!("{path} differs (BLESS=1 rewrites it)\n--- expected\n{expected}--- actual\n{actual}"))
}
