//! The layer rule: a room uses only rooms above it in the list of `src/lib.rs`.

use crate::check_tree;
use crate::source::{Source, word_at};

/// The rooms in the order of `src/lib.rs`, lowest first.
pub(crate) fn rooms(library: &Source) -> Vec<String> {
    let modules = library.find("mod").into_iter();
    modules.map(|at| word_at(&library.code, at + "mod ".len()).to_owned()).collect()
}

/// Paths from `source` to rooms that stand below it in the list.
fn upward(source: &Source, rooms: &[String]) -> Vec<String> {
    let place = |name: &str| rooms.iter().position(|room| room == name);
    // lib.rs and main.rs stand above all rooms.
    let Some(own) = place(source.room()) else { return Vec::new() };
    let mut named = source.names_after("crate::");
    named.extend(names_above(source));
    let mut findings = Vec::new();
    for (at, name) in named {
        if place(name).is_some_and(|place| place > own) {
            findings.push(source.finding(at, &format!("`{}` is below `{name}` and must not use it", source.room())));
        }
    }
    findings
}

/// Names reached by climbing out of the room with `super::super::`.
fn names_above(source: &Source) -> Vec<(usize, &str)> {
    let path = source.path.trim_start_matches("src/").trim_end_matches(".rs").trim_end_matches("/mod");
    let climb = "super::".repeat(path.split('/').count());
    source.names_after(&climb)
}

#[test]
fn rooms_use_only_lower_rooms() {
    let tree = Source::tree();
    let library = tree.iter().find(|source| source.path == "src/lib.rs").expect("a library");
    let rooms = rooms(library);
    assert!(["base", "dns", "wire", "zone", "answer"].iter().all(|room| rooms.iter().any(|known| known == room)));
    check_tree(|source| upward(source, &rooms));
}

#[test]
fn every_room_is_listed_once() {
    let tree = Source::tree();
    let library = tree.iter().find(|source| source.path == "src/lib.rs").expect("a library");
    let mut listed = rooms(library);
    listed.sort();
    let mut found: Vec<String> = tree.iter().map(|source| source.room().to_owned()).collect();
    found.retain(|room| room != "lib" && room != "main");
    found.dedup();
    found.sort();
    found.dedup();
    assert_eq!(listed, found);
}

#[test]
fn the_rule_can_be_broken() {
    let rooms = rooms(&Source::of("src/lib.rs", "pub mod base;\npub mod wire;\npub mod zone;\npub mod answer;\n"));
    assert_eq!(rooms, ["base", "wire", "zone", "answer"]);
    let findings = |path, text| upward(&Source::of(path, text), &rooms).len();
    assert_eq!(findings("src/zone/node.rs", "//! x\nuse crate::answer::Lane;\n"), 1);
    assert_eq!(findings("src/base/ids.rs", "use crate::{base::x, wire::y, zone};\n"), 2);
    assert_eq!(findings("src/zone/parse/reader.rs", "fn f() { super::super::super::answer::respond() }\n"), 1);
    assert_eq!(findings("src/zone/mod.rs", "fn f() { super::answer::respond() }\n"), 1);
    assert_eq!(findings("src/zone/node.rs", "use crate::wire::Query; // crate::answer\nuse super::order;\n"), 0);
    assert_eq!(findings("src/zone/node.rs", "#[cfg(test)]\nmod tests { use crate::answer::Lane; }\n"), 0);
    assert_eq!(findings("src/lib.rs", "pub use crate::answer::respond;\n"), 0);
}
