//! The series of what is measured of the ways between clients and regions.

use crate::latency::{Figures, RefusalKind, Source};

use super::table::*;
use super::text::Text;

pub(super) fn render(figures: &Figures, text: &mut Text) {
    let Figures { counts, networks, ways, bytes, evicted, moved, waiting } = figures;
    text.metric(&LATENCY_MEASUREMENTS, |series| {
        for (source, (taken, thinned)) in Source::ALL.iter().zip(counts.taken.iter().zip(&counts.thinned)) {
            series.add(&[source.as_str(), "taken"], taken);
            series.add(&[source.as_str(), "thinned"], thinned);
        }
    });
    text.metric(&LATENCY_REFUSED, |series| {
        for (kind, count) in RefusalKind::ALL.iter().zip(&counts.refused) {
            series.add(&[kind.as_str()], count);
        }
    });
    text.metric(&LATENCY_DUPLICATES, |series| series.add(&[], counts.duplicates));
    text.metric(&LATENCY_NETWORKS, |series| series.add(&[], networks));
    text.metric(&LATENCY_WAYS, |series| series.add(&[], ways));
    text.metric(&LATENCY_BYTES, |series| series.add(&[], bytes));
    text.metric(&LATENCY_EVICTED, |series| series.add(&[], evicted));
    text.metric(&LATENCY_MOVES, |series| series.add(&[], moved));
    text.metric(&LATENCY_WAITING, |series| series.add(&[], waiting));
}
