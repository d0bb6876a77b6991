//! Reading TOML that an operator wrote: every problem of a file at once, each at its place.
//!
//! A [`Source`] is one file's text; [`read`] parses it and hands its root [`Table`] to a reader, which takes each key
//! once, by name, through a [`Form`] that knows the key's type and range. A wrong value is noted and reading goes on
//! with the default, so that one run finds everything; [`Table::finish`] notes the keys nobody took. Broken syntax
//! costs only its own statement.
//!
//! ```
//! use meridian::base::diagnostic::Report;
//! use meridian::base::toml_text::{self, Integer, Source};
//!
//! let mut report = Report::new();
//! let source = Source::new("meridian.toml", "[dns]\nthraeds = 2\n");
//! let threads = toml_text::read(&source, &mut report, |mut root| {
//!     let mut dns = root.table("dns");
//!     let threads = dns.key("threads", Integer::new(0..=64), 0, "UDP threads.");
//!     dns.finish();
//!     root.finish();
//!     threads
//! });
//! assert_eq!(threads, 0);
//! assert!(report.render().contains("did you mean `threads`?"));
//! ```
//!
//! | code | meaning |
//! |---|---|
//! | `syntax` | not TOML |
//! | `not-utf8` | not even text |
//! | `duplicate-key` | a key or table stands twice |
//! | `unknown-key` | nobody reads this key |
//! | `missing-key` | a key without default is absent |
//! | `wrong-type` | e.g. a string where a list belongs |
//! | `out-of-range` | the right type, outside its bounds |
//! | `bad-duration` | a string that is no duration |
//! | `bad-value` | a string (or choice) that does not mean anything here |

mod form;
mod recover;
mod source;
mod table;
#[cfg(test)]
mod tests;
mod value;

pub use form::{Boolean, Choice, Duration, Form, Integer, List, MaybeText, Parsed, Text};
pub use source::{KeyReference, Source, read, references, references_of, utf8};
pub use table::Table;
pub use value::{Refusal, Shape, Value};
