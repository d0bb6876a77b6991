//! What an operator is told about a bad `meridian.toml`: one file a mistake (or several), the text beside it.

mod golden;

use meridian::base::diagnostic::Report;
use meridian::base::toml_text;
use meridian::config::Config;

#[test]
fn bad_files_are_explained() {
    golden::run("tests/golden/config", "toml", 30, |name, bytes| {
        let mut report = Report::new();
        let config = toml_text::utf8(name, bytes, &mut report).and_then(|text| Config::read(name, text, &mut report));
        // No file of this folder is silent, and an error means that there is no configuration.
        assert!(!report.is_empty(), "{name} has no finding");
        assert_eq!(config.is_none(), report.has_errors(), "{name}");
        for finding in report.iter() {
            assert!(finding.at.is_some(), "{name}: a finding without a place: {}", finding.line());
            assert!(!finding.reason.is_empty(), "{name}: a finding without a reason: {}", finding.line());
        }
        report.render()
    });
}
