//! Tables of documents and what they say, and that no document is too strange.

use proptest::prelude::*;

use super::super::feeds::{FeedError, FeedMiss, Pick, Place};
use super::{agent_load, answer, document, series, thousandths};

fn kind<T>(read: Result<T, FeedMiss>) -> Result<T, FeedError> {
    read.map_err(|miss| miss.kind)
}

#[test]
fn numbers() {
    for (text, expected) in [
        ("0", Ok(0)),
        ("-0", Ok(0)),
        ("12", Ok(12_000)),
        (" 12.5\n", Ok(12_500)),
        ("0.0004", Ok(0)),
        ("0.0006", Ok(1)),
        ("1e3", Ok(1_000_000)),
        ("1.5E-2", Ok(15)),
        ("+7", Ok(7_000)),
        ("1e15", Ok(1_000_000_000_000_000_000)),
        ("2e15", Err(FeedError::Number)),
        ("1e400", Err(FeedError::Number)),
        ("-1", Err(FeedError::Number)),
        ("NaN", Err(FeedError::Number)),
        ("+Inf", Err(FeedError::Number)),
        ("", Err(FeedError::Number)),
        ("12 rps", Err(FeedError::Number)),
        ("0x10", Err(FeedError::Number)),
    ] {
        assert_eq!(kind(thousandths(text)), expected, "{text:?}");
    }
}

#[test]
fn agents() {
    for (text, expected) in [
        ("75%\n", Ok(25_000)),
        ("0%", Ok(100_000)),
        ("100%\r\n", Ok(0)),
        ("256%", Ok(0)),
        ("62.5%", Ok(37_500)),
        ("up 75%", Ok(25_000)),
        ("ready, 75% maxconn:30\nignored 10%", Ok(25_000)),
        ("drain", Ok(100_000)),
        ("DOWN 80% # too hot", Ok(100_000)),
        ("stopped", Ok(100_000)),
        ("up", Err(FeedError::Missing)),
        ("maxconn:30", Err(FeedError::Missing)),
        ("up # 75%", Err(FeedError::Missing)),
        ("", Err(FeedError::Missing)),
        ("%", Err(FeedError::Number)),
        ("-5%", Err(FeedError::Number)),
        ("nan%", Err(FeedError::Number)),
    ] {
        assert_eq!(kind(agent_load(text)), expected, "{text:?}");
    }
}

fn one(body: &str, place: Place) -> Result<u64, FeedError> {
    let picks = [Pick { metric: "load".into(), place }];
    kind(document(body.as_bytes(), &picks)).map(|document| document.metrics.get("load").expect("the pick"))
}

#[test]
fn json() {
    for (body, pointer, expected) in [
        ("42", "", Ok(42_000)),
        ("{\"load\":{\"now\":1.25}}", "/load/now", Ok(1_250)),
        ("[1,{\"a~b/c\":2}]", "/1/a~0b~1c", Ok(2_000)),
        ("{\"load\":\"17\"}", "/load", Ok(17_000)),
        ("{\"load\":12345678901234}", "/load", Ok(12_345_678_901_234_000)),
        ("{\"load\":-1}", "/load", Err(FeedError::Number)),
        ("{\"load\":null}", "/load", Err(FeedError::Number)),
        ("{\"load\":true}", "/load", Err(FeedError::Number)),
        ("{\"load\":[1]}", "/load", Err(FeedError::Number)),
        ("{\"load\":1}", "/lode", Err(FeedError::Missing)),
        ("{\"load\":1", "/load", Err(FeedError::Unreadable)),
        ("<html>", "/load", Err(FeedError::Unreadable)),
        ("", "", Err(FeedError::Unreadable)),
    ] {
        assert_eq!(one(body, Place::Json(pointer.into())), expected, "{body} {pointer}");
    }
}

#[test]
fn prometheus() {
    const PAGE: &str = "# HELP x 1\n# TYPE x gauge\n\
        x{site=\"fra\",path=\"/\"} 1.5\n\
        x{ site = \"fra\" , path = \"/x\\\"y\\\\\\n\", } 3e2 1700000000000\n\
        x{site=\"iad\"} 7 # {trace=\"1\"} 1\n\
        x_total 9\n\
        nan NaN\n\
        inf{a=\"1\"} +Inf\n\
        inf{a=\"2\"} 2\n\
        minus -1\n\
        bad{a=1} 5\n\
        none{} 4\n\
        none\t5\n\
        # EOF\n";
    for (name, expected) in [
        ("x", Ok(308_500)),
        ("x{site=\"fra\"}", Ok(301_500)),
        ("x{site=\"fra\",path=\"/\"}", Ok(1_500)),
        ("x{path=\"/x\\\"y\\\\\\n\"}", Ok(300_000)),
        ("x{site=\"sin\"}", Err(FeedError::Missing)),
        ("x_total", Ok(9_000)),
        ("nan", Err(FeedError::Number)),
        ("inf", Err(FeedError::Number)),
        ("inf{a=\"2\"}", Ok(2_000)),
        ("minus", Err(FeedError::Number)),
        ("bad", Err(FeedError::Unreadable)),
        ("none", Ok(9_000)),
        ("y", Err(FeedError::Missing)),
    ] {
        assert_eq!(one(PAGE, Place::Series(series(name).unwrap())), expected, "{name}");
    }
    for bad in ["", "1x", "{a=\"1\"}", "x{a=1}", "x{a=\"1\"", "x{a=\"1\"} y", "x y", "x{a=\"\\q\"}"] {
        assert!(series(bad).is_err(), "{bad}");
    }
}

#[test]
fn documents_may_say_when_they_were_so() {
    let pick = |metric: &str, name: &str| Pick { metric: metric.into(), place: Place::Series(series(name).unwrap()) };
    let at = |body: &str| document(body.as_bytes(), &[pick("load", "x"), pick("max", "y")]).unwrap().at;
    assert_eq!(at("x 1\ny 2\n"), None);
    assert_eq!(at("x 1 1700000000000\ny 2\n"), Some(1_700_000_000_000));
    assert_eq!(at("x 1 1700000000000\ny 2 1600000000\n"), Some(1_600_000_000_000), "OpenMetrics counts seconds");
}

#[test]
fn answers_have_headers_and_bodies() {
    let header = |name: &str| (name == "x-load").then_some("12");
    let places = ["x-load", "x-max"].map(|name| Place::Header(name.into()));
    let pointer = Place::Json("/a".into());
    let all = [&places[0], &places[1], &pointer].map(Clone::clone);
    let read = |body: &str| answer(&all, header, body.as_bytes()).into_iter().map(kind).collect::<Vec<_>>();
    assert_eq!(read("{\"a\":3}"), [Ok(12_000), Err(FeedError::Missing), Ok(3_000)]);
    assert_eq!(read("ok"), [Ok(12_000), Err(FeedError::Missing), Err(FeedError::Unreadable)]);
    assert_eq!(answer(&places[..1], header, b"ok").len(), 1);
}

proptest! {
    #[test]
    fn no_document_is_too_strange(body in proptest::collection::vec(any::<u8>(), 0..200), text in "\\PC{0,60}") {
        let picks = |place| [Pick { metric: "load".into(), place }];
        let _ = document(&body, &picks(Place::Json("/load".into())));
        let _ = document(&body, &picks(Place::Series(series("x{a=\"1\"}").unwrap())));
        let _ = document(text.as_bytes(), &picks(Place::Series(series("x").unwrap())));
        let _ = (agent_load(&text), thousandths(&text), series(&text));
        let _ = agent_load(&String::from_utf8_lossy(&body));
    }

    #[test]
    fn lines_that_almost_are_some(line in "x\\{?[a-z\"=\\\\,} ]{0,12}[-+.0-9eNaIinf ]{0,12}") {
        let picks = [Pick { metric: "load".into(), place: Place::Series(series("x").unwrap()) }];
        let _ = document(line.as_bytes(), &picks);
    }

    #[test]
    fn amounts_are_read_to_the_thousandth(units in 0_u64..1_000_000_000, rest in 0_u64..1_000) {
        prop_assert_eq!(thousandths(&format!("{units}.{rest:03}")), Ok(units * 1_000 + rest));
    }
}
