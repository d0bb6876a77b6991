//! Every type from text to wire and back, every mistake with its place, and any octets there and back.

use proptest::prelude::*;

use super::codec::write_hex;
use super::*;
use crate::dns::RecordType;

fn parse(rtype: RecordType, text: &str) -> Result<Vec<u8>, RdataError> {
    let origin = b"\x07example\x03com\0";
    let mut out = b"before".to_vec();
    parse_rdata(rtype, &mut Words::new(text.as_bytes(), 0), Some(origin), &mut out)?;
    Ok(out.split_off(b"before".len()))
}

fn print(rtype: RecordType, rdata: &[u8]) -> String {
    let mut out = String::new();
    print_rdata(rtype, rdata, &mut out).unwrap();
    out
}

fn hex(octets: &[u8]) -> String {
    let mut out = String::new();
    write_hex(octets, &mut out).unwrap();
    out
}

/// `(type, text, wire, printed)` of each row of `vectors.tsv`.
fn vectors() -> impl Iterator<Item = (RecordType, &'static str, &'static str, &'static str)> {
    include_str!("vectors.tsv").lines().filter(|line| !line.starts_with('#')).map(|line| {
        let columns: Vec<&str> = line.split('\t').collect();
        let [rtype, text, wire, printed] = columns[..] else { panic!("{line}") };
        let rtype = RecordType::from_text(rtype.as_bytes()).unwrap();
        (rtype, text, if wire == "-" { "" } else { wire }, if printed == "=" { text } else { printed })
    })
}

#[test]
fn text_wire_text() {
    for (rtype, text, wire, printed) in vectors() {
        let rdata = parse(rtype, text).unwrap_or_else(|error| panic!("{rtype} {text}: {error}"));
        assert_eq!(hex(&rdata), wire, "{rtype} {text}");
        assert_eq!(validate(rtype, &rdata), Ok(()), "{rtype} {text}");
        assert_eq!(print(rtype, &rdata), printed, "{rtype} {text}");
        assert_eq!(parse(rtype, printed).as_deref(), Ok(&*rdata), "{rtype} {printed}");
        // RFC 3597 §5: known types in the generic form.
        let generic = format!("\\# {} {wire}", rdata.len());
        assert_eq!(parse(rtype, &generic).as_deref(), Ok(&*rdata), "{rtype} {generic}");
    }
}

#[test]
fn every_type_with_fields_has_a_vector() {
    for &(name, rtype) in RecordType::MNEMONICS {
        let shown = vectors().any(|(other, ..)| other == rtype);
        assert_eq!(shown, fields(rtype).is_some(), "{name}");
    }
}

#[test]
fn names_are_relative_to_the_origin() {
    for (rtype, text, printed) in [
        (RecordType::MX, "10 mail", "10 mail.example.com."),
        (RecordType::SOA, "@ admin 1 1h 1h 1h 1h", "example.com. admin.example.com. 1 3600 3600 3600 3600"),
        (RecordType::SVCB, "1 @", "1 example.com."),
        (RecordType::HIP, "2 0A AQID rvs", "2 0A AQID rvs.example.com."),
        (RecordType::IPSECKEY, "10 3 0 gw", "10 3 0 gw.example.com."),
        (RecordType::RRSIG, "A 5 3 1 1 1 1 @ AQID", "A 5 3 1 19700101000001 19700101000001 1 example.com. AQID"),
    ] {
        assert_eq!(print(rtype, &parse(rtype, text).unwrap()), printed);
    }
}

/// Type, text, the marked part (empty for the end), the field, a part of the reason.
const MISTAKES: &[(&str, &str, &str, &str, &str)] = &[
    ("A", "10.0.0.256", "10.0.0.256", "address", "not an IPv4 address"),
    ("A", "10.0.0", "10.0.0", "address", "not an IPv4 address"),
    ("A", "010.0.0.1", "010.0.0.1", "address", "not an IPv4 address"),
    ("A", "10.0.0.1 10.0.0.2", "10.0.0.2", "end", "nothing is expected"),
    ("A", "", "", "address", "missing"),
    ("AAAA", "2001:db8:::1", "2001:db8:::1", "address", "not an IPv6 address"),
    ("MX", "mail.example.", "mail.example.", "preference", "0 to 65535"),
    ("MX", "65536 mail.example.", "65536", "preference", "0 to 65535"),
    ("MX", "10", "", "exchange", "missing"),
    ("NS", "a..b.", "a..b.", "server", "a label is empty"),
    ("SOA", "a. b. 1 2 3 4", "", "minimum", "missing"),
    ("SOA", "a. b. 1 2x 3 4 5", "2x", "refresh", "period"),
    ("SOA", "a. b. 1 2h3 3 4 5", "2h3", "refresh", "period"),
    ("SOA", "a. b. 4294967296 2 3 4 5", "4294967296", "serial", "4294967295"),
    ("TXT", "", "", "strings", "missing"),
    ("TXT", r"a\25", r"a\25", "strings", "backslash"),
    ("TXT", "a \"b", "\"b", "strings", "words"),
    ("CAA", "0 is-sue x", "is-sue", "tag", "letters and digits"),
    ("DS", "1 8 2 0123", "0123", "digest", "length"),
    ("DS", "1 8 9 012", "012", "digest", "half"),
    ("DS", "1 RSA 9 01", "RSA", "algorithm", "DNSSEC algorithm"),
    ("TLSA", "3 1 1 zz", "zz", "association", "hexadecimal"),
    ("DNSKEY", "256 3 8 AQI", "AQI", "public-key", "base 64"),
    ("DNSKEY", "256 3 8 A*==", "A*==", "public-key", "base 64"),
    ("RRSIG", "A 8 2 1 20240230000000 1 1 . AQID", "20240230000000", "expiration", "date"),
    ("RRSIG", "AB 8 2 1 1 1 1 . AQID", "AB", "type-covered", "record type"),
    ("NSEC", "a. A MXX", "MXX", "types", "record type"),
    ("NSEC3", "1 0 0 xy 00", "xy", "salt", "hexadecimal"),
    ("NSEC3", "1 0 0 - wxyz", "wxyz", "next-hash", "base 32"),
    ("LOC", "91 N 0 E 0", "91", "location", "degrees"),
    ("LOC", "90 0 0.001 N 0 E 0", "N", "location", "too large"),
    ("LOC", "1 60 N 0 E 0", "60", "location", "minutes"),
    ("LOC", "1 2 3 4 N 0 E 0", "4", "location", "hemisphere"),
    ("LOC", "1 N 0 N 0", "N", "location", "hemisphere"),
    ("LOC", "1 N 1 E", "", "location", "missing"),
    ("LOC", "1 N 1 E -100000.01", "-100000.01", "location", "altitude"),
    ("LOC", "1 N 1 E 0 90000001m 0 0 0", "0", "end", "nothing"),
    ("APL", "3:1.2.3.4/8", "3:1.2.3.4/8", "prefixes", "prefix"),
    ("APL", "1:1.2.3.4/33", "1:1.2.3.4/33", "prefixes", "prefix"),
    ("EUI48", "00-00-5e-00-53", "00-00-5e-00-53", "address", "six octets"),
    ("EUI64", "00-00-5e-00-53-00", "00-00-5e-00-53-00", "address", "eight octets"),
    ("L64", "10 1:2:3", "1:2:3", "locator", "four groups"),
    ("IPSECKEY", "1 4 2 . AQID", "4", "gateway", "0 to 3"),
    ("IPSECKEY", "1 0 2 a. AQID", "a.", "gateway", "dot"),
    ("IPSECKEY", "1 1 2 ::1 AQID", "::1", "gateway", "IPv4"),
    ("HIP", "2 zz AQID", "zz", "host-identity", "hexadecimal"),
    ("URI", "1 1 \"\"", "\"\"", "target", "empty"),
    ("SVCB", "1 . alpn=h2 alpn=h3", "alpn=h3", "parameters", "twice"),
    ("SVCB", "1 . foo=1", "foo", "parameters", "not a service parameter"),
    ("SVCB", "1 . key065=1", "key065", "parameters", "not a service parameter"),
    ("SVCB", "1 . key65535=1", "key65535", "parameters", "not a service parameter"),
    ("SVCB", "1 . mandatory=alpn", "mandatory=alpn", "parameters", "missing from the record"),
    ("SVCB", "1 . mandatory=port,port port=1", "mandatory=port,port", "parameters", "each once"),
    ("SVCB", "1 . mandatory=mandatory", "mandatory=mandatory", "parameters", "other keys"),
    ("SVCB", "1 . mandatory", "mandatory", "parameters", "other keys"),
    ("SVCB", "1 . no-default-alpn", "no-default-alpn", "parameters", "needs `alpn`"),
    ("SVCB", "1 . no-default-alpn=x alpn=h2", "no-default-alpn=x", "parameters", "no value"),
    ("SVCB", "1 . port=65536", "port=65536", "parameters", "0 to 65535"),
    ("SVCB", "1 . port", "port", "parameters", "0 to 65535"),
    ("SVCB", "1 . alpn=h2,,h3", "alpn=h2,,h3", "parameters", "lists protocols"),
    ("SVCB", "1 . ipv4hint=1.2.3.4,::1", "ipv4hint=1.2.3.4,::1", "parameters", "IPv4"),
    ("SVCB", "1 . ech=A", "ech=A", "parameters", "base 64"),
    ("SVCB", "1 . key3=a", "key3=a", "parameters", "`port`"),
    ("SVCB", "1 . dohpath=dns-query", "dohpath=dns-query", "parameters", "template"),
    ("TYPE731", r"\# 3 0102", "0102", "data", "has 2 octets, not 3"),
    ("TYPE731", "abc", "abc", "data", "LENGTH HEX"),
    ("WKS", "10.0.0.1 TCP 25", "10.0.0.1", "data", "LENGTH HEX"),
    ("A", r"\# 3 010203", "010203", "data", "malformed at the address"),
    ("A", r"\# 5 0102030405", "0102030405", "data", "malformed at the end"),
    ("A", r"\# 0", "0", "data", "malformed at the address"),
    ("A", r"\# x", "x", "length", "0 to 65535"),
    ("NS", r"\# 2 C00C", "C00C", "data", "malformed at the server"),
];

#[test]
fn mistakes_have_a_place_and_a_field() {
    for &(rtype, text, marked, field, reason) in MISTAKES {
        let error = parse(RecordType::from_text(rtype.as_bytes()).unwrap(), text).expect_err(text);
        assert_eq!((&text[error.span.clone()], error.field), (marked, field), "{rtype} {text}: {error}");
        assert!(error.problem.to_string().contains(reason), "{rtype} {text}: {error}");
    }
}

#[test]
fn a_bitmap_reaches_to_the_last_type() {
    for text in ["TYPE65535", "TYPE0 A TYPE255 URI TYPE511 TYPE65280 TYPE65535"] {
        let text = format!(". {}", text.replace("TYPE255", "ANY"));
        assert_eq!(print(RecordType::NSEC, &parse(RecordType::NSEC, &text).unwrap()), text);
    }
}

#[test]
fn limits_of_length() {
    let string = |len: usize| format!("\"{}\"", "x".repeat(len));
    assert_eq!(parse(RecordType::TXT, &string(255)).unwrap().len(), 256);
    let error = parse(RecordType::TXT, &string(256)).unwrap_err();
    assert_eq!((error.span, error.problem.to_string().contains("at most 255")), (0..258, true));
    let strings = |count: usize| vec![string(255); count].join(" ");
    assert_eq!(parse(RecordType::TXT, &strings(255)).unwrap().len(), 65_280);
    assert_eq!(parse(RecordType::TXT, &strings(256)).unwrap_err().problem, Problem::TooLong);
}

#[test]
fn malformed_octets_are_refused_and_printed_in_the_generic_form() {
    let bitmap = |octets: &[u8]| [&[0][..], octets].concat();
    for (rtype, rdata, field) in [
        (RecordType::NSEC, bitmap(&[0, 0]), "types"),
        (RecordType::NSEC, bitmap(&[0, 1, 0]), "types"),
        (RecordType::NSEC, bitmap(&[1, 1, 1, 0, 1, 1]), "types"),
        (RecordType::NSEC, bitmap(&[0, 1, 1, 0, 1, 1]), "types"),
        (RecordType::NSEC, bitmap(&[0, 33]), "types"),
        (RecordType::TXT, vec![], "strings"),
        (RecordType::TXT, vec![2, 1], "strings"),
        (RecordType::CAA, vec![0, 0], "tag"),
        (RecordType::CAA, vec![0, 1, b'-'], "tag"),
        (RecordType::SVCB, vec![0, 1, 0, 0, 3, 0, 2, 0, 1, 0, 3, 0, 2, 0, 1], "parameters"),
        (RecordType::SVCB, vec![0, 1, 0, 0, 3, 0, 2, 0, 1, 0, 1, 0, 2, 1, 65], "parameters"),
        (RecordType::SVCB, vec![0, 1, 0, 0, 2, 0, 0], "parameters"),
        (RecordType::SVCB, vec![0, 1, 0, 255, 255, 0, 0], "parameters"),
        (RecordType::SVCB, vec![0, 1, 0, 0, 0, 0, 2, 0, 3], "parameters"),
        (RecordType::APL, vec![0, 1, 8, 2, 10, 0], "prefixes"),
        (RecordType::APL, vec![0, 1, 33, 1, 10], "prefixes"),
        (RecordType::LOC, vec![1; 16], "location"),
        (RecordType::HIP, vec![1, 2, 0, 0, 1], "host-identity"),
        (RecordType::DS, vec![0, 1, 8, 1, 1], "digest"),
        (RecordType::MX, vec![0, 1, 1, b'a'], "exchange"),
    ] {
        assert_eq!(validate(rtype, &rdata), Err(Malformed { field }), "{rtype} {rdata:?}");
        assert!(print(rtype, &rdata).starts_with("\\# "), "{rtype} {rdata:?}");
    }
    // Well formed, but its text would read back as 0x00.
    let location = [0, 0x05, 0x16, 0x13, 0x80, 0, 0, 0, 0x80, 0, 0, 0, 0, 0x98, 0x96, 0x80];
    assert_eq!(validate(RecordType::LOC, &location), Ok(()));
    assert!(print(RecordType::LOC, &location).starts_with("\\# 16 "));
}

/// Octets that are mostly well formed for a field of that kind.
fn octets_of(kind: Kind) -> BoxedStrategy<Vec<u8>> {
    let bytes = |range: std::ops::RangeInclusive<usize>| prop::collection::vec(any::<u8>(), range).boxed();
    let counted = |range: std::ops::RangeInclusive<usize>| {
        let text = prop::collection::vec(any::<u8>(), range);
        text.prop_map(|text| [&[u8::try_from(text.len()).unwrap()], text.as_slice()].concat()).boxed()
    };
    let label = prop::collection::vec(any::<u8>(), 1..=20);
    let label = label.prop_map(|label| [&[u8::try_from(label.len()).unwrap()], label.as_slice()].concat());
    let name = prop::collection::vec(label, 0..=4).prop_map(|labels| [labels.concat(), vec![0]].concat()).boxed();
    match kind {
        Kind::Name => name,
        Kind::U8 | Kind::Algorithm => bytes(1..=1),
        Kind::U16 | Kind::Type | Kind::CertificateType => bytes(2..=2),
        Kind::U32 | Kind::Period | Kind::Time | Kind::Ipv4 => bytes(4..=4),
        Kind::Locator64 => bytes(8..=8),
        Kind::Ipv6 => bytes(16..=16),
        Kind::Eui(count) => bytes(usize::from(count)..=usize::from(count)),
        Kind::Text | Kind::Salt => counted(0..=255),
        Kind::OptionalText => prop_oneof![counted(0..=255), bytes(0..=0)].boxed(),
        Kind::Texts => prop::collection::vec(counted(0..=40), 1..=5).prop_map(|texts| texts.concat()).boxed(),
        Kind::Tag => {
            "[a-zA-Z0-9]{1,20}".prop_map(|tag| [&[u8::try_from(tag.len()).unwrap()], tag.as_bytes()].concat()).boxed()
        }
        Kind::Hash => counted(1..=255),
        Kind::Value | Kind::OptionalBase64 => bytes(0..=300),
        Kind::Target | Kind::Hex | Kind::Base64 => bytes(1..=300),
        Kind::Bitmap => bitmap(),
        Kind::ServiceParameters => service_parameters(),
        Kind::Prefixes => {
            let prefix = (any::<bool>(), 0..=32_u8, prop::collection::vec(any::<u8>(), 0..=3), 1..=255_u8);
            let prefix = prefix.prop_map(|(negated, length, mut part, last)| {
                part.push(last);
                let used = u8::try_from(part.len()).unwrap();
                [vec![0, if length % 2 == 0 { 1 } else { 2 }, length, u8::from(negated) << 7 | used], part].concat()
            });
            prop::collection::vec(prefix, 0..=4).prop_map(|all| all.concat()).boxed()
        }
        Kind::Location => {
            let angle = |max: u32| ((1_u32 << 31) - max)..=((1 << 31) + max);
            let place = (prop::array::uniform3(0..=0x99_u8), angle(324_000_000), angle(648_000_000), any::<u32>());
            place
                .prop_map(|(sizes, latitude, longitude, altitude)| {
                    let values = [latitude, longitude, altitude].map(u32::to_be_bytes).concat();
                    [vec![0], sizes.to_vec(), values].concat()
                })
                .boxed()
        }
        Kind::Gateway => {
            let gateway = prop_oneof![
                Just((0, vec![])),
                bytes(4..=4).prop_map(|address| (1, address)),
                bytes(16..=16).prop_map(|address| (2, address)),
                name.prop_map(|name| (3, name)),
            ];
            (gateway, any::<u8>()).prop_map(|((kind, gateway), alg)| [vec![kind, alg], gateway].concat()).boxed()
        }
        Kind::HostIdentity => (bytes(1..=40), any::<u8>(), bytes(1..=300), name)
            .prop_map(|(tag, algorithm, key, server)| {
                let lens = [u8::try_from(tag.len()).unwrap(), algorithm];
                let key_len = u16::try_from(key.len()).unwrap().to_be_bytes();
                [&lens[..], &key_len, &tag, &key, &server, &server].concat()
            })
            .boxed(),
    }
}

fn bitmap() -> BoxedStrategy<Vec<u8>> {
    let window = prop::collection::vec(any::<u8>(), 0..=31).prop_map(|mut bits| {
        bits.push(0x80);
        [&[u8::try_from(bits.len()).unwrap()], bits.as_slice()].concat()
    });
    let windows = prop::collection::btree_map(any::<u8>(), window, 0..=4);
    windows.prop_map(|all| all.into_iter().flat_map(|(w, bits)| [vec![w], bits].concat()).collect()).boxed()
}

fn service_parameters() -> BoxedStrategy<Vec<u8>> {
    let bytes = |range: std::ops::RangeInclusive<usize>| prop::collection::vec(any::<u8>(), range);
    let item = bytes(1..=20).prop_map(|item| [&[u8::try_from(item.len()).unwrap()], item.as_slice()].concat());
    (
        prop::option::of(prop::collection::vec(item, 1..=3)),
        prop::option::of(bytes(2..=2)),
        prop::option::of(bytes(8..=8)),
        prop::option::of(bytes(1..=40)),
        prop::option::of(bytes(32..=32)),
        prop::collection::btree_map(9..=65534_u16, bytes(0..=40), 0..=3),
    )
        .prop_map(|(alpn, port, ipv4, ech, ipv6, others)| {
            let known = [(1, alpn.map(|items| items.concat())), (3, port), (4, ipv4), (5, ech), (6, ipv6)];
            let known = known.into_iter().filter_map(|(key, value)| Some((key, value?)));
            known.chain(others).fold(Vec::new(), |mut out, (key, value)| {
                out.extend_from_slice(&key.to_be_bytes());
                out.extend_from_slice(&u16::try_from(value.len()).unwrap().to_be_bytes());
                out.extend_from_slice(&value);
                out
            })
        })
        .boxed()
}

/// A type with fields, and data that is mostly well formed.
fn typed_rdata() -> impl Strategy<Value = (RecordType, Vec<u8>)> {
    let types: Vec<_> =
        RecordType::MNEMONICS.iter().map(|(_, rtype)| *rtype).filter(|t| fields(*t).is_some()).collect();
    prop::sample::select(types).prop_flat_map(|rtype| {
        let parts: Vec<_> = fields(rtype).unwrap().iter().map(|field| octets_of(field.kind)).collect();
        parts.prop_map(move |parts| (rtype, parts.concat()))
    })
}

fn any_type() -> impl Strategy<Value = RecordType> {
    prop_oneof![3 => 0..=260_u16, 1 => any::<u16>()].prop_map(RecordType)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1_000) })]

    #[test]
    fn well_formed_data_prints_and_reads_back((rtype, rdata) in typed_rdata()) {
        let text = print(rtype, &rdata);
        if validate(rtype, &rdata).is_ok() {
            prop_assert_eq!(parse(rtype, &text), Ok(rdata), "{} {}", rtype, text);
        } else {
            prop_assert!(text.starts_with("\\# "));
            prop_assert!(matches!(rtype, RecordType::DS | RecordType::CDS | RecordType::ZONEMD | RecordType::LOC), "{} {:?}", rtype, rdata);
        }
    }

    #[test]
    fn any_octets_are_printed_and_read_back_if_well_formed(
        rtype in any_type(),
        rdata in prop::collection::vec(prop_oneof![0..=4_u8, any::<u8>()], 0..=80),
    ) {
        let text = print(rtype, &rdata);
        match validate(rtype, &rdata) {
            Ok(()) => prop_assert_eq!(parse(rtype, &text), Ok(rdata), "{} {}", rtype, text),
            Err(_) => prop_assert!(parse(rtype, &text).is_err(), "{} {}", rtype, text),
        }
    }

    #[test]
    fn any_text_is_read_or_refused(rtype in any_type(), text in "([!-~]{0,6}[ \t\"(;\\\\=,]?){0,12}") {
        if let Ok(rdata) = parse(rtype, &text) {
            prop_assert_eq!(validate(rtype, &rdata), Ok(()), "{} {}", rtype, text);
        }
    }
}
