//! Every RFC that the code names stands in `docs/rfcs.md`, and every RFC there is named by the code.

use std::collections::BTreeSet;
use std::fs;

use crate::check_tree;
use crate::source::Source;

/// The numbers in the first column of the table.
fn listed(table: &str) -> BTreeSet<u32> {
    let rows = table.lines().filter_map(|line| line.strip_prefix("| "));
    rows.filter_map(|row| row.trim_start_matches('[').split([']', ' ']).next()?.parse().ok()).collect()
}

/// The numbers in `text`: after the word, in a list that goes on from there (`RFC 1034 §4.3.2, 2181 and 4592`), and in
/// the first column of a table headed so.
fn named(text: &str) -> BTreeSet<u32> {
    let mut numbers = BTreeSet::new();
    let mut in_table = false;
    for line in text.lines() {
        let bare = line.trim_start_matches(['/', '!', ' ']);
        if let Some(row) = bare.strip_prefix("| ") {
            let cell = row.split('|').next().unwrap_or_default();
            in_table |= cell.trim() == "RFC";
            if in_table {
                numbers.extend(cell.split(',').filter_map(|part| leading_number(part.trim())));
            }
        } else {
            in_table &= bare.starts_with('|');
        }
        for (at, _) in line.match_indices("RFC ") {
            numbers.extend(list(&line[at + "RFC ".len()..]));
        }
    }
    numbers
}

/// The numbers of `1034 §4.3.2, 2181 §6 and 4592: …`.
fn list(mut text: &str) -> Vec<u32> {
    let mut numbers = Vec::new();
    while let Some(number) = leading_number(text) {
        numbers.push(number);
        text = text.trim_start_matches(|c: char| c.is_ascii_digit());
        if let Some(section) = text.strip_prefix(" §") {
            text = section.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
        }
        let Some(next) = [", ", " and ", "/"].iter().find_map(|joint| text.strip_prefix(joint)) else { break };
        text = next;
    }
    numbers
}

/// A number of three or four digits that the text begins with.
fn leading_number(text: &str) -> Option<u32> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    if (3..=4).contains(&digits) { text[..digits].parse().ok() } else { None }
}

fn unlisted(source: &Source, listed: &BTreeSet<u32>) -> Vec<String> {
    let missing: Vec<u32> = named(&source.text).difference(listed).copied().collect();
    missing.iter().map(|number| format!("{}: RFC {number} is not in docs/rfcs.md", source.path)).collect()
}

fn table() -> String {
    fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/rfcs.md")).expect("the table of RFCs")
}

#[test]
fn named_ones_are_listed() {
    let listed = listed(&table());
    check_tree(|source| unlisted(source, &listed));
}

#[test]
fn listed_ones_are_named() {
    let named: BTreeSet<u32> = Source::tree().iter().flat_map(|source| named(&source.text)).collect();
    let idle: Vec<u32> = listed(&table()).difference(&named).copied().collect();
    assert!(idle.is_empty(), "in docs/rfcs.md but named nowhere in src: {idle:?}");
}

#[test]
fn the_rules_can_be_broken() {
    let listed = listed("| RFC | about |\n|---|---|\n| 1034 | x |\n| 2181 | y |\n");
    assert_eq!(listed, BTreeSet::from([1034, 2181]));
    let source = Source::of("src/zone/x.rs", "//! RFC 1034 §4.3.2, 4592 §2 and 6672: x.\n// RFC 2181, 300 seconds\n");
    assert_eq!(unlisted(&source, &listed).len(), 3, "300 passes for one, which a comment can avoid");
    let table = "//! | RFC | where |\n//! |---|---|\n//! | 5155 §7, 8976 | x |\n//!\n//! | 3600 | y |\n";
    assert_eq!(named(table), BTreeSet::from([5155, 8976]));
}
