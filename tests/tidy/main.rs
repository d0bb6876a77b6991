//! House rules that the compiler does not know.
//!
//! Each rule is a function from a source file to findings. Over the tree it must find nothing; on a bad sample it must
//! find something, so that a rule that has stopped working shows.
//!
//! | rule | file |
//! |---|---|
//! | a room uses only rooms above it in the list of `src/lib.rs` | `rooms` |
//! | the pure rooms have no socket, file, clock, randomness, log, metric or thread | `purity` |
//! | the length of files and functions | `length` |
//! | what a file must open with and what it must not say | `words` |
//! | links between documents lead somewhere | `links` |
//! | every RFC named in `src/` stands in `docs/rfcs.md`, and the other way round | `rfcs` |

mod source;

mod length;
mod links;
mod purity;
mod rfcs;
mod rooms;
mod words;

use source::Source;

/// Panics with all findings of `rule` over `src/`.
fn check_tree(rule: impl Fn(&Source) -> Vec<String>) {
    let findings: Vec<String> = Source::tree().iter().flat_map(rule).collect();
    assert!(findings.is_empty(), "\n{}\n", findings.join("\n"));
}
