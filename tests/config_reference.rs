//! `dist/meridian.toml` and `docs/configuration.md` say what the code says.

mod golden;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use meridian::base::diagnostic::Report;
use meridian::base::toml_text::KeyReference;
use meridian::config::Config;

#[test]
fn the_sample_file_lists_every_key_with_its_default() {
    golden::check("dist/meridian.toml", &sample());
}

#[test]
fn the_manual_lists_every_key() {
    golden::check("docs/configuration.md", &manual());
}

#[test]
fn the_sample_file_is_the_default_with_and_without_its_comments() {
    let text = std::fs::read_to_string(golden::in_tree("dist/meridian.toml")).expect("the sample is there");
    let path = "/etc/meridian/meridian.toml";
    let default = Config::default_in(Path::new("/etc/meridian"));
    for text in [text.clone(), uncommented(&text)] {
        let mut report = Report::new();
        let config = Config::read(path, &text, &mut report);
        assert!(report.is_empty(), "{}", report.render());
        assert_eq!(config.as_ref(), Some(&default));
    }
}

#[test]
fn every_key_of_the_sample_file_is_read() {
    let text = std::fs::read_to_string(golden::in_tree("dist/meridian.toml")).expect("the sample is there");
    let mut keys = BTreeSet::new();
    collect("", &toml::from_str(&uncommented(&text)).expect("the sample is TOML"), &mut keys);
    let known = Config::references().iter().map(|key| format!("{}.{}", key.table, key.name)).collect();
    assert_eq!(keys, known);
    // And each alone changes something when it is wrong: nothing is read and forgotten.
    for key in &Config::references() {
        let text = format!("[{}]\n{} = 1979-05-27\n", key.table, key.name);
        let mut report = Report::new();
        assert_eq!(Config::read("f", &text, &mut report), None, "{text}");
        assert_eq!(report.iter().map(|finding| finding.code).collect::<Vec<_>>(), ["wrong-type"], "{text}");
    }
}

/// A key whose `#` is followed by no space is a setting; other comments explain.
fn uncommented(text: &str) -> String {
    let line = |line: &str| match line.strip_prefix('#') {
        Some(setting) if !setting.is_empty() && !setting.starts_with(' ') => format!("{setting}\n"),
        _ => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}

/// The leaves of a table; an empty table is a leaf too, unless it is a section.
fn collect(path: &str, table: &toml::Table, keys: &mut BTreeSet<String>) {
    for (key, value) in table {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        match value.as_table().filter(|inner| !inner.is_empty()) {
            Some(inner) => collect(&path, inner, keys),
            None => drop(keys.insert(path)),
        }
    }
}

fn sample() -> String {
    let mut out = String::from(
        "# Meridian's configuration: every key with its default, all of them commented out. Remove the `#` of a key\n\
         # to change it. Relative paths count from the folder of this file.\n",
    );
    for (table, keys) in sections() {
        write!(out, "\n[{table}]\n").expect("a string takes it");
        for (index, key) in keys.iter().enumerate() {
            if index > 0 {
                out.push('\n');
            }
            for line in wrapped(key.meaning, 110) {
                writeln!(out, "# {line}").expect("a string takes it");
            }
            if !key.range.is_empty() {
                writeln!(out, "# Values: {}.", key.range).expect("a string takes it");
            }
            writeln!(out, "#{} = {}", key.name, key.default).expect("a string takes it");
        }
    }
    out
}

fn manual() -> String {
    let mut out = String::from(
        "# Configuration: `meridian.toml`\n\n\
         Every key has a default; an absent or empty file is a valid configuration. Relative paths count from the folder\n\
         of the file. Durations are written like `\"5s\"`, `\"1m30s\"` or `\"100ms\"` (units `d`, `h`, `m`, `s`, `ms`, the\n\
         largest first). An unknown key is an error. `meridian check` shows all errors of a file at once.\n\n\
         This page and the commented sample `dist/meridian.toml` are kept equal to the code by a test.\n",
    );
    for (table, keys) in sections() {
        write!(out, "\n## `[{table}]`\n\n| key | type | default | values | meaning |\n|---|---|---|---|---|\n")
            .expect("a string takes it");
        for KeyReference { name, kind, default, range, meaning, .. } in keys {
            let meaning = meaning.replace('|', "\\|");
            writeln!(out, "| `{name}` | {kind} | `{default}` | {range} | {meaning} |").expect("a string takes it");
        }
    }
    out
}

/// The keys by table, tables in the order they are first read.
fn sections() -> Vec<(String, Vec<KeyReference>)> {
    let mut sections: Vec<(String, Vec<KeyReference>)> = Vec::new();
    for key in Config::references() {
        match sections.iter_mut().find(|(table, _)| *table == key.table) {
            Some((_, keys)) => keys.push(key),
            None => sections.push((key.table.clone(), vec![key])),
        }
    }
    sections
}

fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let last = lines.last_mut().expect("there is always a line");
        if !last.is_empty() && last.len() + 1 + word.len() > width {
            lines.push(word.into());
        } else {
            if !last.is_empty() {
                last.push(' ');
            }
            last.push_str(word);
        }
    }
    lines
}
