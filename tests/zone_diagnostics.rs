//! Bad zone files and what is said about them: every `tests/golden/zone/NAME.zone` against `NAME.txt`.
//!
//! `BLESS=1 cargo test --test zone_diagnostics` writes the texts anew; read the difference before you keep it.

#![expect(clippy::unwrap_used, reason = "a test stops at what it does not expect")]

use std::fs;
use std::path::Path;
use std::sync::Arc;

use meridian::base::diagnostic::Report;
use meridian::base::files::{FileError, Files};
use meridian::dns::Name;
use meridian::zone::parse::{Reader, print_entry};

const FOLDER: &str = "tests/golden/zone";

/// Files of the folder, by the names the zone files use.
struct Folder;

impl Files for Folder {
    fn read(&self, path: &str) -> Result<Vec<u8>, FileError> {
        let error = |_| FileError { path: path.to_owned(), reason: "no such file".to_owned() };
        fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(FOLDER).join(path)).map_err(error)
    }
}

/// What a file yields: the findings, then the records that are read all the same.
fn read(name: &str) -> String {
    let text = Folder.read(name).unwrap();
    let path: Arc<str> = name.into();
    let origin: Name = "example.com.".parse().unwrap();
    let mut reader = Reader::new(&path, &text, &origin, &Folder);
    let mut report = Report::new();
    let mut records = String::new();
    while let Some(entry) = reader.next(&mut report) {
        print_entry(&entry, &mut records).unwrap();
    }
    format!("{}\n\n--- records\n{records}", report.render())
}

#[test]
fn every_mistake_is_shown_with_its_place() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(FOLDER);
    let mut names: Vec<String> =
        fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| name.ends_with(".zone"));
    names.sort();
    assert!(names.len() >= 30, "only {} files", names.len());
    let mut wrong = Vec::new();
    for name in names {
        let golden = folder.join(&name).with_extension("txt");
        let said = read(&name);
        assert!(!said.starts_with("\n\n"), "{name}: nothing is found");
        if std::env::var_os("BLESS").is_some() {
            fs::write(&golden, &said).unwrap();
        }
        let expected = fs::read_to_string(&golden).unwrap_or_default();
        if said != expected {
            wrong.push(format!("=== {name}\n{said}\n=== expected\n{expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
