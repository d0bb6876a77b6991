//! Any text as a zone file: records or mistakes, never a panic, and what is printed reads back as the same records.
#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use meridian::base::diagnostic::Report;
use meridian::base::files::MemoryFiles;
use meridian::base::hash::HashKey;
use meridian::dns::rdata::validate;
use meridian::dns::{Name, RecordType};
use meridian::zone::Builder;
use meridian::zone::parse::{Entry, Reader, State, print_entry};

/// A `$GENERATE` line may make a million records; this many show all that it can do wrong.
const RECORDS_MAX: usize = 5_000;

#[derive(Clone, Debug, PartialEq, Eq)]
struct Record {
    owner: Vec<u8>,
    rtype: RecordType,
    ttl: u32,
    rdata: Vec<u8>,
}

/// A place where reading can be taken up again, and how many records came before it.
struct Boundary {
    offset: usize,
    line: u32,
    state: State,
    records: usize,
}

fuzz_target!(|text: &[u8]| {
    let origin: Name = "example.com.".parse().unwrap();
    let path: Arc<str> = "zones/example.com.zone".into();
    let files = MemoryFiles::new()
        .with("zones/more", "more A 192.0.2.1\n")
        .with("zones/self", "$INCLUDE self\nself A 192.0.2.1\n");
    let mut report = Report::new();
    let mut reader = Reader::new(&path, text, &origin, &files);
    let mut boundary = None;
    let records = read_all(&mut reader, &mut report, &mut boundary);
    let _ = report.render();
    for record in &records {
        assert_eq!(validate(record.rtype, &record.rdata), Ok(()), "{record:?}");
    }
    if records.len() < RECORDS_MAX {
        if let Some(Boundary { offset, line, state, records: before }) = boundary {
            let mut resumed = Reader::resume(&path, text, offset, line, state, &files);
            let rest = read_all(&mut resumed, &mut Report::new(), &mut None);
            assert_eq!(rest, records[before..], "taken up again at offset {offset}");
        }
    }
    let printed = print(&records);
    let mut report = Report::new();
    let mut again = Reader::new(&path, printed.as_bytes(), &origin, &files);
    assert_eq!(read_all(&mut again, &mut report, &mut None), records);
    assert!(report.is_empty(), "{}", report.render());
    build(&origin, &records);
});

fn read_all(reader: &mut Reader<'_>, report: &mut Report, boundary: &mut Option<Boundary>) -> Vec<Record> {
    let mut records = Vec::new();
    while let Some(Entry { owner, rtype, ttl, rdata }) = reader.next(report) {
        records.push(Record { owner: owner.to_vec(), rtype, ttl, rdata: rdata.to_vec() });
        assert!(reader.location().is_some());
        if records.len() == RECORDS_MAX {
            break;
        }
        // The first place will do, after a few records.
        if boundary.is_none() && records.len() >= 3 {
            *boundary = reader.boundary().map(|offset| Boundary {
                offset,
                line: reader.line(),
                state: reader.state(),
                records: records.len(),
            });
        }
    }
    records
}

fn print(records: &[Record]) -> String {
    let mut text = String::new();
    for Record { owner, rtype, ttl, rdata } in records {
        print_entry(&Entry { owner, rtype: *rtype, ttl: *ttl, rdata }, &mut text).unwrap();
    }
    text
}

fn build(origin: &Name, records: &[Record]) {
    let mut builder = Builder::new(HashKey::new(1, 2), origin, records.len());
    let mut taken = 0;
    for Record { owner, rtype, ttl, rdata } in records {
        taken += usize::from(builder.push(owner, *rtype, *ttl, rdata).is_ok());
    }
    let (zone, oddities) = builder.finish().unwrap();
    assert!(zone.record_count() <= taken);
    assert!(zone.record_count() + oddities.len() >= taken, "what is not there was reported");
}
