//! How fast a large zone file is read:
//! `cargo test --release --test zone_reader_speed -- --ignored --nocapture`.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Instant;

use meridian::base::diagnostic::Report;
use meridian::base::files::MemoryFiles;
use meridian::dns::Name;
use meridian::zone::parse::Reader;

#[test]
#[ignore = "a measurement, and the limit holds for release builds only"]
fn a_million_simple_records() {
    const RECORDS: u32 = 1_000_000;
    for (what, record) in [
        ("h0000001 IN A 10.0.0.1", "IN A 10.0.0.1"),
        ("h0000001 300 IN AAAA 2001:db8::1", "300 IN AAAA 2001:db8::1"),
        ("h0000001 CNAME www", "CNAME www"),
        ("h0000001 MX 10 mail.example.net.", "MX 10 mail.example.net."),
        ("h0000001 TXT \"v=spf1 -all\"", "TXT \"v=spf1 -all\""),
    ] {
        let mut text = String::from("$TTL 1h\n");
        for number in 0..RECORDS {
            writeln!(text, "h{number:07} {record}").unwrap();
        }
        let files = MemoryFiles::new();
        let path: Arc<str> = "example.com.zone".into();
        let origin: Name = "example.com.".parse().unwrap();
        let fastest = (0..5).map(|_| {
            let mut reader = Reader::new(&path, text.as_bytes(), &origin, &files);
            let mut report = Report::new();
            let mut read = 0;
            let started = Instant::now();
            while let Some(entry) = reader.next(&mut report) {
                assert!(reader_is_sane(entry.owner, entry.ttl));
                read += 1;
            }
            let nanoseconds = started.elapsed().as_nanos() / u128::from(RECORDS);
            assert!(read == RECORDS && report.is_empty());
            nanoseconds
        });
        let fastest = fastest.min().unwrap();
        println!("{fastest:4} ns a record: {what}");
        assert!(fastest < 1_000, "{what}: {fastest} ns");
    }
}

fn reader_is_sane(owner: &[u8], ttl: u32) -> bool {
    owner.len() == 22 && ttl > 0
}
