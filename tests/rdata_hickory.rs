//! Record data against hickory-proto: the same text gives the same octets, and our octets are read there too.
//! Where the texts differ, the row is listed here with what hickory does; BIND reads each as we do.

#![expect(clippy::unwrap_used, reason = "a test stops at what it does not expect")]

use hickory_proto::rr::{RData, RecordType as TheirType};
use hickory_proto::serialize::binary::{BinDecoder, BinEncodable, BinEncoder, NameEncoding, Restrict};
use meridian::dns::RecordType;
use meridian::dns::rdata::{Words, parse_rdata};

/// Texts hickory refuses or reads otherwise.
const TEXT_DEVIATIONS: &[(&str, &str, &str)] = &[
    ("CNAME", "Web.Example.com.", "names become lower case"),
    ("SOA", r"VENERA.ISI.EDU. Action\.domains.ISI.EDU. 20 7200 600 3600000 60", "names become lower case"),
    ("TXT", r#""a\"b\\c" "\000\255;(""#, r"`\255` becomes a character in UTF-8"),
    ("TXT", r"a\ b\;c \100x", "escapes are kept, and end outside quotes"),
    ("CERT", "PGP 0 0 AQIDBA==", "mnemonics are not known"),
    ("CERT", "1 65534 RSASHA256 MIIB wMDB", "mnemonics are not known"),
    ("CERT", "IPKIX 1 5 AAEC", "mnemonics are not known"),
    ("SVCB", r#"1 foo.example.com. key667="hello\210qoo""#, "escapes are kept"),
    ("SVCB", "16 foo.example.org. alpn=h2,h3-19 mandatory=ipv4hint,alpn ipv4hint=192.0.2.1", "keys are not sorted"),
    ("SVCB", r#"16 foo.example.org. alpn="f\\\\oo\\,bar,h2""#, "a comma cannot be escaped"),
    ("SVCB", r"16 foo.example.org. alpn=f\\\092oo\092,bar,h2", "a comma cannot be escaped"),
    ("SVCB", "1 dns.example. alpn=h2 dohpath=/dns-query{?dns}", "RFC 9461 is not known"),
    ("SVCB", "1 . ohttp alpn=h2", "RFC 9540 is not known"),
    ("HTTPS", r#"1 . key1="\002h2" key3="\001\187""#, "escapes are kept"),
    ("A", r"\# 4 0A000001", "RFC 3597 is not known"),
];

/// Types whose text hickory reads at all.
fn has_text(number: u16) -> bool {
    !matches!(
        RData::try_from_str(TheirType::from(number), ""),
        Err(error) if ["UnsupportedRecordType", "generated", "make sense"].iter().any(|text| format!("{error:?}").contains(text))
    )
}

/// `(type, text)` of each row of the vectors.
fn vectors() -> impl Iterator<Item = (&'static str, &'static str)> {
    let lines = include_str!("../src/dns/rdata/vectors.tsv").lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.split_once('\t').and_then(|(rtype, rest)| Some((rtype, rest.split('\t').next()?))).unwrap())
}

fn ours(rtype: &str, text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let rtype = RecordType::from_text(rtype.as_bytes()).unwrap();
    parse_rdata(rtype, &mut Words::new(text.as_bytes(), 0), None, &mut out).unwrap();
    out
}

fn encode(rdata: &RData) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut encoder = BinEncoder::new(&mut out);
    encoder.set_name_encoding(NameEncoding::Uncompressed);
    rdata.emit(&mut encoder).ok()?;
    Some(out)
}

fn is_listed(rtype: &str, text: &str) -> bool {
    TEXT_DEVIATIONS.iter().any(|&(listed_rtype, listed, _)| (listed_rtype, listed) == (rtype, text))
}

#[test]
fn the_same_text_gives_the_same_octets() {
    let mut wrong = Vec::new();
    let mut compared = 0;
    for (rtype, text) in vectors() {
        let number = RecordType::from_text(rtype.as_bytes()).unwrap().0;
        if !has_text(number) {
            continue;
        }
        let theirs = RData::try_from_str(TheirType::from(number), text).map(|rdata| encode(&rdata));
        let same = theirs.as_ref().is_ok_and(|theirs| *theirs == Some(ours(rtype, text)));
        compared += usize::from(same);
        if same == is_listed(rtype, text) {
            wrong.push(format!("{rtype} {text}: {theirs:02x?}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    assert!(compared > 30, "only {compared}");
}

#[test]
fn our_octets_are_read_and_written_back() {
    let mut wrong = Vec::new();
    for (rtype, text) in vectors() {
        let number = RecordType::from_text(rtype.as_bytes()).unwrap().0;
        let wire = ours(rtype, text);
        let length = Restrict::new(u16::try_from(wire.len()).unwrap());
        let theirs =
            RData::read(&mut BinDecoder::new(&wire), TheirType::from(number), length).map(|rdata| encode(&rdata));
        if !theirs.as_ref().is_ok_and(|theirs| theirs.as_deref() == Some(&*wire)) {
            wrong.push(format!("{rtype} {text}: {theirs:02x?}\n   ours {wire:02x?}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
