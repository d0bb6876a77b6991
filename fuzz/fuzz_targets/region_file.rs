//! Any text as region files: a model, or errors that can be shown; never a panic, never silence.
//!
//! A line of three dashes begins the second file, so that things can be defined twice in two places.
#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use meridian::base::diagnostic::Report;
use meridian::model;

fuzz_target!(|text: &str| {
    let (first, second) = text.split_once("\n---\n").unwrap_or((text, ""));
    let files: [(Arc<str>, &str); 2] = [("zones/a.toml".into(), first), ("zones/b.toml".into(), second)];
    let mut report = Report::new();
    let read = model::read(&files, &mut report);
    assert_eq!(read.is_none(), report.has_errors());
    for finding in report.iter() {
        assert!(!finding.render().is_empty());
        if let Some(at) = &finding.at {
            assert!(files.iter().any(|(path, text)| *path == at.path && at.line as usize <= text.lines().count() + 1));
        }
    }
    let mut again = Report::new();
    assert_eq!(model::read(&files, &mut again).is_some(), read.is_some());
    assert_eq!(again.render(), report.render(), "the same files are told the same");
});
