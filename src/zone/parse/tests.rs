//! What a zone file says, line by line; reading on from a boundary; any bytes at all.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::base::diagnostic::Report;
use crate::base::files::MemoryFiles;
use crate::dns::rdata::validate;
use crate::dns::{Name, RecordType};

fn origin() -> Name {
    "example.com.".parse().unwrap()
}

/// The records as text with blanks for tabs, and the findings.
fn read_with(text: &[u8], files: &MemoryFiles) -> (Vec<String>, Report) {
    let path: Arc<str> = "zones/example.com.zone".into();
    let mut reader = Reader::new(&path, text, &origin(), files);
    let mut report = Report::new();
    let mut records = Vec::new();
    while let Some(entry) = reader.next(&mut report) {
        let mut line = String::new();
        print_entry(&entry, &mut line).unwrap();
        records.push(line.trim_end().replace('\t', " "));
    }
    (records, report)
}

/// The records of a text without mistakes.
fn check(text: &str, expected: &[&str]) {
    let (records, report) = read_with(text.as_bytes(), &MemoryFiles::new());
    assert!(report.is_empty(), "{text}\n{}", report.render());
    assert_eq!(records, expected, "{text}");
}

#[test]
fn owner_ttl_and_class_in_any_legal_order() {
    for line in ["www 60 IN A 192.0.2.1", "www IN 60 A 192.0.2.1", "www 60 A 192.0.2.1", "www 1m in a 192.0.2.1"] {
        check(line, &["www.example.com. 60 IN A 192.0.2.1"]);
    }
    check("$TTL 1h\nwww IN A 192.0.2.1", &["www.example.com. 3600 IN A 192.0.2.1"]);
    check("$TTL 1h\nwww A 192.0.2.1", &["www.example.com. 3600 IN A 192.0.2.1"]);
    check("$TTL 1h\nwww CLASS1 TYPE1 192.0.2.1", &["www.example.com. 3600 IN A 192.0.2.1"]);
    check(
        "$TTL 5\nwww A 192.0.2.1\n\tAAAA 2001:db8::1\n 7 TXT x\n IN 8 TXT y\n",
        &[
            "www.example.com. 5 IN A 192.0.2.1",
            "www.example.com. 5 IN AAAA 2001:db8::1",
            "www.example.com. 7 IN TXT \"x\"",
            "www.example.com. 8 IN TXT \"y\"",
        ],
    );
    // Names that look like types, classes and periods.
    check(
        "$TTL 5\na A 192.0.2.1\nin IN A 192.0.2.1\n60 60 A 192.0.2.1\ntxt TXT txt",
        &[
            "a.example.com. 5 IN A 192.0.2.1",
            "in.example.com. 5 IN A 192.0.2.1",
            "60.example.com. 60 IN A 192.0.2.1",
            "txt.example.com. 5 IN TXT \"txt\"",
        ],
    );
}

#[test]
fn where_a_ttl_comes_from() {
    // RFC 2308 §4: `$TTL`, not the last TTL; RFC 1035 §5.1: the last TTL.
    check(
        "a 9 A 192.0.2.1\nb A 192.0.2.1\n$TTL 1w1d1h1m1s\nc A 192.0.2.1\nd 0 A 192.0.2.1\ne A 192.0.2.1",
        &[
            "a.example.com. 9 IN A 192.0.2.1",
            "b.example.com. 9 IN A 192.0.2.1",
            "c.example.com. 694861 IN A 192.0.2.1",
            "d.example.com. 0 IN A 192.0.2.1",
            "e.example.com. 694861 IN A 192.0.2.1",
        ],
    );
    check("a 2147483647 A 192.0.2.1", &["a.example.com. 2147483647 IN A 192.0.2.1"]);
    let (records, report) =
        read_with(b"@ SOA ns admin 1 2 3 4 55\n@ NS ns\nns 7 A 192.0.2.1\nx A 192.0.2.1", &MemoryFiles::new());
    assert_eq!(
        records,
        [
            "example.com. 55 IN SOA ns.example.com. admin.example.com. 1 2 3 4 55",
            "example.com. 55 IN NS ns.example.com.",
            "ns.example.com. 7 IN A 192.0.2.1",
            "x.example.com. 7 IN A 192.0.2.1",
        ]
    );
    assert!(!report.has_errors() && !report.is_empty());
}

#[test]
fn lines_parentheses_comments_and_quotes() {
    check(
        "\u{feff}; a comment\r\n\r\n$TTL 1h ; for all\r\n@ SOA ns admin ( 1 ; serial\r\n 2h\r\n; more\r\n 15m 2w\r\n1h ) ; end\r\n\
         \t\r\n   ; only a comment\r\n(www\nA\n192.0.2.1)\n\"txt\" TXT ( \"a;b\" \"c\\\"d\" \\; e\\032f )",
        &[
            "example.com. 3600 IN SOA ns.example.com. admin.example.com. 1 7200 900 1209600 3600",
            "www.example.com. 3600 IN A 192.0.2.1",
            "txt.example.com. 3600 IN TXT \"a;b\" \"c\\\"d\" \";\" \"e f\"",
        ],
    );
}

#[test]
fn origins() {
    check(
        "$TTL 1\n$ORIGIN sub\n@ A 192.0.2.1\na A 192.0.2.1\n b A 192.0.2.1\n".replace(" b", "b").as_str(),
        &[
            "sub.example.com. 1 IN A 192.0.2.1",
            "a.sub.example.com. 1 IN A 192.0.2.1",
            "b.sub.example.com. 1 IN A 192.0.2.1",
        ],
    );
    check(
        "$TTL 1\n$origin . ; the root\n@ NS a\nExample.ORG A 192.0.2.1\n*.x\\.y A 192.0.2.1\n",
        &[". 1 IN NS a.", "Example.ORG. 1 IN A 192.0.2.1", "*.x\\.y. 1 IN A 192.0.2.1"],
    );
}

#[test]
fn unknown_types() {
    check(
        "$TTL 1\na TYPE65280 \\# 3 0102 03\na type1 \\# 4 C0000201\na TYPE731 \\# 0\n",
        &[
            "a.example.com. 1 IN TYPE65280 \\# 3 010203",
            "a.example.com. 1 IN A 192.0.2.1",
            "a.example.com. 1 IN TYPE731 \\# 0",
        ],
    );
}

#[test]
fn includes() {
    let files = MemoryFiles::new()
        .with("zones/head", "$TTL 1h\n$ORIGIN other.\n@ NS ns\n")
        .with("zones/sub/hosts.inc", " A 192.0.2.9\na A 192.0.2.1\n$INCLUDE more.inc deeper\nb A 192.0.2.2")
        .with("zones/sub/more.inc", "x A 192.0.2.3\n")
        .with("/abs", "y A 192.0.2.4\n");
    let text = "$INCLUDE head\nfirst A 192.0.2.5\n$INCLUDE \"sub/hosts.inc\" hosts ; all\n A 192.0.2.6\nz A 192.0.2.7\n$INCLUDE /abs\n";
    let (records, report) = read_with(text.as_bytes(), &files);
    assert!(report.is_empty(), "{}", report.render());
    assert_eq!(
        records,
        [
            "other. 3600 IN NS ns.other.",
            "first.example.com. 3600 IN A 192.0.2.5",
            "first.example.com. 3600 IN A 192.0.2.9",
            "a.hosts.example.com. 3600 IN A 192.0.2.1",
            "x.deeper.hosts.example.com. 3600 IN A 192.0.2.3",
            "b.hosts.example.com. 3600 IN A 192.0.2.2",
            "first.example.com. 3600 IN A 192.0.2.6",
            "z.example.com. 3600 IN A 192.0.2.7",
            "y.example.com. 3600 IN A 192.0.2.4",
        ]
    );
}

#[test]
fn generate() {
    check(
        "$TTL 1\n$GENERATE 1-5/2 h$ A 10.0.0.$\n",
        &["h1.example.com. 1 IN A 10.0.0.1", "h3.example.com. 1 IN A 10.0.0.3", "h5.example.com. 1 IN A 10.0.0.5"],
    );
    // `${offset,width,base}`, `$$`, `\$`, TTL and class, quotes.
    for (line, record) in [
        ("$GENERATE 10-10 ${-3,3}.x 60 IN PTR h${1}", "007.x.example.com. 60 IN PTR h11.example.com."),
        ("$GENERATE 26-26 $ CNAME ${0,4,x}-${0,0,X}-${6,3,o}", "26.example.com. 1 IN CNAME 001a-1A-040.example.com."),
        ("$GENERATE 4660-4660 ${0,7,n}.$ PTR @", "4.3.2.1.4660.example.com. 1 IN PTR example.com."),
        ("$GENERATE 171-171 ${0,8,N}x PTR @", "B.A.0.0.x.example.com. 1 IN PTR example.com."),
        ("$GENERATE 1-1 a$$b\\$$ A 10.0.0.$", "a\\$b\\$1.example.com. 1 IN A 10.0.0.1"),
        ("$GENERATE 7-7 h TXT \"a $\" \"b\"", "h.example.com. 1 IN TXT \"a 7\" \"b\""),
        ("$GENERATE 7-7 h TXT \"\\\"a $\\\" c\"", "h.example.com. 1 IN TXT \"a 7\" \"c\""),
        ("$GENERATE 7-7 h MX \"$ mail$\"", "h.example.com. 1 IN MX 7 mail7.example.com."),
        ("$GENERATE 7-7 h MX ( $ ; pref\n mail$ )", "h.example.com. 1 IN MX 7 mail7.example.com."),
        ("$GENERATE 1-1 $$TTL A 10.0.0.$", "\\$TTL.example.com. 1 IN A 10.0.0.1"),
    ] {
        check(&format!("$TTL 1\n{line}\n"), &[record]);
    }
    check(
        "$TTL 1\na A 10.0.0.1\n$GENERATE 1-1 b A 10.0.0.2\n A 10.0.0.3\n",
        &["a.example.com. 1 IN A 10.0.0.1", "b.example.com. 1 IN A 10.0.0.2", "b.example.com. 1 IN A 10.0.0.3"],
    );
}

#[test]
fn a_record_knows_its_place() {
    let files = MemoryFiles::new().with("zones/inc", "\n\nx A 192.0.2.1 ; here\n");
    let path: Arc<str> = "zones/example.com.zone".into();
    let text =
        "$TTL 1\n@ SOA a b (\n1 2 3 4 5 )\n\n  NS ns\n$INCLUDE inc\n$GENERATE 1-2 h$ A 10.0.0.$\nlast A 192.0.2.1";
    let mut reader = Reader::new(&path, text.as_bytes(), &origin(), &files);
    let mut report = Report::new();
    let mut places = Vec::new();
    while reader.next(&mut report).is_some() {
        let at = reader.location().unwrap();
        places.push(format!("{at} {}", &at.text[at.mark.clone()]));
    }
    assert_eq!(
        places,
        [
            "zones/example.com.zone:2:1 @ SOA a b (",
            "zones/example.com.zone:5:3 NS ns",
            "zones/inc:3:1 x A 192.0.2.1 ; here",
            "zones/example.com.zone:7:1 $GENERATE 1-2 h$ A 10.0.0.$",
            "zones/example.com.zone:7:1 $GENERATE 1-2 h$ A 10.0.0.$",
            "zones/example.com.zone:8:1 last A 192.0.2.1",
        ]
    );
    assert!(!reader.included().is_empty() && reader.boundary() == Some(text.len()));
}

/// Records with all that print does not show, and the line each ends on.
type Whole = Vec<(Vec<u8>, RecordType, u32, Vec<u8>, u32)>;

/// Reads on; gives what the reader stands at first, after `records` records at the earliest.
fn read_on(reader: &mut Reader<'_>, records: usize, report: &mut Report) -> (Whole, Option<(usize, u32, State)>) {
    let mut read = Vec::new();
    loop {
        if let Some(at) = reader.boundary().filter(|_| read.len() >= records) {
            return (read, Some((at, reader.line(), reader.state())));
        }
        let Some(entry) = reader.next(report) else { return (read, None) };
        let (owner, rdata) = (entry.owner.to_vec(), entry.rdata.to_vec());
        let (rtype, ttl) = (entry.rtype, entry.ttl);
        read.push((owner, rtype, ttl, rdata, reader.line()));
    }
}

fn read_in_parts(text: &[u8], files: &MemoryFiles, cut: usize) -> (Whole, Whole, String, String) {
    let path: Arc<str> = "zones/example.com.zone".into();
    let mut report = Report::new();
    let (whole, _) = read_on(&mut Reader::new(&path, text, &origin(), files), usize::MAX, &mut report);
    let mut parts_report = Report::new();
    let mut reader = Reader::new(&path, text, &origin(), files);
    let (mut parts, stop) = read_on(&mut reader, cut, &mut parts_report);
    if let Some((at, line, state)) = stop {
        let mut reader = Reader::resume(&path, text, at, line, state, files);
        parts.extend(read_on(&mut reader, usize::MAX, &mut parts_report).0);
    }
    (whole, parts, report.render(), parts_report.render())
}

#[test]
fn reading_goes_on_from_any_boundary() {
    let files = MemoryFiles::new().with("zones/inc", "$TTL 9\nx A 192.0.2.1\ny A 192.0.2.1\n");
    let text = b"@ SOA a b 1 2 3 4 5\n NS (\nns )\n$ORIGIN s\nw 7 A 192.0.2.1\n A bad\n\n A 192.0.2.2\n$INCLUDE inc\n A 192.0.2.3\n$GENERATE 1-3 h$ A 10.0.0.$\n TXT x\nlast TXT y";
    for cut in 0..12 {
        let (whole, parts, report, parts_report) = read_in_parts(text, &files, cut);
        assert_eq!(whole.len(), 12);
        assert_eq!(whole, parts, "{cut}");
        assert_eq!(report, parts_report, "{cut}");
    }
}

/// Pieces that a zone file is made of, in no good order.
fn scraps() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        8 => prop::sample::select(vec![
            "www", "@", "*", "a.b.", "\n", "\n", "\n", "\r\n", " ", " ", "\t", "IN", "A", "MX", "TXT", "SOA", "NSEC",
            "LOC", "HTTPS", "APL", "CH", "60", "1h30m", "192.0.2.1", "10", "(", ")", "\"", "\"", ";", "\\", "\\#",
            "\\# 1 00", "$TTL", "$TTL 1h\n", "$ORIGIN", "$INCLUDE", "$INCLUDE a\n", "$INCLUDE b", "$GENERATE",
            "\n$GENERATE 1-3 h$ A 10.0.0.$\n", "$GENERATE 0-9/3 ${1,2,n} TXT \"$\"", "${0,", "}", "alpn=\"h2", "=",
            "x A 192.0.2.1\n", " TXT a b\n", "@ SOA a b 1 2 3 4 5\n", "AQID", "0102", "-", "TYPE300", "\u{feff}",
        ]).prop_map(|text| text.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..8),
    ];
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1_000) })]

    #[test]
    fn any_bytes_are_read_to_the_end(text in scraps(), a in scraps(), b in scraps(), cut in 0..6_usize) {
        let files = MemoryFiles::new().with("zones/a", a).with("zones/b", b);
        let (whole, parts, report, parts_report) = read_in_parts(&text, &files, cut);
        for (owner, rtype, ttl, rdata, _) in &whole {
            prop_assert!(Name::from_wire(owner).is_ok() && *ttl < 1 << 31 && !rtype.is_meta());
            prop_assert_eq!(validate(*rtype, rdata), Ok(()));
        }
        prop_assert_eq!(whole, parts);
        prop_assert_eq!(report, parts_report);
    }

    #[test]
    fn what_is_printed_reads_back(text in scraps()) {
        let files = MemoryFiles::new();
        let (records, _) = read_with(&text, &files);
        let printed = records.join("\n");
        let (again, report) = read_with(printed.as_bytes(), &files);
        prop_assert!(report.is_empty(), "{}", report.render());
        prop_assert_eq!(records, again);
    }
}
