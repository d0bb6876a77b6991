//! Steering, replayed: every `tests/replay/*.replay` through `respond()`, from files to octets.
//!
//! How a replay is written stands in `tests/replay_runner/script.rs`.

#[path = "conformance/text.rs"]
#[allow(dead_code, reason = "the rows of the corpus use the rest")]
mod text;
#[path = "conformance/wire.rs"]
#[allow(dead_code, reason = "the rows of the corpus use the rest")]
mod wire;

mod replay_runner;

use std::fs;
use std::path::Path;

use replay_runner::{Replay, play};

/// All replays, by file name.
fn replays() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/replay");
    let mut replays: Vec<(String, String)> = fs::read_dir(folder)
        .expect("the folder is there")
        .map(|entry| entry.expect("the folder is readable").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "replay"))
        .map(|path| {
            let name = path.file_name().expect("a file").to_string_lossy().into_owned();
            (name, fs::read_to_string(&path).expect("a replay is text"))
        })
        .collect();
    replays.sort();
    replays
}

#[test]
fn every_replay_goes_as_written() {
    let replays = replays();
    assert!(replays.len() >= 30, "only {} replays", replays.len());
    let mut found = Vec::new();
    for (name, text) in &replays {
        match Replay::read(text) {
            Ok(replay) => found.extend(play(&replay).into_iter().map(|line| format!("{name}:{line}"))),
            Err(error) => found.push(format!("{name}:{error}")),
        }
    }
    assert!(found.is_empty(), "{} differences:\n{}", found.len(), found.join("\n"));
}

#[test]
fn every_rule_is_named_once() {
    let mut rules = std::collections::BTreeMap::new();
    for (name, text) in replays() {
        let replay = Replay::read(&text).unwrap_or_else(|error| panic!("{name}:{error}"));
        if let Some(other) = rules.insert(replay.rule, name.clone()) {
            panic!("{other} and {name} show the same rule");
        }
    }
}

#[test]
fn the_table_names_every_replay_and_every_rule() {
    // What is not built yet: spillover, peers.
    const LATER: [&str; 2] = ["3.8", "5"];
    let table = include_str!("replay/README.md");
    let mut named = std::collections::BTreeSet::new();
    let mut shown: std::collections::BTreeMap<&str, usize> = std::collections::BTreeMap::new();
    for row in table.lines().filter(|line| line.starts_with("| ") && !line.contains("shown by")) {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let [rule, _, files] = cells.as_slice() else { panic!("not a row of three: {row}") };
        let rule = rule.split(' ').next().unwrap_or_default();
        let files: Vec<&str> = files.split('`').skip(1).step_by(2).collect();
        assert_eq!(files.is_empty(), LATER.contains(&rule), "{row}");
        *shown.entry(rule).or_default() += files.len();
        named.extend(files.into_iter().map(|file| format!("{file}.replay")));
    }
    let rules = (1..=12).map(|number| format!("3.{number}")).chain((1..=10).map(|number| number.to_string()));
    for rule in rules.filter(|rule| !LATER.contains(&rule.as_str())) {
        assert!(shown.get(rule.as_str()).is_some_and(|&files| files > 0), "no replay shows {rule}");
    }
    let files: std::collections::BTreeSet<String> = replays().into_iter().map(|(name, _)| name).collect();
    assert_eq!(files.difference(&named).collect::<Vec<_>>(), [] as [&String; 0], "they are not in the table");
    assert_eq!(named.difference(&files).collect::<Vec<_>>(), [] as [&String; 0], "there are no such replays");
}

const SMALL: &str = "rule: a test of the tests
ZONE example.com.
@ 300 SOA ns1 hostmaster 1 2 3 4 60
@ 300 NS ns1
ns1 300 A 192.0.2.53
END
REGIONS
[regions.fra]
[regions.iad]
[checks.c]
icmp = {}
[services.web]
names = ['www.example.com']
policy = 'weighted'
check = 'c'
endpoints = { fra = ['192.0.2.1'], iad = ['198.51.100.1'] }
[services.one]
names = ['one.example.com']
policy = 'failover'
check = 'c'
endpoints = { fra = ['192.0.2.2', '192.0.2.3'] }
END
";

/// What `steps` come to; the regions are `fra` and `iad`, `one` has two endpoints in `fra`.
fn small(steps: &str) -> Vec<String> {
    let text = format!("{SMALL}{steps}");
    play(&Replay::read(&text).unwrap_or_else(|error| panic!("{error}\n{steps}")))
}

#[test]
fn what_is_wrong_is_seen() {
    let right = [
        "QUERY ns1.example.com. A FROM 10.0.0.1\nEXPECT NOERROR AA\n  ANSWER ns1.example.com. 300 A 192.0.2.53\n",
        "QUERY x.example.com. A FROM 10.0.0.1\nEXPECT NXDOMAIN example.com. 60\n",
        "QUERY www.example.com. A FROM 300 CLIENTS\nEXPECT NOERROR AA\n  ANSWER www.example.com. 30 A 192.0.2.1\n  \
         OR\n  ANSWER www.example.com. 30 A 198.51.100.1\n",
        "SHARE www.example.com. A OVER 2000 CLIENTS\n  fra 0.5 ± 0.03\n  iad 0.5 ± 0.03\n",
        "SHARE www.example.com. A OVER 300 CLIENTS\n  fra 0.5 ± 0.1\n  iad 0.5 ± 0.1\nREGION fra down\n\
         SHARE www.example.com. A OVER 300 CLIENTS\n  iad 1 ± 0\nMOVED FROM fra\nREGION fra up\n\
         SHARE www.example.com. A OVER 300 CLIENTS\n  fra 0.5 ± 0.1\n  iad 0.5 ± 0.1\nMOVED TO fra\n",
        "REGION fra down\nAGREE www.example.com. A AND www.example.com. A OVER 100 CLIENTS\n",
        "TURNS one.example.com. A FROM 10.0.0.1 OVER 5 QUERIES\n  192.0.2.2\n  192.0.2.3\n",
        "QUERY ns1.example.com. A FROM 10.0.0.1\nEXPECT NOERROR AA\n  ANSWER ns1.example.com. 300 A 192.0.2.53\n\
         LANE 7\nOVERRIDE fra down\nCLEAR\n\
         QUERY one.example.com. AAAA FROM 10.0.0.1\nEXPECT NODATA example.com. 5\n",
        "QUERY one.example.com. A FROM 10.0.0.1\nEXPECT NOERROR AA REASON preferred\n  \
         ANSWER one.example.com. 30 A 192.0.2.2\n  OR\n  ANSWER one.example.com. 30 A 192.0.2.3\n",
        "SHARE www.example.com. A OVER 300 CLIENTS\n  fra 0.5 ± 0.1\n  iad 0.5 ± 0.1\nREGION fra down\n\
         SHARE www.example.com. A OVER 300 CLIENTS\n  iad 1 ± 0\nMOVED ONLY FROM fra\nMOVED ONLY TO iad BUT 0.01\n\
         MOVED ONLY FROM iad BUT 0.6\n",
    ];
    for steps in right {
        assert_eq!(small(steps), [] as [&str; 0], "{steps}");
    }
    let wrong = [
        (right[0].replace("300 A", "299 A"), "299"),
        (right[0].replace("192.0.2.53", "192.0.2.54"), "192.0.2.54"),
        (right[0].replace("ANSWER ns1", "ANSWER NS1"), "NS1"),
        (right[0].replace("ANSWER", "ADDITIONAL"), "ADDITIONAL"),
        (right[0].replace(" AA", ""), "AA"),
        (right[0].replace("NOERROR", "SERVFAIL"), "SERVFAIL"),
        (right[0].replace("300 A 192.0.2.53\n", "300 A 192.0.2.53\n  ANSWER x.example.com. 1 A 192.0.2.1\n"), "x."),
        (right[1].replace("60", "61"), "61"),
        (right[1].replace("NXDOMAIN", "NODATA"), "NXDOMAIN"),
        (right[2].replace("  OR\n  ANSWER www.example.com. 30 A 198.51.100.1\n", ""), "198.51.100.1"),
        (right[3].replace("0.5", "0.6"), "fra"),
        (right[3].replace("  iad 0.5 ± 0.03\n", ""), "iad"),
        (right[4].replace("FROM fra", "FROM iad"), "iad"),
        (right[4].replace("TO fra", "TO iad"), "iad"),
        (right[4].replace("MOVED TO fra", "MOVED NONE"), "clients moved"),
        (right[5].replace("REGION fra down", "").replace("AND www", "AND one"), "agree"),
        (right[6].replace("192.0.2.3", "192.0.2.4"), "192.0.2.3"),
        (right[6].replace("  192.0.2.3", "  192.0.2.3\n  192.0.2.9"), "192.0.2"),
        (right[7].replace("CLEAR", "").replace("com. 5", "com. 7"), "SOA"),
        (right[8].replace("preferred", "failover"), "preferred"),
        (right[9].replace("FROM fra", "FROM iad"), "clients moved"),
        (right[9].replace("BUT 0.6", "BUT 0.4"), "clients moved"),
        (
            right[9].replace("REGION fra down", "").replace("  iad 1 ± 0", "  fra 0.5 ± 0.1\n  iad 0.5 ± 0.1"),
            "no clients",
        ),
    ];
    for (steps, word) in wrong {
        let found = small(&steps);
        assert!(!found.is_empty() && found.concat().contains(word), "`{word}` is not in {found:?}: {steps}");
    }
}

#[test]
fn what_control_does_otherwise_is_seen() {
    let right = "CONTROL wait 1s\nPROBE ALL pass\nPROBE c@192.0.2.1 fail x3 every 1s\nSTATE OF c@192.0.2.1 down 0 0\n\
                 STATE OF web/fra/192.0.2.1 down steady 25\nSTATE OF web region fra down\nSTATE OF one held fra\n\
                 EXPECT EVENT check_down c@192.0.2.1\nEXPECT NO EVENT check_down\nCOMMAND drain iad\n  REFUSED web\n\
                 COMMAND drain one/fra yes\n  SAYS drain\nSTATE OF one standing drained\nTIME +1h\nRESTART after 1s\n\
                 STATE OF one change none\nSTATE OF guard quiet\nSTATE OF targets 4\nSTATE OF first-round open\n\
                 RELOAD\n[regions.fra]\ncolor = 1\nEND\n  REFUSED color\n";
    assert_eq!(small(right), [] as [&str; 0]);
    for (from, to, word) in [
        ("x3", "x2", "c@192.0.2.1 is up"),
        ("down 0 0", "down 0 1", "down 0 0"),
        ("steady 25", "steady 24", "steady 25"),
        ("region fra down", "region fra drained", "region fra down"),
        ("held fra", "held iad", "held fra"),
        ("EVENT check_down c@192.0.2.1", "EVENT check_down c@192.0.2.2", "the event says"),
        ("EVENT check_down c@192.0.2.1", "EVENT check_up", "only these events"),
        ("NO EVENT check_down", "NO EVENT endpoint_down", "there is one"),
        ("REFUSED web", "REFUSED mail", "refused"),
        ("iad\n  REFUSED web", "iad yes\n  REFUSED web", "not refused"),
        ("  SAYS drain", "  SAYS force", "answered"),
        ("one/fra yes", "one/fra", "refused"),
        ("guard quiet", "guard holds", "quiet"),
        ("targets 4", "targets 5", "4"),
        ("first-round open", "first-round done", "open"),
        ("c@192.0.2.1 fail", "c@192.0.2.9 fail", "no such target"),
        ("REFUSED color", "REFUSED taste", "color"),
        ("color = 1\n", "", "not refused"),
        ("CONTROL wait 1s\n", "", "CONTROL has not begun"),
    ] {
        let found = small(&right.replacen(from, to, 1));
        assert!(!found.is_empty() && found.concat().contains(word), "`{word}` is not in {found:?}");
    }
}

#[test]
fn what_cannot_be_read_is_refused() {
    for steps in [
        "NONSENSE\n",
        "QUERY www.example.com. A FROM 10.0.0.1\n",
        "EXPECT NOERROR\n",
        "QUERY www.example.com. A\nEXPECT NOERROR\n",
        "QUERY www.example.com. A FROM nobody\nEXPECT NOERROR\n",
        "QUERY www.example.com. A FROM 10.0.0.1\nEXPECT NONSENSE\n",
        "QUERY www.example.com. A FROM 10.0.0.1\nEXPECT NOERROR\n  NONSENSE a. 1 A 192.0.2.1\n",
        "QUERY www.example.com. A FROM 10.0.0.1\nEXPECT NOERROR NONSENSE\n",
        "SHARE www.example.com. A OVER 10 CLIENTS\n",
        "SHARE www.example.com. A OVER no CLIENTS\n  fra 1 ± 0\n",
        "MOVED NOWHERE\n",
        "MOVED ONLY NONE\n",
        "MOVED FROM fra BUT 0.1\n",
        "QUERY www.example.com. A FROM 10.0.0.1\nEXPECT NOERROR REASON\n",
        "RELOAD\nEND\n  PERHAPS\n",
        "  ANSWER www.example.com. 30 A 192.0.2.1\n",
        "ZONE example.net.\n",
        "CONTROL hold soon\n",
        "CONTROL sooner 5s\n",
        "TIME 5s\n",
        "PROBE c@192.0.2.1 perhaps\n",
        "PROBE c@192.0.2.1 fail x3\n",
        "PROBE c@192.0.2.1 pass took long\n",
        "LOAD fra\n",
        "LOAD fra load\n",
        "LOAD fra load=much\n",
        "COMMAND paint fra\n",
        "COMMAND drain fra\n  NONSENSE\n",
        "RELOAD\n",
    ] {
        assert!(Replay::read(&format!("{SMALL}{steps}")).is_err(), "{steps}");
    }
    assert!(Replay::read("no rule\n").is_err());
    assert!(
        !small("STATE web/fra/192.0.2.9 down\nQUERY x.example.com. A FROM 10.0.0.1\nEXPECT NXDOMAIN example.com. 60\n")
            .is_empty()
    );
    assert!(!small("MOVED NONE\n").is_empty());
}
