//! Any octets as data of any type: what is well formed can be printed, and reads back as the same octets.
#![no_main]

use libfuzzer_sys::fuzz_target;
use meridian::dns::RecordType;
use meridian::dns::rdata::{Words, parse_rdata, print_rdata, validate};

fuzz_target!(|bytes: &[u8]| {
    let Some((&[high, low], rdata)) = bytes.split_first_chunk::<2>() else { return };
    let rtype = RecordType(u16::from_be_bytes([high, low]));
    if validate(rtype, rdata).is_err() {
        return;
    }
    let mut text = String::new();
    print_rdata(rtype, rdata, &mut text).unwrap();
    assert!(!text.contains('\n'), "a record stays on its line: {text}");
    let mut again = Vec::new();
    let mut words = Words::new(text.as_bytes(), 0);
    if let Err(error) = parse_rdata(rtype, &mut words, None, &mut again) {
        panic!("{rtype} {text}: {error:?}");
    }
    assert_eq!(again, rdata, "{rtype} {text}");
    assert_eq!(validate(rtype, &again), Ok(()));
});
