//! Each code, each form, and recovery from broken syntax.

use std::time::Duration as Time;

use proptest::prelude::*;

use super::*;
use crate::base::diagnostic::Report;

/// The lines of the report after reading `text` with a reader that knows a few keys.
fn findings(text: &str) -> Vec<String> {
    let mut report = Report::new();
    let source = Source::new("f", text);
    read(&source, &mut report, |mut root| {
        let mut a = root.table("a");
        a.key("number", Integer::new(1u16..=10), 1, "");
        a.key("list", List::new(Text, "list of strings").not_empty(), vec!["x".into()], "");
        a.key("wait", Duration::new(Time::from_secs(1)..=Time::from_secs(60)), Time::from_secs(5), "");
        a.key("mode", Choice::new(&[("fast", 1), ("slow", 2)]), 1, "");
        a.key("flag", Boolean, false, "");
        a.key("note", MaybeText::new(4), None, "");
        a.finish();
        let mut b = root.table("b");
        let _ = b.require("must", "write it").and_then(|value| value.string());
        b.finish();
        for item in root.table("items").entries() {
            let _ = item.number(&(0.0..=1.0));
        }
        root.finish();
    });
    report.iter().map(|d| d.line().trim_start_matches("f:").to_owned()).collect()
}

#[test]
fn every_code() {
    for (text, expected) in [
        ("", vec![]),
        ("[a]\nnumber = 0x0a\nlist = ['y']\nwait = '1m'\nmode = 'slow'\nflag = true\nnote = ''", vec![]),
        ("[a]\nnumber = 11", vec!["2:10: error[out-of-range]: `a.number` is out of range: 11 is not from 1 to 10"]),
        (
            "a.number = 99999999999999999999",
            vec!["1:12: error[out-of-range]: `a.number` is out of range: 99999999999999999999 is not from 1 to 10"],
        ),
        ("[a]\nnumber = '1'", vec!["2:10: error[wrong-type]: `a.number` must be a whole number: this is a string"]),
        (
            "[a]\nlist = ['', 5]",
            vec![
                "2:9: error[bad-value]: `a.list[0]` is empty: nothing stands here",
                "2:13: error[wrong-type]: `a.list[1]` must be a string: this is an integer",
            ],
        ),
        ("[a]\nlist = []", vec!["2:8: error[out-of-range]: `a.list` is empty: at least one is needed"]),
        (
            "[a]\nwait = '5x'",
            vec!["2:8: error[bad-duration]: `a.wait` is not a duration: `x` is no unit: ms, s, m, h or d"],
        ),
        ("[a]\nwait = '2m'", vec!["2:8: error[out-of-range]: `a.wait` is out of range: 2m is not from 1s to 1m"]),
        ("[a]\nmode = 'fats'", vec!["2:8: error[bad-value]: `a.mode` cannot be \"fats\": not a value of this key"]),
        ("[a]\nflag = 1", vec!["2:8: error[wrong-type]: `a.flag` must be true or false: this is an integer"]),
        ("[a]\nnote = '12345'", vec!["2:8: error[out-of-range]: `a.note` is too long: 5 bytes, at most 4 are allowed"]),
        ("a = 5", vec!["1:5: error[wrong-type]: `a` must be a table: this is an integer"]),
        (
            "[a]\nnubmer = 5\n[c.'d e']",
            vec![
                "2:1: error[unknown-key]: unknown key `a.nubmer`: not a key of [a]",
                "3:2: error[unknown-key]: unknown key `c`: no such section",
            ],
        ),
        ("[b]", vec!["1:1: error[missing-key]: `b.must` is missing: it belongs here"]),
        (
            "[items]\n'x y' = 2.5\nz = 1",
            vec!["2:9: error[out-of-range]: `items.\"x y\"` is out of range: 2.5 is not from 0 to 1"],
        ),
    ] {
        assert_eq!(findings(text), expected, "{text}");
    }
}

#[test]
fn broken_syntax_costs_its_own_statement_only() {
    for (text, expected) in [
        // The statement after the broken one is still judged, and nothing is said twice.
        (
            "[a]\nnumber : 5\nflag = 7\n",
            vec![
                "2:8: error[syntax]: this line is not valid TOML: no `=` after the key",
                "3:8: error[wrong-type]: `a.flag` must be true or false: this is an integer",
            ],
        ),
        (
            "[a]\nlist = ['x'\nflag = 7\n[b]\nmust=1",
            vec![
                "3:1: error[syntax]: `a.list` is not valid TOML: a comma is missing before this",
                "3:8: error[wrong-type]: `a.flag` must be true or false: this is an integer",
                "5:6: error[wrong-type]: `b.must` must be a string: this is an integer",
            ],
        ),
        (
            "[a]\nlist = [\n  'x',\n  y,\n]\nflag = 7",
            vec![
                "4:3: error[syntax]: `a.list` is not valid TOML: text stands in quotes",
                "6:8: error[wrong-type]: `a.flag` must be true or false: this is an integer",
            ],
        ),
        (
            "[a]\nnote = \"x\nmode = \nflag = 7",
            vec![
                "2:10: error[syntax]: `a.note` is not valid TOML: the string is not closed",
                "3:8: error[syntax]: `a.mode` is not valid TOML: a value is missing",
                "4:8: error[wrong-type]: `a.flag` must be true or false: this is an integer",
            ],
        ),
        (
            "[a]\nlist : 1\nflag: 2\nmode = 3 4\n",
            vec![
                "2:6: error[syntax]: this line is not valid TOML: no `=` after the key",
                "3:5: error[syntax]: this line is not valid TOML: a key is letters, digits, `-` and `_`",
                "4:8: error[syntax]: `a.mode` is not valid TOML: text stands in quotes",
            ],
        ),
        // A broken header takes its keys along.
        (
            "[a\nflag = 7\n[b]\nmust = 1\n",
            vec![
                "1:3: error[syntax]: this header is not valid TOML: the header is not closed",
                "4:8: error[wrong-type]: `b.must` must be a string: this is an integer",
            ],
        ),
        // What may stand in a broken statement is not missing.
        ("[b]\nmust = x\n", vec!["2:8: error[syntax]: `b.must` is not valid TOML: text stands in quotes"]),
    ] {
        assert_eq!(findings(text), expected, "{text}");
    }
}

#[test]
fn duplicates_show_both_places() {
    for (text, first) in [
        ("[a]\nflag = true\nflag = false", "2:1"),
        ("[a]\nflag = true\n[b]\nmust = 'x'\n[a]\n", "1:2"),
        ("a.flag = true\na.flag = true\n", "1:3"),
    ] {
        let mut report = Report::new();
        read(&Source::new("f", text), &mut report, |root| drop(root.entries()));
        let found: Vec<_> = report.iter().collect();
        assert_eq!(found.len(), 1, "{text}");
        assert_eq!(found[0].code, "duplicate-key");
        assert_eq!(found[0].related[0].0.to_string(), format!("f:{first}"), "{text}");
    }
}

#[test]
fn text_that_is_none_shows_its_line() {
    let mut report = Report::new();
    assert_eq!(utf8("f", b"ab\ncd\xff", &mut report), None);
    assert_eq!(
        report.iter().map(|d| d.line()).next().unwrap(),
        "f:2:3: error[not-utf8]: f is not UTF-8 text: this byte is not UTF-8"
    );
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "[\\[\\]a-c=.,\"'{}#\n 0-9\\\\é]{0,80}") {
        let mut report = Report::new();
        read(&Source::new("f", &text), &mut report, |root| drop(root.entries()));
        prop_assert_eq!(report.has_errors(), toml::de::DeTable::parse(&text).is_err());
        let _ = report.render();
    }
}
