//! What every file opens with, and what no file says.

use crate::check_tree;
use crate::source::Source;

/// Words that no code says, tests apart.
const BANNED: [(&str, &str); 5] = [
    ("todo!", "what is merged is whole"),
    ("unimplemented!", "what is merged is whole"),
    ("dbg!", "left over"),
    ("process::exit", "`main` returns the exit code"),
    ("set_var", "the environment is shared by all threads"),
];

/// The rooms whose input comes from strangers, or that they stand on: nothing in them may panic.
const CALM: [&str; 16] = [
    "base", "dns", "wire", "geo", "model", "zone", "table", "health", "policy", "plan", "snapshot", "answer",
    "control", "agent", "latency", "vantage",
];
const PANICKING: [&str; 8] =
    [".unwrap()", ".expect(", ".unwrap_err()", ".expect_err(", "panic!", "unreachable!", "assert!", "assert_eq!"];

/// Where `unsafe` may stand: fetching memory early, and system calls that the standard library lacks.
const UNSAFE: [&str; 2] = ["src/base/prefetch.rs", "src/serve/system/"];

fn opening(source: &Source) -> Vec<String> {
    let opens = source.text.starts_with("//! ");
    if opens { Vec::new() } else { vec![format!("{}:1: a file opens with `//!` and what it is for", source.path)] }
}

fn banned(source: &Source) -> Vec<String> {
    let places = BANNED.iter().flat_map(|(word, why)| source.find(word).into_iter().map(move |at| (at, word, why)));
    places.map(|(at, word, why)| source.finding(at, &format!("`{word}`: {why}"))).collect()
}

fn panics(source: &Source) -> Vec<String> {
    if !CALM.contains(&source.room()) {
        return Vec::new();
    }
    let places = PANICKING.iter().flat_map(|call| source.find(call).into_iter().map(move |at| (at, call)));
    // What is asserted in a constant fails the build, not the server.
    let places = places.filter(|&(at, _)| !line_before(&source.code, at).starts_with("const "));
    places.map(|(at, call)| source.finding(at, &format!("`{call}` in a room that must not panic"))).collect()
}

/// The part of the line of `at` that stands before it.
fn line_before(code: &str, at: usize) -> &str {
    let start = code[..at].rfind('\n').map_or(0, |end| end + 1);
    code[start..at].trim_start()
}

fn unsafety(source: &Source) -> Vec<String> {
    if UNSAFE.iter().any(|path| source.path.starts_with(path)) {
        return Vec::new();
    }
    source.find("unsafe").into_iter().map(|at| source.finding(at, "`unsafe` outside its two places")).collect()
}

#[test]
fn files_say_what_they_are_for() {
    check_tree(opening);
}

#[test]
fn nothing_is_left_half_done() {
    check_tree(banned);
}

#[test]
fn strangers_input_meets_no_panic() {
    check_tree(panics);
}

#[test]
fn unsafe_code_stays_in_its_places() {
    check_tree(unsafety);
}

#[test]
fn the_rules_can_be_broken() {
    assert_eq!(opening(&Source::of("src/zone/x.rs", "use std::fmt;\n")).len(), 1);
    assert_eq!(opening(&Source::of("src/zone/x.rs", "//! Why.\n")), [""; 0]);
    assert_eq!(banned(&Source::of("src/run/x.rs", "fn f() { todo!(); dbg!(1); std::process::exit(1) }")).len(), 3);
    assert_eq!(banned(&Source::of("src/run/x.rs", "// todo!()\nfn f() { g(\"todo!()\") }")), [""; 0]);
    let bad = "fn f() { a.unwrap(); b.expect(\"c\"); panic!(); unreachable!(); }\n";
    assert_eq!(panics(&Source::of("src/wire/x.rs", bad)).len(), 4);
    assert_eq!(panics(&Source::of("src/run/x.rs", bad)), [""; 0]);
    assert_eq!(
        panics(&Source::of("src/wire/x.rs", "fn f() { a.unwrap_or(1); }\nconst _: () = assert!(A < B);")),
        [""; 0]
    );
    assert_eq!(panics(&Source::of("src/wire/x.rs", &format!("#[cfg(test)]\nmod tests {{ {bad} }}"))), [""; 0]);
    assert_eq!(unsafety(&Source::of("src/answer/x.rs", "fn f() { unsafe { g() } }")).len(), 1);
    assert_eq!(unsafety(&Source::of("src/serve/system/x.rs", "fn f() { unsafe { g() } }")), [""; 0]);
}
