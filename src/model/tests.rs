//! Region files as data: the design's example, golden findings, and any text at all.

use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::base::diagnostic::{Report, Severity};

/// The example of the manual: every kind of thing once.
const EXAMPLE: &str = include_str!("../../tests/golden/model/example.toml");

fn load(text: &str) -> (Option<Model>, Report) {
    let mut report = Report::new();
    let model = read(&[(Arc::from("regions.toml"), text)], &mut report);
    (model, report)
}
