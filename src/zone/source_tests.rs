//! Files read in parts against files read whole.

use std::fmt::Write;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::base::diagnostic::{Report, Severity};
use crate::base::files::MemoryFiles;

const KEY: HashKey = HashKey::new(21, 22);

fn origin() -> Name {
    "example.".parse().unwrap()
}

fn path() -> Arc<str> {
    "example.zone".into()
}

fn loaded(text: &str) -> Loaded {
    let mut report = Report::new();
    let loaded = load(KEY, &path(), text.as_bytes(), &origin(), &MemoryFiles::new(), &mut report);
    loaded.unwrap_or_else(|| panic!("{}", report.render()))
}

/// A zone of many lines, over many chunks; some names come back far away.
fn text_of(lines: &[String]) -> String {
    let mut text = String::from("$TTL 300\n@ SOA ns1 hostmaster 1 3600 600 86400 300\n@ NS ns1\nns1 A 192.0.2.1\n");
    for line in lines {
        let _ = writeln!(text, "{line}");
    }
    text
}

fn usual_lines(count: usize) -> Vec<String> {
    (0..count)
        .map(|n| match n % 10 {
            7 => format!("h{n:05} A 10.0.{}.{}\n  TXT \"second record of the owner\"", n / 256, n % 256),
            8 => format!("h{:05} AAAA 2001:db8::{n:x}", n / 2),
            9 => format!("h{n:05}.deep.below 60 A 10.1.{}.{}", n / 256, n % 256),
            _ => format!("h{n:05} A 10.0.{}.{}", n / 256, n % 256),
        })
        .collect()
}

/// What was read in parts is what would be read whole, and so is what is kept for the time after.
fn check_update(before: &Loaded, text: &str) -> usize {
    let mut report = Report::new();
    let update = before.source.update(&before.zone, text.as_bytes(), &MemoryFiles::new(), &mut report);
    let update = update.unwrap_or_else(|| panic!("{}", report.render()));
    let whole = loaded(text);
    let rest = Diff::between(&update.zone, &whole.zone);
    assert!(rest.is_empty(), "{rest:?}");
    assert_eq!(update.zone.record_count(), whole.zone.record_count());
    assert_eq!(update.zone.node_count(), whole.zone.node_count());
    let lengths: usize = update.source.chunks.iter().map(|chunk| chunk.len).sum();
    assert_eq!(lengths, text.len());
    assert_eq!(update.source.chunks.last().map(|chunk| chunk.owners_end), Some(update.source.owners.len()));
    assert_eq!(
        update.source.chunks.iter().map(|chunk| chunk.lines).sum::<u32>() as usize,
        text.bytes().filter(|&byte| byte == b'\n').count()
    );
    // Nothing is left to be read again.
    let mut report = Report::new();
    let again = update.source.update(&update.zone, text.as_bytes(), &MemoryFiles::new(), &mut report).unwrap();
    assert!(again.diff.is_empty());
    assert_eq!(again.parsed, 0);
    update.parsed
}

#[test]
fn one_changed_record_costs_one_or_two_chunks() {
    let mut lines = usual_lines(20_000);
    let before = loaded(&text_of(&lines));
    lines[10_000] = "h10000 A 203.0.113.9".into();
    let parsed = check_update(&before, &text_of(&lines));
    assert!(parsed < 3 * 32_768, "{parsed} octets parsed");
}

#[test]
fn lines_come_go_and_move() {
    let lines = usual_lines(3_000);
    let before = loaded(&text_of(&lines));
    let mut inserted = lines.clone();
    inserted.insert(1_500, "new A 203.0.113.1".into());
    check_update(&before, &text_of(&inserted));
    let mut removed = lines.clone();
    removed.drain(1_000..1_040);
    check_update(&before, &text_of(&removed));
    let mut appended = lines.clone();
    appended.push("last A 203.0.113.1".into());
    check_update(&before, &text_of(&appended));
    check_update(&before, &text_of(&lines[..2_990]));
    let mut first = lines.clone();
    first.insert(0, "first A 203.0.113.1".into());
    check_update(&before, &text_of(&first));
    let mut swapped = lines;
    swapped.swap(100, 2_900);
    check_update(&before, &text_of(&swapped));
}

#[test]
fn a_change_of_ttl_or_origin_reaches_everything_behind_it() {
    let lines = usual_lines(2_000);
    let before = loaded(&text_of(&lines));
    for directive in ["$TTL 60", "$ORIGIN sub.example."] {
        let mut changed = lines.clone();
        changed.insert(1_900, directive.into());
        check_update(&before, &text_of(&changed));
        // So late that most of the file stays; so early that it is read whole.
        changed.swap(1_900, 5);
        check_update(&before, &text_of(&changed));
    }
}

#[test]
fn an_error_anywhere_keeps_the_version_before() {
    let mut lines = usual_lines(2_000);
    let before = loaded(&text_of(&lines));
    for (line, code) in [
        ("h00003 A 10.0.0.300", ""),
        ("www.example.org. A 10.0.0.1", "out-of-zone"),
        ("h00010 CNAME h00011", "cname-and-other-data"),
        ("@ SOA ns1 hostmaster 2 3600 600 86400 300", "soa-count"),
    ] {
        let kept = std::mem::replace(&mut lines[1_000], line.into());
        let mut report = Report::new();
        let text = text_of(&lines);
        assert!(
            before.source.update(&before.zone, text.as_bytes(), &MemoryFiles::new(), &mut report).is_none(),
            "{line}"
        );
        let error = report.iter().find(|finding| finding.severity == Severity::Error).unwrap();
        assert!(code.is_empty() || error.code == code, "{}", error.line());
        let number = 1 + text[..text.find(line).unwrap()].matches('\n').count();
        assert!(error.line().starts_with(&format!("example.zone:{number}:")), "{}", error.line());
        lines[1_000] = kept;
    }
}

#[test]
fn a_file_with_includes_is_read_whole() {
    let files = |address: &str| MemoryFiles::new().with("part", format!("www A {address}\n"));
    let text = "$TTL 60\n@ SOA ns h 1 2 3 4 5\n@ NS ns.example.org.\n$INCLUDE part\n";
    let mut report = Report::new();
    let before = load(KEY, &path(), text.as_bytes(), &origin(), &files("192.0.2.1"), &mut report).unwrap();
    let update = before.source.update(&before.zone, text.as_bytes(), &files("192.0.2.2"), &mut report).unwrap();
    assert_eq!(update.diff.len(), 1);
}

#[test]
fn findings_have_their_places() {
    let text = "$TTL 60\n@ SOA ns h 1 2 3 4 5\n@ NS ns\n@ NS ns.sub\nns 60 A 192.0.2.1\nns 90 A 192.0.2.2\nns A 192.0.2.1\nsub NS ns.sub\n\
                a CNAME ns\nmail MX 1 a\nx.sub TXT occluded\n";
    let mut report = Report::new();
    load(KEY, &path(), text.as_bytes(), &origin(), &MemoryFiles::new(), &mut report).unwrap();
    let mut lines: Vec<String> = report
        .iter()
        .map(|finding| {
            let place = finding.at.as_ref().map_or(0, |at| at.line);
            format!("{place} {}", finding.code)
        })
        .collect();
    lines.sort();
    assert_eq!(
        lines,
        ["10 target-is-alias", "11 occluded", "6 duplicate-record", "6 ttl-mismatch", "8 missing-address"]
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn any_edit_read_in_parts_is_the_file_read_whole(
        edits in proptest::collection::vec((0_usize..1_500, 0_u8..5, 0_usize..1_500), 1..6),
    ) {
        let lines = usual_lines(1_500);
        let before = loaded(&text_of(&lines));
        let mut changed = lines.clone();
        for (at, kind, other) in edits {
            let at = at.min(changed.len() - 1);
            match kind {
                0 => changed[at] = format!("n{other} A 198.51.100.{}", other % 256),
                1 => changed.insert(at, format!("h{other:05} TXT \"more of a name that is there\"")),
                2 => drop(changed.remove(at)),
                3 => changed.insert(at, "; a comment\n\n".into()),
                _ => changed.insert(at, lines[other].clone()),
            }
        }
        check_update(&before, &text_of(&changed));
    }
}
