//! What an operator is told about region files: one text a mistake (or several), the findings beside it.
//!
//! A line `#=== NAME` starts another file, for what only shows between two.

mod golden;

use std::sync::Arc;

use meridian::base::diagnostic::Report;
use meridian::model;

#[test]
fn findings_are_explained() {
    golden::run("tests/golden/model", "toml", 40, |name, bytes| {
        let text = std::str::from_utf8(bytes).expect("UTF-8");
        let mut report = Report::new();
        let model = model::read(&files(name, text), &mut report);
        assert!(!report.is_empty(), "{name} has no finding");
        assert_eq!(model.is_none(), report.has_errors(), "{name}");
        for finding in report.iter() {
            assert!(finding.at.is_some(), "{name}: a finding without a place: {}", finding.line());
            assert!(!finding.reason.is_empty(), "{name}: a finding without a reason: {}", finding.line());
        }
        report.render()
    });
}

fn files(name: &str, text: &str) -> Vec<(Arc<str>, String)> {
    let mut files = vec![(Arc::from(name), String::new())];
    for line in text.lines() {
        match line.strip_prefix("#=== ") {
            Some(next) => files.push((Arc::from(next), String::new())),
            None => {
                if let Some((_, text)) = files.last_mut() {
                    text.push_str(line);
                    text.push('\n');
                }
            }
        }
    }
    files
}
