//! Arguments and exit codes.

use std::process::Output;

use crate::support::{TestServer, command, write_files};

const BAD: &str = "this is no zone\n";

fn run(files: &[(&str, &str)], arguments: &[&str]) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().unwrap();
    write_files(folder.path(), files);
    let Output { status, stdout, .. } = command(folder.path(), arguments).output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap())
}

#[test]
fn check_says_what_serve_would_find() {
    assert_eq!(run(&[], &["check"]), (Some(0), "0 of 0 zones are good, 0 records; 0 errors, 0 warnings\n".into()));
    let (code, text) = run(&[("zones/bad.example.zone", BAD)], &["check"]);
    assert_eq!(code, Some(3), "{text}");
    assert!(text.contains("0 of 1 zones are good"), "{text}");
    let (code, text) = run(&[("meridian.toml", "[dns]\nlsiten = []\n")], &["check"]);
    assert_eq!(code, Some(3), "{text}");
    assert!(text.contains("meridian.toml:2:1") && text.contains("listen"), "{text}");
    let (code, text) = run(&[("meridian.toml", "[dns]\nzones = \"elsewhere\"\n")], &["check"]);
    assert_eq!(code, Some(3), "{text}");
    assert!(text.contains("error[zones-folder]: cannot read the zones folder elsewhere"), "{text}");
    let (code, text) = run(&[], &["check", "--config", "absent.toml"]);
    assert_eq!(code, Some(3), "{text}");
    assert!(text.contains("cannot read the configuration absent.toml"), "{text}");
}

#[test]
fn check_reads_region_files_too() {
    let zone = ("zones/example.com.zone", "$TTL 300\n@ SOA ns h 1 2 3 4 5\n@ NS ns\nns A 192.0.2.53\n");
    let service = |names: &str, policy: &str| {
        format!(
            "[regions.fra]\n[services.web]\nnames = [\"{names}\"]\npolicy = \"{policy}\"\n[services.web.endpoints]\nfra = [\"192.0.2.1\", \"192.0.2.2\"]\n"
        )
    };
    let check = |regions: &str| run(&[zone, ("zones/regions.toml", regions)], &["check"]);
    let (code, text) = check(&service("www.example.com", "weighted"));
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("1 of 1 zones are good, 3 records; 0 errors"), "{text}");
    for (regions, place, finding) in [
        (service("www.example.com", "wieghted"), "zones/regions.toml:4:10", "policy `wieghted` is not defined"),
        (service("www.example.net", "weighted"), "zones/regions.toml:3:10", "www.example.net. is outside every zone"),
        (service("ns.example.com", "weighted"), "zones/regions.toml:3:10", "ns.example.com. has A records"),
    ] {
        let (code, text) = check(&regions);
        assert_eq!(code, Some(3), "{text}");
        assert!(text.contains(place) && text.contains(finding), "{text}");
        assert!(text.contains("\nnothing would be served; 1 errors, "), "{text}");
    }
}

#[test]
fn arguments_are_explained() {
    for arguments in [&["serve", "--nonsense"][..], &[], &["cehck"]] {
        assert_eq!(run(&[], arguments).0, Some(2), "{arguments:?}");
    }
    let (code, text) = run(&[], &["--version"]);
    assert_eq!((code, text), (Some(0), format!("meridian {}\n", env!("CARGO_PKG_VERSION"))));
    let (code, text) = run(&[], &["--help"]);
    assert_eq!(code, Some(0));
    for word in ["serve", "check", "3 bad configuration"] {
        assert!(text.contains(word), "{text}");
    }
}

#[test]
fn a_strict_start_refuses_bad_zones() {
    let ended = TestServer::start_and_fail(&[("zones/bad.example.zone", BAD)], &["--strict"]);
    assert_eq!(ended.code, Some(3), "{}", ended.log);
    assert!(ended.log.contains("1 zones have errors and the start is strict"), "{}", ended.log);
}

#[test]
fn a_bad_configuration_is_exit_code_3() {
    let ended = TestServer::start_and_fail(&[("meridian.toml", "[dns]\nlisten = [\"nowhere\"]\n")], &[]);
    assert_eq!(ended.code, Some(3), "{}", ended.log);
    assert!(ended.log.contains("meridian.toml:2:"), "{}", ended.log);
    let config = "[dns]\nlisten = [\"127.0.0.1:0\"]\nzones = \"elsewhere\"\n[admin]\nlisten = \"127.0.0.1:0\"\n";
    let ended = TestServer::start_and_fail(&[("meridian.toml", config)], &[]);
    assert_eq!(ended.code, Some(3), "{}", ended.log);
    assert!(ended.log.contains("zones-folder"), "{}", ended.log);
}

#[test]
fn an_address_in_use_is_exit_code_1() {
    let server = TestServer::start(&[]);
    let config = format!("[dns]\nlisten = [\"{}\"]\n[admin]\nlisten = \"127.0.0.1:0\"\n", server.dns());
    let ended = TestServer::start_and_fail(&[("meridian.toml", &config)], &[]);
    assert_eq!(ended.code, Some(1), "{}", ended.log);
    assert!(ended.log.contains("another program listens there"), "{}", ended.log);
    let config = format!("[dns]\nlisten = [\"127.0.0.1:0\"]\n[admin]\nlisten = \"{}\"\n", server.address("http"));
    let ended = TestServer::start_and_fail(&[("meridian.toml", &config)], &[]);
    assert_eq!(ended.code, Some(1), "{}", ended.log);
    assert!(ended.log.contains("(admin)"), "{}", ended.log);
}
