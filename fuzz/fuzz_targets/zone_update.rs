//! Any edits of a zone file of some chunks: what is read in parts is what is read whole.
//!
//! The octets are edits: where (two octets), how many octets go (one), how many come (one), and these.
#![no_main]

use std::fmt::Write;
use std::sync::Arc;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use meridian::base::diagnostic::Report;
use meridian::base::files::MemoryFiles;
use meridian::base::hash::HashKey;
use meridian::dns::Name;
use meridian::zone::Diff;
use meridian::zone::source::{Loaded, load};

const KEY: HashKey = HashKey::new(1, 2);
/// A few chunks.
const LINES: usize = 1_000;

static TEXT: LazyLock<String> = LazyLock::new(|| {
    let mut text = String::from("$TTL 300\n@ SOA ns1 host 1 3600 600 86400 300\n@ NS ns1\nns1 A 192.0.2.1\n");
    for n in 0..LINES {
        let _ = match n % 7 {
            1 => writeln!(text, "h{n:04} A 10.0.0.1\n  TXT \"second\" ( ; and\n \"more\" )"),
            2 => writeln!(text, "h{:04} 60 AAAA 2001:db8::{n:x}", n / 2),
            3 => writeln!(text, "h{n:04}.deep CNAME h{n:04}.example.org."),
            _ => writeln!(text, "h{n:04} A 10.0.{}.{}", n / 256, n % 256),
        };
    }
    text
});
static BEFORE: LazyLock<Loaded> = LazyLock::new(|| whole(TEXT.as_bytes()).0.expect("a good zone"));

fuzz_target!(|edits: &[u8]| {
    let text = edited(edits);
    let before = &*BEFORE;
    let (whole, told_whole) = whole(&text);
    let mut told = Report::new();
    let update = before.source.update(&before.zone, &text, &files(), &mut told);
    assert_eq!(update.is_some(), whole.is_some(), "in parts:\n{}\nwhole:\n{}", told.render(), told_whole.render());
    let (Some(update), Some(whole)) = (update, whole) else { return };
    assert!(Diff::between(&update.zone, &whole.zone).is_empty());
    assert!(Diff::between(&whole.zone, &update.zone).is_empty());
    assert_eq!(update.zone.record_count(), whole.zone.record_count());
    assert_eq!(update.zone.node_count(), whole.zone.node_count());
    assert_eq!(update.zone.serial(), whole.zone.serial());
    // And back again: what was kept for the time after is right too.
    let back =
        update.source.update(&update.zone, TEXT.as_bytes(), &files(), &mut Report::new()).expect("the first text");
    assert!(Diff::between(&back.zone, &before.zone).is_empty());
    assert_eq!(back.zone.node_count(), before.zone.node_count());
});

fn whole(text: &[u8]) -> (Option<Loaded>, Report) {
    let (path, origin): (Arc<str>, Name) = ("zones/example.zone".into(), "example.".parse().unwrap());
    let mut report = Report::new();
    (load(KEY, &path, text, &origin, &files(), &mut report), report)
}

fn files() -> MemoryFiles {
    MemoryFiles::new().with("zones/more", "more A 192.0.2.1\n")
}

fn edited(mut edits: &[u8]) -> Vec<u8> {
    let mut text = TEXT.clone().into_bytes();
    while let Some((&[high, low, remove, insert], after)) = edits.split_first_chunk() {
        let (new, after) = after.split_at_checked(usize::from(insert)).unwrap_or((after, &[]));
        let from = usize::from(u16::from_be_bytes([high, low])) % (text.len() + 1);
        let to = (from + usize::from(remove)).min(text.len());
        text.splice(from..to, new.iter().copied());
        edits = after;
    }
    text
}
