//! Any text as `meridian.toml`: a configuration, or errors that can be shown; never a panic, never silence.
#![no_main]

use libfuzzer_sys::fuzz_target;
use meridian::base::diagnostic::Report;
use meridian::config::Config;

fuzz_target!(|text: &str| {
    let mut report = Report::new();
    let config = Config::read("etc/meridian.toml", text, &mut report);
    assert_eq!(config.is_none(), report.has_errors());
    let lines = text.lines().count().max(1);
    for finding in report.iter() {
        let at = finding.at.as_ref().expect("every finding has its place");
        assert!(at.line as usize <= lines + 1, "{}", finding.line());
        assert!(!finding.render().is_empty());
    }
    let _ = report.render();
});
