//! Files have at most 400 lines of code, functions at most 70 lines.

use crate::check_tree;
use crate::source::{Source, closing, is_word, word_at};

const FILE_MAX: usize = 400;
const FUNCTION_MAX: usize = 70;

/// Lines with code on them: blank lines, comments and tests are free.
fn lines_of_code(source: &Source) -> usize {
    source.code.lines().filter(|line| !line.trim().is_empty()).count()
}

fn long_file(source: &Source) -> Vec<String> {
    let lines = lines_of_code(source);
    if lines > FILE_MAX {
        vec![format!("{}: {lines} lines of code; at most {FILE_MAX}", source.path)]
    } else {
        Vec::new()
    }
}

fn long_functions(source: &Source) -> Vec<String> {
    let findings = functions(source).into_iter().filter(|(.., lines)| *lines > FUNCTION_MAX);
    findings
        .map(|(at, name, lines)| source.finding(at, &format!("`{name}`: {lines} lines; at most {FUNCTION_MAX}")))
        .collect()
}

/// Place, name and lines of each function with a body.
fn functions(source: &Source) -> Vec<(usize, &str, usize)> {
    let bodies = source.find("fn").into_iter().filter_map(|at| Some((at, body(&source.code, at)?)));
    let sized = bodies.map(|(at, open)| {
        let lines = source.code[at..closing(&source.code, open)].lines().count();
        (at, word_at(&source.code, at + "fn ".len()), lines)
    });
    sized.collect()
}

/// Where the body of the function at `at` opens; `None` without a body.
fn body(code: &str, at: usize) -> Option<usize> {
    let bytes = code.as_bytes();
    // `fn` in a type such as `impl Fn` is another word; `fn(` is a pointer.
    if !bytes.get(at + 3).is_some_and(|&byte| is_word(byte)) {
        return None;
    }
    let mut next = at;
    while let Some(&byte) = bytes.get(next) {
        match byte {
            b'{' => return Some(next),
            b';' => return None,
            b'(' | b'[' => next = closing(code, next),
            _ => {}
        }
        next += 1;
    }
    None
}

#[test]
fn files_are_short() {
    check_tree(long_file);
}

#[test]
fn functions_are_short() {
    check_tree(long_functions);
}

#[test]
fn the_rules_can_be_broken() {
    let long = "let x = 1;\n".repeat(FILE_MAX + 1);
    assert_eq!(long_file(&Source::of("src/zone/x.rs", &long)).len(), 1);
    assert!(long_file(&Source::of("src/zone/tests.rs", &long)).is_empty());
    let comments = "// why\n\n".repeat(FILE_MAX) + "fn f() {}\n";
    assert!(long_file(&Source::of("src/zone/x.rs", &comments)).is_empty());
    let function = |lines: usize| format!("fn f(a: [u8; 4]) -> u8 {{\n{}}}\nfn g() {{}}\n", "x();\n".repeat(lines));
    assert_eq!(long_functions(&Source::of("src/zone/x.rs", &function(FUNCTION_MAX))).len(), 1);
    assert_eq!(long_functions(&Source::of("src/zone/x.rs", &function(FUNCTION_MAX - 2))), [""; 0]);
}
