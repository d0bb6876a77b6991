//! What `meridian simulate` says, whole, on a small world: the real program, with the files and arguments of each case.
//!
//! The first lines of a case are its arguments; a line `#=== PATH` starts a file. The world below is there unless the case
//! brings a file of the same path. The example of the manual is played too, with the database of the tree.

mod golden;
#[path = "support/mod.rs"]
mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use support::TestServer;

const ZONE: &str = "$TTL 300\n@ SOA ns1 hostmaster 1 7200 900 1209600 300\n@ NS ns1\nns1 A 192.0.2.53\n";
const NETWORKS: &str = r#"[networks]
"10.1.0.0/16" = { country = "DE" }
"10.2.0.0/16" = { country = "FR" }
"10.3.0.0/16" = { country = "GB" }
"10.4.0.0/16" = { country = "US" }
"10.5.0.0/16" = { country = "BR" }
"10.6.0.0/16" = { country = "IN" }
"10.7.0.0/16" = { country = "JP" }
"10.8.0.0/16" = { country = "NG" }
"#;
const REGIONS: &str = include_str!("golden/simulate/regions.toml");

fn write(path: &Path, contents: &str) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    fs::write(path, contents).expect("a file");
}

fn world(folder: &Path) {
    write(&folder.join("meridian.toml"), "");
    write(&folder.join("zones/example.com.zone"), ZONE);
    write(&folder.join("zones/regions.toml"), REGIONS);
    write(&folder.join("geoip/networks.toml"), NETWORKS);
}

fn meridian(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_meridian"));
    command.args(arguments).current_dir(folder).output().expect("it starts")
}

fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
    format!("{}{}", text(&output.stdout), text(&output.stderr))
}

#[test]
fn scenarios_come_out_as_they_should() {
    golden::run("tests/golden/simulate", "files", 8, |_, bytes| {
        let text = std::str::from_utf8(bytes).expect("UTF-8");
        let folder = tempfile::tempdir().expect("a folder");
        world(folder.path());
        let mut parts = text.split("#=== ");
        let arguments: Vec<&str> = parts.next().expect("arguments").split_whitespace().collect();
        for part in parts {
            let (path, contents) = part.split_once('\n').expect("a path");
            write(&folder.path().join(path), contents);
        }
        let output = meridian(folder.path(), &[&["simulate"], &*arguments].concat());
        format!("{}exit code {}\n", said(&output), output.status.code().expect("it ends by itself"))
    });
}

/// Every path to a value, with lists as `[]`.
fn paths(value: &Value, at: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(key, value)| paths(value, &format!("{at}.{key}"), found)),
        Value::Array(items) => items.iter().for_each(|item| paths(item, &format!("{at}[]"), found)),
        Value::Null => {}
        Value::Bool(_) => drop(found.insert(format!("{at} boolean"))),
        Value::Number(_) => drop(found.insert(format!("{at} number"))),
        Value::String(_) => drop(found.insert(format!("{at} text"))),
    }
}

#[test]
fn the_form_for_programs_is_stable() {
    let folder = tempfile::tempdir().expect("a folder");
    world(folder.path());
    let arguments = ["simulate", "--lose", "fra@10s", "--double", "all@2m", "--for", "1m", "--json"];
    let output = meridian(folder.path(), &arguments);
    let json: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(json["version"], 1);
    let mut found = BTreeSet::new();
    paths(&json, "", &mut found);
    golden::check("tests/golden/simulate/form", &found.into_iter().collect::<Vec<_>>().join("\n"));
}

#[test]
fn the_page_asks_nobody() {
    let folder = tempfile::tempdir().expect("a folder");
    world(folder.path());
    let arguments =
        ["simulate", "--lose", "fra@10s", "--for", "2m", "--html", "page.html", "--config-b", "meridian.toml"];
    let output = meridian(folder.path(), &arguments);
    assert!(output.status.success(), "{}", said(&output));
    let page = fs::read_to_string(folder.path().join("page.html")).expect("a page");
    for word in ["http:", "https:", "src=", "href=", "url(", "@import", "<script", "//"] {
        assert!(!page.contains(word), "the page has {word}");
    }
    for word in ["<!doctype html>", "prefers-color-scheme:dark", "<svg", "class=\"max\"", "class=\"target\"", "</html>"]
    {
        assert!(page.contains(word), "the page lacks {word}");
    }
    assert_eq!(page.matches("<svg").count(), page.matches("</svg>").count());
    assert_eq!(page.matches("<table").count(), page.matches("</table>").count());
}

/// The manual shows a region file, a command and what it says.
#[test]
fn the_manual_shows_what_is_said() {
    let path = golden::in_tree("docs/simulate.md");
    let manual = fs::read_to_string(&path).expect("the manual");
    let block = |start: &str| {
        let rest = manual.split(start).nth(1).and_then(|rest| rest.split("```").next());
        rest.expect("a block")
    };
    let folder = tempfile::tempdir().expect("a folder");
    world(folder.path());
    write(&folder.path().join("zones/regions.toml"), block("```toml\n# zones/regions.toml\n"));
    fs::remove_file(folder.path().join("geoip/networks.toml")).expect("it was there");
    let database = golden::in_tree("geoip/country.mmdb");
    fs::copy(database, folder.path().join("geoip/country.mmdb")).expect("a database");
    let shown = block("```text\n$ meridian ");
    let (command, answer) = shown.split_once('\n').expect("a command");
    let arguments: Vec<&str> = command.split_whitespace().collect();
    let output = meridian(folder.path(), &arguments);
    let said = said(&output);
    if said != answer && std::env::var_os("BLESS").is_some() {
        let (before, after) = manual.split_once(shown).expect("it stands there");
        fs::write(path, format!("{before}{command}\n{said}{after}")).expect("the manual");
        return;
    }
    assert_eq!(said, answer, "BLESS=1 rewrites it");
}

/// A server that runs with the world, without checks.
fn server() -> TestServer {
    let regions = REGIONS.replace("check  = \"web\"\n", "");
    let files =
        [("zones/example.com.zone", ZONE), ("zones/regions.toml", regions.as_str()), ("geoip/networks.toml", NETWORKS)];
    TestServer::start(&files)
}

#[test]
fn a_check_against_a_server_tells_what_a_reload_would_change() {
    let server = server();
    let check = |place: &str| server.run(&["check", "--against", place]);
    let (code, same) = check("running");
    assert_eq!(code, 0, "{same}");
    assert!(same.contains("web            nobody goes elsewhere (217 countries compared)"), "{same}");
    let regions = fs::read_to_string(server.folder().join("zones/regions.toml")).expect("the regions");
    // Frankfurt moves to Brazil, and there is a service that the server does not know.
    let moved = regions.replace("lat = 50.11, lon = 8.68", "lat = -23.43, lon = -46.47")
        + "[services.new]\nnames = [\"new.example.com\"]\npolicy = \"nearest\"\nendpoints.fra = [\"192.0.2.99\"]\n";
    server.write("zones/regions.toml", &moved);
    let (code, text) = check(&format!("http://{}/", server.address("http")));
    assert_eq!(code, 0, "{text}");
    for words in [
        "against the server at 127.0.0.1:",
        "new            is new",
        "    BR       100.0 %  iad 100.0 % → fra 100.0 %",
        "    DE       100.0 %  fra 100.0 % → iad 100.0 %",
        "projected for internet users by country",
    ] {
        assert!(text.contains(words), "{words} is not in {text}");
    }
    assert!(!text.contains("    IN "), "{text}");
    for (place, words) in [("nowhere", "is neither `running` nor a URL"), ("https://127.0.0.1:1", "needs `admin.tls`")]
    {
        let (code, text) = check(place);
        assert!(code == 1 && text.contains(words), "{code}: {text}");
    }
}

#[test]
fn a_scenario_begins_where_the_server_stands() {
    let server = server();
    let (code, text) = server.run(&["drain", "fra", "--reason", "work"]);
    assert_eq!(code, 0, "{text}");
    let (code, text) = server.run(&["simulate", "--running", "--total", "300", "--double", "--for", "1m"]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("as the server stands: 0 targets down, 1 words of operators"), "{text}");
    assert!(text.contains("fra           drained          0   0.0 %"), "{text}");
    server.stop();
    let folder = tempfile::tempdir().expect("a folder");
    world(folder.path());
    write(&folder.path().join("meridian.toml"), "[admin]\nlisten = \"127.0.0.1:1\"\n");
    let output = meridian(folder.path(), &["simulate", "--running"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("hint: without --running the files alone are played"), "{}", said(&output));
}
