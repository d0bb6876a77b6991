//! `docs/checks.md` says what the code says about every key of health checks that has a default.

mod golden;

use meridian::base::toml_text::KeyReference;
use meridian::model;

#[test]
fn the_manual_lists_every_key_of_checks() {
    let manual = std::fs::read_to_string(golden::in_tree("docs/checks.md")).expect("the manual is there");
    let references = model::check_references();
    let kinds = ["", "http", "https", "tcp", "tls", "dns", "grpc"];
    let mut missing = Vec::new();
    for key in &references {
        assert!(kinds.contains(&key.table.as_str()), "{}", key.table);
        // What https has in common with http stands there.
        let is_common = |other: &&KeyReference| other.table == "http" && row(other) == row(key);
        if key.table == "https" && references.iter().any(|other| is_common(&other)) {
            continue;
        }
        if !section(&manual, &key.table).lines().any(|line| line == row(key)) {
            missing.push(format!("[{}] {}", key.table, row(key)));
        }
    }
    assert!(missing.is_empty(), "rows that docs/checks.md lacks:\n{}", missing.join("\n"));
    let rows = manual.lines().filter(|line| line.starts_with("| `") && line.matches(" | ").count() == 4);
    for line in rows {
        assert!(references.iter().any(|key| row(key) == line), "docs/checks.md says what the code does not: {line}");
    }
}

/// The text below the heading of a kind; the one of every kind stands before the first.
fn section<'a>(manual: &'a str, kind: &str) -> &'a str {
    let mut sections = manual.split("\n### ");
    let found = if kind.is_empty() {
        sections.next()
    } else {
        sections.find(|section| section.starts_with(&format!("`{kind}`")))
    };
    found.unwrap_or_default()
}

fn row(key: &KeyReference) -> String {
    let KeyReference { name, kind, default, range, meaning, .. } = key;
    format!("| `{name}` | {kind} | `{default}` | {range} | {} |", meaning.replace('|', "\\|"))
}
