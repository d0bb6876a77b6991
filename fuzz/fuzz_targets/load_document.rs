//! Any octets as what a load feed says: a number within its bounds or a reason on one line, and the same each time. First a
//! line that says what is wanted, then the document.
#![no_main]

use libfuzzer_sys::fuzz_target;
use meridian::base::limits::FEED_VALUE_MAX;
use meridian::model::document::{AGENT_WHOLE, agent_load, answer, document, thousandths};
use meridian::model::{FeedMiss, Pick, Place, Series};

fuzz_target!(|octets: &[u8]| {
    let end = octets.iter().position(|&octet| octet == b'\n').unwrap_or(octets.len());
    let (wanted, body) = octets.split_at(end);
    let wanted = String::from_utf8_lossy(wanted);
    let series = Series { name: "requests".into(), labels: vec![("site".into(), wanted.to_string())] };
    let places = [Place::Json(wanted.to_string()), Place::Series(series), Place::Header("X-Load".into())];
    for place in &places[..2] {
        let pick = Pick { metric: "current".into(), place: place.clone() };
        let read = document(body, std::slice::from_ref(&pick));
        assert_eq!(read, document(body, &[pick]));
        check(read.map(|read| read.metrics.get("current").unwrap_or(u64::MAX)), FEED_VALUE_MAX);
    }
    let text = String::from_utf8_lossy(body);
    for number in answer(&places, |_| Some(&*text), body) {
        check(number, FEED_VALUE_MAX);
    }
    check(agent_load(&text), AGENT_WHOLE);
    check(thousandths(&text), FEED_VALUE_MAX);
});

fn check(read: Result<u64, FeedMiss>, most: u64) {
    match read {
        Ok(number) => assert!(number <= most, "{number}"),
        Err(FeedMiss { reason, .. }) => assert!(!reason.is_empty() && !reason.contains('\n'), "{reason:?}"),
    }
}
