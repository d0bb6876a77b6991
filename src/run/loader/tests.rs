//! The loader against folders on disk, as far as it needs no zone data.

use std::fs;
use std::path::Path;

use super::*;

fn settings(folder: &Path) -> LoadSettings {
    LoadSettings {
        folder: folder.to_owned(),
        origins: BTreeMap::new(),
        geoip: GeoIp { folder: folder.join("geoip"), databases: Vec::new() },
        state: Some(folder.join("state")),
    }
}

#[test]
fn a_missing_folder_is_refused_and_an_empty_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let mut loader = Loader::new(HashKey::new(1, 2));
    let loaded = loader.load(&settings(&folder.path().join("nowhere")), false);
    assert_eq!(loaded.result, ReloadResult::Refused);
    assert!(loaded.report.render().contains("error[zones-folder]"), "{}", loaded.report.render());
    let loaded = loader.load(&settings(folder.path()), false);
    assert_eq!(loaded.result, ReloadResult::Ok);
    assert!(loaded.report.is_empty() && loaded.added.is_empty());
}

#[test]
fn only_zone_files_are_read_and_bad_names_are_said() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a..b.zone", ".hidden.zone", "notes.txt", "backup.zone~"] {
        fs::write(folder.path().join(name), "").unwrap();
    }
    let loaded = Loader::new(HashKey::new(1, 2)).load(&settings(folder.path()), false);
    assert_eq!(loaded.result, ReloadResult::Partial);
    assert_eq!(loaded.report.count(crate::base::diagnostic::Severity::Error), 1);
    let text = loaded.report.render();
    assert!(text.contains("error[file-name]: the name of zone file `a..b.zone` is no origin"), "{text}");
    assert!(text.contains("origins = { \"a..b.zone\" = \"example.com.\" }"), "{text}");
}

#[test]
fn a_bad_file_fails_its_zone_alone_and_its_loss_takes_the_zone_away() {
    let folder = tempfile::tempdir().unwrap();
    let mut loader = Loader::new(HashKey::new(1, 2));
    for name in ["bad.example.zone", "root.zone"] {
        fs::write(folder.path().join(name), "this is no zone\n").unwrap();
    }
    let mut settings = settings(folder.path());
    settings.origins.insert("root.zone".into(), Name::root());
    let loaded = loader.load(&settings, false);
    assert_eq!(loaded.result, ReloadResult::Partial);
    assert_eq!(loaded.added.iter().map(Name::to_string).collect::<Vec<_>>(), [".", "bad.example."]);
    let states: Vec<_> = loader.gauges().into_iter().map(|zone| (zone.zone, zone.state)).collect();
    assert_eq!(states, [(".".into(), ZoneState::Failed), ("bad.example.".into(), ZoneState::Failed)]);
    // Again: nothing new, still bad.
    let loaded = loader.load(&settings, false);
    assert!(loaded.added.is_empty() && loaded.changed.is_empty());
    assert_eq!(loaded.result, ReloadResult::Partial);
    // Half of the zones may go, more may not.
    fs::remove_file(folder.path().join("root.zone")).unwrap();
    let loaded = loader.load(&settings, false);
    assert_eq!(loaded.removed, [Name::root()]);
    fs::remove_file(folder.path().join("bad.example.zone")).unwrap();
    let loaded = loader.load(&settings, false);
    assert_eq!(loaded.result, ReloadResult::Refused);
    assert!(loaded.report.render().contains("1 of 1 zones would be removed"), "{}", loaded.report.render());
    assert_eq!(loader.gauges().len(), 1);
    let loaded = loader.load(&settings, true);
    assert_eq!(loaded.result, ReloadResult::Ok);
    assert_eq!(loader.gauges().len(), 0);
}
