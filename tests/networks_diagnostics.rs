//! What an operator is told about `networks.toml`: one text a mistake (or several), the findings beside it.

mod golden;

use meridian::base::diagnostic::Report;
use meridian::geo::Places;

#[test]
fn findings_are_explained() {
    golden::run("tests/golden/networks", "toml", 11, |name, bytes| {
        let text = std::str::from_utf8(bytes).expect("UTF-8");
        let mut report = Report::new();
        let places = Places::read(Vec::new(), Some((name, text)), 0, &mut report);
        assert!(!report.is_empty(), "{name} has no finding");
        assert_eq!(places.is_none(), report.has_errors(), "{name}");
        for finding in report.iter() {
            assert!(finding.at.is_some(), "{name}: a finding without a place: {}", finding.line());
            assert!(!finding.reason.is_empty(), "{name}: a finding without a reason: {}", finding.line());
        }
        report.render()
    });
}
