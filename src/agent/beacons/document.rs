//! What a beacon says: `{ "v": 1, "ms": { "fra": 23.1, "iad": 110.4 } }`.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::base::limits::{LATENCY_US_MAX, LATENCY_US_MIN};
use crate::model::document::thousandths_of;

/// The form that is understood.
const VERSION: u32 = 1;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    v: u32,
    ms: BTreeMap<String, f64>,
}

/// Why a beacon is not taken. One wrong number makes all of it doubtful.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("not the JSON of a beacon")]
    Form,
    #[error("a beacon of another version")]
    Version,
    #[error("nothing was measured")]
    Empty,
    #[error("a region that is not measured")]
    Region,
    #[error("not a round trip: 0.05 to 10000 ms")]
    Range,
}

/// Regions, as places in `regions`, and microseconds.
pub(super) fn read(body: &[u8], regions: &[String]) -> Result<Vec<(usize, u32)>, Refusal> {
    let document: Document = serde_json::from_slice(body).map_err(|_| Refusal::Form)?;
    if document.v != VERSION {
        return Err(Refusal::Version);
    }
    if document.ms.is_empty() {
        return Err(Refusal::Empty);
    }
    let measured = document.ms.iter().map(|(key, &ms)| {
        let region = regions.iter().position(|region| region == key).ok_or(Refusal::Region)?;
        let us = thousandths_of(ms).ok().and_then(|us| u32::try_from(us).ok());
        let us = us.filter(|us| (LATENCY_US_MIN..=LATENCY_US_MAX).contains(us)).ok_or(Refusal::Range)?;
        Ok((region, us))
    });
    measured.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn beacons_are_read_or_refused() {
        let regions = ["iad", "fra"].map(String::from);
        let two = r#"{ "v": 1, "ms": { "fra": 23.1, "iad": 110.4 } }"#;
        assert_eq!(read(two.as_bytes(), &regions), Ok(vec![(1, 23_100), (0, 110_400)]));
        for (body, refusal) in [
            ("", Refusal::Form),
            ("[1]", Refusal::Form),
            (r#"{"v":1,"ms":{"fra":"23"}}"#, Refusal::Form),
            (r#"{"v":1,"ms":{"fra":23},"url":"/secret"}"#, Refusal::Form),
            (r#"{"v":2,"ms":{"fra":23}}"#, Refusal::Version),
            (r#"{"v":1,"ms":{}}"#, Refusal::Empty),
            (r#"{"v":1,"ms":{"fra":23,"sin":9}}"#, Refusal::Region),
            (r#"{"v":1,"ms":{"fra":0.04}}"#, Refusal::Range),
            (r#"{"v":1,"ms":{"fra":-1}}"#, Refusal::Range),
            (r#"{"v":1,"ms":{"fra":10000.1}}"#, Refusal::Range),
            (r#"{"v":1,"ms":{"fra":1e300}}"#, Refusal::Range),
        ] {
            assert_eq!(read(body.as_bytes(), &regions), Err(refusal), "{body}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), ms in any::<f64>()) {
            let _ = read(&bytes, &[]);
            let _ = read(format!("{{\"v\":1,\"ms\":{{\"a\":{ms:?}}}}}").as_bytes(), &["a".to_owned()]);
        }
    }
}
