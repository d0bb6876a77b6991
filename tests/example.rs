//! The example that the README starts with: it is sound, and it is what the README shows.

use std::fs;
use std::path::Path;
use std::process::Command;

const README: &str = include_str!("../README.md");

#[test]
fn the_example_has_no_findings() {
    let check = Command::new(env!("CARGO_BIN_EXE_meridian"))
        .arg("check")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("the program runs");
    let said = String::from_utf8_lossy(&check.stdout);
    assert_eq!(check.status.code(), Some(0), "{said}");
    assert!(said.contains("0 errors"), "{said}");
    assert!(said.lines().all(|line| !line.starts_with("warning")), "{said}");
}

#[test]
fn the_region_file_of_the_readme_is_sound() {
    let file = README.split("```toml\n# zones/shop.toml").nth(1).and_then(|rest| rest.split("```").next());
    let folder = tempfile::tempdir().expect("a folder");
    let zones = folder.path().join("zones");
    fs::create_dir(&zones).expect("a folder");
    let zone = "$TTL 300\n@ SOA ns1 hostmaster 1 7200 900 1209600 300\n@ NS ns1\nns1 A 192.0.2.53\n";
    fs::write(zones.join("example.com.zone"), zone).expect("a file");
    fs::write(zones.join("shop.toml"), file.expect("the region file")).expect("a file");
    let mut check = Command::new(env!("CARGO_BIN_EXE_meridian"));
    let check = check.arg("check").current_dir(folder.path()).output().expect("the program runs");
    let said = String::from_utf8_lossy(&check.stdout);
    assert_eq!(said, "1 of 1 zones are good, 3 records; 0 errors, 0 warnings\n");
}

#[test]
fn the_readme_shows_lines_of_the_example() {
    for (start, file) in [("```\n$TTL", "zones/example.com.zone"), ("```toml\n[services.web]", "zones/regions.toml")] {
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).expect("a file of the example");
        let excerpt = README.split(start).nth(1).and_then(|rest| rest.split("```").next()).expect("an excerpt");
        assert!(excerpt.lines().count() > 2, "{excerpt}");
        for line in excerpt.lines().skip(1) {
            assert!(text.lines().any(|other| other == line), "the README has {line:?}, {file} has not");
        }
    }
}
