//! A source file as the rules see it: comments, literals and tests can be told from code.

use std::fs;
use std::path::Path;

/// One file of `src/`.
pub(crate) struct Source {
    /// From the root of the repository, with slashes.
    pub(crate) path: String,
    /// As it is.
    pub(crate) text: String,
    /// The same number of lines, with comments, literals and tests blanked out.
    pub(crate) code: String,
}

impl Source {
    /// All files of `src/`, by path.
    pub(crate) fn tree() -> Vec<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut sources = Vec::new();
        collect(root, &root.join("src"), &mut sources);
        sources.sort_by(|a, b| a.path.cmp(&b.path));
        assert!(sources.len() > 10, "the tree was not found");
        sources
    }

    /// A file of this content.
    pub(crate) fn of(path: &str, text: &str) -> Self {
        let name = path.rsplit('/').next().unwrap_or(path);
        let is_test = name.ends_with("tests.rs") || path.contains("/tests/");
        let code = without_comments_and_literals(text);
        let code = if is_test { blank(&code) } else { without_tests(&code) };
        Self { path: path.to_owned(), text: text.to_owned(), code }
    }

    /// The room: the folder or file right below `src/`.
    pub(crate) fn room(&self) -> &str {
        let below = self.path.trim_start_matches("src/");
        below.split('/').next().unwrap_or(below).trim_end_matches(".rs")
    }

    /// A finding at an offset of the text or the code.
    pub(crate) fn finding(&self, offset: usize, what: &str) -> String {
        let line = 1 + self.code.bytes().take(offset).filter(|&byte| byte == b'\n').count();
        format!("{}:{line}: {what}", self.path)
    }

    /// Where `word` stands in the code as a word of its own. What follows may be part of it, as in `std::fs` or `panic!`.
    pub(crate) fn find(&self, word: &str) -> Vec<usize> {
        let bytes = self.code.as_bytes();
        let begins = word.starts_with(|c: char| c.is_alphanumeric());
        let ends = word.ends_with(|c: char| c.is_alphanumeric());
        let is_apart = |at: usize| {
            let before = at.checked_sub(1).is_some_and(|before| is_word(bytes[before]));
            let after = bytes.get(at + word.len()).is_some_and(|&byte| is_word(byte));
            !(begins && before || ends && after)
        };
        self.code.match_indices(word).map(|(at, _)| at).filter(|&at| is_apart(at)).collect()
    }

    /// The names that follow each `prefix` (which ends in `::`) and their places: one, or several in braces.
    pub(crate) fn names_after(&self, prefix: &str) -> Vec<(usize, &str)> {
        let places = self.find(prefix);
        places.into_iter().flat_map(|at| names_at(&self.code, at + prefix.len())).collect()
    }
}

/// True for what a word of Rust is made of.
pub(crate) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// The word at `at`; empty if there is none.
pub(crate) fn word_at(code: &str, at: usize) -> &str {
    let rest = &code[at..];
    &rest[..rest.bytes().position(|byte| !is_word(byte)).unwrap_or(rest.len())]
}

/// Where the bracket at `open` closes.
pub(crate) fn closing(code: &str, open: usize) -> usize {
    let mut depth = 0_usize;
    for (at, byte) in code.bytes().enumerate().skip(open) {
        match byte {
            b'{' | b'(' | b'[' => depth += 1,
            b'}' | b')' | b']' => depth -= 1,
            _ => continue,
        }
        if depth == 0 {
            return at;
        }
    }
    code.len()
}

/// The name at `at`, or the first names of the parts of the group in braces there.
fn names_at(code: &str, at: usize) -> Vec<(usize, &str)> {
    if !code[at..].starts_with('{') {
        return vec![(at, word_at(code, at))];
    }
    let end = closing(code, at);
    let mut names = Vec::new();
    let mut part = true;
    let mut next = at + 1;
    while next < end {
        match code.as_bytes()[next] {
            b',' => part = true,
            b'{' => next = closing(code, next),
            byte if part && is_word(byte) => {
                names.push((next, word_at(code, next)));
                part = false;
            }
            _ => {}
        }
        next += 1;
    }
    names
}

fn collect(root: &Path, folder: &Path, sources: &mut Vec<Source>) {
    for entry in fs::read_dir(folder).expect("a folder of the tree") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(root, &path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("a source file");
            let below = path.strip_prefix(root).expect("below the root").to_string_lossy().replace('\\', "/");
            sources.push(Source::of(&below, &text));
        }
    }
}

/// Spaces in place of everything but the line ends.
fn blank(text: &str) -> String {
    text.chars().map(|c| if c == '\n' { '\n' } else { ' ' }).collect()
}

/// Comments and the insides of literals become blanks; offsets count octets of this text.
fn without_comments_and_literals(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let len = comment(rest).or_else(|| raw_string(rest)).or_else(|| string(rest)).or_else(|| character(rest));
        // Inside a word, an `r` or a `b` begins no literal.
        let word = rest.bytes().take_while(|&byte| is_word(byte)).count();
        if let Some(len) = len {
            code.push_str(&blank(&rest[..len]));
            rest = &rest[len..];
        } else {
            let take = word.max(c.len_utf8());
            code.push_str(&rest[..take]);
            rest = &rest[take..];
        }
    }
    code
}

/// Length of the comment that the text begins with.
fn comment(text: &str) -> Option<usize> {
    if text.starts_with("//") {
        return Some(text.find('\n').unwrap_or(text.len()));
    }
    if !text.starts_with("/*") {
        return None;
    }
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        if text.as_bytes()[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if text.as_bytes()[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
        } else {
            at += 1;
        }
        if depth == 0 {
            break;
        }
    }
    Some(at)
}

/// Length of the raw string that the text begins with.
fn raw_string(text: &str) -> Option<usize> {
    let prefix = ["br", "cr", "r"].into_iter().find(|prefix| text.starts_with(prefix))?;
    let after = &text[prefix.len()..];
    let hashes = after.bytes().take_while(|&byte| byte == b'#').count();
    let inside = after[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    Some(prefix.len() + hashes + 1 + inside.find(&end).map_or(inside.len(), |at| at + end.len()))
}

/// Length of the string that the text begins with.
fn string(text: &str) -> Option<usize> {
    let prefix = ["b\"", "c\"", "\""].into_iter().find(|prefix| text.starts_with(prefix))?;
    Some(quoted(text, prefix.len(), b'"'))
}

/// Length of the character that the text begins with; a lifetime is none.
fn character(text: &str) -> Option<usize> {
    let prefix = ["b'", "'"].into_iter().find(|prefix| text.starts_with(prefix))?;
    let first = text[prefix.len()..].chars().next()?;
    let closes = first == '\\' || text[prefix.len() + first.len_utf8()..].starts_with('\'');
    closes.then(|| quoted(text, prefix.len(), b'\''))
}

/// Where the literal whose inside begins at `at` ends.
fn quoted(text: &str, mut at: usize, quote: u8) -> usize {
    let bytes = text.as_bytes();
    while at < bytes.len() && bytes[at] != quote {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(text.len())
}

/// Items under `#[cfg(test)]` become blanks.
fn without_tests(code: &str) -> String {
    let mut out = String::with_capacity(code.len());
    let mut rest = code;
    while let Some(at) = rest.find("#[cfg(test)]") {
        let item = &rest[at..];
        let body = item["#[cfg(test)]".len()..].find(['{', ';']).map(|found| found + "#[cfg(test)]".len());
        let end = match body {
            Some(open) if item.as_bytes()[open] == b'{' => closing(item, open),
            Some(semicolon) => semicolon,
            None => item.len(),
        };
        let end = (end + 1).min(item.len());
        out.push_str(&rest[..at]);
        out.push_str(&blank(&item[..end]));
        rest = &item[end..];
    }
    out + rest
}

#[test]
fn code_is_what_is_left() {
    let text = concat!(
        "//! doc\nlet a = \"x // \\\" panic!\"; /* b /* c */ d */ let r = br#\"\"q\"#;\nlet c = '\"'; let l: &'a str;\n",
        "let b = b'\\''; let bright = rate;\n#[cfg(test)]\nmod tests {\n fn x() { y.unwrap() }\n}\nlast();\n"
    );
    let code = Source::of("src/a.rs", text).code;
    let words: Vec<&str> = code.split_whitespace().collect();
    assert_eq!(words.join(" "), "let a = ; let r = ; let c = ; let l: &'a str; let b = ; let bright = rate; last();");
    assert_eq!(code.lines().count(), text.lines().count());
    assert!(Source::of("src/a/tests.rs", "fn x() {}").code.trim().is_empty());
}

#[test]
fn names_come_alone_or_in_braces() {
    let source = Source::of("src/a.rs", "use crate::{b::{c, d}, e};\nuse crate::f::g;\nuse my_crate::h;");
    let names: Vec<&str> = source.names_after("crate::").into_iter().map(|(_, name)| name).collect();
    assert_eq!(names, ["b", "e", "f"]);
}
