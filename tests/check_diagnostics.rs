//! What `meridian check` says, whole: one small configuration for each mistake, warning and default that the manual
//! tells of, read by the real program.
//!
//! A line `#=== PATH` starts a file. A zone for example.com is there unless the case brings one; a `*.mmdb` of the one
//! line `MADE SECONDS` is a database made at that time, seconds since 1970.

mod golden;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, UNIX_EPOCH};

use mmdb_writer::ipnet::IpNet;
use mmdb_writer::{Value, Writer};

const ZONE: &str = "$TTL 300\n@ SOA ns1 hostmaster 1 7200 900 1209600 300\n@ NS ns1\nns1 A 192.0.2.53\n";

#[test]
fn check_says_it_well() {
    golden::run("tests/golden/check", "files", 38, |name, bytes| {
        let text = std::str::from_utf8(bytes).expect("UTF-8");
        let folder = tempfile::tempdir().expect("a folder");
        write(&folder.path().join("zones/example.com.zone"), ZONE);
        for part in text.split("#=== ").skip(1) {
            let (path, contents) = part.split_once('\n').expect("a path");
            write(&folder.path().join(path), contents);
        }
        let mut command = Command::new(env!("CARGO_BIN_EXE_meridian"));
        let output = command.arg("check").current_dir(folder.path()).output().expect("it starts");
        assert!(output.stderr.is_empty(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        let said = String::from_utf8(output.stdout).expect("UTF-8");
        let code = output.status.code().expect("it ends by itself");
        assert_eq!(code, if said.contains("error[") { 3 } else { 0 }, "{name}: {said}");
        assert_eq!(
            name.starts_with("right_"),
            !said.contains("error[") && !said.contains("warning["),
            "{name}: {said}"
        );
        format!("{}exit code {code}\n", without_ages(&said))
    });
}

fn write(path: &Path, contents: &str) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    let bytes = match contents.trim_end().strip_prefix("MADE ") {
        Some(seconds) => database(seconds.parse().expect("seconds")),
        None => contents.as_bytes().to_vec(),
    };
    fs::write(path, bytes).expect("a file");
}

fn database(made_s: u64) -> Vec<u8> {
    let made = UNIX_EPOCH + Duration::from_secs(made_s);
    let mut writer = Writer::builder("Country").description(&[("en", "a test")]).build_epoch(made).build();
    let country = Value::map([("country", Value::map([("iso_code", Value::from("DE"))]))]);
    let network: IpNet = "88.198.0.0/16".parse().expect("a network");
    writer.insert_value(network, country).expect("it fits");
    writer.to_bytes().expect("it fits")
}

/// How old a database is depends on the day.
fn without_ages(said: &str) -> String {
    let Some(end) = said.find(" days old") else { return said.to_owned() };
    let start = said[..end].trim_end_matches(|c: char| c.is_ascii_digit()).len();
    format!("{}N{}", &said[..start], &said[end..])
}
